"""A bundle in Python: lists, the score of any pair, and why a link is there."""

import subprocess
import sys
import zlib
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from sites import NOW, built, click, view

from recommender.articles.article import Article
from recommender.bundle.bundle import CARD, Bundle, load_bundle
from recommender.bundle.grounds import Evidence
from recommender.errors import BundleError
from recommender.lists import rules_file

SHOWN = "pain-after-miscarriage"


def real_ids(bundle: Bundle) -> list[str]:
    lists = bundle.lists
    return [lists.ids.column[row] for row in range(len(lists.stub)) if not lists.stub[row]]


def stub_ids(bundle: Bundle) -> list[str]:
    lists = bundle.lists
    return [lists.ids.column[row] for row in range(len(lists.stub)) if lists.stub[row]]


@pytest.fixture(scope="module")
def by_text(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Three articles and no click: text decides."""
    bodies = {"knee": "knee joint stairs", "hip": "hip joint stairs", "sleep": "night dream bed"}
    articles = [Article(id=id, title=id, body=body) for id, body in bodies.items()]
    return built(tmp_path_factory.mktemp("text"), articles)


def test_a_list_is_its_links(learned: Bundle):
    """Ten or fewer, best first, as the web process gives them; excluded ids are not there."""
    links = learned.related(SHOWN)

    assert [link.position for link in links] == list(range(1, len(links) + 1))
    assert learned.related(SHOWN, k=3) == links[:3]
    assert links[0].id not in [link.id for link in learned.related(SHOWN, exclude=[links[0].id])]
    assert {link.origin for link in links} == {"model"}


@pytest.mark.parametrize("id", ["nowhere", "STUB"])
def test_an_unknown_article_has_no_list(learned: Bundle, id: str):
    """``KeyError`` names it; so with a stub, which has no page a list could stand on."""
    id = stub_ids(learned)[0] if id == "STUB" else id

    with pytest.raises(KeyError, match=id):
        learned.related(id)


@pytest.mark.slow
def test_every_pair_has_a_score(learned: Bundle):
    """Shown or not, cold, with itself, with a stub; finite, and comparable within a source."""
    others = real_ids(learned) + stub_ids(learned)

    for id in (SHOWN, others[0], others[1]):
        found = learned.score(id, others)
        assert found.shape == (len(others),)
        assert np.isfinite(found).all()
        assert len(np.unique(found)) > len(others) / 2


def test_an_unknown_candidate_is_named(learned: Bundle):
    """Whatever stands around it."""
    with pytest.raises(KeyError, match="nowhere"):
        learned.score(SHOWN, [real_ids(learned)[0], "nowhere"])
    with pytest.raises(KeyError, match="nowhere"):
        learned.score("nowhere", [])


def test_a_batch_scores_as_each_pair_alone(learned: Bundle):
    """In any order; twice the same candidate is twice the same score."""
    candidates = [*real_ids(learned)[:40], *stub_ids(learned)[:2], real_ids(learned)[0]]

    batch = learned.score(SHOWN, candidates)

    alone = [learned.score(SHOWN, [id])[0] for id in candidates]
    np.testing.assert_allclose(batch, alone, atol=1e-9)
    np.testing.assert_allclose(batch[::-1], learned.score(SHOWN, candidates[::-1]), atol=1e-9)
    assert learned.score(SHOWN, []).shape == (0,)


def test_many_slates_score_as_each_alone(learned: Bundle, monkeypatch: pytest.MonkeyPatch):
    """The same source several times, not in a row, the same candidate twice, no candidates; also
    where the pairs are more than are scored at once.
    """
    ids = real_ids(learned)
    sources = [ids[3], SHOWN, ids[3], ids[0], SHOWN]
    lists = [ids[:10], ids[20:25], [ids[2], ids[2], *stub_ids(learned)[:1]], [], ids[24:18:-1]]
    alone = [learned.score(*slate) for slate in zip(sources, lists, strict=True)]

    for at_once in (500_000, 4):
        monkeypatch.setattr("recommender.ranking.features.BLOCK", at_once)
        found = learned.score_many(sources, lists)
        assert [scores.shape for scores in found] == [(10,), (5,), (3,), (0,), (6,)]
        for together, apart in zip(found, alone, strict=True):
            np.testing.assert_allclose(together, apart, rtol=0, atol=1e-9)
    assert learned.score_many([], []) == []


def test_of_many_slates_the_unknown_id_is_named(learned: Bundle, by_text: Bundle):
    """A source, a stub as one, a candidate; and every source has its list."""
    known = real_ids(learned)[0]

    for source, candidate in (("nowhere", known), (known, "nowhere")):
        with pytest.raises(KeyError, match="nowhere"):
            learned.score_many([known, source], [[known], [known, candidate]])
    with pytest.raises(KeyError, match=stub_ids(learned)[0]):
        learned.score_many(stub_ids(learned)[:1], [[known]])
    with pytest.raises(ValueError, match="1 are given for 2 sources"):
        learned.score_many([known, SHOWN], [[known]])
    (near, far), (back,) = by_text.score_many(["knee", "hip"], [["hip", "sleep"], ["knee"]])
    assert near == back > far == 0


def test_the_list_is_in_the_order_of_the_scores(learned: Bundle):
    """But for what is moved down because it is like what stands above it."""
    links = learned.related(SHOWN)
    found = learned.score(SHOWN, [link.id for link in links])

    np.testing.assert_allclose(found, [link.score for link in links], atol=1e-5)
    assert found[0] == found.max()


def test_readers_taste_is_learned(learned: Bundle):
    """The sample site's truth, which the model never saw: a wish beats sugar's calories."""
    from recommender.demo.readers import truth

    wish = truth()[SHOWN].next[0]
    better, worse = learned.score(SHOWN, [wish, "sugar-calories"])

    assert better > worse


def test_without_clicks_text_scores(by_text: Bundle):
    """Two on joints are nearer to each other than to sleep."""
    assert by_text.decided_by == "text"
    near, far = by_text.score("knee", ["hip", "sleep"])
    assert near > far == 0
    assert by_text.related_to_text("joint", "stairs")[0].origin == "text"


def test_a_bundle_is_arrays_and_text(learned: Bundle):
    """Nothing in it can run: no file is a pickle, and no array holds one."""
    files = list(learned.folder.iterdir())

    assert {path.suffix for path in files} == {".npy", ".z", ".json", ".md"}
    for path in files:
        if path.suffix == ".npy":
            np.load(path, allow_pickle=False)
        elif path.suffix == ".z":
            assert zlib.decompress(path.read_bytes()).startswith(b"\x93NUMPY")
        else:
            path.read_text(encoding="utf-8")


def test_a_bundle_scores_without_scikit_learn(learned: Bundle):
    """Another release of it reads yesterday's bundle, since none reads it at all."""
    ids = [SHOWN, *real_ids(learned)[:5]]
    program = (
        "import sys; sys.modules['sklearn'] = sys.modules['joblib'] = None\n"
        "from recommender.bundle.bundle import load_bundle\n"
        "print(*load_bundle(sys.argv[1]).score(sys.argv[2], sys.argv[3:]))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, learned.folder, *ids],
        check=True, capture_output=True, text=True,
    )  # fmt: skip

    assert [float(each) for each in done.stdout.split()] == learned.score(SHOWN, ids[1:]).tolist()


def test_a_small_call_starts_no_threads(learned: Bundle):
    """The loops that share out their rows among threads do not run for a page's candidates."""
    ids = [SHOWN, *real_ids(learned)[:65]]
    program = (
        "import sys, threading\n"
        "from recommender.bundle.bundle import load_bundle\n"
        "bundle, start = load_bundle(sys.argv[1]), threading.Thread.start\n"
        "def started(thread): print('started'); start(thread)\n"
        "threading.Thread.start = started\n"
        "bundle.score(sys.argv[2], sys.argv[3:])\n"
        "print('scored')"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, learned.folder, *ids], capture_output=True, text=True
    )

    assert done.stdout.split() == ["scored"], done.stderr


