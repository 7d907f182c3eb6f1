"""What is saved comes back, mapped if it is large, and damage is told with the file's name."""

import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.array_fields import (
    ByRow,
    Bytes,
    Fixed,
    Flags,
    Heads,
    Keys,
    Length,
    Numbers,
    Sizes,
    Values,
    Within,
)
from recommender.bundle import arrays
from recommender.bundle.arrays import (
    Index,
    Strings,
    build,
    load,
    load_array,
    save,
)
from recommender.errors import BundleError


@dataclass(frozen=True)
class Inner:
    names: Strings


@dataclass(frozen=True)
class Outer:
    inner: Inner
    numbers: Annotated[np.ndarray, Numbers("n")]


@pytest.mark.parametrize(
    ("value", "declared"),
    [
        (np.zeros(0, dtype=np.int32), Numbers("n")),
        (np.zeros((0, 3), dtype=np.int32), Numbers("n, 3")),
        (np.arange(6, dtype=np.float32).reshape(2, 3), Values("n, 3")),
        (np.arange(12).reshape(3, 4)[:, ::2], Numbers("3, n")),
        (np.arange(arrays.SMALL).astype(np.uint8), Bytes("n")),
        (np.array([np.nan, -np.inf]), Values("n", least=-np.inf, missing=True)),
    ],
)
def test_an_array_comes_back(tmp_path: Path, value: np.ndarray, declared: Any):
    """Values, shape and type; an empty one and one that was a view, too."""
    save(tmp_path, "x", value)

    found = load_array(tmp_path, "x", declared)

    assert found.dtype == value.dtype
    np.testing.assert_array_equal(found, value)


PACKED = [
    np.zeros(0, dtype=np.int32),
    np.zeros((0, 3)),
    np.array([], dtype=bool),
    np.array([[True, False]]),
    np.arange(3 * arrays.DECODED, dtype=np.int64)[::-2].reshape(3, -1),
    np.random.default_rng(1).random((40_000, 7), dtype=np.float32),
]


@pytest.mark.parametrize("value", PACKED, ids=lambda value: f"{value.dtype}{value.shape}")
def test_a_packed_array_comes_back(tmp_path: Path, value: np.ndarray):
    """Deflated by bytes of one place, in one file; it cannot be changed either."""
    save(tmp_path, "x", value, packed=True)

    kind = Flags if value.dtype == bool else Values
    found = load_array(tmp_path, "x", kind(", ".join("nmk"[: value.ndim])))

    np.testing.assert_array_equal(found, value)
    assert found.dtype == value.dtype
    assert not found.flags.writeable
    assert [path.name for path in tmp_path.iterdir()] == ["x.npy.z"]


def unpacked(whole: bytes) -> bytes:
    return zlib.decompress(whole)


def declaring(whole: bytes, old: bytes, new: bytes) -> bytes:
    """A file whose heading declares another shape, in as many bytes."""
    return zlib.compress(unpacked(whole).replace(old, new, 1))


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: whole[:9],
        lambda whole: whole[:-1],
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole + b"x",
        lambda whole: whole + whole,
        unpacked,
        lambda whole: zlib.compress(unpacked(whole)[:-1]),
        lambda whole: zlib.compress(unpacked(whole) + b"x"),
        lambda whole: zlib.compress(b"\x00" * 10**8),
        lambda whole: declaring(whole, b"(90000,), }         ", b"(90000000000000,), }"),
        lambda whole: declaring(whole, b"<f8", b"|O8"),
    ],
)
def test_a_damaged_packed_file_is_named(tmp_path: Path, damage: Any):
    """Cut, lengthened, of another shape, or a bomb: no more is unpacked than it declares."""
    save(tmp_path, "x", np.random.default_rng(1).random(90_000), packed=True)
    path = tmp_path / "x.npy.z"
    path.write_bytes(damage(path.read_bytes()))

    with pytest.raises(BundleError, match=r"x\.npy\.z: cannot be read"):
        load_array(tmp_path, "x", Values("n"))


@dataclass(frozen=True)
class Coarse:
    cosines: Annotated[np.ndarray, Values("n"), Fixed(1 / 32_768)]
    topics: Annotated[np.ndarray, Values("n, n_directions"), ByRow()]


