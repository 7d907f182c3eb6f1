"""Text becomes the same terms whatever its script, accents and encoding."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.text.terms import (
    COMPOUND,
    WORD,
    fingerprint,
    fold,
    runs,
    segments,
    terms,
    without,
    words_in,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Why does my KNEE click?", "knee click"),
        ("Crème brûlée, Ærø, Łódź, naïve", "creme brulee ærø łodz naive"),
        ("Straße STRASSE", "strasse strasse"),
        ("İstanbul Ιατρός ΙΑΤΡΟΣ", "istanbul ιατροσ ιατροσ"),
        ("ﬁbre ﬂu ＦＵＬＬ", "fibre flu full"),
        ("snake_case re-use e.g.", "snake case re use e g"),
        ("", ""),
        ("?! … — 🙂", ""),
    ],
)
def test_letters_are_folded(text: str, expected: str):
    """Case, accents of European scripts and compatible forms are set aside, letters are not."""
    assert terms(text) == expected.split()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2.5 mg", ["2.5", "mg"]),
        ("500mg", ["500", "mg"]),
        ("500 mg", ["500", "mg"]),
        ("2.5µg 2.5μg", ["2.5", "μg", "2.5", "μg"]),
        ("1,000 steps", ["1,000", "steps"]),
        ("0.5ml/kg", ["0.5", "ml", "kg"]),
        ("vitamin B12 and D3", ["vitamin", "b12", "d3"]),
        ("COVID-19.", ["covid", "19"]),
        ("take 3. Then rest", ["take", "3", "rest"]),
    ],
)
def test_numbers_keep_their_decimals_and_lose_their_unit(text: str, expected: list[str]):
    """A dose is a number and a unit, however they are written; B12 is one word."""
    assert terms(text) == expected


def test_function_words_are_left_out_and_negations_are_not():
    """They carry the sentence, not its subject; "not" and "without" change what is said."""
    assert terms("What is gout, and how do I eat without meat but not fish?") == [
        "gout", "eat", "without", "meat", "not", "fish",
    ]  # fmt: skip


@given(st.text(st.characters(max_codepoint=127)))
def test_words_of_ascii_are_those_of_any_text(text: str):
    """By a quicker expression."""
    assert words_in(fold(text)) == WORD.findall(fold(text))


@pytest.mark.parametrize("apostrophe", ["'", "’", "＇"])
def test_apostrophes(apostrophe: str):
    """A possessive is its word, a short form is one word, and quotation marks are nothing."""
    text = f"Crohn{apostrophe}s isn{apostrophe}t {apostrophe}rare{apostrophe}, Zoë{apostrophe}s"

    assert terms(text) == ["crohn", "isn't", "rare", "zoe"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("流感疫苗", "流感 感疫 疫苗"),
        ("膝", "膝"),
        ("インフルエンザ", "イン ンフ フル ルエ エン ンザ"),
        ("ｲﾝﾌﾙ", "イン ンフ フル"),
        ("B型肝炎 2026年", "b 型肝 肝炎 2026 年"),
        ("감기 예방", "감기 예방"),
    ],
)
def test_scripts_without_spaces_become_pairs_of_characters(text: str, expected: str):
    """Neighbouring characters stand for words; Korean has spaces and keeps its words."""
    assert terms(text) == expected.split()


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("sokeri", "~~soke ~soke ~oker ~keri"),
        ("sokerista", "~~soke ~soke ~oker ~keri ~eris"),
        ("혈당을", "~~혈당 ~혈당 ~당을"),
        ("السكر", "~~الس ~الس ~لسك ~سكر"),
        ("pii", ""),
        ("流感", ""),
        ("2026", ""),
    ],
)
def test_runs_are_what_forms_of_a_word_have_in_common(word: str, expected: str):
    """Of four letters, two syllables of Hangul, or three letters where vowels are not written; its
    beginning twice, and without endings.
    """
    assert runs([word]) == expected.split()


def test_thai_keeps_its_vowels_and_tones():
    """Thai is cut into pairs of characters, marks included, so different words stay different."""
    cough, wound = terms("ไอ"), terms("แผล")

    assert cough == ["ไอ"]
    assert wound == ["แผ", "ผล"]
    assert terms("ข้าว") != terms("ขาว")  # rice, white


def test_hindi_words_keep_their_vowel_signs():
    """A vowel sign is part of the word: "kidney" is not "back"."""
    assert terms("गुर्दे की पथरी") == ["गुर्दे", "की", "पथरी"]
    assert terms("दिल") != terms("दल")


@pytest.mark.parametrize(
    ("pointed", "bare"), [("שָׁלוֹם", "שלום"), ("السُّكَّرِي", "السكري"), ("e\u0301te\u0301", "ete")]
)
def test_points_do_not_part_words(pointed: str, bare: str):
    """Hebrew and Arabic are written with points or without, and mean the same."""
    assert terms(pointed) == terms(bare) == [bare]


@given(st.text())
def test_any_text_has_terms(text: str):
    """No text is refused; folding twice changes nothing, folding first leaves out pieces of names
    alone.
    """
    found, folded = terms(text), terms(fold(text))

    assert folded == terms(fold(fold(text)))
    rest = iter(found)
    assert all(term in rest for term in folded)
    assert COMPOUND.search(text) or found == folded
    assert all(term and not term.isspace() for term in found)


@given(st.text(alphabet=st.characters(codec="ascii")))
def test_the_short_way_of_plain_text_gives_the_same(text: str):
    """ASCII is read without Unicode's detours; a foreign word at its end forces the detours."""
    assert [*terms(text), "e"] == terms(f"{text} é")


@given(st.text(alphabet=st.sampled_from("ab'é流 1.")), st.text(alphabet=st.sampled_from("ab'é流")))
def test_terms_of_texts_apart_are_their_terms_together(left: str, right: str):
    """What stands on two lines shares no term."""
    assert terms(f"{left}\n{right}") == terms(left) + terms(right)


def test_half_a_surrogate_pair_is_no_reason_to_stop():
    """Python strings can hold what no file can."""
    assert terms("knee \ud800 pain") == ["knee", "pain"]


def test_segments_are_lines_and_sentences():
    """A statement ends at a line's or a sentence's end, in Chinese too; "2.5" does not end one."""
    text = "What to do\r\n\r\nTake 2.5 mg. Rest!  Is it bad? No\n多休息。多喝水。"

    assert segments(text) == [
        "What to do", "Take 2.5 mg.", "Rest!", "Is it bad?", "No", "多休息。", "多喝水。",
    ]  # fmt: skip


def test_boilerplate_is_left_out_by_the_statement():
    """A known statement goes wherever it stands; one that only contains it stays."""
    known = {fingerprint("Call your doctor.")}
    text = "Rest. Call your doctor. Drink. Call your doctor. now"

    assert without(text, known) == "Rest.\nDrink.\nnow"
    assert without("Call your doctor. Or not.", known) == "Or not."
    assert without(text, set()) == text


def test_fingerprints_are_the_same_on_every_machine():
    """They stand in bundles, so their values are fixed."""
    assert fingerprint("knee") == 11236520911632255504
    assert fingerprint("knee") != fingerprint("knees")
