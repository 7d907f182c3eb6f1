"""All rules on a page: found, made, changed, removed, undone, brought in from files and out."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
from asking import NOW, Client, Clock, ids
from consoles import Person, copied, person, served

from recommender.config import Settings
from recommender.store import rules
from recommender.store.rules import Edit, Rule
from recommender_api.app import Api

PAGE, OTHER = "sleep-5", "knee-2"
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


@pytest.fixture
def settings(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A trained site of one's own, copied."""
    return copied(tmp_path, tmp_path_factory, time_zone="Europe/Berlin")


@pytest.fixture
def app(settings: Settings) -> Iterator[Api]:
    with served(settings, clock=Clock()) as app:
        yield app


@pytest.fixture
def ed(app: Api) -> Person:
    return person(app, "ed")


def live(app: Api, page: str = PAGE) -> list[str]:
    return ids(Client(app).get("/v1/related", params={"id": page}))


def there(app: Api) -> list[Rule]:
    assert app.stored.store is not None
    return rules.read(app.stored.store)


def add(app: Api, *given: Rule, account: str = "ann") -> None:
    assert app.stored.store is not None
    edits = [Edit(rule) for rule in given]
    rules.write(app.stored.store, edits, account=account, at=NOW)
    app.live.refresh()


def text_of(answer: object) -> str:
    """What is to be read on a page, with one blank between words."""
    plain = re.sub(r"<[^>]*>", " ", str(getattr(answer, "text", answer)))
    return " ".join(unescape(plain).split())


def save(who: Person, **fields: str) -> object:
    who.get("/console/rules/edit")
    return who.send("/console/rules/edit", **fields)


def test_a_rule_is_made_by_words_ids_and_days(app: Api, ed: Person):
    """It holds at once here; a day is one of the site's zone; the history has who made it."""
    answer = save(
        ed, action="pin", source=PAGE, target=OTHER, position="2", ends="2026-12-24", reason="why"
    )

    assert answer.status_code == 303
    assert live(app)[1] == OTHER
    (rule,) = there(app)
    assert (rule.account, rule.reason) == ("ed", "why")
    assert rule.ends is not None
    assert rule.ends.isoformat() == "2026-12-24T23:00:00+00:00"
    shown = text_of(ed.get(answer.headers["location"]))
    assert "Saved: live here now" in shown
    assert "at place 2 on" in shown
    assert "until 2026-12-24" in shown


def test_an_unknown_article_is_refused_with_those_that_may_be_meant(app: Api, ed: Person):
    """What was typed stays; the press of a button takes one of them."""
    answer = save(ed, action="block", source="*", target="knee-22", reason="kept")

    assert answer.status_code == 422
    assert there(app) == []
    assert "There is no article “knee-22”. Did you mean one of these?" in text_of(answer)
    picks = [unescape(each) for each in re.findall(r'name="pick" value="([^"]+)"', answer.text)]
    assert "target knee-2" in picks
    assert 'value="kept"' in answer.text

    fields = {"action": "block", "source": "*", "target": "knee-22", "reason": "kept"}
    assert save(ed, **fields, pick="target knee-2").status_code == 303
    assert [(rule.target, rule.reason) for rule in there(app)] == [("knee-2", "kept")]


def test_a_title_that_one_article_has_names_it(app: Api, ed: Person):
    """In the form and in a file that is brought in, where it is said what it was taken for; words
    that several have ask which, and what is like nothing gets no proposals.
    """
    assert app.stored.store is not None
    (article,) = app.stored.store.articles(ids=[OTHER])
    title = article.title

    assert save(ed, action="block", source=PAGE, target=title.upper()).status_code == 303
    assert [rule.target for rule in there(app)] == [OTHER]
    seen = text_of(upload(ed, f'action,source,target\nblock,*,"{title}"\n'.encode()))
    assert "1 line: 1 added" in seen
    assert f"“{title}” is taken for {OTHER}" in seen
    several = text_of(save(ed, action="block", source=PAGE, target="knee"))
    assert "Several articles have “knee”. Which of these?" in several
    nothing = save(ed, action="block", source=PAGE, target="qqq-zzz-2")
    assert 'name="pick"' not in nothing.text
    assert "??" not in text_of(nothing)


