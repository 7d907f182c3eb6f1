"""A build from store to bundle: always the same, never half, never without lists."""

import gc
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sites import NOW, built, click, random_articles, random_events, stored, view

from recommender.articles.article import Article, stub_for
from recommender.articles.reader import read_articles
from recommender.bundle import registry
from recommender.bundle.bundle import Bundle
from recommender.errors import TrainingError
from recommender.events.event import Event
from recommender.lists.eligibility import Eligibility, Language, Languages
from recommender.progress import Silent
from recommender.store.database import Store
from recommender.text import tfidf
from recommender.text.neighbours import neighbours
from recommender.text.tfidf import Text
from recommender.training import pipeline
from recommender.training.pipeline import Options, build, read_languages
from recommender.training.shelf import Shelf
from recommender.training.work import Work

SIX = [
    Article(
        id="knee", title="Why does my knee click?",
        body="Gas bubbles click in the joint. Cartilage of the knee may be worn.",
    ),
    Article(
        id="knee-pain", title="Knee pain on the stairs",
        body="The joint behind the kneecap hurts. Cartilage of the knee may be worn.",
    ),
    Article(
        id="gout", title="What is gout?",
        body="Crystals hurt a joint, often the big toe, sometimes the knee.",
    ),
    Article(
        id="salt", title="How much salt is too much?",
        body="Salt raises blood pressure. Bread holds most of the salt we eat.",
    ),
    Article(
        id="pressure", title="What do blood pressure numbers mean?",
        body="Blood pressure has two numbers. Less salt lowers both numbers.",
    ),
    Article(
        id="bread", title="Which bread is good for you?",
        body="Wholegrain bread has fibre. Bread holds salt too.",
    ),
]  # fmt: skip


def ids(bundle: Bundle, id: str, k: int = 10) -> list[str]:
    return [link.id for link in bundle.related(id, k)]


def test_six_articles(tmp_path: Path):
    """Lists written by hand before the first run: joints beside joints, food and blood pressure
    beside each other, the nearest first.
    """
    bundle = built(tmp_path, SIX)

    assert bundle.decided_by == "text"
    assert ids(bundle, "knee", 2) == ["knee-pain", "gout"]
    assert ids(bundle, "knee-pain", 2) == ["knee", "gout"]
    assert set(ids(bundle, "gout", 2)) == {"knee", "knee-pain"}
    assert set(ids(bundle, "salt", 2)) == {"pressure", "bread"}
    assert ids(bundle, "pressure", 1) == ["salt"]
    assert ids(bundle, "bread", 1) == ["salt"]


def test_texts_are_let_go_before_they_are_weighed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What a million articles say takes as much memory as all that is made of it."""
    bodies, ours = {article.body for article in SIX}, {id(article) for article in SIX}
    held: list[int] = []
    fit = tfidf.fit

    def watched(*given: Any, **options: Any) -> Text:
        found = [each for each in gc.get_objects() if isinstance(each, Article)]
        held.append(sum(each.body in bodies and id(each) not in ours for each in found))
        return fit(*given, **options)

    monkeypatch.setattr(tfidf, "fit", watched)
    built(tmp_path, SIX)

    assert held == [0]


def test_languages_are_not_read_again_after_an_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Neither those of all articles nor those that were asked for once more."""
    asked: list[int] = []

    def detected(titles: list[str], bodies: list[str], among: list[str]) -> list[str | None]:
        asked.append(len(titles))
        return [None if "?" in title and not among else title[:2] for title in titles]

    monkeypatch.setattr(pipeline, "COUNT_BLOCK", 2)
    monkeypatch.setattr(pipeline, "detect_all", detected)
    articles = [
        Article(id=f"{n:02}", title=f"{('en', 'de')[n % 2]} {'?' * (n < 20)}") for n in range(60)
    ]
    work = Work(Shelf(str(tmp_path)), jobs=1)
    first = read_languages(articles, work, progress=Silent())
    assert sum(asked) == 60 + 20
    asked.clear()

    assert read_languages(articles, work, progress=Silent()) == first
    assert asked == []


