"""What an editor should know on whatever page: sites that send in vain, lists that grow old.

Faults of the server itself are ``Console``'s own. Everything here is one look-up by day in the
store, and a file beside the bundles, kept for some seconds.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from recommender.bundle import figures
from recommender.errors import BundleError, StoreError
from recommender.events.event import DAY_MS
from recommender.events.web_origin import allowed_in
from recommender.store.refusals import RefusedOrigin, refused_origins
from recommender_api.console.app import Console, Notice
from recommender_api.console.words import counted
from recommender_api.schemas import Refusal

# Days that refused origins are looked for; names that a notice has. Not tuned.
DAYS, N_NAMED = 7, 3
# How old lists may grow before it is said: a nightly training that fails for a week.
OLD_DAYS = 8
KEPT_SECONDS = 10.0


class Kept:
    """The figures and the origins refused of late, read anew when they may have changed."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.allowed = allowed_in(console.settings.allowed_origins)
        self._state: object = None
        self._figures: dict[str, Any] | None = None
        self._fault: str | None = None
        self._until = float("-inf")
        self._origins: tuple[list[RefusedOrigin], int] = ([], 0)

    def figures(self) -> tuple[dict[str, Any] | None, str | None]:
        """The stored figures, None if there are none; and why they cannot be read, if so."""
        models = self.console.settings.models
        state = figures.state(models)
        if state != self._state or state is None:
            self._fault = None
            try:
                self._figures = figures.read(models)
            except BundleError as exc:
                self._figures, self._fault = None, str(exc)
            self._state = state
        return self._figures, self._fault

    def origins(self) -> tuple[list[RefusedOrigin], int]:
        """The origins that were refused of late and are not allowed now, and posts of others."""
        now = self.console.ticks()
        if now >= self._until:
            first_day = self.console.now_ms() // DAY_MS - DAYS + 1
            with self.console.store.reading() as connection:
                self._origins = refused_origins(
                    connection, first_day=first_day, allowed=self.allowed
                )
            self._until = now + KEPT_SECONDS
        return self._origins

    def notices(self) -> list[Notice]:
        """What is not as it should be."""
        try:
            found = refused(*self.origins())
        except (StoreError, Refusal):
            found = []  # the console says so itself
        return found + self._old()

    def _old(self) -> list[Notice]:
        answers = self.console.live.answers
        if answers is None or answers.lists is None:
            return []
        content, _ = self.figures()
        training = (content or {}).get("training")
        moments = [answers.lists.about.built]
        if isinstance(training, dict) and isinstance(training.get("at"), str):
            moments.append(training["at"])
        age = self.console.clock() - max(map(datetime.fromisoformat, moments))
        if age < timedelta(days=OLD_DAYS):
            return []
        sentence = (
            f"The lists were last trained {age.days} days ago: the nightly job (recommender train) "
            "seems to fail."
        )
        return [Notice(sentence, "/happened")]


def refused(origins: list[RefusedOrigin], n_other: int) -> list[Notice]:
    """A notice of the sites whose posts are refused, if there are any."""
    if not origins:
        return []
    names = [each.origin for each in origins[:N_NAMED]]
    more = len(origins) - len(names)
    listed = ", ".join(names) + (f" and {more} more" if more else "")
    n = sum(each.n for each in origins)
    return [
        Notice(
            f"Views and clicks from {listed} are refused ({counted(n, 'time')} in the last {DAYS} "
            "days). Is that a site of yours? Then whoever runs the server adds it to "
            "RECOMMENDER_ALLOWED_ORIGINS.",
            "/happened",
        )
    ]
