"""TF-IDF of titles and bodies, by scikit-learn's conventions, and how a new text enters.

``idf = ln((1 + n) / (1 + df)) + 1``, sublinear term frequency ``1 + ln(tf)``, rows of length 1
(scikit-learn user guide, "Tf-idf term weighting"). A title is counted as text and a little more,
and two neighbouring words of it are a term of their own. On sites that are not in English alone,
runs of letters are terms too, of the title and the beginning of each text that is not. Beside each
text stands the subject of its title: the words that are not of a form (``titles``), weighed by idf
alone. Terms of one article alone count in the length of its row but find no neighbours, so the
matrix does not hold them.

``fit`` learns from the whole site; ``weigh`` is the one formula behind both the trained rows
and the row of a text that came in a minute ago.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from recommender.candidates import EMPTY
from recommender.text.terms import (
    FUNCTION_WORDS,
    fingerprint,
    is_english,
    is_run,
    runs,
    segments,
    terms,
    without,
    words,
)
from recommender.text.titles import Forms, forms_of

# How much of a link's score the likeness of the titles' subjects is, beside the likeness of the
# texts: a title of a known kind names its subject, another may only allude to it
# (benchmarks/README.md, "Text").
NAMED, ALLUDED = 0.5, 0.15
# Two titles that name their subjects are about one thing if half of what they name is the same,
# whatever their texts have in common. Not tuned.
SAME_SUBJECT = NAMED / 2
# What standing in the title adds to 1 + ln(tf). None, .5 and 1 are equally good on eleven sites of
# one subject; the more, the better on sites whose titles name their subject, and the worse where
# they do not (benchmarks/README.md, "Text").
TITLE_BONUS = 0.5
# Of the weight of a word, what a bare number weighs: "2" is as rare as a name on a small site, but
# part 2 of a course has nothing in common with two tips. On eleven sites of one subject none, half
# and all are equally good.
NUMBER = 0.5
# Of the weight of a word, what a run of letters weighs. A run that no other article has weighs
# nothing: it says as much of a language's forms as of a subject (benchmarks/README.md, "Text").
RUN_WEIGHT = 0.6
# Words from which runs are taken, and characters in which they are looked for: long texts have
# enough words in common, and it bounds the work.
N_WITH_RUNS, RUNS_IN = 60, 1_000
# A site has runs if so many of its texts show another language than English by their letters: on a
# site in English, the few others are names and tables. Not tuned.
OTHERS = 0.02
# How far a long article is favoured over a short one where neither holds more than the other
# (pivoted length normalisation, Singhal et al., SIGIR 1996): stubs of pages sink.
PIVOT = 0.25
# Counts are kept in two bytes: a term that stands more often weighs as if it stood so often.
MAX_COUNT = 65_535
# A statement on fewer pages than this is a coincidence; sites below it have no boilerplate.
MIN_BOILERPLATE = 5


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """What the site's text has taught.

    ``vocabulary`` is sorted, ``idf`` is ``(n_terms,)``. The articles are a sparse matrix
    ``(n_articles, n_terms)`` in CSR form: ``indptr``, ``indices`` and ``weights``;
    ``counts`` is how often a term stands in its text, at most ``MAX_COUNT``;
    ``title_weights`` are the same rows with the titles' terms alone, ``subject_weights`` with the
    titles' subjects, of a length whose square is ``NAMED`` or ``ALLUDED``. ``forms`` are the forms
    of titles and ``kind`` the kind of each, ``(n_articles,)``, ``EMPTY`` for none. ``boilerplate``
    holds fingerprints of statements that stand on many pages; ``with_runs`` is true if runs of
    letters are terms. ``lengths`` counts each article's
    terms; ``fullness`` is above 1 for articles of much content. ``norms`` are the lengths that the
    rows of texts, titles and subjects had before they were brought to 1, ``(n_articles, 3)``; those
    of nothing are 1.
    """

    vocabulary: list[str]
    idf: np.ndarray
    indptr: np.ndarray
    indices: np.ndarray
    weights: np.ndarray
    counts: np.ndarray
    title_weights: np.ndarray
    subject_weights: np.ndarray
    forms: Forms
    kind: np.ndarray
    boilerplate: np.ndarray
    with_runs: bool
    lengths: np.ndarray
    fullness: np.ndarray
    norms: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Terms of a block of articles: ``vocabulary`` is sorted, a term a line; ``lengths`` is how
    many distinct ones each article has; ``ids`` number the vocabulary, ascending within an article;
    ``tf`` counts title and body; ``in_title`` is true of terms of the title.
    """

    vocabulary: str
    lengths: np.ndarray
    ids: np.ndarray
    tf: np.ndarray
    in_title: np.ndarray

    @property
    def terms(self) -> list[str]:
        """The vocabulary, term by term."""
        return self.vocabulary.split("\n") if self.vocabulary else []

    @property
    def n_terms(self) -> int:
        """How many terms the vocabulary has."""
        return self.vocabulary.count("\n") + 1 if self.vocabulary else 0