@pytest.mark.slow
def test_clicks_change_the_order(tmp_path: Path):
    """A link followed again and again beside "knee" climbs over one that nobody follows."""
    events: list[Event] = []
    for number in range(900):
        name, day = f"v{number}", number / 60
        shown = ["knee-pain", "gout", "salt", "pressure", "bread"]
        random.Random(number).shuffle(shown)
        events.append(view(name, "knee", *shown, day=day))
        events.append(click(name, "gout" if number % 10 else "bread", day=day))

    bundle = built(tmp_path, SIX, events)

    assert bundle.decided_by == "model"
    assert ids(bundle, "knee", 1) == ["gout"]
    assert "followed 810 times" in bundle.why("knee", "gout")
    assert bundle.score("knee", ["gout"])[0] > bundle.score("knee", ["knee-pain"])[0]


def contents(bundle: Bundle) -> dict[str, bytes]:
    """Every file of a bundle that must be the same in every build."""
    return {path.name: path.read_bytes() for path in bundle.folder.iterdir()}


@pytest.mark.parametrize("with_events", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_same_input_makes_the_same_bundle(tmp_path: Path, with_events: bool):
    """Same articles, log, options and time, in two stores: the same bytes in every file."""
    articles = random_articles(60, seed=9)
    events = list(random_events(articles, seed=9)) if with_events else []

    first = built(tmp_path / "a", articles, events)
    second = built(tmp_path / "b", list(reversed(articles)), events)

    assert first.decided_by == ("model" if with_events else "text")
    one, other = contents(first), contents(second)
    assert one.keys() == other.keys()
    for name in one:
        assert one[name] == other[name], name


@pytest.mark.slow
def test_another_process_makes_the_same_bundle(tmp_path: Path):
    """Not even the order of sets and dicts leaks in: another hash seed, the same lists."""
    here = built(tmp_path / "here", read_sample())
    program = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n"
        "from sites import built; from training.test_pipeline import read_sample\n"
        "print(built(Path(sys.argv[1]), read_sample()).name)"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "there"), str(Path(__file__).parents[1])],
        check=True, capture_output=True, text=True, env={**os.environ, "PYTHONHASHSEED": "7"},
    )  # fmt: skip

    there = Bundle(tmp_path / "there" / "models" / done.stdout.strip())
    one, other = contents(here), contents(there)
    assert {name for name in one if one[name] != other[name]} <= {registry.MANIFEST}


def read_sample() -> list[Article]:
    return random_articles(40, seed=12)


@pytest.mark.slow
def test_until_bounds_the_log(tmp_path: Path):
    """A build until some moment is the build of a log that ended there."""
    articles = random_articles(30, seed=6)
    events = list(random_events(articles, seed=6, n=600))
    half = [event for event in events if event.ts < 5 * 86_400_000]

    bounded = built(tmp_path / "a", articles, events, options=Options(until=5 * 86_400_000))
    short = built(tmp_path / "b", articles, half)

    assert bounded.history.clicks.target_clicks.sum() > 20
    assert np.array_equal(bounded.history.clicks.target_clicks, short.history.clicks.target_clicks)
    assert bounded.about.n_views == short.about.n_views


@pytest.mark.parametrize(
    ("articles", "told"),
    [([], "0 articles in the store"), ([SIX[0]], "1 articles in the store"),
     ([stub_for("Knee"), stub_for("Gout")], "stubs alone")],
)  # fmt: skip
def test_a_site_too_small_is_refused(tmp_path: Path, articles: list[Article], told: str):
    """A list takes two articles, and a page to stand on; nothing is written."""
    with pytest.raises(TrainingError, match=told):
        built(tmp_path, articles)

    assert not (tmp_path / "models").exists()


def lengths(bundle: Bundle) -> dict[str, int]:
    n = len(bundle.lists.stub)
    column = bundle.lists.ids.column
    return {
        column[at]: len(ids(bundle, column[at])) for at in range(n) if not bundle.lists.stub[at]
    }


@pytest.mark.slow
@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_small_sites_have_lists(tmp_path: Path, n: int):
    """Two articles recommend each other, and so on, whatever they are about."""
    bundle = built(tmp_path, [SIX[at] for at in (0, 3, 5, 2, 1)][:n])

    assert min(lengths(bundle).values()) == min(3, n - 1)


