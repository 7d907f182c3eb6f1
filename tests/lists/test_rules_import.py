"""What an import of rules would do is known line by line before it is done, and all or none is."""

from datetime import UTC, datetime, timedelta

import pytest

from recommender.lists.editorial import Rules
from recommender.lists.rules_import import Plan, plan
from recommender.store import rules as stored
from recommender.store.database import Store
from recommender.store.rules import Edit, Rule

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PIN = Rule("pin", "knee", "gout", 1)


class Site:
    """Articles of one letter, and those at their addresses, are known; all stand in all lists."""

    def named(self, text: str) -> tuple[str | None, str]:
        id = text.removeprefix("/")
        return (id, "an address") if id in ("knee", "hip", "gout", "salt", "corn") else (None, "")

    def is_gone(self, text: str) -> bool:
        return False

    def title(self, id: str) -> str:
        return id.title()

    def near(self, text: str) -> list[tuple[str, str]]:
        return [("gout", "Gout")]

    def listed(self, id: str) -> list[str] | None:
        return ["gout", "salt", "corn"]

    def is_listed(self, id: str) -> bool:
        return True


def planned(given: list[Rule], store: Store, file: list[Rule] | None = None, **more: bool) -> Plan:
    """Lines from the second on, beside the store and a file."""
    lines = [
        Rule(r.action, r.source, r.target, r.position, r.starts, r.ends, r.reason, line=n)
        for n, r in enumerate(given, start=2)
    ]
    kept = Rules(file or []).beside(stored.read(store))
    return plan(Rules(lines), kept, Site(), now=NOW, **more)


def whats(found: Plan) -> list[str]:
    return [line.what for line in found.lines]


@pytest.fixture
def store() -> Store:
    return Store("sqlite://")


def test_lines_are_added_changed_or_there(store: Store):
    """By action, page and article; another reason is a change too."""
    edits = [
        Edit(PIN),
        Edit(Rule("block", "*", "salt", reason="old")),
        Edit(Rule("block", "hip", "corn")),
    ]
    stored.write(store, edits, account="ann", at=NOW)

    found = planned(
        [
            Rule("pin", "knee", "gout", 3),
            Rule("block", "*", "salt", reason="new"),
            Rule("block", "hip", "corn"),
            Rule("pin", "hip", "gout", 1),
        ],
        store,
    )

    assert whats(found) == ["changed", "changed", "there already", "added"]
    assert found.summary == "1 added, 2 changed, 1 there already"
    stored.write(store, found.edits, account="ben", at=NOW, what=stored.IMPORTED)
    assert [(r.number, r.target, r.position, r.reason, r.account) for r in stored.read(store)] == [
        (1, "gout", 3, "", "ben"),
        (2, "salt", None, "new", "ben"),
        (3, "corn", None, "", "ann"),
        (4, "gout", 1, "", "ben"),
    ]
    stored.undo(store, 2, account="ann", at=NOW)
    assert [(r.number, r.position) for r in stored.read(store)] == [(1, 1), (2, None), (3, None)]


def test_one_rule_for_two_seasons_is_two(store: Store):
    """That which is there stays, whichever line has it, and the other is added."""
    winter = Rule("pin", "knee", "gout", 1, NOW, NOW + DAY)
    stored.add(store, winter, account="ann", at=NOW)
    summer = Rule("pin", "knee", "gout", 1, NOW + 9 * DAY, NOW + 10 * DAY)

    found = planned([summer, winter], store)

    assert whats(found) == ["added", "there already"]


def test_one_slip_and_nothing_is_done(store: Store):
    """Unknown articles are refused with those near to them, over or not; so is the page itself."""
    found = planned(
        [PIN, Rule("pin", "knee", "gouty", 2, None, NOW - DAY), Rule("pin", "/knee", "knee", 2)],
        store,
    )

    assert whats(found) == ["added", "refused", "refused"]
    assert [(line.line, line.effect.kind) for line in found.refused] == [
        (3, "unknown"),
        (4, "itself"),
    ]
    assert found.refused[0].effect.near == (("gout", "Gout"),)


def test_what_stands_in_the_file_is_not_brought_in_again(store: Store):
    """Nor one rule twice."""
    found = planned(
        [PIN, Rule("block", "*", "salt"), Rule("block", "*", "/salt")],
        store,
        file=[Rule("pin", "/knee", "gout", 1, line=2)],
    )

    assert whats(found) == ["in the file", "added", "twice"]
    assert [edit.rule.target for edit in found.edits if edit.rule] == ["salt"]


def test_what_will_do_nothing_is_said_before(store: Store):
    """By the other lines as well as by what is there."""
    stored.add(store, Rule("block", "*", "corn"), account="ann", at=NOW)

    found = planned([PIN, Rule("pin", "knee", "salt", 1), Rule("pin", "hip", "corn", 1)], store)

    assert [line.effect.kind for line in found.lines] == ["", "taken", "blocked"]
    assert "line 2 of this import" in found.lines[1].effect.why
    assert "rule 1 by ann" in found.lines[2].effect.why
    assert found.refused == []


def test_replacing_removes_what_the_file_has_not(store: Store):
    """And what it has is kept with its number; one undoing brings all back."""
    edits = [Edit(PIN), Edit(Rule("block", "*", "salt")), Edit(Rule("block", "hip", "corn"))]
    stored.write(store, edits, account="ann", at=NOW)
    before = stored.read(store)

    found = planned(
        [Rule("block", "*", "salt"), Rule("block", "hip", "gout")], store, replacing=True
    )

    assert [rule.number for rule in found.removed] == [1, 3]
    assert found.summary == "1 added, 1 there already, 2 rules of the console removed"
    stored.write(store, found.edits, account="ben", at=NOW)
    assert [rule.number for rule in stored.read(store)] == [2, 4]
    stored.undo(store, 2, account="ben", at=NOW)
    assert stored.read(store) == before


def test_who_changed_a_rule_after_the_preview_is_not_overwritten(store: Store):
    """What was planned holds for the rules as they were seen."""
    stored.add(store, PIN, account="ann", at=NOW)
    found = planned([Rule("pin", "knee", "gout", 3)], store)
    stored.change(store, 1, Rule("pin", "knee", "gout", 2), account="cleo", at=NOW)

    with pytest.raises(stored.EditorialError, match="changed meanwhile by cleo"):
        stored.write(store, found.edits, account="ben", at=NOW)
