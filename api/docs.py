"""``/docs``: the addresses of the service as a page to read, made of its OpenAPI document.

All of it is in one answer: no script, nothing from elsewhere, so it is there without a network and
behind a proxy at any path. Programs read ``openapi.json`` beside it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response
from markupsafe import Markup, escape

STATIC = Path(__file__).parent / "static"
MEDIA = "application/json"
CODE = re.compile(r"`([^`]+)`")
BOUNDS = {
    "minimum": "from {:,}", "maximum": "to {:,}", "maxLength": "of {:,} characters at most",
}  # fmt: skip

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """A parameter or a field: its name, what it holds, whether it must be there, what it is for."""

    name: str
    kind: Markup
    needed: bool
    what: str


@dataclass(frozen=True, slots=True)
class Address:
    """A method of an address: ``body`` and ``answers`` are what is sent and what comes back."""

    method: str
    path: str
    summary: str
    text: str
    needs_key: bool
    parameters: tuple[Row, ...]
    body: Markup | None
    examples: tuple[tuple[str, str], ...]
    answers: tuple[tuple[str, str, Markup], ...]

    @property
    def anchor(self) -> str:
        """What links within the page lead to."""
        return f"{self.method.lower()}{re.sub('[^a-z0-9]+', '-', self.path.lower())}".strip("-")


def add(app: FastAPI) -> None:
    """Give ``app`` the page."""

    @cache
    def page() -> tuple[str, dict[str, str]]:
        text = page_of(app.openapi())
        style = (STATIC / "docs.css").read_bytes()
        digest = base64.b64encode(hashlib.sha256(style).digest()).decode()
        return text, {
            "content-security-policy": f"default-src 'none'; style-src 'sha256-{digest}'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
        }

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        text, headers = page()
        return HTMLResponse(text, headers=headers)


def page_of(document: Schema) -> str:
    """The page of an OpenAPI document."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(STATIC), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["prose"] = prose
    schemas = document.get("components", {}).get("schemas", {})
    return environment.get_template("docs.html.j2").render(
        about=document["info"],
        addresses=list(_addresses(document)),
        schemas={name: list(_fields(schemas[name])) for name in sorted(schemas)},
        style=Markup((STATIC / "docs.css").read_text(encoding="utf-8")),  # noqa: S704 - our own
    )


def prose(text: str) -> Markup:
    """A text with what stands between backticks as code; nothing else of it is markup."""
    return Markup(CODE.sub(r"<code>\1</code>", str(escape(" ".join(text.split())))))  # noqa: S704


def _addresses(document: Schema) -> Iterator[Address]:
    for path, methods in document["paths"].items():
        for method, about in methods.items():
            content = about.get("requestBody", {}).get("content", {}).get(MEDIA, {})
            examples = {name: each["value"] for name, each in content.get("examples", {}).items()}
            yield Address(
                method=method.upper(),
                path=path,
                summary=about.get("summary", ""),
                text=about.get("description", ""),
                needs_key="401" in about["responses"] and path != "/v1/related",
                parameters=tuple(
                    Row(
                        each["name"], _kind(each["schema"]), each.get("required", False),
                        each.get("description", each["schema"].get("description", "")),
                    )
                    for each in about.get("parameters", ())
                ),
                body=_kind(content["schema"]) if "schema" in content else None,
                examples=tuple((name, json.dumps(examples[name])) for name in examples),
                answers=tuple(
                    (status, each.get("description", ""), _kind(_schema_of(each)))
                    for status, each in sorted(about["responses"].items())
                ),
            )  # fmt: skip


def _schema_of(answer: Schema) -> Schema:
    found: Schema = answer.get("content", {}).get(MEDIA, {}).get("schema", {})
    return found


def _fields(schema: Schema) -> Iterator[Row]:
    needed = schema.get("required", ())
    for name, each in schema.get("properties", {}).items():
        yield Row(name, _kind(each), name in needed, each.get("description", ""))


def _kind(schema: Schema) -> Markup:
    """What a schema holds, in a few words, with links to those that have a name."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return Markup('<a href="#schema-{0}">{0}</a>').format(name)
    if "anyOf" in schema:
        return Markup(" or ").join(_kind(each) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return Markup("list of {}").format(_kind(schema.get("items", {})))
    bounds = [words.format(schema[name]) for name, words in BOUNDS.items() if name in schema]
    kind = {"string": "text", "integer": "whole number", "null": "null"}
    words = [kind.get(schema.get("type", ""), schema.get("type", "")), *bounds]
    if "default" in schema and schema["default"] is not None:
        words.append(f"(default {json.dumps(schema['default'])})")
    return escape(" ".join(word for word in words if word))
