"""A day of an editor in a real browser: by mouse, by keys alone, on a phone, and by axe's rules."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from asking import Clock, ids
from browser import chromium, serving, until
from consoles import PASSWORD, prepare, served
from sites import once

from recommender.config import Settings

# A browser, for some seconds each.
pytestmark = pytest.mark.slow

PAGE = "sleep-5"
LINKS = "ol.links[data-page] > li"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def address(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the site is served."""
    folder = once(tmp_path_factory, "console", prepare)
    shutil.copytree(folder, tmp_path / "site")
    settings = Settings(
        database=f"sqlite:///{tmp_path / 'site' / 'site.db'}",
        models=tmp_path / "site" / "models",
        editorial=tmp_path / "site" / "editorial.csv",
        console="on",
    )
    with served(settings, clock=Clock()) as app, serving(app) as address:
        yield address


class Desk:
    """Somebody at a browser, whose page has written no error."""

    def __init__(self, browser: Any, address: str, *, width: int = 1280, scheme: str = "light"):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, base_url=address
        )
        self.page = context.new_page()
        self.page.set_default_timeout(15_000)
        self.errors: list[str] = []
        self.hosts: set[str] = set()
        self.page.on(
            "console", lambda said: self.errors.append(said.text) if said.type == "error" else None
        )
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))

    def sign_in(self, name: str, path: str) -> None:
        self.page.goto(f"/console/sign-in?next={path}")
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(lambda url: url.partition("/console")[2] == path[len("/console") :])

    @property
    def links(self) -> list[str]:
        found: list[str] = self.page.eval_on_selector_all(
            LINKS, "all => all.map(e => e.dataset.id)"
        )
        return found

    def shows(self, wanted: list[str]) -> bool:
        """Will the list be this one soon?"""
        return until(lambda: self.links == wanted, seconds=30)

    @property
    def is_wide(self) -> bool:
        """Is the page wider than the window?"""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))

    def faults(self) -> list[str]:
        """What axe finds serious, each with where."""
        axe = pytest.importorskip("axe_playwright_python", reason="axe is not installed")
        source = (Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
        self.page.evaluate(source)
        found = self.page.evaluate("axe.run()")["violations"]
        return [
            f"{each['id']}: {each['nodes'][0]['html'][:200]}"
            for each in found
            if each["impact"] in ("serious", "critical")
        ]


def readers_list(address: str) -> list[str]:
    return ids(httpx.get(f"{address}/v1/related", params={"id": PAGE}))


def test_a_link_is_dragged_saved_and_undone(browser: Any, address: str):
    """With the mouse: the preview comes at once, readers see it when it is saved."""
    desk = Desk(browser, address)
    desk.sign_in("ed", f"/console/page?id={PAGE}")
    before = desk.links
    wanted = [before[3], *before[:3], *before[4:]]

    links = desk.page.locator(LINKS)
    links.nth(3).locator(".handle").drag_to(links.nth(0))
    assert desk.shows(wanted)
    assert readers_list(address) == before
    desk.page.get_by_label("Reason").fill("it is asked for")
    desk.page.get_by_role("button", name="Save").click()
    desk.page.get_by_text("Saved. It is live").wait_for()
    assert readers_list(address) == wanted
    desk.page.get_by_role("button", name="Undo what was just saved").click()
    desk.page.get_by_text("Undone.", exact=True).wait_for()

    assert readers_list(address) == before == desk.links
    assert desk.errors == []
    assert desk.hosts == {address.removeprefix("http://")}


def test_all_of_it_is_done_by_keys(browser: Any, address: str):
    """Go, move, block, save and undo; whoever moves a link stays on it."""
    desk = Desk(browser, address, width=390)
    desk.sign_in("ed", f"/console/page?id={PAGE}")
    before, press = desk.links, desk.page.keyboard.press
    while desk.page.evaluate(f"!document.activeElement.matches('{LINKS}')"):
        press("Tab")

    press("ArrowDown")
    press("ArrowDown")
    press("Alt+ArrowUp")
    moved = [before[0], before[2], before[1], *before[3:]]
    assert desk.shows(moved)
    on = "document.activeElement.dataset.id"
    assert until(lambda: desk.page.evaluate(on) == before[2])
    press("ArrowDown")
    press("b")
    assert desk.shows([id for id in moved if id != before[1]])
    assert until(lambda: desk.page.evaluate(on) == before[3])
    press("s")
    desk.page.get_by_text("Saved. It is live").wait_for()
    assert readers_list(address)[:2] == [before[0], before[2]] and before[1] not in readers_list(
        address
    )
    press("u")
    desk.page.get_by_text("Undone.", exact=True).wait_for()

    assert readers_list(address) == before
    assert desk.errors == []


def test_whoever_presses_a_button_stays_where_he_is(browser: Any, address: str):
    """The page does not move below the mouse, and the same button of the preview has the focus."""
    desk = Desk(browser, address, width=390)
    desk.sign_in("ed", f"/console/page?id={PAGE}")
    before = desk.links
    button = desk.page.locator(LINKS).nth(3).locator("[data-do=pin]")
    button.scroll_into_view_if_needed()
    top = button.bounding_box()["y"]

    button.click()

    assert until(lambda: desk.page.locator("#pending").count() == 1)
    at = "[document.activeElement.dataset.do, document.activeElement.closest('li')?.dataset.id]"
    assert until(lambda: desk.page.evaluate(at) == ["pin", before[3]])
    shown = desk.page.evaluate("document.activeElement.getBoundingClientRect().top")
    assert 0 <= shown <= 900 and abs(shown - top) < 900
    assert "1 change not saved" in desk.page.locator("#spoken").inner_text()


def test_what_is_pressed_before_the_answer_comes_after_it(browser: Any, address: str):
    """Three steps are three steps, however slow the line is."""
    desk = Desk(browser, address)
    desk.page.route("**/console/page", lambda route: (time.sleep(0.3), route.continue_()))
    desk.sign_in("ed", f"/console/page?id={PAGE}")
    before, press = desk.links, desk.page.keyboard.press
    desk.page.locator(LINKS).nth(4).focus()

    for _ in range(3):
        press("Alt+ArrowUp")

    assert desk.shows([before[0], before[4], *before[1:4], *before[5:]])


def test_what_is_pressed_on_an_answer_that_has_just_come_counts(browser: Any, address: str):
    """By key and by mouse, before the buttons of the new list work."""
    desk = Desk(browser, address)
    desk.sign_in("ed", f"/console/page?id={PAGE}")
    desk.page.evaluate("htmx.config.defaultSettleDelay = 2000; window.same = true")
    before = desk.links
    desk.page.locator(LINKS).nth(4).focus()

    desk.page.keyboard.press("Alt+ArrowUp")
    assert desk.shows([*before[:3], before[4], before[3], *before[5:]])
    desk.page.keyboard.press("Alt+ArrowUp")
    assert desk.shows([*before[:2], before[4], *before[2:4], *before[5:]])
    desk.page.locator(LINKS).nth(0).locator("[data-do=block]").click()

    assert until(lambda: before[0] not in desk.links, seconds=30)
    assert desk.page.evaluate("window.same")
    assert desk.errors == []


def test_whoever_was_signed_out_goes_on_where_he_was(browser: Any, address: str):
    """Nothing is saved, nothing lost, and nothing is said to be saved."""
    desk = Desk(browser, address)
    desk.sign_in("ed", f"/console/page?id={PAGE}")
    before = desk.links
    desk.page.locator(LINKS).nth(1).locator("[data-do=block]").click()
    assert desk.shows([before[0], *before[2:]])
    desk.page.get_by_label("Reason").fill("typed for long")
    desk.page.context.clear_cookies()

    desk.page.keyboard.press("Escape")
    desk.page.get_by_role("button", name="Save").click()
    assert until(lambda: "signed out" in desk.page.locator("#problem").inner_text())
    other = Desk(browser, address)
    other.page.close()
    other.page = desk.page.context.new_page()
    other.sign_in("ed", "/console/account")
    other.page.close()
    desk.page.bring_to_front()
    desk.page.evaluate("dispatchEvent(new Event('focus'))")
    assert until(lambda: "signed in again" in desk.page.locator("#problem").inner_text())
    desk.page.get_by_role("button", name="Save").click()
    desk.page.get_by_text("Saved. It is live").wait_for()

    assert until(lambda: before[1] not in readers_list(address))
    assert desk.page.get_by_text("typed for long").count()
    desk.page.reload()
    assert desk.page.get_by_text("Saved. It is live").count() == 0


def test_without_scripts_it_works_too(browser: Any, address: str):
    """Every button is one of a form."""
    desk = Desk(browser, address)
    desk.page = browser.new_context(java_script_enabled=False, base_url=address).new_page()
    desk.sign_in("ed", f"/console/page?id={PAGE}")
    last = desk.page.locator(LINKS).last

    last.get_by_role("button", name=re.compile("^Block .* here$")).click()
    desk.page.get_by_role("button", name="Save").click()
    desk.page.get_by_text("Saved. It is live").wait_for()

    assert "1 change not saved" not in desk.page.content()
    assert len(readers_list(address)) and desk.page.get_by_text("Block").count()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_every_page_can_be_used_by_everybody(browser: Any, address: str, width: int, scheme: str):
    """By axe's rules, nothing serious; no page is wider than the window; nothing is loaded from
    elsewhere; nothing is refused by the policy of the pages.
    """
    desk = Desk(browser, address, width=width, scheme=scheme)
    desk.page.goto("/console/sign-in")
    assert desk.faults() == [] and not desk.is_wide
    desk.sign_in("ada", "/console/account")
    menu = desk.page.eval_on_selector_all("header a", "all => all.map(a => a.getAttribute('href'))")
    faults, wide = {}, []
    pages = [*menu, f"/console/page?id={PAGE}", "/console/no-such-page"]

    for path in dict.fromkeys(pages):
        desk.page.goto(path)
        if found := desk.faults():
            faults[path] = found
        if desk.is_wide:
            wide.append(path)

    assert (faults, wide) == ({}, [])
    assert [error for error in desk.errors if "404" not in error] == []
    assert desk.hosts == {address.removeprefix("http://")}


def test_an_article_is_found_and_opened_by_keys_alone(browser: Any, address: str):
    """What is found is there as one types; arrows go through it, Enter opens, going back has it."""
    desk = Desk(browser, address)
    desk.sign_in("val", "/console/")
    page, keys = desk.page, desk.page.keyboard

    page.evaluate("window.region = document.getElementById('spoken')")
    keys.type("knee")
    page.wait_for_selector("#found[data-asked=knee] .results")
    # The region is the same that was there before, so that what comes into it is spoken.
    page.wait_for_function("window.region.isConnected && / found/.test(window.region.textContent)")
    assert page.locator("#found [role=status]").count() == 0
    keys.press("ArrowDown")
    keys.press("ArrowDown")
    second = page.locator(".results > li > a").nth(1).inner_text()
    assert page.evaluate("document.activeElement.textContent") == second
    keys.press("/")
    keys.type("quok")
    page.wait_for_selector("#found[data-asked=quok] .results")
    keys.press("Enter")
    page.wait_for_url("**/console/page?id=alone")
    page.go_back()

    page.wait_for_selector("text=Quokka")
    assert page.input_value("#q") == "quok"
    assert not desk.errors and desk.hosts == {address.split("/")[2]}
