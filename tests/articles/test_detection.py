"""Languages of many texts at once are those of each, whatever they are written in."""

import random

import pytest
from gardens import site

from recommender.articles import detection
from recommender.articles.detection import detect_all
from recommender.articles.language import detect

# Of one character each, of some that a text may have; and beginnings of texts in other languages.
STRANGE = "aZ09 .,é́ßЖλא漢かกिं😀\x00\ud800"
PARTS = (
    "the quick brown fox ", "der schnelle braune Fuchs ", "le renard brun et rapide ",
    "el zorro marrón rápido ", "бърза кафява лисица ", "быстрая бурая лиса ", "brza smeđa lisica ",
    "брза смеђа лисица ", "素早い茶色の狐 ", "den hurtige brune ræv ", "den raske brune reven ",
    "rubah coklat cepat ", "musang perang pantas ", "Solanum lycopersicum ", "THE QUICK BROWN FOX ",
    *STRANGE,
)  # fmt: skip


def texts(seed: int, n: int) -> list[str]:
    """Texts in one language for the most part, of any length."""
    drawn = random.Random(seed)
    return [
        "".join(drawn.choices(drawn.sample(PARTS, k=2), weights=(9, 1), k=drawn.randrange(1, 60)))
        for _ in range(n)
    ]


@pytest.mark.parametrize("among", [(), ("en", "de"), ("sr", "hr", "ru", "bg", "xx")])
def test_many_are_detected_as_each(among: tuple[str, ...], monkeypatch: pytest.MonkeyPatch):
    """Of any language or of some, however many go together."""
    monkeypatch.setattr(detection, "TOGETHER", 70)
    bodies = [*texts(2, 300), *(article.body for article in site(said=False))]
    titles = [""] * len(bodies)

    found = detect_all(titles, bodies, among)

    expected = [detect(title, body, among) for title, body in zip(titles, bodies, strict=True)]
    assert found == expected
    assert len({*found}) > 2
    assert found.count(None) > 20


def test_what_rounding_could_decide_is_asked_alone(monkeypatch: pytest.MonkeyPatch):
    """Near the least confidence the detector has the word."""
    articles = list(site(said=False))
    monkeypatch.setattr(detection, "NEAR", 2.0)
    monkeypatch.setattr(detection, "detect", lambda title, body, among: f"{title} alone")

    found = detect_all([article.title for article in articles], [a.body for a in articles])

    assert found == [f"{article.title} alone" for article in articles]


def test_nothing_is_asked_of_short_texts(monkeypatch: pytest.MonkeyPatch):
    """The detector is not even loaded."""
    monkeypatch.setattr(detection, "detector", None)

    assert detect_all(["Short", ""], ["text", ""]) == [None, None]
    assert detect_all([], []) == []
