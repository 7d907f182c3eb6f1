"""What to do, in one sentence, in many situations; each is there to be read aloud."""

import math

import pytest

from recommender.experiments.verdict import (
    Ending,
    Found,
    checked_arms,
    checked_draft,
    compared,
    preferred,
)
from recommender.lists.arms import Arm

CONTROL = 0.1  # clicks a page view, by which shares become differences


def arm(name, mean=None, low=None, high=None, *, days=3.0):
    """An arm that wins so much more, as a share of the control; nothing is known without."""
    if mean is None:
        return Found(name, *(None,) * 6, None)
    absolute = (CONTROL * each for each in (mean, low, high))
    return Found(name, mean, low, high, *absolute, days)


def unbounded(name, low, high):
    """An arm whose gain may be any share of the control's."""
    return Found(name, 9.0, low, None, 0.012, 0.003, 0.021, None)


def ending(live=None, *, stopped=False, retrained=False, **shows):
    """Arms that show so much, of bundles ``b-NAME``."""
    shows = shows or {"old": "hand-picked", "new": "live"}
    arms = [Arm(name, each, f"b-{name}", 0, 0) for name, each in shows.items()]
    return Ending(arms, stopped, live, retrained)


TWO = {"old": "live", "new": "live+ceiling=5"}
THREE = {"old": "live", "b": "b-b", "c": "b-c"}
FOUR = {**THREE, "d": "b-d"}
LOSES, WINS = ("new", -0.2, -0.3, -0.1), ("new", 0.2, 0.1, 0.3)
WON = "new wins 20.0 % (10.0 to 30.0 %) more clicks per page view than old"
LOST = "new wins 20.0 % (10.0 to 30.0 %) fewer clicks per page view than old"
BY_HAND = "(and train with --no-activate, or the next training undoes it)"


