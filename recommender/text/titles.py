"""What the titles of a site share as a form, and what each of them is about.

"What are the symptoms of gout?" has a form, which many titles share, and a subject. A word belongs
to forms if it stands in many titles, and what stands beside it stands in other titles without it
too: "symptoms" is a form because gout is also treated and prevented; "syndrome" is none, because
nothing but a syndrome is Marfan's. Nothing is known of any language: a series that is named in all
of its titles keeps its name, since what its parts are about is found nowhere else.

The kind of a title is its form words in order, as far as enough titles share them.

>>> asked = ("What causes", "How to treat", "Who gets")
>>> forms = read_forms([f"{form} {name}?" for form in asked for name in ("gout", *"abcdefgh")])
>>> forms.kinds
{'how to treat': 0, 'what causes': 1, 'who gets': 2}
>>> forms.kind_of("What causes chilblains in women?")
1
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from recommender.candidates import EMPTY
from recommender.text.terms import UNSPACED, words

IS_UNSPACED = re.compile(f"[{UNSPACED}]")
# A form is shared by at least so many titles, and by as many as the square root of all: 8 of 60,
# 128 of 16,000. The same bar as for boilerplate.
MIN_TITLES = 5
# Of a form word's titles whose subject stands in several titles at all, in so many it stands
# without the word too. Read by eye on 16,000 health questions: "what" .84, "symptoms" .93, names of
# what a question is about below ("primary" .81, "cancer" .78, "syndrome" .17).
RECURRING = 5 / 6
# ... and these are at least so many of all its titles: the subjects of a series stand there alone.
MOST = 0.5


@dataclass(frozen=True, slots=True)
class Forms:
    """The form words, each with the number of titles it stands in, and the number of each kind by
    its name, which is its form words in order.
    """

    n_titles: Mapping[str, int]
    kinds: Mapping[str, int]

    def kind_of(self, title: str) -> int:
        """The number of a title's kind, ``EMPTY`` if it is of none: of its form words the rarest
        are dropped until a kind is left.
        """
        return self.kinds.get(" ".join(self.form_of(title)), EMPTY)

    def form_of(self, title: str) -> list[str]:
        """The words of a title's kind, empty if it is of none."""
        return self._form_within(words(title))

    def kinds_of(self, rows: Iterable[Sequence[str]]) -> list[int]:
        """The number of the kind of each title, given by its words."""
        return [self.kinds.get(" ".join(self._form_within(row)), EMPTY) for row in rows]

    def _form_within(self, row: Sequence[str]) -> list[str]:
        form = [word for word in row if word in self.n_titles]
        while form and " ".join(form) not in self.kinds:
            form = _without_rarest(form, self.n_titles)
        return form


def read_forms(titles: Collection[str]) -> Forms:
    """Find the forms that titles share."""
    return forms_of([words(title) for title in titles])


def forms_of(rows: Sequence[Sequence[str]]) -> Forms:
    """The same of titles that are given by their words."""
    bar = max(MIN_TITLES, int(len(rows) ** 0.5))
    n_titles = Counter(chain.from_iterable(map(set, rows)))
    frequent = {word for word, n in n_titles.items() if n >= bar}
    # Of each title the rarest word is most likely its subject.
    subject = [_subject(row, n_titles) for row in rows]
    asked = {name for name in subject if name is not None and n_titles[name] > 1}
    beside: Counter[tuple[str, str]] = Counter()
    for row in rows:
        rare = asked.intersection(row)
        beside.update(
            (word, other)
            for word in frequent.intersection(row)
            for other in rare
            if n_titles[other] < n_titles[word]
        )
    known: Counter[str] = Counter()
    recurring: Counter[str] = Counter()
    for row, name in zip(rows, subject, strict=True):
        if name is None or n_titles[name] == 1:
            continue
        for word in frequent.intersection(row):
            if n_titles[name] < n_titles[word]:
                known[word] += 1
                recurring[word] += n_titles[name] > beside[word, name]
    form = {
        word: n_titles[word]
        for word in sorted(frequent)
        if recurring[word] >= max(RECURRING * known[word], MOST * n_titles[word])
        and not word.isdecimal()
    }
    return Forms(form, _kinds(rows, form, bar))


def _subject(row: Sequence[str], n_titles: Mapping[str, int]) -> str | None:
    """The rarest word of a title; numbers are about nothing. Of a script without spaces, a pair of
    characters that stands once is the end of one word and the beginning of another.
    """
    named = [
        word
        for word in row
        if not word.isdecimal() and (n_titles[word] > 1 or not IS_UNSPACED.match(word))
    ]
    return min(named, key=lambda word: (n_titles[word], word), default=None)


def _kinds(rows: Sequence[Sequence[str]], form: Mapping[str, int], bar: int) -> dict[str, int]:
    """Forms of at least ``bar`` titles; rarer ones give up their rarest words and fall together."""
    left = Counter(tuple(word for word in row if word in form) for row in rows)
    while rare := [words_ for words_, n in left.items() if words_ and n < bar]:
        for words_ in rare:
            left[tuple(_without_rarest(words_, form))] += left.pop(words_)
    names = sorted(" ".join(words_) for words_ in left if words_)
    return {name: number for number, name in enumerate(names)}


def _without_rarest(form: Sequence[str], n_titles: Mapping[str, int]) -> list[str]:
    rarest = min(form, key=lambda word: (n_titles[word], word))
    return [word for word in form if word != rarest]
