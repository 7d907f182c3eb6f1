"""Why a link stands where it stands, or why it does not: figures, and a sentence for editors.

One structure for the command line, HTTP and Python (``Explanation``). What a web process can look
up is worked out here, from mapped arrays: the shared terms, the editors' rules, languages, copies.
What takes the model is handed over (``Figures``): in Python of any pair, over HTTP of the links
that were prepared, as they were written down when the bundle was built (``Steps``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from difflib import SequenceMatcher
from functools import cached_property
from itertools import pairwise
from math import sqrt
from typing import Annotated, Any, NamedTuple

import numpy as np

from recommender.array_fields import LARGE, Keys, Values, Within
from recommender.articles.article import parse_timestamp, title_key
from recommender.articles.dates import day_number
from recommender.bundle.arrays import load, load_array
from recommender.bundle.composition import DEFAULT_K, Placed
from recommender.bundle.overlay import Patched, dot
from recommender.bundle.published import Evidence, Lists
from recommender.candidates import EMPTY
from recommender.errors import BundleError
from recommender.escaping import terminal
from recommender.lists.editorial import Rule, Rules
from recommender.ragged import find
from recommender.text.terms import FUNCTION_WORDS, IS_UNSPACED, MARK, fold, is_run, terms, words
from recommender.text.tfidf import SAME_SUBJECT, is_number, is_subject, naming
from recommender.text.titles import MIN_TITLES

# What each rung of a ladder stands for (``ranking.ladder``).
RUNGS = {
    "start": "two articles with nothing in common, of which nobody knows anything",
    "text": "what texts and titles have in common",
    "groups": "one category, one folder, tags in common",
    "lists": "editors' lists: the page's own, and those of other pages",
    "kinds": "from which kinds of titles and categories to which readers go",
    "target": "the article linked to: how full and how new it is, how often it is followed",
    "reading": "visits that read both, and whether readers of each read the same other pages",
    "shown": "that it was shown here: what an ordinary link's clicks in its places make of it",
    "pair": "clicks on this very link, beyond or below those of an ordinary link in its places",
    "place": "where the list puts it: beside links of such scores, or in an older edition's place",
}
# What a score is, by what the bundle learned from.
SCALES = {
    "clicks": "log odds of being chosen",
    "lists": "log odds of being listed by an editor",
    None: "likeness of the texts",
}
# Terms that are named at most; of those behind them few matter. Not tuned.
N_TERMS, N_NAMED = 6, 3
# A word in a larger share of the texts of a language carries sentences, and is no subject: of
# English these are left out anyway. In both titles it may be in more. Not tuned.
COMMON, COMMON_IN_TITLES = 0.25, 0.6
# ... of a large site in fewer: the words of a template stand on thousands of pages. Read by eye on
# 16,000 health questions, of which a seventh name "phenotype" and "ontology".
COMMON_OF = 3.5
# Two titles are about one thing if half of what they name is the same (as ``tfidf.SAME_SUBJECT``).
ABOUT = 0.5
# Titles of other articles that are looked at for how a word is written within a sentence.
N_TITLES = 30
# Of a Poisson count and its gamma prior: 95 % lie within so many standard deviations.
NORMAL_95 = 1.959964
# Texts less alike have stray words in common, and none is named (``rerank.LEAST_FLOOR``).
LEAST_ALIKE = 0.03
# Followed so many times as often as expected, a target is one that readers look for. Not tuned.
SOUGHT = 1.3
# A part of the score that an editor would notice: the odds once and a half. Not tuned.
NOTABLE = 0.4
# Visits that read both, and their cosine, from which on readers make a link relevant (``rerank``).
MIN_VISITS, MIN_READ_COSINE = 3, 0.05
# Beside the weightiest words that two titles share, others of less than half their weight are
# "syndrome" and "type". Not tuned.
BESIDE = 0.5
# What belongs to the name before it: "type 2", "factor V", "vitamin C".
QUALIFIER = re.compile(r"\d+(?:[.,]\d+)*|[IVX]+[A-Z]?|[A-Z]\d?")
TOKEN = re.compile(r"[^\W_]+(?:['’.·-][^\W_]+)*")
# Words that say nothing of what a text is about, of English and of languages near it, beside
# ``terms.FUNCTION_WORDS``, which no term is: they may bear on likeness, but no sentence names them.
PLAIN = frozenset(
    fold(word)
    for word in """
    about above across after again against all almost alone along already also although always
    among another any anyone anything around away back because become becomes before begin
    begins behind being below best better between beyond both bring brings call called calls
    cause caused causes certain change changes come comes common cannot day days describe
    described different due each early easily either else end enough especially even ever
    every everyone everything example far feel feels few find first following found full
    further general get gets getting give given gives go goes going good great group half hand
    help helps high however important include included includes including instead just keep
    keeps kept kind kinds know known large larger last late later least less let like likely
    little long longer look looks lot low lower made main mainly make makes making many mean
    means more most much must name named near need needs never new next no normal not nothing
    now number of off often old once one only other others otherwise out over own part parts
    people perhaps person place possible provide put quite rather really reason right same say
    says second see seem seems seen several show shown shows side similar since small so some
    someone something sometimes soon start still such sure take taken takes tell tells thing
    things think though three through time times together too took toward towards try turn two
    under until up upon use used useful uses using usually various very want wants way ways
    well went whether while whole within without work works world would year years yet avoid
    ease eases per prevent problem problems sign signs stop term terms treat treated treating
    truly aber als am auch auf aus bei beim bis das dass dem den der des die doch durch ein
    eine einem einen einer eines er es für gegen hat haben hilft ihr ihre im ist kann mehr mit
    nach nicht noch nur oder ohne sein sich sie sind über um und unter vom von vor war was
    wenn werden wie wird zu zum zur au aux avec ce ces cette comme comment contre dans de du
    elle en est et être il ils je la le les leur lors lui mais même ne nous ou où par pas plus
    pour qu que quel quelle quels qui quoi sa sans se ses son sont sur un une vous al algo
    como con contra cual cuando cómo del desde donde el ella entre era esta este fue hace
    hasta hay las lo los más muy o para pero por porque qué ser si sin sobre su sus también
    tras tu una uno y ya che chi cosa da dal dalla dei della delle di e gli ha i in ma nel
    nella non perché più quali quando quanto questo sono sua sul ao as com do dos em foi mas
    na nas não nos os pela pelo qual sem seu são uma aan bij dan dat deze dit door een het hoe
    hun is maar met naar niet nog om ook op te tegen tot uit van voor waar wat we wel wordt
    zijn zo att av blir det där efter eller ett från för har hur inte kan med men mot när och
    på sig som så till vad var vid vilka är af at dette fra hvad hvor hvordan ikke mod når og
    skal til ved være ei eli ennen että ja jo joka jos kanssa kuin kuinka kun kuten mikä miksi
    mikäli mitä miten mukaan mutta myös niin noin nyt ole oli on ovat sekä sen siitä sitä tai
    tämä voi voivat yli ale aby albo bez być co czy dla gdy ich jak jako jest już które który
    lub może nad nie niż od oraz po pod przed przez przy są się tak tego ten to tylko w więc z
    za ze że
    """.split()  # noqa: SIM905 - a paragraph is easier to read than a column
)
MOMENT = timedelta(microseconds=1)
STEPS = "steps"
# Arrays of the history that are looked up one by one: what reads it whole, learns.
PAIR_KEYS, PAIR_CLICKS = "history_pairs_keys", "history_clicks_clicked"
PAIR_EXPECTED, STRENGTH = "history_clicks_expected", "history_clicks_strength"
READ_KEYS, READ_TOGETHER = "history_reading_keys", "history_reading_together"
READS = "history_reading_reads"
TARGET_CLICKS, TARGET_EXPECTED = "history_clicks_target_clicks", "history_clicks_target_expected"
PRIOR_READS = 3.0  # that of clicks.cooccurrence
# Steps are kept as whole numbers of two bytes: of scores about ten the last digit is a thousandth.
MOST_STEP, NO_STEPS = 32_767, -32_768
# Scores of lists have seven digits.
SAME_SCORE = 1e-5
# What came, or became another article, since the bundle was built.
PAGE_CAME, LINK_CAME = "page came", "link came"
PAGE_CHANGED, LINK_CHANGED = "page changed", "link changed"


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one kind of evidence adds to the score."""

    name: str
    value: float
    meaning: str


