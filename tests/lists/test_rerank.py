"""Lists a site can show: no doubles, nothing irrelevant, hardly ever empty."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from sites import Shown, basis_of, counted, finish, lists_in, log_of, random_articles, site_from

from recommender.articles.article import Article, title_key
from recommender.candidates import EMPTY, MIN_LINKS, Candidates, from_lists, hand_picked
from recommender.events.event import ORIGINS
from recommender.lists.concentration import Concentration
from recommender.lists.eligibility import Eligibility
from recommender.lists.rerank import (
    LEAST_FLOOR,
    MOST_IN_COMMON,
    RELEVANCE_FLOOR,
    SAME_TOPIC,
    Finished,
    Screen,
    filled,
    floor_of,
    listed_beside,
    passes_floor,
    same_title_or_text,
    together,
    with_newest,
    without_doubles,
)
from recommender.ranking.features import History
from recommender.ranking.handpicked import score_of
from recommender.store.counts import Log
from recommender.text.corpus import Corpus, Links

N = 40
WORDS = [f"word{number}" for number in range(14)]


def any_of(n: int) -> Eligibility:
    """Whatever there is may stand anywhere."""
    return Eligibility(np.full(n, EMPTY), np.zeros(n, dtype=bool))


def plain_site(bodies: list[str]) -> Corpus:
    return site_from(
        [Article(id=f"{at}", title=f"t{at}", body=body) for at, body in enumerate(bodies)]
    )


def ranked(*lists: list[int]) -> Candidates:
    """Lists in the order given, scored 1, 1/2, 1/3 and so on."""
    return from_lists(lists, [[1 / (at + 1) for at in range(len(row))] for row in lists])


def passing(
    site: Corpus, candidates: Candidates, known: History | None, floor: float
) -> np.ndarray:
    """``passes_floor`` of all the candidates."""
    return passes_floor(Links(site, *candidates.pairs()), candidates, known, floor)


def history(site: Corpus, log: Log) -> History:
    return counted(site, log)


def test_namesakes_and_copies_share_a_number():
    """Case and punctuation of titles aside; copies of namesakes too."""
    titles = ["Knee pain", "KNEE PAIN?", "Gout", "Gout and salt", "Salt"]
    cluster = np.array([0, 1, 2, 2, 4])

    assert same_title_or_text(titles, cluster).tolist() == [0, 0, 2, 2, 4]
    assert same_title_or_text(titles, np.array([0, 1, 0, 3, 4])).tolist() == [0, 0, 0, 3, 4]


@pytest.mark.parametrize("seed", range(8))
def test_doubles_are_left_out(seed: int):
    """The best of each group stays; nothing of the source's own group does. Slow and fast agree."""
    random = np.random.default_rng(seed)
    same = random.integers(0, 8, 20)
    lists = [random.permutation(20)[: random.integers(0, 9)].tolist() for _ in range(20)]

    found = without_doubles(ranked(*lists), same)

    expected = []
    for source, row in enumerate(lists):
        groups, kept = {same[source]}, []
        for item in row:
            if same[item] not in groups:
                groups.add(same[item])
                kept.append(item)
        expected.append(kept)
    assert lists_in(found) == expected


def test_of_two_under_one_title_the_newest_edition_stays():
    """At the better place and under its score, if it is in the list; else the best stays."""
    same = np.array([0, 1, 1, 1, 4])
    newest = np.array([0, 2, 2, 2, 4])
    lists = ranked([1, 4, 3, 2], [], [], [], [3, 0, 1])

    found = without_doubles(with_newest(lists, lists.used, newest, same), same)

    assert lists_in(found) == [[2, 4], [], [], [], [3, 0]]
    assert found.scores[0, :2].tolist() == [1, 1 / 2]


def test_the_newest_edition_is_as_relevant_as_the_one_it_stands_for():
    """It need not pass the floor by words of its own; where none passes, none does."""
    same, newest = np.array([0, 1, 1]), np.array([0, 2, 2])
    lists = ranked([2, 1], [], [])

    found = with_newest(lists, np.array([[False, True], *[[False] * 2] * 2]), newest, same)
    none = with_newest(lists, np.zeros((3, 2), dtype=bool), newest, same)

    assert lists_in(found) == [[2], [], []]
    assert lists_in(none) == [[], [], []]


BODIES = [" ".join(WORDS[at : at + 5]) for at in range(10)]


def test_below_the_floor_nothing_passes_on_text_alone():
    """What shares a stray word with an article does not stand beside it."""
    site = plain_site(BODIES)
    everything = ranked(*([item for item in range(10) if item != source] for source in range(10)))

    mask = passing(site, everything, None, RELEVANCE_FLOOR)

    sources, slots = np.nonzero(everything.used)
    cosines = site.cosine(sources, everything.items[sources, slots].astype(np.int64))
    assert np.array_equal(mask[sources, slots], cosines >= RELEVANCE_FLOOR)
    assert 0 < mask.sum() < mask.size


