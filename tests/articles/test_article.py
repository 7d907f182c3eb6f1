"""An article record is checked field by field; a teaser is 49 characters as HTML counts them."""

import html
import re
import unicodedata
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.articles.article import (
    Article,
    from_record,
    is_kept,
    parse_timestamp,
    stub_for,
    teaser_of,
    title_key,
)
from recommender.errors import ArticleError
from recommender.files import Problem

# Surrogates cannot be written to a file, so no text holds them.
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def record(**fields: Any) -> Article:
    return from_record({"id": "a", "title": "A", **fields}, where="a.jsonl:7")


def written_as_html(text: str) -> str:
    return html.escape(text).replace("&#x27;", "&#39;")


def test_every_field_arrives():
    """What the contract names is read; what it does not name is left alone."""
    article = record(
        body="B", teaser="T", url="/u", category="C", tags=["x", "y"], published_at="2026-11-22",
        updated_at="2026-11-22T10:00:00Z", language="en", author="Jo", image="/a.jpg",
        recommended=["b", 3], sensitive=True,
        word_count=17,
    )  # fmt: skip

    assert article == Article(
        "a", "A", "B", "T", "/u", "C", ("x", "y"), "2026-11-22", "2026-11-22T10:00:00Z", "en",
        author="Jo", image="/a.jpg", recommended=("b", "3"), sensitive=True,
    )  # fmt: skip


def test_null_and_empty_mean_absent():
    """Exports write either."""
    empty = dict.fromkeys(["body", "url", "tags", "published_at", "recommended", "sensitive"], "")

    assert record(**empty) == record(**dict.fromkeys(empty)) == Article("a", "A")


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"title": None}, "field title: missing"),
        ({"title": " \n"}, "field title: empty"),
        ({"title": 7}, "field title: must be text, not int"),
        ({"id": None}, "field id: missing"),
        ({"id": ""}, "field id: empty"),
        ({"id": ["a"]}, "field id: must be text, not list"),
        ({"id": 1.5}, "field id: must be text, not float"),
        ({"id": True}, "field id: must be text, not bool"),
        ({"id": "a\x00b"}, "field id: holds a NUL byte"),
        ({"id": "a" * 2001}, "field id: longer than 2000 characters"),
        ({"body": {"html": "x"}}, "field body: must be text, not dict"),
        ({"body": "half \ud83e"}, "field body: holds half of a surrogate pair"),
        ({"tags": 5}, "field tags: must be a list, not int"),
        ({"tags": [None]}, "field tags: missing"),
        ({"recommended": {"b": 1}}, "field recommended: must be a list, not dict"),
        ({"recommended": ["b", []]}, "field recommended: must be text, not list"),
        ({"recommended": "[1,"}, "field recommended: not a JSON list"),
        ({"sensitive": "perhaps"}, "field sensitive: must be true or false, not 'perhaps'"),
        ({"published_at": "last week"}, "field published_at: not a date: 'last week'"),
        ({"updated_at": 3}, "field updated_at: not a date: no time, as a number: '3'"),
    ],
)
def test_a_fault_names_the_place_and_the_field(fields: dict[str, Any], complaint: str):
    """So that it can be found and put right."""
    with pytest.raises(ArticleError) as caught:
        record(**fields)

    assert str(caught.value).startswith(f"a.jsonl:7: {complaint}")


@pytest.mark.parametrize("id", ["../../etc/passwd", "a/b/c", "a b", "膝盖", "a|b", "-rf", "0"])
def test_an_id_is_any_characters(id: str):
    """Paths, spaces and scripts included; nothing is made of it but a name."""
    assert record(id=id).id == id


def test_a_number_is_an_id_too():
    """JSON and Parquet have numbers where CSV has digits."""
    assert record(id=42, recommended=[7]) == record(id="42", recommended=["7"])


def test_nul_bytes_are_no_part_of_a_text():
    """PostgreSQL could not store them."""
    assert record(title="A\x00 title", body="\x00B") == Article("a", "A title", "B")


def test_a_title_is_one_line():
    """Line breaks and double spaces inside it would break pages and tables."""
    assert record(title=" Why\r\ndoes  it\u00a0click? ").title == "Why does it click?"


def test_a_cell_of_a_csv_holds_a_list():
    """As JSON, or with bars between."""
    assert record(tags='["x|y", "z"]').tags == ("x|y", "z")
    assert record(tags="x|y").tags == record(tags="|x| |y|").tags == ("x", "y")


