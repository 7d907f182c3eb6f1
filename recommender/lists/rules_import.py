"""What bringing a file of rules into the console would do, line by line, before it is done.

A line is added, takes the place of a rule of the console that has the same action, page and
article, is there already, or is refused; if one is refused, nothing is done. Articles are named by
their ids from then on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from recommender.lists.editorial import Rules
from recommender.lists.effects import Catalogue, Effect, effects, faults
from recommender.store.rules import EVERYWHERE, Edit, Rule

ADDED, CHANGED, THERE, IN_FILE, TWICE, REFUSED = (
    "added", "changed", "there already", "in the file", "twice", "refused"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """What becomes of a line: ``rule`` by the ids of articles, ``what`` is done with it, and the
    rule ``before`` in whose place it comes. ``effect`` is what it would do, with the fault if it is
    refused.
    """

    line: int
    rule: Rule
    what: str
    effect: Effect
    before: Rule | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """All ``lines`` of a file, the rules of the console to be ``removed``, and what was assumed to
    read the file, ``notes``.
    """

    lines: tuple[Line, ...]
    removed: tuple[Rule, ...] = ()
    notes: tuple[str, ...] = ()

    def of(self, what: str) -> list[Line]:
        """The lines of which so much becomes."""
        return [line for line in self.lines if line.what == what]

    @property
    def refused(self) -> list[Line]:
        """The lines that will not do."""
        return self.of(REFUSED)

    @property
    def edits(self) -> list[Edit]:
        """What is to be written, if nothing is refused."""
        edits = [Edit(None, rule.number, rule) for rule in self.removed]
        for line in self.lines:
            if line.what == ADDED:
                edits.append(Edit(line.rule))
            elif line.what == CHANGED and line.before is not None:
                edits.append(Edit(line.rule, line.before.number, line.before))
        return edits

    @property
    def summary(self) -> str:
        """How many lines become what, in a sentence."""
        counts = [
            f"{len(lines):,} {what}"
            for what in (ADDED, CHANGED, THERE, IN_FILE, TWICE, REFUSED)
            if (lines := self.of(what))
        ]
        if self.removed:
            counts.append(f"{len(self.removed):,} rules of the console removed")
        return ", ".join(counts) or "no rule in it"


def plan(
    given: Rules,
    kept: Rules,
    catalogue: Catalogue,
    *,
    now: datetime,
    replacing: bool = False,
) -> Plan:
    """What becomes of the rules of a ``given`` file beside those that are ``kept``, of the site's
    file and of the console. If it is ``replacing`` these, the console's that the file has not go.
    """
    found = given.resolved(catalogue.named)
    there = kept.resolved(catalogue.named)
    of_file = {rule.meaning for rule in there.of_file}
    written = dict(zip((rule.key for rule in there.rules), kept.rules, strict=True))
    same: dict[tuple[object, ...], Rule] = {}
    like: dict[tuple[str, ...], list[Rule]] = defaultdict(list)
    for rule in there.of_console:
        same[rule.meaning] = rule
        like[_of(rule)].append(rule)
    # Those that are there as they are keep their number, so that none takes it.
    taken = {same[rule.meaning].number for rule in found.rules if rule.meaning in same}
    lines: list[Line] = []
    seen: set[tuple[object, ...]] = set()
    slips = {each.rule.key: each for each in faults(given, catalogue)}
    for rule in found.rules:
        what, before = ADDED, None
        if rule.key in slips:
            what = REFUSED
        elif rule.meaning in seen:
            what = TWICE
        elif rule.meaning in of_file:
            what = IN_FILE
        elif (known := same.get(rule.meaning)) is not None:
            is_same = known.reason == rule.reason
            what, before = THERE if is_same else CHANGED, written[known.key]
        else:
            free = [each for each in like[_of(rule)] if each.number not in taken]
            if free:
                what, before = CHANGED, written[free[0].key]
                taken.add(free[0].number)
        seen.add(rule.meaning)
        effect = slips.get(rule.key, Effect(rule))
        lines.append(Line(rule.line, replace(rule, line=0), what, effect, before))
    removed = [rule for rule in kept.of_console if rule.number not in taken] if replacing else []
    after = _with_effects(lines, removed, kept, catalogue, now)
    return Plan(after, tuple(removed), (*given.notes, *_guessed(given, catalogue)))


def _guessed(given: Rules, catalogue: Catalogue) -> list[str]:
    """Which names of articles had to be guessed, and what they were taken for."""
    notes = []
    for rule in given.rules:
        for text in (rule.source, rule.target):
            id, assumed = catalogue.named(text) if text != EVERYWHERE else (None, "")
            if id is not None and assumed:
                title = catalogue.title(id)
                notes.append(f"line {rule.line}: “{text}” is taken for {id} ({title}): {assumed}")
    return notes


def _of(rule: Rule) -> tuple[str, ...]:
    return rule.action, rule.source, rule.target


def _with_effects(
    lines: Sequence[Line], removed: Sequence[Rule], kept: Rules, catalogue: Catalogue, now: datetime
) -> tuple[Line, ...]:
    """The lines with what they would do once all of it is done."""
    gone = {rule.number for rule in removed}
    gone |= {line.before.number for line in lines if line.before is not None}
    number = max((rule.number for rule in kept.of_console), default=0)
    after = [rule for rule in kept.rules if not (rule.is_of_console and rule.number in gone)]
    at: dict[int, int] = {}
    for place, line in enumerate(lines):
        if line.what in (ADDED, CHANGED, THERE):
            number += 1
            at[number] = place
            after.append(replace(line.rule, number=number, line=line.line))
    found = effects(Rules(after, zone=kept.zone), catalogue, now=now, n_near=0)
    done = list(lines)
    for effect in found:
        if effect.rule.line and effect.rule.number in at:
            place = at[effect.rule.number]
            done[place] = replace(done[place], effect=effect)
    return tuple(done)
