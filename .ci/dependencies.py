"""Write ``constraints.txt`` and ``docs/licences.md`` from what is installed beside this Python.

In a fresh environment, so that nothing else is in it (docs/operating.md, "Dependencies"):

    python3 -m venv fresh && fresh/bin/pip install ".[test,test-cluster,peers]"
    fresh/bin/python .ci/dependencies.py
"""

from __future__ import annotations

import re
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
OURS = "recommender"
# What made the environment is no dependency of ours.
TOOLS = {OURS, "pip"}
# Their metadata does not say; the licence files they come with do.
STATED_ELSEWHERE = {
    "axe-playwright-python": "MIT, with axe-core in it: MPL-2.0",
    "crawler-user-agents": "MIT",
}


def licence_of(package: Distribution) -> str:
    """The licence as the package's metadata names it, in a few words."""
    about = package.metadata
    kinds = [kind for kind in about.get_all("Classifier") or [] if kind.startswith("License ::")]
    named = " and ".join(sorted(kind.rpartition(" :: ")[2] for kind in kinds))
    text = (about.get("License") or "").strip()
    short = text if 0 < len(text) < 40 and "\n" not in text and text != "UNKNOWN" else ""
    known = STATED_ELSEWHERE.get(canonicalize_name(about["Name"]))
    return about.get("License-Expression") or known or named or short or "not stated"


def is_permissive(licence: str) -> bool:
    """Whether anybody may do anything with it who keeps the notice."""
    return not re.search("GPL|MPL|Mozilla|EUPL|CDDL|EPL|not stated|Proprietary", licence)


def needed_by(*extras: str) -> set[str]:
    """What the package with these extras needs, and what that needs in turn."""
    found: set[str] = set()
    waiting = [(OURS, extra) for extra in extras]
    seen = set(waiting)
    while waiting:
        name, extra = waiting.pop()
        for text in distribution(name).requires or ():
            need = Requirement(text)
            if need.marker is None or need.marker.evaluate({"extra": extra}):
                key = canonicalize_name(need.name)
                found.add(key)
                for each in {(key, ""), *((key, wanted) for wanted in need.extras)} - seen:
                    seen.add(each)
                    waiting.append(each)
    return found - {OURS}


def main() -> None:
    """Write both files."""
    packages = {
        canonicalize_name(package.metadata["Name"]): package
        for package in distributions()
        if canonicalize_name(package.metadata["Name"]) not in TOOLS
    }
    names = sorted(packages)
    pins = [f"{name}=={packages[name].version}" for name in names]
    head = "# Written by .ci/dependencies.py; see docs/operating.md, Dependencies."
    (ROOT / "constraints.txt").write_text("\n".join([head, *pins, ""]), encoding="utf-8")

    serving, spread = needed_by("all"), needed_by("cluster", "objects")
    whom = dict.fromkeys(spread, "`recommender[cluster,objects]`")
    whom |= dict.fromkeys(serving, "`recommender[all]`")
    licences = {name: licence_of(packages[name]) for name in names}
    flagged = [name for name in names if not is_permissive(licences[name])]
    lines = [
        "# Licences",
        "",
        "Of all that is installed with `recommender`, at the versions of `constraints.txt`, as the",
        "metadata of each package states it. Written by `.ci/dependencies.py`.",
        "",
        "Not permissive, so that whoever passes the program on has to look: "
        + "; ".join(
            f"`{name}` ({licences[name]}{'' if name in whom else '; for tests only'})"
            for name in flagged
        )
        + ". None of them is changed or copied into this project. `psycopg` is needed for "
        "PostgreSQL alone. Copied into the project: htmx 2.0.11 (`api/console/static`), "
        "Zero-Clause BSD.",
        "",
        "| package | version | licence | needed by |",
        "|---|---|---|---|",
        *(
            f"| {name} | {packages[name].version} | {licences[name]} | {whom.get(name, 'tests')} |"
            for name in names
        ),
        "",
    ]
    (ROOT / "docs" / "licences.md").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
