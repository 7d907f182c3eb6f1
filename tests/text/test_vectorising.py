"""Texts read together give what each gives alone, to the byte, whatever they are written in."""

import random
from dataclasses import fields

import numpy as np
import pytest

from recommender.text import byte_loops, listing_pages, tfidf, vectorising
from recommender.text.terms import fingerprint, segments, words
from recommender.text.tfidf import Counts, Text, fit

# What texts are cut at, may be cut at, and must not be cut at.
PIECES = (
    *"abAB7 .,'’-_!?\n\t\r 。！？–…“‘/<\x0b\x1c\x85\xa0\u2028\u3000\u200b½²´é̈ßİŁ漢字か\u3099กำहिंα",
    "isn't", "Jo's", "the", "The", "THE", "1.5", "2,500mg", "3.", ".7", "..", "getWindowText",
    "GetWindowText's", "getwindowtext", "GETWindowText", "XMLReader", "xmlreader", "B12", "b12x",
    "ＣＡＦÉ", "Café", "Cafe\u0301", "don’t", "µg", "ﬁn", "סֵפֶר", "كِتَاب", "혈당을", "혈당",
    "sokeria lasketaan", "Müsli", "the site speaks. ", "The site speaks! ", "x" * 130 + ". ",
    "Eine lange Zeile, die auf jeder Seite steht und mehr als hundertachtundzwanzig Bytes hat: "
    "dafür müssen es viele Wörter sein. ", " ", "  ",
)  # fmt: skip


def texts(seed: int, n: int, size: int) -> list[str]:
    """Texts of up to ``size`` pieces, some of them empty."""
    drawn = random.Random(seed)
    return ["".join(drawn.choices(PIECES, k=drawn.randrange(size))) for _ in range(n)]


def same(one: object, other: object) -> None:
    """Are two records of arrays the same, to the byte?"""
    for field in fields(one):  # type: ignore[arg-type]
        left, right = getattr(one, field.name), getattr(other, field.name)
        if isinstance(left, np.ndarray):
            assert left.dtype == right.dtype, field.name
            assert left.tobytes() == right.tobytes(), field.name
        else:
            assert left == right, field.name


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few texts are read together too."""
    monkeypatch.setattr(vectorising, "MANY_CHARACTERS", 0)


@pytest.mark.parametrize("with_runs", [False, True])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.usefixtures("together")
def test_counts_are_those_of_text_by_text(seed: int, with_runs: bool):
    """With boilerplate and without; and so is all that is learned from them."""
    titles, bodies = texts(seed, 150, 6), texts(100 + seed, 150, 60)

    for boilerplate in (tfidf.find_boilerplate(bodies), np.zeros(0, dtype=np.uint64)):
        known = set(boilerplate.tolist())
        found = vectorising.count_block(titles, bodies, known, with_runs=with_runs)
        expected = tfidf.count_block(titles, bodies, known, with_runs=with_runs)

        same(found, expected)
        assert len(found.ids) > 1000
        assert any(term.startswith("~") for term in found.vocabulary.split("\n")) == with_runs


@pytest.mark.usefixtures("together")
def test_boilerplate_is_that_of_text_by_text():
    """Statements end and begin at the same places, and have the same fingerprints."""
    bodies = [text + "\nThe site speaks." for text in texts(5, 400, 40)]

    found = vectorising.find_boilerplate(bodies)

    assert found.tolist() == tfidf.find_boilerplate(bodies).tolist()
    assert fingerprint("The site speaks.") in found
    assert len(found) > 2
    starts, _, prints, ends = byte_loops.statements(*vectorising.joined(bodies))
    assert prints.tolist() == [fingerprint(part) for text in bodies for part in segments(text)]
    assert ends[-1] == len(starts)


@pytest.mark.usefixtures("together")
def test_a_site_without_boilerplate_has_none():
    """Fewer statements than it takes, or none at all."""
    assert vectorising.find_boilerplate(["Own words."] * 4 + [""]).tolist() == []
    assert vectorising.find_boilerplate([]).tolist() == []


@pytest.mark.usefixtures("together")
def test_of_names_that_differ_in_case_the_last_is_taken_apart():
    """As everywhere in its text the word is; a name that only has something is no word itself."""
    bodies = ["fooBarBaz then FOOBar FooBarbaz foobarbaz fooBarbaz's", "doItNow's"]

    found = vectorising.count_block(["", ""], bodies, set())

    same(found, tfidf.count_block(["", ""], bodies, set()))
    assert found.vocabulary.split("\n")[:3] == ["bar", "barbaz", "doitnow"]
    assert "now" not in found.vocabulary.split("\n")


def test_chunks_alone_give_the_words_of_the_text():
    """However many of them there are; only names are taken apart by the text as a whole."""
    bodies = [text.lower() for text in texts(7, 300, 200)]
    bodies.append(" ".join(f"w{number} 3.{number}" for number in range(20_000)))

    chunks = vectorising.chunks_of(*vectorising.joined(bodies))

    start = 0
    for body, end in zip(bodies, chunks.ends.tolist(), strict=True):
        different = [chunks.different[number] for number in chunks.numbers[start:end]]
        assert [word for chunk in different for word in words(chunk)] == words(body)
        start = end
    plain = [
        chunk for chunk, is_plain in zip(chunks.different, chunks.plain, strict=True) if is_plain
    ]
    assert len(plain) > 20_000
    assert all(words(chunk) == [chunk] for chunk in plain)


def test_a_site_is_fitted_alike():
    """The compiled counts of blocks and the plain counts of the whole make one text."""
    titles, bodies = texts(11, 90, 8), texts(12, 90, 50)
    boilerplate = tfidf.find_boilerplate(bodies)
    known = set(boilerplate.tolist())

    def fitted(block: int) -> Text:
        starts = range(0, len(titles), block)
        counted: list[Counts] = [
            vectorising.count_block(titles[s : s + block], bodies[s : s + block], known)
            for s in starts
        ]
        return fit(counted, titles, boilerplate)

    whole = fitted(90)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vectorising, "MANY_CHARACTERS", 0)
        same(fitted(7), whole)


@pytest.mark.usefixtures("together")
def test_words_and_lines_are_those_of_text_by_text(monkeypatch: pytest.MonkeyPatch):
    """Their numbers, where lines begin, what they weigh; in blocks or at once."""
    monkeypatch.setattr(vectorising, "BLOCK", 40)
    columns = texts(21, 150, 6), texts(22, 150, 60), texts(23, 150, 4)

    found = vectorising.words_of(*columns)

    same(found, listing_pages.words_of(*columns))
    assert len(found.lines) > 500


@pytest.mark.usefixtures("together")
def test_listing_pages_are_found_alike():
    """Whichever way the texts are read."""
    drawn = random.Random(4)
    titles = [f"{drawn.randrange(99)} ways to grow t{number} well" for number in range(40)]
    bodies = [" ".join(f"w{drawn.randrange(500)}" for _ in range(60)) for _ in titles]
    excerpts = [f"{title}\n{body[:90]}" for title, body in zip(titles, bodies, strict=True)]
    titles += ["Home", "Archive"]
    bodies += ["\n".join(excerpts), "\n".join(excerpts[:4])]

    found = listing_pages.listing_pages(titles, bodies, read=vectorising.words_of)

    assert np.flatnonzero(found).tolist() == [40, 41]
    assert found.tolist() == listing_pages.listing_pages(titles, bodies).tolist()
