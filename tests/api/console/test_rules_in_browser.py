"""The pages of rules in a real browser: by keys alone, on a phone, and by axe's rules."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asking import NOW, Clock
from browser import chromium, serving
from consoles import PASSWORD, prepare, served
from sites import once

from recommender.config import Settings
from recommender.store import rules
from recommender.store.rules import Edit, Rule

# A browser, for some seconds each.
pytestmark = pytest.mark.slow

PAGE, OTHER = "sleep-5", "knee-2"
LONG = "a-word-of-an-id-" * 20


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def address(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a site with rules of all kinds is served."""
    folder = once(tmp_path_factory, "console", prepare)
    shutil.copytree(folder, tmp_path / "site")
    settings = Settings(
        database=f"sqlite:///{tmp_path / 'site' / 'site.db'}",
        models=tmp_path / "site" / "models",
        editorial=tmp_path / "site" / "editorial.csv",
        console="on",
    )
    settings.editorial.write_text(f"action,source,target\nblock,*,{LONG}\n")
    with served(settings, clock=Clock()) as app, serving(app) as address:
        assert app.stored.store is not None
        given = [Rule("pin", PAGE, "knee-3", 1), Rule("block", "*", "no-such", reason=LONG)]
        given.append(Rule("block", PAGE, OTHER, None, None, NOW))
        rules.write(app.stored.store, [Edit(rule) for rule in given], account="ann", at=NOW)
        app.live.refresh()
        yield address


def signed_in(browser: Any, address: str, *, width: int, scheme: str) -> Any:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, base_url=address
    )
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.goto("/console/sign-in")
    page.fill("[name=name]", "ed")
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "sign-in" not in url)
    return page


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_everybody_can_use_the_pages(browser: Any, address: str, width: int, scheme: str):
    """By axe's rules nothing serious, and no page is wider than the window, with a rule of the
    longest names, a refused one and a preview among them.
    """
    axe = pytest.importorskip("axe_playwright_python", reason="axe is not installed")
    source = (Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    page = signed_in(browser, address, width=width, scheme=scheme)

    def is_fine() -> None:
        page.evaluate(source)
        found = page.evaluate("axe.run()")["violations"]
        assert [
            (each["id"], each["nodes"][0]["html"])
            for each in found
            if each["impact"] in ("serious", "critical")
        ] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width

    for path in ("", "?state=idle", "/edit?number=1", "/history", "/import"):
        page.goto(f"/console/rules{path}")
        is_fine()
    page.goto("/console/rules/edit")
    page.fill("[name=target]", LONG)
    page.fill("[name=source]", "knee")
    page.keyboard.press("Enter")
    page.wait_for_selector("[aria-invalid]")
    is_fine()
    page.goto("/console/rules/import")
    sheet = f"action;source;target\nblock;*;{LONG}\nblock;{PAGE};knee-3\n".encode()
    page.set_input_files(
        "[name=file]", files=[{"name": "r.csv", "mimeType": "text/csv", "buffer": sheet}]
    )
    page.click("main button.main")
    page.wait_for_selector("#refused")
    is_fine()


def test_a_rule_is_made_and_undone_by_keys_alone(browser: Any, address: str):
    """What is typed is named meanwhile; nothing is clicked."""
    page = signed_in(browser, address, width=1280, scheme="light")
    page.goto("/console/rules")
    page.keyboard.press("a")
    page.wait_for_selector("[name=target]")
    page.focus("[name=target]")
    page.keyboard.type(OTHER)
    page.wait_for_selector("#is-target p")
    page.keyboard.press("Tab")
    page.keyboard.type(PAGE)
    page.keyboard.press("Tab")
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    page.wait_for_selector(".done")
    assert "Saved: live here now" in page.inner_text(".done")

    page.keyboard.press("h")
    page.wait_for_url("**/rules/history")
    page.focus(".rulelist button")
    page.keyboard.press("Enter")
    page.wait_for_selector(".done")
    assert "is undone" in page.inner_text(".done")
