"""Worst lists: what commands found, in one order, and what editors have dealt with since."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asking import NOW, Clock
from consoles import Person, copied, person, served

from recommender.articles.batch import Batch
from recommender.bundle import figures
from recommender.config import Settings
from recommender.evaluation import audit
from recommender.store import rules
from recommender.store.database import Store
from recommender.store.rules import Edit, Rule
from recommender_api.app import Api
from recommender_api.console import worst

RESULT = re.compile(r'<li>\s*<a href="/console/page\?id=([^"&]+)(?:&amp;kind=\w+)?">')


@pytest.fixture
def settings(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A trained site of one's own, copied."""
    return copied(tmp_path, tmp_path_factory)


@pytest.fixture
def app(settings: Settings) -> Iterator[Api]:
    with served(settings, clock=Clock()) as app:
        yield app


@pytest.fixture
def val(app: Api) -> Person:
    return person(app, "val")


def found(settings: Settings, **parts: Any) -> None:
    """Have the figures say so."""
    content = {
        "made": "2026-11-22T09:00:00+00:00",
        "falling": {"pages": [], "n": 0, "days": 28},
        "short": {"n": 0, "pages": []},
        "filled": {"n": 0, "pages": []},
        **parts,
    }
    figures.write(settings.models, content, np.zeros((0, 4), np.int32))


def page(id: str, **figures: Any) -> dict[str, Any]:
    return {"id": id, "title": id.title(), "links": 10, "fillers": 0, "views": 7, **figures}


def falls(id: str, lost: float) -> dict[str, Any]:
    return page(id, clicks=3, rate=0.003, past_views=2000, past_clicks=40, past_rate=0.02,
                ratio=0.15, low=0.05, high=0.5, lost=lost)  # fmt: skip


def audited(settings: Settings, *links: tuple[str, str, str, str]) -> None:
    """Have the audit say so: page, link, grade and kind each."""
    rows = [
        {"source_id": source, "source_title": source, "source_url": None, "position": at,
         "target_id": target, "target_title": target, "target_url": None, "grade": grade,
         "kinds": kind, "reasons": f"reason {kind}; another", "sure": 1.0,
         "instead_id": "knee-1", "instead_title": "Knee one", "instead_url": None}
        for at, (source, target, grade, kind) in enumerate(links, start=1)
    ]  # fmt: skip
    grades = {name: sum(row["grade"] == name for row in rows) for name in worst.GRADES}
    content = {"date": "2026-11-21", "grades": grades, "worst": rows}
    (settings.models / audit.FILE).write_text(json.dumps(content))


def listed(who: Person, **query: str) -> list[str]:
    text = who.get("/console/worst", params=query).text
    return [unescape(id) for id in RESULT.findall(text)]


def recommend(settings: Settings, id: str, *links: str) -> None:
    """Give a page a hand-picked list."""
    with Store(settings.database) as store:
        (article,) = store.articles(ids=[id])
        batch = Batch()
        batch.articles[id] = replace(article, recommended=links)
        store.apply(batch)


def ruled(settings: Settings, *made: Rule) -> None:
    with Store(settings.database) as store:
        rules.write(store, [Edit(rule) for rule in made], account="ed", at=NOW)


def test_what_is_missing_says_which_command_makes_it(val: Person):
    """No audit yet, no figures yet."""
    text = val.get("/console/worst").text

    assert "recommender figures" in text and "recommender audit" in text
    assert "Nothing is known to be wrong." in text