def test_an_answer_with_faults_has_the_first_wrong_field_in_focus(app: Api, ed: Person):
    """One alone, which names what is wrong with it; a file that will not do is chosen anew."""
    answer = save(ed, action="pin", source="nowhere-1", target=OTHER, position="0").text

    (focused,) = re.findall("<input[^>]*autofocus[^>]*>", answer)
    assert 'name="source"' in focused
    assert 'aria-invalid="true" aria-describedby="fault-source"' in focused
    assert 'id="fault-source"' in answer
    (file,) = re.findall("<input[^>]*autofocus[^>]*>", upload(ed, b"").text)
    assert 'aria-describedby="fault"' in file


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"target": ""}, "Name an article"),
        ({"target": PAGE}, "An article cannot stand beside itself."),
        ({"target": "*"}, "There is no article “*”"),
        ({"position": "0"}, "A place is a number from 1 to 100."),
        ({"position": "101"}, "A place is a number from 1 to 100."),
        ({"position": "two"}, "A place is a number from 1 to 100."),
        ({"starts": "3/4/2026"}, "may be the 3 of month 4"),
        ({"starts": "2026-12-02", "ends": "2026-12-01"}, "It would end before it begins."),
        ({"action": "hide"}, "neither pin nor block"),
        ({"reason": "x" * 1_001}, "Longer than 1,000"),
    ],
)
def test_what_will_not_do_is_said_at_its_field(
    app: Api, ed: Person, fields: dict[str, str], fault: str
):
    """And nothing is saved."""
    answer = save(ed, **{"action": "pin", "source": PAGE, "target": OTHER, **fields})

    assert answer.status_code == 422
    assert fault in text_of(answer)
    assert there(app) == []


def test_who_comes_second_is_told(app: Api, ed: Person):
    """Both pins stand; a rule that another changed meanwhile is not overwritten."""
    add(app, Rule("pin", PAGE, "knee-3", 1))

    second = save(ed, action="pin", source=PAGE, target=OTHER, position="1")

    shown = text_of(ed.get(second.headers["location"]))
    assert "(rule 1 by ann): this one stands at place 2" in shown
    assert live(app)[:2] == ["knee-3", OTHER]
    form = ed.get("/console/rules/edit", params={"number": "1"}).text
    seen = re.search(r'name="seen" value="([^"]+)"', form)
    assert seen is not None
    assert app.stored.store is not None
    rules.change(app.stored.store, 1, Rule("pin", PAGE, "knee-3", 5), account="cleo", at=NOW)
    fields = {"action": "pin", "source": PAGE, "target": "knee-3", "position": "4"}
    late = ed.send("/console/rules/edit", number="1", seen=seen[1], **fields)
    assert late.status_code == 422
    assert "Cleo changed this rule meanwhile" in text_of(late)
    assert there(app)[0].position == 5


def test_rules_without_effect_stand_on_top_with_the_reason(
    app: Api, ed: Person, settings: Settings
):
    """Of the file and of the console; those of the file are read-only."""
    settings.editorial.write_text(
        f"action,source,target,position\npin,{PAGE},{OTHER},1\nblock,*,knee-22,\n"
    )
    app.live.refresh()
    add(app, Rule("pin", PAGE, "knee-3", 1), Rule("pin", PAGE, OTHER, 3))

    page = ed.get("/console/rules")

    top = text_of(page).partition("Without the effect they are for")[2].partition("All rules")[0]
    assert "the file holds" in top and "the file goes before the console." in top
    assert "No article has the id or address “knee-22”. Did you mean" in top
    assert "is pinned there already by line 2 of the file" in top
    assert "Line 2 of the file: it is changed there" in text_of(page)
    assert page.text.count("/rules/edit?number=") == 2 * 2
    assert "4 rules: 1 in force, 3 without the effect" in text_of(page)