def weigh(tf: np.ndarray, in_title: np.ndarray, idf: np.ndarray) -> np.ndarray:
    """Weights of one text's distinct terms, not yet of length 1; all are ``(n,)``."""
    return idf * (1 + np.log(tf) + TITLE_BONUS * in_title)


def is_subject(term: str, forms: Mapping[str, int]) -> bool:
    """Is a title about this term? A pair says nothing that its words do not, and a bare number
    nothing at all: part 2 of a course has it in common with two tips for the garden.
    """
    return term not in forms and " " not in term and not (is_number(term) or is_run(term))


def is_number(term: str) -> bool:
    """Is a term a bare number?"""
    return term[0].isdecimal() and " " not in term


def weight_of(term: str) -> float:
    """What a term of its kind weighs, of the weight of a word."""
    return NUMBER if is_number(term) else RUN_WEIGHT if is_run(term) else 1.0


def unseen(term: str, n_articles: int) -> float:
    """The idf of a term that none of so many articles has: it matches nothing but has its weight,
    unless it is a run.
    """
    return 0.0 if is_run(term) else (float(np.log(1 + n_articles)) + 1) * weight_of(term)


def naming(kind: int) -> float:
    """How far a title of this ``kind`` names its subject."""
    return ALLUDED if kind == EMPTY else NAMED


def needs_runs(titles: Sequence[str], bodies: Sequence[str]) -> bool:
    """Is a share of a site's texts, ``OTHERS`` or more, in another language than English?"""
    n = sum(
        not (title.isascii() and body[:RUNS_IN].isascii())
        and any(not letter.isascii() and letter.isalpha() for letter in title + body[:RUNS_IN])
        and not is_english(_beginning(title, body))
        for title, body in zip(titles, bodies, strict=True)
    )
    return n > 0 and n >= OTHERS * len(titles)


def _beginning(title: str, body: str) -> list[str]:
    return words(f"{title}\n{body[:RUNS_IN]}")[:N_WITH_RUNS]


def count(
    title: str, body: str, boilerplate: set[int], *, with_runs: bool = False
) -> tuple[Counter[str], set[str]]:
    """How often each term stands in the text, and which of them stand in the title; with its runs
    of letters, if it is not in English.
    """
    named, body = terms(title), without(body, boilerplate)
    pairs = [f"{first} {second}" for first, second in pairwise(named)]
    both = Counter(terms(body))
    both.update(named)
    both.update(dict.fromkeys(pairs, 1))
    in_title = {*named, *pairs}
    if with_runs and (of_letters := runs_of(title, body)):
        both.update(of_letters)
        in_title.update(each for each in runs(named) if each in both)
    return both, in_title


def runs_of(title: str, body: str) -> list[str]:
    """The runs of letters that are counted of a text, none if it is in English."""
    beginning = _beginning(title, body)
    if is_english(beginning):
        return []
    return runs(word for word in beginning if word not in FUNCTION_WORDS)


