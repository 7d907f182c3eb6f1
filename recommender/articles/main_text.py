"""The text of a page: which of its elements a reader came for, and which lines stand around it.

>>> from recommender.articles.html_text import parsed
>>> page = '''<div id="cookie-banner">We use cookies.</div><article><h1>Knee</h1>
...     <p class="byline">By Jo</p><p>It clicks, and that is harmless for nearly everybody.</p>
...     <div id="comments"><p>Mine clicks too!</p></div></article>'''
>>> main_lines(parsed(page, where="knee.html"), "", None, "knee.html")
['Knee', 'It clicks, and that is harmless for nearly everybody.']
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from recommender.articles.html_text import HEADINGS, INVISIBLE, lines_of, select, text_of
from recommender.articles.related_lists import ancestors, names_of
from recommender.errors import MissingExtra

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

MAIN = ("article", "main")
# Elements that say they hold the text.
CONTENT = (
    'main, article, [role="main"], [role="article"], [itemprop="articleBody"], '
    '[itemprop="text"], .entry-content, .post-content, .article-content, .article-body, '
    ".article__body, .post-body, .story-body, .page-content, .content-body, .e-content, "
    ".field-name-body, .node__content, .mw-parser-output, .markdown-body, .theme-doc-markdown"
)
# What is seldom text; not left out where most of the text stands in it.
SELDOM = {"nav", "footer", "aside", "form", "header", "dialog"}
SELDOM_ROLES = {
    "navigation", "dialog", "alertdialog", "banner", "contentinfo", "complementary", "search",
    "alert",
}  # fmt: skip
UNSEEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden")
# What themes and plugins call elements that are no text of the article.
NOISE = re.compile(
    r"^(?!(?:has|with|no|is|not|without|single|open|allow|show|page)-)"
    # What a system calls an article that is filed under "Newsletter".
    r"(?!(?:category|type|format|status|tax|term|section|topic|tag(?!-?(?:list|cloud|links)))-)"
    r"(?:.*-)?(?:"
    r"comments?(?:-?(?:area|list|section|wrap(?:per)?|form|container|thread|respond|block|template))?|"
    r"respond|disqus(?:-thread)?|fb-comments|utterances|giscus|replies|reviews-list|"
    r"share|sharing|sharer|share-?(?:bar|box|buttons?|links?|tools?|icons?|this|widget|daddy)|"
    r"sharedaddy|social|social-?(?:bar|buttons?|icons?|links?|media|share|sharing|nav)|addtoany|"
    r"addthis|sassy-social-share|a2a-kit|"
    r"author-?(?:box|bio|card|info|profile|description|about|block|section|details|meta)|"
    r"about-?(?:the-)?author|bio-?box|by-?line|"
    r"cookies?|cookie-?(?:banner|bar|notice|consent|law|policy|popup|message|wall)|"
    r"consent|consent-?(?:banner|bar|manager|popup)|gdpr|ccpa|cmp|onetrust.*|cookiebot|"
    r"newsletter|newsletter-?(?:signup|form|box|widget|block|subscribe)|subscribe|"
    r"subscribe-?(?:form|box|widget|block)|subscription|sign-?up|sign-?up-?form|mailchimp|"
    r"mc4wp-form|optin|opt-in|"
    r"breadcrumbs?|breadcrumb-?(?:nav|list|trail)|crumbs|"
    r"toc|table-of-contents|toc-?container|tableofcontents|ez-toc.*|"
    r"pagination|pager|paging|page-?links|page-?numbers|nav-?links|post-?nav|"
    r"post-?navigation|posts-?navigation|prev-?next|"
    r"site-?(?:header|footer|nav|navigation|branding|menu)|main-?(?:menu|nav|navigation)|"
    r"menu|navbar|nav-?menu|mega-?menu|sub-?menu|off-?canvas|"
    r"sidebar|side-?bar|widget-?area|widgets|"
    r"advert(?:isement|ising|s)?|ads|ad-?(?:slot|unit|container|wrapper|box|banner|block)|adsbygoogle|"
    r"sponsored|promo|promo-?(?:box|banner|block)|outbrain|taboola|"
    r"post-?meta|entry-?meta|article-?meta|meta|meta-?(?:data|info)|post-?date|entry-?date|"
    r"posted-?on|post-?info|published|publish-?date|date-?line|dateline|timestamp|"
    r"(?:reading|read)-?time|time-?to-?read|author-?name|post-?author|entry-?author|"
    r"interaction-?counter|likes|post-?terms|post-?labels|labels|node-links|"
    r"recipe-?jump|jump-?to-?recipe|jump-?link|back-?link|signup-?card|p-summary|"
    r"post-?tags|entry-?tags|tag-?(?:list|cloud|links)|tags|tags-?links|cat-?links|"
    r"post-?categories|entry-?(?:footer|utility)|post-?footer|"
    r"screen-?reader-?text|sr-?only|visually-?hidden|skip-?(?:link|nav|to-content)|"
    r"print-?only|no-?print|noprint|paywall|popup|pop-?up|modal|overlay|lightbox|"
    r"feedback|was-this-helpful|rating|ratings|star-?rating|edit-?link|edit-?this-page|"
    r"copyright|colophon|footer|top-?bar|bottom-?bar|mw-editsection|reflist|navbox|metadata|hatnote"
    r")(?:-\d+)?$"
)
# Elements that may be noise by their names.
NAMED = {
    "div", "section", "aside", "ul", "ol", "nav", "footer", "header", "form", "p", "span", "dl",
    "details", "table", "a", "figure", "time", "small", "article", "li", "h2", "h3", "h4",
}  # fmt: skip
# Elements that are a line that says when, by whom and under what an article was published; what
# such a line holds, and what it does not. A sentence with a date in it is text.
LABELS = {
    "div", "p", "span", "ul", "ol", "li", "dl", "header", "footer", "time", "section", "small",
}  # fmt: skip
FILED = 'a[rel~="tag"], a[rel~="category"], a[rel~="author"], [itemprop="author"], .p-author'
# A duration is a part of a recipe.
MARKED = f'{FILED}, time:not([datetime^="P"]), [itemprop="datePublished"]'
NO_LABEL = "h1, h2, h3, h4, h5, h6, blockquote, pre, table, figure, [itemprop='articleBody']"
ENDS = (".", "!", "?", "…", "。", "！", "？", "؟", "।", ":")
MAX_LABEL, MAX_PARTS = 120, 60
# What is left of the text, in characters and as a share of it, when something is taken for noise
# by its name, or by what it is; if less is, it was the text. Shares not tuned.
LEAST_LEFT = 30
LEFT_BY_NAME, LEFT_BY_KIND = 0.05, 1 / 3
# An element that holds this share of the text holds the text.
MOST = 0.5
# ... and one around the title this much: the rest is what else the page has.
AROUND_TITLE, ENOUGH = 0.25, 1_000
# Finding the main text among more takes trafilatura minutes; then all text is the page's.
MAX_SEARCHED = 10_000


def main_lines(
    tree: LexborHTMLParser, selector: str, heading: LexborNode | None, where: str
) -> list[str]:
    """The lines of the page's text, its title among them if it stands there. ``heading`` is the
    element of the title; with a ``selector`` that element is the text, whatever it holds.
    """
    if selector:
        return [line.text for line in lines_of(select(tree, selector, where))]
    if tree.body is None:
        return []
    around = {node.mem_id for node in ancestors(heading)} if heading is not None else set()
    if heading is not None:
        around.add(heading.mem_id)
    without: set[int] = set()
    for is_noise, share in (
        (_is_named_noise, LEFT_BY_NAME),
        (_is_seldom_text, LEFT_BY_KIND),
        (_is_label, LEFT_BY_KIND),
    ):
        without |= _noise(tree.body, is_noise, around, without, share)
    without |= _other_articles(tree.body, _amounts(tree.body, without), around)
    main = _main(tree, heading, _amounts(tree.body, without))
    if main is not None:
        return [line.text for line in lines_of([main], without=without)]
    lines = [line.text for line in lines_of([tree.body], without=without)]
    if len(tree.css("*")) > MAX_SEARCHED:
        return lines
    extracted = _extracted(tree)
    kept = [line for line in lines if "".join(line.split()) in extracted]
    title = text_of(heading) if heading is not None else ""
    return kept if sum(len(line) for line in kept if line != title) >= LEAST_LEFT else lines


def _amounts(body: LexborNode, without: set[int]) -> Counter[int]:
    """How many characters of text stand in each element, by its id; links aside, and what stands
    in elements ``without``.
    """
    inside: Counter[int] = Counter()
    stack: list[tuple[LexborNode, bool, bool]] = [(body, False, False)]
    while stack:
        node, in_link, leaving = stack.pop()
        if leaving:
            if node.parent is not None:
                inside[node.parent.mem_id] += inside[node.mem_id]
        elif node.tag == "-text":
            if not in_link and node.parent is not None:
                inside[node.parent.mem_id] += len("".join(node.text(deep=False).split()))
        elif node.tag not in INVISIBLE and node.mem_id not in without:
            stack.append((node, in_link, True))
            is_link = in_link or node.tag == "a"
            stack.extend((child, is_link, False) for child in node.iter(include_text=True))
    return inside


def _noise(
    body: LexborNode,
    is_noise: Callable[[LexborNode, bool], bool],
    around: set[int],
    without: set[int],
    share: float,
) -> set[int]:
    """The ids of elements that are no text, the outermost of them; never one that holds the title,
    nor one without which less than a ``share`` of the text is left. ``is_noise`` is asked of an
    element, and whether it stands in an article.
    """
    amounts = _amounts(body, without)
    left = amounts[body.mem_id]
    found: set[int] = set()
    stack = [(body, False)]
    while stack:
        node, within = stack.pop()
        if node.mem_id in without:
            continue
        if node.mem_id not in around and node is not body and is_noise(node, within):
            amount = amounts[node.mem_id]
            if not amount or left - amount >= max(LEAST_LEFT, share * left):
                left -= amount
                found.add(node.mem_id)
                continue
        within = within or node.tag in MAIN
        stack.extend((child, within) for child in reversed(list(node.iter())))
    return found


def _is_named_noise(node: LexborNode, _: bool) -> bool:
    return node.tag in NAMED and any(map(NOISE.match, names_of(node)))


def _is_seldom_text(node: LexborNode, within_article: bool) -> bool:
    attributes = node.attributes
    if node.tag in SELDOM or attributes.get("role") in SELDOM_ROLES:
        # The header of a part of the text has its heading.
        within = node.parent is not None and node.parent.tag in ("article", "section")
        return not (node.tag == "header" and within and node.css_first("h2, h3, h4, h5, h6"))
    # Within the article, what is hidden at first is the answer to a question, or the next tab.
    unseen = "hidden" in attributes or UNSEEN.search(attributes.get("style") or "")
    return bool(unseen) and not within_article


def _is_label(node: LexborNode, _: bool) -> bool:
    """Whether it is a line that says by whom or when the article was written, or where it is filed:
    known by what it links to or marks, in themes of any language.
    """
    if node.tag not in LABELS or any(n == MAX_PARTS for n, _ in enumerate(node.traverse())):
        return False
    text = text_of(node)
    if not text or len(text) > MAX_LABEL or text.endswith(ENDS) or node.css_first(NO_LABEL):
        return False
    if node.tag in ("time", "span"):  # one within a line is a part of its sentence
        beside = node.parent.iter(include_text=True) if node.parent is not None else ()
        if any(each.tag == "-text" and each.text(deep=False).strip() for each in beside):
            return False
    if node.tag == "time":
        return not (node.attributes.get("datetime") or "").startswith("P")
    # The entries of a time line have dates.
    marks = FILED if node.tag in ("li", "ul", "ol", "dl") else MARKED
    return node.css_first(marks) is not None


def _main(
    tree: LexborHTMLParser, heading: LexborNode | None, amounts: Counter[int]
) -> LexborNode | None:
    """The element that holds the text: the one around the title that is marked so, else the
    smallest marked one with most of the text in it.
    """
    total = amounts[tree.body.mem_id] if tree.body is not None else 0
    for around in ancestors(heading) if heading is not None else ():
        is_main = around.tag in MAIN or around.attributes.get("role") in MAIN
        if is_main and amounts[around.mem_id] >= min(ENOUGH, AROUND_TITLE * total):
            return around
    marked = [(amounts[node.mem_id], -at, node) for at, node in enumerate(tree.css(CONTENT))]
    holding = [each for each in marked if each[0] >= max(1, MOST * total)]
    return min(holding)[2] if holding else None


def _other_articles(body: LexborNode, amounts: Counter[int], around: set[int]) -> set[int]:
    """Articles on the page that are cards of others, or further stories; none where there is no
    text but theirs.
    """
    found: set[int] = set()
    within: set[int] = set()
    in_links = {node.mem_id for node in body.css(", ".join(f"a {name}" for name in HEADINGS))}
    for node in body.css("article"):
        if node.mem_id in within or node.mem_id in around:
            continue
        heading = node.css_first(", ".join(HEADINGS))
        if heading is None:
            continue
        linked = heading.mem_id in in_links or heading.css_first("a[href]") is not None
        if heading.tag == "h1" or linked:
            found.add(node.mem_id)
            within |= {each.mem_id for each in node.css("article")}
    left = amounts[body.mem_id] - sum(amounts[each] for each in found)
    return found if left >= LEAST_LEFT else set()


def _extracted(tree: LexborHTMLParser) -> str:
    """What trafilatura takes for the text; it knows menus and cookie notices. Without spaces,
    since it puts some around every element.
    """
    try:
        import trafilatura
    except ImportError as exc:
        raise MissingExtra("finding the main text of HTML pages", "html") from exc
    text = trafilatura.extract(
        tree.html or "", include_comments=False, include_tables=True, favor_recall=True
    )
    return "".join((text or "").split())
