"""Page views are the same whichever server wrote the log, and whatever stands before it."""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from foreign import lines, problems, read
from hypothesis import given
from hypothesis import strategies as st

from recommender.errors import EventError
from recommender.events.event import PageView
from recommender.events.formats.access_dialects import Dialects, json_line, recognises
from recommender.events.formats.base import Skip

PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1 Safari/604.1"
TEN = datetime(2026, 11, 22, 10, tzinfo=UTC)
TEN_MS = 1_795_341_600_000
KNEE, HIP = "https://example.org/knee.html", "https://example.org/hip.html"

# One reader of the article on hips, who came from that on knees, as servers write it.
CLIENT = "203.0.113.9"
CLF = f'"GET /hip.html HTTP/1.1" 200 5123 "{KNEE}" "{PHONE}"'
TIME = "[22/Nov/2026:10:00:00 +0000]"
JSON: dict[str, dict[str, Any]] = {
    "nginx": {
        "time_iso8601": "2026-11-22T10:00:00+00:00", "remote_addr": CLIENT,
        "request": "GET /hip.html HTTP/1.1", "status": "200", "request_time": "0.005",
        "http_referrer": KNEE, "http_user_agent": PHONE, "host": "example.org",
    },
    "nginx, in parts": {
        "msec": "1795341600.000", "client": CLIENT, "method": "GET", "uri": "/hip.html",
        "status": 200, "referer": KNEE, "agent": PHONE, "upstream_status": "502",
    },
    "caddy": {
        "ts": 1795341600.0, "logger": "http.log.access", "status": 200, "duration": 0.01,
        "request": {
            "remote_ip": "10.0.0.5", "client_ip": CLIENT, "method": "GET", "host": "example.org",
            "uri": "/hip.html", "headers": {"Referer": [KNEE], "User-Agent": [PHONE]},
        },
    },
    "elastic": {
        "@timestamp": "2026-11-22T10:00:00.000Z", "source": {"ip": CLIENT},
        "url": {"original": "/hip.html", "domain": "example.org"},
        "http": {"request": {"method": "GET", "referrer": KNEE}, "response": {"status_code": 200}},
        "user_agent": {"original": PHONE, "name": "Mobile Safari"},
    },
    "elastic, dotted, from an index": {
        "_index": "logs", "_source": {
            "@timestamp": "2026-11-22T10:00:00.000Z", "source.ip": CLIENT,
            "url.original": "/hip.html", "http.request.method": "GET",
            "http.request.referrer": KNEE, "http.response.status_code": 200,
            "user_agent.original": PHONE,
        },
    },
    "logstash": {
        "timestamp": "22/Nov/2026:10:00:00 +0000", "clientip": CLIENT, "verb": "GET",
        "request": "/hip.html", "response": "200", "referrer": f'"{KNEE}"', "agent": f'"{PHONE}"',
        "type": "apache",
    },
    "logstash, with the log's own path": {
        "message": f"{CLIENT} - - ...", "path": "/var/log/nginx/access.log", "host": "web1",
        "timestamp": "22/Nov/2026:10:00:00 +0000", "clientip": CLIENT, "verb": "GET",
        "request": "/hip.html", "response": "200", "referrer": f'"{KNEE}"', "agent": f'"{PHONE}"',
    },
    "fluentd": {
        "time": "2026-11-22T10:00:00Z", "remote": CLIENT, "host": "-", "user": "-",
        "method": "GET", "path": "/hip.html", "code": "200", "referer": KNEE, "agent": PHONE,
    },
    "traefik": {
        "ClientAddr": f"{CLIENT}:50321", "ClientHost": CLIENT, "DownstreamStatus": 200,
        "RequestMethod": "GET", "RequestPath": "/hip.html", "request_Referer": KNEE,
        "request_User-Agent": PHONE, "time": "2026-11-22T10:00:00Z",
    },
    "google": {
        "timestamp": "2026-11-22T10:00:00Z", "httpRequest": {
            "remoteIp": CLIENT, "requestMethod": "GET", "requestUrl": HIP, "status": 200,
            "userAgent": PHONE, "referer": KNEE,
        },
    },
    "cloudflare": {
        "ClientIP": CLIENT, "ClientRequestMethod": "GET", "ClientRequestURI": "/hip.html",
        "ClientRequestReferer": KNEE, "ClientRequestUserAgent": PHONE, "EdgeResponseStatus": 200,
        "EdgeStartTimestamp": 1795341600000000000,
    },
    "cloudfront": {
        "date": "2026-11-22", "time": "10:00:00", "c-ip": CLIENT, "cs-method": "GET",
        "cs-uri-stem": "/hip.html", "sc-status": "200", "cs(Referer)": KNEE,
        "cs(User-Agent)": PHONE,
    },
    "envoy": {
        "start_time": "2026-11-22T10:00:00.000Z", "method": "GET", "path": "/hip.html",
        "response_code": 200, "user_agent": PHONE, "referer": KNEE, "x_forwarded_for": CLIENT,
        "downstream_remote_address": "10.0.0.5:443",
    },
}  # fmt: skip
IIS = "#Software: Microsoft Internet Information Services 10.0\n#Version: 1.0\n"
FIELDS = (
    "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query c-ip cs(User-Agent) cs(Referer) "
    "sc-status"
)
AGENT = PHONE.replace(" ", "+")
CLOUDFRONT = (
    "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) "
    "cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query\n"
)
OTHERS = {
    "combined": f"{CLIENT} - - {TIME} {CLF}",
    "combined, with more behind": f'{CLIENT} - - {TIME} {CLF} 0.012 "-" "TLSv1.3" 10.0.0.7:8080',
    "vhost_combined": f"example.org:443 {CLIENT} - - {TIME} {CLF}",
    "vhost_combined, no port": f"example.org {CLIENT} - frank {TIME} {CLF}",
    "combined, by syslog": f"Nov 22 10:00:00 web1 nginx: {CLIENT} - - {TIME} {CLF}",
    "combined, in Docker's records": json.dumps(
        {"log": f"{CLIENT} - - {TIME} {CLF}\n", "stream": "stdout", "time": "2026-11-23T10:00:00Z"}
    ),
    "combined, in a collector's": json.dumps(
        {"@timestamp": "2026-11-23T10:00:00Z", "message": f"{CLIENT} - - {TIME} {CLF}",
         "log": {"file": {"path": "/var/log/access.log"}}}
    ),
    "combined, in a container's lines": (
        f"2026-11-23T10:00:00.1Z stdout F {CLIENT} - - {TIME} {CLF}"
    ),
    "JSON, in a container's lines": (
        f"2026-11-23T10:00:00.1Z stdout F {json.dumps(JSON['nginx'])}"
    ),
    "IIS W3C": (
        f"{IIS}{FIELDS}\n"
        f"2026-11-22 10:00:00 10.0.0.9 GET /hip.html a=1 {CLIENT} {AGENT} {KNEE} 200"
    ),
    "IIS W3C, fields that change": (
        f"{IIS}{FIELDS}\n2026-11-22 09:00:00 10.0.0.9 GET /logo.png - {CLIENT} {AGENT} - 200\n"
        "#Fields: time c-ip cs-method cs-uri-stem sc-status cs(Referer) cs(User-Agent)\n"
        "#Date: 2026-11-22 10:00:00\n"
        f"10:00:00 {CLIENT} GET /hip.html 200 {KNEE} {AGENT}"
    ),
    "W3C extended": (
        "#Fields: date time c-ip cs-method cs-uri sc-status cs(Referer) cs(User-Agent)\n"
        f'2026-11-22 10:00:00 {CLIENT} GET /hip.html 200 "{KNEE}" "{PHONE}"'
    ),
    "CloudFront": CLOUDFRONT + "\t".join(
        ["2026-11-22", "10:00:00", "FRA2", "5", CLIENT, "GET", "d1.example", "/hip.html", "200",
         KNEE, PHONE.replace(" ", "%2520"), "-"]
    ),
}  # fmt: skip
SAMPLES = {**{f"JSON, {name}": json.dumps(each) for name, each in JSON.items()}, **OTHERS}


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_page_view_is_the_same_in_every_dialect(tmp_path: Path, name: str, ends: str):
    """With its referrer, by its own time; the dialect is named, and no name or ending is needed."""
    text = f"{SAMPLES[name]}\n".replace("\n", ends)

    plain, reader = read(tmp_path / "log", "\ufeff" + text)
    packed, _ = read(tmp_path / "log.gz", gzip.compress(text.encode()))

    assert plain == packed == [PageView(TEN_MS, "hip", "", "knee")]
    assert (reader.n_bad, problems(reader)) == (0, [])
    assert [*reader.read_as] == [f"access log, {name.partition(', ')[0]}"]


