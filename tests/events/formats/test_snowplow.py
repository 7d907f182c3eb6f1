"""Snowplow's enriched events: exposed elements become impressions, followed links clicks."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from foreign import FINDER, content, lines, problems, read, store_with_site
from hypothesis import given
from hypothesis import strategies as st

from recommender.errors import EventError
from recommender.events.event import Click, Impression
from recommender.events.formats.base import Reasons, Skip
from recommender.events.formats.snowplow import COLUMNS, N_COLUMNS, Snowplow
from recommender.events.reader import EventReader
from recommender.files import Record
from recommender.store.import_events import import_events

IGLU = "iglu:com.snowplowanalytics.snowplow"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0"
KNEE = "https://example.org/knee.html"


def row(name: str, data: dict[str, Any], entities: list[dict[str, Any]], **columns: str) -> str:
    """One enriched event: 131 columns, most of which are empty here as they often are."""
    values = {
        "collector_tstamp": "2026-11-22 10:00:01.000",
        "derived_tstamp": "2026-11-22 10:00:00.250",
        "event": "unstruct",
        "event_name": name,
        "page_url": KNEE,
        "useragent": BROWSER,
        "domain_sessionid": "6f8c2b0e-0000-4000-8000-000000000001",
        "contexts": json.dumps({"schema": f"{IGLU}/contexts/jsonschema/1-0-0", "data": entities}),
        "unstruct_event": json.dumps(
            {
                "schema": f"{IGLU}/unstruct_event/jsonschema/1-0-0",
                "data": {"schema": f"{IGLU}/{name}/jsonschema/1-0-0", "data": data},
            }
        ),
        **columns,
    }
    cells = [""] * N_COLUMNS
    for column, value in values.items():
        cells[COLUMNS[column]] = value
    return "\t".join(cells)


def entity(name: str, **data: Any) -> dict[str, Any]:
    return {"schema": f"{IGLU}/{name}/jsonschema/1-0-0", "data": data}


def page(id: str = "p1") -> dict[str, Any]:
    return entity("web_page", id=id)


def href(address: str) -> list[dict[str, str]]:
    return [{"source": "attributes", "attribute": "href", "value": address}]


def inside(name: str, place: int, address: str, parent: tuple[str, int]) -> dict[str, Any]:
    """What the plugin says of an element within the exposed one."""
    return entity("element_content", parent_name=parent[0], parent_index=parent[1],
                  element_name=name, element_index=place, attributes=href(address))  # fmt: skip


def element(name: str, **more: Any) -> dict[str, Any]:
    return entity("element", element_name=name, width=1, height=1, position_x=0, position_y=0,
                  **more)  # fmt: skip


def exposed(*addresses: str, name: str = "related", view: str = "p1", **columns: str) -> str:
    """A list of links came into view."""
    links = [inside("link", n, url, (name, 1)) for n, url in enumerate(addresses, start=1)]
    return row(
        "expose_element", {"element_name": name}, [page(view), element(name), *links], **columns
    )


def followed(target: str, *entities: dict[str, Any], view: str = "p1", **columns: str) -> str:
    return row("link_click", {"targetUrl": target}, [page(view), *entities], **columns)


# A list of three links beside the article on knees came into view, and the second was followed;
# Snowplow also says when pages are opened.
SNOWPLOW = lines(
    [
        exposed("/hip.html", "/gout.html", "https://example.org/salt.html"),
        followed("https://example.org/gout.html", derived_tstamp="2026-11-22 10:00:09.000"),
        row("page_view", {}, [page("p2")], page_url="https://example.org/gout.html"),
    ]
)


def test_snowplow_by_example(tmp_path: Path):
    """One view in order, one click on it."""
    (shown, clicked), reader = read(tmp_path / "events.tsv", SNOWPLOW)

    assert isinstance(shown, Impression)
    assert shown[1:4] == (1795341600250, "knee", ("hip", "gout", "salt"))
    assert (shown.ordered, shown.list) == (True, "related")
    assert clicked == Click(shown.view_id, 1795341609000, "gout")
    assert reader.skipped == {"other event: page_view": 1}
    assert len(shown.session_id) == 24


def test_the_columns_stand_where_the_documentation_says():
    """Counted once by hand: the last of 131 is the true timestamp."""
    assert (N_COLUMNS, COLUMNS["contexts"], COLUMNS["event_name"]) == (131, 52, 127)


def test_links_that_come_into_view_one_by_one_are_pieces_of_a_view(tmp_path: Path):
    """Each stands where it says; a list that comes with more links later is one view as well."""
    single = [
        row(
            "expose_element",
            {"element_name": "card"},
            [page(), element("card", element_index=n, element_matches=2, attributes=href(url))],
        )
        for n, url in [(2, "/hip.html"), (1, "/gout.html")]
    ]

    (one, two, click), _ = read(
        tmp_path / "events.tsv", lines([*single, followed("https://example.org/hip.html")])
    )

    assert (one.shown, one.places, two.shown, two.places) == (("hip",), (2,), ("gout",), (1,))
    assert one.view_id == two.view_id
    assert (click.view_id, click.clicked) == (one.view_id, "hip")


def test_the_only_link_of_a_name_is_a_view_of_its_own(tmp_path: Path):
    """Where it stands among others is not known."""
    alone = row("expose_element", {"element_name": "teaser"},
                [page(), element("teaser", element_index=1, element_matches=1,
                                 attributes=href("/hip.html"))])  # fmt: skip

    (shown,), _ = read(tmp_path / "events.tsv", lines([alone]))

    assert isinstance(shown, Impression)
    assert (shown.shown, shown.ordered, shown.places) == (("hip",), False, None)


def test_a_list_that_is_exposed_again_with_more_links_is_one_view(tmp_path: Path):
    """As lists that load more do; the click on a link that came later counts."""
    store = store_with_site()
    (tmp_path / "events.tsv").write_text(
        lines(
            [
                exposed("/hip.html", "/gout.html"),
                exposed("/hip.html", "/gout.html", derived_tstamp="2026-11-22 10:00:02.000"),
                exposed("/salt.html", "/hip.html", derived_tstamp="2026-11-22 10:00:03.000"),
                followed("/salt.html", derived_tstamp="2026-11-22 10:00:09.000"),
            ]
        )
    )

    received = import_events(store, EventReader([tmp_path / "events.tsv"]))

    found = content(store)
    assert sorted((row[8], row[10]) for row in found["views"]) == [
        (1, "hip"), (2, "gout"), (3, "salt"),
    ]  # fmt: skip
    assert (received.impressions, received.clicks) == (1, 1)


def test_lists_of_cards_are_lists_of_their_links(tmp_path: Path):
    """The cards' own entities name no link, or the same ones."""
    cards = [
        entity("element_content", parent_name="related", parent_index=1, element_name="card",
               element_index=n)
        for n in (2, 1)
    ]  # fmt: skip
    links = [inside("a", 1, f"/{id}.html", ("card", n)) for n, id in [(2, "hip"), (1, "gout")]]
    line = row("expose_element", {"element_name": "related"}, [page(), *cards, *links])

    ((shown,), _) = read(tmp_path / "events.tsv", line)

    assert shown.shown == ("gout", "hip")


