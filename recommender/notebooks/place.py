"""Which site a notebook is about: the one that is named, that of the settings, or the sample.

A notebook rarely stands where the site's commands are run. So settings are those of the environment
and of the nearest ``recommender.toml``, in the folder of the notebook or above it, and what that
file names is beside it.

    here = recommender.here()
    here.site, here.bundle
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from recommender.bundle import experiments, registry
from recommender.bundle.bundle import Bundle, load_bundle
from recommender.config import FILE, PREFIX, Settings, settings
from recommender.demo.prepare import sample_site
from recommender.errors import BundleError, ExperimentError
from recommender.escaping import markdown, terminal
from recommender.frames.site import Site
from recommender.functions import connect
from recommender.notebooks.working import working
from recommender.store.counts import n_logged


@dataclass(frozen=True, slots=True)
class Here:
    """A site and the folder of its ``models``, as a notebook shows them.

    ``bundle`` is the one in question: the newest, live or not, arms of experiments aside; None
    where none can be read.
    ``before`` is the one it would take the place of, or took it of; None where there is none.
    ``events`` are files of views that are kept apart from the site's log, None for no such.
    ``is_sample`` is true of the built-in site, whose readers are simulated. ``about`` are
    sentences, in Markdown, on what there is and what is lacking.
    """

    site: Site
    models: Path
    bundle: Bundle | None
    before: Bundle | None
    events: Path | None
    is_sample: bool
    about: tuple[str, ...]

    def _repr_markdown_(self) -> str:
        return "\n".join(f"- {sentence}" for sentence in self.about)

    def __repr__(self) -> str:
        return "\n".join(self.about).replace("**", "")


def here(database: str = "", models: str | Path = "", events: str | Path = "") -> Here:
    """The site at ``database`` with the bundles below ``models`` and held-out ``events``.

    What is empty is as the settings say. Where nothing names a site it is the sample, which is
    made in the folder ``sample-site``, in half a minute, if it is not there yet. ``StoreError`` if
    there is no such store; ``SettingsError`` for settings that are none.
    """
    found, said_by = in_force(os.environ, Path.cwd())
    is_sample = not (database or models or said_by)
    if is_sample:
        with working("making the sample site, once"):
            found = sample_site()
    given = replace(found, database=database or found.database, models=Path(models or found.models))
    site = connect(given.database)
    bundle, before, on_bundles = _bundles(given.models)
    apart = Path(events) if events else None
    where = without_password(given.database)
    first = "the built-in sample site, whose readers are simulated" if is_sample else _code(where)
    return Here(
        site,
        given.models,
        bundle,
        before,
        apart,
        is_sample,
        (
            f"**Site**: {first}. {_counted(site)}",
            f"**Bundle**: {on_bundles}",
            *([f"**Held-out views**: {_code(str(apart))}."] if apart else []),
        ),
    )


def in_force(environment: Mapping[str, str], folder: Path) -> tuple[Settings, str]:
    """The settings for a notebook in ``folder``, paths made whole, and what names the site: a
    file, ``environment``, or nothing.
    """
    file = next((at / FILE for at in (folder, *folder.parents) if (at / FILE).is_file()), None)
    base = file.parent if file else folder
    found = settings(environment, folder=base)
    named = {f"{PREFIX}DATABASE", f"{PREFIX}MODELS"} & environment.keys()
    # What the environment names lies where the process is, what the file names beside the file.
    start = folder if f"{PREFIX}DATABASE" in environment else base
    database = _whole(found.database, start)
    models = (folder if f"{PREFIX}MODELS" in environment else base) / found.models
    if named:
        said_by = "environment"
    elif file:
        said_by = str(file)
    else:
        default = make_url(database).database
        said_by = str(default) if default and Path(default).is_file() else ""
    return replace(found, database=database, models=models), said_by


def _whole(database: str, folder: Path) -> str:
    """The address of a SQLite file with its whole path; others as they are."""
    try:
        url = make_url(database)
    except ArgumentError:
        return database  # connecting will say what is wrong with it
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return database
    return _text(url.set(database=str(folder / url.database)))


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def without_password(database: str) -> str:
    """An address without its password."""
    try:
        return make_url(database).render_as_string(hide_password=True)
    except ArgumentError:
        return database


def _counted(site: Site) -> str:
    n_articles = site.store.n_articles()
    n_views, n_clicks = n_logged(site.store)
    if n_articles == 0:
        return "It holds no article yet: run `recommender import articles`."
    if n_views == 0:
        return f"{n_articles:,} articles; no list that was shown has been logged."
    return f"{n_articles:,} articles, {n_views:,} views of lists, {n_clicks:,} clicks."


def _bundles(models: Path) -> tuple[Bundle | None, Bundle | None, str]:
    """The bundle in question, the one before it, and a sentence on them."""
    try:
        if (models / registry.MANIFEST).is_file():
            alone = load_bundle(models)
            return alone, None, f"{_named(alone)}, named by itself."
        live = registry.current(models)
        names = registry.names(models)
        newest = _newest(models, names, live) if names else ""
    except (BundleError, ExperimentError) as exc:
        return None, None, f"none can be read: {markdown(str(exc))}."
    if not names:
        return None, None, (
            f"none in {_code(str(models))}: run `recommender train`. "
            "What takes a bundle is left out below."
        )  # fmt: skip
    other = registry.before(models) if newest == live else live
    try:
        bundle = Bundle(models / newest)
    except BundleError as exc:
        return None, None, f"the newest cannot be read: {markdown(str(exc))}."
    is_live = "live" if newest == live else "not live"
    text = f"{_named(bundle)}, {is_live}."
    if other is None:
        return bundle, None, f"{text} No other to compare it with."
    try:
        before = Bundle(models / other)
    except BundleError as exc:
        return bundle, None, f"{text} The one before cannot be read: {markdown(str(exc))}."
    role = "Live before it" if newest == live else "Live"
    return bundle, before, f"{text} {role}: {_named(before)}."


def _newest(models: Path, names: list[str], live: str | None) -> str:
    """The newest bundle that was trained to go live: what arms of experiments show is frozen as a
    bundle too.
    """
    arms = {
        arm.bundle
        for name in experiments.names(models)
        for arm in experiments.read(models, name).arms
    }
    return max((name for name in names if name == live or name not in arms), default=names[-1])


def _named(bundle: Bundle) -> str:
    first, last = bundle.about.data_window
    learned = {
        "clicks": f"learned from {bundle.about.n_clicks:,} clicks",
        "lists": "learned from editors' lists",
    }.get(bundle.learned_from or "", "made from texts alone")
    window = f", log of {first[:10]} to {last[:10]}" if first and last else ""
    return f"{_code(bundle.name)} ({learned}{window})"


def _code(text: str) -> str:
    """A name or path as Markdown has it word by word."""
    shown = terminal(text).replace("`", "'")
    return f"`{shown}`"
