"""What is wrong with an argument is one sentence: which, what was given, what is expected."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import recommender
from recommender import arguments
from recommender.articles.batch import Batch
from recommender.articles.reader import add_record
from recommender.bundle.bundle import Bundle
from recommender.errors import ArgumentError, BundleError, EditorialError, InputError, StoreError
from recommender.evaluation import trec
from recommender.frames import curves, links, pictures
from recommender.frames.site import Site
from recommender.store.database import Store

RECORDS = [
    {"id": id, "title": title, "body": f"{title}. {body}"}
    for id, title, body in (
        ("knee", "Knee pain on stairs", "The joint of the knee hurts when you climb stairs."),
        ("hip", "Hip pain at night", "The joint of the hip hurts when you lie on it."),
        ("gout", "Gout in the big toe", "Crystals in the joint of the toe hurt at night."),
        ("rash", "A rash after the sun", "Skin that itches when the sun has been on it."),
    )
]
EVENTS = [
    {"type": "impression", "view_id": "v1", "ts": "2026-11-01T10:00:00Z", "source_id": "knee",
     "shown": ["hip", "gout"], "ordered": True},
    {"type": "click", "view_id": "v1", "ts": "2026-11-01T10:01:00Z", "clicked": "gout"},
]  # fmt: skip


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With one bundle, which is live."""
    folder = tmp_path_factory.mktemp("arguments") / "models"
    recommender.train(
        articles=pd.DataFrame(RECORDS), models=folder, now=datetime(2026, 11, 2, tzinfo=UTC)
    )
    return folder


@pytest.fixture(scope="module")
def bundle(models: Path) -> Bundle:
    return recommender.load(models)


@pytest.fixture(scope="module")
def site(models: Path) -> Site:
    """A connected one, in which there is nothing but articles."""
    file = models.parent / "site.db"
    with Store(f"sqlite:///{file}") as store:
        batch = Batch()
        for record in RECORDS:
            add_record(batch, record, "here")
        store.apply(batch)
    return recommender.connect(file)


