"""A report is read by people at any width, on paper and offline, and by programs."""

import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from browser import chromium
from judging import BY_ID, JUDGED, bundle, follow, log_of

from recommender.evaluation import evaluate, offpolicy
from recommender.evaluation.baselines import MODEL, ORDERS
from recommender.evaluation.evaluate import judge
from recommender.evaluation.list_quality import FIGURES
from recommender.evaluation.metrics import METRICS
from recommender.evaluation.report.report import Report
from recommender.evaluation.report.text import judgement, p_value, span

# Widths in pixels; the paper is A4 between its margins.
PHONE, DESK, PAPER = 390, 1280, 718


@pytest.fixture(scope="module")
def report() -> Report:
    """Readers of knee mostly want nap, which the bundle has first; some pages are lost."""
    events = [
        *follow("knee", "nap", 30), *follow("knee", "hip", 12),
        *follow("sleep", "nap", 25, shown=("ankle", "nap")),
    ]  # fmt: skip
    return judge(bundle(), log_of(events), articles=BY_ID)


# The name of a language, which nobody fetches.
SVG = "http://www.w3.org/2000/svg"


class Outline(HTMLParser):
    """Headings, pictures without words, and elements that were never closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.silent = 0
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.headings += [tag] if re.fullmatch("h[1-6]", tag) else []
        self.silent += tag == "svg" and not known.get("aria-label")
        if tag not in ("meta", "rect", "line", "circle", "path", "polyline", "polygon"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("rect", "line", "circle", "path", "polyline", "polygon"):
            assert self.open.pop() == tag


def test_the_table_has_every_metric_with_its_interval(report: Report):
    """And a corrected p-value of each comparison; the model is not compared with itself."""
    names = ["nDCG@5", "nDCG@10", "MRR", "MAP", "recall@10", "hit rate@10", "AUC", "gain"]

    assert list(report.table.index) == [name for name, _ in ORDERS]
    for name in names:
        low, mean, high = (report.table[f"{name}{end}"] for end in (" low", "", " high"))
        assert (low <= mean + 1e-12).all()
        assert (mean <= high + 1e-12).all()
    assert np.isnan(report.table.loc[MODEL, "gain p"])
    assert report.table["gain p"].drop(MODEL).between(0, 1).all()


def test_p_values_are_corrected_for_the_number_of_comparisons(report: Report):
    """Eight sure ones: the least is eight times what one alone would have."""
    least = 2 / (1 + evaluate.bootstrap.N_DRAWS)

    assert report.table["gain p"].min() == pytest.approx(8 * least)


def test_the_headline_names_the_strongest_order(report: Report):
    """With the difference, its interval and how sure it is."""
    others = report.table.drop(MODEL)
    best = others[report.metric].idxmax()

    assert report.against == best
    assert f"{best}, the strongest of 8 simple orders" in report.headline
    assert span(*others.loc[best, ["gain", "gain low", "gain high"]], sign=True) in (
        report.headline
    )


@pytest.mark.parametrize(
    ("low", "high", "p", "kind"),
    [
        (0.1, 0.2, 0.01, "better"),
        (-0.2, -0.1, 0.01, "worse"),
        (0.1, 0.2, 0.06, "unclear"),  # its own interval is above 0, but it is one of many
        (np.nan, np.nan, np.nan, "unclear"),
    ],
)
def test_what_is_said_of_a_difference(low: float, high: float, p: float, kind: str):
    """The corrected p-value decides."""
    assert judgement(low, high, p) == kind


def test_verdict_and_headline_of_each_kind(report: Report):
    """Better, worse, and neither."""
    for gain, p, words in (
        (0.1, 0.01, "orders links better than"),
        (-0.1, 0.01, "orders links worse than"),
        (0.1, 0.5, "No clear difference between"),
    ):
        changed = report.table.copy()
        row = [gain, gain - 0.01, gain + 0.01, p]
        changed.loc[report.against, ["gain", "gain low", "gain high", "gain p"]] = row

        assert words in replace(report, table=changed).headline


def test_numbers_as_people_write_them():
    """A minus is a minus; p-values are not longer than they are sure."""
    assert span(-0.0123, -0.02, 0.004, sign=True) == "−0.012 (−0.020 to +0.004)"
    assert [p_value(p) for p in (0.0001, 0.0124, 0.23456, np.nan)] == [
        "< 0.001", "0.012", "0.23", "–",
    ]  # fmt: skip


def test_the_page_stands_alone(report: Report):
    """No script, nothing to fetch, no markup of titles, the same bytes twice; in good order."""
    made = report.to_html()
    outline = Outline(made)

    assert made == report.to_html()
    assert not re.search(
        r"<script|<link|<img|<iframe|@import|url\(|\bsrc=|\bhref=|https?://", made.replace(SVG, "")
    )
    assert "Knee &lt;b&gt;pain&lt;/b&gt; &amp; stairs" in made
    assert "<b>" not in made
    assert outline.headings[0] == "h1"
    assert outline.headings.count("h1") == 1
    levels = [int(name[1]) for name in outline.headings]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert outline.silent == 0
    assert outline.open == []


def test_the_page_says_what_every_figure_is_of(report: Report):
    """Verdict first; every kind of list with its denominators; window and caveats at the end."""
    made = report.to_html()

    places = [
        made.index(words)
        for words in (
            "<h1>", "Every metric", "Where it is better", "The lists themselves",
            "Old lists beside new ones", "The data", "What to keep in mind",
        )
    ]  # fmt: skip
    assert places == sorted(places)
    for words in ("per clicked view", "per page view", "per link", "p corrected for all"):
        assert words in made
    for row in (*FIGURES, *METRICS):
        assert row.name in made
        assert html.escape(row.meaning).replace("&#x27;", "&#39;") in made


def test_programs_read_all_of_it(report: Report):
    """Tables as they are, with null for what is not known."""
    content = json.loads(report.to_json())

    assert content["orders"][MODEL]["MAP"] == pytest.approx(report.table.loc[MODEL, "MAP"])
    assert content["orders"][MODEL]["gain p"] is None
    assert content["headline"] == report.headline
    assert content["against"] == report.against
    assert set(content["lists"]) == set(report.lists.index)
    assert len(content["slices"]) == len(report.slices) > 0
    assert [row["page"] for row in content["examples"]] == report.examples["page"].tolist()
    assert content["window"]["judged views"].startswith("2026-11-02T00:00:00+00:00 to 2026-11-02")
    assert content["off_policy"]["views"] == report.n_views


def test_what_lists_would_have_won_is_part_of_it(report: Report):
    """Where the log tells, with a picture; where it does not, in words."""
    import pandas as pd

    row = dict.fromkeys(offpolicy.COLUMNS, 0.5) | {"depends on model": False, "summary": "so & so"}
    silent = row | {"estimate": np.nan, "summary": "not given: too little"}
    rows = dict.fromkeys((offpolicy.IPS, offpolicy.SNIPS, offpolicy.DR, offpolicy.PBM), silent)
    table = pd.DataFrame.from_dict(rows | {offpolicy.SNIPS: row}, orient="index")
    won = offpolicy.OffPolicy(table, offpolicy.Interval(0.4, 0.3, 0.5), ["a <note>"], "new", 40, 20)
    made = replace(report, off_policy=won)
    refused = replace(won, table=table.assign(estimate=np.nan))

    assert json.loads(made.to_json())["off_policy"]["candidate"] == "new"
    assert made.to_html().count("<svg") == report.to_html().count("<svg") + 1
    assert "a &lt;note&gt;" in made.to_html()
    assert "so &amp; so" in made.to_html()
    silent_page = replace(report, off_policy=refused).to_html()
    assert silent_page.count("<svg") == report.to_html().count("<svg")
    assert "The log gives no estimate of what new would win" in silent_page


def test_a_report_of_one_view_is_a_report():
    """No slice, no difference; the caveat says that intervals mean little."""
    alone = judge(bundle(), log_of(follow("knee", "nap", 1)), articles=BY_ID)

    assert len(alone.slices) == 0
    assert "Where it is better" not in alone.to_html()
    assert any("of 1 visits only" in note for note in alone.notes)
    assert "No clear difference" not in alone.headline or alone.table["gain p"].max() > 0.05


def test_metrics_that_cannot_differ_are_named(report: Report):
    """Recall at ten of slates of four links."""
    shorter = judge(bundle(), log_of(follow("knee", "nap", 3, day=JUDGED + 1)), k=2)

    assert any("recall@10 and hit rate@10 are 1" in note for note in report.notes)
    assert not any("are 1 whatever" in note for note in shorter.notes)


def test_whatever_comes_in_as_text_is_text(report: Report):
    """Names of bundles and pages, caveats, the data window."""
    evil = "<i>&'\""
    made = replace(
        report, bundle=evil, notes=[evil], window={evil: evil},
        slices=report.slices.assign(slice=evil, by=evil),
        examples=report.examples.assign(page=evil),
    ).to_html()  # fmt: skip

    assert "<i>" not in made
    assert made.count("&lt;i&gt;&amp;&#39;&#34;") >= 8


@pytest.mark.slow
def test_it_fits_a_phone_a_desk_and_paper(report: Report):
    """Nothing sticks out to the right, nothing is fetched, no picture is without size."""
    made = report.to_html()
    with chromium() as browser:
        for width in (PHONE, DESK, PAPER):
            shown = browser.new_page(viewport={"width": width, "height": 900})
            shown.emulate_media(media="print" if width == PAPER else "screen")
            asked: list[str] = []
            shown.on("request", lambda request, asked=asked: asked.append(request.url))
            shown.set_content(made)

            assert shown.evaluate("document.documentElement.scrollWidth") <= width
            sizes = shown.evaluate(
                "[...document.querySelectorAll('svg')].map("
                "(s) => [s.getBoundingClientRect().width, s.getBoundingClientRect().height])"
            )
            assert all(wide > 100 and 20 < high < 900 for wide, high in sizes)
            assert asked == []
