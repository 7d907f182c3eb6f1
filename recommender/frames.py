"""A site's articles and log as data frames, read from the store when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sql

from recommender.articles import Article
from recommender.store import Store

if TYPE_CHECKING:
    import pandas as pd


class Site:
    """A site's articles and log as data frames."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def articles(self) -> pd.DataFrame:
        """One row an article, stubs included; columns as in the contract's article record."""
        import pandas as pd

        names = list(Article.__slots__)
        rows = [
            {name: getattr(article, name) for name in names} for article in self.store.articles()
        ]
        frame = pd.DataFrame(rows, columns=names)
        for name in ("tags", "recommended"):
            frame[name] = [list(values) for values in frame[name]]
        return frame

    def impressions(self) -> pd.DataFrame:
        """One row a view: ``view_id``, ``ts`` (UTC), ``source_id``, ``shown`` (ids in order),
        ``ordered``, ``session_id``, ``list``, ``layout``, ``arm``, ``variant`` or NA,
        ``propensities`` or None.
        """
        import pandas as pd

        with self.store.reading() as connection:
            names = {r.key: r.id for r in connection.execute(sql.text("SELECT key, id FROM ids"))}
            shown: dict[int, list[str]] = {}
            chances: dict[int, list[float | None]] = {}
            for row in connection.execute(
                sql.text("SELECT slate, item, propensity FROM slate_links ORDER BY slate, rank")
            ):
                shown.setdefault(row.slate, []).append(names[row.item])
                chances.setdefault(row.slate, []).append(row.propensity)
            rows = connection.execute(
                sql.text(
                    "SELECT v.view_id, v.ts, s.source, v.slate, s.ordered, v.session, s.list, "
                    "v.layout, v.arm, v.variant FROM views v JOIN slates s ON s.slate = v.slate "
                    "ORDER BY v.ts, v.view_id"
                )
            ).all()
        return pd.DataFrame(
            {
                "view_id": [row.view_id for row in rows],
                "ts": pd.to_datetime([row.ts for row in rows], unit="ms", utc=True),
                "source_id": [names[row.source] for row in rows],
                # One list a slate, shared by its views: frames of millions of views stay small.
                "shown": [shown[row.slate] for row in rows],
                "ordered": [bool(row.ordered) for row in rows],
                "session_id": [row.session for row in rows],
                "list": [row.list for row in rows],
                "layout": [row.layout for row in rows],
                "arm": [row.arm for row in rows],
                "variant": pd.array([row.variant for row in rows], dtype="Int64"),
                "propensities": [
                    None if None in chances[row.slate] else chances[row.slate] for row in rows
                ],
            }
        )

    def clicks(self) -> pd.DataFrame:
        """One row a click: ``view_id``, ``ts`` (UTC), ``clicked`` (the article's id)."""
        import pandas as pd

        with self.store.reading() as connection:
            rows = connection.execute(
                sql.text(
                    "SELECT c.view_id, c.ts, i.id FROM clicks c JOIN ids i ON i.key = c.item "
                    "ORDER BY c.ts, c.view_id, i.id"
                )
            ).all()
        return pd.DataFrame(
            {
                "view_id": [row.view_id for row in rows],
                "ts": pd.to_datetime([row.ts for row in rows], unit="ms", utc=True),
                "clicked": [row.id for row in rows],
            }
        )
