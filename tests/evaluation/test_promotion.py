"""A worse bundle does not go live, an equal or better one does, and why is said in a sentence."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from sites import NOW, click, stored, view

from recommender.articles.article import Article
from recommender.bundle import registry
from recommender.cli.main import main
from recommender.evaluation.promotion import Promotion, train_guarded
from recommender.events.event import Event
from recommender.store.database import Store
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


def trained(folder: Path, *days: list[Event]) -> tuple[Path, Promotion]:
    """A live bundle of the first days, and one that is guarded of all."""
    with Store("sqlite://") as store:
        stored(store, articles(), days[0])
        build(store, folder, now=NOW)
        for more in days[1:]:
            store.add_events(more)
        later = NOW + timedelta(days=1)
        _, promotion = train_guarded(store, folder, now=later, options=Options())
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
    assert promotion.sentence.endswith("that neither had learned from")
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


@pytest.mark.slow
def test_an_equal_one_goes_live(tmp_path: Path):
    """Nothing came since; both are judged by what both learned from."""
    models, promotion = trained(tmp_path / "models", readers(LAST, 600, randomised=False))

    assert promotion.promoted
    assert "it is not worse, nDCG@10 +0.000 (+0.000 to +0.000)" in promotion.sentence
    assert "clicks a view +0.000 (+0.000 to +0.000)" in promotion.sentence
    assert promotion.sentence.endswith("all of which both learned from")
    assert registry.current(models) == registry.names(models)[1]


def test_without_clicks_or_a_live_bundle_it_goes_live(tmp_path: Path):
    """There is nothing that speaks against it, and a site needs its first."""
    with Store("sqlite://") as store:
        stored(store, articles())
        one = train_guarded(store, tmp_path, now=NOW, options=Options())[1]
        later = NOW + timedelta(days=1)
        two = train_guarded(store, tmp_path, now=later, options=Options())[1]

    assert one == Promotion(True, "promoted: no bundle was live")
    assert two.promoted
    assert "the log has no clicked view" in two.sentence


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
