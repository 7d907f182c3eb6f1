"""What is published is served without a restart; what is broken is told once, and the old stays."""

import hashlib
import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from asking import BEARER, KEY, NOW, Client, articles, ids, is_error, publish
from tampered import with_about, with_values

from recommender.articles.article import Article
from recommender.articles.batch import Batch
from recommender.bundle import activation, registry
from recommender.bundle.answer_bytes import items_json
from recommender.config import Settings
from recommender.lists.rules_file import LAST_GOOD
from recommender.store.database import Store
from recommender.training.pipeline import Options, build
from recommender_api.app import create_app
from recommender_api.live import Live
from recommender_api.store_connection import Stored


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A folder of two bundles and their names, the live one first."""
    folder = tmp_path_factory.mktemp("site") / "models"
    return folder, *publish(folder)


@pytest.fixture
def models(published: tuple[Path, str, str], tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(published[0], tmp_path / "models"))


@pytest.fixture
def old(published: tuple[Path, str, str]) -> str:
    return published[1]


@pytest.fixture
def new(published: tuple[Path, str, str]) -> str:
    return published[2]


@pytest.fixture
def live(models: Path, tmp_path: Path) -> Live:
    return looked_after(models, tmp_path / "editorial.csv")


def looked_after(models: Path, rules: Path) -> Live:
    """What is served of these files beside an empty store."""
    return Live(models, rules, Stored(Settings(database="sqlite://"), clock=lambda: NOW))


def serving(live: Live) -> str | None:
    """The name of the bundle that answers."""
    return live.answers.shelf.name if live.answers else None


def point_at(models: Path, name: str) -> None:
    """Publish without any check, as somebody's script might."""
    (models / "CURRENT").write_text(name + "\n")


def lose_manifest(bundle: Path) -> None:
    (bundle / "manifest.json").unlink()


def lose_array(bundle: Path) -> None:
    (bundle / "fragments_data.npy").unlink()


def cut_array(bundle: Path) -> None:
    array = bundle / "fragments_data.npy"
    array.write_bytes(array.read_bytes()[:-1])


def garble_array(bundle: Path) -> None:
    """The size is right, but it is no array."""
    array = bundle / "fragments_data.npy"
    array.write_bytes(b"\x80" * array.stat().st_size)


def change_manifest(bundle: Path, **changes: object) -> None:
    about = json.loads((bundle / "manifest.json").read_text())
    (bundle / "manifest.json").write_text(json.dumps({**about, **changes}))


BREAKAGES: dict[str, Callable[[Path], object]] = {
    "it has no manifest": lose_manifest,
    "missing": lose_array,
    "bytes instead of": cut_array,
    "cannot be read": garble_array,
    "layout 99": lambda bundle: change_manifest(bundle, layout=99),
    "Expecting value": lambda bundle: (bundle / "manifest.json").write_text("nonsense"),
    "no such bundle": shutil.rmtree,
    # Sealed again, so that every sum is right.
    "lists_items.npy: holds 9999": with_values("lists_items", 9999),
    "lists_scores.npy: holds nan": with_values("lists_scores", float("nan")),
    "fragments: places: url is elsewhere": with_values("fragments_data", 65),
    "a bundle is called as its folder": with_about(name="20990101-000000-aaaaaa"),
}


def test_a_new_bundle_is_served(live: Live, models: Path, old: str, new: str):
    """As soon as the pointer names it; what was taken before stays whole."""
    before = live.current()

    activation.activate(models, new)
    live.refresh()

    assert (before.shelf.name, serving(live)) == (old, new)
    assert json.loads(before.of_id("knee-1", NOW, k=10).body())["model"] == old


@pytest.mark.parametrize("reason", BREAKAGES)
def test_a_broken_bundle_is_refused(
    live: Live, models: Path, old: str, new: str, reason: str, caplog: pytest.LogCaptureFixture
):
    """The old one keeps serving, and the log says so once, however often one looks."""
    BREAKAGES[reason](models / new)
    point_at(models, new)

    live.refresh()
    live.refresh()

    assert serving(live) == old
    assert reason in str(live.fault)
    told = [line.getMessage() for line in caplog.records if line.levelno >= logging.ERROR]
    assert len(told) == 1
    assert "\n" not in told[0]
    assert reason in told[0]
    assert f"{old} keeps serving" in told[0]