def test_of_one_topic_texts_belong_together_that_share_hardly_a_word():
    """A cosine of .03 is enough where topics are half alike, and not where they are less."""
    topics = np.array([[1, 0], [0.6, 0.8], [0.4, 0.917]])
    site = replace(plain_site(BODIES[:3]), latent=topics)
    alike = site.cosine(np.zeros(2, dtype=np.int64), np.array([1, 2]))
    floor = float(alike.max()) + 0.01
    assert (alike >= LEAST_FLOOR).all()

    mask = passing(site, ranked([1, 2], [], []), None, floor)

    assert mask[0].tolist() == [True, False]


def test_titles_that_name_one_subject_belong_together():
    """Whatever their texts have in common."""
    titles = [f"{form} {name}" for form in ("What causes", "Who gets") for name in "bcdefghjkl"]
    site = site_from([Article(title, title, f"word{at}") for at, title in enumerate(titles)])

    mask = passing(site, ranked([10, 11], *[[]] * 19), None, 0.99)

    assert mask[0].tolist() == [True, False]


def test_the_floor_is_what_few_of_any_two_articles_reach():
    """It follows the site, between its bounds."""
    apart = plain_site([f"a{n} b{n}" for n in range(40)])
    alike = plain_site([f"{' '.join(WORDS)} own{n}" for n in range(40)])
    between = plain_site([f"x{n} y{n} z{n} v{n} u{n} w{n} k{n % 4}" for n in range(40)])

    assert floor_of(apart, seed=0) == LEAST_FLOOR
    assert floor_of(alike, seed=0) == RELEVANCE_FLOOR
    assert LEAST_FLOOR < floor_of(between, seed=0) < RELEVANCE_FLOOR
    assert floor_of(between, seed=0) == pytest.approx(floor_of(between, seed=1), abs=0.02)


def test_the_floor_is_higher_where_all_texts_of_a_language_are_alike():
    """By what half of any two reach, where runs of letters make them so; not if they share none."""
    common = plain_site([f"{' '.join(WORDS)} own{n}" for n in range(40)])
    apart = plain_site([f"a{n} b{n}" for n in range(40)])
    pairs = np.triu_indices(40, k=1)
    half = float(np.median(common.cosine(*pairs)))

    assert floor_of(common, seed=0) == RELEVANCE_FLOOR
    assert half > 0
    raised = floor_of(common, seed=0, with_runs=True)
    assert RELEVANCE_FLOOR < raised <= RELEVANCE_FLOOR + min(half, MOST_IN_COMMON) + 1e-4
    assert floor_of(apart, seed=0, with_runs=True) == LEAST_FLOOR


def test_readers_make_a_link_relevant():
    """Three clicks above expectation, or three visits that read both, however unlike the texts."""
    site = plain_site([*BODIES, "quagga zebra", "okapi giraffe"])
    shown = [Shown(10, [0, 1, 2, 3], [40, 2, 1, 1]), Shown(11, [0, 1, 2, 3], [1, 1, 1, 1])]
    shown.append(Shown(10, [4, 5], [2, 0], views=9))
    readings = [(visit, article, 0) for visit in range(4) for article in (10, 7)]
    log = log_of(*shown, readings=readings)
    candidates = ranked(*[[]] * 10, [0, 1, 2, 4, 7, 8], [0])

    mask = passing(site, candidates, history(site, log), RELEVANCE_FLOOR)

    relevant = [int(item) for item in candidates.items[10][mask[10]]]
    assert relevant == [0, 7]
    assert not mask[11].any()


def fill(
    lists: Candidates,
    near: Candidates,
    picked: Candidates,
    *,
    eligible: Eligibility | None = None,
    **more: np.ndarray,
) -> Finished:
    n = len(lists.items)
    given = {"same": np.arange(n), "stub": np.zeros(n, dtype=bool), **more}
    lists = Candidates(
        np.pad(lists.items, ((0, 0), (0, 5)), constant_values=EMPTY),
        np.pad(lists.scores, ((0, 0), (0, 5)), constant_values=-np.inf),
    )
    site, none = site_from(random_articles(n, seed=1)), np.full(n, EMPTY)
    screen = Screen(
        site, None, eligible or any_of(n), given["stub"], given["same"], np.arange(n), none,
        next_first=False,
    )  # fmt: skip
    basis = basis_of(site, near, picked)
    return filled(lists, screen, basis, "model", Concentration(10, 5, n, 0, 0))


def origins(found: Finished, row: int) -> list[str]:
    return [
        ORIGINS[origin]
        for origin, item in zip(found.origins[row], found.lists.items[row], strict=True)
        if item != EMPTY
    ]


