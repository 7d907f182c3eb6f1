"""The widget in a real browser, on pages of another origin under a strict security policy."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files
from itertools import count, pairwise
from typing import Any

import pandas as pd
import pytest
from browser import Website, Wire, chromium, free_port, serving, until
from hosts import HOSTS, LIST_RULES

from recommender.articles.reader import read_articles
from recommender.config import Settings
from recommender.demo.readers import PAGES
from recommender.functions import Site
from recommender.lists.appearance import LOOKS
from recommender.store.database import Store
from recommender.training.pipeline import build
from recommender_api.app import create_app

# A reader looks at a list for a second before it counts as seen, and there are many readers here.
pytestmark = pytest.mark.slow
STATIC = files("api").joinpath("static")
LISTS = files("recommender").joinpath("lists")
SCRIPT = STATIC.joinpath("widget.js").read_text(encoding="utf-8")
PAGE, OTHER = "pain-after-miscarriage", "gout"
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
READER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36"
# What a page knows about itself, for the tests to ask.
WITNESS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  violations.push(event.violatedDirective + " " + event.blockedURI));
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) shifts.push(entry.value);
}).observe({ type: "layout-shift", buffered: true });
"""
HIDE = """(state) => {
  Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
ROOM = "<p>" + "<br>".join(["A long text."] * 90) + "</p>"
OLD = (
    '<ul id="old"><li><a href="/one">One</a> <i>first</i></li><li><a href="/two">Two</a></li></ul>'
)


class Host:
    """A website that carries widgets, the API they talk to, and readers who come by."""

    def __init__(self, site: Website, wire: Wire, api: str, log: Site, browser: Any) -> None:
        self.site = site
        self.wire = wire
        self.api = api
        self.log = log
        self.browser = browser
        self.nowhere = f"http://127.0.0.1:{free_port()}"
        self.contexts: list[Any] = []
        self._numbers = count()

    def tag(self, **attributes: str) -> str:
        """The script tag with its data- attributes."""
        attributes = {"id": PAGE, **attributes} if "url" not in attributes else attributes
        data = " ".join(f'data-{name}="{value}"' for name, value in attributes.items())
        return f'<script src="{self.api}/widget.js" {data} async></script>'

    def publish(
        self,
        body: str,
        *,
        head: str = "",
        styles: str = "'none'",
        scripts: str = "",
        html: str = 'lang="en"',
    ) -> str:
        """The address of a new page; ``scripts`` may run on it as well as the widget."""
        policy = (
            f"default-src 'none'; style-src {styles}; script-src {self.api} {scripts};"
            f" connect-src {self.api} {self.nowhere}; img-src 'self'"
        )
        path = f"/page-{next(self._numbers)}"
        viewport = '<meta name="viewport" content="width=device-width, initial-scale=1">'
        page = f"<!doctype html><html {html}><head>{viewport}<title>t</title>{head}</head>"
        self.site.pages[path] = (f"{page}<body>{body}</body></html>", policy)
        return self.site.address + path

    def reader(self, *, window: dict[str, int] = DESK, script: str = "", **more: Any) -> Any:
        """A page of a new browser profile; ``page.complaints`` is what its console said."""
        context = self.browser.new_context(viewport=window, user_agent=READER, **more)
        self.contexts.append(context)
        context.add_init_script(WITNESS + script)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.complaints = []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        return page

    def visit(self, body: str, **how: Any) -> Any:
        """A reader who has just opened a new page with this body."""
        own = {name: how.pop(name) for name in ("head", "styles", "scripts", "html") if name in how}
        page = self.reader(**how)
        page.goto(self.publish(body, **own))
        return page

    def until_events(self, *kinds: str) -> bool:
        """Do exactly these events arrive, in this order, however often each?"""
        return until(lambda: self.wire.kinds() == [*kinds])


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Website, Wire, str, Site]]:
    """The sample site, its API, the line between them, and what an analyst sees of the log."""
    folder = tmp_path_factory.mktemp("widget")
    site = Website()
    settings = Settings(
        database=f"sqlite:///{folder / 'site.db'}",
        models=folder / "models",
        editorial=folder / "editorial.csv",
        allowed_origins=site.address,
    )
    with Store(settings.database) as store:
        store.apply(read_articles([PAGES], url=site.address + "/pages/{id}"))
        build(store, settings.models, now=datetime(2026, 11, 22, tzinfo=UTC))
    wire = Wire(create_app(settings, clock=lambda: datetime.now(UTC)))
    with serving(wire) as api, Store(settings.database) as store:
        yield site, wire, api, Site(store)
    site.close()


@pytest.fixture
def host(served: tuple[Website, Wire, str, Site], browser: Any) -> Iterator[Host]:
    """The website at the start of a day: nobody there yet, nothing sent, nothing wrong."""
    site, wire, api, log = served
    wire.calm()
    site.headers.clear()
    made = Host(site, wire, api, log, browser)
    yield made
    for context in made.contexts:
        context.close()


def titles(page: Any, place: str = ".recommender") -> list[str]:
    """What the links of a place say."""
    found: list[str] = page.locator(f"{place} a[href]").all_inner_texts()
    return found


def drawn(page: Any) -> Any:
    """The page, once its list stands."""
    page.wait_for_selector(".recommender a[href]")
    return page


def boxes(page: Any, place: str) -> list[dict[str, float]]:
    """Where the elements of a selector stand."""
    return [element.bounding_box() for element in page.locator(place).all()]


def warnings(page: Any) -> list[str]:
    """What the widget said in the console; nobody else says anything."""
    said = [text for text in page.complaints if "Failed to load resource" not in text]
    assert all(text.startswith("recommender: ") for text in said)
    return said


def answer(*items: dict[str, Any], slate: str | None = None) -> bytes:
    """An answer of the API, with these fields of its items."""
    blank = {"id": "x", "url": "/x", "title": "X", "teaser": "", "score": 1.0, "origin": "text"}
    listed = [{**blank, "position": place, **item} for place, item in enumerate(items, start=1)]
    return json.dumps({"article_id": PAGE, "model": "m", "slate": slate, "items": listed}).encode()


# Drawing


def test_it_is_small():
    """Less than 5 kB over the wire."""
    assert len(gzip.compress(SCRIPT.encode())) < 5_000


@pytest.mark.parametrize(
    ("script", "parts"),
    [("widget", ["list.css"]), ("widget-more", ["cards.css", "headings.json"])],
)
def test_it_is_what_was_made_of_its_source(script: str, parts: list[str]):
    """`make widget` was run after the last change, of the style and the headings too."""
    sources = [STATIC.joinpath(f"{script}.source.js"), *(LISTS.joinpath(part) for part in parts)]
    made_of = b"".join(source.read_bytes() for source in sources)

    made = STATIC.joinpath(f"{script}.js").read_text(encoding="utf-8")
    assert made.startswith(f"/* make widget: {hashlib.sha256(made_of).hexdigest()[:8]} */\n")


def test_it_may_stand_in_a_page():
    """Nothing in it ends a script element, nor begins a comment of HTML or of a line."""
    assert not {"</", "<!--", "<script", "//"} & {*re.findall("</|<!--|<script|//", SCRIPT)}


def test_one_tag_draws_the_list_of_an_article(host: Host):
    """The API's links in its order, in a landmark named by its heading, under a strict policy."""
    page = drawn(host.visit(f"<h1>Pain</h1>{host.tag()}<footer>End</footer>"))

    links = host.wire.links
    rows = page.locator("nav ol > li")
    navigation = page.get_by_role("navigation", name="Related articles", exact=True)
    assert navigation.get_by_role("heading", name="Related articles").count() == 1
    assert len(links) == 10
    assert titles(page) == [link["title"] for link in links]
    assert [a.get_attribute("href") for a in rows.locator("a").all()] == [a["url"] for a in links]
    assert rows.locator(".recommender-teaser").all_inner_texts() == [a["teaser"] for a in links]
    assert page.locator("script + nav + footer").count() == 1
    assert page.evaluate("violations") == page.complaints == []
    (query,) = host.wire.queries
    assert query["id"] == PAGE and query["k"] == "10" and 0 <= int(query["variant"]) < 100


def test_the_address_of_the_page_will_do(host: Host):
    """What data-url says, else the canonical link, else where the page is, without a fragment."""
    page = host.reader()
    canonical = f'<link rel="canonical" href="/pages/{PAGE}?utm_source=mail">'
    tag = host.tag().replace(f'data-id="{PAGE}"', "")
    bare = host.publish(tag)

    page.goto(host.publish(tag, head=canonical))
    drawn(page)
    page.goto(host.publish(host.tag(url=f"{host.site.address}/pages/{OTHER}"), head=canonical))
    drawn(page)
    page.goto(f"{bare}?page=2#top")
    drawn(page)

    assert [answer["article_id"] for answer in host.wire.answers] == [PAGE, OTHER, None]
    assert host.wire.queries[-1]["url"] == f"{bare}?page=2"


def test_the_variant_is_drawn_for_each_view(host: Host):
    """From 0 to 99; thirty draws do not agree."""
    page = host.visit(host.tag(k="3") * 30)
    page.wait_for_selector(".recommender a >> nth=89")

    asked = page.evaluate(
        "performance.getEntriesByType('resource').map((entry) => entry.name)"
        ".flatMap((name) => new URL(name).searchParams.getAll('variant'))"
    )
    assert len(asked) == 30
    assert {*asked} <= {*map(str, range(100))}
    assert len({*asked}) > 12


