"""The model card: what a bundle was made from, what decided, and what it is not good for.

Sections follow Mitchell et al., "Model Cards for Model Reporting" (FAT* 2019), as far as they
apply to a list of links.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from recommender.articles.dates import FIRST_YEAR, DateCounts
from recommender.bundle.registry import Calibration, Manifest
from recommender.clicks.intervention_harvesting import Curve
from recommender.clicks.position_bias import Examination
from recommender.escaping import markdown
from recommender.lists.populations import SHARES, Populations
from recommender.ranking import features, handpicked_features
from recommender.ranking.handpicked import Outcome
from recommender.ranking.handpicked_features import Feature
from recommender.ranking.ranker import Learned
from recommender.store.click_filters import MAX_LAYOUTS, OTHER
from recommender.store.counts import Log
from recommender.text.freshness import (
    HALF_LIFE_YEARS,
    HALF_LIFE_YEARS_AGEING,
    LEAST,
    LEAST_AGEING,
    YEAR,
)

# Characters of the longest bar, and rows of a table of features: what fits a page.
BAR, N_IMPORTANT = 30, 12
ORDER = "What features add to the order of the log's last days; discounted gain per click"
LISTS = "What features add to predicting editors' lists that were set aside; nDCG@10"
LADDER = {
    "levels to content": "texts, titles, categories and tags, as clicks weigh them",
    "levels to kinds": "and kinds of titles",
    "levels to categories": "and categories",
    "levels to strength": "and the target's record",
    "levels to lift": "and the pair's own clicks",
    "ranker": "and curves of all features, if chosen",
}
DECIDERS = {
    "clicks": "The learned ranker",
    "lists": "What editors' lists teach",
    None: "Text alone",
}


def decision(learned: Learned, taught: Outcome) -> tuple[str | None, str]:
    """What the lists were learned from, ``clicks``, editors' ``lists`` or None, and why."""
    if learned.decided_by == "model":
        return "clicks", learned.reason
    if taught.model:
        return "lists", f"{taught.reason}; of clicks: {learned.reason}"
    return None, f"{learned.reason}; {taught.reason}"


def model_card(about: Manifest, *, examination: Examination, log: Log, lengths: np.ndarray) -> str:
    """The card as Markdown; ``lengths`` are the numbers of relevant links on each page's list,
    ``(n_pages,)``."""
    first, last = about.data_window
    window = f"{first} to {last}" if first else "no views"
    return "\n".join(
        [
            f"# Bundle {markdown(about.name)}",
            "",
            f"Built {markdown(about.built)} from {about.n_articles:,} articles "
            f"({about.n_stubs:,} more known by title only), {about.n_views:,} views and "
            f"{about.n_clicks:,} clicks ({markdown(window)}).",
            "",
            "## What decided",
            "",
            f"**{DECIDERS[about.learned_from]}**: {markdown(about.reason)}.",
            "",
            *_trial(about.scores),
            *_populations(about.populations),
            *_importance(about.importance, features.FEATURES, ORDER),
            *_importance(about.hand_picked.importance, handpicked_features.FEATURES, LISTS),
            "## Evidence",
            "",
            _sentence(str(about.sent)),
            "",
            *_left_out(log),
            "## Position",
            "",
            *_examination(examination, log),
            "",
            "## Chances",
            "",
            _calibration(about.calibration),
            "",
            "## Dates",
            "",
            *_dates(about.dates),
            "",
            "## The lists",
            "",
            f"{(lengths >= 10).mean():.1%} of the articles have ten relevant links or more, "
            f"{(lengths < 3).mean():.1%} fewer than three; these are filled up by the fallback "
            "chain. A link is relevant if the texts are alike "
            f"(cosine {about.relevance_floor:.2f} or more, what hardly any two articles of this "
            "site reach), of one topic, or about the subject that the title names, if readers "
            "followed it more often than was to be expected, or, where editors' lists decide, if "
            "an editor would list it with a chance of one in ten.",
            "",
            _sentence(str(about.languages)),
            "",
            _sentence(str(about.listings)),
            "",
            _sentence(str(about.concentration)),
            "",
            "## Not for",
            "",
            "Medical urgency: the lists know what is alike and what is followed, not what a reader "
            "must know first. Pin such pages in `editorial.csv`.",
            "",
            "## Made with",
            "",
            markdown(", ".join(f"{part} {of}" for part, of in about.versions.items())) + ".",
            "",
        ]
    )


def _left_out(log: Log) -> list[str]:
    """Names and numbers of the log that do not count as what they are."""
    lines = []
    if log.n_other_layouts:
        lines.append(
            f"Layouts beyond the {MAX_LAYOUTS} that were seen on most days are counted together as "
            f"`{OTHER}`: {log.n_other_layouts:,}."
        )
    if log.n_unknown:
        lines.append(
            f"Numbers in slates that stand for no article of the store: {log.n_unknown:,}; events "
            "on them do not count."
        )
    if log.n_visits_left:
        lines.append(
            f"Visits that read more pairs of articles than can be counted, the longest: "
            f"{log.n_visits_left:,}; what they read together does not count."
        )
    return [part for line in lines for part in (line, "")]


def _calibration(outcome: Calibration) -> str:
    reason = _sentence(outcome.reason)
    if outcome.slope is None:
        return f"None are stated. {reason}"
    return (
        "`chance` estimates how likely a link is to be followed if it is examined: log odds of a "
        f"level of each page's own and {outcome.slope:.2f} for each unit of score. {reason}"
    )


