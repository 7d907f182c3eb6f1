"""What the audit of hand-picked lists finds of faults that are known, and whom it accuses wrongly.

On the sample site the taste of its readers is stated, so every link's worth is known: wanted, of
the same topic, or of another; dead and double ones are there as well. On a real site faults of each
kind are planted into the editors' lists, and what they had picked counts as good.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.corpus import REAL, table
from recommender.articles.article import Article
from recommender.articles.dates import dates_of, day_number
from recommender.articles.reader import read_articles
from recommender.demo import readers
from recommender.demo.readers import PAGES, appeal, truth
from recommender.evaluation.audit import Audit, audit
from recommender.evaluation.link_checks import HARDLY
from recommender.functions import audit as audit_site
from recommender.store.database import Store
from recommender.training.pipeline import build

if TYPE_CHECKING:
    import pandas as pd

NOW = datetime(2026, 11, 30, tzinfo=UTC)
# Logs that no threshold was looked at with.
SEEDS = (101, 102)
# Shares of a real site's links that are replaced, and how often.
SHARES, N_TIMES = (0.0, 0.1, 0.3), 10
FOUND = "dead", "itself", "duplicate", "off-topic"


def run() -> None:
    """Print the tables."""
    heading = ("links", "of them", "broken or poor", "doubtful", "good")
    print("The sample site, by days of its log:\n")
    table(("days", *heading), [row for days in (0, 10, 60) for row in sample(days)])
    path = REAL / "va" / "articles.jsonl.gz"
    if not path.exists():
        print(f"No {path}: set BENCH_DATA to plant faults into real lists.")
        return
    print("va, faults planted into its lists, no log:\n")
    table(("replaced", *heading), planted(path))


def sample(days: int) -> list[tuple[str, ...]]:
    """Rows of the table of the sample site."""
    frames = []
    for seed in SEEDS if days else SEEDS[:1]:
        with TemporaryDirectory() as folder, Store(f"sqlite:///{folder}/site.db") as store:
            store.apply(read_articles([PAGES], url="https://example.org/{id}"))
            if days:
                pages = [article for article in store.articles() if not article.stub]
                lists = {page.id: page.recommended for page in pages}
                store.add_events(readers.visits(lists, seed=seed, days=days))
            bundle = build(store, Path(folder) / "models", now=NOW)
            frames.append(worth(audit_site(bundle, store, now=NOW)))
    import pandas as pd

    whole = pd.concat(frames)
    hardly = whole[whole["kinds"].str.contains("hardly followed") & whole["ratio"].notna()]
    wrong = int((hardly["ratio"] >= HARDLY).sum())
    print(f"{days} days: {len(hardly):,} hardly followed, {wrong} of them wrongly\n", flush=True)
    return _rows(str(days), whole, ("dead", "double", "another topic", "same topic", "wanted"))


def worth(found: Audit) -> pd.DataFrame:
    """The audit's table with what each link is, and the appeal of it over its page's mean."""
    frame = found.table.sort_values(["source_id", "position"])
    again = frame.duplicated(["source_id", "target_id"])
    ends = list(zip(frame["source_id"], frame["target_id"], again, strict=True))
    frame["worth"] = [_worth(*each) for each in ends]
    frame["appeal"] = [appeal(source, target) for source, target, _ in ends]
    real = ~frame["worth"].isin(["dead", "double"])
    level = frame[real].groupby("source_id")["appeal"].transform("mean")
    frame["ratio"] = frame["appeal"] / level
    return frame


def _worth(source: str, target: str, again: bool) -> str:
    taste = truth()
    if again:
        return "double"
    if target not in taste:
        return "dead"
    if target in taste[source].next:
        return "wanted"
    return "same topic" if taste[source].topic == taste[target].topic else "another topic"


def planted(path: Path) -> list[tuple[str, ...]]:
    """Rows of the table of a real site."""
    rows = []
    with TemporaryDirectory() as folder, Store(f"sqlite:///{folder}/site.db") as store:
        store.apply(read_articles([path]))
        bundle = build(store, Path(folder) / "models", now=NOW)
        articles = store.articles(with_body=False)
        for share in SHARES:
            frames = []
            for time in range(N_TIMES if share else 1):
                changed, kinds = with_faults(articles, share, seed=time)
                found = audit(
                    bundle, changed, date="", today=day_number(NOW),
                    published=dates_of(articles, NOW).day, texts=lambda ids: {},
                )  # fmt: skip
                frame = found.table
                ends = zip(frame["source_id"], frame["position"], strict=True)
                frame["worth"] = [kinds.get(each, "as picked") for each in ends]
                frames.append(frame)
            import pandas as pd

            rows += _rows(f"{share:.0%}", pd.concat(frames), (*FOUND, "as picked"))
    return rows


def with_faults(
    articles: Sequence[Article], share: float, *, seed: int
) -> tuple[list[Article], dict[tuple[str, int], str]]:
    """Articles of whose links a ``share`` is replaced by faults, one kind after the other; and the
    kind by page and position, from 1.
    """
    random = np.random.default_rng(seed)
    ids = [article.id for article in articles if not article.stub]
    kinds: dict[tuple[str, int], str] = {}
    changed = []
    for article in articles:
        links = list(article.recommended)
        for place in range(len(links)):
            if random.random() >= share:
                continue
            kind = FOUND[int(random.integers(len(FOUND)))]
            if kind == "duplicate" and place == 0:
                continue
            other = ids[int(random.integers(len(ids)))]
            # A page drawn by chance may stand in the list already.
            if kind == "off-topic" and other in (article.id, *links):
                continue
            links[place] = {
                "dead": f"gone-{place}", "itself": article.id, "duplicate": links[0],
                "off-topic": other,
            }[kind]  # fmt: skip
            kinds[article.id, place + 1] = kind
        changed.append(replace(article, recommended=tuple(links)))
    return changed, kinds


def _rows(name: str, frame: pd.DataFrame, kinds: Sequence[str]) -> list[tuple[str, ...]]:
    """A row a kind: how many links there are, and the shares by grade."""
    rows = []
    for kind in kinds:
        grade = frame.loc[frame["worth"] == kind, "grade"]
        shares = [
            grade.isin(wanted).mean() for wanted in (["broken", "poor"], ["doubtful"], ["good"])
        ]
        if len(grade):
            rows.append((name, kind, f"{len(grade):,}", *(f"{share:.1%}" for share in shares)))
    return rows