def test_what_is_no_web_address_is_no_link(host: Host):
    """Text instead of links that would run a script or lead nowhere; markup is shown as text."""
    host.wire.answer = answer(
        {"url": "javascript:alert(1)", "title": "A script"},
        {"url": " java\nscript:alert(1)", "title": "A script in disguise"},
        {"url": "data:text/html,x", "title": "A page of data"},
        {"url": None, "title": "No page"},
        {"url": "//[", "title": "No address"},
        {"url": "/pages/knee?a=1&b=2", "title": "<b>Knee</b> & co"},
        {"url": "https://example.org/hip", "title": "Hip", "teaser": "<script>alert(1)</script>"},
    )

    page = drawn(host.visit(host.tag()))

    hrefs = [a.get_attribute("href") for a in page.locator(".recommender a").all()]
    assert hrefs == [f"{host.site.address}/pages/knee?a=1&b=2", "https://example.org/hip"]
    assert titles(page) == ["<b>Knee</b> & co", "Hip"]
    assert page.locator(".recommender li").count() == 7
    assert page.locator(".recommender script, .recommender b").count() == 0


def test_two_lists_on_one_page_are_two(host: Host):
    """Each has its own article, place, heading, view and clicks."""
    body = f'<div id="side"></div>{host.tag(k="2")}<hr>' + host.tag(
        id=OTHER, target="#side", k="3", heading="Also", layout="sidebar"
    )
    page = host.visit(body)
    page.wait_for_selector("#side a")
    page.wait_for_selector("script + .recommender a")

    sizes = {answer["article_id"]: len(answer["items"]) for answer in host.wire.answers}
    assert sizes == {PAGE: 2, OTHER: 3}
    assert len(titles(page, "#side")) == 3
    assert page.get_by_role("navigation", name="Also", exact=True).count() == 1
    assert page.get_by_role("navigation", name="Related articles", exact=True).count() == 1
    assert host.until_events("impression", "impression")
    first, second = host.wire.events
    assert first["view_id"] != second["view_id"] and first["slate"] != second["slate"]
    assert {first["layout"], second["layout"]} == {"bottom", "sidebar"}

    page.locator("#side a").nth(1).click(button="middle")
    assert host.until_events("impression", "impression", "click")
    (sidebar,) = (event for event in host.wire.events[:2] if event["layout"] == "sidebar")
    click = host.wire.events[2]
    assert (click["view_id"], click["slate"]) == (sidebar["view_id"], sidebar["slate"])


def test_a_phone_shows_it_whole(host: Host):
    """Nothing is wider than the window, however long a word is."""
    host.wire.answer = answer({"title": "W" * 80, "teaser": "w" * 80}, {"title": "Short"})

    page = drawn(host.visit(host.tag(), window=PHONE))

    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    box = page.locator(".recommender").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"]


@pytest.mark.parametrize("window", [DESK, PHONE], ids=["desk", "phone"])
def test_nothing_jumps_when_the_list_arrives(host: Host, window: dict[str, int]):
    """Room is kept from the moment the tag is read, for a list in view and for one further down."""
    host.wire.delay = 0.5
    plain = host.tag().replace(" async", "")
    top, bottom = f"{plain}<p>Below.</p>{ROOM}", f"{ROOM}{host.tag()}<p>Below.</p>"

    for body in (top, bottom):
        page = drawn(host.visit(body, window=window))
        page.wait_for_timeout(150)
        assert sum(page.evaluate("shifts")) < 0.001


def test_the_room_is_the_hosts_to_choose(host: Host):
    """By a custom property."""
    host.wire.delay = 2
    page = host.reader()

    page.goto(
        host.publish(
            host.tag(),
            head="<style>.recommender { --recommender-reserve: 777px }</style>",
            styles="'unsafe-inline'",
        )
    )

    page.wait_for_selector(".recommender", state="attached")
    assert page.locator(".recommender").bounding_box()["height"] == 777
    assert not page.get_by_text("words").first.is_visible()
    assert page.locator(".recommender").inner_text().strip() == ""
    assert drawn(page).locator(".recommender").bounding_box()["height"] == 777


@pytest.mark.parametrize(("asked", "n_links"), [("-5", 1), ("0", 10), ("x", 10)])
def test_a_number_that_cannot_be_is_a_list(host: Host, asked: str, n_links: int):
    """At least one; what is no number is none."""
    page = drawn(host.visit(host.tag(k=asked)))

    assert len(titles(page)) == n_links and page.complaints == []


# Seeing


def test_a_list_counts_as_seen_after_a_second(host: Host):
    """And not before; once; with what the contract asks for and nothing else."""
    page = drawn(host.visit(host.tag()))

    assert host.until_events("impression")
    assert 1 < host.wire.posts[0][0] - host.wire.asked < 6
    page.wait_for_timeout(300)
    (event,) = host.wire.events
    assert set(event) == {"type", "view_id", "slate", "layout", "age_ms"}
    assert len(event["view_id"]) == 32
    assert event["layout"] == "bottom"
    assert 1000 <= event["age_ms"] < 3000


def test_what_is_out_of_view_is_not_seen(host: Host):
    """Nor what passes by in less than a second; what stays in view then is."""
    page = drawn(host.visit(ROOM + host.tag() + ROOM))

    page.wait_for_timeout(1200)
    assert host.wire.events == []
    page.locator(".recommender").scroll_into_view_if_needed()
    page.wait_for_timeout(400)
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(1000)
    assert host.wire.events == []
    page.locator(".recommender").scroll_into_view_if_needed()
    assert host.until_events("impression")


def test_a_hidden_tab_sees_nothing(host: Host):
    """The second begins anew when the tab is shown."""
    page = drawn(host.visit(ROOM + host.tag() + ROOM))

    page.evaluate(HIDE, "hidden")
    page.locator(".recommender").scroll_into_view_if_needed()
    page.wait_for_timeout(1300)
    assert host.wire.events == []
    page.evaluate(HIDE, "visible")
    page.wait_for_timeout(400)
    assert host.wire.events == []
    assert host.until_events("impression")


def test_of_a_list_taller_than_the_window_half_a_window_counts(host: Host):
    """Less than that does not."""
    page = drawn(host.visit(ROOM + host.tag() + ROOM, window={"width": 300, "height": 300}))
    top = page.evaluate(
        "document.querySelector('.recommender-list').getBoundingClientRect().top + scrollY"
    )

    assert page.locator(".recommender-list").bounding_box()["height"] > 600
    page.evaluate("(y) => scrollTo(0, y)", top - 300 + 130)
    page.wait_for_timeout(1300)
    assert host.wire.events == []
    page.evaluate("(y) => scrollTo(0, y)", top - 300 + 160)
    assert host.until_events("impression")


# Following


def test_what_was_seen_and_followed_is_in_the_store(host: Host):
    """The list that was on the page, its layout, and a click no sooner than a reader can be."""
    page = drawn(host.visit(host.tag(layout="end")))
    assert host.until_events("impression")
    page.locator(".recommender a").nth(2).click()
    assert host.until_events("impression", "click")
    view = host.wire.events[0]["view_id"]

    def kept(table: pd.DataFrame) -> pd.DataFrame:
        return table[table["view_id"] == view]

    assert until(lambda: len(kept(host.log.clicks())) == 1)
    (impression,) = kept(host.log.impressions()).to_dict("records")
    (click,) = kept(host.log.clicks()).to_dict("records")
    ids = [link["id"] for link in host.wire.links]
    assert (impression["source_id"], list(impression["shown"])) == (PAGE, ids)
    assert impression["layout"] == "end"
    assert click["clicked"] == ids[2]
    assert 1 <= (click["ts"] - impression["ts"]).total_seconds() < 10


def test_a_click_arrives_although_the_page_goes(host: Host):
    """Once, after the impression, with its position; then the next article is there."""
    page = drawn(host.visit(host.tag()))
    assert host.until_events("impression")

    page.locator(".recommender a").nth(2).click()

    page.wait_for_selector("h1 >> text=Another article")
    assert page.url == host.wire.links[2]["url"]
    assert host.until_events("impression", "click")
    impression, click = host.wire.events
    assert set(click) == {"type", "view_id", "slate", "position", "age_ms"}
    assert click["position"] == 3
    assert click["age_ms"] < 1000
    assert (click["view_id"], click["slate"]) == (impression["view_id"], impression["slate"])


def test_an_early_click_brings_the_impression_with_it(host: Host):
    """In one post, the impression dated back to when the list came into view."""
    page = drawn(host.visit(host.tag()))
    page.wait_for_timeout(300)

    page.locator(".recommender a").first.click()

    assert host.until_events("impression", "click")
    impression, click = host.wire.events
    assert len(host.wire.posts) == 1
    assert impression["age_ms"] - click["age_ms"] > 250
    page.wait_for_timeout(1200)
    assert len(host.wire.posts) == 1


def test_the_keyboard_follows_links(host: Host):
    """Tab and Enter are a click; focus walks through the list and out of it."""
    host.wire.delay = 0.2
    page = drawn(host.visit(f"{host.tag(k='2')}<a id='after' href='/after'>After</a>"))

    for _ in range(3):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "after"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")

    page.wait_for_selector("h1 >> text=Another article")
    assert host.until_events("impression", "click")
    assert host.wire.events[1]["position"] == 2


def test_a_middle_click_counts_once_and_the_page_stays(host: Host):
    """Opening a link in tabs twice is one click of one view; another link is another."""
    page = drawn(host.visit(host.tag()))
    links = page.locator(".recommender a")

    links.nth(1).click(button="middle")
    links.nth(1).click(button="middle")
    links.nth(1).click(modifiers=["Control"])
    links.nth(4).click(button="middle")
    links.nth(0).click(button="right")

    page.wait_for_timeout(1200)
    assert host.until_events("impression", "click", "click")
    assert [event["position"] for event in host.wire.events[1:]] == [2, 5]
    assert page.locator(".recommender").count() == 1


def test_a_host_that_stops_clicks_hides_none(host: Host):
    """Its handlers come second."""
    page = drawn(host.visit(host.tag()))
    page.evaluate(
        """() => document.addEventListener("click", (event) => {
             event.stopImmediatePropagation(); event.preventDefault(); }, true)"""
    )

    page.locator(".recommender a").first.click()

    assert host.until_events("impression", "click")


