"""Links stay in the language of their page, and what is barred stands beside nothing."""

import numpy as np

from recommender.articles.article import Article
from recommender.candidates import EMPTY, from_lists
from recommender.lists.eligibility import (
    ANY,
    NEWEST_KEPT,
    OFF,
    ON,
    Eligibility,
    Language,
    Languages,
    Listings,
    eligibility_of,
    listings_of,
    too_old_of,
)


def site(*languages: str | None) -> list[Article]:
    return [
        Article(id=f"{at}", title=f"t{at}", language=language)
        for at, language in enumerate(languages)
    ]


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

    assert [languages.number(code) for code in ("de", "en", "fr", None)] == [0, 1, 2, EMPTY]
    later = languages.including(["sv", None, "de", "fr"])
    assert [later.number(code) for code in ("de", "en", "fr", "sv", "it")] == [0, 1, 2, 3, 4]
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


def test_a_text_shows_the_language_that_its_article_does_not_say():
    """What an article says counts, whatever its text shows. A language that few texts seem to be in
    is no language of the site, unless an article says that it is in it.
    """
    articles = site("en", None, None, "de", None, *[None] * 7)
    detected = [None, "de", "en", "fr", "fr", "it", "it", "it", "sv", "sv", "sv", "sv"]

    eligible = eligibility_of(articles, detected=detected)

    languages = eligible.languages
    assert languages.codes == ["de", "en", "sv"]
    assert eligible.language.tolist() == [1, 0, 1, 0, *[EMPTY] * 4, 2, 2, 2, 2]
    assert languages.rare == (Language("fr", 0, 1), Language("it", 0, 3))
    assert str(languages) == (
        "links stay in the language of the page: de 2 articles (1 by their text), en 2 articles "
        "(1 by their text), sv 4 articles (4 by their text); 4 of unknown language may stand "
        "beside any, among them texts that seem to be 1 in fr, 3 in it, too few to go by"
    )


def test_listing_pages_are_barred():
    """They do not count among the newest that remain however old they are."""
    articles = site(*[None] * 20)
    listing, day = np.arange(20) >= 15, np.arange(20.0)

    old = too_old_of(articles, day, 1000.0, 50, listing=listing)

    assert np.flatnonzero(~old).tolist() == [*range(15 - NEWEST_KEPT, 15)]
    assert eligibility_of(articles, listing=listing).barred.tolist() == listing.tolist()


def test_listing_pages_are_told():
    """How many there are, by their titles, in a sentence."""
    listing = np.array([False, True, True])

    found = listings_of(site(*[None] * 3), listing, rule=OFF)

    assert found == Listings(OFF, 2, ("t1", "t2"))
    assert str(found).endswith('2 were found, such as "t1", "t2"')
    assert str(Listings()) == "no page is a mere list of others"
    assert str(Listings(ON)) == "listing pages are recommended like others"
