"""Which of the editors' rules change nothing, and why, in an editor's words.

A rule that is sound may still do nothing: its article is not known or gone, another rule blocks it,
its days are over, its place is taken. ``effects`` looks at all rules of a site together; what it
must know of the articles comes from a ``Catalogue``. Nothing is read or written here.

>>> class Two:
...     named = staticmethod(lambda text: (text if text in ("knee", "gout") else None, ""))
...     title, is_gone = str.title, staticmethod(lambda text: False)
...     near = staticmethod(lambda text: [("gout", "Gout")])
...     listed, is_listed = staticmethod(lambda id: ["gout"]), staticmethod(lambda id: True)
>>> rules = Rules([Rule("pin", "knee", "gut", 1, line=2), Rule("block", "*", "gout", line=3)])
>>> [str(each) for each in effects(rules, Two, now=datetime(2026, 11, 22, tzinfo=UTC))]
['line 2 of the file: no article has the id or address “gut”; did you mean gout (Gout)?', '']
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from recommender.lists.editorial import Rules
from recommender.lists.local_times import as_written
from recommender.store.rules import EVERYWHERE, Rule

__all__ = ["KINDS", "UTC", "Catalogue", "Effect", "effects", "effects_on", "named_rule"]

# Why a rule takes no effect, or not the one it was made for, and what that is called.
KINDS = {
    "unknown": "unknown article",
    "gone": "article is gone",
    "itself": "the page itself",
    "ended": "over",
    "waiting": "not begun",
    "overridden": "the file holds",
    "blocked": "blocked",
    "duplicate": "twice",
    "taken": "place taken",
    "beyond": "too far down",
    "nowhere": "nothing to block",
}
# Kinds that are as the editor meant them: time does what was asked of it.
IN_TIME = ("ended", "waiting")
# Links that a list has unless a page asks for more (``bundle.composition.DEFAULT_K``).
K = 10
# Rules for which articles near to an unknown name are looked for: each takes tenths of a second
# on a large site. Not tuned.
N_NEAR = 20
# Of rules whose dates do not matter.
NEVER = datetime(1, 1, 1, tzinfo=UTC)
SHORTENED = re.compile(r"\d(?:[.,]\d+)?E\+\d+", re.IGNORECASE)


class Catalogue(Protocol):
    """What is known of a site's articles."""

    def named(self, text: str) -> tuple[str | None, str]:
        """The id of the article whose id or address a text is, and what had to be assumed."""

    def is_gone(self, text: str) -> bool:
        """Is it the id of an article that was there and was taken out?"""

    def title(self, id: str) -> str:
        """The title of an article; the id where there is none."""

    def near(self, text: str) -> list[tuple[str, str]]:
        """Ids and titles of the articles most like a text, the nearest first."""

    def listed(self, id: str) -> Sequence[str] | None:
        """The ids that a page's list has before the rules, to its full depth; None if it is no
        page, or that is not known.
        """

    def is_listed(self, id: str) -> bool:
        """Does an article stand in the list of any page?"""


@dataclass(frozen=True, slots=True)
class Effect:
    """What becomes of a ``rule``, as it was written: ``kind`` is one of ``KINDS`` and ``why`` a
    sentence, both empty if it does what it says. ``near`` are ids and titles in place of a name in
    ``field`` that is not known.
    """

    rule: Rule
    kind: str = ""
    why: str = ""
    field: str = ""
    near: tuple[tuple[str, str], ...] = ()

    @property
    def is_idle(self) -> bool:
        """Does it do nothing, or not what it says, otherwise than by its dates?"""
        return bool(self.kind) and self.kind not in IN_TIME

    @property
    def question(self) -> str:
        """Which articles may have been meant; empty if none is near."""
        names = [f"{id} ({title})" for id, title in self.near]
        return f"did you mean {' or '.join(names)}?" if names else ""

    def __str__(self) -> str:
        if not self.kind:
            return ""
        meant = f"; {self.question}" if self.near else ""
        return f"{named_rule(self.rule)}: {self.why}{meant}"


def named_rule(rule: Rule) -> str:
    """What a rule is called in a sentence."""
    if rule.line:
        return f"line {rule.line} of " + ("this import" if rule.is_of_console else "the file")
    return f"rule {rule.number}" + (f" by {rule.account}" if rule.account else "")


