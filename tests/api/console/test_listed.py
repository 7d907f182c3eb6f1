"""A page's list: the old beside the live one, pinned, blocked, previewed, saved and undone."""

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
from asking import NOW, ODD, STUB, Client, Clock, ids
from consoles import Person, copied, person, served

from recommender.bundle import figures
from recommender.config import Settings
from recommender.evaluation.site_figures import site_figures
from recommender.store import rules
from recommender.store.click_filters import Caps
from recommender.store.database import Store
from recommender_api.app import Api
from recommender_api.console.drafts import FIELDS

PAGE = "sleep-5"
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


@pytest.fixture
def settings(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A trained site of one's own, copied."""
    return copied(tmp_path, tmp_path_factory, time_zone="Europe/Berlin")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(settings: Settings, clock: Clock) -> Iterator[Api]:
    with served(settings, clock=clock) as app:
        yield app


@pytest.fixture
def ed(app: Api) -> Person:
    return person(app, "ed")


def listed(text: str) -> list[str]:
    """The ids of the live list on a page, in order."""
    return [unescape(id) for id in re.findall(r'<li data-id="([^"]*)"', text)]


def drafted(text: str) -> list[dict[str, str]]:
    """The drafts of a page, as its form has them."""
    part = text.partition('class="drafts"')[2].partition("</ol>")[0]
    rows = []
    for row in part.split("<li")[1:]:
        cells = {}
        for name in FIELDS:
            found = re.search(rf'name="{name}" [^>]*?value="([^"]*)"', row)
            chosen = re.search(rf'name="{name}">.*?value="([^"]*)" selected', row)
            cells[name] = unescape((found or chosen or [""] * 2)[1])
        rows.append(cells)
    return rows


class Editing:
    """An editor at work on one page: what is drafted goes from one form to the next."""

    def __init__(self, who: Person, page: str = PAGE) -> None:
        self.who, self.page = who, page
        self.answer = who.get("/console/page", params={"id": page})

    def press(self, button: str, *, at: str = "", **fields: str) -> "Editing":
        """Press a button; ``fields`` are typed into the last draft first."""
        drafts = drafted(self.answer.text)
        kind = fields.pop("kind", "")
        if fields:
            drafts[-1] |= fields
        form: dict[str, list[str] | str] = {
            field: [row[field] for row in drafts] for field in FIELDS
        }
        form |= {
            "token": self.who.token,
            "page": self.page,
            "at": at,
            "press": button,
            "kind": kind,
        }
        self.answer = self.who.post("/console/page", data=form)
        return self

    @property
    def ids(self) -> list[str]:
        return listed(self.answer.text)

    def saved(self) -> "Editing":
        """Save, and follow on."""
        self.press("save")
        assert self.answer.status_code == 303, self.answer.text
        self.answer = self.who.get(self.answer.headers["location"])
        return self


def live(app: Api, page: str = PAGE) -> list[str]:
    """The list that readers get."""
    return ids(Client(app).get("/v1/related", params={"id": page}))


def test_the_page_shows_what_readers_get(app: Api, ed: Person):
    """Title and teaser, why each link is there, and the old list beside it."""
    page = Editing(ed)

    assert page.ids == live(app)
    assert "Picked by hand before" in page.answer.text and STUB.title in page.answer.text
    assert "by text" in page.answer.text
    assert "Their texts share" in page.answer.text or "Both titles" in page.answer.text


def test_how_often_links_were_followed_is_counted_beforehand(
    app: Api, settings: Settings, ed: Person, clock: Clock
):
    """Nothing stands there before; then what the figures have, and that others were not shown."""
    page = Editing(ed)
    assert "shown here" not in page.answer.text
    slate = Client(app).get("/v1/related", params={"id": PAGE}).json()["slate"]
    view = {"view_id": "v1", "slate": slate}
    for event in ({"type": "impression", **view}, {"type": "click", "position": 2, **view}):
        assert Client(app).post("/v1/events", json=event).json()["accepted"] == 1
        clock.now += timedelta(seconds=9)
    with Store(settings.database) as store:
        found = site_figures(store, None, now=NOW + timedelta(days=1), caps=Caps())
        figures.write(settings.models, {}, found.links)

    texts = re.findall(r'<span class="figures">([^<]*)', Editing(ed).answer.text)

    shown = len(page.ids)
    assert texts[:shown].count("shown here 1 time, followed 1") == 1
    assert texts[:shown].count("shown here 1 time, followed 0") == shown - 1
    assert texts[shown:] == ["not shown here yet"]


def test_ids_may_hold_anything(app: Api, ed: Person):
    """Slashes, question marks, letters of all scripts."""
    page = Editing(ed, ODD)
    target = page.ids[-1]

    page.press(f"pin 1:{target}").saved()

    assert page.ids[0] == live(app, ODD)[0] == target


def test_a_page_that_is_not_there_is_named(ed: Person):
    """With 404, and no list."""
    answer = ed.get("/console/page", params={"id": "no-such"})

    assert answer.status_code == 404 and "no-such" in answer.text


def test_a_pin_is_seen_before_it_is_saved(app: Api, ed: Person):
    """Readers see it afterwards, editors why; undone, the list is as it was."""
    page = Editing(ed)
    before, target = page.ids, page.ids[-1]

    preview = page.press(f"pin 1:{target}")
    assert preview.ids == [target, *before[:-1]]
    assert "A change that is not saved yet pins it here" in preview.answer.text
    assert live(app) == before
    page.press("preview", reason="readers ask for it", ends="2030-01-31").saved()
    assert live(app) == [target, *before[:-1]]
    assert "readers ask for it" in page.answer.text and "ed</strong>" in page.answer.text

    number = re.search(r'name="number_of" value="(\d+)"', page.answer.text)
    undone = ed.send("/console/page/undo", page=PAGE, number_of=number[1])
    assert undone.status_code == 303
    assert live(app) == before
    assert ed.send("/console/page/undo", page=PAGE, number_of=number[1]).status_code == 422


def test_a_block_is_for_the_page_or_for_all(app: Api, ed: Person):
    """As chosen."""
    page = Editing(ed)
    here, everywhere = page.ids[:2]
    other = next(id for id in page.ids if everywhere in live(app, id))

    page.press(f"block {here}").press(f"ban {everywhere}").saved()

    assert here not in live(app) and everywhere not in live(app)
    assert everywhere not in live(app, other)
    assert any(here in live(app, id) for id in ("sleep-0", "sleep-1", "sleep-2", other))


def test_a_list_can_be_seen_as_on_a_day(app: Api, ed: Person):
    """Of the site's time zone: a rule until a day holds on that day, and not on the next."""
    page = Editing(ed)
    before, target = page.ids, page.ids[-1]
    page.press(f"pin 1:{target}")
    page.press("preview", starts="2026-12-01", ends="2026-12-24").saved()
    assert live(app) == before

    def first(at: str) -> str:
        return listed(ed.get("/console/page", params={"id": PAGE, "at": at}).text)[0]

    days = ["2026-11-30 23:59", "2026-12-01", "2026-12-24 23:59", "2026-12-25"]
    assert [first(at) == target for at in days] == [False, True, True, False]
    assert "no date" in ed.get("/console/page", params={"id": PAGE, "at": "soon"}).text


def test_what_will_not_do_is_said_and_nothing_saved(app: Api, ed: Person):
    """The draft stays, to be mended."""
    page = Editing(ed)
    before = page.ids
    page.press(f"pin 1:{page.ids[-1]}").press("preview", starts="31.2.2027")
    assert "From: no date" in page.answer.text

    page.press("save")

    assert page.answer.status_code == 422
    assert len(drafted(page.answer.text)) == 1 and live(app) == before


def test_another_article_is_pinned_by_name(app: Api, ed: Person):
    """By id, by address, or by words of its title, of which one chooses; a mistyped id never
    becomes a rule that does nothing.
    """
    page = Editing(ed)
    before = page.ids
    form = {"token": ed.token, "page": PAGE, "at": "", "press": "add", "add_at": "1"}

    def typed(text: str) -> tuple[str, list[str]]:
        answer = ed.post("/console/page", data={**form, "add": text})
        choice = answer.text.partition('class="choice"')[2].partition("</ul>")[0]
        return listed(answer.text)[0], re.findall(r'value="pin 1:([^"]*)"', choice)

    assert typed("knee-3")[0] == "knee-3"
    assert typed("Meniscus tendon and stairs")[0] == "knee-3"
    assert typed("https://example.org/knee/3?page=2")[0] == "knee-3"
    assert typed("cartilage meniscus") == (before[0], ["knee-2", "knee-1"])
    assert "knee-3" in typed("knee-33")[1]
    nothing = ed.post("/console/page", data={**form, "add": "zyx qwv"})
    assert nothing.status_code == 422 and "no article" in nothing.text
    assert live(app) == before


def test_what_would_do_nothing_is_named_before_and_after_saving(app: Api, ed: Person):
    """A pin of what is blocked, days that are over."""
    page = Editing(ed)
    blocked, other = page.ids[:2]
    page.press(f"block {blocked}").saved()

    page.press(f"pin 1:{blocked}")
    assert "blocked" in page.answer.text.partition('class="drafts"')[2].partition("</ol>")[0]
    page.saved()
    assert "Saved, but not all of it does something now" in page.answer.text
    assert "It is live here now" not in page.answer.text
    page.press(f"pin 2:{other}").press("preview", ends="2026-11-01")
    assert "2026-11-01" in page.answer.text.partition('class="notice"')[2].partition("</p>")[0]
    page.press("discard").press(f"pin 2:{other}").saved()
    assert "It is live here now" in page.answer.text


def test_whoever_goes_through_one_kind_of_worst_lists_stays_in_it(ed: Person):
    """Also after a preview, after saving and after undoing."""
    page = Editing(ed)
    page.answer = ed.get("/console/page", params={"id": PAGE, "kind": "short"})
    onward = f"/console/worst?after={PAGE}&amp;kind=short"
    assert onward in page.answer.text

    page.press(f"block {page.ids[0]}", kind="short")
    assert onward in page.answer.text
    page.press("save", kind="short")
    page.answer = ed.get(page.answer.headers["location"])
    assert onward in page.answer.text


def test_viewers_see_the_list_as_on_a_day(app: Api):
    """By the button of the page."""
    val = person(app, "val")
    text = Editing(val).answer.text
    form = text.partition('<form id="lists" method="get"')[2].partition("</form>")[0]
    fields = dict(re.findall(r'<input[^>]* name="(\w+)"[^>]*value="([^"]*)"', form))

    answer = val.get("/console/page", params={**fields, "at": "2026-12-24"})

    assert fields["id"] == PAGE
    assert answer.status_code == 200 and "as on 2026-12-24" in answer.text


def test_a_pin_is_taken_away_where_it_is_seen(app: Api, ed: Person):
    """A draft is dropped, a rule removed."""
    page = Editing(ed)
    before, target = page.ids, page.ids[-1]

    page.press(f"pin 1:{target}").press(unpinning(page.answer.text))
    assert page.ids == before and drafted(page.answer.text) == []
    page.press(f"pin 1:{target}").saved().press(unpinning(page.answer.text)).saved()

    assert live(app) == before


def unpinning(text: str) -> str:
    """What the first button to unpin says."""
    return re.findall(r'value="([^"]*)" data-do="pin">Unpin', text)[0]


def test_two_editors_do_not_overwrite_one_another(app: Api, ed: Person):
    """Whoever comes second is told, and nothing of his is saved."""
    page = Editing(ed)
    page.press(f"pin 1:{page.ids[-1]}").saved()
    (rule,) = rules.read(app.stored.store)
    other = Editing(person(app, "ada"))
    page.press(f"change {rule.number}")
    other.press(f"change {rule.number}").press("preview", reason="mine").saved()

    page.press("save", reason="no, mine")

    assert page.answer.status_code == 422 and "changed meanwhile" in page.answer.text
    (now,) = rules.read(app.stored.store)
    assert now.reason == "mine"


def test_rules_of_the_file_stand_there_and_are_changed_there(
    app: Api, settings: Settings, ed: Person
):
    """The page shows their line; a rule of the console is changed and removed here."""
    settings.editorial.write_text(f"action,source,target,position\npin,{PAGE},knee-1,1\n")
    app.live.refresh()
    page = Editing(ed)
    assert page.ids[0] == "knee-1"
    assert "line 2 of the file" in page.answer.text
    assert "remove " not in page.answer.text

    page.press("pin 2:knee-2").saved()
    assert page.ids[:2] == ["knee-1", "knee-2"]
    (rule,) = rules.read(app.stored.store)
    page.press(f"remove {rule.number}")
    assert "knee-2" not in page.ids
    page.saved()
    assert rules.read(app.stored.store) == []


def test_viewers_see_and_change_nothing(app: Api, ed: Person):
    """No buttons, and a form made up is refused."""
    val = person(app, "val")
    page = Editing(val)
    assert page.ids == live(app)
    for word in ('value="pin ', 'value="block ', "Undo", 'method="post" action="/console/page"'):
        assert word not in page.answer.text

    val.get("/console/account")
    forged = [
        val.send("/console/page", page=PAGE, press="save").status_code,
        val.send("/console/page/undo", page=PAGE, number_of="1").status_code,
    ]

    assert forged == [403, 403]


def test_what_is_stored_is_shown_as_text(app: Api, settings: Settings):
    """Scripts in titles, teasers, reasons and names run nowhere."""
    from recommender.articles.article import Article
    from recommender.articles.batch import Batch

    batch = Batch()
    batch.add(
        Article(
            id=EVIL, title=EVIL, body=f"night dream bed snoring {EVIL}", category=EVIL,
            url="https://example.org/evil", recommended=(PAGE,),
        ),
        "test",
    )  # fmt: skip
    app.stored.store.apply(batch)
    app.live.refresh()
    page = Editing(person(app, "ed"), EVIL)
    page.press("pin 1:sleep-1").press("preview", reason=EVIL).saved()
    other = Editing(page.who).press(f"pin 1:{EVIL}").saved()

    for text in (page.answer.text, other.answer.text):
        assert "&lt;script&gt;alert(1)" in text
        assert "<script>alert" not in text and "<img" not in text


def test_a_script_gets_the_part_it_asks_for(ed: Person):
    """The same markup, without what is around it, and a way on after saving."""
    page = Editing(ed)
    form = {"token": "", "page": PAGE, "at": "", "press": f"pin 1:{page.ids[-1]}"}
    headers = {"hx-request": "true", "x-form-token": ed.token}

    part = ed.post("/console/page", data=form, headers=headers)

    assert part.status_code == 200 and "<html" not in part.text
    assert listed(part.text)[0] == page.ids[-1]
    drafts = {field: [row[field] for row in drafted(part.text)] for field in FIELDS}
    saved = ed.post("/console/page", data={**form, **drafts, "press": "save"}, headers=headers)
    assert saved.status_code == 200
    assert saved.headers["hx-redirect"].startswith("/console/page?")
