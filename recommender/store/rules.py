"""The editors' rules that are made in the console, and who did what to them when.

Rules and their history are written in one transaction, by one writer at a time: whoever comes
second sees what the first did, and is told. What was done can be undone as long as what it touched
is as it left it; an undoing is an action like others, which can be undone too. A server asks
``last_change`` again and again, one look-up by key, and reads the rules when it differs.

>>> from recommender.store.database import Store
>>> NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
>>> with Store("sqlite://") as store:
...     done = add(store, Rule("pin", "knee", "gout", 1), account="ann", at=NOON)
...     undone = undo(store, done.action, account="ann", at=NOON)
...     (done.rules[0].number, read(store), [each.what for each in history(store)])
(1, [], ['undone', 'added'])
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from recommender.errors import EditorialError
from recommender.store.action_sources import fill, rows_of, text_of
from recommender.store.database import Store
from recommender.store.keys import look_up, upsert
from recommender.times import EPOCH, MICROSECOND

EVERYWHERE = "*"
ACTIONS = ("pin", "block")
# Twice as many links as a page can ask for; not tuned.
MAX_POSITION = 100
# Not tuned: a reason is a sentence, and an address no longer than browsers take.
MAX_REASON, MAX_NAME = 1_000, 2_000
# Where the store counts changes of the rules, and the numbers that were given to them: one that is
# removed never gives its number to another.
CHANGE, NUMBER = "rules_change", "rules_number"
# What ``Action.what`` may be.
ADDED, CHANGED, REMOVED, IMPORTED, UNDONE = "added", "changed", "removed", "imported", "undone"
MILLISECOND = 1_000 * MICROSECOND
# What a database of texts does not take.
NO_TEXT = re.compile("[\0\ud800-\udfff]")
# What makes a rule what it is, wherever it stands.
MEANING = ("action", "source", "target", "position", "starts", "ends")
COLUMNS = "number, action, source, target, position, starts, ends, reason, account, ts"
ACTIONS_AS = """
    SELECT a.number, a.ts, a.account, a.what, a.source, a.rule, a.undoes,
        (SELECT MIN(u.number) FROM actions u WHERE u.undoes = a.number) AS undone_by,
"""
HISTORY = f"{ACTIONS_AS} a.row_before, a.row_after FROM actions a"
HISTORY_OF = f"""
    {ACTIONS_AS} s.row_before, s.row_after, s.n_rules
    FROM action_sources s JOIN actions a ON a.number = s.number
"""
OF_PAGES = "SELECT number, row_before, row_after FROM action_sources"


@dataclass(frozen=True, slots=True)
class Rule:
    """A pin or a block: on the page ``source``, or on all for ``*``, the article ``target`` stands
    at place ``position`` (None: the first that is free), or nowhere.

    ``starts`` and ``ends`` bound its validity, ``ends`` excluded; None is no bound. A rule of the
    file has the ``line`` it stands in, one of the console its ``number``, the ``account`` that last
    wrote it and when, ``at``.
    """

    action: str
    source: str
    target: str
    position: int | None = None
    starts: datetime | None = None
    ends: datetime | None = None
    reason: str = ""
    line: int = 0
    number: int = 0
    account: str = ""
    at: datetime | None = None

    def valid(self, now: datetime) -> bool:
        """Is the rule in force?"""
        return (self.starts is None or self.starts <= now) and (
            self.ends is None or now < self.ends
        )

    @property
    def is_of_console(self) -> bool:
        """Was it made in the console, and does not stand in the file?"""
        return self.number > 0

    @property
    def key(self) -> tuple[int, int]:
        """What no other of a site's rules has."""
        return self.line, self.number

    @property
    def where(self) -> str:
        """Where it stands: a line of the file, or a number of the console and whose it is."""
        if not self.is_of_console:
            return f"line {self.line}"
        return f"rule {self.number} of the console" + (f", {self.account}" * bool(self.account))

    @property
    def meaning(self) -> tuple[object, ...]:
        """What the rule does and when; who made it and why aside."""
        return tuple(getattr(self, name) for name in MEANING)

    def overlaps(self, other: Rule) -> bool:
        """Is there a moment at which both are in force?"""
        return (self.ends is None or other.starts is None or other.starts < self.ends) and (
            other.ends is None or self.starts is None or self.starts < other.ends
        )

    def shares_place(self, other: Rule) -> bool:
        """Do both pin other articles on one place of one page, at some moment?"""
        return (
            self.action == other.action == "pin"
            and self.source == other.source
            and self.position is not None
            and self.position == other.position
            and self.target != other.target
            and self.overlaps(other)
        )


