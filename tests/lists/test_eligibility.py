"""Links stay in the language of their page, and what is barred stands beside nothing."""

import numpy as np
import pytest

from recommender.articles.article import Article
from recommender.articles.language import primary_subtag
from recommender.candidates import EMPTY, from_lists
from recommender.lists.eligibility import (
    ANY,
    NEWEST_KEPT,
    Eligibility,
    Languages,
    eligibility_of,
    too_old_of,
)


def site(*languages: str | None) -> list[Article]:
    return [
        Article(id=f"{at}", title=f"t{at}", language=language)
        for at, language in enumerate(languages)
    ]


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        ("en", "en"),
        ("en-GB", "en"),
        ("EN_us", "en"),
        (" pt-BR", "pt"),
        ("zh-Hant-TW", "zh"),
        ("und", None),
        ("mul", None),
        ("x-private", None),
        ("", None),
        ("*", None),
        ("12", None),
        (None, None),
    ],
)
def test_a_language_has_one_code_however_its_tag_is_written(tag: str | None, code: str | None):
    """Region, script and case aside; what names no language is none."""
    assert primary_subtag(tag) == code


def test_links_stay_in_the_language_of_the_page():
    """As far as both are known: an article of unknown language may stand anywhere."""
    eligible = eligibility_of(site("en", "en-GB", "de", None))
    everything = from_lists([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]], [[3, 2, 1]] * 4)

    allowed = everything.keep(eligible.mask(everything))

    assert allowed.items.tolist() == [[1, 3, EMPTY], [0, 3, EMPTY], [3, EMPTY, EMPTY], [0, 1, 2]]


def test_under_the_other_rule_languages_do_not_count():
    """Neither those of articles nor that of a text."""
    eligible = eligibility_of(site("en", "de"), languages=ANY)

    assert eligible.allows(np.array([0, 1]), np.array([1, 0])).all()
    assert eligible.languages.number("de") == EMPTY


def test_what_is_barred_stands_beside_nothing():
    """Not beside what is barred too; it is a source like others."""
    eligible = Eligibility(np.full(3, EMPTY), np.array([True, True, False]))

    assert eligible.allows(np.array([2, 1, 0, 0]), np.array([0, 0, 1, 2])).tolist() == [
        False, False, False, True
    ]  # fmt: skip


def test_languages_are_counted():
    """How many articles say which, and how many none."""
    languages = eligibility_of(site("en", "en-GB", "de", None)).languages

    assert [(each.code, each.n_said) for each in languages.known] == [("de", 1), ("en", 2)]
    assert languages.n_unknown == 1


def test_a_language_the_site_has_not_is_like_none_of_its_own():
    """It has a number of its own once an article that came later names it."""
    languages = eligibility_of(site("en", "de")).languages

    assert [languages.number(tag) for tag in ("de", "en-US", "fr", None)] == [0, 1, 2, EMPTY]
    later = languages.including(["sv-SE", None, "de", "fr"])
    assert [later.number(tag) for tag in ("de", "en", "fr", "sv", "it")] == [0, 1, 2, 3, 4]
    assert Languages(ANY).including(["de"]).number("de") == EMPTY


def test_what_is_too_old_is_barred():
    """The undated are not, and without a limit nothing is."""
    articles = site(*[None] * 20)
    day = np.array([100.0] * 15 + [10, 59, 60, np.nan, 100])

    old = too_old_of(articles, day, 110.0, 50)

    assert np.flatnonzero(old).tolist() == [15, 16]
    assert eligibility_of(articles, too_old=old).barred.tolist() == old.tolist()
    assert not too_old_of(articles, day, 110.0, 0).any()


def test_where_all_are_too_old_the_newest_remain():
    """As many as a list of ten takes; a stub is no page."""
    articles = [*site(*[None] * 20), Article("s", "S", stub=True)]
    day = np.append(np.arange(20.0), np.nan)

    old = too_old_of(articles, day, 1000.0, 50)

    assert np.flatnonzero(~old).tolist() == [*range(20 - NEWEST_KEPT, 20), 20]
