"""What is published is served without a restart; what is broken is told once, and the old stays."""

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from asking import BEARER, KEY, NOW, Client, ids, is_error, publish

from recommender.bundle import registry
from recommender.config import Settings
from recommender_api.app import create_app
from recommender_api.live import Live


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
    return Live(models, tmp_path / "editorial.csv")


def serving(live: Live) -> str | None:
    """The name of the bundle that answers."""
    return live.answers.lists.name if live.answers else None


def point_at(models: Path, name: str) -> None:
    """Publish without any check, as somebody's script might."""
    (models / "CURRENT").write_text(name + "\n")


def lose_manifest(bundle: Path) -> None:
    (bundle / "manifest.json").unlink()


def lose_array(bundle: Path) -> None:
    (bundle / "titles_data.npy").unlink()


def cut_array(bundle: Path) -> None:
    array = bundle / "titles_data.npy"
    array.write_bytes(array.read_bytes()[:-1])


def garble_array(bundle: Path) -> None:
    """The size is right, but it is no array."""
    array = bundle / "titles_data.npy"
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
}


def test_a_new_bundle_is_served(live: Live, models: Path, old: str, new: str):
    """As soon as the pointer names it; what was taken before stays whole."""
    before = live.current()

    registry.activate(models, new)
    live.refresh()

    assert (before.lists.name, serving(live)) == (old, new)
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
    live = Live(models, tmp_path / "editorial.csv")
    assert serving(live) is None
    assert "titles_data.npy: missing" in str(live.fault)

    registry.activate(models, new)
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


def test_faulty_rules_at_the_start_keep_the_process_from_serving(models: Path, tmp_path: Path):
    """What the editors have blocked must not be shown because of a slip of the pen."""
    rules = tmp_path / "editorial.csv"
    rules.write_text("action,source\n")
    live = Live(models, rules)
    assert live.answers is None
    assert "column target is missing" in str(live.fault)

    rules.write_text("action,source,target\n")
    live.refresh()

    assert live.answers is not None


def test_nothing_is_replaced_when_nothing_has_changed(live: Live):
    """What was composed and remembered stays so."""
    before = live.current()

    live.refresh()

    assert live.current() is before


def test_what_is_remembered_is_bounded(live: Live, monkeypatch: pytest.MonkeyPatch):
    """Whatever is asked for, in queries and in sizes."""
    monkeypatch.setattr("recommender_api.answers.MAX_COMPOSED", 4)
    answers = live.current()

    for k in range(1, 30):
        answers.of_id("knee-1", NOW, k=k)

    assert len(answers._composed) <= 4


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
    array = models / new / "titles_data.npy"
    raw = bytearray(array.read_bytes())
    raw[-1] ^= 1
    array.write_bytes(raw)

    answer = client.post(f"/v1/models/{new}/activate", headers=BEARER)

    assert answer.status_code == 409
    assert answer.json()["error"] == "damaged_model"
    assert client.get("/v1/related?id=knee-1").json()["model"] == old