@dataclass(frozen=True, slots=True)
class SharedTerm:
    """A term that both have, as readers write it; the part of the cosine of the texts that it
    makes; and whether it stands in ``both`` titles, that of the ``page``, of the ``link`` or of
    ``neither``. ``is_run``: it is but a run of letters within words.
    """

    term: str
    weight: float
    in_titles: str
    is_run: bool = False


@dataclass(frozen=True, slots=True)
class Readers:
    """What readers of the page did: ``views`` of the link (None where that was not kept), its
    ``clicks``, those ``expected`` of an ordinary link in its places, and their ``rate``, pulled
    towards 1 as far as links are alike, with an interval that holds 95 %; and ``visits`` that read
    both without a step from one to the other.
    """

    views: float | None
    clicks: float
    expected: float
    rate: float
    low: float
    high: float
    visits: float

    @property
    def is_sure(self) -> bool:
        """Is the rate beyond chance?"""
        return self.low > 1 or self.high < 1


def readers_of(
    clicks: float,
    expected: float,
    *,
    weight: float,
    visits: float = 0.0,
    views: float | None = None,
) -> Readers:
    """The rate of a link with a gamma prior of ``weight`` clicks around 1, and its quantiles
    (Wilson & Hilferty 1931, "The distribution of chi-square").
    """
    shape, rate = clicks + weight, expected + weight
    usual, spread = 1 - 1 / (9 * shape), NORMAL_95 / (3 * sqrt(shape))
    low, high = (shape / rate * max(usual + sign * spread, 0.0) ** 3 for sign in (-1, 1))
    return Readers(views, clicks, expected, shape / rate, low, high, visits)


@dataclass(frozen=True, slots=True)
class Ruling:
    """The line of the editors' rules that put a link there, or keeps it out."""

    action: str
    source: str
    target: str
    position: int | None
    reason: str
    starts: str | None
    ends: str | None
    line: int

    @classmethod
    def of(cls, rule: Rule) -> Ruling:
        """What is to be seen of a rule."""
        place = (rule.action, rule.source, rule.target, rule.position)
        return cls(*place, rule.reason, _minute(rule.starts), _minute(rule.ends), rule.line)