def test_articles_without_a_text_have_lists(tmp_path: Path):
    """Titles alone, of words and of symbols, and bodies that are all the same statement."""
    titles = ["Knee pain", "Knee", "Gout", "???", "!", "流感疫苗"]
    bare = [Article(id=f"{at}", title=title) for at, title in enumerate(titles)]
    alike = [replace(article, body="Call your doctor.") for article in bare]

    for name, articles in (("bare", bare), ("alike", alike)):
        assert min(lengths(built(tmp_path / name, articles)).values()) >= 3


def test_a_page_among_stubs_has_a_list(tmp_path: Path):
    """One page with a list of eleven titles nobody has a page for: there is nothing else."""
    stubs = [stub_for(f"Unknown title {at}", teaser=f"teaser {at}...") for at in range(11)]
    page = replace(SIX[0], recommended=tuple(stub.id for stub in stubs))

    alone = built(tmp_path / "one", [page, *stubs])
    two = built(tmp_path / "two", [page, SIX[3], *stubs])

    assert lengths(alone) == {"knee": 3}
    assert ids(two, "knee")[0] == "salt"
    assert lengths(two) == {"knee": 3, "salt": 3}
    assert (alone.about.n_articles, alone.about.n_stubs) == (1, 11)


def test_a_bundle_that_is_not_activated_is_not_live(tmp_path: Path):
    """It is published, and the old one stays."""
    first = built(tmp_path, SIX)
    second = built(tmp_path, SIX[:4], options=Options(activate=False))

    assert registry.current(tmp_path / "models") == first.name
    assert registry.names(tmp_path / "models") == sorted([first.name, second.name])


def test_the_manifest_tells_where_a_bundle_comes_from(tmp_path: Path):
    """When, from what, who decided and why."""
    events = [view("v", "knee", "gout", day=1), click("v", "gout", day=1)]

    about = built(tmp_path, SIX, events).about

    assert about.built == "2026-11-22T10:15:00+00:00"
    assert about.data_window == ("1970-01-02T00:00:00+00:00",) * 2
    assert (about.n_articles, about.n_stubs, about.n_clicks) == (6, 0, 1)
    assert about.decided_by == "text"
    assert "there are 1 clicks on 1 days" in about.reason
    assert not about.examination.identified


