"""What can be wrong with a hand-picked link: one check a kind, each over all links at once.

A check takes ``Links`` and returns what it ``Found``. What a reader notices at once (a link that
leads nowhere, to the page itself or to the same page twice) is ``BROKEN``; what does not belong
there is ``POOR``; what an editor should look at is ``DOUBTFUL``. A link may be found by several
checks; those on texts leave alone what is broken anyway.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from rapidfuzz import fuzz
from scipy.special import gammainc

from recommender.articles.addresses import url_key, whole_key
from recommender.articles.article import Article, title_key
from recommender.articles.language import primary_subtag
from recommender.bundle.bundle import Bundle
from recommender.candidates import EMPTY
from recommender.clicks.choice_model import USUAL
from recommender.clicks.gamma_poisson import fitted_weight, posterior_rate
from recommender.clicks.intervention_harvesting import MAX_POSITION
from recommender.clicks.position_bias import Examination
from recommender.evaluation.two_groups import TwoGroups, as_sure, by_likeness, with_clicks
from recommender.lists.editions import EDITION
from recommender.lists.rerank import MIN_READ_COSINE, MIN_VISITS
from recommender.ragged import at, find, runs
from recommender.ranking.handpicked import SURE
from recommender.store.counts import UNKNOWN, Log
from recommender.text.corpus import LATENT
from recommender.text.neighbours import NEAR_DUPLICATE
from recommender.text.tfidf import SAME_SUBJECT

# How bad a link is.
GOOD, DOUBTFUL, POOR, BROKEN = range(4)
GRADES = ("good", "doubtful", "poor", "broken")
# From such chances on a link is off-topic, or may be. Not tuned: what they find and what they get
# wrong is in benchmarks/README.md, "The audit".
OFF_TOPIC, MAYBE_OFF_TOPIC = 0.8, 0.4
# Where a larger share of all links is no more alike than pages drawn by chance, texts do not tell
# which are off-topic. Not tuned.
MOST_ANYWHERE = 0.9
# Texts as much alike have a subject in common, whatever readers do. Not tuned: on the sample site
# links that readers want have .1 to .2.
ALIKE = 0.2
# So many of all links are taken to be meant although they are no more alike than chance, and of
# those that are no more alike so many at most: by eye nearly all of va's, whose editors picked with
# care (.16 of its links), and one in twelve of the sample site's, whose lists are bad (.49).
MEANT, MOST_MEANT = 0.1, 0.5
# A page that has nearly all of the target's title in its text names it. Not tuned.
NAMED = 0.8
# Distinct terms a text needs before likeness says anything of it, not tuned; and before it does
# alone: of good lists on the sample site, texts cut down, a tenth was accused at 30 terms (40
# words), one in seventy at 42 (60 words).
MIN_WORDS, MIN_ALONE = 20, 35
# Words from which on the same text is no accident; and those from which on texts that differ in one
# word of a hundred (``ALL_BUT``, in percent) are one. Read by eye on msdocs: below it, and under
# titles that differ in a number, they are parts of a reference.
MIN_SAID, MIN_COPIED, ALL_BUT = 15, 100, 99.0
# Texts that are less alike, titles weighed threefold, are not compared word by word: on the sample
# site copies under other titles have .85 to .96. Not tuned.
MAYBE_COPY = 0.6
# Terms, pairs of words included, that a copy may have more by its title. Not tuned.
TITLE_TERMS = 40
# Of longer lists only what the bundle takes for near-duplicates is compared: 45,000 pairs a list.
MOST_PAIRED = 300
# Where a larger share of what links lead to has no text, that is the site's way. Not tuned.
MOST_EMPTY = 0.5
# Pairs drawn by chance, and of each article, to learn what it has in common with any other.
N_DRAWN, N_OF_EACH = 50_000, 32
# A link is hardly followed below such a part of the usual rate of its page: rates differ tenfold
# among good links, and half the usual is usual. Not tuned.
HARDLY = 1 / 3
# The weight of a page's rate for its links, in clicks, is this at most: where rates are all alike,
# a link that nobody wants is an outlier, which a firm prior would explain away. Not tuned.
MOST_WEIGHT = 2.0
# Of all that are called so such a share is wrong at most, and each is that sure. Not tuned.
ERROR, LEAST_SURE = 0.05, 0.9
# A page is about both of two editions if it is so nearly as much like the newer one. Read by eye on
# msdocs: where it is less, both are current, such as two interfaces to one structure.
AS_ALIKE = 0.8
# Days of a year, for ages in words.
YEAR_DAYS = 365.25
YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")


Texts = Callable[[Sequence[str]], Mapping[str, str]]


@dataclass(frozen=True, slots=True, eq=False)
class LinkClicks:
    """What readers did, of each link, ``(n_links,)``: ``views`` that showed it, its ``clicks``, and
    those ``expected`` of any link of the site shown as often at these places (``of_site``) and of
    the other links of its page (``of_page``). ``is_corrected`` is true if places count by how
    likely they are examined, false if by how often links there are followed.
    """

    views: np.ndarray
    clicks: np.ndarray
    of_site: np.ndarray
    of_page: np.ndarray
    is_corrected: bool


@dataclass(frozen=True, eq=False)
class Links:
    """The hand-picked links of a site. Articles are numbers into ``articles``, those of the store.

    Of links, page by page in the order of their lists, ``(n_links,)``: ``source``, the page;
    ``target``, an article, or a number beyond them for an id that the store has not; ``place``,
    from 1. ``row`` is the bundle's number of each article, ``(n_articles,)``, ``EMPTY`` if it does
    not know it. ``published`` is the day of each article since 1970, NaN where unknown, and
    ``today`` that of the audit; older than ``oldest_days`` is too old (0: nothing is). ``texts``
    gives the texts of articles by id.

    What is derived is of every link, ``(n_links,)``, unless it says otherwise.
    """

    articles: Sequence[Article]
    bundle: Bundle
    source: np.ndarray
    target: np.ndarray
    place: np.ndarray
    row: np.ndarray
    published: np.ndarray
    today: float
    oldest_days: int
    texts: Texts
    clicks: LinkClicks | None
    seed: int = 0

    @cached_property
    def known(self) -> np.ndarray:
        """True for links to an article of the store, stubs too."""
        return self.target < len(self.articles)

    @cached_property
    def stub(self) -> np.ndarray:
        """True for articles known by their title alone, ``(n_articles,)``."""
        return np.array([article.stub for article in self.articles], dtype=bool)

    @cached_property
    def leads_to_page(self) -> np.ndarray:
        """True for links to an article that has a page."""
        return self.known & ~self.stub[np.where(self.known, self.target, 0)]

    @cached_property
    def page(self) -> np.ndarray:
        """The number of each article's page, ``(n_articles,)``: the first of those at its address,
        itself without one. Addresses that differ in a parameter are as many pages as a bundle's
        index makes of them; those that differ in their fragment are places of one page, and as many
        pages as there are texts.
        """
        page, first = np.arange(len(self.articles)), dict[tuple[str, str], int]()
        said = self._said([number for numbers in self._places for number in numbers.tolist()])
        for number in self._involved.tolist():
            if url := self.articles[number].url:
                key = whole_key(url), said.get(number, "")
                page[number] = first.setdefault(key, number)
        return page

    @cached_property
    def _involved(self) -> np.ndarray:
        """Articles with links or to which some lead."""
        return np.unique(np.concatenate([self.source, self.target[self.known]]))

    @cached_property
    def _places(self) -> list[np.ndarray]:
        """Articles at addresses that differ in the fragment alone, page by page."""
        at: dict[str, list[int]] = {}
        for number in self._involved.tolist():
            if url := self.articles[number].url:
                at.setdefault(whole_key(url), []).append(number)
        return [
            np.array(numbers, dtype=np.int64)
            for numbers in at.values()
            if len({_fragment(self.articles[number].url) for number in numbers}) > 1
        ]

    def _said(self, numbers: Sequence[int]) -> dict[int, str]:
        """The texts of such places, which tell them apart, of those that have one."""
        names = {self.articles[number].id: number for number in numbers}
        texts = self.texts(list(names)) if names else {}
        return {names[id]: _plain(text) for id, text in texts.items() if text.strip()}

    @cached_property
    def on_own_page(self) -> np.ndarray:
        """True for links from or to the whole of a page that lead to, or from, a place of it with a
        text of its own. Two places of one page are two articles.
        """
        of = np.full(len(self.articles) + 1, EMPTY)
        is_whole = np.zeros(len(of), dtype=bool)
        for group, numbers in enumerate(self._places):
            of[numbers] = group
            is_whole[numbers] = [not _fragment(self.articles[n].url) for n in numbers.tolist()]
        target = np.where(self.known, self.target, len(self.articles))
        same = (of[self.source] != EMPTY) & (of[self.source] == of[target])
        same &= is_whole[self.source] != is_whole[target]
        return same & self.leads_to_page & ~self.leads_to_itself

    @cached_property
    def leads_to_itself(self) -> np.ndarray:
        """True for links to their own page."""
        found = self.known & (self.source == self.target)
        pages = self.leads_to_page
        found[pages] |= self.page[self.source[pages]] == self.page[self.target[pages]]
        return found

    @cached_property
    def earlier(self) -> np.ndarray:
        """The first link of the same list that leads to the same page, itself if it is that."""
        leads_to = self.target.copy()
        leads_to[self.known] = self.page[self.target[self.known]]
        width = int(leads_to.max(initial=0)) + 1
        return _first_of(self.source.astype(np.int64) * width + leads_to)

    @cached_property
    def first(self) -> np.ndarray:
        """True for links to another page, for the first time in their list."""
        others = self.leads_to_page & ~self.leads_to_itself
        return others & (self.earlier == np.arange(len(self.source)))

    @cached_property
    def sound(self) -> np.ndarray:
        """The links whose texts are compared: to another page, for the first time, as far as the
        bundle knows both; numbers of links, ``(n_sound,)``.
        """
        rows = np.flatnonzero(self.first)
        both = (self.row[self.source[rows]] != EMPTY) & (self.row[self.target[rows]] != EMPTY)
        return rows[both]

    @cached_property
    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """The bundle's numbers of both ends of the ``sound`` links, ``(n_sound,)`` each."""
        sources, targets = self.source[self.sound], self.target[self.sound]
        return self.row[sources].astype(np.int64), self.row[targets].astype(np.int64)

    @cached_property
    def alike(self) -> np.ndarray:
        """What both ends of the ``sound`` links have in common, ``Corpus.overlaps``,
        ``(n_sound, n_overlaps)``.
        """
        return self.bundle.site.overlaps(*self.pairs)

    @cached_property
    def is_compared(self) -> np.ndarray:
        """True for the ``sound`` links, ``(n_sound,)``, of which both texts are long enough to be
        compared; longer ones where no view of a link is known that might speak for it.
        """
        words = self.bundle.site.words
        seen = np.zeros(len(self.sound), dtype=bool)
        if self.clicks is not None:
            seen = self.clicks.of_site[self.sound] > 0
        least = np.where(seen, MIN_WORDS, MIN_ALONE)
        return np.minimum(*(words[rows] for rows in self.pairs)) >= least

    @cached_property
    def groups(self) -> TwoGroups:
        """The chance of each of the ``sound`` links that it leads anywhere; 0 where that cannot be
        asked, and for links above the floor of relevance (where readers agree, for those clearly
        alike), or that other lists or readers speak for.
        """
        return _groups(self)

    @cached_property
    def is_empty(self) -> np.ndarray:
        """True for articles that links lead to and that have no text, ``(n_articles,)``."""
        found = np.zeros(len(self.articles), dtype=bool)
        targets = np.unique(self.target[self.first])
        if len(targets) == 0:
            return found
        words = np.append(self.bundle.site.words, 0)[self.row[targets]]
        few = targets[words < MIN_WORDS].tolist()
        texts = self.texts([self.articles[number].id for number in few])
        for number in few:
            text = texts.get(self.articles[number].id)
            found[number] = text is not None and not text.strip()
        return found

    @cached_property
    def is_mostly_empty(self) -> bool:
        """True where most of what links lead to has no text."""
        n_targets = len(np.unique(self.target[self.first]))
        return bool(self.is_empty.sum() > MOST_EMPTY * n_targets)

    @cached_property
    def hardly(self) -> tuple[np.ndarray, np.ndarray]:
        """The links that are hardly followed, by number, and how sure that is, ``(n_found,)``."""
        if self.clicks is None:
            return np.zeros(0, dtype=np.int64), np.zeros(0)
        shown = np.flatnonzero(self.first & (self.clicks.of_page > 0))
        got, due = self.clicks.clicks[shown], self.clicks.of_page[shown]
        weight = min(fitted_weight(got, due, USUAL), MOST_WEIGHT)
        sure = gammainc(got + weight, (due + weight) * HARDLY)
        kept = as_sure(sure, error=ERROR, least=LEAST_SURE)
        return shown[kept], sure[kept]

    def title(self, number: int) -> str:
        """The title of an article."""
        return self.articles[number].title

    def date(self, number: int) -> str:
        """The date of an article as it was given, to the day."""
        article = self.articles[number]
        return (article.published_at or article.updated_at or "")[:10]