def test_who_comes_back_sees_a_new_view(host: Host):
    """Of the same list: the page is as it was left, and what is seen again counts again."""
    page = drawn(host.visit(host.tag()))
    page.locator(".recommender a").nth(1).click()
    page.wait_for_selector("h1 >> text=Another article")

    # The driver misses pages that come out of the back-forward cache.
    page.go_back(wait_until="commit")
    assert host.until_events("impression", "click", "impression")
    page.locator(".recommender a").nth(1).click()
    assert host.until_events("impression", "click", "impression", "click")
    first, _, second, click = host.wire.events
    assert first["view_id"] != second["view_id"] == click["view_id"]
    assert first["slate"] == second["slate"] == click["slate"]
    assert len(host.wire.queries) == 1


def test_a_page_out_of_the_back_forward_cache_is_a_new_view(host: Host):
    """Nothing is asked for again; the same slate is seen and clicked under a new view."""
    page = drawn(host.visit(host.tag()))
    assert host.until_events("impression")

    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")

    assert host.until_events("impression", "impression")
    first, second = host.wire.events
    assert first["slate"] == second["slate"] and first["view_id"] != second["view_id"]
    assert len(host.wire.queries) == 1


def test_what_the_server_could_not_take_is_sent_once_more(host: Host):
    """After a while, dated back, and then no more."""
    host.wire.refusals = [429, 503, 500, 500]
    drawn(host.visit(host.tag(k="2") * 2))

    assert until(lambda: len(host.wire.sent) == 4)
    for second in host.wire.sent[2:]:
        (first,) = (e for e in host.wire.sent[:2] if e["view_id"] == second["view_id"])
        assert second["age_ms"] - first["age_ms"] >= 1900
        assert {**second, "age_ms": 0} == {**first, "age_ms": 0}


def test_what_failed_goes_out_with_the_page(host: Host):
    """Whoever leaves before the second try makes it."""
    host.wire.refusals = [503]
    page = host.reader()
    with page.expect_response("**/v1/events"):
        page.goto(host.publish(host.tag()))
    page.wait_for_timeout(200)

    page.goto("about:blank")

    assert until(lambda: len(host.wire.sent) == 2)
    assert host.wire.kinds() == ["impression"]


def test_a_browser_that_cannot_keep_a_request_alive_sends_a_beacon(host: Host):
    """And the page may go all the same."""
    page = drawn(host.visit(host.tag(), script="delete Request.prototype.keepalive;"))

    page.locator(".recommender a").first.click()

    page.wait_for_selector("h1 >> text=Another article")
    assert host.until_events("impression", "click")


# A list that is there already


def test_a_rendered_list_is_brought_up_to_date_in_place(host: Host):
    """Its heading, its list and its classes stay; its links are the API's."""
    body = (
        '<div id="more"><h3>Read on</h3><ul class="cards"><li class="card"><a class="go"'
        f' href="/one">One</a></li></ul></div>{host.tag(target="#more")}'
    )
    page = host.visit(body)
    page.wait_for_selector("#more li:nth-child(2)")

    assert titles(page, "#more") == [link["title"] for link in host.wire.links]
    assert page.locator("#more > ul.cards > li.card > a.go").count() == 10
    assert page.locator("#more h3").inner_text() == "Read on"
    assert page.locator("#more nav, .recommender-teaser").count() == 0
    assert host.until_events("impression")


@pytest.mark.parametrize("trouble", ["down", "slow", "broken", "odd", "empty", "error"])
def test_a_rendered_list_survives_a_bad_api(host: Host, trouble: str):
    """Byte for byte, and its links still work."""
    attributes = {"target": "#old"}
    if trouble == "down":
        attributes["api"] = host.nowhere
    elif trouble == "slow":
        host.wire.delay = 1.2
    elif trouble == "error":
        attributes["api"] = f"{host.api}/elsewhere"
    else:
        host.wire.answer = {"broken": b'{"items": [', "odd": b'{"items": {}}', "empty": answer()}[
            trouble
        ]

    page = host.visit(f"<main>{OLD}</main>{host.tag(**attributes)}")
    page.wait_for_timeout(1500 if trouble == "slow" else 500)

    assert page.locator("main").inner_html() == OLD
    assert page.evaluate("violations") == []
    (warning,) = warnings(page)
    assert "unknown page" in warning if trouble == "empty" else "Check data-api" in warning
    page.click("#old a")
    page.wait_for_selector("h1 >> text=Another article")
    assert host.wire.events == []


def test_an_answer_in_time_replaces_it(host: Host):
    """A third of a second is soon enough."""
    host.wire.delay = 0.3
    page = host.visit(f"{OLD}{host.tag(target='#old')}")

    page.wait_for_selector("#old li:nth-child(10)")
    assert titles(page, "#old") == [link["title"] for link in host.wire.links]


def test_a_list_in_use_is_not_pulled_away(host: Host):
    """Who is about to follow a link gets the one they see."""
    focus = """addEventListener("DOMContentLoaded", () => document.querySelector("a").focus());"""
    page = host.visit(f"<main>{OLD}</main>{host.tag(target='#old')}", script=focus)

    assert until(lambda: host.wire.answers)
    page.wait_for_timeout(300)

    assert page.locator("main").inner_html() == OLD


def test_a_list_with_its_token_is_reported_as_it_stands(host: Host):
    """The site's server asked the API itself: nothing is fetched or touched, all is reported."""
    old = OLD.replace('id="old"', 'id="old" data-slate="token"').replace(
        'href="/two"', 'href="/two" data-position="7"'
    )
    page = host.visit(f"<main>{old}</main>{host.tag(target='#old', layout='end')}")

    assert host.until_events("impression")
    for link in page.locator("#old a").all():
        link.click(button="middle")
    assert host.until_events("impression", "click", "click")
    assert page.locator("main").inner_html() == old
    assert host.wire.queries == []
    assert {event["slate"] for event in host.wire.events} == {"token"}
    assert [event["position"] for event in host.wire.events[1:]] == [1, 7]
    assert host.wire.events[0]["layout"] == "end"


# An empty place


def test_an_empty_place_closes_if_the_api_is_down(host: Host):
    """The page is as if there had been no widget."""
    body = f'<div id="here"></div>{host.tag(target="#here", api=host.nowhere)}<p>End</p>'
    tag = host.tag(api=host.nowhere)
    page = host.visit(f"{body}{tag}")

    page.wait_for_timeout(500)

    assert page.locator(".recommender").count() == 0
    assert page.locator("#here").bounding_box()["height"] == 0
    assert page.evaluate("violations") == []
    (warning,) = warnings(page)
    assert f"{host.nowhere}/v1/related" in warning


def test_an_empty_place_waits_longer(host: Host):
    """A list that comes after a second is better than none."""
    host.wire.delay = 1.2

    page = drawn(host.visit(f'<div id="here"></div>{host.tag(target="#here")}'))

    assert titles(page, "#here") == [link["title"] for link in host.wire.links]


def test_a_page_without_the_place_gets_nothing(host: Host):
    """The same tag may stand on every page of a site; a warning says what is missing."""
    page = host.visit(host.tag(target="#elsewhere") + host.tag(target="]["))

    page.wait_for_timeout(1400)

    assert page.locator(".recommender").count() == 0
    assert host.wire.queries == []
    assert {text.split(". ")[0] for text in warnings(page)} == {
        'recommender: no place for a list: nothing matches data-target="#elsewhere"',
        'recommender: no place for a list: nothing matches data-target="]["',
    }


def test_a_place_may_be_a_list_or_in_a_landmark(host: Host):
    """A list gets entries alone, a landmark no second one in it; a heading can be left out."""
    body = '<ol id="list"></ol><nav aria-label="More"><div id="place"></div></nav>'
    tags = host.tag(target="#list", k="2") + host.tag(target="#place", k="2", heading="")
    page = host.visit(body + tags)
    page.wait_for_selector("#list > li > a")
    page.wait_for_selector("#place li a")

    assert page.locator("#list > li > a + .recommender-teaser").count() == 2
    assert page.locator("nav").count() == 1
    assert page.locator("h2").count() == 0


# Privacy


def stored(page: Any) -> list[Any]:
    """Everything a page's origin and the API's have left with the reader."""
    kept = page.evaluate("[{...sessionStorage}, {...localStorage}, document.cookie]")
    return [*kept, page.context.cookies()]


def test_without_consent_nothing_is_stored(host: Host):
    """No session, no cookie, and no cookie of the API's is sent along."""
    page = host.reader()
    page.context.add_cookies([{"name": "seen", "value": "1", "url": host.api}])
    page.goto(host.publish(host.tag(k="2") + host.tag(k="2", consent="false")))
    page.wait_for_selector(".recommender >> nth=1 >> a")

    assert host.until_events("impression", "impression")
    assert not any("session_id" in event for event in host.wire.events)
    assert stored(page)[:3] == [{}, {}, "seen=1"]
    assert host.wire.cookies == []


def test_with_consent_a_session_lasts_as_long_as_the_tab(host: Host):
    """One random id for all lists and pages of a tab, another one in the next tab."""
    page = host.reader()
    address = host.publish(
        host.tag(k="2", consent="true") + host.tag(id=OTHER, k="2", consent="granted")
    )
    page.goto(address)
    assert host.until_events("impression", "impression")
    page.goto(address)
    assert host.until_events(*["impression"] * 4)
    other = page.context.new_page()
    other.goto(address)
    assert host.until_events(*["impression"] * 6)

    sessions = [event["session_id"] for event in host.wire.events]
    assert len(sessions[0]) == 32
    assert len(set(sessions[:4])) == len(set(sessions[4:])) == 1
    assert sessions[0] != sessions[4]
    assert stored(page) == [{"recommender": sessions[0]}, {}, "", []]


