"""Stated chances are those with which links are followed, as far as the log can tell."""

from pathlib import Path

import numpy as np
import pytest
from sites import (
    BODIES,
    EVENLY,
    Shown,
    built,
    click,
    known_examination,
    log_of,
    random_articles,
    site_from,
    view,
)

from recommender.articles.article import Article
from recommender.bundle.bundle import Bundle
from recommender.demo import readers
from recommender.errors import CalibrationError
from recommender.evaluation.evaluate import judge
from recommender.events.event import Event
from recommender.ranking.calibration import (
    Calibration,
    Exposures,
    calibrate,
    levels_of,
    reliability,
    slope_of,
)
from recommender.ranking.ranker import Learned, learn
from recommender.store.counts import Log
from recommender.store.database import Store
from recommender.store.impressions import read
from recommender.text.corpus import Corpus

N = 40
SLOPE = 0.7
CURVE = np.array([1.0, 0.7, 0.5, 0.35, 0.25, 0.2])


def sigmoid(odds: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-odds))


@pytest.fixture(scope="module")
def site() -> Corpus:
    return site_from(random_articles(N, seed=2, n_topics=4))


@pytest.fixture(scope="module")
def level() -> np.ndarray:
    """Log odds of a link of score 0, by source: pages differ a lot."""
    return np.random.default_rng(5).normal(-2.5, 0.6, N)


@pytest.fixture(scope="module")
def score() -> np.ndarray:
    """``(N, N)``, around a mean of its own beside every source."""
    random = np.random.default_rng(6)
    return random.normal(0, 1, (N, N)) + random.normal(0, 1, (N, 1))


def log_by(level: np.ndarray, score: np.ndarray, *, seed: int = 0) -> Log:
    """Two slates a source, at every view of which each link that is looked at is followed with its
    own chance; all sources but the first ten are shown often.
    """
    random = np.random.default_rng(seed)
    slates = []
    for source in range(N):
        for day in range(2):
            items = random.choice(np.delete(np.arange(N), source), 6, replace=False)
            views = 5000 if source >= 10 else 20
            chance = CURVE * sigmoid(level[source] + SLOPE * score[source, items])
            clicks = random.binomial(views, chance)
            slates.append(Shown(source, items.tolist(), clicks.tolist(), views=views, day=day))
    return log_of(*slates)


@pytest.fixture(scope="module")
def text_alone(site: Corpus) -> Learned:
    """As of a site where no ranker came of learning."""
    return learn(site, log_of(), EVENLY, seed=0)


@pytest.fixture(scope="module")
def found(site: Corpus, level: np.ndarray, score: np.ndarray, text_alone: Learned) -> Calibration:
    log = log_by(level, score)
    told = calibrate(
        site, log, known_examination(CURVE.tolist()), text_alone,
        lambda sources, items: score[sources, items],
    )  # fmt: skip
    assert told.calibration is not None
    assert told.reason.startswith("fitted to all")
    return told.calibration


def test_chances_are_true_where_there_is_data(
    found: Calibration, level: np.ndarray, score: np.ndarray
):
    """Slope and levels are recovered; so are chances of pairs that were never shown."""
    sources, items = np.divmod(np.arange(10 * N, N * N), N)
    stated = found.chance(sources, score[sources, items])
    truth = sigmoid(level[sources] + SLOPE * score[sources, items])

    assert found.slope == pytest.approx(SLOPE, rel=0.03)
    assert np.abs(stated / truth - 1).mean() < 0.05


def test_sources_with_little_data_lean_on_the_site(found: Calibration, level: np.ndarray):
    """Their levels are nearer to the truth than each one's own count of clicks would be."""
    error = found.level - level

    assert np.abs(error[10:]).mean() < 0.06
    assert np.abs(error[:10]).mean() < 0.6
    assert np.ptp(found.level[:10]) < np.ptp(level[:10])


def test_a_source_without_views_is_like_the_site():
    """What it is given is the level that suits all others together."""
    looks = Exposures(
        np.array([0, 1]), np.array([1, 0]), np.array([1e4, 1e4]), np.array([200.0, 200.0])
    )

    stated = levels_of(looks, np.zeros(2), 1.0, 3)

    assert sigmoid(stated) == pytest.approx([0.02] * 3, rel=0.01)


