"""What is being served: the live bundle, the editors' rules, and what the store adds to them.

All three are picked up when they change, without a restart: rules are those of the file and, beside
them, of the console. What is new is loaded aside and put in
place by replacing one reference; requests under way keep the old. What is broken is logged once
and the old keeps serving. A process that starts with no bundle that it can read answers fallback
lists from the store, and its probe of readiness gives the reason, until there is one. One that
starts with faulty rules goes by the last good ones, which stand in a file beside the bundles.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from recommender.bundle import experiments, registry
from recommender.bundle.activation import tried
from recommender.bundle.catalogue import ShelfCatalogue
from recommender.bundle.fallback import FallbackLists
from recommender.bundle.kinship import kinship
from recommender.bundle.overlay import MOST_COMPARED, Patched, Pending
from recommender.bundle.published import Lists
from recommender.errors import RecommenderError, StoreError
from recommender.lists.arms import Experiment
from recommender.lists.editorial import Rules
from recommender.lists.effects import effects
from recommender.lists.rules_file import LAST_GOOD, last_good, load, remarks_on, written
from recommender.store import rules as console_rules
from recommender.store.database import Store
from recommender.store.rules import Rule
from recommender_api.answers import Answers, Seal
from recommender_api.copies import Copies
from recommender_api.experiments import Latencies, Trial
from recommender_api.schemas import Refusal
from recommender_api.store_connection import Stored

# Rules are live within 10 seconds of saving, bundles within a second; not tuned below that.
POLL_SECONDS = 0.5
# A bundle can be repaired without its pointer being touched, so after a fault it is tried again.
RETRY_TICKS = 8
# What a manifest or array that is not what it should be can raise beside BundleError.
DAMAGE = (OSError, ValueError, LookupError, TypeError, AttributeError, EOFError)
# Of a bundle's articles so many are compared with the store's, to see whose numbers it has; and so
# many with the last numbers. A store that went back to an older backup has lost its last ones, and
# may have given them to others since.
N_SAMPLE, N_LAST = 200, 1_000
# A thread that hangs is not waited for longer when the process stops.
CLOSE_SECONDS = 2.0
# So long lists without slates are a matter of starting.
NO_SLATES_SECONDS = 5.0
# Lines of the rules that are logged since they name no article.
MAX_REMARKS = 10
# Rules that remarks have already, and those that a list may have a use for tomorrow.
UNLOGGED = ("unknown", "nowhere", "beyond")
WAITING = "articles that came or went have to wait"
NO_SLATES = "lists have no slates, so events cannot be counted"
NO_RULES = Rules()

logger = logging.getLogger("api")


@dataclass(frozen=True, slots=True, eq=False)
class Added:
    """What the store adds to ``lists``: articles that came and went, and the numbers that slate
    tokens name articles by. ``seen`` is the state of the store that it holds for.
    """

    lists: Lists | FallbackLists
    patch: Patched | None = None
    seal: Seal | None = None
    seen: object = None
    pending: Pending | None = None


class Live:
    """What is being served now. ``answers`` is None until there is a bundle, or articles in the
    store; ``fault`` is what could not be loaded, ``behind`` why articles that came or went have to
    wait, ``stranger`` that the store is not that of the live bundle (``kinship``). ``mended`` is
    called for every list that could not be composed (``Answers``).

    ``trial`` is the experiment that runs, None while there is none; each of its arms is looked
    after like the live bundle. ``copies`` are where bundles of an object store are kept.
    """

    def __init__(
        self,
        models: Path,
        rules_file: Path,
        stored: Stored,
        *,
        ticks: Callable[[], float] = time.monotonic,
        mended: Callable[[], None] = lambda: None,
        copies: Copies | None = None,
    ) -> None:
        self.models = models
        self.copies = copies or Copies(replace(stored.settings, models=models))
        self.rules_file = rules_file
        self.stored = stored
        self.answers: Answers | None = None
        self.trial: Trial | None = None
        self.latencies = Latencies()
        self.fault: str | None = None
        self.behind: str | None = None
        self.stranger: str | None = None
        self.ticks = ticks
        self._mended = mended
        self._no_slates_since: float | None = None
        self._lists: Lists | None = None
        # The rules that hold, and what they are put together from: the file's last good ones, and
        # the console's as last read, with what they were read at; None before that.
        self._rules: Rules | None = None
        self._file: Rules | None = None
        self._console: list[Rule] | None = None
        self._console_at: tuple[Store, int] | None = None
        self.zone = stored.settings.zone
        # Nothing is added to a bundle, if that is what ``models`` is.
        is_bundle = (models / registry.MANIFEST).is_file()
        self._kept_rules = (models.parent if is_bundle else models) / LAST_GOOD
        self._added: Added | None = None
        self._keys: tuple[Lists, Store, np.ndarray] | None = None
        self._is_built_from = False
        self._stamp: object = None
        self._last_stamp: object = None
        self._ticks = 0
        # The first is held while a bundle is opened, the second while what is open is put in place.
        self._opening, self._loading = threading.Lock(), threading.Lock()
        self._lists_fault: str | None = None
        self._experiment: Experiment | None = None
        self._arms: list[Live] = []
        self.refresh()

    def current(self) -> Answers:
        """What to answer from; ``Refusal`` while there is nothing."""
        if self.answers is None:
            raise _no_bundle()
        return self.answers

    def bundle(self) -> Lists:
        """The bundle that is served; ``Refusal`` while there is none."""
        lists = self.current().lists
        if lists is None:
            raise _no_bundle()
        return lists

    def knows(self, id: str) -> bool:
        """Is it the id of an article that is served?"""
        answers = self.answers
        return answers is not None and answers.shelf.row(id) is not None

    def has_slates(self) -> bool:
        """Have lists slates, or had they some seconds ago?"""
        since = self._no_slates_since
        return since is None or self.ticks() < since + NO_SLATES_SECONDS

    def faults(self) -> str | None:
        """Everything that is not as it should be, also where lists are served all the same."""
        found = [self.fault, self.stranger, self.stored.fault, self.behind]
        found.append(None if self.has_slates() else NO_SLATES)
        found += [arm.behind for arm in self._arms]
        found.append(self.copies.fault())
        return "; ".join(dict.fromkeys(each for each in found if each)) or None

    def refresh(self) -> None:
        """Load what the files and the store name now, and serve it if it is whole."""
        # Opening a bundle takes seconds: articles that come meanwhile do not wait for it.
        with self._opening:
            # Before loading: what changes meanwhile is seen at the next call of ``poll``.
            stamp = self._stamps()
            lists, fault = self._open_lists()
            with self._loading:
                self._stamp, self._lists, self._lists_fault = stamp, lists, fault
                self._renew(opening=True)

    def _renew(self, *, opening: bool) -> None:
        """Serve the bundle that is open by the rules and with the articles that there are now; of
        an experiment that began, bundles are opened only if ``opening``.
        """
        faults = [fault for fault in (self._lists_fault, self._load_rules()) if fault]
        self._serve(self._rules or NO_RULES)
        faults += [fault for fault in [self._load_experiment(opening=opening)] if fault]
        fault = "; ".join(faults) or None
        if fault and fault != self.fault:
            logger.error("%s (%s)", fault, self._served())
        self.fault = fault

    def catch_up(self) -> None:
        """Take notice of articles that came or went a moment ago, and of rules that were made in
        the console. ``StoreError`` if the store is out of reach.
        """
        store = self.stored.store
        if store is None:
            return
        at = store, console_rules.last_change(store)
        everyone = (self, *self._arms)
        if any(each._console_at != at or each.is_behind(store) for each in everyone):
            with self._loading:
                self._renew(opening=False)

    def is_behind(self, store: Store) -> bool:
        """Have articles come or gone that are not served yet?"""
        return self._added is None or self._added.seen != self._state(store)

    def poll(self) -> float:
        """Refresh if the pointer or the rules were written, or after a fault; seconds to wait."""
        stamp = self._stamps()
        # A file that is still being written differs every time: half of it must not be read.
        changed = stamp != self._stamp and stamp == self._last_stamp
        self._last_stamp = stamp
        self._ticks = self._ticks + 1 if self.fault else 0
        if changed or self._ticks >= RETRY_TICKS:
            self._ticks = 0
            self.refresh()
        return POLL_SECONDS

    def _served(self) -> str:
        if self.answers is None:
            return "not ready"
        return f"{self.answers.shelf.name} keeps serving" if self._lists else "serving fallbacks"

    def _serve(self, rules: Rules) -> None:
        before, answers = self._added, self.answers
        behind = self.behind
        added = self._from_store()
        if self.behind and self.behind != behind:
            logger.error("%s", self.behind)
        if added is None or added.seal is None:
            self._no_slates_since = self._no_slates_since or self.ticks()
        else:
            self._no_slates_since = None
        if added is None or (answers and answers.written is rules and added is before):
            return
        lists = added.lists
        if isinstance(lists, Lists) or lists.articles:
            self.answers = Answers(
                lists, rules, seal=added.seal, patch=added.patch, mended=self._mended
            )
        else:
            self.answers = None
        # Not before: whatever failed on the way is tried again.
        self._added = added
        if self.answers is None:
            return
        if not (answers and before and answers.written is rules and before.lists is lists):
            logger.info("serving %s under %d editors' rules", lists.name, len(rules.rules))
            self._log_rules(self.answers)

    def _log_rules(self, answers: Answers) -> None:
        """What was assumed of rules, and which take no effect."""
        remarks = remarks_on(answers.rules, self.rules_file)
        catalogue = ShelfCatalogue(answers.shelf, answers.lists)
        # Articles near to a name are looked for by the command: that takes a while.
        found = effects(answers.written, catalogue, now=self.stored.clock(), n_near=0)
        idle = [str(each) for each in found if each.is_idle and each.kind not in UNLOGGED]
        for remark in (*remarks[:MAX_REMARKS], *idle[:MAX_REMARKS]):
            logger.warning("%s", remark)
        if n_left := max(0, len(remarks) - MAX_REMARKS) + max(0, len(idle) - MAX_REMARKS):
            logger.warning("%d more remarks on rules: recommender rules check has all", n_left)

    def _open_lists(self) -> tuple[Lists | None, str | None]:
        """The bundle that the folder names, or else the one that is open, and why."""
        lists = self._lists
        try:
            folder = registry.resolve(self.models)
            if lists is None or lists.name != folder.name:
                lists = tried(folder)
        except RecommenderError as exc:
            return lists, str(exc)
        except DAMAGE as exc:
            return lists, f"{self.models}: the live bundle cannot be opened: {exc!r}"
        return lists, None

    def _load_rules(self) -> str | None:
        fault = None
        self._read_console()
        try:
            self._file = load(self.rules_file, zone=self.zone)
        except Exception as exc:  # whatever a file holds must not keep lists from being served
            reason = (
                str(exc) if isinstance(exc, RecommenderError) else f"{self.rules_file}: {exc!r}"
            )
            if reason not in (self.fault or "") and not isinstance(exc, RecommenderError):
                logger.exception("%s cannot be read", self.rules_file)
            if self._file is None and (kept := last_good(self._kept_rules)):
                self._file = Rules(kept.of_file, zone=self.zone)
            hold = "the last good rules hold" if self._file else "no rules hold"
            if self._file is None and self._console:
                hold = "those of the console alone hold"
            fault = f"{reason}; {hold} until it is mended"
        rules = (self._file or Rules(zone=self.zone)).beside(self._console or [])
        if self._rules is None or self._rules.rules != rules.rules:
            self._rules = rules
            # Without the file's rules there is nothing good to keep.
            if self._file is not None:
                self._keep(rules)
        return fault

    def _read_console(self) -> None:
        """Read the rules of the console if they were changed; while the store is away, the last
        known ones hold, after a restart too.
        """
        if (store := self.stored.store) is not None:
            try:
                # Before reading: what is changed meanwhile is seen at the next look.
                at = store, console_rules.last_change(store)
                if at != self._console_at:
                    self._console, self._console_at = console_rules.read(store), at
            except StoreError as exc:
                logger.warning("%s (the rules of the console hold as last known)", exc)
        if self._console is None and (kept := last_good(self._kept_rules)):
            self._console = kept.of_console

    def _keep(self, rules: Rules) -> None:
        path = self._kept_rules
        try:
            if rules.rules or path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                registry.replace_file(path, written(rules.rules))
        except OSError as exc:
            logger.warning(
                "%s: cannot be written: %s (a restart could not go by these rules)", path, exc
            )

    def _stamps(self) -> object:
        """Something that differs whenever a pointer or the rules have been written."""
        pointers = (registry.CURRENT, experiments.RUNNING)
        return [*(_stamp(self.models / name) for name in pointers), _stamp(self.rules_file)]

    def _load_experiment(self, *, opening: bool) -> str | None:
        """Serve the experiment that runs now, if all of its arms can be served; another than ran
        before only if ``opening``.
        """
        fault = None
        try:
            experiment = experiments.running(self.models)
            if opening and experiment != self._experiment:
                self._arms = [] if experiment is None else self._opened(experiment)
                self._experiment = experiment
                logger.info("experiment: %s", experiment.name if experiment else "none runs")
                return self._trial_of(experiment)
        except RecommenderError as exc:
            fault = str(exc)
        # Articles come and go all the same.
        for arm in self._arms:
            arm.refresh()
        of_trial = self._trial_of(self._experiment)
        return of_trial if fault is None else f"{fault}; {of_trial or self._tried()}"

    def _trial_of(self, experiment: Experiment | None) -> str | None:
        """Serve an experiment whose arms are looked after; what keeps it from being served."""
        if experiment is None:
            self.trial = None
            return None
        faults = []
        for about, arm in zip(experiment.arms, self._arms, strict=True):
            if arm.answers is None or arm.answers.lists is None:
                faults.append(f"arm {about.name}: {arm.fault}")
        if faults:
            self.trial = None
            return f"experiment {experiment.name}: {'; '.join(faults)}; {self._tried()}"
        answers = tuple(arm.answers for arm in self._arms if arm.answers is not None)
        before = self.trial
        if before is None or before.experiment != experiment or before.answers != answers:
            self.trial = Trial(experiment, answers)
        return None

    def _opened(self, experiment: Experiment) -> list[Live]:
        """Each arm's bundle, looked after like the live one; opened once if arms share it."""
        opened: dict[str, Live] = {}
        for arm in experiment.arms:
            if arm.bundle not in opened:
                folder = registry.inside(self.models, arm.bundle)
                opened[arm.bundle] = Live(
                    folder, self.rules_file, self.stored, ticks=self.ticks, mended=self._mended,
                    copies=self.copies,
                )  # fmt: skip
        return [opened[arm.bundle] for arm in experiment.arms]

    def _tried(self) -> str:
        return "views are shown its arms as before" if self.trial else "views are outside it"

    # What the store adds

    def _state(self, store: Store) -> object:
        """What differs when articles came or went, when the store was opened anew, and may be
        another, and when its keys changed.
        """
        return store, self.stored.signer, store.last_change()

    def _from_store(self) -> Added | None:
        """What the store adds now; while it is out of reach, what it added before."""
        lists, store, added = self._lists, self.stored.store, self._added
        self.behind = None
        if lists is None:
            self.stranger = None
            return self._without_bundle(store, added) if store else added
        if added is None or added.lists is not lists:
            added = Added(lists)
        return self._beside(lists, store, added) if store else added

    def _without_bundle(self, store: Store, added: Added | None) -> Added | None:
        signer = self.stored.signer
        try:
            seen = self._state(store)
            same = added is not None and added.seen == seen
            if same and added and added.seal and added.seal.signer is signer:
                return added
            settings, now = self.stored.settings, self.stored.clock()
            lists = (
                added.lists
                if same and added
                else FallbackLists(
                    store, settings.languages, now=now, oldest_days=settings.oldest_days
                )
            )
        except StoreError as exc:
            self.behind = f"{exc} (there is no bundle, and no article can be read)"
            return added
        return Added(lists, seal=Seal(signer, lists.keys, {}), seen=seen)

    def _beside(self, lists: Lists, store: Store, added: Added) -> Added:
        ours = lists.about.store == self.stored.name
        pending = added.pending
        try:
            if self._keys is None or self._keys[:2] != (lists, store):
                # A bundle from elsewhere knows its articles by another store's numbers.
                keys, pending = _numbers_in(store, lists), None
                there = keys is lists.keys and store.last_change() >= lists.about.change
                if ours and not there:
                    self.stored.gone_back()
                    ours = False
                self._look_for_kinship(lists, store, ours=ours)
                self._keys = lists, store, keys
                # A store has no name until it is served from.
                self._is_built_from = ours or (not lists.about.store and there)
            seen, patch = self._state(store), added.patch
            if seen != added.seen:
                if self.stranger:
                    self._look_for_kinship(lists, store, ours=ours)
                beside = None if self._is_built_from else lists
                pending = pending or Pending(lists.about.change if beside is None else 0)
                changed = store.changed_since(pending.number, whole=MOST_COMPARED)
                pending = pending.and_then(changed, beside=beside)
                patch, is_done = pending.patched(lists, patch, now=self.stored.clock())
                seen = seen if is_done else None
            later = {} if patch is None else {
                row: id for id, row in patch.row_of.items() if row >= len(lists.stub)
            }  # fmt: skip
            of_later = store.keys_of(list(later.values())) if later else []
        except Exception as exc:  # whatever the store holds must not keep the bundle from serving
            if not isinstance(exc, StoreError):
                logger.exception("what the store adds cannot be put in")
            self.behind = f"{exc} ({WAITING})"
            if added.seal or not ours:
                return added
            # The bundle's own articles have their slates, with nothing added.
            return Added(lists, seal=Seal(self.stored.signer, lists.keys, {}))
        seal = Seal(self.stored.signer, self._keys[2], dict(zip(later, of_later, strict=True)))
        same = added.seal is not None and _are_same(seal, added.seal)
        if same and (seen, patch, pending) == (added.seen, added.patch, added.pending):
            return added
        return Added(lists, patch, seal, seen, pending)

    def _look_for_kinship(self, lists: Lists, store: Store, *, ours: bool) -> None:
        """Is the store that of the bundle? It is if it is ``ours`` by its name."""
        before, self.stranger = self.stranger, None
        if not ours and (found := kinship(lists, store)).is_foreign:
            self.stranger = found.sentence(store.place, bundle=f"bundle {lists.name}")
        if self.stranger and not before:
            logger.error("%s", self.stranger)
        elif before and not self.stranger:
            logger.info("%s is the store of bundle %s now", store.name, lists.name)