def _minute(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="minutes")


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a link to a ``candidate`` stands beside a page at a ``position``, with an ``origin``, or
    at none, and then ``absent`` names why.

    The ``score`` is on a ``scale`` and the sum of the ``contributions``; both are None or empty for
    what no model scores. ``since`` has what came or changed after the build (``PAGE_CAME`` and the
    others). ``alike`` is the cosine of the texts, ``subject`` what the subjects of the titles add;
    ``terms`` are those that make most of it. ``sentence`` says the same in words.
    """

    article_id: str
    candidate_id: str
    title: str
    position: int | None
    origin: str | None
    absent: str | None
    score: float | None
    scale: str | None
    contributions: tuple[Contribution, ...]
    since: tuple[str, ...]
    alike: float
    subject: float
    terms: tuple[SharedTerm, ...]
    readers: Readers | None
    rule: Ruling | None
    sentence: str

    def __str__(self) -> str:
        return terminal(self.sentence)

    def as_json(self) -> dict[str, Any]:
        """As HTTP and ``--json`` have it."""
        return asdict(self)


class Figures(NamedTuple):
    """What takes the model: the steps of the score by rung, what readers did, and whether the link
    stands in the page's hand-picked list, is the next part of its series, is of one topic, and
    passes the floor of relevance; and whether readers follow the target
    elsewhere more than is to be expected. ``read_cosine`` is how far the same visitors read both.
    ``is_by_text``: the steps are of how alike the texts are, whatever the bundle learned from.
    """

    steps: Mapping[str, float] = {}
    readers: Readers | None = None
    is_picked: bool = False
    is_next: bool = False
    is_topic: bool = False
    read_cosine: float = 0.0
    is_sought: bool = False
    is_relevant: bool = True
    is_by_text: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """What a web process cannot work out, as it is kept. ``steps`` are those of the score of each
    prepared link, but for the last of the ``rungs``, which is what is missing to the score; whole
    numbers of a ``unit``, and ``NO_STEPS`` where the list gave a link another score than its own.
    Of each pair that was shown ``views``, and the clicks ``due`` to an ordinary link in its places,
    ``(n_pairs,)``; ``weight`` is that of the prior of a pair's rate, in clicks.
    """

    rungs: tuple[str, ...]
    unit: Annotated[float, Within(0, LARGE)]
    steps: Annotated[np.ndarray, Values("n_articles, list_size, n_steps")]
    views: Annotated[np.ndarray, Values("n_pairs", least=0)]
    due: Annotated[np.ndarray, Values("n_pairs", least=0)]
    weight: Annotated[float, Within(0, LARGE)]

    def fault(self) -> str | None:
        """What is wrong with steps that were read, or None."""
        if self.steps.shape[2] != len(self.rungs) - 1 or not RUNGS.keys() >= {*self.rungs}:
            return f"rungs: {len(self.rungs)} for {self.steps.shape[2]} steps"
        return None

    @classmethod
    def of(
        cls, rungs: tuple[str, ...], ladder: np.ndarray, scores: np.ndarray, **counted: Any
    ) -> Steps:
        """Of a ``ladder``, ``(n_articles, list_size, n_rungs)``, and the ``scores`` of the lists,
        ``(n_articles, list_size)``.
        """
        own = np.abs(ladder.sum(axis=2) - scores) <= SAME_SCORE * (1 + np.abs(scores))
        unit = float(np.abs(ladder).max(initial=0.0)) / MOST_STEP or 1.0
        steps = np.where(own[:, :, None], np.round(ladder[:, :, :-1] / unit), NO_STEPS)
        return cls(rungs, unit, steps.astype(np.int16), **counted)

    def at(self, row: int, slot: int, score: float) -> dict[str, float]:
        """The steps of a prepared link with this ``score``, by rung; empty if they are not kept."""
        kept = self.steps[row, slot].tolist()
        # Bundles of old had one rung for all that clicks make of a pair, which is another thing.
        is_of_old = "pair" in self.rungs and "shown" not in self.rungs
        if is_of_old or NO_STEPS in kept:
            return {}
        known = [value * self.unit for value in kept]
        return dict(zip(self.rungs, [*known, score - sum(known)], strict=True))


class Kept(NamedTuple):
    """The ``steps`` of a bundle with what is looked up beside them: which pairs were shown, as
    sorted ``keys``, how often each was ``clicked`` and ``expected`` to be; which were read by one
    visit, as sorted ``read_keys``, and by how many ``together``; and of articles how many visits
    ``reads`` are of each, how often it was followed, ``got``, and expected to be, ``due``, as a
    target, and its ``strength``.
    """

    steps: Steps
    keys: np.ndarray
    clicked: np.ndarray
    expected: np.ndarray
    read_keys: np.ndarray
    together: np.ndarray
    reads: np.ndarray
    got: np.ndarray
    due: np.ndarray
    strength: np.ndarray

    @classmethod
    def of(cls, lists: Lists) -> Kept | None:
        """Those of a bundle; None of one that has none, or is gone from the disk."""
        if lists.folder is None or f"{STEPS}.json" not in lists.about.files:
            return None
        sizes = {"n_articles": len(lists.stub), "list_size": lists.items.shape[1]}
        folder = lists.folder
        try:
            keys = load_array(folder, PAIR_KEYS, Keys("n_pairs", pairs_of="n_articles"), sizes)
            sizes["n_pairs"] = len(keys)
            clicked, expected = (
                load_array(folder, name, Values("n_pairs", least=0), sizes)
                for name in (PAIR_CLICKS, PAIR_EXPECTED)
            )
            read_keys = load_array(folder, READ_KEYS, Keys("n_read", pairs_of="n_articles"), sizes)
            sizes["n_read"] = len(read_keys)
            together = load_array(folder, READ_TOGETHER, Values("n_read", least=0), sizes)
            reads, got, due, strength = (
                load_array(folder, name, Values("n_articles", least=0), sizes)
                for name in (READS, TARGET_CLICKS, TARGET_EXPECTED, STRENGTH)
            )
            return cls(
                load(folder, STEPS, Steps, sizes=sizes), keys, clicked, expected, read_keys,
                together, reads, got, due, strength,
            )  # fmt: skip
        except BundleError:
            return None

    def figures(self, lists: Lists, row: int, item: int) -> Figures:
        """Those of a link of a prepared list; of what is not in it, what readers did."""
        key = np.array([row * len(lists.stub) + item])
        at, read = int(find(self.keys, key)[0]), int(find(self.read_keys, key)[0])
        visits = float(self.together[read]) if read >= 0 else 0.0
        clicks, due, views, expected = (
            float(of[at]) if at >= 0 else 0.0
            for of in (self.clicked, self.steps.due, self.steps.views, self.expected)
        )
        readers, weight = None, self.steps.weight
        if at >= 0 or visits:
            readers = readers_of(clicks, due, weight=weight, visits=visits, views=views)
        figures = Figures(
            readers=readers,
            read_cosine=read_cosine(visits, *self.reads[[row, item]].tolist()),
            is_sought=is_sought(
                self.got[item] - clicks,
                self.due[item] - expected / self.strength[item],
                weight,
            ),
        )
        slots = np.flatnonzero(lists.items[row] == item)
        if len(slots) == 0:
            return figures
        seen = Evidence(*map(float, lists.evidence[row, slots[0]]))
        score = float(lists.scores[row, slots[0]])
        return figures._replace(
            steps=self.steps.at(row, int(slots[0]), score),
            is_picked=bool(seen.hand_picked),
            is_next=bool(seen.next_part),
            is_topic=bool(seen.topic),
        )


def is_sought(clicks: float, expected: float, weight: float) -> bool:
    """Is an article followed clearly more often than is to be expected? ``clicks`` and those
    ``expected`` are those beside other pages than the one that is explained.
    """
    clicks, expected = (max(float(each), 0.0) for each in (clicks, expected))
    known = readers_of(clicks, expected, weight=weight)
    return known.low > 1 and known.rate >= SOUGHT


def read_cosine(visits: float, reads: float, others: float) -> float:
    """Visits that read both over those that read either (``clicks.cooccurrence``)."""
    return visits / sqrt((reads + PRIOR_READS) * (others + PRIOR_READS))


class Words(NamedTuple):
    """A text's terms with their weights, and those of the subject of its title."""

    terms: dict[int, float]
    subject: dict[int, float]


