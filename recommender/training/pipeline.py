"""One build, from the store to a published bundle. This is the table of contents: start here.

articles ─▶ text ─▶ neighbours ─┐
hand-picked lists ─▶ editors ───┼─▶ candidates ─▶ scores ─▶ lists ─▶ bundle
log ─▶ counts ─▶ examination ─▶ history ─▶ ranker
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recommender.articles.article import Article
from recommender.articles.dates import counts_of, dates_of, day_number
from recommender.articles.detection import detect_all
from recommender.articles.language import (
    BEGINNING,
    beginning_of,
    detector,
    is_long_enough,
    primary_subtag,
)
from recommender.bundle import activation
from recommender.bundle.bundle import Bundle
from recommender.bundle.writer import Built, Stored, write
from recommender.candidates import EMPTY, Candidates, hand_picked
from recommender.clicks import position_bias
from recommender.clicks.influence import Evidence, limited
from recommender.clicks.position_bias import Examination
from recommender.errors import TrainingError
from recommender.events.event import latest_at
from recommender.lists.concentration import DEFAULT_CEILING
from recommender.lists.editions import newest_editions
from recommender.lists.eligibility import (
    OFF,
    SAME,
    Eligibility,
    agree,
    eligibility_of,
    languages_of,
    listings_of,
    too_old_of,
)
from recommender.lists.exploration import DEFAULT_SHARE, explore
from recommender.lists.populations import populations
from recommender.lists.rerank import (
    Screen,
    finish,
    floor_of,
    listed_beside,
    same_title_or_text,
    together,
)
from recommender.progress import Progress, Silent
from recommender.ranking import handpicked
from recommender.ranking.calibration import calibrate
from recommender.ranking.candidate_sources import Basis, proposed_beside
from recommender.ranking.consistency import consistent
from recommender.ranking.handpicked import HandpickedModel, Outcome
from recommender.ranking.ranker import Learned, learn, recounted
from recommender.ranking.time_splits import splits_of
from recommender.store import counts
from recommender.store.click_filters import Caps
from recommender.store.counts import Log
from recommender.store.counts_file import LogCounts
from recommender.store.database import Store, known_name
from recommender.text import neighbours, tfidf, vectorising
from recommender.text.corpus import TOPICS, Corpus, Links, corpus_of
from recommender.text.latent import carried
from recommender.text.listing_pages import Judged, judge
from recommender.text.listing_renewal import judge_again
from recommender.text.neighbours import Rows
from recommender.text.renewal import RESERVE, Near, bounded, renewed
from recommender.text.series import next_parts
from recommender.text.terms import is_english, words
from recommender.text.tfidf import Counts, Text
from recommender.training.fitted import fitted, prints_of_lists
from recommender.training.kept import (
    MANY,
    MAX_DRIFT,
    Changes,
    Kept,
    all_new,
    changes_since,
    drift,
    gathered,
    is_of_use,
    standing_in,
    standing_kind,
    stood,
)
from recommender.training.memory import collected_between_stages, give_back
from recommender.training.same_lists import KeptLists, keys_of, known_lists
from recommender.training.work import Work

# Candidates by text beside each article, and the neighbours whose lists and clicks bear on it. Not
# tuned; twice the list's thirty slots, since the floor and duplicates take some away.
N_NEIGHBOURS = 60
# An article that loses more of them to what may not be recommended is given others. Not tuned: as
# many are left as a list has slots, and ten more.
MAX_LOST = 20
# Blocks of articles that are counted apart; fewer than one block are counted in this process.
COUNT_BLOCK = 4_000
# Articles that a worker of a cluster compares with all others at a time.
COMPARED_BLOCK = 20_000
# Articles from which on it takes minutes to compare all, so that what is done is put away.
LONG_COMPARED = 100_000
# Articles whose lists are made together: it bounds the memory, some 100 MB with a log.
SCORE_BLOCK = 2_000
# Articles whose candidates are compared with the links that were shown.
N_DRAWN = 2_000
# What lists are kept under for the next training.
LISTS = "-lists"


@dataclass(frozen=True, slots=True)
class Options:
    """How to build. ``until`` (milliseconds since 1970) bounds the log; ``jobs`` is the number
    of processes for counting text; ``seed`` settles every draw; ``explore`` is how many of a
    hundred views show a slate that explores; ``caps`` bound what clicks can do; ``languages`` is
    the rule on the language of links (``eligibility.SAME`` or ``ANY``). Articles published more
    than ``oldest_days`` ago are recommended beside nothing (0: any age is fine); in categories that
    are ``ageing`` a newer article is preferred strongly. ``listings`` is the rule on pages that are
    mere lists of others (``eligibility.OFF`` or ``ON``). One article stands in no more lists than
    the ``ceiling``, in hundredths of them (100: in any number). ``counts`` of a log that were made
    elsewhere take the place of the store's own.
    """

    until: int | None = None
    jobs: int = 2
    seed: int = 0
    activate: bool = True
    explore: int = DEFAULT_SHARE
    caps: Caps = field(default_factory=Caps)
    languages: str = SAME
    oldest_days: int = 0
    ageing: tuple[str, ...] = ()
    listings: str = OFF
    ceiling: int = DEFAULT_CEILING
    counts: LogCounts | None = None

    @property
    def rules(self) -> str:
        """What of it bears on what is kept for the next training."""
        kept = (
            self.seed, self.caps, self.languages, self.oldest_days, self.ageing, self.listings,
        )  # fmt: skip
        return repr(kept)


def build(
    store: Store,
    models: Path,
    *,
    now: datetime,
    options: Options | None = None,
    progress: Progress | None = None,
    work: Work | None = None,
) -> Bundle:
    """Train on everything in the store, publish the bundle and, by default, make it live. Blocks
    run where ``work`` says, and what it kept of a build that was cut short is not done again.

    ``TrainingError`` if there are fewer than two articles. A build that is cut short leaves
    nothing under a bundle's name.
    """
    options = options or Options()
    work = work or Work(jobs=options.jobs)
    with collected_between_stages():
        folder = trained(store, models, now, options, progress or Silent(), work)
        # A bundle is read whole before it goes live: by now, all it was made of is gone.
        give_back()
        if options.activate:
            activation.activate(models, folder.name)
    return Bundle(folder)


def trained(
    store: Store, models: Path, now: datetime, options: Options, progress: Progress, work: Work
) -> Path:
    """Train, as ``build`` does, and write the bundle under its name; returns its folder."""
    progress.stage("reading the store")
    change = store.last_change()
    articles = store.articles()
    if len(articles) < 2:
        raise TrainingError(f"{len(articles)} articles in the store; a list takes two")
    ids = [article.id for article in articles]
    stub = np.array([article.stub for article in articles])
    if stub.all():
        raise TrainingError("the store holds stubs alone; import the pages themselves")

    keeps = work.shelf is not None and len(articles) >= MANY
    before, changes = what_changed(work, articles, options.rules) if keeps else (None, None)
    editors_lists = prints_of_lists(articles)
    detected, among = None, list[str]()
    if options.languages == SAME:
        # First of all: the detector and the compiled loops need not be there at the same time.
        detected, among = read_languages(articles, work, before, changes, progress=progress)
        give_back()
    judged = None
    if options.listings == OFF:
        judged = find_listings(articles, before, changes, progress)
        give_back()
    of_texts, stays = count_text(articles, work, before, changes, progress=progress)
    if before and not stays and judged:
        judged = find_listings(articles, None, None, progress)
    before = stays
    articles = [without_text(article) for article in articles]
    give_back()
    listing = marked(judged, stub)
    dates, today = dates_of(articles, now), day_number(now)
    too_old = too_old_of(articles, dates.day, today, options.oldest_days, listing=listing)
    eligible = eligibility_of(
        articles, languages=options.languages, detected=detected, too_old=too_old, listing=listing
    )
    text = weighed_text(of_texts, articles, before, changes)
    terms = of_texts.blocks if changes else []
    del of_texts
    give_back()
    found = compared(
        text, before, changes, work, reserve=RESERVE if keeps else 0, progress=progress
    )
    items, cosines = found.first(N_NEIGHBOURS)
    cluster = neighbours.near_duplicates(text, items, cosines)
    picked = picked_lists(articles, ids)
    topics, stands = None, before.standing if before else None
    if stands and changes:
        text = replace(text, fullness=stood(stands.fullness, changes, text.fullness))
        topics = carried(TOPICS.unpacked(stands.topics), changes.place, items, cosines)
    corpus = corpus_of(
        articles, text, picked, items, cosines, topics=topics,
        published=dates.day, now=today, ageing=options.ageing, seed=options.seed,
    )  # fmt: skip
    give_back()
    if stands:
        corpus = replace(corpus, agreement=stands.agreement)

    known = before.fitted if before and before.fitted.holds_of(editors_lists) else None
    if known:
        given = known.taught, known.trees, corpus, picked, stub
        taught = handpicked.recounted(*given, seed=options.seed)
    else:
        taught = handpicked.learn(corpus, picked, stub, seed=options.seed, progress=progress)
    progress.stage("counting the log")
    # A view of the future has a wrong clock, and would make the log end there.
    latest = latest_at(now) + 1
    until = latest if options.until is None else min(options.until, latest)
    if options.counts is None:
        whole_log = counts.count(store, ids, until=until, caps=options.caps)
    else:
        whole_log = options.counts.log(ids, until=until)
    log, examination, evidence = weighed(
        whole_log, corpus, taught.model, stub=stub, seed=options.seed, progress=progress
    )
    n_clicks = int(whole_log.n_clicks.sum())
    lesson = known.lesson_at(n_clicks) if known else None
    if lesson:
        learned = recounted(
            lesson, corpus, log, examination, handpicked=taught.model, stub=stub, now=today
        )
    else:
        learned = learn(
            corpus, log, examination,
            handpicked=taught.model, stub=stub, now=today, seed=options.seed, progress=progress,
        )  # fmt: skip

    near = nearest(text, eligible, items, cosines, progress)
    titles = [article.title for article in articles]
    following = next_parts(titles, dates.day)
    basis = Basis(corpus, picked, taught.model, learned.history, near, following)
    score = scorer(learned, taught)
    same = same_title_or_text(titles, cluster)
    screen = Screen(
        corpus,
        learned.history if learned.ranker else None,
        eligible,
        stub,
        same,
        newest_editions(corpus, same, ~eligible.barred & ~stub),
        following,
        next_first=learned.decided_by == "text",
        floor=stands.floor
        if stands
        else floor_of(corpus, seed=options.seed, with_runs=text.with_runs),
        sure=handpicked.SURE if taught.model and learned.decided_by == "text" else np.inf,
    )
    known_keys, listed = None, None
    if changes and by_text_alone(learned, taught):
        known_keys = keys_of(basis, screen, articles, changes.ids, changes.prints)
        listed = known_lists(work.kept(LISTS), changes.ids, known_keys)
    relevant = relevant_lists(basis, screen, score, work, progress, known=listed)
    if changes and known_keys is not None:
        kept = KeptLists(changes.ids, known_keys, relevant.items, relevant.scores)
        work.keep(kept, LISTS)
        del kept
    finished = finish(
        relevant,
        screen,
        basis,
        ceiling=options.ceiling,
        origin="model" if taught.model else learned.decided_by,
    )
    del relevant, listed
    slates = explore(
        finished.lists.items,
        finished.n_relevant,
        np.array([article.sensitive for article in articles]),
        share=options.explore,
        # Another deal at every build, so that in time every candidate is tried.
        seed=options.seed + int(now.timestamp()),
    )
    calibrated = calibrate(
        corpus, log, examination, learned,
        lambda sources, items: score(Links(corpus, sources, items)),
        stub=stub, known=known.slope if known and lesson else None,
    )  # fmt: skip
    counted = counts_of(
        articles, dates, now,
        oldest_days=options.oldest_days, n_too_old=int(too_old.sum()), ageing=options.ageing,
    )  # fmt: skip
    stored = Stored(known_name(store), store.keys_of(ids), change, n_clicks)
    differing = populations(
        corpus, learned.history.pairs, some_candidates(basis, seed=options.seed),
        factor=float(np.exp(-learned.history.unchosen)), seed=options.seed,
    )  # fmt: skip
    built = Built(
        articles, text, corpus, log, evidence, evidence.about(whole_log), examination, learned,
        taught, finished, slates, calibrated, differing, eligible, screen.floor,
        listings_of(articles, listing, rule=options.listings), counted, stored, now,
    )  # fmt: skip
    give_back()
    folder = write(built, models, progress=progress)
    work.clear()
    if changes:
        # Texts whose idf was too far off were counted and compared anew.
        n_changed = before.n_changed + changes.n if before else 0
        if known is None or lesson is None:
            lists = known.lists if known else editors_lists
            known = fitted(taught, lists, learned, calibrated, n_clicks)
        work.keep(
            Kept(
                changes.ids, changes.prints,
                "\n".join(code or "" for code in detected or [None] * len(ids)), among, terms,
                "\n".join(text.vocabulary), text.idf, text.boilerplate, text.with_runs, found,
                n_changed, standing_in(corpus, text.forms, screen.floor), known, options.rules,
                judged,
            )
        )  # fmt: skip
    return folder


def weighed(
    counted: Log,
    corpus: Corpus,
    model: HandpickedModel | None,
    *,
    stub: np.ndarray,
    seed: int,
    progress: Progress,
) -> tuple[Log, Examination, Evidence]:
    """The log as it counts: without what only requests brought onto lists, and what pages sent on
    a day or a page bounded by what is usual and by how far it agrees with the rest; how places are
    examined by that; and what pages sent, and weighs.
    """
    log = counted.shown_to_all()
    evidence = limited(log, corpus.n_articles)
    bounded = evidence.weigh(log)
    examination = position_bias.estimate(bounded, seed=seed)
    if len(evidence.keys):
        splits = splits_of(corpus, model, bounded, examination, stub=stub)
        evidence = consistent(splits, evidence, seed=seed, progress=progress)
        examination = position_bias.estimate(evidence.weigh(log), seed=seed)
    return evidence.weigh(log), examination, evidence


def what_changed(
    work: Work, articles: Sequence[Article], rules: str
) -> tuple[Kept | None, Changes]:
    """What the last training kept, where this one can build on it, and what changed since."""
    before = work.kept()
    changes = changes_since(before, articles)
    if before is None or not is_of_use(before, changes, rules):
        return None, all_new(changes)
    return before, changes


def read_languages(
    articles: Sequence[Article],
    work: Work,
    before: Kept | None = None,
    changes: Changes | None = None,
    *,
    progress: Progress,
) -> tuple[list[str | None], list[str]]:
    """The language that each article's text shows where the article does not say. What is too
    short to tell is asked once more if the site has several languages: which of these it is, and
    these are the second list. Articles that have not changed since ``before`` are not read again
    unless these changed; and where all of a site was in English, the detector is not even loaded
    for what reads as English.
    """
    codes: list[str | None] = [None] * len(articles)
    asked = [at for at, each in enumerate(articles) if not primary_subtag(each.language)]
    if before and changes:
        for at, code in zip(changes.place.tolist(), before.languages.split("\n"), strict=True):
            if at != EMPTY:
                codes[at] = code or None
        same = changes.same
        asked = [at for at in asked if not same[at]]
        if before.among == ["en"]:
            codes = [
                "en" if not is_same and reads_as_english(article) else code
                for article, code, is_same in zip(articles, codes, same.tolist(), strict=True)
            ]
    among: list[str] = []
    for stage in ("languages", "languages_again"):
        silent = [at for at in asked if codes[at] is None]
        # The detector reads the beginning alone.
        texts = [(articles[at].title, articles[at].body[:BEGINNING]) for at in silent]
        blocks = [(texts[start : start + COUNT_BLOCK],) for start in starts_of(texts)]
        if blocks:
            progress.stage("reading the languages", len(blocks))
        # Under names of their own, or what the first time found were let go for the second.
        found = work.spread(stage, detect_block, (among,), blocks, progress=progress)
        for at, code in zip(silent, chain.from_iterable(found), strict=True):
            codes[at] = code
        among = languages_of(articles, codes, rule=SAME)[1].codes
        if len(among) < 2:
            break
    # It takes 80 MB, and nothing asks it again.
    detector.cache_clear()
    if before and among != before.among:
        return read_languages(articles, work, progress=progress)
    return codes, among


def reads_as_english(article: Article) -> bool:
    """Is an article long enough to tell its language, and has it the function words of English?"""
    text = beginning_of(article.title, article.body[:BEGINNING])
    return is_long_enough(text) and is_english(words(text))


def detect_block(among: Collection[str], texts: Sequence[tuple[str, str]]) -> list[str | None]:
    """The language of each text; blocks are independent, so they can run anywhere."""
    return detect_all([title for title, _ in texts], [body for _, body in texts], among)


def find_listings(
    articles: Sequence[Article],
    before: Kept | None,
    changes: Changes | None,
    progress: Progress,
) -> Judged:
    """The pages that are mere lists of others; those that have not changed since ``before`` are
    not judged again.
    """
    progress.stage("looking for listing pages")
    texts = (
        [article.title for article in articles],
        [article.body for article in articles],
        [article.teaser for article in articles],
    )
    if before and before.judged and changes:
        return judge_again(before.judged, changes.place, *texts, read=vectorising.words_of)
    return judge(vectorising.words_of(*texts))


def marked(judged: Judged | None, stub: np.ndarray) -> np.ndarray:
    """True for listing pages, ``(n_articles,)``. None is where fewer than two others would remain:
    a list takes two.
    """
    found = judged.listing & ~stub if judged else np.zeros(len(stub), dtype=bool)
    return found if (~found & ~stub).sum() > 1 else np.zeros_like(found)


class Counted(NamedTuple):
    """The terms of all articles in ``blocks``, in their order, without ``boilerplate``, counted
    ``with_runs`` of letters or without.
    """

    blocks: list[Counts]
    boilerplate: np.ndarray
    with_runs: bool


def count_text(
    articles: Sequence[Article],
    work: Work,
    before: Kept | None = None,
    changes: Changes | None = None,
    *,
    progress: Progress,
) -> tuple[Counted, Kept | None]:
    """The terms of every article, counted block by block: of those alone that changed since
    ``before``, without the boilerplate of then, unless the idf of then is too far off. Then
    ``before`` is of no more use, and the second is None.
    """
    titles = [article.title for article in articles]
    if before is None or changes is None:
        bodies = [article.text for article in articles]
        boilerplate = vectorising.find_boilerplate(bodies)
        with_runs = tfidf.needs_runs(titles, bodies)
        blocks = list(counts_in(work, titles, bodies, boilerplate, with_runs, progress))
        return Counted(blocks, boilerplate, with_runs), None
    boilerplate, with_runs = before.boilerplate, before.with_runs
    new = np.flatnonzero(~changes.same)
    rows = np.empty(len(titles), dtype=np.int64)
    old = np.flatnonzero(changes.place != EMPTY)
    rows[changes.place[old]] = old
    rows[new] = len(changes.place) + np.arange(len(new))
    bodies = [articles[at].text for at in new.tolist()]
    named = [titles[at] for at in new.tolist()]
    fresh = counts_in(work, named, bodies, boilerplate, with_runs, progress)
    blocks = gathered([*before.counts, *fresh], rows)
    if drift(blocks, before.known_idf) > MAX_DRIFT:
        return count_text(articles, work, progress=progress)
    # Their counts are among those of now.
    return Counted(blocks, boilerplate, with_runs), replace(before, counts=[])


def counts_in(
    work: Work,
    titles: list[str],
    bodies: list[str],
    boilerplate: np.ndarray,
    with_runs: bool,
    progress: Progress,
) -> Iterator[Counts]:
    """The terms of some articles, block by block."""
    starts = starts_of(titles)
    progress.stage("reading the texts", len(starts))
    blocks = [(titles[s : s + COUNT_BLOCK], bodies[s : s + COUNT_BLOCK]) for s in starts]
    return work.spread("texts", count_block, (boilerplate, with_runs), blocks, progress=progress)


def read_text(articles: Sequence[Article], work: Work, *, progress: Progress) -> Text:
    """What the texts of all articles teach."""
    return weighed_text(count_text(articles, work, progress=progress)[0], articles)


def weighed_text(
    counted: Counted,
    articles: Sequence[Article],
    before: Kept | None = None,
    changes: Changes | None = None,
) -> Text:
    """What counted texts teach, with the idf and the forms of titles of ``before``. Of the articles
    the titles are enough: by then a large site needs the room of the texts.
    """
    stands = before.standing if before else None
    return tfidf.fit(
        counted.blocks,
        [article.title for article in articles],
        counted.boilerplate,
        with_runs=counted.with_runs,
        known_idf=before.known_idf if before else None,
        forms=stands.forms if stands else None,
        kind=standing_kind(stands, changes, articles) if stands and changes else None,
    )


def count_block(
    boilerplate: np.ndarray, with_runs: bool, titles: Sequence[str], bodies: Sequence[str]
) -> Counts:
    """The terms of some articles; blocks are independent, so they can run anywhere."""
    known = set(boilerplate.tolist())
    return vectorising.count_block(titles, bodies, known, with_runs=with_runs)


def starts_of(rows: Sequence[object]) -> range:
    """Where blocks of articles begin."""
    return range(0, len(rows), COUNT_BLOCK)


def without_text(article: Article) -> Article:
    """An article as lists show it: once terms are counted, nothing needs what it says any more,
    and a million texts take gigabytes.
    """
    fields = {name: getattr(article, name) for name in Article.__dataclass_fields__}
    # In a third of the time that ``replace`` takes.
    return Article(**{**fields, "body": "", "teaser": article.shown_teaser})


def compared(
    text: Text,
    before: Kept | None,
    changes: Changes | None,
    work: Work,
    *,
    reserve: int = 0,
    progress: Progress,
) -> Near:
    """The neighbours of every article, ``N_NEIGHBOURS`` and a ``reserve``: those of before where
    nothing changed.
    """
    rows = neighbours.rows_of(text)
    if before and changes:
        return renewed(before.near, changes.place, rows, k=N_NEIGHBOURS, progress=progress)
    return bounded(*all_neighbours(rows, work, k=N_NEIGHBOURS + reserve, progress=progress))


def all_neighbours(
    rows: Rows, work: Work, *, k: int, progress: Progress
) -> tuple[np.ndarray, np.ndarray]:
    """The ``k`` nearest of each. On one machine each pair is looked at once, and what was done
    before an interruption is not done again; workers of a cluster look for those of their rows.
    """
    if work.cluster is None and len(rows) < LONG_COMPARED:
        return neighbours.whole(rows, k=k, progress=progress)
    if work.cluster is None:
        with work.resumed("neighbours", rows) as (begun, after):
            state = (begun[0], np.array(begun[1])) if begun else None
            return neighbours.whole(rows, k=k, progress=progress, begun=state, after=after)
    starts = range(0, len(rows), COMPARED_BLOCK)
    blocks = [(start, min(start + COMPARED_BLOCK, len(rows))) for start in starts]
    progress.stage("comparing articles", len(blocks))
    found = work.spread("neighbours", neighbours_block, (rows, k), blocks, progress=progress)
    items, likeness = zip(*found, strict=True)
    return np.concatenate(items), np.concatenate(likeness)


def neighbours_block(rows: Rows, k: int, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
    """The ``k`` nearest of articles ``first`` to ``last``, ``(n, k)`` each."""
    return neighbours.block(rows, np.arange(first, last), k=k)


def picked_lists(articles: Sequence[Article], ids: Sequence[str]) -> Candidates:
    """The editors' lists as candidates."""
    place = {id: row for row, id in enumerate(ids)}
    lists = [[place.get(id, EMPTY) for id in article.recommended] for article in articles]
    return hand_picked(lists, n_articles=len(articles))