def test_short_lists_are_filled_up_to_three():
    """Nearest texts first, then the editors' links; the scores never rise."""
    lists = ranked([1], [0, 2, 3], [], [], [])
    near = ranked([2], [4], [1, 0, 3, 4], [], [])
    picked = ranked([3, 4], [4], [4], [0], [])

    found = fill(lists, near, picked)

    assert lists_in(found.lists) == [[1, 2, 3], [0, 2, 3], [1, 0, 3], [0], []]
    assert origins(found, 0) == ["model", "text", "hand-picked"]
    assert origins(found, 1) == ["model"] * 3
    assert origins(found, 3) == ["hand-picked"]
    assert found.n_relevant.tolist() == [1, 3, 0, 0, 0]
    for row in range(5):
        used = found.lists.scores[row][found.lists.used[row]]
        assert np.isfinite(used).all()
        assert (np.diff(used) <= 0).all()


def test_filling_up_adds_no_double_and_no_stub():
    """Copies of the source or of what stands there, and titles without a page, stay out."""
    same = np.array([0, 0, 2, 2, 4, 5])
    stub = np.array([False] * 5 + [True])

    found = fill(
        ranked([2], [], [], [], [], []),
        ranked([1, 3, 5, 4], [0], [], [], [], [1, 2]),
        ranked([], [], [], [], [], []),
        same=same,
        stub=stub,
    )

    assert lists_in(found.lists) == [[2, 4], [], [], [], [], []]


def test_filling_up_adds_nothing_that_may_not_stand_there():
    """Another language and what is barred stay out, however near; a barred page has a list."""
    eligible = Eligibility(
        language=np.array([0, 0, 1, EMPTY, 0]), barred=np.array([False, True, False, False, False])
    )

    found = fill(
        ranked([], [], [], [], []),
        ranked([1, 2, 3, 4], [0, 2], [0, 1], [2, 1], []),
        ranked([], [], [4], [], [2, 0]),
        eligible=eligible,
    )

    assert lists_in(found.lists) == [[3, 4], [0], [], [2], [0]]


@pytest.mark.parametrize("sure", [np.inf, 0.0])
def test_what_may_not_stand_there_is_in_no_finished_list(sure: float):
    """Neither by its text, nor by a score that is sure, nor by filling up."""
    random = np.random.default_rng(1)
    site = plain_site([BODIES[at % 10] for at in range(N)])
    eligible = Eligibility(random.integers(EMPTY, 2, N), random.random(N) < 0.3)
    everything = ranked(*([item for item in range(N) if item != source] for source in range(N)))

    found = finish(
        site, everything, None, near=everything, picked=everything, cluster=np.arange(N),
        titles=[f"t{at}" for at in range(N)], stub=np.zeros(N, dtype=bool), eligible=eligible,
        following=np.full(N, EMPTY), next_first=True, origin="text", sure=sure,
    )  # fmt: skip

    sources, slots = np.nonzero(found.lists.used)
    items = found.lists.items[sources, slots]
    assert not eligible.barred[items].any()
    languages = np.column_stack([eligible.language[sources], eligible.language[items]])
    assert ((languages[:, 0] == languages[:, 1]) | (languages == EMPTY).any(axis=1)).all()
    assert found.lists.used.any(axis=1).all()


@pytest.mark.parametrize("seed", range(4))
def test_finished_lists_keep_their_promises(seed: int):
    """On random sites: no self, no doubles, no stub at either end, scores finite, origins true."""
    articles = random_articles(60, seed=seed)
    site = site_from(articles)
    random = np.random.default_rng(seed)
    n = len(articles)
    cluster = np.where(random.random(n) < 0.1, 0, np.arange(n))
    stub = np.array([article.stub for article in articles])
    titles = [article.title for article in articles]
    near = Candidates(site.near, np.where(site.near != EMPTY, site.near_cosine, -np.inf))
    picked = hand_picked([random.integers(0, n, 5).tolist() for _ in range(n)], n_articles=n)

    found = finish(
        site, near, history(site, log_of()), near=near, picked=picked, cluster=cluster,
        titles=titles, stub=stub, eligible=any_of(n), following=np.full(n, EMPTY),
        next_first=True, origin="text",
    )  # fmt: skip

    same = same_title_or_text(titles, cluster)
    for row, listed in enumerate(lists_in(found.lists)):
        assert not (stub[row] and listed)
        assert not stub[listed].any()
        groups = [same[row], *same[listed]]
        assert len(set(groups)) == len(groups)
        assert len({title_key(titles[at]) for at in [row, *listed]}) == len(listed) + 1
        assert np.isfinite(found.lists.scores[row][: len(listed)]).all()
        relevant = listed[: found.n_relevant[row]]
        pairs = np.full(len(relevant), row), np.array(relevant, dtype=np.int64)
        cosines, topic = site.cosine(*pairs), site.topic(*pairs) >= SAME_TOPIC
        assert ((cosines >= RELEVANCE_FLOOR) | topic & (cosines >= LEAST_FLOOR)).all()
        assert len(listed) <= max(MIN_LINKS, found.n_relevant[row])