@pytest.mark.parametrize(
    ("value", "limits", "sentence"),
    [
        (0, {}, "k: 0 is given; give a whole number of 1 or more"),
        (100, {"least": 0, "most": 99}, "k: 100 is given; give a whole number from 0 to 99"),
        ("10", {}, "k: '10' is given; give a whole number of 1 or more"),
        (2.0, {}, "k: 2.0 is given; give a whole number of 1 or more"),
        (True, {}, "k: True is given; give a whole number of 1 or more"),
        (np.True_, {}, "k: a bool is given; give a whole number of 1 or more"),
        (None, {"least": None}, "k: None is given; give a whole number"),
    ],
)
def test_a_whole_number_is_one_in_range(value: Any, limits: dict[str, int], sentence: str):
    """Of the wrong type it is a TypeError, out of range a ValueError; numpy's are as good."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)

    with pytest.raises(ValueError if is_whole else TypeError) as failed:
        arguments.whole("k", value, **limits)

    assert str(failed.value) == sentence
    assert arguments.whole("k", np.int32(3)) == 3


def test_a_name_nobody_knows_is_named_beside_those_like_it():
    """Of few names all are given, of many those most like it, if there are any."""
    many = {f"page-{number}" for number in range(100)} | {"knee-pain"}

    assert arguments.known("source", "knee-pain", many, what="article") == "knee-pain"
    with pytest.raises(ArgumentError, match=r"source: 'knee-pian': .* article; near it: knee-pain"):
        arguments.known("source", "knee-pian", many, what="article")
    with pytest.raises(ArgumentError, match=r"there is no such article$"):
        arguments.known("source", "zzz", many, what="article")
    with pytest.raises(ArgumentError, match=r"no such layout; there are 'bottom', 'side'$"):
        arguments.known("layout", "x", ["side", "bottom"], what="layout")


def test_several_texts_are_not_one(site: Site):
    """Nor something else that can be gone through; a set has no order."""
    for several in (["a", "b"], ("a", "b"), np.array(["a", "b"]), pd.Series(["a", "b"], [7, 9])):
        assert arguments.texts("ids", several) == ["a", "b"]
    for other in ("ab", b"ab", {"a": 1}, pd.DataFrame({"a": [1]}), 7, None, ["a", 7], {"a", "b"}):
        with pytest.raises(TypeError, match=r"^ids: .* give a list of ids$"):
            arguments.texts("ids", other)
    assert arguments.texts("ids", {"a"}, ordered=False) == ["a"]


def test_what_was_given_is_named_in_one_short_line():
    """Whatever it holds."""
    assert arguments.given("a\x1b[2Jb\nc") == "'a\\x1b[2Jb\\nc'"
    assert len(arguments.given("x" * 10_000)) == arguments.QUOTED
    assert arguments.given(pd.DataFrame()) == "a DataFrame"


BAD_CALLS: list[tuple[Callable[[Bundle], object], type[Exception], str]] = [
    (lambda b: b.related("knee", k=0), ValueError, "k: 0 is given"),
    (lambda b: b.related("knee", k="10"), TypeError, "k: '10' is given"),  # type: ignore[arg-type]
    (lambda b: b.related("knee", variant=100), ValueError, "variant: 100 is given"),
    (lambda b: b.related("knee", variant=-1), ValueError, "variant: -1 is given"),
    (lambda b: b.related("knee", exclude="hip"), TypeError, "exclude: 'hip' is given"),
    (lambda b: b.related(7), TypeError, "id: 7 is given"),  # type: ignore[arg-type]
    (lambda b: b.related("nose"), KeyError, "'nose'"),
    (lambda b: b.score("knee", "hip"), TypeError, "candidates: 'hip' is given"),
    (lambda b: b.score("knee", {"hip", "gout"}), TypeError, "a set is given"),  # type: ignore[arg-type]
    (lambda b: b.score("knee", ["nose"]), KeyError, "'nose'"),
    (lambda b: b.score("nose", ["hip"]), KeyError, "'nose'"),
    (lambda b: b.score_many(["knee"], [["hip"], ["gout"]]), ValueError, "2 are given for 1"),
    (lambda b: b.score_many(["knee"], ["hip"]), TypeError, r"lists\[0\]: 'hip' is given"),
    (lambda b: b.score_many("knee", [["hip"]]), TypeError, "sources: 'knee' is given"),
    (lambda b: b.features("knee", "hip"), TypeError, "candidates: 'hip' is given"),
    (lambda b: b.why("knee", 7), TypeError, "candidate: 7 is given"),  # type: ignore[arg-type]
    (lambda b: b.related_to_text(None), TypeError, "title: None is given"),  # type: ignore[arg-type]
    (lambda b: b.related_to_text("Knee", k=0), ValueError, "k: 0 is given"),
    (lambda b: b.beside("site.db"), TypeError, "store: 'site.db' is given"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("call", "error", "sentence"), BAD_CALLS)
def test_a_bundle_says_what_it_expects(
    bundle: Bundle, call: Callable[[Bundle], object], error: type[Exception], sentence: str
):
    """Before it does anything."""
    with pytest.raises(error, match=sentence):
        call(bundle)


def test_a_bundle_takes_numbers_and_lists_of_numpy_and_pandas(bundle: Bundle):
    """As a notebook has them."""
    ids = [link.id for link in bundle.related("knee", np.int64(2), variant=np.int32(7))]

    assert len(ids) == 2
    assert (bundle.score("knee", np.array(ids)) == bundle.score("knee", ids)).all()
    assert (bundle.score("knee", pd.Series(ids)) == bundle.score("knee", ids)).all()


def test_a_path_of_models_stands_for_its_bundle(models: Path, bundle: Bundle):
    """Wherever a bundle is asked for; what is none is named."""
    log = pd.DataFrame(EVENTS)

    for given in (models, str(models), bundle.folder, bundle):
        assert recommender.evaluate(given, log).n_views == 1  # type: ignore[arg-type]
        assert recommender.compare(given, bundle).summary()  # type: ignore[arg-type]
    with pytest.raises(BundleError, match=r"bundle: '.*: there is no such folder"):
        recommender.evaluate(models / "nowhere", log)  # type: ignore[arg-type]
    with pytest.raises(BundleError, match="a file; bundles are folders"):
        recommender.load(models / "CURRENT")
    for call in (recommender.evaluate, recommender.off_policy):
        with pytest.raises(TypeError, match="7 is given; give a bundle"):
            call(7, log)  # type: ignore[operator]


def test_a_word_mistyped_is_not_taken_for_a_place_to_train_in(bundle: Bundle, site: Site):
    """There is no such folder, and where lists are taken the word that was meant is named."""
    for call in (
        lambda: recommender.compare("hand-piked", bundle, site),
        lambda: recommender.off_policy("hand-piked", site),
        lambda: recommender.run_of("hand-piked", site=site),
        lambda: recommender.judging(site, [bundle, "hand-piked"], by="ann"),
    ):
        with pytest.raises(ArgumentError, match=r"no such folder or file; .*'hand-picked'"):
            call()
    with pytest.raises(BundleError, match="bundle: 'hand-picked': there is no such folder; give"):
        recommender.audit("hand-picked", site)  # type: ignore[arg-type]
    with pytest.raises(BundleError, match="nope: there is no such folder"):
        recommender.load("nope")


def test_a_bundle_is_opened_by_its_own_folder(models: Path, bundle: Bundle):
    """As text or as a path; of the folder that holds it, what opens the live one is named."""
    assert recommender.Bundle(str(bundle.folder)).name == bundle.name
    with pytest.raises(BundleError, match=r"it holds bundles; recommender.load opens the live"):
        recommender.Bundle(str(models))
    with pytest.raises(TypeError, match="folder: None is given; give a path"):
        recommender.Bundle(None)  # type: ignore[arg-type]


WRONG_KINDS: list[tuple[Callable[[Bundle, Site], object], str]] = [
    (lambda b, s: recommender.to_arrow(5), "frame: 5 is given; give a DataFrame"),  # type: ignore[arg-type]
    (lambda b, s: recommender.to_arrow([pd.DataFrame()]), "frame: a list is given"),  # type: ignore[arg-type]
    (lambda b, s: recommender.judging(s, b, by="ann", overlap="x"), "overlap: 'x' is given"),  # type: ignore[arg-type]
    (lambda b, s: recommender.judging(s, b, by="ann", overlap=True), "overlap: True is given"),
    (lambda b, s: recommender.judging(s, b, by=3), "by: 3 is given; give the judge's name"),  # type: ignore[arg-type]
    (lambda b, s: recommender.experiment("m", s, alpha="x"), "alpha: 'x' is given"),  # type: ignore[arg-type]
    (lambda b, s: recommender.audit(b, None), "site: None is given"),  # type: ignore[arg-type]
    (lambda b, s: recommender.compare(b, b).most_lost("a"), "n: 'a' is given"),  # type: ignore[arg-type]
    (lambda b, s: recommender.compare(b, b).lost(2.5), "n: 2.5 is given"),  # type: ignore[arg-type]
    (lambda b, s: recommender.compare(b, b).to_html("x"), "n: 'x' is given"),  # type: ignore[arg-type]
    (lambda b, s: links.table(b, None), "site: None is given; give a site"),  # type: ignore[arg-type]
    (lambda b, s: links.figures(b, b), "site: a Bundle is given; give a site"),  # type: ignore[arg-type]
    (lambda b, s: links.figures(s, s), "bundle: a Site is given; give a bundle"),  # type: ignore[arg-type]
    (lambda b, s: curves.plot(None), r"examination: None is given; give what site.examination\("),  # type: ignore[arg-type]
    (lambda b, s: curves.table(5), "examination: 5 is given"),  # type: ignore[arg-type]
    (lambda b, s: pictures.lines(5), "table: 5 is given; give a DataFrame"),  # type: ignore[arg-type]
    (lambda b, s: trec.read_run(5), "path: 5 is given; give a path"),  # type: ignore[arg-type]
    (lambda b, s: trec.read_qrels(None), "path: None is given; give a path"),  # type: ignore[arg-type]
    (lambda b, s: trec.write_run("x.run", 5), "run: 5 is given; give a DataFrame"),  # type: ignore[arg-type]
    (lambda b, s: trec.write_qrels("x.qrels", [1]), "qrels: a list is given"),  # type: ignore[arg-type]
    (lambda b, s: trec.for_ranx(5), "frame: 5 is given; give a DataFrame"),  # type: ignore[arg-type]
    (lambda b, s: s.clicks(since=5), "since: 5 is no moment"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("call", "sentence"), WRONG_KINDS)
def test_an_argument_of_a_wrong_kind_is_a_type_error(
    call: Callable[[Bundle, Site], object], sentence: str, bundle: Bundle, site: Site
):
    """Not one of Python's own, from somewhere within."""
    with pytest.raises(TypeError, match=f"^{sentence}"):
        call(bundle, site)