class Found(NamedTuple):
    """What a check found: numbers of links, and of each its grade, how ``sure`` that is, from 0 to
    1, a reason, and the article that should stand there instead, ``EMPTY`` for any; all
    ``(n_found,)``.
    """

    links: np.ndarray
    grade: np.ndarray
    sure: np.ndarray
    reasons: list[str]
    instead: np.ndarray

    @classmethod
    def of(
        cls,
        links: np.ndarray,
        grade: np.ndarray | int,
        reason: Callable[[int], str],
        *,
        sure: np.ndarray | float = 1.0,
        instead: np.ndarray | int = EMPTY,
    ) -> Found:
        """With the ``reason`` of each link, by its number."""
        n = len(links)
        return cls(
            links,
            np.broadcast_to(np.asarray(grade, dtype=np.int8), n),
            np.broadcast_to(np.asarray(sure, dtype=np.float64), n),
            [reason(link) for link in links.tolist()],
            np.broadcast_to(np.asarray(instead, dtype=np.int64), n),
        )


def dead(links: Links) -> Found:
    """Links to no page: of an id that the store has not, or of a title that is on no page."""

    def reason(link: int) -> str:
        if not links.known[link]:
            return "no article of this id is known: it was deleted, or never imported"
        return "known by this title alone: no page of that title was imported"

    return Found.of(np.flatnonzero(~links.leads_to_page), BROKEN, reason)


