"""The language of an article: one code for all ways to say it, or what its text shows."""

import pytest
from gardens import page, site

from recommender.articles.language import detect, primary_subtag

FRENCH = (
    "La plante aime la chaleur et beaucoup d'eau. On la sème au mois de mars derrière une fenêtre, "
    "on la repique quand elle a quatre feuilles, puis on la plante au jardin dès que les nuits ne "
    "sont plus trop froides, à un bon mètre de distance."
)
PLANTS = (
    "Solanum lycopersicum, Solanum tuberosum, Capsicum annuum, Cucumis sativus, Cucurbita pepo, "
    "Phaseolus vulgaris, Pisum sativum, Daucus carota, Allium cepa, Allium sativum, Beta vulgaris, "
    "Brassica oleracea, Lactuca sativa, Spinacia oleracea, Ocimum basilicum, Zea mays"
)


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        ("en", "en"),
        ("en-GB", "en"),
        ("EN_us", "en"),
        (" pt-BR", "pt"),
        ("zh-Hant-TW", "zh"),
        ("eng", "en"),
        ("ger", "de"),
        ("nb-NO", "no"),
        ("iw", "he"),
        ("gsw", "gsw"),
        ("english", "en"),
        ("English (UK)", "en"),
        ("Deutsch", "de"),
        ("FRANÇAIS", "fr"),
        ("Русский", "ru"),
        ("日本語", "ja"),
        ("klingon", "klingon"),
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
    """Region, script, case and older codes aside; what names no language is none."""
    assert primary_subtag(tag) == code


def test_a_text_shows_its_language():
    """However it is broken into lines."""
    for article in site(said=False):
        assert detect(article.title, article.body.replace(" ", " \n\t")) == article.id[:2]
    assert detect("", FRENCH) == "fr"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Growing tomatoes in a pot is easy, and it is fun for the whole family.",
        PLANTS,
        "x1 = [i ** 2 for i in y1]; " * 12,
        "60 75 80 90 120 150 170 180 190 200 300 450 " * 6,
    ],
)
def test_what_shows_no_language_has_none(text: str):
    """Too short, names of plants, code, figures."""
    assert detect("", text) is None


def test_a_shorter_text_is_told_among_the_languages_of_a_site():
    """It is none of them if it seems to be in another one, or if it is too short even so."""
    german, english = page("x", "de", "Tigerella").body, page("x", "en", "Tigerella").body
    among = ["de", "en"]

    assert [detect("", text[:100]) for text in (german, english, FRENCH)] == [None] * 3
    assert [detect("", text[:100], among) for text in (german, english)] == among
    assert detect("", FRENCH[:100], among) is None
    assert detect("", FRENCH, among) is None
    assert detect("", german[:60], among) is None
