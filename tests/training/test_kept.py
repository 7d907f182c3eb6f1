"""A training that builds on the last one does over what changed, with the result of a full one."""

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from sites import NOW

from recommender.articles.article import Article
from recommender.articles.batch import Batch
from recommender.bundle.bundle import Bundle
from recommender.candidates import EMPTY
from recommender.lists.eligibility import OFF, ON
from recommender.progress import Silent
from recommender.store.database import Store
from recommender.text.corpus import TOPICS
from recommender.text.listing_pages import Judged, Words
from recommender.text.tfidf import count_block, fit
from recommender.training import pipeline
from recommender.training.kept import changes_since, drift, gathered
from recommender.training.pipeline import Options, build
from recommender.training.shelf import Shelf
from recommender.training.work import Work

N = 1_200
SUBJECTS = [
    f"{kind}{number}" for kind in ("knee", "heart", "sleep", "bread") for number in range(60)
]
WORDS = [f"word{number:03}" for number in range(400)]


def articles(n: int = N, *, seed: int = 0) -> list[Article]:
    """Texts of common words and of two subjects each."""
    draw = np.random.default_rng(seed)
    common = 1 / np.arange(1, len(WORDS) + 1)
    found = []
    for number in range(n):
        about = draw.choice(SUBJECTS, 2, replace=False)
        words = draw.choice(WORDS, 50, p=common / common.sum())
        body = " ".join([*words, *(str(each) for each in about for _ in range(3))]) + "."
        title = f"About {about[0]} and {about[1]} {number % 7}"
        found.append(Article(f"a{number:05}", title, body, language="en"))
    return found


class Stages(Silent):
    """How many steps each stage said it had."""

    def __init__(self) -> None:
        self.steps: dict[str, int | None] = {}

    def stage(self, name: str, total: int | None = None) -> None:
        self.steps.setdefault(name, total)


def changed(before: list[Article], at: list[int], *, gone: list[int], new: int) -> list[Article]:
    """The articles with other texts, without some, and with some more."""
    others = articles(len(before) + new, seed=9)
    found = [
        replace(each, body=others[row].body, title=others[row].title) if row in at else each
        for row, each in enumerate(before)
        if row not in gone
    ]
    return [*found, *(replace(each, id=f"b{row}") for row, each in enumerate(others[-new:]))]


@pytest.mark.slow
def test_what_changed_is_done_over_and_no_more(tmp_path: Path):
    """Three generations; neighbours are those of a full build with the idf of the first, and lists
    those of one that stands where they do among its topics, nearly.
    """
    work = Work(Shelf(str(tmp_path / "work")), 1)
    state = articles()
    with Store(f"sqlite:///{tmp_path / 'site.db'}") as store:
        store.apply(Batch({each.id: each for each in state}), full=True)
        build(store, tmp_path / "models", now=NOW, options=Options(jobs=1), work=work)
        for day in (1, 2):
            state = changed(state, [5 * day, 77, 400], gone=[3, 900 + day], new=2)
            store.apply(Batch({each.id: each for each in state}), full=True)
            kept = work.kept()

            now = NOW + timedelta(days=day)
            found = build(store, tmp_path / "models", now=now, options=Options(jobs=1), work=work)

            wanted = replace_kept(work, kept, store, tmp_path / f"full {day}", now)
            assert (found.site.near == wanted.site.near).all(axis=1).mean() > 0.99
            assert in_common(found.lists.items, wanted.lists.items) > 0.99
            assert work.kept().n_changed > kept.n_changed


def replace_kept(work: Work, kept: object, store: Store, models: Path, now: object) -> Bundle:
    """A full build with the idf, the boilerplate and the forms that were kept, and the topics that
    are."""
    with pytest.MonkeyPatch.context() as patch:
        known = kept.known_idf  # type: ignore[attr-defined]
        topics, forms = TOPICS.unpacked(work.kept().standing.topics), kept.standing.forms  # type: ignore[attr-defined]
        made = pipeline.corpus_of
        patch.setattr(
            pipeline, "corpus_of", lambda *of, **more: made(*of, **{**more, "topics": topics})
        )
        patch.setattr(
            pipeline.tfidf, "fit",
            lambda *args, **options: fit(*args, **{**options, "known_idf": known, "forms": forms}),
        )  # fmt: skip
        return build(store, models, now=now, options=Options(jobs=1))  # type: ignore[arg-type]


def in_common(items: np.ndarray, wanted: np.ndarray) -> float:
    """The share of the first ten links wanted that are there."""
    there = (wanted[:, :10, None] == items[:, None, :10]).any(axis=2)
    return float(there[wanted[:, :10] != EMPTY].mean())