class Desk:
    """Explains links of a shelf; ``lists`` are those of the bundle below it."""

    def __init__(self, lists: Lists, shelf: Lists | Patched) -> None:
        self.lists, self.shelf = lists, shelf
        self.texts = lists.texts
        self._words: dict[int, Words] = {}

    # Texts

    def read(self, rows: Sequence[int]) -> None:
        """Look the words of several articles up at once: matrices are turned round, and one way
        through them does for all.
        """
        new = [row for row in dict.fromkeys(rows) if row not in self._words]
        fresh = self.shelf.compared if isinstance(self.shelf, Patched) else {}
        for row in new:
            if row in fresh:
                self._words[row] = Words(fresh[row].terms, fresh[row].subject)
        old = [row for row in new if row not in fresh and row < len(self.lists.stub)]
        wanted = np.zeros(len(self.lists.stub), dtype=bool)
        wanted[old] = True
        found: list[dict[int, dict[int, float]]] = []
        for postings in (self.texts.texts, self.texts.subjects):
            at = np.flatnonzero(wanted[postings.rows])
            term = np.searchsorted(postings.heads, at, side="right") - 1
            rows_of, weights = postings.rows[at].tolist(), postings.weights[at].tolist()
            table: dict[int, dict[int, float]] = {row: {} for row in old}
            for row, number, weight in zip(rows_of, term.tolist(), weights, strict=True):
                table[row][number] = weight
            found.append(table)
        for row in old:
            self._words[row] = Words(found[0][row], found[1][row])

    def words(self, row: int) -> Words:
        """Those of an article; none of one that was not compared."""
        if row not in self._words:
            self.read([row])
        return self._words.get(row, Words({}, {}))

    def term(self, number: int) -> str:
        """A term by its number."""
        return self.texts.vocabulary.column[number]

    def title(self, row: int) -> str:
        """An article's title."""
        return self.shelf.link(Placed(row, 0.0, ""), 0).title

    def share(self, number: int, row: int) -> float:
        """Of the texts in an article's language, the share that has a term."""
        posts = self.texts.texts
        rows = posts.rows[posts.heads[number] : posts.heads[number + 1]]
        spoken = self.shelf.language_at(row)
        of_language = self._n_in.get(spoken, 0)
        if not of_language:
            return len(rows) / max(1, len(self.lists.stub))
        return float((self.lists.language[rows] == spoken).sum()) / of_language

    @cached_property
    def _n_in(self) -> dict[int, int]:
        known = self.lists.language[self.lists.language != EMPTY]
        numbers, counts = np.unique(known, return_counts=True)
        return dict(zip(numbers.tolist(), counts.tolist(), strict=True))

    @cached_property
    def _most(self) -> float:
        """In a larger share of texts than this a word is no subject."""
        return min(COMMON, COMMON_OF / sqrt(max(1, len(self.lists.stub))))

    def may_name(self, number: int, source: int, *, most: float) -> bool:
        """Does a term say what a text is about: neither the form of a title nor a bare number, and
        not in most texts?
        """
        term = self.term(number)
        return (
            len(term) > 1
            and term not in PLAIN
            and is_subject(term, self.texts.forms.n_titles)
            and self.share(number, source) <= most
        )

    def shared(self, source: int, item: int) -> tuple[SharedTerm, ...]:
        """The terms that make most of the likeness of two texts."""
        one, other = self.words(source), self.words(item)
        weights = {
            number: weight * other.terms[number]
            for number, weight in one.terms.items()
            if number in other.terms
        }
        titles = self.title(source), self.title(item)
        named = [{*terms(title)} for title in titles]
        found: dict[str, SharedTerm] = {}
        for number in sorted(weights, key=lambda number: -weights[number]):
            term = self.term(number)
            parts = term.split(" ")
            plain = "'" in term or all(part in PLAIN for part in parts)
            if plain or is_number(term) or term in self.texts.forms.n_titles or len(term) < 2:
                continue
            if len(parts) > 1 and IS_UNSPACED.match(term):
                continue
            if is_part := is_run(term):
                shown = self._alike(term.lstrip(MARK), source, item) or f"{term.lstrip(MARK)}…"
                inside = [
                    any(term.lstrip(MARK) in fold(title) for title in [each]) for each in titles
                ]
            else:
                inside = [all(part in words for part in parts) for words in named]
                if not all(inside) and self.share(number, source) > self._most:
                    continue
                shown = self.written(term, source, item)
                if HIRAGANA.search(shown) and len(KANA_ENDS.sub("", shown)) < len(shown):
                    continue
            where = ("both" if inside[1] else "page") if inside[0] else "neither"
            where = "link" if inside[1] and not inside[0] else where
            key = fold(shown)
            before = found.get(key, SharedTerm(shown, 0.0, where, is_part))
            weight = round(before.weight + weights[number], 6)
            found[key] = SharedTerm(before.term, weight, before.in_titles, before.is_run)
        for key, part in [*found.items()]:
            # A piece of a word that is named is no more than that word.
            if not part.term.endswith("…"):
                continue
            entire = [each for each, other in found.items() if not other.term.endswith("…")]
            if whole := [each for each in entire if part.term[:-1] in each]:
                of = found[whole[0]]
                found[whole[0]] = replace(of, weight=round(of.weight + part.weight, 6))
                del found[key]
        kept: list[SharedTerm] = []
        for each in sorted(found.values(), key=lambda each: -each.weight):
            # A word and the same one in another form are one.
            if not any({*each.term.split(" / ")} & {*other.term.split(" / ")} for other in kept):
                kept.append(each)
        return tuple(kept[:N_TERMS])

    def _alike(self, run: str, source: int, item: int) -> str:
        """The words of both that have a run of letters, as far as titles and teasers show them."""
        found = []
        for row in (source, item):
            tokens = [token for text in self._shown(row) for token in TOKEN.findall(text)]
            having = [token for token in tokens if run in fold(token) and fold(token) not in PLAIN]
            # The stem is where a word begins, or where it does within another that is put together.
            having.sort(key=lambda token: not fold(token).startswith(run))
            found += having[:1]
        if len(found) < 2 or not any(fold(token).startswith(run) for token in found):
            return ""
        return found[1] if fold(found[0]) == fold(found[1]) else " / ".join(found)

    def written(self, term: str, source: int, item: int) -> str:
        """A term as readers know it: as titles and teasers write it within a sentence."""
        if " " in term:
            return " ".join(self.written(part, source, item) for part in term.split(" "))
        if IS_UNSPACED.match(term):
            return self._span(term, source, item)
        texts = [text for row in (item, source) for text in self._shown(row)]
        forms = [form for text in texts for form in forms_of(term, text)]
        inner = [form for form, is_first in forms if not is_first]
        if inner:
            return inner[0]
        if usual := self._usual(term):
            return usual
        for form, _ in forms:
            # A title without a sentence around it is a name, and written as it is.
            if any(form in text and self._is_name(text) for text in texts[::2]):
                return form
            return form[:1].lower() + form[1:] if form[1:].islower() else form
        return term

    def _is_name(self, title: str) -> bool:
        """Is a title a name alone, without a word of a form or a sentence?"""
        forms = self.texts.forms.n_titles
        return not any(word in FUNCTION_WORDS or word in forms for word in words(title))

    def _span(self, term: str, source: int, item: int) -> str:
        """The longest that titles and teasers of both have in common around a pair of characters:
        where no spaces part words, terms are pieces of them.
        """
        one, other = (fold(" ".join(self._shown(row))) for row in (source, item))
        blocks = SequenceMatcher(a=one, b=other, autojunk=False).get_matching_blocks()
        spans = [
            span for at, _, n in blocks for span in UNSPACED_SPAN.findall(one[at : at + n])
            if term in span
        ]  # fmt: skip
        spans = [bare for span in spans if len(bare := KANA_ENDS.sub("", span)) > 1]
        return max(spans, key=len, default=term)

    def _shown(self, row: int) -> tuple[str, str]:
        link = self.shelf.link(Placed(row, 0.0, ""), 0)
        return link.title, link.teaser

    def _usual(self, term: str) -> str | None:
        """As titles and teasers of other articles write it within a sentence."""
        number = self.texts.vocabulary.find(term)
        if number is None:
            return None
        lists, posts = self.lists, self.texts.texts
        rows = posts.rows[posts.heads[number] : posts.heads[number + 1]][:N_TITLES]
        texts = [text for row in rows.tolist() for text in (lists.titles[row], lists.teasers[row])]
        forms = Counter(form for text in texts for form, first in forms_of(term, text) if not first)
        return forms.most_common(1)[0][0] if forms else None

    def phrases(self, source: int, item: int, numbers: set[int]) -> list[str]:
        """What terms of both titles come to: words that stand together in both stay together."""
        wanted = {self.term(number) for number in numbers}
        titles = self.title(source), self.title(item)
        if any(IS_UNSPACED.search(title) for title in titles):
            folded = [fold(title) for title in titles]
            match = SequenceMatcher(a=folded[0], b=folded[1], autojunk=False)
            blocks = [folded[0][at : at + n] for at, _, n in match.get_matching_blocks()]
            spans = [span.strip() for block in blocks for span in UNSPACED_SPAN.findall(block)]
            bare = [KANA_ENDS.sub("", span) for span in spans]
            named = [span for span in bare if len(span) > 1 and not self._is_of_many(span)]
            return [span for span in named if any(term in span for term in wanted)]
        page, link = (TOKEN.findall(title) for title in titles)
        keys = [*map(fold, page)]
        together = {*pairwise(keys)}
        # What may stand in a name: words that both titles are about, and what joins them.
        beside = {self.term(number) for number in self._beside(source, item)} | wanted
        runs: list[list[str]] = []
        before = ""
        for token in link:
            key, within = fold(token), beside.intersection(terms(token))
            is_next = bool(runs) and (before, key) in together
            joins = is_next and (QUALIFIER.fullmatch(token) or key in FUNCTION_WORDS)
            if key not in keys or not (within or joins):
                # "type 1" and "type 2" are no type that they share.
                if is_next_of(before, keys) and QUALIFIER.fullmatch(token) and len(runs[-1]) > 1:
                    runs[-1].pop()
                before = ""
                continue
            runs[-1:] = [[*runs[-1], token]] if is_next else [*runs[-1:], [token]]
            before = key
        runs = [row for row in map(trimmed, runs) if row]
        runs = [row for row in runs if any(wanted.intersection(terms(token)) for token in row)]
        weight = {self.term(number): float(self.texts.idf[number]) for number in numbers}
        total = [
            sum(weight.get(term, 0.0) for token in row for term in terms(token)) for row in runs
        ]
        # Whichever weighs most comes first, and what is but a kind of word beside it goes.
        order = sorted(range(len(runs)), key=lambda at: -total[at])
        kept = [at for at in order if total[at] >= BESIDE * total[order[0]]]
        if sum(total[at] for at in kept) < BESIDE * sum(weight.values()):
            heaviest = max(wanted, key=lambda term: (weight[term], term))
            return [self.written(heaviest, source, item)]
        named = [
            " ".join(self._in_sentence(token, source, item) for token in row)
            for row in (self._entire(runs[at], source, item) for at in kept)
        ]
        return list(dict.fromkeys(named))

    def _is_of_many(self, span: str) -> bool:
        """Does a span of a script without spaces stand in as many titles as a form does?"""
        n = sum(span in title for title in self._unspaced_titles)
        return n >= max(MIN_TITLES, sqrt(len(self._unspaced_titles)))

    @cached_property
    def _unspaced_titles(self) -> list[str]:
        titles = [self.lists.titles[row] for row in range(len(self.lists.stub))]
        return [fold(title) for title in titles if IS_UNSPACED.search(title)]

    def _entire(self, run: list[str], source: int, item: int) -> list[str]:
        """A run of words with what begins its name in both titles: "new" in "New York"."""
        one, two = Title(self.title(item), self), Title(self.title(source), self)
        found = list(run)
        for at in range(1, len(one.tokens)):
            if one.tokens[at : at + len(run)] != run:
                continue
            before = one.tokens[at - 1]
            follows = (fold(before), fold(run[0])) in {*pairwise(two.keys)}
            if fold(before) in PLAIN and follows and not one.joins(at - 1) and one.is_apart(at):
                found = [before, *run]
            break
        return found

    def subject(self, source: int, item: int) -> str:
        """What both titles are about: the whole subject of one of them, where the other's begins
        with it; empty if neither does.
        """
        ends = (item, source)
        if any(IS_UNSPACED.search(self.title(row)) for row in ends):
            for own, whole in (ends, ends[::-1]):
                name, rest = bare_name(self.title(own)), fold(self.title(whole)).lstrip(OUTSIDE)
                if name and rest.startswith(name) and NAME_ENDS.match(rest, len(name)):
                    return name
            return ""
        (one, row), (other, _) = sorted(
            ((Title(self.title(row), self), row) for row in ends), key=lambda each: each[0].n_naming
        )
        keys = one.keys[one.first : one.last]
        if not keys or other.keys[other.first : other.first + len(keys)] != keys:
            return ""
        written = one.text[one.spans[one.first][0] : one.spans[one.last - 1][1]]
        if written.count("(") > written.count(")"):
            written += ")"
        if one.first == 0:
            first = one.tokens[0]
            written = self._in_sentence(first, row, row) + written[len(first) :]
        return written

    def _beside(self, source: int, item: int) -> set[int]:
        """The terms that both titles are about, however many texts have them."""
        one, other = self.words(source).subject, self.words(item).subject
        return {number for number in one.keys() & other.keys() if self.term(number) not in PLAIN}

    def _in_sentence(self, token: str, source: int, item: int) -> str:
        """A word of a title as it is written within a sentence."""
        found = terms(token)
        is_plain = token[1:].isalpha() and not token.isupper()
        if len(found) != 1 or not token[:1].isupper() or not is_plain:
            return token
        return self.written(found[0], source, item)

    # Sentences

    def on_texts(
        self, source: int, item: int, shared: Sequence[SharedTerm], alike: float, *, topic: bool
    ) -> str:
        """What the texts have in common, which are so far ``alike``, without an end; empty for
        nothing.
        """
        one, other = self.words(source), self.words(item)
        both = {
            number: weight * other.subject[number]
            for number, weight in one.subject.items()
            if number in other.subject and self.may_name(number, source, most=COMMON_IN_TITLES)
        }
        kinds = [self.texts.forms.kind_of(self.title(row)) for row in (source, item)]
        whole = sqrt(naming(kinds[0]) * naming(kinds[1]))
        if both and sum(both.values()) >= ABOUT * whole and (name := self.subject(source, item)):
            return f"both are about {name}"
        both = {at: both[at] for at in both if self.may_name(at, source, most=self._most)}
        if both and (phrases := self.phrases(source, item, {*both})[:N_NAMED]):
            return f"both titles mention {listed([quoted(phrase) for phrase in phrases])}"
        if name := self._named(item, one):
            return f"this page speaks of {name}"
        if name := self._named(source, other):
            return f"it speaks of {name}, which this page is about"
        if alike < LEAST_ALIKE:
            return "their texts are of one topic" if topic else ""
        known = [each for each in shared if "…" not in each.term]
        singles = [each for each in known if " " not in each.term or each.is_run] or known
        singles.sort(key=lambda each: each.in_titles == "neither")
        found = [quoted(each.term) for each in singles[:N_NAMED]]
        if any(each.is_run for each in singles[:N_NAMED]):
            return f"words of both are alike: {listed(found)}"
        if len(found) > 1:
            return f"their texts share the words {listed(found)}"
        if topic:
            return "their texts are of one topic"
        if not found and shared:
            return "words of their texts are alike"
        return f"their texts share the word {found[0]}" if found else ""

    def _named(self, row: int, text: Words) -> str:
        """What the title of an article names, if all of it stands in a text; empty for nothing, and
        for a title that is a sentence of no known form: what it is about is not known.
        """
        title, known = self.title(row), self.texts.vocabulary
        if self.texts.forms.kind_of(title) == EMPTY and not self._is_name(title):
            return ""
        tokens = TOKEN.findall(title)
        at = [place for place, token in enumerate(tokens) if self._is_naming(token, row)]
        parts = [term for place in at for term in terms(tokens[place])]
        if not at or not all(known.find(term) in text.terms for term in parts):
            return ""
        if IS_UNSPACED.search(title):
            name = bare_name(title)
            is_one = name and not HIRAGANA.search(name) and not self._is_of_many(name)
            return quoted(name) if is_one else ""
        span = tokens[at[0] : at[-1] + 1]
        inner = {*range(at[0], at[-1] + 1)} - {*at}
        if any(not is_number(fold(tokens[place])) for place in inner):
            return ""
        return " ".join(
            self.written(fold(token), row, row) if at[0] == 0 and place == 0 else token
            for place, token in enumerate(span)
        )

    def _is_naming(self, token: str, row: int) -> bool:
        """Is a word of a title one that names its subject?"""
        forms = self.texts.forms.n_titles
        found = terms(token)
        return bool(found) and not is_number(found[0]) and not any(each in forms for each in found)


