"""A view whose links come in several records is one view with all its links, whichever come first,
and however they are cut, on every kind of database.
"""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sql
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recommender.articles.article import Article
from recommender.articles.reader import Batch
from recommender.errors import TooManyBadRecords
from recommender.events import reader as reading
from recommender.events.event import MAX_SHOWN, Click, Impression
from recommender.events.reader import EventReader
from recommender.frames.site import Site
from recommender.store import slates
from recommender.store.database import Store
from recommender.store.event_writer import Received
from recommender.store.import_events import import_events
from recommender.store.pieces import Piece, Whole, joined, put_together
from recommender.training.log_checks import validate

NOON = 1_795_348_800_000
LINKS = tuple("abcdefgh")


def piece(*shown: str, at: int = 0, first: int | None = None, **changes: Any) -> Impression:
    places = None if first is None else tuple(range(first, first + len(shown)))
    return Impression("v", NOON + at, "page", shown, places=places, **changes)


def shown(store: Store) -> list[list[str]]:
    return list(Site(store).impressions().shown)


def imported(
    store: Store, path: Path, events: Sequence[Impression], *, parts: int = 1
) -> list[Received]:
    """Import the events from as many files, one import each."""
    found = []
    for number in range(parts):
        part = path / f"{number}.jsonl"
        part.write_text(
            "".join(f"{json.dumps(record(event))}\n" for event in events[number::parts])
        )
        if part.read_text():
            found.append(import_events(store, EventReader([part])))
    return found


def record(event: Impression) -> dict[str, Any]:
    first = {} if event.places is None else {"first_position": event.places[0]}
    chances = {} if event.propensities is None else {"propensities": event.propensities}
    return {"type": "impression", "view_id": event.view_id, "ts": event.ts,
            "source_id": event.source_id, "shown": event.shown, **first, **chances}  # fmt: skip


def test_links_of_one_view_are_put_together(store: Store):
    """In the order of time; the click on a link of the second counts."""
    received = store.add_events(
        [piece("a", "b", "c"), piece("d", "e", at=2000), Click("v", NOON + 9000, "e")]
    )

    assert shown(store) == [["a", "b", "c", "d", "e"]]
    assert (received.impressions, received.pieces, received.duplicates) == (1, 1, 0)
    assert Site(store).daily_counts().query("target_id == 'e'").position.tolist() == [5]


def test_only_the_same_link_at_the_same_place_is_a_duplicate(store: Store):
    """A list seen again, whole or in part, brings nothing; with more links, these."""
    store.add_events([piece("a", "b", "c")])

    again = [
        store.add_events([each]) for each in (piece("a", "b", "c", at=9), piece("a", "b", at=8))
    ]
    more = store.add_events([piece("a", "b", "c", "d", at=10)])

    assert [(each.pieces, each.duplicates) for each in again] == [(0, 1), (0, 1)]
    assert (more.impressions, more.pieces, more.duplicates) == (0, 1, 0)
    assert shown(store) == [["a", "b", "c", "d"]]


def test_places_say_where_links_stand_and_gaps_stay(store: Store):
    """The second part of a list, come alone, stands where it stood; then the first comes."""
    store.add_events([piece("d", "e", first=4)])
    alone = Site(store).daily_counts().position.tolist()
    store.add_events([piece("a", "b", "c", first=1, at=9)])

    assert alone == [4, 5]
    assert shown(store) == [["a", "b", "c", "d", "e"]]
    assert sorted(Site(store).daily_counts().position) == [1, 2, 3, 4, 5]


def test_places_that_are_taken_by_others_are_counted_on(store: Store):
    """Tags that begin at one in every part: what comes later stands behind."""
    store.add_events([piece("a", "b", first=1), piece("c", "d", "e", first=1, at=1)])

    assert shown(store) == [["a", "b", "c", "d", "e"]]


def test_chances_stay_with_their_links(store: Store):
    """Where some are known, the others are not made up."""
    store.add_events([piece("a", "b", propensities=(0.5, 0.25)), piece("c", at=1)])
    store.add_events([piece("d", at=2, propensities=(0.125,))])

    with store.reading() as connection:
        (number,) = connection.execute(sql.text("SELECT slate FROM views")).one()
        found = slates.read(connection)
    _, links = found.links_of(found.rows(np.array([number])))
    assert found.propensity[links].astype(str).tolist() == ["0.5", "0.25", "nan", "0.125"]


