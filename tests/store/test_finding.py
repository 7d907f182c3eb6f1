"""Articles are found as editors type them, on SQLite and on PostgreSQL alike, in every script."""

from __future__ import annotations

import hashlib
import random

import pytest
import sqlalchemy as sql

from recommender.articles.article import Article, stub_for
from recommender.articles.batch import Batch
from recommender.errors import StoreError
from recommender.store import schema
from recommender.store.database import Store
from recommender.store.finding import find, propose
from recommender.store.finding_terms import names_of, title_terms, whole_terms, words_of

TITLES = {
    "knee": "Why does my knee click?",
    "knee-pain": "Knee pain",
    "pain": "Pain in the knee after running",
    "creme": "Crème brûlée",
    "smor": "Smørrebrød med æg",
    "diabetes": "Living with diabetes mellitus",
    "vaccine": "流感疫苗接种指南",
    "sugar": "血糖の測り方とタイミング",
    "thai": "โรคเบาหวานคืออะไร",
    "arabic": "ألم الرُّكبة بعد الجري",
    "cyrillic": "Почему щёлкает колено",
    "korean": "혈당을 재는 방법",
    "hindi": "घुटने का दर्द",
    "greek": "Πόνος στο γόνατο",
    "ukrainian": "Здоров’я дітей",
    "program": "getWindowText function",
    "c": "C",
    "c++": "C++",
    "cosine": "cos",
}


def _articles(*articles: Article) -> Batch:
    batch = Batch()
    for article in articles:
        batch.articles[article.id] = article
    return batch


def _ids(store: Store, text: str, limit: int = 20) -> list[str]:
    with store.reading() as connection:
        return [match.id for match in find(connection, text, limit=limit)]


def _how(store: Store, text: str) -> list[tuple[str, str]]:
    with store.reading() as connection:
        return [(match.id, match.how) for match in find(connection, text)]


@pytest.fixture
def site(store: Store) -> Store:
    store.apply(_articles(*(Article(id, title) for id, title in TITLES.items())))
    return store


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("knee click", "knee"),
        ("CLICK knee", "knee"),
        ("cli my kn", "knee"),
        ("creme bru", "creme"),
        ("CRÈME", "creme"),
        ("smorrebrod aeg", "smor"),
        ("流感疫", "vaccine"),
        ("疫苗", "vaccine"),
        ("苗", "vaccine"),
        ("指南", "vaccine"),
        ("血糖", "sugar"),
        ("ﾀｲﾐﾝｸﾞ", "sugar"),
        ("เบาหวาน", "thai"),
        ("الركبة", "arabic"),
        ("الركبه ألم", "arabic"),
        ("щелкает", "cyrillic"),
        ("КОЛЕНО поч", "cyrillic"),
        ("혈당", "korean"),
        ("방법 혈당을", "korean"),
        ("दर्द", "hindi"),
        ("πονος", "greek"),
        ("здоровʼя", "ukrainian"),
        ("getwindowt", "program"),
        ("text window", "program"),
        ("c++", "c++"),
        ("c", "c"),
    ],
)
def test_words_of_a_title_find_it_in_any_order_whatever_case_accents_and_script(
    site: Store, text: str, first: str
) -> None:
    """The last word may be a beginning."""
    assert _ids(site, text)[0] == first


def test_titles_that_begin_with_the_words_come_first_and_shorter_ones_before_longer(
    store: Store,
) -> None:
    store.apply(
        _articles(
            Article("1", "Old knee pain"),
            Article("2", "Knee pain after running far"),
            Article("3", "Knee pain"),
            Article("4", "Pain"),
            Article("5", "Pain: the knee"),
            Article("6", "Knees and painters"),
            Article("about-knee-pain", "Something else"),
        )
    )

    # Behind these, all words as beginnings; then what has the text in its id.
    assert _ids(store, "knee pain") == ["3", "2", "1", "5", "6"]
    assert _ids(store, "knee-pain") == ["3", "2", "1", "5", "6", "about-knee-pain"]


def test_all_is_found_until_the_limit_however_common_the_word(store: Store) -> None:
    """And the order is that of a scan of all titles."""
    drawn = random.Random(7)
    words = ["the", "how", "to", "knee", "pain", "theory", "a", "thing", "click"]
    articles = [
        Article(str(at), " ".join(drawn.choices(words, k=drawn.randint(1, 9)))) for at in range(400)
    ]
    store.apply(_articles(*articles))

    for text in ("the", "how to", "t", "knee pa", "the the", "thing theo"):
        *whole, last = text.split()
        wanted = [
            article
            for article in articles
            if set(whole) <= set(article.title.split())
            and any(word.startswith(last) for word in article.title.split())
        ]
        wanted.sort(key=lambda each: (not each.title.startswith(text), len(each.title)))

        lengths = [(not each.title.startswith(text), len(each.title)) for each in wanted][:25]
        titles = {article.id: article.title for article in articles}
        found = [titles[id] for id in _ids(store, text, 25)]

        assert [(not title.startswith(text), len(title)) for title in found[: len(lengths)]] == (
            lengths
        )


