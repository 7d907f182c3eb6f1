"""Is the data fit to learn from? Named checks, each passed or failed, with examples.

A check that fails names examples; it does not stop a training, which falls back on text
where clicks do not suffice. The thresholds are rules of thumb, not tuned, stated where they stand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import sqlalchemy as sql
from sqlalchemy.engine import Connection

from recommender.articles.article import Article
from recommender.articles.dates import FIRST_YEAR, dates_of
from recommender.articles.language import detect, primary_subtag
from recommender.bundle.registry import Sent
from recommender.clicks import position_bias
from recommender.clicks.influence import limited
from recommender.clicks.intervention_harvesting import MAX_POSITION
from recommender.events.event import DAY_MS, EARLIEST, TOLERATED_MS
from recommender.events.web_origin import allowed_in
from recommender.ranking.ranker import MIN_CLICKS
from recommender.store import click_filters, counts, page_clicks, refusals
from recommender.store.click_filters import Caps
from recommender.store.counts import Log
from recommender.store.database import Store
from recommender.store.event_writer import REJECTED, tallies_of
from recommender.times import EPOCH

# What is half there after so long is taken for lost.
PATIENCE_MS = 30 * 60 * 1000
# Not tuned. Shares of articles, of links, and of clicks: one in five and much is amiss; events that
# get lost on the way are a few in a hundred; a click on what was not shown is a fault of the page.
# One title on so many articles, and on such a share of them, is a fault of the import.
MIN_SAME_TITLE, MAX_SAME_TITLE = 3, 0.5
MAX_WITHOUT_TEXT, MAX_STUBS, MAX_FLAGGED = 0.2, 0.2, 0.2
# Of dates a slip is rare; one in twenty comes from an export at fault.
MAX_BAD_DATES = 0.05
MAX_HALVES, MAX_REJECTED, MAX_NOT_SHOWN = 0.05, 0.05, 0.01
# One link of one page rarely draws more of a whole site's clicks.
MAX_OF_ONE_PAIR = 0.1
# Articles whose texts are asked for their language, evenly drawn: a second. Languages that are much
# alike are mistaken for one another.
N_LANGUAGES, MAX_WRONG_LANGUAGE = 2_000, 0.05
# Views a position needs before its click rate is compared: at a rate of 2 %, four clicks.
MIN_VIEWS = 200
# A lower position may win more clicks than the first by chance or by a better link, not twice; and
# the last week, which has every weekday, twice as many as the others if something broke.
MAX_RISE, MAX_DRIFT, RECENT_DAYS = 2.0, 2.0, 7
# As many as fit a line.
N_EXAMPLES = 3
# Before this moment all clicks were made.
ALWAYS = int(np.iinfo(np.int64).max)
KNOWN_NUMBERS = "the log's numbers stand for articles"


@dataclass(frozen=True, slots=True)
class Check:
    """One question to the data: whether it ``passed``, a sentence, ``examples`` of what failed."""

    name: str
    passed: bool
    summary: str
    examples: list[str] = field(default_factory=list)


def validate(
    store: Store,
    *,
    now_ms: int,
    caps: Caps | None = None,
    seed: int = 0,
    sent: Sent | None = None,
    allowed_origins: str = "",
) -> list[Check]:
    """Ask everything. Events younger than ``PATIENCE_MS`` at ``now_ms`` (milliseconds since 1970,
    UTC) may still wait for their other half, and are not asked for it. ``sent`` is the live
    bundle's account of what pages sent, None if there is none; ``allowed_origins`` is the setting.
    """
    caps = caps or Caps()
    everything = store.articles()
    articles = [article for article in everything if not article.stub]
    ids = [article.id for article in everything]
    log = counts.count(store, ids, until=now_ms + TOLERATED_MS + 1, caps=caps)
    found = [_articles(articles), _texts(articles), _titles(articles), _languages(articles)]
    found += [_lists(everything)]
    found += [_dates(articles, now_ms)]
    found += [_clicks(log), _without_clicks(log), _positions(log), _randomised(log, seed)]
    found += [_one_pair(log, ids), _drift(log)]
    found += [_volume(log, len(ids)), _brought(log), *([_agreement(sent)] if sent else [])]
    with store.reading() as connection:
        found += [_halves(connection, now_ms), _not_shown(connection)]
        found += [_times(connection, now_ms)]
        found += [_flagged(connection, caps), _rejected(connection)]
        found += [_origins(connection, now_ms, allowed_in(allowed_origins))]
        found += [_unknown_numbers(connection), _other_layouts(connection)]
    return found


# Articles


def _articles(articles: list[Article]) -> Check:
    return Check("articles", len(articles) >= 2, f"{len(articles):,} articles; a list takes two")


def _texts(articles: list[Article]) -> Check:
    without = [article.id for article in articles if not article.body.strip()]
    return _share("articles have a text", without, len(articles), MAX_WITHOUT_TEXT, "have none")


def _titles(articles: list[Article]) -> Check:
    """Themes often show the site's name where a page's title is looked for."""
    counts = Counter(article.title for article in articles)
    title, n_same = counts.most_common(1)[0] if counts else ("", 0)
    passed = n_same < MIN_SAME_TITLE or n_same <= MAX_SAME_TITLE * len(articles)
    summary = f"{n_same:,} of {len(articles):,} have the most frequent one"
    if not passed:
        summary += ": import again with --title-selector"
    return Check("articles have titles of their own", passed, summary, [] if passed else [title])


def _languages(articles: list[Article]) -> Check:
    """Themes often give every page one language, whatever it is written in."""
    said = [(article, code) for article in articles if (code := primary_subtag(article.language))]
    asked = [
        (f"{article.id}: says {code}, is {found}", found != code)
        for article, code in said[:: -(-len(said) // N_LANGUAGES) or 1]
        if (found := detect(article.title, article.body))
    ]
    wrong = [sentence for sentence, is_wrong in asked if is_wrong]
    what = "articles asked are in another language than they say"
    name = "articles are in the language they say"
    return _share(name, wrong, len(asked), MAX_WRONG_LANGUAGE, what)


def _lists(articles: list[Article]) -> Check:
    titles = {article.id: article.title for article in articles if article.stub}
    known = {article.id for article in articles} - titles.keys()
    links = [(article.id, id) for article in articles for id in article.recommended]
    dead = [f"{source}: {titles.get(id, id)}" for source, id in links if id not in known]
    return _share("hand-picked links lead to pages", dead, len(links), MAX_STUBS, "do not")


def _dates(articles: list[Article], now_ms: int) -> Check:
    dates = dates_of(articles, datetime.fromtimestamp(now_ms / 1000, UTC))
    wrong = np.union1d(dates.future, dates.empty).tolist()
    given = [f"{articles[at].published_at or articles[at].updated_at}" for at in wrong]
    bad = [f"{articles[at].id}: {date}" for at, date in zip(wrong, given, strict=True)]
    n_given = len(set(np.flatnonzero(~np.isnan(dates.day)).tolist()) | set(wrong))
    summary = (
        f"{len(dates.future):,} of {n_given:,} dated articles are of later than tomorrow, "
        f"{len(dates.empty):,} of 1970-01-01: these dates are not believed; "
        f"{len(dates.before_web):,} are of before {FIRST_YEAR}, which is"
    )
    passed = len(wrong) <= MAX_BAD_DATES * n_given
    return Check("dates can be right", passed, summary, bad[:N_EXAMPLES])


# The log


def _clicks(log: Log) -> Check:
    n = int(log.n_clicks.sum())
    summary = (
        f"{n:,} clicks that count, on {int(log.n_views.sum()):,} views; {MIN_CLICKS} are needed"
    )
    return Check("enough clicks", n >= MIN_CLICKS, summary)


def _without_clicks(log: Log) -> Check:
    n_views, n_clicks = int(log.n_views.sum()), int(log.n_clicks.sum())
    summary = f"{n_clicks:,} clicks on {n_views:,} views"
    if 0 < n_views <= n_clicks:
        summary += ": views without a click seem not to be logged, so no click rate is known"
    return Check("views without clicks are there", n_clicks < n_views, summary)


def _positions(log: Log) -> Check:
    name = "click rate by position is plausible"
    shown, clicked = log.shown_and_clicked()
    place = np.minimum(log.position, MAX_POSITION)
    views = np.bincount(place, weights=shown)
    clicks = np.bincount(place, weights=clicked, minlength=len(views))
    enough = np.flatnonzero((views >= MIN_VIEWS) & (np.arange(len(views)) > 0))
    if len(enough) < 2:
        return Check(name, True, "too few views at known positions to compare them")
    rates = clicks[enough] / views[enough]
    shares = [f"position {p}: {rate:.2%}" for p, rate in zip(enough.tolist(), rates, strict=True)]
    if clicks[enough].sum() == 0:
        return Check(name, False, "no click at any position", shares[:N_EXAMPLES])
    if rates[1:].max() == 0:
        return Check(name, False, f"every click is at position {enough[0]}", shares[:N_EXAMPLES])
    worst = int(rates[1:].argmax()) + 1
    passed = rates[worst] <= MAX_RISE * rates[0]
    ends = f"{rates[0]:.2%} at position {enough[0]}, {rates[-1]:.2%} at position {enough[-1]}"
    return Check(name, bool(passed), ends, [] if passed else [shares[0], shares[worst]])


def _randomised(log: Log, seed: int) -> Check:
    drawn = np.bincount(
        log.link_slate, weights=log.propensity < 1, minlength=len(log.source)
    )  # NaN, an unknown chance, is not below 1
    n_views = int(log.n_views[drawn[log.view_slate] > 0].sum())
    examination = position_bias.estimate(log, seed=seed)
    summary = f"{n_views:,} of {int(log.n_views.sum()):,} views are randomised with known chances; "
    first, *others = examination.summary()
    passed = examination.identified_somewhere
    return Check("enough randomised views", passed, summary + first, others[:N_EXAMPLES])


def _one_pair(log: Log, ids: list[str]) -> Check:
    name = "no link draws all clicks"
    links, total = log.click_link, int(log.n_clicks.sum())
    if total == 0:
        return Check(name, True, "no clicks")
    keys = log.link_source[links].astype(np.int64) * (len(ids) + 1) + log.item[links] + 1
    pairs, of = np.unique(keys, return_inverse=True)
    clicks = np.bincount(of, weights=log.n_clicks)
    top = int(clicks.argmax())
    source, item = divmod(int(pairs[top]), len(ids) + 1)
    share = float(clicks[top]) / total
    passed = share <= MAX_OF_ONE_PAIR or total < MIN_CLICKS
    pair = f"{_id(ids, source)} to {_id(ids, item - 1)}"
    return Check(name, passed, f"the most followed has {share:.1%} of all clicks", [pair])


def _id(ids: list[str], row: int) -> str:
    return ids[row] if 0 <= row < len(ids) else "an unknown article"


def _drift(log: Log) -> Check:
    name = "the last week is like those before"
    last = int(log.view_day.max(initial=0))
    recent, before = (
        log.between(last - RECENT_DAYS + 1, last + 1),
        log.between(0, last - RECENT_DAYS + 1),
    )
    n_recent, n_before = int(recent.n_views.sum()), int(before.n_views.sum())
    if min(n_recent, n_before) < MIN_VIEWS or not before.n_clicks.sum():
        return Check(name, True, "too few views before the last week to compare it")
    rates = recent.n_clicks.sum() / n_recent, before.n_clicks.sum() / n_before
    factor = float(rates[0] / rates[1])
    passed = 1 / MAX_DRIFT <= factor <= MAX_DRIFT
    summary = f"{rates[0]:.3f} clicks a view in the last {RECENT_DAYS} days, {rates[1]:.3f} before"
    return Check(name, passed, summary)


# What pages sent, and weighs less


def _volume(log: Log, n_articles: int) -> Check:
    evidence = limited(log, n_articles)
    views, clicks = (
        (float(of.sum()), float(of @ (1 - evidence.volume)))
        for of in (evidence.views, evidence.clicks)
    )
    summary = (
        f"{views[1]:,.0f} of {views[0]:,.0f} views and {clicks[1]:,.0f} of {clicks[0]:,.0f} clicks "
        "that pages sent are beyond what a day may bring, and do not count"
    )
    passed = views[1] <= MAX_FLAGGED * views[0] and clicks[1] <= MAX_FLAGGED * clicks[0]
    days = evidence.about(log)["days"]
    worst = sorted(days, key=lambda day: (days[day], day))[:N_EXAMPLES]
    named = [f"{day}: {days[day]:.0%} of the views count" for day in worst]
    return Check("no day brings far more than is usual", passed, summary, named)


def _brought(log: Log) -> Check:
    total = int(log.n_clicks[log.click_live].sum())
    n = int(log.n_clicks[log.click_live & log.brought[log.click_link]].sum())
    summary = (
        f"{n:,} of {total:,} clicks that pages sent are on links that only a request brought onto "
        "a list, by exclude or by asking for more than ten; nothing is learned from them"
    )
    name = "clicks are on links that every reader is shown"
    return Check(name, n <= MAX_FLAGGED * total, summary)


def _agreement(sent: Sent) -> Check:
    left = sent.page_views + sent.day_views
    name = "what pages send agrees with the rest of the log"
    return Check(
        name, left <= MAX_FLAGGED * sent.n_views, f"at the last training, {sent}", [*sent.days][:3]
    )


# Raw events

_WITHOUT_VIEW = """
    FROM clicks c WHERE c.ts < :before
    AND NOT EXISTS (SELECT 1 FROM views v WHERE v.view_id = c.view_id)
