"""The front door for analysts: connect, load, train, evaluate, compare, audit.

Like the command line, this is an edge of the library: it may read the clock, where a caller does
not give the time.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, overload

from recommender import arguments
from recommender.articles.article import Article
from recommender.articles.dates import dates_of, day_number
from recommender.bundle import experiments
from recommender.bundle.bundle import Bundle, bundle_of, load_bundle
from recommender.bundle.composition import MAX_K
from recommender.clicks.influence import limited
from recommender.config import WORDS
from recommender.errors import (
    ArgumentError,
    EditorialError,
    EvaluationError,
    ExperimentError,
    MissingExtra,
)
from recommender.evaluation import audit as auditing
from recommender.evaluation import compare as comparing
from recommender.evaluation.audit import Audit
from recommender.evaluation.compare import Comparison
from recommender.evaluation.evaluate import MODEL, Report, end_of_data, judge
from recommender.evaluation.given_lists import (
    Lists,
    is_file_of_lists,
    lists_of,
    picked,
    read_lists,
)
from recommender.evaluation.grade_files import judge_name
from recommender.evaluation.joint import JointReport, judge_jointly
from recommender.evaluation.judgements import (
    Judged,
    judged_in,
    lists_by_page,
    lists_of_bundle,
)
from recommender.evaluation.judging import N_PAGES, OVERLAP, Plan, begin
from recommender.evaluation.judging_panel import Panel
from recommender.evaluation.offpolicy import OffPolicy, estimate
from recommender.evaluation.outcomes import between
from recommender.evaluation.runs import run_of_lists
from recommender.events.event import HAND_PICKED, latest_at
from recommender.experiments.readout import ReadOut, read_out
from recommender.fields import FieldError
from recommender.frames.loading import (
    Paths,
    add_events,
    article_batch,
    checked_articles,
    checked_events,
)
from recommender.frames.site import Site
from recommender.lists import rules_file
from recommender.lists.editorial import Rules
from recommender.progress import Progress
from recommender.store import counts, impressions
from recommender.store.counts import Log, n_ahead
from recommender.store.database import Store
from recommender.store.impressions import Impressions
from recommender.store.rules import read as console_rules
from recommender.training.pipeline import Options, build

if TYPE_CHECKING:
    import pandas as pd

    # A side of a comparison.
    Candidate: TypeAlias = Bundle | Lists | pd.DataFrame | str | Path
    Events: TypeAlias = Site | Store | pd.DataFrame | Sequence[pd.DataFrame] | Paths


def _need_pandas(job: str) -> None:
    """``MissingExtra`` where pandas is not installed, before any work is done."""
    if find_spec("pandas") is None:
        raise MissingExtra(job, "analysis")


def connect(database: str | Path = "sqlite:///recommender.db") -> Site:
    """Open a site's store, any database URL or the path of a file of SQLite, to read from it alone:
    the right to read is enough. ``StoreError`` if it cannot be reached, or there is no store.
    """
    _need_pandas("data frames of a site")
    if isinstance(database, Path):
        database = f"sqlite:///{database}"
    arguments.text("database", database, what="a database URL, such as sqlite:///recommender.db")
    return Site(Store(database, writing=False))


def load(
    models: str | Path = "models",
    *,
    editorial_file: str | Path | None = None,
    site: Site | Store | None = None,
    now: datetime | None = None,
    time_zone: str = "UTC",
) -> Bundle:
    """The live bundle below ``models``, or the bundle ``models`` itself.

    With ``editorial_file``, the editors' pins and blocks in force now, or at ``now``, are applied
    to its lists, and so are those that were made in the console of a connected ``site``; where both
    speak of one place of a page, the file's holds. Days begin and end in ``time_zone``.
    ``EditorialError`` if there is no such file.
    """
    if editorial_file is None and site is None:
        return load_bundle(models)
    moment = datetime.now(UTC) if now is None else arguments.moment("now", now)
    zone, rules = arguments.zone("time_zone", time_zone), Rules()
    if editorial_file is not None:
        file = arguments.path("editorial_file", editorial_file)
        if not file.exists():
            raise EditorialError(f"{file}: there is no such file; name the editors' rules, or none")
        rules = rules_file.load(file, zone=zone)
    if site is not None:
        store = _store_of(site)
        if store is None:
            raise TypeError(
                f"site: {arguments.given(site)} is given; give a site, as recommender.connect "
                "returns it"
            )
        rules = rules.beside(console_rules(store))
    return load_bundle(models, rules=rules, now=moment)


def train(
    *,
    articles: pd.DataFrame | Paths,
    events: pd.DataFrame | Sequence[pd.DataFrame] | Paths | None = None,
    models: str | Path = "models",
    now: datetime | None = None,
    seed: int = 0,
    languages: str = "same",
    listings: str = "off",
    progress: Progress | None = None,
) -> Bundle:
    """Train a bundle from data frames or files, publish it below ``models`` and make it live.

    ``articles`` and ``events`` are paths of files and folders, or frames with the columns of the
    contract's records; ``events`` may be several frames, and a frame without ``type`` is known by
    its columns, so ``[site.impressions(), site.clicks()]`` is fine; rows that are ``flagged`` are
    left out. ``languages`` is ``same`` if links stay in the language of the page, else ``any``;
    ``listings`` is ``on`` if pages that are mere lists of others may be recommended.
    """
    for name, word in (("languages", languages), ("listings", listings)):
        arguments.one_of(name, word, WORDS[name])
    checked_articles(articles)
    if events is not None:
        checked_events(events)
    folder, seed = arguments.path("models", models), arguments.seed(seed)
    now = None if now is None else arguments.moment("now", now)
    # Read when scikit-learn is loaded: threads that spin while they wait make two shared cores
    # twenty times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with Store("sqlite://") as store:
        store.apply(article_batch(articles))
        if events is not None:
            add_events(store, events, now=datetime.now(UTC))
        moment = now or datetime.now(UTC)
        options = Options(seed=seed, languages=languages, listings=listings)
        return build(store, folder, now=moment, options=options, progress=progress)


@overload
def evaluate(
    bundle: Bundle,
    events: Events,
    k: int = 10,
    *,
    articles: Site | Store | pd.DataFrame | Paths | None = None,
    seed: int = 0,
) -> Report: ...


@overload
def evaluate(
    bundle: Sequence[Candidate],
    events: Events,
    k: int = 10,
    *,
    articles: Site | Store | pd.DataFrame | Paths | None = None,
    seed: int = 0,
) -> Report | JointReport: ...


def evaluate(
    bundle: Bundle | Sequence[Candidate],
    events: Events,
    k: int = 10,
    *,
    articles: Site | Store | pd.DataFrame | Paths | None = None,
    seed: int = 0,
) -> Report | JointReport:
    """Judge a bundle by views it has not seen, or several by the same views.

    ``events`` are files or frames of held-out events, all of which are judged; or a connected
    site, of which the views after the bundle's data window are. ``EvaluationError`` if there are
    none. A connected site has the ``articles`` too, from which hand-picked lists, dates and the
    names of categories are read; beside files of events they may be handed over. Where a connected
    site has grades of people, the report's ``judged`` is what they make of whole lists.

    Of a list of several bundles, or lists as ``compare`` takes them, comes a ``JointReport``: each
    with intervals, and what lies between it and the first, from views after the latest data window.
    """
    _need_pandas("evaluating")
    k, seed = arguments.whole("k", k), arguments.seed(seed)
    if articles is not None and _store_of(articles) is None:
        checked_articles(articles)
    if isinstance(bundle, list | tuple):
        if len(bundle) > 1:
            return _evaluate_jointly(bundle, events, k, articles=articles, seed=seed)
        if not bundle:
            raise ArgumentError("bundle: an empty list is given; give a bundle, or several")
        bundle = bundle[0]
    bundle = bundle_of("bundle", bundle)
    store, end = _store_of(events), end_of_data(bundle)
    log = _log(events, end, _addresses(bundle))
    ahead = _on_ahead(_n_ahead(store))
    if store is not None and len(log.slate) == 0:
        noted, last = "".join(f"; {each}" for each in ahead), bundle.about.data_window[1]
        raise EvaluationError(
            f"no view to judge bundle {bundle.name} by: the store holds none"
            + (f" after the bundle's data, which ends {last}" if last else "")
            + noted
        )
    known = _by_id(articles if store is None else store)
    report = judge(bundle, log, k=k, seed=seed, articles=known)
    report.notes.extend(_on_old_views(log, end))
    report.notes.extend(ahead)
    graded_in = store or _store_of(articles)
    return replace(
        report, judged=judged_in(graded_in, {MODEL: bundle}, articles=known, k=k, seed=seed)
    )


def judged(
    bundles: Candidate | Sequence[Candidate],
    site: Site | Store,
    k: int = 10,
    *,
    seed: int = 0,
) -> Judged:
    """How good the lists of one or several are by the grades that people gave links in a connected
    site, the first beside the others, hand-picked lists, and lists by text alone; views are not
    needed. ``bundles`` are bundles, or lists as ``compare`` takes them. ``EvaluationError`` if the
    store holds no grades.
    """
    _need_pandas("judging grades")
    store = _connected(site)
    sides, k = _sides("bundles", bundles, store), arguments.whole("k", k)
    found = judged_in(store, sides, k=k, seed=arguments.seed(seed))
    if found is None:
        raise EvaluationError(f"{store.name}: nobody has graded a link yet; recommender judge asks")
    return found


def judging(
    site: Site | Store,
    lists: Candidate | Sequence[Candidate],
    *,
    by: str,
    pages: int = N_PAGES,
    k: int | None = None,
    sample: str | None = None,
    seed: int | None = None,
    overlap: float = OVERLAP,
) -> Panel:
    """A panel in a notebook in which a judge, ``by``, grades links without knowing which of the
    ``lists`` they are from: bundles, or lists as ``compare`` takes them, ``"hand-picked"`` for one.

    ``pages`` are for all judges together, drawn by ``sample``, ``views`` (how often they are read)
    or ``pages`` (each alike), with a ``seed``; ``k`` links of each list; a share of ``overlap`` of
    the pages is asked of every judge. What is None is as when pages were first drawn. Grades are
    kept in the site's store, which takes the right to write. ``MissingExtra`` without ipywidgets,
    ``ArgumentError`` if pages were drawn otherwise.
    """
    try:
        by = judge_name(arguments.text("by", by, what="the judge's name"))
    except FieldError as exc:
        raise ArgumentError(f"by: {str(exc).partition(': ')[2]}; give the judge's name") from None
    if sample is not None:
        arguments.one_of("sample", sample, ("views", "pages"))
    plan = Plan(
        arguments.whole("pages", pages),
        sample,
        None if seed is None else arguments.seed(seed),
        None if k is None else arguments.whole("k", k, most=MAX_K),
        arguments.share("overlap", overlap),
    )
    store = _connected(site)
    sides = _sides("lists", lists, store)
    if not store.may_write:
        store = Store(store.url, create=False)
    sources = [
        lists_of_bundle(side, MAX_K, name=name)
        if isinstance(side, Bundle)
        else lists_by_page(name, side)
        for name, side in sides.items()
    ]
    work, remarks = begin(store, sources, plan, by=by, clock=lambda: datetime.now(UTC))
    return Panel(work, remarks=tuple(remarks))


def _connected(site: Any) -> Store:
    store = _store_of(site)
    if store is None:
        raise TypeError(
            f"site: {arguments.given(site)} is given; give a site, as recommender.connect returns "
            "it"
        )
    return store


def _sides(name: str, given: Any, store: Store | None) -> dict[str, Bundle | Lists]:
    """Bundles and lists by what they are called."""
    several = [*given] if isinstance(given, list | tuple) else [given]
    if not several:
        raise ArgumentError(f"{name}: an empty list is given; give a bundle, or several")
    sides: dict[str, Bundle | Lists] = {}
    for number, each in enumerate(several, start=1):
        side = _lists(name if len(several) == 1 else f"{name}[{number - 1}]", each, store)
        called = _name_of(each, side, f"lists {number}")
        sides[called if called not in sides else f"{called} ({number})"] = side
    return sides


def _addresses(bundle: Bundle) -> Iterator[tuple[str, str]]:
    """Ids and addresses of its articles."""
    lists = bundle.lists
    return ((lists.id_of(row), lists.addresses[row]) for row in range(len(lists.stub)))


def _evaluate_jointly(
    given: Sequence[Candidate],
    events: Events,
    k: int,
    *,
    articles: Site | Store | pd.DataFrame | Paths | None,
    seed: int,
) -> JointReport:
    store = _store_of(events)
    source = store if store is not None else _store_of(articles)
    sides = _sides("bundle", given, source)
    bundles = [side for side in sides.values() if isinstance(side, Bundle)]
    end = max(map(end_of_data, bundles), default=-1)
    log = _log(events, end, _addresses(bundles[-1]) if bundles else None)
    ahead = _on_ahead(_n_ahead(store))
    if store is not None and len(log.slate) == 0:
        noted = "".join(f"; {each}" for each in ahead)
        raise EvaluationError(
            f"no view to judge {', '.join(sides)} by: the store holds none after the data of all "
            f"of them{noted}"
        )
    known = _by_id(articles if store is None else store)
    report = judge_jointly(sides, log, k=k, seed=seed, articles=known)
    report.notes.extend([*_on_lists(*sides.values()), *_on_old_views(log, end), *ahead])
    return replace(report, judged=judged_in(source, sides, articles=known, k=k, seed=seed))


def _lists(name: str, value: Any, store: Store | None = None) -> Bundle | Lists:
    """What an argument names that is a bundle, its path, or lists as a mapping, a frame, a file or
    those that the editors of a ``store`` picked.
    """
    if isinstance(value, Mapping):
        return {
            arguments.article_id(name, id): arguments.texts(f"{name}[{id!r}]", ids)
            for id, ids in value.items()
        }
    if hasattr(value, "columns"):
        return lists_of(value)
    if _is_picked(value):
        if store is None:
            raise ArgumentError(f"{name}: {HAND_PICKED} lists are those of a site's store: give it")
        return picked(store.articles(with_body=False))
    if isinstance(value, str | Path) and is_file_of_lists(Path(value)):
        return read_lists(Path(value))
    if isinstance(value, str | Path) and not Path(value).exists():
        raise ArgumentError(
            f"{name}: {arguments.given(str(value))}: there is no such folder or file; give a "
            f"bundle, its path, a file of lists, or {HAND_PICKED!r} for the editors' lists"
        )
    if isinstance(value, Bundle | str | Path):
        return bundle_of(name, value)
    raise TypeError(
        f"{name}: {arguments.given(value)} is given; give a bundle, its path, a mapping from a "
        "page's id to ids, a frame with columns source_id, position, id, or a file of one"
    )


def _is_picked(value: Any) -> bool:
    return isinstance(value, str) and value == HAND_PICKED


def _name_of(value: Any, lists: Bundle | Lists, otherwise: str) -> str:
    """What a side is called: hand-picked, as its file, as its bundle."""
    if isinstance(lists, Bundle):
        return lists.name
    if isinstance(value, str | Path):
        return HAND_PICKED if _is_picked(value) else Path(value).name
    return otherwise


def _store_of(events: Any) -> Store | None:
    """A connected site's, None for files and frames."""
    store = events.store if isinstance(events, Site) else events
    return store if isinstance(store, Store) else None


