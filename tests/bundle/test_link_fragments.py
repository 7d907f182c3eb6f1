"""What is written of each article once, and read back from where it stands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recommender.bundle import link_fragments
from recommender.bundle.answer_bytes import OF_ARTICLE, as_json, fragment, parts_of
from recommender.bundle.composition import Link
from recommender.bundle.link_fragments import COLUMNS, LinkFragments
from recommender.errors import BundleError

KNEE = Link(
    'knee "1"', "https://example.org/knee", 'The "knee" \\膝\n', "Why?", 1, 0.5, "text",
    image="/knee.png", published_at="2026-01-02", language="en",
)  # fmt: skip
BARE = Link("hip", None, "", "", 1, 0.5, "text")
QUOTED = Link("arm", '/arm"s', "title\x7f", '{"url":"', 1, 0.5, "text")


def written(*links: Link) -> LinkFragments:
    return LinkFragments.written(map(parts_of, links))


def test_a_fragment_is_the_beginning_of_a_link_on_the_wire():
    """Every field of the article in order, and not the end."""
    for link in (KNEE, BARE, QUOTED):
        whole = as_json({name: getattr(link, name) for name in OF_ARTICLE})
        assert fragment(link) == whole[:-1]
        assert written(link).bytes_at(0) == whole[:-1]


def test_what_was_written_is_read_back():
    """As columns and as records; nothing where there is none; quotes and escapes as they were."""
    links = [KNEE, BARE, QUOTED, KNEE]

    fragments = written(*links)

    assert fragments.fault() is None
    for name, column in fragments.columns().items():
        assert len(column) == 4
        assert [column[row] for row in range(4)] == [
            getattr(link, COLUMNS[name]) or "" for link in links
        ]
    assert [fragments.record(row) for row in range(4)] == [
        {name: getattr(link, name) for name in OF_ARTICLE} for link in links
    ]


def test_places_of_long_texts_are_wide_enough():
    """Beyond two bytes, and two bytes where they do."""
    long = replace(KNEE, title="膝" * 40_000)

    assert written(KNEE).places.dtype == np.uint16
    assert written(long).columns()["titles"][0] == long.title
    assert written().fault() is None


@pytest.mark.parametrize("block", [1, 2, 3, 8])
@pytest.mark.parametrize("field", ["url", "image"])
@pytest.mark.parametrize(
    "odd",
    ["", "javascript:alert(1)", "java\tscript:x", "https://a\\b", "//x\ty", "https://u@x"],
)
def test_an_unusual_address_is_found_wherever_it_stands(
    monkeypatch: pytest.MonkeyPatch, odd: str, field: str, block: int
):
    """Addresses are looked at block by block; there may be none."""
    monkeypatch.setattr(link_fragments, "BLOCK", block)
    usual = ["https://example.org/knee", "/knee", None]

    for place in range(4):
        addresses = [*usual[:place], odd or None, *usual[place:]]
        fragments = written(*(replace(BARE, **{field: address}) for address in addresses))
        assert (fragments.fault() is not None) == bool(odd)


@pytest.mark.parametrize(
    ("cell", "value", "fault"),
    [((0, 0), 0, "url is outside"), ((0, 1), 60_000, "url is outside"),
     ((0, 0), 9, "url is elsewhere"), ((0, 3), 20, "title is outside"),
     ((1, 5), 12, "image is outside")],
)  # fmt: skip
def test_places_lead_to_the_fields_they_are_of(cell: tuple[int, int], value: int, fault: str):
    """Nothing is read across the ends of a fragment, nor one field as another."""
    fragments = written(KNEE, BARE)
    fragments.places[cell] = value

    assert fragments.fault() == f"places: {fault}"


def test_what_is_no_link_is_no_record():
    """Other fields, no JSON, no object."""
    for text in (b'{"id":"knee"', b'{"id', b"[1", b""):
        fragments = replace(written(KNEE), data=np.frombuffer(text, np.uint8))
        with pytest.raises(BundleError, match=r"fragments_data\.npy: what stands there for art"):
            replace(fragments, heads=np.array([0, len(text)])).record(0)
