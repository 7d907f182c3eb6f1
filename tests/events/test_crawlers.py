"""Crawlers are known by a list, tools by their names, readers by being neither."""

import pytest

from recommender.events.crawlers import is_crawler, is_tool

READERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/120.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) Mobile/21B91 [FBAN/FBIOS;FBAV/442.0.0.36.113;]",
    "Mozilla/5.0 (Linux; Android 12; CUBOT X50) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/119.0 Mobile Safari/537.36",
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0",
    "Lynx/2.9.0 libwww-FM/2.14",
)
CRAWLERS = (
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.1; "
    "+https://openai.com/gptbot)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "HeadlessChrome/120.0.0.0 Safari/537.36",
    "Scrapy/2.11 (+https://scrapy.org)",
)
TOOLS = (
    "curl/8.5.0", "Wget/1.21", "python-requests/2.32.0", "python-httpx/0.27",
    "Python/3.11 aiohttp/3.9.1", "okhttp/4.12.0", "axios/1.6.2", "undici", "node",
    "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)", "Go-http-client/2.0", "Java/17.0.9",
    "Java-http-client/21", "Apache-HttpClient/4.5.13 (Java/11.0.2)", "GuzzleHttp/7", "PHP/8.2",
    "Ruby", "Python-urllib/3.11", "Amazon CloudFront", "PostmanRuntime/7.36.0",
)  # fmt: skip


@pytest.mark.parametrize("agent", READERS)
def test_readers_are_neither(agent: str):
    """Also on phones whose names hold a crawler's."""
    assert (is_crawler(agent), is_tool(agent)) == (False, False)


@pytest.mark.parametrize("agent", CRAWLERS)
def test_crawlers_are_known(agent: str):
    """Those of searches, of language models, of link previews, and browsers without a reader."""
    assert is_crawler(agent)


@pytest.mark.parametrize("agent", TOOLS)
def test_tools_are_no_crawlers(agent: str):
    """A site that draws its pages on its own server speaks with these."""
    assert (is_crawler(agent), is_tool(agent)) == (False, True)


def test_every_crawler_of_the_list_is_known():
    """By the agents it gives as examples, apart from tools."""
    from crawleruseragents import CRAWLER_USER_AGENTS_DATA

    agents = [agent for entry in CRAWLER_USER_AGENTS_DATA for agent in entry["instances"]]
    unknown = [agent for agent in agents if not is_crawler(agent) and not is_tool(agent)]

    assert len(agents) > 1_000
    assert unknown == []


def test_who_gives_no_name_is_no_known_crawler():
    """What to make of that is for the caller to say; nor does a name of any length do harm."""
    assert not is_crawler("")
    assert not is_crawler("x" * 1_000_000)