def _log(events: Any, end: int, addresses: Iterable[tuple[str, str]] | None = None) -> Impressions:
    """The views of a connected site later than ``end`` (exclusive, milliseconds since 1970); of
    files and frames, all.
    """
    if (site := _store_of(events)) is not None:
        return impressions.read(site, after=end, latest=latest_at(datetime.now(UTC)))
    checked_events(events, of_site="it")
    with Store("sqlite://") as store:
        add_events(store, events, addresses, now=datetime.now(UTC))
        return impressions.read(store)


def _n_ahead(store: Store | None) -> int:
    """How many views of a connected site are of the future, and left out."""
    return 0 if store is None else n_ahead(store, latest_at(datetime.now(UTC)))


def _on_ahead(n: int) -> list[str]:
    """What is to be noted of them."""
    return [f"{n:,} views dated more than a day ahead are left out."] if n else []


def _on_old_views(log: Impressions, end: int) -> list[str]:
    """What is to be noted if views of ``log`` are no later than ``end``, that of the data."""
    n_old = int((log.ts <= end).sum())
    if n_old == 0:
        return []
    return [
        f"{n_old:,} of these views are not later than the bundle's data: if it learned from them, "
        "the figures flatter it."
    ]


def _by_id(articles: Site | Store | pd.DataFrame | Paths | None) -> dict[str, Article] | None:
    """Articles by id, of files and frames too; None if there are none to read."""
    if articles is None:
        return None
    if (store := _store_of(articles)) is not None:
        return {article.id: article for article in store.articles(with_body=False)}
    with Store("sqlite://") as store:
        store.apply(article_batch(articles))
        return _by_id(store)


