"""Clients are told apart by what they cannot make up, and each has its share of posts."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from recommender.errors import SettingsError
from recommender_api import rate_limit
from recommender_api.rate_limit import Clients


def clients(rate: int = 60, *, proxies: str = "", origins: str = "") -> Clients:
    return Clients(rate=rate, trusted_proxies=proxies, allowed_origins=origins)


def client(counted: Clients, peer: str | None, *forwarded: str, believing: str = "") -> str | None:
    """Who asks, if the request comes from ``peer`` with these ``X-Forwarded-For`` headers; through
    another server's middleware, which is ``believing`` proxies of its own, if it is.
    """
    headers = [(b"host", b"x"), *((b"x-forwarded-for", text.encode()) for text in forwarded)]
    scope = {"type": "http", "headers": headers}
    scope["client"] = (peer, 5000) if peer is not None else None
    found: list[str | None] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        found.append(counted.client(scope))

    front = counted.behind_proxies(app)
    if believing:
        front = ProxyHeadersMiddleware(front, trusted_hosts=believing)
    asyncio.run(front(scope, None, None))
    return found[0]


READER = "203.0.113.7"


# How often


def test_a_client_has_a_minutes_posts_at_once_and_then_one_a_second():
    """Sixty a minute: sixty at once; the next after a second; by then the one after, too."""
    counted = clients(60)

    assert [counted.wait(READER, 0) for _ in range(60)] == [0] * 60
    assert counted.wait(READER, 0) == 1.0
    assert counted.wait(READER, 0.25) == 0.75
    assert counted.wait(READER, 1) == 0
    assert counted.wait(READER, 1) == 1.0
    assert counted.wait(READER, 1.5) == 0.5


def test_who_was_told_to_wait_is_not_made_to_wait_longer():
    """Asking in vain costs nothing; after the time told there is a post to make."""
    counted = clients(2)
    assert [counted.wait(READER, 100) for _ in range(2)] == [0, 0]

    for moment in range(100, 130):
        assert counted.wait(READER, moment) == pytest.approx(130 - moment)

    assert counted.wait(READER, 130) == 0


def test_nobody_saves_more_than_a_minutes_posts():
    """An hour of silence is worth no more than a minute of it."""
    counted = clients(3)
    counted.wait(READER, 0)

    assert [counted.wait(READER, 3600) for _ in range(4)] == [0, 0, 0, 20]


def test_each_client_has_a_share_of_its_own():
    """Who has used up his does not take another's."""
    counted = clients(1)
    assert counted.wait(READER, 0) == 0
    assert counted.wait(READER, 0) == 60

    assert counted.wait("203.0.113.8", 0) == 0


def test_who_owes_waits_until_it_is_made_up_for():
    """Sixty a minute: one of the sixty lets a post in, a hundred more are owed for 41 seconds."""
    counted = clients(60)

    assert counted.wait(READER, 0) == 0
    assert counted.charge(READER, 0, 0) == 0
    assert counted.charge(READER, 0, 99) == 0
    assert counted.wait(READER, 0) == 41
    assert counted.charge(READER, 0, 5) == 41
    assert counted.wait(READER, 41) == 0


def test_a_clock_that_goes_back_takes_nothing_away():
    """A server's clock is set now and then."""
    counted = clients(2)

    assert [counted.wait(READER, moment) for moment in (100, 50)] == [0, 0]
    assert counted.wait(READER, 50) == 30
    assert counted.wait(READER, 80) == 0


def test_no_rate_no_limit():
    """However often one asks."""
    counted = clients(0)

    assert [counted.wait(READER, 0) for _ in range(2000)] == [0] * 2000


@pytest.mark.slow
@given(st.lists(st.floats(0, 200), max_size=40), st.integers(1, 5))
def test_no_minute_has_more_than_twice_the_rate(moments: list[float], rate: int):
    """Whatever the client's pattern: what was saved up, and what came in meanwhile."""
    counted = clients(rate)

    posts = [moment for moment in sorted(moments) if counted.wait(READER, moment) == 0]

    for start in posts:
        assert sum(start <= moment < start + 60 for moment in posts) <= 2 * rate


