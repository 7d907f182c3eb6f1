"""Pages that were read together: what only shows when they are compared.

Which of them are copies of one another, which lists others, what part of their titles is the
site's name, and whether they call themselves articles.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from recommender.articles.addresses import joined, url_key
from recommender.articles.article import Article, title_key
from recommender.articles.document import Document
from recommender.articles.linking import HOME, bare_path
from recommender.articles.page_title import common_part, without_part

Page = tuple[Article, Document]
# What a page says it is when it is no article; what else there is (product, video) is one here.
NO_ARTICLE = ("website", "profile", "blog")
# So many pages, and such a share of them, have to call themselves articles for that to mean
# something; so many have one title before that is a fault. Not tuned.
MIN_PAGES, MOST = 3, 0.5
# Fewer lists may have a link in common since it is good.
MIN_LISTS, NEARLY_ALL = 10, 0.8
# A page with the titles of so many others for headings is a list of them, if of its text, and of
# what stands under each of these, this share is its own; with less of such evidence, where its
# theme or its place says that it may be one. Shares not tuned.
MIN_LISTED, OWN, OWN_FILED = 2, 0.1, 0.3
ENTRY_CHARACTERS = 150
# Two texts are one if of the shorter this share stands in the longer; a text that is shorter than
# this part of another is a summary.
ALIKE, SUMMARY = 0.5, 1 / 3
# What other forms of a page are called: for phones, for the printer, an answer to a comment.
TWIN = re.compile(r"(?:^|/)(?:amp|print|printable|feed|embed)(?=/|$)|\.amp$|/comment-page-\d+$")
LISTING_PATH = re.compile(
    r"(?:^|/)(?:(?:category|categories|tags?|authors?|topics?)/[^/]+|archives?|search)?"
    r"(?:/?page/\d+)?$"
)


def with_own_titles(pages: Sequence[Page]) -> tuple[list[Page], list[str]]:
    """The pages without the site's name in titles that stood in ``<title>``, and with that title
    where the first heading is the same on most; and sentences that state what was done.
    """
    site = common_part(document.other_title for _, document in pages if document.other_title)
    counts = Counter(title_key(article.title) for article, _ in pages)
    key, n_same = counts.most_common(1)[0] if counts else ("", 0)
    others = {
        title_key(without_part(document.other_title, site))
        for article, document in pages
        if title_key(article.title) == key
    }
    is_fault = n_same >= MIN_PAGES and min(n_same, 2 * len(others)) > MOST * len(pages)
    found: list[Page] = []
    n_changed = 0
    for article, document in pages:
        other = without_part(document.other_title, site)
        title, found_in = article.title, document.title_found_in
        if is_fault and title_key(title) == key and other and title_key(other) != key:
            title, found_in = other, "title"
            n_changed += 1
        elif found_in == "title":
            title = without_part(title, site)
        found.append((replace(article, title=title), replace(document, title_found_in=found_in)))
    if not n_changed:
        return found, []
    example = next(article.title for article, _ in pages if title_key(article.title) == key)
    return found, [
        f"{n_changed:,} pages have the first heading {example!r}, so their titles are those of "
        "<title>"
    ]


def without_shared_ends(pages: Sequence[Page]) -> tuple[list[Page], list[str]]:
    """HTML pages without the lines that most of them begin or end with, as those about the author
    or the site do; and a sentence that states it. Lines in the middle stay, whatever they are: many
    articles have the same headings. Pages that share much of their text keep it, and so does one of
    which hardly half would be left.
    """
    rows = [row for row, (article, document) in enumerate(pages) if _is_html(document, article)]
    lines = {row: pages[row][0].body.split("\n\n") for row in rows}
    on_pages = Counter(line for each in lines.values() for line in set(each))
    n_characters = sum(len(line) for each in lines.values() for line in each)
    n_shared = sum(len(line) * n for line, n in on_pages.items() if n > MOST * len(rows))
    if n_shared > MOST_SHARED * n_characters:  # it is their text that they share
        return list(pages), []
    # The first line of all at a time: what stands behind it shows only when it is gone.
    for _ in range(2 * MAX_ENDS):
        n_before = sum(map(len, lines.values()))
        for end in (0, -1):
            counts = Counter(each[end] for each in lines.values() if len(each) > 1)
            shared = {
                line
                for line, n in counts.items()
                if n >= MIN_LISTS and n > MOST * len(rows) and len(line) <= MAX_LINE
            }
            for row, each in lines.items():
                if len(each) > 1 and each[end] in shared:
                    lines[row] = each[1:] if end == 0 else each[:-1]
        if sum(map(len, lines.values())) == n_before:
            break
    found = list(pages)
    taken: Counter[str] = Counter()
    for row, each in lines.items():
        article, document = pages[row]
        body = "\n\n".join(each)
        if body != article.body and len(body) > LEAST_LEFT * len(article.body):
            taken.update((Counter(article.body.split("\n\n")) - Counter(each)).keys())
            found[row] = (replace(article, body=body), document)
    if not taken:
        return found, []
    return found, [
        f"{len(taken):,} lines begin or end most pages, so they are none of the texts (such as "
        f"{max(taken, key=lambda line: (taken[line], line))[:MAX_SHOWN]!r})"
    ]


def _is_html(document: Document, article: Article) -> bool:
    return bool(document.title_found_in and article.body)


# What stands around articles is a few lines, and short ones; the longest that is shown of one.
MAX_ENDS, MAX_LINE, MAX_SHOWN = 6, 600, 60
# Of texts that are much alike, what they share is no mark of a theme, and of a short one most may
# be taken; shares not tuned.
MOST_SHARED, LEAST_LEFT = 1 / 3, 0.5


def titles_alike(pages: Sequence[Page]) -> str | None:
    """A warning, if many pages have one title."""
    titles = [article.title for article, document in pages if document.title_found_in]
    title, n_same = Counter(titles).most_common(1)[0] if titles else ("", 0)
    if n_same < MIN_PAGES or n_same <= MOST * len(titles):
        return None
    return (
        f"{n_same:,} of {len(titles):,} pages have the title {title!r}: name where theirs stands "
        "with --title-selector or RECOMMENDER_HTML_TITLE"
    )


def found_in(pages: Iterable[Page]) -> str:
    """Where titles were found, as one sentence."""
    counts = Counter(document.title_found_in for _, document in pages if document.title_found_in)
    places = ", ".join(f"{place} ({n:,})" for place, n in counts.most_common())
    return f"titles found in: {places}" if places else ""


def kinds_left_out(pages: Sequence[Page]) -> dict[int, str]:
    """The rows of pages that say they are something else where most say they are articles."""
    kinds = [document.kind for _, document in pages]
    n_articles = sum(kind == "article" for kind in kinds)
    if n_articles < MIN_PAGES or n_articles <= MOST * len([kind for kind in kinds if kind]):
        return {}
    return {
        row: f"a page that says it is no article (og:type {kind})"
        for row, kind in enumerate(kinds)
        if kind in NO_ARTICLE
    }


def listings(pages: Sequence[Page]) -> dict[int, str]:
    """The rows of pages that list others: their headings are the titles of those, and they have
    next to no text of their own; or they call themselves lists. Never one that says it is an
    article.
    """
    by_title = {title_key(article.title): row for row, (article, _) in enumerate(pages)}
    found = {}
    for row, (article, document) in enumerate(pages):
        if document.kind == "article":
            continue
        own_key = title_key(article.title)
        keys = {key for text in document.headings if (key := title_key(text)) != own_key}
        listed = [pages[by_title[key]][0] for key in keys if key in by_title]
        may_be = document.is_filed or LISTING_PATH.search(bare_path(document.path)) is not None
        if len(listed) >= (1 if may_be else MIN_LISTED):
            n_own = _own_characters(article, listed)
            share = n_own / (n_own + ENTRY_CHARACTERS * len(listed))
            is_listing = share <= (OWN_FILED if may_be else OWN)
        else:
            is_listing = document.is_listing
        if is_listing:
            found[row] = "a page that lists others"
    return found


def _own_characters(article: Article, listed: Sequence[Article]) -> int:
    """How many characters of its text stand neither in the titles nor the texts of those listed."""
    titles = {title_key(each.title) for each in listed}
    texts = [_flat(each.body) for each in listed]
    return sum(
        len(line)
        for line in article.body.splitlines()
        if line.strip()
        and title_key(line) not in titles
        and not any(_flat(line).rstrip(".… ") in text for text in texts)
    )


def without_navigation(pages: Sequence[Page]) -> tuple[list[Page], list[str]]:
    """The pages of HTML without links that stand in nearly all lists: nobody chose them for these
    pages; and a sentence that states it.
    """
    with_lists = [document for _, document in pages if document.picks and document.title_found_in]
    counts = Counter(key for document in with_lists for key in set(_keys(document)))
    most = max(MIN_LISTS, NEARLY_ALL * len(with_lists))
    common = {key for key, n in counts.items() if n > most}
    if not common:
        return list(pages), []
    found = []
    for article, document in pages:
        kept = zip(document.picks or (), _keys(document), strict=True)
        picks = tuple(pick for pick, key in kept if key not in common or not pick.url)
        found.append((article, replace(document, picks=picks) if document.picks else document))
    example = max(common, key=lambda key: (counts[key], key))
    return found, [
        f"{len(common):,} links stand in nearly all lists, so nobody chose them (such as {example})"
    ]


def _keys(document: Document) -> list[str]:
    """Where the links of a document lead, or their titles."""
    picks = document.picks or ()
    return [
        (joined(f"/{document.path}", each.url) if each.url else None) or each.title
        for each in picks
    ]


def copies(pages: Sequence[Page], rows: Collection[int]) -> tuple[dict[int, int], set[int]]:
    """Of these rows, those of pages that are copies of others, with the row of the one each is a
    copy of, by the address they name as canonical and by what copies are called; and the rows of
    pages whose canonical address is not theirs, since a page that says other things names it too.
    """
    by_address: dict[str, list[int]] = defaultdict(list)
    by_path = {place_of(pages[row][1]): row for row in sorted(rows, reverse=True)}
    for row in rows:
        document = pages[row][1]
        if document.canonical and (address := joined(f"/{document.path}", document.canonical)):
            by_address[url_key(address)].append(row)
    found: dict[int, int] = {}
    wrong: set[int] = set()
    for address, same in by_address.items():
        main = min(same, key=lambda row: _rank(*pages[row], address))
        others = [row for row in same if row != main]
        alike = {row for row in others if is_copy(pages[row][0], pages[main][0])}
        found |= dict.fromkeys(sorted(alike), main)
        wrong |= {*others} - alike
        if len(alike) < len(others) and not _is_at(*pages[main], address):
            wrong.add(main)
    for row in rows:
        path = place_of(pages[row][1])
        bare = TWIN.sub("", path).strip("/")
        other = by_path.get(bare)
        if other is None or other == row or row in found or bare == path:
            continue
        if is_copy(pages[row][0], pages[other][0]):
            found[row] = found.get(other, other)
    return found, wrong


def place_of(document: Document) -> str:
    """Where a page lies below the folder: mirrors keep parameters in the names of files."""
    path, mark, query = document.path.partition("?")
    return f"{bare_path(path) or HOME}?{query}" if mark else bare_path(path)


def is_copy(article: Article, other: Article) -> bool:
    """Whether two pages say the same: most of one text is in the other, or, under one title, one is
    the summary of the other.
    """
    short, long = sorted((article.body, other.body), key=len)
    one_title = title_key(article.title) == title_key(other.title)
    if len(short) < SUMMARY * len(long):
        return one_title
    lines = {_flat(line) for line in long.splitlines()}
    parts = [flat for line in short.splitlines() if (flat := _flat(line))]
    n_common = sum(len(part) for part in parts if part in lines)
    return _flat(short) in _flat(long) or n_common >= ALIKE * sum(map(len, parts))


def _flat(text: str) -> str:
    return " ".join(text.split())


def _rank(article: Article, document: Document, address: str) -> tuple[bool, bool, int, int, str]:
    """The page at its own address comes first, then what is called like no twin, then what has the
    longer text: a feed may have the beginning alone.
    """
    is_twin = "?" in document.path or bool(TWIN.search(bare_path(document.path)))
    elsewhere = not _is_at(article, document, address)
    return elsewhere, is_twin, -len(article.body), len(document.path), document.path


def _is_at(article: Article, document: Document, address: str) -> bool:
    """Whether the page is where that address says, by its own address or by its place."""
    if article.url and url_key(article.url) == address:
        return True
    return bare_path(address.partition("/")[2]) == place_of(document)
