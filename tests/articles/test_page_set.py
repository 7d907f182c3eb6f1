"""Pages of a mirror, compared with one another."""

import json
from pathlib import Path

import pytest

from recommender.articles.linking import link
from recommender.articles.reader import read_articles
from recommender.errors import InputError
from recommender.store.database import Store

SITE = "https://allotment.example"
POSTS = {
    "garlic": ("When to plant garlic", "Garlic wants cold weeks before it splits into cloves."),
    "storing": ("Storing garlic", "Dry the bulbs in an airy shed and hang them somewhere cool."),
    "compost": ("A heap that heats", "Layer green and brown, keep it damp and turn it often."),
    "mould": ("Making leaf mould", "Autumn leaves rot slowly by fungi; wire them in for a year."),
}


def page(path: Path, title: str, body: str, head: str = "", tail: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"<html><head><title>{title} | Allotment</title>{head}</head><body><main><article>"
        f"<h1>{title}</h1><p>{body}</p></article>{tail}</main></body></html>"
    )


def canonical(path: str) -> str:
    return f'<link rel="canonical" href="{path}">'


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """One folder a post, with an index in each."""
    root = tmp_path / "mirror"
    for slug, (title, body) in POSTS.items():
        page(root / f"2025/10/{slug}/index.html", title, body, canonical(f"{SITE}/2025/10/{slug}/"))
    return root


def test_ids_are_places_below_the_folder(mirror: Path):
    """Without the index and the ending; or files' names, or addresses."""
    by_place = read_articles([mirror])
    by_address = read_articles([mirror], ids="canonical")

    assert list(by_place.articles) == [f"2025/10/{slug}" for slug in sorted(POSTS)]
    assert list(by_address.articles) == list(by_place.articles)
    assert by_place.articles["2025/10/garlic"].url == f"{SITE}/2025/10/garlic/"
    with pytest.raises(InputError, match="--id 'name': must be path, stem, canonical"):
        read_articles([mirror], ids="name")


@pytest.mark.parametrize(
    "twin",
    [
        "2025/10/garlic/amp/index.html", "2025/10/garlic/index.html?replytocom=12",
        "2025/10/garlic/print/index.html", "2025/10/garlic/index.amp.html", "copy/of/it.html",
    ],
)  # fmt: skip
def test_copies_are_one_article(mirror: Path, twin: str):
    """By the canonical address they name; the page at that address is the one."""
    title, body = POSTS["garlic"]
    page(mirror / twin, title, body, canonical(f"{SITE}/2025/10/garlic/"))

    batch = read_articles([mirror])

    assert len(batch.articles) == 4
    assert "2025/10/garlic" in batch.articles
    assert any(note.startswith("1 copies of other pages left out") for note in batch.notes)


def test_twins_without_a_canonical_address_are_known_by_their_place(mirror: Path):
    """And their text."""
    page(mirror / "2025/10/garlic/amp/index.html", *POSTS["garlic"])
    page(mirror / "2025/10/mould/amp/index.html", "Amplifiers", "How loud they are.")

    assert len(read_articles([mirror]).articles) == 5


def test_a_wrong_canonical_address_makes_no_copies(tmp_path: Path):
    """Where a theme names the home page on every page: they differ, so they are pages."""
    for slug, (title, body) in POSTS.items():
        page(tmp_path / f"{slug}.html", title, body, canonical(f"{SITE}/"))

    batch = read_articles([tmp_path])

    assert len(batch.articles) == 4
    assert all(article.url is None for article in batch.articles.values())
    assert "is that of another page; left out" in batch.remarks[0].text


def test_pages_that_list_others_are_left_out(mirror: Path):
    """By their headings, by what they say of themselves; unless they are wanted."""
    entries = "".join(f"<h2>{title}</h2><p>{body}</p>" for title, body in POSTS.values())
    page(mirror / "index.html", "Allotment", "Welcome.", tail=entries)
    page(mirror / "tag/a/index.html", "Tag: a", "Pages.", '<script type="application/ld+json">'
         '{"@type": "CollectionPage"}</script>')  # fmt: skip

    batch = read_articles([mirror])

    assert len(batch.articles) == 4
    assert batch.left_out == {"a page that lists others": 2}
    assert len(read_articles([mirror], listings=True).articles) == 6


