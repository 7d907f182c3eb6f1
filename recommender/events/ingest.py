"""Events as readers' pages send them: checked one by one, each accepted or refused with a reason.

A page names the slate it shows by its token and a link by its position; whatever else it sends is
ignored. Time is the server's clock, less the ``age_ms`` that have passed by the page's. A
caller who is ``trusted`` (holds the admin key) may send the full records of ``events`` instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from recommender.errors import (
    EventError,
    ExpiredToken,
    ForeignToken,
    Rejected,
    RevokedToken,
    TokenError,
)
from recommender.events import event
from recommender.events.event import Event
from recommender.events.slate_token import Signer, Slate
from recommender.fields import MAX_ID_CHARACTERS, FieldError, text

# Characters of what a page mints or names: a UUID has 36. Not tuned.
MAX_NAME = 128
# A page that failed to send an event tries again, at the latest when it is left.
MAX_AGE_MS = 3_600_000
# What stands in the store's ``live`` columns. What a site imports, by file or with its key, is
# taken as it is; what pages send may be flagged when it is counted. The last is what a reader sent
# from where more came that day than may count; it is marked by whoever knows that, not here.
IMPORTED, BY_READER, BY_CRAWLER, BEYOND_ORIGIN = 0, 1, 2, 3
# Why an event is refused whose slate is of another store, or of another state of this one.
OTHER_STORE = "other_store"
# ... and whose slate is of a static page, by why it is valid no more.
EXPIRED, REVOKED = "expired", "revoked"


class Shown(NamedTuple):
    """A signed slate was seen. ``ts`` is in milliseconds since 1970, UTC."""

    view_id: str
    ts: int
    slate: Slate
    session_id: str
    layout: str
    live: int


class Followed(NamedTuple):
    """A link of a signed ``slate`` was followed; ``item`` is the store's number of its article."""

    view_id: str
    ts: int
    item: int
    live: int
    slate: Slate


class Opened(NamedTuple):
    """An article was opened; ``referrer_id`` is empty if it is not known from where."""

    ts: int
    article_id: str
    session_id: str
    referrer_id: str
    live: int


Incoming = Shown | Followed | Opened | Event


@dataclass(frozen=True, slots=True)
class Gate:
    """What an event is checked against. ``is_known`` is true of the ids of articles; ``now_ms`` is
    the server's clock.
    """

    signer: Signer
    is_known: Callable[[str], bool]
    now_ms: int
    crawler: bool = False
    trusted: bool = False

    def read(self, record: object) -> Incoming:
        """The event a record stands for; ``Rejected``, with the reason, if it is none."""
        try:
            return self._read(record)
        except FieldError as exc:
            raise Rejected(exc.reason, str(exc)) from exc

    def _read(self, record: object) -> Incoming:
        if not isinstance(record, dict):
            raise Rejected("malformed", "an event is a JSON object")
        type = record.get("type")
        if type not in ("impression", "click", "pageview"):
            raise Rejected("malformed", "field type: impression, click and pageview are known")
        signed = "slate" in record or type == "pageview"
        if self.trusted and (not signed or "ts" in record):
            return self._trusted(record, signed)
        if not signed:
            raise Rejected("unsigned", "field slate: missing; full records take the admin key")
        by_crawler = self.crawler and not self.trusted
        return self._signed(record, self._moment(record), BY_CRAWLER if by_crawler else BY_READER)

    def _signed(self, record: Mapping[str, Any], ts: int, live: int) -> Incoming:
        if record["type"] == "pageview":
            article = self._article(record, "article_id")
            named = record.get("referrer_id") not in (None, "")
            referrer = self._article(record, "referrer_id") if named else ""
            return Opened(ts, article, _name(record, "session_id"), referrer, live)
        view_id = _name(record, "view_id", needed=True)
        slate = self._slate(record, ts)
        if record["type"] == "impression":
            session, layout = _name(record, "session_id"), _name(record, "layout")
            return Shown(view_id, ts, slate, session, layout, live)
        position = record.get("position")
        if not isinstance(position, int) or isinstance(position, bool):
            raise Rejected("malformed", "field position: must be a whole number")
        if not 1 <= position <= len(slate.items):
            raise Rejected("bad_position", f"field position: {position} was not in the slate")
        return Followed(view_id, ts, slate.items[position - 1], live, slate)

    def _trusted(self, record: Mapping[str, Any], signed: bool) -> Incoming:
        """A record with the site's own time, or whole: what the site imports, in other words."""
        if signed:
            try:
                ts = event.milliseconds(record)
            except ValueError:
                raise Rejected("malformed", "field ts: no time") from None
            return self._in_time(self._signed(record, ts, IMPORTED))
        try:
            now = datetime.fromtimestamp(self.now_ms / 1000, UTC)
            return self._in_time(event.parse({"ts": now, **record}, where="event"))
        except EventError as exc:
            raise Rejected("malformed", str(exc).removeprefix("event: ")) from exc

    def _in_time(self, found: Incoming) -> Incoming:
        try:
            event.check_time(found.ts, self.now_ms + event.TOLERATED_MS, where="event")
        except EventError as exc:
            raise Rejected("malformed", str(exc).removeprefix("event: ")) from exc
        return found

    def _slate(self, record: Mapping[str, Any], ts: int) -> Slate:
        token = record["slate"]
        if not isinstance(token, str):
            raise Rejected("malformed", "field slate: must be text")
        try:
            return self.signer.resolve(token, at_ms=ts)
        except ForeignToken as exc:
            raise Rejected(OTHER_STORE, f"field slate: {exc}") from exc
        except ExpiredToken as exc:
            raise Rejected(EXPIRED, f"field slate: {exc}; export the site again") from exc
        except RevokedToken as exc:
            raise Rejected(REVOKED, f"field slate: {exc}; export the site again") from exc
        except TokenError as exc:
            raise Rejected("forged", f"field slate: {exc}") from exc

    def _moment(self, record: Mapping[str, Any]) -> int:
        age = record.get("age_ms", 0)
        is_number = isinstance(age, int | float) and not isinstance(age, bool)
        if not is_number or not 0 <= age <= MAX_AGE_MS:
            raise Rejected("malformed", f"field age_ms: must be a number from 0 to {MAX_AGE_MS}")
        return self.now_ms - int(age)

    def _article(self, record: Mapping[str, Any], name: str) -> str:
        # Ids hold what the site likes, joiners that cannot be printed too.
        id = text(record, name, needed=True, most=MAX_ID_CHARACTERS)
        if "\x00" in id:
            raise FieldError(name, "holds a NUL byte")
        if not self.is_known(id):
            raise Rejected("unknown_article", f"field {name}: no such article")
        return id


def _name(record: Mapping[str, Any], name: str, *, needed: bool = False) -> str:
    value = text(record, name, needed=needed, most=MAX_NAME)
    if not value.isprintable():
        raise FieldError(name, "holds what cannot be printed")
    return value
