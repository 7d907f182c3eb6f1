"""The lists that need an editor most, the worst first, from one to the next with a key.

What is wrong with them was found by commands: ``recommender audit`` grades hand-picked links,
``recommender figures`` names lists that are short or filled up and pages whose click rate falls.
Here that is put in one order, and what an editor has dealt with since is set aside.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from starlette.responses import Response

from recommender.articles.addresses import url_key
from recommender.articles.article import Article, parse_timestamp
from recommender.bundle import figures
from recommender.errors import BundleError
from recommender.store.rules import EVERYWHERE, Rule
from recommender_api.console.app import Console, Entry, url
from recommender_api.console.finding import Mark, marks
from recommender_api.console.visit import Visit
from recommender_api.console.words import counted, page_address

# Where ``recommender audit`` keeps what it found, and what makes it.
AUDIT, AUDIT_COMMAND = "audit.json", "recommender audit"
# What an audit of any site stays below, many times over.
MAX_BYTES = 32 * 1024 * 1024
# Rows of one page, and links of one that are named.
N_ROWS, N_LINKS = 25, 3
# Kinds and what they are called, the worst first: readers who are lost, lists that they hardly get,
# links that lead nowhere, then what could be better.
KINDS = {
    "falling": "Falling click rate",
    "short": "Short lists",
    "broken": "Broken links",
    "filled": "Filled up",
    "poor": "Poor links",
    "doubtful": "Doubtful links",
}
DEALT = "dealt"
# What the audit calls a link that leads nowhere.
DEAD = "dead"
# What it calls a link that goes no more with its page than any other article; its reason is for
# analysts.
OFF_TOPIC = "off-topic"
GRADES = ("broken", "poor", "doubtful")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a page's list: its ``kind``, the reason in plain words, and how
    an editor has dealt with it, empty if not.
    """

    kind: str
    reason: str
    dealt: str = ""


class Found(NamedTuple):
    """What a command found: of which page, of which kind, in words, when, and about which link of
    the list, if about one; ``is_dead`` if that led nowhere.
    """

    id: str
    title: str
    kind: str
    reason: str
    since: datetime
    target: str = ""
    is_dead: bool = False


@dataclass(slots=True)
class Page:
    """A page with its own ``address``, if that is known, and what is wrong with its list."""

    id: str
    title: str
    address: str | None = None
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_dealt(self) -> bool:
        """Is there nothing left to do?"""
        return all(finding.dealt for finding in self.findings)

    def has(self, kind: str) -> bool:
        """Is there something of this kind left to do; or nothing, if that is asked?"""
        if kind == DEALT:
            return self.is_dealt
        return any(not finding.dealt and kind in ("", finding.kind) for finding in self.findings)


