"""What the log has of an experiment, counted where it lies: views by day, arm, slate and clicks.

A view belongs to the experiment if its slate did: it has the name in front of its arm. Views of
crawlers, and of origins that sent too much, are left out of everything: no arm can bring them. A
click that is doubtful is left out, but not its view: which views have one depends on what is
clicked, and without them the arm that is clicked more would lose more views. Doubtful clicks are
counted by arm, since an arm that draws them is no better.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy.engine import Connection

from recommender.clicks.gamma_poisson import Usual, fitted_weight, posterior_rate
from recommender.events.event import DAY_MS
from recommender.events.ingest import BY_READER
from recommender.events.slate_token import N_VARIANTS
from recommender.lists.arms import BETWEEN, Experiment
from recommender.store.click_filters import FLAGGED, NAMED, SOUND, Caps, limits
from recommender.store.database import Store
from recommender.store.event_writer import OTHER
from recommender.store.queries import Names, columns, query

HOUR_MS = 3_600_000
# How many clicks a page's own rate counts for beside those of its layout, before the log is asked.
# Wide: a site's pages may differ hardly or a lot.
PAGES = Usual(weight=5.0, factor=4.0, least=0.05, most=5_000.0)
OF_TRIAL = "SUBSTR(v.arm, 1, :length) = :prefix"
TRIAL = f"""{FLAGGED.rstrip()}, trial AS (
        SELECT v.view_id AS view_id, v.ts / {DAY_MS} AS day, v.slate AS slate,
            {NAMED.format("v")} AS layout, v.arm AS arm, v.session AS session
        FROM views v WHERE {OF_TRIAL} AND v.ts <= :latest AND v.live <= {BY_READER}
    ), followed AS (
        SELECT t.view_id AS view_id, SUBSTR(t.arm, :length + MIN(l.rank), 1) AS team
        FROM trial t JOIN clicks c ON c.view_id = t.view_id AND c.live <= {BY_READER}
            JOIN slate_links l ON l.slate = t.slate AND l.item = c.item
            LEFT JOIN doubtful d ON d.view_id = c.view_id AND d.item = c.item
        WHERE d.view_id IS NULL GROUP BY t.view_id, t.arm, c.item
    ), won AS (
        SELECT view_id, COUNT(*) AS clicks, SUM(CASE WHEN team = '1' THEN 1 ELSE 0 END) AS one,
            SUM(CASE WHEN team = '2' THEN 1 ELSE 0 END) AS two
        FROM followed GROUP BY view_id
    )"""
WON = """COALESCE(w.clicks, 0) AS clicks, COALESCE(w.one, 0) AS one, COALESCE(w.two, 0) AS two"""
VIEWS = f"""{TRIAL}
    SELECT day, arm, slate, layout, clicks, one, two, COUNT(*) AS n FROM (
        SELECT t.day AS day, t.arm AS arm, t.slate AS slate, t.layout AS layout, {WON}
        FROM trial t LEFT JOIN won w ON w.view_id = t.view_id
    ) k GROUP BY day, arm, slate, layout, clicks, one, two
    ORDER BY day, arm, slate, layout, clicks, one, two
"""
# What each visit won in each arm; of many visits alike there is one row. A view without a session
# is a visit of its own.
VISITS = f"""{TRIAL}, sizes AS (
        SELECT slate, COUNT(*) AS links FROM slate_links
        WHERE slate IN (SELECT slate FROM trial) GROUP BY slate
    )
    SELECT day, arm, views, clicks, followed, links, one, two, COUNT(*) AS n FROM (
        SELECT MIN(t.day) AS day, t.arm AS arm, COUNT(*) AS views,
            SUM(COALESCE(w.clicks, 0)) AS clicks,
            SUM(CASE WHEN w.clicks > 0 THEN 1 ELSE 0 END) AS followed,
            SUM(COALESCE(z.links, 0)) AS links,
            SUM(COALESCE(w.one, 0)) AS one, SUM(COALESCE(w.two, 0)) AS two
        FROM trial t LEFT JOIN won w ON w.view_id = t.view_id LEFT JOIN sizes z ON z.slate = t.slate
        GROUP BY CASE WHEN t.session = '' THEN t.view_id ELSE t.session END,
            CASE WHEN t.session = '' THEN 0 ELSE 1 END, t.arm
    ) k GROUP BY day, arm, views, clicks, followed, links, one, two
    ORDER BY day, arm, views, clicks, followed, links, one, two
"""
SLATES = f"""
    SELECT s.slate AS slate, s.source AS source, s.list AS list, COUNT(l.item) AS links,
        SUM(CASE WHEN l.origin = 'fallback' THEN 1 ELSE 0 END) AS fallback
    FROM slates s LEFT JOIN slate_links l ON l.slate = s.slate
    WHERE s.slate IN (SELECT v.slate FROM views v WHERE {OF_TRIAL})
    GROUP BY s.slate, s.source, s.list ORDER BY s.slate
