"""Forms, kinds and subjects of titles, planted in languages the code knows nothing of."""

from collections import Counter

import pytest

from recommender.candidates import EMPTY
from recommender.text.terms import fold
from recommender.text.titles import read_forms

NAMES = ["garlic", "slug", "compost", "rose", "pond", "apple", "bean", "rain", "lawn", "bee"]
# Forms of one meaning each, "{}" for what is asked about.
ASKED = {
    "English": ("What helps against {}?", "How is {} treated?", "Who gets {}?"),
    "German": ("Was hilft gegen {}?", "Wie wird {} behandelt?", "Wer bekommt {}?"),
    "Turkish": ("{} neden olur?", "{} nasıl tedavi edilir?", "{} kimlerde görülür?"),
    "Russian": ("Что помогает от {}?", "Как лечат {}?", "Кто болеет {}?"),
}


@pytest.mark.parametrize("language", ASKED)
def test_forms_are_found_in_any_language(language: str):
    """Every form is a kind of its own, and no subject is of a form."""
    titles = [form.format(name) for form in ASKED[language] for name in NAMES]

    forms = read_forms(titles)

    kinds = [forms.kind_of(title) for title in titles]
    assert sorted(Counter(kinds).values()) == [10, 10, 10]
    assert EMPTY not in kinds
    assert not forms.n_titles.keys() & set(NAMES)
    words = {word for form in ASKED[language] for word in fold(form).strip("?").split()} - {"{}"}
    assert forms.n_titles.keys() == words


def test_words_without_spaces_have_forms_too():
    """In Chinese pairs of characters stand for words."""
    titles = [form.format(n) for form in ("{}怎么治疗", "{}有什么症状") for n in
              ("痛风", "感冒", "发烧", "咳嗽", "头痛", "失眠", "贫血", "肥胖")]  # fmt: skip

    forms = read_forms(titles)

    assert sorted(Counter(map(forms.kind_of, titles)).values()) == [8, 8]


def test_a_series_keeps_its_name_as_its_subject():
    """Its parts are about what stands nowhere else, so nothing is a form."""
    parts = ["pots", "sowing", "water", "strings", "aphids", "harvest", "saving seed"]
    titles = [f"Container course, part {n}: {part}" for n, part in enumerate(parts, 1)]
    titles += [f"Market report, {day} November 2026" for day in range(1, 15)]
    titles += [f"Thoughts {name}" for name in NAMES]

    assert read_forms(titles).n_titles == {}


def test_a_subject_of_many_titles_is_no_form():
    """A site about diabetes says so in most titles; what else they say is of no other kind."""
    types = ["type one", "gestational", "pump", "needle", "meter", "diet", "feet", "eyes"]
    titles = [f"{form} diabetes {name}" for form in ("What is", "Who gets") for name in types]
    titles += [f"Diabetes {name} day" for name in NAMES]

    assert "diabetes" not in read_forms(titles).n_titles


def test_rare_forms_fall_together():
    """A kind has as many titles as the square root of all, at least five; a rarer form gives up
    its rarest word, and without a word left it is of no kind.
    """
    titles = [f"What helps against {name}?" for name in NAMES]
    titles += [f"What helps quickly against {name}?" for name in NAMES[:3]]
    titles += [f"How is {name} treated?" for name in NAMES]
    titles += [f"Is quickly {name} good?" for name in NAMES[:2]]

    forms = read_forms(titles)

    assert forms.kind_of(titles[0]) == forms.kind_of(titles[11]) != EMPTY
    assert forms.kind_of(titles[-1]) != forms.kind_of(titles[0])
    assert forms.kind_of("Garlic") == EMPTY


def test_few_titles_have_no_form():
    """Of four titles nothing can be known."""
    assert read_forms([f"What is {name}?" for name in NAMES[:4]]).kinds == {}
    assert read_forms([]).kinds == {}