@pytest.mark.parametrize("pointer", [b"", b"../elsewhere\n", b".hidden\n", b"\xff\xfe"])
def test_a_pointer_that_names_no_bundle_is_refused(
    live: Live, models: Path, old: str, pointer: bytes
):
    """Nothing outside the folder is ever opened."""
    (models / "CURRENT").write_bytes(pointer)

    live.refresh()

    assert serving(live) == old
    assert live.fault


def test_going_back_to_a_whole_bundle_ends_the_fault(live: Live, models: Path, old: str, new: str):
    """Nothing needs to be restarted."""
    lose_array(models / new)
    point_at(models, new)
    live.refresh()
    assert live.fault

    point_at(models, old)
    live.refresh()

    assert (serving(live), live.fault) == (old, None)


def test_a_process_that_starts_with_a_broken_bundle_is_alive_and_not_ready(
    models: Path, old: str, new: str, tmp_path: Path
):
    """It says why, refuses to answer, and recovers when the pointer is repaired."""
    lose_array(models / old)
    live = looked_after(models, tmp_path / "editorial.csv")
    assert serving(live) is None
    assert "fragments_data.npy: missing" in str(live.fault)

    activation.activate(models, new)
    live.refresh()

    assert (serving(live), live.fault) == (new, None)


def test_while_nothing_is_live_every_question_is_refused(tmp_path: Path):
    """503 in the one shape, everywhere but at the probe of life."""
    settings = Settings(
        database="sqlite://", models=tmp_path / "none", editorial=tmp_path / "none.csv"
    )
    client = Client(create_app(settings, clock=lambda: NOW))

    asked = [
        client.get("/v1/related?id=a"),
        client.post("/v1/related", json={"title": "a"}),
        client.post("/v1/related/batch", json={"ids": ["a"]}),
        client.get("/v1/model"),
    ]

    assert all(is_error(answer, 503, "no_bundle") for answer in asked)
    assert is_error(client.get("/health/ready"), 503, "not_ready")
    assert "run: recommender train" in client.get("/health/ready").json()["detail"]
    assert client.get("/health/live").status_code == 200


def test_faulty_rules_are_refused_whole(
    live: Live, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """The rules before them hold; the log names the line, once."""
    rules = tmp_path / "editorial.csv"
    rules.write_text("action,source,target\nblock,*,knee-2\n")
    live.refresh()
    rules.write_text("action,source,target\nblock,*,knee-3\nban,*,knee-4\n")

    live.refresh()
    live.refresh()

    assert [rule.target for rule in live.current().rules.rules] == ["knee-2"]
    told = [line.getMessage() for line in caplog.records if line.levelno >= logging.ERROR]
    assert len(told) == 1
    assert "editorial.csv:3" in told[0]


def planted(*_: object, **options: object) -> None:
    raise ZeroDivisionError("planted")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'action;source;target\r\n"pin;a\rb;c"\r\n', "editorial.csv:2: new-line character"),
        # What no reader of ours raises knowingly: a fault of ours.
        (None, "editorial.csv: ZeroDivisionError('planted')"),
    ],
)
def test_whatever_rules_raise_the_last_good_ones_hold(
    live: Live,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    raw: bytes | None,
    reason: str,
):
    """The probe of readiness says why, the log does once, and a file that is mended is read."""
    rules = tmp_path / "editorial.csv"
    rules.write_text("action,source,target\nblock,*,knee-2\n")
    live.refresh()
    with monkeypatch.context() as patch:
        if raw is None:
            patch.setattr("recommender_api.live.load", planted)
        else:
            rules.write_bytes(raw)

        live.refresh()
        live.refresh()

    assert reason in str(live.faults())  # what the probe of readiness says
    assert "the last good rules hold until it is mended" in str(live.faults())
    assert [rule.target for rule in live.current().rules.rules] == ["knee-2"]
    assert sum(reason in line for line in caplog.messages) == 1
    rules.write_text("action,source,target\nblock,*,knee-3\n")
    live.refresh()
    assert live.fault is None
    assert [rule.target for rule in live.current().rules.rules] == ["knee-3"]