WRONG_VALUES: list[tuple[Callable[[Bundle, Site], object], str]] = [
    (lambda b, s: recommender.judging(s, b, by=""), "by: empty"),
    (lambda b, s: recommender.judging(s, b, by="ann", overlap=float("nan")), "overlap: nan"),
    (lambda b, s: recommender.experiment("m", s, alpha=1), "alpha: 1 is given"),
    (lambda b, s: recommender.compare(b, b).most_lost(-1), "n: -1 is given"),
    (lambda b, s: recommender.compare(b, b, k=0), "k: 0 is given"),
    (lambda b, s: recommender.compare("hand-picked", b), "a: hand-picked lists are"),
    (lambda b, s: recommender.compare(b, pd.DataFrame({"x": [1]})), "a table of lists takes"),
    (lambda b, s: recommender.train(articles=[]), "articles: an empty list"),
    (lambda b, s: recommender.audit(b, s, now=pd.NaT), "now: NaT is given"),
    (lambda b, s: recommender.run_of(b, pages=["x"]), "x: no such article"),
    (lambda b, s: s.impressions(since=pd.NaT), "since: NaT is no moment"),
    (lambda b, s: s.impressions(chunk_size=0), "chunk_size: 0 rows"),
    (lambda b, s: s.impressions(columns=["nope"]), "columns: 'nope' is none"),
    (lambda b, s: curves.plot(s.examination(), positions=0), "positions: 0 is given"),
    (lambda b, s: links.table(b, s, k=0), "k: 0 is given"),
    (lambda b, s: trec.for_ranx(pd.DataFrame({"a": [1]})), "frame: a frame with columns"),
    (lambda b, s: trec.write_run("x.run", pd.DataFrame({"a": [1]})), "the frame has no column"),
]


