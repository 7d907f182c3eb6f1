"""Exports of Ghost ("Settings, Export"): one JSON file that holds the tables of its database.

A file is read twice: posts come before the tags and users that they name by number.
"""

from __future__ import annotations

import html as markup
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from recommender.articles.document import Document, LeftOut
from recommender.articles.formats.base import Found, Head, category_and_tags, kept, plain, text_of
from recommender.articles.formats.markdown_text import render
from recommender.articles.formats.records import json_values
from recommender.files import Problem

BASES = (["db", "item", "data"], ["data"])
TABLES = ("tags", "posts_tags", "users", "posts_authors", "posts_meta", "settings")
SHAPE = re.compile(r'\{\s*"db"\s*:\s*\[|"(?:posts_tags|posts_authors|mobiledoc|lexical)"\s*:')
# Stands for the address of the site.
PLACEHOLDER = "__GHOST_URL__"
OPEN = {"", "public"}
GUESS = (
    "Ghost's export names no addresses: they are taken to be /slug/, as Ghost makes them unless "
    "its routes were changed"
)


def recognises(head: Head) -> bool:
    """Whether it begins as Ghost's export does, or names tables of its database."""
    text = head.text
    if not text.startswith("{"):
        return False
    begins = re.match(r'\{\s*"(?:db|meta|data)"\s*:\s*[\[{]', text)
    return begins is not None and SHAPE.search(text) is not None and '"data"' in text


