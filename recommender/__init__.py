"""Related-article lists learned from text and clicks.

    import recommender
    site = recommender.connect("sqlite:///recommender.db")
    bundle = recommender.load("models")
    bundle.related("article-id", k=10)

Names are loaded when they are first used, so that ``import recommender`` stays light and the
web process never sees what only training needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recommender.articles.article import Article
    from recommender.bundle.bundle import Bundle
    from recommender.bundle.composition import Link
    from recommender.errors import RecommenderError
    from recommender.evaluation.audit import Audit
    from recommender.evaluation.compare import Comparison
    from recommender.evaluation.evaluate import Report
    from recommender.evaluation.joint import JointReport
    from recommender.evaluation.judgements import Judged
    from recommender.evaluation.offpolicy import OffPolicy
    from recommender.experiments.readout import ReadOut
    from recommender.frames.arrow import to_arrow
    from recommender.frames.site import Site
    from recommender.functions import (
        audit,
        compare,
        connect,
        evaluate,
        experiment,
        judged,
        judging,
        load,
        off_policy,
        run_of,
        train,
    )
    from recommender.notebooks.place import Here, here

__version__ = "0.1.0"
__all__ = [
    "Article",
    "Audit",
    "Bundle",
    "Comparison",
    "Here",
    "JointReport",
    "Judged",
    "Link",
    "OffPolicy",
    "ReadOut",
    "RecommenderError",
    "Report",
    "Site",
    "audit",
    "compare",
    "connect",
    "evaluate",
    "experiment",
    "here",
    "judged",
    "judging",
    "load",
    "off_policy",
    "run_of",
    "to_arrow",
    "train",
]

_HOMES = {
    "Article": "articles.article",
    "Audit": "evaluation.audit",
    "Bundle": "bundle.bundle",
    "Comparison": "evaluation.compare",
    "Here": "notebooks.place",
    "JointReport": "evaluation.joint",
    "Judged": "evaluation.judgements",
    "Link": "bundle.composition",
    "OffPolicy": "evaluation.offpolicy",
    "ReadOut": "experiments.readout",
    "RecommenderError": "errors",
    "Report": "evaluation.evaluate",
    "Site": "frames.site",
    "here": "notebooks.place",
    "to_arrow": "frames.arrow",
    **dict.fromkeys(
        [
            "audit",
            "compare",
            "connect",
            "evaluate",
            "experiment",
            "judged",
            "judging",
            "load",
            "off_policy",
            "run_of",
            "train",
        ],
        "functions",
    ),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'recommender' has no attribute {name!r}")
    return getattr(import_module(f"recommender.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