def off_policy(
    candidate: Candidate,
    events: Site | Store | pd.DataFrame | Sequence[pd.DataFrame] | Paths,
    k: int = 10,
    *,
    model: Bundle | None = None,
) -> OffPolicy:
    """What a candidate's lists would have won had they been shown, estimated from the log.

    ``candidate`` is a bundle, a mapping from a page's id to the ids of its list, or a frame with
    columns ``source_id``, ``position``, ``id``, a file of such a table, or ``"hand-picked"``, the
    editors' lists of a connected site. ``events`` as in ``evaluate``: of a connected
    site, the views after the data window of the bundle. ``model`` is the bundle whose chances and
    positions the estimators with a model take, by default the candidate. ``EvaluationError`` if
    there is no view to judge by.
    """
    _need_pandas("off-policy estimates")
    store, k = _store_of(events), arguments.whole("k", k)
    lists = _lists("candidate", candidate, store)
    model = None if model is None else bundle_of("model", model)
    known = [bundle for bundle in (lists, model) if isinstance(bundle, Bundle)]
    end = max(map(end_of_data, known), default=-1)
    log = _log(events, end)
    found = estimate(log, lists, k=k, model=model)
    found.notes.extend(_on_old_views(log, end))
    found.notes.extend(_on_ahead(_n_ahead(store)))
    return found


