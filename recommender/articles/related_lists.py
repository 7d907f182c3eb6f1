"""The list of other pages that stands on a page: found, read as links, and cut out of the page.

It stands under the heading "Recommend", as the text form has it, or under one of the headings that
sites give such lists, or in an element whose name says what it is. What is popular or new is no
choice for this page: such lists are cut out, and not read.

>>> from recommender.articles.html_text import parsed
>>> tree = parsed('''<p>It clicks.</p><div class="related-posts"><h4>You may also like</h4>
...     <ul><li><a href="/hip">Hip</a><li><a href="/foot">Foot</a></ul></div>''', where="a.html")
>>> [pick.url for pick in take_list(tree, "", "a.html")], tree.body.text().strip()
(['/hip', '/foot'], 'It clicks.')
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from recommender.articles.article import title_key
from recommender.articles.document import Pick
from recommender.articles.html_text import HEADINGS, INVISIBLE, Line, lines_of, select, text_of
from recommender.articles.text_page import DOTS, MARKER, pairs_in

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

# An article may have headings called "Recommend" too, but not so many.
MAX_MARKERS = 20
MAX_LINKS = 100
# Characters of an entry, its teaser included; a paragraph with a link in it has more.
MAX_ENTRY = 320
# A heading is short.
MAX_HEADING = 60
# What stands above lists of related pages; compared as titles are.
RELATED_TEXTS = """
    Recommended; Recommendations; Recommended for you; Recommended reading; Recommended articles;
    Recommended posts; We recommend; Editors' picks; Editor's picks; Related; Related articles;
    Related posts; Related stories; Related content; Related pages; Related links;
    Related reading; Related questions; Related topics; Related news; Related coverage;
    Related to this; You may also like; You might also like; You may also be interested in;
    You might also enjoy; You may like; You might be interested in; You might like;
    More like this; Similar articles; Similar posts; Similar questions; Similar stories;
    Read next; Read also; Read more; Also read; Up next; What to read next; Further reading;
    See also; Keep reading; Continue reading; More on this; More on this topic;
    More on this story; More from this section; More stories; More articles; Next reads;
    Don't miss; Explore more; Learn more; More to explore; Ähnliche Artikel; Ähnliche Beiträge;
    Ähnliche Fragen; Das könnte Sie auch interessieren; Das könnte dich auch interessieren;
    Das könnte dir auch gefallen; Weitere Artikel; Weitere Beiträge; Mehr zum Thema;
    Lesen Sie auch; Lesen Sie mehr; Auch interessant; Siehe auch; Zum Weiterlesen;
    Passende Artikel; Verwandte Artikel; Verwandte Beiträge; Verwandte Themen; À lire aussi;
    A lire aussi; À lire également; Lire aussi; Articles similaires; Voir aussi; Articles liés;
    Sur le même sujet; Dans la même rubrique; Vous aimerez aussi; Articles connexes;
    Artículos relacionados; Noticias relacionadas; Entradas relacionadas; Contenido relacionado;
    Te puede interesar; También te puede interesar; Quizás te interese; Ver también; Lee también;
    Artigos relacionados; Posts relacionados; Notícias relacionadas; Conteúdo relacionado;
    Veja também; Leia também; Leia mais; Articoli correlati; Leggi anche; Potrebbe interessarti;
    Potrebbe interessarti anche; Vedi anche; Lees ook; Lees verder; Gerelateerde artikelen;
    Gerelateerd; Zie ook; Misschien vind je dit ook leuk; Läs också; Läs mer; Relaterade artiklar;
    Läs även; Se även; Læs også; Relaterede artikler; Se også; Les også; Relaterte artikler;
    Lue myös; Aiheeseen liittyvät artikkelit; Katso myös; Czytaj także; Czytaj też; Zobacz także;
    Zobacz też; Podobne artykuły; Powiązane artykuły; Čtěte také; Související články; Viz též;
    Súvisiace články; Čítajte aj; Kapcsolódó cikkek; Ajánlott cikkek; Olvasd el ezt is; Lásd még;
    Citește și; Articole similare; Articole recomandate; Vezi și; Читайте также; Похожие статьи;
    Похожие записи; Статьи по теме; По теме; См. также; Рекомендуем; Вам может быть интересно;
    Читайте також; Схожі статті; Дивіться також; Прочетете още; Подобни статии; Вижте също;
    Διαβάστε επίσης; Σχετικά άρθρα; Δείτε επίσης; İlgili yazılar; İlgili haberler;
    İlginizi çekebilir; Benzer yazılar; Ayrıca bakınız; Bunlar da ilginizi çekebilir;
    Artikel terkait; Baca juga; Lihat juga; Berita terkait; Bài viết liên quan;
    Có thể bạn quan tâm; Xem thêm; Tin liên quan; 関連記事; あわせて読みたい; おすすめ記事;
    こちらもおすすめ; 関連リンク; 合わせて読みたい; 関連項目; 相关文章; 相关阅读; 推荐阅读;
    猜你喜欢; 相关推荐; 延伸阅读; 相關文章; 延伸閱讀; 推薦閱讀; 你可能感興趣; 관련 기사; 관련 글;
    함께 읽으면 좋은 글; 추천 기사; 관련기사; 추천 글; บทความที่เกี่ยวข้อง; อ่านเพิ่มเติม;
    संबंधित लेख; यह भी पढ़ें; ये भी पढ़ें; مقالات ذات صلة; اقرأ أيضا; اقرأ أيضًا; مواضيع ذات صلة;
    قد يعجبك أيضا; مطالب مرتبط; مقالات مرتبط; כתבות נוספות; מאמרים קשורים; אולי יעניין אותך;
    קראו גם