def test_a_view_of_another_page_is_left_out_and_counted(store: Store):
    """A view_id that is a session's, not a view's: no list is made of two pages' links."""
    elsewhere = Impression("v", NOON + 1, "other page", ("d",))

    together = store.add_events([piece("a"), elsewhere])
    later = store.add_events([elsewhere])

    assert shown(store) == [["a"]]
    assert (together.elsewhere, later.elsewhere) == (1, 1)
    assert (together.duplicates, later.duplicates) == (0, 0)


@pytest.mark.parametrize("block", [1, 2, 100_000])
def test_pieces_in_different_blocks_and_files_and_of_a_log_that_grew(
    store: Store, tmp_path: Path, block: int, monkeypatch: pytest.MonkeyPatch
):
    """However little is read at a time."""
    monkeypatch.setattr(reading, "BLOCK", block)
    events = [piece(link, at=number) for number, link in enumerate(LINKS)]
    log, other = tmp_path / "log.jsonl", tmp_path / "other.jsonl"
    log.write_text("".join(f"{json.dumps(record(event))}\n" for event in events[:3]))
    other.write_text("".join(f"{json.dumps(record(event))}\n" for event in events[3:5]))
    import_events(store, EventReader([log, other]))

    with log.open("a") as file:
        file.writelines(f"{json.dumps(record(event))}\n" for event in events[5:])
    received = import_events(store, EventReader([log, other]))

    assert shown(store) == [[*LINKS]]
    assert (received.impressions, received.pieces) == (0, 3)
    assert Site(store).impressions().ts.astype("int64").tolist() == [NOON]


def test_an_import_again_changes_nothing(store: Store, tmp_path: Path):
    """All of it is there."""
    events = [piece(link, at=number) for number, link in enumerate(LINKS)]
    imported(store, tmp_path, events)

    again = import_events(store, EventReader([tmp_path / "0.jsonl"]), again=True)

    assert shown(store) == [[*LINKS]]
    assert (again.impressions, again.pieces, again.duplicates) == (0, 0, len(LINKS))


def test_a_piece_that_comes_twice_stands_where_it_came_first(store: Store, tmp_path: Path):
    """In one import, in two and again; no two of them agree on their places."""
    events = [piece(*links, at=at) for at, links in enumerate(["k", "abc", "def", "xyz", "abc"])]
    imported(store, tmp_path, events)
    once = shown(store)
    import_events(store, EventReader([tmp_path / "0.jsonl"]), again=True)

    assert once == shown(store) == [[*"kabcdefxyz"]]


def test_what_a_killed_import_left_open_is_settled_by_the_next(store: Store, tmp_path: Path):
    """Its pieces are kept, though the view does not have them yet."""
    from recommender.store.event_writer import EventWriter

    with store.transaction() as connection:
        EventWriter().add(connection, [piece("a"), piece("b", at=1)], Received())
    before = shown(store)
    imported(store, tmp_path, [Impression("w", NOON, "page", ("c",))])

    assert before == [["a"]]
    assert shown(store) == [["a", "b"], ["c"]]


def test_a_later_piece_brings_what_the_view_is_without(store: Store):
    """Session, layout, list and arm, in another import too; what it has stays."""
    given = {"session_id": "s", "layout": "phone", "list": "related", "arm": "new"}
    named, other = piece("c", at=2, **given), piece("d", at=3, **dict.fromkeys(given, "other"))

    store.add_events([piece("a", "b")])
    store.add_events([named])
    store.add_events([other])

    query = "SELECT v.session, v.layout, v.arm, s.list FROM views v JOIN slates s USING (slate)"
    with store.reading() as connection:
        rows = connection.execute(sql.text(query)).all()
    assert shown(store) == [["a", "b", "c", "d"]]
    assert [tuple(row) for row in rows] == [("s", "phone", "new", "related")]


def test_only_records_that_bring_links_are_counted(store: Store):
    """A file that repeats what is there and has one part more."""
    first, more = piece("a", "b", "c"), piece("d", "e", first=4, at=9)
    store.add_events([first])

    received = store.add_events([first, more])

    assert (received.impressions, received.pieces, received.duplicates) == (0, 1, 1)


def test_a_view_is_put_together_once_for_all_of_its_new_pieces(
    store: Store, monkeypatch: pytest.MonkeyPatch
):
    """Not once for each."""
    calls: list[int] = []

    def counting(pieces: Sequence[Piece]) -> Whole:
        calls.append(len(pieces))
        return put_together(pieces)

    monkeypatch.setattr("recommender.store.pieces.put_together", counting)
    store.add_events([piece(f"x{n}", at=n) for n in range(200)])

    assert shown(store) == [[f"x{n}" for n in range(200)]]
    assert len(calls) < 6


