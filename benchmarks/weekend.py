"""What an engineer builds in a weekend, beside ours, on the same articles: scikit-learn's TF-IDF,
the ten nearest by sparse_dot_topn, one joblib file, and FastAPI with uvicorn.

``python -m benchmarks weekend`` takes 5,000 synthetic articles and, where it stands beside us,
medquad. Each part is a process of its own; builds and rounds of requests alternate. Both servers
have the first core, the load the last.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import numpy as np

from benchmarks.corpus import REAL, synthetic, table
from benchmarks.servers import PROGRAM, Server, Site, free_port
from benchmarks.sockets import BROWSER, Load, Peer, Rate, measured, wait_for

N_ARTICLES, N_BUILDS = 5_000, int(os.environ.get("BUILDS", "3"))

# What the system says of an ended process (``ru_maxrss``) counts what started it as well.
PEAK = """
import atexit, pathlib, re
def peak(status=pathlib.Path("/proc/self/status"), note=pathlib.Path("peak").absolute()):
    note.write_text(re.search("VmHWM: *\\t*(.*) kB", status.read_text())[1])
atexit.register(peak)
"""

# Titles count twice, as one would have it; terms of one text alone are of no use.
BUILD = """
import gzip, json, sys
import joblib, numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sparse_dot_topn import sp_matmul_topn

opened = gzip.open if sys.argv[1].endswith("gz") else open
with opened(sys.argv[1], "rt", encoding="utf-8") as lines:
    pages = [json.loads(line) for line in lines]
texts = [f"{page['title']} {page['title']} {page.get('body') or ''}" for page in pages]
vectorizer = TfidfVectorizer(sublinear_tf=True, stop_words="english", min_df=2, max_df=0.5)
matrix = vectorizer.fit_transform(texts).astype(np.float32)
near = sp_matmul_topn(matrix, matrix.T.tocsr(), top_n=11, n_threads=2, sort=True)
links = [
    [int(other) for other in near.indices[near.indptr[at]:near.indptr[at + 1]] if other != at][:10]
    for at in range(len(pages))
]
kept = {
    "ids": [page["id"] for page in pages], "titles": [page["title"] for page in pages],
    "urls": [page.get("url") or "" for page in pages],
    "teasers": [(page.get("body") or "")[:150] for page in pages],
    "links": links, "vectorizer": vectorizer, "matrix": matrix,
}
joblib.dump(kept, sys.argv[2])
"""

SERVE = """
import sys
import joblib, uvicorn
from fastapi import FastAPI, HTTPException

kept = joblib.load(sys.argv[1])
rows = {id: row for row, id in enumerate(kept["ids"])}
app = FastAPI()

@app.get("/v1/related")
async def related(id: str, limit: int = 10) -> dict:
    if id not in rows:
        raise HTTPException(404)
    return {"article_id": id, "items": [
        {"id": kept["ids"][at], "title": kept["titles"][at], "url": kept["urls"][at],
         "teaser": kept["teasers"][at]}
        for at in kept["links"][rows[id]][:limit]
    ]}

