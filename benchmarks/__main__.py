"""Run the benchmarks of a quarter of an hour, every one under ``FULL=1``, or those named:
``python -m benchmarks [NAME...]``, names as below.
"""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from benchmarks import (
    arithmetic,
    attacks,
    audit,
    counting,
    dates,
    disk,
    events,
    experiments,
    exploration,
    finding,
    frames,
    fuzz,
    growth,
    incremental,
    judging,
    kills,
    learning,
    limits,
    memory,
    neighbours,
    notebooks,
    offpolicy,
    positions,
    proxied,
    quality,
    replicas,
    serving,
    soak,
    speed,
    stages,
    subjects,
    teaching,
    texts,
    vectorising,
    weekend,
    weights,
    worker,
    worlds,
)

BENCHMARKS = {
    "speed": speed.run,
    "stages": stages.run,
    "incremental": incremental.run,
    "growth": growth.run,
    "neighbours": neighbours.run,
    "vectorising": vectorising.run,
    "serving": serving.run,
    "events": events.run,
    "imports": events.imports,
    "disk": disk.run,
    "quality": quality.run,
    "dates": dates.run,
    "subjects": subjects.run,
    "positions": positions.run,
    "weekend": weekend.run,
    "weights": weights.run,
    "attacks": attacks.run,
    "teaching": teaching.run,
    "worlds": worlds.run,
    "learning": learning.run,
    "limits": limits.run,
    "texts": texts.run,
    "offpolicy": offpolicy.run,
    "audit": audit.run,
    "exploration": exploration.run,
    "experiments": experiments.run,
    "finding": finding.run,
    "counting": counting.run,
    "frames": frames.run,
    "judging": judging.run,
    "notebooks": notebooks.run,
    "kills": kills.run,
    "fuzz": fuzz.run,
    "soak": soak.run,
    "proxied": proxied.run,
    "replicas": replicas.run,
    "memory": memory.run,
    "worker": worker.run,
    "arithmetic": arithmetic.run,
}

# Ours beside peers and floors, of all that has a speed, and how good the lists are meanwhile.
QUICK = (
    "vectorising", "neighbours", "weekend", "disk", "serving", "events", "imports", "counting",
    "frames", "judging", "growth", "quality",
)  # fmt: skip
PACKAGES = (
    "numpy", "scipy", "scikit-learn", "numba", "pandas", "pyarrow", "fastapi", "uvicorn",
    "sp-matmul-rs", "sparse-dot-topn",
)  # fmt: skip


def machine() -> str:
    """What the figures below were made on."""
    found = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"no {package}")
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    return f"{', '.join(found)}; {os.cpu_count()} cores, {platform.machine()}, load {load}"


def run(names: list[str]) -> None:
    """Run these; ``SystemExit`` for a name that there is not."""
    for name in names:
        if name not in BENCHMARKS:
            sys.exit(f"no benchmark {name!r}; there are {', '.join(BENCHMARKS)}")
    print(machine())
    for name in names:
        print(f"\n## {name}\n", flush=True)
        BENCHMARKS[name]()


run(sys.argv[1:] or list(BENCHMARKS if os.environ.get("FULL") == "1" else QUICK))