UNSPACED_SPAN = re.compile(rf"{IS_UNSPACED.pattern}{{2,}}")
# What joins words in Japanese, and ends sentences.
HIRAGANA = re.compile("[\u3041-\u309f]")
KANA_ENDS = re.compile(f"^{HIRAGANA.pattern}+|{HIRAGANA.pattern}+$")
# What stands around a title, and what may follow on a name where spaces do not part words.
OUTSIDE = " 　?？!！。.…、,「」『』\"'"
NAME_ENDS = re.compile(rf"$|{HIRAGANA.pattern}|(?!{IS_UNSPACED.pattern})\W")


def bare_name(title: str) -> str:
    """A title of a script without spaces without what ends a sentence; empty if it is of several
    words.

    >>> bare_name("糖尿病とは？"), bare_name("糖尿病 と 食事")
    ('糖尿病', '')
    """
    name = KANA_ENDS.sub("", fold(title).strip(OUTSIDE))
    return name if UNSPACED_SPAN.fullmatch(name) else ""


class Title:
    """The words of a title, ``tokens``, with their ``keys`` and ``spans``; from ``first`` on and
    before ``last`` are those of its subject, as far as its form is known.
    """

    def __init__(self, text: str, desk: Desk) -> None:
        found = [*TOKEN.finditer(text)]
        self.text, self.tokens = text, [match[0] for match in found]
        self.keys, self.spans = [*map(fold, self.tokens)], [match.span() for match in found]
        self.form = {*desk.texts.forms.form_of(text)}
        inner = [token for token in self.tokens if fold(token) not in FUNCTION_WORDS]
        self.is_capital = all(not token[0].islower() for token in inner)
        self.is_asked = bool(self.keys) and (
            self.keys[0] in FUNCTION_WORDS or self.keys[0] in self.form
        )
        self.first, self.last = 0, len(self.tokens)
        while self.first < self.last and self.joins(self.first):
            self.first += 1
        while self.first < self.last and self.joins(self.last - 1):
            self.last -= 1

    @property
    def n_naming(self) -> int:
        """How many words its subject has."""
        return self.last - self.first

    def joins(self, at: int) -> bool:
        """Is a word one that no name begins with? A plain one may: "New York"."""
        token = self.tokens[at]
        found = words(token)
        if found and all(word in FUNCTION_WORDS or word in self.form for word in found):
            return not QUALIFIER.fullmatch(token)
        if self.keys[at] not in PLAIN:
            return False
        follows = self.tokens[at + 1] if at + 1 < len(self.tokens) else ""
        is_first = at == 0 and not follows[:1].isupper()
        return token[0].islower() or is_first or (self.is_capital and self.is_asked)

    def is_apart(self, at: int) -> bool:
        """Does nothing but a space stand before a word?"""
        return self.text[self.spans[at - 1][1] : self.spans[at][0]].isspace()


