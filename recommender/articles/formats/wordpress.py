"""Exports of WordPress (WXR 1.0 to 1.2, "Tools, Export").

Published posts, pages and other public types are articles. A file is read twice: posts name their
pictures, and related posts, by numbers that may come later.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from recommender.articles.document import Document, LeftOut, Pick
from recommender.articles.formats.base import (
    Found,
    Head,
    category_and_tags,
    kept,
    path_of,
    plain,
    plain_title,
)
from recommender.articles.formats.xml_stream import Element, XmlFile, root_of, text_in
from recommender.files import Problem

NAMESPACE = "http://wordpress.org/export/"
# Prefixes as WordPress writes them, by how the namespaces begin; what stands in no namespace has
# its prefix in its name where the file forgot to declare it.
PREFIXES = (
    ("http://purl.org/rss/1.0/modules/content", "content:"),
    ("http://purl.org/dc/elements", "dc:"),
    (NAMESPACE, "wp:"),
)
# Types that WordPress and plugins keep as posts and that no reader sees as a page.
NO_PAGES = {
    "attachment", "nav_menu_item", "revision", "custom_css", "customize_changeset", "oembed_cache",
    "user_request", "feedback", "popup", "popup_theme", "product_variation", "scheduled-action",
    "tablepress_table", "vc_grid_item", "wpcf7_contact_form", "mc4wp-form", "ml-slider",
    "ml-slide", "cookielawinfo", "is_search_form", "ngg_gallery", "sidebar", "spectra-popup",
    "wafs", "astra-advanced-hook", "generate_page_header", "gp_elements", "fl-builder-template",
    "mailpoet_page", "slider", "custom-css-js", "code_snippet",
}  # fmt: skip
NO_PAGES_BY_BEGINNING = (
    "_", "wp_", "wpcode", "wpforms", "acf-", "amp_", "bricks_", "breakdance_", "cmplz", "edd_",
    "elementor_", "et_", "flamingo_", "jet-", "jp_", "oceanwp_", "rank_math_", "shop_",
)  # fmt: skip
STATES = {"draft": "a draft", "auto-draft": "a draft", "trash": "in the trash"}
# What posts keep about themselves, by their plugins.
SUMMARIES = ("_yoast_wpseo_metadesc", "rank_math_description", "_aioseo_description",
             "_seopress_titles_desc", "_genesis_description", "_aioseop_description")  # fmt: skip
PICTURES = ("_yoast_wpseo_opengraph-image", "rank_math_facebook_image", "_seopress_social_fb_img",
            "fifu_image_url", "_knawatfibu_url")  # fmt: skip
CANONICALS = ("_yoast_wpseo_canonical", "rank_math_canonical_url", "_seopress_robots_canonical")
PRIMARY = ("_yoast_wpseo_primary_category", "rank_math_primary_category",
           "_seopress_robots_primary_cat")  # fmt: skip
RELATED = re.compile(
    r"_?(?:manual_)?(?:related|recommended|similar|see_also|further_reading)"
    r"[_-]?(?:posts?|articles?|pages?|content|recipes?|entries|reading)?(?:_ids?)?",
    re.I,
)
# A list of numbers, plain or as PHP writes it.
NUMBERS = re.compile(r"\s*\d+(?:\s*[,|;]\s*\d+)*\s*")
SERIALISED = re.compile(r'a:\d+:\{(?:i:\d+;(?:i:\d+|s:\d+:"\d+");)*+\}')
NO_DATE = re.compile(r"\D*0000-00-00|.*-0001")


def recognises(head: Head) -> bool:
    """Whether it is RSS with the namespace of WordPress' exports."""
    return root_of(head) == "rss" and (NAMESPACE in head.text or "wp:wxr_version" in head.text)


class Post(NamedTuple):
    """Of a post what others say of it: its title and address."""

    title: str
    link: str


@dataclass(slots=True)
class Site:
    """What has to be known before the first post: names by login and by number, the addresses of
    attachments and of posts by number.
    """

    language: str = ""
    authors: dict[str, str] = field(default_factory=dict)
    categories: dict[str, str] = field(default_factory=dict)
    attachments: dict[str, str] = field(default_factory=dict)
    posts: dict[str, Post] = field(default_factory=dict)


def read(file: Path, root: Path) -> Iterator[Found]:
    """The articles of an export; faults of its XML come last."""
    site = _site(file)
    xml = XmlFile(file)
    n_controls = n_items = 0
    for element in xml.elements("item"):
        n_items += 1
        remark = "control characters, which XML forbids, were left out in or near it"
        yield _item(
            _Item(element), f"{file}:{element.sourceline}", site,
            (remark,) if xml.n_controls > n_controls else (),
        )  # fmt: skip
        n_controls = xml.n_controls
    if not n_items and not xml.problems:
        yield Problem(f"{file}: no item in it")
    yield from xml.problems


