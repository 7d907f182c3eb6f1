"""TF-IDF is scikit-learn's, titles aside, and a new text enters as a trained one."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array
from sites import built, random_articles
from sklearn.feature_extraction.text import TfidfVectorizer

from recommender.articles.article import Article
from recommender.text import tfidf
from recommender.text.terms import fingerprint, is_run, terms
from recommender.text.tfidf import Text, count_block, find_boilerplate, fit
from recommender.training.work import Work

NOTHING = np.zeros(0, dtype=np.uint64)
ARTICLES = random_articles(90, seed=5)
TITLES = [article.title for article in ARTICLES]
BODIES = [article.body for article in ARTICLES]


def fitted(titles: Sequence[str], bodies: Sequence[str], *, block: int = 10**6) -> Text:
    """The text of a site, counted in blocks."""
    boilerplate = find_boilerplate(bodies)
    known = set(boilerplate.tolist())
    starts = range(0, len(titles), block)
    counted = [count_block(titles[s : s + block], bodies[s : s + block], known) for s in starts]
    return fit(counted, titles, boilerplate)


def dense(text: Text, weights: np.ndarray | None = None) -> np.ndarray:
    """The articles' rows, ``(n_articles, n_terms)``."""
    values = text.weights if weights is None else weights
    shape = len(text.indptr) - 1, len(text.vocabulary)
    return csr_array((values, text.indices, text.indptr), shape=shape).toarray()


def weight_of(text: Text, row: int, term: str, weights: np.ndarray | None = None) -> float:
    return float(dense(text, weights)[row, text.vocabulary.index(term)])


def test_without_titles_it_is_scikit_learns():
    """Vocabulary, idf and weights; terms of one article alone count in the length only."""
    vectorizer = TfidfVectorizer(analyzer=terms, sublinear_tf=True)
    expected = vectorizer.fit_transform(BODIES).toarray()
    shared = (expected > 0).sum(axis=0) > 1

    text = fitted([""] * len(BODIES), BODIES)

    assert text.vocabulary == vectorizer.get_feature_names_out().tolist()
    np.testing.assert_allclose(text.idf, vectorizer.idf_, rtol=1e-6)
    np.testing.assert_allclose(dense(text), expected * shared, atol=1e-6)


def test_titles_are_text_and_pairs_of_words(monkeypatch: pytest.MonkeyPatch):
    """A title is counted as text, and its neighbouring words are terms of their own."""
    monkeypatch.setattr(tfidf, "NUMBER", 1.0)
    monkeypatch.setattr(tfidf, "TITLE_BONUS", 0.0)

    def analyzer(number: int) -> list[str]:
        words = terms(TITLES[number])
        pairs = {f"{first} {second}" for first, second in pairwise(words)}
        return [*words, *terms(BODIES[number]), *pairs]

    expected = TfidfVectorizer(analyzer=analyzer, sublinear_tf=True)
    rows = expected.fit_transform(range(len(TITLES))).toarray()

    text = fitted(TITLES, BODIES)

    np.testing.assert_allclose(dense(text), rows * ((rows > 0).sum(axis=0) > 1), atol=1e-6)


@pytest.mark.parametrize("block", [1, 7, 89])
def test_blocks_make_no_difference(block: int):
    """Counted in blocks, even of one article, the text is the same to the byte."""
    whole, pieces = fitted(TITLES, BODIES), fitted(TITLES, BODIES, block=block)

    for name in Text.__slots__:
        assert np.array_equal(getattr(whole, name), getattr(pieces, name)), name


def test_a_word_of_the_title_weighs_more():
    """By ``TITLE_BONUS``, however often it stands there; a word of title and text counts both."""
    text = fitted(["knee", "salt"], ["pain pain", "knee pain"])

    knee, pain = (float(text.idf[text.vocabulary.index(term)]) for term in ("knee", "pain"))
    weights = np.array([knee * (1 + tfidf.TITLE_BONUS), pain * (1 + np.log(2))])
    expected = weights / np.sqrt((weights**2).sum())
    assert weight_of(text, 0, "knee") == pytest.approx(expected[0])
    assert weight_of(text, 0, "pain") == pytest.approx(expected[1])
    assert weight_of(text, 1, "knee", text.title_weights) == 0