def nearest(
    text: Text, eligible: Eligibility, items: np.ndarray, likeness: np.ndarray, progress: Progress
) -> Candidates:
    """The nearest texts that may be recommended: of the neighbours ``items``, ``(n_articles, k)``,
    those that may, and where too few of them do, others that stand farther away.
    """
    found = Candidates(items, np.where(items != EMPTY, likeness, -np.inf))
    found = found.keep(eligible.mask(found))
    crowded = (items != EMPTY).sum(axis=1) - found.used.sum(axis=1) > MAX_LOST
    for language in np.unique(eligible.language[crowded]):
        asked = crowded & (eligible.language == language)
        among = ~eligible.barred & agree(eligible.language, language)
        again = neighbours.neighbours(
            text, k=items.shape[1], asked=asked, among=among, progress=progress
        )
        found.items[asked], found.scores[asked] = again[0][asked], again[1][asked]
    return found.keep(found.items != EMPTY)


def scorer(learned: Learned, taught: Outcome) -> Callable[[Links], np.ndarray]:
    """What clicks taught; without, what editors' lists did; without, text."""
    if learned.ranker:
        return learned.ranker.score_of
    return partial(handpicked.score_of, taught.model)


def relevant_lists(
    basis: Basis,
    screen: Screen,
    score: Callable[[Links], np.ndarray],
    work: Work,
    progress: Progress,
    *,
    known: Candidates | None = None,
) -> Candidates:
    """The relevant links beside every article, best first, made block by block, but for lists that
    are ``known``.
    """
    n = basis.corpus.n_articles
    asked = np.ones(n, dtype=bool)
    if known:
        asked[known.sources] = False
    rows = np.flatnonzero(asked)
    blocks = [(rows[s : s + SCORE_BLOCK],) for s in range(0, len(rows), SCORE_BLOCK)]
    progress.stage("scoring candidates", len(blocks))
    shared = basis, screen, score
    found = work.spread("lists", listed_beside, shared, blocks, progress=progress, threads=True)
    return together(chain([known] if known else [], found), n)


def by_text_alone(learned: Learned, taught: Outcome) -> bool:
    """Whether neither readers nor editors' lists have a say in what stands beside an article."""
    history = learned.history
    seen = len(history.pairs.item) + len(history.reading.item)
    return learned.ranker is None and taught.model is None and not seen


def some_candidates(basis: Basis, *, seed: int) -> Candidates:
    """The candidates beside articles drawn at random."""
    rows = np.random.default_rng(seed).permutation(basis.corpus.n_articles)[:N_DRAWN]
    return proposed_beside(basis, np.sort(rows))
