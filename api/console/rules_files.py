"""Rules brought in from a file, seen line by line before anything is done, and written out as one.

Between the two steps the file goes with the form, compressed, so that any server can do the second;
what would be done is worked out again then, and shown again if it is not what was seen.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from functools import partial

from starlette.datastructures import UploadFile
from starlette.responses import Response

from recommender.errors import EditorialError
from recommender.lists import rules_file
from recommender.lists.effects import KINDS
from recommender.lists.local_times import as_written
from recommender.lists.rules_import import ADDED, CHANGED, REFUSED, Plan, plan
from recommender.store import rules as console_rules
from recommender.store.rules import EVERYWHERE, IMPORTED
from recommender_api.console.app import Console
from recommender_api.console.rules import (
    StoreCatalogue,
    TitledCatalogue,
    answers_of,
    now_of,
    rules_of,
    sentence,
)
from recommender_api.console.visit import Visit

# Some ten thousand rules; what the body of a request may hold is a little more
# (``http.MAX_RULES_BYTES``).
MAX_FILE_BYTES = 1024 * 1024
# Lines that a preview shows of those to be done; of those refused it shows as many again.
MAX_LINES = 200
# Lines that cannot be read are shown up to so many; the first few tell what is wrong with the rest.
MAX_FAULTS = 50


def add(console: Console) -> None:
    """Have the pages answered."""
    console.get("/rules/import", "editor", partial(_asked, console))
    console.post("/rules/import", "editor", partial(_sent, console))
    console.get("/rules/export", "viewer", partial(_exported, console))


def _asked(console: Console, visit: Visit) -> Response:
    return console.page(
        visit, "rules_import", plan=None, fault="", packed="", seen="", replacing=""
    )


def _sent(console: Console, visit: Visit) -> Response:
    """Show what would be done, or do it, if that is still what was shown."""
    replacing = "yes" if visit.field("replacing") else ""
    try:
        raw = _unpacked(visit.field("packed")) if visit.field("packed") else _uploaded(visit)
        given = rules_file.read(
            raw, where="the file", zone=console.zone, most_faults=MAX_FAULTS + 1
        )
        found = plan(
            given,
            rules_of(console),
            TitledCatalogue(console, answers_of(console)),
            now=now_of(console),
            replacing=bool(replacing),
        )
        is_agreed = visit.field("do") == "bring in" and visit.field("seen") == _stamp(found)
        if is_agreed and found.edits and not found.refused:
            done = console_rules.write(
                console.store, found.edits, account=visit.account, at=now_of(console), what=IMPORTED
            )
            console.live.refresh()
            said = f"Brought in: {found.summary}. It is action {done.action} of the history."
            return console.go(visit, "/rules", done=said)
    except rules_file.FaultyLinesError as exc:
        n, more = len(exc.faults), len(exc.faults) > MAX_FAULTS
        which = f"More than {MAX_FAULTS} lines" if more else f"{n} line{'s' if n > 1 else ''}"
        return console.page(
            visit, "rules_import", 422, plan=None, packed="", seen="", replacing=replacing,
            fault=f"{which} cannot be read, so nothing is brought in.",
            wrong=[_of_line(*each) for each in exc.faults[:MAX_FAULTS]],
        )  # fmt: skip
    except EditorialError as exc:
        return console.page(
            visit, "rules_import", 422, plan=None, fault=sentence(exc), packed="", seen="",
            replacing=replacing,
        )  # fmt: skip
    changed = "Somebody changed rules meanwhile: look at it again." if visit.field("do") else ""
    lines = [line for line in found.lines if line.what in (ADDED, CHANGED)]
    return console.page(
        visit,
        "rules_import",
        plan=found,
        fault=changed,
        packed=base64.b64encode(zlib.compress(raw)).decode(),
        seen=_stamp(found),
        replacing=replacing,
        refused=found.of(REFUSED)[:MAX_LINES],
        lines=lines[:MAX_LINES],
        n_lines=len(lines),
        removed=found.removed[:MAX_LINES],
        kinds=KINDS,
        title=StoreCatalogue(console, answers_of(console)).title,
        every=EVERYWHERE,
        sentence=sentence,
        written=partial(as_written, zone=console.zone),
    )


def _of_line(line: int, fault: str) -> str:
    """What is wrong with a line, in a sentence: Line 3, action: ..."""
    name, colon, why = fault.removeprefix("field ").partition(": ")
    if fault.startswith("field ") and colon:
        return f"Line {line}, {name}: {why}."
    return f"Line {line}: {fault}."


def _stamp(found: Plan) -> str:
    """What differs if something else would be done."""
    return hashlib.sha256(repr((found.edits, found.lines)).encode()).hexdigest()[:24]


def _uploaded(visit: Visit) -> bytes:
    """The bytes of the file that was sent. ``EditorialError`` if there is none."""
    file = visit.form.get("file")
    raw = file.file.read(MAX_FILE_BYTES + 1) if isinstance(file, UploadFile) else b""
    if not raw:
        raise EditorialError("choose a file that has something in it")
    if len(raw) > MAX_FILE_BYTES:
        raise EditorialError("a file has at most 1 MB here; the command takes any: recommender "
                             "rules import FILE")  # fmt: skip
    return raw


def _unpacked(packed: str) -> bytes:
    try:
        unpack = zlib.decompressobj()
        raw = unpack.decompress(base64.b64decode(packed, validate=True), MAX_FILE_BYTES + 1)
    except (binascii.Error, zlib.error, ValueError) as exc:
        raise EditorialError("the file was damaged on the way: choose it again") from exc
    if len(raw) > MAX_FILE_BYTES:
        raise EditorialError("the file is larger than 1 MB")
    return raw


def _exported(console: Console, visit: Visit) -> Response:
    """The rules as a file."""
    found = rules_of(console)
    is_all = visit.query("kept") != "console"
    separator = ";" if visit.query("separator") == "semicolon" else ","
    text = rules_file.exported(
        found.rules if is_all else found.of_console, zone=console.zone, separator=separator
    )
    name = "editorial.csv" if is_all else "console-rules.csv"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)
