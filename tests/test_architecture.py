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
    "errors", "config", "progress", "articles", "urls", "finding", "crawlers",
    # reading
    "pages", "html_pages", "records", "linking", "importing",
    # events
    "events", "tokens", "incoming", "vendors", "analytics", "snowplow", "access_log",
    "event_formats", "migrations", "numbering", "event_tables", "recording", "article_tables",
    "store", "marks", "event_reader", "importing_events", "identity", "journal", "flags", "daily",
    "counts", "forgetting",
    # text
    "terms", "tfidf", "kernels", "similarity",
    # clicks
    "harvesting", "guessing", "positions", "appeal", "coreading", "listing",
    # ranking
    "candidates", "site", "signals", "gathering", "picks", "editors", "features",
    "blocks", "belief", "trees", "kinds", "ranker", "reliability", "calibration",
    # re-ranking
    "rerank", "exploration", "editorial",
    # publishing
    "strings", "arrays", "manifest", "texts", "shelf", "lists", "likeness", "patched", "bundle",
    "card", "writing", "pipeline", "export",
    # judging
    "logged", "estimators", "wanted", "offpolicy",
    "metrics", "bootstrap", "bm25", "replay", "baselines", "catalogue", "slices", "examples",
    "drawing", "page", "sections", "report", "evaluation", "validation", "promotion",
    # front doors
    "selecting", "columnar", "tables", "tallies", "frames", "curves", "analysis", "__init__",
    "sample", "sample.readers", "demo", "story", "loop", "saying", "commands", "operating",
    "parsers", "cli",
)  # fmt: skip
# What the command line alone may reach, and only inside a function.
EDGES = {"operating"}
# What the web process may load of the library: no training, no judging.
SERVING = {
    "__init__", "errors", "config", "progress", "articles", "urls", "pages", "html_pages",
    "records", "linking", "importing", "events", "tokens", "incoming", "crawlers", "migrations",
    "numbering", "event_tables", "recording", "article_tables", "store", "identity", "journal",
    "flags", "terms", "tfidf", "candidates", "exploration", "editorial", "strings", "arrays",
    "manifest", "texts", "shelf", "lists", "likeness", "patched",
}  # fmt: skip
HEAVY = {
    "sklearn", "scipy", "joblib", "numba", "pandas", "matplotlib", "pyarrow",
}  # fmt: skip
WEB = {"fastapi", "starlette", "uvicorn", "pydantic", "httpx", "flask"}
MAX_LINES = 300


def name_of(path: Path) -> str:
    """``recommender/sample/__init__.py`` is ``sample``."""
    parts = path.relative_to(ROOT / "recommender").with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in (ROOT / "recommender").rglob("*.py")}


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
        elif name != rest and rest.partition(".")[0] not in MODULES:
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
    """Only the commands that serve reach for ``api``, and only when they run."""
    for module, inside in imports(MODULES[name]):
        top = module.partition(".")[0]
        assert top not in WEB
        if top == "api":
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
    loaded = loaded_by("import api.app, api.serve")

    assert not {name.partition(".")[0] for name in loaded} & HEAVY
    inside = {name.removeprefix("recommender.") for name in loaded if "recommender." in name}
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
