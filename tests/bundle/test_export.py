"""Lists leave as JSON, as HTML, or in the pages they came from, and nothing else is touched."""

import json
import os
from pathlib import Path

import pytest
from sites import NOW

from recommender.articles import text_page
from recommender.articles.batch import RawPage
from recommender.articles.reader import read_articles
from recommender.bundle.bundle import Bundle
from recommender.bundle.composition import Link
from recommender.bundle.export import export, file_name, fragment
from recommender.errors import InputError, RecommenderError
from recommender.store.database import Store
from recommender.training.pipeline import build

# Beginnings of pages: two links, one with CRLF, one with a byte order mark, none, five.
TITLES = {
    "knee": "Why does my knee click?",
    "hip": "Why does my hip click?",
    "ankle": "Why does my ankle click?",
    "膝": "膝盖为什么会响？",
    "sleep": "How do I sleep at night?",
}


def page(title: str, *, n_links: int, newline: str = "\n", end: str = "\n") -> bytes:
    """A page on joints, whose old list holds titles nobody has."""
    blocks = [title, title, "What makes the noise", f"A joint clicks on stairs. {title}"]
    blocks += ["<<:\u00a0Before", ">>:\u00a0After"]
    if n_links:
        blocks.append("Recommend")
    for number in range(n_links):
        blocks += [f"Old title {number}", "Old teaser..."]
    return (newline * 2).join(blocks).encode() + end.encode()


PAGES = {
    "knee.txt": page(TITLES["knee"], n_links=2),
    "deep/hip.txt": page(TITLES["hip"], n_links=1, newline="\r\n", end="\r\n"),
    "deep/ankle.txt": b"\xef\xbb\xbf" + page(TITLES["ankle"], n_links=3, end=""),
    "膝.txt": page(TITLES["膝"], n_links=0),
    "sleep.txt": page(TITLES["sleep"], n_links=4, end="\n\n\n"),
}


@pytest.fixture
def site(tmp_path: Path) -> tuple[Bundle, list[tuple[str, RawPage]]]:
    """A bundle of the pages above, and the pages as the store holds them."""
    for name, raw in PAGES.items():
        path = tmp_path / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
    with Store("sqlite://") as store:
        store.apply(read_articles([tmp_path / "site"], url="https://example.org/{id}"))
        return build(store, tmp_path / "models", now=NOW), store.pages()


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_pages_get_as_many_links_as_they_had(site, tmp_path: Path):
    """Reading the page again gives the new list: titles and teasers of the bundle's links."""
    bundle, stored = site

    done = export(bundle, tmp_path / "out", "pages", stored=stored)

    written = files(tmp_path / "out")
    assert set(written) == set(PAGES)
    assert (done.n_written, done.n_rewritten) == (5, 4)
    for name, raw in written.items():
        id = Path(name).stem
        n_links = text_page.n_links(PAGES[name])
        row = bundle.lists.row(id)
        links = bundle.lists.related(row, k=n_links, least=n_links) if n_links else []
        found = text_page.parse(raw.decode("utf-8-sig"), where=name)
        assert found.recommended == tuple((link.title, link.teaser) for link in links)
        assert len(links) == n_links


def test_the_rest_of_a_page_stays_byte_for_byte(site, tmp_path: Path):
    """Line ends, a missing or triple line feed at the end, the mark in front, no-break spaces."""
    bundle, stored = site
    export(bundle, tmp_path / "out", "pages", stored=stored)

    for name, raw in files(tmp_path / "out").items():
        old = PAGES[name]
        if not text_page.n_links(old):
            assert raw == old
            continue
        before = old.index(b"Recommend") + len(b"Recommend")
        end = old[len(old.rstrip(b"\r\n")) :]
        assert raw[:before] == old[:before]
        assert raw.endswith(end)
        assert not raw.removesuffix(end).endswith((b"\n", b"\r"))
        assert raw.count(b"\r") == (raw.count(b"\n") if b"\r" in old else 0)
        assert b"Old title" not in raw


def test_a_page_without_a_list_is_told(site, tmp_path: Path):
    """Where the site shows no list none is invented."""
    bundle, stored = site

    assert export(bundle, tmp_path / "out", "pages", stored=stored).left == (
        "膝.txt: no Recommend block",
    )


def test_a_page_the_bundle_does_not_know_stays_as_it_is(site, tmp_path: Path):
    """It came after the training; the remedy is named."""
    bundle, _ = site
    raw = page("New", n_links=2)

    done = export(bundle, tmp_path / "out", "pages", stored=[("new", RawPage("new.txt", raw))])

    assert files(tmp_path / "out") == {"new.txt": raw}
    assert done.left == (f"new.txt: not in bundle {bundle.name}; train again",)


@pytest.mark.parametrize("kind", ["json", "html", "pages"])
def test_exporting_again_writes_the_same(site, tmp_path: Path, kind: str):
    """No file more, no byte other, nothing half-made in between."""
    bundle, stored = site

    export(bundle, tmp_path / "out", kind, stored=stored)
    once = files(tmp_path / "out")
    export(bundle, tmp_path / "out", kind, stored=stored)

    assert files(tmp_path / "out") == once


def test_exported_pages_import_as_the_same_articles(site, tmp_path: Path):
    """Only their lists are other; nothing turns into a stub."""
    bundle, stored = site
    export(bundle, tmp_path / "out", "pages", stored=stored)

    again = read_articles([tmp_path / "out"])

    assert {id: draft.fields["title"] for id, draft in again.drafts.items()} == TITLES
    titles = {pick.title for draft in again.drafts.values() for pick in draft.picks or ()}
    assert titles <= set(TITLES.values())


