"""Articles and events that an analyst hands over, as data frames or as files, read into records and
a store.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender import arguments
from recommender.articles.addresses import Finder
from recommender.articles.batch import Batch
from recommender.articles.reader import add_record, read_articles
from recommender.errors import ArgumentError
from recommender.escaping import terminal
from recommender.events.event import Event, parse
from recommender.events.reader import EventReader
from recommender.files import Problem, Tolerance
from recommender.store.database import Store
from recommender.store.import_events import import_events

if TYPE_CHECKING:
    import pandas as pd

Paths = str | Path | Sequence[str | Path]
# How a file of SQLite begins.
SQLITE = b"SQLite format 3\0"
OWN_EVENTS = "[site.impressions(), site.clicks()]"


def checked_articles(
    articles: Any, name: str = "articles", *, of_site: str = "site.articles()"
) -> None:
    """``TypeError`` or ``ArgumentError`` unless these are a frame of articles, or paths of files;
    ``of_site`` is what is to be given of a connected site.
    """
    _checked(name, articles, "a DataFrame", of_site)


def checked_events(events: Any, *, of_site: str = OWN_EVENTS) -> None:
    """``TypeError`` or ``ArgumentError`` unless these are a frame of events, several, or paths of
    files; ``of_site`` is what is to be given of a connected site.
    """
    _checked("events", events, "a DataFrame, several", of_site)


def _checked(name: str, value: Any, frames: str, of_site: str) -> None:
    expected = f"give {frames}, or paths of files"
    is_list = isinstance(value, list | tuple)
    entries = value if is_list else [value]
    if len(entries) == 0:
        raise ArgumentError(f"{name}: an empty list is given; {expected}")
    for each in entries:
        if isinstance(each, str | Path):
            if _is_database(each):
                raise ArgumentError(
                    f"{name}: {arguments.given(each)} is a database; of the site that "
                    f"recommender.connect opens, give {of_site}"
                )
        elif not hasattr(each, "to_dict") or (is_list and "several" not in frames):
            site = f"; of a site, {of_site}" if hasattr(each, "impressions") else ""
            what = f"a list with {arguments.given(each)}" if is_list else arguments.given(value)
            raise TypeError(f"{name}: {what} is given; {expected}{site}")
    if len({isinstance(each, str | Path) for each in entries}) > 1:
        raise TypeError(f"{name}: frames and paths are given together; give one or the other")


def _is_database(path: str | Path) -> bool:
    if re.match(r"(sqlite|postgres\w*)(\+\w+)?:", str(path)):
        return True
    try:
        with Path(path).open("rb") as file:
            return file.read(16) == SQLITE
    except (OSError, ValueError):
        return False


def article_batch(articles: pd.DataFrame | Paths) -> Batch:
    """Articles of a frame or of files; rows of a frame whose column ``stub`` is true are titles
    without a page, as in the frame of a site. A warning counts what was left out;
    ``TooManyBadRecords`` if that is too much.
    """
    if isinstance(articles, str | Path | Sequence):
        batch = read_articles(_paths(articles))
    else:
        batch = Batch()
        for number, record in enumerate(_records(articles), start=1):
            batch.n_records += 1
            n_before = len(batch.articles)
            add_record(batch, record, f"articles:row {number}")
            # A site's own frame has what lists name and no page is of.
            if record.get("stub") in (True, 1) and len(batch.articles) > n_before:
                id, article = batch.articles.popitem()
                batch.articles[id] = replace(article, stub=True)
                batch.drafts.pop(id, None)
    Tolerance().check(batch.problems, batch.n_records)
    _warn(batch.problems, len(batch.problems), "bad records")
    _warn(batch.remarks, len(batch.remarks), "addresses")
    _warn(batch.skipped, len(batch.skipped), "files")
    return batch


def add_events(
    store: Store,
    events: pd.DataFrame | Sequence[pd.DataFrame] | Paths,
    addresses: Iterable[tuple[str, str]] | None = None,
    *,
    now: datetime | None = None,
) -> None:
    """Add the events of frames or files to a store; ``addresses``, ids and addresses of articles,
    are for files that name pages by them, where the store has none. ``ArgumentError`` if a frame
    has no events, ``EventError`` if one of its rows is none; a warning counts bad records of files.
    In files, times later than a day after ``now`` are such; frames may be of simulated times.
    """
    found = _events(events, now)
    if not isinstance(found, EventReader):
        store.add_events(found)
        return
    if addresses is not None and found.needs_finder:
        found.finder = Finder(addresses)
    import_events(store, found)
    _warn(found.problems, found.n_bad, "bad records")
    _warn(found.skipped_files, len(found.skipped_files), "files")


def _warn(problems: Sequence[Problem], n_bad: int, what: str) -> None:
    if n_bad:
        text = f"{n_bad:,} {what} left out, such as {problems[0].text}"
        warnings.warn(terminal(text), stacklevel=4)


def _events(events: Any, now: datetime | None) -> Iterable[Event]:
    if isinstance(events, str | Path):
        return EventReader(_paths(events), now=now)
    if isinstance(events, Sequence):
        if all(isinstance(entry, str | Path) for entry in events):
            return EventReader(_paths(events), now=now)
        return (event for frame in events for event in _frame_events(frame))
    return _frame_events(events)


def _frame_events(frame: pd.DataFrame) -> Iterator[Event]:
    columns = set(frame.columns)
    types = {"shown": "impression", "clicked": "click", "article_id": "pageview"}
    type = next((types[column] for column in types if column in columns), None)
    if "type" not in columns and type is None:
        raise ArgumentError("a frame of events takes a column type, shown, clicked or article_id")
    for number, record in enumerate(_records(frame), start=1):
        # What the site's own frames mark as doubtful, its training leaves out.
        if not record.get("flagged"):
            yield parse({"type": type, **record}, where=f"events:row {number}")


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