def compare(
    a: Candidate,
    b: Candidate,
    site: Site | Store | None = None,
    k: int = comparing.K,
    *,
    events: Site | Store | pd.DataFrame | Sequence[pd.DataFrame] | Paths | None = None,
    models: str | Path | None = None,
    seed: int = 0,
) -> Comparison:
    """What changed from ``a`` to ``b`` in the first ``k`` links of each page, where most, and which
    is better.

    Each is a bundle, a mapping from a page's id to the ids of its list, a frame with columns
    ``source_id``, ``position``, ``id``, a file of such a table (CSV, JSON Lines, Parquet), or
    ``"hand-picked"``, the editors' lists of the ``site``. A connected site also has the names of
    categories, the titles of what no bundle knows, and the log: by views that neither bundle
    learned from both are judged, or by those of ``events``, files or frames. Experiments are looked
    for in ``models``, by default the folder a bundle is in.
    """
    _need_pandas("comparing lists")
    store, k, seed = _store_of(site), arguments.whole("k", k), arguments.seed(seed)
    if site is not None and store is None:
        raise TypeError(
            f"site: {arguments.given(site)} is given; give a site, as recommender.connect returns "
            "it"
        )
    old, new = _lists("a", a, store), _lists("b", b, store)
    articles = None
    if store is not None:
        articles = Site(store).articles(columns=["id", "title", "category"])
    names = comparing.names_of(old, new)
    called = _name_of(a, old, names[0]), _name_of(b, new, names[1])
    names = called if called[0] != called[1] else names
    found = comparing.compare(old, new, k, articles=articles, names=names)
    found = _with_experiments(found, (a, b), (old, new), models)
    log = events if events is not None else store
    if log is None:
        return _unjudged(found, "no log was handed over")
    end = max(end_of_data(each) if isinstance(each, Bundle) else -1 for each in (old, new))
    views = _log(log, end)
    views = views.only(views.ts > end)
    ahead = _on_ahead(_n_ahead(_store_of(log)))
    if len(views.slate) == 0:
        ends = [each.about.data_window[1] for each in (old, new) if isinstance(each, Bundle)]
        last = max(filter(None, ends), default=None)
        return _unjudged(
            found,
            f"there is no view after the data that a bundle here learned from, which ends {last}"
            if last
            else "the log has no view",
            *ahead,
        )
    known = None if store is None else _by_id(store)
    found = comparing.judged(found, old, new, views, seed=seed, articles=known)
    if found.offline is not None:
        found.offline.notes.extend([*_on_lists(old, new), *ahead])
    return found