def test_features_have_names(learned: Bundle):
    """One array a feature; a click the log holds is seen in it."""
    link = learned.related(SHOWN)[0].id

    seen = learned.features(SHOWN, [link, "sugar-calories"])

    assert {values.shape for values in seen.values()} == {(2,)}
    assert seen["cosine"][0] > seen["cosine"][1]


def test_a_reason_is_given_for_every_link(learned: Bundle):
    """Text, clicks, the editors' list, or the editor's own words."""
    links = learned.related(SHOWN)
    assert all("alike" in learned.why(SHOWN, link.id) for link in links)
    assert learned.why(SHOWN, "nowhere") == "not in the list the bundle prepared"

    rules = "action,source,target,reason\npin,*,sugar-calories,the editor likes it"
    pinned = Bundle(learned.folder, rules=rules_file.parse(rules, where="e"), now=NOW)
    assert pinned.related(SHOWN)[0].id == "sugar-calories"


@pytest.mark.parametrize(
    ("figures", "text"),
    [
        ((0.5, 0, 0, 0, 0), "texts 50 % alike"),
        ((0.5, 1, 0.2, 0, 0), "followed once where 0.2 were to be expected"),
        ((0.5, 0, 3, 0, 0), "followed 0 times where 3.0 were to be expected"),
        ((0.5, 0, 0, 7, 1), "read with it in 7 visits; in the hand-picked list"),
        ((0.5, 0, 0, 0, 0, 1), "the next part of the series; texts 50 % alike"),
        ((0.5, 0, 0, 0, 0, 0, 0.5), "titles about the same subject; texts 50 % alike"),
        ((0.5, 0, 0, 0, 0, 0, 0.1, 0.8), "texts 50 % alike; of one topic"),
    ],
)
def test_a_reason_is_a_sentence(figures: tuple[float, ...], text: str):
    """What is not there is not said."""
    assert text in str(Evidence(*figures))


