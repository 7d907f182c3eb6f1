"""Words and addresses that pages share."""

import pytest

from recommender_api.console.words import counted, page_address


@pytest.mark.parametrize(
    "url", ["https://example.org/a?b#c", "HTTP://example.org", "http://[::1]/a"]
)
def test_an_own_address_is_a_link(url: str):
    assert page_address(f" {url}") == url


@pytest.mark.parametrize(
    "url",
    [None, "", " ", "/a", "a", "//example.org/a", "?a", "javascript:alert(1)", "mailto:a@b.c",
     "https:", "https:///a", "https:/a", "http://[::1", "ftp://example.org/a"],
)  # fmt: skip
def test_what_leads_to_the_console_or_nowhere_is_none(url: str | None):
    """Relative ones, other schemes, without a host."""
    assert page_address(url) is None


def test_one_is_not_many():
    assert [counted(n, "click") for n in (0, 1, 1_200)] == ["0 clicks", "1 click", "1,200 clicks"]
