"""What every list keeps, whoever decided it and however many links are asked for."""

from collections.abc import Callable
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path

import numpy as np
import pytest
from sites import built, bundle_in, once, random_articles, random_events

from recommender.articles.article import title_key
from recommender.bundle.bundle import Bundle
from recommender.bundle.composition import Link
from recommender.candidates import MIN_LINKS
from recommender.events.event import ORIGINS
from recommender.lists import rules_file

NOW = datetime(2026, 11, 22, tzinfo=UTC)
ListOf = Callable[[Bundle], list[Link]]
KINDS = ("learned sample", "text sample", "learned random", "text random", "tiny", "two alike")


@pytest.fixture(scope="session")
def bundles(
    learned: Bundle, text_sample: Bundle, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Bundle]:
    """Sites decided by the model and by text, with copies, namesakes, stubs and empty pages."""
    articles = random_articles(120, seed=11)
    sites = {
        "learned random": (articles, random_events(articles, seed=1)),
        "text random": (articles, []),
        "tiny": (random_articles(3, seed=1), []),
        "two alike": (random_articles(9, seed=4, n_topics=1), []),
    }

    def build_all(folder: Path) -> None:
        for name, (known, events) in sites.items():
            built(folder / name, known, events)

    folder = once(tmp_path_factory, "random", build_all)
    random = {name: bundle_in(folder / name) for name in sites}
    return {"learned sample": learned, "text sample": text_sample, **random}


@pytest.fixture(params=KINDS)
def bundle(request: pytest.FixtureRequest, bundles: dict[str, Bundle]) -> Bundle:
    return bundles[request.param]


def pages(bundle: Bundle) -> list[str]:
    """The ids that have a list."""
    ids = bundle.lists.ids.column
    return [ids[row] for row in range(len(ids)) if not bundle.lists.stub[row]]


def every_list(bundle: Bundle, *, k: int = 10) -> dict[str, list[Link]]:
    return {id: bundle.related(id, k) for id in pages(bundle)}


def test_both_kinds_are_here(bundles: dict[str, Bundle]):
    """The promises are tested on lists learned from clicks and on lists by text."""
    assert {name: bundles[name].decided_by for name in KINDS[:4]} == {
        "learned sample": "model", "text sample": "text", "learned random": "model",
        "text random": "text",
    }  # fmt: skip


@pytest.mark.parametrize("k", [1, 3, 10, 50])
def test_at_most_k_at_least_three(bundle: Bundle, k: int):
    """Never more than asked for, and never fewer than three while the site has them."""
    others = len(set(bundle.lists.same.tolist())) - 1
    for links in every_list(bundle, k=k).values():
        assert min(k, MIN_LINKS, others) <= len(links) <= k
        assert [link.position for link in links] == list(range(1, len(links) + 1))


def test_never_itself_never_twice(bundle: Bundle):
    """An article does not stand in its own list, and none stands there twice."""
    for id, links in every_list(bundle).items():
        assert id not in {link.id for link in links}
        assert len({link.id for link in links}) == len(links)


def test_no_two_links_look_the_same(bundle: Bundle):
    """No two titles alike, none alike the page's own, case and punctuation aside."""
    titles = dict(zip(bundle.lists.ids.column, bundle.lists.titles, strict=True))
    for id, links in every_list(bundle).items():
        keys = [title_key(titles[id]), *(title_key(link.title) for link in links)]
        assert len(set(keys)) == len(keys)


def test_no_near_duplicates(bundle: Bundle):
    """Neither of the page nor of each other."""
    row = {id: at for at, id in enumerate(bundle.lists.ids.column)}
    for id, links in every_list(bundle).items():
        rows = [row[id], *(row[link.id] for link in links)]
        groups = bundle.lists.same[rows].tolist()
        assert len(set(groups)) == len(groups)


def test_stubs_have_no_list_and_stand_in_none(bundle: Bundle):
    """A title without a page is shown only where pages run out."""
    ids = bundle.lists.ids.column
    n_pages = len(pages(bundle))
    for row in np.flatnonzero(bundle.lists.stub):
        with pytest.raises(KeyError):
            bundle.related(ids[row])
    for links in every_list(bundle).values():
        shown = [link.id.startswith("stub:") for link in links]
        assert shown == sorted(shown)
        assert not any(shown) or sum(not stub for stub in shown) == n_pages - 1