"""
SHARES = f"""
    SELECT v.ts / {HOUR_MS} AS hour, v.arm AS arm, COALESCE(v.variant, -1) AS variant,
        COUNT(*) AS n
    FROM views v WHERE {OF_TRIAL} AND v.ts <= :latest AND v.live <= {BY_READER}
    GROUP BY v.ts / {HOUR_MS}, v.arm, COALESCE(v.variant, -1)
    ORDER BY hour, arm, variant
"""
IN_VISITS = f"""
    SELECT COUNT(*) FROM views v
    WHERE {OF_TRIAL} AND v.session <> '' AND v.ts <= :latest AND v.live <= {BY_READER}
"""
# Of every two views of a visit, one after the other: whether they drew the same variant.
STEPS = f"""
    SELECT CASE WHEN variant = before THEN 1 ELSE 0 END AS same, COUNT(*) AS n FROM (
        SELECT v.variant AS variant,
            LAG(v.variant) OVER (PARTITION BY v.session ORDER BY v.ts, v.view_id) AS before
        FROM views v
        WHERE {OF_TRIAL} AND v.session <> '' AND v.ts <= :latest AND v.live <= {BY_READER}
    ) k WHERE before IS NOT NULL AND variant IS NOT NULL
    GROUP BY CASE WHEN variant = before THEN 1 ELSE 0 END
"""
# Doubtful clicks, of how many that readers sent, and the squares of their numbers in each view.
DOUBTFUL = f"""{FLAGGED}
    SELECT arm, SUM(clicks) AS clicks, SUM(doubtful) AS doubtful,
        SUM(doubtful * doubtful) AS squares
    FROM (
        SELECT v.arm AS arm, COUNT(*) AS clicks, COUNT(d.view_id) AS doubtful
        FROM views v JOIN clicks c ON c.view_id = v.view_id AND c.live <= {BY_READER}
            LEFT JOIN doubtful d ON d.view_id = c.view_id AND d.item = c.item
        WHERE {OF_TRIAL} AND v.ts <= :latest AND v.live <= {BY_READER}
        GROUP BY v.arm, v.view_id
    ) k GROUP BY arm
"""
BY_STRANGERS = f"""
    SELECT COUNT(*) FROM views v WHERE {OF_TRIAL} AND v.ts <= :latest AND v.live > {BY_READER}
"""
ENDS = f"SELECT MIN(v.ts), MAX(v.ts) FROM views v WHERE {OF_TRIAL} AND v.ts <= :latest"
OUTSIDE = f"""
    SELECT COUNT(*) FROM views v
    WHERE v.ts >= :first AND v.ts <= :last AND v.live > 0 AND NOT ({OF_TRIAL})
"""
FORGOTTEN = "SELECT COALESCE(SUM(n), 0) FROM past_views WHERE day >= :day AND day <= :last_day"
TALLIES = """
    SELECT name, SUM(n) AS n FROM tallies WHERE SUBSTR(name, 1, :length) = :prefix GROUP BY name
"""
SECONDS = "seconds "
BEFORE = f"""{SOUND}, held AS (
        SELECT c.view_id AS view_id, COUNT(DISTINCT c.item) AS clicks
        FROM clicks c JOIN sound v ON v.view_id = c.view_id
            JOIN slate_links l ON l.slate = v.slate AND l.item = c.item
        WHERE v.ts < :first GROUP BY c.view_id
    )
    SELECT source, layout, SUM(n) AS n, SUM(clicks) AS clicks FROM (
        SELECT s.source AS source, v.layout AS layout, COUNT(*) AS n,
            SUM(COALESCE(h.clicks, 0)) AS clicks
        FROM sound v JOIN slates s ON s.slate = v.slate LEFT JOIN held h ON h.view_id = v.view_id
        WHERE v.ts < :first GROUP BY s.source, v.layout
        UNION ALL SELECT s.source, {NAMED.format("p")}, SUM(p.n), 0
        FROM past_views p JOIN slates s ON s.slate = p.slate
        WHERE p.day < :day GROUP BY s.source, {NAMED.format("p")}
        UNION ALL SELECT s.source, {NAMED.format("p")}, 0, SUM(p.n)
        FROM past_clicks p JOIN slates s ON s.slate = p.slate
        WHERE p.day < :day AND EXISTS (
            SELECT 1 FROM slate_links l WHERE l.slate = p.slate AND l.item = p.item)
        GROUP BY s.source, {NAMED.format("p")}
    ) k GROUP BY source, layout ORDER BY source, layout
