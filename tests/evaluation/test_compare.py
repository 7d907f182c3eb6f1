"""What changed between two bundles or lists, by hand."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from browser import chromium
from judging import ARTICLES, BY_ID, JUDGED, bundle, follow, log_of, silent_bundle
from sites import NOW, built, click, view

from recommender.articles.article import Article
from recommender.bundle.bundle import Bundle
from recommender.candidates import EMPTY
from recommender.evaluation.compare import Comparison, changed_first, compare, judged, shown
from recommender.evaluation.joint import JointReport
from recommender.evaluation.offpolicy import PBM, SNIPS, Difference, difference
from recommender.evaluation.offpolicy_estimators import Interval
from recommender.evaluation.outcomes import Outcome, between
from recommender.evaluation.tidy import Figure
from recommender.events.event import Event
from recommender.lists.arms import Arm, Experiment
from recommender.lists.rules_file import load

# Four pages both have; of the first three links, by page: none changed; another order; two of
# three are new and the first is another; the list is gone. One page more on each side.
BEFORE = {
    "knee": ["hip", "ankle", "nap"],
    "hip": ["knee", "ankle", "nap"],
    "sleep": ["nap", "knee", "hip"],
    "nap": ["sleep"],
    "gone": ["knee"],
}
AFTER = {
    "knee": ["hip", "ankle", "nap"],
    "hip": ["knee", "nap", "ankle"],
    "sleep": ["ankle", "nap", "dream"],
    "nap": [],
    "dream": ["sleep"],
}
KNOWN = pd.DataFrame(
    {
        "id": ["knee", "hip", "sleep", "nap", "dream"],
        "title": ["Knee", "Hip", "Sleep", "Nap", "Dreams"],
        "category": ["joints", "joints", "rest", "rest", None],
    }
)


@pytest.fixture
def found() -> Comparison:
    return compare(BEFORE, AFTER, 3, articles=KNOWN)


def test_shares_are_of_the_pages_both_have(found: Comparison):
    """Of four, two have another first link, and one has none now; a list without links has no new
    one.
    """
    assert found.first_changed == 2 / 4
    assert found.new_links == pytest.approx((0 + 0 + 2 / 3 + 0) / 4)
    assert found.same_order == 1 / 4
    assert found.same_links == 2 / 4
    assert (found.only_old, found.only_new) == (("gone",), ("dream",))


def test_the_table_has_a_row_a_page(found: Comparison):
    """In the order of the ids, with what was lost and what is new."""
    table = found.table.set_index("page")

    assert table.index.tolist() == ["hip", "knee", "nap", "sleep"]
    assert table["n_before"].tolist() == [3, 3, 1, 3]
    assert table["n_after"].tolist() == [3, 3, 0, 3]
    assert table["n_lost"].tolist() == [0, 0, 1, 2]
    assert table["n_new"].tolist() == [0, 0, 0, 2]
    assert table["first_before"].tolist() == ["knee", "hip", "sleep", "nap"]
    assert table["first_after"].isna().tolist() == [False, False, True, False]
    assert table.loc["sleep", "first_after"] == "ankle"
    assert table.loc["sleep", "title"] == "Sleep"


def test_where_most(found: Comparison):
    """The page that lost all before the one that lost two of three; the category of rest, where two
    of three links are new; what came and went.
    """
    assert found.most_lost()["page"].tolist() == ["nap", "sleep"]
    assert found.most_lost(1)["page"].tolist() == ["nap"]
    assert found.categories().to_dict("records") == [
        {"category": "rest", "pages": 2, "new_links": pytest.approx(2 / 3), "first_changed": 1.0},
        {"category": "joints", "pages": 2, "new_links": 0.0, "first_changed": 0.0},
    ]
    assert found.gained().to_dict("records") == [
        {"id": "ankle", "title": "ankle", "before": 2, "after": 3},
        {"id": "dream", "title": "Dreams", "before": 0, "after": 1},
    ]
    # Hip, knee and sleep each left one list: a tie, in the order of the ids.
    assert found.lost()["id"].tolist() == ["hip", "knee", "sleep"]


def test_the_most_listed_is_counted_on_all_pages_of_its_side(found: Comparison):
    """Knee stands in three of five lists, ankle after in three of four with a link."""
    assert (found.old.most_listed, found.old.most_listed_share) == ("knee", 3 / 5)
    assert (found.new.most_listed, found.new.most_listed_share) == ("ankle", 3 / 4)
    assert (found.old.n_pages, found.new.n_pages, found.new.n_lists) == (5, 5, 4)


def test_the_summary_is_a_sentence_or_two(found: Comparison):
    """With what changed, and where most."""
    assert str(found) == (
        "From the old lists to the new lists, of the 4 pages that both have, 50.0 % got another "
        "first link and 25.0 % kept their list as it was; of a list's first 3 links 16.7 % are new "
        "in the mean. The category that changed most is rest, with 66.7 % of its links new."
    )


def test_a_repeated_link_counts_once():
    """The list is what is left of it."""
    found = compare({"knee": ["hip", "hip", "nap"]}, {"knee": ["hip", "nap"]}, 2)

    assert found.same_order == 1


def test_lists_without_a_common_page_are_compared_in_words():
    """There is no share then."""
    found = compare({"knee": ["hip"]}, {"hip": ["knee"]})

    assert np.isnan(found.first_changed)
    assert str(found) == "the old lists and the new lists have no page in common."
    assert found.to_dict()["new_links"] is None
    assert found.most_lost().empty
    assert found.categories().empty


def test_a_small_category_is_not_where_most_changed():
    """One page of two hundred says nothing of a category."""
    before = {f"{at:03}": ["x"] for at in range(200)}
    known = pd.DataFrame({"id": [*before], "title": "", "category": ["small", *["large"] * 199]})

    found = compare(before, before | {"000": ["y"]}, articles=known)

    assert found.categories()["category"].tolist() == ["large"]
    assert found.most_lost()["page"].tolist() == ["000"]


def test_identical_bundles_change_nothing():
    """Nothing gained, nothing lost."""
    found = compare(bundle(), bundle())

    assert (found.first_changed, found.new_links) == (0, 0)
    assert (found.same_order, found.same_links) == (1, 1)
    assert found.most_lost().empty
    assert found.gained().empty
    assert "no list changed" in str(found)
    assert changed_first(bundle(), bundle()) == 0


def test_what_is_compared_is_what_pages_show():
    """Link by link as ``related`` has it, lists that are filled up too."""
    for each in (bundle(), silent_bundle()):
        for k in (1, 2, 10, 50):
            for row, items in enumerate(shown(each, k).tolist()):
                links = [each.lists.id_of(item) for item in items if item != EMPTY]
                assert links == [link.id for link in each.related(each.lists.id_of(row), k)]


def test_bundles_agree_with_their_lists_written_out(tmp_path: Path):
    """Rows of the two differ, as one article came and one went; the figures are the same."""
    new = Article(
        id="wrist", title="Wrists", body="joint wrist stairs cartilage", category="joints"
    )
    later = built(tmp_path, [new, *(a for a in ARTICLES if a.id != "hip")])
    assert later.lists.find("knee") != bundle().lists.find("knee")

    found = compare(bundle(), later)

    plain = compare(lists_of(bundle()), lists_of(later))
    assert (found.only_old, found.only_new) == (("hip",), ("wrist",))
    columns = [name for name in found.table if name not in ("title", "category")]
    pd.testing.assert_frame_equal(found.table[columns], plain.table[columns])
    assert changed_first(bundle(), later) == plain.first_changed > 0
    assert found.lost()[["id", "before"]].equals(plain.lost()[["id", "before"]])


def lists_of(made: Bundle) -> dict[str, list[str]]:
    """Its lists as ``related`` has them."""
    ids = map(made.lists.id_of, range(len(made.lists.stub)))
    return {
        id: [link.id for link in made.related(id)] for id in ids if made.lists.row(id) is not None
    }


def test_a_bundle_is_compared_with_lists():
    """What only a bundle has is not known of lists; titles and categories are the bundle's."""
    old = {"knee": ["nap", "hip"], "sleep": ["hip"]}

    found = compare(old, bundle())

    assert (found.old.name, found.old.decided_by, found.old.built) == ("the lists", None, None)
    assert (found.new.name, found.new.decided_by) == (bundle().name, bundle().decided_by)
    assert found.new.n_articles == 5
    assert found.table["page"].tolist() == ["knee", "sleep"]
    assert found.table["title"].tolist() == ["Knee <b>pain</b> & stairs", "Sleep"]
    assert found.only_new == ("ankle", "hip", "nap")
    # By the most read article of each.
    assert found.table["category"].tolist() == ["that of “Ankles”", "that of “Naps”"]