def effects(
    rules: Rules, catalogue: Catalogue, *, now: datetime, k: int = K, n_near: int = N_NEAR
) -> list[Effect]:
    """What becomes of each rule at a moment, in their order, where lists show ``k`` links."""
    looked = _Look(rules.resolved(catalogue.named), catalogue, now, k, n_near)
    pairs = zip(rules.rules, looked.rules.rules, strict=True)
    return [replace(looked.effect(*pair), rule=pair[0]) for pair in pairs]


def effects_on(
    rules: Rules, source: str, catalogue: Catalogue, *, now: datetime, k: int = K
) -> list[Effect]:
    """What becomes of each rule about one page, those of all pages among them, at a moment: as
    ``effects`` says, of ``rules`` by the ids of articles (``resolved``). Rules of other pages are
    but counted, so that this takes milliseconds however many there are.
    """
    looked = _Look(rules, catalogue, now, k, 0)
    about = (*rules.by_source.get(source, ()), *rules.by_source.get(EVERYWHERE, ()))
    return [looked.effect(rule, rule) for rule in dict.fromkeys(about)]


def faults(rules: Rules, catalogue: Catalogue, *, n_near: int = N_NEAR) -> list[Effect]:
    """Of the rules those that name an article which is not there, or the page itself, whatever
    their dates: slips of the pen.
    """
    looked = _Look(rules.resolved(catalogue.named), catalogue, NEVER, K, n_near)
    pairs = zip(rules.rules, looked.rules.rules, strict=True)
    found = ((rule, looked.of_names(rule, resolved)) for rule, resolved in pairs)
    return [replace(effect, rule=rule) for rule, effect in found if effect is not None]