def test_three_thousand_rules_are_found_page_by_page(app: Api, ed: Person):
    """By state, by where they are kept, by words of a title; fifty at a time."""
    add(
        app,
        *(Rule("block", PAGE, OTHER, None, None, NOW.replace(year=1950 + n // 40, day=1 + n % 28,
          hour=n % 24)) for n in range(2_999)),
        Rule("pin", PAGE, OTHER, 1, reason="a very special one"),
    )  # fmt: skip

    first = text_of(ed.get("/console/rules"))
    assert "3,000 rules" in first
    assert "page 1 of 60" in first
    last = ed.get("/console/rules", params={"n": "60"})
    assert last.text.count('<div class="said">') == 50
    found = text_of(ed.get("/console/rules", params={"q": "SPECIAL"}))
    assert "1 to 1 of 1" in found
    assert "1 to 1 of 1" in text_of(ed.get("/console/rules", params={"state": "force"}))
    assert "No rule is like that" in text_of(ed.get("/console/rules", params={"kept": "file"}))
    assert ed.get("/console/rules", params={"n": "99999999999"}).status_code == 200


def test_removed_and_undone(app: Api, ed: Person):
    """As long as nothing came between, which a sentence says."""
    add(app, Rule("pin", PAGE, OTHER, 1))
    page = ed.get("/console/rules").text
    seen = re.search(r'name="seen" value="([^"]+)"', page)
    assert seen is not None

    asked = ed.send("/console/rules/remove", number="1", seen=seen[1])
    assert "Remove rule 1?" in text_of(asked)
    assert len(there(app)) == 1
    answer = ed.send("/console/rules/remove", number="1", seen=seen[1], sure="yes")

    assert there(app) == []
    history = ed.get(answer.headers["location"])
    assert "ed removed" in text_of(history)
    assert "Cannot be undone: rule 1 was removed since." in text_of(history)
    answer = ed.send("/console/rules/undo", number_of="2")
    assert answer.status_code == 303
    assert "ed undid action 2, " in text_of(ed.get(answer.headers["location"]))
    assert live(app)[0] == OTHER
    again = ed.send("/console/rules/undo", number_of="2")
    assert again.status_code == 400
    assert "action 2 cannot be undone: it was undone already" in text_of(again)


def upload(who: Person, raw: bytes, **fields: str) -> object:
    who.get("/console/rules/import")
    return who.post(
        "/console/rules/import",
        data={"token": who.token, **fields},
        files={"file": ("rules.csv", raw, "text/csv")},
    )


def hidden(text: str) -> dict[str, str]:
    found = re.findall(r'name="(packed|seen|replacing)" value="([^"]*)"', text)
    return {name: unescape(value) for name, value in found}


def test_a_file_that_cannot_be_read_is_refused_with_its_line(app: Api, ed: Person):
    """A row that a spreadsheet put into one cell, with a line's end inside of it."""
    answer = upload(ed, b'action;source;target\r\n"pin;a\rb;c"\r\n')

    assert answer.status_code == 422
    assert "Line 2: new-line character" in text_of(answer)
    assert there(app) == []


def test_all_lines_that_cannot_be_read_are_named_at_once(app: Api, ed: Person):
    """In their order, whatever is wrong with each; of hundreds the first fifty."""
    raw = (
        "action,source,target,position,until\nhide,*,knee-3,,\npin,a,b,101,\nblock,*,knee-3,,\n"
        "pin,a,b,1,2026-13-01\npin,a,b,1,,,too much\n"
    )
    shown = upload(ed, raw.encode())
    text = text_of(shown)

    assert shown.status_code == 422
    assert "4 lines cannot be read, so nothing is brought in." in text
    assert "Line 2, action: 'hide' is neither pin nor block." in text
    assert "Line 3, position: '101' is not 1 to 100." in text
    assert "Line 5, until:" in text and "Line 4" not in text
    assert text.index("Line 5") < text.index("Line 6: more cells than the heading")
    many = text_of(upload(ed, b"action,source,target\n" + b"hide,a,b\n" * 3_000))
    assert "More than 50 lines" in many and many.count("Line ") == 50
    assert there(app) == []