def test_editors_rules_count_if_a_bundle_was_opened_with_them(tmp_path: Path):
    """A block everywhere takes the article out of all lists."""
    path = tmp_path / "editorial.csv"
    path.write_text("action,source,target\nblock,*,hip\n")
    ruled = Bundle(bundle().folder, rules=load(path), now=NOW + timedelta(days=1))

    found = compare(bundle(), ruled)

    lost = found.lost().set_index("id")
    assert lost.loc["hip", "before"] > 0
    assert lost.loc["hip", "after"] == 0


def test_bundles_without_a_common_page_have_no_share(tmp_path: Path):
    """Not a number, rather than all or nothing."""
    others = [replace(article, id=f"x{article.id}", recommended=()) for article in ARTICLES]

    assert np.isnan(changed_first(bundle(), built(tmp_path, others)))


# Which is better

NOTHING = Interval(np.nan, np.nan, np.nan)
SURE = Interval(0.1, 0.05, 0.15)


def won(gain: Interval, reason: str = "") -> Difference:
    """What both lists would have won, given or refused."""
    old = NOTHING if reason else Interval(0.4, 0.35, 0.45)
    new = NOTHING if reason else Interval(0.5, 0.45, 0.55)
    name = "" if reason else SNIPS
    return Difference(name, old, new, gain, reason, ["a <note>"], 400, 300)


