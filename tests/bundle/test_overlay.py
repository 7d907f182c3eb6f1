"""Articles that came, changed and went since the build are in the lists or out of them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sites import NOW, built, random_articles

from recommender.articles.article import Article, stub_for, title_key
from recommender.articles.language import primary_subtag
from recommender.bundle import overlay
from recommender.bundle.answer_bytes import items_json
from recommender.bundle.composition import DEFAULT_K, MAX_K, Link, Placed, shown_of
from recommender.bundle.overlay import REWRITTEN, Patched, Pending
from recommender.bundle.published import SAME_TEXT, Lists, Texts
from recommender.candidates import EMPTY, MIN_LINKS
from recommender.lists.rules_file import parse
from recommender.store.articles import BEGINNING, Changed
from recommender.training.pipeline import Options

KNEE = ["knee", "joint", "cartilage", "meniscus", "tendon", "stairs", "swelling", "running"]
SLEEP = ["sleep", "night", "dream", "snoring", "mattress", "melatonin", "insomnia", "bedtime"]
STUB = stub_for("What nobody has a page for")
ODD = "neu/schön & gut?id=1#größe 睡眠"


def text_on(words: Sequence[str], number: int, n: int = 6) -> str:
    """Six of the eight words, from the given one on, as a sentence of its own."""
    mine = [words[(number + at) % len(words)] for at in range(n)]
    return " ".join(mine) + f". Case {number} of {mine[-1]}."


def on(words: Sequence[str], number: int, id: str = "", **more: object) -> Article:
    """An article on knees or sleep."""
    id = id or f"{words[0]}-{number}"
    title = f"{words[number % 8].title()} number{number}"
    fields = {"title": title, "body": text_on(words, number), "category": words[0],
              "url": f"https://example.org/{id}"}  # fmt: skip
    return Article(id, **{**fields, **more})  # type: ignore[arg-type]


def site() -> list[Article]:
    """Eight on knees, eight on sleep, one that is like nothing else, and a stub."""
    found = [on(words, number) for words in (KNEE, SLEEP) for number in range(8)]
    return [*found, Article("alone", "Quokka", "Zzyzx xylophone"), STUB]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Lists:
    return built(tmp_path_factory.mktemp("site"), site()).lists


POOL = [f"word{at}" for at in range(800)]


def long_text(seed: int) -> str:
    """Four hundred words, in any order, of which another such text has half."""
    return " ".join(np.random.default_rng(seed).permutation(POOL)[:400])


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Lists:
    """A dozen long articles, in which a title's word counts for little."""
    articles = [Article(f"long-{at}", POOL[at].title(), long_text(at)) for at in range(12)]
    return built(tmp_path_factory.mktemp("long"), articles).lists


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Lists:
    """A site of all sorts."""
    return built(tmp_path_factory.mktemp("many"), random_articles(80, seed=6)).lists


def ids(links: Iterable[Link]) -> list[str]:
    return [link.id for link in links]


def related(shelf: Patched | Lists, id: str, k: int = DEFAULT_K, **more: object) -> list[str]:
    """The ids of an article's list."""
    row = shelf.row(id)
    assert row is not None, id
    return ids(shelf.related(row, k=k, **more))  # type: ignore[arg-type]


def cosine(base: Lists, article: Article, id: str) -> float:
    """Of an article that comes with one of the bundle's."""
    return float(base.texts.vector(article.title, article.body).cosines[base.find(id)])


def pages(shelf: Patched) -> list[str]:
    """Every article that has a page now."""
    base = shelf.base
    known = [base.id_of(row) for row in range(len(base.stub)) if not base.stub[row]]
    return [id for id in dict.fromkeys([*known, *shelf.row_of]) if shelf.row(id) is not None]


def everywhere(shelf: Patched, k: int = MAX_K) -> dict[str, list[Link]]:
    """Lists of every kind: of all pages under a few slates, of no page, of texts."""
    found = {
        f"{id} {slate}": shelf.related(shelf.row(id), k=k, slate=slate)
        for id in pages(shelf) for slate in (0, 1, 6, shelf.share)
    }  # fmt: skip
    found["nobody"] = shelf.related(None, k=k)
    for words in (KNEE, SLEEP):
        found[f"text on {words[0]}"] = shelf.related_to_text("", " ".join(words), k=k)
    return found


# New articles