def is_next_of(key: str, keys: Sequence[str]) -> bool:
    """Does a number or a letter follow on a word of a title?"""
    at = keys.index(key) + 1 if key in keys else len(keys)
    return at < len(keys) and QUALIFIER.fullmatch(keys[at].upper()) is not None


def trimmed(row: Sequence[str]) -> list[str]:
    """Words of a title without what joins others at either end.

    >>> trimmed(["of", "the", "heart", "and", "lung", "in"]), trimmed(["in", "2"])
    (['heart', 'and', 'lung'], [])
    """
    kept = [
        at
        for at, token in enumerate(row)
        if fold(token) not in FUNCTION_WORDS and not QUALIFIER.fullmatch(token)
    ]
    if not kept:
        return []
    last = kept[-1] + 1
    while last < len(row) and QUALIFIER.fullmatch(row[last]):
        last += 1
    return [*row[kept[0] : last]]


def forms_of(term: str, text: str) -> list[tuple[str, bool]]:
    """How a text writes a term, and whether it begins a sentence there."""
    found: list[tuple[str, bool]] = []
    if term not in fold(text):
        return found
    for match in TOKEN.finditer(text):
        if term in fold(match[0]) and terms(match[0]) == [term]:
            before = text[: match.start()].rstrip(" \"'“‘(¿¡")
            word = re.sub(r"['’]s$", "", match[0])
            found.append((word, not before or before[-1] in ".!?:;–—-|"))
    return found