def test_a_title_alludes_to_its_subject_and_a_form_names_it():
    """Subjects are the titles' words by idf, without pairs, bare numbers and words of a form; the
    square of their length is ``ALLUDED``, of titles of a kind ``NAMED``.
    """
    asked = [f"What {verb} {name}" for verb in ("causes", "heals") for name in "abcdefgh"]
    titles = [*asked, "Part 2 of salt", "Salt"]

    text = fitted(titles, ["a b c d e f g h salt 2"] * len(titles))

    subject = dense(text, text.subject_weights)
    named = {term for at, term in enumerate(text.vocabulary) if subject[:, at].any()}
    assert named == {*"bcdefgh", "salt"}  # "a" is an article, "part" stands in one text alone
    assert set(text.kind[:-2].tolist()) == {0, 1}
    assert (subject[1:8] ** 2).sum(axis=1) == pytest.approx(tfidf.NAMED)
    assert (subject[-1] ** 2).sum() == pytest.approx(tfidf.ALLUDED)
    full = dense(text, text.title_weights)
    assert full[1, text.vocabulary.index("causes")] > 0


def test_a_bare_number_has_half_the_weight_of_a_word():
    """Whether it was there at the training or is new; in a name or a pair it is part of a word."""
    text = fitted(["Part 2", "Part b12"], ["salt 2", "salt b12"])

    idf = dict(zip(text.vocabulary, text.idf.tolist(), strict=True))
    assert idf["2"] == pytest.approx(idf["b12"] * tfidf.NUMBER)
    assert idf["part 2"] == idf["part b12"]


def test_rows_with_subjects_multiply_to_cosine_and_subject():
    """What neighbours are looked for by is the sum of both."""
    text = fitted(TITLES, BODIES)

    indptr, indices, weights = tfidf.with_subjects(text)

    whole = csr_array((weights, indices, indptr), shape=(len(TITLES), 2 * len(text.idf))).toarray()
    texts, subjects = dense(text), dense(text, text.subject_weights)
    np.testing.assert_allclose(whole @ whole.T, texts @ texts.T + subjects @ subjects.T, atol=1e-6)


def test_boilerplate_is_not_counted():
    """A statement on many pages is the site speaking; one on few is the article's own."""
    bodies = [f"own{number} text{number}. Call your doctor today!" for number in range(12)]
    bodies[0] += " Rarely said."
    bodies[1] += " Rarely said."

    text = fitted([""] * 12, bodies)

    assert text.boilerplate.tolist() == [fingerprint("Call your doctor today!")]
    assert "doctor" not in text.vocabulary
    assert weight_of(text, 0, "rarely") > 0


def test_a_statement_twice_on_a_page_counts_as_one_page():
    """Four pages are a coincidence, however often each says it."""
    bodies = ["Rest. " * 9] * 4 + ["Walk."] * 6

    assert find_boilerplate(bodies).tolist() == [fingerprint("Walk.")]


def test_the_bar_for_boilerplate_rises_with_the_site():
    """The square root of the number of pages: 9 of 100 are none, 10 are."""
    bodies = [f"page {number}. {'Nine.' if number < 9 else ''} Ten." for number in range(10)]
    bodies += [f"page {number}." for number in range(10, 100)]

    assert find_boilerplate(bodies).tolist() == [fingerprint("Ten.")]


def test_an_empty_article_has_an_empty_row():
    """No NaN, no neighbour: an article may have neither words in its title nor a text."""
    text = fitted(["?", "knee", "knee"], ["", "pain", "pain"])

    assert text.indptr.tolist() == [0, 0, 2, 4]
    assert np.isfinite(text.weights).all()
    assert text.fullness[0] == 0
    assert text.lengths.tolist() == [0, 2, 2]


