"""What pages are shown while an experiment runs, and what the log knows of it."""

import json
import logging
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sql
from asking import BEARER, KEY, NOW, Client, ids
from sites import once, random_articles, stored

from recommender.bundle import activation, experiments, registry
from recommender.bundle.bundle import Bundle
from recommender.config import Settings
from recommender.errors import CalibrationError, ExperimentError
from recommender.events.slate_token import Slate
from recommender.experiments.freezing import Wanted, plan
from recommender.lists.arms import INTERLEAVED, SPLIT
from recommender.store.database import Store
from recommender.training.pipeline import Options, build
from recommender_api.app import Api, create_app

N_ARTICLES = 40


def made(folder: Path) -> None:
    """A site whose first thirty pages have hand-picked lists, and two bundles of it."""
    articles = [article for article in random_articles(60, seed=3) if not article.stub]
    names = [article.id for article in articles[:N_ARTICLES]]
    picked = [
        replace(article, recommended=tuple(
            names[(at * 7 + step) % N_ARTICLES] for step in range(1, 9)
        ) if at < 30 else ())
        for at, article in enumerate(articles[:N_ARTICLES])
    ]  # fmt: skip
    with Store(f"sqlite:///{folder / 'site.db'}") as store:
        stored(store, picked)
        options = Options(jobs=1)
        build(store, folder / "models", now=NOW, options=options)
        other = replace(options, seed=5, ceiling=100, activate=False)
        build(store, folder / "models", now=NOW + timedelta(days=1), options=other)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For reading alone."""
    return once(tmp_path_factory, "experiment", made)


@pytest.fixture
def settings(site: Path, tmp_path: Path) -> Settings:
    """Those of a copy."""
    folder = Path(shutil.copytree(site, tmp_path / "site"))
    return Settings(
        database=f"sqlite:///{folder / 'site.db'}", models=folder / "models",
        editorial=folder / "editorial.csv", admin_key=KEY,
    )  # fmt: skip


def begin(settings: Settings, *arms: str, kind: str = SPLIT, name: str = "autumn") -> None:
    """Start an experiment whose arms show these."""
    with Store(settings.database) as store:
        wanted = [Wanted(f"arm{at}", shows) for at, shows in enumerate(arms)]
        planned = plan(
            name, wanted, store=store, models=settings.models, now=NOW + timedelta(days=2),
            options=Options(jobs=1), kind=kind,
        )  # fmt: skip
    experiments.begin(settings.models, planned)


def app_of(settings: Settings) -> Api:
    return create_app(settings, clock=lambda: NOW + timedelta(days=2))


@pytest.fixture
def app(settings: Settings) -> Iterator[Api]:
    """An application that met the experiment when it started."""
    begin(settings, "hand-picked", "live")
    app = app_of(settings)
    yield app
    app.stored.close()


def bundles(settings: Settings) -> list[str]:
    return registry.names(settings.models)


def page(app: Api, at: int) -> str:
    return app.live.bundle().id_of(at)


def slate_of(app: Api, content: dict[str, object]) -> Slate:
    return app.stored.signer.open(str(content["slate"]))


def seen(app: Api, id: str, k: int = 10) -> list[tuple[list[str], Slate, str]]:
    """What each of the hundred variants is shown: ids, slate, and the bundle's name."""
    client, found = Client(app), []
    for variant in range(100):
        answer = client.get(f"/v1/related?id={id}&k={k}&variant={variant}")
        content = answer.json()
        found.append((ids(answer), slate_of(app, content), content["model"]))
    return found


@pytest.mark.parametrize("kind", [SPLIT, INTERLEAVED])
@pytest.mark.parametrize("k", [4, 10])
def test_chances_are_the_shares_of_the_hundred_variants(settings, kind, k):
    """Of every link at its place, over both arms, pins and blocks included."""
    first, blocked, pinned = (page_name(settings, at) for at in (0, 38, 39))
    settings.editorial.write_text(
        "action,source,target,position,from,until,reason\n"
        f"pin,{first},{pinned},2,,,\nblock,*,{blocked},,,,\n"
    )
    begin(settings, "hand-picked" if kind == SPLIT else bundles(settings)[1], "live", kind=kind)
    app = app_of(settings)
    try:
        for at in (0, 7, 35):
            shown = seen(app, page(app, at), k)

            counts = Counter((place, id) for links, _, _ in shown for place, id in enumerate(links))
            for links, slate, _ in shown:
                assert 0 < len(links) <= k
                assert slate.chances == tuple(
                    counts[place, id] / 100 for place, id in enumerate(links)
                )
                assert blocked not in links
                if at == 0:
                    assert links[1] == pinned
                assert len(set(links)) == len(links)
    finally:
        app.stored.close()


