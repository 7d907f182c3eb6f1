"""What an editor is about to do to the list of a page: seen before it is saved.

Drafts live in the form alone, row by row, so that nothing is kept on the server of what was never
saved, and any server can show the next preview. A draft makes a rule, changes one of the console or
removes one; ``edits`` is all of them for the store, which takes all or none.

>>> drafts = pinned([], [], "knee", "gout", 1)
>>> drafts = pinned(drafts, [], "knee", "salt", 1)
>>> [(draft.article, draft.position) for draft in drafts]
[('gout', '2'), ('salt', '1')]
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo

from starlette.datastructures import FormData

from recommender.errors import EditorialError
from recommender.lists.local_times import NoDate, as_written, moment_of
from recommender.store.rules import EVERYWHERE, MAX_POSITION, Edit, Rule, fault_of
from recommender_api.console.visit import whole

PIN, BLOCK, REMOVE = "pin", "block", "remove"
# Not tuned: twice as many as a list has links.
MAX_DRAFTS = 20
# What rules that are not saved yet are numbered from, so that they come after all others.
FIRST_NUMBER = 1_000_000_000
# None is the name of a property that forms have, which scripts would get the field for.
FIELDS = ("do", "article", "where", "position", "starts", "ends", "reason", "number", "seen")


@dataclass(frozen=True, slots=True)
class Draft:
    """One change, as typed: ``do`` is ``pin``, ``block`` or ``remove``, ``number`` the rule of the
    console that it changes or removes (0: none), ``seen`` the ``stamp`` it had.
    """

    do: str
    article: str
    where: str = ""
    position: str = ""
    starts: str = ""
    ends: str = ""
    reason: str = ""
    number: int = 0
    seen: str = ""

    @property
    def is_everywhere(self) -> bool:
        """Is it about all pages?"""
        return self.where == EVERYWHERE

    @classmethod
    def of(cls, rule: Rule, zone: tzinfo, *, do: str = "") -> Draft:
        """A draft that changes or removes a rule of the console, which has what the rule has."""
        return cls(
            do=do or rule.action,
            article=rule.target,
            where=EVERYWHERE if rule.source == EVERYWHERE else "",
            position="" if rule.position is None else str(rule.position),
            starts=as_written(rule.starts, zone),
            ends=as_written(rule.ends, zone, is_end=True),
            reason=rule.reason,
            number=rule.number,
            seen=stamp(rule),
        )


def drafts_of(form: FormData) -> list[Draft]:
    """The drafts of a form, in order. ``EditorialError`` if it is none of ours."""
    columns = [[str(each) for each in form.getlist(name)] for name in FIELDS]
    if len({len(column) for column in columns}) != 1:
        raise EditorialError("the form has fields that do not belong together: reload the page")
    if len(columns[0]) > MAX_DRAFTS:
        raise EditorialError(f"at most {MAX_DRAFTS} changes are saved at once")
    found = []
    for cells in zip(*columns, strict=True):
        fields = dict(zip(FIELDS, (cell.strip() for cell in cells), strict=True))
        number = whole(fields.pop("number"))
        if fields["do"] not in (PIN, BLOCK, REMOVE) or number is None:
            raise EditorialError("the form has fields that are none of ours: reload the page")
        found.append(Draft(**fields, number=number))
    return found


def stamp(rule: Rule) -> str:
    """What differs as soon as somebody writes a rule anew, as a form carries it."""
    text = repr((rule.meaning, rule.reason, rule.account, rule.at))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


# What an editor does


def pinned(
    drafts: Sequence[Draft],
    console: Sequence[Rule],
    page: str,
    target: str,
    position: int,
    *,
    zone: tzinfo = UTC,
) -> list[Draft]:
    """The drafts with ``target`` pinned at a place of the page; what was pinned there, and may be
    moved, stands below it.
    """
    found = [draft for draft in drafts if not (draft.do == BLOCK and draft.article == target)]
    position = min(max(position, 1), MAX_POSITION)
    wanted, place = target, position
    while True:
        at = _of(found, console, page, wanted, zone)
        found = _put(found, replace(at, position=str(place)))
        below = [
            draft.article
            for draft in _pins(found, console, page, zone)
            if draft.position == str(place) and draft.article != wanted
        ]
        if not below or place == MAX_POSITION:
            return found
        wanted, place = below[0], place + 1


def blocked(drafts: Sequence[Draft], target: str, *, everywhere: bool = False) -> list[Draft]:
    """The drafts with ``target`` blocked, on this page or on all."""
    rest = [draft for draft in drafts if draft.article != target or draft.number]
    return [*rest, Draft(BLOCK, target, EVERYWHERE if everywhere else "")]


def changed(drafts: Sequence[Draft], rule: Rule, zone: tzinfo) -> list[Draft]:
    """The drafts with one to change a rule of the console."""
    return _put(drafts, Draft.of(rule, zone))


def removed(drafts: Sequence[Draft], rule: Rule, zone: tzinfo) -> list[Draft]:
    """The drafts with a rule of the console removed."""
    return _put(drafts, Draft.of(rule, zone, do=REMOVE))


def _pins(drafts: Sequence[Draft], console: Sequence[Rule], page: str, zone: tzinfo) -> list[Draft]:
    """All pins of a page that may be moved: drafts, and rules of the console that none touches."""
    touched = {draft.number for draft in drafts}
    rules = [
        Draft.of(rule, zone)
        for rule in console
        if rule.action == PIN and rule.source == page and rule.number not in touched
    ]
    return [*(draft for draft in drafts if draft.do == PIN and not draft.is_everywhere), *rules]


def _of(
    drafts: Sequence[Draft], console: Sequence[Rule], page: str, target: str, zone: tzinfo
) -> Draft:
    pins = (draft for draft in _pins(drafts, console, page, zone) if draft.article == target)
    return next(pins, Draft(PIN, target))


def _put(drafts: Sequence[Draft], draft: Draft) -> list[Draft]:
    """The drafts with this one, in the place of that which is about the same rule."""
    found = list(drafts)
    for at, each in enumerate(found):
        is_same = each.number == draft.number if draft.number else (
            not each.number and (each.do, each.article) == (draft.do, draft.article)
        )  # fmt: skip
        if is_same:
            found[at] = draft
            return found
    return [*found, draft]


# What comes of it


def rule_of(draft: Draft, page: str, zone: tzinfo) -> Rule:
    """The rule a draft makes. ``EditorialError`` names the field that will not do."""
    place = whole(draft.position)
    if draft.position and (place is None or not 1 <= place <= MAX_POSITION):
        raise EditorialError(f"place: {draft.position[:20]!r} is none of 1 to {MAX_POSITION}")
    rule = Rule(
        draft.do,
        EVERYWHERE if draft.is_everywhere else page,
        draft.article,
        place if draft.do == PIN else None,
        _moment(draft.starts, zone, "from"),
        _moment(draft.ends, zone, "until", is_end=True),
        draft.reason,
    )
    if fault := fault_of(rule):
        raise EditorialError(f"{fault[0]}: {fault[1]}")
    return rule


def edits(drafts: Sequence[Draft], page: str, zone: tzinfo, there: Sequence[Rule]) -> list[Edit]:
    """What the store is to do. ``EditorialError`` if a draft will not do, or its rule is no longer
    as the editor saw it.
    """
    known = {rule.number: rule for rule in there}
    found = []
    for draft in drafts:
        rule = None if draft.do == REMOVE else rule_of(draft, page, zone)
        seen = known.get(draft.number)
        if seen is not None and stamp(seen) != draft.seen:
            raise EditorialError(
                f"the rule about {draft.article!r} was changed meanwhile by {seen.account}: drop "
                "the change, and look at it again"
            )
        found.append(Edit(rule, draft.number, seen))
    return found


def with_drafts(
    there: Sequence[Rule], drafts: Sequence[Draft], page: str, zone: tzinfo
) -> tuple[list[Rule], dict[int, str]]:
    """The rules of the console as they would be, and the faults of drafts, by their place."""
    rules = {rule.number: rule for rule in there}
    faults = {}
    for at, draft in enumerate(drafts):
        if draft.do == REMOVE:
            rules.pop(draft.number, None)
            continue
        try:
            rule = rule_of(draft, page, zone)
        except EditorialError as exc:
            faults[at] = str(exc)
            continue
        number = draft.number or FIRST_NUMBER + at
        rules[number] = replace(rule, number=number)
    return list(rules.values()), faults


def _moment(text: str, zone: tzinfo, name: str, *, is_end: bool = False) -> datetime | None:
    if not text:
        return None
    try:
        return moment_of(text, zone, is_end=is_end)
    except NoDate as exc:
        raise EditorialError(f"{name}: {exc}") from None
