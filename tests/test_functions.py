"""The analyst's front door: frames in and out, training and judging in one line each."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sites import NOW

import recommender
from recommender.bundle.bundle import Bundle
from recommender.bundle.registry import read
from recommender.errors import (
    BundleError,
    EvaluationError,
    EventError,
    InputError,
    StoreError,
    TooManyBadRecords,
)
from recommender.frames.loading import add_events, article_batch
from recommender.store.database import Store

RECORDS = [
    {"id": "knee", "title": "Knee", "body": "knee joint stairs", "category": "joints",
     "tags": ["a", "b"], "recommended": ["hip", "sleep"], "published_at": "2026-11-01"},
    {"id": "hip", "title": "Hip", "body": "hip joint stairs", "category": "joints"},
    {"id": "睡/眠", "title": "睡眠", "body": "night dream bed", "tags": ["b"]},
    {"id": "sleep", "title": "Sleep", "body": "night dream bed pillow"},
]  # fmt: skip


def events(n: int = 30) -> list[dict[str, object]]:
    """Views of one list, and a click on its second link in each."""
    found: list[dict[str, object]] = []
    for number in range(n):
        ts = f"2026-11-{1 + number % 20:02}T10:00:00Z"
        found += [
            {"type": "impression", "view_id": f"v{number}", "ts": ts, "source_id": "knee",
             "shown": ["hip", "sleep"], "session_id": f"s{number}"},
            {"type": "click", "view_id": f"v{number}", "ts": ts, "clicked": "sleep"},
        ]  # fmt: skip
    return found


def write(path: Path, records: list[dict[str, object]]) -> Path:
    pd.DataFrame(records).to_json(path, orient="records", lines=True, force_ascii=False)
    return path


def said(bundle: Bundle) -> dict[str, str]:
    """The sums of the arrays a bundle is made of."""
    files = read(bundle.folder).files
    return {name: file.sha256 for name, file in files.items() if name.endswith((".npy", ".z"))}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("files")
    return write(folder / "articles.jsonl", RECORDS), write(folder / "events.jsonl", events())


@pytest.fixture(scope="module")
def from_files(files: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    models = tmp_path_factory.mktemp("models")
    return recommender.train(articles=files[0], events=str(files[1]), models=models, now=NOW)


def test_frames_train_the_same_bundle_as_files(from_files: Bundle, tmp_path: Path):
    """With NaN where a record has nothing, numpy's arrays for lists, pandas' own timestamps."""
    articles = pd.DataFrame(RECORDS)
    articles["tags"] = [
        np.array(tags) if isinstance(tags, list) else np.nan for tags in articles["tags"]
    ]
    articles["published_at"] = pd.to_datetime(articles["published_at"])
    log = pd.DataFrame(events())
    log["ts"] = pd.to_datetime(log["ts"])
    log["layout"] = pd.NA
    assert articles["category"].isna().any()
    assert log["clicked"].isna().any()

    bundle = recommender.train(articles=articles, events=log, models=tmp_path, now=NOW)

    assert said(bundle) == said(from_files)
    assert bundle.about.n_clicks == 30


def test_a_sites_own_frames_train_the_same_bundle(
    files: tuple[Path, Path], from_files: Bundle, tmp_path: Path
):
    """What ``connect`` gives can be handed to ``train`` and ``evaluate`` as it is."""
    site = connected(files, tmp_path)
    log = [site.impressions(), site.clicks()]

    bundle = recommender.train(articles=site.articles(), events=log, models=tmp_path, now=NOW)

    assert said(bundle) == said(from_files)
    assert recommender.evaluate(bundle, log).n_views == 30
    site.store.close()


def test_doubtful_views_of_a_frame_are_not_learned_from(tmp_path: Path):
    """Their clicks have no view then, and count as little."""
    log = pd.DataFrame(events())
    log["flagged"] = log["view_id"].isin(["v3", "v4"])

    bundle = recommender.train(articles=pd.DataFrame(RECORDS), events=log, models=tmp_path, now=NOW)

    assert bundle.about.n_clicks == 28


def connected(files: tuple[Path, Path], folder: Path) -> recommender.Site:
    """A store with the files in it."""
    from recommender.articles.reader import read_articles
    from recommender.events.reader import EventReader

    with Store(f"sqlite:///{folder / 'site.db'}") as store:
        store.apply(read_articles([files[0]]))
        store.add_events(EventReader([files[1]]))
        return recommender.connect(store.url)


def test_a_bundle_is_judged_by_files_frames_or_the_site(
    files: tuple[Path, Path], from_files: Bundle, tmp_path: Path
):
    """Files and frames are held out by who hands them over; of a site, only what came after."""
    site = connected(files, tmp_path)

    by_file = recommender.evaluate(from_files, files[1])
    by_frame = recommender.evaluate(from_files, pd.DataFrame(events()))

    assert by_file.to_json() == by_frame.to_json()
    with pytest.raises(recommender.RecommenderError, match="no view to judge"):
        recommender.evaluate(from_files, site)
    late = pd.DataFrame(events(1)).assign(ts="2026-11-25", view_id="late")
    with Store(site.store.url) as store:
        add_events(store, late)
    assert recommender.evaluate(from_files, site).n_views == 1
    site.store.close()


def test_a_bundle_is_compared_with_lists_or_frames(
    files: tuple[Path, Path], from_files: Bundle, tmp_path: Path
):
    """A site has the names of categories."""
    site = connected(files, tmp_path)
    lists = {"hip": ["nap"]}
    frame = pd.DataFrame({"source_id": ["hip"], "position": [1], "id": ["nap"]})

    found = recommender.compare(lists, from_files, site, k=3)

    assert isinstance(found, recommender.Comparison)
    assert found.table["page"].tolist() == ["hip"]
    assert found.table["category"].tolist() == ["joints"]
    assert found.summary() == recommender.compare(frame, from_files, site.store, k=3).summary()
    site.store.close()


def test_which_is_better_is_judged_by_views_that_no_bundle_learned_from(
    files: tuple[Path, Path], from_files: Bundle, tmp_path: Path
):
    """Of a site none is later at first, and the verdict says so; then one is. Of files, what is no
    later is left out too.
    """
    site = connected(files, tmp_path)
    lists = {"knee": ["nap", "hip"]}

    before = recommender.compare(lists, from_files, site)
    assert before.offline is None
    assert "there is no view after the data that a bundle here learned from" in before.verdict
    by_file = recommender.compare(lists, from_files, events=files[1])
    assert "there is no view after the data" in by_file.verdict
    late = pd.DataFrame(events(1)).assign(ts="2026-11-25", view_id="late")
    with Store(site.store.url) as store:
        add_events(store, late)
    after = recommender.compare(lists, from_files, site)
    assert after.offline is not None
    assert after.offline.n_views == 1
    assert any("If the lists given were made from" in note for note in after.offline.notes)
    assert "no log was handed over" in recommender.compare(lists, from_files).verdict
    site.store.close()


def test_the_editors_lists_and_a_file_are_sides(
    files: tuple[Path, Path], from_files: Bundle, tmp_path: Path
):
    """By a word and by a path, and each is called so."""
    (tmp_path / "lists.csv").write_text("source_id,position,id\nknee,1,hip\n")
    picked = [{**RECORDS[0], "recommended": ["hip"]}, *RECORDS[1:]]
    with Store(f"sqlite:///{tmp_path / 'picked.db'}") as store:
        store.apply(article_batch(pd.DataFrame(picked)))
        url = store.url
    site = recommender.connect(url)

    found = recommender.compare("hand-picked", tmp_path / "lists.csv", site)

    assert (found.old.name, found.new.name) == ("hand-picked", "lists.csv")
    assert found.first_changed == (0 if RECORDS[0]["id"] == "knee" else 1)
    run = recommender.run_of("hand-picked", site=site)
    assert run[["doc_id", "rank", "run"]].to_numpy().tolist() == [["hip", 1, "hand-picked"]]
    with pytest.raises(EvaluationError, match="no view in the log shows what the candidate"):
        recommender.off_policy("hand-picked", site)
    with pytest.raises(InputError, match="hand-picked lists are those of a site's store"):
        recommender.compare("hand-picked", from_files)
    site.store.close()


def test_several_bundles_are_judged_by_the_same_views(
    files: tuple[Path, Path], from_files: Bundle, tmp_path: Path
):
    """Those after the latest data; one in a list is as one alone; two of a name are told apart."""
    both = recommender.evaluate([from_files, from_files, {"knee": ["nap", "hip"]}], files[1])

    assert both.names == [from_files.name, f"{from_files.name} (2)", "lists 3"]
    assert both.table.loc[f"{from_files.name} (2)", "gain"] == 0
    assert any("the figures flatter" in note for note in both.notes)
    alone = recommender.evaluate(from_files, files[1])
    assert recommender.evaluate([from_files], files[1]).to_json() == alone.to_json()
    site = connected(files, tmp_path)
    with pytest.raises(recommender.RecommenderError, match="holds none after the data of all of"):
        recommender.evaluate([from_files, from_files], site)
    with pytest.raises(ValueError, match="bundle: an empty list is given"):
        recommender.evaluate([], site)
    site.store.close()


def test_whole_lists_are_a_run(from_files: Bundle):
    """A query is a page, and its documents are its list in order; a page nobody knows is named."""
    run = recommender.run_of(from_files, k=2, pages=["knee"], name="new")

    assert run["doc_id"].tolist() == [link.id for link in from_files.related("knee", 2)]
    assert run["rank"].tolist() == [1, 2]
    assert {*run["run"]} == {"new"}
    assert {*recommender.run_of(from_files)["query_id"]} == {row["id"] for row in RECORDS}
    with pytest.raises(InputError, match="nobody: no such article"):
        recommender.run_of(from_files, pages=["nobody"])
    with pytest.raises(InputError, match="nobody: no list of this page"):
        recommender.run_of({"knee": ["hip"]}, pages=["nobody"])


def test_bad_records_are_told(tmp_path: Path):
    """A few are left out with a warning, many refuse the whole."""
    with pytest.warns(UserWarning, match=r"1 bad records left out, such as .*row 5.*title"):
        bundle = recommender.train(
            articles=pd.DataFrame([*RECORDS, {"id": "x"}]), models=tmp_path, now=NOW
        )
    assert bundle.about.n_articles == 4

    with pytest.raises(TooManyBadRecords, match="2 of 2 records are bad"):
        recommender.train(articles=pd.DataFrame([{"id": "x"}, {"id": "y"}]), models=tmp_path)


def test_a_frame_that_holds_no_events_is_refused(from_files: Bundle):
    """Its columns tell; a faulty row is named."""
    with pytest.raises(InputError, match="a column type, shown, clicked or article_id"):
        recommender.evaluate(from_files, pd.DataFrame({"x": [1]}))
    with pytest.raises(EventError, match="events:row 1"):
        recommender.evaluate(from_files, pd.DataFrame({"clicked": ["hip"]}))


def test_bundles_are_loaded_with_the_editors_rules(from_files: Bundle, tmp_path: Path):
    """Those in force now; without a file named, none."""
    (tmp_path / "e.csv").write_text("action,source,target\nblock,*,hip\n")
    models = from_files.folder.parent

    plain = recommender.load(models)
    ruled = recommender.load(models, editorial_file=tmp_path / "e.csv")

    assert "hip" in [link.id for link in plain.related("knee")]
    assert "hip" not in [link.id for link in ruled.related("knee")]
    with pytest.raises(BundleError):
        recommender.load(tmp_path)


def test_an_address_that_is_none_is_refused():
    """Whatever a notebook passes."""
    with pytest.raises(StoreError, match="is no database URL"):
        recommender.connect("recommender.db")


def test_the_package_offers_its_names():
    """And none that it has not."""
    assert set(recommender.__all__) <= set(dir(recommender))
    assert all(getattr(recommender, name) for name in recommender.__all__)
    with pytest.raises(AttributeError, match="no attribute 'recommend'"):
        recommender.recommend  # noqa: B018


def test_an_unknown_rule_is_refused(files: tuple[Path, Path], tmp_path: Path):
    """Before anything is read."""
    with pytest.raises(ValueError, match="languages: 'one' is not same or any"):
        recommender.train(articles=files[0], models=tmp_path, languages="one")
    with pytest.raises(ValueError, match="listings: 'none' is not off or on"):
        recommender.train(articles=files[0], models=tmp_path, listings="none")