def listed(words: Sequence[str]) -> str:
    """
    >>> listed(["gout"]), listed(["gout", "diet", "salt"])
    ('gout', 'gout, diet and salt')
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def quoted(word: str) -> str:
    return f'"{word}"'


# Up to which rate which share is the nearest, as a ratio: between two shares is their geometric
# mean, above a half that of it and of two thirds, which has no short name.
AS_OFTEN = (
    (sqrt(1 / 10 * 1 / 5), "a tenth"),
    (sqrt(1 / 5 * 1 / 4), "a fifth"),
    (sqrt(1 / 4 * 1 / 3), "a quarter"),
    (sqrt(1 / 3 * 1 / 2), "a third"),
    (sqrt(1 / 2 * 2 / 3), "half"),
)


def times(rate: float) -> str:
    """How often, of a rate of a tenth or more.

    >>> times(0.1), times(0.15), times(0.25), times(0.3), times(0.48)
    ('a tenth as often', 'a fifth as often', 'a quarter as often', 'a third as often', \
'half as often')
    >>> times(0.6), times(1.3), times(2.1), times(7.4)
    ('0.6 times as often', '1.3 times as often', 'twice as often', '7 times as often')
    """
    for most, word in AS_OFTEN:
        if rate < most:
            return f"{word} as often"
    if 1.8 <= rate < 2.25:
        return "twice as often"
    number = f"{rate:.0f}" if rate >= 5 else f"{rate:.1f}".removesuffix(".0")
    return f"{number} times as often"


def follow(readers: Readers, *, is_placed: bool) -> str:
    """How often readers follow a link, in words; to be used of sure rates alone. ``is_placed``: it
    is known how places are examined.
    """
    than = "its place explains" if is_placed else "an ordinary link of the page"
    rate = readers.rate
    if rate < 0.1:
        return f"readers of this page hardly ever follow it, far less than {than}"
    if 0.87 < rate < 1.15:
        word = "more" if rate > 1 else "less"
        return f"readers of this page follow it a little {word} often than {than}"
    return f"readers of this page follow it {times(rate)} as {than}"


class Placing(NamedTuple):
    """Where a link stands: its position in a list, or None, its origin, and its score there."""

    position: int | None = None
    origin: str | None = None
    score: float | None = None


def since_built(desk: Desk, row: int, item: int) -> tuple[str, ...]:
    """What of a page and a link came or changed after the bundle was built."""
    n, changed = len(desk.lists.stub), getattr(desk.shelf, "rewritten", ())
    ends = ((row, PAGE_CAME, PAGE_CHANGED), (item, LINK_CAME, LINK_CHANGED))
    found = [came if at >= n else again for at, came, again in ends if at >= n or at in changed]
    return tuple(found)


def is_scored(since: Sequence[str]) -> bool:
    """Does the bundle's own score decide? A link that was rewritten keeps it until the next
    training, a page that was has a list by its text.
    """
    return not {*since} - {LINK_CHANGED}


def by_text(desk: Desk, row: int, item: int, placing: Placing) -> Figures:
    """What is known of a link that the bundle has not scored: how alike the texts are, and where
    the list puts it. Beside a page of the bundle a new link's score is that of those beside it, or
    that of the older edition: on the list's scale, and no sum of anything.
    """
    one, other = desk.words(row), desk.words(item)
    alike = dot(one.terms, other.terms) + dot(one.subject, other.subject)
    about, n = desk.lists.about, len(desk.lists.stub)
    since = since_built(desk, row, item)
    is_listed = placing.score is not None and placing.origin not in UNSCORED
    is_own_list = PAGE_CAME not in since and PAGE_CHANGED not in since
    is_relevant = (
        dot(one.terms, other.terms) >= about.relevance_floor
        or dot(one.subject, other.subject) >= SAME_SUBJECT
    )
    if is_own_list and is_listed and about.learned_from is not None:
        return Figures(steps={"place": float(placing.score or 0.0)}, is_relevant=is_relevant)
    steps = {"text": alike}
    if not is_own_list and item < n and LINK_CHANGED not in since:
        steps["target"] = alike * (float(desk.lists.target_factor[item]) - 1)
    if is_listed and placing.score is not None:
        steps["place"] = placing.score - sum(steps.values())
    if abs(steps.get("place", 1.0)) < 1e-6:
        steps["target"] = steps.get("target", 0.0) + steps.pop("place")
    return Figures(steps=steps, is_relevant=is_relevant, is_by_text=True)


# Origins of links whose score is none, or not what put them there.
UNSCORED = ("pinned", "fallback", "hand-picked")


def explain(
    desk: Desk,
    source: int,
    item: int,
    placing: Placing,
    figures: Figures,
    *,
    rules: Rules | None = None,
    now: datetime | None = None,
    listed_rows: Sequence[Placed] = (),
) -> Explanation:
    """Why an article, by its row, stands beside a page or does not; ``listed_rows`` are the links
    of the page's list.
    """
    shelf, lists = desk.shelf, desk.lists
    ids = shelf.id_of(source), shelf.id_of(item)
    one, other = desk.words(source), desk.words(item)
    alike = sum(weight * other.terms.get(term, 0.0) for term, weight in one.terms.items())
    subject = sum(weight * other.subject.get(term, 0.0) for term, weight in one.subject.items())
    shared = desk.shared(source, item)
    rule = _rule_of(ids, rules, now, placing.origin)
    score = sum(figures.steps.values()) if figures.steps else None
    scale = SCALES[None if figures.is_by_text else lists.about.learned_from]
    since = since_built(desk, source, item)
    texts = desk.on_texts(
        source, item, shared, alike, topic=figures.is_topic and LINK_CHANGED not in since
    )  # fmt: skip
    absent, why = None, ""
    if placing.position is None:
        absent, why = _absence(
            desk, source, item, figures, rule, listed_rows, score=score, alike=alike
        )  # fmt: skip
        clauses = [why]
        if absent in ("lower", "apart", "floor") and texts:
            clauses.append(texts)
    else:
        clauses = _clauses(lists, placing, figures, rule, texts, since)
    sentence = "; ".join(clauses)
    return Explanation(
        article_id=ids[0],
        candidate_id=ids[1],
        title=desk.title(item),
        position=placing.position,
        origin=placing.origin,
        absent=absent,
        score=score,
        scale=scale if figures.steps else None,
        contributions=tuple(
            Contribution(name, value, RUNGS[name]) for name, value in figures.steps.items()
        ),
        since=since,
        alike=round(alike, 6),
        subject=round(subject, 6),
        terms=shared,
        readers=figures.readers,
        rule=None if rule is None else Ruling.of(rule),
        sentence=sentence[:1].upper() + sentence[1:],
    )


def _clauses(
    lists: Lists,
    placing: Placing,
    figures: Figures,
    rule: Rule | None,
    texts: str,
    since: Sequence[str],
) -> list[str]:
    """What speaks for a link that is there; what decides it comes first."""
    if rule is not None:
        return [f"an editor pinned it here{_reason(rule)}"]
    clauses = []
    if not is_scored(since):
        if texts and placing.origin not in UNSCORED:
            clauses.append(texts)
        if placing.origin in ("fallback", "hand-picked"):
            clauses.append("it fills up a list that would be too short")
        # Whatever the page, it has one such list: a sentence with a reason leaves that out.
        return clauses if clauses and LINK_CAME not in since else [*clauses, *_later(since)]
    if placing.origin == "fallback":
        clauses.append("it fills up a list that would be too short")
    if placing.origin == "hand-picked":
        clauses.append("it fills up a list that would be too short, by the page's hand-picked one")
    if placing.origin == "explored":
        clauses.append("it stands here to be tried")
    if figures.is_next and LINK_CHANGED not in since:
        clauses.append("it is the next part of the series")
    if texts:
        clauses.append(texts)
    readers = figures.readers
    if readers is not None and readers.is_sure:
        found = follow(readers, is_placed=lists.about.examination.identified)
        clauses.append(found if readers.rate > 1 or not clauses else f"but {found}")
    elif figures.is_picked and placing.origin != "hand-picked":
        clauses.append("it stands in the page's hand-picked list")
    elif (
        readers is not None
        and readers.visits >= MIN_VISITS
        and figures.read_cosine >= MIN_READ_COSINE
    ):
        clauses.append(f"{readers.visits:,.0f} visits read both pages")
    elif figures.steps.get("lists", 0.0) >= NOTABLE and lists.about.learned_from is not None:
        clauses.append("editors' lists on other pages speak for it")
    elif figures.is_sought:
        clauses.append("readers follow it on other pages more than the links beside it")
    if since:
        clauses += _later(since)
    return clauses or ["many small signs speak for it, and none of them alone"]


def _later(since: Sequence[str]) -> list[str]:
    """What came after the build, and what that means for a link that is there."""
    if LINK_CAME in since:
        return ["it came after the bundle was built, and no reader is known to have met it"]
    if PAGE_CAME in since:
        return ["this page came after the bundle was built, and its list is made by its text"]
    if PAGE_CHANGED in since:
        return ["this page was rewritten after the bundle was built, and its list is made anew"]
    return ["it was rewritten after the bundle was built, and stands where its old text did"]


def _absence(
    desk: Desk,
    source: int,
    item: int,
    figures: Figures,
    rule: Rule | None,
    listed_rows: Sequence[Placed],
    *,
    score: float | None,
    alike: float,
) -> tuple[str, str]:
    """A code and a clause on why an article is not in a list."""
    shelf, lists = desk.shelf, desk.lists
    about, n_base = lists.about, len(lists.stub)
    if item == source:
        return "self", "a page is not linked to itself"
    if rule is not None:
        return "blocked", f"an editor blocked it here{_reason(rule)}"
    if item < n_base and lists.stub[item] and not _is_new(shelf, item):
        return "stub", "it is known by its title alone, and has no page to lead to"
    if shelf.is_barred(item):
        days = _age(desk, item)
        if about.dates.oldest_days and days is not None and days > about.dates.oldest_days:
            return "old", f"it is {days:,.0f} days old, more than {about.dates.oldest_days:,}"
        return "listing", "it is a mere list of other articles, and recommended beside nothing"
    if not shelf.may_show(item, shelf.language_at(source)):
        spoken = [shelf.language_code(row) or "another language" for row in (item, source)]
        return (
            "language",
            f"it is in {spoken[0]} and the page in {spoken[1]}, and links stay in one language",
        )
    if shelf.text_of(item) == shelf.text_of(source):
        return "copy", f"it has {_same(desk, item, source)} as the page itself"
    for placed in listed_rows:
        if placed.row != item and shelf.text_of(placed.row) == shelf.text_of(item):
            other = quoted(desk.title(placed.row))
            if item < n_base and lists.newest[item] == placed.row:
                return "edition", f"a newer edition of it, {other}, stands in its place"
            return "copy", f"it has {_same(desk, item, placed.row)} as {other}, which is listed"
    since = since_built(desk, source, item)
    if {PAGE_CAME, PAGE_CHANGED}.isdisjoint(since) and since:
        if LINK_CHANGED in since:
            return "later", "it was rewritten after the bundle was built, which knows its old text"
        if item not in getattr(shelf, "compared", ()):
            return "later", "it came after the bundle was built, and was not compared with the page"
        if figures.is_relevant:
            return "later", (
                "it came after the bundle was built, and by its text alone stands behind the links "
                "of the list"
            )
    if not figures.is_relevant:
        common = f"its text is {_percent(alike)} like the page's"
        return "floor", f"{common}, below the {_percent(about.relevance_floor)} that links need"
    scores = [placed.score for placed in listed_rows if placed.origin in ("model", "text")]
    if score is not None and len(scores) >= DEFAULT_K:
        better = sum(each > score for each in scores)
        if better >= len(scores):
            return "lower", f"it scores {score:.2f}, and the last of the list {min(scores):.2f}"
        n_in = int((lists.items[:, :DEFAULT_K] == item).any(axis=1).sum())
        if n_in >= about.concentration.ceiling:
            return "often", f"it stands in {n_in:,} lists, as many as one article may"
        return (
            "apart",
            f"it scores {score:.2f}, as place {better + 1} of the list does, and was not compared: "
            "neither texts nor readers nor lists lead from the page to it",
        )
    return "apart", "it was not compared: neither texts nor readers nor lists lead to it"


def _rule_of(
    ids: tuple[str, str], rules: Rules | None, now: datetime | None, origin: str | None
) -> Rule | None:
    """The rule that put a link there, or keeps it out; the page's own before one for all pages."""
    if rules is None or now is None:
        return None
    action = "block" if origin is None else "pin" if origin == "pinned" else None
    found = [
        rule for rule in rules.about(ids[0], now) if rule.target == ids[1] and rule.action == action
    ]
    return max(found, key=lambda rule: rule.source == ids[0], default=None)