@pytest.mark.parametrize(
    ("found", "end", "decision", "sentence"),
    [
        # Who wins, and what is live
        ([arm(*WINS)], ending("b-new"), "activate",
         f"{WON}; run: recommender experiment stop; what is live stays."),
        ([arm(*WINS)], ending("b-old"), "activate",
         f"{WON}; run: recommender experiment stop --activate new."),
        ([arm(*WINS)], ending("b-later", retrained=True), "activate",
         f"{WON}; run: recommender experiment stop; what is live, trained since in the same way, "
         "stays."),
        ([arm(*WINS)], ending("b-later", retrained=True, stopped=True), "activate",
         f"{WON}; what is live was trained since, in the same way: keep it."),
        ([arm(*WINS)], ending("b-new", stopped=True), "activate",
         f"{WON}; new is live: keep it."),
        ([arm(*WINS)], ending("b-old", stopped=True), "activate",
         f"{WON}; run: recommender models activate b-new."),
        ([arm(*WINS)], ending("b-old", **TWO), "activate",
         f"{WON}; run: recommender experiment stop --activate new (and set RECOMMENDER_CEILING=5, "
         "or the next training undoes it)."),
        ([arm(*WINS)], ending("b-new", old="live", new="live+ceiling=5,listings=on", stopped=True),
         "activate",
         f"{WON}; new is live: keep it (and set RECOMMENDER_CEILING=5 and "
         "RECOMMENDER_LISTINGS=on, or the next training undoes it)."),
        ([arm(*WINS)], ending("b-old", old="live", new="hand-picked"), "activate",
         f"{WON}; run: recommender experiment stop --activate new {BY_HAND}."),
        # The control wins
        ([arm(*LOSES)], ending("b-new"), "keep",
         f"{LOST}; run: recommender experiment stop --activate old {BY_HAND}."),
        ([arm(*LOSES)], ending("b-new", stopped=True), "keep",
         f"{LOST}; run: recommender models activate b-old {BY_HAND}."),
        ([arm(*LOSES)], ending("b-old", **TWO), "keep",
         f"{LOST}; run: recommender experiment stop; what is live stays."),
        ([arm(*LOSES)], ending("b-old", stopped=True, **TWO), "keep",
         f"{LOST}; old is live: keep it."),
        ([arm(*LOSES)], ending(**TWO), "keep",
         f"{LOST}; run: recommender experiment stop; what is live stays."),
        ([arm(*LOSES)], ending(stopped=True, **TWO), "keep",
         f"{LOST}; keep what is live."),
        ([arm("b", -0.2, -0.3, -0.1), arm("c", -0.3, -0.4, -0.2)], ending("b-old", **THREE),
         "keep",
         "Every arm loses; the best of them, b wins 20.0 % (10.0 to 30.0 %) fewer clicks per page "
         "view than old; run: recommender experiment stop; what is live stays."),
        # Several winners
        ([arm("b", 0.2, 0.1, 0.3), arm("c", 0.1, 0.05, 0.2)], ending("b-old", **THREE), "activate",
         "b wins 20.0 % (10.0 to 30.0 %) more clicks per page view than old (c wins too); run: "
         "recommender experiment stop --activate b."),
        ([arm("b", 0.2, 0.1, 0.3), arm("c", 0.1, 0.05, 0.2), arm("d", 0.1, 0.05, 0.2)],
         ending("b-old", **FOUR), "activate",
         "b wins 20.0 % (10.0 to 30.0 %) more clicks per page view than old (c and d win too); "
         "run: recommender experiment stop --activate b."),
        ([unbounded("new", 0.1, None)], ending("b-old"), "activate",
         "new wins 0.0120 (0.0030 to 0.0210) more clicks per page view than old; run: recommender "
         "experiment stop --activate new."),
        # None differs by much
        ([arm("new", 0.0, -0.02, 0.02)], ending("b-new"), "equal",
         "No arm differs from old by 5 % or more in clicks per page view (new −2.0 to +2.0 %); "
         "run: recommender experiment stop; what is live stays."),
        ([arm("new", 0.0, -0.02, 0.02)], ending("b-other", **TWO), "equal",
         "No arm differs from old by 5 % or more in clicks per page view (new −2.0 to +2.0 %); "
         "run: recommender experiment stop --activate old."),
        ([arm("new", 0.0, -0.02, 0.02)], ending("b-new", stopped=True), "equal",
         "No arm differs from old by 5 % or more in clicks per page view (new −2.0 to +2.0 %); "
         "new is live: keep it."),
        ([arm("new", 0.0, -0.02, 0.02)], ending(), "equal",
         "No arm differs from old by 5 % or more in clicks per page view (new −2.0 to +2.0 %); "
         "keep what is simpler; run: recommender experiment stop."),
        ([arm("b", -0.2, -0.3, -0.1), arm("c", 0.0, -0.02, 0.02)], ending("b-b", **THREE), "equal",
         "b loses, and no other arm differs from old by 5 % or more in clicks per page view (c "
         "−2.0 to +2.0 %); run: recommender experiment stop --activate old."),
        # Not yet
        ([arm("new", 0.0, -0.08, 0.08)], ending("b-new"), "wait",
         "No difference to old can be seen yet (new −8.0 to +8.0 %): one of 5 % would show after "
         "about 3 more days; let it run."),
        ([arm("new", 0.0, -0.08, 0.08, days=0.3)], ending("b-new"), "wait",
         "No difference to old can be seen yet (new −8.0 to +8.0 %): one of 5 % would probably "
         "have shown by now; if smaller ones do not matter, run: recommender experiment stop."),
        ([arm("new", 0.0, -0.08, 0.08, days=9_999)], ending("b-new"), "wait",
         "No difference to old can be seen yet (new −8.0 to +8.0 %): one of 5 % would take more "
         "than 2 years to show; run: recommender experiment stop."),
        ([arm("new", 0.0, -0.08, 0.08)], ending("b-new", stopped=True), "wait",
         "No difference to old can be seen (new −8.0 to +8.0 %); keep what is live."),
        ([Found("new", 0.5, None, None, 0.01, -0.02, 0.04, None)], ending("b-new"), "wait",
         "No difference to old can be seen yet (new −0.0200 to +0.0400 clicks): let it run."),
        ([arm("b", -0.2, -0.3, -0.1), arm("c", 0.0, -0.08, 0.08)], ending("b-old", **THREE),
         "wait",
         "b wins 20.0 % (10.0 to 30.0 %) fewer clicks per page view than old; no difference of c "
         "to old can be seen yet (c −8.0 to +8.0 %): one of 5 % would show after about 3 more "
         "days; let it run."),
        ([arm("b", -0.2, -0.3, -0.1), arm("c", 0.0, -0.08, 0.08)],
         ending("b-b", stopped=True, **THREE), "wait",
         "b wins 20.0 % (10.0 to 30.0 %) fewer clicks per page view than old; no difference of c "
         "to old can be seen (c −8.0 to +8.0 %); run: recommender models activate b-old."),
        # Too little is known
        ([arm("new")], ending("b-new"), "wait",
         "Too little is known yet: new or old has fewer than 30 clicks; let it run."),
        ([arm("b"), arm("c", -0.2, -0.3, -0.1)], ending("b-old", **THREE), "wait",
         "c wins 20.0 % (10.0 to 30.0 %) fewer clicks per page view than old; b has fewer than 30 "
         "clicks so far: let it run."),
        ([arm("b"), arm("c", 0.2, 0.1, 0.3)], ending("b-old", **THREE), "activate",
         "c wins 20.0 % (10.0 to 30.0 %) more clicks per page view than old; run: recommender "
         "experiment stop --activate c."),
        ([arm("b"), arm("c", 0.0, -0.08, 0.08)], ending("b-old", **THREE), "wait",
         "No difference of c to old can be seen yet (c −8.0 to +8.0 %); b has fewer than 30 clicks "
         "so far: let it run."),
    ],
)  # fmt: skip
def test_what_to_do_by_what_was_found(found, end, decision, sentence):
    decided = compared(found, end)

    assert (decided.decision, decided.sentence) == (decision, sentence)


