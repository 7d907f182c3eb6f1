"""Where arms show the same, by their frozen bundles."""

from collections import Counter
from dataclasses import replace

import pytest
from sites import BODIES, NOW, built
from trials import interleaved, split

from recommender.articles.article import Article
from recommender.bundle.mixture import Asked, Mixture
from recommender.experiments.differing import alike, pages_alike
from recommender.experiments.freezing import hand_picked
from recommender.lists.editorial import Rules

PICKED = {"knee": ("nap", "sleep")}
SITE = [
    Article(id=id, title=id.title(), body=body, recommended=PICKED.get(id, ()))
    for id, body in BODIES.items()
]


@pytest.fixture(scope="module")
def arms(tmp_path_factory):
    """The folder of models, a bundle, and the hand-picked lists frozen beside it."""
    folder = tmp_path_factory.mktemp("arms")
    bundle = built(folder, SITE)
    return folder / "models", bundle, hand_picked(bundle, SITE, folder / "models", now=NOW)


def test_pages_without_a_hand_picked_list_are_alike(arms):
    """The one page that has a list is all that such an experiment is about."""
    models, bundle, picked = arms
    trial = split(50, 50)
    old, new = trial.arms
    frozen = replace(old, bundle=bundle.name), replace(new, bundle=picked.name)

    found = pages_alike(models, replace(trial, arms=frozen))

    assert found == {*BODIES} - {"knee"}


def test_a_bundle_is_like_itself_on_all_pages(arms):
    _, bundle, _ = arms

    assert alike([bundle.lists, bundle.lists]) == {*BODIES}


def test_articles_may_have_other_numbers(arms, tmp_path):
    """Of a site with one article more, before all others, pages are compared by ids."""
    _, bundle, _ = arms
    extra = Article(id="aaa", title="Tax", body="income tax form deadline")
    other = built(tmp_path, [extra, *SITE])

    found = alike([bundle.lists, other.lists])

    same = {
        id
        for id in BODIES
        if [link.id for link in bundle.related(id)] == [link.id for link in other.related(id)]
    }
    assert "aaa" not in found
    assert found <= same


def test_a_bundle_that_is_gone_says_nothing(arms):
    models, _, _ = arms

    assert pages_alike(models, split(50, 50)) is None


@pytest.mark.parametrize("k", [3, 4])
def test_a_short_list_of_editors_loses_nothing_by_its_length(arms, k):
    """Of an interleaved slate each arm is credited at each place equally often."""
    _, bundle, picked = arms
    rules = Rules(())
    mixture = Mixture(interleaved(), [picked.lists, bundle.lists], [rules, rules])
    rows = mixture.rows("knee")
    credit, drafted = Counter(), 0

    for variant in range(100):
        placed, teams = mixture.composed(rows, mixture.by_variant[variant], Asked(k, NOW))
        credit.update(enumerate(teams))
        drafted += len(placed)

    assert drafted == 100 * k
    assert credit[0, "1"] > 0
    assert all(credit[place, "1"] == credit[place, "2"] for place in range(k))
