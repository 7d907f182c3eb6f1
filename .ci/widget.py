"""Write ``api/static/widget.js`` and ``widget-more.js``, which pages get, from what people read.

    make widget

That is ``widget.source.js`` and ``widget-more.source.js`` beside them, and in ``recommender/lists``
the style and the headings of lists, which the scripts name by their files. Names and spaces are
shortened and named numbers are written out, nothing else. The first line names what a script was
made of by the beginning of its SHA-256 sum, so that a test can tell when one of both was changed
alone.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import minify  # type: ignore[import-not-found, unused-ignore]

ROOT = Path(__file__).parents[1]
STATIC, LISTS = ROOT / "api" / "static", ROOT / "recommender" / "lists"
# What is put in the place of its name.
PARTS = {"widget": ["list.css"], "widget-more": ["cards.css", "headings.json"]}


def part(name: str) -> str:
    """The literal that a part is in a script."""
    text = (LISTS / name).read_text(encoding="utf-8")
    if name.endswith(".json"):
        return json.dumps(json.loads(text), ensure_ascii=False)
    style: str = minify.string("text/css", text)
    # A character of its own is shorter than its number, and needs no escape of an escape.
    style = re.sub(r"\\([0-9a-f]{4})", lambda number: chr(int(number[1], 16)), style)
    return f"`{style}`"


def main() -> None:
    for script, parts in PARTS.items():
        source = (STATIC / f"{script}.source.js").read_text(encoding="utf-8")
        made_of = [source.encode(), *((LISTS / name).read_bytes() for name in parts)]
        named = hashlib.sha256(b"".join(made_of)).hexdigest()[:8]
        short = source
        for name in parts:
            short = short.replace(f'"{name}"', part(name))
        for line, name, number in re.findall(r"(  const ([A-Z_]+) = (\d+);.*\n)", source):
            short = re.sub(rf"\b{name}\b", number, short.replace(line, ""))
        code = minify.string("application/javascript", short)
        whole = f"/* make widget: {named} */\n{code}\n"
        (STATIC / f"{script}.js").write_text(whole, encoding="utf-8")


if __name__ == "__main__":
    main()