class Watched:
    """Counts what a build reports."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int | None]] = []
        self.steps: list[int] = []

    def stage(self, name: str, total: int | None = None) -> None:
        self.stages.append((name, total))
        self.steps.append(0)

    def advance(self, steps: int = 1) -> None:
        self.steps[-1] += steps


@pytest.fixture(scope="module")
def watched_build(tmp_path_factory: pytest.TempPathFactory) -> tuple[Watched, Bundle]:
    """A build that learned from clicks, and what it reported on the way."""
    articles, watched = random_articles(40, seed=2), Watched()
    models = tmp_path_factory.mktemp("watched") / "models"
    with Store("sqlite://") as store:
        stored(store, articles, random_events(articles, seed=2))
        return watched, build(store, models, now=NOW, progress=watched)


def test_progress_is_reported_to_the_end(watched_build: tuple[Watched, Bundle]):
    """Every stage is named, and none takes more steps than it said."""
    watched, _ = watched_build

    assert [name for name, _ in watched.stages] == [
        "reading the store", "reading the languages", "looking for listing pages",
        "reading the texts", "comparing articles", "counting the log",
        "learning from clicks", "scoring candidates", "writing the bundle",
    ]  # fmt: skip
    for (name, total), steps in zip(watched.stages, watched.steps, strict=True):
        assert total is None or steps <= total, name


def visible(models: Path) -> Sequence[Path]:
    return [path for path in models.iterdir() if path.is_dir() and path.name[0] != "."]


@pytest.mark.slow
def test_a_build_that_is_killed_leaves_the_old_bundle_live(tmp_path: Path):
    """Ten builds killed at random moments: every folder with a plain name is a whole bundle, and
    the live one still answers; the next build goes through.
    """
    models, url = tmp_path / "models", f"sqlite:///{tmp_path / 'store.db'}"
    with Store(url) as store:
        stored(store, random_articles(90, seed=1))
        live = build(store, models, now=NOW)
    # One process loads what a build needs and forks a victim for every attempt.
    program = (
        "import os, sys; from datetime import UTC, datetime; from pathlib import Path\n"
        "from recommender.training.pipeline import build\n"
        "from recommender.store.database import Store\n"
        "import scipy.sparse, sklearn, recommender.text.kernels\n"
        "for attempt, _ in enumerate(sys.stdin):\n"
        "    victim = os.fork()\n"
        "    if victim:\n"
        "        print(victim, flush=True)\n"
        "        os.waitpid(victim, 0)\n"
        "        print('dead', flush=True)\n"
        "        continue\n"
        "    with Store(sys.argv[1]) as store:\n"
        "        for second in range(50):\n"
        "            now = datetime(2027, 1, 1, 0, attempt, second, 0, UTC)\n"
        "            build(store, Path(sys.argv[2]), now=now)\n"
    )
    before = live.name
    host = subprocess.Popen(
        [sys.executable, "-c", program, url, str(models)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
    )  # fmt: skip
    assert host.stdin is not None
    assert host.stdout is not None
    for attempt in range(10):
        host.stdin.write("go\n")
        victim = int(host.stdout.readline())
        while attempt == 0 and registry.current(models) == before:
            time.sleep(0.05)  # The first one publishes something, however slow the machine.
        time.sleep(random.Random(attempt).uniform(0.1, 2.0))
        os.kill(victim, signal.SIGKILL)
        assert host.stdout.readline() == "dead\n"

        for folder in visible(models):
            registry.verify(folder)
        name = registry.current(models)
        assert name is not None
        assert name >= before
        assert len(ids(Bundle(models / name), "a0000")) >= 3
        before = name
    host.communicate()

    with Store(url) as store:
        assert build(store, models, now=NOW).name in registry.names(models)


def test_a_build_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An error on the way removes what was written aside; the old bundle stays live."""
    live = built(tmp_path, SIX)
    monkeypatch.setattr(registry, "publish", _fail)

    with pytest.raises(OSError, match="disk full"):
        built(tmp_path, SIX[:5])

    assert {path.name for path in (tmp_path / "models").iterdir()} == {live.name, registry.CURRENT}


def _fail(*args: object) -> None:
    raise OSError("disk full")


def test_a_list_shows_the_scores_the_bundle_gives(watched_build: tuple[Watched, Bundle]):
    """Scoring a list's pairs anew, from the files of the bundle, gives the list's scores."""
    _, bundle = watched_build

    for id in ("a0000", "a0001"):
        links = [link for link in bundle.related(id) if link.origin == "model"]
        scores = bundle.score(id, [link.id for link in links])
        np.testing.assert_allclose(scores, [link.score for link in links], atol=1e-5)


def test_the_files_of_text_pages_can_be_built_from(tmp_path: Path):
    """One page on disk, whose eleven titles are known to nobody."""
    block = "\n\n".join(f"Unheard of number {at}?\n\nSome words on it {at}..." for at in range(11))
    (tmp_path / "knee.txt").write_text(
        f"Knee?\n\nKnee?\n\nIt clicks.\n\nRecommend\n\n{block}", encoding="utf-8"
    )
    with Store("sqlite://") as store:
        store.apply(read_articles([tmp_path / "knee.txt"]))
        bundle = build(store, tmp_path / "models", now=NOW)

    links = bundle.related("knee")
    assert len(links) == 3
    assert all(link.url is None for link in links)


TALES = {
    "hive": "Choose a place with morning sun and out of the wind, and stand the box on bricks.",
    "swarm": "It hangs in a tree for an hour or two, quiet as a cloud, and will not sting anybody.",
    "honey": "Frames are full when the cells are closed with wax; take two thirds and leave one.",
    "winter": "Feed sugar in August, shut out mice in November, and leave the box alone in frost.",
}
HOME = Article(
    "home", "Bees next door",
    body="\n\n".join(f"The {name} and the bees\n\n{body[:60]} ..." for name, body in TALES.items()),
)  # fmt: skip
BEES = [Article(name, f"The {name} and the bees", body=body) for name, body in TALES.items()]


