"""Slates that explore keep what must stay, try what deserves it, and say with what chance."""

from collections import Counter
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sites import NOW, built, random_articles, stored

from recommender.articles.article import Article
from recommender.bundle.bundle import Bundle
from recommender.candidates import EMPTY
from recommender.demo import readers
from recommender.events.slate_token import N_VARIANTS
from recommender.lists import exploration
from recommender.lists.exploration import (
    DEPTH,
    ROUND,
    explore,
    lowest,
    slate_of,
    variant_table,
)
from recommender.store.database import Store
from recommender.training.pipeline import Options, build

SHARE = 20


def lists_of(*lengths: int, size: int = 30) -> np.ndarray:
    """Prepared lists of so many links; article 0 stands in none of them, row *i* not in its own."""
    items = np.full((len(lengths), size), EMPTY)
    for row, length in enumerate(lengths):
        items[row, :length] = np.arange(len(lengths), len(lengths) + length)
    return items


def explored(items: np.ndarray, n_relevant: list[int] | None = None, *, share: int = SHARE,
             sensitive: tuple[int, ...] = (), seed: int = 1) -> np.ndarray:  # fmt: skip
    """Every link is relevant and no article sensitive, unless told otherwise."""
    flags = np.zeros(max(int(items.max()) + 1, len(items)), dtype=bool)
    flags[list(sensitive)] = True
    relevant = (items != EMPTY).sum(axis=1) if n_relevant is None else np.array(n_relevant)
    padded = np.full((len(flags), items.shape[1]), EMPTY)
    padded[: len(items)] = items
    n_padded = np.zeros(len(flags), dtype=int)
    n_padded[: len(relevant)] = relevant
    return explore(padded, n_padded, flags, share=share, seed=seed)


