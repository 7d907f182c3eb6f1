"""A field is what it should be, or the fault names it."""

from typing import Any

import pytest

from recommender.fields import FieldError, flag, identifier, listed, text


def fault(check: Any, value: object, **limits: Any) -> FieldError:
    with pytest.raises(FieldError, match=r"^field f: ") as caught:
        check({"f": value}, "f", **limits)
    return caught.value


@pytest.mark.parametrize(("check", "limits"), [(text, {"most": 3}), (identifier, {"most": 3})])
def test_too_long_is_another_reason_than_malformed(check: Any, limits: dict[str, int]):
    """Who sends it can do something else about it."""
    assert check({"f": "abc"}, "f", **limits) == "abc"
    assert fault(check, "abcd", **limits).reason == "oversized"
    assert fault(check, ["abcd"], **limits).reason == "malformed"


def test_numbers_and_scripts_have_bounds_too():
    """A number by its digits, an id by the bytes that an index of a database takes."""
    assert identifier({"f": 999}, "f", most=3) == "999"
    assert identifier({"f": "睡" * 866}, "f") == "睡" * 866
    for value, most in ((1000, 3), (10**5000, 2000), ("睡" * 867, 2000)):
        assert fault(identifier, value, most=most).reason == "oversized"


@pytest.mark.parametrize("value", [None, "", " ", True, 1.5, [], "a\x00", "\ud800"])
def test_what_is_no_identifier(value: object):
    """Nothing, spaces, truth, fractions and what no database holds."""
    assert fault(identifier, value).reason == "malformed"


def test_text_comes_as_it_stands():
    """Spaces too; what is missing is empty unless it is needed."""
    assert text({"f": " a "}, "f") == " a "
    assert text({}, "f") == text({"f": None}, "f") == ""
    assert "missing" in str(fault(text, None, needed=True))
    assert "empty" in str(fault(text, "", needed=True))


def test_lists_of_records_and_of_cells():
    """A list stays; a cell holds JSON, or bars."""
    assert listed({"f": ["a", 1]}, "f") == ["a", 1]
    assert listed({"f": '["a", 1]'}, "f") == ["a", 1]
    assert listed({"f": "a||b"}, "f") == ["a", "", "b"]
    assert listed({"f": ""}, "f") is None
    assert fault(listed, "[1").reason == "malformed"
    assert fault(listed, "[" * 100_000).reason == "malformed"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, True), (1, True), ("1", True), ("Yes", True), ("TRUE", True),
     (False, False), (0, False), ("0", False), ("no", False), ("", False)],
)  # fmt: skip
def test_truth_is_written_in_several_ways(value: object, expected: bool):
    """Whatever is the default."""
    assert flag({"f": value}, "f", default=not expected) is expected
    assert flag({}, "f", default=expected) is expected


def test_a_list_is_not_true():
    """However deep it is: writing it in the message would take as deep a stack."""
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]

    assert str(fault(flag, deep)) == "field f: must be true or false, not list"