def _unjudged(found: Comparison, reason: str, *more: str) -> Comparison:
    """A comparison without figures on which is better."""
    why = f"{comparing.UNJUDGED}{reason}."
    return replace(found, missing=(*found.missing, why, *more))


def _with_experiments(
    found: Comparison,
    given: tuple[Candidate, Candidate],
    sides: tuple[Bundle | Lists, Bundle | Lists],
    models: str | Path | None,
) -> Comparison:
    """The comparison with what came of experiments between the two."""
    folders = {Path(models)} if models is not None else set()
    if not folders:
        folders = {each.folder.resolve().parent for each in sides if isinstance(each, Bundle)}
    names = [
        [each.name] if isinstance(each, Bundle) else [HAND_PICKED] if _is_picked(side) else []
        for each, side in zip(sides, given, strict=True)
    ]
    for folder in sorted(folders):
        outcomes, faults = between(folder, *names)
        found = replace(
            found,
            experiments=(*found.experiments, *outcomes),
            missing=(*found.missing, *faults),
        )
    return found


def _on_lists(*sides: Bundle | Lists) -> list[str]:
    """What is to be noted of lists: nobody knows from what they were made."""
    if all(isinstance(side, Bundle) for side in sides):
        return []
    return ["If the lists given were made from these views, the figures flatter them."]