@dataclass(slots=True)
class Tables:
    """What posts name by number: the names of tags, in order, and of authors, and more fields."""

    tags: dict[str, str] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=dict)
    tags_of: dict[str, list[tuple[float, str]]] = field(default_factory=lambda: defaultdict(list))
    authors_of: dict[str, list[tuple[float, str]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    more: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    language: str = ""


def read(file: Path, root: Path) -> Iterator[Found]:
    """The posts of an export."""
    tables = _tables(file)
    number, said = 0, False
    for found in json_values(file, *([*base, "posts", "item"] for base in BASES)):
        if isinstance(found, Problem):
            yield found
            return
        number += 1
        where = f"{file}:post {number}"
        if not isinstance(found[1], dict):
            yield Problem(f"{where}: must be a JSON object, not {type(found[1]).__name__}")
            continue
        post = _post(found[1], where, tables)
        if isinstance(post, Document) and not said:
            post, said = replace(post, remarks=(*post.remarks, GUESS)), True
        yield post
    if number == 0:
        yield Problem(f"{file}: no post in it")


def _tables(file: Path) -> Tables:
    tables = Tables()
    places = [[*base, name, "item"] for base in BASES for name in TABLES]
    for found in json_values(file, *places):
        if isinstance(found, Problem):
            break  # the second reading says so
        place, row = found
        if not isinstance(row, dict):
            continue
        name, id, post = place[-2], text_of(row.get("id")), text_of(row.get("post_id"))
        order = row.get("sort_order")
        at = float(order) if isinstance(order, int | float) else 0.0
        if name == "tags":
            tag = text_of(row.get("name"))
            if not tag.startswith("#") and row.get("visibility") != "internal":
                tables.tags[id] = tag
        elif name == "users":
            tables.users[id] = text_of(row.get("name"))
        elif name == "posts_tags":
            tables.tags_of[post].append((at, text_of(row.get("tag_id"))))
        elif name == "posts_authors":
            tables.authors_of[post].append((at, text_of(row.get("author_id"))))
        elif name == "posts_meta":
            tables.more[post] = row
        elif row.get("key") in ("locale", "lang", "default_locale"):
            tables.language = tables.language or text_of(row.get("value"))
    return tables


def _post(post: Mapping[str, Any], where: str, tables: Tables) -> Found:
    status = text_of(post.get("status")) or "published"
    kind = text_of(post.get("type")) or ("page" if post.get("page") else "post")
    if status != "published":
        return LeftOut(where, "a draft" if status == "draft" else f"status: {status}")
    id = text_of(post.get("id"))
    more = tables.more.get(id, {})
    try:
        html = text_of(post.get("html")) or _from_editor(post)
    except (ValueError, RecursionError, TypeError, LookupError, AttributeError) as exc:
        return Problem(f"{where}: field lexical or mobiledoc: {' '.join(str(exc).split())[:120]}")
    teaser = next(
        filter(None, (text_of(post.get("custom_excerpt")), text_of(more.get("meta_description")),
                      text_of(post.get("meta_description")))), "",
    )  # fmt: skip
    if kind == "page" and not plain(html) and not teaser:
        return LeftOut(where, "a page without a text of its own")
    names = [tables.tags.get(tag, "") for _, tag in sorted(tables.tags_of.get(id, ()))]
    category, tags = category_and_tags(names, ())
    writers = sorted(tables.authors_of.get(id, ())) or [(0.0, text_of(post.get("author_id")))]
    slug = text_of(post.get("slug"))
    image = text_of(post.get("feature_image")) or text_of(post.get("image"))
    fields = {
        "title": text_of(post.get("title")),
        "html": _on_site(html),
        "teaser": plain(teaser),
        "url": f"/{slug}/" if slug else "",
        "category": category,
        "tags": tags,
        "published_at": text_of(post.get("published_at")),
        "updated_at": text_of(post.get("updated_at")),
        "author": ", ".join(filter(None, (tables.users.get(writer, "") for _, writer in writers))),
        "image": _on_site(image or text_of(more.get("og_image"))),
        "language": text_of(post.get("locale")) or tables.language,
    }
    visibility = text_of(post.get("visibility"))
    remarks = () if visibility in OPEN else (f"for {visibility} only, and an article all the same",)
    canonical = _on_site(text_of(post.get("canonical_url")))
    return Document(where, kept(fields), slug or id, canonical=canonical or None, remarks=remarks)


def _on_site(text: str) -> str:
    return text.replace(PLACEHOLDER, "")


def _from_editor(post: Mapping[str, Any]) -> str:
    """The HTML of a post that has only what its editor keeps: texts, paragraph by paragraph."""
    if lexical := text_of(post.get("lexical")):
        children = json.loads(lexical)["root"]["children"]
        return "\n".join(filter(None, map(_of_lexical, children)))
    if mobiledoc := text_of(post.get("mobiledoc")):
        return _of_mobiledoc(json.loads(mobiledoc))
    parts = filter(None, text_of(post.get("plaintext")).split("\n\n"))
    return "".join(f"<p>{markup.escape(part)}</p>" for part in parts)


def _of_lexical(node: Mapping[str, Any]) -> str:
    kind = node.get("type")
    if kind == "html":
        return text_of(node.get("html"))
    if kind == "markdown":
        return render(text_of(node.get("markdown")), heading_goes=lambda _: False)[1]
    if "children" not in node:
        return markup.escape(str(node.get("text") or ""))
    inner = "".join(map(_of_lexical, node["children"]))
    tag = text_of(node.get("tag")) if kind == "heading" else ""
    if kind in ("link", "list", "listitem"):
        return {"list": f"<ul>{inner}</ul>", "listitem": f"<li>{inner}</li>"}.get(str(kind), inner)
    tag = tag if re.fullmatch(r"h[1-6]", tag) else "p"
    return f"<{tag}>{inner}</{tag}>" if inner else ""


def _of_mobiledoc(document: Mapping[str, Any]) -> str:
    cards = document.get("cards") or []
    parts = []
    for section in document.get("sections") or []:
        if section[0] == 1:
            tag = section[1] if re.fullmatch(r"h[1-6]|p|blockquote", str(section[1])) else "p"
            parts.append(f"<{tag}>{_of_markers(section[2])}</{tag}>")
        elif section[0] == 3:
            parts += [f"<p>{_of_markers(markers)}</p>" for markers in section[2]]
        elif section[0] == 10:
            name, card = cards[section[1]][:2]
            if "markdown" in name:
                parts.append(render(text_of(card.get("markdown")), heading_goes=lambda _: False)[1])
            elif name == "html":
                parts.append(text_of(card.get("html")))
    return "\n".join(parts)


def _of_markers(markers: list[Any]) -> str:
    return "".join(markup.escape(str(marker[3])) for marker in markers if marker[0] == 0)