@pytest.mark.parametrize("packed", [False, True])
def test_what_was_rounded_before_comes_back_as_it_was(tmp_path: Path, packed: bool):
    """Bit by bit, in two bytes and in one; nothing but zeros, and the smallest numbers, too."""
    random = np.random.default_rng(4)
    topics = random.normal(size=(50, 9)) * np.exp2(random.integers(-20, 3, 50))[:, None]
    topics[7] = 0
    made = Coarse(Fixed(1 / 32_768).rounded(random.random(50) * 1.5), ByRow().rounded(topics))
    save(tmp_path, "x", made, packed=packed)

    found = load(tmp_path, "x", Coarse)

    np.testing.assert_array_equal(found.cosines, made.cosines)
    np.testing.assert_array_equal(found.topics, made.topics)
    assert found.topics.dtype == made.topics.dtype == np.float32
    most = np.abs(topics).max(axis=1, keepdims=True)
    assert (np.abs(made.topics - topics) <= most / 127).all()


def test_coarse_numbers_of_another_type_are_refused(tmp_path: Path):
    """As bytes they would be read for what they are not."""
    save(tmp_path, "x", Coarse(np.zeros(2), np.zeros((2, 3))))
    np.save(tmp_path / "x_topics.npy", np.zeros((2, 3)))

    with pytest.raises(BundleError, match=r"x_topics\.npy: holds float64"):
        load(tmp_path, "x", Coarse)


def test_a_large_array_is_mapped_and_cannot_be_changed(tmp_path: Path):
    """Workers share its pages, and a published bundle never changes."""
    save(tmp_path, "x", np.zeros(arrays.SMALL))

    with pytest.raises(ValueError, match="read-only"):
        load_array(tmp_path, "x", Values("n"))[0] = 1


def test_dataclasses_of_dataclasses_come_back(tmp_path: Path):
    """Every array is a file named after its place."""
    save(tmp_path, "site", Outer(Inner(Strings.of(["knee", "Müsli"])), np.arange(3)))

    found = load(tmp_path, "site", Outer)

    assert [found.inner.names[0], found.inner.names[1]] == ["knee", "Müsli"]
    assert found.numbers.tolist() == [0, 1, 2]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "site.json",
        "site_inner_names_data.npy",
        "site_inner_names_heads.npy",
        "site_numbers.npy",
    ]


def test_an_index_comes_back(tmp_path: Path):
    """It finds on disk what it found in memory."""
    save(tmp_path, "ids", Index.of(Strings.of(["a/b", "睡眠", "a/b"])))

    index = load(tmp_path, "ids", Index)

    assert [index.find("睡眠"), index.find("a/b"), index.find("a")] == [1, 0, None]
    assert index.column[2] == "a/b"


def test_objects_are_never_pickled(tmp_path: Path):
    """Neither written nor read: unpickling runs what a file says."""
    with pytest.raises(ValueError, match="allow_pickle"):
        save(tmp_path, "x", np.array([{}], dtype=object))
    np.save(tmp_path / "x.npy", np.array([{}], dtype=object), allow_pickle=True)

    with pytest.raises(BundleError, match=r"x\.npy"):
        load_array(tmp_path, "x", Values("n"))


@pytest.mark.parametrize("size", [None, 0, 5, 90, 40_000])
def test_a_damaged_file_is_named(tmp_path: Path, size: int | None):
    """Missing, empty, cut in its heading, cut in its numbers."""
    save(tmp_path, "x", np.zeros(arrays.SMALL * 2))
    path = tmp_path / "x.npy"
    whole = path.read_bytes()
    path.unlink()
    if size is not None:
        path.write_bytes(whole[:size])

    with pytest.raises(BundleError, match=r"x\.npy: cannot be read"):
        load_array(tmp_path, "x", Values("n"))


texts = st.lists(st.text(max_size=12))


@given(texts)
def test_a_column_holds_what_went_in(values: list[str]):
    """In order, empty ones and every script included."""
    column = Strings.of(values)

    assert [column[at] for at in range(len(column))] == values
    assert int(column.heads[-1]) == len("".join(values).encode())


@pytest.mark.slow
@given(texts, st.text(max_size=12))
def test_an_index_is_a_dict(values: list[str], asked: str):
    """Of equal strings the first is found, and what was not put in is not found."""
    index = Index.of(Strings.of(values))

    for value in [*values, asked]:
        assert index.find(value) == (values.index(value) if value in values else None)


def test_an_empty_column_finds_nothing():
    """Not even the empty string."""
    assert Index.of(Strings.of([])).find("") is None