@pytest.fixture(scope="module")
def better() -> Comparison:
    """From the bundle to the editors' lists: 30 of 42 readers want what the editors have first,
    though they were shown what the bundle has first.
    """
    picked = {id: page.recommended for id, page in BY_ID.items() if page.recommended}
    shown = ("hip", "ankle", "nap", "sleep")
    log = log_of([*follow("knee", "nap", 30, shown=shown), *follow("knee", "hip", 12, shown=shown)])
    found = compare(bundle(), picked, names=("the bundle", "the editors"))
    return judged(found, bundle(), picked, log, articles=BY_ID)


def test_the_order_of_links_shown_is_judged(better: Comparison):
    """By views of both; what the log does not support is refused with the reason."""
    assert better.offline is not None
    assert better.offline.n_views == 42
    assert better.off_policy is not None
    assert "no view in the log has the chances of its links" in better.off_policy.reason
    assert better.verdict.startswith(
        "the editors is better than the bundle by the order of links shown, +0.252 (+0."
    )
    assert "What the lists would have won is not estimated" in better.missing[0]


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        (SURE, "the editors is better than the bundle by what the lists would have won, +0.100"),
        (Interval(-0.1, -0.15, -0.05), "the editors is worse than the bundle by what the lists"),
        (Interval(0.01, -0.1, 0.1), "is better than the bundle by the order of links shown"),
    ],
)
def test_what_the_lists_would_have_won_decides_where_it_is_sure(
    better: Comparison, gain: Interval, words: str
):
    """Before the order of links shown, which then agrees, or speaks for the other."""
    verdict = replace(better, off_policy=won(gain)).verdict

    assert words in verdict
    assert ("the other is" in verdict) == (gain.high < 0)
    assert ("no clear difference by what the lists" in verdict) == (gain.low < 0 < gain.high)


def test_without_any_figure_the_verdict_says_why(found: Comparison):
    """No log; a log that supports nothing."""
    nothing = replace(found, missing=("No log was handed over.",))

    assert nothing.verdict == (
        "Nothing tells whether the new lists is better than the old lists: No log was handed over."
    )
    assert replace(nothing, off_policy=won(NOTHING, "no view")).verdict == nothing.verdict
    unclear = replace(nothing, off_policy=won(Interval(0.0, -0.1, 0.1)))
    assert unclear.verdict.startswith("There is no clear difference between the old lists and")


def test_who_was_shown_on_top_is_not_called_better_for_that():
    """Readers follow the first link; the same lists turned round are worse by that, and nothing is
    known.
    """
    shown, turned = {"knee": ["nap", "hip"]}, {"knee": ["hip", "nap"]}
    log = log_of(follow("knee", "nap", 40, shown=("nap", "hip")))

    found = judged(compare(shown, turned), shown, turned, log)

    assert found.verdict.startswith(
        "Nothing tells for sure whether the new lists is better than the old lists: the order of "
        "links shown, −0.369"
    )
    sure = replace(found, off_policy=won(SURE)).verdict
    assert sure.startswith("the new lists is better than the old lists by what the lists would")
    assert "tells little: what readers saw was nearer to the order of the old lists" in sure


def test_an_experiment_is_part_of_the_verdict(better: Comparison, found: Comparison):
    """As its read-out has it."""
    outcome = Outcome("autumn", "2026-11-01T08:00:00+00:00", "2026-11-20T08:00:00+00:00", "b wins.")

    assert replace(better, experiments=(outcome,)).verdict.endswith(
        "; experiment autumn (from 2026-11-01 to 2026-11-20): b wins."
    )
    assert replace(found, experiments=(outcome,)).verdict == f"{outcome.sentence}"
    assert replace(outcome, stopped=None, verdict=None).sentence == (
        "experiment autumn (from 2026-11-01, still running) has no read-out yet"
    )