def test_listing_pages_stand_beside_nothing(tmp_path: Path):
    """They have a list of their own, and the card and the manifest tell of them."""
    bundle = built(tmp_path, [HOME, *BEES])

    assert bundle.about.listings.examples == ("Bees next door",)
    assert "1 were found, such as" in bundle.card
    assert set(ids(bundle, "home", 4)) == set(TALES)
    assert not any("home" in ids(bundle, id, 50) for id in [*TALES, "home"])
    assert "home" not in [link.id for link in bundle.lists.related(None, k=50)]
    assert "home" not in [link.id for link in bundle.related_to_text("Bees", HOME.body)]


def test_listing_pages_may_be_recommended(tmp_path: Path):
    """If the site wants that."""
    bundle = built(tmp_path, [HOME, *BEES], options=Options(listings="on"))

    assert any("home" in ids(bundle, id) for id in TALES)
    assert str(bundle.about.listings) == "listing pages are recommended like others"


def test_where_nothing_else_remains_listing_pages_are_recommended(tmp_path: Path):
    """A list takes two: a site of one post and the page of its tag."""
    post = BEES[0]
    tag = Article("tag", "Boxes", body=f"{post.title}\n\n{post.body[:40]} ...")

    bundle = built(tmp_path, [post, tag])

    assert bundle.about.listings.n_found == 0
    assert ids(bundle, "hive") == ["tag"]


def test_the_next_part_of_a_series_comes_first(tmp_path: Path):
    """By titles and dates, without a click; the last part has the others."""
    parts = [
        replace(article, title=f"Bees, part {at}: {article.id}", published_at=f"2026-0{at}-01")
        for at, article in enumerate(BEES, 1)
    ]
    bundle = built(tmp_path, [*parts[::-1], *SIX])

    lists = {article.id: ids(bundle, article.id) for article in parts}

    assert [lists[id][0] for id in ("hive", "swarm", "honey")] == ["swarm", "honey", "winter"]
    assert bundle.why("hive", "swarm").startswith("the next part of the series; ")
    assert not bundle.why("winter", "hive").startswith("the next")
    assert bundle.related("hive")[0].origin == "text"


def test_neighbours_that_may_not_stand_in_a_list_make_room_for_others(
    monkeypatch: pytest.MonkeyPatch,
):
    """Each of two languages has eight pages on one medicine, which by its name are alike in both;
    one is barred. Six neighbours of its own language stand beside each page, where without another
    search there would be two or three.
    """
    monkeypatch.setattr(pipeline, "MAX_LOST", 0)
    random = np.random.default_rng(2)
    articles = [
        Article(f"{code}{at}", "Ibuprofen 400 mg", " ".join(["Ibuprofen 400 mg", *own]))
        for code, words in (("de", "der die das und oder"), ("en", "pill pain dose stop help"))
        for at in range(8)
        for own in [[*random.choice(words.split(), 2), f"{code}{at}"]]
    ]
    language = np.repeat([0, 1], 8)
    barred = np.arange(16) == 3
    known = Languages(known=(Language("de", 8), Language("en", 8)))
    text = pipeline.read_text(articles, Work(jobs=1), progress=Silent())
    items, likeness = neighbours(text, k=6)

    found = pipeline.nearest(text, Eligibility(language, barred, known), items, likeness, Silent())

    assert (language[items] != language[:, None]).any()
    assert found.used.all()
    assert (language[found.items] == language[:, None]).all()
    assert not (found.items == 3).any()
    assert (np.diff(found.scores, axis=1) <= 0).all()


def test_training_by_text_alone_does_without_scikit_learn(tmp_path: Path):
    """What learns trees takes more memory than the texts of a small site."""
    url = f"sqlite:///{tmp_path}/site.db"
    with Store(url) as store:
        stored(store, SIX)
    script = f"""
import sys
from datetime import UTC, datetime
from pathlib import Path
from recommender.store.database import Store
from recommender.training.pipeline import Options, build, read_languages
from recommender.training.shelf import Shelf
with Store({url!r}) as store:
    build(store, Path({str(tmp_path / "models")!r}), now=datetime(2026, 11, 29, tzinfo=UTC),
          options=Options(jobs=1))
print(*sys.modules)
"""

    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert not {"sklearn", "pandas"} & set(run.stdout.split())
