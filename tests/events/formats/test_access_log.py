"""Page views come out of access logs; machines, assets and reloads do not."""

import gzip
import random
from collections import Counter
from pathlib import Path

import pytest
from foreign import FINDER, content, lines, problems, read, store_with_site
from hypothesis import given
from hypothesis import strategies as st

from recommender.articles.addresses import Finder
from recommender.errors import EventError, InputError
from recommender.events.event import PageView
from recommender.events.formats.access_dialects import parse_line
from recommender.events.formats.access_log import AccessLog
from recommender.events.formats.base import Reasons, Skip
from recommender.events.reader import EventReader
from recommender.files import Record
from recommender.store.import_events import import_events

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0"
NOON = 1_795_348_800_000
MINUTE = 60_000

# The combined format. A reader comes from a search engine to the article on knees and goes on to
# the one on hips, which is loaded twice; a crawler and a script call; a page is not there.
ACCESS = f"""\
203.0.113.9 - - [22/Nov/2026:12:00:00 +0000] "GET /knee.html?utm_source=x HTTP/1.1" 200 5123 \
"https://www.google.com/" "{BROWSER}"
203.0.113.9 - - [22/Nov/2026:12:00:01 +0000] "GET /style.css HTTP/1.1" 200 812 \
"https://example.org/knee.html" "{BROWSER}"
203.0.113.9 - - [22/Nov/2026:13:01:00 +0100] "GET /hip.html HTTP/1.1" 200 4711 \
"https://example.org/knee.html" "{BROWSER}"
203.0.113.9 - - [22/Nov/2026:12:02:00 +0000] "GET /hip.html HTTP/1.1" 304 - \
"https://example.org/knee.html" "{BROWSER}"
198.51.100.7 - - [22/Nov/2026:12:02:01 +0000] "GET /gout.html HTTP/1.1" 200 5000 \
"-" "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
198.51.100.8 - - [22/Nov/2026:12:02:02 +0000] "GET /gout.html HTTP/1.1" 200 5000 "-" "curl/8.5.0"
203.0.113.9 - - [22/Nov/2026:12:02:03 +0000] "GET /hips.html HTTP/1.1" 404 153 "-" "{BROWSER}"
203.0.113.9 - - [22/Nov/2026:12:02:04 +0000] "POST /comments HTTP/1.1" 200 2 \
"https://example.org/hip.html" "{BROWSER}"
"""


def line(
    target: str,
    *,
    minute: float = 0,
    referrer: str = "-",
    client: str = "203.0.113.9",
    agent: str = BROWSER,
    status: int = 200,
) -> str:
    second = round(minute * 60)
    clock = f"{12 + second // 3600}:{second // 60 % 60:02}:{second % 60:02}"
    return (
        f'{client} - - [22/Nov/2026:{clock} +0000] "GET {target} HTTP/1.1" {status} 5 '
        f'"{referrer}" "{agent}"'
    )


def test_access_logs_by_example(tmp_path: Path):
    """Two page views, the second from the first; six lines that are none."""
    events, reader = read(tmp_path / "access.log", ACCESS)

    assert events == [
        PageView(NOON, "knee"),
        PageView(NOON + MINUTE, "hip", "", "knee"),
    ]
    assert reader.skipped == {
        "asset or other address": 1,
        "crawler or tool": 2,
        "method POST": 1,
        "reload": 1,
        "status 404": 1,
    }
    assert reader.n_bad == 0


def test_neither_address_nor_agent_is_kept(tmp_path: Path):
    """Nor anything made of them: nothing that is kept differs by who read."""
    contents = []
    for client in ("203.0.113.9", "2001:db8::1"):
        store = store_with_site()
        (tmp_path / "access.log").write_text(ACCESS.replace("203.0.113.9", client))
        import_events(store, EventReader([tmp_path / "access.log"]), again=True)
        contents.append(content(store))

    assert contents[0] == contents[1]
    assert [view[1] for view in contents[0]["pageviews"]] == ["", ""]