def test_a_new_article_has_a_list(base: Lists):
    """Of what its text is about, closest first, without itself; before it came it was unknown."""
    assert base.row("new") is None

    shelf = Patched(base, [on(KNEE, 20, "new")], [])

    links = shelf.related(shelf.row("new"))
    assert [link.origin for link in links] == ["text"] * len(links)
    assert all(link.id.startswith("knee-") for link in links)
    assert len(links) >= 5
    scores = [link.score for link in links]
    assert scores == sorted(scores, reverse=True)
    assert "new" not in ids(links)


def test_a_new_article_is_found_by_id_and_address(base: Lists):
    """However odd its id, however the address is written."""
    shelf = Patched(base, [on(KNEE, 20, ODD, url="https://example.org/new?a=1&b=2")], [])

    row = shelf.row(ODD)
    assert row == shelf.find(ODD) == shelf.row_of_url("http://Example.org/new/?b=2&utm_x=1&a=1#top")
    assert shelf.id_of(row) == ODD
    assert ODD in related(shelf, "knee-3")
    assert shelf.row("knee-3") == base.row("knee-3")


def joins_by_hand(base: Lists, article: Article) -> dict[int, int]:
    """Row and place of each list a single new article belongs in, by comparing with every link."""
    text = base.texts.vector(article.title, article.body)
    alike = text.cosines + text.subjects
    found = {}
    for row in np.flatnonzero(base.stub == 0).tolist():
        listed = base.items[row, :DEFAULT_K] != EMPTY
        closer = base.evidence.alikes(np.array([row]), DEFAULT_K)[0][listed] >= alike[row]
        if text.cosines[row] >= base.about.relevance_floor and closer.sum() < DEFAULT_K:
            found[row] = int(closer.sum())
    return found


def test_a_new_article_stands_where_its_text_places_it(base: Lists, many: Lists):
    """In each list after as many of the first ten as are closer; in no other; all else in order."""
    fresh = [replace(each, id="new", stub=False) for each in random_articles(6, seed=9)]
    cases = [(base, on(KNEE, 20, "new")), (base, on(SLEEP, 11, "new", body="night dream"))]
    cases += [(many, article) for article in fresh]
    for lists, article in cases:
        shelf = Patched(lists, [article], [])
        expected = joins_by_hand(lists, article)
        assert len(expected) > 1

        for row in np.flatnonzero(lists.stub == 0).tolist():
            before = [placed.row for placed in lists.prepared(row)]
            after = [placed.row for placed in shelf.prepared(row)]
            if row in expected:
                before.insert(expected[row], shelf.row("new"))
            assert after == before
        assert expected.keys() <= shelf.touched


def test_a_new_article_says_that_text_placed_it(base: Lists):
    """Its score lies between its neighbours', so that the list stays in order."""
    shelf = Patched(base, [on(KNEE, 20, "new")], [])

    lists = [shelf.related(shelf.row(id)) for id in pages(shelf)]
    found = [(links, at) for links in lists for at, link in enumerate(links) if link.id == "new"]
    assert len(found) > 5
    for links, at in found:
        assert links[at].origin == "text"
        around = [other.score for other in (*links[max(0, at - 1) : at], *links[at + 1 : at + 2])]
        assert min(around) - 1e-6 <= links[at].score <= max(around) + 1e-6


def test_a_new_text_is_compared_once(base: Lists, monkeypatch: pytest.MonkeyPatch):
    """With the bundle's texts, however many articles came since."""
    shelf = Patched(base, [on(KNEE, 20, "new"), on(SLEEP, 21, "other")], [])
    asked = []
    vector = Texts.vector
    monkeypatch.setattr(
        Texts, "vector", lambda texts, *text: asked.append(text) or vector(texts, *text)
    )

    links = shelf.related_to_text("Knees", " ".join(KNEE))

    assert "new" in [link.id for link in links]
    assert asked == [("Knees", " ".join(KNEE))]


def test_a_new_article_joins_the_closest_lists_only(base: Lists, monkeypatch: pytest.MonkeyPatch):
    """A page that resembles everything does not swamp the site."""
    monkeypatch.setattr(overlay, "REACH", 3)
    article = on(KNEE, 20, "new", body=" ".join(KNEE + SLEEP))

    joins = Patched(base, [article], []).joins

    text = base.texts.vector(article.title, article.body)
    assert len(joins) == 3
    closest = np.argsort(-(text.cosines + text.subjects), kind="stable")
    assert set(joins) == set(closest[:3].tolist())


