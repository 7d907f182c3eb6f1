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
    from recommender.analysis import connect, evaluate, load, off_policy, train
    from recommender.articles import Article
    from recommender.bundle import Bundle
    from recommender.errors import RecommenderError
    from recommender.evaluation import Report
    from recommender.frames import Site
    from recommender.offpolicy import OffPolicy
    from recommender.shelf import Link

__version__ = "0.1.0"
__all__ = [
    "Article",
    "Bundle",
    "Link",
    "OffPolicy",
    "RecommenderError",
    "Report",
    "Site",
    "connect",
    "evaluate",
    "load",
    "off_policy",
    "train",
]

_HOMES = {
    "Article": "articles",
    "Bundle": "bundle",
    "Link": "lists",
    "OffPolicy": "offpolicy",
    "RecommenderError": "errors",
    "Report": "evaluation",
    "Site": "frames",
    **dict.fromkeys(["connect", "evaluate", "load", "off_policy", "train"], "analysis"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'recommender' has no attribute {name!r}")
    return getattr(import_module(f"recommender.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