def test_a_list_has_an_end(store: Store):
    """However many links its places have room for."""
    store.add_events([
        piece(*(f"m{n}" for n in range(MAX_SHOWN - 1))),
        piece(*(f"n{n}" for n in range(10)), first=MAX_SHOWN),
    ])  # fmt: skip

    (links,) = shown(store)
    assert links[-2:] == [f"m{MAX_SHOWN - 2}", "n0"]
    assert len(links) == MAX_SHOWN


def test_pieces_are_settled_though_the_import_ends_early(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """What came before the bad records stays, and is whole."""
    monkeypatch.setattr(reading, "BLOCK", 2)
    log = tmp_path / "log.jsonl"
    good = [json.dumps(record(event)) for event in (piece("a"), piece("b", at=1))]
    log.write_text("\n".join([good[0], good[0], good[1], good[1], *["{"] * 50]))

    with pytest.raises(TooManyBadRecords):
        import_events(store, EventReader([log]))

    assert shown(store) == [["a", "b"]]


@st.composite
def cuts(draw: st.DrawFn) -> tuple[list[Impression], bool]:
    """A view of eight links in pieces, which may overlap and come twice, in any order; and whether
    their places are known.
    """
    placed = draw(st.booleans())
    ends = sorted(draw(st.sets(st.integers(1, len(LINKS) - 1))) | {len(LINKS)})
    found, start = [], 0
    for turn, end in enumerate(ends):
        before = draw(st.integers(0, start)) if placed else start
        at = draw(st.integers(0, 99)) if placed else turn
        found.append(piece(*LINKS[before:end], first=before + 1 if placed else None, at=at))
        start = end
    found += draw(st.lists(st.sampled_from(found), max_size=2))
    return draw(st.permutations(found)), placed


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cuts(), st.integers(1, 4), st.integers(1, 3))
def test_however_a_view_is_cut_it_is_the_whole(
    tmp_path: Path, cut: tuple[list[Impression], bool], parts: int, block: int
):
    """Whatever comes first, over blocks of the reader, files and imports."""
    events, _ = cut
    with pytest.MonkeyPatch.context() as patch, Store("sqlite://") as store:
        patch.setattr(reading, "BLOCK", block)
        found = imported(store, tmp_path, events, parts=parts)

        assert shown(store) == [[*LINKS]]
        assert sum(each.impressions for each in found) == 1
        assert Site(store).daily_counts().position.tolist() == [*range(1, len(LINKS) + 1)]


@given(st.lists(st.lists(st.sampled_from(LINKS), min_size=1, max_size=4), min_size=1, max_size=4))
def test_together_they_have_every_link_and_no_place_twice(lists: list[list[str]]):
    """And each brings just what those before did not have."""
    found = put_together([Piece(tuple(links), (), None, True) for links in lists])

    assert {*found.piece.items} == {link for links in lists for link in links}
    assert found.added[0]
    assert len(found.piece.items) >= sum(found.added)


def test_pieces_that_agree_become_one_and_others_are_kept():
    """So a view in a hundred parts costs as much as one in one."""
    agree, _ = joined([piece("c", first=3, at=2), piece("a", "b", first=1)])
    differ, _ = joined([piece("c", at=2), piece("a", "b")])

    assert [*agree.values()] == [piece("a", "b", "c")]
    assert len(differ) == 2


def test_clicks_on_pieces_that_earlier_releases_dropped_are_explained():
    """``validate`` says what to do; imported again, they count."""
    with Store("sqlite://") as store:
        batch = Batch()
        for id in ("page", *LINKS):
            batch.add(Article(id, f"Title {id}", body="Text."), where=id)
        store.apply(batch)
        views = [piece("a", "b")._replace(view_id=f"v{n}") for n in range(50)]
        clicks = [Click(f"v{n}", NOON + 9000, random.Random(n).choice("ef")) for n in range(50)]
        store.add_events([*views, *clicks])

        found = {check.name: check for check in validate(store, now_ms=NOON + 86_400_000)}
        store.add_events(
            piece(*"cdefgh", at=1)._replace(view_id=f"v{number}") for number in range(50)
        )
        after = {check.name: check for check in validate(store, now_ms=NOON + 86_400_000)}

    name = "clicks are on links that were shown"
    assert not found[name].passed
    assert "Views seem to have come in pieces" in found[name].summary
    assert after[name].passed
