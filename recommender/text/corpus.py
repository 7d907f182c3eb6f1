"""What is known of the articles of a site before anybody has read them, and of pairs of them.

One row a pair, one column a signal: text, topic, category, tags, address. ``text_score`` is what
decides where nothing has been learned.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np

from recommender.array_fields import ByRow, Fixed, Heads, Keys, Numbers, Values
from recommender.articles.addresses import url_key
from recommender.articles.article import Article
from recommender.candidates import EMPTY, Candidates
from recommender.ragged import distinct
from recommender.text.freshness import freshness
from recommender.text.latent import latent
from recommender.text.loops import differences, overlaps, pair_dots, row_dots
from recommender.text.terms import terms
from recommender.text.tfidf import Text

# What likeness among topics adds to the likeness of texts: of .2 and .3, the better on eleven sites
# of one subject (benchmarks/README.md, "Text").
LATENT = 0.3

# Places among topics, and cosines of neighbours, have as many digits as they are kept with: the
# cosine of two topics is off by .002 (standard deviation), that of two texts by .00001.
TOPICS, COSINES = ByRow(), Fixed(1 / 32_768)

# By name, what each is of a pair.
SIGNALS = {
    "cosine": "how alike the texts are: cosine",
    "title_cosine": "how alike the titles are: cosine",
    "target_title_in_source": "how much of the target's title stands in the source's text",
    "source_title_in_target": "how much of the source's title stands in the target's text",
    "subject": "how alike the subjects of the titles are, as far as titles name them",
    "latent_cosine": "how alike the texts' topics are: cosine",
    "same_kind": "whether both titles are of one kind",
    "title_added": "terms of the target's title that the source's lacks",
    "title_dropped": "terms of the source's title that the target's lacks",
    "same_category": "whether both are of one category",
    "same_folder": "whether both addresses lie in one folder",
    "shared_tags": "tags in common over all tags of the two",
    "fullness": "how full the target's text is beside others",
    "target_words": "log of the words in the target's text",
    "target_title_words": "words in the target's title",
}
DECIDING = [
    list(SIGNALS).index(name)
    for name in ("cosine", "subject", "latent_cosine", "same_category", "shared_tags", "fullness")
]


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """The articles as arrays, row *i* for article *i*. ``near`` and ``near_cosine`` are their
    neighbours ``(n, k)``; ``tag_heads`` and ``tag`` their tags as sorted numbers, ``term_heads``
    and ``term`` the terms of their titles likewise; ``first_term`` and ``last_term`` those a
    title begins and ends with; ``folder`` the number of the folder their address lies in;
    ``picked`` the hand-picked pairs as sorted keys ``source * n + item``; ``published`` the day of
    each since 1970, NaN where unknown, and ``freshness`` what that is worth at the time of the
    build; ``kind`` the kind of its title and ``latent`` its place among topics,
    ``(n, n_directions)``; ``agreement``, ``(3,)``, is how far neighbours by text agree in category
    and in tags, and hand-picked lists with them. ``EMPTY`` is where there is none.
    """

    indptr: Annotated[np.ndarray, Heads("n_articles+1", of="n_entries")]
    indices: Annotated[np.ndarray, Numbers("n_entries", below="n_terms")]
    weights: Annotated[np.ndarray, Values("n_entries")]
    title_weights: Annotated[np.ndarray, Values("n_entries")]
    subject_weights: Annotated[np.ndarray, Values("n_entries")]
    kind: Annotated[np.ndarray, Numbers("n_articles", empty=True)]
    latent: Annotated[np.ndarray, Values("n_articles, n_directions"), TOPICS]
    fullness: Annotated[np.ndarray, Values("n_articles")]
    words: Annotated[np.ndarray, Values("n_articles")]
    title_words: Annotated[np.ndarray, Values("n_articles")]
    category: Annotated[np.ndarray, Numbers("n_articles", empty=True)]
    tag_heads: Annotated[np.ndarray, Heads("n_articles+1", of="n_tags")]
    tag: Annotated[np.ndarray, Numbers("n_tags")]
    term_heads: Annotated[np.ndarray, Heads("n_articles+1", of="n_in_titles")]
    term: Annotated[np.ndarray, Numbers("n_in_titles")]
    first_term: Annotated[np.ndarray, Numbers("n_articles", empty=True)]
    last_term: Annotated[np.ndarray, Numbers("n_articles", empty=True)]
    folder: Annotated[np.ndarray, Numbers("n_articles", empty=True)]
    picked: Annotated[np.ndarray, Keys("n_picked", pairs_of="n_articles")]
    published: Annotated[np.ndarray, Values("n_articles", missing=True)]
    freshness: Annotated[np.ndarray, Values("n_articles")]
    near: Annotated[np.ndarray, Numbers("n_articles, n_near", below="n_articles", empty=True)]
    near_cosine: Annotated[np.ndarray, Values("n_articles, n_near"), COSINES]
    agreement: Annotated[np.ndarray, Values("3")]

    @property
    def n_articles(self) -> int:
        """How many articles there are, stubs included."""
        return len(self.category)

    def cosine(self, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Cosine of the texts of each pair, ``(n_pairs,)``."""
        return pair_dots(self.indptr, self.indices, self.weights, sources, items)

    def overlaps(self, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
        """What texts and titles have in common, ``(n_pairs, 5)``, the first ``SIGNALS``."""
        matrix = self.indptr, self.indices, self.weights, self.title_weights, self.subject_weights
        return overlaps(*matrix, sources, items)

    def topic(self, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Cosine of the topics of each pair, ``(n_pairs,)``."""
        return row_dots(self.latent, sources, items)

    def shared_tags(self, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Jaccard overlap of the tags of each pair, ``(n_pairs,)``."""
        ones = np.ones(len(self.tag), dtype=np.float32)
        shared = pair_dots(self.tag_heads, self.tag, ones, sources, items)
        heads = self.tag_heads
        size, others = (heads[ends + 1] - heads[ends] for ends in (sources, items))
        either = size + others - shared
        return shared / np.maximum(either, 1)


def corpus_of(
    articles: Sequence[Article],
    text: Text,
    picked: Candidates,
    near: np.ndarray,
    near_cosine: np.ndarray,
    *,
    published: np.ndarray | None = None,
    now: float = 0.0,
    ageing: Collection[str] = (),
    topics: np.ndarray | None = None,
    seed: int = 0,
) -> Corpus:
    """Number categories, tags and the like, and put what is known without readers in one place;
    ``near`` and ``near_cosine`` are ``(n_articles, k)``, of ``neighbours``; ``published``,
    ``(n_articles,)``, and ``now`` are days since 1970. In categories that are ``ageing`` a newer
    article is preferred strongly, elsewhere mildly. Places among ``topics`` are worked out unless
    they are given, ``(n_articles, n_directions)``.
    """
    if topics is None:
        topics = latent(text, near, near_cosine, seed=seed)
    if published is None:
        published = np.full(len(articles), np.nan)
    of_news = np.array([article.category in ageing for article in articles], dtype=bool)
    titles = [article.title for article in articles]
    in_titles = [terms(title) for title in titles]
    tag_heads, tag = _sets([article.tags for article in articles])
    term_heads, term = _sets(in_titles)
    category = _numbers([article.category for article in articles])
    source, slot = np.nonzero(picked.used)
    listed = distinct(source.astype(np.int64) * len(titles) + picked.items[source, slot])
    return Corpus(
        indptr=text.indptr,
        indices=text.indices,
        weights=text.weights,
        title_weights=text.title_weights,
        subject_weights=text.subject_weights,
        kind=text.kind,
        latent=TOPICS.rounded(topics),
        fullness=text.fullness,
        words=text.lengths,
        title_words=np.array([len(title.split()) for title in titles], dtype=np.float32),
        category=category,
        tag_heads=tag_heads,
        tag=tag,
        term_heads=term_heads,
        term=term,
        first_term=_numbers([row[0] if row else None for row in in_titles]),
        last_term=_numbers([row[-1] if row else None for row in in_titles]),
        folder=_numbers([_folder(article.url) for article in articles]),
        picked=listed,
        published=published.astype(np.float32),
        freshness=freshness(published, now, of_news),
        near=near,
        near_cosine=COSINES.rounded(near_cosine),
        agreement=_agreements(near, category, tag_heads, tag, listed),
    )


@dataclass(frozen=True, eq=False)
class Links:
    """Links from ``sources`` to ``items``, int64, both ``(n_pairs,)``, and what texts say of them,
    each worked out once, whoever asks.
    """

    corpus: Corpus
    sources: np.ndarray
    items: np.ndarray

    @cached_property
    def overlaps(self) -> np.ndarray:
        """As ``Corpus.overlaps``, ``(n_pairs, 5)``."""
        return self.corpus.overlaps(self.sources, self.items)

    @cached_property
    def topic(self) -> np.ndarray:
        """As ``Corpus.topic``, ``(n_pairs,)``."""
        return self.corpus.topic(self.sources, self.items)

    @cached_property
    def signals(self) -> np.ndarray:
        """``(n_pairs, len(SIGNALS))``, float32."""
        corpus, sources, items = self.corpus, self.sources, self.items
        titles = differences(corpus.term_heads, corpus.term, sources, items)
        found = np.empty((len(items), len(SIGNALS)), dtype=np.float32)
        found[:, :5] = self.overlaps
        columns = (
            self.topic,
            _same(corpus.kind[sources], corpus.kind[items]),
            titles[:, 0],
            titles[:, 1],
            _same(corpus.category[sources], corpus.category[items]),
            _same(corpus.folder[sources], corpus.folder[items]),
            corpus.shared_tags(sources, items),
            corpus.fullness[items],
            np.log1p(corpus.words[items]),
            corpus.title_words[items],
        )
        for number, column in enumerate(columns, start=5):
            found[:, number] = column
        return found

    @cached_property
    def text_stages(self) -> list[np.ndarray]:
        """As ``text_stages``, ``(n_pairs,)`` each, of the signals that decide alone."""
        corpus, sources, items = self.corpus, self.sources, self.items
        same = _same(corpus.category[sources], corpus.category[items])
        columns = (
            self.overlaps[:, 0],
            self.overlaps[:, 4],
            self.topic,
            same.astype(np.float32),
            corpus.shared_tags(sources, items).astype(np.float32),
            corpus.fullness[items],
        )
        return _stages(corpus, columns, items)

    @property
    def text_score(self) -> np.ndarray:
        """As ``text_score``, ``(n_pairs,)``."""
        return self.text_stages[-1]


def signals(corpus: Corpus, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
    """The signals of pairs, ``(n_pairs, len(SIGNALS))``, float32."""
    return Links(corpus, sources, items).signals


def text_score(corpus: Corpus, seen: np.ndarray, items: np.ndarray) -> np.ndarray:
    """What decides before there are clicks, ``(n_pairs,)``, from signals (the first columns of
    ``seen``, ``(n_pairs, n_columns)``) of pairs with the targets ``items``: how alike texts,
    subjects and topics are, more so in one category and under the same tags, as far as those agree
    with the texts, and if the target is full and new.
    """
    return text_stages(corpus, seen, items)[-1]


def text_stages(corpus: Corpus, seen: np.ndarray, items: np.ndarray) -> list[np.ndarray]:
    """How ``text_score`` comes about, ``(n_pairs,)`` each: of texts alone, with categories and
    tags, and with what the target is.
    """
    return _stages(corpus, [seen[:, column] for column in DECIDING], items)


def _stages(corpus: Corpus, deciding: Sequence[np.ndarray], items: np.ndarray) -> list[np.ndarray]:
    """The same of the signals ``DECIDING``, ``(n_pairs,)`` each."""
    cosine, subject, topic, same, tags, full = deciding
    of_category, of_tags, _ = corpus.agreement
    alike = cosine + subject + LATENT * np.maximum(topic, 0)
    given = alike * (1 + of_category * same + of_tags * tags)
    return [alike, given, given * full * corpus.freshness[items]]


def _agreements(
    near: np.ndarray,
    category: np.ndarray,
    tag_heads: np.ndarray,
    tag: np.ndarray,
    listed: np.ndarray,
) -> np.ndarray:
    """How far neighbours by text agree in category and in tags, and hand-picked links (``listed``,
    sorted keys ``source * n + item``) are neighbours at all, ``(3,)``: from 0 for no more than any
    two articles to 1 for always (Cohen's kappa), the first two of the nearest ten.
    """
    sources, slots = np.nonzero(near[:, :10] != EMPTY)
    items, n = near[sources, slots].astype(np.int64), len(near)
    # Any two articles: the neighbours of somebody else.
    others = (sources + n // 2) % n
    ones = np.ones(len(tag), dtype=np.float32)

    def of_tags(sources: np.ndarray) -> np.ndarray:
        return pair_dots(tag_heads, tag, ones, sources, items) > 0

    at, item = np.divmod(listed, n)
    is_near = (near[at] == item[:, None]).any(axis=1)
    # Of any other page of as many neighbours so many would be.
    by_chance = (near[at] != EMPTY).sum(axis=1) / max(n - 1, 1)
    same = _same(category[sources], category[items]), _same(category[others], category[items])
    shared = of_tags(sources), of_tags(others)
    pairs = same, shared, (is_near, by_chance)
    return np.array([_kappa(*each) for each in pairs], dtype=np.float32)


def _kappa(agree: np.ndarray, by_chance: np.ndarray) -> float:
    """Agreement beyond chance over what there is to gain."""
    if len(agree) == 0:
        return 0.0
    chance = float(by_chance.mean())
    return max(0.0, (float(agree.mean()) - chance) / max(1 - chance, 1e-9))


def _same(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return (left == right) & (left != EMPTY)


def _numbers(names: Sequence[str | None]) -> np.ndarray:
    """The number of each name in their order, ``EMPTY`` for none, ``(n,)``."""
    number = {name: at for at, name in enumerate(sorted({name for name in names if name}))}
    return np.array([number.get(name or "", EMPTY) for name in names], dtype=np.int32)


def _sets(rows: Sequence[Sequence[str]]) -> tuple[np.ndarray, np.ndarray]:
    """Sets of names in CSR form: heads, and the numbers of the names, sorted within each set."""
    number = {name: at for at, name in enumerate(sorted({name for row in rows for name in row}))}
    numbers = [sorted({number[name] for name in row}) for row in rows]
    values = np.array([value for row in numbers for value in row], dtype=np.int32)
    return np.cumsum([0, *map(len, numbers)]).astype(np.int64), values


def _folder(url: str | None) -> str:
    """The folder that an address lies in, empty without an address."""
    return url_key(url).partition("?")[0].rpartition("/")[0] if url else ""
