"""Clients are told apart by what they cannot make up, and each has its share of posts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.errors import SettingsError
from recommender_api import rate_limit as telling
from recommender_api.rate_limit import Clients


def clients(rate: int = 60, *, proxies: str = "", origins: str = "") -> Clients:
    return Clients(rate=rate, trusted_proxies=proxies, allowed_origins=origins)


def scope(peer: str | None, *forwarded: str) -> dict[str, object]:
    """A request from ``peer``, with these ``X-Forwarded-For`` headers."""
    headers = [(b"host", b"x"), *((b"x-forwarded-for", text.encode()) for text in forwarded)]
    return {"client": (peer, 5000) if peer is not None else None, "headers": headers}


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


def test_a_clock_that_goes_back_takes_nothing_away():
    """A server's clock is set now and then."""
    counted = clients(2)

    assert [counted.wait(READER, moment) for moment in (100, 50)] == [0, 0]
    assert counted.wait(READER, 50) == 30
    assert counted.wait(READER, 80) == 0


def test_no_rate_no_limit():
    """And nobody is remembered."""
    counted = clients(0)

    assert [counted.wait(READER, 0) for _ in range(2000)] == [0] * 2000
    assert counted._left == {}


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
    ],
)
def test_one_client_however_its_address_is_written(one: str, other: str):
    """Of IPv6 a provider gives each reader 64 bits to choose from; some proxies add the port."""
    counted = clients(1)
    assert counted.wait(one, 0) == 0

    assert counted.wait(other, 0) == 60


@pytest.mark.parametrize(
    ("one", "other"),
    [("2001:db8:1:2::1", "2001:db8:1:3::1"), ("203.0.113.7", "203.0.113.8"),
     ("203.0.113.7", "2001:db8::cb00:7107")],
)  # fmt: skip
def test_two_clients(one: str, other: str):
    """Another 64 bits, another address, another version."""
    counted = clients(1)
    assert counted.wait(one, 0) == 0

    assert counted.wait(other, 0) == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", ""])
def test_this_machine_itself_is_not_counted(address: str):
    """Behind a proxy nobody told us of, all readers are this machine; a socket file has no name."""
    counted = clients(1)

    assert [counted.wait(address, 0) for _ in range(5)] == [0] * 5
    assert counted._left == {}


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch):
    """Beyond that the quiet are forgotten, who would have their full share anyway."""
    monkeypatch.setattr(telling, "MAX_CLIENTS", 100)
    counted = clients(60)
    for number in range(99):
        counted.wait(f"198.51.100.{number}", 0)
    for _ in range(60):
        counted.wait(READER, 1)
    assert counted.wait(READER, 1) == 1.0

    assert counted.wait("192.0.2.1", 1) == 0

    assert sorted(counted._left) == ["192.0.2.1", READER]
    assert counted.wait(READER, 1) == 1.0


def test_a_flood_of_addresses_is_bounded_too(monkeypatch: pytest.MonkeyPatch):
    """Nobody is quiet, and still no more are remembered."""
    monkeypatch.setattr(telling, "MAX_CLIENTS", 100)
    counted = clients(60)

    for number in range(1000):
        assert counted.wait(f"2001:db8:0:{number:x}::1", 0) == 0
        assert len(counted._left) <= 100


# Through proxies


def test_without_proxies_only_the_peer_counts():
    """Anybody can write a header."""
    assert clients().address(scope(READER, "192.0.2.1")) == READER
    assert clients().address(scope("127.0.0.1", "192.0.2.1")) == "127.0.0.1"
    assert clients(proxies="10.0.0.0/8").address(scope(READER, "192.0.2.1")) == READER


def test_a_proxy_of_ours_says_who_asked():
    """Its own entry is the last; what the client claims stands before it and is not believed."""
    ours = clients(proxies="10.0.0.0/8, 127.0.0.1")

    for claims in ([], ["192.0.2.66"], ["192.0.2.66, 10.0.0.9"], ["unknown, 127.0.0.1", "x"]):
        forwarded = ", ".join([*claims, READER])
        assert ours.address(scope("10.1.2.3", forwarded)) == READER
        assert ours.address(scope("127.0.0.1", *claims, READER)) == READER


def test_several_proxies_of_ours_are_passed_over():
    """From the last entry on, up to the first that is nobody of ours."""
    ours = clients(proxies="10.0.0.0/8,2001:db8:aa::/48")

    assert ours.address(scope("10.0.0.1", f"192.0.2.66, {READER}, 10.0.0.3, 10.0.0.2")) == READER
    assert ours.address(scope("2001:db8:aa::1", "192.0.2.66", f"{READER},10.0.0.3,")) == READER
    assert ours.address(scope("::ffff:10.0.0.1", READER)) == READER
    assert ours.address(scope("10.0.0.1", "2001:db8::5")) == "2001:db8::5"


def test_a_spoofed_header_does_not_make_a_new_client():
    """Each post comes with another claim, and is counted as the same client's."""
    ours = clients(1, proxies="10.0.0.1")

    waits = [
        ours.wait(ours.address(scope("10.0.0.1", f"192.0.2.{n}, {READER}")), 0) for n in range(3)
    ]

    assert waits == [0, 60, 60]


@pytest.mark.parametrize("forwarded", [[], [""], [", ,"], ["10.0.0.2"], ["10.0.0.2, 10.0.0.3"]])
def test_a_proxy_that_names_nobody_is_the_client(forwarded: list[str]):
    """As when it asks for itself."""
    assert clients(proxies="10.0.0.0/8").address(scope("10.0.0.1", *forwarded)) == "10.0.0.1"


@pytest.mark.parametrize("garbage", ["unknown", "_hidden", "x" * 5000, "é", "1.2.3", "1.2.3.4.5"])
def test_a_proxy_that_passes_garbage_on_is_the_client(garbage: str):
    """Else every post could be a client of its own."""
    assert clients(proxies="10.0.0.1").address(scope("10.0.0.1", garbage)) == "10.0.0.1"


def test_a_server_behind_a_socket_file_has_no_peer():
    """No address, and no error."""
    assert clients(proxies="10.0.0.1").address(scope(None, READER)) == ""


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