"""
_NOT_SHOWN = """
    FROM clicks c JOIN views v ON v.view_id = c.view_id JOIN ids i ON i.key = c.item
    WHERE c.ts < :before
    AND NOT EXISTS (SELECT 1 FROM slate_links l WHERE l.slate = v.slate AND l.item = c.item)
"""


# The page and the link of these clicks, and whether other views of the page show the link.
_SHOWN_ELSEWHERE = f"""
    SELECT SUM(k.n) AS n, SUM(CASE WHEN o.item IS NULL THEN 0 ELSE k.n END) AS elsewhere
    FROM (
        SELECT s.source AS source, c.item AS item, COUNT(*) AS n
        {_NOT_SHOWN.replace("WHERE", "JOIN slates s ON s.slate = v.slate WHERE", 1)}
        GROUP BY s.source, c.item
    ) k LEFT JOIN (
        SELECT DISTINCT s.source AS source, l.item AS item
        FROM slates s JOIN slate_links l ON l.slate = s.slate
    ) o ON o.source = k.source AND o.item = k.item
"""


def _times(connection: Connection, now_ms: int) -> Check:
    """Of stores that earlier releases wrote to: an import refuses such times."""
    bounds = {"first": EARLIEST, "latest": now_ms + TOLERATED_MS}
    wrong = "FROM views WHERE ts < :first OR ts > :latest"
    query = sql.text(f"SELECT COUNT(*), SUM(CASE WHEN ts < :first THEN 1 ELSE 0 END) {wrong}")
    n, n_ancient = connection.execute(query, bounds).one()
    some = sql.text(f"SELECT view_id, ts {wrong} ORDER BY ts DESC LIMIT {N_EXAMPLES}")
    named = [f"view {row.view_id}: {_written(row.ts)}" for row in connection.execute(some, bounds)]
    n_ancient = int(n_ancient or 0)
    summary = (
        f"{n - n_ancient:,} views are dated more than a day ahead, {n_ancient:,} before 2000; they "
        "do not count"
    )
    return Check("times can be right", n == 0, summary, named)


def _written(ts: int) -> str:
    try:
        return (EPOCH + timedelta(milliseconds=ts)).isoformat(timespec="seconds")
    except OverflowError:
        return f"{ts} ms"


def _halves(connection: Connection, now_ms: int) -> Check:
    before = now_ms - PATIENCE_MS
    total, alone, found = _clicks_among(connection, "c.view_id", _WITHOUT_VIEW, before)
    waiting = page_clicks.waiting(connection)
    n = sum(waiting.values())
    summary = f"{alone + n:,} of {total + n:,} clicks older than half an hour have no view"
    found += [f"{n:,} wait for their view: {why}" for why, n in sorted(waiting.items())]
    passed = alone + n <= MAX_HALVES * (total + n)
    return Check("clicks have their views", passed, summary, found[-N_EXAMPLES:])


def _not_shown(connection: Connection) -> Check:
    column = "c.view_id || ': ' || i.id"
    total, strange, found = _clicks_among(connection, column, _NOT_SHOWN, ALWAYS)
    summary = f"{strange:,} of {total:,} clicks are on what their view did not show"
    passed = strange <= MAX_NOT_SHOWN * total
    if not passed:
        summary += _why_not_shown(connection)
    return Check("clicks are on links that were shown", passed, summary, found)


def _why_not_shown(connection: Connection) -> str:
    """What is likely to have gone wrong with lists of which what was followed is not known."""
    row = connection.execute(sql.text(_SHOWN_ELSEWHERE), {"before": ALWAYS}).one()
    n, elsewhere = map(int, row)
    if 2 * elsewhere <= n:
        return (
            f": {n - elsewhere:,} of them on links that no view of their page shows. Views seem to "
            "have come in pieces of which only the first is here: earlier releases took the others "
            "for duplicates, and import events --again puts them together; or tags report the "
            "beginning of a list alone"
        )
    return (
        f": {elsewhere:,} of them on links that other views of their page show. One view_id seems "
        "to stand for several views, or lists to change between being logged and being seen"
    )


def _clicks_among(
    connection: Connection, column: str, among: str, before: int
) -> tuple[int, int, list[str]]:
    """How many clicks there are before a moment, how many of them ``among`` finds, and some."""
    values = {"before": before}
    total, n = (
        int(connection.scalar(sql.text(f"SELECT COUNT(*) {each}"), values) or 0)
        for each in ("FROM clicks WHERE ts < :before", among)
    )
    some = f"SELECT {column} {among} ORDER BY {column} LIMIT {N_EXAMPLES}"
    return total, n, [f"view {name}" for name in connection.scalars(sql.text(some), values)]


def _flagged(connection: Connection, caps: Caps) -> Check:
    total = click_filters.n_live(connection)
    found = {reason: n for reason, n in click_filters.count_flagged(connection, caps).items() if n}
    n = sum(found.values())
    reasons = ", ".join(f"{reason} {n:,}" for reason, n in found.items()) or "none"
    summary = f"{n:,} of {total:,} live events are left out ({reasons})"
    named = [
        f"{reason}: view {view}"
        for reason in found
        for view in click_filters.examples(connection, caps, reason)[:1]
    ]
    return Check("few events are doubtful", n <= MAX_FLAGGED * total, summary, named)


def _rejected(connection: Connection) -> Check:
    rows = connection.execute(sql.text("SELECT name, SUM(n) AS n FROM tallies GROUP BY name"))
    tallies = {row.name: int(row.n) for row in rows}
    received = tallies.get("received", 0)
    # Other tallies are of events that were taken.
    reasons = {
        name.removeprefix(REJECTED): n for name, n in tallies.items() if name.startswith(REJECTED)
    }
    n = sum(reasons.values())
    most = sorted(reasons.items(), key=lambda pair: -pair[1])
    named = [f"{reason}: {times:,}" for reason, times in most]
    summary = f"{n:,} of {received:,} events that pages sent were refused"
    return Check(
        "few events are refused", n <= MAX_REJECTED * received, summary, named[:N_EXAMPLES]
    )


def _origins(connection: Connection, now_ms: int, allowed: Collection[str]) -> Check:
    """Of a site that the settings forgot nothing else shows."""
    first_day = now_ms // DAY_MS - RECENT_DAYS + 1
    origins, n_other = refusals.refused_origins(connection, first_day=first_day, allowed=allowed)
    received = sum(
        tallies_of(connection, day).get("received", 0)
        for day in range(first_day, now_ms // DAY_MS + 1)
    )
    n = sum(each.n for each in origins)
    named = [f"{each.origin}: {each.n:,}, last on {each.last}" for each in origins[:N_EXAMPLES]]
    summary = f"{n:,} posts of the last {RECENT_DAYS} days came from origins that are not allowed"
    if n:
        summary += (
            ": if such a site is yours, add its origin to RECOMMENDER_ALLOWED_ORIGINS and start "
            "the server anew"
        )
    if n_other:
        named.append(f"{n_other:,} of origins that are not named")
    return Check("pages of all sites may send events", n <= MAX_REJECTED * received, summary, named)


_UNKNOWN_NUMBERS = """
    FROM (
        SELECT source AS number FROM slates UNION SELECT item FROM slate_links
        UNION SELECT item FROM clicks UNION SELECT article FROM pageviews
        UNION SELECT referrer FROM pageviews WHERE referrer <> 0
    ) k WHERE NOT EXISTS (SELECT 1 FROM ids i WHERE i.key = k.number)
"""


def _unknown_numbers(connection: Connection) -> Check:
    """Of slates that another store signed, or this one before an older backup was restored."""
    n = int(connection.scalar(sql.text(f"SELECT COUNT(*) {_UNKNOWN_NUMBERS}")) or 0)
    some = f"SELECT number {_UNKNOWN_NUMBERS} ORDER BY number LIMIT {N_EXAMPLES}"
    named = [f"number {number}" for number in connection.scalars(sql.text(some))]
    summary = f"{n:,} numbers stand for no article of this store; events on them do not count"
    return Check(KNOWN_NUMBERS, n == 0, summary, named)


def _other_layouts(connection: Connection) -> Check:
    n = click_filters.n_other_layouts(connection)
    summary = (
        f"{n:,} layouts are beyond the {click_filters.MAX_LAYOUTS} that were seen on most days, "
        f"and are counted together as {click_filters.OTHER!r}"
    )
    return Check("layouts are few", n == 0, summary)


def _share(name: str, bad: list[str], n: int, most: float, what: str) -> Check:
    summary = f"{len(bad):,} of {n:,} {what}"
    return Check(name, len(bad) <= most * n, summary, bad[:N_EXAMPLES])