def audit(
    bundle: Bundle,
    site: Site | Store | pd.DataFrame | Paths,
    *,
    oldest_days: int | None = None,
    now: datetime | None = None,
    seed: int = 0,
) -> Audit:
    """Grade every hand-picked link of a site, with reasons, and name what the bundle would show
    instead.

    Of a connected ``site`` the log is asked too whether links are followed; of articles in a frame
    or in files, texts alone. What was published more than ``oldest_days`` before ``now`` is
    outdated (0: nothing is), by default as long as the bundle was built with. ``EvaluationError``
    if no page has a hand-picked list.
    """
    _need_pandas("auditing lists")
    bundle, seed = bundle_of("bundle", bundle), arguments.seed(seed)
    moment = datetime.now(UTC) if now is None else arguments.moment("now", now)
    if oldest_days is not None:
        oldest_days = arguments.whole("oldest_days", oldest_days, least=0)
    if (store := _store_of(site)) is not None:
        return _audited(bundle, store, moment, oldest_days, seed)
    checked_articles(site, "site", of_site="it")
    with Store("sqlite://") as scratch:
        scratch.apply(article_batch(site))
        return _audited(bundle, scratch, moment, oldest_days, seed)


def _audited(
    bundle: Bundle, store: Store, now: datetime, oldest_days: int | None, seed: int
) -> Audit:
    articles = store.articles(with_body=False)

    def texts(ids: Sequence[str]) -> dict[str, str]:
        return {article.id: article.text for article in store.articles(ids=ids)}

    return auditing.audit(
        bundle,
        articles,
        date=now.astimezone(UTC).date().isoformat(),
        today=day_number(now),
        published=dates_of(articles, now).day,
        texts=texts,
        oldest_days=oldest_days,
        log=_counted(store, [article.id for article in articles], now),
        seed=seed,
    )


def _counted(store: Store, ids: Sequence[str], now: datetime) -> Log | None:
    """The store's log up to ``now``, less what does not count; None if nothing was seen."""
    log = counts.count(store, ids, until=latest_at(now) + 1).shown_to_all()
    return limited(log, len(ids)).weigh(log) if len(log.n_views) else None


def experiment(
    models: str | Path = "models",
    site: Site | Store | None = None,
    name: str | None = None,
    *,
    alpha: float = 0.05,
) -> ReadOut:
    """What came of an experiment whose arms are below ``models``, by the log of a connected
    ``site``: by default of the one that runs, else of the last. Intervals are at level 1 -
    ``alpha``. ``ExperimentError`` if there was none.
    """
    folder, store = arguments.path("models", models), _store_of(site)
    if store is None:
        raise TypeError(
            f"site: {arguments.given(site)} is given; give a site, as recommender.connect returns "
            "it, whose log is read"
        )
    alpha = arguments.share("alpha", alpha, ends=False)
    if name is None:
        name = experiments.running_name(folder) or next(reversed(experiments.names(folder)), None)
    if name is None:
        raise ExperimentError(f"{folder}: no experiment was started yet")
    about = experiments.read(folder, arguments.text("name", name))
    return read_out(store, about, now=datetime.now(UTC), models=folder, alpha=alpha)


def run_of(
    lists: Candidate,
    k: int = 10,
    *,
    pages: Iterable[str] | None = None,
    name: str | None = None,
    site: Site | Store | None = None,
) -> pd.DataFrame:
    """The first ``k`` links of every page, or of those ``pages``, as a run whose queries are pages,
    for ranx, ir_measures and trec_eval: columns ``query_id``, ``doc_id``, ``score`` (falling by 1),
    ``rank`` and ``run``, its ``name``. ``lists`` are those of a side of ``compare``.

    A report's ``run`` and ``qrels`` have the views it judged. ``ArgumentError`` names a page
    without a list of its own.
    """
    _need_pandas("runs")
    side, k = _lists("lists", lists, _store_of(site)), arguments.whole("k", k)
    wanted = None if pages is None else arguments.texts("pages", pages)
    called = name or _name_of(lists, side, "lists")
    return run_of_lists(side, k, pages=wanted, name=called)
