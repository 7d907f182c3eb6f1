"""How lists look to readers: the heading in a page's language, and one style for all."""

from __future__ import annotations

import re

import pytest

from recommender.lists.appearance import LOOKS, heading, headings, style

# Content languages by share of websites, as W3Techs counts them.
COMMONEST = (
    "en", "es", "de", "ja", "fr", "pt", "ru", "it", "nl", "pl", "tr", "zh", "fa", "vi", "cs", "id",
    "ko", "uk", "hu", "ar",
)  # fmt: skip


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en-GB", "Related articles"), ("de_DE", "Ähnliche Artikel"),
        ("PT-br", "Artigos relacionados"), ("zh", "相关文章"), ("zh-CN", "相关文章"),
        ("zh-Hans-HK", "相关文章"), ("zh-Hant", "相關文章"), ("zh-TW", "相關文章"),
        ("zh-Hant-CN", "相關文章"), ("sr-Latn-RS", "Povezani članci"), ("sr", "Повезани чланци"),
        ("de-x-formal", "Ähnliche Artikel"), ("fil", "Related articles"),
        ("", "Related articles"), (None, "Related articles"), ("-", "Related articles"),
    ],
)  # fmt: skip
def test_the_heading_is_in_the_language_of_the_page(language: str | None, expected: str):
    """From the whole tag to its first part, English for what is not there; "fil" is not "fi"."""
    assert heading(language) == expected


def test_the_commonest_languages_have_a_heading_of_their_own():
    """None is the English one, and none is a mere sign."""
    assert {*COMMONEST} <= {*headings()}
    assert [tag for tag in headings() if heading(tag) == "Related articles"] == ["en"]
    assert all(len(text) >= 4 and text == text.strip() for text in headings().values())
    assert all(tag == tag.lower() for tag in headings())


def test_the_style_has_each_look_and_nothing_from_elsewhere():
    """It fetches nothing, and may stand in a page."""
    text = style()

    assert all(f".recommender-{look}" in text for look in LOOKS)
    assert not re.findall(r"@import|url\(|</|<!--|!important|/\*", text)
    assert text.count("{") == text.count("}")