def test_a_file_is_seen_line_by_line_and_then_brought_in(app: Api, ed: Person):
    """As a spreadsheet saves it; nothing is done before; one undoing takes it out."""
    add(app, Rule("pin", PAGE, OTHER, 1))
    sheet = (
        "sep=;\r\nAction;Source;Target;Position;Until;Reason\r\n"
        f"pin;{PAGE};{OTHER};2;24.12.2026;Müller\r\nblock;*;knee-3;;;\r\n;;;;;\r\n"
    )

    seen = upload(ed, sheet.encode("cp1252"))

    shown = text_of(seen)
    assert "2 lines: 1 added, 1 changed." in shown
    assert "read as Windows-1252, so that line 3 has 'Müller'" in shown
    assert "line 3: changed" in shown
    assert "Until now: Pin" in shown
    assert len(there(app)) == 1
    done = ed.send("/console/rules/import", do="bring in", **hidden(seen.text))
    assert done.status_code == 303
    assert [(r.target, r.position, r.reason) for r in there(app)] == [
        (OTHER, 2, "Müller"),
        ("knee-3", None, ""),
    ]
    ed.get("/console/rules")
    ed.send("/console/rules/undo", number_of="2")
    assert [(r.target, r.position) for r in there(app)] == [(OTHER, 1)]