def test_lists_of_one_name_on_one_page_are_told_apart(tmp_path: Path):
    """By their number; each with its clicks."""
    rows = [
        row("expose_element", {"element_name": "row"}, [
            page(), element("row", element_index=n, element_matches=2),
            *(inside("a", at, f"/{id}.html", ("row", n)) for at, id in enumerate(ids, start=1)),
        ])
        for n, ids in [(1, ("hip", "gout")), (2, ("gout", "salt"))]
    ]  # fmt: skip

    events, _ = read(
        tmp_path / "events.tsv", lines([*rows, followed("https://example.org/salt.html")])
    )

    assert [event.view_id for event in events] == [
        events[0].view_id, events[1].view_id, events[1].view_id,
    ]  # fmt: skip
    assert events[0].view_id != events[1].view_id


def test_a_click_says_which_list_it_was_in_if_it_can(tmp_path: Path):
    """Else it counts for every list of the page that had the link."""
    seen = [exposed("/hip.html", "/gout.html", name=name) for name in ("below", "beside")]
    target = "https://example.org/hip.html"
    named = followed(target, entity("component_parents", component_list=["aside", "beside"]))

    unsaid, _ = read(tmp_path / "a.tsv", lines([*seen, followed(target)]))
    said, _ = read(tmp_path / "b.tsv", lines([*seen, named]))

    assert [event.view_id for event in unsaid[2:]] == [event.view_id for event in unsaid[:2]]
    assert [event.view_id for event in said[2:]] == [said[1].view_id]


def test_a_click_may_come_before_its_list(tmp_path: Path):
    """Also in a file of its own, as long as the site's lists are known by then."""
    target = "https://example.org/hip.html"
    (shown, click), _ = read(
        tmp_path / "a.tsv", lines([followed(target), exposed("/hip.html", "/gout.html")])
    )
    elsewhere, _ = read(
        tmp_path / "b.tsv",
        lines([exposed("/gout.html", "/salt.html", view="p2"), followed(target)]),
    )

    assert click.view_id == shown.view_id
    assert elsewhere[1].view_id == shown.view_id


def test_a_page_view_without_an_id_is_told_by_session_and_address(tmp_path: Path):
    """Without either, nothing can be told apart."""
    bare = row("expose_element", {"element_name": "related"}, [
        inside("a", 1, "/hip.html", ("related", 1)), inside("a", 2, "/gout.html", ("related", 1)),
    ])  # fmt: skip
    other = row("expose_element", {"element_name": "related"}, [], contexts="")
    nobody = exposed("/hip.html", "/gout.html", contexts="", domain_sessionid="")

    events, reader = read(tmp_path / "events.tsv", lines([bare, bare, other, nobody]))

    assert len({event.view_id for event in events}) == 1
    assert sorted(reader.skipped) == [
        "exposed element without a link to an article",
        "no web_page entity and no domain_sessionid, so views cannot be distinguished",
    ]