class Worst:
    """The pages in order, put together anew whenever something they rest on is another."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._state: object = None
        self._pages: list[Page] = []
        self._missing: list[str] = []

    def pages(self) -> tuple[list[Page], list[str]]:
        """All pages with findings, the worst first, and sentences on what is missing."""
        console = self.console
        models, answers = console.settings.models, console.live.answers
        rules = answers.rules.rules if answers is not None else []
        state = (
            figures.state(models),
            _stamp(models / AUDIT),
            console.store.last_change(),
            [rule.key for rule in rules if rule.valid(console.clock())],
            [rule.at for rule in rules],
        )
        if state != self._state:
            self._pages, self._missing = self._gathered(rules)
            self._state = state
        return self._pages, self._missing

    def next_after(self, id: str, *, kind: str = "") -> str | None:
        """The id of the page that comes after this one in the order, of those with something left
        to do; of a page that is not among them the first. None behind the last.
        """
        pages, _ = self.pages()
        at = next((at for at, page in enumerate(pages) if page.id == id), -1)
        return next((page.id for page in pages[at + 1 :] if page.has(kind) and page.id != id), None)

    def _gathered(self, rules: list[Rule]) -> tuple[list[Page], list[str]]:
        missing: list[str] = []
        found = [*self._of_figures(missing), *self._of_audit(missing)]
        ids = {each.id for each in found} | {each.target for each in found if each.target}
        there = {
            article.id: article for article in self.console.store.articles(ids=ids, with_body=False)
        }
        dealt = _Dealt(there, rules, self.console.clock())
        order = list(KINDS)
        pages: dict[str, Page] = {}
        for each in sorted(found, key=lambda each: order.index(each.kind)):
            article = there.get(each.id)
            title = article.title if article else each.title
            address = page_address(article.url) if article else None
            page = pages.setdefault(each.id, Page(each.id, title, address))
            page.findings.append(Finding(each.kind, each.reason, dealt.how(each)))
        for page in pages.values():
            page.findings.sort(key=lambda finding: bool(finding.dealt))
        return list(pages.values()), missing

    def _of_figures(self, missing: list[str]) -> Iterable[Found]:
        """What the figures say of lists."""
        models = self.console.settings.models
        try:
            content = figures.read(models)
        except BundleError as exc:
            missing.append(f"The figures cannot be read: {exc}.")
            return
        if content is None:
            missing.append(
                "Short lists, lists that are filled up and falling click rates are not known yet: "
                f"{figures.COMMAND} finds them, and so does every training."
            )
            return
        made = datetime.fromisoformat(content["made"])
        falling = content.get("falling", {})
        if falling.get("why"):
            why = f"No page is asked whether its click rate falls. {falling['why']}"
            if not content.get("logged", {}).get("views"):
                why += (
                    " Views and clicks come from readers' pages, or by recommender import events."
                )
            missing.append(why)
        for row in falling.get("pages", ()):
            yield Found(row["id"], row["title"], "falling", _falls(row, falling), made)
        for kind, words in (("short", _is_short), ("filled", _is_filled)):
            part = content.get(kind, {})
            rows = part.get("pages", ())
            if part.get("n", 0) > len(rows):
                missing.append(
                    f"{KINDS[kind]}: {part['n']:,} pages, of which the {len(rows):,} most read are "
                    "listed."
                )
            for row in rows:
                yield Found(row["id"], row["title"], kind, words(row), made)

    def _of_audit(self, missing: list[str]) -> Iterable[Found]:
        """What the audit says of links that are not good."""
        path = self.console.settings.models / AUDIT
        try:
            if path.stat().st_size > MAX_BYTES:
                raise ValueError(f"larger than {MAX_BYTES:,} bytes")
            content = json.loads(path.read_text(encoding="utf-8"))
            rows = content["worst"]
            # It has the day alone: what changed on that day may have come before.
            made = parse_timestamp(f"{content['date']}T23:59:59")
            n = sum(content["grades"][grade] for grade in GRADES)
            found = [
                Found(
                    row["source_id"], row["source_title"], row["grade"], _is_wrong(row), made,
                    row["target_id"], row["kinds"].partition("; ")[0] == DEAD,
                )
                for row in rows
                if row["grade"] in GRADES
            ]  # fmt: skip
        except (FileNotFoundError, NotADirectoryError):
            missing.append(
                f"Hand-picked links were not looked at yet: {AUDIT_COMMAND} grades them all."
            )
            return
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as exc:
            missing.append(f"The audit cannot be read ({exc}); {AUDIT_COMMAND} makes another.")
            return
        if n > len(found):
            missing.append(
                f"The audit found {n:,} links that are not good; the {len(found):,} worst are kept."
            )
        yield from found


class _Dealt:
    """What editors have done about findings."""

    def __init__(self, there: Mapping[str, Article], rules: Iterable[Rule], now: datetime) -> None:
        self.there, self.now = there, now
        self.blocked: set[tuple[str, str]] = set()
        self.about: dict[str, list[Rule]] = {}
        for rule in rules:
            if not rule.valid(now):
                continue
            self.about.setdefault(rule.source, []).append(rule)
            if rule.action == "block":
                self.blocked.add((rule.source, rule.target))

    def how(self, found: Found) -> str:
        """In words; empty if nothing was done about it."""
        article = self.there.get(found.id)
        if article is None:
            return "the page is gone"
        if found.target:
            if {(found.id, found.target), (EVERYWHERE, found.target)} & self.blocked:
                return "the link is blocked"
            target = self.there.get(found.target)
            if not _has_link(article, found.target, target):
                return "the link is not on the page any more"
            if found.is_dead and target is not None and not target.stub:
                return "there is a page now"
        elif any(rule.at is not None and rule.at > found.since for rule in self._about(found.id)):
            return "an editor made a rule for the page since"
        if article.updated_at and _is_after(article.updated_at, found.since):
            return "the page was changed since"
        return ""

    def _about(self, id: str) -> list[Rule]:
        return self.about.get(id, [])


def _has_link(article: Article, id: str, target: Article | None) -> bool:
    """Does the hand-picked list name this article, by its id or by its address?"""
    if id in article.recommended:
        return True
    key = url_key(target.url) if target is not None and target.url else ""
    return bool(key) and any(url_key(each) == key for each in article.recommended)


def _is_after(written: str, since: datetime) -> bool:
    try:
        return parse_timestamp(written) > since
    except ValueError:
        return False


def _falls(row: Mapping[str, Any], part: Mapping[str, Any]) -> str:
    lost = max(1, round(row["lost"] or 0))
    return (
        f"Of 100 readers {_of_100(row['rate'])} follow a link ({counted(row['clicks'], 'click')} "
        f"in {counted(row['views'], 'view')}, the last {part['days']} days); before it was "
        f"{_of_100(row['past_rate'])}. The site's own trend aside, some "
        f"{counted(lost, 'click is', 'clicks are')} lost."
    )


def _of_100(rate: float | None) -> str:
    return "none" if rate is None else f"{100 * rate:.3g}"


def _is_short(row: Mapping[str, Any]) -> str:
    n = row["links"]
    links = "No link at all" if n == 0 else "Only one link" if n == 1 else f"Only {n} links"
    return f"{links} can be shown here.{_seen(row)}"


def _is_filled(row: Mapping[str, Any]) -> str:
    n, of = row["fillers"], row["links"]
    part = "All links" if n == of else f"{n} of {of} links"
    return f"{part} only fill up: nothing that goes with the page was found.{_seen(row)}"


def _seen(row: Mapping[str, Any]) -> str:
    n = row["views"]
    return f" Seen {counted(n, 'time')} of late." if n else ""


def _is_wrong(row: Mapping[str, Any]) -> str:
    title = row["target_title"] or row["target_id"]
    why = row["reasons"].partition("; ")[0]
    if row["kinds"].partition("; ")[0] == OFF_TOPIC:
        why = "the texts have no more in common than any two articles"
    reason = f"Link {row['position']}, “{title}”: {why}."
    better = row.get("instead_title")
    return f"{reason} Better: “{better}”." if better else reason


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def add(console: Console) -> None:
    """Have the page answered, and a place in the menu."""
    worst = Worst(console)
    console.menu.append(Entry("/worst", "Worst lists"))
    console.get("/worst", "viewer", partial(_shown, console, worst))


def _shown(console: Console, worst: Worst, visit: Visit) -> Response:
    kind = visit.query("kind")
    kind = kind if kind in (*KINDS, DEALT) else ""
    if after := visit.query("after"):
        id = worst.next_after(after, kind=kind)
        if id is None:
            return console.go(visit, "/worst", kind=kind, done="That was the last one.")
        return console.go(visit, "/page", id=id, kind=kind)
    pages, missing = worst.pages()
    counts = Counter(each for page in pages for each in ("", *KINDS, DEALT) if page.has(each))
    chosen = [page for page in pages if page.has(kind)]
    first = _first(visit.query("from"), len(chosen))
    shown = chosen[first : first + N_ROWS]
    return console.page(
        visit,
        "worst",
        pages=shown,
        kinds=KINDS,
        kind=kind,
        counts=counts,
        marks=_marks(console, shown),
        missing=missing,
        first=first,
        n=len(chosen),
        size=N_ROWS,
        n_links=N_LINKS,
        turned=lambda at: url("/worst", kind=kind, **{"from": str(at + 1)} if at else {}),
    )


def _first(text: str, n: int) -> int:
    """Where a page of rows begins, from 0."""
    asked = int(text) - 1 if text.isascii() and text.isdecimal() and len(text) < 9 else 0
    return max(0, asked) // N_ROWS * N_ROWS if asked < n else 0


def _marks(console: Console, pages: Iterable[Page]) -> dict[str, list[Mark]]:
    return marks(console, [page.id for page in pages])