def _dates(dates: DateCounts) -> list[str]:
    """How many articles are dated, and what that was good for."""
    n = dates.n_dated + dates.n_undated
    if dates.median_age is None:
        lines = [f"None of the {n:,} articles has a date (`published_at`): no age is preferred."]
    else:
        lines = [
            f"{dates.n_dated:,} of {n:,} articles are dated (`published_at`, else `updated_at`); "
            f"the median age is {_age(dates.median_age)}. Before there are clicks, of texts alike "
            f"the newer stands first: {_worth(HALF_LIFE_YEARS, LEAST)}; the undated count as the "
            "median."
        ]
    if dates.ageing:
        names = markdown(", ".join(dates.ageing))
        lines.append(
            f"In {names} ({dates.n_ageing:,} articles; RECOMMENDER_AGEING) "
            f"{_worth(HALF_LIFE_YEARS_AGEING, LEAST_AGEING)}."
        )
    if dates.no_category:
        names = markdown(", ".join(dates.no_category))
        lines.append(f"No article is in {names}, which is set to be ageing.")
    if dates.oldest_days:
        lines.append(
            f"{dates.n_too_old:,} articles were published more than {dates.oldest_days:,} days ago "
            "and are recommended beside nothing (RECOMMENDER_OLDEST_DAYS)."
        )
    wrong = {
        "later than the day after the build": dates.n_future,
        "that stand for none (1970-01-01)": dates.n_empty,
    }
    lines += [f"Dates {what}, not believed: {count:,}." for what, count in wrong.items() if count]
    if dates.n_before_web:
        lines.append(f"Dates before {FIRST_YEAR}, believed: {dates.n_before_web:,}.")
    return [" ".join(lines)]


def _worth(half_life: float, least: float) -> str:
    """What ``freshness`` makes of an article that has reached its half-life, in words."""
    return (
        f"a score counts {(1 + least) / 2:.2f} times at an age of {half_life:.0f} "
        f"{'year' if half_life == 1 else 'years'}, never less than {least:.2f}"
    )


def _age(days: float) -> str:
    return f"{days / YEAR:.1f} years" if days >= YEAR else f"{days:.0f} days"


def _sentence(text: str) -> str:
    """What is no Markdown yet, as a sentence of it."""
    return markdown(f"{text[0].upper()}{text[1:]}.")


def _row(*cells: str) -> str:
    """A row of a table."""
    return f"| {' | '.join(map(markdown, cells))} |".replace("|  |", "| |")


def _trial(scores: dict[str, float]) -> list[str]:
    if not scores:
        return []
    ladder = [name for name in LADDER if name in scores]
    gains = [scores[name] for name in ladder]
    return [
        "Orders of the links shown on the last tenth or so of the log, learned without it, and "
        "nothing was chosen on it; mean discounted gain per click, and what each level of evidence "
        "adds to those above it:",
        "",
        "| order | gain | added |",
        "|---|---|---|",
        f"| text alone | {scores['text']:.4f} | |",
        *(
            _row(LADDER[name], f"{gain:.4f}", f"{gain - before:+.4f}")
            for name, gain, before in zip(ladder, gains, [scores["text"], *gains], strict=False)
        ),
        f"| the last, links as if never shown | {scores['ranker, links as if new']:.4f} | |",
        f"| beside it: counting clicks, no text | {scores['counting']:.4f} | |",
        "",
    ]


def _populations(about: Populations) -> list[str]:
    """What was learned from beside what it is used on."""
    if not about.shown:
        return []
    heads = " | ".join(f"{share:.0%}" for share in SHARES)
    return [
        "Learned from links that were shown, used on candidates; the cosine of their texts that so "
        "many of either do not reach:",
        "",
        f"| | {heads} |",
        "|---" * (len(SHARES) + 1) + "|",
        *(
            _row(name, *(f"{value:.2f}" for value in row))
            for name, row in (("shown", about.shown), ("candidates", about.candidates))
        ),
        "",
        f"{about.never_shown:.0%} of the candidates were never shown. A link that no editor chose "
        f"counts {about.factor:.2f} times less than one that an editor did, as far as hand-picked "
        "lists agree with the texts, and as such links were followed where they were shown; beyond "
        "what was shown slopes are those of the text alone.",
        "",
    ]


def _importance(
    losses: dict[str, float], features: Mapping[str, Feature], of_what: str
) -> list[str]:
    if not losses:
        return []
    most = sorted(losses, key=lambda name: (-losses[name], name))[:N_IMPORTANT]
    meaning = {name: feature.__doc__ or "" for name, feature in features.items()}
    return [
        f"{of_what} lost when one feature is permuted (permutation importance, Breiman 2001):",
        "",
        "| feature | what it is | loss |",
        "|---|---|---|",
        *(_row(name, meaning.get(name, ""), f"{losses[name]:.4f}") for name in most),
        "",
    ]


def _examination(examination: Examination, log: Log) -> list[str]:
    lines = [f"- {_sentence(sentence)}" for sentence in examination.summary()]
    curves: dict[str, Curve] = {"whole site": examination} if examination.identified else {}
    for layout, curve in examination.layouts.items():
        if curve.identified or examination.identified:
            curves[layout or "unnamed"] = curve
    if not curves:
        return lines
    shown = int(min(np.bincount(log.position).nonzero()[0].max(initial=1), 10))
    return [
        *lines,
        "",
        "How likely a position is to be examined, beside position 1; 95 % intervals by bootstrap:",
        "",
        _row("position", *curves, ""),
        "|---" * (len(curves) + 2) + "|",
        *(
            _row(
                f"{place}",
                *(_at(curve, place) for curve in curves.values()),
                "█" * round(BAR * min(1.0, float(next(iter(curves.values())).chance[place]))),
            )
            for place in range(1, shown + 1)
        ),
    ]


def _at(curve: Curve, place: int) -> str:
    return f"{curve.chance[place]:.2f} ({curve.low[place]:.2f} to {curve.high[place]:.2f})"
