"""``editorial.csv`` as people save it: read whole or refused, with the line and the field.

Spreadsheets save what they show. Commas may be semicolons or tabs, ``sep=;`` may stand first, the
text may be UTF-8, UTF-16 or Windows-1252, dates have the order of the country. What a file alone
cannot settle is refused: 03/04/2026 is read only where another line, such as 30/11/2026, says which
comes first. A day is one of the site's time zone; ``until`` a day includes it. A faulty line has
the whole file refused, so that half of it never goes live.

>>> text = "sep=;\\nAction;Source;Target;Position;Until\\npin;knee;gout;1;30.11.2026\\n"
>>> rule, = parse(text, where="e.csv").rules
>>> rule.position, rule.line, rule.ends.isoformat()
(1, 3, '2026-12-01T00:00:00+00:00')
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from recommender.errors import EditorialError
from recommender.escaping import FORMULA
from recommender.lists.editorial import Rules
from recommender.lists.local_times import BLANK, NoDate, Order, as_written, moment_of, spaced
from recommender.store.database import Store
from recommender.store.rules import MAX_POSITION, Rule, fault_of
from recommender.store.rules import read as console_rules

COLUMNS = ("action", "source", "target", "position", "from", "until", "reason")
NEEDED = ("action", "source", "target")
# What the copy beside the bundles has besides: where rules of the console come from.
OF_CONSOLE = ("number", "account", "at")
# Beside the bundles, where editors do not look.
LAST_GOOD = ".editorial-last-good.csv"
SEPARATORS = (",", ";", "\t", "|")
WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
# A cell that would be taken for a formula has an apostrophe before it, and so has one that begins
# like a cell with it.
GUARDED = re.compile(f"'+{FORMULA.pattern}")


class FaultyLinesError(EditorialError):
    """Lines that will not do: ``faults`` are their numbers, each with what is wrong with it, at
    most as many as were asked for. Its text is the first, with the name of the file.
    """

    def __init__(self, where: str, faults: Sequence[tuple[int, str]]) -> None:
        self.faults = tuple(sorted(faults))
        line, sentence = self.faults[0]
        super().__init__(f"{where}:{line}: {sentence}")


@dataclass(slots=True)
class Reading:
    """What is known while a file is read: its name, the site's zone, what was assumed, and which
    lines will not do, of which ``most_faults`` are collected.
    """

    where: str
    zone: tzinfo
    is_copy: bool = False
    most_faults: int = 1
    faults: list[tuple[int, str]] = field(default_factory=list)
    order: Order = field(default_factory=Order)
    notes: list[str] = field(default_factory=list)

    def fault(self, line: int, sentence: str) -> FaultyLinesError:
        return FaultyLinesError(self.where, [(line, sentence)])

    def collect(self, fault: FaultyLinesError) -> None:
        """Go on after a line that will not do, if more are asked for."""
        self.faults += fault.faults
        if len(self.faults) >= self.most_faults:
            raise FaultyLinesError(self.where, self.faults) from fault


def load(path: Path, *, zone: tzinfo = UTC, is_copy: bool = False) -> Rules:
    """Read the rules; no file means no rules. ``EditorialError`` names file, line and field."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return Rules(zone=zone)
    except OSError as exc:
        raise EditorialError(f"{path}: cannot be read: {exc.strerror}") from exc
    return read(raw, where=str(path), zone=zone, is_copy=is_copy)


def read(
    raw: bytes, *, where: str, zone: tzinfo = UTC, is_copy: bool = False, most_faults: int = 1
) -> Rules:
    """Check and read the bytes of a rules file; ``where`` is its name in complaints. Of faulty
    lines ``FaultyLinesError`` names ``most_faults`` at most.
    """
    text, notes = _decoded(raw, where)
    rules = parse(text, where=where, zone=zone, is_copy=is_copy, most_faults=most_faults)
    return Rules(rules.rules, notes=(*notes, *rules.notes), zone=zone)


