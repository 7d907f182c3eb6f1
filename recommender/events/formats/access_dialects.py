"""Lines of access logs as different servers write them, each made the same ``Line``.

Apache's and nginx's combined and common format, with a virtual host before or without; JSON of
nginx, Caddy, Traefik, Filebeat and the like; the extended format of the W3C (IIS, CloudFront),
whose ``#Fields`` say what stands where; the load balancers of AWS.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple
from urllib.parse import unquote

from recommender.errors import EventError
from recommender.events.event import MILLISECOND
from recommender.events.formats.base import Skip, json_object
from recommender.times import EPOCH, parse_time

QUOTED = r'"([^"\\]*(?:\\.[^"\\]*)*)"'
# Before the time stand, mostly, the client's address, its identity and its user.
PIECES = {
    "address": r"(\S+)",
    "user": r"( \S+ .{1,400}?)",
    "time": r" \[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\]",
    "request": f" {QUOTED}",
    "status": r" (\d{3})",
    "size": r" (?:\d+|-)",
    "referrer": f" {QUOTED}",
    "user agent": f" {QUOTED}",
}
LINE = re.compile("".join(PIECES.values()))
COMMON = re.compile("".join([*PIECES.values()][:-2]) + r"\s*")
# Of load balancers: addresses have ports, and the request a whole address.
BALANCER = re.compile(
    r"(?:https?|h2|grpcs|wss?) (\d{4}-\d\d-\d\dT\S+) \S+ (\S+):\d+ \S+ "
    rf"[-.\d]+ [-.\d]+ [-.\d]+ (\d{{3}}|-) \S+ [-\d]+ [-\d]+ {QUOTED} {QUOTED}"
)
# A cell of the extended format, which Tomcat puts in quotes.
CELL = re.compile(r'"((?:[^"]|"")*)"|(\S+)')
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
ESCAPED = re.compile(r"\\x([0-9A-Fa-f]{2})")
FORWARDED = re.compile(r'"([^"]*)"')
# The names that fields have in logs of JSON, in the order in which they are tried: without case and
# marks, and those of inner objects alone or behind the outer ones'.
NAMES = {
    "time": (
        "timeiso8601", "timestamp", "time", "timelocal", "ts", "msec", "starttime", "startutc",
        "edgestarttimestamp", "datetime", "date", "eventtime", "eventcreated",
    ),
    "address": (
        "clientip", "remoteaddr", "remoteip", "sourceip", "clientaddress", "sourceaddress",
        "clienthost", "remotehost", "remoteaddress", "requestremoteaddr", "cip",
        "downstreamremoteaddress", "client", "remote", "ip", "host",
    ),
    "forwarded": (
        "httpxforwardedfor", "headersxforwardedfor", "requestxforwardedfor", "xforwardedfor",
        "forwardedfor", "xff", "httpcfconnectingip", "httpxrealip", "xrealip", "realip",
    ),
    "method": (
        "requestmethod", "httprequestmethod", "clientrequestmethod", "method", "httpmethod",
        "csmethod", "verb",
    ),
    "target": (
        "requesturi", "clientrequesturi", "urloriginal", "httprequestrequesturl", "csuristem",
        "uri", "requestpath", "requesturl", "urlpath", "request", "requestline", "url", "path",
    ),
    "status": (
        "status", "httpresponsestatuscode", "httpstatuscode", "responsestatus",
        "responsestatuscode", "statuscode", "downstreamstatus", "originstatus",
        "edgeresponsestatus", "responsecode", "scstatus", "response", "code",
    ),
    "referrer": (
        "httpreferer", "httpreferrer", "httprequestreferrer", "clientrequestreferer", "csreferer",
        "referer", "referrer", "requestreferer",
    ),
    "agent": (
        "httpuseragent", "useragentoriginal", "clientrequestuseragent", "csuseragent", "useragent",
        "requestuseragent", "agent", "ua",
    ),
    "date": ("date",),
}  # fmt: skip
NEEDED = ("time", "target", "status")
# What our own records are, whatever else stands in them.
OWN_TYPES = ("impression", "click", "pageview")
# Words before the address, where a line comes by syslog or out of a container.
MAX_PREFIX = 8
# Addresses that mean somebody only within a network (RFC 1918, 6598, 3927, 4193, 4291).
INNER = tuple(map(ip_network, (
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8",
    "169.254.0.0/16", "fc00::/7", "fe80::/10", "::1/128",
)))  # fmt: skip
# What containers write before a line (Kubernetes), and the fields in which their and collectors'
# records of JSON hold one.
CONTAINER = re.compile(r"\S+ (?:stdout|stderr) [FP] (?=\{)")
WRAPPING = ("log", "message", "MESSAGE")


class Line(NamedTuple):
    """One request; the time is in milliseconds since 1970. ``client`` is whoever asked, as far as
    the log says: the address, and that which a proxy forwarded. ``agent`` is None where the format
    has none.
    """

    address: str
    client: str
    ts: int
    method: str
    target: str
    status: str
    referrer: str
    agent: str | None


@dataclass(slots=True)
class Dialects:
    """Reads the lines of one file after another; ``names`` are the dialects of the last."""

    file: str = ""
    names: dict[str, None] = field(default_factory=dict)
    fields: tuple[str, ...] = ()
    date: str = ""
    software: str = ""
    combined: bool = False

    def read(self, text: str, *, where: str) -> Line:
        """The request of a line. ``EventError`` names the field that is at fault, but quotes
        nothing: lines name people. ``Skip`` for what is about the log.
        """
        if not self.file or not where.startswith(self.file):
            file = f"{where.rpartition(':')[0]}:"
            self.file, self.fields, self.date, self.software = file, (), "", ""
            self.names, self.combined = {}, False
        # Most lines are like those before.
        if self.combined and (match := LINE.match(text)) is not None and match[2][:3] == " - ":
            return _of_match(match.groups(), text[match.end() :], where)
        text = text.rstrip("\r\n")
        if text.startswith("#"):
            self._directive(text)
            raise Skip("line about the log")
        if self.fields:
            return self._extended(text, where)
        text = unwrapped(text)
        if text.startswith("{"):
            line = json_line(text, where=where)
            self.names["JSON"] = None
            return line
        if (match := BALANCER.match(text)) is not None:
            time, address, status, request, agent = match.groups()
            self.names["AWS load balancer"] = None
            method, target = split_request(request)
            ts = _moment(time, where)
            return Line(address, address, ts, method, target, status, "", agent)
        # In the midst of longer lines a shorter one is cut.
        common = None if self.combined else COMMON.fullmatch(text)
        if common is not None:
            line = _of_match((*common.groups(), "-", None), "", where)
        else:
            line = parse_line(text, where=where)
            self.combined = True
        host, _, rest = text.partition(" ")
        name = "combined" if self.combined else "common"
        behind_host = not is_address(host) and rest.startswith(f"{line.address} ")
        self.names[f"vhost_{name}" if behind_host else name] = None
        return line

    def _directive(self, text: str) -> None:
        name, _, value = text[1:].partition(":")
        if name == "Fields":
            self.fields = tuple(value.split())
        elif name == "Date":
            self.date = value.split()[0] if value.split() else ""
        elif name == "Software":
            self.software = value.strip()

    def _extended(self, text: str, where: str) -> Line:
        tabs = "\t" in text
        if tabs:
            cells = text.split("\t")
        else:
            cells = [
                whole.replace('""', '"') if bare == "" else bare
                for whole, bare in CELL.findall(text)
            ]
        if len(cells) < len(self.fields):
            raise EventError(f"{where}: {len(cells)} cells; #Fields names {len(self.fields)}")
        given = dict(zip(map(str.lower, self.fields), cells, strict=False))

        def of(*names: str) -> str:
            return next((given[name] for name in names if given.get(name, "-") != "-"), "")

        cloudfront = "x-edge-location" in given
        self.names["CloudFront" if cloudfront else self._extended_name()] = None
        stem, query = of("cs-uri-stem", "cs-uri"), of("cs-uri-query")
        agent = of("cs(user-agent)")
        if not tabs:
            agent = agent.replace("+", " ")
        elif cloudfront:
            agent = unquote(unquote(agent))
        for name, value in (("time", of("time")), ("cs-uri-stem", stem), ("c-ip", of("c-ip"))):
            if not value:
                raise EventError(f"{where}: field {name}: missing")
        referrer = of("cs(referer)", "cs(referrer)")
        address = of("c-ip")
        return Line(
            address=address,
            client=_client(address, of("x-forwarded-for", "cs(x-forwarded-for)")),
            ts=_moment(f"{of('date') or self.date} {of('time')}", where),
            method=of("cs-method") or "GET",
            target=f"{stem}?{query}" if query else stem,
            status=of("sc-status"),
            referrer=unquote(referrer) if cloudfront and "%3A" in referrer[:12] else referrer,
            agent=agent if "cs(user-agent)" in given else None,
        )

    def _extended_name(self) -> str:
        iis = "Internet Information Services" in self.software or "s-sitename" in self.fields
        return "IIS W3C" if iis else "W3C extended"


def recognises(line: str) -> bool:
    """Whether a line is one of an access log."""
    line = unwrapped(line)
    if line.startswith("#"):
        return line.startswith("#Fields:") and "c-ip" in line and " time" in line
    if line.startswith("{"):
        fields = json_object(line)
        return fields is not None and _has_request(fields)
    line = line.rstrip()
    return bool(LINE.match(line) or COMMON.fullmatch(line) or BALANCER.match(line))


def unwrapped(text: str) -> str:
    """The line that a container's or collector's record holds; the text itself if it holds none."""
    if (match := CONTAINER.match(text)) is not None:
        text = text[match.end() :]
    if text.startswith("{") and any(f'"{name}"' in text for name in WRAPPING):
        fields = json_object(text) or {}
        held = (fields[name] for name in WRAPPING if isinstance(fields.get(name), str))
        line = next((line.rstrip("\r\n") for line in held if recognises(line)), None)
        if line is not None and not _has_request(fields):
            return line
    return text


def parse_line(text: str, *, where: str) -> Line:
    """A line in the combined format. ``EventError`` names the field."""
    match = LINE.match(text)
    if match is None:
        raise EventError(f"{where}: field {_faulty(text)}: not as in the combined log format")
    return _of_match(match.groups(), text[match.end() :], where)


def _faulty(text: str) -> str:
    """The first piece that is not there."""
    so_far = ""
    for name, piece in PIECES.items():
        so_far += piece
        if not re.match(so_far, text):
            return name
    return "user agent"


def _of_match(pieces: tuple[str | None, ...], behind: str, where: str) -> Line:
    first, others, time, request, status, referrer, agent = pieces
    try:
        ts = _milliseconds(time or "")
    except (ValueError, OverflowError):  # the years 1 and 9999 end a zone earlier
        raise EventError(f"{where}: field time: no such time: {time!r}") from None
    address = first or ""
    if not (others or "").startswith(" - "):
        address = _address(address, others or "")
    forwarded = ""
    if '"' in behind:
        texts = (match[1] for match in FORWARDED.finditer(behind))
        found = [text for text in texts if _addresses(text)]
        # One may be the server's own, or that of the one behind it.
        outer = (text for text in found if not all(map(_is_inner, _addresses(text))))
        forwarded = next(outer, found[0] if found else "")
    method, target = split_request(request or "")
    client = _client(address, forwarded) if forwarded else address
    return Line(address, client, ts, method, target, status or "", referrer or "", agent)


def _address(first: str, others: str) -> str:
    """The client's address where more stands before its identity: a virtual host, what syslog and
    containers put before a line, a proxy with the client in brackets, all that were forwarded.
    """
    if first.endswith(",") and is_address(first.rstrip(",")):
        return first.rstrip(",")
    words = others.split()
    second = words[0].strip("[](),") if words else ""
    if is_address(first) and is_address(second):
        behind_proxy = words[0] != second or not _is_public(first)
        return second if behind_proxy and not _hides(second, first) else first
    found = _before_user([first, *words])
    if found is not None:
        return found
    # A virtual host with its port may stand before a client's name.
    return second if re.search(r":\d+$", first) and second not in ("", "-") else first


def _before_user(words: list[str]) -> str | None:
    """The address that stands directly before identity and user, or the first of a list that does;
    else the first there is: hosts that send logs may be addresses too.
    """
    bare = [word.strip("[](),") for word in words]
    found = [at for at in range(min(len(words), MAX_PREFIX + 1)) if is_address(bare[at])]
    if len(words) > 2 and is_address(bare[-3]):
        at = len(words) - 3
    elif found:
        at = next((at for at in found if words[at + 1 : at + 2] == ["-"]), found[0])
    else:
        return None
    while at and words[at - 1].endswith(",") and is_address(bare[at - 1]):
        at -= 1
    return bare[at]


@lru_cache(maxsize=20_000)
def is_address(text: str) -> bool:
    """Whether it is an address of the internet."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=20_000)