@dataclass(frozen=True, slots=True)
class Edit:
    """One thing to do: add ``rule`` (no ``number``), put it in place of the one of that ``number``,
    or remove that one (no ``rule``). ``seen`` is the rule as the editor saw it: if it is another
    by now, nothing is done.
    """

    rule: Rule | None
    number: int = 0
    seen: Rule | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """What was done: the number of the ``action``, the ``rules`` as they stand now, and those
    ``beside``, which pin other articles on a place that one of them pins; of these the first made
    has the place, and later ones stand below it.
    """

    action: int
    rules: tuple[Rule, ...]
    beside: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Action:
    """What an account did, ``at`` a moment. ``what`` is ``added``, ``changed``, ``removed``,
    ``imported`` or ``undone``, which names the action it ``undoes``, or else a clause on what
    touched no rule (``note``); ``source`` is the page, empty if there are several or none.
    ``before`` and ``after`` are the rules it touched as they were and as it left them.
    ``obstacle`` is why it cannot be undone, a sentence, empty if it can. In the history of one
    page, ``before`` and ``after`` are the rules of that page and of all pages, and ``n_others`` is
    how many more rules the action touched, which an undoing brings back too.
    """

    number: int
    at: datetime
    account: str
    what: str
    source: str
    undoes: int | None
    before: tuple[Rule, ...]
    after: tuple[Rule, ...]
    obstacle: str = ""
    n_others: int = 0


def fault_of(rule: Rule) -> tuple[str, str] | None:
    """The field that will not do and why, None if the rule is sound."""
    if rule.action not in ACTIONS:
        return "action", f"{rule.action!r} is neither pin nor block"
    for name in ("source", "target"):
        text = getattr(rule, name)
        if not text:
            return name, "empty"
        if len(text) > MAX_NAME:
            return name, f"longer than {MAX_NAME:,} characters"
    if rule.source == rule.target:
        return "target", "an article cannot stand beside itself"
    if rule.target == EVERYWHERE:
        return "target", f"must name one article, not {EVERYWHERE}"
    if rule.position is not None:
        if rule.action == "block":
            return "position", "a block has none"
        if not 1 <= rule.position <= MAX_POSITION:
            return "position", f"{rule.position} is not 1 to {MAX_POSITION}"
    if rule.starts and rule.ends and rule.starts >= rule.ends:
        return "until", "it would end before it begins"
    if len(rule.reason) > MAX_REASON:
        return "reason", f"longer than {MAX_REASON:,} characters"
    for name in ("source", "target", "reason"):
        if NO_TEXT.search(getattr(rule, name)):
            return name, "holds a character that no text has"
    return None


def last_change(store: Store) -> int:
    """A number that differs whenever the rules of the console were changed; 0 before that."""
    return int(store.value(CHANGE) or 0)


def read(store: Store) -> list[Rule]:
    """The rules of the console, as editors wrote them, in the order in which they were made."""
    with store.reading() as connection:
        rows = connection.execute(sql.text(f"SELECT {COLUMNS} FROM rules ORDER BY number"))
        return [_rule(row._mapping) for row in rows]


def add(store: Store, rule: Rule, *, account: str, at: datetime) -> Written:
    """Add a rule. ``EditorialError`` if it will not do, or the console has the same."""
    return write(store, [Edit(rule)], account=account, at=at)


def change(
    store: Store, number: int, rule: Rule, *, account: str, at: datetime, seen: Rule | None = None
) -> Written:
    """Put a rule in place of the one of this number. ``EditorialError`` if it will not do, that is
    gone, or is no longer as it was ``seen``.
    """
    return write(store, [Edit(rule, number, seen)], account=account, at=at)


def remove(
    store: Store, number: int, *, account: str, at: datetime, seen: Rule | None = None
) -> Written:
    """Remove the rule of this number. ``EditorialError`` if it is gone, or is no longer as it was
    ``seen``.
    """
    return write(store, [Edit(None, number, seen)], account=account, at=at)


