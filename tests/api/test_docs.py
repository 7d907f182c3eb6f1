"""``/docs`` is a page of its own: whole without a network, at any path, on a phone."""

import re
from pathlib import Path

import pytest
from asking import KEY, NOW, Client, publish
from browser import chromium, serving

from recommender.config import Settings
from recommender_api.app import create_app


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("docs")
    publish(folder / "models")
    made = create_app(
        Settings(
            database="sqlite://", models=folder / "models", admin_key=KEY,
            editorial=folder / "editorial.csv",
        ),
        clock=lambda: NOW,
    )  # fmt: skip
    yield made
    made.stored.close()


def test_every_address_parameter_and_field_is_on_the_page(app):
    """With links that lead somewhere, and no script."""
    client = Client(app)
    answer, document = client.get("/docs"), client.get("/openapi.json").json()
    text = answer.text

    for path, methods in document["paths"].items():
        assert f"<code>{path}</code>" in text
        for about in methods.values():
            for parameter in about.get("parameters", ()):
                assert f"<code>{parameter['name']}</code>" in text
    for name, schema in document["components"]["schemas"].items():
        assert f'id="schema-{name}"' in text
        for field in schema.get("properties", ()):
            assert f"<code>{field}</code>" in text
    targets = set(re.findall(r' id="([^"]+)"', text))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= targets
    assert "<script" not in text
    assert " style=" not in text
    assert re.findall(r'(?:href|src)="(?!#)([^"]+)"', text) == ["openapi.json"]
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


@pytest.mark.slow
def test_it_is_whole_without_a_network(app, tmp_path: Path):
    """Nothing is asked of anybody, its style holds under its own policy, and nothing is wider than
    the page.
    """
    asked: list[str] = []
    with chromium() as browser, serving(app) as address:
        for width in (390, 1280):
            page = browser.new_page(viewport={"width": width, "height": 900})
            page.on("request", lambda request: asked.append(request.url))
            page.goto(f"{address}/docs")
            assert page.evaluate("getComputedStyle(document.querySelector('main')).maxWidth") != (
                "none"
            )
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            page.screenshot(path=tmp_path / f"{width}.png", full_page=True)
            page.close()

    assert {url.removeprefix(address) for url in asked} <= {"/docs", "/favicon.ico"}