def test_a_new_article_without_likeness_gets_what_its_editor_picked(base: Lists):
    """What is there of it, in order, but not itself; then what the bundle falls back on."""
    picked = ("new", "sleep-3", "sleep-4", "nobody", "other", "knee-2")
    new = Article("new", "Platypus", "Ornithorhynchus", recommended=picked)
    shelf = Patched(base, [new, Article("other", "Wombat", "Vegemite")], ["sleep-3"])

    assert related(shelf, "new") == ["sleep-4", "other", "knee-2"]
    assert related(shelf, "new", k=5, least=5)[:3] == ["sleep-4", "other", "knee-2"]
    assert len(related(shelf, "other")) == MIN_LINKS
    assert {link.origin for link in shelf.related(shelf.row("other"))} == {"fallback"}


def test_two_new_articles_stand_beside_each_other(base: Lists):
    """Each in the other's list, and both in older ones, the closer one first."""
    one, other = on(KNEE, 4, "one", title="Meniscus"), on(KNEE, 6, "other", title="Stairs")
    shelf = Patched(base, [one, other], [])

    assert "other" in related(shelf, "one")
    assert "one" in related(shelf, "other")
    both = [id for id in related(shelf, "knee-5") if id in ("one", "other")]
    closer = max((one, other), key=lambda each: cosine(base, each, "knee-5"))
    assert both[0] == closer.id
    assert len(both) == 2


# Copies and namesakes


def test_a_copy_stands_neither_beside_its_original_nor_with_it(long: Lists):
    """The same text under another title: to a reader it is one article."""
    copy = Article("copy", POOL[500], long_text(2))
    assert cosine(long, copy, "long-2") > SAME_TEXT

    shelf = Patched(long, [copy], [])

    assert len(related(shelf, "copy", k=MAX_K)) == 11
    for page, links in everywhere(shelf).items():
        assert not {"copy", "long-2"} <= {page.split(" ")[0], *ids(links)}, page


def test_an_article_that_moved_takes_the_place_of_the_old_one(long: Lists):
    """Its text came under a new id, and the old id is gone: the lists that held it hold it."""
    moved = Article("moved", POOL[2].title(), long_text(2))
    shelf = Patched(long, [moved], ["long-2"])

    assert pages(shelf)[-1] == "moved"
    for id in pages(shelf)[:-1]:
        assert "long-2" not in related(long, id) or "moved" in related(shelf, id)
    assert set(related(shelf, "moved", k=MAX_K)) == set(related(long, "long-2", k=MAX_K))


def test_a_namesake_stands_neither_beside_its_twin_nor_with_it(base: Lists):
    """The same title over another text: to a reader it is one link."""
    twin = on(KNEE, 6, "twin", title=" KNEE  Number8?")
    shelf = Patched(base, [on(KNEE, 8, "new"), twin], [])

    assert title_key(twin.title) == title_key(on(KNEE, 8).title)
    for page, links in everywhere(shelf).items():
        assert len({title_key(link.title) for link in links}) == len(links), page
    assert "new" not in related(shelf, "twin", k=MAX_K)
    assert "twin" not in related(shelf, "new", k=MAX_K)
    knee_0 = base.titles[base.row("knee-0")]
    again = Patched(base, [on(KNEE, 6, "twin", title=knee_0.upper())], [])
    assert "twin" not in related(again, "knee-0", k=MAX_K)
    assert "knee-0" not in related(again, "twin", k=MAX_K)
    for page, links in everywhere(again).items():
        assert not {"twin", "knee-0"} <= set(ids(links)), page


def test_two_new_copies_are_one_article_to_a_reader(long: Lists):
    """Neither stands beside the other, and no list holds both."""
    new, same = (Article(id, POOL[at], long_text(99)) for id, at in (("new", 500), ("same", 600)))
    shelf = Patched(long, [new, same], [])

    lists = everywhere(shelf)
    assert any("new" in ids(links) or "same" in ids(links) for links in lists.values())
    for page, links in lists.items():
        assert not {"new", "same"} <= {page.split(" ")[0], *ids(links)}, page


def test_a_text_that_is_not_stored_is_not_shown_itself(long: Lists):
    """Neither what came a moment ago under its title nor a copy of it."""
    new = Article("new", POOL[500], long_text(99))
    shelf = Patched(long, [new], [])

    def shown(title: str, body: str) -> bool:
        return "new" in ids(shelf.related_to_text(title, body, k=MAX_K))

    assert shown(POOL[600], long_text(98))
    assert not shown(POOL[600], long_text(99))
    assert not shown(POOL[500].upper() + "!", long_text(98))


# Addresses


