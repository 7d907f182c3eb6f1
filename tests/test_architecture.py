"""The library has a reading order, and what serves loads nothing that only training needs."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# A module imports only what stands before it. Read it from the top.
ORDER = (
    # words
    "errors", "config", "progress", "articles.article", "articles.urls", "articles.addresses",
    "events.crawlers",
    # reading
    "articles.text_page", "articles.html_page", "files", "articles.title_matching",
    "articles.reader",
    # events
    "events.event", "events.slate_token", "events.ingest", "events.formats.base",
    "events.formats.ga4", "events.formats.snowplow", "events.formats.access_log",
    "events.formats.detect", "store.schema", "store.keys", "store.event_tables",
    "store.event_writer", "store.articles", "store.database", "store.marks", "events.reader",
    "store.import_events", "store.identity", "store.group_commit", "store.click_filters",
    "store.queries", "store.counts", "store.retention",
    # text
    "text.terms", "text.tfidf", "text.kernels", "text.neighbours",
    # clicks
    "clicks.intervention_harvesting", "clicks.guessing", "clicks.position_bias",
    "clicks.choice_model", "clicks.cooccurrence", "clicks.listing",
    # ranking
    "candidates", "text.corpus", "text.signals", "ranking.gathering",
    "ranking.handpicked_features", "ranking.handpicked", "ranking.features",
    "ranking.time_splits", "ranking.shrinkage", "ranking.boosting", "ranking.kinds",
    "ranking.ranker", "ranking.reliability", "ranking.calibration",
    # re-ranking
    "lists.rerank", "lists.exploration", "lists.editorial",
    # publishing
    "bundle.strings", "bundle.arrays", "bundle.registry", "bundle.texts", "bundle.composition",
    "bundle.published", "bundle.likeness", "bundle.overlay", "bundle.bundle", "bundle.card",
    "bundle.writer", "training.pipeline", "bundle.export",
    # judging
    "store.impressions", "evaluation.offpolicy_estimators", "evaluation.wanted",
    "evaluation.offpolicy", "evaluation.metrics", "evaluation.bootstrap", "evaluation.bm25",
    "store.replay", "evaluation.baselines", "evaluation.list_quality", "evaluation.slices",
    "evaluation.examples", "evaluation.report.drawing", "evaluation.report.html",
    "evaluation.report.sections", "evaluation.report.report", "evaluation.evaluate",
    "training.log_checks", "evaluation.promotion",
    # front doors
    "frames.selection", "frames.columnar", "frames.tables", "frames.daily_counts", "frames.site",
    "frames.curves", "functions", "__init__", "demo.sample", "demo.readers", "demo.prepare",
    "demo.story", "demo.loop", "cli.output", "cli.analysts", "cli.operators", "cli.parsers",
    "cli.main",
)  # fmt: skip
# What the command line alone may reach, and only inside a function.
EDGES = {"cli.operators"}
# What the web process may load of the library: no training, no judging.
SERVING = {
    "__init__", "errors", "config", "progress", "articles.article", "articles.urls",
    "articles.text_page", "articles.html_page", "files", "articles.title_matching",
    "articles.reader", "events.event", "events.slate_token", "events.ingest", "events.crawlers",
    "store.schema", "store.keys", "store.event_tables", "store.event_writer", "store.articles",
    "store.database", "store.identity", "store.group_commit", "store.click_filters", "text.terms",
    "text.tfidf", "candidates", "lists.exploration", "lists.editorial", "bundle.strings",
    "bundle.arrays", "bundle.registry", "bundle.texts", "bundle.composition", "bundle.published",
    "bundle.likeness", "bundle.overlay",
}  # fmt: skip
HEAVY = {
    "sklearn", "scipy", "joblib", "numba", "pandas", "matplotlib", "pyarrow",
}  # fmt: skip
WEB = {"fastapi", "starlette", "uvicorn", "pydantic", "httpx", "flask"}
MAX_LINES = 300


def name_of(path: Path) -> str:
    """``recommender/store/counts.py`` is ``store.counts``."""
    parts = path.relative_to(ROOT / "recommender").with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


MODULES = {
    name_of(path): path
    for path in (ROOT / "recommender").rglob("*.py")
    if path.name != "__init__.py" or path.parent.name == "recommender"
}


def imports(path: Path) -> list[tuple[str, bool]]:
    """Full names of all modules a file imports, and whether that is inside a function."""
    found: list[tuple[str, bool]] = []

    def walk(node: ast.AST, *, inside: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend((alias.name, inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found.append((str(node.module), inside))
            found.extend((f"{node.module}.{alias.name}", inside) for alias in node.names)
        for child in ast.iter_child_nodes(node):
            walk(child, inside=inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))

    walk(ast.parse(path.read_text(encoding="utf-8")), inside=False)
    return found


def of_library(path: Path) -> set[str]:
    """The library's modules a file imports, at any depth of it."""
    found = set()
    for name, _ in imports(path):
        rest = name.removeprefix("recommender.")
        if name != rest and rest in MODULES:
            found.add(rest)
        elif name != rest and not any(
            known.startswith(rest.partition(".")[0]) for known in MODULES
        ):
            found.add("__init__")  # a name of the package itself
    return found