uvicorn.run(app, port=int(sys.argv[2]), access_log=False, log_level="warning")
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took: seconds of processors, and the most memory in MB."""

    processor: float
    megabytes: float


def run() -> None:
    """Print a table for each site there is."""
    if find_spec("sparse_dot_topn") is None:
        print("The weekend's build needs the extra `peers`.")
        return
    with TemporaryDirectory(prefix="weekend-") as folder:
        source = Path(folder) / "articles.jsonl"
        titles, bodies = synthetic(N_ARTICLES)
        with source.open("w", encoding="utf-8") as file:
            for number, (title, body) in enumerate(zip(titles, bodies, strict=True)):
                url = f"https://example.org/{number}"
                page = {"id": f"article/{number}", "title": title, "body": body, "url": url}
                file.write(json.dumps(page) + "\n")
        _beside(f"{N_ARTICLES:,} synthetic articles", source)
    real = REAL / "medquad" / "articles.jsonl.gz"
    if real.exists():
        _beside("medquad's pages", real)
    else:
        print(f"No medquad at {REAL}: set BENCH_DATA to build it.")


def _beside(name: str, source: Path) -> None:
    """Print one site's table."""
    print(f"{name}, medians of {N_BUILDS} builds of each in turn\n")
    imports, trainings, builds = [], [], []
    with TemporaryDirectory(prefix="weekend-") as place, ExitStack() as stack:
        folder = Path(place)
        kept = folder / "weekend.joblib"
        site = Site(folder, f"sqlite:///{folder}/site.db", {"WORK": "off"})
        for _ in range(N_BUILDS):
            for old in (*folder.glob("site.db*"), kept):
                old.unlink(missing_ok=True)
            shutil.rmtree(folder / "models", ignore_errors=True)
            imports.append(_run(site, PROGRAM, "import", "articles", source))
            trainings.append(_run(site, PROGRAM, "train"))
            builds.append(_run(site, BUILD, source, kept))
        disk = _megabytes_of(folder / "models"), kept.stat().st_size / 1e6
        ids = [quote(id, safe="") for id in _ids(source)]
        rates, memory = _served(stack, site, kept, ids)
    whole = [
        Cost(a.processor + b.processor, max(a.megabytes, b.megabytes))
        for a, b in zip(imports, trainings, strict=True)
    ]
    rows = [
        _row("import and build, processor seconds", whole, builds, lambda of: of.processor),
        _row("... the build alone", trainings, builds, lambda of: of.processor),
        _row("build, peak MB", whole, builds, lambda of: of.megabytes),
        ("on disk, MB", f"{disk[0]:.1f}", f"{disk[1]:.1f}", f"{disk[0] / disk[1]:.2f}"),
        _row("lists a second of the server's processor", *rates, lambda of: of.a_processor_second),
        _row("... p99, ms", *rates, lambda of: of.p99),
        ("server's MB", *(f"{each:.0f}" for each in memory), f"{memory[0] / memory[1]:.2f}"),
    ]
    table(("", "recommender", "the weekend's", "ratio"), rows)


def _row(
    name: str, ours: Sequence[Any], theirs: Sequence[Any], field: Callable[[Any], float]
) -> tuple[str, ...]:
    """Medians, and that of the ratios of runs that followed one another."""
    mine, other = ([field(each) for each in part] for part in (ours, theirs))
    ratio = statistics.median(a / b for a, b in zip(mine, other, strict=True))
    return name, *(f"{statistics.median(part):,.1f}" for part in (mine, other)), f"{ratio:.2f}"


def _run(site: Site, program: str, *arguments: object) -> Cost:
    """One program to its end; ``SystemExit`` with what it printed if it fails."""
    log = site.folder / "output.txt"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", PEAK + program, *map(str, arguments)],
            cwd=site.folder, env=site.environment, stdout=output, stderr=output,
        )  # fmt: skip
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(log.read_text()[-2_000:])
    return Cost(used.ru_utime + used.ru_stime, int((site.folder / "peak").read_text()) / 1024)


def _served(
    stack: ExitStack, site: Site, kept: Path, ids: Sequence[str]
) -> tuple[tuple[list[Rate], list[Rate]], tuple[float, float]]:
    """Rounds of requests and the memory after them, of ours and of the weekend's."""
    server = Server(site)
    stack.callback(server.stop)
    server.ready()
    ours = Peer("recommender", server.port, server.process.pid)
    peers = [ours, stack.enter_context(_weekend(site.folder, kept))]
    for peer in peers:
        os.sched_setaffinity(peer.pid, {min(os.sched_getaffinity(0))})
    drawn = np.random.default_rng(0).choice(len(ids), min(1_000, len(ids)), replace=False)
    load = Load("lists", [f"/v1/related?id={ids[at]}" for at in drawn.tolist()], BROWSER)
    found = measured(site.folder, load, peers)
    return (
        (found[peers[0].name], found[peers[1].name]),
        (peers[0].megabytes(), peers[1].megabytes()),
    )


@contextmanager
def _weekend(folder: Path, kept: Path) -> Iterator[Peer]:
    port = free_port()
    command = [sys.executable, "-c", SERVE, str(kept), str(port)]
    process = subprocess.Popen(command, cwd=folder)
    try:
        wait_for(port)
        yield Peer("the weekend's", port, process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _ids(source: Path) -> list[str]:
    with (gzip.open if source.suffix == ".gz" else open)(source, "rt", encoding="utf-8") as lines:
        return [json.loads(line)["id"] for line in lines]


def _megabytes_of(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
