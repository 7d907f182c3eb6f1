"""The front door for analysts: connect, load, train, evaluate.

Like the command line, this is an edge of the library: it may read the clock, where a caller does
not give the time.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.articles.addresses import Finder
from recommender.articles.article import Article, from_record
from recommender.articles.reader import Batch, read_articles
from recommender.bundle.bundle import Bundle, load_bundle
from recommender.errors import ArticleError, EvaluationError, InputError
from recommender.evaluation.evaluate import Report, judge
from recommender.evaluation.offpolicy import Lists, OffPolicy, estimate, lists_of
from recommender.events.event import Event, parse
from recommender.files import Problem, Tolerance
from recommender.frames.site import Site
from recommender.lists import editorial
from recommender.progress import Progress
from recommender.store import impressions
from recommender.store.database import Store
from recommender.store.import_events import EventReader, import_events
from recommender.store.impressions import Impressions
from recommender.training.pipeline import Options, build

if TYPE_CHECKING:
    import pandas as pd

Paths = str | Path | Sequence[str | Path]


def connect(database: str = "sqlite:///recommender.db") -> Site:
    """Open a site's store, any database URL. ``StoreError`` if it cannot be reached."""
    return Site(Store(database))


def load(models: str | Path = "models", *, editorial_file: str | Path | None = None) -> Bundle:
    """The live bundle below ``models``, or the bundle ``models`` itself.

    With ``editorial_file``, the editors' pins and blocks in force now are applied to its lists.
    """
    if editorial_file is None:
        return load_bundle(models)
    return load_bundle(models, rules=editorial.load(Path(editorial_file)), now=datetime.now(UTC))