def test_what_says_it_is_no_article_is_left_out_where_most_say_they_are(tmp_path: Path):
    """Where all call themselves websites, they are pages all the same."""
    for slug, (title, body) in POSTS.items():
        kind = "website" if slug == "mould" else "article"
        page(
            tmp_path / f"some/{slug}.html",
            title,
            body,
            f'<meta property="og:type" content="{kind}">',
        )
        page(
            tmp_path / f"all/{slug}.html",
            title,
            body,
            '<meta property="og:type" content="website">',
        )

    assert len(read_articles([tmp_path / "some"]).articles) == 3
    assert len(read_articles([tmp_path / "all"]).articles) == 4


def test_one_heading_on_every_page_is_not_their_title(tmp_path: Path):
    """Then the part of <title> that differs is; if none does, the selector is named."""
    for n, (title, body) in enumerate(POSTS.values()):
        text = f"<title>{title} - The plot</title><h1>Our plot</h1><p>{body}</p>"
        (tmp_path / f"{n}.html").write_text(text)

    batch = read_articles([tmp_path])

    assert {article.title for article in batch.articles.values()} == {t for t, _ in POSTS.values()}
    for path in tmp_path.iterdir():
        path.write_text("<title>The plot</title><h1>Our plot</h1><p>Text.</p>")
    assert "--title-selector" in read_articles([tmp_path]).remarks[-1].text


def test_links_lead_to_pages_by_where_they_are(mirror: Path):
    """From the root, from the page, with a host; titles count where the address does not."""
    links = "".join(
        f'<li><a href="{href}">{title}</a></li>'
        for href, title in {
            "../storing/": "One", f"{SITE}/2025/10/compost/?utm_source=x": "Two",
            "/2025/10/mould/": "Three", "https://elsewhere.example/": "Elsewhere",
            "/gone/": "A page that is gone", "/moved/": "Making leaf mould",
        }.items()
    )  # fmt: skip
    tail = f"<h2>Related posts</h2><ul>{links}</ul>"
    page(
        mirror / "2025/10/garlic/index.html",
        *POSTS["garlic"],
        canonical(f"{SITE}/2025/10/garlic/"),
        tail,
    )

    linked = link(read_articles([mirror]), [])

    *known, mould = linked.articles["2025/10/garlic"].recommended
    assert [id for id in known if not id.startswith("stub:")] == [
        "2025/10/storing", "2025/10/compost", "2025/10/mould",
    ]  # fmt: skip
    assert mould == "2025/10/mould"
    assert [stub.title for stub in linked.stubs.values()] == ["A page that is gone"]
    assert linked.n_elsewhere == 1


def test_links_lead_to_pages_without_addresses(tmp_path: Path):
    """By the files they name."""
    tail = '<h2>Related</h2><p><a href="b.html">See b</a></p><p><a href="/x/c.html">See c</a></p>'
    for place in ("x/a", "x/b", "x/c"):
        page(
            tmp_path / f"{place}.html",
            place,
            f"About {place}.",
            tail=tail if place == "x/a" else "",
        )

    linked = link(read_articles([tmp_path]), [])

    assert linked.articles["x/a"].recommended == ("x/b", "x/c")
    assert linked.stubs == {}


def test_other_ids_for_the_same_pages_are_refused(mirror: Path):
    """Clicks are counted by id. With a flag the new ones take the place of the old."""
    with Store("sqlite://") as store:
        store.apply(read_articles([mirror]))
        again = read_articles([mirror / "2025"])

        with pytest.raises(InputError, match="4 articles stand in the store under other ids: '10/"):
            store.apply(again)
        assert {article.id[:7] for article in store.articles()} == {"2025/10"}
        changes = store.apply(again, new_ids=True)

        assert changes.renamed["2025/10/garlic"] == "10/garlic"
        assert {article.id[:3] for article in store.articles()} == {"10/"}


