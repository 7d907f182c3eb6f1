"""What an arm shows, frozen as a bundle when the experiment starts.

An arm is asked for in a word: ``live``, the name of a bundle, ``hand-picked``, or a bundle with
other settings, ``live+ceiling=5,listings=on``. The hand-picked lists become a bundle that shows
them where editors picked any; on all other pages it shows what the arm it is compared with shows,
so that these pages say nothing, for or against. A bundle with other settings is built anew from
what the bundle was built from, as far as the store still has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from recommender.articles.article import Article
from recommender.bundle import registry
from recommender.bundle.activation import tried
from recommender.bundle.bundle import Bundle
from recommender.bundle.experiments import check_free
from recommender.bundle.published import Prepared
from recommender.bundle.registry import Calibration
from recommender.bundle.writer import evidence_of, write_with_lists
from recommender.candidates import EMPTY, Candidates
from recommender.config import checked
from recommender.errors import ExperimentError
from recommender.events.event import HAND_PICKED, ORIGINS
from recommender.events.slate_token import N_VARIANTS
from recommender.lists.arms import AND, INTERLEAVED, LIVE, SPLIT, WITH, Arm, Experiment, shared_out
from recommender.lists.exploration import explore
from recommender.progress import Progress, Silent
from recommender.store.database import Store
from recommender.text.series import next_parts
from recommender.training.pipeline import Options, build

# Settings that an arm may have its own of: those that make lists. Arms explore alike.
SETTINGS = ("languages", "listings", "oldest_days", "ceiling")
BY_HAND = ORIGINS.index(HAND_PICKED)


@dataclass(frozen=True, slots=True)
class Wanted:
    """An arm as it is asked for: its name, what it ``shows``, and how many of the hundred variants
    it has, None for an equal share.
    """

    name: str
    shows: str
    n_variants: int | None = None


def plan(
    name: str,
    wanted: Sequence[Wanted],
    *,
    store: Store,
    models: Path,
    now: datetime,
    options: Options,
    kind: str = SPLIT,
    progress: Progress | None = None,
) -> Experiment:
    """The experiment, with every arm frozen as a bundle below ``models``; it does not run yet
    (``bundle.experiments.begin``). ``options`` are those that ``train`` would build with.
    ``ExperimentError`` says what cannot be had.
    """
    progress = progress or Silent()
    # What can be refused is refused before anything is built.
    check_free(models, name)
    share = _share_of(wanted, models, options)
    _checked(name, wanted, [""] * len(wanted), now, kind, share)
    by_hand = [each.shows == HAND_PICKED for each in wanted]
    if sum(by_hand) > 1:
        raise ExperimentError("the hand-picked lists are one arm, not two")
    names: dict[int, str] = {}
    for at, each in enumerate(wanted):
        if not by_hand[at]:
            progress.stage(f"freezing {each.name}")
            names[at] = _bundle_of(each.shows, store, models, options, progress)
    if any(by_hand):
        progress.stage("freezing the hand-picked lists")
        beside = Bundle(registry.inside(models, next(iter(names.values()), _live(models))))
        articles = store.articles(with_body=False)
        names[by_hand.index(True)] = hand_picked(beside, articles, models, now=now).name
    # A server would find out, and show none of the arms.
    shares = [tried(registry.inside(models, each)).share for each in names.values()]
    bundles = [names[at] for at in range(len(wanted))]
    return _checked(name, wanted, bundles, now, kind, min(shares))


def hand_picked(
    beside: Bundle, articles: Sequence[Article], models: Path, *, now: datetime
) -> Bundle:
    """The editors' lists as a bundle. Left out are links to what is no page of the site, to the
    page itself, and a second time to the same. A page without any shows the list of ``beside``,
    slate by slate. ``ExperimentError`` if no page has one.
    """
    lists = beside.lists
    n, size = lists.items.shape
    items = np.array(lists.items)
    scores, origins, slates = (
        np.array(part) for part in (lists.scores, lists.origins, lists.slates)
    )
    sensitive = np.zeros(n, dtype=bool)
    mine = np.zeros(n, dtype=bool)
    for article in articles:
        row = lists.row(article.id)
        if row is None:
            continue
        sensitive[row] = article.sensitive
        rows = dict.fromkeys(map(lists.row, article.recommended))
        picked = [each for each in rows if each is not None and each != row][:size]
        if picked:
            mine[row] = True
            items[row], scores[row], origins[row] = EMPTY, 0, BY_HAND
            items[row, : len(picked)] = picked
    if not mine.any():
        raise ExperimentError("no page has a hand-picked list of which a link leads to a page")
    n_links = (items != EMPTY).sum(axis=1)
    drawn = explore(
        items, n_links, sensitive, share=lists.share, seed=int(now.timestamp())
    )  # fmt: skip
    slates[mine] = drawn[mine]
    titles = [lists.titles[row] for row in range(n)]
    following = next_parts(titles, np.asarray(lists.published))
    seen = evidence_of(
        Candidates(np.where(mine[:, None], items, EMPTY), scores),
        beside.site, beside.history, following,
    )  # fmt: skip
    evidence = lists.evidence.replaced(mine, seen)
    digest = sha256(np.ascontiguousarray(items).tobytes() + slates.tobytes()).hexdigest()
    name = registry.new_name(models, now, digest)
    n_pages = int(mine.sum())
    reason = (
        f"the editors' lists of {n_pages:,} pages, as they were when an experiment started; all "
        f"other pages show what bundle {beside.name} shows"
    )
    about = replace(
        beside.about,
        name=name,
        built=now.astimezone(UTC).isoformat(timespec="seconds"),
        decided_by=HAND_PICKED,
        learned_from=None,
        reason=reason,
        scores={},
        importance={},
        calibration=Calibration(None, "editors' lists say nothing of chances", None),
    )
    parts: dict[str, Any] = {field.name: getattr(lists, field.name) for field in fields(Prepared)}
    parts |= {
        "about": about, "name": name, "items": items, "scores": scores, "origins": origins,
        "evidence": evidence, "slates": slates,
    }  # fmt: skip
    card = f"# Bundle {name}\n\nAn arm of an experiment: {reason}.\n"
    return write_with_lists(beside, models, Prepared(**parts), card=card)


def _checked(
    name: str,
    wanted: Sequence[Wanted],
    bundles: Sequence[str],
    now: datetime,
    kind: str,
    share: int,
) -> Experiment:
    """The experiment; ``ExperimentError`` if it cannot be one."""
    started = now.astimezone(UTC).isoformat(timespec="milliseconds")
    given = [each.n_variants for each in wanted]
    if kind == INTERLEAVED:
        if any(each is not None for each in given):
            raise ExperimentError("interleaved arms have no shares: each slate shows both")
        share -= share % 2  # every slate that explores is shown with the coins either way round
        ends = [(0, N_VARIANTS - 1)] * len(wanted)
    else:
        left = N_VARIANTS - sum(each or 0 for each in given)
        others = iter(shared_out(given.count(None), share, n_variants=left))
        sizes = [next(others) if each is None else each for each in given]
        lasts = (np.cumsum(sizes) - 1).tolist()
        ends = list(zip([0, *(last + 1 for last in lasts)], lasts, strict=False))
    arms = tuple(
        Arm(each.name, each.shows, bundle, first, last)
        for each, bundle, (first, last) in zip(wanted, bundles, ends, strict=True)
    )
    experiment = Experiment(name, started, kind, share, arms)
    if fault := experiment.fault():
        raise ExperimentError(fault)
    return experiment


def _share_of(wanted: Sequence[Wanted], models: Path, options: Options) -> int:
    """How many of a hundred views can explore in all arms; what arms show must be there."""
    shares = []
    for each in wanted:
        base, _ = _parsed(each.shows, models)
        if base != HAND_PICKED:
            shares.append(registry.read(registry.inside(models, base)).explore)
    return min(shares, default=options.explore)


def _live(models: Path) -> str:
    return registry.resolve(models).name


def _parsed(shows: str, models: Path) -> tuple[str, dict[str, Any]]:
    """The bundle that is meant, or ``HAND_PICKED``, and its other settings."""
    base, _, rest = shows.partition(WITH)
    if base == HAND_PICKED and rest:
        raise ExperimentError(f"{shows}: the hand-picked lists have no settings")
    if base == LIVE:
        base = _live(models)
    elif base != HAND_PICKED and base not in registry.names(models):
        raise ExperimentError(
            f"{shows}: there is no bundle {base} in {models}; an arm shows {LIVE}, {HAND_PICKED}, "
            "a bundle as recommender models list names it, or one with settings"
        )
    changes: dict[str, Any] = {}
    for part in rest.split(AND) if rest else []:
        key, _, value = part.partition("=")
        if key not in SETTINGS:
            raise ExperimentError(
                f"{shows}: {key!r} is no setting that an arm can have; {', '.join(SETTINGS)} are"
            )
        changes[key] = checked(key, key, shows, value)
    return base, changes


def _bundle_of(shows: str, store: Store, models: Path, options: Options, progress: Progress) -> str:
    """The name of the bundle that an arm shows, built if need be."""
    base, changes = _parsed(shows, models)
    if not changes:
        return base
    about = registry.read(registry.inside(models, base))
    until = about.data_until_ms
    same = replace(
        options,
        activate=False,
        explore=about.explore,
        until=0 if until is None else until + 1,
        **changes,
    )
    built = datetime.fromisoformat(about.built)
    return build(store, models, now=built, options=same, progress=progress).name