def test_big_chances_are_not_understated():
    """A link followed nine times of ten is no rarer for being all but sure."""
    looks = Exposures(
        np.zeros(2, dtype=int), np.array([1, 2]), np.array([1e5, 1e5]), np.array([9e4, 5e4])
    )
    score = np.array([2.0, 2.0 - np.log(9)])  # log odds of .9 and .5 differ by log 9

    slope = slope_of(looks, score)
    stated = sigmoid(levels_of(looks, score, slope, 1) + slope * score)

    assert slope == pytest.approx(1, abs=0.01)
    assert stated == pytest.approx([0.9, 0.5], rel=0.01)


@pytest.mark.parametrize("seed", range(5))
def test_chances_increase_strictly_with_the_score(seed: int):
    """Whatever the log says, even that what scores more is followed less."""
    random = np.random.default_rng(seed)
    n = 60
    looks = Exposures(
        random.integers(0, 6, n), random.integers(0, 9, n), random.exponential(100, n),
        random.poisson(random.exponential(3, n)).astype(float),
    )  # fmt: skip
    score = -np.log1p(looks.clicks) + random.normal(0, 0.1, n)

    slope = slope_of(looks, score)
    held = Calibration(levels_of(looks, score, slope, 8), slope, np.ones((1, 51)), ())

    for source in range(8):
        scores = np.unique(random.normal(0, 4, 50))
        stated = held.chance(np.full(len(scores), source), scores)
        assert (np.diff(stated) > 0).all()
        assert ((stated > 0) & (stated < 1)).all()


def test_nothing_followed_nothing_stated(site: Corpus, text_alone: Learned):
    """No log, or views alone: a sentence instead of numbers."""
    for log in (log_of(), log_of(Shown(0, [1, 2], [0, 0]))):
        told = calibrate(site, log, EVENLY, text_alone, lambda s, i: np.zeros(len(i)))

        assert told.calibration is None
        assert told.about()["slope"] is None
        assert told.reason.startswith("no link that was shown was followed")


def test_examination_is_told_by_layout_and_position(found: Calibration):
    """Positions nobody saw are like the last one above."""
    assert found.examination()[1:8] == pytest.approx([*CURVE, CURVE[-1]])
    assert np.array_equal(found.examination("never seen"), found.examination())


def test_where_position_is_not_told_from_appeal_expected_clicks_are_right(
    site: Corpus, text_alone: Learned, level: np.ndarray, score: np.ndarray
):
    """The chances are of another kind then, but with the site's own examination they add up."""
    log = log_by(level, score)

    told = calibrate(site, log, EVENLY, text_alone, lambda s, i: score[s, i]).calibration

    assert told is not None
    shown, clicked = log.shown_and_clicked()
    examined = told.examination()[log.position]
    due = shown * examined * told.chance(log.link_source, score[log.link_source, log.item])
    assert examined.max() <= 1
    assert due.sum() == pytest.approx(clicked.sum(), rel=0.02)


@pytest.mark.parametrize(("factor", "right"), [(1.0, True), (2.0, False)])
def test_bins_cover_the_truth_and_nothing_else(factor: float, right: bool):
    """Of perfectly calibrated chances nearly all intervals do; of doubled ones hardly any."""
    random = np.random.default_rng(3)
    chance = random.beta(1, 20, 2000)
    looked = random.integers(1, 400, 2000).astype(float)
    clicks = random.binomial(looked.astype(int), chance).astype(float)

    held = reliability(factor * chance, looked, clicks)

    covered = (held.low <= held.stated) & (held.stated <= held.high)
    assert covered.sum() >= 9 if right else covered.sum() <= 1
    assert (held.error < 0.004) == right
    assert held.exposures.sum() == looked.sum()
    assert np.ptp(held.exposures) < 0.05 * held.exposures.mean()


SHOWN = ("hip", "ankle", "sleep", "nap")


