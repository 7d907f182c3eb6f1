"""Settings: environment variables ``RECOMMENDER_*`` over ``recommender.toml`` over defaults.

An unknown setting is an error, because a setting that is silently ignored is worse than none.

>>> settings({"RECOMMENDER_MODELS": "/srv/models"}, folder=Path("/nowhere")).models
PosixPath('/srv/models')
>>> settings({"RECOMMENDER_MODLES": "x"}, folder=Path("/nowhere"))
Traceback (most recent call last):
recommender.errors.SettingsError: environment: unknown setting RECOMMENDER_MODLES; known: ...
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from recommender.errors import SettingsError

PREFIX = "RECOMMENDER_"
FILE = "recommender.toml"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are. ``models_url`` is an object store by which bundles are shared, and
    ``models`` then this machine's copies of them. ``work`` is where trainings keep what they have
    done, a folder or a URL, by default beside ``models``; ``off`` if nothing is kept.
    A teaser that is made of a text has at most ``teaser`` characters.
    ``html_*`` are CSS selectors for pages that need a hint; without an
    ``admin_key``, what takes one does not exist. ``allowed_origins`` and ``trusted_proxies`` are
    lists with commas. ``explore`` is how many of a hundred views explore, ``event_rate`` how many
    events a client may send in a minute (0: any number), ``session_clicks`` and
    ``pair_clicks`` are the caps of clicks that count (``click_filters.Caps``). ``event_origin`` is
    ``on`` if the events of one network that count are bounded, else ``off``. ``languages`` is
    ``same`` if links stay in the language of the page, else ``any``. Articles published more than
    ``oldest_days`` ago are recommended beside nothing (0: any age is fine); ``ageing`` names, with
    commas, the categories in which a newer article is preferred strongly. ``listings`` is ``on`` if
    pages that are mere lists of others are recommended like these, else ``off``. ``ceiling`` is
    the number of lists, of a hundred, that one article may stand in. ``unjudged`` is what becomes
    of a bundle that nothing can judge, ``promote`` or ``hold``; one by which more than
    ``max_changed`` of a hundred pages get another first link is held too. When ``signing_key``
    changes, the one before is valid for ``previous_key_hours``; lists exported for static pages may
    report for ``export_days``. ``console`` is ``on`` if editors
    may sign in at ``/console``, else ``off``; ``time_zone`` is the zone in which days of editors'
    rules begin and end. The service logs what is of ``log_level`` at least, as ``log_format`` has
    it, and answers if ``access_log`` is ``on``; for ``drain_seconds`` after SIGTERM it is not ready
    and answers on.
    """

    database: str = "sqlite:///recommender.db"
    models: Path = Path("models")
    models_url: str = ""
    work: str = ""
    editorial: Path = Path("editorial.csv")
    admin_key: str = field(default="", repr=False)
    signing_key: str = field(default="", repr=False)
    previous_key_hours: int = 24
    export_days: int = 180
    allowed_origins: str = ""
    trusted_proxies: str = ""
    event_rate: int = 600
    explore: int = 20
    session_clicks: int = 30
    pair_clicks: int = 0
    event_origin: str = "off"
    console: str = "off"
    time_zone: str = "UTC"
    languages: str = "same"
    oldest_days: int = 0
    ageing: str = ""
    listings: str = "off"
    ceiling: int = 10
    unjudged: str = "promote"
    max_changed: int = 100
    teaser: int = 160
    log_level: str = "info"
    log_format: str = "text"
    access_log: str = "off"
    drain_seconds: int = 0
    html_title: str = ""
    html_body: str = ""
    html_recommended: str = ""

    @property
    def zone(self) -> ZoneInfo:
        """``time_zone`` as an object."""
        return ZoneInfo(self.time_zone)