class Watcher:
    """Calls ``poll`` in a thread of its own until it is closed; it returns how many seconds to
    wait until the next call. ``ticks`` gives seconds that are never set back.
    """

    def __init__(
        self, name: str, poll: Callable[[], float], *, ticks: Callable[[], float] = time.monotonic
    ) -> None:
        self.poll = poll
        self.ticks = ticks
        self._name = name
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stop = False
        self._asked: list[Round] = []
        # When the call that is under way began.
        self._since: float | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to call."""
        self._thread = self._run(self._watch)

    def close(self) -> None:
        """Return when the last call has, or soon: one that hangs ends with the process."""
        self._stop = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)

    def ask(self, asked: Round) -> None:
        """Call now, or as soon as the call under way has ended."""
        with self._lock:
            self._asked.append(asked)
        self._wake.set()
        if self._thread is None and self._since is None:
            self._run(self._round)

    def hangs(self, seconds: float) -> bool:
        """Has a call been under way for longer than that?"""
        since = self._since
        return since is not None and self.ticks() > since + seconds

    def _run(self, job: Callable[[], object]) -> threading.Thread:
        thread = threading.Thread(target=job, name=self._name, daemon=True)
        thread.start()
        return thread

    def _watch(self) -> None:
        seconds = POLL_SECONDS
        while True:
            self._wake.wait(seconds)
            if self._stop:
                return
            self._wake.clear()
            seconds = self._round()

    def _round(self) -> float:
        with self._lock:
            asked, self._asked = self._asked, []
        for each in asked:
            each.has_begun = True
        self._since = self.ticks()
        try:
            return self.poll()
        except Exception:  # this thread must outlive whatever a file or a store may hold
            logger.exception("checking for changes failed")
            return POLL_SECONDS
        finally:
            self._since = None
            for each in asked:
                each.done()


class Round:
    """A call of a watcher that somebody waits for; ``done`` is called in its thread."""

    def __init__(self, done: Callable[[], None]) -> None:
        self.done = done
        self.has_begun = False


def _no_bundle() -> Refusal:
    return Refusal(503, "no_bundle", "No bundle is live yet.", {"Retry-After": "5"})


def _are_same(one: Seal, other: Seal) -> bool:
    return one.signer is other.signer and one.keys is other.keys and one.later == other.later


def _numbers_in(store: Store, lists: Lists) -> np.ndarray:
    """The store's numbers of a bundle's articles, ``(n_articles,)``; the bundle's own if those of
    a sample and the last ones agree.
    """
    sample = np.linspace(0, len(lists.keys) - 1, N_SAMPLE).astype(np.int64)
    rows = np.union1d(sample, np.argsort(lists.keys)[-N_LAST:])
    if store.keys_of([lists.id_of(int(row)) for row in rows]) == lists.keys[rows].tolist():
        return lists.keys
    ids = [lists.id_of(row) for row in range(len(lists.keys))]
    return np.array(store.keys_of(ids), dtype=np.int64)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
