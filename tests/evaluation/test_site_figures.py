"""What was planted in a log is found, with its denominators, and what was not is not."""

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from sent import followed, record, shown
from sites import NOW, Shown, click, log_of, stored, view

from recommender.articles.article import Article
from recommender.bundle.bundle import Bundle
from recommender.candidates import EMPTY
from recommender.evaluation.list_quality import final_lists
from recommender.evaluation.site_figures import Findings, site_figures
from recommender.events.ingest import BY_CRAWLER
from recommender.store.counts import Log
from recommender.store.database import Store
from recommender.store.retention import forget_before

TODAY = int(NOW.timestamp()) // 86_400
IDS = ["gout", "knee", "salt", "sugar"]


def planted(rates: np.ndarray, *, days: int, views: float, seed: int) -> Log:
    """A list of one link on each page; ``rates`` are ``(n_pages, days)``."""
    rng, n = np.random.default_rng(seed), len(rates)
    log = log_of(*(Shown(page, [n], [0], views=0) for page in range(n)))
    page, day = (each.ravel() for each in np.meshgrid(np.arange(n), np.arange(days), indexing="ij"))
    seen = rng.poisson(views, n * days).astype(float)
    clicks = rng.binomial(seen.astype(int), rates.ravel()).astype(float)
    return replace(
        log,
        view_day=day, view_slate=page, n_views=seen, view_live=np.ones(len(day), dtype=bool),
        click_day=day, click_link=page, n_clicks=clicks, n_in_sessions=clicks * 0,
        click_live=np.ones(len(day), dtype=bool),
    )  # fmt: skip


def of_log(log: Log, n: int) -> Findings:
    ids = [f"page {at}" for at in range(n)] + ["target"]
    return Findings(log, ids, {id: Article(id=id, title=id.title()) for id in ids}, None)


def test_pages_that_fall_are_found_and_no_others():
    """Of 200 pages on a site whose click rate halves for all, six fall to a third besides."""
    rates = np.full((200, 112), 0.1)
    rates[:, 84:] *= 0.5
    rates[:6, 84:] /= 3

    found = of_log(planted(rates, days=112, views=25, seed=1), 200).falling()

    names = {row["id"] for row in found["pages"]}
    assert {f"page {at}" for at in range(6)} >= names
    assert len(names) >= 5
    first = found["pages"][0]
    assert first["low"] <= 1 / 3 <= first["high"] < 1
    assert first["past_rate"] == pytest.approx(0.1, rel=0.2)
    assert first["lost"] > 0


def test_where_nothing_falls_nothing_is_named():
    """Of 40 quiet sites of 150 pages, each with a level of its own, in hardly any."""
    rng = np.random.default_rng(2)
    named = 0
    for seed in range(40):
        rates = np.repeat(rng.beta(2, 20, size=(150, 1)), 56, axis=1)
        named += of_log(planted(rates, days=56, views=20, seed=seed), 150).falling()["n"] > 0

    assert named <= 5


def test_a_short_log_says_that_it_is_short():
    found = of_log(planted(np.full((3, 5), 0.1), days=5, views=50, seed=1), 3).falling()

    assert found["pages"] == []
    assert "14 days" in found["why"]


def _both_lists(bundle: Bundle, articles: Sequence[Article], times: np.ndarray) -> Findings:
    """A log in which each page showed its list by hand 400 times and the live one 400 times, where
    new links were followed so many ``times``, ``(n_articles,)``, as often as all others.
    """
    rng = np.random.default_rng(3)
    ids = [bundle.lists.id_of(row) for row in range(len(bundle.lists.stub))]
    row_of = {id: row for row, id in enumerate(ids)}
    picked = {row_of[a.id]: [row_of[t] for t in a.recommended if t in row_of] for a in articles}
    items, _ = final_lists(bundle, 10)
    slates = []
    for row, by_hand in picked.items():
        live = [item for item in items[row].tolist() if item != EMPTY]
        if not by_hand or not live:
            continue
        for links in (by_hand, live):
            rate = [0.05 * (1 if item in by_hand else times[row]) for item in links]
            clicks = rng.binomial(400, rate).tolist()
            slates.append(Shown(row, links, clicks, views=400, ordered=False))
    return Findings(log_of(*slates), ids, {each.id: each for each in articles}, bundle)