def test_what_came_and_went_is_found_by_any_of_its_addresses(base: Lists):
    """As what the bundle has; one that moved at both; what is gone at none."""
    moved = replace(on(KNEE, 3), url="https://example.org/moved/knee")
    shelf = Patched(base, [on(KNEE, 20, "new"), moved], ["sleep-0"])

    found = {
        address: shelf.at_address(address)
        for address in ("https://m.example.org/NEW/amp/?x=1", "/moved/knee.html",
                        "https://example.org/knee-3", "/sleep-0/", "/Sleep-0/amp", "/Sleep-1/amp")
    }  # fmt: skip

    assert [each.row and shelf.id_of(each.row) for each in found.values()] == [
        "new", "knee-3", "knee-3", None, None, "sleep-1",
    ]  # fmt: skip
    assert [bool(each.assumed) for each in found.values()] == [
        True, True, False, False, False, True,
    ]  # fmt: skip


def test_of_two_articles_at_one_address_the_first_by_id_is_meant(tmp_path: Path):
    """Before the training that takes a new one in as after it, and whichever came first."""
    at = "https://example.org/knee-3"
    came = [on(KNEE, 20, "zebra", url=at), on(SLEEP, 21, "aardvark", url=f"{at}/#top")]

    for new, meant in ((came[:1], "knee-3"), (came[1:], "aardvark"), (came, "aardvark")):
        before = Patched(built(tmp_path / f"{meant}{len(new)}a", site()).lists, new, [])
        after = built(tmp_path / f"{meant}{len(new)}b", [*site(), *new]).lists
        for shelf in (before, after):
            assert [shelf.named(each)[0] for each in (at, "/knee-3/amp", "/KNEE-3")] == [meant] * 3


def test_an_article_that_took_over_an_address_is_meant_by_it(base: Lists):
    """Not the one that moved away, though it is found there while nobody else is."""
    moved = replace(on(KNEE, 3), url="https://example.org/moved")
    taking = on(KNEE, 20, "zebra", url="https://example.org/knee-3")

    assert Patched(base, [moved], []).named("https://example.org/knee-3")[0] == "knee-3"
    assert Patched(base, [moved, taking], []).named("https://example.org/knee-3")[0] == "zebra"
    assert Patched(base, [taking], ["knee-3"]).named("/knee-3/amp")[0] == "zebra"


def test_new_articles_with_addresses_that_differ_are_never_one(tmp_path: Path):
    """From each other, and from those of the bundle, as after the next training."""
    urls = [f"https://example.org/x?at_id={at}" for at in range(4)]
    articles = [on(KNEE, 20 + at, f"x{at}", url=url) for at, url in enumerate(urls)]

    for n_known in range(4):
        base = built(tmp_path / str(n_known), [*site(), *articles[:n_known]]).lists
        shelf = Patched(base, articles[n_known:], [])
        assert [shelf.named(url)[0] for url in urls] == ["x0", "x1", "x2", "x3"]
        assert len(shelf.at_address("https://example.org/x?at_id=9").rows) == 4
        gone = Patched(base, articles[max(n_known, 1) :], ["x0"] if n_known else [])
        assert [gone.named(url)[0] for url in urls[1:]] == ["x1", "x2", "x3"]


def test_dates_to_come_are_not_shown(base: Lists):
    """Neither of those that came since the build, nor are such articles the newest."""
    days = {"today": NOW.isoformat(), "never": "9999-12-31"}
    new = [on(KNEE, 20 + at, id, published_at=day) for at, (id, day) in enumerate(days.items())]
    shelf = Patched(base, new, [], now=NOW)

    shown = {link.id: link.published_at for link in shelf.related(shelf.row("knee-3"), k=MAX_K)}

    assert shown["today"] == days["today"]
    assert shown["never"] is None
    assert np.isnan(shelf.day[shelf.find("never")])


@pytest.mark.parametrize(
    ("language", "shown"),
    [("en_GB", "en-GB"), ("english", "en"), ("klingon", None), ("english-", "en"), ("x-y", None)],
)
def test_what_is_shown_as_a_language_is_a_tag(language: str, shown: str | None):
    """Pages carry it as ``lang``; a name is shown as its code, and what has none not at all."""
    article = on(KNEE, 1, language=language)

    assert shown_of(article, primary_subtag(language)).language == shown


# Removed articles