"""
# ... and above lists that are the same on every page.
ELSEWHERE_TEXTS = """
    Popular; Popular posts; Popular articles; Most popular; Most read; Most viewed; Trending;
    Trending now; Latest; Latest posts; Latest articles; Latest news; Latest stories;
    Recent posts; Recent articles; Recent comments; Recently added; Archives; Categories; Tags;
    More posts; Top stories; Featured; Featured posts; Featured articles; New posts;
    Neueste Beiträge; Meistgelesen; Meist gelesen; Aktuelle Beiträge; Beliebte Artikel; Kategorien;
    Archiv;
    Les plus lus; Articles récents; Derniers articles; Lo más leído; Más leídas;
    Entradas recientes; Mais lidas; Posts recentes; I più letti; Articoli recenti; Meest gelezen;
    Recente berichten; Mest läst; Najpopularniejsze; Najczęściej czytane; Популярное;
    Последние записи; Свежие записи; 人気記事; 最新記事; 热门文章; 最新文章; 熱門文章; 인기 기사;
    최신 글
"""
# Names of the elements that such lists stand in, as themes and plugins give them.
NAMED = re.compile(
    r"(?:^|-)(?:(?:related|similar|recommended)-?(?:posts?|articles?|stories)|jp-relatedposts|"
    r"yarpp|crp|read-?(?:next|also)|also-?(?:like|read)|"
    r"you-?(?:may|might)(?:-?also)?-?(?:like|enjoy)?|more-?(?:posts|articles|stories|like-this)|"
    r"further-?reading|see-?also|hand-?picked|editors?-picks|up-?next|next-?reads?)(?:$|-)|"
    # Behind other words these say what a text is about: "work-related".
    r"^(?:(?:c|m|o|l|u|js|is|sd|td|tdb|tie|jeg|jnews|mvp|penci|et|kt|wp|ast|uagb|elementor|hs|block|"
    r"blocks|widget|section|module|component|posts?|single|articles?|entry|content|page|blog|news|"
    r"story|site|main|footer|sidebar|aside|bottom|region|views?|field|name|node|type|paragraph|box|"
    r"list|links|cards?|inline|nav|our|the|custom|theme|layout|container|row|area)-+)*"
    r"(?:related|recommended|recommendations?)"
    r"(?:-?(?:content|links|reading|pages?|topics?|questions?|entries|news|items?|wrap(?:per)?|list|"
    r"section|container|block))?(?:$|-)"
)
CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|_")
# What stands before the link of an entry, between two, or as a sentence after it, has fewer
# characters than in a sentence of a text with links in it; not tuned.
MAX_BESIDE, MAX_BETWEEN = 40, 10
SENTENCE_END = re.compile(r"[.!?…]\s|[。！？।؟]")
# Links that lead to no page of their own.
IDLE = re.compile(r"\s*(?:#|mailto:|tel:|sms:|javascript:|data:|$)", re.IGNORECASE)
CONTINUED_TEXTS = """
    Read more; Continue reading; Continue; More; Read; Read article; Read full article; Read on;
    Read the article; Learn more; View; Weiterlesen; Mehr; Mehr lesen; Lire la suite; Lire plus;
    Leer más; Ler mais; Leia mais; Leggi tutto; Leggi; Lees meer; Lees verder; Läs mer; Les mer;
    Læs mere; Czytaj więcej; Czytaj dalej; Читать далее; Подробнее; 続きを読む; もっと読む;
    阅读更多; 阅读全文; 더 보기; 자세히 보기