def of_site(path: Path, store: Store | None, *, zone: tzinfo = UTC) -> Rules:
    """The rules of the file, and those of the console beside them, if there is a store; errors of
    ``load``, and ``StoreError``.
    """
    file = load(path, zone=zone)
    return file if store is None else file.beside(console_rules(store))


def remarks_on(rules: Rules, path: Path) -> list[str]:
    """What is to be said of rules that were resolved: what was assumed to read the file at
    ``path``, and which name no article, or one that could but be guessed.
    """
    notes = [f"{path}: {note}" for note in rules.notes]
    return notes + [
        f"{path}: {each}" if each.startswith("line ") else each for each in rules.remarks
    ]


def last_good(path: Path) -> Rules | None:
    """The rules of a file that ``written`` made; None where there is none, or it is damaged."""
    try:
        return load(path, is_copy=True) if path.exists() else None
    except (EditorialError, OSError):
        return None


def written(rules: Iterable[Rule]) -> str:
    """The text of a copy of these rules, as ``last_good`` reads it; times are given in full."""
    rows = []
    for rule in rules:
        times = [moment.isoformat() if moment else "" for moment in (rule.starts, rule.ends)]
        signed = [rule.number or "", rule.account, rule.at.isoformat() if rule.at else ""]
        place = rule.position or ""
        rows.append([rule.action, rule.source, rule.target, place, *times, rule.reason, *signed])
    return _table((*COLUMNS, *OF_CONSOLE), rows)


def exported(rules: Iterable[Rule], *, zone: tzinfo = UTC, separator: str = ",") -> bytes:
    """An ``editorial.csv`` of these rules for people and spreadsheets, as ``read`` reads it: days
    where a rule begins or ends with one in the site's ``zone``, and no cell that is a formula.
    """
    rows = [
        [
            rule.action, rule.source, rule.target, rule.position or "",
            as_written(rule.starts, zone), as_written(rule.ends, zone, is_end=True), rule.reason,
        ]
        for rule in rules
    ]  # fmt: skip
    # Without the mark Excel takes the text for one in the alphabet of its country.
    return _table(COLUMNS, rows, separator=separator, end="\r\n").encode("utf-8-sig")


def _table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    separator: str = ",",
    end: str = "\n",
) -> str:
    text = io.StringIO(newline="")
    table = csv.writer(text, delimiter=separator, lineterminator=end)
    table.writerow(columns)
    for row in rows:
        cells = map(str, row)
        table.writerow([f"'{x}" if FORMULA.match(x) or GUARDED.match(x) else x for x in cells])
    return text.getvalue()


# The text and its lines


def _decoded(raw: bytes, where: str) -> tuple[str, list[str]]:
    """The text of a file, and what had to be assumed."""
    if raw.startswith(WORKBOOKS):
        raise EditorialError(
            f"{where}: this is a workbook, not CSV: save it as CSV UTF-8 (comma delimited)"
        )
    for marks, encoding in (
        ((b"\xff\xfe", b"\xfe\xff"), "utf-16"),
        ((b"\xef\xbb\xbf",), "utf-8-sig"),
    ):
        if raw.startswith(marks):
            return _decode(raw, encoding, where), []
    # Headings have plain letters, every second byte of which is empty in UTF-16.
    head = raw[:40]
    if len(head) > 3 and b"\0" in head:
        encoding = "utf-16-le" if head[1] == 0 else "utf-16-be"
        return _decode(raw, encoding, where), []
    try:
        return raw.decode("utf-8"), []
    except UnicodeDecodeError as exc:
        line = raw[: exc.start].count(b"\n") + 1
        try:
            text = raw.decode("cp1252")
        except UnicodeDecodeError:
            raise EditorialError(
                f"{where}:{line}: neither UTF-8 nor Windows-1252: save it as CSV UTF-8"
            ) from None
    words = [each for each in re.findall(r"\w+|\S", text) if not each.isascii()]
    word = words[0]
    if odd := next(filter(_is_of_another_alphabet, words), ""):
        raise EditorialError(
            f"{where}: not UTF-8, and as Windows-1252 it has {odd[:40]!r}: save it as CSV UTF-8"
        )
    return text, [f"not UTF-8: read as Windows-1252, so that line {line} has {word[:40]!r}"]


