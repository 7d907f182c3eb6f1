"""An export of Ghost gives its published posts, with the names its tables have for numbers."""

import json
from pathlib import Path
from typing import Any

import pytest

from recommender.articles.document import Document, LeftOut
from recommender.articles.formats import ghost
from recommender.articles.formats.base import head_of
from recommender.files import Problem

POST = {
    "id": "a1", "title": "Garlic", "slug": "garlic", "status": "published", "type": "post",
    "visibility": "public", "html": '<p>Cold. <a href="__GHOST_URL__/onion/">Onion</a></p>',
    "feature_image": "__GHOST_URL__/content/a.jpg", "custom_excerpt": "Wants cold.",
    "published_at": "2025-10-18T08:30:00.000Z", "updated_at": "2025-10-19T08:30:00.000Z",
}  # fmt: skip
TABLES = {
    "posts_tags": [
        {"post_id": "a1", "tag_id": "t2", "sort_order": 1},
        {"post_id": "a1", "tag_id": "t1", "sort_order": 0},
        {"post_id": "a1", "tag_id": "t3", "sort_order": 2},
    ],
    "tags": [
        {"id": "t1", "name": "Vegetables", "visibility": "public"},
        {"id": "t2", "name": "Autumn"},
        {"id": "t3", "name": "#internal", "visibility": "internal"},
    ],
    "users": [{"id": "u1", "name": "Jo"}],
    "posts_authors": [{"post_id": "a1", "author_id": "u1", "sort_order": 0}],
}


def read(tmp_path: Path, *posts: Any, old: bool = False, **tables: Any) -> Any:
    data = {"meta": {"version": "5.0"}, "data": {"posts": posts, **TABLES, **tables}}
    file = tmp_path / "ghost.json"
    file.write_text(json.dumps(data if old else {"db": [data]}))
    assert ghost.recognises(head_of(file))
    return list(ghost.read(file, tmp_path))


@pytest.mark.parametrize("old", [False, True])
def test_a_post_has_the_names_of_its_tags_and_authors(tmp_path: Path, old: bool):
    """The first tag is its category, internal ones are not shown; addresses are of the site."""
    (found,) = read(tmp_path, POST, old=old)

    assert found.fields == {
        "title": "Garlic",
        "html": '<p>Cold. <a href="/onion/">Onion</a></p>',
        "teaser": "Wants cold.",
        "url": "/garlic/",
        "category": "Vegetables",
        "tags": ["Autumn"],
        "published_at": "2025-10-18T08:30:00.000Z",
        "updated_at": "2025-10-19T08:30:00.000Z",
        "author": "Jo",
        "image": "/content/a.jpg",
    }
    assert found.path == "garlic"
    assert "taken to be /slug/" in found.remarks[0]


def test_what_is_not_published_is_left_out(tmp_path: Path):
    """Pages are articles, and posts for members too."""
    found = read(
        tmp_path,
        {**POST, "status": "draft"},
        {**POST, "status": "scheduled"},
        {**POST, "status": "sent"},
        {**POST, "type": "page", "html": "", "custom_excerpt": None},
        {**POST, "type": "page"},
        {**POST, "visibility": "paid", "canonical_url": "https://x.example/a"},
    )

    assert [each.reason for each in found if isinstance(each, LeftOut)] == [
        "a draft", "status: scheduled", "status: sent", "a page without a text of its own",
    ]  # fmt: skip
    page, paid = (each for each in found if isinstance(each, Document))
    assert "taken to be /slug/" in page.remarks[0]
    assert (paid.remarks, paid.canonical) == (
        ("for paid only, and an article all the same",),
        "https://x.example/a",
    )


LEXICAL = {
    "root": {
        "children": [
            {"type": "heading", "tag": "h2", "children": [{"type": "text", "text": "Cold"}]},
            {"type": "paragraph", "children": [
                {"type": "text", "text": "A & "},
                {"type": "link", "children": [{"type": "text", "text": "b"}]}]},
            {"type": "image", "src": "a.jpg"},
            {"type": "html", "html": "<p>C</p>"},
            {"type": "markdown", "markdown": "*D*"},
            {"type": "list", "children": [
                {"type": "listitem", "children": [{"type": "text", "text": "E"}]}]},
        ]
    }
}  # fmt: skip
MOBILEDOC = {
    "cards": [["markdown", {"markdown": "*D*"}], ["html", {"html": "<p>C</p>"}], ["image", {}]],
    "sections": [[1, "h2", [[0, [], 0, "Cold"]]], [1, "p", [[0, [], 0, "A & "], [0, [0], 1, "b"]]],
                 [10, 0], [10, 1], [10, 2], [3, "ul", [[[0, [], 0, "E"]]]]],
}  # fmt: skip


def test_texts_come_out_of_what_the_editor_keeps(tmp_path: Path):
    """Where there is no HTML."""
    bare = {**POST, "html": None}

    lexical, mobiledoc, plain = read(
        tmp_path,
        {**bare, "lexical": json.dumps(LEXICAL)},
        {**bare, "mobiledoc": json.dumps(MOBILEDOC)},
        {**bare, "plaintext": "A & b\n\nC"},
    )

    assert lexical.fields["html"] == (
        "<h2>Cold</h2>\n<p>A &amp; b</p>\n<p>C</p>\n<p><em>D</em></p>\n\n<ul><li>E</li></ul>"
    )
    assert mobiledoc.fields["html"] == (
        "<h2>Cold</h2>\n<p>A &amp; b</p>\n<p><em>D</em></p>\n\n<p>C</p>\n<p>E</p>"
    )
    assert plain.fields["html"] == "<p>A &amp; b</p><p>C</p>"


@pytest.mark.parametrize(
    "broken",
    ["[", '{"root": 3}', "[" * 100_000, '{"root": {"children": [3]}}', '{"sections": [[1]]}'],
)
@pytest.mark.parametrize("name", ["lexical", "mobiledoc"])
def test_a_post_whose_text_is_broken_is_a_problem(tmp_path: Path, name: str, broken: str):
    """Its neighbours are not."""
    first, second = read(tmp_path, {**POST, "html": "", name: broken}, POST)

    assert isinstance(first, Problem) or first.fields.get("html") in (None, "")
    assert isinstance(second, Document)


def test_what_is_no_export_is_a_problem(tmp_path: Path):
    """Cut short, without posts, or with posts that are none."""
    file = tmp_path / "ghost.json"
    file.write_text(json.dumps({"db": [{"data": {"posts": [POST, POST]}}]})[:-200])
    cut = list(ghost.read(file, tmp_path))

    assert [type(each) for each in cut] == [Document, Problem]
    assert "no post in it" in read(tmp_path)[0].text
    assert isinstance(read(tmp_path, 3)[0], Problem)