PATHS = ("models", "editorial")
# Settings that are one of a few words.
WORDS = {
    "languages": ("same", "any"),
    "listings": ("off", "on"),
    "event_origin": ("off", "on"),
    "console": ("off", "on"),
    "unjudged": ("promote", "hold"),
    "log_level": ("debug", "info", "warning", "error"),
    "log_format": ("text", "json"),
    "access_log": ("off", "on"),
}
# Settings that are whole numbers, and between what.
NUMBERS = {
    "previous_key_hours": (0, 10_000),
    "export_days": (1, 3_650),
    "event_rate": (0, 1_000_000),
    "explore": (0, 90),
    "session_clicks": (1, 1_000_000),
    "pair_clicks": (0, 1_000_000_000),
    "oldest_days": (0, 1_000_000),
    "ceiling": (1, 100),
    "max_changed": (0, 100),
    "teaser": (20, 1_000),
    "drain_seconds": (0, 300),
}


def settings(environment: Mapping[str, str], *, folder: Path) -> Settings:
    """Read the settings in force for a process started in ``folder``.

    Raises ``SettingsError`` naming the place and the setting.
    """
    file = folder / FILE
    given = [(key, key, str(file), value) for key, value in _in_file(file).items()]
    given += [
        (name.removeprefix(PREFIX).lower(), name, "environment", value)
        for name, value in environment.items()
        if name.startswith(PREFIX)
    ]
    found = {key: checked(key, *rest) for key, *rest in given}
    if isinstance(url := found.get("models"), str):
        # A URL in the folder's place; copies are where the folder is by default.
        found = {**found, "models": Settings().models, "models_url": url}
    return Settings(**found)


def environment_of(settings: Settings) -> dict[str, str]:
    """The variables that give another process these settings."""
    values = {each.name: getattr(settings, each.name) for each in fields(settings)}
    return {PREFIX + name.upper(): str(value) for name, value in values.items()}


def names_in(text: str) -> tuple[str, ...]:
    """The names of a list with commas, each once.

    >>> names_in("news, events,,news")
    ('news', 'events')
    """
    return tuple(dict.fromkeys(name for each in text.split(",") if (name := each.strip())))


def _in_file(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise SettingsError(f"{path}: {exc}") from exc


def checked(key: str, written: str, where: str, value: Any) -> Any:
    """The value of a setting, which is ``written`` so in the place ``where``."""
    known = [each.name for each in fields(Settings)]
    if key not in known:
        raise SettingsError(f"{where}: unknown setting {written}; known: {', '.join(known)}")
    if key in NUMBERS:
        return _number(str(value), written, key, where)
    if not isinstance(value, str):
        raise SettingsError(f"{where}: {written} must be a string, not {type(value).__name__}")
    if key in WORDS and value not in WORDS[key]:
        raise SettingsError(f"{where}: {written}: {value!r} is not {' or '.join(WORDS[key])}")
    if key == "time_zone":
        _check_zone(value, written, where)
    if key == "models_url" or (key == "models" and "://" in value):
        return _url(value, written, where)
    return Path(value) if key in PATHS else value


def _url(value: str, written: str, where: str) -> str:
    scheme, separator, rest = value.partition("://")
    if value and (scheme in ("", "file") or not separator or not rest.strip("/")):
        raise SettingsError(
            f"{where}: {written}: {value!r} is no URL of an object store, such as "
            f"s3://bucket/models; a folder is given as a path, by {PREFIX}MODELS"
        )
    return value.rstrip("/")


def _check_zone(name: str, written: str, where: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        example = "such as Europe/Berlin"
        raise SettingsError(f"{where}: {written}: {name!r} is no time zone, {example}") from None


def _number(text: str, written: str, key: str, where: str) -> int:
    low, high = NUMBERS[key]
    # Python reads no number of thousands of digits.
    if text.isascii() and text.isdigit() and len(text) < 20 and low <= int(text) <= high:
        return int(text)
    raise SettingsError(f"{where}: {written}: {text!r} is no whole number from {low} to {high:,}")