@pytest.mark.slow
def test_lists_of_which_nothing_changed_are_not_made_again(tmp_path: Path):
    """Edited, new and deleted pages, other categories: to the number, lists and scores are those
    of the same training that makes every list.
    """
    work, state = Work(Shelf(str(tmp_path / "work")), 1), articles(400)
    for at in range(0, 400, 9):
        state[at] = replace(state[at], category="joints", tags=("pain",))
    with Store(f"sqlite:///{tmp_path / 'site.db'}") as store:
        store.apply(Batch({each.id: each for each in state}), full=True)
        build(store, tmp_path / "models", now=NOW, options=Options(jobs=1), work=work)
        state = changed(state, [5], gone=[33], new=1)
        state[50] = replace(state[50], category="bones", tags=("pain", "sleep"))
        store.apply(Batch({each.id: each for each in state}), full=True)
        shutil.copytree(tmp_path / "work", tmp_path / "other")
        other = Work(Shelf(str(tmp_path / "other")), 1)
        other.shelf.remove(n for n in other.shelf.names() if n.endswith(pipeline.LISTS))  # type: ignore[union-attr]
        made: list[int] = []
        beside = pipeline.listed_beside

        def noted(*args):  # type: ignore[no-untyped-def]
            made.append(len(args[-1]))
            return beside(*args)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pipeline, "listed_beside", noted)
            again, whole = (
                build(store, tmp_path / name, now=NOW, options=Options(jobs=1), work=each)
                for name, each in (("again", work), ("whole", other))
            )

    assert sum(made[:-1]) < 320
    assert made[-1] == len(state)
    assert np.array_equal(again.lists.items, whole.lists.items)
    assert np.array_equal(again.lists.scores, whole.lists.scores)


def test_only_what_changed_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """And after a twentieth, or with other code, all is."""
    work = Work(Shelf(str(tmp_path / "work")), 1)
    state = articles()
    counted: list[int] = []
    count = pipeline.count_block

    def noted(boilerplate, with_runs, titles, bodies):  # type: ignore[no-untyped-def]
        counted.append(len(titles))
        return count(boilerplate, with_runs, titles, bodies)

    monkeypatch.setattr(pipeline, "count_block", noted)
    with Store(f"sqlite:///{tmp_path / 'site.db'}") as store:

        def train() -> int:
            counted.clear()
            store.apply(Batch({each.id: each for each in state}), full=True)
            build(store, tmp_path / "models", now=NOW, options=Options(jobs=1), work=work)
            return sum(counted)

        assert train() == N
        assert train() == 0
        state = changed(state, [1, 2, 3], gone=[], new=1)
        assert train() == 4
        state = changed(state, list(range(0, 600, 10)), gone=[], new=1)
        assert train() == N + 1
        assert train() == 0
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("recommender.training.work.code_digest", lambda: "other")
            assert work.kept() is None
            assert train() == N + 1
        work.forget()
        assert train() == N + 1


def test_only_pages_that_changed_are_judged_as_listings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """By the bundle that a full training makes; all pages are once a twentieth changed, once idf is
    off, and by other rules.
    """
    work, state = Work(Shelf(str(tmp_path / "work")), 1), articles(150)
    n_judged = 0
    judge = pipeline.judge

    def noted(text: Words) -> Judged:
        nonlocal n_judged
        n_judged += 1
        return judge(text)

    monkeypatch.setattr(pipeline, "judge", noted)
    with Store(f"sqlite:///{tmp_path / 'site.db'}") as store:

        def train(listings: str = OFF) -> tuple[int, Bundle]:
            nonlocal n_judged
            n_judged = 0
            store.apply(Batch({each.id: each for each in state}), full=True)
            rules = Options(jobs=1, listings=listings)
            made = build(store, tmp_path / "models", now=NOW, options=rules, work=work)
            return n_judged, made

        def barred(made: Bundle) -> list[str]:
            return [made.lists.id_of(int(row)) for row in np.flatnonzero(made.lists.barred)]

        assert train()[0] == 1
        listed = "\n".join(f"{each.title}\n{each.body[:100]}" for each in state[10:20])
        state[7] = replace(state[7], body=listed)
        del state[30]
        n, made = train()
        whole = build(store, tmp_path / "full", now=NOW, options=Options(jobs=1))
        assert n == 0
        assert barred(made) == barred(whole) == ["a00007"]
        assert made.about.listings == whole.about.listings
        assert barred(train()[1]) == ["a00007"]
        state[7] = articles(150)[7]
        assert barred(train()[1]) == []
        with monkeypatch.context() as patch:
            patch.setattr(pipeline, "MAX_DRIFT", -1.0)
            assert train()[0] == 1
        state = changed(state, list(range(0, 40, 4)), gone=[], new=1)
        assert train()[0] == 1
        assert train(ON)[0] == 0
        assert train()[0] == 1