def experiment(
    models: Path, name: str, shows: dict[str, str], started: str = "2026-11-01T08:00:00+00:00"
) -> Path:
    """An experiment on disk, with two arms that show something as a bundle."""
    folder = models / "experiments" / name
    folder.mkdir(parents=True)
    arms = tuple(
        Arm(f"arm{at}", shown, bundle, 50 * at, 50 * at + 49)
        for at, (shown, bundle) in enumerate(shows.items())
    )
    made = Experiment(name, started, "split", 20, arms)
    (folder / "experiment.json").write_text(json.dumps(asdict(made)))
    return folder


def test_experiments_are_found_by_what_their_arms_show(tmp_path: Path):
    """By the name of a bundle or by what was asked for; others are not meant, and no folder at all
    means that there was none.
    """
    assert between(tmp_path, ["b1"], ["b2"]) == ([], [])
    folder = experiment(tmp_path, "one", {"live": "b1", "hand-picked": "b9"})
    experiment(tmp_path, "two", {"live": "b1", "b2": "b2"}, started="2026-11-10T08:00:00+00:00")
    (folder / "readout.json").write_text('{"verdict": "stay", "arms": []}')

    (picked,), _ = between(tmp_path, ["b1"], ["hand-picked"])
    assert (picked.name, picked.verdict) == ("one", "stay")
    assert [each.name for each in between(tmp_path, ["b2"], ["b1"])[0]] == ["two"]
    assert between(tmp_path, ["b2"], ["hand-picked"]) == ([], [])


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"verdict": 3}'])
def test_a_read_out_that_cannot_be_read_is_named(tmp_path: Path, text: str):
    """And the comparison goes on."""
    folder = experiment(tmp_path, "one", {"a": "b1", "b": "b2"})
    (folder / "readout.json").write_text(text)

    found, faults = between(tmp_path, ["b1"], ["b2"])

    assert found == []
    assert "An experiment is passed over" in faults[0]
    assert "readout.json" in faults[0]


def test_two_lists_of_a_page_stand_side_by_side(found: Comparison):
    """With titles, and what is in one of them only."""
    rows = found.lists("sleep")

    assert rows["before"].tolist() == ["nap", "knee", "hip"]
    assert rows["title_after"].tolist() == ["ankle", "Nap", "Dreams"]
    assert rows["is_lost"].tolist() == [False, True, True]
    assert rows["is_new"].tolist() == [True, False, True]
    assert found.lists("nap")["after"].isna().all()
    with pytest.raises(KeyError):
        found.lists("gone")


def test_the_tidy_frame_has_every_figure(better: Comparison):
    """Shares of pages, what lists would have won, the order of links: each with what it is of."""
    tidy = replace(better, off_policy=won(SURE)).tidy

    assert [*tidy] == [*Figure._fields]
    assert {*tidy["denominator"]} == {"pages", "page views", "clicked views"}
    assert tidy[tidy["metric"] == "first_changed"]["estimate"].item() == better.first_changed
    clicks = tidy[tidy["denominator"] == "page views"]
    assert clicks["against"].tolist() == ["", "", "the bundle"]
    assert clicks["estimate"].tolist() == [0.4, 0.5, 0.1]
    assert isinstance(better.offline, JointReport)
    assert len(tidy) == 4 + 3 + len(better.offline.tidy)


def test_programs_read_all_of_it(better: Comparison, found: Comparison):
    """JSON without NaN."""
    for each in (better, found, replace(better, off_policy=won(SURE))):
        content = json.loads(json.dumps(each.to_dict(), allow_nan=False))
        assert content["verdict"] == each.verdict
    assert content["offline"]["views"] == 42
    assert content["off_policy"]["gain"] == {"value": 0.1, "low": 0.05, "high": 0.15}


def test_the_page_has_the_verdict_the_gain_and_both_lists(better: Comparison):
    """A picture of each figure there is; titles are text."""
    page = replace(better, off_policy=won(SURE)).to_html()

    places = [
        page.index(words)
        for words in (
            "<h1>", "Which is better", "Where it is better, and where not", "What changed on the",
            "Pages that lost most", "What is compared", "Every metric", "What to keep in mind",
        )
    ]  # fmt: skip
    assert places == sorted(places)
    assert page.count("<svg") == better.to_html().count("<svg") + 1 == 3
    assert "Knee &lt;b&gt;pain&lt;/b&gt; &amp; stairs" in page
    assert "a &lt;note&gt;" in page
    assert not re.search(r"<b>|<script|<link|\bsrc=|\bhref=", page)


