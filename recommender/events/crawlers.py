"""Who is no reader: crawlers, by a list that is kept up to date elsewhere, and tools.

A *tool* is a general HTTP client: curl, requests, okhttp. In a web server's log it is no reader
either. But a site that draws its pages on its own server asks for lists and reports views with
just these, on behalf of readers. So ``is_crawler`` lets tools pass: events sent to us are doubted
for a crawler's name, never for a tool's.

>>> is_crawler("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")
True
>>> is_crawler("python-requests/2.32"), is_tool("python-requests/2.32")
(False, True)
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any

TOOLS = re.compile(
    r"curl|wget|python-(?:requests|httpx|urllib)|\bhttpx\b|aiohttp|urllib|okhttp|axios|superagent|"
    r"node-fetch|undici|^node(?:\.js)?(?:[/ ]|$)|^got\b|sindresorhus/got|\bdeno/|\bbun/|"
    r"^go-http-client|^java[/\d]|^java-http-client|apache-httpclient|httpurlconnection|"
    r"^jakarta|^jetty|^ahc/|asynchttpclient|guzzle|^php\b|^php-curl|symfony|^ruby|faraday|"
    r"typhoeus|httparty|rest-client|libwww-perl|^lwp::|anyevent|reqwest|\bhyper/|^dart\b|"
    r"insomnia|postman|^httpie|^dotnet|restsharp|unirest|^amazon cloudfront",
    re.IGNORECASE,
)
# Longer names are nobody's, and each is searched for more than a thousand patterns.
MAX_CHARACTERS = 500
# Patterns in one expression. Not tuned.
PATTERNS_AT_ONCE = 25
# User agents: few are met twice in a million, most of them all the time. Not tuned.
REMEMBERED = 20_000


@lru_cache(maxsize=REMEMBERED)
def is_crawler(agent: str) -> bool:
    """Whether this user agent is a known crawler's. Tools are not, nor who gives no name."""
    agent = agent[:MAX_CHARACTERS]
    return any(pattern.search(agent) for pattern in _crawlers())


def is_tool(agent: str) -> bool:
    """Whether this user agent is a general HTTP client's."""
    return TOOLS.search(agent[:MAX_CHARACTERS]) is not None


@cache
def _crawlers() -> list[re.Pattern[str]]:
    """The list, without the tools in it."""
    from crawleruseragents import CRAWLER_USER_AGENTS_DATA  # here, because it reads a big file

    patterns = [entry["pattern"] for entry in CRAWLER_USER_AGENTS_DATA if not _of_tool(entry)]
    return [
        re.compile("|".join(patterns[at : at + PATTERNS_AT_ONCE]))
        for at in range(0, len(patterns), PATTERNS_AT_ONCE)
    ]


def _of_tool(entry: dict[str, Any]) -> bool:
    """What the list calls a library may be one made for crawling, which is a crawler to us."""
    agents = entry["instances"]
    return "http-library" in entry.get("tags", ()) and any(is_tool(agent) for agent in agents)