def test_scores_and_origins_are_told(bundle: Bundle):
    """Every score is a finite number, every origin a known word, the decider the bundle's."""
    for links in every_list(bundle).values():
        assert all(isfinite(link.score) for link in links)
        origins = {link.origin for link in links}
        assert origins <= set(ORIGINS)
        assert not {"model", "text"} <= origins or bundle.decided_by == "model"
        assert "model" not in origins or bundle.decided_by == "model"


def test_shorter_lists_are_the_longer_ones_beginning(bundle: Bundle):
    """Asking for fewer links changes none of them, once three are asked for."""
    longest = every_list(bundle, k=30)
    for k in (3, 7, 10):
        for id, links in every_list(bundle, k=k).items():
            assert [link.id for link in links] == [link.id for link in longest[id]][:k]


def test_every_link_can_be_shown_and_explained(bundle: Bundle):
    """Title, teaser and address are the article's, and there is a sentence on why."""
    for id, links in list(every_list(bundle).items())[:20]:
        for link in links:
            row = bundle.lists.ids.find(link.id)
            assert row is not None
            assert link.title == bundle.lists.titles[row]
            assert link.teaser == bundle.lists.teasers[row]
            assert link.url == (bundle.lists.addresses[row] or None)
            assert bundle.why(id, link.id)


def test_excluded_links_do_not_stand_there(bundle: Bundle):
    """What a page shows already is left out, and others move up."""
    for id, links in list(every_list(bundle).items())[:20]:
        gone = [link.id for link in links[:2]]

        rest = bundle.related(id, 10, exclude=gone)

        assert not {link.id for link in rest} & set(gone)
        kept = [link.id for link in links if link.id not in gone and link.origin != "fallback"]
        assert [link.id for link in rest][: len(kept)] == kept


def test_editors_win(bundle: Bundle):
    """A pin stands where it was put; what is blocked everywhere stands in no list."""
    ids = pages(bundle)
    source, pinned, blocked = ids[0], ids[-1], bundle.related(ids[0])[0].id
    lines = ["action,source,target,position", f"pin,{source},{pinned},2", f"block,*,{blocked},"]
    rules = rules_file.parse("\n".join(lines), where="editorial.csv")
    edited = Bundle(bundle.folder, rules=rules, now=NOW)

    lists = every_list(edited)

    assert all(link.id != blocked for links in lists.values() for link in links)
    if pinned != blocked:
        place = min(2, len(lists[source]))
        assert (lists[source][place - 1].id, lists[source][place - 1].origin) == (pinned, "pinned")


def test_a_text_nobody_stored_has_a_list_too(bundle: Bundle):
    """Alike in its promises: no doubles, no copy of the text itself, scores finite."""
    row = next(row for row in range(len(bundle.lists.stub)) if not bundle.lists.stub[row])
    title = bundle.lists.titles[row]

    for links in (bundle.related_to_text(title, "c1 c2 sleep"), bundle.related_to_text("zebra")):
        assert min(MIN_LINKS, len(set(bundle.lists.same.tolist()))) - 1 <= len(links) <= 10
        assert len({link.id for link in links}) == len(links)
        assert all(isfinite(link.score) for link in links)


def test_a_page_nobody_knows_gets_links(bundle: Bundle):
    """Popular articles, as many as asked for, none twice."""
    links = bundle.lists.related(None, k=10)

    assert len(links) == min(10, len(set(bundle.lists.same.tolist())))
    assert {link.origin for link in links} == {"fallback"}
    assert len({link.id for link in links}) == len(links)


@pytest.mark.parametrize(
    "list_of",
    [
        lambda bundle: bundle.related_to_text("zebra"),
        lambda bundle: bundle.related_to_text(bundle.lists.titles[0], "c1 c2 c3"),
        lambda bundle: bundle.lists.related(None, k=10),
    ],
    ids=["no known word", "a title", "an unknown page"],
)
def test_lists_of_no_article_repeat_no_title(bundle: Bundle, list_of: ListOf):
    """What is popular, too, looks like nothing that stands there already."""
    links = list_of(bundle)

    assert len({title_key(link.title) for link in links}) == len(links)
