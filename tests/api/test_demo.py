"""The demo website: every page there, and its list drawn by the widget in a real browser."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from browser import chromium, free_port

from recommender.articles.reader import read_articles
from recommender.demo.readers import PAGES, truth
from recommender.functions import Site
from recommender.store.database import Store
from recommender.training.pipeline import build
from recommender_api.demo import index_html, page_html

PAGE = "pain-after-miscarriage"
SERVE = """
import sys
from pathlib import Path
from recommender_api.demo import serve_demo
from recommender.config import Settings
serve_demo(Settings(editorial=Path("none.csv")), port=int(sys.argv[1]))
"""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Where a demo website runs."""
    with Store(f"sqlite:///{tmp_path / 'recommender.db'}") as store:
        store.apply(read_articles([PAGES], url="/pages/{id}"))
        build(store, tmp_path / "models", now=datetime(2026, 11, 22, tzinfo=UTC))
    port = free_port()
    command = [sys.executable, "-c", SERVE, str(port)]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) as process:
        try:
            for _ in range(300):
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready"):
                        break
                except (urllib.error.URLError, ConnectionError):
                    time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def test_the_index_leads_to_every_page():
    """All pages of the sample site, once each."""
    linked = re.findall(r'href="/pages/([^"]+)"', index_html())

    assert sorted(linked) == sorted(truth())


def test_a_page_shows_its_text_and_folds_the_old_list():
    """The page stands without the API: title, headings, text, and the ten hand-picked titles."""
    page = page_html(PAGE)

    assert page.count("How long does pain last after a miscarriage?") == 2  # title and heading
    assert "<h2>Easing the cramps</h2>" in page
    assert "How many calories are in sugar?" in page
    assert page.count("<li>") == 10


@pytest.mark.slow
def test_a_browser_draws_the_list_and_unfolds_the_old_one(address: str, tmp_path: Path):
    """The widget's ten links to other pages; a click is reported; ``#before`` unfolds in place."""
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"{address}/pages/{PAGE}")
        page.wait_for_selector("#related a")
        links = page.locator("#related a")
        hrefs = {link.get_attribute("href") for link in links.all()}
        folded = page.locator("#before li").first.is_hidden()
        with page.expect_response("**/v1/events") as reported:
            links.nth(1).click(button="middle")
        status = reported.value.status
        page.goto("about:blank")
        page.goto(f"{address}/pages/{PAGE}#before")
        page.wait_for_selector("#related a")
        unfolded = page.locator("#before li").first.is_visible()
        scrolled = page.evaluate("scrollY")

    assert len(hrefs) == 10
    assert hrefs < {f"{address}/pages/{id}" for id in truth()} - {f"{address}/pages/{PAGE}"}
    assert status == 202
    with Store(f"sqlite:///{tmp_path / 'recommender.db'}") as store:
        assert len(Site(store).clicks()) == 1
    assert (folded, unfolded, scrolled) == (True, True, 0)