def test_bytes_are_kept_as_they_are():
    """Prepared answers are bytes, and go out as such."""
    column = Strings.of([b"\x00\xff", "ü"])

    assert column.bytes_at(0) == b"\x00\xff"
    assert column.bytes_at(1) == "ü".encode()


def test_equal_fingerprints_are_told_apart(monkeypatch):
    """Two strings may share a fingerprint; the strings themselves are compared."""
    monkeypatch.setattr(arrays, "fingerprint", lambda value: len(value))
    index = Index.of(Strings.of(["knee", "gout", "salt", "hip"]))

    assert [index.find(value) for value in ("gout", "salt", "hip", "nape")] == [1, 2, 3, None]
    assert index.prints.tolist() == sorted(index.prints.tolist())
    assert index.prints.dtype == np.uint64


@dataclass(frozen=True)
class Curve:
    chance: Annotated[np.ndarray, Numbers("n")]
    name: str


@dataclass(frozen=True)
class Model:
    slope: float
    n_clicks: int
    columns: tuple[int, ...]
    layouts: tuple[str, ...]
    curves: tuple[Curve, ...]
    trees: Inner | None
    line: Inner | None


MODEL = Model(
    0.1,
    3,
    (2, 0),
    ("side", "睡眠"),
    (Curve(np.arange(2), "first"), Curve(np.arange(3), "second")),
    None,
    Inner(Strings.of(["knee"])),
)


def test_numbers_texts_and_tuples_come_back(tmp_path: Path):
    """From one file of JSON beside the arrays; what is None, and what is given, has no file."""
    save(tmp_path, "model", MODEL, leave=["n_clicks"])

    found = load(tmp_path, "model", Model, {"n_clicks": 5})

    assert (found.slope, found.n_clicks, found.columns) == (0.1, 5, (2, 0))
    assert (found.layouts, found.trees) == (("side", "睡眠"), None)
    assert found.line is not None
    assert found.line.names[0] == "knee"
    assert [(curve.name, len(curve.chance)) for curve in found.curves] == [
        ("first", 2),
        ("second", 3),
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "model.json",
        "model_curves_0_chance.npy",
        "model_curves_1_chance.npy",
        "model_line_names_data.npy",
        "model_line_names_heads.npy",
    ]


def test_what_numpy_calls_a_number_is_one(tmp_path: Path):
    """To the last bit, whichever type a computation ended with."""
    save(tmp_path, "model", replace(MODEL, slope=np.float64(1 / 3), n_clicks=np.int64(7)))

    found = load(tmp_path, "model", Model)

    assert (found.slope, found.n_clicks) == (1 / 3, 7)


def test_the_same_value_makes_the_same_bytes(tmp_path: Path):
    """Bundles of the same input are compared file by file."""
    for name in "ab":
        (tmp_path / name).mkdir()
        save(tmp_path / name, "model", MODEL)

    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_a_class_may_be_renamed(tmp_path: Path):
    """Its fields are the layout: yesterday's bundle does not know what the class was called."""
    save(tmp_path, "x", Inner(Strings.of(["knee"])))

    @dataclass(frozen=True)
    class Renamed:
        names: Strings

    assert load(tmp_path, "x", Renamed).names[0] == "knee"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "field columns is missing"),
        ('{"columns": [], "colour": 1}', "unknown field colour"),
        ('{"columns": [1.5]}', "columns.0 is not a whole number"),
        ('{"columns": 1}', "columns is not a list"),
        ('{"columns": [], "layouts": [3]}', "layouts.0 is not a text"),
        ("[]", "its content is not an object"),
        ("{", "cannot be read"),
    ],
)
def test_json_of_other_fields_is_named(tmp_path: Path, text: str, message: str):
    """The file, and the field that is missing or unknown."""
    save(tmp_path, "model", MODEL)
    (tmp_path / "model.json").write_text(text)

    with pytest.raises(BundleError, match=rf"model\.json: {message}"):
        load(tmp_path, "model", Model, {"slope": 1.0, "n_clicks": 1})


def npy(heading: bytes, content: bytes = b"") -> bytes:
    """A file of numpy that declares this."""
    return b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + heading.ljust(117) + b"\n" + content