def _is_public(text: str) -> bool:
    return ip_address(text).is_global


@lru_cache(maxsize=20_000)
def _is_inner(text: str) -> bool:
    """Whether it is an address within somebody's network."""
    if not is_address(text):
        return False
    address = ip_address(text)
    return any(address in network for network in INNER if network.version == address.version)


def _hides(inner: str, outer: str) -> bool:
    """Whether to take the one for the other would be to lose who asked."""
    return _is_inner(inner) and is_address(outer) and not _is_inner(outer)


def _addresses(text: str) -> list[str]:
    """The addresses of which a text is a list; none, if it is another."""
    parts = [part.strip().strip("[]\"'") for part in text.split(",")]
    return parts if parts and all(map(is_address, parts)) else []


def _client(address: str, forwarded: str) -> str:
    """Who asked: the first that was forwarded, which proxies put before their own. One within a
    network, as servers log of themselves, takes no other's place.
    """
    parts = (part.strip().strip("[]\"'") for part in forwarded.split(","))
    found = (part for part in parts if is_address(part) and not _hides(part, address))
    return next(found, address)


@lru_cache(maxsize=1_000)
def _milliseconds(time: str) -> int:
    zone = timedelta(hours=int(time[22:24]), minutes=int(time[24:26]))
    moment = datetime(
        int(time[7:11]), MONTHS.index(time[3:6]) + 1, int(time[0:2]),
        int(time[12:14]), int(time[15:17]), min(int(time[18:20]), 59),  # a leap second
        tzinfo=timezone(-zone if time[21] == "-" else zone),
    )  # fmt: skip
    return (moment.astimezone(UTC) - EPOCH) // MILLISECOND