def write(
    store: Store, edits: Sequence[Edit], *, account: str, at: datetime, what: str = ""
) -> Written:
    """Do several things at once, all or none, as one action of the history: ``what`` names it, by
    default after what the edits are. ``EditorialError`` names what cannot be done.
    """
    for edit in edits:
        if edit.rule is not None and (fault := fault_of(edit.rule)):
            raise EditorialError(f"field {fault[0]}: {fault[1]}")
    with store.transaction() as connection:
        _lock(connection)
        there = _there(connection)
        before = [_as_seen(edit, there) for edit in edits if edit.number]
        number = _kept(connection, NUMBER)
        after = []
        for edit in edits:
            if edit.rule is not None:
                number += not edit.number
                after.append(_signed(edit.rule, edit.number or number, account, at))
        if not edits or list(map(_without_hand, before)) == list(map(_without_hand, after)):
            raise EditorialError("nothing was changed")
        _check_new(after, before, there)
        _put(connection, before, after, number=number)
        named = what or (CHANGED if before and after else ADDED if after else REMOVED)
        action = _note(connection, before, after, account=account, at=at, what=named)
        _count_change(connection)
    return Written(action, tuple(after), _beside(after, there))


def undo(store: Store, action: int, *, account: str, at: datetime) -> Written:
    """Undo an action of the history. ``EditorialError`` says why it cannot be."""
    with store.transaction() as connection:
        _lock(connection)
        rows = list(connection.execute(sql.text(f"{HISTORY} WHERE a.number = :n"), {"n": action}))
        if not rows:
            raise EditorialError(f"there is no action {action}")
        there = _there(connection)
        done = _action(rows[0], there, *map(_rules_in, (rows[0].row_before, rows[0].row_after)))
        if done.obstacle:
            raise EditorialError(done.obstacle)
        _put(connection, done.after, done.before, number=_kept(connection, NUMBER))
        number = _note(
            connection, done.after, done.before, account=account, at=at, what=UNDONE, undoes=action
        )
        _count_change(connection)
    return Written(number, done.before, _beside(done.before, there))


def note(store: Store, what: str, *, account: str, at: datetime) -> int:
    """Write into the history what an account did that touched no rule, such as making a bundle
    live; the number of the action, which cannot be undone there.
    """
    with store.transaction() as connection:
        _lock(connection)
        return _note(connection, (), (), account=account, at=at, what=what)