def _reason(rule: Rule) -> str:
    where = f"line {rule.line} of the rules"
    # A rule ends when its last day does.
    until = f", until {rule.ends - MOMENT:%Y-%m-%d}" if rule.ends else ""
    return f": {rule.reason} ({where}{until})" if rule.reason else f" ({where}{until})"


def _same(desk: Desk, one: int, other: int) -> str:
    is_named = title_key(desk.title(one)) == title_key(desk.title(other))
    return "the same title" if is_named else "nearly the same text"


def _is_new(shelf: Lists | Patched, row: int) -> bool:
    return isinstance(shelf, Patched) and row in shelf.read


def _age(desk: Desk, row: int) -> float | None:
    """Days between an article's publication and the build; None if unknown."""
    shelf = desk.shelf
    day = shelf.day_of(row) if isinstance(shelf, Patched) else float(desk.lists.published[row])
    return None if np.isnan(day) else day_number(parse_timestamp(desk.lists.about.built)) - day


def _percent(share: float) -> str:
    return f"{share:.1%}".replace("%", " %")


def explain_links(
    lists: Lists,
    shelf: Lists | Patched,
    row: int,
    links: Sequence[tuple[str, Placing]],
    *,
    kept: Kept | None,
    rules: Rules,
    now: datetime,
) -> list[Explanation]:
    """Of the links of a page, by ids, what can be looked up: without the model."""
    desk = Desk(lists, shelf)
    items = [(item, place) for id, place in links if (item := shelf.find(id)) is not None]
    desk.read([row, *(item for item, _ in items)])
    n, found = len(lists.stub), []
    for item, placing in items:
        figures = kept.figures(lists, row, item) if kept and max(row, item) < n else Figures()
        if not is_scored(since_built(desk, row, item)):
            figures = by_text(desk, row, item, placing)._replace(readers=figures.readers)
        found.append(explain(desk, row, item, placing, figures, rules=rules, now=now))
    return found


def readers_line(explanation: Explanation) -> str:
    """What readers did, as it stands below the figures."""
    readers, since = explanation.readers, explanation.since
    came = [end for end, code in (("this page", PAGE_CAME), ("it", LINK_CAME)) if code in since]
    if came:
        return f"not known, since {came[0]} came after the bundle was built"
    if readers is None or not (readers.views or readers.expected or readers.visits):
        return "it was never shown here, and no visit read both"
    views = "" if readers.views is None else f"{readers.views:,.0f} views, "
    before = ", all before it was rewritten" if since else ""
    return (
        f"{views}{readers.clicks:,.0f} clicks where {readers.expected:,.1f} are to be expected of "
        f"an ordinary link in its places: {readers.rate:.2f} times as often, 95 % within "
        f"{readers.low:.2f} and {readers.high:.2f}; {readers.visits:,.0f} visits read both{before}"
    )


def terms_line(explanation: Explanation) -> str:
    """How alike the texts are, and how much of it each shared term makes."""
    named = ", ".join(f"{each.term} {each.weight:.3f}" for each in explanation.terms)
    rest = explanation.alike - sum(each.weight for each in explanation.terms)
    others = f", and {rest:.3f} of other words" if rest >= LEAST_SHOWN else ""
    return f"{_percent(explanation.alike)} alike; of it {named}{others}"


# What rounds to a thousandth.
LEAST_SHOWN = 0.0005