def test_formats_without_agents_or_referrers_are_read_and_it_is_noted(tmp_path: Path):
    """The common format, and load balancers, which have no referrers."""
    common = f'{CLIENT} - - {TIME} "GET /hip.html HTTP/1.1" 200 5123'
    balancer = (
        f"h2 2026-11-22T10:00:00.123456Z app/lb/1 {CLIENT}:2817 10.0.0.1:80 0.000 0.001 0.000 200 "
        f'200 34 366 "GET {HIP}:443/ HTTP/2.0" "{PHONE}" ECDHE TLSv1.2 arn'
    ).replace(f"{HIP}:443/", "https://example.org:443/hip.html")

    of_common, first = read(tmp_path / "common", common)
    of_balancer, second = read(tmp_path / "balancer", balancer)

    assert of_common == [PageView(TEN_MS, "hip")]
    assert of_balancer == [PageView(TEN_MS + 123, "hip")]
    assert first.remarks == {"without a user agent, so crawlers are among them": 1}
    assert [*first.read_as, *second.read_as] == [
        "access log, common", "access log, AWS load balancer",
    ]  # fmt: skip


def readers(shape: Callable[[int, str], str], *, n: int = 40, apart: int = 20) -> str:
    """So many readers with one kind of phone, of whom each goes on after a quarter of a minute."""
    found = []
    for number in range(1, n + 1):
        for seconds, page, origin in [(0, "knee", "https://search.example/"), (15, "hip", KNEE)]:
            at = TEN + timedelta(seconds=number * apart + seconds)
            request = f'[{at:%d/%b/%Y:%H:%M:%S} +0000] "GET /{page}.html HTTP/1.1"'
            found.append(shape(number, f'{request} 200 5 "{origin}" "{PHONE}"'))
    return lines(found)