def test_all_kinds_are_in_one_order_the_worst_first_with_reasons_in_words(
    settings: Settings, val: Person
):
    """A page that has several stands where the worst of them does."""
    recommend(settings, "sleep-3", "gone", "knee-2")
    found(
        settings,
        falling={"pages": [falls("knee-2", 33.4)], "n": 1, "days": 28},
        short={"n": 1, "pages": [page("alone", links=1)]},
        filled={"n": 2, "pages": [page("knee-2", fillers=3), page("sleep-1", fillers=10)]},
    )
    audited(settings, ("sleep-3", "gone", "broken", "dead"), ("sleep-3", "knee-2", "poor", "off"))

    text = val.get("/console/worst").text

    assert listed(val) == ["knee-2", "alone", "sleep-3", "sleep-1"]
    assert "Of 100 readers 0.3 follow a link" in text and "some 33 clicks are lost" in text
    assert "Only one link can be shown here. Seen 7 times of late." in text
    assert "3 of 10 links only fill up" in text and "All links only fill up" in text
    assert "Link 1, “gone”: reason dead. Better: “Knee one”." in text
    assert listed(val, kind="filled") == ["knee-2", "sleep-1"]
    assert listed(val, kind="poor") == ["sleep-3"]
    assert listed(val, kind="no such") == listed(val)


def test_no_clicks_yet_is_said_with_where_they_come_from(settings: Settings, val: Person):
    """And a kind of which there is nothing says so."""
    few = {"pages": [], "n": 0, "why": "This takes 14 days of log; there are 0."}
    found(settings, falling=few, short={"n": 1, "pages": [page("alone")]})

    assert "recommender import events" in val.get("/console/worst").text
    assert "Nothing is left to do here" in val.get("/console/worst?kind=filled").text


def test_what_the_commands_write_is_what_the_page_reads():
    """The names they share."""
    assert worst.AUDIT == audit.FILE
    assert set(worst.GRADES) < set(audit.GRADES)
    assert {worst.DEAD, worst.OFF_TOPIC} <= {check.name for check in audit.CHECKS}
    assert {"source_id", "grade", "kinds", "reasons", "target_id"} <= set(audit.COLUMNS)


def test_a_finding_that_was_dealt_with_says_how_and_is_set_aside(
    settings: Settings, app: Api, val: Person, monkeypatch: pytest.MonkeyPatch
):
    """Blocked, gone from the page, imported since, ruled on."""
    monkeypatch.setattr(worst, "N_LINKS", 9)
    recommend(settings, "sleep-1", "knee-1", "gone", "knee-3", "sleep-2")
    audited(
        settings,
        ("sleep-1", "knee-1", "poor", "off"),
        ("sleep-1", "lost", "broken", "dead"),
        ("sleep-1", "knee-3", "broken", "dead"),
        ("no-page", "knee-3", "broken", "dead"),
        ("sleep-1", "gone", "broken", "dead"),
    )
    found(settings, short={"n": 2, "pages": [page("alone"), page("sleep-4")]})
    assert listed(val) == ["alone", "sleep-4", "sleep-1"]

    recommend(settings, "sleep-1", "knee-1", "knee-3", "sleep-2")
    ruled(settings, Rule("block", "*", "knee-1"), Rule("pin", "sleep-4", "knee-2", 1))
    app.live.refresh()

    assert listed(val) == ["alone"]
    assert set(listed(val, kind="dealt")) == {"sleep-4", "sleep-1", "no-page"}
    text = val.get("/console/worst", params={"kind": "dealt"}).text
    assert set(re.findall("Dealt with: ([^<]*)<", text)) == {
        "the link is blocked",
        "the link is not on the page any more",
        "there is a page now",
        "the page is gone",
        "an editor made a rule for the page since",
    }


def test_one_page_leads_to_the_next_and_what_was_just_dealt_with_keeps_its_place(
    settings: Settings, app: Api, val: Person
):
    """From the list of a page, with a key; the last one leads back."""
    found(settings, short={"n": 3, "pages": [page("alone"), page("knee-2"), page("sleep-1")]})

    def after(id: str) -> str:
        return val.get("/console/worst", params={"after": id}).headers["location"]

    assert after("alone") == "/console/page?id=knee-2"
    assert after("knee-5") == "/console/page?id=alone"

    ruled(settings, Rule("pin", "knee-2", "knee-1", 1))
    app.live.refresh()

    assert after("knee-2") == "/console/page?id=sleep-1"
    assert after("alone") == "/console/page?id=sleep-1"
    assert after("sleep-1").startswith("/console/worst?done=")


