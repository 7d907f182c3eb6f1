"""What happened on a site: how many lists were shown and how often links were followed, what new
links brought, and which pages need an editor's eye. Everything that the console shows is computed
here, by commands that have the time; the service reads what they store (``bundle.figures``).

Rates are never without their denominator. *Click rate* is clicks for each view of a list; of one
origin it is clicks for each link that was shown, and beside it stands how often links are followed
that stand at the same places, because a pinned link at the top is followed more than a found one at
the bottom. Days are UTC's. Doubtful events are left out everywhere and counted apart; what was
forgotten is counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np

from recommender.articles.article import Article
from recommender.bundle.bundle import Bundle
from recommender.candidates import EMPTY, MIN_LINKS
from recommender.clicks.intervention_harvesting import MAX_POSITION
from recommender.evaluation.click_rates import Pairs, Rate, chosen, of_count, of_days, together
from recommender.evaluation.list_quality import final_lists
from recommender.evaluation.report.picture import BLUE, Axis, Series, chart
from recommender.events.event import HAND_PICKED, latest_at
from recommender.store import refusals
from recommender.store.click_filters import REASONS, Caps, flagged_by_day
from recommender.store.counts import UNKNOWN, Log, count, n_logged
from recommender.store.database import Store, known_name
from recommender.store.queries import ids_by_key
from recommender.times import EPOCH

# Days that are given one by one, and those of the recent figures: four whole weeks.
MAX_DAYS, RECENT_DAYS = 400, 28
# Days before the recent ones that a page is compared with: a quarter of a year.
PAST_DAYS = 84
# A page is asked whether it falls from two weeks of log on, and if so many clicks are due to it in
# either part: of fewer no fall can be seen. Not tuned.
MIN_LOG_DAYS, MIN_DUE = 14, 5.0
# Of pages that are named, the most in each list; and of links beside each.
N_STORED, N_LINKS = 1_000, 5
# As many links as a page shows.
K = 10
NO_RATES = "Views without a click seem not to be logged, so no click rate is known."
# What links are called of which the log does not say why they stood there.
NOT_KNOWN = "not known"
SIGNED_IN_WORDS = "of 100 views of a list"


@dataclass(frozen=True, eq=False)
class SiteFigures:
    """The ``content``, fit for JSON, and the ``links``: ``(n_pairs, 4)``, the store's numbers of
    page and link, how often it was shown and followed, sorted.
    """

    content: dict[str, Any]
    links: np.ndarray


def site_figures(
    store: Store,
    bundle: Bundle | None,
    *,
    now: datetime,
    caps: Caps | None = None,
) -> SiteFigures:
    """The figures of a store and the live ``bundle``, with the editors' rules in it, if there is
    one.
    """
    caps = caps or Caps()
    with store.reading() as connection:
        known = ids_by_key(connection)
        flagged = flagged_by_day(connection, caps)
    keys = np.array(sorted(known), dtype=np.int64)
    ids = [known[key] for key in keys.tolist()]
    log = count(store, ids, until=latest_at(now) + 1, caps=caps, with_origins=True)
    articles = {article.id: article for article in store.articles(with_body=False)}
    found = Findings(log, ids, articles, bundle)
    n_views, n_clicks = n_logged(store)
    content = {
        "made": now.astimezone(UTC).isoformat(timespec="seconds"),
        "store": known_name(store),
        "articles": sum(not article.stub for article in articles.values()),
        "logged": {"views": n_views, "clicks": n_clicks},
        **found.traffic(),
        "doubtful": _doubtful(flagged),
        "new_links": found.new_links(),
        "falling": found.falling(),
        **found.list_lengths(),
        "bundle": None if bundle is None else _about(bundle),
        **refusals.figures(store, now=now),
    }
    return SiteFigures(content, found.links(keys))


@dataclass(frozen=True, eq=False)
class Findings:
    """What there is to find in a ``log`` whose articles are numbered as ``ids``; ``articles`` are
    those of the site, by id, ``bundle`` is the live one.
    """

    log: Log
    ids: list[str]
    articles: Mapping[str, Article]
    bundle: Bundle | None

    @cached_property
    def days(self) -> np.ndarray:
        """The days of the log, without gaps, ``(n_days,)``."""
        seen = self.log.view_day
        return np.arange(seen.min(), seen.max() + 1) if len(seen) else np.zeros(0, np.int64)

    @cached_property
    def first(self) -> int:
        return int(self.days[0]) if len(self.days) else 0

    @cached_property
    def daily(self) -> tuple[np.ndarray, np.ndarray]:
        """Views and clicks of each day, ``(n_days,)`` both."""
        return self._by_day(np.ones(len(self.log.source), dtype=bool))

    def _by_day(self, slates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Views and clicks of each day of some slates, a mask ``(n_slates,)``."""
        log, n = self.log, len(self.days)
        seen, followed = slates[log.view_slate], slates[log.link_slate[log.click_link]]
        return (
            np.bincount(log.view_day[seen] - self.first, log.n_views[seen], n)[:n],
            np.bincount(log.click_day[followed] - self.first, log.n_clicks[followed], n)[:n],
        )

    @property
    def rates_known(self) -> bool:
        """Whether views without a click are logged; else no click rate means anything."""
        views, clicks = self.daily
        return bool(clicks.sum() < views.sum()) or not views.any()

    @property
    def spread(self) -> float:
        """How many times the variance of a count of clicks is that of independent ones, since
        those of a visit hang together.
        """
        return max(1.0, self.log.clicks_per_visit)

    # Traffic

    def traffic(self) -> dict[str, Any]:
        """Views, clicks and click rate by day, of the last weeks and those before, by layout and
        origin.
        """
        views, clicks = self.daily
        low, high = of_count(clicks, views, spread=self.spread)
        rows = [
            {"day": _date(day), "views": int(n), "clicks": int(m), **_rate(Rate(r, lo, hi))}
            for day, n, m, r, lo, hi in zip(
                self.days.tolist(), views, clicks, _share(clicks, views), low, high, strict=True
            )
        ][-MAX_DAYS:]
        n = len(self.days)
        recent, before = (
            slice(max(0, n - RECENT_DAYS), n),
            slice(max(0, n - 2 * RECENT_DAYS), max(0, n - RECENT_DAYS)),
        )
        return {
            "first_day": _date(int(self.days[0])) if n else None,
            "last_day": _date(int(self.days[-1])) if n else None,
            "days": rows,
            "weeks": self._weeks(),
            "total": self._part(slice(0, n)),
            "recent": self._part(recent),
            "before": self._part(before),
            "layouts": self._layouts(recent),
            "origins": self._origins(recent),
            "pictures": self._pictures(),
            "rates_known": self.rates_known,
        }  # fmt: skip

    def _part(self, days: slice) -> dict[str, Any]:
        views, clicks = (each[days] for each in self.daily)
        there = self.days[days]
        return {
            "first_day": _date(int(there[0])) if len(there) else None,
            "last_day": _date(int(there[-1])) if len(there) else None,
            "days": len(there),
            "views": int(views.sum()),
            "clicks": int(clicks.sum()),
            **_rate(of_days(clicks, views, spread=self.spread)),
        }

    def _weeks(self) -> list[dict[str, Any]]:
        """Whole weeks, counted back from the last day; the first may have fewer days."""
        n = len(self.days)
        ends = range(n, 0, -7)
        return [self._part(slice(max(0, end - 7), end)) for end in ends][: MAX_DAYS // 7][::-1]

    def _layouts(self, days: slice) -> list[dict[str, Any]]:
        log, found = self.log, []
        for number, name in enumerate(log.layouts):
            views, clicks = (each[days] for each in self._by_day(log.layout == number))
            if views.any():
                rate = _rate(of_days(clicks, views, spread=self.spread))
                n, m = int(views.sum()), int(clicks.sum())
                found.append({"layout": name, "views": n, "clicks": m, **rate})
        return sorted(found, key=lambda row: -row["views"])

    @cached_property
    def _origin_names(self) -> tuple[np.ndarray, list[str]]:
        """Why each link stood there, ``(n_links,)`` numbers of the names."""
        log = self.log
        by_hand = [at for at, name in enumerate(log.lists) if name == HAND_PICKED]
        names = [*dict.fromkeys((*filter(None, log.origins), HAND_PICKED, NOT_KNOWN))]
        at = {name: number for number, name in enumerate(names)}
        named = np.array([at[name or NOT_KNOWN] for name in (*log.origins, "")])
        origin = named[log.origin] if len(log.origin) else np.full(len(log.item), at[NOT_KNOWN])
        hand = np.isin(log.list, by_hand)[log.link_slate] & (origin == at[NOT_KNOWN])
        return np.where(hand, at[HAND_PICKED], origin), names

    def _origins(self, days: slice) -> list[dict[str, Any]]:
        """By origin: links shown, clicks on them, and how often links at the same places of the
        same layouts were followed.
        """
        log, there = self.log, self.days[days]
        origin, names = self._origin_names
        if not len(there):
            return []
        n, first = len(names), int(there[0])
        seen, followed = log.view_day >= first, log.click_day >= first
        views, clicked = log.n_views[seen], log.click_link[followed]
        slate, day = log.view_slate[seen], log.view_day[seen] - first
        of_slate = np.bincount(slate, views, len(log.source))[log.link_slate]
        got = np.bincount(clicked, log.n_clicks[followed], len(log.item))
        place = self._place
        usual = _share(np.bincount(place, got), np.bincount(place, of_slate))[place]
        usual = np.nan_to_num(usual)
        again = log.is_again
        found = []
        size = len(there)
        for number in range(n):
            mine = origin == number
            # What is due is due at both places of a link that stands twice: it is followed there.
            n_links = np.bincount(log.link_slate, mine & ~again, len(log.source))
            due = np.bincount(log.link_slate, usual * mine, len(log.source))
            shown_by_day = np.bincount(day, views * n_links[slate], size)
            due_by_day = np.bincount(day, views * due[slate], size)
            of_mine = mine[clicked]
            clicks_by_day = np.bincount(
                log.click_day[followed][of_mine] - first, log.n_clicks[followed][of_mine], size
            )
            if shown_by_day.sum() == 0:
                continue
            versus = of_days(clicks_by_day, due_by_day, spread=self.spread)
            found.append({
                "origin": names[number],
                "links": int(shown_by_day.sum()),
                "clicks": int(clicks_by_day.sum()),
                **_rate(of_days(clicks_by_day, shown_by_day, spread=self.spread)),
                "as_usual": _rate(versus),
            })  # fmt: skip
        return sorted(found, key=lambda row: -row["links"])

    @cached_property
    def _place(self) -> np.ndarray:
        """Layout and position of each link, one number, ``(n_links,)``."""
        log = self.log
        position = np.minimum(log.position, MAX_POSITION)
        return log.layout[log.link_slate].astype(np.int64) * (MAX_POSITION + 1) + position

    def _pictures(self) -> dict[str, str]:
        """Click rate and views over time, as SVG: by day where that is not too many, else by
        week.
        """
        n = len(self.days)
        if n < 2 or not self.daily[0].any():
            return {}
        if n <= 92:
            views, clicks = self.daily
            low, high = of_count(clicks, views, spread=self.spread)
            x, days, unit = np.arange(n, dtype=float), self.days, "day"
            rate = _share(clicks, views)
        else:
            weeks = [week for week in self._weeks() if week["days"] == 7]
            x, unit = np.arange(len(weeks), dtype=float), "week"
            days = np.array([_day(week["first_day"]) for week in weeks])
            views = np.array([week["views"] for week in weeks], dtype=float)
            rate, low, high = (
                np.array([np.nan if week[name] is None else week[name] for week in weeks])
                for name in ("rate", "low", "high")
            )
        # Not at the ends, where half of a date would be cut off.
        ticks = np.unique((np.linspace(0.07, 0.93, 4) * (len(x) - 1)).round())
        across = Axis("", 0, max(len(x) - 1, 1), ticks.tolist(),
                      form=lambda at: _date(int(days[int(at)])))  # fmt: skip
        known = ~np.isnan(rate)
        most = max(float(np.quantile(high[known], 0.95)), float(rate[known].max()), 1e-6) * 1.05
        up = Axis(f"Clicks {SIGNED_IN_WORDS}, each {unit} (band: 95 %)", 0.0, most,
                  _ticks(most), form=lambda value: f"{100 * value:.3g}")  # fmt: skip
        rates = Series(x[known], rate[known], low[known], np.minimum(high[known], most))
        most_views = float(views.max()) * 1.05
        above = Axis(f"Views of a list, each {unit}", 0.0, most_views, _ticks(most_views),
                     form=lambda value: f"{value:,.0f}")  # fmt: skip
        seen = Series(x, views, colour=BLUE)
        ends = f"from {_date(int(days[0]))} to {_date(int(days[-1]))}; the figures are below"
        return {
            "rate": chart(
                [rates], across, up, label=f"{up.label} {ends}", width=640, height=240
            ).svg,
            "views": chart(
                [seen], across, above, label=f"{above.label} {ends}", width=640, height=240
            ).svg,
        }

    # Links

    @cached_property
    def _open(self) -> Log:
        """The log without what only a request brought onto a list."""
        return self.log.shown_to_all()

    @cached_property
    def _pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Every pair of page and link that was shown, ``page * n_ids + link``, sorted; how often
        it was shown, once a view though the list name it twice, and followed; and clicks due to it
        where links of the site are followed as usual at its places.
        """
        log, n = self._open, len(self.ids)
        shown, clicked = log.shown_and_clicked()
        known = (log.link_source != UNKNOWN) & (log.item != UNKNOWN) & (shown > 0)
        key = log.link_source[known].astype(np.int64) * n + log.item[known]
        keys, pair = np.unique(key, return_inverse=True)
        seen, got, due = (
            np.bincount(pair, each[known], len(keys))
            for each in (shown * ~log.is_again, clicked, self._due(shown))
        )
        return keys, seen, got, due

    def _due(self, shown: np.ndarray) -> np.ndarray:
        """Clicks due to each link, ``(n_links,)``: by how likely its place is examined, as far as
        the bundle knows, else as usual at its place.
        """
        log = self._open
        _, clicked = log.shown_and_clicked()
        if self.is_corrected and self.bundle is not None:
            calibration = self.bundle.calibration
            curves = np.array([calibration.examination(name) for name in log.layouts])
            place = np.minimum(log.position, curves.shape[1] - 1)
            examined = curves[log.layout[log.link_slate], place]
            total = float((shown * examined).sum())
            return shown * examined * (float(clicked.sum()) / total if total else 0.0)
        place = self._place
        rate = _share(np.bincount(place, clicked), np.bincount(place, shown))
        return shown * np.nan_to_num(rate)[place]

    @property
    def is_corrected(self) -> bool:
        """Whether it is known how likely each place is examined."""
        if self.bundle is None:
            return False
        about = self.bundle.about.examination
        return about.identified or any(curve.identified for curve in about.layouts)

    def links(self, keys: np.ndarray) -> np.ndarray:
        """Pairs by the store's ``keys`` of ids, as ``SiteFigures.links`` has them."""
        pair, shown, clicked, _ = self._pairs
        if not len(pair):
            return np.zeros((0, 4), np.int32)
        page, item = np.divmod(pair, len(self.ids))
        most = np.iinfo(np.int32).max
        columns = keys[page], keys[item], np.minimum(shown, most), np.minimum(clicked, most)
        return np.stack([each.astype(np.int32) for each in columns], axis=1)

    @cached_property
    def _lists(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The live lists and which of their links only fill up, ``(n_articles, K)`` both."""
        return None if self.bundle is None else final_lists(self.bundle, K)

    @cached_property
    def _row_of(self) -> np.ndarray:
        """The bundle's row of each id of the log, ``EMPTY`` where it has none, ``(n_ids,)``."""
        find = self.bundle.lists.find if self.bundle else lambda _: None
        rows = (find(id) for id in self.ids)
        return np.array([EMPTY if row is None else row for row in rows], dtype=np.int64)

    def new_links(self) -> dict[str, Any]:
        """Where links that editors' lists lack are followed more, or less, than those they
        replaced.
        """
        if self.bundle is None or self._lists is None:
            return {"why": "No lists are live yet: recommender train makes them."}
        if self.bundle.decided_by == HAND_PICKED:
            return {"why": "The live lists are the editors' own: there are no new links."}
        number = {id: at for at, id in enumerate(self.ids)}
        n = len(self.ids)
        picked = np.array(
            [
                number[article.id] * n + number[target]
                for article in self.articles.values()
                if article.id in number
                for target in article.recommended
                if target in number
            ],
            dtype=np.int64,
        )
        if not len(picked):
            return {"why": "No page has a list by hand that was ever shown."}
        row_to_number = np.full(len(self.bundle.lists.stub), EMPTY, dtype=np.int64)
        known = self._row_of != EMPTY
        row_to_number[self._row_of[known]] = np.flatnonzero(known)
        items, _ = self._lists
        source, place = np.nonzero(items != EMPTY)
        ends = row_to_number[source], row_to_number[items[source, place]]
        both = (ends[0] != EMPTY) & (ends[1] != EMPTY)
        live = ends[0][both] * n + ends[1][both]
        keys, _, clicked, due = self._pairs
        page = keys // n
        by_hand, is_live = np.isin(keys, picked), np.isin(keys, live)
        has_list = np.isin(page, picked // n) & np.isin(page, ends[0])
        new, old = is_live & ~by_hand & has_list, by_hand & ~is_live & has_list
        sums = [
            np.bincount(page[each], weights=of[each], minlength=n)
            for each in (new, old)
            for of in (clicked, due)
        ]
        # Where nothing is due to either nothing can be seen; who got what has no part in it.
        asked = np.flatnonzero((sums[1] > 0) & (sums[3] > 0) & (sums[1] + sums[3] >= MIN_DUE))
        every = np.flatnonzero((sums[1] > 0) & (sums[3] > 0))
        if not len(every):
            return {
                "why": "No page has shown both its new links and those they replaced; an "
                "experiment, or a log from before, has both."
            }
        pairs = Pairs(*(each[asked] for each in (sums[0], sums[1], sums[2], sums[3])))
        # That new links are followed more on most pages is what is asked, not how pages vary.
        found = chosen(pairs, least_spread=self.spread, steady=True)
        where = {"new": new, "old": old}
        rows = {
            side: [
                self._won(int(asked[at]), pairs, found.low[at], found.high[at], int(at), where)
                for at in np.flatnonzero(found.differs & differs)[
                    np.argsort(
                        -np.abs(pairs.one - pairs.other * pairs.due_one / pairs.due_other)[
                            found.differs & differs
                        ]
                    )
                ][:N_STORED]
            ]
            for side, differs in (("better", pairs.ratio > 1), ("worse", pairs.ratio < 1))
        }
        return {
            "pages": len(every),
            "asked": len(asked),
            "together": _rate(together(Pairs(*(each[every] for each in sums)))),
            "new": self._of_links(new),
            "old": self._of_links(old),
            "is_corrected": self.is_corrected,
            "n_better": int((found.differs & (pairs.ratio > 1)).sum()),
            "n_worse": int((found.differs & (pairs.ratio < 1)).sum()),
            **rows,
        }

    def _of_links(self, which: np.ndarray) -> dict[str, Any]:
        """What some of ``_pairs`` were shown and followed, and on which day in the mean."""
        keys, shown, clicked, _ = self._pairs
        log, n = self._open, len(self.ids)
        days = np.bincount(log.view_slate, log.n_views * log.view_day, len(log.source))
        key = log.link_source.astype(np.int64) * n + log.item
        chosen = np.isin(key, keys[which]) & (log.link_source != UNKNOWN) & (log.item != UNKNOWN)
        chosen &= ~log.is_again
        total = float(shown[which].sum())
        day = float(days[log.link_slate[chosen]].sum()) / total if total else 0.0
        return {
            "shown": int(total),
            "clicks": int(clicked[which].sum()),
            "mean_day": _date(int(day)) if total else None,
        }

    def _won(
        self,
        page: int,
        pairs: Pairs,
        low: float,
        high: float,
        at: int,
        where: Mapping[str, np.ndarray],
    ) -> dict[str, Any]:
        keys, shown, clicked, _ = self._pairs
        n = len(self.ids)
        span = slice(*np.searchsorted(keys, [page * n, (page + 1) * n]))
        links = {}
        for side, which in where.items():
            places = np.flatnonzero(which[span]) + span.start
            best = places[np.argsort(-shown[places], kind="stable")][:N_LINKS]
            links[side] = [
                {**self._named(self.ids[int(keys[each]) % n]), "shown": int(shown[each]),
                 "clicks": int(clicked[each])}
                for each in best
            ]  # fmt: skip
        return {
            **self._named(self.ids[page]),
            **_ratio(float(pairs.ratio[at]), low, high),
            "clicks": {"new": int(pairs.one[at]), "old": int(pairs.other[at])},
            "links": links,
        }

    # Pages

    def falling(self) -> dict[str, Any]:
        """Pages whose click rate fell, against their own past and the site's trend."""
        log, n, n_days = self.log, len(self.ids), len(self.days)
        if n_days < MIN_LOG_DAYS:
            return {"why": f"This takes {MIN_LOG_DAYS} days of log; there are {n_days}.",
                    "pages": [], "n": 0}  # fmt: skip
        if not self.rates_known:
            return {"why": NO_RATES, "pages": [], "n": 0}
        size = min(RECENT_DAYS, n_days // 2)
        end = int(self.days[-1]) + 1
        begins = max(self.first, end - size - PAST_DAYS)
        sums, due = [], []
        for first, last in ((end - size, end), (begins, end - size)):
            part = log.between(first, last)
            views = np.bincount(part.view_slate, part.n_views, len(log.source))
            clicks = np.bincount(part.link_slate[part.click_link], part.n_clicks, len(log.source))
            n_layouts = max(1, len(log.layouts))
            rate = _share(
                np.bincount(log.layout, clicks, n_layouts),
                np.bincount(log.layout, views, n_layouts),
            )
            known = log.source != UNKNOWN
            pages = log.source[known]
            sums.append([np.bincount(pages, each[known], n) for each in (views, clicks)])
            due.append(np.bincount(pages, (views * np.nan_to_num(rate)[log.layout])[known], n))
        asked = np.flatnonzero((due[0] >= MIN_DUE) & (due[1] >= MIN_DUE))
        about = {
            "days": size,
            "first_day": _date(end - size),
            "past_days": end - size - begins,
            "past_first_day": _date(begins),
            "asked": len(asked),
        }
        pairs = Pairs(sums[0][1][asked], due[0][asked], sums[1][1][asked], due[1][asked])
        found = chosen(pairs, least_spread=self.spread)
        falls = np.flatnonzero(found.differs & (pairs.ratio < 1))
        lost = pairs.due_one * pairs.other / pairs.due_other - pairs.one
        falls = falls[np.argsort(-lost[falls], kind="stable")]
        rows = []
        for at in falls[:N_STORED].tolist():
            page = int(asked[at])
            now, past = ([float(each[page]) for each in part] for part in sums)
            rows.append({
                **self._named(self.ids[page]),
                "views": int(now[0]), "clicks": int(now[1]), "rate": _plain(now[1] / now[0]),
                "past_views": int(past[0]), "past_clicks": int(past[1]),
                "past_rate": _plain(past[1] / past[0]),
                **_ratio(float(pairs.ratio[at]), float(found.low[at]), float(found.high[at])),
                "lost": _plain(float(lost[at])),
            })  # fmt: skip
        return {**about, "n": len(falls), "pages": rows}

    def list_lengths(self) -> dict[str, Any]:
        """Live lists of fewer than three links, and those with links that only fill up, the most
        read pages first.
        """
        if self.bundle is None or self._lists is None:
            return {name: {"n": 0, "pages": []} for name in ("short", "filled")}
        items, fills_up = self._lists
        seen = np.zeros(len(items))
        log = self.log
        recent = log.view_day >= (int(self.days[-1]) - RECENT_DAYS + 1 if len(self.days) else 0)
        known = log.source != UNKNOWN
        of_slate = np.bincount(log.view_slate[recent], log.n_views[recent], len(log.source))
        views = np.bincount(log.source[known], of_slate[known], len(self.ids))
        there = self._row_of != EMPTY
        seen[self._row_of[there]] = views[there]
        real = np.asarray(self.bundle.lists.stub) == 0
        size = (items != EMPTY).sum(axis=1)
        fillers = (fills_up & (items != EMPTY)).sum(axis=1)
        found = {}
        for name, which in (("short", size < MIN_LINKS), ("filled", fillers > 0)):
            rows = np.flatnonzero(which & real)
            order = rows[np.argsort(-seen[rows], kind="stable")]
            pages = [
                {**self._named(self.bundle.lists.id_of(row)), "links": int(size[row]),
                 "fillers": int(fillers[row]), "views": int(seen[row])}
                for row in order[:N_STORED].tolist()
            ]  # fmt: skip
            found[name] = {"n": len(rows), "of": int(real.sum()), "pages": pages}
        return found

    def _named(self, id: str) -> dict[str, str]:
        article = self.articles.get(id)
        return {"id": id, "title": id if article is None else article.title}


def _about(bundle: Bundle) -> dict[str, Any]:
    """The live bundle in sentences: when it was built, from what, and what it learned."""
    about = bundle.about
    return {
        "name": about.name,
        "built": about.built,
        "data_window": list(about.data_window),
        "decided_by": about.decided_by,
        "reason": about.reason,
        "articles": about.n_articles,
        "views": about.n_views,
        "clicks": about.n_clicks,
        "explore": about.explore,
        "scores": {name: _plain(value) for name, value in about.scores.items()},
        "learned": [
            *about.examination.summary,
            str(about.sent),
            str(about.languages),
            str(about.listings),
            str(about.concentration),
        ],
    }


def _doubtful(flagged: Mapping[tuple[int, str], int]) -> dict[str, Any]:
    """What is flagged, by reason and by day."""
    days: dict[int, dict[str, int]] = {}
    for (day, reason), n in flagged.items():
        days.setdefault(day, {})[reason] = n
    reasons = {name: sum(found.get(name, 0) for found in days.values()) for name in REASONS}
    return {
        "n": sum(reasons.values()),
        "reasons": {name: n for name, n in reasons.items() if n},
        "days": [{"day": _date(day), "reasons": days[day]} for day in sorted(days)[-MAX_DAYS:]],
    }


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > 0, part / np.maximum(whole, 1e-300), np.nan)


def _plain(value: float) -> float | None:
    """A number that JSON knows, of six digits."""
    return float(f"{value:.6g}") if np.isfinite(value) else None


def _rate(rate: Rate) -> dict[str, float | None]:
    return {name: _plain(float(value)) for name, value in rate._asdict().items()}


def _ratio(ratio: float, low: float, high: float) -> dict[str, float | None]:
    return {"ratio": _plain(ratio), "low": _plain(float(low)), "high": _plain(float(high))}


def _date(day: int) -> str:
    return (EPOCH + timedelta(days=day)).date().isoformat()


def _day(date: str) -> int:
    moment = datetime.fromisoformat(date).replace(tzinfo=UTC)
    return int((moment - EPOCH) / timedelta(days=1))


def _ticks(most: float) -> list[float]:
    """Some round numbers up to ``most``."""
    power = 10.0 ** np.floor(np.log10(most / 3))
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= most / 4)
    return [float(step * at) for at in range(int(most / step) + 1)]
