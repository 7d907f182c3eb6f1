"""One page has many addresses; articles are found by any of them, and a guess is named."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.articles.addresses import (
    MOST_ALIKE,
    NOTHING,
    Finder,
    PageTable,
    address_fault,
    is_key_of,
    keys_of,
    url_key,
)
from recommender.articles.tracking import NAMES, PREFIXES

SITE = Finder(
    [
        ("knee", "https://example.org/knee.html"),
        ("hip", "https://www.example.org/joints/hip/"),
        ("gout", "http://example.org/article.php?id=5"),
        ("home", "https://example.org/"),
        ("café", "https://example.org/café"),
        ("de/knee", "https://de.example.org/both"),
        ("en/knee", "https://en.example.org/both"),
        ("stub", None),
    ]
)


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("https://example.org/knee.html", "knee"),
        ("http://www.EXAMPLE.org:80/knee.html?utm_source=mail#top", "knee"),
        ("/knee.html", "knee"),
        ("/knee.html?print=1", "knee"),
        ("/knee.html/", "knee"),
        ("/joints/hip", "hip"),
        ("http://example.org/joints/hip?gclid=1", "hip"),
        ("/article.php?id=5&fbclid=x", "gout"),
        ("/article.php?id=6", None),
        ("/article.php", None),
        ("/", "home"),
        ("/?utm_source=mail", "home"),
        ("/?s=knee", None),
        ("/caf%C3%A9", "café"),
        ("/caf%c3%a9", "café"),
        ("https://de.example.org/both", "de/knee"),
        ("/both", None),
        ("https://example.org/both", None),
        ("https://elsewhere.com/knee.html", None),
        ("//knee.html", "knee"),
        ("/style.css", None),
        ("knee", None),
        ("", None),
        ("*", None),
        ("https://[::1", None),
    ],
)
def test_an_address_is_found_however_it_is_written(address: str, found: str | None):
    """With a host or without; two articles with one path are not told apart by guessing."""
    assert SITE.at(address) == found


def test_ids_are_found_exactly():
    """Those of articles without an address too; what is no id may be an address."""
    assert [SITE.named(text) for text in ("stub", "knee", "Knee", "/knee.html", "")] == [
        "stub", "knee", None, "knee", None,
    ]  # fmt: skip


def test_a_site_whose_articles_have_paths_only_is_on_any_host():
    """Nobody has said which."""
    finder = Finder([("knee", "/pages/knee")])

    assert finder.at("https://anything.example/pages/knee?utm_source=x") == "knee"


@pytest.mark.slow
@given(st.text() | st.text(alphabet="htps:/[]@?#%&=.\\ \ud800\x00a1"))
def test_any_text_is_an_address_or_not(text: str):
    """But never an error."""
    assert SITE.at(text) in (*SITE.ids, None)
    assert SITE.named(text) in (*SITE.ids, None)


# What a site really has

GARDEN = Finder(
    [
        ("home", "https://www.garden.example/"),
        ("garlic", "https://www.garden.example/2025/garlic/"),
        ("hip", "https://www.garden.example/fruit/hip.html"),
        ("café", "https://www.garden.example/café-beds"),
        ("seven", "https://www.garden.example/index.php?id=7"),
        ("Leaf", "https://www.garden.example/Pages/Leaf-Mould.aspx"),
        ("moss", "https://www.garden.example/moss"),
        ("moss/2", "https://www.garden.example/moss/2"),
        ("moss.pdf", "https://www.garden.example/moss.pdf"),
        ("part 1", "https://www.garden.example/course/1"),
        ("part 3", "https://www.garden.example/course/3"),
        ("course", "https://www.garden.example/course"),
        ("blog", "https://www.garden.example/blog/"),
        ("rose", "https://www.garden.example/rose"),
        ("Rose", "https://www.garden.example/Rose"),
        ("amp", "https://www.garden.example/news/amp/frost.html"),
        ("one", "https://www.garden.example/#!/spa/one"),
        ("two", "https://www.garden.example/#!/spa/two"),
        ("de", "https://de.garden.example/both"),
        ("en", "https://en.garden.example/both"),
    ]
)
SURE, FILE, TWIN, LATER = (
    "",
    "file name or ending",
    "AMP, mobile or print twin",
    "a later page of it",
)
CASE, MORE, MIRROR = "letter case", "parameters", "mirror of the host"
SIGNS = "signs between words or at the end"


@pytest.mark.parametrize(
    ("address", "id", "assumed"),
    [
        ("https://garden.example/2025/garlic", "garlic", SURE),
        ("//www.garden.example/2025/garlic/", "garlic", SURE),
        ("garden.example/2025/garlic", "garlic", SURE),
        ("https://garden.example./2025//garlic/./", "garlic", SURE),
        ("https://garden.example/x/../2025/garlic/%20", "garlic", SURE),
        ("https://garden.example/2025/garlic%2F", "garlic", SURE),
        ("https://garden.example/2025/garlic;jsessionid=0A1B.n1?utm_source=x", "garlic", SURE),
        ("https://garden.example/(S(lit3py55t21z5v55vlm25s55))/2025/garlic", "garlic", SURE),
        ("https://garden.example/2025/garlic/&utm_source=x", "garlic", SURE),
        ("https://garden.example/2025/garlic/?utm_source=x?fbclid=y", "garlic", SURE),
        ("https://garden.example/2025/garlic/?gad_source=1&amp;gclid=x", "garlic", SURE),
        ("https://garden.example/2025/garlic?sid=0a1b2c3d4e5f60718293a4b5", "garlic", SURE),
        ("https://www-garden-example.translate.goog/2025/garlic/?_x_tr_sl=en", "garlic", SURE),
        ("https://translate.google.com/translate?sl=en&u=https://garden.example/2025/garlic",
         "garlic", SURE),
        ("https://webcache.googleusercontent.com/search?q=cache:x:https://garden.example/2025/garlic/",
         "garlic", SURE),
        ("https://web.archive.org/web/20250101/https://garden.example/2025/garlic/",
         "garlic", SURE),
        ("https://garden-example.cdn.ampproject.org/c/s/garden.example/2025/garlic/amp/",
         "garlic", TWIN),
        ("https://www.google.com/amp/s/garden.example/2025/garlic/amp", "garlic", TWIN),
        ("https://garden.example/caf%C3%A9-beds", "café", SURE),
        ("https://garden.example/cafe%CC%81-beds", "café", SURE),
        ("https://garden.example/caf%E9-beds", "café", SURE),
        ("https://garden.example/index.php?utm_source=x&id=7", "seven", SURE),
        ("https://garden.example/index.php?id=7&lang=", "seven", MORE),
        ("https://garden.example/?id=7", "seven", FILE),
        ("https://garden.example/index.php?id=8", None, SURE),
        ("https://garden.example/2025/garlic/index.html", "garlic", FILE),
        ("https://garden.example/2025/garlic.html", "garlic", FILE),
        ("https://garden.example/index.php/2025/garlic", "garlic", FILE),
        ("https://garden.example/fruit/hip", "hip", FILE),
        ("https://garden.example/fruit/hip.htm", "hip", FILE),
        ("https://garden.example/fruit/hip.amp.html", "hip", FILE),
        ("https://garden.example/fruit/hip.html/", "hip", SURE),
        ("https://garden.example/default.aspx", "home", FILE),
        ("https://garden.example/pages/leaf-mould.aspx", "Leaf", CASE),
        ("https://garden.example/2025/garlic/).", "garlic", SIGNS),
        ("https://garden.example/2025/garlic.html*", "garlic", f"{FILE}, {SIGNS}"),
        ("https://garden.example/2025/garlic/amp/", "garlic", TWIN),
        ("https://garden.example/amp/2025/garlic/", "garlic", TWIN),
        ("https://garden.example/m/2025/garlic/", "garlic", TWIN),
        ("https://garden.example/2025/garlic/print/", "garlic", TWIN),
        ("https://garden.example/2025/garlic?amp", "garlic", MORE),
        ("https://garden.example/2025/garlic?amp=1", "garlic", MORE),
        ("https://garden.example/2025/garlic?m=1", "garlic", MORE),
        ("https://garden.example/2025/garlic?unheard_of=1", "garlic", MORE),
        ("https://garden.example/2025/garlic?lang=de", None, SURE),
        ("https://garden.example/2025/garlic?p=9", None, SURE),
        ("https://garden.example/news/frost", "amp", TWIN),
        ("https://garden.example/2025/garlic/2/", "garlic", LATER),
        ("https://garden.example/2025/garlic/page/3", "garlic", LATER),
        ("https://garden.example/2025/garlic/comment-page-1/#comment-9", "garlic", LATER),
        ("https://garden.example/2025/garlic/feed/", None, SURE),
        ("https://garden.example/moss/2", "moss/2", SURE),
        ("https://garden.example/moss/3", None, SURE),
        ("https://garden.example/moss/page/2", "moss", LATER),
        ("https://garden.example/course/2", None, SURE),
        ("https://garden.example/moss.pdf", "moss.pdf", SURE),
        ("https://garden.example/fruit/hip.pdf", None, SURE),
        ("https://garden.example/page/2/", None, SURE),
        ("https://garden.example/?p=123", None, SURE),
        ("https://garden.example/?anything=1", None, SURE),
        ("https://garden.example/?amp", "home", MORE),
        ("https://garden.example/blog/?p=123", None, SURE),
        ("https://garden.example/#!/spa/two", "two", SURE),
        ("https://garden.example/#!/spa/three", None, SURE),
        ("https://m.garden.example/2025/garlic/", "garlic", MIRROR),
        ("https://garden.example:8080/2025/garlic/", "garlic", MIRROR),
        ("https://de.garden.example/2025/garlic/", None, SURE),
        ("https://elsewhere.example/2025/garlic/", None, SURE),
        ("https://garden.example/both", None, SURE),
        ("android-app://garden.example/2025/garlic", None, SURE),
        ("mailto:/2025/garlic", None, SURE),
    ],
)  # fmt: skip
def test_an_address_means_the_one_article_it_can(address: str, id: str | None, assumed: str):
    """What had to be assumed is named; two real articles are never taken for one."""
    found = GARDEN.pages.find(address)

    assert (None if found.row is None else GARDEN.names[found.row]) == id
    assert found.assumed == assumed


def meant(stored: list[str], address: str) -> tuple[list[str], str]:
    """What an address may mean on a site with these ``stored``, and what was assumed."""
    found = PageTable(enumerate(stored)).find(address)
    return [stored[row] for row in found.rows], found.assumed


@pytest.mark.parametrize(
    "name", ["/m", "/mobile", "/mobil", "/amp", "/AMP/", "/m/index.html", "/*"]
)
def test_the_home_page_has_no_twin_below_it(name: str):
    """An article may be called so, and neither is ever taken for the other."""
    assert meant(["/", "/knee"], name) == ([], "")
    assert meant([name, "/knee"], "/") == meant([name, "/knee"], "/index.html") == ([], "")


@pytest.mark.parametrize("written", ["c++", "c%2B%2B", "C++", "c+", "c--", "c++."])
def test_signs_that_are_part_of_a_name_are_kept(written: str):
    """The page on C is not that on C++, nor the reverse."""
    assert meant(["/lang/c", "/lang/java"], f"/lang/{written}") == ([], "")
    assert meant([f"/lang/{written}", "/lang/java"], "/lang/c") == ([], "")


def test_signs_that_are_taken_for_none_are_named():
    """Those that stand around an address in a text, and other ways to write a blank."""
    assert meant(["/lang/c"], "/lang/c*") == (["/lang/c"], SIGNS)
    assert meant(["/lang/c++"], "/lang/C++).") == (["/lang/c++"], f"{CASE}, {SIGNS}")
    assert meant(["/knee_pain"], "/knee+pain") == (["/knee_pain"], SIGNS)
    assert meant(["/knee_pain"], "/knee+pain/amp") == (["/knee_pain"], f"{TWIN}, {SIGNS}")
    assert meant(["/knee_pain"], "/knee_pain/page_2") == (["/knee_pain"], LATER)


TWINS = [
    ("/x?at_id=1", "/x?at_id=2", "/x?at_id=3"),
    ("/y?sid=aaaaaaaaaaaaaaaaaaaaaaaaa1", "/y?sid=aaaaaaaaaaaaaaaaaaaaaaaaa2",
     "/y?sid=aaaaaaaaaaaaaaaaaaaaaaaaa3"),
    ("/set/(A(x))", "/set/(B(y))", "/set/(B(z))"),
    ("/z", "/z?icid=2", "/z?icid=3"),
    ("/w;sid=1", "/w;sid=2", "/w;sid=3"),
    ("/v/a", "/v%2fa", "/v/a?at_id=1"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "two", "three"), TWINS)
def test_addresses_that_differ_are_never_one(one: str, two: str, three: str):
    """Where pages of the site differ by what means nothing elsewhere, it means something there."""
    stored = ["/knee", one, two]

    assert meant(stored, one) == meant(stored, f"{one}#top") == ([one], "")
    assert meant(stored, f"https://example.org{two}") == ([two], "")
    assert meant(stored, f"{two}{'&' if '?' in two else '?'}utm_source=x&fbclid=y") == ([two], "")
    assert meant(stored, three) == ([one, two], "")


def test_one_address_of_two_articles_is_the_first_ones():
    """However each writes it: with certain tracking, a slash, a fragment."""
    stored = ["http://example.org/x?utm_source=a&fbclid=1", "https://example.org/x/#top"]

    for address in (*stored, "/x", "/x?at_id=1"):
        assert meant(stored, address) == (stored[:1], "")
    assert meant(stored, "/X/amp") == (stored[:1], TWIN)


@given(st.lists(st.sampled_from([each for twins in TWINS for each in twins] + ["/z/", "/Z"])))
def test_whatever_is_stored_is_found_as_it_is_written(stored: list[str]):
    """Its own article, or the first at the same address."""
    for address in stored:
        found = meant(stored, address)
        assert [url.rstrip("/") for url in found[0]] == [address.rstrip("/")]
        assert found[1] == ""


def test_keys_are_those_of_their_addresses():
    """All of an index, and no others."""
    addresses = [each for twins in TWINS for each in twins]

    for key, row in keys_of(enumerate(addresses)).items():
        assert is_key_of(key, addresses[row])
        assert not is_key_of(key, "/knee")


FORUM = ["/index.php", "/index.php?/topic/1-knee/", "/index.php?/topic/2-hip/",
         "/showthread.php?1-knee", "/showthread.php?2-hip"]  # fmt: skip


@pytest.mark.parametrize(
    ("address", "found", "assumed"),
    [
        ("/index.php?/topic/1-knee/", FORUM[1], SURE),
        ("/index.php?/topic/1-knee/&utm_source=x", FORUM[1], SURE),
        ("/index.php?/topic/1-knee/?utm_source=x", FORUM[1], SURE),
        ("/index.php?%2Ftopic%2F1-knee%2F=", FORUM[1], SURE),
        ("/?/topic/2-hip/", FORUM[2], FILE),
        ("/index.php?/topic/2-hip/&print=1", FORUM[2], MORE),
        ("/INDEX.php?/topic/2-hip/", FORUM[2], CASE),
        ("/index.php?/topic/3-gout/", None, SURE),
        ("/index.php?imprint", None, SURE),
        ("/index.php?amp", FORUM[0], MORE),
        ("/index.php?lang=", FORUM[0], MORE),
        ("/", FORUM[0], FILE),
        ("/showthread.php", None, SURE),
        ("/showthread.php?3-gout", None, SURE),
        ("/showthread.php?2-hip&amp;fbclid=x", FORUM[4], SURE),
        ("/showthread.php?2-hip&amp", FORUM[4], MORE),
    ],
)
def test_a_word_without_a_value_may_name_a_page(address: str, found: str | None, assumed: str):
    """It is never left out where pages of the site are named so."""
    assert meant(FORUM, address) == ([found] if found else [], assumed)


def test_an_address_is_not_taken_for_one_that_says_more():
    """What the stored one has beside it is left out by guessing only if it is a view, and named."""
    assert meant(["/index.php?/topic/1-knee/", "/hip"], "/index.php") == ([], "")
    assert meant(["/knee?print=1", "/hip"], "/knee") == (["/knee?print=1"], MORE)


@pytest.mark.parametrize("query", [
    "no=8", "idx=8", "uid=5", "nr=5", "num=5", "key=a", "v=a", "article_no=8", "newsIdx=8",
    "content-id=8", "wr_id=8", "tx_news_pi1[news]=8", "8", "8-hip", "/hip", "q",
])  # fmt: skip
def test_parameters_that_name_pages_are_never_left_out(query: str):
    """Whether or not another address of the site has them."""
    assert meant(["/view", "/knee"], f"/view?{query}") == ([], "")


def test_words_that_name_no_page_of_the_site_are_left_out():
    """As parameters with a value are."""
    assert meant(["/view", "/knee"], "/view?nocache") == (["/view"], MORE)
    assert meant(["/", "/knee"], "/?nocache") == ([], "")


@pytest.mark.parametrize(
    ("stored", "address"),
    [
        (["/2024", "/knee"], "/2024/05"),
        (["/2024", "/knee"], "/2024/05/06"),
        (["/news/2024", "/knee"], "/news/2024/13"),
        (["/2024/05", "/knee"], "/2024/05/06"),
        (["/stories", "/stories/p/1", "/stories/p/2"], "/stories/p/3"),
        (["/stories", "/stories/p/01", "/stories/p/02"], "/stories/p/03"),
        (["/stories", "/stories/7"], "/stories/9"),
        (["/stories", "/stories/page-1", "/stories/page-2"], "/stories/page-9"),
        (["/stories", "/stories/page/1", "/stories/page/3"], "/amp/stories/page/2"),
    ],
)
def test_dates_and_pages_of_their_own_are_no_later_pages(stored: list[str], address: str):
    """Nor is an article that is numbered beside others, in any form."""
    assert meant(stored, address) == ([], "")


def test_later_pages_are_found_beside_numbers_of_another_form():
    """And below a date, and of a list of a year."""
    assert meant(["/stories", "/stories/p/1", "/stories/p/2"], "/stories/page/7") == (
        ["/stories"],
        LATER,
    )
    assert meant(["/2024/05/knee", "/hip"], "/2024/05/knee/2") == (["/2024/05/knee"], LATER)
    assert meant(["/2024", "/hip"], "/2024/page/2") == (["/2024"], LATER)


def test_where_very_many_are_alike_not_all_are_looked_at():
    """It would hold up everybody, for an answer that is none."""

    class Many(PageTable):
        n_looked_at = 0

        def like(self, outline: str) -> Iterable[tuple[int, str]]:
            for each in super().like(outline):
                self.n_looked_at += 1
                yield each

    many = Many(enumerate(f"https://example.org/knee?print={at}" for at in range(1_000)))

    assert many.find("/KNEE") == NOTHING
    assert many.n_looked_at == MOST_ALIKE + 1


def test_of_several_that_an_address_may_mean_none_is_taken():
    """All are named, so that a list beside it can leave them out."""
    found = GARDEN.pages.find("https://garden.example/ROSE")

    assert found.row is None
    assert {GARDEN.names[row] for row in found.rows} == {"rose", "Rose"}


def test_every_address_of_a_site_is_its_own():
    """Whatever else it resembles."""
    for row, address in GARDEN.pages.addresses.items():
        assert GARDEN.pages.find(address) == ((row,), "")


def test_addresses_that_are_guessed_are_counted():
    """By what was assumed, with a few to look at."""
    finder = Finder([("knee", "https://example.org/knee")])

    for address in ("/knee", "/knee/amp", "/KNEE", "/hip", "/KNEE"):
        finder.at(address)

    assert finder.guessed == {TWIN: 1, CASE: 1}
    assert finder.summary() == (
        "2 addresses that no article has were taken for one, assuming: AMP, mobile or print twin "
        "(1), letter case (1); such as /knee/amp for knee"
    )


# The key of an address

KNEE = "https://example.org/knee?a=1&b=2"


@pytest.mark.parametrize(
    "written",
    [
        "http://example.org/knee?a=1&b=2",
        "HTTPS://Example.ORG/knee?a=1&b=2",
        "//example.org/knee?a=1&b=2",
        "example.org/knee?a=1&b=2",
        "https://example.org:443/knee?a=1&b=2",
        "http://example.org:80/knee?a=1&b=2",
        "https://example.org./knee?a=1&b=2",
        "https://reader:secret@example.org/knee?a=1&b=2",
        "https://example.org/knee/?a=1&b=2",
        "https://example.org/knee?b=2&a=1",
        "https://example.org/knee?a=1&b=2#top",
        "https://example.org/k%6Eee?a=%31&b=2",
        "https://example.org/knee?utm_source=mail&a=1&UTM_Campaign=x&b=2&fbclid=9",
        "  https://example.org/knee?a=1&b=2\n",
        "https://example.org//x/.././knee//?a=1&b=2&gad_campaignid=3",
        "https://example.org/knee;jsessionid=1?a=1&amp;b=2",
    ],
)
def test_one_page_has_one_key(written: str):
    """Scheme, port, case of the host, fragment, order, tracking and final slash do not matter."""
    assert url_key(written) == url_key(KNEE) == "example.org/knee?a=1&b=2"


@pytest.mark.parametrize(
    "other",
    [
        "https://example.org/Knee?a=1&b=2",
        "https://example.org:8080/knee?a=1&b=2",
        "https://www.example.org/knee?a=1&b=2",
        "https://example.org/knee?a=1&b=3",
        "https://example.org/knee?a=1",
        "https://example.org/knee?a=1&b=2&b=3",
        "https://example.org/knee?a=1&b=2&page=",
    ],
)
def test_other_pages_have_other_keys(other: str):
    """The path's case, a port of its own, the host and every other parameter do matter."""
    assert url_key(other) != url_key(KNEE)