def page_name(settings: Settings, at: int) -> str:
    return Bundle(settings.models / bundles(settings)[0]).lists.id_of(at)


def test_every_variant_is_shown_its_arm(app, settings):
    """As the published table has it; the log knows arm and list by name."""
    table = Client(app).get("/v1/model").json()
    arm_of = {
        at: row["arm"] for row in table["variants"] for at in range(row["from"], row["to"] + 1)
    }
    assert table["experiment"] == "autumn"
    running = experiments.running(settings.models)
    assert running is not None

    for at in (0, 35):
        for variant, (_, slate, model) in enumerate(seen(app, page(app, at))):
            arm = running.arms[variant // 50]
            assert slate.arm == arm_of[variant] == f"autumn/{arm.name}"
            assert slate.variant == variant
            # Page 35 has no hand-picked list.
            by_hand = arm.name == "arm0" and at == 0
            assert slate.list == ("hand-picked" if by_hand else arm.bundle)
            assert model == arm.bundle


def test_the_hand_picked_arm_shows_what_editors_picked(app, settings):
    """In their order; where they picked nothing it shows what the other arm does, slate by slate,
    so that such pages say nothing.
    """
    with Store(settings.database, writing=False) as store:
        picked = {article.id: article.recommended for article in store.articles()}
    for at in (0, 7, 35):
        id = page(app, at)
        shown = seen(app, id)
        if picked[id]:
            assert shown[0][0] == [each for each in picked[id] if each != id]
            assert set(slate_of(app, Client(app).get(f"/v1/related?id={id}&variant=0").json())
                       .origins) == {"hand-picked"}  # fmt: skip
            assert shown[0][0] != shown[50][0]
        else:
            assert [links for links, _, _ in shown[:50]] == [links for links, _, _ in shown[50:]]


def test_both_arms_explore_alike(app):
    """Of the fifty views of each the last ten show other slates than the best."""
    for first in (0, 50):
        shown = [links for links, _, _ in seen(app, page(app, 3))[first : first + 50]]

        assert all(links == shown[0] for links in shown[:40])
        # Of a short list of editors not every slate has a pair to swap.
        assert sum(links != shown[0] for links in shown[40:]) >= 5


def test_without_a_variant_a_request_is_outside(app, settings):
    """It gets the live bundle's best list, and its view counts for no arm."""
    id = page(app, 0)

    content = Client(app).get(f"/v1/related?id={id}").json()

    slate = slate_of(app, content)
    assert content["model"] == slate.list == registry.current(settings.models)
    assert (slate.arm, slate.variant, slate.chances) == ("", None, None)


def test_a_page_that_nobody_knows_is_outside(app):
    """It gets what it gets at other times."""
    content = Client(app).get("/v1/related?id=nobody&variant=3").json()

    assert content["article_id"] is None
    assert content["slate"] is None
    assert content["items"]


def test_workers_and_restarts_agree(app, settings):
    """A variant means the same everywhere, so that answers can be cached anywhere."""
    other = app_of(settings)
    try:
        for at in (0, 12, 35):
            for variant in (0, 42, 60, 99):
                path = f"/v1/related?id={page(app, at)}&variant={variant}"
                one, two = (Client(each).get(path) for each in (app, other))
                assert one.content == two.content
                assert one.headers["etag"] == two.headers["etag"]
                assert one.headers["cache-control"] == "public, max-age=60"
                again = Client(app).get(path, headers={"If-None-Match": one.headers["etag"]})
                assert again.status_code == 304
    finally:
        other.stored.close()


def test_it_starts_and_stops_without_a_restart(settings):
    """Within two looks at the folder, half a second each."""
    app = app_of(settings)
    path = f"/v1/related?id={page(app, 0)}&variant=0"
    try:
        before = Client(app).get(path).json()
        begin(settings, bundles(settings)[1], "live")
        app.live.poll(), app.live.poll()
        during = Client(app).get(path).json()
        experiments.end(settings.models, now=NOW)
        app.live.poll(), app.live.poll()
        after = Client(app).get(path).json()
    finally:
        app.stored.close()

    assert slate_of(app, during).arm == "autumn/arm0"
    assert during["model"] == bundles(settings)[1]
    assert (before["model"], before["items"]) == (after["model"], after["items"])
    assert slate_of(app, after).arm == "best"


def test_training_and_going_live_leave_the_arms_as_they_are(app, settings):
    """The new bundle waits; a request without a variant has it at once."""
    id = page(app, 0)
    before = [links for links, _, _ in seen(app, id)]
    with Store(settings.database) as store:
        options = Options(jobs=1, seed=9, ceiling=50)
        new = build(store, settings.models, now=NOW + timedelta(days=3), options=options)
    app.live.poll(), app.live.poll()

    assert Client(app).get(f"/v1/related?id={id}").json()["model"] == new.name
    assert [links for links, _, _ in seen(app, id)] == before
    gone = registry.prune(settings.models, keep=1, frozen=experiments.frozen(settings.models))
    running = experiments.running(settings.models)
    assert running is not None
    assert not {arm.bundle for arm in running.arms} & set(gone)


def test_articles_that_come_and_go_do_so_in_every_arm(app):
    """Within the request that brings them."""
    client, id = Client(app), page(app, 0)
    gone = seen(app, id)[0][0][0]
    both = {arm for links, slate, _ in seen(app, id) if gone in links for arm in [slate.arm]}
    assert both
    client.request("DELETE", f"/v1/articles?id={gone}", headers=BEARER)
    new = {"id": "new", "title": "Something new", "body": "Words of " + id}
    client.request("PUT", "/v1/articles", json=[new], headers=BEARER)

    assert all(gone not in links for links, _, _ in seen(app, id))
    answer = client.get("/v1/related?id=new&variant=70").json()
    assert slate_of(app, answer).arm == "autumn/arm1"
    assert answer["article_id"] == "new"


def test_the_log_knows_the_arm_of_a_view(app, settings):
    """And how long the answers took, by arm."""
    client = Client(app)
    for variant in (1, 2, 51):
        answer = client.get(f"/v1/related?id={page(app, 0)}&variant={variant}").json()
        event = {"type": "impression", "view_id": f"v{variant}", "slate": answer["slate"]}
        assert client.post("/v1/events", json=event).json()["accepted"] == 1
    with Store(settings.database, writing=False) as store, store.reading() as connection:
        views = connection.execute(sql.text("SELECT variant, arm FROM views ORDER BY view_id"))
        arms = {row.variant: row.arm for row in views}
        tallies = dict(
            connection.execute(
                sql.text("SELECT name, n FROM tallies WHERE name LIKE 'seconds %'")
            ).all()
        )

    assert arms == {1: "autumn/arm0", 2: "autumn/arm0", 51: "autumn/arm1"}
    by_arm = Counter()
    for name, n in tallies.items():
        _, label, bound = name.split(" ")
        assert bound == "inf" or float(bound) > 0
        by_arm[label] += n
    assert by_arm == {"autumn/arm0": 2, "autumn/arm1": 1}


def test_what_comes_later_does_not_join_hand_picked_lists(app):
    """Nor does a page that is rewritten lose its own: the arm shows what editors picked."""
    client = Client(app)
    before = {at: seen(app, page(app, at))[0][0] for at in range(30)}
    changed = [
        {"id": "new", "title": "New words", "body": " ".join(f"w{n}x1" for n in range(6))},
        {"id": page(app, 2), "title": "Rewritten", "body": "w1x1 w1x2 w1x3 c1 c2"},
    ]
    client.request("PUT", "/v1/articles", json=changed, headers=BEARER)

    assert {at: seen(app, page(app, at))[0][0] for at in range(30)} == before


def test_reasons_of_an_interleaved_slate_are_of_the_bundle_that_has_the_link(settings):
    """Of each link some."""
    begin(settings, bundles(settings)[1], "live", kind=INTERLEAVED)
    app = app_of(settings)
    try:
        for at in (3, 8):
            path = f"/v1/related?id={page(app, at)}&variant=7&explain=true"
            answer = Client(app).get(path, headers=BEARER).json()
            assert all(item["why"] for item in answer["items"] if item["origin"] != "fallback")
            assert all(item["explanation"] for item in answer["items"])
    finally:
        app.stored.close()


def test_the_figures_name_the_experiment(app):
    """While it runs."""
    text = Client(app).get("/metrics", headers=BEARER).text

    labels = 'arms="arm0,arm1",kind="split",name="autumn"'
    assert f"recommender_experiment_info{{{labels}}} 1.0" in text


def test_a_file_that_nobody_can_read_changes_nothing_but_the_probe(app, settings):
    """Articles still come and go in every arm; stopping ends it all the same."""
    file = settings.models / "experiments" / "autumn" / "experiment.json"
    whole = file.read_text()
    file.write_text("{")
    gone = seen(app, page(app, 0))[0][0][0]
    Client(app).request("DELETE", f"/v1/articles?id={gone}", headers=BEARER)

    shown = seen(app, page(app, 0))

    assert all(gone not in links for links, _, _ in shown)
    assert {slate.arm for _, slate, _ in shown} == {"autumn/arm0", "autumn/arm1"}
    assert "as before" in Client(app).get("/health/ready").json()["fault"]
    with pytest.raises(ExperimentError, match="is stopped all the same"):
        experiments.end(settings.models, now=NOW)
    assert experiments.running(settings.models) is None
    file.write_text(whole)


def test_an_interleaved_slate_knows_who_picked_each_link(settings):
    """Links of the first arm's list are its, in its order; every second one at most is unfair."""
    first, second = bundles(settings)[::-1][0], bundles(settings)[0]
    begin(settings, first, second, kind=INTERLEAVED)
    app = app_of(settings)
    try:
        id = page(app, 5)
        own = [
            [link.id for link in Bundle(settings.models / name).related(id, 30)]
            for name in (first, second)
        ]
        teams = Counter()
        for links, slate, _ in seen(app, id)[:80]:
            name, _, picked = slate.arm.partition("/")
            assert (name, len(picked), slate.list) == ("autumn", len(links), "autumn")
            for team in (0, 1):
                mine = [id for id, who in zip(links, picked, strict=True) if who == "12"[team]]
                assert mine == sorted(mine, key=own[team].index)
            teams.update(enumerate(picked))
            assert abs(picked.count("1") - picked.count("2")) <= 1
        for place in range(6):
            assert (teams[place, "1"], teams[place, "2"]) == (40, 40)
    finally:
        app.stored.close()


def test_an_arm_that_is_damaged_ends_nothing(settings, caplog):
    """Its page views get the live list and count for no arm; the probe gives the reason."""
    begin(settings, bundles(settings)[1], "live")
    (settings.models / bundles(settings)[1] / "lists_items.npy").unlink()
    with caplog.at_level(logging.ERROR):
        app = app_of(settings)
    try:
        content = Client(app).get(f"/v1/related?id={page(app, 0)}&variant=0").json()
        ready = Client(app).get("/health/ready").json()
    finally:
        app.stored.close()

    assert slate_of(app, content).arm == "best"
    assert "arm arm0" in ready["fault"]
    assert "lists_items.npy: missing" in ready["fault"]
    assert "views are outside it" in caplog.text


def test_what_is_explained_is_the_arms(app):
    """The figures behind a link are those of the bundle that chose it."""
    id = page(app, 0)

    answer = Client(app).get(f"/v1/related?id={id}&variant=0&explain=true", headers=BEARER)

    whys = [item["why"] for item in answer.json()["items"]]
    assert all(why and why["hand_picked"] for why in whys)
    assert answer.headers["cache-control"] == "no-store"


def test_other_settings_are_frozen_as_a_bundle_of_the_same_data(settings):
    """Built from what the bundle was built from; with its own settings it is the bundle again."""
    live = registry.current(settings.models)
    begin(settings, "live", "live+ceiling=100", "live+ceiling=10")
    running = experiments.running(settings.models)
    assert running is not None

    lists = [Bundle(settings.models / arm.bundle).lists for arm in running.arms]

    assert (lists[0].items == lists[2].items).all()
    assert (lists[0].scores == lists[2].scores).all()
    assert lists[1].about.concentration.share == 100
    assert registry.current(settings.models) == live
    assert [(arm.first, arm.last) for arm in running.arms] == [(0, 34), (35, 69), (70, 99)]


def test_a_frozen_hand_picked_bundle_is_a_bundle_like_others(settings):
    """It can be made live, and every check of a bundle holds for it."""
    begin(settings, "hand-picked", "live")
    running = experiments.running(settings.models)
    assert running is not None
    name = running.arms[0].bundle

    activation.activate(settings.models, name)

    bundle = Bundle(settings.models / name).opened()
    assert bundle.decided_by == "hand-picked"
    assert json.loads((bundle.folder / "manifest.json").read_text())["decided_by"] == "hand-picked"


def test_the_hand_picked_bundle_is_judged_by_its_lists(settings):
    """Its scores put what editors picked first, in their order, whatever a model would."""
    begin(settings, "hand-picked", "live")
    running = experiments.running(settings.models)
    assert running is not None
    mine, live = (Bundle(settings.models / arm.bundle) for arm in running.arms)
    for at in (0, 7, 35):
        id = mine.lists.id_of(at)
        others = [mine.lists.id_of(row) for row in range(N_ARTICLES) if row != at]
        by_score = [others[place] for place in (-mine.score(id, others)).argsort(kind="stable")]
        listed = [link.id for link in mine.related(id, 8)]
        if at == 35:  # no hand-picked list: as the live bundle has it
            assert mine.score(id, others).tolist() == live.score(id, others).tolist()
        else:
            assert by_score[: len(listed)] == listed
            rest = [other for other in others if other not in listed]
            assert (mine.score(id, rest).argsort() == live.score(id, rest).argsort()).all()
    with pytest.raises(CalibrationError, match="say nothing of chances"):
        mine.chance(id, others[:1])