def test_a_list_of_stubs_is_no_list():
    """A stub has neither a list nor a place in one while there are pages."""
    articles = [replace(article, stub=True) for article in random_articles(10, seed=0)]
    articles[:2] = [replace(article, stub=False) for article in articles[:2]]
    site = site_from(articles)
    near = Candidates(site.near, np.where(site.near != EMPTY, site.near_cosine, -np.inf))
    stub = np.array([article.stub for article in articles])

    found = finish(
        site, near, None, near=near, picked=hand_picked([[5, 6, 7, 1]] * 10, n_articles=10),
        cluster=np.arange(10), titles=[f"t{at}" for at in range(10)], stub=stub,
        eligible=any_of(10), following=np.full(10, EMPTY), next_first=True, origin="text",
    )  # fmt: skip

    assert [sorted(row) for row in lists_in(found.lists)] == [
        [1], [0] if site.cosine(np.array([1]), np.array([0]))[0] > 0 else [], *[[]] * 8,
    ]  # fmt: skip


def finished(
    following: int, *, next_first: bool = True, copy_of: int = 9, barred: int | None = None
) -> Finished:
    """Of ten articles on overlapping words, ranked by number, ``following`` being the part after
    the first, and 9 a copy of another.
    """
    n = 10
    everything = ranked(*([item for item in range(n) if item != source] for source in range(n)))
    cluster = np.append(np.arange(n - 1), copy_of)
    return finish(
        plain_site(BODIES), everything, None, near=everything, picked=ranked(*[[]] * n),
        cluster=cluster, titles=[f"t{at}" for at in range(n)], stub=np.zeros(n, dtype=bool),
        eligible=Eligibility(np.full(n, EMPTY), np.arange(n) == barred),
        following=np.array([following, *[EMPTY] * (n - 1)]), next_first=next_first, origin="model",
    )  # fmt: skip


def test_the_next_part_leads_its_list():
    """However little its text is like the page's; scores do not rise, and its title decided."""
    plain, found = finished(EMPTY), finished(9)

    n_relevant = int(plain.n_relevant[0])
    before, after = lists_in(plain.lists), lists_in(found.lists)
    assert 9 not in before[0]
    assert after[0][: n_relevant + 1] == [9, *before[0][:n_relevant]]
    assert after[1:] == before[1:]
    assert origins(found, 0)[: n_relevant + 1] == ["text"] + ["model"] * n_relevant
    used = found.lists.scores[0][found.lists.used[0]]
    assert np.isfinite(used).all()
    assert (np.diff(used) <= 0).all()


def test_where_clicks_decide_the_next_part_stands_where_they_put_it():
    """It is in the list all the same."""
    found = finished(9, next_first=False)

    relevant = lists_in(found.lists)[0][: found.n_relevant[0]]
    assert relevant[0] == 1
    assert relevant[-1] == 9
    assert origins(found, 0)[: len(relevant)] == ["model"] * len(relevant)


def test_a_next_part_that_may_not_stand_there_does_not():
    """What is barred, and what is the page over again."""
    assert 9 not in lists_in(finished(9, barred=9).lists)[0]
    assert 9 not in lists_in(finished(9, copy_of=0).lists)[0]


def test_of_parts_alike_the_next_one_stays():
    """Not the one whose score is better."""
    found = lists_in(finished(9, copy_of=1).lists)[0]

    assert found[0] == 9
    assert 1 not in found


def test_lists_made_block_by_block_are_those_made_at_once():
    """Whatever the blocks, and in whichever order they come back."""
    n, none = 60, np.full(60, EMPTY)
    site = site_from(random_articles(n, seed=3))
    near = Candidates(site.near, np.where(site.near != EMPTY, site.near_cosine, -np.inf))
    random = np.random.default_rng(3)
    picked = hand_picked([random.integers(0, n, 5).tolist() for _ in range(n)], n_articles=n)
    basis = basis_of(site, near, picked)
    screen = Screen(
        site, None, any_of(n), random.random(n) < 0.1, random.integers(0, 50, n), np.arange(n),
        none, next_first=True,
    )  # fmt: skip

    def made(*blocks: np.ndarray) -> Candidates:
        score = partial(score_of, None)
        return together([listed_beside(basis, screen, score, rows) for rows in blocks], n)

    whole = made(np.arange(n))
    parts = made(*np.array_split(random.permutation(n), 7))

    assert whole.used.any(axis=1).sum() > n / 2
    assert np.array_equal(parts.items, whole.items)
    assert np.array_equal(parts.scores, whole.scores)
