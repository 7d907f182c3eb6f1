"""Lists leave as JSON, as HTML, or in the pages they came from, and nothing else is touched."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sites import NOW

from recommender.articles import text_page
from recommender.articles.batch import RawPage
from recommender.articles.reader import read_articles
from recommender.bundle.addressing import Site
from recommender.bundle.bundle import Bundle
from recommender.bundle.export import export, file_name
from recommender.bundle.fragments import Fragments
from recommender.bundle.static_slates import StaticSlates
from recommender.errors import InputError, RecommenderError
from recommender.events.slate_token import Signer, mark_of
from recommender.lists.appearance import style
from recommender.store import exports
from recommender.store.database import Store, store_name
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


def test_html_is_a_file_an_article_and_one_style(site, tmp_path: Path):
    """Named after its id, in UTF-8, a landmark with real links; the style stands there once."""
    bundle, _ = site
    export(bundle, tmp_path / "out", "html")

    written = files(tmp_path / "out")
    assert set(written) == {"recommender.css", *(file_name(id, ".html") for id in TITLES)}
    assert written["recommender.css"].decode() == style()
    link = '<a href="https://example.org/hip" data-position="'
    assert link in written["knee.html"].decode()
    assert "Why does my hip click?</span></a>" in written["knee.html"].decode()


def test_fragments_are_named_by_the_paths_of_their_pages(site, tmp_path: Path):
    """As a generator's template finds them; an address that would lead out names nothing."""
    bundle, _ = site

    done = export(bundle, tmp_path / "out", "html", names="path", site=Site("/"))

    assert set(files(tmp_path / "out")) == {"recommender.css", *(f"{id}.html" for id in TITLES)}
    assert done.left == ()


@pytest.mark.parametrize("kind", ["html", "hugo"])
def test_addresses_that_move_with_their_page_are_counted(tmp_path: Path, kind: str):
    """Unless it is known what they are relative to: on pages in folders they lead nowhere."""
    with Store("sqlite://") as store:
        lines = "".join(
            json.dumps({"id": id, "title": title, "body": f"A joint. {title}", "url": f"{id}.html"})
            + "\n"
            for id, title in TITLES.items()
        )
        (tmp_path / "articles.jsonl").write_text(lines)
        store.apply(read_articles([tmp_path / "articles.jsonl"]))
        bundle = build(store, tmp_path / "models", now=NOW)

    alone = export(bundle, tmp_path / "out", kind, k=2)
    placed = export(bundle, tmp_path / "out", kind, k=2, site=Site("/docs/"))

    assert alone.left[0].startswith("10 links have addresses that are relative to their page")
    assert placed.left == ()


@pytest.mark.parametrize("kind", ["html", "eleventy"])
def test_a_site_whose_path_no_page_has_is_named(site, tmp_path: Path, kind: str):
    """Its templates would find no list."""
    bundle, _ = site

    elsewhere = export(bundle, tmp_path / "out", kind, site=Site("https://example.org/docs/"),
                       fragments=Fragments(site=Site("https://example.org/docs/")))  # fmt: skip
    there = export(bundle, tmp_path / "out", kind, site=Site("https://example.org/"))

    assert elsewhere.left[0].startswith("no page's address lies below /docs/, the path of --site")
    assert there.left == ()


def test_names_that_differ_by_the_case_of_letters_are_named(tmp_path: Path):
    """Where they are one file it is an error, and elsewhere a remark: the files may go there."""
    lines = [
        json.dumps({"id": id, "title": f"On {title}", "body": f"A joint. {title}"})
        for id, title in [("Knee", "stairs"), ("knee", "ladders"), ("hip", "walking")]
    ]
    (tmp_path / "articles.jsonl").write_text("\n".join(lines))
    with Store("sqlite://") as store:
        store.apply(read_articles([tmp_path / "articles.jsonl"]))
        bundle = build(store, tmp_path / "models", now=NOW)
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "knee.html").symlink_to("Knee.html")

    done = export(bundle, tmp_path / "two", "html", k=2)

    assert "1 fragments differ from another by the case of letters alone" in done.left[0]
    assert done.left[0].endswith("such as Knee.html and knee.html")
    with pytest.raises(InputError, match=r"Knee\.html and knee\.html are one file here"):
        export(bundle, tmp_path / "one", "html", k=2)


