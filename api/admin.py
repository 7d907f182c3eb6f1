"""What takes the admin key: articles that come and go, bundles, figures for the operator.

None of it exists while no key is set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Annotated, Any

from fastapi import Body, Depends, FastAPI, Query, Request, Response
from prometheus_client.core import Metric

from recommender.articles.article import from_record
from recommender.articles.batch import Batch
from recommender.articles.html_page import plain_fields
from recommender.bundle import registry
from recommender.config import Settings
from recommender.errors import ArticleError, BundleError, MissingExtra, StoreError
from recommender.events.allowance import beyond
from recommender.events.event import DAY_MS
from recommender.fields import MAX_ID_CHARACTERS
from recommender.store.click_filters import Caps, count_flagged, n_live
from recommender.store.database import Store
from recommender.store.event_writer import FOLDED, tallies_of
from recommender.store.group_commit import BEYOND
from recommender.store.refusals import origins_of
from recommender_api.http import check_key
from recommender_api.live import Live
from recommender_api.metrics import Metrics, gauge, gauges, info
from recommender_api.routes import ADMIN, documented, model_of
from recommender_api.schemas import Model, Put, Refusal, Removed, no_store
from recommender_api.store_connection import Stored

# Whole articles of 30 kB on average; their body is bounded in ``http``.
MAX_ARTICLES = 500
# Counting what is flagged reads the log; an operator's system asks every few seconds.
FLAGGED_SECONDS = 60
# How long the page waits for posts refused in the last seconds to be counted, too.
REFUSED_SECONDS = 1.0


def add(
    app: FastAPI,
    live: Live,
    stored: Stored,
    metrics: Metrics,
    *,
    settings: Settings,
    clock: Callable[[], datetime],
) -> None:
    """Give ``app`` the routes that take the admin key."""

    def admin(request: Request) -> None:
        check_key(settings.admin_key, request.scope["headers"])

    needed = [Depends(ADMIN), Depends(admin)]
    _articles(app, live, stored, settings, needed)
    _activation(app, live, settings, needed)
    figures = Figures(live, stored, settings, clock)

    @app.get(
        "/metrics",
        tags=["health"],
        summary="Figures for Prometheus, summed over workers",
        responses=documented(401),
        dependencies=needed,
    )
    def measured() -> Response:
        return Response(metrics.text(figures.now()), media_type="text/plain; version=0.0.4")


def _articles(
    app: FastAPI, live: Live, stored: Stored, settings: Settings, needed: list[Any]
) -> None:
    def store() -> Store:
        if stored.store is None:
            raise no_store(str(stored.fault))
        return stored.store

    @app.put(
        "/v1/articles",
        tags=["articles"],
        summary="New or changed articles",
        responses=documented(400, 401, 413, 415, 422, 503),
        dependencies=needed,
    )
    def put(records: Annotated[list[dict[str, Any]], Body(max_length=MAX_ARTICLES)]) -> Put:
        """Each has a list of its own in the next request, and stands in others' within a second,
        without training. One that is faulty, and nothing is changed.
        """
        batch = _batch(records, settings)
        try:
            changes = store().apply(batch)
            live.catch_up()
        except StoreError as exc:
            raise no_store(str(exc)) from exc
        return Put(
            added=len(changes.added),
            updated=len(changes.updated),
            unchanged=changes.n_unchanged,
        )

    @app.delete(
        "/v1/articles",
        tags=["articles"],
        summary="Articles that are gone",
        responses=documented(401, 404, 422, 503),
        dependencies=needed,
    )
    def delete(
        ids: Annotated[
            list[Annotated[str, Query(max_length=MAX_ID_CHARACTERS)]],
            Query(alias="id", min_length=1, max_length=MAX_ARTICLES),
        ],
    ) -> Removed:
        """Out of every list within a second, out of caches within a minute."""
        try:
            removed = store().remove(ids)
            live.catch_up()
        except StoreError as exc:
            raise no_store(str(exc)) from exc
        if not removed:
            raise Refusal(404, "unknown_article", "There is no article of this id.")
        return Removed(removed=removed)


def _batch(records: list[dict[str, Any]], settings: Settings) -> Batch:
    batch = Batch(teaser_characters=settings.teaser)
    for number, record in enumerate(records):
        where = f"article {number}"
        try:
            fields, _ = plain_fields(record, where=where)
            batch.add(from_record(fields, where=where), where)
        except (ArticleError, MissingExtra) as exc:
            raise Refusal(422, "invalid_article", str(exc)) from exc
    if batch.problems:
        raise Refusal(422, "invalid_article", batch.problems[0].text)
    return batch


def _activation(app: FastAPI, live: Live, settings: Settings, needed: list[Any]) -> None:
    @app.post(
        "/v1/models/{name}/activate",
        tags=["model"],
        summary="Make a bundle the live one",
        responses=documented(401, 404, 409, 422),
        dependencies=needed,
    )
    def activate(name: str) -> Model:
        """Every file is compared with the manifest and the lists are tried first; on any fault the
        old one stays.
        """
        # What an object store has beside the copies is known there.
        if name not in registry.names(live.models) and not settings.models_url:
            raise Refusal(404, "unknown_model", "There is no bundle of this name.")
        try:
            live.copies.activate(name)
        except BundleError as exc:
            if name not in registry.names(live.models):
                raise Refusal(404, "unknown_model", str(exc)) from exc
            raise Refusal(409, "damaged_model", str(exc)) from exc
        live.refresh()
        about = live.bundle().about
        if about.name != name:  # it went, or was changed, between being tried and being served
            raise Refusal(409, "damaged_model", str(live.fault))
        return model_of(live)


class Figures:
    """Gauges of the moment: the bundle's age, the store, what is flagged, what came today."""

    def __init__(
        self, live: Live, stored: Stored, settings: Settings, clock: Callable[[], datetime]
    ) -> None:
        self.live = live
        self.stored = stored
        self.settings = settings
        self.caps = Caps(settings.session_clicks, settings.pair_clicks)
        self.clock = clock
        self._flagged: dict[str, int] = {}
        self._counted = 0.0
        self._n_live = 0
        self._today: dict[str, int] = {}

    def now(self) -> Iterable[Metric]:
        """All gauges."""
        moment, answers = self.clock(), self.live.answers
        if answers is not None and answers.lists is not None:
            built = datetime.fromisoformat(answers.lists.about.built)
            age = (moment - built).total_seconds()
            yield gauge("recommender_bundle_age_seconds", "Since the live bundle was built", age)
        yield from self._in_force(moment)
        yield gauge(
            "recommender_bundle_fault",
            "1 if the live bundle, or the rules as they are now, cannot be served",
            float(self.live.fault is not None),
        )
        yield gauge(
            "recommender_lists_without_slates",
            "1 if lists have had no slates for seconds, so that events cannot be counted",
            float(not self.live.has_slates()),
        )
        yield gauge(
            "recommender_articles_waiting",
            "1 if articles that came or went have to wait, since the store or they are at fault",
            float(self.live.behind is not None),
        )
        yield gauge(
            "recommender_store_foreign",
            "1 if the store is not that of the live bundle, so that /health/ready is 503",
            float(self.live.stranger is not None),
        )
        if self.settings.models_url:
            yield gauge(
                "recommender_object_store_up",
                "0 if the object store is out of reach or a bundle there damaged: new ones wait",
                float(self.live.copies.fault() is None),
            )
        flagged = self._flags()
        yield gauge(
            "recommender_store_up", "0 if the store is out of reach", float(flagged is not None)
        )
        if flagged is not None:
            yield gauges(
                "recommender_events_flagged",
                "Events in the store that will not be counted, by reason",
                "reason",
                flagged,
            )
            yield gauge(
                "recommender_events_live",
                "Events of pages in the store, flagged or not",
                self._n_live,
            )
            yield from self._of_today()

    def _in_force(self, moment: datetime) -> Iterable[Metric]:
        """What lists are made by: the bundle, the rules that hold at this moment, an experiment."""
        answers, trial = self.live.answers, self.live.trial
        if answers is not None and answers.lists is not None:
            about = answers.lists.about
            yield info(
                "recommender_bundle_info",
                "The live bundle: its name, when it was built (UTC), and what decided its lists",
                {"name": about.name, "built": about.built, "decided_by": about.decided_by},
            )
        if answers is not None:
            holding = [rule for rule in answers.rules.rules if rule.valid(moment)]
            n_console = sum(rule.is_of_console for rule in holding)
            yield gauges(
                "recommender_rules",
                "Editors' rules in force now, of editorial.csv and of the console",
                "of",
                {"file": len(holding) - n_console, "console": n_console},
            )
        if trial is not None:
            about_it = trial.experiment
            arms = ",".join(arm.name for arm in about_it.arms)
            yield info(
                "recommender_experiment_info",
                "The experiment that runs: its name, its kind and its arms",
                {"name": about_it.name, "kind": about_it.kind, "arms": arms},
            )

    def _of_today(self) -> Iterable[Metric]:
        """What came since midnight (UTC), and how much of it is too much already."""
        n = {what: self._today.get(what, 0) for what in ("views", "clicks", "brought")}
        yield gauges(
            "recommender_events_today",
            "Views and clicks of today that may count; brought: views of lists made to order",
            "what",
            n,
        )
        yield gauges(
            "recommender_origins_refused",
            "Posts of events refused today, by the origin that RECOMMENDER_ALLOWED_ORIGINS lacks; "
            "other: of origins beyond the few that are counted by name",
            "origin",
            origins_of(self._today),
        )
        answers = self.live.answers
        usual = answers.lists.about.sent.usual_views if answers and answers.lists else None
        capped = {
            "day": beyond(n["views"], usual=usual),
            "origin": self._today.get(BEYOND, 0),
            "slate": self._today.get(FOLDED, 0),
        }
        yield gauges(
            "recommender_events_capped",
            "Of today: views beyond what a day may bring, events beyond what an origin may send, "
            "views of lists made to order beyond those a day may bring, which have no links",
            "reason",
            capped,
        )

    def _flags(self) -> dict[str, int] | None:
        store, now = self.stored.store, self.live.ticks()
        if store is None:
            return None
        if (journal := self.stored.journal) is not None:
            journal.count_refused(REFUSED_SECONDS)
        try:
            with store.reading(seconds=FLAGGED_SECONDS) as connection:
                self._today = tallies_of(connection, self.stored.now_ms() // DAY_MS)
                if not self._flagged or now >= self._counted + FLAGGED_SECONDS:
                    self._flagged, self._counted = count_flagged(connection, self.caps), now
                    self._n_live = n_live(connection)
        except StoreError:
            return None  # shown as recommender_store_up
        return self._flagged