def test_a_long_article_is_fuller_than_a_stub_of_one():
    """More to say, above 1; hardly anything, below; both within bounds."""
    long = " ".join(f"w{number}" for number in range(300))

    text = fitted([""] * 3, [long, "w1 w2", "w1 w2 w3 w4"])

    assert text.fullness[0] > 1 > text.fullness[2] > text.fullness[1] > 0
    assert text.fullness[0] < 1 / (1 - tfidf.PIVOT)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory):
    """A bundle of articles with boilerplate and titles that share a form."""
    articles = [
        Article(
            id=article.id,
            # Two questions about each of 65 things.
            title=f"{('What are the symptoms of', 'What causes')[number % 2]} t{number // 2}",
            body=f"{article.body}\nCall your doctor today.\nتعب Müsli 流感疫苗 2.5mg w{number}",
            teaser=article.teaser,
        )
        for number, article in enumerate(random_articles(130, seed=8))
    ]
    articles += [Article(id="stub:1", title="w1x3 and w1x4", teaser="w1x3 c4 c5", stub=True)]
    articles.sort(key=lambda article: article.id)
    return articles, built(tmp_path_factory.mktemp("site"), articles)


def test_a_new_text_is_seen_exactly_as_a_trained_one(site):
    """The cosines of a stored article's words are those of its trained row."""
    articles, bundle = site
    n = len(articles)
    assert len(bundle.lists.texts.boilerplate) == 1
    assert bundle.lists.texts.forms.kinds

    for row in range(0, n, 7):
        found = bundle.lists.texts.vector(articles[row].title, articles[row].text)

        trained = bundle.site.overlaps(np.full(n, row), np.arange(n))
        np.testing.assert_allclose(found.cosines, trained[:, 0], atol=1e-5)
        np.testing.assert_allclose(found.subjects, trained[:, 4], atol=1e-5)


# Two short articles on each of four subjects, whose words stand in other forms, or within others.
FORMS = {
    "Finnish": (
        ("Omenapuun leikkaaminen", "Omenapuu leikataan keväällä."),
        ("Omenapuita pihalla", "Omenapuissa käy mehiläisiä."),
        ("Polkupyörän huolto", "Polkupyörä pestään ja öljytään."),
        ("Polkupyörällä töihin", "Polkupyöriä saa ottaa junaan."),
        ("Passin hakeminen", "Passia haetaan poliisilta."),
        ("Passikuva", "Passeissa on tarkka kuva."),
        ("Kahvin paahtaminen", "Kahvia paahdetaan tummaksi."),
        ("Kahvinkeitin", "Kahvinkeittimessä on suodatin."),
    ),
    "Hungarian": (
        ("Almafák metszése", "Az almafákat tavasszal metszik."),
        ("Almafáról szedve", "Almafán érik meg legjobban."),
        ("Kerékpárok karbantartása", "A kerékpárokat évente olajozzuk."),
        ("Kerékpárral munkába", "Kerékpáron gyorsabb az út."),
        ("Útlevelet kérni", "Az útlevelet személyesen kérik."),
        ("Útlevélkép", "Az útlevélben friss fénykép van."),
        ("Kávépörkölés otthon", "Kávét serpenyőben is lehet."),
        ("Kávéfőző tisztítása", "A kávéfőzőt ecettel mossuk."),
    ),
    "Korean": (
        ("사과나무의 가지치기", "사과나무는 봄에 자릅니다."),
        ("사과나무가 있는 마당", "사과나무에서 벌이 날아요."),
        ("자전거를 고치기", "자전거는 기름이 필요해요."),
        ("자전거로 출근하기", "자전거가 제일 빠릅니다."),
        ("여권을 신청하기", "여권은 구청에서 만들어요."),
        ("여권의 사진", "여권에 붙이는 사진입니다."),
        ("커피를 볶는 법", "커피는 진하게 볶아요."),
        ("커피의 향기", "커피가 식으면 쓴맛이 납니다."),
    ),
    "German": (
        ("Apfelbäume schneiden", "Ein Apfelbaum wird im März geschnitten."),
        ("Apfelbaumblüte", "Bienen fliegen zu Apfelbäumen."),
        ("Fahrradpflege", "Ketten von Fahrrädern werden geölt."),
        ("Fahrradfahren im Winter", "Fahrräder brauchen Licht."),
        ("Reisepass beantragen", "Reisepässe gibt es im Rathaus."),
        ("Reisepassfotos", "Das Foto des Reisepasses zeigt das Gesicht."),
        ("Kaffeebohnen rösten", "Kaffee wird dunkel geröstet."),
        ("Kaffeemaschinen", "Entkalken hilft der Kaffeemaschine."),
    ),
}