def test_where_new_links_win_and_where_they_lose(sample, learned: Bundle):
    """Planted: thrice as often on every fifth page, a fifth as often on another fifth."""
    with Store(f"sqlite:///{sample / 'site.db'}", writing=False) as store:
        articles = [each for each in store.articles() if not each.stub]
    at = np.arange(len(learned.lists.stub)) % 5
    times = np.where(at == 0, 3.0, np.where(at == 1, 0.2, 1.0))

    found = _both_lists(learned, articles, times).new_links()

    kind = {learned.lists.id_of(row): at[row] for row in range(len(at))}
    better, worse = ([kind[row["id"]] for row in found[side]] for side in ("better", "worse"))
    assert len(better) >= 10
    assert len(worse) >= 5
    assert better.count(0) >= 0.9 * len(better)
    assert worse.count(1) >= 0.9 * len(worse)
    row = found["better"][0]
    assert 1 < row["low"] <= row["ratio"] <= row["high"]
    assert row["links"]["new"][0]["shown"] == 400
    assert found["n_better"] == len(better)


def test_new_links_that_are_followed_alike_neither_win_nor_lose(sample, learned: Bundle):
    with Store(f"sqlite:///{sample / 'site.db'}", writing=False) as store:
        articles = [each for each in store.articles() if not each.stub]

    found = _both_lists(learned, articles, np.ones(len(learned.lists.stub))).new_links()

    assert found["n_better"] + found["n_worse"] <= 1
    assert found["together"]["low"] <= 1.02
    assert found["together"]["high"] >= 0.98


def test_rates_have_their_denominators_and_forgotten_views_count(store: Store):
    """Three views a day on thirty days, one of three followed; half of them are forgotten."""
    events = []
    for day in range(TODAY - 30, TODAY):
        events += [
            view(f"{day} {n}", "knee", "gout", "salt", day=day, layout="bottom", list="hand-picked")
            for n in range(3)
        ]
        events.append(click(f"{day} 0", "gout", day=day))
    stored(store, [Article(id=id, title=id.title()) for id in IDS], events)
    before = site_figures(store, None, now=NOW)
    forget_before(store, (TODAY - 15) * 86_400_000)

    after = site_figures(store, None, now=NOW)

    for found in (before.content, after.content):
        assert found["total"]["views"] == 90
        assert found["total"]["clicks"] == 30
        assert found["recent"]["days"] == 28
        assert found["recent"]["rate"] == pytest.approx(1 / 3, abs=1e-5)
        assert [row["layout"] for row in found["layouts"]] == ["bottom"]
        (origin,) = found["origins"]
        assert (origin["origin"], origin["links"], origin["clicks"]) == ("hand-picked", 168, 28)
    assert after.content["days"] == before.content["days"]
    with store.reading() as connection:
        key = {row.id: row.key for row in connection.exec_driver_sql("SELECT id, key FROM ids")}
    assert sorted(after.links.tolist()) == sorted(
        [[key["knee"], key["gout"], 90, 30], [key["knee"], key["salt"], 90, 0]]
    )
    json.dumps(after.content, allow_nan=False)