HEADINGS = {
    "objects": b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
    "records": b"{'descr': [('x', '<i4')], 'fortran_order': False, 'shape': (1,), }",
    "columns first": b"{'descr': '<i4', 'fortran_order': True, 'shape': (1, 1), }",
    "huge": b"{'descr': '<i4', 'fortran_order': False, 'shape': (999999999999, 999999999999), }",
    "product wraps to 1": b"{'descr': '|u1', 'fortran_order': False, 'shape': (4, 1, 1), }",
    "below 0": b"{'descr': '<i4', 'fortran_order': False, 'shape': (-1, -1), }",
    "nested": b"{'descr': '<i4', 'fortran_order': False, 'shape': " + b"(" * 60,
    "code": b"__import__('os').abort()",
}


@pytest.mark.parametrize("heading", HEADINGS.values(), ids=HEADINGS)
def test_a_heading_is_read_not_evaluated(tmp_path: Path, heading: bytes):
    """It declares plain numbers, row after row, and exactly as many as the file has."""
    (tmp_path / "x.npy").write_bytes(npy(heading, b"\x01\0\0\0\0\0\0\0"))

    with pytest.raises(BundleError, match=r"x\.npy: cannot be read"):
        load_array(tmp_path, "x", Numbers("n"))


def test_links_out_of_a_folder_are_not_followed(tmp_path: Path):
    """Neither for an array nor for JSON: what they lead to is no part of the bundle."""
    (tmp_path / "inside").mkdir()
    save(tmp_path, "model", MODEL)
    for path in tmp_path.glob("model*"):
        (tmp_path / "inside" / path.name).symlink_to(path)

    with pytest.raises(BundleError, match=r"model\.json: cannot be read: not a plain file"):
        load(tmp_path / "inside", "model", Model)
    with pytest.raises(BundleError, match=r"chance\.npy: cannot be read: not a plain file"):
        load_array(tmp_path / "inside", "model_curves_0_chance", Numbers("n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("NaN", "NaN is no number"),
        ("-Infinity", "-Infinity is no number"),
        ("1e999", "slope is not finite"),
        ("true", "slope is not a number"),
        ('"0.1"', "slope is not a number"),
        ("[" * 100_000, "cannot be read"),
        ("9" * 5_000, "cannot be read"),
    ],
)
def test_a_number_of_json_is_one(tmp_path: Path, text: str, message: str):
    """Finite, and no text that looks like it."""
    save(tmp_path, "model", MODEL)
    whole = (tmp_path / "model.json").read_text(encoding="utf-8")
    (tmp_path / "model.json").write_text(whole.replace('"slope": 0.1', f'"slope": {text}'))

    with pytest.raises(BundleError, match=rf"model\.json: .*{message}"):
        load(tmp_path, "model", Model)


@dataclass(frozen=True)
class Part:
    rows: Annotated[np.ndarray, Numbers("n_rows", below="n_all", empty=True)]


@dataclass(frozen=True)
class Whole:
    """One array of each kind, tied to one another."""

    heads: Annotated[np.ndarray, Heads("n_all+1", of="n_links")]
    links: Annotated[np.ndarray, Numbers("n_links", below="n_all")]
    keys: Annotated[np.ndarray, Keys("n_keys", pairs_of="n_all")]
    weights: Annotated[np.ndarray, Values("n_all, 2", least=0, most=1)]
    days: Annotated[np.ndarray, Values("n_all", missing=True)]
    old: Annotated[np.ndarray, Flags("n_all")]
    part: Annotated[Part, Sizes(n_all="n_all")]
    names: Annotated[tuple[str, ...], Length("n_all")]
    share: Annotated[float, Within(0, 1)] = 0.5


WHOLE = Whole(
    heads=np.array([0, 1, 1, 3]),
    links=np.array([2, 0, 1], dtype=np.int32),
    keys=np.array([1, 3, 8]),
    weights=np.array([[0, 1], [0.5, 0.5], [1, 0]], dtype=np.float32),
    days=np.array([np.nan, 1, 2]),
    old=np.array([False, True, False]),
    part=Part(np.array([2, -1])),
    names=("a", "b", "c"),
)