"""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """Views of an experiment, as many in a row as are alike: of rows, ``(n_rows,)``, the ``day``
    (since 1970), the ``label`` (a number into ``labels``: what the log has behind the experiment's
    name, an arm or the teams of a slate), ``page`` (the store's key), ``layout`` (into
    ``layouts``), ``list`` (into ``lists``, what chose the slate), how many ``links`` the slate has,
    of which ``fallback``, the ``clicks``, of which ``one`` and ``two`` on links that the first and
    the second team picked; and how many (``n``) views are so.
    """

    labels: list[str]
    layouts: list[str]
    lists: list[str]
    day: np.ndarray
    label: np.ndarray
    page: np.ndarray
    layout: np.ndarray
    list: np.ndarray
    links: np.ndarray
    fallback: np.ndarray
    clicks: np.ndarray
    one: np.ndarray
    two: np.ndarray
    n: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Visits:
    """What visits won in each arm, as many in a row as are alike: the ``day`` of the first view,
    the ``label`` as in ``Seen``, its ``views``, ``clicks``, views in which something was
    ``followed``, ``links`` shown, clicks of either team; ``n`` visits are so. ``(n_rows,)`` each.
    """

    day: np.ndarray
    label: np.ndarray
    views: np.ndarray
    clicks: np.ndarray
    followed: np.ndarray
    links: np.ndarray
    one: np.ndarray
    two: np.ndarray
    n: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """How often each variant was drawn: by ``hour`` (since 1970), ``label`` and ``variant`` (-1 for
    none), ``(n_rows,)``; how many of the views are of a known visit (``in_visits``); and of how
    many ``steps`` from view to view in one it was the ``same`` again.
    """

    hour: np.ndarray
    label: np.ndarray
    variant: np.ndarray
    n: np.ndarray
    in_visits: int
    steps: int
    same: int


class Doubtful(NamedTuple):
    """How many of so many ``clicks`` are doubtful (``n``), and the sum over views of the squares of
    their numbers.
    """

    clicks: int
    n: int
    squares: int


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """All that the log has of an experiment. Moments ``first`` and ``last`` of its views are
    milliseconds since 1970, None if there are none; it ``began`` with its first view, or when it
    was started where earlier views were forgotten. ``doubtful`` are clicks by label, ``seconds``
    answers by label and the upper end of what they took, ``by_strangers`` views of crawlers and
    of origins that sent too much, ``outside`` views in its time that were none of its own,
    ``forgotten`` those of its days whose arm nobody knows any more.
    """

    experiment: Experiment
    seen: Seen
    shares: Shares
    doubtful: dict[str, Doubtful]
    seconds: dict[str, dict[float, int]]
    first: int | None
    last: int | None
    began: int
    by_strangers: int
    outside: int
    forgotten: int


def count(store: Store, experiment: Experiment, *, latest: int, caps: Caps | None = None) -> Trial:
    """What the store has of an experiment, of views no later than ``latest`` (milliseconds since
    1970, UTC).
    """
    labels, layouts = Names(), Names()
    with store.snapshot() as connection:
        values = _values(connection, experiment, latest, caps)
        prefix = values["prefix"]

        def label_of(arm: str) -> int:
            return labels.of(arm.removeprefix(prefix))

        named = {"arm": label_of, "layout": layouts.of}
        rows = columns(connection, VIEWS, values, texts=named)
        lists = Names()
        slates = columns(connection, SLATES, values, texts={"list": lists.of})
        shares = columns(connection, SHARES, values, texts={"arm": label_of})
        steps = columns(connection, STEPS, values)
        in_visits = int(connection.scalar(query(IN_VISITS, values), values) or 0)
        doubtful = {
            row.arm.removeprefix(prefix): Doubtful(
                int(row.clicks), int(row.doubtful), int(row.squares)
            )
            for row in connection.execute(query(DOUBTFUL, values), values)
        }
        by_strangers = int(connection.scalar(query(BY_STRANGERS, values), values) or 0)
        first, last = connection.execute(query(ENDS, values), values).one()
        # Made-up clocks may have views before it was started.
        started = _moment(experiment.started)
        began = started if first is None else min(first, started)
        until = min(latest, _moment(experiment.stopped)) if experiment.stopped else latest
        ended = max(began, until) if last is None else last
        outside = 0
        if first is not None:
            ends = {**values, "first": began, "last": ended}
            outside = int(connection.scalar(query(OUTSIDE, ends), ends) or 0)
        days = {"day": began // DAY_MS, "last_day": ended // DAY_MS}
        forgotten = int(connection.scalar(query(FORGOTTEN, days), days) or 0)
        tallied = {"prefix": SECONDS + prefix, "length": len(SECONDS + prefix)}
        seconds: dict[str, dict[float, int]] = {}
        for row in connection.execute(query(TALLIES, tallied), tallied):
            name, _, bound = row.name.removeprefix(tallied["prefix"]).rpartition(" ")
            seconds.setdefault(name, {})[float(bound)] = int(row.n)
    at = np.searchsorted(slates["slate"], rows["slate"])
    seen = Seen(
        [*labels], [*layouts], [*lists], rows["day"], rows["arm"], slates["source"][at],
        rows["layout"], slates["list"][at], slates["links"][at], slates["fallback"][at],
        rows["clicks"], rows["one"], rows["two"], rows["n"],
    )  # fmt: skip
    drawn = {int(same): int(n) for same, n in zip(steps["same"], steps["n"], strict=True)}
    return Trial(
        experiment,
        seen,
        Shares(shares["hour"], shares["arm"], shares["variant"], shares["n"],
               in_visits, sum(drawn.values()), drawn.get(1, 0)),
        doubtful, seconds, first, last, began, by_strangers, outside, forgotten,
    )  # fmt: skip


def visits(store: Store, trial: Trial, *, latest: int, caps: Caps | None = None) -> Visits:
    """What each visit won in each arm."""
    prefix = trial.experiment.name + BETWEEN
    number = {label: at for at, label in enumerate(trial.seen.labels)}
    with store.reading() as connection:
        values = _values(connection, trial.experiment, latest, caps)
        texts = {"arm": lambda arm: number.get(arm.removeprefix(prefix), -1)}
        rows = columns(connection, VISITS, values, texts=texts)
    known = rows["arm"] >= 0  # a label that came since the views were counted
    rows["label"] = rows.pop("arm")
    return Visits(**{name: each[known] for name, each in rows.items()})


def rates_before(
    store: Store, trial: Trial, *, latest: int, caps: Caps | None = None
) -> tuple[np.ndarray, int]:
    """The clicks a view that each row of ``trial.seen`` was to be expected to win, ``(n_rows,)``,
    from views before the experiment, of its page and layout, shrunk towards the layout as far as
    pages differ no more than by chance; and from how many views.
    """
    seen = trial.seen
    layouts = Names({name: at for at, name in enumerate(seen.layouts)})
    with store.reading() as connection:
        values = _values(connection, trial.experiment, latest, caps)
        values |= {"first": trial.began, "day": trial.began // DAY_MS}
        rows = columns(connection, BEFORE, values, texts={"layout": layouts.of})
    clicks, views = rows["clicks"].astype(np.float64), rows["n"].astype(np.float64)
    n_before = int(views.sum())
    if n_before == 0 or clicks.sum() == 0:
        return np.zeros(len(seen.n)), n_before
    of_layout = np.full(len(layouts), clicks.sum() / n_before)
    seen_in = np.bincount(rows["layout"], weights=views, minlength=len(layouts))
    won_in = np.bincount(rows["layout"], weights=clicks, minlength=len(layouts))
    known = (seen_in > 0) & (won_in > 0)
    of_layout[known] = won_in[known] / seen_in[known]
    expected = views * of_layout[rows["layout"]]
    weight = fitted_weight(clicks, expected, PAGES)
    rate = posterior_rate(clicks, expected, weight) * of_layout[rows["layout"]]
    n_layouts = len(layouts)
    keys = rows["source"] * n_layouts + rows["layout"]
    order = np.argsort(keys)
    wanted = seen.page * n_layouts + seen.layout
    at = np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)
    found = keys[order][at] == wanted
    return np.where(found, rate[order][at], of_layout[seen.layout]), n_before


def _moment(text: str) -> int:
    """Milliseconds since 1970 of a moment in ISO 8601."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def _values(
    connection: Connection, experiment: Experiment, latest: int, caps: Caps | None
) -> dict[str, Any]:
    prefix = experiment.name + BETWEEN
    return {
        **limits(connection, caps or Caps()),
        "prefix": prefix,
        "length": len(prefix),
        "latest": latest,
    }


def made_to_order(seen: Seen) -> np.ndarray:
    """Rows whose slate fell together with others made to order, so that nobody knows its links,
    ``(n_rows,)``.
    """
    other = seen.lists.index(OTHER) if OTHER in seen.lists else -1
    return (seen.list == other) & (seen.links == 0)


def by_variant(shares: Shares) -> np.ndarray:
    """How often each of the hundred variants was drawn, ``(100,)``."""
    drawn = shares.variant >= 0
    found = np.bincount(shares.variant[drawn], weights=shares.n[drawn], minlength=N_VARIANTS)
    return found[:N_VARIANTS]
