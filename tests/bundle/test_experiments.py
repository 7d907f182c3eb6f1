"""Experiments beside the bundles that they show."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from recommender.bundle import experiments, registry
from recommender.errors import ExperimentError
from recommender.lists.arms import SPLIT, Arm, Experiment

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
AUTUMN = Experiment(
    "autumn", "2026-11-30T08:00:00.000+00:00", SPLIT, 20,
    (Arm("old", "live", "b1", 0, 49), Arm("new", "b2", "b2", 50, 99)),
)  # fmt: skip


@pytest.fixture
def models(tmp_path):
    """A folder of bundles, by their manifests alone."""
    for name in ("b1", "b2", "b3", "b4"):
        (tmp_path / name).mkdir()
        (tmp_path / name / registry.MANIFEST).write_text("{}")
    return tmp_path


def test_one_experiment_runs_until_it_is_stopped(models):
    """What begins is what is read; it keeps its name and arms when it has ended."""
    assert experiments.running(models) is None

    experiments.begin(models, AUTUMN)

    assert experiments.running(models) == AUTUMN
    ended = experiments.end(models, now=NOON)
    assert ended == replace(AUTUMN, stopped="2026-11-30T12:00:00.000+00:00")
    assert experiments.running(models) is None
    assert experiments.read(models, "autumn") == ended
    assert experiments.names(models) == ["autumn"]


def test_a_second_one_waits_and_no_name_comes_twice(models):
    """The log knows views by it."""
    experiments.begin(models, AUTUMN)
    with pytest.raises(ExperimentError, match="experiment autumn runs, and one runs at a time"):
        experiments.begin(models, replace(AUTUMN, name="winter"))
    experiments.end(models, now=NOON)
    with pytest.raises(ExperimentError, match="choose another name"):
        experiments.begin(models, AUTUMN)
    with pytest.raises(ExperimentError, match="no experiment runs"):
        experiments.end(models, now=NOON)


def test_pruning_spares_the_arms(models):
    """However old they are, while the experiment runs."""
    experiments.begin(models, AUTUMN)

    gone = registry.prune(models, keep=1, frozen=experiments.frozen(models))

    assert gone == ["b3"]
    # The winner may not be live yet.
    experiments.end(models, now=NOON)
    assert registry.prune(models, keep=1, frozen=experiments.frozen(models)) == []
    later = replace(
        AUTUMN, name="winter", started="2026-12-30T08:00:00.000+00:00",
        arms=tuple(replace(arm, bundle="b4") for arm in AUTUMN.arms),
    )  # fmt: skip
    experiments.begin(models, later)
    assert registry.prune(models, keep=1, frozen=experiments.frozen(models)) == ["b1", "b2"]


def test_of_two_that_start_at_once_one_is_refused(models):
    """Whoever comes second is not given the name of the first."""
    names = [f"e{at}" for at in range(6)]

    def start(name: str) -> str | None:
        try:
            experiments.begin(models, replace(AUTUMN, name=name))
        except ExperimentError:
            return None
        return name

    with ThreadPoolExecutor(6) as pool:
        started = [name for name in pool.map(start, names) if name]

    assert started == [experiments.running_name(models)] == experiments.names(models)


def test_a_folder_that_is_a_bundle_has_no_experiments(models):
    """They stand beside the bundles."""
    with pytest.raises(ExperimentError, match="this is a bundle"):
        experiments.begin(models / "b1", AUTUMN)


@pytest.mark.parametrize("name", ["", "../b1", ".hidden", "nobody"])
def test_a_name_that_is_none_is_refused(models, name):
    """Nothing outside the folder is read."""
    with pytest.raises(ExperimentError, match="no experiment"):
        experiments.read(models, name)


def test_what_cannot_be_read_is_named(models):
    """A file that somebody edited ends in a sentence, not in a traceback."""
    experiments.begin(models, AUTUMN)
    path = models / "experiments" / "autumn" / "experiment.json"
    for text in ("{", "[]", "{}", path.read_text().replace('"last": 49', '"last": 48')):
        path.write_text(text)
        with pytest.raises(ExperimentError, match=r"autumn/experiment\.json"):
            experiments.running(models)


def test_arms_must_be_there(models):
    """A bundle that is not there shows nothing."""
    gone = replace(AUTUMN, arms=(AUTUMN.arms[0], replace(AUTUMN.arms[1], bundle="b9")))

    with pytest.raises(ExperimentError, match="arm new: there is no bundle b9"):
        experiments.begin(models, gone)
    assert experiments.running(models) is None