def itself(links: Links) -> Found:
    """Links to the page they stand on, by its id or another one at its address."""

    own = np.flatnonzero(links.leads_to_itself)
    place = np.flatnonzero(links.on_own_page)
    places = set(place.tolist())

    def reason(link: int) -> str:
        if link in places:
            return "leads to another place of its own page"
        other = links.source[link] != links.target[link]
        return "leads to its own page" + (", by another id at the same address" if other else "")

    grade = np.repeat([BROKEN, DOUBTFUL], [len(own), len(place)])
    return Found.of(np.concatenate([own, place]), grade, reason)


def duplicate(links: Links) -> Found:
    """Links that their list holds already: the same, or to a reader the same."""
    again = np.flatnonzero(links.earlier != np.arange(len(links.source)))
    # Of those left, near-duplicates and namesakes, and copies under any title.
    later, first, is_near = _pairs_of_lists(links)
    ends = links.target[links.sound[later]], links.target[links.sound[first]]
    is_named = is_near & _named_alike(links, *ends)
    is_copy = _copies(links, *ends, is_named)
    kept = np.flatnonzero(is_copy | is_named)
    # Of several pairs of a link one tells: a copy, and the first in the list.
    kept = kept[np.lexsort((first[kept], ~is_copy[kept], later[kept]))]
    kept = kept[np.unique(later[kept], return_index=True)[1]]
    later, first, is_copy = later[kept], first[kept], is_copy[kept]
    bad = _as_bad(links, ends[0][kept], ends[1][kept], is_copy)
    of = dict(zip(again.tolist(), links.earlier[again].tolist(), strict=True))
    of |= dict(zip(links.sound[later].tolist(), links.sound[first].tolist(), strict=True))
    grade = np.concatenate([np.full(len(again), BROKEN), bad])
    copies = set(links.sound[later[is_copy]].tolist())
    exact = set(again.tolist())

    def reason(link: int) -> str:
        there = f"the link at place {links.place[of[link]]}"
        if link in exact:
            same_id = links.target[link] == links.target[of[link]]
            return f"leads where {there} does" if same_id else f"has the address of {there}"
        if link in copies:
            return f"its text is that of {there}, “{links.title(links.target[of[link]])}”"
        return f"has the title of {there}"

    return Found.of(np.concatenate([again, links.sound[later]]), grade, reason)


