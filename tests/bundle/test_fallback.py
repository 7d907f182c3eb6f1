"""Without a bundle a page gets what its article says of itself: picks, category, what is new."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sites import stored

from recommender.articles.article import Article, stub_for
from recommender.articles.batch import Batch
from recommender.bundle.fallback import FallbackLists
from recommender.lists.rules_file import parse
from recommender.store.database import Store

NOW = datetime(2026, 11, 22, tzinfo=UTC)
STUB = stub_for("Not written yet", teaser="Nobody has...")
ARTICLES = [
    Article("a", "Knee", "About knees.", category="body", recommended=("c", STUB.id, "a", "gone")),
    Article("b", "Hip", category="body", published_at="2026-11-02T09:00:00+02:00"),
    Article("c", "Sleep", category="mind", published_at="2020-01-01"),
    Article("d", "Elbow", category="body", published_at="2026-11-02T08:00:00Z", url="https://x/d"),
    Article("e", "Dream", category="mind", published_at="2026-11-20"),
    Article("f", "knee?", category="body", published_at="2026-11-21"),
    STUB,
]


@pytest.fixture
def store() -> Iterator[Store]:
    with Store("sqlite://") as opened:
        batch = Batch()
        for article in ARTICLES:
            batch.add(article, article.id)
        opened.apply(batch)
        yield opened


@pytest.fixture
def lists(store: Store) -> FallbackLists:
    return FallbackLists(store, now=NOW)


def listed(lists: FallbackLists, id: str | None, **more: object) -> list[str]:
    row = None if id is None else lists.row(id)
    return [link.id for link in lists.related(row, **more)]


def test_picks_come_first_then_the_category_then_what_is_new(lists: FallbackLists):
    """Newest first, whatever zone a date is in; never the page itself nor its namesake; a title
    without a page stands at the end.
    """
    assert listed(lists, "a") == ["c", "d", "b", "e", STUB.id]
    assert listed(lists, "e") == ["c", "f", "d", "b", STUB.id]


def test_an_unknown_page_gets_what_is_new(lists: FallbackLists):
    """As does a text, but for a namesake of it."""
    assert listed(lists, None) == ["f", "e", "d", "b", "c", STUB.id]
    assert [link.id for link in lists.related_to_text("Dream!", "", k=2)] == ["f", "d"]
    assert lists.row(STUB.id) is None
    assert lists.find(STUB.id) is not None


def test_editors_and_the_page_are_heard(lists: FallbackLists):
    """Pins, blocks, exclusions, sizes."""
    rules = parse("action,source,target,position\nblock,*,c,\npin,a,e,1", where="e.csv")

    links = lists.related(lists.row("a"), rules=rules, now=NOW, exclude=["d"], k=2)

    assert [(link.id, link.origin) for link in links] == [("e", "pinned"), ("b", "fallback")]


def test_links_are_whole(lists: FallbackLists):
    """With the first sentence where no teaser was given; found by address too."""
    rules = parse("action,source,target\npin,*,a", where="e.csv")
    first = lists.related(lists.row("d"), k=1, rules=rules, now=NOW)[0]

    assert (first.id, first.title, first.url) == ("a", "Knee", None)
    assert (first.teaser, first.position) == ("About knees.", 1)
    assert lists.related(None)[-1].teaser == STUB.teaser
    assert lists.row_of_url("http://x/d/?utm_source=y") == lists.row("d")


def test_a_store_without_articles_has_no_lists():
    """And no error."""
    with Store("sqlite://") as store:
        lists = FallbackLists(store, now=NOW)

    assert lists.articles == []
    assert lists.related(None) == []


def test_what_is_too_old_and_what_cannot_be_a_date(store: Store):
    """A slip of the future is no news; what is too old comes no more, save the newest eleven."""
    batch = Batch()
    for number in range(12):
        day = f"2026-10-{number + 1:02}"
        batch.add(Article(f"n{number}", f"News {number}", published_at=day), "n")
    batch.add(Article("slip", "Slip", published_at="2206-11-20"), "slip")
    store.apply(batch)

    any_age = listed(FallbackLists(store, now=NOW), None, k=50)
    recent = listed(FallbackLists(store, now=NOW, oldest_days=100), None, k=50)

    assert any_age[:2] == ["f", "e"]
    assert any_age.index("slip") > any_age.index("c")
    assert "c" not in recent
    assert [id for id in any_age if id != "c"] == recent


def test_links_have_pictures_and_dates_that_can_be():
    """A date of next year is none, nor is one of 1970; a tag is written as pages write it."""
    more = [
        Article("p", "P", image="/p.jpg", published_at="2026-11-20", language="pt_BR"),
        Article("q", "Q", published_at="2027-11-20", language="Portuguese, of Brazil"),
        Article("r", "R", published_at="1970-01-01T00:00:00Z"),
    ]
    with Store("sqlite://") as store:
        batch = Batch()
        for article in more:
            batch.add(article, article.id)
        store.apply(batch)
        shown = {link.id: link for link in FallbackLists(store, now=NOW).related(None)}

    assert (shown["p"].image, shown["p"].published_at, shown["p"].language) == (
        "/p.jpg", "2026-11-20", "pt-BR",
    )  # fmt: skip
    assert [(link.image, link.published_at) for link in (shown["q"], shown["r"])] == [
        (None, None), (None, None),
    ]  # fmt: skip
    assert shown["r"].language is None


def test_a_title_without_a_page_stands_behind_all_that_have_one():
    """A language the site has nothing in: a link in another is of more use than a mere title; where
    nothing else is there, titles are all there is.
    """
    english = [Article(id, f"About {id}", language="en") for id in ("knee", "hip")]
    german = Article("bienen", "Bienen und Honig", language="de")
    with Store("sqlite://") as store:
        stored(store, [*english, german, STUB], [])
        lists = FallbackLists(store, now=NOW)
        links = lists.related_to_text("Abeilles", "", language="fr", k=3)

        assert [link.id for link in links][:1] != [STUB.id]
        assert STUB.id not in [link.id for link in links]
        assert listed(lists, "bienen") == ["hip"] or listed(lists, "bienen") == ["knee"]
        assert listed(lists, "hip") == ["knee", STUB.id]
    with Store("sqlite://") as store:
        stored(store, [german, STUB], [])
        assert listed(FallbackLists(store, now=NOW), "bienen") == [STUB.id]