@pytest.mark.parametrize(
    "text",
    [
        "https://www.example.org/health/Knee.html",
        "http://example.org/health/Knee.html?utm_source=mail&fbclid=1#top",
        "example.org/health/Knee.html",
        "www.example.org/health/Knee",
        "//example.org/health/Knee.html",
        "/health/Knee.html",
        "https://m.example.org/health/knee.html",
        "https://example.org/amp/health/Knee.html",
    ],
)
def test_an_address_finds_its_article_however_it_is_written(store: Store, text: str) -> None:
    store.apply(
        _articles(
            Article("k", "Why?", url="https://example.org/health/Knee.html"),
            Article("h", "Hip", url="https://example.org/health/hip.html"),
            Article("o", "Other", url="https://elsewhere.com/health/Knee.html/more"),
        )
    )

    assert _how(store, text) == [("k", "address")]


def test_an_address_with_parameters_finds_the_article_that_they_name(store: Store) -> None:
    """Also where hundreds of articles have one path."""
    urls = [f"https://example.org/index.php?id={at}" for at in range(300)]
    store.apply(_articles(*(Article(f"a{at}", "T", url=url) for at, url in enumerate(urls))))

    assert _how(store, "http://example.org/index.php?utm_medium=x&id=177") == [("a177", "address")]


def test_an_id_that_is_a_path_is_found_by_the_address_of_its_page(store: Store) -> None:
    """Sites whose articles have no address."""
    store.apply(_articles(Article("2025/garlic", "Garlic"), Article("2025/leek", "Leek")))

    assert _how(store, "https://example.org/2025/garlic/index.html") == [("2025/garlic", "address")]
    assert _how(store, "2025/GARLIC") == [("2025/garlic", "id")]


def test_parts_of_ids_and_addresses_find_their_articles(store: Store) -> None:
    store.apply(
        _articles(
            Article("post-4711-b", "One", url="https://example.org/caf%C3%A9/knee_pain.html"),
            Article("post-4712-b", "Two", url="https://example.org/cafe/kneeXpain.html"),
            Article("100%", "Three"),
        )
    )

    assert _how(store, "t-4711") == [("post-4711-b", "part")]
    assert _how(store, "POST-4711-B") == [("post-4711-b", "id")]
    assert _how(store, "ee_pa") == [("post-4711-b", "part")]
    assert _how(store, "fé/knee") == [("post-4711-b", "part"), ("post-4712-b", "part")]
    assert _how(store, "0%") == [("100%", "part")]


def test_an_exact_id_comes_before_titles_that_have_its_words(store: Store) -> None:
    store.apply(_articles(Article("knee", "Joints"), Article("x", "Knee"), Article("y", "My knee")))

    assert _how(store, "knee") == [("knee", "id"), ("x", "title"), ("y", "title")]


def test_small_typos_find_what_was_meant_and_say_so(site: Store) -> None:
    assert _how(site, "diabtes melitus") == [("diabetes", "typo")]
    assert _how(site, "xiabetes") == [("diabetes", "typo")]
    assert _how(site, "diebet") == [("diabetes", "typo")]
    assert _how(site, "щелкоет") == [("cyrillic", "typo")]
    assert _how(site, "knee diabetes")[0][1] == "some"
    assert _how(site, "qqqqqqqq") == []


def test_stubs_and_sensitive_articles_are_found_and_marked(store: Store) -> None:
    stub = stub_for("What is gout?")
    grief = Article("s", "Grief", sensitive=True, category="mind", recommended=(stub.id,))
    store.apply(_articles(grief, stub))

    with store.reading() as connection:
        ((found,), (title,)) = find(connection, "grief"), find(connection, "gout")

    assert (found.sensitive, found.stub, found.category, found.url) == (True, False, "mind", None)
    assert (title.id, title.stub, title.how) == (stub.id, True, "title")


def test_what_is_typed_is_never_taken_for_a_query_of_the_engine(site: Store) -> None:
    for text in ("'", '"', "knee'", 'knee" OR "c', "NOT knee", "a:*", "(", "&|!", "\\", "%", "_",
                 "^knee", "=knee", "knee*", ":asked", "\x00", "\ud800", "流*", "x" * 9_000,
                 "https://[::1", "https://example.org:port/"):  # fmt: skip
        found = _ids(site, text)

        assert "hindi" not in found or text in ("%", "_")


