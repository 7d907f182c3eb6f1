"""What an editor is about to do, before it is saved."""

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from starlette.datastructures import FormData

from recommender.errors import EditorialError
from recommender.store.rules import EVERYWHERE, Rule
from recommender_api.console.drafts import (
    FIELDS,
    FIRST_NUMBER,
    MAX_DRAFTS,
    Draft,
    blocked,
    changed,
    drafts_of,
    edits,
    pinned,
    removed,
    rule_of,
    stamp,
    with_drafts,
)

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def of_console(number: int, target: str, position: int | None = None, source: str = "knee") -> Rule:
    action = "pin" if position else "block"
    return Rule(action, source, target, position, number=number, account="ann", at=NOON)


def places(drafts: list[Draft]) -> dict[str, str]:
    return {draft.article: draft.position for draft in drafts if draft.do == "pin"}


def test_what_stood_at_a_place_goes_below():
    """As dragging shows it: the one that is dropped has the place."""
    drafts: list[Draft] = []
    for target in ("gout", "salt", "hip"):
        drafts = pinned(drafts, [], "knee", target, 1)

    assert places(drafts) == {"hip": "1", "salt": "2", "gout": "3"}


def test_a_link_is_pinned_once():
    """Moved again, its draft changes."""
    drafts = pinned(pinned([], [], "knee", "gout", 1), [], "knee", "gout", 4)

    assert places(drafts) == {"gout": "4"}


def test_a_rule_that_is_there_is_changed():
    """Its own, or that of what it pushes down; those that need not move stay untouched."""
    there = [of_console(5, "gout", 1), of_console(6, "salt", 3)]

    drafts = pinned([], there, "knee", "hip", 1)

    assert [(draft.article, draft.position, draft.number) for draft in drafts] == [
        ("hip", "1", 0), ("gout", "2", 5),
    ]  # fmt: skip
    assert places(pinned(drafts, there, "knee", "salt", 2)) == {
        "hip": "1", "salt": "2", "gout": "3",
    }  # fmt: skip


def test_what_other_pages_pin_does_not_move():
    """A pin on every page keeps its place, and shares it."""
    there = [of_console(5, "gout", 1, source=EVERYWHERE), of_console(6, "salt", 1, source="hip")]

    assert places(pinned([], there, "knee", "ankle", 1)) == {"ankle": "1"}


def test_a_block_takes_the_place_of_a_pin():
    """Of a draft; a rule that is there stays, and a block beats it."""
    drafts = blocked(pinned([], [], "knee", "gout", 1), "gout")

    assert [(draft.do, draft.article) for draft in drafts] == [("block", "gout")]
    assert [draft.do for draft in pinned(drafts, [], "knee", "gout", 2)] == ["pin"]


def test_a_draft_that_removes_a_rule_replaces_one_that_changes_it():
    """Of one rule there is one draft."""
    rule = of_console(5, "gout", 1)

    drafts = removed(changed([], rule, UTC), rule, UTC)

    assert [(draft.do, draft.number) for draft in drafts] == [("remove", 5)]


def test_days_are_those_of_the_site():
    """Until a day includes it."""
    draft = Draft("pin", "gout", position="2", starts="2026-11-30", ends="2026-12-01", reason="x")

    rule = rule_of(draft, "knee", BERLIN)

    assert rule.starts == datetime(2026, 11, 29, 23, tzinfo=UTC)
    assert rule.ends == datetime(2026, 12, 1, 23, tzinfo=UTC)
    again = Draft.of(rule, BERLIN)
    assert (again.starts, again.ends) == (draft.starts, draft.ends)


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("position", "0", "place"), ("position", "101", "place"), ("position", "two", "place"),
        ("starts", "soon", "from"), ("ends", "30.2.2026", "until"), ("article", "knee", "itself"),
        ("article", "", "empty"), ("ends", "1999-01-01", "it would end before it begins"),
        ("reason", "x" * 1001, "reason"),
    ],
)  # fmt: skip
def test_what_will_not_do_is_named(field: str, value: str, named: str):
    """By the field an editor sees, and shown beside the draft in the preview."""
    fields = {"article": "gout", "position": "1", "starts": "2026-11-30", field: value}
    draft = Draft("pin", **fields)

    with pytest.raises(EditorialError, match=named):
        rule_of(draft, "knee", UTC)
    rules, faults = with_drafts([], [draft], "knee", UTC)
    assert rules == [] and named in faults[0]


def test_a_preview_has_the_rules_as_they_would_be():
    """Changed, removed and new; new ones come after all others."""
    there = [of_console(5, "gout", 1), of_console(6, "salt", 2), of_console(7, "hip")]
    drafts = removed(changed([Draft("block", "nap")], there[0], UTC), there[1], UTC)

    rules, faults = with_drafts(there, drafts, "knee", UTC)

    assert faults == {}
    assert [(rule.number, rule.target) for rule in rules] == [
        (5, "gout"), (7, "hip"), (FIRST_NUMBER, "nap"),
    ]  # fmt: skip


def test_a_rule_that_changed_meanwhile_is_left_alone():
    """What an editor has not seen, he does not overwrite."""
    rule = of_console(5, "gout", 1)
    drafts = changed([], rule, UTC)
    assert [edit.number for edit in edits(drafts, "knee", UTC, [rule])] == [5]

    later = Rule("pin", "knee", "gout", 9, number=5, account="bob", at=NOON.replace(hour=13))
    with pytest.raises(EditorialError, match="meanwhile by bob"):
        edits(drafts, "knee", UTC, [later])


def test_a_form_is_read_as_it_was_written():
    """Row by row; one that is torn, too long or made up is refused."""
    drafts = [Draft("pin", "gout/1", position="1", reason="ä, b"), Draft("block", "salt", "*")]
    fields = [(name, str(getattr(each, name))) for each in drafts for name in FIELDS]

    assert drafts_of(FormData(fields)) == drafts
    for bad in (
        fields[:-1],
        [*fields, ("do", "pin")],
        [(name, "wish" if name == "do" else value) for name, value in fields],
        [(name, "-1" if name == "number" else value) for name, value in fields],
        fields * MAX_DRAFTS,
    ):
        with pytest.raises(EditorialError):
            drafts_of(FormData(bad))


def test_a_stamp_is_that_of_all_that_is_written():
    """Also of a reason alone, within one tick of the clock."""
    rule = of_console(1, "gout")

    assert stamp(rule) == stamp(of_console(1, "gout"))
    for change in ({"reason": "x"}, {"account": "bob"}, {"at": None}, {"ends": NOON}):
        assert stamp(replace(rule, **change)) != stamp(rule)