"""
RELATED, ELSEWHERE, CONTINUED = (
    frozenset(map(title_key, texts.split(";")))
    for texts in (RELATED_TEXTS, ELSEWHERE_TEXTS, CONTINUED_TEXTS)
)


def take_list(
    tree: LexborHTMLParser, selector: str, where: str, *, title: LexborNode | None = None
) -> tuple[Pick, ...]:
    """The hand-picked list of a page. It and lists of others like it are cut out of the tree, so
    that none counts as the page's text. With a ``selector`` that element alone is the list; an
    element that holds the ``title`` is never one. ``SettingsError`` if the selector is faulty.
    """
    if selector:
        nodes = select(tree, selector, where)
        picks = picks_in(nodes)
        _cut(nodes)
        return picks
    picks = _take_marked(tree)
    around = {node.mem_id for node in ancestors(title)} if title is not None else set()
    for heading in _headings(tree, RELATED):
        found = _take_following(heading, around)
        picks = picks or found
    for node in _named(tree, around):
        found = _linked([node])
        if len(found) > 1 and is_list_of_links([node], len(found)):
            is_menu = node.tag == "nav" or node.attributes.get("role") == "navigation"
            picks = picks or (() if is_menu else found)
            _cut([node])
    for heading in _headings(tree, ELSEWHERE):
        _take_following(heading, around)
    return picks


def ancestors(node: LexborNode) -> Iterator[LexborNode]:
    """The elements around one, the innermost first."""
    while (above := node.parent) is not None:
        yield above
        node = above


def picks_in(nodes: list[LexborNode]) -> tuple[Pick, ...]:
    """Links with the lines after them as teasers, or pairs of lines as on a text page."""
    lines = lines_of(nodes, links=True)
    if not any(line.link is not None for line in lines):
        return tuple(Pick(title, teaser) for title, teaser in pairs_in(line.text for line in lines))
    titles = _heading_links(nodes)
    picks: list[Pick] = []
    last_link = None
    for text, link, _ in lines:
        leads = link is not None and not IDLE.match(link)
        is_title = leads and not text.endswith(DOTS) and (not titles or (text, link) in titles)
        if is_title and title_key(text) not in CONTINUED:
            if link != last_link:  # else: the picture and the title are each a link
                picks.append(Pick(text, url=link))
            last_link = link
        elif picks and not picks[-1].teaser and title_key(text) not in CONTINUED:
            picks[-1] = replace(picks[-1], teaser=text)
    return tuple(picks[:MAX_LINKS])


def _linked(nodes: list[LexborNode]) -> tuple[Pick, ...]:
    """The links of a list that is one by its links: those that begin a line, else those within
    lines that are entries.
    """
    if _has_links(nodes):
        return picks_in(nodes)
    links = dict.fromkeys(
        link for line in lines_of(nodes) if not _is_prose(line) for link in line.links
    )
    found = (Pick(text, url=href) for text, href in links)
    return tuple(pick for pick in found if not IDLE.match(pick.url or ""))[:MAX_LINKS]


def is_list_of_links(nodes: list[LexborNode], n_links: int) -> bool:
    """Whether so little text comes with each link that it is its teaser."""
    lines = lines_of(nodes)
    n_characters = sum(len(line.text) for line in lines)
    return sum(map(_is_prose, lines)) < n_links and n_characters <= MAX_ENTRY * n_links


def _is_prose(line: Line) -> bool:
    """Whether a line is a sentence of a text with links in it, and no entry of a list, such as
    "Module numbers" or a link with its teaser.
    """
    if not line.links:
        return False
    before = line.text.partition(line.links[0][0])[0]
    after = line.text.rpartition(line.links[-1][0])[2].strip()
    first = after[:1]
    if not before:
        return first.islower() and len(after) > MAX_BESIDE
    if (first.isalpha() and not first.isupper()) or SENTENCE_END.search(before):
        return True
    n_between = len(line.text) - len(before) - len(after) - sum(len(text) for text, _ in line.links)
    return len(before) > MAX_BESIDE or n_between > MAX_BETWEEN * len(line.links)


def _heading_links(nodes: list[LexborNode]) -> set[tuple[str, str]]:
    """The links that are headings or stand in one, where entries have such: other links of them
    lead to sections and authors.
    """
    found = set()
    for node in nodes:
        for heading in node.css(", ".join(HEADINGS)):
            within = (
                heading.css("a[href]")
                or [each for each in ancestors(heading) if each.tag == "a"][:1]
            )
            found |= {(text_of(heading), link.attributes.get("href") or "") for link in within}
    return found


def _cut(nodes: Iterable[LexborNode]) -> None:
    for node in nodes:
        node.decompose()


def _take_marked(tree: LexborHTMLParser) -> tuple[Pick, ...]:
    """The list under "Recommend", the last one that is a list."""
    for marker in reversed(_markers(tree)[-MAX_MARKERS:]):
        nodes = following(marker)
        picks = picks_in(nodes)
        # An article may have a heading called "Recommend", with text under it.
        if any(pick.teaser.endswith(DOTS) for pick in picks) or _has_links(nodes):
            _cut([marker, *nodes])
            return tuple(pick for pick in picks if pick.title != MARKER)
    return ()


def _markers(tree: LexborHTMLParser) -> list[LexborNode]:
    """Elements whose text is "Recommend", the innermost of those nested in one another."""
    found = tree.css(", ".join((*HEADINGS, "p, div, dt, strong, b, span, header, summary")))
    markers = [node for node in found if node.text(deep=True).split() == [MARKER]]
    parents = {node.parent.mem_id for node in markers if node.parent is not None}
    return [node for node in markers if node.mem_id not in parents]


def _headings(tree: LexborHTMLParser, keys: Collection[str]) -> list[LexborNode]:
    """Headings, and lines in bold that stand like one, of these texts."""
    found = []
    for node in tree.css(", ".join((*HEADINGS, "p, dt, strong, b, summary, legend, div, span"))):
        if node.tag in ("div", "span", "p") and node.css_first("a, p, ul, ol, h1, h2, h3, h4"):
            continue
        text = node.text(deep=True)
        if len(text) <= 2 * MAX_HEADING and title_key(text.strip().rstrip(":：…")) in keys:
            found.append(node)
    parents = {node.parent.mem_id for node in found if node.parent is not None}
    return [node for node in found if node.mem_id not in parents][-MAX_MARKERS:]


def _take_following(heading: LexborNode, around: Collection[int]) -> tuple[Pick, ...]:
    """The list under a heading, cut out with it; none if there is no list."""
    nodes = [node for node in following(heading) if node.mem_id not in around]
    entries = _entries(nodes)
    picks = _linked(entries)
    if not is_list_of_links(entries, len(picks)):
        return ()
    _cut([heading, *entries])
    return picks


def _entries(nodes: list[LexborNode]) -> list[LexborNode]:
    """The nodes up to the end of the list: what comes after it in the same place is text again,
    and so is a sentence with a link in it. Between two links stands one line, the teaser of the
    first; before all a line that introduces them.
    """
    entries: list[LexborNode] = []
    waiting: list[LexborNode] = []
    single = False
    has_teasers = False
    for node in nodes:
        lines = lines_of([node], links=True)
        n_links = len({line.link for line in lines if line.link is not None})
        whole = lines_of([node])
        n_links = n_links or sum(len(line.links) for line in whole)
        linked = [line for line in whole if line.links]
        if linked and all(map(_is_prose, linked)):
            if entries:
                break
            waiting = []
        elif n_links:
            has_teasers = has_teasers or bool(waiting and entries)
            entries += [*waiting, node]
            waiting, single = [], n_links == 1
        elif (
            not lines
            or (not entries and not any(map(text_of, waiting)) and len(lines[0].text) <= MAX_ENTRY)
            or (
                single
                and entries
                and not any(map(text_of, waiting))
                and len(lines[0].text) <= MAX_ENTRY
            )
        ):
            waiting.append(node)
        else:
            break
    is_teaser = has_teasers or any(text_of(node).endswith(DOTS) for node in waiting)
    return entries + waiting if entries and is_teaser else entries


def _named(tree: LexborHTMLParser, around: Collection[int]) -> list[LexborNode]:
    """Elements whose class or id says that they are such a list, the outermost of them."""
    found: list[LexborNode] = []
    within: set[int] = set()
    for node in tree.css("div, section, aside, ul, ol, nav, footer, dl"):
        if node.mem_id in within or node.mem_id in around:
            continue
        if any(map(NAMED.search, names_of(node))):
            found.append(node)
            within |= {each.mem_id for each in node.css("*")}
    return found


def names_of(node: LexborNode) -> list[str]:
    """The classes and the id of an element, in small letters and with hyphens."""
    written = f"{node.attributes.get('class') or ''} {node.attributes.get('id') or ''}"
    return [CAMEL.sub("-", name).lower() for name in written.split()]


def following(marker: LexborNode) -> list[LexborNode]:
    """What stands after the marker, or after the wrapper that holds nothing else, up to a more
    important heading.
    """
    own = text_of(marker)
    while not (nodes := _siblings_after(marker)):
        if marker.parent is None or text_of(marker.parent) != own:
            break
        marker = marker.parent
    level = marker.tag if marker.tag in HEADINGS else "h2"
    for at, node in enumerate(nodes):
        if node.tag in ("footer", "form"):
            return nodes[:at]
        if node.tag in HEADINGS and node.tag <= level and not _has_links([node]):
            # The same level may be that of the list's own titles: then a teaser comes next.
            after = text_of(nodes[at + 1]) if at + 1 < len(nodes) else ""
            if node.tag < level or not after.endswith(DOTS):
                return nodes[:at]
    return nodes


def _siblings_after(node: LexborNode) -> list[LexborNode]:
    nodes = []
    sibling = node.next
    while sibling is not None:
        if sibling.tag == "-text" or (sibling.tag not in INVISIBLE and text_of(sibling)):
            nodes.append(sibling)
        sibling = sibling.next
    return nodes if any(text_of(node) for node in nodes) else []


def _has_links(nodes: Iterable[LexborNode]) -> bool:
    return any(line.link is not None for line in lines_of(nodes, links=True))
