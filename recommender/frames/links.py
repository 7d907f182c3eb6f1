"""Every link of a site's lists as a data frame: the bundle's, those picked by hand, the nearest
texts.

    links = links.table(bundle, site)
    links.groupby("lists", observed=True)["cosine"].mean()
    page = links[links["source_id"] == "why-does-my-knee-click"]
    page.pivot(index="position", columns="lists", values="title")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recommender import arguments
from recommender.bundle.bundle import Bundle, bundle_of
from recommender.candidates import EMPTY
from recommender.evaluation.list_quality import (
    FIGURES,
    HAND_PICKED,
    MODEL,
    TEXT,
    figures_of,
    lists_by_origin,
)
from recommender.evaluation.report.text import number
from recommender.frames.site import Site
from recommender.frames.tables import categories, texts

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["HAND_PICKED", "MODEL", "TEXT", "figures", "in_words", "table"]

# As long as a page's list usually is.
K = 10


def table(bundle: Bundle | None, site: Site, *, k: int = K) -> pd.DataFrame:
    """One row a link of the first ``k`` of each page's lists, page by page in the order of ids.

    - ``lists``: category, ``model`` for the bundle's, ``hand-picked``, ``nearest texts``
    - ``source_id``, ``target_id``, ``title`` (the target's): texts
    - ``position``: int64, from 1
    - ``cosine``: of the two texts; NaN where the bundle does not know one of them
    - ``fills_up``: bool, whether the link stands there for want of better ones

    Hand-picked links are as editors left them, so one may be double, lead to its own page or to a
    title without a page. Without a bundle only they are there.
    """
    import pandas as pd

    k, site = arguments.whole("k", k), _site(site)
    bundle = None if bundle is None else bundle_of("bundle", bundle)
    articles = site.articles(columns=["id", "title", "recommended"])
    parts = [_picked(articles, bundle, k)]
    if bundle is not None:
        for name, (items, fills_up) in lists_by_origin(bundle, None, k).items():
            parts.append(_of_bundle(bundle, name, items, fills_up))
    found = pd.concat(parts, ignore_index=True)
    known = [MODEL, HAND_PICKED, TEXT]
    number = {name: at for at, name in enumerate(known)}
    found["lists"] = categories([number[name] for name in found["lists"]], known)
    return found.sort_values(["source_id", "lists", "position"], kind="stable", ignore_index=True)[
        ["lists", "source_id", "position", "target_id", "title", "cosine", "fills_up"]
    ]


def figures(bundle: Bundle, site: Site, *, k: int = K) -> pd.DataFrame:
    """What these lists are like as wholes, a row each: how many pages have one, coverage, the most
    listed article, exposure, novelty, similarity, near-duplicates, fallbacks (see
    ``list_quality.FIGURES``). A page counts as often as it was seen in the log; where there is no
    view, each once.
    """
    bundle, k, site = bundle_of("bundle", bundle), arguments.whole("k", k), _site(site)
    slates = site.slates(columns=["source_id", "views"])
    views = slates.groupby("source_id")["views"].sum()
    ids = _ids(bundle)
    seen = views.reindex(ids, fill_value=0).to_numpy(dtype=np.float64)
    if not seen.any():
        seen = np.ones(len(ids))
    articles = {article.id: article for article in site.store.articles(with_body=False)}
    return figures_of(bundle, articles, seen, k=k)


def in_words(figures: pd.DataFrame) -> pd.DataFrame:
    """``figures`` as a table to read: a row each, as they are written, and what each of them is."""
    import pandas as pd

    of = {figure.name: figure for figure in FIGURES}
    rows = {name: [number(value, of[name].form) for value in figures[name]] for name in figures}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=[*map(str, figures.index)])
    table["what it is"] = [of[name].meaning for name in table.index]
    return table


def _site(site: Any) -> Site:
    if not isinstance(site, Site):
        raise TypeError(
            f"site: {arguments.given(site)} is given; give a site, as recommender.connect returns "
            "it"
        )
    return site


def _ids(bundle: Bundle) -> list[str]:
    return [bundle.lists.id_of(row) for row in range(len(bundle.lists.stub))]


def _picked(articles: pd.DataFrame, bundle: Bundle | None, k: int) -> pd.DataFrame:
    """The links that editors chose."""
    import pandas as pd

    lists = articles["recommended"].str[:k]
    long = pd.DataFrame({"source_id": articles["id"], "target_id": lists})
    long = long.explode("target_id").dropna(subset=["target_id"]).reset_index(drop=True)
    target = texts(long["target_id"])
    titles = pd.Series(articles["title"].to_numpy(), index=articles["id"].to_numpy())
    named = titles.reindex(target).to_numpy()
    cosine = np.full(len(long), np.nan)
    if bundle is not None:
        row = pd.Series(np.arange(len(bundle.lists.stub)), index=_ids(bundle))
        source, item = (
            row.reindex(ids).fillna(EMPTY).to_numpy(dtype=np.int64)
            for ids in (long["source_id"], target)
        )
        known = (source != EMPTY) & (item != EMPTY)
        cosine[known] = bundle.site.cosine(source[known], item[known])
    return pd.DataFrame(
        {
            "lists": HAND_PICKED,
            "source_id": long["source_id"],
            "position": long.groupby("source_id", sort=False).cumcount() + 1,
            "target_id": target,
            # A title nobody has is as good as its id.
            "title": np.where(pd.isna(named), target, named),
            "cosine": cosine,
            "fills_up": False,
        }
    )


def _of_bundle(
    bundle: Bundle, name: str, items: np.ndarray, fills_up: np.ndarray | None
) -> pd.DataFrame:
    """The links of lists that are given by the bundle's rows, ``(n_articles, k)``."""
    import pandas as pd

    source, place = np.nonzero(items != EMPTY)
    item = items[source, place]
    ids = np.array(_ids(bundle), dtype=object)
    titles = np.array([bundle.lists.titles[row] for row in range(len(ids))], dtype=object)
    return pd.DataFrame(
        {
            "lists": name,
            "source_id": texts(ids[source]),
            "position": place + 1,
            "target_id": texts(ids[item]),
            "title": texts(titles[item]),
            "cosine": bundle.site.cosine(source, item),
            "fills_up": False if fills_up is None else fills_up[source, place],
        }
    )
