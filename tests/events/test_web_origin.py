"""Origins as browsers write them, and what is none."""

import pytest

from recommender.errors import SettingsError
from recommender.events.web_origin import MAX_CHARACTERS, allowed_in, is_allowed, named


@pytest.mark.parametrize(
    "text",
    ["https://blog.example.org", "http://localhost:3000", "http://[2001:db8::1]:8080", "null",
     "https://xn--bcher-kva.example", "chrome-extension://abcdefgh", "https://a_b.example"],
)  # fmt: skip
def test_what_browsers_send_is_named_as_it_is(text: str):
    assert named(text) == named(text.upper()) == text


@pytest.mark.parametrize(
    "text",
    ["", "example.org", "https://", "https://a b", "https://exam\x1bple", "https://bücher.example",
     "https://example.org/path", "javascript:alert(1)", "https://<script>", 'https://a"b',
     "https://" + "a" * 10_000, "https://a\nb"],
)  # fmt: skip
def test_what_no_browser_sends_has_no_name(text: str):
    assert named(text) is None


def test_a_long_name_is_cut():
    name = named("https://" + "a" * 253)

    assert name is not None
    assert len(name) == MAX_CHARACTERS
    assert name.endswith("...")


def test_allowed_origins_are_compared_as_browsers_write_them():
    allowed = allowed_in("https://Example.org:443/, http://other.example:8080")

    assert is_allowed("https://example.org", allowed)
    assert is_allowed("HTTP://other.example:8080", allowed)
    assert not is_allowed("http://example.org", allowed)
    assert is_allowed("https://any.example", allowed_in("*"))
    with pytest.raises(SettingsError, match="no origin such as"):
        allowed_in("example.org")