def test_consent_given_later_counts_from_then(host: Host):
    """It is asked for when an event happens."""
    page = drawn(host.visit(host.tag(consent="no")))

    page.evaluate("document.querySelector('script').dataset.consent = 'true'")

    assert host.until_events("impression")
    assert "session_id" in host.wire.events[0]


@pytest.mark.parametrize("signal", ["gpc", "full"])
def test_no_session_for_who_objects_or_cannot_keep_one(host: Host, signal: str):
    """Global Privacy Control outweighs consent; a storage that fails is no storage."""
    objection = {
        "gpc": "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {value: true})",
        "full": "Storage.prototype.setItem = () => { throw new Error('full') }",
    }[signal]
    page = drawn(host.visit(host.tag(consent="true"), script=objection))

    assert host.until_events("impression")
    assert "session_id" not in host.wire.events[0]
    assert stored(page) == [{}, {}, "", []]


def test_an_answer_without_a_token_is_not_reported(host: Host):
    """There is nothing an event could point at."""
    host.wire.answer = answer({"title": "One"})
    page = drawn(host.visit(host.tag()))

    page.wait_for_timeout(1200)
    page.locator(".recommender a").first.click(button="middle")
    page.wait_for_timeout(200)

    assert host.wire.events == []


# Pages that are rebuilt in place


# What Turbo does, and htmx likewise: a copy of the body is kept, another body comes, its scripts
# are made anew so that they run, and what was kept comes back the same way.
VISITS = """
window.kept = {};
const rerun = (root) => {
  for (const old of root.querySelectorAll("script")) {
    const script = document.createElement("script");
    for (const { name, value } of old.attributes) script.setAttribute(name, value);
    old.replaceWith(script);
  }
};
window.turbo = (path, html) => {
  kept[location.pathname] = document.body.cloneNode(true);
  history.pushState({}, "", path);
  const body = document.createElement("body");
  if (html) body.innerHTML = html;
  const next = html ? body : kept[path].cloneNode(true);
  document.documentElement.replaceChild(next, document.body);
  rerun(next);
};
window.htmx = (path, html) => {
  kept[location.pathname] = document.body.innerHTML;
  history.pushState({}, "", path);
  document.body.innerHTML = html || kept[path];
  rerun(document.body);
};
"""
TARGET = '<div id="here"></div>'
SNIPPET = '<div data-recommender data-id="{id}"></div>'


def bare(host: Host) -> str:
    """A tag that says nothing."""
    return host.tag(url="").replace(' data-url=""', "")


def shown_once(page: Any, n_links: int = 10) -> bool:
    """Is there one list, which can be seen and has so many links?"""
    frames = page.locator(".recommender")
    return until(
        lambda: (
            frames.count() == 1
            and frames.is_visible()
            and page.locator(".recommender a[href]").count() == n_links
        ),
        seconds=3,
    )


@pytest.mark.parametrize("how", ["turbo", "htmx"])
@pytest.mark.parametrize("target", ["", "#here"], ids=["here", "target"])
def test_visits_without_a_page_load_have_one_list_each(host: Host, how: str, target: str):
    """Forth and back: one list, its own; what comes back is not asked for again, and each showing
    is a view of its own, whose click is reported as its own.
    """
    more = {"target": target} if target else {}
    first, second = (TARGET + host.tag(id=id, **more) for id in (PAGE, OTHER))
    # What is kept as text keeps the height that a list was held to as an attribute.
    address = host.publish(first, styles="'unsafe-inline'")
    page = host.reader(script=VISITS)
    page.goto(address)
    home = page.evaluate("location.pathname")
    assert shown_once(page) and host.until_events("impression")

    page.evaluate(f"([html]) => {how}('/second', html)", [second])
    assert until(lambda: len(host.wire.answers) == 2)
    assert shown_once(page) and host.until_events(*["impression"] * 2)
    assert titles(page) == [link["title"] for link in host.wire.links]
    for path in (home, "/second", home):
        page.evaluate(f"([path]) => {how}(path)", [path])
        page.wait_for_timeout(300)
        assert shown_once(page)
        page.wait_for_timeout(1100)
    assert host.until_events(*["impression"] * 5)
    page.locator(".recommender a").nth(3).click(button="middle")
    assert host.until_events(*["impression"] * 5, "click")

    slates = [event["slate"] for event in host.wire.events]
    views = [event["view_id"] for event in host.wire.events]
    assert [answer["article_id"] for answer in host.wire.answers] == [PAGE, OTHER]
    assert slates == [slates[at] for at in (0, 1, 0, 1, 0, 0)]
    assert len({*views}) == 5 and views[5] == views[4]
    assert page.complaints == []


def test_a_morphed_page_keeps_its_list(host: Host):
    """Who makes a page like its source takes the list away: it is put back, nothing is asked, and
    the view goes on. A tag that names another article gets another list.
    """
    page = drawn(host.visit(f"<main>{host.tag()}</main>"))
    assert host.until_events("impression")

    page.evaluate("document.querySelector('.recommender').remove()")
    assert shown_once(page)
    page.wait_for_timeout(1200)
    assert len(host.wire.queries) == 1 and host.wire.kinds() == ["impression"]

    page.evaluate(f"document.querySelector('script').dataset.id = '{OTHER}'")
    assert until(lambda: len(host.wire.answers) == 2)
    assert shown_once(page) and host.until_events("impression", "impression")
    assert titles(page) == [link["title"] for link in host.wire.links]


def test_who_takes_the_list_away_again_and_again_wins(host: Host):
    """Nobody is asked without end, and the page is not kept busy."""
    page = host.reader()
    page.goto(host.publish(host.tag()))
    page.evaluate(
        """() => { window.taken = 0;
           const take = (list) => { taken += 1; list.remove(); };
           new MutationObserver(() => document.querySelectorAll(".recommender").forEach(take))
             .observe(document, { childList: true, subtree: true });
           document.body.append(document.createElement("i")); }"""
    )

    page.wait_for_timeout(1500)
    taken = page.evaluate("taken")
    page.wait_for_timeout(500)

    assert taken == page.evaluate("taken") < 30
    assert len(host.wire.queries) < 3
    (warning,) = warnings(page)
    assert "removed again and again" in warning


def test_a_place_that_is_emptied_for_ever_keeps_its_list(host: Host):
    """However often, if it is not many times a second; nothing is asked, and the view goes on."""
    page = drawn(host.visit(SNIPPET.format(id=PAGE), head=bare(host)))

    for _ in range(12):
        page.evaluate("document.querySelector('[data-recommender]').replaceChildren()")
        page.wait_for_timeout(150)

    assert shown_once(page) and host.until_events("impression")
    assert len(host.wire.queries) == 1 and page.complaints == []


REBUILDS = {
    "copied": "place.outerHTML = place.outerHTML",
    "emptied": "place.replaceWith(place.cloneNode(false))",
    "moved": "place.remove(), setTimeout(() => document.body.append(place), 200)",
    "around it": "document.body.innerHTML = document.body.innerHTML",
}


@pytest.mark.parametrize("seen", [True, False], ids=["seen", "at once"])
@pytest.mark.parametrize("how", REBUILDS)
def test_a_place_made_anew_goes_on_being_one_view(host: Host, how: str, seen: bool):
    """While the address is the same: it is asked for once, seen once, and a link that is followed
    before and after is followed once.
    """
    # What is copied as text keeps the height that a list was held to as an attribute.
    page = host.visit(SNIPPET.format(id=PAGE), head=bare(host), styles="'unsafe-inline'")
    drawn(page)
    if seen:
        assert host.until_events("impression")

    for _ in range(3):
        page.evaluate(f"() => {{ const place = document.querySelector('div'); {REBUILDS[how]} }}")
        page.wait_for_timeout(500)
        assert shown_once(page)
        page.locator(".recommender a").nth(2).click(button="middle")
    page.wait_for_timeout(1200)

    assert host.until_events("impression", "click")
    assert len({event["view_id"] for event in host.wire.sent}) == 1
    assert len(host.wire.sent) == 2 and len(host.wire.queries) == 1


def test_a_place_made_anew_at_another_address_is_another_view(host: Host):
    """The list is the same, as its id is."""
    page = host.visit(SNIPPET.format(id=PAGE), head=bare(host), styles="'unsafe-inline'")
    assert host.until_events("impression")

    page.evaluate("history.pushState({}, '', '/next'), document.body.innerHTML += ' '")

    assert host.until_events("impression", "impression")
    assert len({event["view_id"] for event in host.wire.events}) == 2
    assert len({event["slate"] for event in host.wire.events}) == 1


@pytest.mark.parametrize("emptied", ["ul", ".recommender"])
def test_a_list_whose_place_is_copied_without_it_is_drawn_again(host: Host, emptied: str):
    """A copy that carries our mark and shows nothing is no list."""
    place = "<ul data-recommender></ul>" if emptied == "ul" else "<div data-recommender></div>"
    place = place.replace("></", f' data-id="{PAGE}"></')
    page = host.visit(f"<main>{place}</main>", head=bare(host), styles="'unsafe-inline'")
    page.wait_for_selector("main a")
    assert host.until_events("impression")

    page.evaluate(
        f"""() => {{ const copy = document.querySelector("main").cloneNode(true);
            copy.querySelector("{emptied}").replaceChildren();
            document.querySelector("main").replaceWith(copy); }}"""
    )

    assert until(lambda: page.locator("main a:visible").count() == 10)
    page.wait_for_timeout(1200)
    assert host.wire.kinds() == ["impression"] and len(host.wire.queries) == 1


def test_a_rendered_list_made_anew_goes_on_being_one_view(host: Host):
    """With its token; another token is another view."""
    old = OLD.replace("<ul", '<ul data-recommender data-slate="token"')
    page = host.visit(f"<main>{old}</main>", head=bare(host))
    assert host.until_events("impression")

    page.evaluate("document.querySelector('main').innerHTML += ' '")
    page.wait_for_timeout(1300)
    assert host.wire.kinds() == ["impression"]
    other = old.replace("token", "other")
    page.evaluate(f"document.querySelector('ul').outerHTML = `{other}`")

    assert host.until_events("impression", "impression")
    assert [event["slate"] for event in host.wire.events] == ["token", "other"]