def test_times_with_types_of_their_own_are_read():
    """Parquet has dates and times."""
    article = record(published_at=date(2026, 11, 22), updated_at=datetime(2026, 11, 22, tzinfo=UTC))

    assert article.published_at == "2026-11-22"
    assert article.updated_at == "2026-11-22T00:00:00+00:00"


def test_a_time_without_offset_is_utc():
    """Wherever the import runs."""
    assert parse_timestamp("2026-11-22T10:00:00") == parse_timestamp("2026-11-22T12:00:00+02:00")


@pytest.mark.parametrize(
    ("text", "teaser"),
    [
        ("", ""),
        (" \n\u00a0 ", ""),
        ("Short.", "Short...."),
        ("x" * 49, "x" * 49 + "..."),
        ("x" * 50, "x" * 49 + "..."),
        # & is &amp;, five characters: 44 + 5 fit, 45 + 5 do not, and it is not cut in two.
        ("x" * 44 + "&y", "x" * 44 + "&..."),
        ("x" * 45 + "&y", "x" * 45 + "..."),
        ("x" * 44 + "'y", "x" * 44 + "'..."),
        ("x" * 45 + "'y", "x" * 45 + "..."),
        ("x" * 43 + '"y', "x" * 43 + '"...'),
        ("x" * 44 + '"y', "x" * 44 + "..."),
        ("<" * 20, "<" * 12 + "..."),
        ("膝" * 60, "膝" * 49 + "..."),
        ("one\n\n  two", "one two..."),
    ],
)
def test_a_teaser_counts_as_html_does(text: str, teaser: str):
    """49 characters after escaping, whole entities only, then three dots."""
    assert teaser_of(text) == teaser


@given(TEXT)
def test_no_teaser_exceeds_49_escaped_characters(text: str):
    """Nor does it cut an entity in two: what is left begins the text, escaped or not."""
    teaser = teaser_of(text)

    flat = " ".join(text.split())
    if not flat:
        assert teaser == ""
        return
    kept = teaser.removesuffix("...")
    assert flat.startswith(kept)
    assert len(written_as_html(kept)) <= 49
    assert re.sub(r"&(amp|lt|gt|quot|#39);", "", written_as_html(kept)).count("&") == 0
    longer = flat[: len(kept) + 1]
    assert kept == flat or len(written_as_html(longer)) > 49


def test_the_given_teaser_is_shown_before_the_text():
    """An editor's teaser wins."""
    assert Article("a", "A", "Body.", teaser="Given").shown_teaser == "Given"
    assert Article("a", "A", "Body.").shown_teaser == "Body...."


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Why does it CLICK?", "why does it click", True),
        ("Knee-pain", "knee pain", True),
        ("ﬁt in fifty", "fit in fifty", True),
        ("Cafe\u0301", "Café", True),
        ("STRASSE", "Straße", True),
        ("膝盖", "膝盖！", True),
        ("type 1", "type 2", False),
        ("कि", "की", False),
        ("ป่า", "ป้า", False),
        ("???", "!!!", False),
    ],
)
def test_titles_are_the_same_aside_from_looks(one: str, other: str, same: bool):
    """Case, spaces, punctuation and encoding do not tell titles apart; letters and marks do."""
    assert (title_key(one) == title_key(other)) is same


def test_one_title_makes_one_stub():
    """However it is written; its id is no article's."""
    stub = stub_for("Knee pain", teaser="It hurts...")

    assert stub.id == stub_for("KNEE PAIN!").id != stub_for("Knee gain").id
    assert (stub.stub, stub.url, stub.teaser) == (True, None, "It hurts...")


@pytest.mark.parametrize("url", ["javascript:alert(1)", 7, ["/a"], "/a\\b"])
def test_an_address_that_cannot_be_used_costs_only_itself(url: object):
    """If whoever reads the file can be given a remark; else it is an error like any other."""
    record = {"id": "knee", "title": "Knee", "url": url, "category": "joints"}
    remarks: list[Problem] = []

    article = from_record(record, where="a.jsonl:3", remarks=remarks)

    assert (article.url, article.category) == (None, "joints")
    assert [text.partition("url:")[0] for (text,) in remarks] == ["a.jsonl:3: field "]
    assert remarks[0].text.endswith("; left out")
    with pytest.raises(ArticleError, match=r"a\.jsonl:3: field url: "):
        from_record(record, where="a.jsonl:3")


@given(st.text(st.characters(max_codepoint=127), max_size=12))
def test_titles_in_ascii_have_the_keys_of_all_titles(title: str):
    """They are worked out in another way, in a fiftieth of the time."""
    folded = unicodedata.normalize("NFKC", title).casefold()

    assert title_key(title) == ("".join(filter(is_kept, folded)) or folded.strip())