def test_new_rules_hold_though_the_new_bundle_is_broken(
    live: Live, models: Path, new: str, old: str, tmp_path: Path
):
    """And the other way round: one fault does not stand in the way of the rest."""
    rules = tmp_path / "editorial.csv"
    rules.write_text("action,source,target\nblock,*,knee-2\n")
    lose_array(models / new)
    point_at(models, new)

    live.refresh()

    assert serving(live) == old
    assert len(live.current().rules.rules) == 1


def test_a_restart_with_faulty_rules_goes_by_the_last_good_ones(models: Path, tmp_path: Path):
    """What the editors have blocked is not shown, and their lists not taken away, because of a
    slip of the pen.
    """
    rules = tmp_path / "editorial.csv"
    rules.write_text("action,source,target\nblock,*,knee-2\n")
    looked_after(models, rules)
    rules.write_text("action,source,target\nban,*,knee-2\n")

    live = looked_after(models, rules)

    assert [rule.target for rule in live.current().rules.rules] == ["knee-2"]
    assert "editorial.csv:2: field action" in str(live.fault)
    assert str(live.fault).endswith("the last good rules hold until it is mended")
    rules.unlink()
    live.refresh()
    rules.write_text("action\n")
    assert looked_after(models, rules).current().rules.rules == []


def test_faulty_rules_that_never_were_good_hold_back_no_list(models: Path, tmp_path: Path):
    """The probe says that there are none in force, until the file is mended."""
    rules = tmp_path / "editorial.csv"
    rules.write_text("action,source\n")

    live = looked_after(models, rules)

    assert live.current().rules.rules == []
    assert "column target is missing; no rules hold" in str(live.fault)
    rules.write_text("action,source,target\nblock,*,knee-2\n")
    live.refresh()
    assert (len(live.current().rules.rules), live.fault) == (1, None)