def test_a_removed_article_stands_nowhere(base: Lists):
    """In no list under any slate, no fallback, no pin, no list of a text; it has none itself."""
    gone = ["knee-3", "sleep-0", "alone", STUB.id]
    shelf = Patched(base, [], gone)

    for id in gone:
        assert (shelf.row(id), shelf.find(id)) == (None, None)
        assert shelf.row_of_url(f"https://example.org/{id}") is None
    for page, links in everywhere(shelf).items():
        assert not set(gone) & set(ids(links)), page
        assert links
    rules = parse(
        "action,source,target,position\npin,*,knee-3,1\npin,knee-1,sleep-1,1\n", where="e"
    )
    assert related(shelf, "knee-1", rules=rules, now=NOW)[0] == "sleep-1"
    assert "knee-3" not in related(shelf, "knee-2", rules=rules, now=NOW)


def test_what_is_left_of_a_list_moves_up(base: Lists):
    """In order, under every slate, so that what stood below the tenth place comes in."""
    shelf = Patched(base, [], ["knee-3", "sleep-6"])

    for row in set(range(len(base.stub))) - shelf.gone:
        for slate in range(base.share + 1):
            left = [each for each in base.prepared(row, slate) if each.row not in shelf.gone]
            assert shelf.prepared(row, slate) == left


def test_almost_everything_may_go(base: Lists):
    """Two articles are left: each has the other. Beside the only one there is nothing to show."""
    everything = [base.id_of(row) for row in range(len(base.stub))]
    shelf = Patched(base, [], [id for id in everything if id not in ("knee-0", "sleep-0")])

    assert (related(shelf, "knee-0"), related(shelf, "sleep-0")) == (["sleep-0"], ["knee-0"])
    alone = Patched(base, [], [id for id in everything if id != "knee-0"])
    assert related(alone, "knee-0") == []
    assert ids(alone.related_to_text("Sleep", "night")) == ["knee-0"]
    assert ids(alone.related(None)) == ["knee-0"]


# Changed articles


def test_a_changed_article_shows_what_it_is_now(base: Lists):
    """Title, teaser and address, in every list; its text is much the same, and so are the lists."""
    old = on(KNEE, 3)
    new = replace(
        old, title=old.title + " today", teaser="Freshly told.", url="https://x.org/moved"
    )
    shelf = Patched(base, [new], [])

    row = shelf.row("knee-3")
    assert row not in shelf.rewritten
    assert row == shelf.row_of_url("https://x.org/moved/") == base.row("knee-3")
    shown = [link for links in everywhere(shelf).values() for link in links if link.id == "knee-3"]
    assert len(shown) > 10
    assert {(link.title, link.teaser, link.url) for link in shown} == {
        (new.title, "Freshly told.", "https://x.org/moved")
    }
    assert {id: related(shelf, id) for id in pages(shelf)} == {
        id: related(base, id) for id in pages(shelf)
    }


def test_a_rewritten_article_follows_its_new_text(base: Lists):
    """It was on knees and is on sleep now: so is its list, and texts on sleep find it."""
    shelf = Patched(base, [on(SLEEP, 11, "knee-3")], [])

    assert shelf.read[shelf.row("knee-3")].likeness < REWRITTEN
    assert all(id.startswith("sleep-") for id in related(shelf, "knee-3"))
    assert "knee-3" in ids(shelf.related_to_text("", " ".join(SLEEP)))
    assert "knee-3" not in ids(shelf.related_to_text("", " ".join(KNEE)))
    assert shelf.row("knee-3") in shelf.touched


def test_an_article_that_became_sensitive_is_explored_no_more(many: Lists):
    """Neither on its own page nor on others', though the bundle's slates do so."""
    listed = np.flatnonzero((many.items != EMPTY).sum(axis=1) > 12)
    row = next(row for row in listed.tolist() if (many.slates[row] != np.arange(10)).any())
    item = int(many.items[row, many.slates[row].max()])
    articles = {article.id: article for article in random_articles(80, seed=6)}
    changed = [replace(articles[many.id_of(each)], sensitive=True) for each in (row, item)]
    assert any(many.prepared(row, slate) != many.prepared(row) for slate in range(1, 21))

    shelf = Patched(many, changed, [])

    best = shelf.prepared(row)
    assert all(shelf.prepared(row, slate) == best for slate in range(many.share + 1))
    for other in range(len(many.stub)):
        first = [placed.row for placed in many.prepared(other)]
        for slate in range(1, many.share + 1):
            found = [placed.row for placed in shelf.prepared(other, slate)]
            for moved in (row, item):
                if moved in first:
                    assert found.index(moved) == first.index(moved)
    assert any(
        shelf.prepared(other, slate) != shelf.prepared(other)
        for other in range(len(many.stub)) for slate in range(1, 21)
    )  # fmt: skip


