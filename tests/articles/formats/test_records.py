"""JSON of any layout is read record by record, and what is wrong with it is said."""

import json
from pathlib import Path
from typing import Any

import pytest

from recommender.articles.document import Document, LeftOut
from recommender.articles.formats import records
from recommender.files import MAX_RECORD_BYTES, Problem

A, B = {"id": "a", "title": "A"}, {"id": "b", "title": "B"}


def read(tmp_path: Path, content: str | bytes) -> list[Any]:
    file = tmp_path / "a.json"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(records.read_json(file, tmp_path))


@pytest.mark.parametrize(
    "value",
    [
        [A, B],
        {"articles": [A, B]},
        {"title": "My site", "posts": [A, B]},
        {"meta": {"title": "My site", "tags": [{"name": "x"}]}, "whatever": [A, B]},
        {"data": {"posts": [A, B]}},
        {"data": {"posts": {"edges": [{"node": A}, {"node": B}]}}},
        {"hits": {"total": 2, "hits": [{"_id": "a", "_source": {"title": "A"}}, {"_source": B}]}},
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_arrays_are_found_however_they_are_wrapped(tmp_path: Path, value: Any, indent: int | None):
    """On one line or on many."""
    found = read(tmp_path, json.dumps(value, indent=indent))

    assert [document.fields for document in found] == [A, B]
    assert [document.where for document in found] == [
        f"{tmp_path}/a.json:record 1",
        f"{tmp_path}/a.json:record 2",
    ]


def test_objects_over_many_lines_are_records_each(tmp_path: Path):
    """With a byte order mark; lists of objects within them are theirs."""
    first = {**A, "links": [{"name": "x"}], "items": {"a": [{"name": "y"}]}}
    content = "\ufeff" + json.dumps(first, indent=1) + "\n" + json.dumps(B, indent=1)

    assert [document.fields for document in read(tmp_path, content)] == [first, B]


def test_articles_under_their_ids_are_records(tmp_path: Path):
    """As databases of documents export them."""
    content = json.dumps({"a": {"title": "A"}, "b": {"title": "B"}, "n": 3}, indent=1)

    first, second, number = read(tmp_path, content)

    assert [first.fields, second.fields] == [A, B]
    assert isinstance(number, Problem)


RICH = [
    [{"_type": "block", "children": [{"_type": "span", "text": "Cold "}, {"text": "weeks."}]},
     {"_type": "image"}, {"_type": "block", "children": [{"text": "Plant."}]}],
    {"nodeType": "document", "content": [
        {"nodeType": "paragraph", "content": [
            {"nodeType": "text", "value": "Cold "},
            {"nodeType": "hyperlink", "content": [{"nodeType": "text", "value": "weeks."}]}]},
        {"nodeType": "list", "content": [{"nodeType": "list-item", "content": [
            {"nodeType": "paragraph", "content": [{"nodeType": "text", "value": "Plant."}]}]}]}]},
    {"type": "doc", "content": [
        {"type": "heading", "content": [{"type": "text", "text": "Cold weeks."}]},
        {"type": "paragraph", "content": [{"type": "text", "text": "Plant."}]}]},
    {"blocks": [{"type": "paragraph", "data": {"text": "Cold <b>weeks.</b>"}},
                {"type": "list", "data": {"text": "Plant."}}]},
    {"blocks": [{"text": "Cold weeks.", "type": "unstyled"}, {"text": "Plant.", "type": "x"}]},
    {"ops": [{"insert": "Cold weeks."}, {"insert": "Plant.\n"}]},
    [{"type": "paragraph", "text": "Cold weeks.", "spans": []}, {"type": "x", "text": "Plant."}],
]  # fmt: skip


@pytest.mark.parametrize("body", RICH)
def test_rich_text_is_read_paragraph_by_paragraph(tmp_path: Path, body: Any):
    """Of the editors of the usual systems; in JSON Lines too."""
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({**A, "body": body}))

    (found,) = read(tmp_path, json.dumps([{**A, "body": body}]))
    (line,) = records.read_json_lines(file, tmp_path)

    assert found.fields["body"] == line.fields["body"] == "Cold weeks.\n\nPlant."


def test_what_came_before_a_fault_is_kept(tmp_path: Path):
    """A file cut short, one that is no JSON, and one that is empty."""
    whole, cut = read(tmp_path, json.dumps([A, B])[:-8])
    (no_json,) = read(tmp_path, '[{"id": 1 "title"')
    (empty,) = read(tmp_path, "[]")
    (number, _) = read(tmp_path, '[3, {"id": "a"}]')

    assert whole.fields == A
    assert isinstance(cut, Problem)
    assert "not JSON" in cut.text
    assert "a.json: not JSON" in no_json.text
    assert "no list of records" in empty.text
    assert number.text.endswith("record 1: must be a JSON object, not int")


HOSTILE = [
    '[{"a": ' + "[" * 5_000_000,
    "[" * 1_000_000,
    '{"a":' * 1_000_000,
    '[{"id": 1, "title": "' + "x" * (MAX_RECORD_BYTES + 3_000_000) + '"}]',
    b'[{"id": "\xff\xfe"}]',
    b'[{"id": 1' + b"9" * 1_000_000 + b"}]",
    b"\x1f\x8b\x08\x00broken",
    b"[",
    b"",
    b"{",
]


@pytest.mark.parametrize("content", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_files_are_problems(tmp_path: Path, content: str | bytes):
    """Too deep, too long, cut, of wrong bytes: one sentence, soon."""
    found = read(tmp_path, content)

    assert found
    assert all(isinstance(each, Problem) for each in found)


def test_posts_of_wordpress_as_its_interface_gives_them(tmp_path: Path):
    """With what was asked for beside them; drafts are left out."""
    post = {
        "id": 12,
        "date": "2025-10-18T09:30:00",
        "date_gmt": "2025-10-18T08:30:00",
        "modified_gmt": "2025-10-19T08:30:00",
        "status": "publish",
        "link": "https://garden.example/garlic/",
        "title": {"rendered": "When &#8216;to&#8217; plant"},
        "content": {"rendered": "<p>Garlic wants cold.</p>", "protected": False},
        "excerpt": {"rendered": "<p>Wants cold.</p>\n"},
        "_embedded": {
            "author": [{"name": "Jo"}],
            "wp:featuredmedia": [{"source_url": "https://garden.example/g.jpg"}],
            "wp:term": [
                [{"taxonomy": "category", "name": "Vegetables &amp; fruit"}],
                [{"taxonomy": "post_tag", "name": "garlic"}],
            ],
        },
    }
    draft = {**post, "status": "draft"}
    locked = {**post, "content": {"rendered": "", "protected": True}}

    found = read(tmp_path, json.dumps([post, draft, locked]))

    assert found[0] == Document(
        f"{tmp_path}/a.json:record 1",
        {
            "id": "12",
            "title": "When ‘to’ plant",
            "html": "<p>Garlic wants cold.</p>",
            "teaser": "Wants cold.",
            "url": "https://garden.example/garlic/",
            "category": "Vegetables & fruit",
            "tags": ["garlic"],
            "published_at": "2025-10-18T08:30:00Z",
            "updated_at": "2025-10-19T08:30:00Z",
            "author": "Jo",
            "image": "https://garden.example/g.jpg",
        },
        "a.json",
        canonical="https://garden.example/garlic/",
    )
    assert [each.reason for each in found[1:] if isinstance(each, LeftOut)] == [
        "status: draft",
        "protected by a password",
    ]


def test_names_are_taken_out_of_objects_in_fields_of_ours(tmp_path: Path):
    """As interfaces nest tags, authors, categories and pictures."""
    record = {
        **A,
        "tags": [{"name": "x", "id": 3}, {"slug": "y"}],
        "author": {"name": "Jo"},
        "category": {"title": "Herbs"},
        "image": {"url": "/a.jpg"},
        "other": {"kept": True},
    }

    (found,) = read(tmp_path, json.dumps({"posts": [record]}))

    assert found.fields == {
        **A, "tags": ["x", "y"], "author": "Jo", "category": "Herbs", "image": "/a.jpg",
        "other": {"kept": True},
    }  # fmt: skip


def test_resources_of_drupal_strapi_and_contentful_are_unwrapped(tmp_path: Path):
    """Their fields stand one step further in."""
    drupal = {
        "type": "node--article",
        "id": "u1",
        "attributes": {
            "title": "A",
            "status": True,
            "created": "2025-10-18T08:30:00+00:00",
            "langcode": "de",
            "path": {"alias": "/garlic"},
            "body": {"value": "raw", "processed": "<p>x</p>", "summary": "<p>s</p>"},
        },
    }
    strapi = {"id": 3, "attributes": {"title": "B", "body": "text", "publishedAt": "2025-10-18"}}
    contentful = {"sys": {"id": "c"}, "fields": {"title": {"en-US": "C"}, "slug": "c"}}

    found = [each.fields for each in read(tmp_path, json.dumps([drupal, strapi, contentful]))]

    assert {**found[0], "path": None, "status": None} == {
        "id": "u1", "title": "A", "url": "/garlic", "html": "<p>x</p>", "teaser": "s",
        "language": "de", "published_at": "2025-10-18T08:30:00+00:00",
        "path": None, "status": None,
    }  # fmt: skip
    assert found[1] == {"id": 3, "title": "B", "body": "text", "published_at": "2025-10-18"}
    assert found[2] == {"id": "c", "title": "C", "slug": "c"}