def visits(n: int, clicked: float, *, seed: int, day: float = 0) -> list[Event]:
    """Views beside knee, hip being followed in a share of them and each of the others in a fifth of
    it; in turn from the top and from the bottom.
    """
    random = np.random.default_rng(seed)
    events: list[Event] = []
    for number in range(n):
        name = f"{seed}-{number}"
        events.append(view(name, "knee", *SHOWN[:: (-1) ** number], day=day, layout="box"))
        events += [
            click(name, id, day=day)
            for id in SHOWN
            if random.random() < (clicked if id == "hip" else clicked / 5)
        ]
    return events


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A small site, whose readers follow what is alike."""
    articles = [Article(id=id, title=id, body=body) for id, body in BODIES.items()]
    return built(tmp_path_factory.mktemp("calibrated"), articles, visits(1000, 0.3, seed=1))


def test_a_bundle_states_chances(bundle: Bundle):
    """As its readers are; in the order of its scores, also for what was never shown."""
    ids = [*SHOWN, "knee"]
    stated = bundle.chance("knee", ids)

    assert stated[0] == pytest.approx(0.3, rel=0.15)
    assert np.array_equal(np.argsort(stated), np.argsort(bundle.score("knee", ids)))
    assert bundle.chance("knee", []).tolist() == []
    with pytest.raises(KeyError, match="nowhere"):
        bundle.chance("nowhere", ["knee"])


def test_expected_clicks_are_the_examined_sum(bundle: Bundle):
    """Of the links that the list shows, each where it stands."""
    ids = [link.id for link in bundle.related("knee", 3)]
    examined = bundle.calibration.examination("box")[1:4]

    due = float((bundle.chance("knee", ids) * examined).sum())
    assert bundle.expected_clicks("knee", 3) == pytest.approx(due)
    assert bundle.expected_clicks("knee", 3, layout="box") == pytest.approx(due)
    assert bundle.expected_clicks("knee", 1) < due


def test_a_bundle_without_clicks_says_so(tmp_path: Path):
    """In an error, on its card, and in the report."""
    articles = [Article(id=id, title=id, body=body) for id, body in BODIES.items()]
    silent = built(tmp_path, articles)

    for ask in (lambda: silent.chance("knee", ["hip"]), lambda: silent.expected_clicks("knee")):
        with pytest.raises(CalibrationError, match="states no chances: no link that was shown"):
            ask()
    assert "None are stated. No link that was shown was followed" in silent.card
    with Store("sqlite://") as store:
        store.add_events(visits(50, 0.5, seed=3))
        report = judge(silent, read(store))
    assert report.reliability is None and report.calibration_error is None
    assert any("states no chances" in note for note in report.notes)


@pytest.mark.parametrize(("clicked", "right"), [(0.3, True), (0.6, False)])
def test_the_report_holds_chances_against_all_views(bundle: Bundle, clicked: float, right: bool):
    """Readers who follow twice as much are told from those the bundle knows."""
    with Store("sqlite://") as store:
        store.add_events(visits(600, clicked, seed=2))
        report = judge(bundle, read(store))

    table = report.reliability
    assert table is not None and report.calibration_error is not None
    assert list(table.columns) == ["stated", "followed", "low", "high", "exposures"]
    assert (report.calibration_error < 0.05) == right
    (said,) = (note for note in report.notes if note.startswith("Chances stated"))
    made = (table["followed"] * table["exposures"]).sum() / 600
    assert f"and {made:.3f} were made" in said
    assert report.plot_reliability().svg.count("<circle") == len(table)
    assert '"calibration_error": 0.' in report.to_json()


def test_lists_win_the_clicks_they_promise(learned: Bundle):
    """The sample's readers are simulated, so it is known what every link and list wins."""
    error = learned.about.calibration.error
    pages = [id for id in readers.truth() if learned.lists.row(id) is not None]
    promised, won, stated, truth = [], [], [], []
    for id in pages:
        ids = [link.id for link in learned.related(id)]
        promised.append(learned.expected_clicks(id))
        won.append(readers.expected_clicks(id, ids))
        stated += learned.chance(id, ids).tolist()
        truth += [readers.appeal(id, other) for other in ids]

    assert error is not None and error < 0.03
    assert "chances stated before were off by" in learned.card
    assert np.mean(promised) == pytest.approx(np.mean(won), rel=0.1)
    assert np.corrcoef(stated, truth)[0, 1] > 0.55


def test_a_slope_that_is_known_stays_and_levels_are_of_this_log(
    site: Corpus, level: np.ndarray, score: np.ndarray, text_alone: Learned
):
    """With it goes how it came about; the same log gives the same chances."""
    given = site, known_examination(CURVE.tolist()), text_alone, lambda s, i: score[s, i]
    log, other = log_by(level, score), log_by(level + 1, score, seed=3)
    site, *rest = given

    first = calibrate(site, log, *rest)
    again = calibrate(site, log, *rest, known=first.slope)
    later = calibrate(site, other, *rest, known=first.slope)

    assert first.calibration is not None
    assert again.calibration is not None
    assert later.calibration is not None
    assert np.array_equal(again.calibration.level, first.calibration.level)
    assert later.slope == first.slope
    assert (later.calibration.level - first.calibration.level).mean() > 0.5