def test_the_live_bundle_is_loaded(sample: Path, learned: Bundle):
    """By the folder of bundles or by its own."""
    assert load_bundle(sample / "models").name == load_bundle(learned.folder).name == learned.name
    assert learned.name in repr(learned)
    with pytest.raises(BundleError, match="no bundle is live there yet"):
        load_bundle(sample / "nowhere")


def test_the_card_says_what_decided(learned: Bundle, by_text: Bundle):
    """And from how much."""
    assert (learned.folder / CARD).read_text(encoding="utf-8") == learned.card
    assert "**The learned ranker**" in learned.card
    assert f"{learned.about.n_clicks:,} clicks" in learned.card
    assert "What features add to the order of the log's last days" in learned.card
    assert "**Text alone**" in by_text.card
    assert datetime.fromisoformat(by_text.about.built) == NOW.replace(microsecond=0)


def test_rules_come_with_their_time(learned: Bundle):
    """Without it nobody knows which are in force, so none would be applied."""
    with pytest.raises(ValueError, match="give now"):
        Bundle(learned.folder, rules=rules_file.parse("action,source,target", where="e"))


@pytest.mark.slow
def test_the_card_says_how_far_readers_look_in_each_layout(tmp_path: Path, by_text: Bundle):
    """Readers of the list down the side seldom look at its second link, those of tiles at both;
    of the third layout nothing is known but what the site lets expect.
    """
    ids = [f"a{number:02}" for number in range(24)]
    random, events = np.random.default_rng(1), []
    for number in range(6_000):
        source, *shown = (ids[at] for at in random.permutation(24)[:3])
        layout = ("side", "tiles", "mail")[number % 100 // 49]
        events.append(view(f"v{number}", source, *shown, layout=layout))
        for id, chance in zip(shown, (0.4, 0.4 if layout == "tiles" else 0.15), strict=False):
            if random.random() < chance:
                events.append(click(f"v{number}", id))
    articles = [Article(id=id, title=id, body="knee joint stairs") for id in ids]

    bundle = built(tmp_path, articles, events)

    told = {curve.layout: curve for curve in bundle.about.examination.layouts}
    assert [told[name].identified for name in ("side", "tiles", "mail")] == [True, True, False]
    assert "| position | whole site | mail | side | tiles | |" in bundle.card
    second = next(line for line in bundle.card.splitlines() if line.startswith("| 2 |"))
    side, tiles = (float(cell.split()[0]) for cell in second.split("|")[4:6])
    assert side == pytest.approx(0.15 / 0.4, rel=0.25)
    assert tiles == pytest.approx(1, rel=0.25)
    assert "- Layout mail: mostly as on the whole site: only " in bundle.card
    assert bundle.about.examination.summary[1] in bundle.card.replace("Layout", "layout")
    assert "- Position is not corrected for: the log does not say" in by_text.card
