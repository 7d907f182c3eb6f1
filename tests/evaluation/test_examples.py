"""Old lists beside new ones, of pages by lot and of those where the model does worst."""

import numpy as np
from judging import bundle, case, follow

from recommender.evaluation.examples import DRAWN, N_DRAWN, WORST, chosen, example_table

EVENTS = [
    *follow("knee", "sleep", 5),
    *follow("sleep", "ankle", 3, shown=("ankle", "nap")),
    *follow("hip", "knee", 1, shown=("ankle", "knee")),
    *follow("nowhere", "hip", 9),
]


def by_page(**gains: float) -> tuple[list[tuple[str, str]], np.ndarray]:
    """Which pages are chosen if views of each gain so much."""
    known = case(EVENTS)
    names = [known.views.ids[source] for source in known.views.source[known.views.slate]]
    gain = np.array([gains.get(name, 0.0) for name in names])
    return chosen(known, gain, np.random.default_rng(0)), gain


def test_what_is_lost_is_summed_over_views():
    """A little on a page that many read is more than much on one that one reader saw."""
    pages, _ = by_page(knee=-0.3, hip=-1.0, sleep=0.5, nowhere=-9)

    assert [id for id, why in pages if why == WORST] == ["knee", "hip"]
    assert [id for id, why in pages if why == DRAWN] == ["sleep"]


def test_nothing_lost_nothing_shown():
    """Then all are drawn by lot, those alone that the bundle has a list for."""
    pages, _ = by_page()

    assert {why for _, why in pages} == {DRAWN}
    assert {id for id, _ in pages} == {"knee", "sleep", "hip"}
    assert len(pages) == N_DRAWN


def test_lists_stand_side_by_side():
    """The hand-picked list where there is one, each link once, else what was shown; with clicks."""
    _, gain = by_page()

    found = example_table(case(EVENTS), gain, np.random.default_rng(0), k=3)

    knee = found[found["id"] == "knee"]
    assert knee["page"].iloc[0] == "Knee <b>pain</b> & stairs"
    assert knee["old list"].iloc[0] == "hand-picked"
    assert knee["old"].dropna().tolist() == ["Naps", "Hip pain"]
    new = [link.title for link in bundle().related("knee", 3)]
    assert knee["new"].tolist() == new
    clicks = dict(zip(knee["new"], knee["new clicks"], strict=True))
    assert clicks["Sleep"] == 5 if "Sleep" in clicks else set(clicks.values()) == {0}
    hip = found[found["id"] == "hip"]
    assert hip["old list"].iloc[0] == "as shown most often"
    assert hip["old"].dropna().tolist() == ["Ankles", "Knee <b>pain</b> & stairs"]
    assert hip["old clicks"].dropna().tolist() == [0, 1]
    assert found["views"].tolist() == sorted(found["views"], key=found["views"].tolist().index)


def test_a_list_in_no_order_is_ordered_by_its_clicks():
    """What was followed stands first, and the list says that its order is not known."""
    known = case(follow("hip", "knee", 2, shown=("ankle", "knee"), ordered=False))

    found = example_table(known, np.zeros(2), np.random.default_rng(0), k=3)

    assert found["old list"].iloc[0] == "most followed of 2 links shown, order unknown"
    assert found["old"].iloc[0] == "Knee <b>pain</b> & stairs"


def test_without_articles_the_old_list_is_what_was_shown():
    """The hand-picked one is not known then."""
    known = case(follow("knee", "hip", 2), with_articles=False)

    found = example_table(known, np.zeros(2), np.random.default_rng(0), k=2)

    assert found["old"].tolist() == ["Sleep", "Naps"]