def test_on_a_site_in_english_only_other_changed_pages_are_asked_for_their_language(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """What reads as English is; once other languages are known, all that changed are asked."""
    german = (
        "Der Apfel wird im Herbst geerntet und hält sich im kühlen Keller bis in das Frühjahr. "
    )
    english = "This is how the apple was stored in the cellar, and what it needs from you there. "
    asked: list[int] = []
    detect = pipeline.detect_block

    def noted(among: list[str], texts: list[tuple[str, str]]) -> list[str | None]:
        asked.append(len(texts))
        return detect(among, texts)

    monkeypatch.setattr(pipeline, "detect_block", noted)
    work = Work(Shelf(str(tmp_path / "work")), 1)
    state = [
        replace(each, body=f"{english * 4}{each.body}", language=None) for each in articles(200)
    ]

    with Store(f"sqlite:///{tmp_path / 'site.db'}") as store:

        def train() -> tuple[int, list[str | None]]:
            store.apply(Batch({each.id: each for each in state}), full=True)
            before, now = work.kept(), store.articles()
            changes = changes_since(before, now)
            asked.clear()
            found = pipeline.read_languages(now, work, before, changes, progress=Silent())
            n_asked = sum(asked)
            assert found == pipeline.read_languages(now, work, progress=Silent())
            return n_asked, found[0]

        def kept() -> None:
            store.apply(Batch({each.id: each for each in state}), full=True)
            build(store, tmp_path / "models", now=NOW, options=Options(jobs=1), work=work)

        kept()
        state[5] = replace(state[5], body=f"Revised. {state[5].body}")
        state.append(replace(state[6], id="a99999"))
        assert train()[0] == 0
        state[7] = replace(state[7], body=german * 5)
        assert train() == (1, ["en"] * 7 + ["de"] + ["en"] * 193)
        for at in range(8, 40):
            state[at] = replace(state[at], body=f"{german * 5}{at}")
        kept()
        state[5] = replace(state[5], body=f"Revised again. {state[5].body}")
        assert train()[0] == 1


@pytest.mark.parametrize("in_the_way", [False, True])
def test_where_nothing_may_be_kept_is_known_before(tmp_path: Path, in_the_way: bool):
    """A folder that can be made, in folders that can; not below a file."""
    if in_the_way:
        (tmp_path / "models").write_text("a file")

    shelf = Shelf(str(tmp_path / "models" / "deep" / "work"))

    assert shelf.may_be_written is not in_the_way


def test_counts_are_gathered_by_row():
    """The same terms, in the order asked for; what no row has is no term."""
    parts = [
        count_block(["Knee pain"], ["The knee hurts."], set()),
        count_block(["Bread", "Salt"], ["Bread needs salt.", "Salt keeps bread."], set()),
    ]

    [found] = gathered(parts, np.array([2, 0]))

    wanted = count_block(["Salt", "Knee pain"], ["Salt keeps bread.", "The knee hurts."], set())
    assert found.terms == wanted.terms
    for name in ("lengths", "ids", "tf", "in_title"):
        assert np.array_equal(getattr(found, name), getattr(wanted, name)), name


def test_drift_is_how_far_idf_is_off():
    """Nothing for the idf of these very texts, more the more of them are other ones."""
    first = [count_block([each.title], [each.body], set()) for each in articles(40)]
    titles = [each.title for each in articles(40)]
    text = fit(first, titles, np.zeros(0, dtype=np.uint64))
    known = dict(zip(text.vocabulary, text.idf.tolist(), strict=True))
    other = [count_block([each.title], [each.body], set()) for each in articles(40, seed=3)]

    assert drift(first, known) < 1e-6
    assert 0 < drift([*first[:30], *other[:10]], known) < drift(other, known)


def test_changes_are_found_by_what_articles_say():
    """By id, text and title; other fields are read anew anyway. What was edited counts once."""
    before = articles(5)
    kept = type("Before", (), {})()
    first = changes_since(None, before)
    kept.ids, kept.prints = first.ids, first.prints
    now = [before[0], replace(before[2], category="joints"), replace(before[3], title="Other")]

    found = changes_since(kept, now)

    assert found.place.tolist() == [0, EMPTY, 1, EMPTY, EMPTY]
    assert found.same.tolist() == [True, True, False]
    assert found.n == 3
