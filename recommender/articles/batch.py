"""What an import has read, as one value that can be applied or refused whole."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from recommender.articles.article import Article
from recommender.articles.document import Document
from recommender.articles.teasers import CHARACTERS
from recommender.files import Problem


@dataclass(slots=True)
class RawPage:
    """A text page as it came: where below the imported folder, and its bytes uncompressed."""

    path: str
    raw: bytes


@dataclass(slots=True)
class Batch:
    """Articles to apply, by id; ``pages`` are the text pages they came from, for export. What was
    left out of files and records that were read is in ``remarks``, files and folders ``skipped``;
    what is sound and no article is counted in ``left_out`` by reason, with an example of each;
    ``notes`` are sentences on what was chosen for the whole. A teaser that is made has at most
    ``teaser_characters``.
    """

    articles: dict[str, Article] = field(default_factory=dict)
    pages: dict[str, RawPage] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    remarks: list[Problem] = field(default_factory=list)
    skipped: list[Problem] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    n_records: int = 0
    teaser_characters: int = CHARACTERS
    # Places and addresses of what was left out: links to it lead to no article.
    closed: set[str] = field(default_factory=set)
    # The links each document holds, until ``link`` knows every article there is.
    drafts: dict[str, Document] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)

    def add(self, article: Article, where: str, document: Document | None = None) -> bool:
        """Take the article, unless its id came before; then the second one is the problem,
        if it is not the same again.
        """
        if article.id in self.articles:
            first = self.drafts.get(article.id)
            same_links = (first and first.picks) == (document and document.picks)
            if self.articles[article.id] != article or not same_links:
                at = self.places[article.id]
                self.problems.append(
                    Problem(f"{where}: field id: {article.id!r} stands at {at} already")
                )
            return False
        self.articles[article.id] = article
        self.places[article.id] = where
        if document is not None:
            self.drafts[article.id] = document
        return True

    def leave_out(self, where: str, reason: str) -> None:
        """Count what is sound and no article."""
        self.left_out[reason] += 1
        self.examples.setdefault(reason, where)

    @property
    def left_out_sentences(self) -> list[str]:
        """What was left out, the most frequent reason first."""
        return [
            f"{n:,} left out: {reason} (such as {self.examples[reason]})"
            for reason, n in self.left_out.most_common()
        ]