# Whatever the changes


def random_changes(lists: Lists, seed: int) -> tuple[list[Article], list[str]]:
    """A few of each: new ones, copies, namesakes, changed titles, rewritten texts, removed ones."""
    random = np.random.default_rng(seed)
    old = {article.id: article for article in random_articles(80, seed=6)}
    fresh = random_articles(12, seed=100 + seed)
    chosen = [str(id) for id in random.choice(sorted(old), 14, replace=False)]
    put = [replace(each, id=f"new/{at}", stub=False, recommended=(chosen[0],))
           for at, each in enumerate(fresh)]  # fmt: skip
    put += [replace(old[id], title=f"{old[id].title} revised", stub=False) for id in chosen[:4]]
    put += [replace(fresh[at], id=id, stub=False) for at, id in enumerate(chosen[4:7])]
    put.append(
        replace(old[chosen[7]], id="new/copy", stub=False, title="A copy under another name")
    )
    put.append(replace(fresh[3], id="new/twin", stub=False, title=old[chosen[8]].title))
    return sorted(put, key=lambda article: article.id), chosen[9:]


@pytest.mark.parametrize("seed", range(4))
def test_lists_that_are_not_touched_are_as_they_were(many: Lists, seed: int):
    """Compared byte by byte with what the bundle has ready: no difference goes unnoticed."""
    put, removed = random_changes(many, seed)
    shelf = Patched(many, put, removed)

    differ = {
        row
        for row in np.flatnonzero(many.stub == 0).tolist()
        if row not in shelf.gone and items_json(shelf.related(row)) != items_json(many.related(row))
    }
    assert differ
    assert differ <= shelf.touched
    # And most of what is said to be touched is: else every request would be worked out anew.
    assert len(differ) >= 0.5 * len(shelf.touched - shelf.gone - set(np.flatnonzero(many.stub)))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_every_list_keeps_what_lists_promise(many: Lists, seed: int):
    """No article twice, none beside itself, no two under one title, nothing that is gone."""
    put, removed = random_changes(many, seed)
    shelf = Patched(many, put, removed)
    there = {*pages(shelf), *map(many.id_of, np.flatnonzero(many.stub).tolist())}

    for page, links in everywhere(shelf, k=DEFAULT_K).items():
        found = ids(links)
        assert len(set(found)) == len(found), page
        assert page.split(" ")[0] not in found
        assert set(found) <= there - set(removed), page
        assert len({title_key(link.title) for link in links}) == len(links), page
        assert len({shelf.text_of(shelf.find(id)) for id in found}) == len(found), page
        assert [link.position for link in links] == list(range(1, len(links) + 1))
        assert len(links) >= MIN_LINKS or page.startswith("text"), page


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_taking_over_is_making_anew(many: Lists, seed: int):
    """Changes that come one after the other, each on top of the last, or all at once."""
    put, removed = random_changes(many, seed)
    at_once = Patched(many, put, removed)

    shelf = None
    for end in (4, 9, len(put)):
        shelf = Patched(many, put[:end], removed[:end], shelf)

    assert shelf is not None
    assert shelf.touched == at_once.touched
    assert (shelf.row_of, shelf.pages.new.by_key, shelf.gone) == (
        at_once.row_of,
        at_once.pages.new.by_key,
        at_once.gone,
    )
    assert everywhere(shelf) == everywhere(at_once)


def test_what_did_not_change_is_not_read_again(many: Lists):
    """Only the article whose text is another one."""
    put, removed = random_changes(many, 0)
    before = Patched(many, put, removed)
    changed = [replace(put[0], body="w1x1 w1x2 c5"), *put[1:]]

    after = Patched(many, changed, removed, before)

    row = after.row_of[put[0].id]
    assert after.read[row] is not before.read[row]
    assert all(after.read[other] is before.read[other] for other in after.read if other != row)
    assert everywhere(after) == everywhere(Patched(many, changed, removed))


def test_nothing_changed_changes_nothing(many: Lists):
    """Also what came and went between two looks, and what the bundle never knew."""
    shelf = Patched(many, [], ["nobody", "came-and-went"])

    assert (shelf.touched, shelf.gone) == (set(), set())
    assert everywhere(shelf)["nobody"] == many.related(None, k=MAX_K)


