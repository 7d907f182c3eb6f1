"""The editors' rules: pins and blocks, with dates and reasons, of the file and of the console.

They are applied last, over whatever the model scores, and a block beats a pin. For the same page
and place a rule of the file beats one of the console while it is in force. Articles are named by id
or by address; ``Rules.resolved`` finds them where it is known which there are. ``rules_file`` reads
and writes them, ``effects`` says which change nothing and why.

>>> file = [Rule("block", "*", "sugar", line=2), Rule("pin", "knee", "gout", 1, line=3)]
>>> merged = Rules([*file, Rule("pin", "knee", "salt", 1, number=7)])
>>> merged.apply("knee", ["salt", "sugar", "gout"], now=datetime(2026, 11, 22, tzinfo=UTC))
[('gout', True), ('salt', False)]
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo

from recommender.store.rules import EVERYWHERE, Rule

# The id of the article whose id or address a text is, and what had to be assumed, if anything.
Named = Callable[[str], tuple[str | None, str]]


FIRST, LAST = (each.replace(tzinfo=UTC) for each in (datetime.min, datetime.max))


class Rules:
    """All rules of a site, found by the source they speak of. ``remarks`` say of which the article
    is not known, or could but be guessed by its address; ``notes`` what was assumed to read them.
    ``zone`` is the time zone whose days they speak of.
    """

    def __init__(
        self,
        rules: Sequence[Rule] = (),
        *,
        remarks: Sequence[str] = (),
        notes: Sequence[str] = (),
        zone: tzinfo = UTC,
    ) -> None:
        self.rules = list(rules)
        self.zone = zone
        self.remarks = tuple(remarks)
        self.notes = tuple(notes)
        self.by_source: dict[str, list[Rule]] = {}
        for rule in self.rules:
            self.by_source.setdefault(rule.source, []).append(rule)
        self._over = self._overrides()
        # The rules in force on all pages, and from when to when they are these.
        self._everywhere: tuple[datetime, datetime, list[Rule]] | None = None

    def _overrides(self) -> dict[tuple[int, int], tuple[Rule, ...]]:
        """Of rules of the console, by key, the pins of the file on the same page and place."""
        of_file: dict[tuple[str, int | None], list[Rule]] = defaultdict(list)
        pins = [rule for rule in self.rules if rule.action == "pin" and rule.position is not None]
        for rule in pins:
            if not rule.is_of_console:
                of_file[rule.source, rule.position].append(rule)
        return {
            rule.key: tuple(of_file[rule.source, rule.position])
            for rule in pins
            if rule.is_of_console and (rule.source, rule.position) in of_file
        }

    def beside(self, console: Sequence[Rule]) -> Rules:
        """These rules of the file, and those of the console beside them."""
        rules = [*self.rules, *console]
        return Rules(rules, notes=self.notes, zone=self.zone) if console else self

    @property
    def of_console(self) -> list[Rule]:
        """Those that were made in the console."""
        return [rule for rule in self.rules if rule.is_of_console]

    @property
    def of_file(self) -> list[Rule]:
        """Those that stand in the file."""
        return [rule for rule in self.rules if not rule.is_of_console]

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
                    remarks.append(f"{rule.where}: field {field}: no article {text!r}")
                elif assumed:
                    remarks.append(
                        f"{rule.where}: field {field}: {text!r} is taken for {id!r} "
                        f"(assumed: {assumed})"
                    )
            rules.append(replace(rule, source=ids[0], target=ids[1]))
        return Rules(rules, remarks=remarks, notes=self.notes, zone=self.zone)

    def overriding(self, rule: Rule, now: datetime) -> Rule | None:
        """The rule of the file that stands in the place of this one of the console now, if any."""
        others = self._over.get(rule.key, ()) if self._over else ()
        return next((other for other in others if other.valid(now)), None)

    def about(self, source: str | None, now: datetime) -> list[Rule]:
        """The rules in force on a page; None is a page that is not known."""
        found = list(self._on_all_pages(now)) if EVERYWHERE in self.by_source else []
        if source is not None and source != EVERYWHERE:
            found += [rule for rule in self.by_source.get(source, ()) if rule.valid(now)]
        if self._over and found:
            found = [rule for rule in found if self.overriding(rule, now) is None]
        return found

    def _on_all_pages(self, now: datetime) -> list[Rule]:
        """The rules in force on all pages: looked for once between two moments at which they
        change, since every list asks.
        """
        kept = self._everywhere
        if kept is not None and kept[0] <= now < kept[1]:
            return kept[2]
        rules = self.by_source.get(EVERYWHERE, [])
        moments = [each for rule in rules for each in (rule.starts, rule.ends) if each is not None]
        since = max((each for each in moments if each <= now), default=FIRST)
        until = min((each for each in moments if each > now), default=LAST)
        found = [rule for rule in rules if rule.valid(now)]
        self._everywhere = since, until, found
        return found

    def places(self, source: str | None, now: datetime) -> dict[int, Rule]:
        """The pins in force on a page by the place that each stands at, where the list is as long:
        one whose place is taken stands at the next that is free.
        """
        rules = self.about(source, now)
        blocked = {rule.target for rule in rules if rule.action == "block"}
        pins = [
            rule
            for rule in rules
            if rule.action == "pin" and rule.target not in blocked and rule.target != source
        ]
        pins.sort(key=precedence)
        places: dict[int, Rule] = {}
        pinned: set[str] = set()
        for rule in pins:
            if rule.target not in pinned:
                place = rule.position or 1
                while place in places:
                    place += 1
                places[place] = rule
                pinned.add(rule.target)
        return places

    def apply(
        self, source: str | None, ids: Sequence[str], *, now: datetime
    ) -> list[tuple[str, bool]]:
        """The list as the editors want it: ids, and whether each is pinned."""
        blocked = {rule.target for rule in self.about(source, now) if rule.action == "block"}
        places = {place: rule.target for place, rule in self.places(source, now).items()}
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


def precedence(rule: Rule) -> tuple[bool, bool, bool, int, int]:
    """Which of two pins has a place both want: that which asked for one, that for this page alone,
    that of the file, that which was there first.
    """
    return (
        rule.position is None,
        rule.source == EVERYWHERE,
        rule.is_of_console,
        *rule.key,
    )