# Who


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"),
        ("2001:db8:1:2::1", "2001:0DB8:0001:0002:0:0:0:9"),
        ("203.0.113.7", "::ffff:203.0.113.7"),
        ("203.0.113.7", "::ffff:cb00:7107"),
        ("203.0.113.7", "203.0.113.7:49152"),
        ("2001:db8:1:2::1", "[2001:db8:1:2::1]:49152"),
        ("2001:db8:1:2::1", "[2001:db8:1:2::1]"),
        ("2001:db8:1:2::1", "[2001:DB8:1:2::7]:443"),
    ],
)
def test_one_client_however_a_proxy_writes_its_address(one: str, other: str):
    """Of IPv6 a provider gives each reader 64 bits to choose from; some proxies add the port."""
    ours = clients(proxies="10.0.0.1")

    assert client(ours, "10.0.0.1", one) == client(ours, "10.0.0.1", other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("2001:db8:1:2::1", "2001:db8:1:3::1"), ("203.0.113.7", "203.0.113.8"),
     ("203.0.113.7", "2001:db8::cb00:7107")],
)  # fmt: skip
def test_two_clients(one: str, other: str):
    """Another 64 bits, another address, another version."""
    assert client(clients(), one) != client(clients(), other)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", ""])
def test_this_machine_itself_is_not_counted(address: str):
    """Behind a proxy that is not in the settings all readers are this machine, whatever it says of
    them; a socket file has no name.
    """
    for counted in (clients(1), clients(1, proxies="10.0.0.1")):
        assert client(counted, address) is None
        assert [counted.wait(None, 0) for _ in range(5)] == [0] * 5
    assert client(clients(1), address, READER) is None


def test_who_is_quiet_is_forgotten_first(monkeypatch: pytest.MonkeyPatch):
    """When more come than are remembered; they would have their full share anyway."""
    monkeypatch.setattr(rate_limit, "MAX_CLIENTS", 100)
    counted = clients(60)
    for number in range(99):
        counted.wait(f"198.51.100.{number}", 0)
    for _ in range(60):
        counted.wait(READER, 1)
    assert counted.wait(READER, 1) == 1.0

    for number in range(99):
        assert counted.wait(f"192.0.2.{number}", 1) == 0

    assert counted.wait(READER, 1) == 1.0


def test_a_flood_of_addresses_is_not_remembered(monkeypatch: pytest.MonkeyPatch):
    """Where nobody is quiet all are forgotten, those who have used up their share among them."""
    monkeypatch.setattr(rate_limit, "MAX_CLIENTS", 100)
    counted = clients(1)
    assert [counted.wait(READER, 0), counted.wait(READER, 0)] == [0, 60]

    for number in range(100):
        assert counted.wait(f"2001:db8:0:{number:x}::/64", 0) == 0

    assert counted.wait(READER, 0) == 0


# Through proxies


def test_without_trusted_proxies_the_header_is_not_read():
    """Anybody can write it; who is no proxy of ours does not name another."""
    assert client(clients(), READER, "192.0.2.1") == READER
    assert client(clients(), READER, "127.0.0.1") == READER
    assert client(clients(proxies="10.0.0.0/8"), READER, "192.0.2.1") == READER
    assert client(clients(proxies="10.0.0.0/8"), READER, "127.0.0.1") == READER


@pytest.mark.parametrize("proxy", ["10.1.2.3", "127.0.0.1", "::ffff:10.1.2.3", "2001:db8:aa::1"])
@pytest.mark.parametrize(
    "forged",
    [(), ("192.0.2.66",), ("192.0.2.66, 10.0.0.9",), ("unknown, 127.0.0.1", "x"), ("::1", "")],
)
def test_a_trusted_proxy_says_who_asked(proxy: str, forged: tuple[str, ...]):
    """Its own entry is the last, in the same header or in another; what the client claims stands
    before it and counts for nothing.
    """
    ours = clients(proxies="10.0.0.7/8, 127.0.0.1,2001:db8:aa::/48")

    assert client(ours, proxy, *forged, READER) == READER
    assert client(ours, proxy, ", ".join([*forged, READER])) == READER
    assert client(ours, proxy, *forged, f"{READER}, 10.0.0.3", "127.0.0.1") == READER


def test_ipv6_readers_come_through_proxies():
    """With or without brackets and ports, and forged ones before them."""
    ours = clients(proxies="::1, 10.0.0.1")

    for written in ("2001:db8::5", "[2001:db8::5]", "[2001:db8::5]:443", "2001:DB8:0::6"):
        assert client(ours, "::1", "[::1]:80", f"2001:db8:9::1, {written}") == "2001:db8::/64"
        assert client(ours, "10.0.0.1", "10.0.0.1", written) == "2001:db8::/64"


