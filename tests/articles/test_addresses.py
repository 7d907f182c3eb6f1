"""Articles are found by id and by any way to write their address, and never by a guess."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.articles.addresses import Finder

SITE = Finder(
    [
        ("knee", "https://example.org/knee.html"),
        ("hip", "https://www.example.org/joints/hip/"),
        ("gout", "http://example.org/article.php?id=5"),
        ("home", "https://example.org/"),
        ("café", "https://example.org/café"),
        ("de/knee", "https://de.example.org/both"),
        ("en/knee", "https://en.example.org/both"),
        ("stub", None),
    ]
)


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("https://example.org/knee.html", "knee"),
        ("http://www.EXAMPLE.org:80/knee.html?utm_source=mail#top", "knee"),
        ("/knee.html", "knee"),
        ("/knee.html?print=1", "knee"),
        ("/knee.html/", "knee"),
        ("/joints/hip", "hip"),
        ("http://example.org/joints/hip?gclid=1", "hip"),
        ("/article.php?id=5&fbclid=x", "gout"),
        ("/article.php?id=6", None),
        ("/article.php", None),
        ("/", "home"),
        ("/?utm_source=mail", "home"),
        ("/?s=knee", None),
        ("/caf%C3%A9", "café"),
        ("/caf%c3%a9", "café"),
        ("https://de.example.org/both", "de/knee"),
        ("/both", None),
        ("https://example.org/both", None),
        ("https://elsewhere.com/knee.html", None),
        ("//knee.html", None),
        ("/style.css", None),
        ("knee", None),
        ("", None),
        ("*", None),
        ("https://[::1", None),
    ],
)
def test_an_address_is_found_however_it_is_written(address: str, found: str | None):
    """With a host or without; two articles with one path are not told apart by guessing."""
    assert SITE.at(address) == found


def test_ids_are_found_exactly():
    """Those of articles without an address too; what is no id may be an address."""
    assert [SITE.named(text) for text in ("stub", "knee", "Knee", "/knee.html", "")] == [
        "stub", "knee", None, "knee", None,
    ]  # fmt: skip


def test_a_site_whose_articles_have_paths_only_is_on_any_host():
    """Nobody has said which."""
    finder = Finder([("knee", "/pages/knee")])

    assert finder.at("https://anything.example/pages/knee?utm_source=x") == "knee"


@given(st.text() | st.text(alphabet="htps:/[]@?#%&=.\\ \ud800\x00a1"))
def test_any_text_is_an_address_or_not(text: str):
    """But never an error."""
    assert SITE.at(text) in (*SITE.ids, None)
    assert SITE.named(text) in (*SITE.ids, None)