class _Look:
    """All rules by the ids of articles, and what was found of the pages they speak of."""

    def __init__(
        self, rules: Rules, catalogue: Catalogue, now: datetime, k: int, n_near: int
    ) -> None:
        self.rules = rules
        self.catalogue = catalogue
        self.now = now
        self.k = k
        self.n_near = n_near
        self._blocks: dict[tuple[str, str], list[Rule]] = {}
        self._pinned_somewhere: set[str] = set()
        for rule in rules.rules:
            if rule.action == "pin":
                self._pinned_somewhere.add(rule.target)
            elif rule.valid(now):
                self._blocks.setdefault((rule.source, rule.target), []).append(rule)
        self._places: dict[str, dict[int, Rule]] = {}
        self._pinned: dict[str, dict[str, int]] = {}

    def effect(self, written: Rule, rule: Rule) -> Effect:
        return (
            self._of_time(rule)
            or self.of_names(written, rule)
            or self._of_other_rules(rule)
            or (self._of_pin(rule) if rule.action == "pin" else self._of_block(rule))
            or Effect(rule)
        )

    def _of_time(self, rule: Rule) -> Effect | None:
        zone = self.rules.zone
        if rule.ends is not None and rule.ends <= self.now:
            return Effect(
                rule, "ended", f"it ended with {as_written(rule.ends, zone, is_end=True)}"
            )
        if rule.starts is not None and self.now < rule.starts:
            return Effect(rule, "waiting", f"it begins on {as_written(rule.starts, zone)}")
        return None

    def of_names(self, written: Rule, rule: Rule) -> Effect | None:
        unknown = [
            field
            for field in ("source", "target")
            if getattr(written, field) != EVERYWHERE
            and self.catalogue.named(getattr(written, field))[0] is None
        ]
        if not unknown:
            is_itself = rule.source == rule.target
            why = "an article cannot stand beside itself"
            return Effect(rule, "itself", why) if is_itself else None
        field, text = unknown[0], getattr(written, unknown[0])
        if self.catalogue.is_gone(text):
            return Effect(rule, "gone", f"the article “{text}” was taken out of the site", field)
        why = f"no article has the id or address “{text}”"
        if len(unknown) > 1:
            why += f", and none has “{getattr(written, unknown[1])}”"
        if SHORTENED.fullmatch(text):
            why += ": a spreadsheet shortened a long number, give the column the format Text"
        near: list[tuple[str, str]] = []
        if self.n_near > 0:
            self.n_near -= 1
            near = self.catalogue.near(text)
        return Effect(rule, "unknown", why, field, tuple(near))

    def _of_other_rules(self, rule: Rule) -> Effect | None:
        over = self.rules.overriding(rule, self.now)
        if over is not None:
            return Effect(
                rule,
                "overridden",
                f"the file has “{self._title(over.target)}” at place {over.position} of "
                f"{self._page(rule)} ({named_rule(over)}), and the file goes before the console",
            )
        if rule.action == "pin":
            for other in self.blocks(rule):
                where = "everywhere" if other.source == EVERYWHERE else "there"
                return Effect(
                    rule,
                    "blocked",
                    f"“{self._title(rule.target)}” is blocked {where} by {named_rule(other)}",
                )
            return None
        for other in self.blocks(rule):
            is_wider = other.source == EVERYWHERE != rule.source
            if is_wider or (other.source == rule.source and _rank(other) < _rank(rule)):
                where = "everywhere" if is_wider else "there already"
                return Effect(
                    rule,
                    "duplicate",
                    f"“{self._title(rule.target)}” is blocked {where} by {named_rule(other)}",
                )
        return None

    def _of_pin(self, rule: Rule) -> Effect | None:
        places = self.places(rule.source)
        place = next((at for at, each in places.items() if each.key == rule.key), None)
        if place is None:
            other = next((each for each in places.values() if each.target == rule.target), rule)
            return Effect(
                rule,
                "duplicate",
                f"“{self._title(rule.target)}” is pinned there already by {named_rule(other)}",
            )
        shown = self.pinned(rule.source).get(rule.target, place)
        if rule.position is not None and place != rule.position:
            other = places[rule.position]
            beyond = f", which lists of {self.k} links do not show" if shown > self.k else ""
            return Effect(
                rule,
                "taken",
                f"place {rule.position} of {self._page(rule)} has “{self._title(other.target)}” "
                f"({named_rule(other)}): this one stands at place {place}{beyond}",
            )
        if shown > self.k:
            return Effect(
                rule, "beyond", f"it stands at place {shown}, and lists show {self.k} links"
            )
        return None

    def _of_block(self, rule: Rule) -> Effect | None:
        # It keeps a pin out, which has that for its reason.
        if rule.target in self._pinned_somewhere:
            return None
        title = self._title(rule.target)
        if rule.source == EVERYWHERE:
            if not self.catalogue.is_listed(rule.target):
                return Effect(rule, "nowhere", f"“{title}” stands in the list of no page")
            return None
        listed = self.catalogue.listed(rule.source)
        if listed is not None and rule.target not in listed:
            return Effect(rule, "nowhere", f"“{title}” does not stand in the list of that page")
        return None

    def blocks(self, rule: Rule) -> list[Rule]:
        """Other blocks of a rule's article that hold on its page, those of all pages first."""
        sources = (EVERYWHERE,) if rule.source == EVERYWHERE else (EVERYWHERE, rule.source)
        found = [each for source in sources for each in self._blocks.get((source, rule.target), ())]
        return [each for each in found if each.key != rule.key]

    def places(self, source: str) -> dict[int, Rule]:
        if source not in self._places:
            self._places[source] = self.rules.places(source, self.now)
        return self._places[source]

    def pinned(self, source: str) -> dict[str, int]:
        """At which place each pinned article stands in the list of a page, as it is shown."""
        if source not in self._pinned:
            listed = None if source == EVERYWHERE else self.catalogue.listed(source)
            found = {}
            if listed is not None:
                arranged = self.rules.apply(source, listed, now=self.now)
                found = {id: at for at, (id, is_pin) in enumerate(arranged, start=1) if is_pin}
            self._pinned[source] = found
        return self._pinned[source]

    def _title(self, id: str) -> str:
        return self.catalogue.title(id)

    def _page(self, rule: Rule) -> str:
        return "all pages" if rule.source == EVERYWHERE else f"“{self._title(rule.source)}”"


def _rank(rule: Rule) -> tuple[bool, int, int]:
    return rule.is_of_console, *rule.key