def test_the_index_is_in_step_with_articles_that_come_change_and_go(store: Store) -> None:
    store.apply(
        _articles(Article("a", "Gout", url="https://example.org/gout"), Article("b", "Hip"))
    )
    store.apply(_articles(Article("a", "Arthritis", url="https://example.org/arthritis")))

    assert _ids(store, "gout") == []
    assert _ids(store, "https://example.org/gout") == []
    assert _ids(store, "arthri") == ["a"]

    store.remove(["a"])

    assert _ids(store, "arthritis") == []
    assert _ids(store, "https://example.org/arthritis") == []

    store.apply(_articles(Article("a", "Gout again")), full=True)

    assert (_ids(store, "gout"), _ids(store, "hip")) == (["a"], [])
    with store.reading() as connection:
        assert connection.scalar(sql.text("SELECT COUNT(*) FROM finding")) == 1


def test_an_import_that_is_undone_leaves_the_index_as_it_was(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.apply(_articles(Article("a", "Gout")))

    def fail(*_: object, **__: object) -> None:
        raise StoreError("full")

    monkeypatch.setattr("recommender.store.articles.note", fail)
    with pytest.raises(StoreError):
        store.apply(_articles(Article("a", "Hip"), Article("b", "Knee")))

    assert (_ids(store, "gout"), _ids(store, "hip"), _ids(store, "knee")) == (["a"], [], [])


def test_what_is_taken_out_of_the_index_leaves_nothing_behind(store: Store) -> None:
    """In SQLite the terms are handed over again to be deleted: after random changes the index
    gives what one that is made anew gives.
    """
    drawn = random.Random(3)
    for _ in range(30):
        batch = _articles(
            *(
                Article(f"a{at}", " ".join(drawn.choices(list(TITLES.values()), k=2)), url=f"/{at}")
                for at in drawn.sample(range(25), 5)
            )
        )
        store.apply(batch, full=drawn.random() < 0.1)
        store.remove([f"a{drawn.randrange(25)}"])
    texts = [word for title in TITLES.values() for word in words_of(title)]
    kept = [sorted(_ids(store, text, 100)) for text in texts]

    with store.transaction() as connection:
        connection.execute(sql.text("DELETE FROM finding"))
        if connection.dialect.name == "sqlite":
            connection.execute(
                sql.text("INSERT INTO finding_terms (finding_terms) VALUES ('delete-all')")
            )
        schema.rebuild(connection)

    assert [sorted(_ids(store, text, 100)) for text in texts] == kept
    assert any(kept)


def test_an_older_store_gets_its_index_when_it_is_opened_for_writing(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = schema.STEPS[: schema.STEPS.index(schema._finding)]
    monkeypatch.setattr("recommender.store.articles.renew", lambda *_: None)
    with monkeypatch.context() as older:
        older.setattr(schema, "STEPS", without)
        with Store(database) as store:
            store.apply(_articles(Article("a", "Gout", url="https://example.org/gout")))

    with pytest.raises(StoreError, match="brings it up to date"):
        Store(database, writing=False)
    with Store(database) as store:
        assert _ids(store, "gout") == ["a"]
    with Store(database, writing=False) as store:
        assert _ids(store, "example.org/gout") == ["a"]


def test_a_mistyped_id_or_title_has_proposals(site: Store) -> None:
    with site.reading() as connection:

        def proposed(text: str) -> list[str]:
            return [match.id for match in propose(connection, text)]

        assert proposed("knee_pain")[0] == "knee-pain"
        assert proposed("KNEE")[0] == "knee"
        assert proposed("diabets")[0] == "diabetes"
        assert proposed("https://example.org/knee-pain.html") == ["knee-pain"]
        assert proposed("Living with diabets")[0] == "diabetes"
        assert proposed("qqqqqqqqqqqq") == []


def test_what_the_index_holds_is_not_changed_without_a_step_of_the_schema() -> None:
    """SQLite takes out what it is handed: were these terms others than those that were put in,
    older stores would go on finding what is gone. Whoever changes them adds a step that makes the
    index anew, and then this digest.
    """
    urls = [None, "https://www.example.org/A/knee.html?b=2&utm_source=x", "/caf%C3%A9/", "x y"]
    held = [
        (title_terms(title), [(whole_terms(id, url), names_of(id, url)) for url in urls])
        for id, title in TITLES.items()
    ]

    assert hashlib.sha256(repr(held).encode()).hexdigest()[:16] == "964c9d4afc06ac5a"
