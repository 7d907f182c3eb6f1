"""Which formats of articles there are, and which one a file has.

What a file holds decides, then how its name ends: ``feed.xml`` may be a feed, a sitemap or an
export of WordPress. A new format is one more row.

>>> format_of_name(Path("pages/knee.txt.gz")).name
'pages'
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from recommender.articles.formats import feed, ghost, markdown, records, sitemap, wordpress
from recommender.articles.formats.base import Format, Head, ending_of, head_of
from recommender.errors import InputError

# Files that stand beside the articles of sites and of repositories, and hold none. What ends
# otherwise might hold articles, and so it is named when it is not read.
ASSETS = re.compile(
    r"\.(?:"
    r"avif|bmp|cur|gif|hei[cf]|ico|jfif|jpe?g|png|psd|svgz?|tiff?|webp|"
    r"aac|aif|flac|m4[av]|midi?|mkv|mov|mp[34]|mpe?g|og[agv]|opus|srt|vtt|wav|webm|wma|"
    r"eot|otf|tt[cf]|woff2?|"
    r"astro|bat|[ch]|cc|[cm]?[jt]sx?|coffee|cpp|css?|cts|dart|go|java|jl|kt|less|lua|map|mts|php|"
    r"pl|ps1|py|r|rb|rs|s[ac]ss|sh|sql|styl|svelte|swift|vue|wasm|"
    r"cfg|conf|env|example|git\w+|htaccess|ini|lock|toml|webmanifest|ya?ml|"
    r"dtd|ejs|erb|haml|hbs|liquid|mustache|njk|opml|pug|rnc|slim|xsd|xslt?|"
    r"bak|br|crt|db|dump|gz|key|log|pem|sqlite|swp|tar|tgz|tmp|zst)"
)
# Pages of a mirror may be called as the program is that made them.
OF_PROGRAMS = frozenset(["", ".php", ".asp", ".aspx", ".jsp", ".cfm", ".cgi", ".do", ".shtml"])
HTML = re.compile(
    r"(?>(?><\?xml[^>]*>|<!--.*?-->)\s*)*+<(?:!doctype\s+html|html|head|body)\b", re.I | re.S
)
MAX_ENDINGS = 8
TITLED = re.compile(r'"\w*(?:title|headline|heading)\w*"\s*:|"db"\s*:', re.I)
# Of tools and browsers, beside the articles of repositories and mirrors.
SETTINGS = {
    "package.json", "package-lock.json", "composer.json", "tsconfig.json", "jsconfig.json",
    "manifest.json", "browserconfig.xml", "opensearch.xml", "osd.xml", "crossdomain.xml",
    "_category_.json", "theme.json", "vercel.json", "robots.txt", "humans.txt", "ads.txt",
    "llms.txt", "security.txt", "requirements.txt",
}  # fmt: skip


def is_html(head: Head) -> bool:
    """Whether it begins as a page does."""
    return HTML.match(head.text) is not None


# The first that recognises a file has it; of an ending, the first that has that.
FORMATS = (
    Format(
        "markdown", "Markdown with fields at its head (Hugo, Jekyll, Docusaurus, …)",
        markdown.ENDINGS, markdown.recognises, markdown.read,
    ),
    Format(
        "wordpress", "export of WordPress (WXR)", (".wxr",), wordpress.recognises, wordpress.read
    ),
    Format("feed", "feeds: RSS and Atom", (".rss", ".atom", ".rdf"), feed.recognises, feed.read),
    Format("jsonfeed", "JSON Feed", (), feed.recognises_json, feed.read_json),
    Format("ghost", "export of Ghost", (), ghost.recognises, ghost.read),
    Format("sitemap", "sitemaps, beside a mirror's pages", (), sitemap.recognises, sitemap.read),
    Format(
        "json", "JSON: an array, or an object around one", (),
        records.recognises_json, records.read_json,
    ),
    Format(
        "jsonl", "JSON Lines", (".jsonl", ".ndjson", ".json"),
        records.recognises_lines, records.read_json_lines,
    ),
    Format("csv", "CSV", (".csv",), None, records.read_csv),
    Format(
        "parquet", "Parquet", (".parquet",),
        lambda head: head.raw.startswith(b"PAR1"), records.read_parquet,
    ),
    Format("html", "HTML pages", (".html", ".htm", ".xhtml"), is_html, None),
    Format("pages", "text pages", (".txt",), None, None),
)  # fmt: skip
# Those that a file without an ending of its own may have.
OF_XML = [each for each in FORMATS if each.name in ("wordpress", "feed", "sitemap", "html")]
NAMES = ", ".join(format.name for format in FORMATS)
ENDINGS = ", ".join(dict.fromkeys([*(end for each in FORMATS for end in each.endings), ".xml"]))


def format_named(name: str) -> Format:
    """The format of that name. ``InputError`` if there is none."""
    for format in FORMATS:
        if format.name == name:
            return format
    raise InputError(f"no format {name!r} of articles; known: {NAMES}")


def format_of_name(path: Path) -> Format | None:
    """The format that a file's name promises, without ``.gz``; None if it promises nothing."""
    ending = ending_of(path)
    return next((format for format in FORMATS if ending in format.endings), None)


def is_known(path: Path) -> bool:
    """Whether a file is read when it stands in a folder: by its ending; with that of a program, or
    none, as a page of a mirror; JSON if something in it has a title, XML if it is a known one.
    """
    ending = ending_of(path)
    if path.name in SETTINGS:
        return False
    if ending == ".json":  # of which most folders have others too
        return TITLED.search(head_of(path).text) is not None
    if ending == ".xml" or ending in OF_PROGRAMS:
        head = head_of(path)
        return any(format.recognises(head) for format in OF_XML if format.recognises)
    return format_of_name(path) is not None


def is_content(path: Path) -> bool:
    """Whether a file that is not read might hold articles: what is no picture, no code, no part of
    a site's looks, and has an ending at all.
    """
    ending = ending_of(path)
    is_asset = ASSETS.fullmatch(ending) or ending in OF_PROGRAMS
    is_named = format_of_name(path) is not None and ending != ".json"
    return bool(ending) and not is_asset and not is_named and path.name not in SETTINGS


def detected(path: Path) -> Format:
    """The format that a file has: by what it holds, else by its name. ``InputError`` for none."""
    head = head_of(path)
    for format in FORMATS:
        if format.recognises and format.recognises(head):
            return format
    named = format_of_name(path)
    if named is None:
        raise InputError(
            f"{path}: unknown format of file; known: {ENDINGS}, each with .gz; "
            f"or name its format with --format: {NAMES}"
        )
    return named


def not_read(paths: Iterable[Path]) -> str:
    """What a folder holds and is not read, by ending, most first; empty for nothing.

    >>> not_read([Path("a.docx"), Path("b.docx"), Path("c.pdf"), Path("logo.png")])
    '3 files of kinds that are not read: .docx (2), .pdf (1)'
    """
    endings = Counter(ending_of(path) for path in paths if is_content(path))
    if not endings:
        return ""
    n_files = sum(endings.values())
    ordered = sorted(endings.items(), key=lambda each: (-each[1], each[0]))
    listed = ", ".join(f"{ending} ({n:,})" for ending, n in ordered[:MAX_ENDINGS])
    more = f" and {len(ordered) - MAX_ENDINGS} more" if len(ordered) > MAX_ENDINGS else ""
    files = "file" if n_files == 1 else "files"
    return f"{n_files:,} {files} of kinds that are not read: {listed}{more}"