@pytest.mark.parametrize(
    ("later", "kept"),
    [
        ([line("/hip.html", minute=29)], 1),
        ([line("/hip.html", minute=31)], 2),
        ([line("/hip.html", minute=29), line("/hip.html", minute=58)], 1),
        ([line("/hip.html", minute=1, referrer="https://example.org/hip.html")], 1),
        ([line("/hip.html", minute=99, referrer="https://example.org/hip.html")], 1),
        ([line("/hip.html", minute=1, referrer="https://example.org/knee.html")], 2),
        ([line("/hip.html", minute=1, client="203.0.113.10")], 2),
        ([line("/hip.html", minute=1, agent=BROWSER + " Other")], 2),
        ([line("/gout.html", minute=1)], 2),
    ],
)
def test_a_reload_is_the_same_reader_at_the_same_page(tmp_path: Path, later: list[str], kept: int):
    """Within half an hour of the last time, coming from nowhere new."""
    events, _ = read(tmp_path / "access.log", lines([line("/hip.html"), *later]))

    assert len(events) == kept


def test_a_reload_may_repeat_its_referrer_or_not(tmp_path: Path):
    """Coming back from another article is another reading."""
    knee, gout = "https://example.org/knee.html", "https://example.org/gout.html"
    log = [
        line("/hip.html", minute=0, referrer=knee),
        line("/hip.html", minute=1),
        line("/hip.html", minute=2, referrer=gout),
        line("/hip.html", minute=3, referrer=knee),
        line("/hip.html", minute=4, referrer=gout),
    ]

    events, _ = read(tmp_path / "access.log", lines(log))

    assert events == [
        PageView(NOON, "hip", "", "knee"), PageView(NOON + 2 * MINUTE, "hip", "", "gout"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("referrer", "found"),
    [
        ("https://example.org/knee.html", "knee"),
        ("http://www.example.org/knee.html?page=2#top", "knee"),
        ("https://example.org/", ""),
        ("https://example.org/search?q=knee", ""),
        ("https://www.google.com/", ""),
        ("https://elsewhere.com/knee.html", ""),
        ("/knee.html", ""),
        ("-", ""),
        ("", ""),
        ("about:blank", ""),
        (r"https://example.org/\"quoted\"", ""),
    ],
)
def test_a_referrer_is_an_article_of_the_site_or_nothing(tmp_path: Path, referrer: str, found: str):
    """The article was read all the same."""
    events, _ = read(tmp_path / "access.log", line("/hip.html", referrer=referrer))

    assert events == [PageView(NOON, "hip", "", found)]


def test_readers_of_one_second_are_all_counted(tmp_path: Path):
    """Servers tell time in seconds; the same in one is told apart by the millisecond."""
    log = [line("/hip.html", client=f"203.0.113.{n}") for n in range(50)]
    store = store_with_site()
    (tmp_path / "access.log").write_text(lines(log))

    received = import_events(store, EventReader([tmp_path / "access.log"]))

    assert (received.pageviews, received.duplicates) == (50, 0)
    assert {view[0] // 1000 for view in content(store)["pageviews"]} == {NOON // 1000}


def test_readers_of_one_moment_are_all_counted(tmp_path: Path):
    """Where times have milliseconds too, the next is free or taken; whatever the order of lines."""

    def asked(n: int) -> str:
        return (
            f'{{"time": "2026-11-22T12:00:00.{100 + n // 3}Z", "ip": "203.0.113.{n}", '
            f'"request": "GET /hip.html HTTP/1.1", "status": 200, "agent": "{BROWSER}"}}'
        )

    found = []
    for seed in range(3):
        log = [asked(n) for n in range(30)]
        random.Random(seed).shuffle(log)
        events, _ = read(tmp_path / f"{seed}.log", lines(log))
        found.append(sorted(event.ts for event in events))

    assert found == [[*range(NOON + 100, NOON + 130)]] * 3


def test_a_tab_that_loads_itself_anew_is_one_reader(tmp_path: Path):
    """Each minute for hours: one page view, of one address among others."""
    others = [line(f"/{id}.html", client=f"198.51.100.{n}", minute=n)
              for n in range(1, 100) for id in ("gout", "salt", "knee", "hip")]  # fmt: skip
    tab = [line("/knee.html", minute=n) for n in range(300)]

    events, reader = read(tmp_path / "access.log", lines([*others, *tab]))

    assert len(events) == 396 + 1
    assert reader.skipped == {"reload": 299}
    assert not reader.remarks


def test_many_small_files_cost_what_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Who read before is not gone through again at the end of each."""

    def walked(self: Counter[int], *_: object) -> None:
        raise AssertionError

    log = AccessLog(FINDER, Reasons())
    for n in range(50):
        log.read(Record("x:1", {"line": line("/hip.html", client=f"198.51.100.{n}")}))
    first = list(log.flush())
    monkeypatch.setattr(Counter, "most_common", walked)
    again = list(log.flush())
    log.read(Record("x:1", {"line": line("/hip.html", client="203.0.113.1")}))

    assert (len(first), len(again), len(list(log.flush()))) == (50, 0, 1)


def test_the_order_of_lines_says_nothing(tmp_path: Path):
    """Servers write a line when its answer is done."""
    log, contents = tmp_path / "access.log", []
    clients = [f"203.0.113.{n}" for n in range(5)]
    visits = [
        line(f"/{id}.html", minute=minute, client=client, referrer=referrer)
        for client in clients
        for minute, id in [(0, "knee"), (0, "hip"), (20, "knee"), (45, "knee"), (80, "knee")]
        for referrer in ("-", "https://example.org/gout.html")
    ]
    for seed in range(5):
        random.Random(seed).shuffle(visits)
        store = store_with_site()
        log.write_text(lines(visits))
        import_events(store, EventReader([log]))
        contents.append(content(store))

    assert all(found == contents[0] for found in contents)
    assert len(contents[0]["pageviews"]) > 10


@pytest.mark.parametrize(
    "text",
    [
        'example.org:443 203.0.113.9 - - [22/Nov/2026:12:00:00 +0000] "GET /hip.html HTTP/1.1" 200 '
        f'5 "-" "{BROWSER}"',
        '2001:db8::1 - Ann Lee [22/Nov/2026:12:00:00 +0000] "GET /hip.html HTTP/2.0" 200 - "-" '
        f'"{BROWSER}" 0.012 "203.0.113.9"',
        '::1 - - [22/Nov/2026:07:00:00 -0500] "GET https://example.org/hip.html HTTP/1.1" 200 5 '
        rf'"-" "{BROWSER} \"quoted\""',
        f'h - - [22/Nov/2026:12:00:00 +0000] "GET /hip.html" 200 5 "-" "{BROWSER}"\r',
    ],
)
def test_what_servers_add_is_borne(tmp_path: Path, text: str):
    """Virtual hosts, names of users, times, escapes."""
    events, reader = read(tmp_path / "access.log", text)

    assert events == [PageView(NOON, "hip")]
    assert reader.n_bad == 0


def test_rotated_and_packed_logs_are_told_by_name_or_content(tmp_path: Path):
    """As log rotation leaves them, in one folder."""
    for name in ("access.log", "access.log.1", "access.log-20261121", "site_access_log", "other"):
        (tmp_path / name).write_text(line("/hip.html") + "\n")
    (tmp_path / "access.log.2.gz").write_bytes(gzip.compress(line("/hip.html").encode()))

    reader = EventReader([tmp_path, tmp_path / "other"], finder=FINDER)

    assert sorted(path.name for path, _ in reader.files) == [
        "access.log", "access.log-20261121", "access.log.1", "access.log.2.gz", "other",
        "site_access_log",
    ]  # fmt: skip
    assert list(reader) == [PageView(NOON, "hip")]
    assert reader.skipped == {"reload": 5}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "field address"),
        ("x", "field user"),
        (line("/")[:30], "field time"),
        (line("/").replace("Nov", "November"), "field time: not as in the combined log format"),
        (line("/").replace("22/Nov", "31/Nov"), "field time: no such time: '31/Nov/2026:12:00:00"),
        (line("/").replace("Nov", "Nom"), "field time: no such time"),
        (line("/").replace(" +0000", ""), "field time"),
        (line("/").replace(" +0000", " +9999"), "field time: no such time"),
        (line("/").replace('"GET', "GET"), "field request"),
        (line("/").replace(" 200 ", " OK "), "field status"),
        (line("/").replace(" 5 ", " five "), "field size"),
        (line("/").partition(' "-"')[0], "field referrer"),
        (line("/").partition(' "Moz')[0], "field user agent"),
        (line("/")[:-1], "field user agent"),
    ],
)
def test_a_fault_names_the_place_and_the_field(tmp_path: Path, text: str, complaint: str):
    """But does not quote the line, which names a reader's address."""
    with pytest.raises(EventError) as caught:
        parse_line(text, where="access.log:7")

    assert str(caught.value).startswith(f"access.log:7: {complaint}")
    assert "203.0.113.9" not in str(caught.value)
    if text:
        _, reader = read(tmp_path / "access.log", lines([line("/hip.html"), text]), "access")
        assert problems(reader)[0].startswith(f"access.log:2: {complaint}")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (line("/hip.html").replace("GET", "HEAD"), "method HEAD"),
        (line("/hip.html").replace("GET", "get"), "malformed request"),
        (line("/hip.html").replace("GET /hip.html HTTP/1.1", r"\x16\x03\x01"), "malformed request"),
        (line("/hip.html").replace("GET /hip.html HTTP/1.1", "-"), "malformed request"),
        (line("/hip.html", status=301), "status 301"),
        (line("/hip.html", status=206), "status 206"),
        (line("/hip.html", agent="-"), "crawler or tool"),
        (line("/hip.html", agent=""), "crawler or tool"),
        (line("/", agent="curl/8.5"), "asset or other address"),
    ],
)
def test_what_is_no_page_view_is_counted_by_reason(tmp_path: Path, text: str, reason: str):
    """It is no fault of the log."""
    _, reader = read(tmp_path / "access.log", lines([line("/gout.html"), text]))

    assert reader.skipped == {reason: 1}


