"""An origin that was forgotten in the settings leaves its trace."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from asking import BEARER, KEY, Client, Clock, publish
from fastapi import FastAPI
from sites import once

from recommender.config import Settings
from recommender.store.database import Store
from recommender.store.event_writer import tallies_of
from recommender.store.refusals import MAX_NAMED
from recommender_api.app import create_app

OWN = "https://blog.example.org"


@pytest.fixture
def settings(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(
        database=f"sqlite:///{tmp_path / 'store.db'}",
        models=once(tmp_path_factory, "refused", publish),
        editorial=tmp_path / "editorial.csv",
        admin_key=KEY,
        allowed_origins="https://site.example",
        event_rate=3,
    )


@pytest.fixture
def app(settings: Settings) -> Iterator[FastAPI]:
    made = create_app(settings, clock=Clock())
    yield made
    made.stored.close()


def post(client: Client, origin: str | None, body: str = "[]", **more: str) -> int:
    headers = {"content-type": "text/plain", **more}
    headers |= {} if origin is None else {"origin": origin}
    return client.post("/v1/events", content=body, headers=headers).status_code


def preflight(client: Client, origin: str) -> int:
    headers = {"origin": origin, "access-control-request-method": "POST"}
    return client.request("OPTIONS", "/v1/events", headers=headers).status_code


def metrics(client: Client) -> dict[str, float]:
    text = client.get("/metrics", headers=BEARER).text
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    prefix = "recommender_origins_refused{origin="
    return {
        name.removeprefix(prefix).strip('"}'): float(value)
        for name, _, value in lines
        if name.startswith(prefix)
    }


def test_posts_and_preflights_of_a_forgotten_origin_are_counted(app: FastAPI, settings: Settings):
    client = Client(app)

    assert [post(client, OWN), preflight(client, OWN), post(client, "https://site.example")] == [
        403, 403, 202,
    ]  # fmt: skip

    assert metrics(client) == {OWN: 2}
    app.state.stored.close() if hasattr(app.state, "stored") else app.stored.close()
    with Store(settings.database) as store, store.reading() as connection:
        found = tallies_of(connection, int(Clock()().timestamp()) // 86_400)
    assert found["refused origin_not_allowed"] == 2
    assert found[f"origin {OWN}"] == 2


def test_made_up_origins_are_few_labels(app: FastAPI):
    """Whatever a header holds; and the rest is counted as others."""
    client = Client(app)
    for n in range(60):
        post(client, f"https://made-up-{n}.example")
        post(client, OWN)
    for strange in ('https://a"} 1\nfake{x="', "<script>", "https://a b"):
        post(client, strange.replace("\n", " "))

    found = metrics(client)

    assert found[OWN] == 60
    assert len(found) <= MAX_NAMED + 1
    assert sum(found.values()) == 123
    assert all(name == "other" or name.startswith("https://") for name in found)


def test_every_other_refusal_is_counted_by_its_reason(app: FastAPI, settings: Settings):
    client = Client(app)

    assert post(client, None, "{") == 400
    assert post(client, None, "[]", **{"content-type": "image/png"}) == 415
    assert post(client, None, "[" + "1," * 600_000 + "1]") == 413
    metrics(client)

    with Store(settings.database, writing=False) as store, store.reading() as connection:
        found = tallies_of(connection, int(Clock()().timestamp()) // 86_400)
    refused = {name for name in found if name.startswith("refused ")}
    assert refused == {
        "refused invalid_json", "refused unsupported_media_type", "refused body_too_large",
    }  # fmt: skip