HARM = {
    "noun": "page views", "has": "have fewer than 3 links", "value": 0.12, "control": 0.001,
}  # fmt: skip
SHORT = "12.0 % of {}'s page views have fewer than 3 links, 0.1 % of old's"


@pytest.mark.parametrize(
    ("found", "broken", "end", "decision", "sentence"),
    [
        ([arm(*WINS)], "new", ending("b-old", **TWO), "stop",
         f"Stop: {SHORT.format('new')}; run: recommender experiment stop."),
        ([arm(*WINS)], "new", ending("b-new"), "stop",
         f"Stop: {SHORT.format('new')}; run: recommender experiment stop --activate old "
         f"{BY_HAND}."),
        ([arm(*WINS)], "new", ending("b-old", stopped=True), "stop",
         f"Do not activate new: {SHORT.format('new')}."),
        ([arm(*WINS)], "new", ending("b-new", stopped=True), "stop",
         f"Do not activate new: {SHORT.format('new')}; run: recommender models activate b-old "
         f"{BY_HAND}."),
        ([arm("b", 0.4, 0.3, 0.5), arm("c", 0.2, 0.1, 0.3)], "b", ending("b-old", **THREE),
         "activate",
         "c wins 20.0 % (10.0 to 30.0 %) more clicks per page view than old "
         f"({SHORT.format('b')}); run: recommender experiment stop --activate c."),
        ([arm("b", 0.4, 0.3, 0.5), arm("c", 0.0, -0.1, 0.1)], "b", ending("b-old", **THREE),
         "stop", f"Stop: {SHORT.format('b')}; run: recommender experiment stop."),
    ],
)  # fmt: skip
def test_an_arm_that_does_harm_cannot_win(found, broken, end, decision, sentence):
    """Another can, that does none."""
    decided = compared(found, end, broken=[{**HARM, "arm": broken}])

    assert (decided.decision, decided.sentence) == (decision, sentence)


@pytest.mark.parametrize(
    ("figures", "end", "sentence"),
    [
        ((0.4, 0.35, 0.45), ending("b-new"),
         "Readers prefer old to new: it picked 60.0 % (55.0 to 65.0 %) of the 1,000 links "
         f"followed; run: recommender experiment stop --activate old {BY_HAND}."),
        ((0.6, 0.55, 0.65), ending("b-new", stopped=True),
         "Readers prefer new to old: it picked 60.0 % (55.0 to 65.0 %) of the 1,000 links "
         "followed; new is live: keep it."),
        ((0.5, 0.45, 0.55), ending("b-new"),
         "No preference can be seen yet (new picked 50.0 % of the 1,000 links followed, 45.0 to "
         "55.0 %): one of 5 % would show after about 3 more days; let it run."),
        ((0.5, 0.45, 0.55), ending("b-new", stopped=True),
         "No preference can be seen (new picked 50.0 % of the 1,000 links followed, 45.0 to "
         "55.0 %); keep what is live."),
        ((math.nan,) * 3, ending("b-new"),
         "Too little is known yet: old or new is credited with fewer than 30 clicks; let it run."),
    ],
)  # fmt: skip
def test_what_to_do_by_what_readers_prefer(figures, end, sentence):
    assert preferred(*figures, 1_000, end, days=3.0).sentence == sentence


SAME = "he arms show the same lists on all pages"


@pytest.mark.parametrize(
    ("decided", "decision", "sentence"),
    [
        (checked_arms([arm("new", 0.0, -0.08, 0.08)], ending("b-new"), pages="all pages"), "equal",
         f"T{SAME}, so any difference is chance, and none can be seen (new −8.0 to +8.0 %): the "
         "set-up passes; to end it, run: recommender experiment stop."),
        (checked_arms([arm("new")], ending("b-new"), pages="all pages"), "wait",
         f"T{SAME}, which checks the set-up, but too little is known yet; let it run."),
        (checked_arms([arm(*WINS)], ending("b-new"), pages="all pages"), "distrust",
         f"Do not trust the figures: t{SAME}, yet {WON}; find out what else differs between them."),
        (checked_draft(0.5, 0.45, 0.55, 900, ending("b-new", stopped=True), pages="all pages"),
         "equal",
         f"T{SAME}, so any difference is chance, and none can be seen (new 45.0 to 55.0 % of the "
         "links followed): the set-up passed."),
    ],
)  # fmt: skip
def test_arms_that_show_the_same_check_the_set_up(decided, decision, sentence):
    assert (decided.decision, decided.sentence) == (decision, sentence)