@pytest.mark.parametrize("mounted", [False, True], ids=["place", "mounted"])
def test_a_tag_that_served_other_places_is_none_itself(host: Host, mounted: bool):
    """On a page without a place, which comes instead of one that had one, there is no list."""
    place = TARGET if mounted else SNIPPET.format(id=PAGE)
    page = host.visit(f"<main>{place}</main>{bare(host)}")
    page.wait_for_function("window.recommender")
    if mounted:
        page.evaluate(f"void (window.end = {MOUNT})")
    assert shown_once(page, 3 if mounted else 10)

    page.evaluate(
        f"""() => {{ history.pushState({{}}, "", "/pages/{OTHER}"); window.end && end();
            document.querySelector("main").innerHTML = "<p>Contact</p>"; }}"""
    )

    page.wait_for_timeout(500)
    assert page.locator(".recommender").count() == 0
    # A tag that was a place of its own until somebody mounted has asked, too.
    assert {query.get("id") for query in host.wire.queries} - {None} == {PAGE}
    assert not any(OTHER in query.get("url", "") for query in host.wire.queries)


def test_an_app_that_changes_its_address_has_the_list_of_the_page_it_shows(host: Host):
    """One tag outside of what is replaced, and no id: by the address, the canonical one only as
    long as it is that of the page.
    """
    body = f"<main>{TARGET}</main>" + host.tag(target="#here", url="")
    head = f'<link rel="canonical" href="{host.site.address}/pages/{PAGE}">'
    page = host.visit(body, head=head)
    assert shown_once(page) and host.wire.answers[-1]["article_id"] == PAGE

    page.evaluate(
        f"""() => {{ history.pushState({{}}, "", "/pages/{OTHER}");
            document.querySelector("main").innerHTML = `{TARGET}`; }}"""
    )

    assert until(lambda: len(host.wire.answers) == 2)
    assert host.wire.answers[-1]["article_id"] == OTHER
    assert shown_once(page)
    page.evaluate("history.replaceState({}, '', '?utm_source=x')")
    page.evaluate("document.body.append(document.createElement('i'))")
    page.wait_for_timeout(200)
    assert len(host.wire.queries) == 2 and page.complaints == []


def test_an_id_is_not_taken_for_that_of_the_next_page(host: Host):
    """A tag that stays while its place is another's: the page is asked for by its address."""
    page = host.visit(f"<main>{TARGET}</main>{host.tag(target='#here')}")
    assert shown_once(page)

    page.evaluate("history.pushState({}, '', '#part'), history.pushState({}, '', '/a/picture')")
    page.evaluate("document.body.append(document.createElement('i'))")
    page.wait_for_timeout(200)
    assert len(host.wire.queries) == 1
    page.evaluate(
        f"""() => {{ history.pushState({{}}, "", "/pages/{OTHER}");
            document.querySelector("main").innerHTML = `{TARGET}`; }}"""
    )

    assert until(lambda: len(host.wire.answers) == 2)
    assert host.wire.answers[-1]["article_id"] == OTHER


# Mounted by the page's own scripts


MOUNT = f'recommender.mount(document.querySelector("#here"), {{ id: "{PAGE}", k: 3 }})'


def test_a_list_is_mounted_and_unmounted(host: Host):
    """In an element, with the options of the tag; then it is gone, and reports nothing."""
    page = host.visit(TARGET, head=host.tag(url="").replace("data-url", "data-x"))
    page.wait_for_function("window.recommender")

    page.evaluate(
        f"""() => {{ window.end = recommender.mount(document.querySelector("#here"),
            {{ id: "{PAGE}", k: 3, heading: "More", layout: "app" }}); }}"""
    )
    assert shown_once(page, 3) and host.until_events("impression")
    assert page.get_by_role("navigation", name="More").count() == 1
    assert host.wire.events[0]["layout"] == "app"
    page.evaluate("end()")

    page.wait_for_timeout(1200)
    assert page.locator(".recommender").count() == 0
    assert page.locator("#here").inner_html() == ""
    assert len(host.wire.queries) == 1 and host.wire.kinds() == ["impression"]
    assert page.complaints == []


def test_mounted_twice_is_mounted_once(host: Host):
    """As React does it when it is strict, and with the same options again; others are heard."""
    page = host.visit(TARGET, head=host.tag())
    page.wait_for_function("window.recommender")

    page.evaluate(
        f"""() => {{ const place = document.querySelector("#here");
            const options = {{ id: "{PAGE}", k: 4 }};
            recommender.mount(place, options); recommender.unmount(place);
            recommender.mount(place, options); recommender.mount(place, {{ ...options }}); }}"""
    )
    assert shown_once(page, 4)
    page.wait_for_timeout(1200)
    assert shown_once(page, 4) and host.wire.kinds() == ["impression"]
    assert len(host.wire.queries) == 1

    again = f"document.querySelector('#here'), {{ id: '{OTHER}', k: 4 }}"
    page.evaluate(f"void recommender.mount({again})")
    assert host.until_events("impression", "impression")
    assert shown_once(page, 4) and host.wire.answers[-1]["article_id"] == OTHER


def test_who_unmounts_ends_what_they_mounted(host: Host):
    """Not what somebody mounted in the same element since; and nothing is not mounted."""
    page = host.visit(TARGET, head=bare(host))
    page.wait_for_function("window.recommender")

    page.evaluate(f"() => {{ window.first = {MOUNT}; window.second = {MOUNT}; first(); }}")
    assert shown_once(page, 3)
    page.evaluate("() => { recommender.unmount(null); recommender.mount(null)(); first(); }")
    page.wait_for_timeout(300)
    assert shown_once(page, 3)
    assert warnings(page) == ["recommender: mount: no element"]
    page.evaluate("second()")

    assert until(lambda: page.locator(".recommender").count() == 0, seconds=1)


def test_a_list_is_mounted_in_a_frame(host: Host):
    """Of the same origin, where our looks cannot get; it is seen and followed as any."""
    page = host.visit("<iframe width=600 height=600></iframe>", head=bare(host))
    page.wait_for_function("window.recommender")

    page.evaluate(
        f"""() => {{ const {{ body }} = document.querySelector("iframe").contentDocument;
            recommender.mount(body, {{ id: "{PAGE}", k: 3 }}); }}"""
    )
    links = page.frame_locator("iframe").locator(".recommender:not(.recommender-waiting) a")
    assert until(lambda: links.count() == 3) and host.until_events("impression")
    links.nth(1).click(button="middle")

    assert host.until_events("impression", "click")
    assert warnings(page) == []


def test_a_tag_that_says_nothing_serves_who_mounts(host: Host):
    """It draws no list of its own, in the body either; consent is heard when it is given."""
    tag = host.tag(url="").replace(' data-url=""', "")
    early = "window.addEventListener('DOMContentLoaded', () => { const mount = () =>"
    mount = f"window.recommender ? go() : setTimeout(mount, 5); const go = () => void {MOUNT};"
    page = host.visit(f"{TARGET}{tag}", script=f"{early} {mount} mount(); }});")
    assert shown_once(page, 3)

    page.evaluate("void " + MOUNT.replace("k: 3", "k: 3, consent: true"))

    assert host.until_events("impression")
    assert "session_id" in host.wire.events[0]
    assert shown_once(page, 3) and page.locator("#here .recommender").count() == 1


def test_an_element_that_is_put_back_is_seen_anew(host: Host):
    """With the list it had; in a shadow tree, with our looks."""
    page = host.visit("<main></main>", head=host.tag())
    page.wait_for_function("window.recommender")
    page.evaluate(
        f"""() => {{ window.main = document.querySelector("main");
            const root = main.attachShadow({{ mode: "open" }});
            const place = document.createElement("div");
            root.append(place); recommender.mount(place, {{ id: "{PAGE}", k: 3 }}); }}"""
    )
    assert host.until_events("impression")

    page.evaluate("main.remove()")
    page.wait_for_timeout(1200)
    page.evaluate("document.body.append(main)")

    assert host.until_events("impression", "impression")
    page.locator(".recommender a").nth(1).click(button="middle")
    assert host.until_events("impression", "impression", "click")
    first, second, click = host.wire.events
    assert first["view_id"] != second["view_id"] == click["view_id"]
    assert first["slate"] == second["slate"] and len(host.wire.queries) == 1
    weight = "getComputedStyle(main.shadowRoot.querySelector('.recommender-title')).fontWeight"
    assert page.evaluate(weight) == "600"


# Older browsers


STYLES = "Document.prototype.adoptedStyleSheets"


@pytest.mark.parametrize(
    "lacking", [STYLES, "CSSStyleSheet", "AbortSignal.timeout", "IntersectionObserver"]
)
def test_an_older_browser_has_its_list(host: Host, lacking: str):
    """No stand-in is read while it waits, and what is followed is counted."""
    host.wire.delay = 2
    page = host.visit(host.tag(), script=f"delete {lacking};")

    page.wait_for_selector(".recommender", state="attached")
    assert page.locator("body").inner_text().strip() == ""
    assert shown_once(page)
    page.locator(".recommender a").nth(1).click(button="middle")

    assert host.until_events("impression", "click")
    assert bool(warnings(page)) == (lacking == "IntersectionObserver")


def test_an_answer_that_is_too_slow_is_called_that(host: Host):
    """In the console, where there is no timer of requests, too."""
    host.wire.delay = 1.2
    page = host.visit(f"{OLD}{host.tag(target='#old')}", script="delete AbortSignal.timeout;")

    page.wait_for_timeout(1600)
    (warning,) = warnings(page)
    assert "too slow" in warning


# Ways to load it


def inline(code: str) -> str:
    """A script in the page."""
    return f"<script>{code}</script>"


