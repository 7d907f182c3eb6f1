"""TF-IDF of titles and bodies, by scikit-learn's conventions, and how a new text enters.

``idf = ln((1 + n) / (1 + df)) + 1``, sublinear term frequency ``1 + ln(tf)``, rows of length 1
(scikit-learn user guide, "Tf-idf term weighting"). A term of the title counts
``TITLE_BONUS`` more, because a title has in few words what its text is about, and two
neighbouring words of a title are a term of their own. Terms that a tenth of a large site has
weigh nothing; terms of one article alone count in the length of its row but find no neighbours,
so the matrix does not hold them.

``fit`` learns from the whole site; ``weigh`` is the one formula behind both the trained rows
and the row of a text that came in a minute ago.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from recommender.text.terms import fingerprint, segments, terms, without

# Measured on editors' own lists (benchmarks/README.md, "Text"): 2 to 5 are equally good, and
# better than counting the title three or eight times.
TITLE_BONUS = 3.0
# Not tuned: a pair's two words have bonuses of their own.
PAIR_BONUS = 1.0
# A title's words earn no bonus if this many titles have them: "what are the symptoms of" is the
# form of a question, not its subject. Small sites need the floor.
TEMPLATE_SHARE = 0.05
MIN_TEMPLATE = 5  # not tuned
# How far a long article is favoured over a short one where neither holds more than the other
# (pivoted length normalisation, Singhal et al., SIGIR 1996): stubs of pages sink.
PIVOT = 0.25
# Terms more common than this on a large site cost most of the time and change no list.
MAX_SHARE = 0.1
MIN_TOO_COMMON = 100  # not tuned
# Counts are kept in a byte: what is scored by them (BM25) grows by less than a hundredth beyond.
MAX_COUNT = 255
# A statement on fewer pages than this is a coincidence; sites below it have no boilerplate.
MIN_BOILERPLATE = 5


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """What the site's text has taught.

    ``vocabulary`` is sorted, ``idf`` is ``(n_terms,)``. The articles are a sparse matrix
    ``(n_articles, n_terms)`` in CSR form: ``indptr``, ``indices`` and ``weights``;
    ``counts`` is how often a term stands in its text, at most ``MAX_COUNT``;
    ``title_weights`` are the same rows with the titles' terms alone, ``flat_weights`` without any
    bonus for them. ``boilerplate`` holds fingerprints of statements that stand on many pages,
    ``template`` is true for terms of so many titles that they earn no bonus. ``lengths`` counts
    each article's terms; ``fullness`` is above 1 for articles of much content.
    """

    vocabulary: list[str]
    idf: np.ndarray
    indptr: np.ndarray
    indices: np.ndarray
    weights: np.ndarray
    counts: np.ndarray
    title_weights: np.ndarray
    flat_weights: np.ndarray
    boilerplate: np.ndarray
    template: np.ndarray
    lengths: np.ndarray
    fullness: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Terms of a block of articles: ``lengths`` is how many distinct ones each has; ``ids``
    index ``vocabulary``; ``tf`` counts title and body; ``bonus`` is what standing in the title
    adds, 0 for a term of the body alone.
    """

    vocabulary: list[str]
    lengths: np.ndarray
    ids: np.ndarray
    tf: np.ndarray
    bonus: np.ndarray


def weigh(tf: np.ndarray, bonus: np.ndarray, idf: np.ndarray) -> np.ndarray:
    """Weights of one text's distinct terms, not yet of length 1; all three are ``(n,)``."""
    return idf * (1 + np.log(tf) + bonus)


def counting(term: str, is_template: Callable[[str], bool]) -> bool:
    """Does a term have a weight at all? "how long" is as much a form as "how" is: a pair with such
    a word has none.
    """
    return " " not in term or not any(map(is_template, term.split(" ")))


def count(title: str, body: str, boilerplate: set[int]) -> tuple[Counter[str], dict[str, float]]:
    """How often each term stands in the text, and what the title's terms gain by it."""
    words = terms(title)
    pairs = [f"{first} {second}" for first, second in pairwise(words)]
    both = Counter(terms(without(body, boilerplate)))
    both.update(words)
    both.update(dict.fromkeys(pairs, 1))
    return both, {**dict.fromkeys(words, TITLE_BONUS), **dict.fromkeys(pairs, PAIR_BONUS)}