@pytest.mark.parametrize("apart", [20, 400])
@pytest.mark.parametrize(
    ("shape", "noted"),
    [
        (lambda n, rest: f"203.0.113.{n} - - {rest}", ""),
        (lambda n, rest: f"2001:db8::{n:x} - - {rest}", ""),
        (lambda n, rest: f"fe80::a:{n:x}%eth0 - - {rest}", ""),
        (lambda n, rest: f'203.0.113.{n} - "jo bloggs" {rest}', ""),
        (lambda n, rest: f"x.example:443 203.0.113.{n} - - {rest}", ""),
        (lambda n, rest: f"x.example 203.0.113.{n} - - {rest}", ""),
        (lambda n, rest: f"x.example:443 host{n}.example - - {rest}", ""),
        (lambda n, rest: f"10.0.0.5 [203.0.113.{n}] - - {rest}", ""),
        (lambda n, rest: f"10.0.0.5 203.0.113.{n} - - {rest}", ""),
        (lambda n, rest: f"203.0.113.{n}, 10.0.0.5 - - {rest}", ""),
        (lambda n, rest: f'10.0.0.5 - - {rest} "203.0.113.{n}"', ""),
        (lambda n, rest: f'10.0.0.5 - - {rest} 0.1 "203.0.113.{n}, 10.0.0.1" "x"', ""),
        (lambda n, rest: f"Nov 22 10:00:00 10.0.0.5 nginx: 203.0.113.{n} - - {rest}", ""),
        (lambda n, rest: f"Nov 22 10:00:00 10.0.0.5 nginx: 203.0.113.{n} - jo b {rest}", ""),
        (
            lambda n, rest: (
                f"<134>1 2026-11-22T10:00:00Z 10.0.0.5 nginx 7 - - 203.0.113.{n} - - {rest}"
            ),
            "",
        ),
        (lambda n, rest: f"Nov 22 10:00:00 10.0.0.5 nginx: 203.0.113.{n}, 10.0.0.1 - - {rest}", ""),
        (lambda n, rest: f"203.0.113.{n} 10.0.0.9 - - {rest}", ""),
        (lambda n, rest: f'203.0.113.{n} - - {rest} "10.0.0.9"', ""),
        (lambda n, rest: f'10.0.0.5 - - {rest} "10.0.0.9" "203.0.113.{n}"', ""),
        (lambda n, rest: f'10.0.0.5 - - {rest} "10.0.1.{n}"', ""),
        (lambda n, rest: f"10.0.0.5 - - {rest}", "one address"),
        (lambda n, rest: f'10.0.0.5 - - {rest} "-"', "one address"),
        (lambda n, rest: f"x.example - - {rest}", "one address"),
        (lambda n, rest: f"203.0.113.0 - - {rest}", "addresses are cut"),
        (lambda n, rest: f"203.0.{n % 9}.0 - - {rest}", "addresses are cut"),
        (lambda n, rest: f"203.0.113.xxx - - {rest}", "addresses are cut"),
        (lambda n, rest: f"2001:db8:{n % 9}:: - - {rest}", "addresses are cut"),
    ],
)
def test_readers_whom_addresses_do_not_tell_apart_are_kept(
    tmp_path: Path, shape: Callable[[int, str], str], noted: str, apart: int
):
    """Eighty page views, forty with their referrer, and a remark where it is so; busy or not."""
    events, reader = read(tmp_path / "access.log", readers(shape, apart=apart))

    found = [event for event in events if isinstance(event, PageView)]
    assert (len(found), sum(event.referrer_id == "knee" for event in found)) == (80, 40)
    assert [remark.startswith(noted) for remark in reader.remarks] == [True] * bool(noted)
    assert reader.remarks.total() == (80 if noted else 0)