def test_without_a_log_the_page_says_so(found: Comparison):
    """No picture, no heading without content."""
    page = replace(found, missing=("No log was handed over.",)).to_html()

    assert "<svg" not in page
    assert "No log was handed over." in page
    assert "Every metric" not in page
    assert "no links" in page


def test_names_of_any_kind_are_text_on_the_page():
    """A file's name, a title, a category."""
    evil = "<i>&'"
    known = pd.DataFrame({"id": ["knee"], "title": [evil], "category": [evil]})
    found = compare({"knee": ["a"]}, {"knee": [evil]}, articles=known, names=(evil, "b"))

    assert "<i>" not in found.to_html() + found._repr_html_()


@pytest.mark.slow
def test_it_fits_a_phone_and_a_desk(better: Comparison):
    """Nothing sticks out to the right."""
    long = replace(better.new, name="20261122-101500-3f2a9c-with-a-name-that-is-long-and-unbroken")
    page = replace(better, off_policy=won(SURE), new=long).to_html()
    with chromium() as browser:
        for width in (390, 1280):
            shown = browser.new_page(viewport={"width": width, "height": 900})
            shown.set_content(page)

            assert shown.evaluate("document.documentElement.scrollWidth") <= width


def drawn(n: int) -> Iterator[Event]:
    """Views of two links in an order that a coin chose. Nap is followed whenever it is first, hip
    every other time.
    """
    for number in range(n):
        first = "nap" if number % 2 else "hip"
        order = [first, "hip" if first == "nap" else "nap"]
        yield view(f"v{number}", "knee", *order, day=JUDGED, propensities=(0.5, 0.5))
        if number % 4:
            yield click(f"v{number}", first, day=JUDGED)


def test_lists_are_told_apart_by_the_chances_of_links():
    """By the views that showed each: half a click a view lies between them."""
    hip, nap = {"knee": ["hip", "nap"]}, {"knee": ["nap", "hip"]}
    log = log_of([*drawn(400)])

    found = difference(log, hip, nap, k=2)

    assert (found.estimator, found.reason) == (SNIPS, "")
    assert (found.old.value, found.new.value) == (0.5, 1)
    assert found.gain.value == 0.5
    assert found.gain.low > 0
    assert difference(log, nap, hip, k=2).gain.value == -0.5
    assert difference(log, nap, nap, k=2).gain == Interval(0, 0, 0)


def test_a_log_that_supports_nothing_is_refused_with_the_reason():
    """Too few views; no chances; no page of both; and places nobody knows."""
    hip, nap = {"knee": ["hip", "nap"]}, {"knee": ["nap", "hip"]}

    few = difference(log_of([*drawn(40)]), hip, nap, k=2)
    assert f"{SNIPS}: the log is as informative as" in few.reason
    assert f"{PBM}: no bundle here has identified how positions are examined" in few.reason
    assert np.isnan(few.gain.value)
    plain = difference(log_of(follow("knee", "nap", 5)), hip, nap, k=2)
    assert "no view in the log has the chances of its links" in plain.reason
    nowhere = difference(log_of(follow("knee", "nap", 5, ordered=False)), hip, nap, k=2)
    assert nowhere.reason == "of no view in the log the positions of links are known"
    none = difference(log_of(follow("hip", "nap", 5)), hip, nap, k=2)
    assert none.reason == "no view in the log has a page of which both have a list"
    assert none.notes == ["5 views are left out: one of the two has no list for their page."]


def test_an_experiment_is_between_two_arms(tmp_path: Path):
    """None is between a bundle and itself; which side is which arm is named."""
    folder = experiment(tmp_path, "autumn", {"hand-picked": "b1", "live": "b2"})
    (folder / "readout.json").write_text(json.dumps({"verdict": "arm1 wins."}))

    assert between(tmp_path, ["b2"], ["b2"]) == ([], [])
    assert between(tmp_path, ["hand-picked"], ["b1"]) == ([], [])
    assert between(tmp_path, ["hand-picked"], ["hand-picked"]) == ([], [])
    [found], _ = between(tmp_path, ["b2"], ["hand-picked"])
    assert (found.old, found.new) == ("arm1", "arm0")
    assert found.sentence.endswith("still running; A is its arm arm1, B arm0): arm1 wins.")