def test_a_log_of_nothing_but_other_things_is_refused_and_says_why(tmp_path: Path):
    """Also that the store may lack what the log speaks of."""
    log = tmp_path / "access.log"
    log.write_text(lines([line("/logo.png"), line("/logo.png")]))

    with pytest.raises(InputError, match=r"could be used: asset or other address \(2\)$"):
        list(EventReader([log], finder=FINDER))
    with pytest.raises(InputError, match="no article has an address: import articles"):
        list(EventReader([log], finder=Finder([("hip", None)])))


def test_bytes_of_no_known_encoding_are_borne(tmp_path: Path):
    """Servers write what they were sent."""
    raw = lines([line("/hip.html", agent=BROWSER + " caf\xe9")]).encode("latin-1")

    events, reader = read(tmp_path / "access.log", raw)

    assert events == [PageView(NOON, "hip")]
    assert reader.n_bad == 0


def test_a_long_log_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch):
    """What is too old to be reloaded is forgotten."""
    monkeypatch.setattr("recommender.events.formats.access_log.MAX_REMEMBERED", 100)
    log = AccessLog(FINDER, Reasons())
    kept = 0
    for n in range(1000):
        text = line("/hip.html", minute=n / 2, client=f"client{n}")
        log.read(Record("x:1", {"line": text}))
        kept += len(list(log.flush()))

    assert kept == 1000
    assert len(log.last) <= 101
    assert len(log.taken) <= 101


TIMES = st.from_regex(r"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]", fullmatch=True)
NASTY = st.text(alphabet='"\\ []-/:+0159 GETHP.\x00\ud800é\n') | st.text()


@pytest.mark.slow
@given(
    st.one_of(
        st.text(),
        NASTY,
        st.builds(
            lambda client, time, request, status, referrer, agent: (
                f'{client} - - {time} "{request}" {status} 5 "{referrer}" "{agent}"'
            ),
            NASTY, TIMES, NASTY, st.integers(0, 999), NASTY, NASTY,
        ),
    )
)  # fmt: skip
def test_no_line_is_more_than_faulty(text: str):
    """Whatever it holds."""
    log = AccessLog(FINDER, Reasons())

    try:
        log.read(Record("x:1", {"line": text}))
        assert len(list(log.flush())) <= 1
    except (EventError, Skip) as exc:
        assert str(exc)
