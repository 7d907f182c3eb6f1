"""What an operator watches, in Prometheus' format: a library counts, this names what.

With several workers each counts in a file of its own, and whichever is asked adds them up.

What is counted at every answer is counted in plain numbers and handed to the library now and then
(``hand_on``): its own counting takes a fifth of an answer's time.
"""

from __future__ import annotations

import os
import threading
import time
from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Iterable, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
    multiprocess,
)
from prometheus_client.core import GaugeMetricFamily, Metric

# When a counter was made is of no use to anyone here, and doubles the page.
disable_created_metrics()  # type: ignore[no-untyped-call]

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
# Bounds of the histogram's buckets, about three to a decade; not tuned.
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
# What one worker has counted, others can add up so much later.
HAND_ON_SECONDS = 0.1


class Metrics:
    """Counters of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        answers = Counter(
            "recommender_answers",
            "Lists that were sent; fallback: for an unknown page, or with links that only fill up",
            ["list"],
            registry=self.registry,
        )
        self._own, self._fallback = answers.labels("own"), answers.labels("fallback")
        events = Counter(
            "recommender_events",
            "Events that pages sent",
            ["outcome"],
            registry=self.registry,
        )
        self._of_outcome = {
            outcome: events.labels(outcome)
            for outcome in ("accepted", "duplicate", "rejected", "lost")
        }
        kinds = Counter(
            "recommender_events_accepted",
            "Events that were new and are kept, by type; doubtful ones are among them",
            ["type"],
            registry=self.registry,
        )
        self._of_kind = {kind: kinds.labels(kind) for kind in ("impression", "click", "pageview")}
        self._rejected = Counter(
            "recommender_events_rejected",
            "Events that were refused, by reason",
            ["reason"],
            registry=self.registry,
        )
        self._mended = Counter(
            "recommender_lists_mended",
            "Lists that could not be composed; what was prepared was sent instead",
            registry=self.registry,
        )
        self._limited = Counter(
            "recommender_posts_limited",
            "Posts that were refused because their client sent too many",
            registry=self.registry,
        )
        self._answers = Counter(
            "recommender_responses",
            "Requests that were answered, by route and status",
            ["route", "status"],
            registry=self.registry,
        )
        seconds = Histogram(
            "recommender_request_seconds",
            "Time from a request to its answer",
            ["route"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._seconds = {route: seconds.labels(route) for route in ("related", "events", "other")}
        # What the event loop has counted, and what of it was handed on.
        self._lists = [0, 0]
        self._statuses: Tally[tuple[str, int]] = Tally()
        self._took = {route: [0] * (len(SECONDS) + 1) for route in self._seconds}
        self._total = dict.fromkeys(self._seconds, 0.0)
        self._handed: dict[object, float] = {}
        self._handing = threading.Lock()

    def answered(self, *, is_fallback: bool) -> None:
        """A list was sent."""
        self._lists[is_fallback] += 1

    def events(self, outcome: str, n: int) -> None:
        """So many events ``accepted``, ``duplicate``, or ``lost`` because the store failed."""
        if n:
            self._of_outcome[outcome].inc(n)

    def accepted(self, kinds: Mapping[str, int]) -> None:
        """So many new events of each kind are kept: ``impression``, ``click``, ``pageview``."""
        for kind, n in kinds.items():
            self._of_kind[kind].inc(n)

    def rejected(self, reasons: Mapping[str, int]) -> None:
        """Events were refused."""
        for reason, n in reasons.items():
            self._rejected.labels(reason).inc(n)
            self._of_outcome["rejected"].inc(n)

    def mended(self) -> None:
        """A list could not be composed."""
        self._mended.inc()

    def limited(self) -> None:
        """A client sent too many posts."""
        self._limited.inc()

    def took(self, route: str, status: int, since: float) -> None:
        """A request was answered that came at ``since`` (``time.perf_counter``)."""
        seconds = time.perf_counter() - since
        self._statuses[route, status] += 1
        self._took[route][bisect_left(SECONDS, seconds)] += 1
        self._total[route] += seconds

    def hand_on(self) -> None:
        """Hand on what was counted since the last call, from whatever thread."""
        with self._handing:
            self._own.inc(self._new("own", self._lists[False]))
            self._fallback.inc(self._new("fallback", self._lists[True]))
            for (route, status), n in list(self._statuses.items()):
                if new := self._new((route, status), n):
                    self._answers.labels(route, f"{status}").inc(new)
            for route, seconds in self._seconds.items():
                # The library itself takes one observation at a time.
                seconds._sum.inc(self._new(("sum", route), self._total[route]))
                for at, n in enumerate(self._took[route]):
                    seconds._buckets[at].inc(self._new(("took", route, at), n))

    def _new(self, what: object, n: float) -> float:
        new = n - self._handed.get(what, 0)
        self._handed[what] = n
        return new

    def text(self, gauges: Iterable[Metric]) -> bytes:
        """The page, with ``gauges`` of the moment."""
        self.hand_on()
        registry = self.registry
        if FOLDER in os.environ:
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        moment = CollectorRegistry()
        moment.register(_Moment(gauges))
        return bytes(generate_latest(registry) + generate_latest(moment))


class _Moment:
    """Gauges that are worked out when they are asked for."""

    def __init__(self, gauges: Iterable[Metric]) -> None:
        self.gauges = list(gauges)

    def collect(self) -> Iterable[Metric]:
        return self.gauges


def gauge(name: str, what: str, value: float) -> Metric:
    """One figure."""
    return GaugeMetricFamily(name, what, value=value)


def gauges(name: str, what: str, label: str, values: Mapping[str, float]) -> Metric:
    """One figure for each value of a label."""
    family = GaugeMetricFamily(name, what, labels=[label])
    for of, value in values.items():
        family.add_metric([of], value)
    return family


def info(name: str, what: str, values: Mapping[str, str]) -> Metric:
    """What something is called, as labels of a figure that is 1."""
    family = GaugeMetricFamily(name, what, labels=list(values))
    family.add_metric(list(values.values()), 1)
    return family