@st.composite
def sites(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Lists of a few articles, how much of each is relevant, who is sensitive, and a share."""
    n = draw(st.integers(2, 8))
    size = draw(st.integers(1, min(14, n - 1) if n < 4 else 14))
    items = np.full((n, size), EMPTY)
    for row in range(n):
        others = [item for item in range(n) if item != row]
        chosen = draw(st.permutations(others))[: draw(st.integers(0, min(size, n - 1)))]
        items[row, : len(chosen)] = chosen
    relevant = [draw(st.integers(0, int((row != EMPTY).sum()))) for row in items]
    sensitive = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    return (
        items,
        np.array(relevant),
        np.array(sensitive),
        draw(st.sampled_from([0, 1, 2, 7, 20, 90])),
    )


# Drawing


@given(sites(), st.integers(0, 9))
@settings(max_examples=60)
def test_what_every_exploring_slate_keeps(
    site: tuple[np.ndarray, np.ndarray, np.ndarray, int], seed: int
):
    """It is the best one with pairs swapped, of which the lower stands no lower than the upper
    reaches; what is not relevant, sensitive, empty or on a sensitive page is in none. Dealt in
    blocks of three articles.
    """
    items, relevant, sensitive, share = site
    n, size = items.shape
    depth = min(DEPTH, size)

    with patch.object(exploration, "BLOCK", 3):
        found = explore(items, relevant, sensitive, share=share, seed=seed)

    assert found.shape == (n, share, depth)
    for row in range(n):
        free = {
            slot for slot in range(size)
            if slot < relevant[row] and items[row, slot] != EMPTY
            and not sensitive[row] and not sensitive[items[row, slot]]
        }  # fmt: skip
        for slate in found[row].tolist():
            assert len(set(slate)) == depth
            for at, slot in enumerate(slate):
                assert slot == at or {slot, at} <= free
                assert slot >= depth or slate[slot] == at
                assert slot == at or max(slot, at) < lowest(min(slot, at) + 1, size)


def pairs_in(slates: np.ndarray) -> Counter[tuple[int, int]]:
    """How often each pair is swapped, its places counted from 1, the upper first."""
    return Counter(
        (at + 1, slot + 1)
        for slate in slates.tolist()
        for at, slot in enumerate(slate)
        if at < slot
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_twenty_slates_hold_every_pair_once(seed: int):
    """The first link with the second and third, the second with the third to the seventh; the tenth
    has more candidates than slates, and changes in each.
    """
    slates = explored(lists_of(30), seed=seed)[0]

    pairs = pairs_in(slates)
    assert set(pairs.values()) == {1}
    assert {pair for pair in pairs if pair[0] <= 3} == {
        (1, 2), (1, 3),
        (2, 3), (2, 4), (2, 5), (2, 6), (2, 7),
        (3, 4), (3, 5), (3, 6), (3, 7), (3, 8), (3, 9),
    }  # fmt: skip
    assert {(upper, lower) for upper, lower in pairs if lower <= DEPTH} == {
        (upper, lower) for lower in range(2, DEPTH + 1) for upper in range(1, lower)
        if lower <= 2 * upper + 3 and (upper, lower) not in [(1, 4), (1, 5)]
    }  # fmt: skip
    moved = (slates != np.arange(DEPTH)).sum(axis=0).tolist()
    assert moved == [2, 6, 8, 9, 11, 13, 15, 16, 18, 20]


def test_more_slates_deal_the_pairs_anew_and_fewer_are_a_part_of_twenty():
    """In ninety none comes more than once in each twenty; in one there are a few."""
    slates = explored(lists_of(30), share=90)[0]

    for first in range(0, 90, ROUND):
        assert set(pairs_in(slates[first : first + ROUND]).values()) == {1}
    assert pairs_in(slates)[1, 2] in (4, 5)
    one = explored(lists_of(*[30] * 500), share=1)[:500, 0]
    assert 4 < np.mean([len(pairs_in(slate[None])) for slate in one]) < 5


@pytest.mark.parametrize("k", range(3, DEPTH + 1))
def test_lists_of_any_length_try_what_they_would_not_show(k: int):
    """All candidates that their last place reaches, or all but a few; never in the first place."""
    for slates in explored(lists_of(*[30] * 20))[:20]:
        tried = {*slates[:, :k].ravel().tolist()} - {*range(k)}
        reached = {*range(k, lowest(k, 30))}

        assert tried <= reached
        assert len(tried) >= (len(reached) if k <= 5 else 0.7 * len(reached))
        assert not tried & {*slates[:, 0].tolist()}


def test_the_best_three_never_leave_their_list():
    """All that they change with stands in it, too."""
    for slate in explored(lists_of(30), share=90)[0].tolist():
        assert {0, 1, 2} <= set(slate)
        assert slate.index(0) < 3


def test_lists_in_an_order_that_is_not_too_far_off_had_a_chance():
    """Of a list turned round three by three, and one whose candidates moved up, every link stands
    at its place in some slate; a link that rose from the thirtieth place to the first does not.
    """
    slates = explored(lists_of(30))[0]

    for other in ([2, 1, 0, 5, 4, 3, 8, 7, 6, 9], [0, 3, 6, 1, 10, 2, 12, 9, 4, 7]):
        assert all(slot == at or slot in slates[:, at] for at, slot in enumerate(other))
    assert 29 not in slates[:, 0]


def test_candidates_near_the_list_are_tried_more_often_and_all_in_time():
    """At the tenth place, by two hundred deals: the eleventh nearly always, the thirtieth in four
    of ten.
    """
    slates = explored(lists_of(*[30] * 200))[:200]

    often = [(slates[:, :, 9] == slot).any(axis=1).mean() for slot in range(10, 30)]
    assert often[0] > 0.9
    assert 0.3 < often[-1] < 0.55


@pytest.mark.parametrize("kind", ["learned", "text_sample"])
def test_at_most_one_click_in_fifty_is_lost(kind: str, request: pytest.FixtureRequest):
    """By the stated taste of the sample site's readers, all variants drawn evenly, however many
    links the pages ask for.
    """
    bundle: Bundle = request.getfixturevalue(kind)
    ids = [bundle.lists.id_of(row) for row in np.flatnonzero(bundle.lists.stub == 0).tolist()]
    slates = {
        id: [[link.id for link in bundle.related(id, variant=at)] for at in range(N_VARIANTS)]
        for id in ids
    }

    for k in range(3, DEPTH + 1):
        won = np.array(
            [[readers.expected_clicks(id, slate[:k]) for slate in slates[id]] for id in ids]
        ).sum(axis=0)
        assert 0.98 * won[0] <= won.mean() < won[0]


def test_ten_links_or_fewer_are_only_swapped():
    """Nothing stands further down that could be tried."""
    for length in (2, 5, 9, 10):
        slates = explored(lists_of(length))[0]
        assert {frozenset(slate) for slate in slates.tolist()} == {frozenset(range(DEPTH))}
        assert all(slate[length:] == list(range(length, DEPTH)) for slate in slates.tolist())


def test_one_link_stands_still():
    """And so does none."""
    for length in (0, 1):
        slates = explored(lists_of(length))[0]
        assert all(slate == list(range(DEPTH)) for slate in slates.tolist())


def test_only_what_passed_the_floor_moves():
    """Of thirty links the first twelve did: no slate shows any other, the twelve all come."""
    slates = explored(lists_of(30), [12])[0]

    assert set(slates.flatten().tolist()) == set(range(12))


def test_nothing_moves_on_the_page_of_a_sensitive_article():
    """Every variant is the best slate, with certainty."""
    found = explored(lists_of(30, 30), sensitive=(0,))

    assert (found[0] == np.arange(DEPTH)).all()
    assert (found[1] != np.arange(DEPTH)).any()


def test_a_sensitive_article_is_not_moved_on_other_pages():
    """Third, ninth, and further down: it stands where it stood, or nowhere."""
    items = lists_of(30)
    for slot in (2, 8, 15):
        found = explored(items, sensitive=(int(items[0, slot]),), share=90)

        places = (found[0] == slot).sum(axis=0)
        assert places.tolist() == [len(found[0]) if at == slot else 0 for at in range(DEPTH)]
        assert (found[0] != np.arange(DEPTH)).any()


def test_no_share_no_exploration():
    """A hundred variants, one slate."""
    assert explored(lists_of(30, 4), share=0).shape[1] == 0


def test_another_seed_deals_anew_and_the_same_deals_the_same():
    """So that in time every candidate is tried, and a build can be made again."""
    items = lists_of(30, 30)

    assert np.array_equal(explored(items, seed=7), explored(items, seed=7))
    assert not np.array_equal(explored(items, seed=7), explored(items, seed=8))


# Variants


@pytest.mark.parametrize("share", [0, 1, 2, 20, 90])
def test_the_table_says_what_each_variant_means(share: int):
    """All hundred, each once, and the same that is served."""
    table = variant_table(share)

    told = {
        variant: (row["arm"], row["slate"])
        for row in table
        for variant in range(row["from"], row["to"] + 1)
    }
    assert sorted(told) == list(range(N_VARIANTS))
    assert sum(row["to"] - row["from"] + 1 for row in table) == N_VARIANTS
    for variant, (arm, slate) in told.items():
        assert slate == slate_of(variant, share)
        assert arm == ("explore" if slate else "best")
    assert sorted(slate for _, slate in told.values() if slate) == list(range(1, share + 1))


# Bundles


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A site of all sorts, some of it sensitive."""
    articles = [
        Article(
            **{**{name: getattr(each, name) for name in each.__slots__}, "sensitive": at % 9 == 4}
        )
        for at, each in enumerate(random_articles(90, seed=5))
    ]
    return built(tmp_path_factory.mktemp("site"), articles)


def variants_of(bundle: Bundle, id: str, k: int = DEPTH) -> list[list[tuple[str, str]]]:
    """What each of the hundred variants shows: ids and origins."""
    lists = [bundle.related(id, k, variant=variant) for variant in range(N_VARIANTS)]
    return [[(link.id, link.origin) for link in links] for links in lists]


Pages = dict[str, list[list[tuple[str, str]]]]


@pytest.fixture(scope="module")
def pages(bundle: Bundle) -> Pages:
    """What each of the hundred variants shows on each page."""
    rows = np.flatnonzero(bundle.lists.stub == 0).tolist()
    return {id: variants_of(bundle, id) for id in map(bundle.lists.id_of, rows)}


def test_a_hundred_thousand_draws_agree_with_the_chances(bundle: Bundle, pages: Pages):
    """Readers draw variants evenly: every article stands at every position as often as the bundle
    says, within what chance allows, on every page.
    """
    n = 100_000
    drawn = np.bincount(np.random.default_rng(3).integers(0, N_VARIANTS, n), minlength=N_VARIANTS)
    lists = bundle.lists
    worst, n_compared = 0.0, 0
    for page, variants in pages.items():
        row = lists.row(page)
        seen: Counter[tuple[str, int]] = Counter()
        for times, links in zip(drawn, variants, strict=True):
            seen.update({(id, at): int(times) for at, (id, _) in enumerate(links)})
        known: dict[tuple[str, int], float] = {}
        for slate in range(lists.share + 1):
            placed = lists.prepared(row, slate, at_most=DEPTH)
            for at, chance in enumerate(lists.chances_of(row, slate)):
                known[lists.id_of(placed[at].row), at] = chance / N_VARIANTS
        for link, chance in known.items():
            spread = np.sqrt(n * chance * (1 - chance))
            off = abs(seen.pop(link, 0) - n * chance)
            assert off <= 5 * spread
            worst, n_compared = max(worst, off / spread if spread else 0.0), n_compared + 1
        # What only fills up stands there in every variant.
        assert set(seen.values()) <= {n}
    assert n_compared > 2_000
    assert worst > 1  # or the draws were not compared at all


@pytest.mark.slow
def test_the_chances_of_a_slate_are_those_of_its_places(bundle: Bundle, pages: Pages):
    """For every prepared slate: the hundredths of variants that agree with it place by place, as
    they are counted for what is put together.
    """
    lists = bundle.lists
    for page, variants in list(pages.items())[::5]:
        row = lists.ids.find(page)
        n_prepared = int((lists.items[row] != EMPTY).sum())
        shown = [[id for id, _ in links] for links in variants]
        for variant in range(N_VARIANTS):
            chances = lists.chances_of(row, slate_of(variant, lists.share))
            agree = [
                sum(other[at] == id for other in shown)
                for at, id in enumerate(shown[variant][:n_prepared])
            ]
            assert chances == agree
            slate = slate_of(variant, lists.share)
            placed, shares = lists.with_chances(row, k=DEPTH, slate=slate)
            assert [lists.id_of(each.row) for each in placed] == shown[variant]
            assert shares[:n_prepared] == [chance / N_VARIANTS for chance in agree]


def test_explored_is_what_comes_from_beyond_the_best_ten(bundle: Bundle, pages: Pages):
    """These links and no others say so; the others keep the origin they have in the best list."""
    n_explored = 0
    for page, variants in pages.items():
        best = {link.id: link.origin for link in bundle.related(page)}
        for links in variants:
            for other, origin in links:
                assert origin == best.get(other, "explored")
                n_explored += origin == "explored"
    assert n_explored > 100


def test_sensitive_articles_are_left_alone_in_a_bundle(pages: Pages):
    """On their own page every variant is the same; on others' they are never explored."""
    sensitive = {f"a{at:04}" for at in range(4, 90, 9)}

    for page, lists in pages.items():
        if page in sensitive:
            assert all(links == lists[0] for links in lists)
        places = {
            (other, at) for links in lists for at, (other, _) in enumerate(links)
            if other in sensitive
        }  # fmt: skip
        assert len(places) == len({other for other, _ in places})
        assert not any((other, "explored") in links for links in lists for other in sensitive)
    assert sensitive & pages.keys()


def test_a_longer_list_goes_on_below_the_slate(bundle: Bundle):
    """Whatever the variant, the same articles, each once: only their order differs."""
    for row in np.flatnonzero(bundle.lists.stub == 0).tolist()[:20]:
        found = [
            [id for id, _ in links] for links in variants_of(bundle, bundle.lists.id_of(row), 30)
        ]
        assert all(len(set(ids)) == len(ids) for ids in found)
        assert len({frozenset(ids) for ids in found}) == 1


@pytest.mark.slow
def test_variants_without_exploration_are_the_best_list(tmp_path: Path):
    """With a share of 0; and the bundle's account says so."""
    bundle = built(tmp_path, random_articles(30, seed=2), options=Options(explore=0))

    id = bundle.lists.id_of(0)
    assert all(links == variants_of(bundle, id)[0] for links in variants_of(bundle, id))
    assert (bundle.about.explore, [*bundle.about.variants]) == (0, variant_table(0))
    assert bundle.lists.chances_of(0, 0)[:1] == [N_VARIANTS]


@pytest.mark.slow
@pytest.mark.parametrize("n", [2, 3, 11, 12])
def test_small_sites_explore_what_they_can(tmp_path: Path, n: int):
    """Two articles have one link; twelve have eleven, of which one stands below the best ten."""
    common = " ".join(f"word{at}" for at in range(40))
    bundle = built(
        tmp_path, [Article(f"a{at}", f"Title{at}", f"{common} own{at}") for at in range(n)]
    )

    for at in range(n):
        lists = variants_of(bundle, f"a{at}")
        assert all(len(links) == min(n - 1, DEPTH) for links in lists)
        assert all(len(dict(links)) == len(links) for links in lists)
        assert len({tuple(links) for links in lists}) > 1 or n == 2
        tried = {id for links in lists for id, origin in links if origin == "explored"}
        assert len(tried) == max(0, n - 1 - DEPTH)


@pytest.mark.slow
def test_the_time_of_a_build_decides_the_deal(tmp_path: Path):
    """Another time, another deal; the same time, the same bytes."""
    with Store("sqlite://") as store:
        stored(store, random_articles(40, seed=3))
        one = build(store, tmp_path / "one", now=NOW)
        same = build(store, tmp_path / "same", now=NOW)
        later = build(store, tmp_path / "one", now=NOW.replace(second=1))

    def dealt(bundle: Bundle) -> list[bytes]:
        names = ("lists_slates", "lists_items", "lists_tails_data")
        return [(bundle.folder / f"{name}.npy").read_bytes() for name in names]

    assert dealt(one) == dealt(same)
    assert one.name == same.name
    assert dealt(one)[:2] != dealt(later)[:2]
    assert dealt(one)[2:] == dealt(later)[2:]