@pytest.mark.parametrize("name", ["../out.txt", "/etc/out.txt", "deep/../../out.txt"])
def test_a_stored_name_that_leads_out_is_refused(site, tmp_path: Path, name: str):
    """A store may come from elsewhere."""
    bundle, _ = site

    with pytest.raises(RecommenderError, match="leads out of"):
        export(bundle, tmp_path / "out", "pages", stored=[("x", RawPage(name, b"x"))])


def test_without_text_pages_there_is_nothing_to_rewrite(site, tmp_path: Path):
    """Articles from JSON have no page to write back."""
    with pytest.raises(InputError, match="holds no text pages"):
        export(site[0], tmp_path / "out", "pages", stored=[])


def test_json_is_a_line_an_article(site, tmp_path: Path):
    """The answer of the API without its slate, in the order of the ids."""
    bundle, _ = site

    done = export(bundle, tmp_path / "out", "json", k=2)

    ((name, raw),) = files(tmp_path / "out").items()
    lines = [json.loads(line) for line in raw.decode().splitlines()]
    assert name == "related.jsonl"
    assert [line["article_id"] for line in lines] == sorted(TITLES)
    assert done.n_written == 5
    for line in lines:
        assert line["model"] == bundle.name
        assert [item["id"] for item in line["items"]] == [
            link.id for link in bundle.related(line["article_id"], 2)
        ]


def test_html_is_a_file_an_article(site, tmp_path: Path):
    """Named after its id, in UTF-8, a landmark with real links."""
    bundle, _ = site
    export(bundle, tmp_path / "out", "html")

    written = files(tmp_path / "out")
    assert set(written) == {file_name(id, ".html") for id in TITLES}
    assert (
        '<a href="https://example.org/hip">Why does my hip click?</a>'
        in written["knee.html"].decode()
    )


def link(**changed: str | None) -> Link:
    given = {"id": "x", "url": "https://example.org/x", "title": "Title", "teaser": "Text..."}
    return Link(**{**given, **changed}, position=1, score=0.5, origin="text")  # type: ignore[arg-type]


def test_html_escapes_what_articles_say():
    """Titles, teasers and addresses come from anywhere."""
    evil = '"><script>alert(1)</script>&'

    text = fragment([link(title=evil, teaser=evil, url=f"https://example.org/?{evil}")])

    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 3
    assert text.count('"') == 6


def test_html_has_pictures_dates_and_languages():
    """Of links that have them; nothing is asked for before it is near, nor tells where from."""
    whole = link(image="/p.jpg?a=1&b", published_at="2026-11-02T09:00:00Z", language="he")

    text = fragment([whole, link(title="Bare", image="javascript:alert(1)")])

    assert (
        '<li lang="he"><a href="https://example.org/x"><img src="/p.jpg?a=1&amp;b" alt="" '
        'width="96" height="64" loading="lazy" decoding="async" referrerpolicy="no-referrer"> '
        'Title</a> <span>Text...</span> <time datetime="2026-11-02T09:00:00Z">2026-11-02</time>'
    ) in text
    assert '<li><a href="https://example.org/x">Bare</a> <span>Text...</span></li>' in text


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        " javascript:alert(1)",
        "java\tscript:alert(1)",
        "java\nscript:alert(1)",
        "\x01javascript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        None,
        "",
    ],
)
def test_what_leads_to_no_page_is_not_linked(url: str | None):
    """The title stands there all the same."""
    text = fragment([link(url=url)])

    assert "<a " not in text
    assert "<li>Title <span>Text...</span></li>" in text


@pytest.mark.parametrize(
    "url", ["https://example.org/a", "HTTP://example.org", "/a:b", "a/b", "?q=a:b", "//example.org"]
)
def test_what_leads_to_a_page_is_linked(url: str):
    """Relative addresses too."""
    assert f'<a href="{url}">' in fragment([link(url=url)])


def test_an_empty_list_is_an_empty_landmark():
    """A page may include it blindly."""
    assert "<li>" not in fragment([])


@pytest.mark.parametrize(
    "id",
    ["knee", "../x", "..", ".", ".hidden", "/etc/passwd", "a/b", "a\\b", "膝" * 100, "x" * 2000,
     "a\x01b", "a\nb", "a:b", "a?b*c", "a%2Fb", " ", "a.", "..."],
)  # fmt: skip
def test_any_id_names_a_file_inside_the_folder(tmp_path: Path, id: str):
    """One that a file system takes, and that begins with no dot."""
    name = file_name(id, ".html")

    (tmp_path / name).write_bytes(b"x")
    assert os.listdir(tmp_path) == [name]  # noqa: PTH208
    assert not name.startswith(".")


def test_names_of_ids_are_told_apart():
    """Long ids that begin alike, too."""
    ids = ["a/b", "a%2Fb", "a b", "a+b", "x" * 300, "x" * 301, "..", "%2E%2E"]

    assert len({file_name(id, ".html") for id in ids}) == len(ids)


def test_a_page_with_a_name_as_long_as_names_may_be_is_written(site, tmp_path: Path):
    """255 bytes, most of them in Chinese."""
    name = "膝" * 83 + "xx.txt"
    assert len(name.encode()) == 255

    export(site[0], tmp_path / "out", "pages", stored=[("x", RawPage(name, b"x"))])

    assert files(tmp_path / "out") == {name: b"x"}