def copy(links: Links) -> Found:
    """Links to a near-duplicate of their page, or to one of its title."""
    same = links.bundle.lists.same
    is_near = same[links.pairs[0]] == same[links.pairs[1]]
    near = np.flatnonzero(is_near | (links.alike[:, 0] >= MAYBE_COPY))
    ends = links.source[links.sound[near]], links.target[links.sound[near]]
    is_named = is_near[near] & _named_alike(links, *ends)
    is_copy = _copies(links, *ends, is_named)
    kept = is_copy | is_named
    found, is_copy = near[kept], is_copy[kept]
    bad = _as_bad(links, ends[0][kept], ends[1][kept], is_copy)
    copies = set(links.sound[found[is_copy]].tolist())

    def reason(link: int) -> str:
        return "its text is that of the page" if link in copies else "has the title of the page"

    return Found.of(links.sound[found], bad, reason)


def language(links: Links) -> Found:
    """Links to a page in another language than theirs, as far as both are known."""
    lists = links.bundle.lists
    one, other = (np.asarray(lists.language)[rows] for rows in links.pairs)
    found = links.sound[(one != other) & (one != EMPTY) & (other != EMPTY)]
    codes = lists.languages.codes

    def both(link: int) -> tuple[int, int]:
        return int(links.source[link]), int(links.target[link])

    def is_given(link: int) -> bool:
        return all(primary_subtag(links.articles[number].language) for number in both(link))

    def reason(link: int) -> str:
        page, target = (codes[lists.language[links.row[number]]] for number in both(link))
        how = "" if is_given(link) else ", by the texts"
        return f"in {target}, and the page in {page}{how}"

    grade = np.array([POOR if is_given(link) else DOUBTFUL for link in found.tolist()], dtype=int)
    return Found.of(found, grade, reason)


def off_topic(links: Links) -> Found:
    """Links that are as if they had been drawn by chance, see ``two_groups``."""
    chance, clicks = links.groups.chance, links.clicks
    places = np.flatnonzero(chance >= MAYBE_OFF_TOPIC)
    place_of = dict(zip(links.sound[places].tolist(), places.tolist(), strict=True))
    hardly = set(links.hardly[0].tolist())

    def reason(link: int) -> str:
        cosine = float(links.alike[place_of[link], 0])
        words = f"texts {_percent(cosine)} alike, as any two articles may be"
        # What is hardly followed has that for a reason of its own.
        speak = links.groups.rates and link not in hardly
        if clicks is not None and speak and clicks.of_site[link] >= 1:
            words += f"; followed {_times(clicks.clicks[link])}"
            words += f" where {_were(clicks.of_site[link], '.0f')} usual"
        if not links.groups.rates:
            # On a site whose lists are all good every such chance is wrong.
            return f"{words} (by texts alone)"
        return f"{words} ({_sure(float(chance[place_of[link]]))} sure)"

    sure = chance[places]
    return Found.of(
        links.sound[places], np.where(sure >= OFF_TOPIC, POOR, DOUBTFUL), reason, sure=sure
    )