def count_block(
    titles: Sequence[str],
    bodies: Sequence[str],
    boilerplate: set[int],
    *,
    with_runs: bool = False,
) -> Counts:
    """Count a block of articles; blocks are independent, so they can run anywhere."""
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    lengths: list[int] = []
    ids: list[int] = []
    tf: list[int] = []
    in_titles: list[bool] = []
    for title, body in zip(titles, bodies, strict=True):
        both, in_title = count(title, body, boilerplate, with_runs=with_runs)
        lengths.append(len(both))
        ids.extend([numbers[term] for term in both])
        tf.extend(both.values())
        in_titles.extend([term in in_title for term in both])
    vocabulary = sorted(numbers)
    place = np.empty(len(vocabulary), dtype=np.int32)
    place[[numbers[term] for term in vocabulary]] = np.arange(len(vocabulary), dtype=np.int32)
    sorted_ids = place[np.array(ids, dtype=np.int32)]
    order = np.lexsort((sorted_ids, np.repeat(np.arange(len(lengths)), lengths)))
    return Counts(
        "\n".join(vocabulary),
        np.array(lengths, dtype=np.int64),
        sorted_ids[order],
        narrow(np.array(tf, dtype=np.int32)[order]),
        np.array(in_titles, dtype=bool)[order],
    )


def narrow(values: np.ndarray) -> np.ndarray:
    """Numbers from 0 on in as few bytes as hold them."""
    return values.astype(np.min_scalar_type(int(values.max(initial=0))))


def boilerplate_bar(n_articles: int) -> int:
    """On how many pages a statement is boilerplate."""
    return max(MIN_BOILERPLATE, int(n_articles**0.5))


def find_boilerplate(bodies: Sequence[str]) -> np.ndarray:
    """Fingerprints, sorted, ``(n_found,)``, of statements on more pages than chance explains.

    The bar is the square root of the number of pages: 12 of 150, 128 of 16,000. What stands on
    that many pages is the site speaking, not the article.
    """
    bar = boilerplate_bar(len(bodies))
    pages: Counter[int] = Counter()
    for body in bodies:
        pages.update({fingerprint(part) for part in segments(body)})
    found = [print_ for print_, n_pages in pages.items() if n_pages >= bar]
    return np.array(sorted(found), dtype=np.uint64)