def test_one_office_among_many_readers_is_told_by_its_haste(tmp_path: Path):
    """Others' reloads are still left out."""
    office = readers(lambda n, rest: f"198.51.100.7 - - {rest}")
    others = "".join(readers(lambda n, rest, at=at: f"203.0.113.{at} - - {rest}", n=1) * 2
                     for at in range(1, 60))  # fmt: skip

    events, reader = read(tmp_path / "access.log", office + others)

    assert len(events) == 80 + 59 * 2
    assert reader.skipped == {"reload": 59 * 2}
    assert reader.remarks.total() == 80


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"time": "noon", "ip": "203.0.113.9", "request": "GET / HTTP/1.1", "status": 200}',
         "field time: no such time: 'noon'"),
        ('{"remote_addr": "203.0.113.9", "request": "GET / HTTP/1.1", "status": 200}',
         "field time: none has a name that stands for it"),
        ('{"time": 1795341600, "request": "GET / HTTP/1.1"}',
         "field status: none has a name that stands for it"),
        ("{", "not JSON"),
    ],
)  # fmt: skip
def test_a_fault_in_json_names_the_field(text: str, complaint: str):
    """And quotes no address."""
    with pytest.raises(EventError) as caught:
        json_line(text, where="a:1")

    assert str(caught.value) == f"a:1: {complaint}"