@pytest.mark.parametrize(("call", "sentence"), WRONG_VALUES)
def test_an_argument_whose_value_will_not_do_is_a_value_error(
    call: Callable[[Bundle, Site], object], sentence: str, bundle: Bundle, site: Site
):
    """And one of ours, whichever is caught."""
    with pytest.raises(ValueError, match=f"^{sentence}") as failed:
        call(bundle, site)

    assert isinstance(failed.value, ArgumentError | InputError)


def test_a_judgement_says_what_it_expects(bundle: Bundle, models: Path, site: Site):
    """``k``, ``seed``, events, the site and the lists of a candidate."""
    log = pd.DataFrame(EVENTS)
    for call in (recommender.evaluate, recommender.off_policy):
        with pytest.raises(ValueError, match="k: 0 is given"):
            call(bundle, log, k=0)  # type: ignore[operator]
        with pytest.raises(TypeError, match="events: None is given"):
            call(bundle, None)  # type: ignore[operator]
        with pytest.raises(ValueError, match=r"is a database; of the site that .* opens, give it"):
            call(bundle, site.store.url)  # type: ignore[operator]
        with pytest.raises(ValueError, match="is a database"):
            call(bundle, models.parent / "site.db")  # type: ignore[operator]
    with pytest.raises(TypeError, match="bundle: a Site is given"):
        recommender.evaluate(site, bundle)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="seed: 'x' is given"):
        recommender.evaluate(bundle, log, seed="x")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="site: 'x' is given"):
        recommender.compare(bundle, bundle, "x")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="k: 0 is given"):
        recommender.compare(bundle, bundle, k=0)
    with pytest.raises(TypeError, match=r"b\['knee'\]: 'hip' is given; give a list of ids"):
        recommender.compare(bundle, {"knee": "hip"})
    with pytest.raises(TypeError, match="model: 7 is given"):
        recommender.off_policy(bundle, log, model=7)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"articles": None}, "articles: None is given"),
        ({"articles": []}, "articles: an empty list is given"),
        ({"articles": RECORDS}, "articles: a list with a dict is given"),
        ({"events": 7}, "events: 7 is given"),
        ({"events": ["log.jsonl", pd.DataFrame(EVENTS)]}, "frames and paths are given together"),
        ({"models": 7}, "models: 7 is given; give a path"),
        ({"now": "2026-11-01"}, "now: '2026-11-01' is given; give a datetime"),
        ({"seed": 1.5}, "seed: 1.5 is given"),
        ({"languages": ["same"]}, "languages: a list is not same or any"),
    ],
)
def test_training_says_what_it_expects(given: dict[str, Any], sentence: str, tmp_path: Path):
    """Before anything is read or made."""
    whole = {"articles": pd.DataFrame(RECORDS), "models": tmp_path / "models", **given}

    with pytest.raises((TypeError, ValueError), match=sentence):
        recommender.train(**whole)

    assert list(tmp_path.iterdir()) == []