# An "A" stands for the API, what is in front of the bar goes into the head.
LOADERS = {
    "head": '<script src="A/widget.js" data-id="I" data-target="#here" async></script>|',
    "defer": '|<script src="A/widget.js" data-id="I" defer></script>',
    "module": '|<script src="A/widget.js" data-id="I" type="module"></script>',
    "module in the head": (
        '<script src="A/widget.js" data-id="I" data-target="#here" type="module"></script>|'
    ),
    "set attribute": "|"
    + inline(
        "var s = document.createElement('script'); s.async = 1; s.src = 'A/widget.js';"
        "s.setAttribute('data-id', 'I'); s.setAttribute('data-target', '#here');"
        "document.head.appendChild(s)"
    ),
    "tag taken away": "|"
    + inline(
        "var s = document.createElement('script'); s.src = 'A/widget.js'; s.dataset.id = 'I';"
        "s.dataset.target = '#here'; document.head.appendChild(s); s.onload = () => s.remove();"
    ),
    "place alone": (
        '<script src="A/widget.js" async></script>|<div data-recommender data-id="I"></div>'
    ),
    "no attributes": "|"
    + inline(
        "var s = document.createElement('script'); s.src = 'A/widget.js'; document.head.append(s)"
    )
    + '<div data-recommender data-id="I"></div>',
    "twice": '<script src="A/widget.js" data-id="I" data-target="#here" async></script>|'
    '<script src="A/widget.js" data-id="I" data-target="#here" async></script>',
    "twice for places": '<script src="A/widget.js" async></script>|'
    '<script src="A/widget.js" async></script><div data-recommender data-id="I"></div>',
    "pasted": f'|<script data-id="I" data-api="A">{SCRIPT}</script>',
    "run by eval": '|<div data-recommender data-id="I" data-api="A"></div>'
    + inline("fetch('A/widget.js').then((r) => r.text()).then((t) => (0, eval)(t))"),
    "by innerHTML": '<script src="A/widget.js" async></script>|<main></main>'
    + inline(
        "addEventListener('load', () => setTimeout(() => document.querySelector('main').innerHTML ="
        " '<script src=A/widget.js data-id=I></scr' + 'ipt>', 50))"
    ),
    "late": '<script src="A/widget.js" data-id="I" data-target="#late" async></script>|'
    + inline(
        "setTimeout(() => { var d = document.createElement('div'); d.id = 'late';"
        " document.body.append(d) }, 400)"
    ),
}


@pytest.mark.parametrize("way", LOADERS)
def test_it_can_be_loaded_in_many_ways(host: Host, way: str):
    """One list that can be seen, is asked for once and counted once."""
    code = LOADERS[way].replace("A/", host.api + "/").replace('"A"', f'"{host.api}"')
    head, body = code.replace('"I"', f'"{PAGE}"').replace("'I'", f"'{PAGE}'").replace(
        "=I>", f"={PAGE}>"
    ).split("|", 1)  # fmt: skip
    page = host.visit(
        f"<h1>Pain</h1>{TARGET}{body}<footer>End</footer>",
        head=head,
        scripts="'unsafe-inline' 'unsafe-eval'",
    )

    assert shown_once(page) and host.until_events("impression")
    assert page.locator("main, body, div").filter(has=page.locator(".recommender")).count() > 0
    page.wait_for_timeout(1100)
    assert len(host.wire.queries) == 1 and shown_once(page)
    assert host.wire.queries[0]["id"] == PAGE
    assert page.complaints == []


TROUBLE = {
    "in the head": ('<script src="A/widget.js" data-id="I" async></script>', "", "not in the body"),
    "no place": ('<script src="A/widget.js" async></script>', "", "data-recommender"),
    "pasted without an API": ("", f'<script data-id="I">{SCRIPT}</script>', "data-api"),
    "unknown page": ("", '<script src="A/widget.js" async></script>', "unknown page"),
    "policy": (
        "",
        '<script src="A/widget.js" data-id="I" data-api="http://localhost:1"></script>',
        "connect-src",
    ),
}


@pytest.mark.parametrize("kind", TROUBLE)
def test_what_cannot_work_is_said_in_the_console(host: Host, kind: str):
    """Once, with what to do about it."""
    head, body, wanted = TROUBLE[kind]
    put = [("A/", host.api + "/"), ('"I"', f'"{PAGE}"')]
    for old, new in put:
        head, body = head.replace(old, new), body.replace(old, new)

    page = host.visit(body, head=head, scripts="'unsafe-inline'")
    page.wait_for_timeout(1600)

    said = [text for text in page.complaints if text.startswith("recommender: ")]
    assert len(said) == 1 and wanted in said[0]
    assert page.locator(".recommender").count() == (kind == "unknown page")


def test_events_that_are_refused_are_said_in_the_console(host: Host):
    """With the address that refuses; they are not sent again."""
    host.wire.refusals = [403]
    page = drawn(host.visit(host.tag()))

    page.wait_for_timeout(4000)
    assert warnings(page) == [f"recommender: {host.api}/v1/events: 403. Does it allow this origin?"]
    assert len(host.wire.sent) == 1


def test_a_page_that_is_isolated_has_its_list(host: Host):
    """Under Cross-Origin-Embedder-Policy."""
    host.site.headers["Cross-Origin-Embedder-Policy"] = "require-corp"

    page = drawn(host.visit(host.tag()))

    assert page.evaluate("crossOriginIsolated") is not None
    assert host.until_events("impression")


# Room


LONG = "Why does a rather long title of an article stand here, and how many lines will it take?"
KEPT = "<style>[data-recommender] { min-height: 40rem }</style>"