def test_fragments_of_pages_that_are_gone_are_named(site, tmp_path: Path):
    """And left, as is whatever else stands there."""
    bundle, _ = site
    export(bundle, tmp_path / "out", "html")
    (tmp_path / "out" / "old.html").write_bytes((tmp_path / "out" / "hip.html").read_bytes())
    (tmp_path / "out" / "mine.html").write_text("<p>mine</p>")

    again = export(bundle, tmp_path / "out", "html")

    assert again.left == ("1 fragments are of pages that are gone, such as old.html: remove them",)
    assert (tmp_path / "out" / "old.html").exists()


def test_what_is_as_it_was_is_not_written_again(site, tmp_path: Path):
    """What copies files to a host goes by their times."""
    bundle, _ = site
    for kind in ("html", "json", "hugo"):
        first = export(bundle, tmp_path / kind, kind, k=2)
        paths = [path for path in (tmp_path / kind).rglob("*") if path.is_file()]
        for path in paths:
            os.utime(path, (1, 1))
        paths[0].write_text("other")

        again = export(bundle, tmp_path / kind, kind, k=2)

        assert (first.n_changed, first.n_unchanged) == (len(paths), 0)
        assert (again.n_changed, again.n_unchanged) == (1, len(paths) - 1)
        assert sum(path.stat().st_mtime == 1 for path in paths) == len(paths) - 1


def test_a_map_has_every_list_by_the_path_of_its_page(site, tmp_path: Path):
    """As the generator writes it, and each article once, however many lists it stands in."""
    bundle, _ = site
    export(bundle, tmp_path, "hugo", k=2)
    hugo = json.loads((tmp_path / "related.json").read_text())
    export(bundle, tmp_path, "eleventy", k=2, site=Site("https://example.org/"))
    eleventy = json.loads((tmp_path / "related.json").read_text())
    export(bundle, tmp_path, "jekyll", k=2, site=Site("https://example.org/"))
    jekyll = json.loads((tmp_path / "related.json").read_text())
    export(bundle, tmp_path, "hugo", k=2, by="id")
    by_id = json.loads((tmp_path / "related.json").read_text())

    assert set(hugo["lists"]) == {"/ankle/", "/hip/", "/knee/", "/sleep/", "/%E8%86%9D/"}
    assert set(eleventy["lists"]) == {"/ankle/", "/hip/", "/knee/", "/sleep/", "/膝/"}
    assert set(jekyll["lists"]) == set(hugo["lists"])
    assert set(by_id["lists"]) == set(TITLES)
    for id in TITLES:
        links = bundle.related(id, 2)
        assert by_id["lists"][id] == {"links": [link.id for link in links]}
        assert [by_id["articles"][link.id]["url"] for link in links] == [link.url for link in links]
    assert hugo["articles"]["/hip/"] == {
        "id": "hip", "url": "https://example.org/hip", "title": TITLES["hip"],
        "teaser": hugo["articles"]["/hip/"]["teaser"],
    } | {name: hugo["articles"]["/hip/"][name] for name in ("language",) if
         name in hugo["articles"]["/hip/"]}  # fmt: skip


# Tokens


NOW_MS = int(NOW.replace(minute=0).timestamp() * 1000)
DAY_MS = 86_400_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(f"sqlite:///{tmp_path}/store.db") as opened:
        yield opened


def signing(store: Store, bundle: Bundle, *, days: int = 0, name: str = "") -> StaticSlates:
    """So many days later; ``name`` is that of a bundle that makes the same lists."""
    return StaticSlates(
        store, b"key", name=name or bundle.name, folder="/out", n_lists=5,
        now_ms=NOW_MS + days * DAY_MS, days=180,
    )  # fmt: skip


