"""What happened: how often lists were seen and followed, what new links brought, what was refused.

Nothing is computed here: a command and every training store the figures (``bundle.figures``).
"""

from __future__ import annotations

import json
import logging
from datetime import datetime
from functools import partial
from typing import Any

from starlette.responses import Response

from recommender.bundle import experiments, figures
from recommender.errors import ExperimentError
from recommender.events.event import HAND_PICKED
from recommender_api.console.app import Console, Entry
from recommender_api.console.notices import DAYS, Kept
from recommender_api.console.visit import Visit
from recommender_api.console.words import counted

# Rows of each list on the page; the rest is in the file.
N_SHOWN = 10
# A read-out of an experiment is no larger, many times over.
MAX_READOUT_BYTES = 32 * 1024 * 1024
# Words for what the log says, of editors; why a link is there is called as on a page's list.
ORIGINS = {
    "model": "learned",
    "text": "by text",
    "hand-picked": "picked by hand",
    "pinned": "pinned",
    "explored": "tried out",
    "fallback": "filled up",
    "not known": "not known (imported)",
}
DOUBTFUL = {
    "crawler": "from programs that read the site, such as search engines",
    "origin": "from one network that sent too many",
    "fast": "clicks faster than a hand",
    "session": "too many clicks of one visit",
    "pair": "too many clicks on one link in a day",
}
EVENTS = {
    "malformed": "not as they should be: a fault in the page's code",
    "forged": "about a list that was never sent",
    "unsigned": "without the list they are about",
    "bad_position": "on a place that the list does not have",
    "unknown_article": "about an article that is not known",
    "other_store": "about a list of another site's store",
    "expired": "from static pages that are too old: export them again",
    "revoked": "from static pages whose key was taken back: export them again",
    "oversized": "too large",
}
POSTS = {
    "origin_not_allowed": "from sites that are not in RECOMMENDER_ALLOWED_ORIGINS",
    "too_many_requests": "from one reader who sent too many",
    "body_too_large": "too large",
    "too_many_events": "too many events at once",
    "invalid_json": "not readable",
    "incomplete_body": "cut off on the way",
    "unsupported_media_type": "of another kind",
    "store_unavailable": "while the store was out of reach",
    "overloaded": "while too many waited",
}

# What decides, by what the lists were learned from.
DECIDED = {
    "clicks": "What readers follow decides, together with the texts: such links are “learned”.",
    "lists": "What the lists picked by hand have in common decides, together with the texts: such "
    "links are “learned”. No clicks were good enough to learn from yet.",
    None: "The texts decide: links are “by text”. No clicks were good enough to learn from yet.",
}
BY_HAND = "The lists are those “picked by hand”."
WORDS = {"origins": ORIGINS, "doubtful": DOUBTFUL, "events": EVENTS, "posts": POSTS}

logger = logging.getLogger("api")


def add(console: Console) -> None:
    """Have the page answered, and a place in the menu."""
    kept = Kept(console)
    console.notices.append(kept.notices)
    console.menu.append(Entry("/happened", "What happened"))
    console.get("/happened", "viewer", partial(_shown, console, kept))


def _shown(console: Console, kept: Kept, visit: Visit) -> Response:
    content, fault = kept.figures()
    origins, n_other = kept.origins()
    answers = console.live.answers
    about = None if answers is None or answers.lists is None else answers.lists.about
    return console.page(
        visit,
        "happened",
        figures=content,
        fault=fault,
        command=figures.COMMAND,
        age=None if content is None else _age(console, content["made"]),
        at=_moment,
        origins=origins,
        n_other=n_other,
        n_days=DAYS,
        live=about,
        live_age=None if about is None else _age(console, about.built),
        experiment=_experiment(console),
        words=WORDS,
        decided=decided,
        counted=counted,
        n_shown=N_SHOWN,
        of_100=_of_100,
        times=_times,
    )


def _experiment(console: Console) -> dict[str, Any] | None:
    """The experiment that runs or ran last, and what its last read-out says; None if there is
    none.
    """
    models = console.settings.models
    try:
        running = experiments.running_name(models)
        known = experiments.names(models)
        if running is None and not known:
            return None
        name = running or known[-1]
        found = experiments.read(models, name)
    except ExperimentError as exc:
        return {"name": "", "fault": str(exc)}
    file = experiments.folder_of(models, name) / experiments.READOUT
    readout: dict[str, Any] | None = None
    fault = ""
    try:
        if file.stat().st_size <= MAX_READOUT_BYTES:
            content = json.loads(file.read_text(encoding="utf-8"))
            if isinstance(content, dict) and isinstance(content.get("verdict"), str):
                readout = content
            else:
                fault = "Its last read-out cannot be read."
    except FileNotFoundError:
        pass
    except (OSError, ValueError, RecursionError) as exc:
        logger.warning("%s: %s", file, exc)
        fault = "Its last read-out cannot be read."
    rows = (readout or {}).get("arm_rows")
    return {
        "name": name,
        "runs": running == name,
        "started": datetime.fromisoformat(found.started),
        "stopped": None if found.stopped is None else datetime.fromisoformat(found.stopped),
        "arms": [{"name": arm.name, "shows": arm.shows, "bundle": arm.bundle}
                 for arm in found.arms],
        "verdict": None if readout is None else readout["verdict"],
        "made": _moment((readout or {}).get("made")),
        "views": {row.get("arm"): row.get("views") for row in rows if isinstance(row, dict)}
        if isinstance(rows, list) else {},
        "fault": fault,
    }  # fmt: skip


def decided(by: str, learned_from: str | None) -> str:
    """What decides the lists of a bundle, in plain words."""
    return BY_HAND if by == HAND_PICKED else DECIDED.get(learned_from, by)


def _moment(text: Any) -> datetime | None:
    """A moment in ISO 8601, None for what is none."""
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None


def _age(console: Console, text: str) -> str:
    """How long ago that was, in words."""
    moment = _moment(text)
    if moment is None or moment.tzinfo is None:
        return "at an unknown time"
    hours = (console.clock() - moment).total_seconds() / 3600
    if hours < 1:
        return "within the last hour"
    if hours < 36:
        return f"{counted(round(hours), 'hour')} ago"
    return f"{counted(round(hours / 24), 'day')} ago"


def _of_100(rate: float | None) -> str:
    """A rate, of a hundred.

    >>> _of_100(0.0123), _of_100(None)
    ('1.23', '–')
    """
    if rate is None:
        return "–"
    value = 100 * rate
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _times(ratio: float | None) -> str:
    """How many times as often; an end that is not known is endless."""
    if ratio is None:
        return "∞"
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"