@pytest.mark.parametrize("time", ["01/Jan/0001:00:00:00 +0100", "31/Dec/9999:23:59:59 -0100"])
def test_a_time_beyond_all_calendars_costs_its_line(tmp_path: Path, time: str):
    """In both shapes; the others are read."""
    odd = f"{CLIENT} - - [{time}] {CLF}"
    odd_json = json.dumps({**JSON["nginx"], "time_iso8601": time})

    events, reader = read(tmp_path / "log", lines([odd, OTHERS["combined"], odd]))
    of_json, other = read(tmp_path / "json", lines([odd_json, SAMPLES["JSON, nginx"]]))

    assert events == of_json == [PageView(TEN_MS, "hip", "", "knee")]
    assert (reader.n_bad, other.n_bad) == (2, 1)


@pytest.mark.parametrize(
    "start",
    [
        {"level": "info", "ts": 1795341600.1, "msg": "starting"},
        {
            "level": "error",
            "ts": 1795341600.1,
            "msg": "no certificate",
            "url": "https://ca.example",
        },
        {"log": "/entrypoint.sh: ready\n", "stream": "stdout", "time": "2026-11-22T10:00:00Z"},
    ],
)
def test_a_log_may_begin_with_what_is_no_request(tmp_path: Path, start: dict[str, Any]):
    """What the server says of itself is skipped, and decides nothing."""
    text = lines([*[json.dumps(start)] * 30, SAMPLES["JSON, caddy"]])

    events, reader = read(tmp_path / "access.json", text)

    assert events == [PageView(TEN_MS, "hip", "", "knee")]
    assert (reader.n_bad, reader.skipped) == (0, {"line without a request": 30})


def test_an_inner_address_does_not_hide_who_asked():
    """Servers log what they forwarded to, in JSON too; within a network it is all there is."""
    given = {**JSON["nginx"], "http_x_forwarded_for": "10.0.0.9"}
    within = {**given, "remote_addr": "10.0.0.5"}

    assert json_line(json.dumps(given), where="a:1").client == CLIENT
    assert json_line(json.dumps(within), where="a:1").client == "10.0.0.9"


def test_rows_that_are_cut_or_have_no_page_are_faulty():
    """By what #Fields promised."""
    dialects = Dialects()
    with pytest.raises(Skip):
        dialects.read(FIELDS, where="a:1")

    with pytest.raises(EventError, match=r"a:2: 2 cells; #Fields names 10"):
        dialects.read("2026-11-22 10:00:00", where="a:2")
    with pytest.raises(EventError, match=r"a:3: field c-ip: missing"):
        dialects.read(f"2026-11-22 10:00:00 - GET / - - {AGENT} - 200", where="a:3")
    with pytest.raises(EventError, match=r"b:1: field user"):
        dialects.read("203.0.113.9", where="b:1")  # another file has none


@pytest.mark.parametrize(
    "text",
    ['{"type": "click", "time": 1, "method": "GET", "uri": "/", "status": 1, "ip": "::1"}',
     '{"time": 1, "level": "info", "message": "started"}', "#Fields: id title", "a b c"],
)  # fmt: skip
def test_other_records_are_not_taken_for_access_logs(text: str):
    """Our own, and what else is JSON."""
    assert not recognises(text)


NAMES = st.text(max_size=9)
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
)


@given(st.dictionaries(NAMES, VALUES, max_size=6), st.data())
def test_no_record_is_more_than_faulty(record: dict[str, Any], data: st.DataObject):
    """Whatever it holds under the names that we know."""
    for name in ("time", "remote_addr", "request", "status", "method", "http_x_forwarded_for"):
        if data.draw(st.booleans()):
            record[name] = data.draw(st.none() | st.integers() | st.text(max_size=9))
    text = json.dumps(record)

    recognises(text)
    try:
        json_line(text, where="a:1")
    except (EventError, Skip) as exc:
        assert str(exc)