def test_where_no_rules_can_be_kept_they_hold_all_the_same(
    models: Path, old: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """The log says once what a restart could not do; nothing is ever added to a bundle."""
    rules = tmp_path / "editorial.csv"
    rules.write_text("action,source,target\nblock,*,knee-2\n")
    (models / LAST_GOOD).mkdir()

    live = looked_after(models / old, rules)
    live.refresh()

    assert len(live.current().rules.rules) == 1
    assert sum("could not go by these rules" in line for line in caplog.messages) == 1
    registry.verify(models / old)


def test_nothing_is_replaced_when_nothing_has_changed(live: Live):
    """What was composed and remembered stays so."""
    before = live.current()

    live.refresh()

    assert live.current() is before


def test_what_is_remembered_is_bounded(live: Live, monkeypatch: pytest.MonkeyPatch):
    """Whatever is asked for: a list is composed anew once so many others were."""
    answers, n_composed = live.current(), 0
    monkeypatch.setattr(answers._composed, "half", 2_000)
    shelf = type(answers.shelf)
    composed = shelf.composed

    def counted(*args: Any, **options: Any) -> Any:
        nonlocal n_composed
        n_composed += 1
        return composed(*args, **options)

    monkeypatch.setattr(shelf, "composed", counted)

    def compositions(*sizes: int) -> int:
        before = n_composed
        for k in sizes:
            answers.of_id("nobody", NOW, k=k)
        return n_composed - before

    once = compositions(1)
    assert once > 0
    assert compositions(1, 1) == 0
    assert compositions(*range(2, 6)) == 4 * once
    assert compositions(1) == once


# Without a bundle that can be read


def of_older_layout(bundle: Path) -> None:
    """As an older release wrote it: whole, and its manifest sound."""
    about = json.loads((bundle / "manifest.json").read_text())
    del about["sum"]
    about["layout"] = registry.LAYOUT - 1
    said = json.dumps(about, sort_keys=True).encode()
    change_manifest(bundle, layout=about["layout"], sum=hashlib.sha256(said).hexdigest())


@pytest.fixture
def site(tmp_path: Path) -> Settings:
    """A store and a live bundle of the same articles."""
    settings = Settings(
        database=f"sqlite:///{tmp_path / 'site.db'}", models=tmp_path / "site",
        editorial=tmp_path / "editorial.csv", admin_key=KEY,
    )  # fmt: skip
    batch = Batch()
    for article in articles():
        batch.add(article, article.id)
    with Store(settings.database) as store:
        store.apply(batch)
        build(store, settings.models, now=NOW, options=Options(jobs=1))
    return settings


def live_bundle(settings: Settings) -> Path:
    return registry.resolve(settings.models)


HARMS = [
    of_older_layout, lose_array, lose_manifest, garble_array, with_values("lists_items", 9999),
    with_values("lists_tails_data", 1),
]  # fmt: skip


@pytest.mark.parametrize("harm", HARMS)
def test_a_server_that_cannot_read_its_bundle_is_never_empty(
    site: Settings, harm: Callable[[Path], object]
):
    """Every page, known or not, every batch and every text gets fallbacks, that a page may send
    events by; what is gone or blocked is in none, and it does not know a model.
    """
    harm(live_bundle(site))
    (site.editorial).write_text("action,source,target\nblock,*,knee-3\n")
    client = Client(create_app(site, clock=lambda: NOW))
    assert client.request("DELETE", "/v1/articles?id=knee-2", headers=BEARER).status_code == 200

    known = client.get("/v1/related?id=knee-1&variant=99")
    batch = client.post("/v1/related/batch", json={"ids": ["sleep-1", "nobody"]}).json()["results"]
    text = client.post("/v1/related", json={"title": "knee"}).json()
    answers = [known.json(), client.get("/v1/related?id=nobody").json(), text, *batch]
    seen = {"type": "impression", "view_id": "v", "slate": known.json()["slate"]}
    followed = {**seen, "type": "click", "position": 1}

    assert [answer["article_id"] for answer in answers] == [
        "knee-1", None, None, "sleep-1", None
    ]  # fmt: skip
    for answer in answers:
        shown = [item["id"] for item in answer["items"]]
        assert len(shown) == 10
        assert not {"knee-2", "knee-3", answer["article_id"]} & {*shown}
        assert {item["origin"] for item in answer["items"]} == {"fallback"}
        assert answer["model"] == "fallback"
    assert known.json()["items"][0]["id"].startswith("knee")
    assert client.post("/v1/events", json=[seen, followed]).json()["accepted"] == 2
    assert is_error(client.get("/v1/model"), 503, "no_bundle")
    assert "recommender_bundle_fault 1.0" in client.get("/metrics", headers=BEARER).text


def test_a_bundle_of_an_older_layout_is_named_and_training_ends_it(site: Settings):
    """The probe says which layout it is and what to do; after that nothing is a fallback."""
    of_older_layout(live_bundle(site))
    app = create_app(site, clock=lambda: NOW)
    client = Client(app)
    before = client.get("/health/ready")

    with Store(site.database) as store:
        bundle = build(store, site.models, now=NOW, options=Options(jobs=1, seed=1))
    app.related.live.refresh()

    restarted = Client(create_app(site, clock=lambda: NOW))
    assert is_error(before, 503, "not_ready")
    assert f"layout {registry.LAYOUT - 1}" in before.json()["detail"]
    assert before.json()["detail"].endswith("run recommender train, then restart.")
    for served in (client, restarted):
        assert served.get("/health/ready").json() == {
            "status": "ready", "model": bundle.name, "fault": None
        }  # fmt: skip
        answer = served.get("/v1/related?id=knee-1").json()
        assert answer["model"] == bundle.name
        assert {item["origin"] for item in answer["items"]} == {"text"}


def test_fallbacks_follow_the_store(site: Settings, tmp_path: Path):
    """What is imported, put or removed while there is no bundle, and rules as they change."""
    site = replace(site, models=tmp_path / "none")
    app = create_app(site, clock=lambda: NOW)
    client, live = Client(app), app.related.live
    batch = Batch()
    batch.add(Article("late", "Late", category="knee", published_at="2026-11-22"), "late")

    with Store(site.database) as store:
        store.apply(batch)
    live.catch_up()
    assert ids(client.get("/v1/related?id=knee-1"))[0] == "late"
    site.editorial.write_text("action,source,target\npin,*,alone\n")
    live.refresh()
    assert ids(client.get("/v1/related?id=knee-1"))[:2] == ["alone", "late"]
    new = [{"id": "new", "title": "New", "category": "knee", "published_at": "2026-11-23"}]
    client.request("PUT", "/v1/articles", json=new, headers=BEARER)
    assert ids(client.get("/v1/related?id=new"))[:2] == ["alone", "late"]
    client.request("DELETE", "/v1/articles?id=late", headers=BEARER)
    assert ids(client.get("/v1/related?id=knee-1"))[:2] == ["alone", "new"]


def test_faulty_rules_keep_no_fallbacks_back_either(site: Settings, tmp_path: Path):
    """What the editors blocked while the file was good is in none, also before the first bundle."""
    site = replace(site, models=tmp_path / "none")
    site.editorial.write_text("action,source,target\nblock,*,knee-2\n")
    create_app(site, clock=lambda: NOW)
    site.editorial.write_text("action\n")

    client = Client(create_app(site, clock=lambda: NOW))

    shown = ids(client.get("/v1/related?id=knee-1"))
    assert len(shown) == 10
    assert "knee-2" not in shown
    assert "editorial.csv" in client.get("/health/ready").json()["detail"]
    assert "recommender_bundle_fault 1.0" in client.get("/metrics", headers=BEARER).text


# Activation over HTTP


@pytest.fixture
def client(models: Path, tmp_path: Path) -> Client:
    settings = Settings(
        database="sqlite://", models=models, editorial=tmp_path / "editorial.csv", admin_key=KEY
    )
    return Client(create_app(settings, clock=lambda: NOW))


def test_activation_takes_effect_at_once(client: Client, models: Path, old: str, new: str):
    """The answer describes the new model, and the next list is its."""
    answer = client.post(f"/v1/models/{new}/activate", headers=BEARER)

    assert (answer.status_code, answer.json()["name"]) == (200, new)
    assert client.get("/v1/related?id=knee-1").json()["model"] == new
    assert (models / "PREVIOUS").read_text() == old + "\n"


def test_tags_of_two_bundles_differ(client: Client, new: str):
    """A copy of the old answer is not taken for the new one."""
    tag = client.get("/v1/related?id=knee-1").headers["etag"]
    client.post(f"/v1/models/{new}/activate", headers=BEARER)

    answer = client.get("/v1/related?id=knee-1", headers={"If-None-Match": tag})

    assert answer.status_code == 200
    assert len(ids(answer)) > 0


@pytest.mark.parametrize("name", ["nobody", ".", "..", "..%2F..", ".hidden", "%00", "ü", "CURRENT"])
def test_only_what_is_published_can_be_activated(client: Client, models: Path, name: str):
    """Nothing else is even looked at."""
    answer = client.post(f"/v1/models/{name}/activate", headers=BEARER)

    assert answer.status_code in (404, 405)
    assert [*answer.json()] == ["error", "detail"]


def test_a_damaged_bundle_is_not_activated(client: Client, models: Path, old: str, new: str):
    """One byte is enough: every sum is compared."""
    array = models / new / "fragments_data.npy"
    raw = bytearray(array.read_bytes())
    raw[-1] ^= 1
    array.write_bytes(raw)

    answer = client.post(f"/v1/models/{new}/activate", headers=BEARER)

    assert answer.status_code == 409
    assert answer.json()["error"] == "damaged_model"
    assert client.get("/v1/related?id=knee-1").json()["model"] == old


# What is put together in a shorter way


def test_a_slate_that_is_prepared_whole_is_what_the_shelf_makes_of_it(site: Settings):
    """Links and token of every page, in every slate, at lengths below, at and above ten."""
    answers = create_app(site, clock=lambda: NOW).live.current()
    lists, seal = answers.lists, answers.seal
    assert lists is not None
    assert seal is not None
    n_quick = 0

    for row in lists.pages_with_lists():
        for slate in range(lists.share + 1):
            for k in (3, 9, 10, 11):
                placed = lists.composed(row, k=k, slate=slate)
                expected = items_json(lists.links(placed)), lists.tail(row, placed, slate, seal.key)
                assert answers.prepared(lists.id_of(row), row, NOW) is lists
                assert answers._plain(lists, row, k, slate) == expected
                n_quick += answers._whole(lists, row, k, slate) == expected
    assert n_quick > 100