def test_what_keeps_to_its_declarations_is_read(tmp_path: Path):
    """Edges included: the last row, the last pair, nothing at all."""
    save(tmp_path, "whole", WHOLE)
    empty = Whole(
        np.array([0]), np.zeros(0, int), np.zeros(0, int), np.zeros((0, 2)), np.zeros(0),
        np.zeros(0, bool), Part(np.zeros(0, int)), (),
    )  # fmt: skip
    save(tmp_path, "empty", empty)

    assert load(tmp_path, "whole", Whole).links.tolist() == [2, 0, 1]
    assert load(tmp_path, "empty", Whole).names == ()


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "beyond": ({"links": np.array([2, 3, 1])}, "links.npy: holds 3, where .* 0 to 2"),
    "below": ({"links": np.array([2, -1, 1])}, "links.npy: holds -1"),
    "part": ({"part": Part(np.array([3, -1]))}, "part_rows.npy: holds 3, where .* -1 to 2"),
    "real": ({"links": np.array([2.0, 0.0, 1.0])}, "links.npy: holds float64"),
    "shape": ({"links": np.array([[2], [0], [1]])}, r"links.npy: holds int64 of shape \(3, 1\)"),
    "short": ({"days": np.zeros(2)}, "days.npy: has a length of 2, where n_all is 3"),
    "wide": ({"weights": np.zeros((3, 3))}, "weights.npy: has a length of 3, not 2"),
    "back": ({"heads": np.array([0, 2, 1, 3])}, "heads.npy: leads back"),
    "past the end": ({"heads": np.array([0, 1, 2, 4])}, "heads.npy: does not lead from 0 to 3"),
    "unsorted": ({"keys": np.array([3, 1, 8])}, "keys.npy: is not sorted"),
    "no pair": ({"keys": np.array([1, 3, 9])}, "keys.npy: holds 1 or 9, which is no pair of 3"),
    "nan": ({"weights": np.full((3, 2), np.nan)}, "weights.npy: holds nan"),
    "infinite": ({"days": np.array([0, np.inf, 0])}, "days.npy: holds inf"),
    "too much": ({"weights": np.full((3, 2), 1.5)}, "weights.npy: holds 1.5"),
    "neither": ({"old": np.array([0, 2, 1], dtype=np.uint8).view(bool)}, "old.npy: holds 2"),
    "names": ({"names": ("a",)}, "names has a length of 1, where n_all is 3|n_all is 1"),
    "share": ({"share": 1.5}, "share is 1.5"),
}


@pytest.mark.parametrize(("change", "message"), FAULTS.values(), ids=FAULTS)
def test_what_breaks_them_is_named(tmp_path: Path, change: dict[str, Any], message: str):
    """The file, what it holds, and what may stand there."""
    save(tmp_path, "whole", replace(WHOLE, **change))

    with pytest.raises(BundleError, match=message):
        load(tmp_path, "whole", Whole)


@pytest.mark.parametrize(
    "value",
    [
        Strings(np.array([0xFF], np.uint8), np.array([0, 1])),
        Strings(np.frombuffer("ü".encode(), np.uint8), np.array([0, 1, 2])),
        Strings(np.frombuffer("ü".encode()[:1], np.uint8), np.array([0, 1])),
        Strings(np.frombuffer(b"\xed\xa0\x80", np.uint8), np.array([0, 3])),
    ],
)
def test_a_string_is_text(tmp_path: Path, value: Strings):
    """Whole characters, none cut in two, no half of a pair."""
    save(tmp_path, "names", value)

    with pytest.raises(BundleError, match="names: "):
        load(tmp_path, "names", Strings)


def test_text_that_is_mostly_plain_is_read_as_a_whole(tmp_path: Path, monkeypatch):
    """A character that ends one block is no character without the next."""
    monkeypatch.setattr(arrays, "DECODED", 4)
    save(tmp_path, "good", Strings.of(["abcü", "defg", "睡眠睡眠"]))
    save(tmp_path, "bad", Strings(np.frombuffer(b"abc\xc3defg", np.uint8), np.array([0, 8])))

    assert load(tmp_path, "good", Strings)[2] == "睡眠睡眠"
    with pytest.raises(BundleError, match="holds no text"):
        load(tmp_path, "bad", Strings)


@dataclass(frozen=True)
class Figures:
    by_name: dict[str, float]
    window: tuple[str | None, str | None]


def test_types_of_json_are_those_that_a_class_declares():
    """Wherever they stand."""
    whole = {"by_name": {"a": 1}, "window": ["x", None]}

    assert build(Figures, whole, "f").window == ("x", None)
    for wrong, message in (
        ({"by_name": {"a": "1"}}, "by_name.a is not a number"),
        ({"by_name": []}, "by_name is not an object"),
        ({"window": ["x"]}, "window has 1 entries, not 2"),
        ({"window": ["x", 3]}, "window.1 is not a text"),
    ):
        with pytest.raises(BundleError, match=message):
            build(Figures, {**whole, **wrong}, "f")