def outdated(links: Links) -> Found:
    """Links to what has a newer edition, or is older than the site recommends."""
    instead: dict[int, int] = {}
    number_of = _inverse(links.row, len(links.bundle.lists.stub))
    newest = np.asarray(links.bundle.lists.newest)[links.pairs[1]]
    for place in np.flatnonzero(newest != links.pairs[1]).tolist():
        link, heir = int(links.sound[place]), int(number_of[newest[place]])
        source, target = int(links.source[link]), int(links.target[link])
        if heir in (EMPTY, source) or _plain(links.title(heir)) != _plain(links.title(target)):
            continue
        if not _is_of_branch(links, source, target, heir):
            instead[link] = heir
    instead |= {link: heir for link, heir in _of_later_year(links).items() if link not in instead}
    instead = _missed(links, instead)
    age = np.full(len(links.source), np.nan)
    pages = links.leads_to_page
    age[pages] = links.today - links.published[links.target[pages]]
    too_old = np.flatnonzero(age > links.oldest_days) if links.oldest_days else np.zeros(0, int)
    found = np.array(sorted({*instead, *too_old.tolist()}), dtype=np.int64)

    def reason(link: int) -> str:
        heir = instead.get(link)
        if heir is None:
            years = age[link] / YEAR_DAYS
            return f"published {links.date(links.target[link])}, {years:,.1f} years ago"
        date = links.date(heir)
        return f"there is a newer edition: “{links.title(heir)}”" + (f" ({date})" if date else "")

    heirs = np.array([instead.get(link, EMPTY) for link in found.tolist()], dtype=np.int64)
    return Found.of(found, DOUBTFUL, reason, instead=heirs)


def hardly_followed(links: Links) -> Found:
    """Links that were seen often and are followed far less than the others of their page would be
    at their places. Rates are gamma distributed around the page's, and how widely is found by
    empirical Bayes; of the posterior chances so many are taken that few are wrong.
    """
    found, sure = links.hardly
    clicks = links.clicks
    if clicks is None:
        return Found.of(found, DOUBTFUL, str)

    def reason(link: int) -> str:
        return (
            f"seen {_times(clicks.views[link])} and followed {_times(clicks.clicks[link])}, "
            f"where {_were(clicks.of_page[link], '.1f')} usual on its page and at its place"
        )

    return Found.of(found, DOUBTFUL, reason, sure=sure)


def empty(links: Links) -> Found:
    """Links to pages that have a title and no text, where most have one."""
    if links.is_mostly_empty:
        return Found.of(np.zeros(0, dtype=np.int64), DOUBTFUL, str)
    found = np.flatnonzero(links.first & links.is_empty[np.where(links.known, links.target, 0)])
    return Found.of(found, DOUBTFUL, lambda link: "a page without any text")


def listing(links: Links) -> Found:
    """Links to pages that only list others."""
    rows = links.pairs[1]
    barred = np.asarray(links.bundle.lists.barred)[rows].astype(bool)
    dates, lists = links.bundle.about.dates, links.bundle.lists
    if dates.oldest_days:  # what is too old is barred as well
        built = np.nanmax(lists.published) if np.isfinite(lists.published).any() else 0.0
        barred &= ~(built - np.asarray(lists.published)[rows] > dates.oldest_days)
    return Found.of(links.sound[barred], DOUBTFUL, lambda link: "a page that only lists others")


def blocked(links: Links) -> Found:
    """Links that the editors' own rules keep out of the list."""
    rules, now = links.bundle.rules, links.bundle.now
    why: dict[int, str] = {}
    if rules is not None and now is not None:
        of_page: dict[str, dict[str, str]] = {}
        for link in np.flatnonzero(links.known).tolist():
            source, target = (links.articles[int(n[link])].id for n in (links.source, links.target))
            if source not in of_page:
                found = [rule for rule in rules.about(source, now) if rule.action == "block"]
                of_page[source] = {rule.target: rule.reason for rule in found}
            if target in of_page[source]:
                reason = of_page[source][target]
                why[link] = "the editors' rules block it" + (f": {reason}" if reason else "")
    return Found.of(np.array([*why], dtype=np.int64), POOR, why.__getitem__)


class Check(NamedTuple):
    """A kind of fault: its ``name``, what finds it, and what it means."""

    name: str
    find: Callable[[Links], Found]
    meaning: str


# A new kind is a function above and a row here, the worst first; tables and pages follow from it.
CHECKS = (
    Check("dead", dead, "leads to no page: deleted, never imported, or known by its title alone"),
    Check("itself", itself, "leads to the page it stands on"),
    Check("duplicate", duplicate, "leads where another link of the list does, or to its copy"),
    Check("copy of the page", copy, "its text, or its title, is that of the page"),
    Check("other language", language, "in another language than the page"),
    Check("blocked", blocked, "kept out of the list by the editors' own rules"),
    Check(
        "off-topic",
        off_topic,
        "as if drawn by chance: no more alike than any two articles, and not followed either",
    ),
    Check("outdated", outdated, "there is a newer edition, or it is older than the site allows"),
    Check("empty page", empty, "a page that has a title and no text"),
    Check("listing page", listing, "only lists other articles"),
    Check(
        "hardly followed",
        hardly_followed,
        "seen often, and followed less than a third as often as the other links of its page would "
        "be at its place",
    ),
)