def _moment(value: Any, where: str) -> int:
    try:
        return _known_moment(value) if isinstance(value, str) else _in_ms(value)
    except (ValueError, OverflowError):
        raise EventError(f"{where}: field time: no such time: {str(value)[:40]!r}") from None


def _in_ms(value: Any) -> int:
    return (parse_time(value) - EPOCH) // MILLISECOND


_known_moment = lru_cache(maxsize=1_000)(_in_ms)


def split_request(request: str) -> tuple[str, str]:
    r"""Method and target; bytes that the server wrote as ``\xhh`` as addresses have them.

    >>> split_request(r"GET /caf\xC3\xA9?a=1 HTTP/1.1")
    ('GET', '/caf%C3%A9?a=1')
    """
    method, _, rest = request.partition(" ")
    target = rest.rpartition(" HTTP/")[0] or rest
    return method, ESCAPED.sub(r"%\1", target) if "\\" in target else target


# JSON


def json_line(text: str, *, where: str) -> Line:
    """A line of JSON, whatever its fields are called. ``EventError`` names those that are not
    there.
    """
    fields = json_object(text)
    if fields is None:
        raise EventError(f"{where}: not JSON")
    given = _known(fields)
    if "target" not in given:
        raise Skip("line without a request")
    if missing := [name for name in NEEDED if name not in given]:
        if not _has_method(given):  # what a server says of itself may name an address
            raise Skip("line without a request")
        raise EventError(f"{where}: field {missing[0]}: none has a name that stands for it")
    target, method = str(given["target"]), str(given.get("method") or "GET")
    if " " in target:
        method, target = split_request(target)
    time = given["time"]
    if isinstance(time, str):
        time = time.strip("[]")
        if time[2:3] == ":":  # of a day
            time = f"{given.get('date', '')} {time}"
    address = str(given.get("address") or "")
    return Line(
        address=address,
        client=_client(address, str(given.get("forwarded") or "")),
        ts=_moment(time, where),
        method=method,
        target=target,
        status=str(given["status"]).removesuffix(".0"),
        referrer=_text(given.get("referrer")),
        agent=_text(given["agent"]) if "agent" in given else None,
    )


