"""What changed between two bundles or lists, by hand."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from judging import ARTICLES, bundle, silent_bundle
from sites import NOW, built

from recommender.articles.article import Article
from recommender.bundle.bundle import Bundle
from recommender.candidates import EMPTY
from recommender.evaluation.compare import Comparison, changed_first, compare, shown
from recommender.lists.editorial import load

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