def test_long_lists_are_turned_over(settings: Settings, val: Person):
    """Each page of rows goes on where the one before ended."""
    pages = [page(f"p{at}") for at in range(60)]
    with Store(settings.database) as store:
        (article,) = store.articles(ids=["alone"])
        batch = Batch()
        batch.articles |= {each["id"]: replace(article, id=each["id"]) for each in pages}
        store.apply(batch)
    found(settings, short={"n": 60, "pages": pages})

    turned = [listed(val, **({"from": at} if at else {})) for at in ("", "26", "51", "99", "x")]

    assert [len(each) for each in turned] == [25, 25, 10, 25, 25]
    assert [id for each in turned[:3] for id in each] == [each["id"] for each in pages]
    assert "26 to 50 of 60" in val.get("/console/worst", params={"from": "26"}).text


@pytest.mark.parametrize(
    "text", ["", "[]", '{"worst": 3}', '{"date": "x", "worst": []}', "[" * 9999]
)
def test_an_audit_that_cannot_be_read_is_named(settings: Settings, val: Person, text: str):
    """The page is there all the same."""
    (settings.models / audit.FILE).write_text(text)

    assert "The audit cannot be read" in val.get("/console/worst").text


def test_what_the_files_hold_is_text(settings: Settings, val: Person):
    """Titles come from pages that anybody may have written."""
    evil = "<script>alert(1)</script>"
    found(settings, short={"n": 1, "pages": [{**page("x"), "title": evil}]})
    audited(settings, ("alone", evil, "broken", "dead"))

    for kind in ("", "dealt"):
        assert "<script>alert" not in val.get("/console/worst", params={"kind": kind}).text


def test_only_an_own_address_leads_out_of_the_console(settings: Settings, val: Person):
    """A relative one would lead to the console's host."""
    with Store(settings.database) as store:
        batch = Batch()
        for article in store.articles(ids=["sleep-1", "sleep-2"]):
            url = "/sleep/one" if article.id == "sleep-1" else "https://example.org/sleep/two"
            batch.articles[article.id] = replace(article, url=url)
        store.apply(batch)
    found(settings, short={"n": 2, "pages": [page("sleep-1"), page("sleep-2")]})

    worst_lists = val.get("/console/worst").text
    results = val.get("/console/", params={"q": "sleep"}).text

    for text in (worst_lists, results):
        assert 'href="https://example.org/sleep/two" rel="noreferrer"' in text
        assert 'href="/sleep/one"' not in text
    assert '<span class="address">/sleep/one</span>' in results


def test_reasons_of_texts_are_an_editors(settings: Settings, val: Person):
    """Shares and how sure they are stay in the audit."""
    recommend(settings, "sleep-1", "knee-1")
    audited(settings, ("sleep-1", "knee-1", "poor", "off-topic"))
    path = settings.models / audit.FILE
    reason = "texts 5 % alike, as any two articles may be (over 99 % sure)"
    path.write_text(path.read_text().replace("reason off-topic; another", reason))

    text = val.get("/console/worst").text

    assert "“knee-1”: the texts have no more in common than any two articles." in text
    assert "alike" not in text and "99 %" not in text


def test_the_next_page_is_the_next_of_its_kind(settings: Settings, app: Api, val: Person):
    """The rows carry the kind to the page's list, and so does the way from one to the next."""
    found(
        settings,
        short={"n": 2, "pages": [page("alone"), page("knee-2")]},
        filled={"n": 2, "pages": [page("sleep-1", fillers=3), page("alone", fillers=2)]},
    )
    query = {"kind": "filled", "after": "alone"}

    assert "/console/page?id=sleep-1&amp;kind=filled" in val.get("/console/worst?kind=filled").text
    assert val.get("/console/worst", params=query).headers["location"] == (
        "/console/page?id=sleep-1&kind=filled"
    )
    assert val.get("/console/page?id=sleep-1&kind=filled").status_code == 200
