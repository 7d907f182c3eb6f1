"""A worse bundle does not go live, an equal or better one does, and why is said in a sentence."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from sites import NOW, click, stored, view

from recommender.articles.article import Article
from recommender.bundle import registry
from recommender.cli.main import main
from recommender.clicks.influence import Weights
from recommender.evaluation.promotion import Promotion, Rules, counted, train_guarded
from recommender.events.event import DAY_MS, Event
from recommender.store import impressions
from recommender.store.database import Store
from recommender.store.impressions import Impressions
from recommender.training.pipeline import Options, build

TOPICS = ("knee joint stairs", "night dream bed", "sugar bread fruit")
IDS = [f"{topic.split()[0]}-{number}" for topic in TOPICS for number in range(5)]
LAST = 20_400


def articles() -> list[Article]:
    """Fifteen pages of three topics, whose words do not tell which is wanted."""
    bodies = {id: next(topic for topic in TOPICS if id.startswith(topic.split()[0])) for id in IDS}
    return [Article(id=id, title=id, body=f"{bodies[id]} case {id[-1]}") for id in IDS]


def readers(
    day: int, n: int = 200, *, poisoned: bool = False, randomised: bool = True
) -> list[Event]:
    """A day on which readers follow what has an even number; or, forged, what has an odd one."""
    random = np.random.default_rng([day, poisoned])
    events: list[Event] = []
    for number in range(n):
        source = IDS[random.integers(len(IDS))]
        shown = [IDS[at] for at in random.permutation(len(IDS)) if IDS[at] != source][:8]
        name = f"v{day}-{number}"
        more = {"propensities": (1 / 14,) * 8} if randomised else {}
        events.append(view(name, source, *shown, day=day, session_id=name, **more))
        events += [
            click(name, id, day=day)
            for id in shown
            if random.random() < (0.4 if (int(id[-1]) % 2 == 0) != poisoned else 0.02)
        ]
    return events


def trained(folder: Path, *days: list[Event], rules: Rules | None = None) -> tuple[Path, Promotion]:
    """A live bundle of the first days, and one that is guarded of all."""
    with Store("sqlite://") as store:
        stored(store, articles(), days[0])
        build(store, folder, now=NOW)
        for more in days[1:]:
            store.add_events(more)
        later = NOW + timedelta(days=1)
        _, promotion = train_guarded(store, folder, now=later, options=Options(), rules=rules)
    return folder, promotion


@pytest.mark.slow
def test_a_bundle_of_poisoned_clicks_does_not_go_live(tmp_path: Path):
    """Forgers were busy for a day, and the readers after it do not follow what they followed."""
    honest = [event for day in range(2) for event in readers(LAST + day)]
    forged = readers(LAST + 3, 500, poisoned=True)
    after = [event for day in (4, 5) for event in readers(LAST + day, 260)]
    models = tmp_path / "models"

    _, promotion = trained(models, honest, forged, after)

    live = registry.current(models)
    assert live == registry.names(models)[0]
    assert not promotion.promoted
    assert promotion.sentence.startswith(f"kept {live}: the new one is worse, nDCG@10 -0.")
    assert "that neither had learned from; the first link changes on " in promotion.sentence
    assert len(registry.names(models)) == 2


@pytest.mark.slow
def test_a_bundle_that_learned_more_goes_live(tmp_path: Path):
    """The live one knew the texts alone, nothing of places, and the sentence mentions it."""
    days = [readers(LAST + day) for day in range(4)]

    models, promotion = trained(tmp_path / "models", [], *days)

    assert promotion.promoted
    assert promotion.sentence.startswith("promoted: it is better, nDCG@10 +0.")
    assert "clicks a view +" in promotion.sentence
    assert "all places taken to be examined alike" in promotion.sentence
    assert registry.current(models) == registry.names(models)[1]


def test_what_cannot_be_judged_goes_live_or_is_held_as_the_setting_has_it(tmp_path: Path):
    """Views of one day are what one sender can own, and views that both learned from prove
    nothing.
    """
    before, day = readers(LAST, 100), readers(LAST + 1, 100)

    for number, days in enumerate(((before,), (before, day))):
        models, promotion = trained(tmp_path / f"{number}", *days)

        assert promotion.promoted
        assert promotion.sentence.startswith("promoted (RECOMMENDER_UNJUDGED): cannot judge: ")
        assert registry.current(models) == registry.names(models)[-1]

        models, promotion = trained(tmp_path / f"{number}h", *days, rules=Rules(unjudged="hold"))

        assert not promotion.promoted
        assert promotion.sentence.startswith("held (RECOMMENDER_UNJUDGED): cannot judge: ")
        assert registry.current(models) == registry.names(models)[0]


def test_lists_that_change_much_wait_for_a_person(tmp_path: Path):
    """And the sentence names the commands that show and activate them."""
    days = [readers(LAST + day) for day in range(4)]

    models, promotion = trained(tmp_path, [], *days, rules=Rules(max_changed=1))

    first, second = registry.names(models)
    assert not promotion.promoted
    assert promotion.sentence.startswith("held: it is better, nDCG@10 +0.")
    assert "% of the pages, more than RECOMMENDER_MAX_CHANGED, 1 %" in promotion.sentence
    assert f"recommender compare {first} {second}" in promotion.sentence
    assert registry.current(models) == first


def test_what_does_not_count_in_training_judges_nothing(tmp_path: Path):
    """Clicks that a page sent on what only its request brought onto the list are none, and of a
    flood as many views remain as it weighs.
    """
    with Store("sqlite://") as store:
        stored(store, articles())
        bundle = build(store, tmp_path, now=NOW)
        log = impressions.read(store)
        source, item = (bundle.lists.find(id) for id in (IDS[0], IDS[1]))
        assert source is not None and item is not None
        n = 40
        sent = Impressions(
            ids=[IDS[0], IDS[1]], layouts=[""], source=np.array([0, 0]), layout=np.array([0, 0]),
            ordered=np.array([True, True]), heads=np.array([0, 1, 2]), item=np.array([1, 1]),
            propensity=np.array([np.nan, np.nan]), slate=np.arange(n) % 2,
            ts=np.full(n, LAST * DAY_MS), session=np.arange(n), click_view=np.arange(n),
            click_link=np.arange(n) % 2, live=np.arange(n) < 20, brought=np.array([False, True]),
        )  # fmt: skip
        none = np.zeros(0)
        bundle.__dict__["weights"] = Weights(
            np.array([LAST]), np.array([source]), np.array([0.25]), none, none, none
        )

        found = counted(sent, bundle)

    assert len(log.ts) == 0
    assert (found.live.sum(), (~found.live).sum()) == (5, 20)
    assert set(found.click_link.tolist()) == {0}


def test_without_clicks_or_a_live_bundle_it_goes_live(tmp_path: Path):
    """There is nothing that speaks against it, and a site needs its first."""
    with Store("sqlite://") as store:
        stored(store, articles())
        one = train_guarded(store, tmp_path, now=NOW, options=Options())[1]
        later = NOW + timedelta(days=1)
        two = train_guarded(store, tmp_path, now=later, options=Options())[1]

    assert one == Promotion(True, "promoted: no bundle was live")
    assert two.promoted
    assert two.sentence.startswith("promoted (RECOMMENDER_UNJUDGED): cannot judge: ")


def test_a_damaged_bundle_is_replaced_and_its_fault_named(tmp_path: Path):
    """Who reads the decision learns what was wrong with the bundle that was live."""
    with Store("sqlite://") as store:
        stored(store, articles())
        old = build(store, tmp_path, now=NOW)
        (old.folder / "MODEL_CARD.md").write_text("another", encoding="utf-8")
        later = NOW + timedelta(days=1)
        new, promotion = train_guarded(store, tmp_path, now=later, options=Options())

    assert promotion.promoted
    assert promotion.sentence.startswith("promoted: the live bundle was not sound: ")
    assert "MODEL_CARD.md: 7 bytes instead of" in promotion.sentence
    assert registry.current(tmp_path) == new.name


def test_the_command_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch):
    """On a line of its own, and exits with 0."""
    monkeypatch.chdir(tmp_path)
    with Store("sqlite:///recommender.db") as store:
        stored(store, articles())

    assert main(["train", "--promote-if-better"]) == 0

    assert "\npromoted: no bundle was live\n" in capsys.readouterr().out
    assert main(["train", "--promote-if-better", "--no-activate"]) == 2
    assert "not both" in capsys.readouterr().err