def train(
    *,
    articles: pd.DataFrame | Paths,
    events: pd.DataFrame | Sequence[pd.DataFrame] | Paths | None = None,
    models: str | Path = "models",
    now: datetime | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Bundle:
    """Train a bundle from data frames or files, publish it below ``models`` and make it live.

    ``articles`` and ``events`` are paths of files and folders, or frames with the columns of the
    contract's records; ``events`` may be several frames, and a frame without ``type`` is told by
    its columns, so ``[site.impressions(), site.clicks()]`` is fine; rows that are ``flagged`` are
    left out.
    """
    # Read when scikit-learn is loaded: threads that spin while they wait make two shared cores
    # twenty times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with Store("sqlite://") as store:
        store.apply(_batch(articles))
        if events is not None:
            _add(store, events)
        moment = now or datetime.now(UTC)
        return build(store, Path(models), now=moment, options=Options(seed=seed), progress=progress)


def evaluate(
    bundle: Bundle,
    events: Site | Store | pd.DataFrame | Sequence[pd.DataFrame] | Paths,
    k: int = 10,
    *,
    articles: Site | Store | pd.DataFrame | Paths | None = None,
    seed: int = 0,
) -> Report:
    """Judge a bundle by views it has not seen.

    ``events`` are files or frames of held-out events, all of which are judged; or a connected
    site, of which the views after the bundle's data window are. ``EvaluationError`` if there are
    none. A connected site has the ``articles`` too, from which hand-picked lists, dates and the
    names of categories are read; beside files of events they may be handed over.
    """
    end = _end_of_data(bundle)
    if isinstance(events, Site | Store):
        store = events.store if isinstance(events, Site) else events
        log = impressions.read(store, after=end)
        if len(log.slate) == 0:
            raise EvaluationError(
                f"no view to judge bundle {bundle.name} by: the store holds none after the "
                f"bundle's data, which ends {bundle.about.data_window[1]}"
            )
        return judge(bundle, log, k=k, seed=seed, articles=_by_id(store))
    lists = bundle.lists
    addresses = ((lists.id_of(row), lists.addresses[row]) for row in range(len(lists.stub)))
    with Store("sqlite://") as store:
        _add(store, events, addresses)
        log = impressions.read(store)
    known = None if articles is None else _read(articles)
    report = judge(bundle, log, k=k, seed=seed, articles=known)
    report.notes.extend(_on_old_views(log, end))
    return report


def _on_old_views(log: Impressions, end: int) -> list[str]:
    """What is to be noted if views of ``log`` are no later than ``end``, that of the data."""
    n_old = int((log.ts <= end).sum())
    if n_old == 0:
        return []
    return [
        f"{n_old:,} of these views are not later than the bundle's data: if it learned from them, "
        "the figures flatter it."
    ]


def _by_id(store: Store) -> dict[str, Article]:
    return {article.id: article for article in store.articles(with_body=False)}


def _read(articles: Site | Store | pd.DataFrame | Paths) -> dict[str, Article]:
    if isinstance(articles, Site | Store):
        return _by_id(articles.store if isinstance(articles, Site) else articles)
    with Store("sqlite://") as store:
        store.apply(_batch(articles))
        return _by_id(store)


def off_policy(
    candidate: Bundle | pd.DataFrame | Lists,
    events: Site | Store | pd.DataFrame | Sequence[pd.DataFrame] | Paths,
    *,
    k: int = 10,
    model: Bundle | None = None,
) -> OffPolicy:
    """What a candidate's lists would have won had they been shown, told from the log.

    ``candidate`` is a bundle, a mapping from a page's id to the ids of its list, or a frame with
    columns ``source_id``, ``position``, ``id``. ``events`` as in ``evaluate``: of a connected site,
    the views after the data window of the bundle. ``model`` is the bundle whose chances and
    positions the estimators with a model take, by default the candidate. ``EvaluationError`` if
    there is no view to judge by.
    """
    lists = candidate if isinstance(candidate, Bundle | Mapping) else lists_of(candidate)
    known = [bundle for bundle in (candidate, model) if isinstance(bundle, Bundle)]
    end = max(map(_end_of_data, known), default=-1)
    if isinstance(events, Site | Store):
        store = events.store if isinstance(events, Site) else events
        return estimate(impressions.read(store, after=end), lists, k=k, model=model)
    with Store("sqlite://") as store:
        _add(store, events)
        log = impressions.read(store)
    found = estimate(log, lists, k=k, model=model)
    found.notes.extend(_on_old_views(log, end))
    return found


def _end_of_data(bundle: Bundle) -> int:
    until = bundle.about.data_until_ms
    return -1 if until is None else int(until)


def _batch(articles: pd.DataFrame | Paths) -> Batch:
    if isinstance(articles, str | Path | Sequence):
        batch = read_articles(_paths(articles))
    else:
        batch = Batch()
        for number, record in enumerate(_records(articles), start=1):
            batch.n_records += 1
            where = f"articles:row {number}"
            try:
                batch.add(from_record(record, where=where), where)
            except ArticleError as exc:
                batch.problems.append(Problem(str(exc)))
    Tolerance().check(batch.problems, batch.n_records)
    _warn(batch.problems, len(batch.problems))
    return batch


def _add(store: Store, events: Any, addresses: Iterable[tuple[str, str]] | None = None) -> None:
    """With ``addresses`` of articles, where the store has none."""
    found = _events(events)
    if not isinstance(found, EventReader):
        store.add_events(found)
        return
    if addresses is not None and found.needs_finder:
        found.finder = Finder(addresses)
    import_events(store, found)
    _warn(found.problems, found.n_bad)


def _warn(problems: Sequence[Problem], n_bad: int) -> None:
    if n_bad:
        text = f"{n_bad:,} bad records left out, such as {problems[0].text}"
        warnings.warn(text, stacklevel=4)


def _events(events: Any) -> Iterable[Event]:
    if isinstance(events, str | Path):
        return EventReader(_paths(events))
    if isinstance(events, Sequence):
        if all(isinstance(entry, str | Path) for entry in events):
            return EventReader(_paths(events))
        return (event for frame in events for event in _frame_events(frame))
    return _frame_events(events)


def _frame_events(frame: pd.DataFrame) -> Iterator[Event]:
    columns = set(frame.columns)
    marks = {"shown": "impression", "clicked": "click", "article_id": "pageview"}
    kind = next((kind for mark, kind in marks.items() if mark in columns), None)
    if "type" not in columns and kind is None:
        raise InputError("a frame of events takes a column type, shown, clicked or article_id")
    for number, record in enumerate(_records(frame), start=1):
        # What the site's own frames mark as doubtful, its training leaves out.
        if not record.get("flagged"):
            yield parse({"type": kind, **record}, where=f"events:row {number}")


def _records(frame: pd.DataFrame) -> Iterator[Mapping[str, Any]]:
    """Rows as plain records: no NaN, no arrays."""
    for row in frame.to_dict("records"):
        plain = {name: _plain(value) for name, value in row.items()}
        yield {str(name): value for name, value in plain.items() if value is not None}


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):  # numpy's arrays and scalars
        value = value.tolist()
    if isinstance(value, float) and value != value:
        return None
    return None if type(value).__name__ in ("NaTType", "NAType") else value


def _paths(paths: Paths) -> list[Path]:
    return [Path(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
