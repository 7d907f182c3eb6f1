"""Lists as HTML: what articles say is text, and a template of a site's own has its bounds."""

from html.parser import HTMLParser
from pathlib import Path

import pytest

from recommender.bundle.addressing import Site
from recommender.bundle.composition import Link
from recommender.bundle.fragments import Fragments
from recommender.bundle.static_slates import Signed
from recommender.errors import TemplateError

PAGE = Link("knee", "/knee", "Knee", "", 0, 0.0, "", language="en")
SIGNED = Signed("token_-1", 1_795_348_800_000)
EVIL = "\"><script>alert(1)</script>&'{{ 7*7 }}{% raw %}{# #}"


def link(**changed: str | None) -> Link:
    given = {"id": "x", "url": "https://example.org/x", "title": "Title", "teaser": "Text..."}
    return Link(**{**given, **changed}, position=1, score=0.5, origin="text")  # type: ignore[arg-type]


class Elements(HTMLParser):
    """The elements of a page, with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_what_articles_say_is_text():
    """For a browser, and for the template language of whoever includes the fragment."""
    evil = link(id=EVIL, title=EVIL, teaser=EVIL, url=f"https://example.org/?{EVIL}", language="de")
    page = Link(EVIL, None, EVIL, "", 0, 0.0, "")

    text = Fragments(heading=EVIL, layout=EVIL).render(page, [evil], SIGNED)

    assert not any(each in text for each in ("<script", "{{", "{%", "{#"))
    found = Elements(text)
    assert found.text.count(EVIL) == 3
    nav = found.found[0][1]
    assert (nav["data-id"], nav["data-layout"], nav["aria-label"]) == (EVIL, EVIL, EVIL)
    assert [attrs["href"] for tag, attrs in found.found if tag == "a"] == [evil.url]


def test_a_list_has_pictures_dates_and_languages():
    """Of links that have them; nothing is asked for before it is near, nor says where from. Beside
    a picture all have room for one.
    """
    whole = link(image="/p.jpg?a=1&b", published_at="2026-11-02T09:00:00Z", language="he")

    text = Fragments(dates=True).render(
        PAGE, [whole, link(title="Bare", image="javascript:alert(1)")]
    )

    assert text.count('class="recommender-item recommender-pictured"') == 2
    assert (
        '<img src="/p.jpg?a=1&amp;b" alt="" width="96" height="64" loading="lazy" '
        'decoding="async" referrerpolicy="no-referrer"></span>'
        '<span class="recommender-title" dir="auto" lang="he">Title</span></a>'
    ) in text
    assert '<time class="recommender-date" datetime="2026-11-02T09:00:00Z">2026-11-02<' in text
    assert (
        '<span class="recommender-image"></span><span class="recommender-title" dir="auto">Bare'
        in text
    )
    plain = Fragments(images=False).render(PAGE, [whole])
    assert not any(each in plain for each in ("<img", "pictured", "<time"))


@pytest.mark.parametrize("look", ["list", "cards", "row"])
def test_a_look_is_a_class(look: str):
    """As the style sheet has it."""
    (_, nav), *_ = Elements(Fragments(look=look).render(PAGE, [link()])).found

    assert nav["class"] == ("recommender" if look == "list" else f"recommender recommender-{look}")


def test_the_heading_is_in_the_language_of_the_page():
    """Or what is given for all pages, or none; the landmark is named as it is, or as usual."""
    german = Link("x", None, "x", "", 0, 0.0, "", language="de-AT")

    assert 'recommender-heading">Ähnliche Artikel<' in Fragments().render(german, [link()])
    assert 'aria-label="Ähnliche Artikel"' in Fragments().render(german, [link()])
    assert ">More<" in Fragments(heading="More").render(german, [link()])
    none = Fragments(heading="").render(german, [link()])
    assert "<h2" not in none and 'aria-label="Ähnliche Artikel"' in none


@pytest.mark.parametrize(("n_pictures", "n_shown"), [(1, 0), (2, 0), (3, 3), (6, 6)])
def test_half_of_the_links_have_pictures_or_none_is_shown(n_pictures: int, n_shown: int):
    """A picture or two would make quiet tiles of all others; what leads to none does not count."""
    with_one, without = link(image="/p.jpg"), link(image="javascript:alert(1)")
    links = [with_one] * n_pictures + [without] * (6 - n_pictures)

    text = Fragments(look="cards").render(PAGE, links)

    assert text.count("<img") == n_shown
    assert text.count("recommender-pictured") == (6 if n_shown else 0)


def test_in_a_template_of_ones_own_what_there_is_not_is_nothing(tmp_path: Path):
    """Rather than the word None; the day of a link is there without being asked for."""
    own = tmp_path / "own.html"
    own.write_text(
        "{% for link in links %}[{{ link.date }}{{ link.image }}{{ slate }}]{% endfor %}"
    )

    text = Fragments(template=own).render(PAGE, [link(), link(published_at="2026-11-02T09:00:00Z")])

    assert text == "[][2026-11-02]"


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "JavaScript:alert(1)", " javascript:alert(1)", "java\tscript:alert(1)",
     "java\nscript:alert(1)", "\x01javascript:alert(1)", "data:text/html,x", "vbscript:x",
     "file:///etc/passwd", None, ""],
)  # fmt: skip
def test_what_leads_to_no_page_is_not_linked(url: str | None):
    """The title stands there all the same; a list of nothing else cannot be reported."""
    text = Fragments().render(PAGE, [link(url=url)])

    assert "<a " not in text
    assert ">Title</span>" in text
    assert not Fragments().may_report([link(url=url)])
    assert not Fragments().may_report([])


@pytest.mark.parametrize(
    "url", ["https://example.org/a", "HTTP://example.org", "/a:b", "a/b", "?q=a:b", "//example.org"]
)
def test_what_leads_to_a_page_is_linked(url: str):
    """As it is, unless it is known what it is relative to."""
    assert f'<a href="{url}" ' in Fragments().render(PAGE, [link(url=url)])


def test_relative_addresses_are_those_of_the_site():
    """Pages stand in folders of their own, where ``knee.html`` would be another."""
    based = Fragments(site=Site("https://example.org/docs/"))

    text = based.render(PAGE, [link(url="knee.html", image="p.png")])

    assert 'href="https://example.org/docs/knee.html"' in text
    assert 'src="https://example.org/docs/p.png"' in text


def test_a_template_of_ones_own_sees_the_list(tmp_path: Path):
    """All that is promised, escaped; parts of it may stand beside it."""
    (tmp_path / "own.njk").write_text(
        "{{ page.id }}|{{ page.url }}|{{ page.title }}|{{ page.language }}|{{ heading }}"
        "|{{ model }}|{{ slate }}|{{ valid_until }}|{{ report }}|{{ look }}|{{ pictured }}\n"
        "{% for link in links %}{% include 'part.njk' %}{% endfor %}"
        "{% raw %}{{ .Site.Title }}{% endraw %}\n"
    )
    (tmp_path / "part.njk").write_text(
        "{{ link.position }} {{ link.id }} {{ link.title | upper }} {{ link.date }} "
        "{{ link.url or 'none' }} {{ link.origin }}\n"
    )
    own = Fragments(template=tmp_path / "own.njk")
    shown = link(title="a & b", published_at="2026-11-02", url=None)

    assert own.render(PAGE, [shown], SIGNED, model="b1") == (
        "knee|/knee|Knee|en|Related articles|b1|token_-1|2026-11-22T12:00:00Z"
        '| data-recommender data-id="knee" data-slate="token_-1"|list|False\n'
        "1 x A &amp; B 2026-11-02 none text\n{{ .Site.Title }}\n"
    )
    assert own.may_report([shown])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a\n{% for x in %}", "own.html:2: Expected an expression"),
        ("a\n\n{{ nothing }}", "own.html:3: 'nothing' is undefined (on the page of knee)"),
        ("{{ page.titel }}", "own.html:1: 'dict object' has no attribute 'titel'"),
        ("\n{{ ''.__class__.__mro__ }}", "own.html:2: access to attribute '__class__'"),
        ("{{ links.append(1) }}", "own.html:1: "),
        ("{{ 1 / 0 }}", "own.html:1: division by zero"),
        ("{% include '../secret' %}", "own.html:1: there is no template ../secret"),
        ("x\n{% include 'odd.html' %}", "odd.html:2: "),
        ("x\n{% include 'late.html' %}", "late.html:3: 'late' is undefined"),
        ("{% for n in range(10 ** 9) %}{% endfor %}", "own.html:1: Range too big"),
    ],
)
def test_a_fault_of_a_template_is_named_with_file_and_line(tmp_path: Path, text: str, fault: str):
    """Whether it is found before, or on a page; nothing beside the list can be reached."""
    (tmp_path / "secret").write_text("secret")
    site = tmp_path / "site"
    site.mkdir()
    (site / "own.html").write_text(text)
    (site / "odd.html").write_text("\n{% nonsense %}")
    (site / "late.html").write_text("\n\n{{ late }}")

    with pytest.raises(TemplateError) as raised:
        Fragments(template=site / "own.html").render(PAGE, [link()])

    assert fault in str(raised.value)
    assert str(raised.value).startswith(str(site))


def test_a_template_that_is_none_is_named(tmp_path: Path):
    """Missing, or not in UTF-8."""
    (tmp_path / "latin").write_bytes(b"\xe9")

    with pytest.raises(TemplateError, match="latin: not in UTF-8"):
        Fragments(template=tmp_path / "latin").check()
    with pytest.raises(OSError, match="gone"):
        Fragments(template=tmp_path / "gone").check()