def tokens(folder: Path) -> dict[str, str]:
    """The token of every fragment."""
    return {
        path.name: re.findall('data-slate="([^"]*)"', path.read_text())[0]
        for path in folder.glob("*.html")
    }


def test_a_token_is_of_the_list_in_the_file(site, store: Store, tmp_path: Path):
    """Its numbers are those of the store, its links those of the fragment in their order, sure to
    be where they are; and the store knows of the export before.
    """
    bundle, _ = site
    slates = signing(store, bundle)

    export(bundle, tmp_path / "out", "html", k=2, slates=slates)

    (noted,) = exports.standing(store, b"new", now_ms=NOW_MS).before
    assert (noted.folder, noted.n_lists, noted.until_ms) == ("/out", 5, NOW_MS + 180 * DAY_MS)
    signer = Signer([b"key"], store=store_name(store))
    for id in TITLES:
        links = bundle.related(id, 2)
        token = tokens(tmp_path / "out")[file_name(id, ".html")]
        slate = signer.resolve(token, at_ms=NOW_MS + 180 * DAY_MS - 1)
        assert (slate.source, *slate.items) == tuple(
            store.keys_of([id, *(link.id for link in links)])
        )
        assert slate.origins == tuple(link.origin for link in links)
        assert (slate.chances, slate.variant, slate.list) == ((1.0, 1.0), None, bundle.name)
        assert slate.mark == mark_of([id, *(link.id for link in links)])


def test_an_unchanged_list_keeps_its_token_while_most_of_its_time_is_left(
    site, store: Store, tmp_path: Path
):
    """Also when another bundle made it: the page shows what it showed. After a month it gets
    another, and so it does when it changes, or is to be valid for a shorter time.
    """
    bundle, _ = site
    out = tmp_path / "out"
    export(bundle, out, "html", k=2, slates=signing(store, bundle))
    first = tokens(out)

    soon = signing(store, bundle, days=30, name="20270101-000000-abcdef")
    done = export(bundle, out, "html", k=2, slates=soon)
    assert (tokens(out), done.n_changed) == (first, 0)
    assert (soon.n_kept, soon.all_until_ms) == (5, NOW_MS + 180 * DAY_MS)
    later = signing(store, bundle, days=31)
    export(bundle, out, "html", k=2, slates=later)
    assert not set(tokens(out).values()) & set(first.values())
    assert (later.n_kept, later.all_until_ms) == (0, NOW_MS + 211 * DAY_MS)
    shorter = export(bundle, out, "html", k=1, slates=signing(store, bundle, days=31))
    assert shorter.n_changed == 5


@pytest.mark.parametrize("kind", ["json", "hugo", "eleventy", "jekyll"])
def test_one_file_for_all_keeps_its_tokens_too(site, store: Store, tmp_path: Path, kind: str):
    """List by list."""
    bundle, _ = site
    export(bundle, tmp_path / "out", kind, k=2, slates=signing(store, bundle))
    before = files(tmp_path / "out")

    soon = signing(store, bundle, days=3)
    export(bundle, tmp_path / "out", kind, k=2, slates=soon)

    assert (files(tmp_path / "out"), soon.n_kept) == (before, 5)


def test_a_token_of_another_key_or_store_is_not_kept(site, store: Store, tmp_path: Path):
    """It would report nothing, or not for long."""
    bundle, _ = site
    export(bundle, tmp_path / "out", "html", slates=signing(store, bundle))
    first = tokens(tmp_path / "out")

    with Store("sqlite://") as other:
        elsewhere = signing(other, bundle)
        export(bundle, tmp_path / "out", "html", slates=elsewhere)

    assert elsewhere.n_kept == 0
    assert not set(tokens(tmp_path / "out").values()) & set(first.values())


def test_without_tokens_a_fragment_is_no_place_of_the_widget(site, tmp_path: Path):
    """It would replace the list."""
    export(site[0], tmp_path / "out", "html")

    assert "data-recommender" not in (tmp_path / "out" / "knee.html").read_text()


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