def test_a_list_that_names_an_article_twice_shows_it_once_a_view(store: Store):
    """Its clicks are one each, too; and what another page's list shows is not touched."""
    events = []
    for n in range(8):
        links = ("gout", "salt", "gout", "sugar", "gout")
        events.append(view(f"v{n}", "knee", *links, day=TODAY - 1, list="hand-picked"))
        events.append(view(f"w{n}", "salt", "gout", day=TODAY - 1, list="hand-picked"))
    events += [click(f"v{n}", "gout", day=TODAY - 1) for n in range(3)]
    stored(store, [Article(id=id, title=id.title()) for id in IDS], events)

    found = site_figures(store, None, now=NOW)

    with store.reading() as connection:
        name = {row.key: row.id for row in connection.exec_driver_sql("SELECT id, key FROM ids")}
    counts = {(name[page], name[link]): (n, m) for page, link, n, m in found.links.tolist()}
    assert counts == {
        ("knee", "gout"): (8, 3), ("knee", "salt"): (8, 0), ("knee", "sugar"): (8, 0),
        ("salt", "gout"): (8, 0),
    }  # fmt: skip
    (origin,) = found.content["origins"]
    assert (origin["links"], origin["clicks"]) == (32, 3)
    assert origin["as_usual"]["rate"] == pytest.approx(1.0)


def test_live_links_count_by_origin_and_doubtful_views_apart(store: Store):
    """Beside others at their places: the pin at the top is followed as all links there are."""
    noon = (TODAY - 1) * 86_400_000
    for n in range(20):
        origins = ("pinned", "model") if n % 2 else ("model", "explored")
        record(store, shown(f"v{n}", 7, 8, ts=noon, origins=origins))
        record(store, *([followed(f"v{n}", 7, ts=noon + 9_000)] if n % 4 < 2 else []))
    record(store, shown("robot", 7, 8, ts=noon, live=BY_CRAWLER))
    record(store, shown("hasty", 7, 8, ts=noon), followed("hasty", 7, ts=noon + 1))

    found = site_figures(store, None, now=NOW).content

    rows = {row["origin"]: row for row in found["origins"]}
    assert {name: (row["links"], row["clicks"]) for name, row in rows.items()} == {
        "model": (20, 5), "pinned": (10, 5), "explored": (10, 0),
    }  # fmt: skip
    assert rows["pinned"]["rate"] == pytest.approx(0.5)
    assert rows["pinned"]["as_usual"]["rate"] == pytest.approx(1.0)
    assert found["total"]["views"] == 20
    assert found["doubtful"]["reasons"] == {"crawler": 1, "fast": 1}
    (day,) = found["doubtful"]["days"]
    assert day["reasons"] == {"crawler": 1, "fast": 1}


def test_titles_without_a_page_are_no_articles_of_the_bundle(sample, learned: Bundle):
    with Store(f"sqlite:///{sample / 'site.db'}", writing=False) as store:
        n = sum(not article.stub for article in store.articles(with_body=False))
        found = site_figures(store, learned, now=NOW).content

    assert learned.about.n_stubs > 0
    assert found["articles"] == found["bundle"]["articles"] == n


def test_an_empty_store_has_figures_too(store: Store):
    found = site_figures(store, None, now=NOW).content

    assert found["total"]["views"] == 0
    assert found["days"] == []
    assert "train" in found["new_links"]["why"]
    json.dumps(found, allow_nan=False)


def test_rules_change_lists_as_composing_every_page_does(learned: Bundle):
    """What only a few pages' rules change is composed for them alone, with the same lists."""
    from recommender.lists.rules_file import parse

    ids = [learned.lists.id_of(row) for row in range(len(learned.lists.stub))]
    items = np.asarray(learned.lists.items)
    popular = ids[int(np.bincount(items[items != EMPTY]).argmax())]
    text = f"action,source,target,position\nblock,*,{popular},\npin,{ids[3]},{ids[9]},1\n"
    ruled = Bundle(learned.folder, rules=parse(text, where="e.csv"), now=NOW)

    found, _ = final_lists(ruled, 10)

    real = np.asarray(ruled.lists.stub) == 0
    for row in np.flatnonzero(real).tolist():
        placed = ruled.lists.composed(row, k=10, rules=ruled.rules, now=ruled.now)
        assert found[row][found[row] != EMPTY].tolist() == [link.row for link in placed]
    assert not (found == ids.index(popular)).any()
