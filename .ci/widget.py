"""Write ``api/static/widget.js``, which pages get, from ``widget.source.js``, which people read.

    make widget

Names and spaces are shortened and named numbers are written out, nothing else. The first line names
the source by its SHA-256 sum, so that a test can tell when one of both was changed alone.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import minify  # type: ignore[import-not-found, unused-ignore]

STATIC = Path(__file__).parents[1] / "api" / "static"


def main() -> None:
    source = (STATIC / "widget.source.js").read_text(encoding="utf-8")
    named = hashlib.sha256(source.encode()).hexdigest()[:16]
    style = re.search(r"(?<=const CSS = `)[^`]*", source)
    assert style is not None
    short = source.replace(style[0], minify.string("text/css", style[0]))
    for line, name, number in re.findall(r"(  const ([A-Z_]+) = (\d+);.*\n)", source):
        short = re.sub(rf"\b{name}\b", number, short.replace(line, ""))
    code = minify.string("application/javascript", short)
    (STATIC / "widget.js").write_text(f"/* make widget: {named} */\n{code}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