def test_what_comes_too_old_is_recommended_beside_nothing(tmp_path: Path):
    """An archive that is put in years after is a source, as one that was there at the build."""
    options = Options(oldest_days=365)
    lists = built(
        tmp_path, [*site(), *[on(KNEE, at) for at in range(8, 11)]], options=options
    ).lists
    archived = on(KNEE, 20, "archived", published_at="2019-11-20")
    undated = on(KNEE, 20, "undated")

    shelf = Patched(lists, [archived, undated], [])

    everyone = {id for page in pages(shelf) for id in related(shelf, page)}
    assert "undated" in everyone
    assert "archived" not in everyone
    assert len(related(shelf, "archived")) >= MIN_LINKS


def listing(*numbers: int) -> Article:
    """A page of the titles of articles on knees, with the beginnings of their texts."""
    shown = [on(KNEE, number) for number in numbers]
    return Article("all-knees", "All on knees", "\n".join(f"{a.title}\n{a.body}" for a in shown))


def test_a_new_listing_page_stands_beside_nothing(base: Lists):
    """It has a list, and an editor may pin it; a new post that names one article is none."""
    post = Article("post", "A post", f"{KNEE[0].title()} number0\n{text_on(KNEE, 3)} and more")
    shelf = Patched(base, [listing(0, 1, 2, 3), post], [])

    assert related(shelf, "all-knees")
    assert not any("all-knees" in related(shelf, id, k=50) for id in ("knee-0", "sleep-1", "post"))
    assert "all-knees" not in ids(shelf.related_to_text("Knees", text_on(KNEE, 1), k=50))
    assert any("post" in related(shelf, f"knee-{at}") for at in range(8))
    pin = "action,source,target,position,from,until,reason\npin,knee-0,all-knees,1,,,\n"
    assert related(shelf, "knee-0", rules=parse(pin, where="e"), now=NOW)[0] == "all-knees"


def test_a_new_listing_page_is_recommended_where_listings_are(base: Lists):
    """By the rule that the bundle was built under."""
    rule = replace(base.about, listings=replace(base.about.listings, rule="on"))
    shelf = Patched(replace(base, about=rule), [listing(0, 1, 2, 3)], [])

    assert any("all-knees" in related(shelf, f"knee-{at}") for at in range(8))


def test_a_page_that_becomes_a_listing_leaves_the_lists(base: Lists):
    """And so does what was explored of it."""
    changed = replace(listing(1, 2, 3, 4), id="knee-7", title="Running number7")
    shelf = Patched(base, [changed], [])

    assert any("knee-7" in related(base, f"knee-{at}") for at in range(7))
    assert not any("knee-7" in related(shelf, f"knee-{at}") for at in range(7))


@pytest.fixture(scope="module")
def fairs(tmp_path_factory: pytest.TempPathFactory) -> Lists:
    """The site on knees and sleep, every article of 2019."""
    dated = [replace(each, published_at="2019-11-20") for each in site() if not each.stub]
    return built(tmp_path_factory.mktemp("fairs"), dated).lists


def edition(of: str, id: str, day: str | None) -> Article:
    """The article on knees or sleep again, under its title, a few words changed."""
    words, number = (KNEE, SLEEP)[of.startswith("sleep")], int(of[-1])
    old = on(words, number)
    return replace(old, id=id, url=None, body=f"{old.body} Again.", published_at=day)


def test_a_new_edition_takes_the_place_of_the_old_one(fairs: Lists):
    """In every list, under its score and in every slate; neither stands beside the other."""
    shelf = Patched(fairs, [edition("knee-2", "again", "2026-11-20")], [])

    replaced = [page for page in pages(shelf) if page != "again"]
    replaced = [page for page in replaced if "knee-2" in related(fairs, page)]
    assert replaced
    for page in replaced:
        row = shelf.row(page)
        for slate in range(fairs.share + 1):
            before, after = fairs.related(row, slate=slate), shelf.related(row, slate=slate)
            expected = ["again" if id == "knee-2" else id for id in ids(before)]
            assert ids(after) == expected
            assert [link.score for link in after] == [link.score for link in before]
        assert row in shelf.touched
    assert "knee-2" not in related(shelf, "again")
    assert "again" not in related(shelf, "knee-2")
    assert "knee-2" not in ids(shelf.related(None, k=MAX_K))


@pytest.mark.parametrize("day", [None, "1970-01-01", "2018-01-01"])
def test_an_edition_that_is_not_newer_takes_no_place(fairs: Lists, day: str | None):
    """The undated is older than any dated."""
    shelf = Patched(fairs, [edition("knee-2", "again", day)], [])

    assert all("again" not in related(shelf, page) for page in pages(shelf) if page != "again")


