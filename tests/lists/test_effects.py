"""Every rule that does nothing is found, with the reason, in words an editor reads."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from recommender.lists.editorial import Rules
from recommender.lists.effects import KINDS, Effect, effects, effects_on
from recommender.store.rules import Rule

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TITLES = {
    "knee": "Why knees click",
    "hip": "Hips",
    "gout": "Gout",
    "salt": "Salt",
    "corn": "Corn",
    "odd": "Odd one out",
    **{f"t{n}": f"T {n}" for n in range(1, 20)},
}


class Site:
    """Every page lists gout, salt and t1 to t12; odd stands nowhere; old was taken out."""

    def named(self, text: str) -> tuple[str | None, str]:
        text = text.removeprefix("https://example.org/")
        return (text, "") if text in TITLES else (None, "")

    def is_gone(self, text: str) -> bool:
        return text == "old"

    def title(self, id: str) -> str:
        return TITLES.get(id, id)

    def near(self, text: str) -> list[tuple[str, str]]:
        return [("gout", "Gout")] if text.startswith("g") else []

    def listed(self, id: str) -> list[str] | None:
        return ["gout", "salt", *(f"t{n}" for n in range(1, 13))]

    def is_listed(self, id: str) -> bool:
        return id != "odd"


def found(*rules: Rule, zone: str = "UTC") -> list[Effect]:
    """Effects of rules that stand one below the other in the file, or in the console."""
    placed = [r if r.number else replace(r, line=n) for n, r in enumerate(rules, start=2)]
    return effects(Rules(placed, zone=ZoneInfo(zone)), Site(), now=NOW)


def pin(target: str, position: int | None = 1, source: str = "knee", **more: object) -> Rule:
    return replace(Rule("pin", source, target, position), **more)


def block(target: str, source: str = "*", **more: object) -> Rule:
    return replace(Rule("block", source, target), **more)


OF_CONSOLE = {"number": 7, "account": "ann"}


@pytest.mark.parametrize(
    ("rules", "kind", "why"),
    [
        ([pin("gutt")], "unknown", "no article has the id or address “gutt”"),
        ([pin("gout", source="hipp")], "unknown", "“hipp”"),
        ([pin("1.23E+11")], "unknown", "a spreadsheet shortened a long number"),
        ([pin("old")], "gone", "“old” was taken out"),
        ([block("old")], "gone", "“old”"),
        ([pin("gout", source="old")], "gone", "“old”"),
        ([pin("https://example.org/knee")], "itself", "cannot stand beside itself"),
        ([pin("gout", ends=NOW)], "ended", "it ended with 2026-11-22 12:00"),
        ([pin("nobody", ends=NOW - timedelta(hours=12))], "ended", "with 2026-11-21"),
        ([pin("gout", starts=NOW + timedelta(hours=12))], "waiting", "it begins on 2026-11-23"),
        ([pin("gout"), pin("salt", **OF_CONSOLE)], "overridden", "has “Gout” at place 1 of “Why"),
        ([block("gout"), pin("gout")], "blocked", "“Gout” is blocked everywhere by line 2 of"),
        ([block("gout", "knee", **OF_CONSOLE), pin("gout")], "blocked", "there by rule 7 by ann"),
        ([block("gout"), block("gout")], "duplicate", "is blocked there already by line 2"),
        ([block("gout"), block("gout", "knee")], "duplicate", "is blocked everywhere by line 2"),
        ([pin("gout"), pin("gout", 4)], "duplicate", "is pinned there already by line 2"),
        ([pin("gout", None), pin("gout", None)], "duplicate", "is pinned there already"),
        ([pin("salt"), pin("gout")], "taken", "has “Salt” (line 2 of the file): this one stands a"),
        ([pin("salt", source="*"), pin("gout", source="*")], "taken", "place 1 of all pages has"),
        ([pin("odd", 12)], "beyond", "it stands at place 12, and lists show 10 links"),
        ([pin("odd", 11, source="*")], "beyond", "it stands at place 11"),
        ([block("odd")], "nowhere", "“Odd one out” stands in the list of no page"),
        ([block("odd", "knee")], "nowhere", "does not stand in the list of that page"),
    ],
)
def test_a_rule_that_does_nothing_is_found(rules: list[Rule], kind: str, why: str):
    """The last of each, and it alone."""
    *others, last = found(*rules)

    assert last.kind == kind
    assert why in last.why
    assert kind in KINDS
    assert [each.kind for each in others] == [""] * len(others)
    assert last.rule.key == (rules[-1].line or (0 if rules[-1].number else len(rules) + 1),
                             rules[-1].number)  # fmt: skip


@pytest.mark.parametrize(
    "rules",
    [
        [pin("odd", 10)],
        [pin("odd", None)],
        [pin("gout", source="*"), pin("salt")],
        [pin("gout", ends=NOW), pin("salt")],
        [pin("gout", **OF_CONSOLE), pin("salt", 2)],
        [block("gout"), block("gout", ends=NOW)],
        [block("gout", "knee"), block("gout", "hip")],
        [block("gout", "hip"), pin("gout")],
        [pin("odd"), block("odd", "hip", ends=NOW)],
        [block("salt", "knee", starts=NOW)],
    ],
)
def test_rules_that_do_what_they_say_are_left_in_peace(rules: list[Rule]):
    """However near to a fault they are."""
    assert [each.kind for each in found(*rules) if each.is_idle] == []


def test_a_pin_in_a_short_list_is_seen_however_far_down_it_was_wanted():
    """It stands at the end."""

    class Short(Site):
        def listed(self, id: str) -> list[str] | None:
            return ["gout", "salt"]

    assert effects(Rules([pin("odd", 50)]), Short(), now=NOW)[0].kind == ""


def test_articles_near_to_an_unknown_name_are_proposed_for_the_first_ones_alone():
    """Looking takes a while on a large site."""
    rules = Rules([pin("gxyz", line=n) for n in range(30)])

    proposed = effects(rules, Site(), now=NOW, n_near=2)

    assert [len(each.near) for each in proposed] == [1, 1] + [0] * 28
    assert str(proposed[0]).endswith("“gxyz”; did you mean gout (Gout)?")
    assert proposed[0].field == "target"


def test_days_are_those_of_the_sites_zone():
    """The last day of a rule is the one its editor wrote."""
    end = datetime(2026, 11, 21, tzinfo=ZoneInfo("America/New_York")) + timedelta(days=1)

    (effect,) = found(pin("gout", ends=end.astimezone(UTC)), zone="America/New_York")

    assert effect.why == "it ended with 2026-11-21"


def test_the_rules_about_one_page_fare_as_among_all():
    """In the words that all of them together have; other pages' are not looked at."""
    rules = [
        *(pin("salt", n % 9 + 1, source=f"page-{n}", number=100 + n) for n in range(3_000)),
        pin("gout", 1, line=2),
        pin("salt", 1, number=8),
        block("corn", number=9),
        pin("corn", 3, number=10),
        pin("t1", 30, number=11),
        pin("gutt", 2, number=12),
        pin("t2", 4, number=13, ends=NOW),
        pin("t3", 5, number=14, starts=NOW + timedelta(days=1)),
    ]
    merged = Rules(rules)

    of_page = effects_on(merged, "knee", Site(), now=NOW)

    kinds = {"salt": "overridden", "corn": "blocked", "t1": "beyond", "gutt": "unknown",
             "t2": "ended", "t3": "waiting", "gout": ""}  # fmt: skip
    assert {e.rule.target: e.kind for e in of_page if e.rule.action == "pin"} == kinds
    among_all = {e.rule.key: e for e in effects(merged, Site(), now=NOW, n_near=0)}
    assert of_page == [among_all[e.rule.key] for e in of_page]
    assert len(of_page) == 8