def _is_of_another_alphabet(word: str) -> bool:
    """Can it hardly be Windows-1252? Words of its languages have plain letters among the others,
    and no capital with a mark inside of small ones. Cyrillic has none of the first, and what a
    Macintosh once wrote has such capitals.
    """
    if len(word) > 2 and word.isalpha() and not any(letter.isascii() for letter in word):
        return True
    inner = zip(word, word[1:], f"{word[2:]} ", strict=False)
    return any(
        letter.isupper() and not letter.isascii() and (before.islower() or after.islower())
        for before, letter, after in inner
    )


def _decode(raw: bytes, encoding: str, where: str) -> str:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as exc:
        before = raw[: exc.start].decode(encoding, errors="ignore")
        line = before.count("\n") + 1
        raise EditorialError(f"{where}:{line}: not {encoding.upper()} as it begins") from exc


def _rows(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that have anything in them, each with the line it begins in; ``csv.Error``."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    line = 1
    for row in reader:
        cells = [cell.strip(BLANK) for cell in row]
        if any(cells):
            yield line, cells
        line = reader.line_num + 1


def _without_mark(text: str) -> tuple[str, str | None]:
    """The text without the line by which Excel names the separator, and that."""
    match = re.match(r'\s*"?sep=(.)"?[;,\t ]*(?=\r|\n|$)', text, re.IGNORECASE)
    if match is None:
        return text, None
    # The line stays, empty, so that the others keep their numbers.
    return text[match.end() :], match[1]


def _separator(text: str) -> str:
    """What stands between the names of the heading."""

    def n_names(separator: str) -> tuple[int, int]:
        try:
            _, cells = next(_rows(text, separator))
        except (StopIteration, csv.Error):
            return 0, 0
        return sum(cell.lower() in COLUMNS for cell in cells), len(cells)

    return max(SEPARATORS, key=n_names)


def parse(
    text: str, *, where: str, zone: tzinfo = UTC, is_copy: bool = False, most_faults: int = 1
) -> Rules:
    """Check and read the text of a rules file; as ``read``."""
    reading = Reading(where, zone, is_copy, most_faults)
    text, separator = _without_mark(text.lstrip("\ufeff"))
    separator = separator or _separator(text)
    if not text.strip(BLANK + separator):
        return Rules(zone=zone)
    if separator in "\"'\r\n":
        raise reading.fault(1, f"{separator!r} cannot stand between cells")
    rows, line = [], 1
    try:
        for line, cells in _rows(text, separator):
            rows.append((line, cells))
    except csv.Error as exc:
        raise reading.fault(line, str(exc)) from exc
    if not rows:
        return Rules(zone=zone)
    names = _names(*rows[0], reading)
    lines = []
    for line, cells in rows[1:]:
        try:
            whole = _unfolded(cells, line, separator, len(names), reading)
            lines.append((line, _fields(names, whole, line, reading)))
        except FaultyLinesError as exc:
            reading.collect(exc)
    for line, fields in lines:
        for name in ("from", "until"):
            reading.order.learn(line, spaced(fields.get(name, "")))
    rules = []
    for line, fields in lines:
        try:
            rules.append(_rule(fields, line, reading))
        except FaultyLinesError as exc:
            reading.collect(exc)
    if reading.faults:
        raise FaultyLinesError(where, reading.faults)
    return Rules(rules, notes=(*reading.order.notes, *reading.notes), zone=zone)


def _names(line: int, cells: list[str], reading: Reading) -> list[str]:
    names = [spaced(cell).lower() for cell in cells]
    while names and not names[-1]:
        names.pop()
    known = (*COLUMNS, *OF_CONSOLE) if reading.is_copy else COLUMNS
    for name, cell in zip(names, cells, strict=False):
        if name and name not in known:
            raise reading.fault(line, f"unknown column {cell!r}; known: {', '.join(COLUMNS)}")
        if name and names.count(name) > 1:
            raise reading.fault(line, f"column {name} stands there twice")
    for name in NEEDED:
        if name not in names:
            raise reading.fault(line, f"column {name} is missing")
    return names


def _unfolded(
    cells: list[str], line: int, separator: str, n_names: int, reading: Reading
) -> list[str]:
    """A row that a spreadsheet took for one cell, and put in quotes, is that of the cell."""
    if (len(cells) > 1 and any(cells[1:])) or separator not in cells[0]:
        return cells
    try:
        inner = next(csv.reader([cells[0]], delimiter=separator), [])
    except csv.Error as exc:
        raise reading.fault(line, str(exc)) from exc
    return [cell.strip(BLANK) for cell in inner] if 1 < len(inner) <= n_names else cells


def _fields(names: list[str], cells: list[str], line: int, reading: Reading) -> dict[str, str]:
    """The cells by name, those that were guarded from spreadsheets as they were."""
    if any(cells[len(names) :]):
        raise reading.fault(line, "more cells than the heading has names")
    fields: dict[str, str] = {}
    for at, cell in enumerate(cells[: len(names)]):
        if not names[at]:
            if cell:
                raise reading.fault(line, f"cell {at + 1} has no name in the heading: {cell!r}")
            continue
        fields[names[at]] = cell[1:] if GUARDED.match(cell) else cell
    return fields


# One line


def _rule(fields: dict[str, str], line: int, reading: Reading) -> Rule:
    action = fields["action"].lower()
    starts, ends = (_moment(fields, name, line, reading) for name in ("from", "until"))
    rule = Rule(
        action=action,
        source=fields.get("source", ""),
        target=fields.get("target", ""),
        position=_position(fields, line, reading) if action == "pin" else None,
        starts=starts,
        ends=ends,
        reason=fields.get("reason", ""),
        line=line,
    )
    if fields.get("number"):
        rule = _signed(rule, fields, reading)
    fault = fault_of(rule)
    if fault and fault[0] == "action":
        fault = "action", f"{fields['action']!r} is neither pin nor block"
    if not fault and action == "block" and fields.get("position"):
        fault = "position", "a block has none"
    if fault:
        raise reading.fault(line, f"field {fault[0]}: {fault[1]}")
    return rule


def _signed(rule: Rule, fields: dict[str, str], reading: Reading) -> Rule:
    """A rule of the console, out of the copy of rules."""
    try:
        at = datetime.fromisoformat(fields["at"]) if fields.get("at") else None
        number = int(fields["number"])
    except ValueError:
        raise reading.fault(rule.line, "field number: no rule of the console") from None
    return replace(rule, line=0, number=number, account=fields.get("account", ""), at=at)


def _position(fields: dict[str, str], line: int, reading: Reading) -> int | None:
    text = fields.get("position", "")
    if not text:
        return None
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_POSITION))
    if not is_number or not 1 <= int(text) <= MAX_POSITION:
        raise reading.fault(line, f"field position: {text[:40]!r} is not 1 to {MAX_POSITION}")
    return int(text)


def _moment(fields: dict[str, str], name: str, line: int, reading: Reading) -> datetime | None:
    text = spaced(fields.get(name, ""))
    if not text:
        return None
    try:
        return moment_of(
            text, reading.zone, is_end=name == "until", order=reading.order,
            note=lambda note: reading.notes.append(f"line {line}: field {name}: {note}"),
        )  # fmt: skip
    except NoDate as exc:
        raise reading.fault(line, f"field {name}: {exc}") from None