@pytest.mark.parametrize("language", FORMS)
def test_short_texts_find_their_like_whatever_form_its_words_have(language: str, tmp_path: Path):
    """By runs of letters; a new text is seen as a trained one there too."""
    articles = [Article(f"a{at}", *text) for at, text in enumerate(FORMS[language])]
    bundle = built(tmp_path, articles)

    first = [bundle.related(article.id)[0] for article in articles]

    assert bundle.lists.texts.with_runs
    assert [link.id for link in first] == [f"a{at ^ 1}" for at in range(len(articles))]
    assert {link.origin for link in first} == {"text"}
    for row, article in enumerate(articles):
        found = bundle.lists.texts.vector(article.title, article.body).cosines
        trained = bundle.site.overlaps(np.full(len(articles), row), np.arange(len(articles)))
        np.testing.assert_allclose(found, trained[:, 0], atol=1e-5)


def test_texts_in_english_have_no_runs():
    """Not even on a site that has them; a site of English and a few names has none at all."""
    english = "How to prune an apple tree", "The branches are cut when it is cold."
    finnish = "Omenapuun leikkaaminen", "Omenapuu leikataan keväällä."

    counted = [tfidf.count(*text, set(), with_runs=True)[0].keys() for text in (english, finnish)]

    assert not any(map(is_run, counted[0]))
    assert any(map(is_run, counted[1]))
    assert tfidf.needs_runs(*zip(english, finnish, strict=True))
    assert not tfidf.needs_runs(*zip(*[english] * 99, ("Ånge", ""), strict=True))
    assert not tfidf.needs_runs((), ())


def test_counts_are_kept_with_a_text(site):
    """As often as each term stands in title and body, entry by entry."""
    articles, bundle = site
    texts, matrix = bundle.lists.texts, bundle.site
    boilerplate = set(texts.boilerplate.tolist())

    checked = 0
    for row, article in enumerate(articles):
        counts, _ = tfidf.count(article.title, article.text, boilerplate, with_runs=texts.with_runs)
        for entry in range(matrix.indptr[row], matrix.indptr[row + 1]):
            term = texts.vocabulary.column[int(matrix.indices[entry])]
            assert bundle.term_counts[entry] == counts[term]
            checked += 1
    assert checked > 1000


def test_a_count_ends_where_its_two_bytes_do():
    """What stands more often is counted as so often."""
    titles, most = ["a", "b"], tfidf.MAX_COUNT
    blocks = [tfidf.count_block(titles, ["knee " * (most + 9), "knee " * most], set())]

    text = tfidf.fit(blocks, titles, np.zeros(0, dtype=np.uint64))

    assert text.counts.tolist() == [most, most]


def test_a_stub_is_seen_by_its_teaser(site):
    """A title without a page has the beginning of its text, and is compared by it."""
    articles, bundle = site
    n = len(articles)

    found = bundle.lists.texts.vector(articles[-1].title, articles[-1].teaser).cosines

    np.testing.assert_allclose(
        found, bundle.site.cosine(np.full(n, n - 1), np.arange(n)), atol=1e-5
    )
    assert found[:-1].max() > 0


def test_unknown_words_make_a_text_less_alike(site):
    """They match nothing, but they are part of what the text says."""
    _, bundle = site

    plain = bundle.lists.texts.vector("w1x3 w1x4", "").cosines
    diluted = bundle.lists.texts.vector("w1x3 w1x4", "zebra quagga okapi").cosines

    assert (diluted[plain > 0] < plain[plain > 0]).all()
    assert bundle.lists.texts.vector("zebra", "quagga").cosines.max() == 0
    assert bundle.lists.texts.vector("", "").cosines.max() == 0


@pytest.mark.slow
def test_a_build_reads_blocks_in_several_processes_alike(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """Two processes, blocks of forty: the same lists as one process and one block."""
    from recommender.progress import Silent
    from recommender.training import pipeline

    one = pipeline.read_text(ARTICLES, Work(jobs=1), progress=Silent())
    monkeypatch.setattr(pipeline, "COUNT_BLOCK", 40)

    two = pipeline.read_text(ARTICLES, Work(jobs=2), progress=Silent())

    for name in Text.__slots__:
        assert np.array_equal(getattr(one, name), getattr(two, name)), name
