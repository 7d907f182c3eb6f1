"""Where a training's time and memory go: each stage of a whole build, each site in a process of its
own. The sample site and, where they stand beside us, sites of real pages.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.corpus import stored, table
from recommender.demo.prepare import sample_site

JOBS = 2
SITES = ("medquad", "wikispeedia", "msdocs")
# Prints stage, seconds, processor seconds and the most memory so far, a stage a line. The first
# stands for what is imported.
TRAIN = """
import json, re, resource, sys, time
began = time.perf_counter()
from datetime import UTC, datetime
from pathlib import Path
from recommender.progress import Silent
from recommender.store.database import Store
from recommender.training.pipeline import Options, build

class Noted(Silent):
    def __init__(self):
        self.name, self.wall, self.processor = "imports", began, 0.0
    def stage(self, name, total=None):
        wall, used = time.perf_counter(), processor()
        status = Path("/proc/self/status").read_text()
        most = int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) / 1024
        print(json.dumps([self.name, wall - self.wall, used - self.processor, most]), flush=True)
        self.name, self.wall, self.processor = name, wall, used

def processor():
    own, children = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime

noted = Noted()
with Store(sys.argv[1], create=False) as store:
    now = datetime(2026, 11, 29, tzinfo=UTC)
    options = Options(jobs=int(sys.argv[3]))
    build(store, Path(sys.argv[2]), now=now, options=options, progress=noted)
noted.stage("")
"""


def run() -> None:
    """Print a table for each site there is."""
    with TemporaryDirectory() as folder:
        shown("sample", sample_site(Path(folder) / "site").database)
    for name in SITES:
        with stored(name) as url:
            if url:
                shown(name, url)


def shown(name: str, url: str) -> None:
    """Print the stages of one site's training, those of one name together."""
    took: dict[str, tuple[float, float, float]] = {}
    for stage, seconds, processor, most in stages(url):
        before = took.get(stage, (0.0, 0.0, 0.0))
        took[stage] = before[0] + seconds, before[1] + processor, max(before[2], most)
    rows = [
        (stage, *(f"{value:.1f}" for value in of[:2]), f"{of[2]:.0f}") for stage, of in took.items()
    ]
    whole = (f"{sum(of[at] for of in took.values()):.1f}" for at in range(2))
    most = max(of[2] for of in took.values())
    print(f"{name}; load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    table(
        ("stage", "seconds", "of processors", "most MB so far"),
        [*rows, ("whole", *whole, f"{most:.0f}")],
    )


def stages(url: str) -> Iterator[tuple[str, float, float, float]]:
    """What each stage of a training took, in a process of its own: its name, seconds, processor
    seconds, and the most memory that process had up to its end, in MB.
    """
    with TemporaryDirectory() as models:
        done = subprocess.run(
            [sys.executable, "-c", TRAIN, url, models, str(JOBS)],
            stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
    for line in done.stdout.splitlines():
        name, seconds, processor, most = json.loads(line)
        yield name, seconds, processor, most