def loaded_by(statement: str) -> set[str]:
    """What a new Python holds after ``statement``, at the top level and of the library."""
    script = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.split())


def test_every_module_has_its_place():
    """The order above is the library, no more and no less."""
    assert set(MODULES) == set(ORDER)
    assert len(ORDER) == len(set(ORDER))


@pytest.mark.parametrize("name", ORDER)
def test_a_module_imports_only_what_stands_before_it(name: str):
    """Wherever in the file the import stands. The package's own file loads names when asked."""
    before = set(ORDER[: ORDER.index(name)])

    assert of_library(MODULES[name]) <= before


@pytest.mark.parametrize("name", ORDER)
def test_the_library_knows_no_web(name: str):
    """Only the commands that serve reach for ``recommender_api``, and only when they run."""
    for module, inside in imports(MODULES[name]):
        top = module.partition(".")[0]
        assert top not in WEB
        if top == "recommender_api":
            assert name in EDGES
            assert inside


def test_importing_the_whole_library_loads_no_web_framework():
    """Not even through its dependencies."""
    names = [name for name in ORDER if name != "__init__"]
    statement = "\n".join(f"import recommender.{name}" for name in names)

    assert not {name.partition(".")[0] for name in loaded_by(statement)} & WEB


def test_importing_the_package_loads_next_to_nothing():
    """``import recommender`` is light: what is heavy comes with the first use."""
    loaded = {name.partition(".")[0] for name in loaded_by("import recommender")}

    assert not loaded & (HEAVY | WEB | {"numpy", "rich"})


# The demo's website shows the sample's pages, so it reads the store; it serves no site.
SERVED = [path for path in sorted((ROOT / "api").glob("*.py")) if path.stem != "demo"]


@pytest.mark.parametrize("path", SERVED, ids=lambda path: path.stem)
def test_the_api_uses_only_what_serves(path: Path):
    """It translates HTTP to look-ups; training and judging are not its business."""
    assert of_library(path) <= SERVING
    assert not {name.partition(".")[0] for name, _ in imports(path)} & HEAVY


def test_the_web_process_never_loads_what_trains():
    """No scikit-learn, scipy or joblib; nor compiles, nor data frames."""
    loaded = loaded_by("import recommender_api.app, recommender_api.serve")

    assert not {name.partition(".")[0] for name in loaded} & HEAVY
    inside = {name.removeprefix("recommender.") for name in loaded if "recommender." in name}
    inside &= set(MODULES)
    assert inside <= SERVING


def test_models_hold_no_code():
    """A bundle is data."""
    assert not list((ROOT / "models").rglob("*.py"))


@pytest.mark.parametrize("folder", ["recommender", "api"])
def test_a_module_is_one_idea(folder: str):
    """When one grows past 300 lines, it is two."""
    lines = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in (ROOT / folder).rglob("*.py")
    }

    assert {name: size for name, size in lines.items() if size > MAX_LINES} == {}


def test_no_file_knows_the_machine_it_was_written_on():
    """Paths of a home, of a scratch folder or of a checkout have no business in the project."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    machine = re.compile(r"/(?:home|Users|root)/\w|/tmp/[\w.]|/work/\w")
    found = []
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if not path.is_file() or path == Path(__file__):
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [f"{name}: {match[0]}" for match in machine.finditer(text)]

    assert found == []
