"""Editors' rules in the store: nothing is lost between two editors, and what was done is undone."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from recommender.errors import EditorialError, StoreError
from recommender.store import rules, schema
from recommender.store.database import Store
from recommender.store.rules import Edit, Rule

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
PIN = Rule("pin", "knee", "gout", 1, NOON, NOON + HOUR, 'says "yes";\n=1+1')


def test_a_rule_comes_back_as_it_went_in(store: Store):
    """With a number, who wrote it and when; ids of any script, times to the millisecond."""
    moment = NOON + timedelta(milliseconds=7)
    given = Rule("pin", "../a?b=c", "膝盖", None, moment, None, "Åsa's")

    written = rules.add(store, given, account="ann", at=moment + timedelta(microseconds=3))

    assert rules.read(store) == [replace(given, number=1, account="ann", at=moment)]
    assert written.rules == tuple(rules.read(store))
    assert written.beside == ()


@pytest.mark.parametrize(
    ("faulty", "field"),
    [
        (replace(PIN, action="hide"), "field action"),
        (replace(PIN, source=""), "field source: empty"),
        (replace(PIN, target="*"), "field target"),
        (replace(PIN, target="knee"), "field target: an article cannot stand beside itself"),
        (replace(PIN, action="block"), "field position: a block has none"),
        (replace(PIN, position=101), "field position"),
        (replace(PIN, starts=NOON, ends=NOON), "field until: it would end before it begins"),
        (replace(PIN, reason="x" * 1_001), "field reason"),
        (replace(PIN, target="gout\0"), "field target"),
        (replace(PIN, reason="\ud800"), "field reason"),
    ],
)
def test_a_faulty_rule_is_refused(store: Store, faulty: Rule, field: str):
    """With its field; all that was to be done with it is left undone too."""
    with pytest.raises(EditorialError, match=field):
        rules.write(store, [Edit(replace(PIN, target="salt")), Edit(faulty)], account="a", at=NOON)

    assert rules.read(store) == []
    assert rules.history(store) == []
    assert rules.last_change(store) == 0


def test_every_change_has_a_number_of_its_own(store: Store):
    """Which servers look at; reading changes nothing."""
    seen = [rules.last_change(store)]
    done = rules.add(store, PIN, account="ann", at=NOON)
    seen.append(rules.last_change(store))
    rules.change(store, 1, replace(PIN, position=2), account="ann", at=NOON)
    seen.append(rules.last_change(store))
    rules.remove(store, 1, account="ann", at=NOON)
    seen.append(rules.last_change(store))
    rules.undo(store, 3, account="ann", at=NOON)
    seen += [rules.last_change(store), rules.last_change(store)]

    assert done.action == 1
    assert seen == sorted(seen)
    assert len(set(seen)) == 5


def test_numbers_are_never_given_twice(store: Store):
    """A rule that is removed keeps its number, which its history names."""
    rules.add(store, PIN, account="ann", at=NOON)
    rules.remove(store, 1, account="ann", at=NOON)

    again = rules.add(store, PIN, account="ann", at=NOON)

    assert again.rules[0].number == 2


def test_who_pins_on_a_taken_place_is_told(store: Store):
    """Both pins are kept, and the later names the earlier; another page, place or time is free."""
    rules.add(store, PIN, account="ann", at=NOON)

    second = rules.add(store, replace(PIN, target="salt"), account="ben", at=NOON)
    free = [
        replace(PIN, target="c", source="hip"),
        replace(PIN, target="d", position=2),
        replace(PIN, target="e", starts=NOON + HOUR, ends=None),
        replace(PIN, target="f", position=None),
        Rule("block", "knee", "g"),
    ]
    others = [rules.add(store, rule, account="ben", at=NOON) for rule in free]

    assert [(rule.target, rule.account) for rule in second.beside] == [("gout", "ann")]
    assert len(rules.read(store)) == 7
    assert [each.beside for each in others] == [()] * 5


def test_the_same_rule_is_not_made_twice(store: Store):
    """Whatever the reason for it; who comes second learns whose it is."""
    rules.add(store, PIN, account="ann", at=NOON)

    with pytest.raises(EditorialError, match="the same rule is there already: rule 1 by ann"):
        rules.add(store, replace(PIN, reason="other"), account="ben", at=NOON)
    with pytest.raises(EditorialError, match="the same rule"):
        rules.write(store, [Edit(Rule("block", "*", "x"))] * 2, account="ben", at=NOON)

    assert [rule.account for rule in rules.read(store)] == ["ann"]


def test_nobody_overwrites_what_he_has_not_seen(store: Store):
    """A rule that another changed or removed meanwhile is to be looked at again."""
    seen = rules.add(store, PIN, account="ann", at=NOON).rules[0]
    theirs = rules.change(store, 1, replace(PIN, position=3), account="ben", at=NOON).rules[0]

    with pytest.raises(EditorialError, match="rule 1 was changed meanwhile by ben"):
        rules.change(store, 1, replace(PIN, position=5), account="ann", at=NOON, seen=seen)
    with pytest.raises(EditorialError, match="changed meanwhile"):
        rules.remove(store, 1, account="ann", at=NOON, seen=seen)
    assert rules.read(store) == [theirs]

    rules.remove(store, 1, account="ann", at=NOON, seen=theirs)
    with pytest.raises(EditorialError, match="rule 1 is not there any more"):
        rules.change(store, 1, PIN, account="ben", at=NOON, seen=theirs)


def test_a_rule_saved_as_it_is_makes_no_history(store: Store):
    """Its author stays who made it."""
    rules.add(store, PIN, account="ann", at=NOON)

    with pytest.raises(EditorialError, match="nothing was changed"):
        rules.change(store, 1, PIN, account="ben", at=NOON + HOUR)

    assert [each.what for each in rules.history(store)] == ["added"]


def test_history_says_who_did_what_when(store: Store):
    """The latest first; before and after as they were; of one page, in parts."""
    rules.add(store, PIN, account="ann", at=NOON)
    rules.change(store, 1, replace(PIN, position=2), account="ben", at=NOON + HOUR)
    rules.add(store, Rule("block", "hip", "salt"), account="ann", at=NOON + 2 * HOUR)
    rules.remove(store, 1, account="cleo", at=NOON + 3 * HOUR)

    told = rules.history(store)
    assert [(each.number, each.what, each.account, each.source) for each in told] == [
        (4, "removed", "cleo", "knee"),
        (3, "added", "ann", "hip"),
        (2, "changed", "ben", "knee"),
        (1, "added", "ann", "knee"),
    ]
    assert [each.at for each in told] == [NOON + n * HOUR for n in (3, 2, 1, 0)]
    changed = told[2]
    assert [rule.position for rule in (*changed.before, *changed.after)] == [1, 2]
    assert [each.number for each in rules.history(store, source="hip")] == [3]
    assert [each.number for each in rules.history(store, before=3, limit=1)] == [2]


def test_what_was_done_is_undone_backwards(store: Store):
    """As long as what it touched is as it left it; the sentence says why it cannot be."""
    rules.add(store, PIN, account="ann", at=NOON)
    first = rules.read(store)
    rules.change(store, 1, replace(PIN, position=2), account="ben", at=NOON)

    with pytest.raises(EditorialError, match="rule 1 was changed since by ben"):
        rules.undo(store, 1, account="ann", at=NOON)
    assert [each.obstacle for each in rules.history(store)] == [
        "",
        "rule 1 was changed since by ben",
    ]

    rules.undo(store, 2, account="ann", at=NOON)
    assert rules.read(store) == first
    rules.undo(store, 1, account="ann", at=NOON)
    assert rules.read(store) == []
    with pytest.raises(EditorialError, match="it was undone already"):
        rules.undo(store, 1, account="ann", at=NOON)
    with pytest.raises(EditorialError, match="there is no action 99"):
        rules.undo(store, 99, account="ann", at=NOON)


def test_an_undoing_is_undone_too(store: Store):
    """And the history names what it undid."""
    rules.add(store, PIN, account="ann", at=NOON)
    rules.undo(store, 1, account="ben", at=NOON)

    rules.undo(store, 2, account="ann", at=NOON)

    assert [rule.target for rule in rules.read(store)] == ["gout"]
    assert [each.undoes for each in rules.history(store)] == [2, 1, None]


def test_a_removal_is_not_undone_beside_the_same_rule(store: Store):
    """Somebody made it anew."""
    rules.add(store, PIN, account="ann", at=NOON)
    rules.remove(store, 1, account="ann", at=NOON)
    rules.add(store, PIN, account="ben", at=NOON)

    with pytest.raises(EditorialError, match="made anew since, as rule 2"):
        rules.undo(store, 2, account="ann", at=NOON)


def test_several_edits_are_one_action(store: Store):
    """Two pins change places, one more is added, one goes; one undoing brings all back."""
    one, two = replace(PIN, position=1), replace(PIN, target="salt", position=2)
    rules.write(store, [Edit(one), Edit(two), Edit(Rule("block", "*", "x"))], account="a", at=NOON)
    before = rules.read(store)

    done = rules.write(
        store,
        [
            Edit(replace(one, position=2), 1),
            Edit(replace(two, position=1), 2),
            Edit(None, 3),
            Edit(Rule("block", "hip", "y")),
        ],
        account="ann",
        at=NOON,
    )

    assert [(r.number, r.target, r.position) for r in rules.read(store)] == [
        (1, "gout", 2),
        (2, "salt", 1),
        (4, "y", None),
    ]
    # Of several pages, the history of each has it.
    assert [each.number for each in rules.history(store, source="hip")] == [done.action]
    assert rules.history(store, source="toe") == []
    rules.undo(store, done.action, account="ann", at=NOON)
    assert rules.read(store) == before


def test_the_history_of_a_page_gives_its_own_rules_of_many(store: Store):
    """Those of all pages too, and how many others there were; whether it can be undone is for all
    of them to say, and one of another page forbids it.
    """
    rules.add(store, Rule("block", "hip", "y"), account="ann", at=NOON)
    pins = [replace(PIN, source=f"page-{n}") for n in range(40)]
    given = [*pins, Rule("block", "*", "x")]
    edits = [Edit(None, 1), *map(Edit, given)]
    done = rules.write(store, edits, account="ann", at=NOON, what="imported")

    (told,) = rules.history(store, source="page-7")
    assert [rule.source for rule in told.after] == ["page-7", "*"]
    assert (told.before, told.n_others, told.obstacle) == ((), 40, "")
    assert [each.n_others for each in rules.history(store, source="hip")] == [40, 0]
    assert [len(each.after) for each in rules.history(store)] == [41, 1]

    rules.remove(store, 3, account="ben", at=NOON)
    (told,) = rules.history(store, source="page-7")
    assert told.obstacle == "rule 3 was removed since"
    rules.undo(store, done.action + 1, account="ben", at=NOON)
    (told,) = rules.history(store, source="page-7")
    assert told.obstacle == ""
    rules.undo(store, done.action, account="ben", at=NOON)
    undone, told = rules.history(store, source="page-7")
    assert (undone.undoes, told.obstacle) == (done.action, "it was undone already")
    assert [rule.source for rule in undone.before] == ["page-7", "*"]


def test_actions_of_an_older_store_are_found_by_page(store: Store):
    """As they would be had they been written now."""
    rules.write(store, [Edit(PIN), Edit(Rule("block", "hip", "y"))], account="ann", at=NOON)
    rules.change(store, 1, replace(PIN, source="toe"), account="ben", at=NOON)
    pages = ("knee", "hip", "toe", "*")
    before = {page: rules.history(store, source=page) for page in pages}
    with store.transaction() as connection:
        connection.execute(text("DROP TABLE action_sources"))
        schema._action_sources(connection)

    assert {page: rules.history(store, source=page) for page in pages} == before
    assert [each.number for each in before["knee"]] == [2, 1]


def test_editors_at_one_time_lose_nothing(database: str):
    """Eight pin on the same place at once, each five articles: all are kept, each but the first is
    told of another, and the history has them one by one.
    """
    with Store(database):
        pass
    told: list[int] = []
    failed: list[BaseException] = []

    def edit(name: str) -> None:
        try:
            with Store(database) as own:
                for n in range(5):
                    rule = Rule("pin", "knee", f"{name}-{n}", 1)
                    told.append(len(rules.add(own, rule, account=name, at=NOON).beside))
        except BaseException as exc:  # noqa: BLE001
            failed.append(exc)

    threads = [threading.Thread(target=edit, args=(f"editor{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    assert sorted(told) == list(range(40))
    with Store(database) as after:
        assert len(rules.read(after)) == 40
        assert {rule.number for rule in rules.read(after)} == set(range(1, 41))
        assert [each.number for each in rules.history(after)] == list(range(40, 0, -1))
        assert rules.last_change(after) == 40


def test_who_may_only_read_reads_the_rules(database: str):
    """And is refused to write them."""
    with Store(database) as store:
        rules.add(store, PIN, account="ann", at=NOON)

    with Store(database, writing=False) as reader:
        assert [rule.target for rule in rules.read(reader)] == ["gout"]
        assert rules.last_change(reader) == 1
        assert len(rules.history(reader)) == 1
        with pytest.raises(StoreError):
            rules.add(reader, replace(PIN, target="x"), account="ann", at=NOON)
