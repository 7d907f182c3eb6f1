"""The live bundle and the editors' rules, picked up when they change, without a restart.

What is new is loaded aside and put in place by replacing one reference; requests under way keep
the old. What is broken is told once and the old keeps serving. A process that starts with
something broken runs, says that it is not ready and why, and looks again until it is repaired.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from recommender.bundle import registry
from recommender.bundle.published import Lists
from recommender.errors import RecommenderError
from recommender.lists import editorial
from recommender.lists.editorial import Rules
from recommender_api.answers import Answers
from recommender_api.patching import Added, Patching
from recommender_api.schemas import Refusal
from recommender_api.store_connection import Stored

POLL_SECONDS = 0.5
# A bundle can be repaired without its pointer being touched, so a fault is looked at again.
RETRY_TICKS = 8
# What a manifest or array that is not what it should be can raise beside BundleError.
DAMAGE = (OSError, ValueError, LookupError, TypeError, AttributeError, EOFError)

logger = logging.getLogger("api")


class Live:
    """What is being served now. ``answers`` is None until there is a bundle and rules to serve;
    ``fault`` says what could not be loaded.
    """

    def __init__(self, models: Path, rules_file: Path, stored: Stored | None = None) -> None:
        self.models = models
        self.rules_file = rules_file
        self.answers: Answers | None = None
        self.fault: str | None = None
        self._patching = Patching(stored) if stored else None
        self._made: tuple[Lists, Rules, Added] | None = None
        self._lists: Lists | None = None
        self._rules: Rules | None = None
        self._stamp: object = None
        self._loading = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.refresh()

    def current(self) -> Answers:
        """What to answer from; ``Refusal`` while there is nothing."""
        answers = self.answers
        if answers is None:
            raise Refusal(503, "no_bundle", "No bundle is live yet.", {"Retry-After": "5"})
        return answers

    def key_of(self, id: str) -> int | None:
        """The store's number of an article that is served, or None."""
        answers = self.answers
        row = answers.shelf.row(id) if answers else None
        return answers.seal.key(row) if answers and answers.seal and row is not None else None

    def refresh(self) -> None:
        """Load what the files and the store name now, and serve it if it is whole."""
        with self._loading:
            # Before loading: what changes meanwhile is seen at the next look.
            self._stamp = self._look()
            faults = [fault for fault in (self._load_lists(), self._load_rules()) if fault]
            if self._lists and self._rules:
                self._serve(self._lists, self._rules)
            fault = "; ".join(faults) or None
            if fault and fault != self.fault:
                serving = self._lists if self.answers else None
                kept = f"{serving.name} keeps serving" if serving else "not ready"
                logger.error("%s (%s)", fault, kept)
            self.fault = fault

    def catch_up(self) -> None:
        """Take notice of articles that came or went a moment ago. ``StoreError`` if the store is
        out of reach.
        """
        if self._patching is not None and self._lists is not None and self._patching.is_stale():
            self.refresh()

    def _serve(self, lists: Lists, rules: Rules) -> None:
        added = self._patching.load(lists) if self._patching else Added(lists)
        old = self._made
        if old and old[0] is lists and old[1] is rules and (old[2] is added or not self._patching):
            return
        self.answers = Answers(lists, rules, seal=added.seal, patch=added.patch)
        self._made = lists, rules, added
        if not old or old[0] is not lists or old[1] is not rules:
            logger.info("serving %s under %d editors' rules", lists.name, len(rules.rules))

    def _load_lists(self) -> str | None:
        try:
            folder = registry.resolve(self.models)
            if self._lists is None or self._lists.folder != folder:
                self._lists = Lists(folder)
        except RecommenderError as exc:
            return str(exc)
        except DAMAGE as exc:
            return f"{self.models}: the live bundle cannot be opened: {exc!r}"
        return None

    def _load_rules(self) -> str | None:
        try:
            rules = editorial.load(self.rules_file)
            if self._rules is None or self._rules.rules != rules.rules:
                self._rules = rules
        except RecommenderError as exc:
            return str(exc)
        return None

    def _look(self) -> object:
        """Something that differs whenever the pointer or the rules have been written."""
        return [_stamp(self.models / registry.CURRENT), _stamp(self.rules_file)]

    # Watching

    def watch(self) -> None:
        """Look for changes in the background until ``close``."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._watch, name="live", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop looking."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _watch(self) -> None:
        before = self._stamp
        ticks = 0
        while not self._stop.wait(POLL_SECONDS):
            stamp = self._look()
            # A file that is still being written looks different every time: half of it
            # must not be read.
            changed = stamp != self._stamp and stamp == before
            before = stamp
            ticks = ticks + 1 if self.fault else 0
            if changed or ticks >= RETRY_TICKS:
                ticks = 0
                try:
                    self.refresh()
                except Exception:  # this thread must outlive whatever a file may hold
                    logger.exception("looking for changes failed")


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