def _site(file: Path) -> Site:
    site = Site()
    for element in XmlFile(file).elements("item", "author", "category", "language"):
        name = _name(element)
        parent = element.getparent()
        if name == "item":
            item = _Item(element)
            number = item["wp:post_id"]
            if item["wp:post_type"] == "attachment":
                site.attachments[number] = item["wp:attachment_url"] or item["guid"]
            elif item["wp:status"] == "publish":
                site.posts[number] = Post(plain_title(item["title"]), item["link"])
        elif parent is not None and _name(parent) == "channel":
            fields = _Item(element)
            if name == "language":
                site.language = site.language or text_in(element)
            elif name == "wp:author":
                site.authors[fields["wp:author_login"]] = fields["wp:author_display_name"]
            elif name == "wp:category":
                site.categories[fields["wp:term_id"]] = plain_title(fields["wp:cat_name"])
    return site


class _Item(dict[str, str]):
    """The texts of an element's children by name, the first of each that has one; empty where
    there is none. The terms by domain, and what plugins keep in ``meta``.
    """

    def __init__(self, element: Element) -> None:
        super().__init__()
        self.terms: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self.meta: dict[str, str] = {}
        for child in element:
            name = _name(child)
            if name == "category":
                nicename = child.get("nicename") or ""
                term = plain_title(text_in(child)) or nicename
                self.terms[child.get("domain") or "category"].append((term, nicename))
            elif name == "wp:postmeta":
                meta = {_name(each): text_in(each) for each in child}
                self.meta.setdefault(meta.get("wp:meta_key", ""), meta.get("wp:meta_value", ""))
            elif text := text_in(child):
                self.setdefault(name, text)

    def __missing__(self, name: str) -> str:
        return ""

    def of_plugins(self, names: tuple[str, ...]) -> str:
        """The first of these that says something and is no template of the plugin."""
        found = (self.meta.get(name, "") for name in names)
        return next(
            (text for text in found if text and "%" not in text and "#" not in text[:1]), ""
        )


def _name(element: Element) -> str:
    tag = element.tag
    if not isinstance(tag, str):
        return ""
    namespace, _, name = tag.rpartition("}")
    if namespace.rstrip("/").endswith("excerpt"):
        return f"excerpt:{name}"
    for beginning, prefix in PREFIXES:
        if namespace[1:].startswith(beginning):
            return prefix + name
    return name


def _item(item: _Item, where: str, site: Site, remarks: tuple[str, ...]) -> Found:
    kind, status = item["wp:post_type"], item["wp:status"] or "publish"
    if not kind:  # which stands last
        return Problem(f"{where}: field wp:post_type: missing; cut short, or no export")
    if kind == "attachment":
        return LeftOut(where, "an attachment")
    if kind in NO_PAGES or kind.startswith(NO_PAGES_BY_BEGINNING):
        return LeftOut(where, f"type: {kind}")
    if status != "publish":
        return LeftOut(where, STATES.get(status, f"status: {status}"), url=item["link"])
    if item["wp:post_password"]:
        return LeftOut(where, "protected by a password", url=item["link"])
    if item.meta.get("_yoast_wpseo_meta-robots-noindex") == "1" or "noindex" in item.meta.get(
        "rank_math_robots", ""
    ):
        return LeftOut(where, "noindex", url=item["link"])
    html = html_of(item["content:encoded"])
    teaser = plain(item["excerpt:encoded"]) or plain(item.of_plugins(SUMMARIES))
    if not teaser and kind != "post" and not plain(html):
        return LeftOut(where, f"a {kind} without a text of its own")
    return _article(item, where, site, html, teaser, remarks)


def _article(
    item: _Item, where: str, site: Site, html: str, teaser: str, remarks: tuple[str, ...]
) -> Document:
    names = [name for name, nicename in item.terms["category"] if nicename != "uncategorized"]
    primary = next(
        filter(None, (site.categories.get(item.meta.get(key, "")) for key in PRIMARY)), ""
    )
    if primary in names:
        names.insert(0, primary)
    terms = [
        name
        for domain, named in item.terms.items()
        if domain in ("post_tag", "tag") or domain.endswith(("_tag", "_category", "_cat"))
        for name, _ in named
    ]
    category, tags = category_and_tags(names or terms[:1], terms)
    link = item["link"]
    canonical = item.of_plugins(CANONICALS) or link
    languages = [nicename or name for name, nicename in item.terms["language"]]
    login = item["dc:creator"]
    fields = {
        "title": plain_title(item["title"]),
        "html": html,
        "teaser": teaser,
        "url": link,
        "category": category,
        "tags": tags,
        "published_at": _date(item, "post_date") or _known(item["pubDate"]),
        "updated_at": _date(item, "post_modified"),
        "author": site.authors.get(login) or login,
        "image": site.attachments.get(item.meta.get("_thumbnail_id", ""))
        or item.of_plugins(PICTURES),
        "language": languages[0] if languages else site.language,
    }
    if path_of(link) == "/":  # plain permalinks: ``/?p=12``
        fields["id"] = item["wp:post_id"]
    slug = item["wp:post_name"] or item["wp:post_id"]
    return Document(
        where, kept(fields), slug, picks=_picks(item.meta, site.posts), canonical=canonical or None,
        remarks=remarks,
    )  # fmt: skip