def test_a_sites_frames_name_what_they_expect(site: Site):
    """Limits, columns, and how many rows at a time."""
    for limits, sentence in (
        ({"source": 7}, "source: 7 is given; give a name, or a list of names"),
        ({"list": ["x", None]}, "list: None stands at place 1"),
        ({"chunk_size": "x"}, "chunk_size: 'x' is given"),
        ({"chunk_size": True}, "chunk_size: True is given"),
        ({"columns": 7}, "columns: 7 is given"),
        ({"sources": "knee"}, "sources is no limit here; there are since, until, source"),
    ):
        with pytest.raises(TypeError, match=sentence):
            site.impressions(**limits)
    for limits, sentence in (
        ({"since": pd.NaT}, "since: NaT is no moment"),
        ({"since": "2026-11-02", "until": "2026-11-01"}, "since: 2026-11-02 is later than until"),
    ):
        with pytest.raises(InputError, match=sentence):
            site.impressions(**limits)
    with pytest.raises(TypeError, match="ids: 7 is given; give an id"):
        site.articles(ids=7)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"store: 'site.db' is given; recommender.connect opens"):
        Site("site.db")  # type: ignore[arg-type]


def test_a_store_that_is_not_there_is_never_made(tmp_path: Path):
    """By a mistyped path, as text or as a path."""
    for database in (tmp_path / "recomender.db", f"sqlite:///{tmp_path / 'recomender.db'}"):
        with pytest.raises(StoreError, match=r"recomender.db: there is no such store"):
            recommender.connect(database)
    with pytest.raises(TypeError, match="database: None is given; give a database URL"):
        recommender.connect(None)  # type: ignore[arg-type]

    assert list(tmp_path.iterdir()) == []


def test_rules_of_editors_that_are_not_there_are_missed(models: Path, tmp_path: Path):
    """Who names a file means it."""
    with pytest.raises(EditorialError, match=r"e.csv: there is no such file"):
        recommender.load(models, editorial_file=tmp_path / "e.csv")