def fit(
    blocks: Sequence[Counts],
    titles: Sequence[str],
    boilerplate: np.ndarray,
    *,
    with_runs: bool = False,
    known_idf: Mapping[str, float] | None = None,
    forms: Forms | None = None,
    kind: np.ndarray | None = None,
) -> Text:
    """Put the counted blocks together, in order, and weigh them; ``titles`` are those of all, and
    they were counted ``with_runs`` or without. Terms of ``known_idf`` have that idf. ``forms`` of
    titles and the ``kind`` of each are looked for unless they are given.
    """
    known = [block.terms for block in blocks]
    vocabulary = sorted(set().union(*known))
    numbers = {term: number for number, term in enumerate(vocabulary)}
    # Places of a block's terms in the vocabulary: both are sorted, so that rows stay so.
    places = [np.array([numbers[term] for term in terms_], dtype=np.int32) for terms_ in known]
    del known, numbers
    n = sum(len(block.lengths) for block in blocks)
    df = np.zeros(len(vocabulary), dtype=np.int64)
    for block, place in zip(blocks, places, strict=True):
        df[place] += np.bincount(block.ids, minlength=len(place))
    idf = idf_of(vocabulary, df, n)
    if known_idf is not None:
        now = zip(vocabulary, idf.tolist(), strict=True)
        idf = np.array([known_idf.get(term, value) for term, value in now], dtype=np.float32)
    of_runs = np.array([is_run(term) for term in vocabulary], dtype=bool)
    if forms is None or kind is None:
        titled = [words(title) for title in titles]
        forms = forms or forms_of(titled)
        kind = np.array(forms.kinds_of(titled), dtype=np.int32)
        del titled
    about = np.array([is_subject(term, forms.n_titles) for term in vocabulary], dtype=bool)
    # All is weighed block by block into arrays of the full size: of a large site there is room for
    # these, and for little beside them.
    n_entries = int(df[df > 1].sum())
    n_kept = np.zeros(n, dtype=np.int64)
    indices = np.empty(n_entries, dtype=np.int32)
    counts = np.empty(n_entries, dtype=np.uint16)
    weights, title_weights, subject_weights = np.empty((3, n_entries), dtype=np.float32)
    norms, lengths = np.empty((n, 3)), np.empty(n, dtype=np.float32)
    start = entry = 0
    for block, place in zip(blocks, places, strict=True):
        stop = start + len(block.lengths)
        rows, block_norms = np.repeat(np.arange(stop - start), block.lengths), norms[start:stop].T
        tf, in_title = np.minimum(block.tf.astype(np.int32), MAX_COUNT), block.in_title
        ids = place[block.ids]
        all_weights, block_norms[0] = _unit(weigh(tf, in_title, idf[ids]), rows, stop - start)
        of_titles, block_norms[1] = _unit(idf[ids] * in_title, rows, stop - start)
        is_about = in_title & about[ids]
        of_subjects, block_norms[2] = _unit(idf[ids] * is_about, rows, stop - start)
        named = np.sqrt([naming(each) for each in kind[start:stop]], dtype=np.float32)
        of_subjects *= named[rows]
        lengths[start:stop] = np.bincount(
            rows, weights=tf * ~of_runs[ids], minlength=stop - start
        ).astype(np.float32)
        kept = df[ids] > 1
        to = slice(entry, entry + int(kept.sum()))
        indices[to], weights[to] = ids[kept], all_weights[kept]
        counts[to] = tf[kept]
        title_weights[to], subject_weights[to] = of_titles[kept], of_subjects[kept]
        n_kept[start:stop] = np.bincount(rows[kept], minlength=stop - start)
        start, entry = stop, to.stop
    norm = norms[:, 0]
    mean = norm[norm > 0].mean() if norm.any() else 1.0
    return Text(
        vocabulary=vocabulary,
        idf=idf,
        indptr=np.concatenate([[0], np.cumsum(n_kept)]),
        indices=indices,
        weights=weights,
        counts=counts,
        title_weights=title_weights,
        subject_weights=subject_weights,
        forms=forms,
        kind=kind,
        boilerplate=boilerplate,
        with_runs=with_runs,
        lengths=lengths,
        fullness=(norm / (PIVOT * mean + (1 - PIVOT) * norm)).astype(np.float32),
        norms=np.where(norms > 0, norms, 1),
    )


def idf_of(terms: Sequence[str], df: np.ndarray, n: int) -> np.ndarray:
    """The idf of terms that ``df``, ``(n_terms,)``, of ``n`` articles have, ``(n_terms,)``."""
    idf = np.log((1 + n) / (1 + df)) + 1
    idf *= [weight_of(term) for term in terms]
    of_runs = np.array([is_run(term) for term in terms], dtype=bool)
    idf[of_runs & (df == 1)] = 0
    return idf.astype(np.float32)


def with_subjects(text: Text) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``indptr``, ``indices`` and ``weights`` of rows whose products are the cosine of the texts
    and what the titles' subjects add to it: the subject's terms behind those of the text, numbered
    from ``n_terms`` on.
    """
    n, about = len(text.indptr) - 1, text.subject_weights > 0
    rows = np.repeat(np.arange(n), np.diff(text.indptr))
    ids = np.concatenate([text.indices, text.indices[about] + np.int32(len(text.vocabulary))])
    weights = np.concatenate([text.weights, text.subject_weights[about]])
    rows = np.concatenate([rows, rows[about]])
    order = np.argsort(rows, kind="stable")
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n))])
    return indptr, ids[order], weights[order]


def _unit(weights: np.ndarray, rows: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Each row brought to length 1, and the lengths they had; a row of zeros stays one."""
    norm = np.sqrt(np.bincount(rows, weights=weights.astype(np.float64) ** 2, minlength=n))
    return (weights / np.where(norm > 0, norm, 1)[rows]).astype(np.float32), norm