@pytest.mark.parametrize("window", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("n_links", [3, 10])
@pytest.mark.parametrize("title", ["Short", LONG], ids=["short", "long"])
def test_a_place_with_room_keeps_the_page_still(
    host: Host, window: dict[str, int], n_links: int, title: str
):
    """In the middle of an article whose text is there before the script: the list comes, short or
    long, and what is in view moves less than a reader notices.
    """
    host.wire.delay = 0.3
    host.wire.answer = answer(*[{"title": title, "teaser": "A teaser."}] * n_links)
    body = f"<h1>Pain</h1><p>Text.</p>{SNIPPET.format(id=PAGE)}{ROOM}"
    page = host.reader(window=window)
    page.goto(host.publish(body, head=KEPT, styles="'unsafe-inline'"))
    page.wait_for_timeout(200)

    page.evaluate(
        f"""() => {{ const script = document.createElement("script");
            script.src = "{host.api}/widget.js"; document.head.append(script); }}"""
    )

    assert shown_once(page, n_links)
    page.wait_for_timeout(200)
    assert sum(page.evaluate("shifts")) < 0.05


# Pictures, dates, directions


PICTURED = (
    {"title": "First", "image": "/p/1.svg", "published_at": "2026-11-02T23:30:00+09:00"},
    {"title": "Second", "image": None, "published_at": "not a date"},
    {"title": "Third", "image": "/gone/3.svg", "published_at": None},
    {"title": "Fourth", "image": "javascript:alert(1)", "published_at": "2026-11-03"},
)


def test_pictures_are_shown_if_they_are_asked_for(host: Host):
    """Lazily, without telling where from, in room that is there before; one that fails is gone, and
    all titles stand in one line whoever has a picture.
    """
    host.wire.answer = answer(*PICTURED)
    page = drawn(host.visit(host.tag(images="true")))
    page.wait_for_timeout(400)

    image = page.locator(".recommender img")
    assert image.count() == 1
    assert {name: image.get_attribute(name) for name in ("alt", "loading", "decoding")} == {
        "alt": "", "loading": "lazy", "decoding": "async",
    }  # fmt: skip
    assert image.get_attribute("referrerpolicy") == "no-referrer"
    assert image.bounding_box()["width"] == 120 and image.bounding_box()["height"] == 80
    lefts = page.evaluate(
        """() => [...document.querySelectorAll(".recommender-title")].map((title) => {
             const range = document.createRange(); range.selectNode(title.lastChild);
             return Math.round(range.getBoundingClientRect().left); })"""
    )
    assert len({*lefts}) == 1
    heights = [row.bounding_box()["height"] for row in page.locator(".recommender li").all()]
    assert min(heights) >= 80
    image.click(button="middle")
    assert page.evaluate("violations") == []
    page = drawn(host.visit(host.tag()))
    assert page.locator(".recommender img, .recommender-pictured").count() == 0


@pytest.mark.parametrize("font", ["100%", "200%"])
@pytest.mark.parametrize("width", [160, 240])
def test_a_picture_leaves_room_for_text_in_narrow_places(host: Host, width: int, font: str):
    """Three fifths of the place are for the text, also where that is enlarged; a picture is never
    higher than its link is.
    """
    style = f"html {{ font-size: {font} }} #in {{ width: {width}px; font-size: 16px }}"

    page = shown(host, style, f'<div id="in">{place(images="true", dates="true")}</div>')

    pictures, items = boxes(page, ".recommender-image"), boxes(page, ".recommender-item")
    for picture, item, teaser in zip(
        pictures[:2], items, boxes(page, ".recommender-teaser"), strict=False
    ):
        assert picture["width"] <= 0.32 * width and picture["height"] <= item["height"] + 0.5
        assert teaser["width"] >= 0.6 * width
        assert teaser["x"] >= picture["x"] + picture["width"]


@pytest.mark.parametrize("n_links", [1, 2])
def test_a_row_of_few_links_has_pictures_of_the_usual_size(host: Host, n_links: int):
    """Side by side, from where the row begins."""
    host.wire.answer = answer(*[SHOWN[0]] * n_links)

    page = shown(host, "", place(look="row"))

    pictures = boxes(page, ".recommender-image")
    assert [picture["width"] for picture in pictures] == [22 * 16] * n_links
    gaps = [b["x"] - a["x"] - a["width"] for a, b in pairwise(pictures)]
    assert all(0 < gap <= 20 for gap in gaps)


@pytest.mark.parametrize(("n_pictures", "n_tiles"), [(1, 0), (2, 0), (3, 6), (6, 6)])
def test_half_of_the_links_have_pictures_or_none_is_shown(
    host: Host, n_pictures: int, n_tiles: int
):
    """A picture or two would make quiet tiles of all others; what leads to none does not count."""
    images = ["/1.svg"] * n_pictures + ["javascript:alert(1)"] * (6 - n_pictures)
    host.wire.answer = answer(*({"title": "One", "image": image} for image in images))

    page = shown(host, "", place(look="cards", k="6"))

    assert page.locator(".recommender-image").count() == n_tiles
    assert page.locator(".recommender img").count() == (n_pictures if n_tiles else 0)


def test_a_list_without_any_picture_keeps_no_room_for_one(host: Host):
    """Asked for or not."""
    host.wire.answer = answer({"title": "One"}, {"title": "Two"})

    page = drawn(host.visit(host.tag(images="true", dates="true")))

    assert page.locator(".recommender-pictured, .recommender time").count() == 0


@pytest.mark.parametrize(
    ("language", "shown"),
    [("en-US", ["Nov 2, 2026", "Nov 3, 2026"]), ("de", ["02.11.2026", "03.11.2026"])],
)
def test_dates_are_written_as_the_page_speaks(host: Host, language: str, shown: list[str]):
    """The day that was given, wherever the reader is; what is no date is nothing."""
    host.wire.answer = answer(*PICTURED)
    page = host.reader(timezone_id="Pacific/Auckland", locale="fr-FR")
    page.goto(host.publish(host.tag(dates="true"), html=f'lang="{language}"'))

    times = drawn(page).locator(".recommender time")
    assert times.all_inner_texts() == shown
    assert times.first.get_attribute("datetime") == "2026-11-02T23:30:00+09:00"


def test_titles_run_in_their_own_direction(host: Host):
    """And begin where the list begins; their language is said, as the page says it if it is the
    same.
    """
    host.wire.answer = answer(
        {"title": "מתי שותלים שום?", "teaser": "שום צריך קור", "language": "he", "image": "/1.svg"},
        {"title": "When to plant garlic?", "teaser": "Cold.", "language": "en", "image": "/2.svg"},
        {"title": "Nobody knows"},
    )
    look = """() => [...document.querySelectorAll(".recommender-title")].map((title) => {
        const range = document.createRange(); range.selectNode(title.lastChild);
        const style = getComputedStyle(title), box = range.getBoundingClientRect();
        return [title.lang, style.direction, Math.round(box.left), Math.round(box.right)]; })"""

    page = drawn(host.visit(host.tag(images="true"), html='lang="en-GB"'))
    (he, en, none) = page.evaluate(look)
    assert (he[:2], en[:2], none[:2]) == (["he", "rtl"], ["en-GB", "ltr"], ["", "ltr"])
    assert he[2] == en[2] == none[2]
    assert all(picture["x"] < he[2] - 96 for picture in boxes(page, ".recommender img"))
    page = drawn(host.visit(host.tag(images="true"), html='lang="he" dir="rtl"'))
    (he, en, none) = page.evaluate(look)
    assert he[3] == en[3] == none[3]
    assert all(picture["x"] > he[3] for picture in boxes(page, ".recommender img"))


def test_what_is_cut_off_of_another_direction_ends_in_dots(host: Host):
    """Lines are aligned to the side on which their language begins: to the other one, the browser
    leaves the dots out. What is short begins where the list begins all the same.
    """
    long = "שום צריך שבועות של קור לפני שהוא מתחלק לשיניים ולכן שותלים אותו בסתיו " * 5
    host.wire.answer = answer(
        {"title": long, "teaser": long, "language": "he"}, {"title": "שום", "teaser": "קצר"}
    )
    look = """(name) => [...document.querySelectorAll(name)].map((each) => {
        const { textAlign, direction } = getComputedStyle(each);
        return [textAlign, direction, each.getBoundingClientRect().left -
          each.closest(".recommender-item").getBoundingClientRect().left < 20]; })"""

    page = shown(host, "", place(look="cards"))

    for name in (".recommender-title", ".recommender-teaser"):
        assert page.evaluate(look, name) == [["start", "rtl", True]] * 2


@pytest.mark.parametrize(
    ("page_speaks", "shown"),
    [("fil", ["fi", "fil"]), ("fi", ["fi", "fil"]), ("fi-FI", ["fi-FI", "fil"])],
)
def test_languages_whose_names_begin_alike_are_two(host: Host, page_speaks: str, shown: list[str]):
    """Finnish is not Filipino."""
    host.wire.answer = answer(
        {"title": "Valkosipuli", "language": "fi"}, {"title": "Bawang", "language": "fil"}
    )

    page = drawn(host.visit(host.tag(), html=f'lang="{page_speaks}"'))

    links = page.locator(".recommender-title").all()
    assert [link.get_attribute("lang") for link in links] == shown


@pytest.mark.parametrize("colours", [{"color_scheme": "dark"}, {"forced_colors": "active"}])
def test_it_takes_the_colours_of_the_page(host: Host, colours: dict[str, str]):
    """Text on whatever ground the page has."""
    dark = "<style>@media (prefers-color-scheme: dark) { body { background: #111; color: #eee } }"
    page = host.reader(**colours)
    page.goto(host.publish(host.tag(), head=f"{dark}</style>", styles="'unsafe-inline'"))

    shown = drawn(page).evaluate(
        """() => [".recommender-heading", ".recommender-title", "body"].map((place) =>
             getComputedStyle(document.querySelector(place)).color)"""
    )
    if "color_scheme" in colours:
        assert {*shown} == {"rgb(238, 238, 238)"}
    # No fainter than the page's own text, which may be as faint as can be read.
    page.locator(".recommender-teaser").first.wait_for()
    faint = page.evaluate("getComputedStyle(document.querySelector('.recommender-teaser')).color")
    assert faint == shown[2]
    assert page.locator(".recommender-teaser").first.is_visible()


# What a list looks like


TEASER = "Garlic wants weeks of cold, so plant it in October, pointed end up, a hand apart. " * 3
SHOWN = (
    {"title": "When to plant garlic", "teaser": TEASER, "image": "/1.svg"},
    {"title": "W" * 90, "teaser": "w" * 300, "image": None, "published_at": "2026-11-02"},
    {"title": "مرحبا mixed 2026 (v1.2)", "teaser": "", "image": "/gone/1.svg"},
    {"title": "Leaf mould", "teaser": "Leaves rot slowly.", "published_at": "2026-11-03"},
)
# Where things stand, from where the list begins.
PLACES = """() => { const { left, top } = document.querySelector(".recommender")
      .getBoundingClientRect();
    return [...document.querySelectorAll(".recommender *:not(img)")].map((each) => {
      const box = each.getBoundingClientRect();
      return [each.className || each.localName, ...[box.left - left, box.top - top, box.width,
        box.height].map(Math.round)].join(" "); }); }"""
WIDTH = "document.documentElement.scrollWidth"


def shown(host: Host, style: str, body: str, *, html: str = 'lang="en"', **how: Any) -> Any:
    """A reader on a page with this style, once all lists stand that are asked for in its body."""
    host.wire.answer = host.wire.answer or answer(*SHOWN)
    head = f"<style>{style}</style>{bare(host)}"
    page = host.visit(body, head=head, styles="'unsafe-inline'", html=html, **how)
    page.wait_for_selector(".recommender:not(.recommender-waiting) a")
    assert until(lambda: page.locator(".recommender-waiting").count() == 0)
    page.wait_for_timeout(150)
    return page


def place(**attributes: str) -> str:
    """An element for a list."""
    named = {"id": PAGE, "k": "4", **attributes}
    data = " ".join(f'data-{name}="{value}"' for name, value in named.items())
    return f"<div data-recommender {data}></div>"


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", HOSTS)
def test_a_list_is_at_home_on_any_host(host: Host, name: str, look: str):
    """Nothing is wider than the page, every title is to be seen, teasers have two lines at most; on
    a phone too, which is turned from a desk's width.
    """
    page = HOSTS[name]
    body = page.body.format(
        list=place(look=look, images="true", dates="true"), sidebar=place(look="list")
    )

    opened = shown(host, page.style, body, html=page.attributes, window=DESK)

    for window in (DESK, PHONE):
        opened.set_viewport_size(window)
        assert opened.evaluate(WIDTH) == window["width"]
        for line in boxes(opened, ".recommender-teaser"):
            assert 12 < line["height"] < 70 and line["width"] > 60
        for title in boxes(opened, ".recommender-title"):
            assert title["height"] > 15 and title["width"] > 30
    assert warnings(opened) == []


@pytest.mark.parametrize("look", LOOKS)
def test_a_hosts_rules_for_lists_do_not_move_it(host: Host, look: str):
    """With them everything stands where it stands without."""
    frame = '<div id="content" class="post" style="font: 16px/1.5 sans-serif">{}</div>'
    body = frame.format(place(look=look, images="true", dates="true"))

    plain, styled = (shown(host, style, body).evaluate(PLACES) for style in ("", LIST_RULES))

    assert plain == styled


def test_what_has_a_class_is_the_pages_to_style(host: Host):
    """One class adds to ours, two outweigh them, and the properties set what they are for."""
    style = """
        .recommender-title { letter-spacing: 3px } .recommender-item { border-top: 5px solid red }
        .recommender-heading { text-transform: uppercase } .recommender { padding: 7px }
        .recommender .recommender-teaser { font-size: 31px; -webkit-line-clamp: 3 }
        #mine { --recommender-color: rgb(1, 2, 3); --recommender-teaser-color: rgb(4, 5, 6);
          --recommender-font: monospace; --recommender-gap: 31px }"""

    page = shown(host, style, f'<div id="mine">{place()}</div>')

    found = page.evaluate(
        """() => [["title", "letterSpacing"], ["item", "borderTopWidth"], ["title", "color"],
          ["heading", "textTransform"], ["teaser", "color"], ["title", "fontFamily"],
          ["list", "rowGap"], ["teaser", "fontSize"], ["teaser", "webkitLineClamp"],
          ].map(([name, property]) =>
            getComputedStyle(document.querySelector(`.recommender-${name}`))[property])"""
    )
    assert found == [
        "3px", "5px", "rgb(1, 2, 3)", "uppercase", "rgb(4, 5, 6)", "monospace", "31px",
        "31px", "3",
    ]  # fmt: skip
    assert page.locator(".recommender").evaluate("(e) => getComputedStyle(e).padding") == "7px"


HOLDERS = {
    "grid": "display: grid; grid-template-columns: 1fr 20rem",
    "flex": "display: flex",
    "column": "display: flex; flex-direction: column; align-items: flex-start",
    "table": "display: table",
    "inline-block": "display: inline-block",
    "float": "float: left",
    "nowrap": "display: flex; white-space: nowrap",
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_no_holder_grows_with_its_list(host: Host, holder: str):
    """Nor does a list shrink to nothing where a holder is as wide as what is in it; each look has a
    holder of its own.
    """
    body = "".join(
        f'<div style="{HOLDERS[holder]}">{place(look=look)}<div>Beside it.</div></div>'
        '<div style="clear: both"></div>'
        for look in LOOKS
    )

    for window in (DESK, PHONE):
        page = shown(host, "", body, window=window)
        assert page.evaluate(WIDTH) == window["width"]
        least = 30 if (holder, window) == ("grid", PHONE) else 250
        widths = [box["width"] for box in boxes(page, ".recommender")]
        assert len(widths) == len(LOOKS) and min(widths) > least


def test_cards_and_a_row_are_asked_for(host: Host):
    """By a tag, a place or a call. Cards stand beside and below one another, a row in one line that
    scrolls by itself; what is none of them is a list, and the console says so.
    """
    for look, n_lines in (("cards", 2), ("row", 1), ("list", 4)):
        page = shown(host, "", place(look=look), window={"width": 620, "height": 900})
        tops = {round(box["y"]) for box in boxes(page, ".recommender li")}
        assert len(tops) == n_lines and warnings(page) == []
    page = shown(host, "", place(look="tiles"))
    assert len({round(box["x"]) for box in boxes(page, ".recommender li")}) == 1
    assert [text.split(":")[1] for text in warnings(page)] == [
        ' data-look="tiles" is none of list, cards, row'
    ]
    page = host.visit(TARGET, head=bare(host))
    page.wait_for_function("window.recommender")
    page.evaluate("void " + MOUNT.replace("k: 3", 'k: 3, look: "cards"'))
    page.wait_for_selector("#here .recommender-cards .recommender-image")


def test_a_plain_list_loads_nothing_more(host: Host):
    """In English; and what more there is comes from the API alone, once for all lists."""
    loaded = "performance.getEntriesByType('resource').map(({ name }) => name.split('/').pop())"
    page = drawn(host.visit(host.tag()))
    assert "widget-more.js" not in page.evaluate(loaded)

    page = shown(host, "", place(look="cards") + place(look="row") + place())

    assert page.evaluate(loaded).count("widget-more.js") == 1
    assert page.evaluate("violations") == []


def test_without_what_more_there_is_a_list_is_plain(host: Host):
    """Its links work, and the console says what is missing."""
    page = host.reader()
    page.route("**/widget-more.js", lambda route: route.fulfill(status=503))
    host.wire.answer = answer(*SHOWN)

    page.goto(host.publish(host.tag(look="cards", images="true"), html='lang="de"'))

    assert shown_once(page, 4)
    assert page.locator(".recommender-heading").inner_text() == "Related articles"
    assert page.locator(".recommender-cards, .recommender img").count() == 0
    (warning,) = warnings(page)
    assert "widget-more.js" in warning


def test_a_card_without_a_picture_is_as_high_as_one_with(host: Host):
    """A picture that fails leaves a quiet tile, and no sign of it."""
    page = shown(host, "", place(look="cards"))

    assert until(lambda: page.locator(".recommender img").count() == 1)
    tiles = boxes(page, ".recommender-image")
    assert len(tiles) == 4 and len({(tile["width"], tile["height"]) for tile in tiles}) == 1
    page = shown(host, "", place(look="cards", images="false"))
    assert page.locator(".recommender-image").count() == 0


@pytest.mark.parametrize(
    ("html", "around", "heading"),
    [
        ('lang="en-GB"', "", "Related articles"), ("", "", "Related articles"),
        ('lang="de"', "", "Ähnliche Artikel"), ('lang="pt-BR"', "", "Artigos relacionados"),
        ('lang="zh_TW"', "", "相關文章"), ('lang="zh-Hans"', "", "相关文章"),
        ('lang="en"', 'lang="fr"', "Articles similaires"), ('lang="tlh"', "", "Related articles"),
        ('lang="constructor"', "", "Related articles"),
    ],
)  # fmt: skip
def test_the_heading_speaks_as_the_page_does(host: Host, html: str, around: str, heading: str):
    """In the language nearest to its place; its landmark has that name."""
    page = shown(host, "", f"<section {around}>{place()}</section>", html=html)

    assert page.locator(".recommender-heading").inner_text() == heading
    assert page.get_by_role("navigation", name=heading, exact=True).count() == 1


def test_a_heading_that_is_given_is_taken(host: Host):
    """Whatever the language; an empty one is none, and the landmark has a name all the same."""
    page = shown(host, "", place(heading="Mehr dazu") + place(heading=""), html='lang="it"')

    assert page.locator("h2").all_inner_texts() == ["Mehr dazu"]
    assert page.get_by_role("navigation", name="Mehr dazu", exact=True).count() == 1
    assert page.get_by_role("navigation", name="Articoli correlati", exact=True).count() == 1


def test_lists_of_one_page_are_landmarks_of_their_own(host: Host):
    """Each by its name, also beside one that the server rendered; headings are as they are."""
    rendered = '<nav class="recommender" aria-label="Related articles"><a href="/x">X</a></nav>'

    page = shown(host, "", rendered + place() + place(look="cards") + place(heading="More"))

    names = page.locator("nav").evaluate_all("(navs) => navs.map((nav) => nav.ariaLabel)")
    assert len({*names}) == 4 and {"Related articles", "Related articles 2", "More"} < {*names}
    assert page.locator("h2").all_inner_texts() == ["Related articles"] * 2 + ["More"]


def test_a_card_is_one_link_that_says_its_title(host: Host):
    """Reached once by the keyboard, with a ring to be seen; all of the card is the link."""
    page = shown(host, "", place(look="cards"))
    link = page.get_by_role("link", name="When to plant garlic", exact=True)

    page.keyboard.press("Tab")
    ring = "(link) => link.matches(':focus') && getComputedStyle(link, '::after').outlineWidth"
    assert link.evaluate(ring) == "2px"
    # Light and dark, so that it is seen on any picture.
    light_and_dark = link.evaluate("(link) => getComputedStyle(link, '::after').boxShadow")
    assert "rgb(255, 255, 255)" in light_and_dark and "rgb(0, 0, 0)" in light_and_dark
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "W" * 90
    teaser = page.locator(".recommender-teaser").first.bounding_box()
    page.mouse.click(teaser["x"] + 5, teaser["y"] + 5, button="middle")
    host.wire.answer = None
    assert link.count() == 1


@pytest.mark.parametrize("n_links", [3, 10])
def test_a_short_list_gives_its_room_back(host: Host, n_links: int):
    """Where nobody sees it at once, else as soon as nobody does; nothing that is seen moves."""
    host.wire.answer = answer(*[{"title": "Short", "teaser": "A teaser."}] * n_links)
    body = f"{place(k='10')}<p>Below.</p>{ROOM}"
    hole = """() => document.querySelector("[data-recommender]").getBoundingClientRect().bottom
        - document.querySelector(".recommender-list").getBoundingClientRect().bottom"""

    page = shown(host, "[data-recommender] { min-height: 50rem }", ROOM + body)
    assert until(lambda: page.evaluate(hole) < 50)
    page = shown(host, "[data-recommender] { min-height: 50rem }", body)
    page.wait_for_timeout(300)
    kept = page.evaluate(hole)
    page.mouse.move(200, 300)
    for _ in range(8):
        page.mouse.wheel(0, 300)
        page.wait_for_timeout(50)

    assert (kept > 150) == (n_links == 3) and until(lambda: page.evaluate(hole) < 50)
    assert sum(page.evaluate("shifts")) < 0.05


def test_it_keeps_still_and_in_the_readers_colours(host: Host):
    """For who wants less motion nothing moves; in forced colours links have theirs."""
    motion = "getComputedStyle(document.querySelector('.recommender-item')).transitionDuration"
    page = shown(host, "", place(look="cards"), reduced_motion="reduce")
    assert page.evaluate(motion) == "0s"

    page = shown(host, "", place(look="cards"), forced_colors="active")
    colours = """() => { const probe = document.createElement("a"); probe.href = "/x";
        document.body.append(probe);
        return [probe, document.querySelector(".recommender-title")].map((each) =>
          getComputedStyle(each).color); }"""
    probe, title = page.evaluate(colours)
    assert probe == title
    # A tile has no ground there, so it has an edge.
    edge = "getComputedStyle(document.querySelector('.recommender-image')).borderTopWidth"
    assert page.evaluate(edge) == "1px"


def test_paper_shows_all_of_a_row(host: Host):
    """In lines, since paper does not scroll; what is not there yet takes no room on it."""
    page = shown(host, "", place(look="row"), window={"width": 620, "height": 900})

    page.emulate_media(media="print")

    assert len({round(box["y"]) for box in boxes(page, ".recommender li")}) == 2
    assert page.evaluate(WIDTH) == 620