@pytest.mark.parametrize("name", [*sorted(NAMES), *(f"{p}x" for p in PREFIXES)])
def test_tracking_parameters_are_left_out(name: str):
    """They say where a reader came from, in any case."""
    assert url_key(f"https://example.org/knee?{name.upper()}=1") == "example.org/knee"


def test_letters_may_be_written_either_way():
    """``ü``, its bytes as %C3%BC and as %c3%bc are one page; so are both ways to write a blank."""
    assert len({url_key(f"/{name}") for name in ("müsli", "m%C3%BCsli", "m%c3%bcsli")}) == 1
    assert url_key("/a?q=knee+pain") == url_key("/a?q=knee%20pain")


def test_the_home_page_is_its_host():
    """With its slash or without."""
    assert url_key("https://example.org/") == url_key("https://example.org") == "example.org"


@pytest.mark.parametrize(
    "junk", ["http://[::1", "http://example.org:port/", "http://example.org:99999/", "/\ud800"]
)
def test_what_is_no_address_stays_as_it_is(junk: str):
    """It can still be looked up, if it was stored so."""
    assert url_key(junk) == junk


@pytest.mark.parametrize(
    "url",
    [
        "", "https://example.org", "HTTP://example.org/a?b=c:d#e", "/a:b", "a/b:c", "?q=a:b",
        "#top", "//cdn.example.org/a.png", "../a b", "https://[::1]:8080/x", "https://example.org/@user",
        "/a?next=https://user@host/", "https://例え.jp/膝", " /a ", "javascript%3Aalert(1)",
    ],
)  # fmt: skip
def test_addresses_of_the_web_can_stand_in_a_link(url: str):
    """Relative ones too, and those that leave the scheme to the page."""
    assert address_fault(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", " JavaScript:alert(1)", "java\tscript:alert(1)", "\x01javascript:x",
        "javascript\n:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "blob:x",
        "mailto:a@example.org", "ftp://example.org/a", "view-source:https://x", "localhost:8000/a",
        "http:", "http:///a", "https:a", "https://", "\\\\host\\a", "/\\host", "https:\\\\host",
        "https://user:secret@example.org/", "//example.org@host/", "http://[::1", "http://host:x/",
        "http://host:99999/", "https://host:0/", "/a\x7f", "/a\x00",
    ],
)  # fmt: skip
def test_what_browsers_could_take_for_something_else_cannot(url: str):
    """Scripts, files, other schemes, other hosts than it seems, in any spelling."""
    assert address_fault(url)


junk = st.text(alphabet=st.characters(exclude_categories=()), max_size=40)


@pytest.mark.slow
@given(junk | st.builds("{}://{}/{}?{}".format, junk, junk, junk, junk))
def test_no_text_makes_it_raise(text: str):
    """Addresses come from anywhere."""
    assert isinstance(url_key(text), str)
    assert isinstance(address_fault(text), str | None)


path = st.lists(st.text(alphabet="abcXYZ/%-üß睡 ?&=+", max_size=8), max_size=3).map("/".join)


@given(path)
def test_scheme_and_fragment_never_matter(tail: str):
    """Whatever comes after the host."""
    tail = tail.strip()
    assert url_key(f"http://example.org/{tail}#x") == url_key(f"https://EXAMPLE.org/{tail}")
