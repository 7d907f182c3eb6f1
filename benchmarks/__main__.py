"""Run every benchmark, or those named: ``python -m benchmarks [NAME...]``, names as below."""

from __future__ import annotations

import os
import sys

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
    weights,
    worlds,
)

BENCHMARKS = {
    "speed": speed.run,
    "stages": stages.run,
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
    "arithmetic": arithmetic.run,
}

for name in sys.argv[1:] or BENCHMARKS:
    if name not in BENCHMARKS:
        sys.exit(f"no benchmark {name!r}; there are {', '.join(BENCHMARKS)}")
    print(f"\n## {name}\n", flush=True)
    BENCHMARKS[name]()