def test_a_page_in_an_older_encoding_is_read_by_what_it_declares(tmp_path: Path):
    """Without a declaration it is refused, and the byte is named."""
    text = '<meta charset="iso-8859-1"><h1>Caf\xe9 “gärten”</h1><p>Text.</p>'
    (tmp_path / "a.html").write_bytes(text.encode("cp1252"))

    assert read_articles([tmp_path]).articles["a"].title == "Café “gärten”"
    (tmp_path / "a.html").write_bytes(text.replace("charset", "x").encode("cp1252"))
    assert "not UTF-8: byte 0xe9" in read_articles([tmp_path]).problems[0].text


def test_what_is_not_read_is_named(mirror: Path):
    """Kinds of files, fields of records, and what was asked to be left out."""
    for name in ("a.docx", "b.docx", "c.pdf", "logo.png"):
        (mirror / name).write_bytes(b"x")
    rows = [{"id": n, "title": f"T {n}", "word_count": 3} for n in "ab"]
    (mirror / "d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    batch = read_articles([mirror], exclude=("2025/10/m*", "b"))

    assert "3 files of kinds that are not read: .docx (2), .pdf (1)" in batch.notes
    assert "fields that are not read: word_count (2)" in batch.notes
    assert batch.left_out == {"named by --exclude": 2}
    assert sorted(batch.articles) == ["2025/10/compost", "2025/10/garlic", "2025/10/storing", "a"]


def test_links_of_nearly_all_lists_are_navigation(tmp_path: Path):
    """Nobody chose them for this page; what few lists have in common may be good."""
    for n in range(30):
        links = ["/index.html", "/about.html", f"/{(n + 1) % 30}.html"]
        entries = "".join(f'<li><a href="{link}">See {link}</a></li>' for link in links)
        tail = f"<h2>Related</h2><ul>{entries}</ul>"
        page(tmp_path / f"{n}.html", f"Page {n}", f"It is about {n}.", tail=tail)

    batch = read_articles([tmp_path])

    assert [pick.url for pick in batch.drafts["3"].picks or ()] == ["/4.html"]
    assert "2 links stand in nearly all lists" in batch.notes[0]


def test_links_to_what_was_left_out_are_no_titles_without_a_page(mirror: Path):
    """A list may hold its section."""
    page(mirror / "tag/a/index.html", "Tag: a", "Pages.", '<script type="application/ld+json">'
         '{"@type": "CollectionPage"}</script>')  # fmt: skip
    tail = '<h2>Related</h2><ul><li><a href="/tag/a/">All of a</a><li><a href="/x/">X</a></ul>'
    head = canonical(f"{SITE}/2025/10/garlic/")
    page(mirror / "2025/10/garlic/index.html", *POSTS["garlic"], head, tail)

    linked = link(read_articles([mirror]), [])

    assert [stub.title for stub in linked.stubs.values()] == ["X"]
    assert linked.n_nowhere == 1


@pytest.mark.parametrize(
    ("image", "address", "expected"),
    [
        ("https://cdn.example/a.jpg", f"{SITE}/x/a/", "https://cdn.example/a.jpg"),
        ("/img/a.jpg", f"{SITE}/x/a/", f"{SITE}/img/a.jpg"),
        ("a.jpg", f"{SITE}/x/a/", f"{SITE}/x/a/a.jpg"),
        ("../a.jpg", "/x/a/", "/x/a.jpg"),
        ("a.jpg", "", "/x/a.jpg"),
        ("//cdn.example/a.jpg", f"{SITE}/x/a/", "//cdn.example/a.jpg"),
    ],
)
def test_a_picture_is_where_the_page_sees_it(
    tmp_path: Path, image: str, address: str, expected: str
):
    """Whoever shows it is on another page."""
    head = f'<meta property="og:image" content="{image}">' + (canonical(address) if address else "")
    page(tmp_path / "x/a.html", "A", "About a.", head)

    assert read_articles([tmp_path]).articles["x/a"].image == expected


def test_a_page_that_is_not_what_it_declares_is_refused(tmp_path: Path):
    """Rather than read with holes."""
    (tmp_path / "a.html").write_bytes(b'<meta charset="utf-8"><h1>Caf\xe9</h1><p>Text.</p>')

    assert "not UTF-8: byte 0xe9" in read_articles([tmp_path]).problems[0].text


@pytest.mark.parametrize("name", ["idna", "undefined", "unicode_escape", "rot13", "x-klingon"])
def test_what_declares_no_encoding_of_characters_is_refused(tmp_path: Path, name: str):
    """Python has codecs by such names, for addresses and for escapes."""
    text = f'<meta charset="{name}"><h1>Caf\xe9 \\q</h1><p>Text.</p>'
    (tmp_path / "a.html").write_bytes(text.encode("cp1252"))

    problems = read_articles([tmp_path]).problems

    assert [problem.text.partition(": ")[2] for problem in problems] == [
        f"an unknown encoding: {name!r}"
    ]


@pytest.mark.parametrize(
    ("name", "codec"),
    [("windows-1251", "cp1251"), ("koi8-r", "koi8-r"), ("x-mac-cyrillic", "mac-cyrillic"),
     ("x-sjis", "cp932"), ("euc-jp", "euc-jp"), ("ibm866", "cp866"), ("gb2312", "gb18030"),
     ("big5", "big5"), ("ks_c_5601-1987", "cp949")],
)  # fmt: skip
def test_encodings_have_the_names_of_the_web(tmp_path: Path, name: str, codec: str):
    """Also those that Python calls otherwise."""
    title = {"big5": "梨", "cp949": "배"}.get(codec, "Груша")
    text = f'<meta charset="{name}"><h1>{title}</h1><p>Text.</p>'
    (tmp_path / "a.html").write_bytes(text.encode(codec))

    assert read_articles([tmp_path]).articles["a"].title == title


@pytest.mark.parametrize("base", ["/", "https://example.org/", "../../../"])
@pytest.mark.parametrize("head", ["", canonical("2025/10/garlic/")])
def test_addresses_are_relative_to_the_base_that_a_page_names(mirror: Path, base: str, head: str):
    """Those of its links, its picture and itself."""
    links = '<h2>Related</h2><ul><li><a href="2025/10/mould/">Rotten leaves</a></ul>'
    head = f'<base href="{base}"><meta property="og:image" content="img/a.jpg">{head}'
    page(mirror / "2025/10/garlic/index.html", "Garlic", "Text.", head, links)

    linked = link(read_articles([mirror]), [])
    found = linked.articles["2025/10/garlic"]

    assert (found.recommended, linked.stubs) == (("2025/10/mould",), {})
    host = "https://example.org" if "//" in base else ""
    assert found.image == f"{host}/img/a.jpg"
    assert found.url == (f"{host}/2025/10/garlic/" if head.endswith('garlic/">') else None)


@pytest.mark.parametrize("address", ["http://[::1", "//[", "https://exa[mple.org/x"])
def test_an_address_that_is_none_costs_only_itself(tmp_path: Path, address: str):
    """Whether it is the page's own or that of a link: neither text nor other links are lost."""
    links = f'<h2>Related</h2><ul><li><a href="{address}">Pear</a><li><a href="b">B</a></ul>'
    page(tmp_path / "a.html", "A", "Text of a.", canonical(address), links)
    page(tmp_path / "b.html", "B", "Text of b.")
    (tmp_path / "c.md").write_text(f'---\ntitle: C\nrelated: ["{address}"]\n---\nText of c.')
    record = {"id": "d", "title": "D", "html": f"<p>Text of d.</p>{links}"}
    (tmp_path / "d.jsonl").write_text(json.dumps(record))

    batch = read_articles([tmp_path])
    linked = link(batch, [])

    assert not batch.problems and not linked.stubs
    assert linked.articles["a"].recommended == linked.articles["d"].recommended == ("b",)
    assert (linked.articles["a"].url, linked.n_nowhere) == (None, 3)
    assert "field url: no address: " in batch.remarks[0].text


LONG = "This is a text that is longer than what stands around it, as texts of articles are, and"


def test_lines_that_begin_or_end_most_pages_are_none_of_their_texts(tmp_path: Path):
    """Headings that all articles have stay; so do lines that few pages end with."""
    for n in range(12):
        own = f"{LONG} of number {n}.</p><h2>How to</h2><p>Water it {n} times."
        around = "<p>Jo writes about plants.</p><p>All rights are ours.</p>" if n else ""
        rare = "<p>Thanks to Al.</p>" if n == 5 else ""
        page(tmp_path / f"{n}.html", f"Plant {n}", f"Foto: Jo</p><p>{own}</p>{around}{rare}<p>")

    batch = read_articles([tmp_path])

    assert batch.articles["3"].body == f"{LONG} of number 3.\n\nHow to\n\nWater it 3 times."
    assert batch.articles["0"].body == f"{LONG} of number 0.\n\nHow to\n\nWater it 0 times."
    assert batch.articles["5"].body.endswith("All rights are ours.\n\nThanks to Al.")
    assert [note for note in batch.notes if note.startswith("3 lines begin or end most pages")]


def test_pages_that_are_all_the_same_keep_their_texts(tmp_path: Path):
    """As shops have them whose pages differ in their titles; also what some have besides."""
    for n in range(12):
        own = "<p>It grows in pots.</p>" if n % 3 == 0 else ""
        page(tmp_path / f"{n}.html", f"Plant {n}", f"{LONG}.</p>{own}<p>Water it.</p><p>Wait.")

    assert read_articles([tmp_path]).articles["4"].body == f"{LONG}.\n\nWater it.\n\nWait."


def test_a_few_pages_may_end_alike(mirror: Path):
    """By chance, or since they say so."""
    for file in mirror.rglob("*.html"):
        file.write_text(file.read_text().replace("</article>", "<p>Ask us.</p></article>"))

    assert read_articles([mirror]).articles["2025/10/garlic"].body.endswith("Ask us.")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_pages_that_declare_no_encoding_are_read_by_their_first_bytes(
    tmp_path: Path, encoding: str
):
    """With a mark of byte order or without."""
    text = "<html><title>Айва</title><h1>Айва</h1><p>Её варят.</p></html>"
    (tmp_path / "quince.html").write_bytes(text.encode(encoding))

    found = read_articles([tmp_path]).articles["quince"]

    assert (found.title, found.body) == ("Айва", "Её варят.")


OWN = "Six sentences that nobody else has, on what this page is about. " * 6


@pytest.mark.parametrize(
    "around",
    [
        "<section class='related-posts'><h2>Related posts</h2>CARDS</section>",
        "<nav class='post-nav'>CARDS</nav>",
        "<div class='sidebar-of-this-theme'><h4>Recent</h4>CARDS</div>",
        "<div class='x'>CARDS</div>",
    ],
)
def test_articles_with_links_to_others_are_articles(tmp_path: Path, around: str):
    """In headings of whatever place; also where their folder or theme may be one of lists."""
    for place in ("a", "topics/garden", "archive"):
        for title, _ in POSTS.values():
            cards = "".join(f'<h3><a href="/x">{other}</a></h3>' for other, _ in POSTS.values())
            path = tmp_path / place / f"{title}.html"
            page(path, title, f"{title}: {OWN}", tail=around.replace("CARDS", cards))
            path.write_text(path.read_text().replace("<body>", '<body class="blog tag">'))

        assert len(read_articles([tmp_path / place]).articles) == 4


def test_a_guide_that_names_others_in_its_headings_is_an_article(mirror: Path):
    """It has a text of its own."""
    parts = "".join(f"<h2>{title}</h2><p>{OWN}</p>" for title, _ in POSTS.values())
    page(mirror / "guide.html", "The whole garden", "In four parts.", tail=parts)

    assert "guide" in read_articles([mirror]).articles


def test_pages_of_one_name_that_differ_are_no_copies(tmp_path: Path):
    """Though all name one address as canonical; a summary of one is."""
    for n, month in enumerate(("jan", "feb", "mar")):
        text = "\n".join(f"<p>Item {n}{k} of {month} happened on a day.</p>" for k in range(5))
        page(tmp_path / f"{month}/news.html", "Monthly news", text, canonical("/news"))
    page(tmp_path / "short/news.html", "Monthly news", "Item 00 of jan.", canonical("/news"))

    batch = read_articles([tmp_path])

    assert len(batch.articles) == 3
    assert all(article.url is None for article in batch.articles.values())


def test_copies_of_a_page_that_is_left_out_stay(tmp_path: Path):
    """A home page with all texts whole, which every page names as canonical."""
    texts = "".join(f"<h2>{title}</h2><p>{body}</p>" for title, body in POSTS.values())
    home = canonical(f"{SITE}/")
    page(tmp_path / "index.html", "Allotment", "", home, texts)
    for slug, (title, body) in POSTS.items():
        page(tmp_path / f"{slug}.html", title, body, home)

    assert sorted(read_articles([tmp_path]).articles) == sorted(POSTS)


def test_an_address_that_is_not_the_pages_gives_no_id(tmp_path: Path):
    """In whatever order; the page whose address it is has it."""
    for slug, (title, body) in POSTS.items():
        page(tmp_path / f"{slug}.html", title, body, canonical(f"{SITE}/garlic.html"))

    batch = read_articles([tmp_path], ids="canonical")

    assert sorted(batch.articles) == sorted(POSTS)
    assert [id for id, article in batch.articles.items() if article.url] == ["garlic"]


def test_names_of_files_have_parameters_and_twins(tmp_path: Path):
    """As mirrors write them."""
    for n in range(3):
        page(tmp_path / f"index.html?p={n}", f"Page {n}", f"It is about {n}, {n} and {n}.")
    page(tmp_path / "knee.html", "Knee", "It clicks, and that is all.")
    page(tmp_path / "knee/index.html", "All on knees", "Here is what we have on them.")

    assert sorted(read_articles([tmp_path]).articles) == [
        "index?p=0", "index?p=1", "index?p=2", "knee", "knee/index",
    ]  # fmt: skip


def test_a_new_page_may_have_the_title_of_an_old_one(tmp_path: Path):
    """Only one with the same text is the same; the old one stays."""
    page(tmp_path / "a/jan/news.html", "Monthly news", "Much happened in January.")
    page(tmp_path / "b/feb/news.html", "Monthly news", "Less happened in February.")
    page(tmp_path / "c/moved/news.html", "Monthly news", "Much happened in January.")

    with Store("sqlite://") as store:
        store.apply(read_articles([tmp_path / "a"]))
        store.apply(read_articles([tmp_path / "b"]))
        with pytest.raises(InputError, match="1 articles stand in the store under other ids"):
            store.apply(read_articles([tmp_path / "c"]))

        assert [article.id for article in store.articles()] == ["feb/news", "jan/news"]


def test_the_outermost_folder_that_is_named_gives_the_place(mirror: Path):
    """In whatever order; patterns are of places below it, and of files that are named."""
    file = mirror / "2025/10/garlic/index.html"

    for paths in ([mirror, file], [file, mirror]):
        assert "2025/10/garlic" in read_articles(paths).articles
    assert len(read_articles([mirror / "2025/10"], exclude=("2025/*",)).articles) == 4
    assert read_articles(
        [file, mirror / "2025/10/mould/index.html"], exclude=("*.html",)
    ).left_out == {"named by --exclude": 2}