def history(
    store: Store,
    *,
    source: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[Action]:
    """What was done to the rules, the latest first: at most ``limit`` actions, of one page alone,
    or before the action of a number.

    For one page its own rows are looked up (``action_sources``): of an action that touched
    thousands of rules only those of the page and of all pages are given, and the others are
    counted. Whether such an action can be undone is for all its rules to say; they are compared as
    they are kept.
    """
    if source is not None:
        return _history_of(store, source, before, limit)
    where = "" if before is None else "WHERE a.number < :before"
    values = {"limit": limit, "before": before}
    with store.snapshot() as connection:
        query = f"{HISTORY} {where} ORDER BY a.number DESC LIMIT :limit"
        rows = list(connection.execute(sql.text(query), values))
        pairs = [(row, _rules_in(row.row_before), _rules_in(row.row_after)) for row in rows]
        numbers = {rule.number for _, *both in pairs for rules in both for rule in rules}
        there = _there(connection, numbers)
    return [_action(row, there, before, after) for row, before, after in pairs]


def _history_of(store: Store, source: str, before: int | None, limit: int) -> list[Action]:
    """The history of one page."""
    limits = ["s.source = :source", *["a.number < :before"] * (before is not None)]
    values = {"source": source, "before": before, "limit": limit}
    with store.snapshot() as connection:
        query = f"{HISTORY_OF} WHERE {' AND '.join(limits)} ORDER BY a.number DESC LIMIT :limit"
        rows = list(connection.execute(sql.text(query), values))
        numbers = [row.number for row in rows if row.n_rules > 1 and source != EVERYWHERE]
        query = f"{OF_PAGES} WHERE source = '{EVERYWHERE}' AND number IN :values"
        wider = {row.number: row for row in look_up(connection, query, numbers)}
        pairs = []
        for row in rows:
            own = [row, wider[row.number]] if row.number in wider else [row]
            rules = [_rules_in(each.row_before) for each in own]
            pairs.append(
                (row, sum(rules, ()), sum((_rules_in(each.row_after) for each in own), ()))
            )
        there = _there(connection, {rule.number for _, *both in pairs for r in both for rule in r})
        return [_action_of_page(connection, *pair, there) for pair in pairs]


def _action_of_page(
    connection: Connection,
    row: Any,
    before: tuple[Rule, ...],
    after: tuple[Rule, ...],
    there: dict[int, Rule],
) -> Action:
    """An action as the history of one page has it."""
    done = _action(row, there, before, after)
    n_others = row.n_rules - len({rule.number for rule in (*before, *after)})
    if n_others and not done.obstacle:
        done = replace(done, obstacle=_obstacle_of_all(connection, row.number))
    return replace(done, n_others=n_others)


def _obstacle_of_all(connection: Connection, action: int) -> str:
    """Why an action of many rules cannot be undone: rows are compared as they are kept, and made
    into rules only if they must be.
    """
    query = sql.text("SELECT row_before, row_after FROM actions WHERE number = :number")
    kept = connection.execute(query, {"number": action}).one()
    before, after = rows_of(kept.row_before), rows_of(kept.row_after)
    first, last = (find(row["number"] for row in (*before, *after)) for find in (min, max))
    query = sql.text(f"SELECT {COLUMNS} FROM rules WHERE number BETWEEN :first AND :last")
    found = connection.execute(query, {"first": first, "last": last})
    there = {row.number: dict(row._mapping) for row in found}
    changed = next((row for row in after if there.get(row["number"]) != row), None)
    if changed is None and not before:
        return ""
    old, new = (tuple(map(_rule, rows)) for rows in (before, after))
    return _obstacle(None, old, new, {number: _rule(row) for number, row in there.items()})


def _there(connection: Connection, numbers: Iterable[int] | None = None) -> dict[int, Rule]:
    """The rules of the console by number: all, or of these numbers."""
    query = f"SELECT {COLUMNS} FROM rules"
    if numbers is None:
        rows: Iterable[Any] = connection.execute(sql.text(query))
    else:
        rows = look_up(connection, f"{query} WHERE number IN :values", sorted(numbers))
    return {row.number: _rule(row._mapping) for row in rows}


def _as_seen(edit: Edit, there: dict[int, Rule]) -> Rule:
    found = there.get(edit.number)
    if found is None:
        raise EditorialError(f"rule {edit.number} is not there any more: somebody removed it")
    if edit.seen is not None and replace(edit.seen, line=0) != found:
        raise EditorialError(
            f"rule {edit.number} was changed meanwhile by {found.account}: look at it again"
        )
    return found


def _signed(rule: Rule, number: int, account: str, at: datetime) -> Rule:
    """A rule as the store has it: to the millisecond."""
    starts, ends = (_moment(_milliseconds(each)) for each in (rule.starts, rule.ends))
    written = _moment(_milliseconds(at))
    return replace(
        rule, line=0, number=number, account=account, at=written, starts=starts, ends=ends
    )


def _without_hand(rule: Rule) -> Rule:
    return replace(rule, account="", at=None)


def _check_new(after: Sequence[Rule], before: Sequence[Rule], there: dict[int, Rule]) -> None:
    """``EditorialError`` if a rule would stand twice in the console."""
    gone = {rule.number for rule in before}
    known = {rule.meaning: rule for rule in there.values() if rule.number not in gone}
    for rule in after:
        if other := known.get(rule.meaning):
            whose = f" by {other.account}" if other.account else ""
            raise EditorialError(f"the same rule is there already: rule {other.number}{whose}")
        known[rule.meaning] = rule


def _beside(after: Iterable[Rule], there: dict[int, Rule]) -> tuple[Rule, ...]:
    written = list(after)
    ours = {rule.number for rule in written}
    others = (rule for number, rule in there.items() if number not in ours)
    return tuple(rule for rule in others if any(rule.shares_place(each) for each in written))


def _put(
    connection: Connection, before: Iterable[Rule], after: Iterable[Rule], *, number: int
) -> None:
    """Have the rules ``after`` in place of those ``before``; ``number`` is the last given out."""
    gone = [{"number": rule.number} for rule in before]
    if gone:
        connection.execute(sql.text("DELETE FROM rules WHERE number = :number"), gone)
    rows = [_row(rule) for rule in after]
    if rows:
        names = COLUMNS.split(", ")
        places = ", ".join(f":{name}" for name in names)
        connection.execute(sql.text(f"INSERT INTO rules ({COLUMNS}) VALUES ({places})"), rows)
    upsert(connection, "meta", [{"name": NUMBER, "value": str(number)}], key="name")


def _note(
    connection: Connection,
    before: Sequence[Rule],
    after: Sequence[Rule],
    *,
    account: str,
    at: datetime,
    what: str,
    undoes: int | None = None,
) -> int:
    """Write what was done into the history; the number of the action."""
    last = connection.scalar(sql.text("SELECT MAX(number) FROM actions")) or 0
    touched = [*before, *after]
    sources, numbers = {each.source for each in touched}, {each.number for each in touched}
    rows_before, rows_after = list(map(_row, before)), list(map(_row, after))
    row = {
        "number": last + 1, "ts": _milliseconds(at), "account": account, "what": what,
        "source": sources.pop() if len(sources) == 1 else "",
        "rule": numbers.pop() if len(numbers) == 1 else None, "undoes": undoes,
        "row_before": text_of(rows_before), "row_after": text_of(rows_after),
    }  # fmt: skip
    places = ", ".join(f":{name}" for name in row)
    connection.execute(sql.text(f"INSERT INTO actions ({', '.join(row)}) VALUES ({places})"), [row])
    fill(connection, last + 1, rows_before, rows_after)
    return int(last) + 1


def _count_change(connection: Connection) -> None:
    value = str(_kept(connection, CHANGE) + 1)
    upsert(connection, "meta", [{"name": CHANGE, "value": value}], key="name")


def _kept(connection: Connection, name: str) -> int:
    query = sql.text("SELECT value FROM meta WHERE name = :name")
    return int(connection.scalar(query, {"name": name}) or 0)


def _action(
    row: Any, there: dict[int, Rule], before: tuple[Rule, ...], after: tuple[Rule, ...]
) -> Action:
    return Action(
        number=row.number,
        at=_moment(row.ts),
        account=row.account,
        what=row.what,
        source=row.source,
        undoes=row.undoes,
        before=before,
        after=after,
        obstacle=_obstacle(row.undone_by, before, after, there),
    )


def _obstacle(
    undone_by: int | None,
    before: Sequence[Rule],
    after: Sequence[Rule],
    there: dict[int, Rule],
) -> str:
    """Why an action cannot be undone, empty if it can."""
    if undone_by is not None:
        return "it was undone already"
    if not before and not after:
        return "it changed no rule"
    for rule in after:
        now = there.get(rule.number)
        if now is None:
            return f"rule {rule.number} was removed since"
        if now != rule:
            return f"rule {rule.number} was changed since by {now.account}"
    left = {rule.number for rule in after}
    meanings = {rule.meaning: rule for rule in there.values() if rule.number not in left}
    for rule in before:
        if rule.number not in left and rule.number in there:
            return f"rule {rule.number} is there again"
        if same := meanings.get(rule.meaning):
            return f"the same rule was made anew since, as rule {same.number}"
    return ""


def _lock(connection: Connection) -> None:
    """One writer of rules at a time, so that what is there when it is looked at stays there; SQLite
    has but one anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(
            sql.text("LOCK TABLE rules, actions, action_sources IN SHARE ROW EXCLUSIVE MODE")
        )


def _row(rule: Rule) -> dict[str, Any]:
    return {
        "number": rule.number, "action": rule.action, "source": rule.source,
        "target": rule.target, "position": rule.position,
        "starts": _milliseconds(rule.starts), "ends": _milliseconds(rule.ends),
        "reason": rule.reason, "account": rule.account, "ts": _milliseconds(rule.at),
    }  # fmt: skip


def _rule(row: Any) -> Rule:
    return Rule(
        row["action"],
        row["source"],
        row["target"],
        row["position"],
        _moment(row["starts"]),
        _moment(row["ends"]),
        row["reason"],
        number=row["number"],
        account=row["account"],
        at=_moment(row["ts"]),
    )


def _rules_in(text: str) -> tuple[Rule, ...]:
    return tuple(map(_rule, rows_of(text)))


def _milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else (moment.astimezone(UTC) - EPOCH) // MILLISECOND


def _moment(milliseconds: int | None) -> Any:
    return None if milliseconds is None else EPOCH + milliseconds * MILLISECOND
