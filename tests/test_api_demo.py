"""The demo website: every page there, and its list drawn by a real browser from the API."""

from __future__ import annotations

import html
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from api.demo import index_html, page_html
from recommender.bundle import Bundle
from recommender.sample import truth

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--virtual-time-budget=10000",
)  # fmt: skip
PAGE = "pain-after-miscarriage"
SERVE = """
import sys
from pathlib import Path
from api.demo import serve_demo
from recommender.config import Settings
serve_demo(Settings(models=Path(sys.argv[1]), editorial=Path("none.csv")), port=int(sys.argv[2]))
"""


@contextmanager
def demo(models: Path, folder: Path) -> Iterator[str]:
    """A running demo website; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", SERVE, str(models), str(port)]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as process:
        address = f"http://127.0.0.1:{port}"
        try:
            for _ in range(300):
                try:
                    with urllib.request.urlopen(f"{address}/health/ready"):
                        break
                except (urllib.error.URLError, ConnectionError):
                    time.sleep(0.1)
            yield address
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


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_browser_draws_the_list_from_the_api(text_sample: Bundle, tmp_path: Path):
    """What stands on the page is what the API answers, in its order."""
    wanted = [link.title for link in text_sample.related(PAGE)]

    with demo(text_sample.folder.parent, tmp_path) as address:
        drawn = subprocess.run(
            [str(CHROMIUM), *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom",
             f"{address}/pages/{PAGE}"],
            capture_output=True, text=True, timeout=120, check=True,
        ).stdout  # fmt: skip

    listed = drawn[drawn.index('id="related"') : drawn.index("</ol>")]
    assert [html.unescape(title) for title in re.findall(r"<a[^>]*>([^<]+)</a>", listed)] == wanted
    assert text_sample.name in drawn