def _has_request(fields: Mapping[str, Any]) -> bool:
    given = _known(fields)
    by_whom = not {"address", "forwarded", "agent"}.isdisjoint(given)
    whole = _has_method(given) and by_whom and all(name in given for name in NEEDED)
    return whole and fields.get("type") not in OWN_TYPES


def _has_method(given: Mapping[str, Any]) -> bool:
    return "method" in given or " " in str(given.get("target", ""))


def _text(value: Any) -> str:
    text = "" if value is None else str(value).strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _known(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The values that fields of these ``NAMES`` have."""
    by_name: dict[str, Any] = {}
    for path, value in sorted(_flat(fields, ()), key=lambda pair: len(pair[0])):
        for start in range(len(path)):
            by_name.setdefault("".join(path[start:]), value)
    found = {
        role: by_name[name]
        for role, names in NAMES.items()
        if (name := next((name for name in names if name in by_name), None)) is not None
    }
    # Names of hosts are the server's, mostly.
    addresses = (_without_port(str(by_name[name])) for name in NAMES["address"] if name in by_name)
    if (address := next(filter(is_address, addresses), None)) is not None:
        found["address"] = address
    return found


def _without_port(text: str) -> str:
    """An address, of which the port may stand behind."""
    host, _, port = text.rpartition(":")
    return host.strip("[]") if port.isdigit() and is_address(host.strip("[]")) else text


def _flat(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The values within objects, with the way to each."""
    if isinstance(value, dict) and len(path) < 6:
        for name, inner in value.items():
            yield from _flat(inner, (*path, *map(_squashed, str(name).split("."))))
    elif isinstance(value, list):
        if value and isinstance(value[0], str):
            yield path, value[0]
    elif value not in (None, "") and not isinstance(value, dict):
        yield path, value


_squashed: Callable[[str], str] = lru_cache(maxsize=10_000)(
    lambda name: re.sub(r"[^a-z0-9]", "", name.lower())
)