def clicks_of(links: Links, log: Log, examination: Examination) -> LinkClicks | None:
    """What readers did on the links; None if none was ever followed. The log counts articles by
    their numbers in ``links.articles``.
    """
    shown, clicked = log.shown_and_clicked()
    n = len(links.articles)
    known = (log.link_source != UNKNOWN) & (log.item != UNKNOWN) & (shown > 0)
    if clicked[known].sum() == 0:
        return None
    is_corrected = examination.identified_somewhere
    if is_corrected:
        examined = examination.of(log)
        rate = clicked[known].sum() / (shown * examined)[known].sum()
        expected = shown * examined * rate
    else:
        # What is followed at each place is then both examination and the usual merit of what
        # stands there; either way it is what is usual.
        place = np.minimum(log.position, MAX_POSITION)
        seen, got = (
            np.bincount(place[known], weights=of[known], minlength=MAX_POSITION + 1)
            for of in (shown, clicked)
        )
        expected = shown * (got / np.maximum(seen, 1e-12))[place]
    keys, pair = np.unique(
        log.link_source[known].astype(np.int64) * n + log.item[known], return_inverse=True
    )
    views, clicks, due = (
        np.bincount(pair, weights=of[known], minlength=len(keys))
        for of in (shown, clicked, expected)
    )
    page = keys // n
    made, made_due = (np.bincount(page, weights=of, minlength=n) for of in (clicks, due))
    weight = fitted_weight(made, made_due, USUAL)
    # A link is no measure of itself: the level of its page is that of the others.
    level = posterior_rate(made[page] - clicks, made_due[page] - due, weight)
    wanted = np.where(links.known, links.source.astype(np.int64) * n + links.target, EMPTY)
    place = find(keys, wanted)
    return LinkClicks(
        views=at(views, place),
        clicks=at(clicks, place),
        of_site=at(due, place),
        of_page=at(due * level, place),
        is_corrected=is_corrected,
    )