def test_an_attribute_may_hold_an_articles_id(tmp_path: Path):
    """And links that are no articles hold their places."""
    named = [
        entity("element_content", parent_name="related", parent_index=1, element_name="a",
               element_index=n, attributes=[
                   {"source": "dataset", "attribute": "place", "value": "knee"},
                   {"source": "dataset", "attribute": "articleId", "value": id}])
        for n, id in [(1, "hip"), (3, "salt")]
    ]  # fmt: skip
    foreign = inside("a", 2, "https://elsewhere.com/offer", ("related", 1))
    line = row("expose_element", {"element_name": "related"}, [page(), *named, foreign])

    ((shown,), _) = read(tmp_path / "events.tsv", line)

    assert shown.shown == ("hip", "elsewhere.com/offer", "salt")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (exposed("/hip.html", page_url="https://example.org/"), "no article at this address"),
        (exposed("https://elsewhere.com/"), "exposed element without a link to an article"),
        (exposed(), "exposed element without a link to an article"),
        (exposed("/hip.html", useragent="Googlebot/2.1"), "crawler"),
        (followed("https://elsewhere.com/"), "click on a link to no article"),
        (followed("https://example.org/knee.html"), "click outside the lists that were exposed"),
        (row("add_to_cart", {}, []), "other event: add_to_cart"),
    ],
)
def test_what_is_of_no_use_is_counted_by_reason(tmp_path: Path, line: str, reason: str):
    """It is no fault of the log."""
    sound = exposed("/hip.html", "/gout.html")

    events, reader = read(tmp_path / "events.tsv", lines([sound, line]))

    assert len(events) == 1
    assert reader.skipped == {reason: 1}
    assert reader.n_bad == 0


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("one\ttwo", "2 columns; an enriched Snowplow event has 131"),
        (exposed("/hip.html") + "\t", "132 columns; an enriched Snowplow event has 131"),
        (exposed("/hip.html", contexts="{"), "field contexts: not JSON"),
        (exposed("/hip.html", contexts="[]"), "field contexts: must be a JSON object"),
        (exposed("/hip.html", contexts='{"data": 1}'), "field data: must be a list of objects"),
        (exposed("/hip.html", unstruct_event=""), "field unstruct_event: not JSON"),
        (exposed("/hip.html", unstruct_event="{}"), "field unstruct_event: holds no data"),
        (exposed("/hip.html", derived_tstamp="noon"), "field derived_tstamp: no time: 'noon'"),
        (row("link_click", {}, [page()]), "field targetUrl: missing"),
        (
            followed("https://example.org/hip.html", derived_tstamp="noon"),
            "field derived_tstamp: no time: 'noon'",
        ),
    ],
)
def test_a_fault_names_the_place_and_the_field(tmp_path: Path, line: str, complaint: str):
    """And costs nothing but its line."""
    events, reader = read(
        tmp_path / "events.tsv", lines([exposed("/hip.html", "/gout.html"), line])
    )

    assert len(events) == 1
    assert problems(reader)[0].startswith(f"events.tsv:2: {complaint}")


def test_the_order_of_lines_says_nothing(tmp_path: Path):
    """Nor does it that some come twice."""
    log, contents = tmp_path / "events.tsv", []
    seen = [exposed("/hip.html", "/gout.html", name=name, view=view)
            for name in ("below", "beside") for view in ("p1", "p2")]  # fmt: skip
    clicks = [followed("https://example.org/hip.html", view=view) for view in ("p1", "p2", "p3")]
    for seed in range(5):
        shuffled = [*seen, *clicks] * 2
        random.Random(seed).shuffle(shuffled)
        store = store_with_site()
        log.write_text(lines(shuffled))
        import_events(store, EventReader([log]))
        contents.append(content(store))

    assert all(found == contents[0] for found in contents)
    assert (len(contents[0]["views"]), len(contents[0]["clicks"])) == (8, 6)


PARTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("/hip.html"),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["data", "schema", "attributes", "attribute", "value", "element_name", "element_index",
             "parent_index", "component_list", "targetUrl", "id"]
        ),
        inner,
    ),
    max_leaves=8,
)  # fmt: skip
SCHEMAS = st.sampled_from(["web_page", "element", "element_content", "component_parents"])


@pytest.mark.slow
@given(
    st.sampled_from(["expose_element", "link_click"]),
    st.dictionaries(st.sampled_from(["element_name", "targetUrl"]), PARTS),
    st.lists(st.builds(lambda name, data: {**entity(name), "data": data}, SCHEMAS, PARTS)),
    st.text(),
)
def test_no_line_is_more_than_faulty(
    name: str, data: dict[str, Any], entities: list[dict[str, Any]], text: str
):
    """Whatever stands in its entities."""
    translator = Snowplow(FINDER, Reasons())
    for line in (row(name, data, [page(), *entities]), text):
        try:
            assert all(event.view_id for event in translator.read(Record("x:1", {"line": line})))
            assert all(event.clicked for event in translator.flush())
        except (EventError, Skip) as exc:
            assert str(exc)