def count_block(titles: Sequence[str], bodies: Sequence[str], boilerplate: set[int]) -> Counts:
    """Count a block of articles; blocks are independent, so they can run anywhere."""
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    lengths: list[int] = []
    ids: list[int] = []
    tf: list[int] = []
    bonuses: list[float] = []
    for title, body in zip(titles, bodies, strict=True):
        both, bonus = count(title, body, boilerplate)
        lengths.append(len(both))
        ids.extend([numbers[term] for term in both])
        tf.extend(both.values())
        bonuses.extend([bonus.get(term, 0.0) for term in both])
    return Counts(
        list(numbers),
        np.array(lengths, dtype=np.int64),
        np.array(ids, dtype=np.int32),
        np.array(tf, dtype=np.int32),
        np.array(bonuses, dtype=np.float32),
    )


def find_boilerplate(bodies: Sequence[str]) -> np.ndarray:
    """Fingerprints, sorted, ``(n_found,)``, of statements on more pages than chance explains.

    The bar is the square root of the number of pages: 12 of 150, 128 of 16,000. What stands on
    that many pages is the site speaking, not the article.
    """
    bar = max(MIN_BOILERPLATE, int(len(bodies) ** 0.5))
    pages: Counter[int] = Counter()
    for body in bodies:
        pages.update({fingerprint(part) for part in segments(body)})
    found = [print_ for print_, n_pages in pages.items() if n_pages >= bar]
    return np.array(sorted(found), dtype=np.uint64)


def fit(blocks: Sequence[Counts], boilerplate: np.ndarray) -> Text:
    """Put the counted blocks together, in order, and weigh them."""
    vocabulary = sorted(set().union(*(block.vocabulary for block in blocks)))
    numbers = {term: number for number, term in enumerate(vocabulary)}
    ids = np.concatenate(
        [
            np.array([numbers[term] for term in block.vocabulary], dtype=np.int32)[block.ids]
            for block in blocks
        ]
    )
    tf = np.concatenate([block.tf for block in blocks])
    bonus = np.concatenate([block.bonus for block in blocks])
    lengths = np.concatenate([block.lengths for block in blocks])
    n = len(lengths)
    df = np.bincount(ids, minlength=len(vocabulary))
    # As scikit-learn's max_df: what nearly every article has does not count at all.
    common = df > max(MIN_TOO_COMMON, MAX_SHARE * n)
    idf = np.where(common, 0, np.log((1 + n) / (1 + df)) + 1).astype(np.float32)
    rows = np.repeat(np.arange(n), lengths)
    order = np.lexsort((ids, rows))
    ids, tf, bonus = ids[order], tf[order], bonus[order]
    in_title = bonus > 0
    title_df = np.bincount(ids[in_title], minlength=len(vocabulary))
    template = title_df > max(MIN_TEMPLATE, TEMPLATE_SHARE * n)
    for number, term in enumerate(vocabulary):
        if not counting(term, lambda word: bool(template[numbers[word]])):
            idf[number] = 0
    bonus = np.where(template[ids], 0, bonus)
    weights, norm = _unit(weigh(tf, bonus, idf[ids]), rows, n)
    title_weights, _ = _unit(idf[ids] * in_title, rows, n)
    flat_weights, _ = _unit(weigh(tf, np.zeros_like(bonus), idf[ids]), rows, n)
    mean = norm[norm > 0].mean() if norm.any() else 1.0
    kept = (df[ids] > 1) & (idf[ids] > 0)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows[kept], minlength=n))])
    return Text(
        vocabulary=vocabulary,
        idf=idf,
        indptr=indptr.astype(np.int64),
        indices=ids[kept],
        weights=weights[kept],
        counts=np.minimum(tf[kept], MAX_COUNT).astype(np.uint8),
        title_weights=title_weights[kept],
        flat_weights=flat_weights[kept],
        boilerplate=boilerplate,
        template=template,
        lengths=np.bincount(rows, weights=tf, minlength=n).astype(np.float32),
        fullness=(norm / (PIVOT * mean + (1 - PIVOT) * norm)).astype(np.float32),
    )


def _unit(weights: np.ndarray, rows: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Each row brought to length 1, and the lengths they had; a row of zeros stays one."""
    norm = np.sqrt(np.bincount(rows, weights=weights.astype(np.float64) ** 2, minlength=n))
    return (weights / np.where(norm > 0, norm, 1)[rows]).astype(np.float32), norm