def _groups(links: Links) -> TwoGroups:
    site, random = links.bundle.site, np.random.default_rng(links.seed)
    compared = np.flatnonzero(links.is_compared)
    sources, targets = (rows[compared] for rows in links.pairs)
    chance = np.zeros(len(links.sound))
    if len(compared) == 0:
        return TwoGroups(chance, 0.0)
    pages = np.flatnonzero((np.asarray(links.bundle.lists.stub) == 0) & (site.words >= MIN_WORDS))
    usual = np.zeros(site.n_articles)
    involved = np.unique(np.concatenate([sources, targets]))
    ends = np.repeat(involved, N_OF_EACH), random.choice(pages, len(involved) * N_OF_EACH)
    alike = np.where(ends[0] == ends[1], np.nan, _likeness(links, *ends)).reshape(-1, N_OF_EACH)
    usual[involved] = np.where(
        np.isnan(alike), 0.0, alike
    ).sum(axis=1) / np.maximum((~np.isnan(alike)).sum(axis=1), 1)  # fmt: skip

    def beyond(sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
        return _likeness(links, sources, targets) - usual[sources] - usual[targets]

    # The same pages and targets, shuffled.
    drawn = random.choice(sources, N_DRAWN), random.choice(targets, N_DRAWN)
    others = drawn[0] != drawn[1]
    groups = by_likeness(beyond(sources, targets), beyond(drawn[0][others], drawn[1][others]))
    if groups.share > MOST_ANYWHERE:
        return TwoGroups(chance, groups.share)
    # What an editor meant may be unlike in text, and what many other pages list as well was hardly
    # drawn by chance.
    meant = min(MEANT / max(groups.share, 1e-9), MOST_MEANT)
    by_text = groups.chance * (1 - meant)
    popularity = np.maximum(_popularity(links, targets), 1)
    by_text = by_text / (by_text + np.maximum(1 - by_text, 1e-9) * popularity)
    groups = replace(groups, chance=by_text)
    if links.clicks is not None:
        at_links = links.sound[compared]
        groups = with_clicks(groups, links.clicks.clicks[at_links], links.clicks.of_site[at_links])
    # On a site of one subject any two articles belong together.
    alike, floor = links.alike[compared], links.bundle.about.relevance_floor
    relevant = alike[:, 0] >= (max(ALIKE, floor) if groups.rates else floor)
    relevant |= (alike[:, 4] >= SAME_SUBJECT) | (alike[:, 2] >= NAMED)
    relevant |= _spoken_for(links, sources, targets)
    chance[compared] = np.where(relevant, 0.0, groups.chance)
    return TwoGroups(chance, groups.share, groups.rates)


def _likeness(links: Links, sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """How alike texts, subjects and topics are, more so in one category and under the same tags, as
    far as those agree with texts, ``(n_pairs,)``: ``text_score`` without what it has of the target.
    """
    site = links.bundle.site
    alike = site.overlaps(sources, targets)
    whole = alike[:, 0] + alike[:, 4] + LATENT * np.maximum(site.topic(sources, targets), 0)
    of_category, of_tags, _ = site.agreement
    category = site.category[sources]
    same = (category == site.category[targets]) & (category != EMPTY)
    return whole * (1 + of_category * same + of_tags * site.shared_tags(sources, targets))


def _popularity(links: Links, targets: np.ndarray) -> np.ndarray:
    """How many times likelier each target is picked than any page, by the lists of other pages,
    ``(n_pairs,)``: as gamma-Poisson rates around 1, pulled there as far as targets are found to be
    picked alike. A list that was drawn by chance has no favourites.
    """
    rows = links.pairs[1]
    listed = np.bincount(rows, minlength=links.bundle.site.n_articles)
    pages = np.asarray(links.bundle.lists.stub) == 0
    usual = len(rows) / max(int(pages.sum()), 1)
    weight = fitted_weight(listed[pages], np.full(int(pages.sum()), usual), USUAL)
    return posterior_rate(listed[targets] - 1, np.full(len(targets), usual), weight)


def _spoken_for(links: Links, sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """True where visits that read both, or editors' lists of other pages, show that a link belongs
    beside its page, ``(n_pairs,)``.
    """
    reading = links.bundle.history.reading
    pair = reading.find(sources, targets)
    good = at(reading.together, pair) >= MIN_VISITS
    good &= at(reading.cosine, pair) >= MIN_READ_COSINE
    listed = links.bundle.listed(sources, targets)
    return good if listed is None else good | (listed >= SURE)


def _plain(title: str) -> str:
    """A text but for case and spaces: signs tell "C" from "C++"."""
    return " ".join(unicodedata.normalize("NFKC", title).casefold().split())


def _named_alike(links: Links, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """True where two articles have one title to a reader, ``(n_pairs,)``."""
    pairs = zip(one.tolist(), other.tolist(), strict=True)
    return np.array([_plain(links.title(a)) == _plain(links.title(b)) for a, b in pairs], bool)


def _copies(links: Links, one: np.ndarray, other: np.ndarray, is_named: np.ndarray) -> np.ndarray:
    """True where two articles are one text, ``(n_pairs,)``, whatever their titles: word by word, or
    nearly under one title, or all but a word in a hundred in a long text under titles that differ
    in no number. Texts of a reference are alike whatever they are about, and then a word is all: so
    texts that differ in a word of a title are two.
    """
    if len(one) == 0:
        return np.zeros(0, dtype=bool)
    site = links.bundle.site
    rows = links.row[one].astype(np.int64), links.row[other].astype(np.int64)
    alike = site.cosine(*rows)
    sizes = np.array([site.words[of] for of in rows])
    # Copies have as many terms, but for those of their titles.
    is_as_long = np.abs(sizes[0] - sizes[1]) <= TITLE_TERMS + sizes.max(axis=0) // 20
    near = (alike >= NEAR_DUPLICATE) | ((alike >= MAYBE_COPY) & is_as_long)
    involved = np.unique(np.concatenate([one[near], other[near]])).tolist()
    texts = links.texts([links.articles[number].id for number in involved])
    words = {
        number: _plain(texts.get(links.articles[number].id, "")).split() for number in involved
    }
    found = np.zeros(len(one), dtype=bool)
    for pair in np.flatnonzero(near).tolist():
        left, right = words[int(one[pair])], words[int(other[pair])]
        if is_named[pair] and alike[pair] >= NEAR_DUPLICATE:
            found[pair] = True
        elif left == right:
            found[pair] = len(left) >= MIN_SAID
        elif min(len(left), len(right)) >= MIN_COPIED:
            titles = (set(_plain(links.title(int(each[pair]))).split()) for each in (one, other))
            differ = set.symmetric_difference(*titles)
            if any(any(map(str.isdigit, word)) for word in differ):
                continue
            if any(each in word for word in set(left) ^ set(right) for each in differ):
                continue
            if alike[pair] < NEAR_DUPLICATE and _is_pair(links, int(one[pair]), int(other[pair])):
                continue
            found[pair] = fuzz.ratio(left, right, score_cutoff=ALL_BUT) >= ALL_BUT
    return found


def _as_bad(links: Links, one: np.ndarray, other: np.ndarray, is_copy: np.ndarray) -> np.ndarray:
    """The grade of links to a copy or a namesake, ``(n_pairs,)``. Manuals tell of two functions by
    one text, under titles that differ in a word: such a copy may be meant.
    """
    grade = np.where(is_copy, POOR, DOUBTFUL)
    for pair in np.flatnonzero(is_copy).tolist():
        if _is_pair(links, int(one[pair]), int(other[pair])):
            grade[pair] = DOUBTFUL
    return grade


def _is_pair(links: Links, one: int, other: int) -> bool:
    """Whether two titles are the same but for a word, as those of a manual are."""
    left, right = (set(_plain(links.title(each)).split()) for each in (one, other))
    return bool(left & right) and len(left - right) == len(right - left) == 1


def _pairs_of_lists(links: Links) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of ``sound`` links of one list that may lead to one text, the later and the earlier, as
    numbers into ``sound``, and whether the bundle takes them for near-duplicates; ``(n_pairs,)``.
    """
    rows, source = links.pairs[1], links.source[links.sound]
    same = links.bundle.lists.same
    heads = runs(source)
    parts = [np.zeros((2, 0), dtype=np.int64)]
    for start, end in pairwise(heads.tolist()):
        if end - start <= MOST_PAIRED:
            parts.append(start + np.array(np.triu_indices(end - start, 1), dtype=np.int64))
    first, later = np.concatenate(parts, axis=1)
    alike = links.bundle.site.cosine(rows[first], rows[later]) >= MAYBE_COPY
    first, later = first[alike], later[alike]
    # Near-duplicates may be so by a chain of others.
    start = _first_of(source.astype(np.int64) * len(same) + same[rows])
    chained = np.flatnonzero(start != np.arange(len(start)))
    later, first = np.concatenate([chained, later]), np.concatenate([start[chained], first])
    return later, first, same[rows[later]] == same[rows[first]]


def _missed(links: Links, instead: Mapping[int, int]) -> dict[int, int]:
    """Newer editions, by link, but for those that the list has already, those that the page is less
    about than about the older one, and where the page came out with the older one.
    """
    if not instead:
        return {}
    found, heirs = np.array([*instead.items()], dtype=np.int64).T
    n = len(links.articles)
    has = (
        find(
            np.unique(links.source.astype(np.int64) * n + links.target),
            links.source[found] * n + heirs,
        )
        >= 0
    )
    source, old, new = (
        links.row[of].astype(np.int64) for of in (links.source[found], links.target[found], heirs)
    )
    site = links.bundle.site
    about = site.cosine(source, new) >= AS_ALIKE * site.cosine(source, old)
    # What came out on one day belongs together.
    apart = np.abs(links.published[links.source[found]] - links.published[links.target[found]])
    kept = about & ~has & ~(apart < 1)
    return dict(zip(found[kept].tolist(), heirs[kept].tolist(), strict=True))


def _is_of_branch(links: Links, source: int, target: int, heir: int) -> bool:
    """Whether a page stands in the same branch of a site as the older of two editions, in folders
    that the newer one does not: manuals of several releases, each of which links to its own.
    """
    at = [set(_folders(links.articles[number].url)) for number in (source, target, heir)]
    return bool((at[1] - at[2]) & at[0])


def _folders(url: str | None) -> list[str]:
    return url_key(url).partition("?")[0].split("/")[:-1] if url else []


def _of_later_year(links: Links) -> dict[int, int]:
    """Links to an article whose title names a year, by number, and the one that has the same title
    but for a later year, and much the same text. A page of that year means it.
    """
    named: dict[str, list[tuple[int, int]]] = {}
    for number, article in enumerate(links.articles):
        if not article.stub and links.row[number] != EMPTY and (year := _year(article.title)):
            key = title_key(YEAR.sub("#", article.title))
            named.setdefault(key, []).append((year, number))
    heir: dict[int, int] = {}
    for series in named.values():
        if len(series) > 1:
            latest, number = max(series)
            heir |= {other: number for year, other in series if year < latest}
    pairs = [
        (int(link), heir[int(target)])
        for link, source, target in zip(
            links.sound, links.source[links.sound], links.target[links.sound], strict=True
        )
        if int(target) in heir
        and heir[int(target)] != source
        and str(_year(links.title(int(target)))) not in YEAR.findall(links.title(int(source)))
    ]
    if not pairs:
        return {}
    found, heirs = np.array(pairs).T
    alike = links.bundle.site.cosine(
        links.row[links.target[found]].astype(np.int64), links.row[heirs].astype(np.int64)
    )
    return {link: number for (link, number), cosine in zip(pairs, alike, strict=True)
            if cosine >= EDITION}  # fmt: skip


def _fragment(url: str | None) -> str:
    return (url or "").partition("#")[2].strip()


def _year(title: str) -> int:
    """The one year that a title names, 0 for none or several."""
    years = {int(year) for year in YEAR.findall(title)}
    return years.pop() if len(years) == 1 else 0


def _first_of(keys: np.ndarray) -> np.ndarray:
    """The first entry of the same key, ``(n,)``."""
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    return first[group]


def _inverse(row: np.ndarray, n_rows: int) -> np.ndarray:
    """The article of each of the bundle's rows, ``(n_rows,)``, ``EMPTY`` for none."""
    number = np.full(n_rows, EMPTY)
    known = np.flatnonzero(row != EMPTY)
    number[row[known]] = known
    return number


def _times(clicks: float) -> str:
    n = round(float(clicks))
    return "never" if n == 0 else "once" if n == 1 else f"{n:,} times"


def _were(clicks: float, form: str) -> str:
    """So many clicks, and their verb."""
    figure = f"{clicks:,{form}}"
    return f"{figure} {'was' if float(figure.replace(',', '')) == 1 else 'were'}"


def _sure(chance: float) -> str:
    """A chance that is never all."""
    return "over 99 %" if chance > 0.99 else _percent(chance)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
