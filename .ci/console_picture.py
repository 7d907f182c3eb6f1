"""Write ``docs/console.png``: an editor at a page's list, with changes that are not saved yet.

After ``make demo SERVE=0`` and ``make .venv/test.stamp``, with Chromium installed:

    .venv/bin/python .ci/console_picture.py
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from browser import chromium, serving  # noqa: E402

from recommender.bundle import figures  # noqa: E402
from recommender.config import Settings  # noqa: E402
from recommender.evaluation.site_figures import site_figures  # noqa: E402
from recommender.store import accounts  # noqa: E402
from recommender.store.click_filters import Caps  # noqa: E402
from recommender.store.database import Store  # noqa: E402
from recommender_api.app import create_app  # noqa: E402

PAGE = "pain-after-miscarriage"
NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
WIDTH, HEIGHT = 1180, 940
PASSWORD = "for this picture alone"


def main() -> None:
    """Make the picture."""
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder) / "site"
        shutil.copytree(ROOT / ".demo", site)
        settings = Settings(
            database=f"sqlite:///{site / 'demo.db'}",
            models=site / "models",
            editorial=site / "editorial.csv",
            console="on",
        )
        with Store(settings.database) as store:
            accounts.add(store, "ann", role="editor", password=PASSWORD, now_ms=0)
            figures.write(
                settings.models, {}, site_figures(store, None, now=NOW, caps=Caps()).links
            )
        app = create_app(settings, clock=lambda: NOW)
        with serving(app) as address, chromium() as browser:
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            page.goto(f"{address}/console/sign-in?next=/console/page%3Fid%3D{PAGE}")
            page.get_by_label("Name").fill("ann")
            page.get_by_label("Password").fill(PASSWORD)
            page.keyboard.press("Enter")
            links = page.locator("ol.links[data-page] > li")
            links.nth(3).locator(".handle").drag_to(links.nth(1))
            page.get_by_label("Reason").fill("what readers ask next")
            page.get_by_role("heading", level=1).hover()
            page.screenshot(path=ROOT / "docs" / "console.png")


if __name__ == "__main__":
    main()
