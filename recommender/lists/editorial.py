"""The editors' rules, ``editorial.csv``: pins and blocks, with dates and reasons.

They are applied last, over whatever the model scores, and a block beats a pin. Articles are named
by id or by address; ``Rules.resolved`` finds them where it is known which there are. A file with a
faulty line is refused whole, with the line's number, so that half a file never goes live. A server
keeps the last good rules in a file of its own, so that it can be restarted meanwhile.

>>> rules = parse("action,source,target,position\\nblock,*,sugar,\\npin,knee,gout,1", where="e.csv")
>>> rules.apply("knee", ["salt", "sugar", "gout"], now=datetime(2026, 11, 22, tzinfo=UTC))
[('gout', True), ('salt', False)]
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from recommender.articles.article import parse_timestamp
from recommender.errors import EditorialError
from recommender.store.rules import ACTIONS, EVERYWHERE, MAX_POSITION, Rule

COLUMNS = ("action", "source", "target", "position", "from", "until", "reason")
# Beside the bundles, where editors do not look.
LAST_GOOD = ".editorial-last-good.csv"


# The id of the article whose id or address a text is, and what had to be assumed, if anything.
Named = Callable[[str], tuple[str | None, str]]


class Rules:
    """All rules of a site, found by the source they speak of. ``remarks`` say of which lines the
    article is not known, or could but be guessed by its address.
    """

    def __init__(self, rules: Sequence[Rule] = (), *, remarks: Sequence[str] = ()) -> None:
        self.rules = list(rules)
        self.remarks = tuple(remarks)
        self.by_source: dict[str, list[Rule]] = {}
        for rule in self.rules:
            self.by_source.setdefault(rule.source, []).append(rule)

    def resolved(self, named: Named) -> Rules:
        """The same rules by the ids of articles; one that names nobody stays as it is, since its
        article may come later.
        """
        rules, remarks = [], []
        for rule in self.rules:
            ids = [rule.source, rule.target]
            for place, field in enumerate(("source", "target")):
                text = ids[place]
                if text == EVERYWHERE:
                    continue
                id, assumed = named(text)
                ids[place] = id or text
                if id is None:
                    remarks.append(f"line {rule.line}: field {field}: no article {text!r}")
                elif assumed:
                    remarks.append(
                        f"line {rule.line}: field {field}: {text!r} is taken for {id!r} "
                        f"(assumed: {assumed})"
                    )
            rules.append(replace(rule, source=ids[0], target=ids[1]))
        return Rules(rules, remarks=remarks)

    def about(self, source: str | None, now: datetime) -> list[Rule]:
        """The rules in force on a page; None is a page that is not known."""
        found = [*self.by_source.get(EVERYWHERE, ())]
        if source is not None and source != EVERYWHERE:
            found += self.by_source.get(source, ())
        return [rule for rule in found if rule.valid(now)]

    def apply(
        self, source: str | None, ids: Sequence[str], *, now: datetime
    ) -> list[tuple[str, bool]]:
        """The list as the editors want it: ids, and whether each is pinned."""
        rules = self.about(source, now)
        blocked = {rule.target for rule in rules if rule.action == "block"}
        pins = [
            rule
            for rule in rules
            if rule.action == "pin" and rule.target not in blocked and rule.target != source
        ]
        # Places asked for come first, and a rule for this page before one for all pages.
        pins.sort(key=lambda rule: (rule.position is None, rule.source == EVERYWHERE, rule.line))
        places: dict[int, str] = {}
        for rule in pins:
            if rule.target not in places.values():
                place = rule.position or 1
                while place in places:
                    place += 1
                places[place] = rule.target
        rest = [id for id in ids if id not in blocked and id not in places.values()]
        listed: list[tuple[str, bool]] = []
        for place in range(1, len(places) + len(rest) + 1):
            if place in places:
                listed.append((places.pop(place), True))
            elif rest:
                listed.append((rest.pop(0), False))
            else:  # pinned behind the end of a short list: as near to it as there is
                listed.append((places.pop(min(places)), True))
        return listed


def load(path: Path) -> Rules:
    """Read the rules; no file means no rules. ``EditorialError`` names file, line and field."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return Rules()
    except OSError as exc:
        raise EditorialError(f"{path}: cannot be read: {exc.strerror}") from exc
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = raw[: exc.start].count(b"\n") + 1
        raise EditorialError(f"{path}:{line}: not UTF-8") from exc
    return parse(text, where=str(path))