def test_of_two_new_editions_the_newest_takes_the_place(fairs: Lists):
    """Whichever came first."""
    new = [edition("knee-2", f"of-{year}", f"{year}-11-20") for year in (2026, 2024, 2025)]
    page = next(page for page in ("knee-1", "knee-3") if "knee-2" in related(fairs, page))

    for order in (new, new[::-1]):
        listed = related(Patched(fairs, order, []), page, k=MAX_K)
        assert [id for id in listed if id.startswith("of-") or id == "knee-2"] == ["of-2026"]


def test_a_text_that_is_not_stored_gets_the_new_edition(fairs: Lists):
    """As pages do; the text of the edition itself gets neither."""
    new = edition("knee-2", "again", "2026-11-20")
    shelf = Patched(fairs, [new], [])
    text = on(KNEE, 2).body

    asked = ids(shelf.related_to_text("Something else", f"{text} Something else altogether."))

    assert "again" in asked
    assert "knee-2" not in asked
    assert not {"again", "knee-2"} & set(ids(shelf.related_to_text(new.title, new.body)))


def test_a_new_question_joins_the_others_about_its_subject(tmp_path: Path):
    """Their answers have no word in common; its title names what they are about."""
    names = [f"thing{number}" for number in range(12)]
    asked = [f"{form} {name}?" for form in ("What causes", "Who gets") for name in names]
    lists = built(
        tmp_path, [Article(f"q{at}", title, f"word{at}") for at, title in enumerate(asked)]
    ).lists
    new = Article("late", "Who gets thing3 still?", "nowhere")

    shelf = Patched(lists, [new], [])

    assert "late" in related(shelf, "q3")
    assert "late" not in related(shelf, "q4")
    assert related(shelf, "late")[:2] == ["q15", "q3"]


# Many at once


def changed(number: int, articles: Sequence[Article], removed: Sequence[str] = ()) -> Changed:
    return Changed(number, list(articles), list(removed), [])


def test_of_many_that_change_at_once_some_are_compared_at_a_time(
    base: Lists, monkeypatch: pytest.MonkeyPatch
):
    """All are brought up to date and have lists at once; they stand in others' lists step by step,
    and in the end as if they had come one by one.
    """
    monkeypatch.setattr(overlay, "PAIRS_AT_ONCE", 2 * len(base.stub))
    new = [on(KNEE, 20 + at, f"new-{at}") for at in range(5)]
    articles = [*new, replace(on(SLEEP, 2), title="Zzz")]
    pending = Pending(0).and_then(changed(7, articles, ["knee-3"]))

    shelf, is_done = pending.patched(base)
    steps = [shelf]
    while not is_done:
        shelf, is_done = pending.patched(base, shelf)
        steps.append(shelf)

    assert [len(each.compared) for each in steps] == [2, 4, 6]
    for each in steps:
        assert all(related(each, article.id) for article in new)
        assert each.row("knee-3") is None
        assert each.link(Placed(each.row("sleep-2"), 0.0, ""), 1).title == "Zzz"
    at_once = Patched(base, list(pending.whole.values()), ["knee-3"])
    assert everywhere(steps[-1]) == everywhere(at_once)
    assert everywhere(steps[0]) != everywhere(at_once)


def test_the_last_that_came_are_compared(base: Lists, monkeypatch: pytest.MonkeyPatch):
    """Of the others a few sentences are kept; the last word on an article counts."""
    monkeypatch.setattr(overlay, "MOST_COMPARED", 2)
    first, second, third = (on(KNEE, 20 + at, f"new-{at}", body="x" * 999) for at in range(3))

    pending = Pending(0).and_then(changed(2, [first, second], ["knee-1"]))
    pending = pending.and_then(changed(4, [third, on(KNEE, 1)], ["new-1"]))

    assert (list(pending.whole), list(pending.cut)) == (["new-2", "knee-1"], ["new-0"])
    assert len(pending.cut["new-0"].body) == BEGINNING
    assert pending.removed == {"new-1"}


def test_a_bundle_from_elsewhere_takes_only_what_it_shows_otherwise(base: Lists):
    """Nobody knows which changes it has."""
    articles = [on(KNEE, 1), replace(on(KNEE, 2), url="https://example.org/moved"), on(KNEE, 20)]

    pending = Pending(0).and_then(changed(3, articles), beside=base)

    assert list(pending.whole) == ["knee-2", "knee-20"]
