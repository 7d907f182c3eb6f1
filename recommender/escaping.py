"""Text that others wrote, made safe for where it goes: terminals, logs, Markdown, JSON on a screen.

Titles, ids, names of layouts, lists, files and sessions are anybody's, and so are errors that quote
them. A terminal obeys what it is sent: an escape sequence moves the cursor, clears what was
written, or sets the title of the window, and marks of direction make a line read otherwise than it
is. In Markdown a bar ends a cell, and HTML and links are what they are on a page. (HTML itself is
made by templates that escape by themselves.) A spreadsheet takes a cell of CSV that begins like one
for a formula, which may fetch addresses and start programs.

>>> terminal("gout\\x1b[2J\\r\\nPASS"), markdown("a|b <i> [x](http://e.org)")
('gout\\\\x1b[2J  PASS', 'a\\\\|b \\\\<i\\\\> \\\\[x\\\\](http\\\\://e.org)')
"""

from __future__ import annotations

import logging
import re
import traceback

# Spaces of any kind that end a line, or move in it.
BREAKS = re.compile("[\t\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
# Controls of either set, halves of pairs, and what turns the direction of writing.
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
UNSAFE = re.compile(f"{BREAKS.pattern}|{CONTROLS.pattern}")
# What Markdown acts upon wherever it stands. An underscore within a word is one.
MARKS = re.compile(r"[\\`*{}\[\]<>|~&#$]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=\w)@(?=\w)")
# ... and at the beginning of a line: lists, headings, quotations, numbers.
BEGINNINGS = re.compile(r"^(\s*)(?=[-+=])|^(\s*\d+)(?=[.)](?:\s|$))")
# How formulas begin in spreadsheets, in full-width characters too.
FORMULA = re.compile(r"\s*[-=+@\uff0d\uff1d\uff0b\uff20]")
# Addresses that become links without any mark.
BARE = re.compile(r"\b(www)\.", re.IGNORECASE)


def terminal(text: str) -> str:
    """One line that a terminal only shows: what would end the line is a space, other controls are
    written out.
    """
    if text.isascii() and text.isprintable():
        return text
    return CONTROLS.sub(_written_out, BREAKS.sub(" ", text))


def markdown(text: str) -> str:
    """One line that is text in Markdown wherever it stands, in a cell of a table too."""
    escaped = MARKS.sub(r"\\\g<0>", terminal(text).strip())
    return BEGINNINGS.sub(r"\g<0>\\", BARE.sub(r"\1\\.", escaped))


def spreadsheet(text: str) -> str:
    """A cell of CSV that no spreadsheet takes for a formula: one that begins like it gets an
    apostrophe in front, which spreadsheets do not show (OWASP, "CSV Injection"); full-width signs
    count, and those behind spaces, which some programs strip. Controls are written out.

    >>> spreadsheet("=1+1"), spreadsheet("-5 kilos in a week"), spreadsheet("E = mc²")
    ("'=1+1", "'-5 kilos in a week", 'E = mc²')
    """
    text = terminal(text)
    return f"'{text}" if FORMULA.match(text) else text


def json_text(text: str) -> str:
    """A document of JSON with what a terminal would obey written as JSON has it, but for the ends
    of lines: they stand between its parts.
    """
    return CONTROLS.sub(_in_json, text) if UNSAFE.search(text) else text


class LogLines(logging.Filter):
    """A record is one line; of a traceback beside it, every line is one."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Make the record's texts safe; it is always kept."""
        record.msg, record.args = terminal(record.getMessage()), None
        if record.exc_info and record.exc_info[0] is not None:
            lines = "".join(traceback.format_exception(*record.exc_info)).splitlines()
            record.exc_text = "\n".join(terminal(line) for line in lines)
        return True


def _written_out(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"


def _in_json(found: re.Match[str]) -> str:
    if found[0] == "\n":
        return "\n"
    units = found[0].encode("utf-16-be", errors="surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