def last_good(path: Path) -> Rules | None:
    """The rules of a file that ``written`` made; None where there is none, or it is damaged."""
    try:
        return load(path) if path.exists() else None
    except (EditorialError, OSError):
        return None


def written(rules: Rules) -> str:
    """The text of a file with these rules, as ``parse`` reads it; times are given in full."""
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for rule in rules.rules:
        times = [moment.isoformat() if moment else "" for moment in (rule.starts, rule.ends)]
        place = rule.position or ""
        table.writerow([rule.action, rule.source, rule.target, place, *times, rule.reason])
    return text.getvalue()


def parse(text: str, *, where: str) -> Rules:
    """Check and read the text of a rules file; ``where`` is its name in complaints."""
    reader = csv.DictReader(io.StringIO(text, newline=""))
    if reader.fieldnames is None or not text.strip():
        return Rules()
    names = [name.strip() for name in reader.fieldnames]
    reader.fieldnames = names
    for name in names:
        if name not in COLUMNS:
            raise EditorialError(f"{where}:1: unknown column {name!r}; known: {', '.join(COLUMNS)}")
        if names.count(name) > 1:
            raise EditorialError(f"{where}:1: column {name} stands there twice")
    for name in ("action", "source", "target"):
        if name not in names:
            raise EditorialError(f"{where}:1: column {name} is missing")
    rules = []
    try:
        for cells in reader:
            line = f"{where}:{reader.line_num}"
            if None in cells:
                raise EditorialError(f"{line}: more cells than the heading has names")
            fields = {name: (cell or "").strip() for name, cell in cells.items()}
            if any(fields.values()):
                rules.append(_rule(fields, line, reader.line_num))
    except csv.Error as exc:
        raise EditorialError(f"{where}:{reader.line_num}: {exc}") from exc
    return Rules(rules)


def _rule(fields: dict[str, str], where: str, number: int) -> Rule:
    action = fields["action"].lower()
    if action not in ACTIONS:
        raise EditorialError(
            f"{where}: field action: {fields['action']!r} is neither pin nor block"
        )
    for name in ("source", "target"):
        if not fields[name]:
            raise EditorialError(f"{where}: field {name}: empty")
    if fields["source"] == fields["target"]:
        raise EditorialError(f"{where}: field target: the article itself")
    if fields["target"] == EVERYWHERE:
        raise EditorialError(f"{where}: field target: must name one article, not *")
    starts = _moment(fields, "from", where)
    ends = _moment(fields, "until", where)
    if starts and ends and starts >= ends:
        raise EditorialError(f"{where}: field until: not after from")
    return Rule(
        action=action,
        source=fields["source"],
        target=fields["target"],
        position=_position(fields, action, where),
        starts=starts,
        ends=ends,
        reason=fields.get("reason", ""),
        line=number,
    )


def _position(fields: dict[str, str], action: str, where: str) -> int | None:
    text = fields.get("position", "")
    if not text:
        return None
    if action == "block":
        raise EditorialError(f"{where}: field position: a block has none")
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_POSITION))
    if not is_number or not 1 <= int(text) <= MAX_POSITION:
        raise EditorialError(f"{where}: field position: {text!r} is not 1 to {MAX_POSITION}")
    return int(text)


def _moment(fields: dict[str, str], name: str, where: str) -> datetime | None:
    text = fields.get(name, "")
    if not text:
        return None
    try:
        moment = parse_timestamp(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise EditorialError(f"{where}: field {name}: not an ISO 8601 date: {text!r}") from None
    if name == "from" or len(text) != len("2026-11-30"):
        return moment
    # "until 2026-11-30" means to the end of that day, as an editor would read it, and until
    # 9999-12-31 for ever.
    return moment + timedelta(days=1) if moment.date() < date.max else None
