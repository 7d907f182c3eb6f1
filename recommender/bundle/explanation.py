"""Why a link stands where it stands, or why it does not: figures, and a sentence for editors.

One structure for the command line, HTTP and Python (``Explanation``). What a web process can look
up is worked out here, from mapped arrays: the shared terms, the editors' rules, languages, copies.
What takes the model is handed over (``Figures``): in Python of any pair, over HTTP of the links
that were prepared, as they were written down when the bundle was built (``Steps``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from math import sqrt
from typing import Annotated, Any, NamedTuple

import numpy as np

from recommender.array_fields import LARGE, Keys, Length, Sizes, Values, Within
from recommender.articles.article import parse_timestamp, title_key
from recommender.articles.dates import day_number
from recommender.bundle.arrays import Pieces, deflated, inflated, load, load_array
from recommender.bundle.composition import DEFAULT_K, Placed
from recommender.bundle.grounds import Evidence
from recommender.bundle.overlay import Patched, dot
from recommender.bundle.published import Lists
from recommender.bundle.shared_words import SHARED, Desk, SharedTerm, quoted
from recommender.errors import BundleError
from recommender.escaping import terminal
from recommender.lists.editorial import Rules
from recommender.ragged import find
from recommender.store.rules import Rule
from recommender.text.tfidf import SAME_SUBJECT

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
# Of a Poisson count and its gamma prior: 95 % lie within so many standard deviations.
NORMAL_95 = 1.959964
# Followed so many times as often as expected, a target is one that readers look for. Not tuned.
SOUGHT = 1.3
# A part of the score that an editor would notice: the odds once and a half. Not tuned.
NOTABLE = 0.4
# Visits that read both, and their cosine, from which on readers make a link relevant (``rerank``).
MIN_VISITS, MIN_READ_COSINE = 3, 0.05
MOMENT = timedelta(microseconds=1)
STEPS = "steps"
# Arrays of the history that are looked up one by one: what reads it whole, learns.
PAIR_KEYS, PAIR_CLICKS = "history_pairs_keys", "history_clicks_clicked"
PAIR_EXPECTED, STRENGTH = "history_clicks_expected", "history_clicks_strength"
READ_KEYS, READ_TOGETHER = "history_reading_keys", "history_reading_together"
READS = "history_reading_reads"
TARGET_CLICKS, TARGET_EXPECTED = "history_clicks_target_clicks", "history_clicks_target_expected"
LOOKED_UP = (
    PAIR_KEYS, PAIR_CLICKS, PAIR_EXPECTED, STRENGTH, READ_KEYS, READ_TOGETHER, READS,
    TARGET_CLICKS, TARGET_EXPECTED,
)  # fmt: skip
PRIOR_READS = 3.0  # that of clicks.cooccurrence
# Steps are kept as whole numbers of two bytes: of scores about ten the last digit is a thousandth.
STEP, MOST_STEP, NO_STEPS = np.dtype(np.int16), 32_767, -32_768
# Scores of lists have seven digits.
SAME_SCORE = 1e-5
# Articles whose steps are deflated together. Those of 137,000 manuals take 8.6 MB, where they would
# take 8.9 MB by 16, 8.3 MB by 256, and 16.4 MB as they are. A look takes 40 µs of the 8 ms in which
# a link is explained.
TOGETHER = 32
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
    """The editors' rule that put a link there, or keeps it out: a ``line`` of the file, or a rule
    of the console by its ``number``, and then that of the line is 0.
    """

    action: str
    source: str
    target: str
    position: int | None
    reason: str
    starts: str | None
    ends: str | None
    line: int
    number: int = 0

    @classmethod
    def of(cls, rule: Rule) -> Ruling:
        """What is to be seen of a rule."""
        place = (rule.action, rule.source, rule.target, rule.position)
        times = _minute(rule.starts), _minute(rule.ends)
        return cls(*place, rule.reason, *times, rule.line, rule.number)


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
    They are kept ``TOGETHER`` of so many articles, ``(n_steps, n_together, list_size)``, deflated:
    of all links they are many, and looked at one by one.
    Of each pair that was shown ``views``, and the clicks ``due`` to an ordinary link in its places,
    ``(n_pairs,)``; ``weight`` is that of the prior of a pair's rate, in clicks.
    """

    rungs: tuple[str, ...]
    unit: Annotated[float, Within(0, LARGE)]
    n_articles: Annotated[int, Length("n_articles")]
    list_size: Annotated[int, Length("list_size")]
    steps: Annotated[Pieces, Sizes(n_strings="n_pieces")]
    views: Annotated[np.ndarray, Values("n_pairs", least=0)]
    due: Annotated[np.ndarray, Values("n_pairs", least=0)]
    weight: Annotated[float, Within(0, LARGE)]

    def fault(self) -> str | None:
        """What is wrong with steps that were read, or None."""
        if not self.rungs or not RUNGS.keys() >= {*self.rungs}:
            return f"rungs: {self.rungs} are not known"
        if len(self.steps) != -(-self.n_articles // TOGETHER):
            return f"steps: {len(self.steps)} pieces for {self.n_articles} articles"
        return None

    @classmethod
    def of(
        cls, rungs: tuple[str, ...], ladder: np.ndarray, scores: np.ndarray, **counted: Any
    ) -> Steps:
        """Of a ``ladder``, ``(n_articles, list_size, n_rungs)``, and the ``scores`` of the lists,
        ``(n_articles, list_size)``.
        """
        most = max(float(ladder.max(initial=0.0)), -float(ladder.min(initial=0.0)))
        unit = most / MOST_STEP or 1.0

        def pieces() -> Iterator[bytes]:
            for start in range(0, len(scores), TOGETHER):
                some, of = ladder[start : start + TOGETHER], scores[start : start + TOGETHER]
                own = np.abs(some.sum(axis=2) - of) <= SAME_SCORE * (1 + np.abs(of))
                whole = np.round(np.moveaxis(some[:, :, :-1], 2, 0) / unit)
                yield deflated(np.where(own, whole, NO_STEPS).astype(STEP))

        n_articles, list_size = scores.shape
        return cls(rungs, unit, n_articles, list_size, Pieces.of(pieces()), **counted)

    def at(self, row: int, slot: int, score: float) -> dict[str, float]:
        """The steps of a prepared link with this ``score``, by rung; empty if they are not kept."""
        number, place = divmod(row, TOGETHER)
        n_together = min(TOGETHER, self.n_articles - number * TOGETHER)
        shape = len(self.rungs) - 1, n_together, self.list_size
        kept = inflated(self.steps.view(number), STEP, shape)[:, place, slot].tolist()
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
        seen = Evidence(*lists.evidence.at(np.array([row]), slots[:1])[0].tolist())
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
            desk, source, item, figures, rule, listed_rows, score=score, alike=alike, texts=texts
        )  # fmt: skip
        clauses = [why]
        if absent in ("lower", "floor") and texts:
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
    texts: str,
) -> tuple[str, str]:
    """A code and a clause on why an article is not in a list; ``texts`` is what theirs share."""
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
            f"it scores {score:.2f}, as place {better + 1} of the list does, but was never weighed "
            f"for it: {_unsuggested(texts)}",
        )
    return "apart", _unsuggested(texts)


def _unsuggested(texts: str) -> str:
    """Why an article was not among those that are weighed for a page's list; ``texts`` is what
    theirs have in common, a few words or more.
    """
    few = texts.removeprefix(SHARED)
    if texts and few == texts:
        return (
            f"{texts}, but other articles are nearer to the page, and neither readers nor lists "
            "lead to it"
        )
    common = "the texts have little in common" + (f" (only {few})" if few else "")
    return f"nothing suggests it: {common}, and neither readers nor lists lead to it"


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
    rule = max(found, key=lambda rule: rule.source == ids[0], default=None)
    # Its last day is one of the site's zone.
    return rule and replace(rule, ends=rule.ends and rule.ends.astimezone(rules.zone))


def _reason(rule: Rule) -> str:
    where = rule.where if rule.is_of_console else f"{rule.where} of the rules"
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