def _date(item: _Item, name: str) -> str:
    """A date of Greenwich where there is one, else that of the site's clock."""
    if known := _known(item[f"wp:{name}_gmt"]):
        return f"{known}Z" if re.fullmatch(r"[\d :-]+", known) else known
    return _known(item[f"wp:{name}"])


def _known(date: str) -> str:
    return "" if NO_DATE.match(date) else date


def _picks(meta: Mapping[str, str], posts: Mapping[str, Post]) -> tuple[Pick, ...] | None:
    """Related posts that the author named by their numbers; of those that are not published, and
    of lists that are no numbers, nothing is sure.
    """
    numbers: list[str] = []
    is_named = False
    for key, value in meta.items():
        if not RELATED.fullmatch(key):
            continue
        if SERIALISED.fullmatch(value):
            found = re.findall(r'i:\d+;(?:i:(\d+)|s:\d+:"(\d+)")', value)
            numbers += [first or second for first, second in found]
        elif NUMBERS.fullmatch(value):
            numbers += re.findall(r"\d+", value)
        else:
            continue
        is_named = True
    known = [posts[number] for number in dict.fromkeys(numbers) if number in posts]
    return tuple(Pick(post.title, url=post.link or None) for post in known) if is_named else None


BLOCK_COMMENT = re.compile(r"<!--\s*/?(?:wp:|more|nextpage|noteaser)[^<>]*+>")
CAPTION = re.compile(r"\[(/?)caption\b(?:[^\[\]\"]|\"[^\"]*+\")*+\]", re.I)
SHORTCODE = re.compile(r"\[(/?)([A-Za-z][\w-]*+)((?:[^\[\]\"]|\"[^\"]*+\")*+)\]")
# Words in brackets may be the author's; these never are.
KNOWN_SHORTCODES = {
    "audio", "embed", "gallery", "playlist", "video", "toc", "divider", "spacer", "products",
    "contact", "map", "slider", "row", "column", "columns", "button", "tabs", "tab", "wpforms",
}  # fmt: skip
# What stands on lines of its own is a paragraph, unless it begins with one of these.
OWN_BLOCK = re.compile(
    r"<(?:/?(?:address|article|aside|blockquote|center|dd|details|div|dl|dt|fieldset|figure|footer|"
    r"form|h[1-6]|header|hr|iframe|li|main|math|nav|ol|p|pre|script|section|style|summary|table|"
    r"tbody|td|tfoot|th|thead|tr|ul|video)\b|!--)",
    re.I,
)


def html_of(content: str) -> str:
    """The content of a post as HTML: without marks of blocks and shortcodes, their captions kept,
    and with paragraphs where the classic editor has empty lines.

    >>> html_of('One.\\n\\n[gallery ids="1,2"]Two\\nthree [sic].')
    '<p>One.</p>\\n<p>Two<br>three [sic].</p>'
    """
    is_of_blocks = "<!-- wp:" in content
    html = BLOCK_COMMENT.sub("", content)
    html = CAPTION.sub(lambda found: "</figure>" if found[1] else "<figure>", html)
    closed = {name.lower() for slash, name, _ in SHORTCODE.findall(html) if slash}

    def without(found: re.Match[str]) -> str:
        name, attributes = found[2].lower(), found[3]
        is_link = html[found.end() : found.end() + 1] == "("
        is_shortcode = (
            name in KNOWN_SHORTCODES or name in closed or "=" in attributes or "_" in name
        )
        return "" if is_shortcode and not is_link else found[0]

    html = SHORTCODE.sub(without, html)
    if is_of_blocks or re.search(r"<p[\s>]", html, re.I):
        return html.strip()
    parts = re.split(r"\n[ \t\r]*\n\s*", html.strip())
    return "\n".join(
        part if OWN_BLOCK.match(part) else "<p>" + part.replace("\n", "<br>") + "</p>"
        for part in parts
        if part.strip()
    )