def test_a_forged_header_does_not_make_a_new_client():
    """Each post comes with another claim, and is counted as the same client's."""
    ours = clients(1, proxies="10.0.0.1")

    waits = [
        ours.wait(client(ours, "10.0.0.1", f"192.0.2.{number}, {READER}"), 0) for number in range(3)
    ]

    assert waits == [0, 60, 60]


@pytest.mark.parametrize(
    "forwarded",
    [("127.0.0.1",), ("::1",), ("127.0.0.1, 127.0.0.1",), ("127.0.0.1", "10.0.0.1"), ("",),
     (", ",), ("127.0.0.1:80",), ("[::1]:80",), ("::ffff:127.0.0.1",)],
)  # fmt: skip
@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.1", "", None])
def test_nobody_who_came_by_a_proxy_is_this_machine(peer: str | None, forwarded: tuple[str, ...]):
    """Whatever address the header names, and if it names none."""
    ours = clients(1, proxies="127.0.0.1, ::1, 10.0.0.1")

    assert client(ours, peer, *forwarded) is not None


@pytest.mark.parametrize("claim", ["127.0.0.1", "::1", "127.0.0.1, 192.0.2.1", "[::1]:80"])
def test_nor_where_another_server_believes_everybody(claim: str):
    """Our settings name no proxy, but the server in front of us takes the header as it comes."""
    assert client(clients(), READER, claim, believing="*") is not None


@pytest.mark.parametrize(
    "garbage", ["unknown", "_hidden", "x" * 5000, "é", "1.2.3", "1.2.3.4.5", "[::1", "::1]:x"]
)
def test_all_garbage_is_one_client(garbage: str):
    """Else every post could be a client of its own."""
    ours = clients(proxies="10.0.0.1")

    assert client(ours, "10.0.0.1", garbage) == client(ours, "10.0.0.1", "other") is not None


@pytest.mark.parametrize(
    "text", ["localhost", "10.0.0.0/40", "10.0.0.1/x", "10.0.0", "*", "::/129"]
)
def test_faulty_proxies_are_named(text: str):
    """Instead of being passed over."""
    with pytest.raises(SettingsError, match="trusted_proxies: ") as caught:
        clients(proxies=f"10.0.0.1, {text}")

    assert repr(text) in str(caught.value)


# From which sites


def test_pages_of_the_apis_own_origin_may_send():
    """And who names none: it is no other site's page."""
    ours = clients()

    assert ours.may_post_from(None, "api.example.org")
    assert ours.may_post_from("https://api.example.org", "api.example.org")
    assert ours.may_post_from("http://127.0.0.1:8000", "127.0.0.1:8000")
    assert ours.may_post_from("https://API.example.org", "api.EXAMPLE.org")


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "https://example.org.evil.example", "https://evilexample.org",
     "https://example.org:8443", "http://example.org", "null", "", "example.org",
     "https://example.org@evil.example", "http://[", "http://[::1", "http://a]b", "http://\u2100",
     "https://", "://", "*"],
)  # fmt: skip
@pytest.mark.parametrize("host", ["api.example.org", "", None])
def test_pages_of_other_origins_may_not(origin: str, host: str | None):
    """Also those that look like ours, or like nothing at all."""
    assert not clients(origins="https://example.org").may_post_from(origin, host)


def test_sites_that_are_named_may_send():
    """However the setting writes them; every one, if it says so."""
    named = clients(origins=" https://Example.org/ ,http://other.example:8080,https://x.org:443,")

    for origin in ("https://example.org", "http://other.example:8080", "https://x.org"):
        assert named.may_post_from(origin, "api.example.org")
    assert not named.may_post_from("http://other.example", "api.example.org")
    assert clients(origins="*").may_post_from("null", "api.example.org")
    assert clients(origins="https://example.org, *").may_post_from("https://x.org", None)


@pytest.mark.parametrize(
    "text", ["example.org", "//example.org", "https://", "https://example.org/blog", "null",
             "https://[", "https:example.org"]
)  # fmt: skip
def test_faulty_origins_are_named(text: str):
    """An origin has a scheme and a host, and nothing behind them."""
    with pytest.raises(SettingsError, match="allowed_origins: ") as caught:
        clients(origins=f"https://x.org,{text}")

    assert repr(text) in str(caught.value)