def test_a_file_with_a_slip_is_brought_in_not_at_all(app: Api, ed: Person):
    """The line says what may be meant; a form that agrees all the same is refused too."""
    raw = f"action,source,target\nblock,*,knee-3\nblock,{PAGE},knee-22\n".encode()

    seen = upload(ed, raw)

    assert "Nothing can be brought in until every line will do." in text_of(seen)
    assert "line 3 block knee-22" in text_of(seen)
    assert "Did you mean one of these? knee-2" in text_of(seen)
    ed.send("/console/rules/import", do="bring in", **hidden(seen.text))
    assert there(app) == []


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"", "Choose a file that has something in it."),
        (b"PK\x03\x04", "this is a workbook"),
        (
            b"action,source,target,until\nblock,*,knee-3,1/2/2026\n",
            "Line 2, until: '1/2/2026' may",
        ),
        (b"x" * (1024 * 1024 + 1), "at most 1 MB"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(app: Api, ed: Person, raw: bytes, fault: str):
    """On the spot, with line and field."""
    answer = upload(ed, raw)

    assert answer.status_code == 422
    assert fault in text_of(answer)


def test_what_another_changed_after_the_preview_is_shown_again(app: Api, ed: Person):
    """Nobody agrees to what he has not seen."""
    seen = upload(ed, f"action,source,target,position\npin,{PAGE},{OTHER},3\n".encode())
    add(app, Rule("pin", PAGE, OTHER, 1))

    again = ed.send("/console/rules/import", do="bring in", **hidden(seen.text))

    assert again.status_code == 200
    assert "Somebody changed rules meanwhile: look at it again." in text_of(again)
    assert [rule.position for rule in there(app)] == [1]
    assert ed.send("/console/rules/import", **hidden(again.text), do="bring in").status_code == 303
    assert [rule.position for rule in there(app)] == [3]


def test_two_thousand_rules_come_in_at_once(app: Api, ed: Person):
    """More than other requests may hold."""
    reason = "because " * 20
    ends = [NOW + timedelta(hours=n) for n in range(2_000)]
    lines = [f"block,{PAGE},{OTHER},,{end:%Y-%m-%d %H:%M}Z,{reason}{end}" for end in ends]
    raw = "\n".join(["action,source,target,position,until,reason", *lines]).encode()
    assert len(raw) > 300_000

    seen = upload(ed, raw)
    assert seen.status_code == 200, text_of(seen)[:300]
    done = ed.send("/console/rules/import", do="bring in", **hidden(seen.text))

    assert done.status_code == 303
    assert len(there(app)) == 2_000


def test_what_is_written_out_is_safe_and_comes_back(app: Api, ed: Person, settings: Settings):
    """With the file's rules or without; formulas are none in a spreadsheet."""
    settings.editorial.write_text("action,source,target\nblock,*,knee-3\n")
    app.live.refresh()
    add(app, Rule("pin", PAGE, OTHER, 1, reason='=cmd|" /C calc"!A0'))

    everything = ed.get("/console/rules/export")
    own = ed.get("/console/rules/export", params={"kept": "console", "separator": "semicolon"})

    assert everything.headers["content-disposition"].endswith('"editorial.csv"')
    assert everything.content.startswith(b"\xef\xbb\xbfaction,source")
    assert len(everything.text.splitlines()) == 3
    assert own.text.splitlines()[1].startswith(f"pin;{PAGE};{OTHER};1;;;\"'=cmd")
    seen = upload(ed, everything.content)
    assert "1 there already, 1 in the file" in text_of(seen)


def test_viewers_see_and_change_nothing(app: Api):
    """No form, and none is taken."""
    add(app, Rule("pin", PAGE, OTHER, 1))
    val = person(app, "val")

    page = val.get("/console/rules")

    assert page.status_code == val.get("/console/rules/history").status_code == 200
    assert "/rules/edit" not in page.text and "Remove" not in page.text
    for path in ("edit", "import"):
        assert val.get(f"/console/rules/{path}").status_code == 403
    for path in ("edit", "import", "remove", "undo"):
        assert val.send(f"/console/rules/{path}", number="1", number_of="1").status_code == 403
    assert len(there(app)) == 1


def test_forms_of_other_sites_are_refused(app: Api, ed: Person):
    """Without the token nothing is done."""
    add(app, Rule("pin", PAGE, OTHER, 1))
    for path in ("edit", "import", "remove", "undo"):
        answer = ed.post(f"/console/rules/{path}", data={"number": "1", "number_of": "1"})
        assert answer.status_code == 403
    assert len(there(app)) == 1


def test_titles_reasons_and_ids_run_nothing(app: Api, ed: Person):
    """Whatever they hold."""
    add(app, Rule("block", PAGE, EVIL, reason=EVIL), account=EVIL)
    raw = f'action,source,target,reason\nblock,{PAGE},"{EVIL.replace(chr(34), chr(34) * 2)}",x\n'

    pages = [
        ed.get("/console/rules"),
        ed.get("/console/rules", params={"q": EVIL}),
        ed.get("/console/rules/history"),
        ed.get("/console/rules/edit", params={"source": EVIL, "reason": EVIL}),
        ed.get("/console/rules/named", params={"target": EVIL}),
        save(ed, action="block", source=EVIL, target=EVIL),
        upload(ed, raw.encode()),
    ]

    for page in pages:
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text


def test_what_is_typed_is_named_meanwhile(app: Api, ed: Person):
    """An article by its id, every page by a star, several by words."""
    one = ed.get("/console/rules/named", params={"target": OTHER})
    assert there(app) == []
    assert text_of(one)
    assert text_of(ed.get("/console/rules/named", params={"source": "*"})) == "every page"
    assert "No article is called that." in text_of(
        ed.get("/console/rules/named", params={"target": "zzzzzzz"})
    )


def test_what_a_page_shows_is_as_of_now(app: Api, ed: Person):
    """What another editor saved a moment ago is there, though this server has not looked yet."""
    ed.get("/console/rules")
    assert app.stored.store is not None
    rules.add(app.stored.store, replace(Rule("pin", PAGE, OTHER, 1)), account="ann", at=NOW)

    assert "1 rule: 1 in force" in text_of(ed.get("/console/rules"))
