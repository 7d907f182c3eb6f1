"""The units are what systemd takes, and keep the service from what it does not need."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "docs" / "deploy" / "systemd"
PROGRAM = "/opt/recommender/bin/recommender"
# systemd's own word for 2.0 and less; 10 is a service that may do anything.
MOST_EXPOSED = 2.0


def analyze(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run systemd's own checker."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """Copies that name a program which is there."""
    for path in (*UNITS.glob("*.service"), *UNITS.glob("*.timer")):
        text = path.read_text(encoding="utf-8").replace(PROGRAM, sys.executable)
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    return sorted(tmp_path.iterdir())


def test_systemd_takes_them(units: list[Path]):
    """Without a word; it speaks of a misspelt one."""
    done = analyze("verify", *units)

    assert (done.returncode, done.stderr) == (0, "")

    units[0].write_text(units[0].read_text().replace("ProtectHome", "ProtectHouse"))
    assert "ProtectHouse" in analyze("verify", units[0]).stderr


def test_they_may_do_little(units: list[Path]):
    """By systemd's own count of what a service is not kept from."""
    services = [path for path in units if path.suffix == ".service"]

    found = {}
    for path in services:
        done = analyze("security", "--offline=true", path)
        if "Unknown" in done.stderr or "unrecognized" in done.stderr:
            pytest.skip("this systemd does not judge files")
        level = re.search(r"Overall exposure level for \S+ ([\d.]+)", done.stdout)
        assert level, done.stdout + done.stderr
        found[path.name] = float(level[1])

    assert len(found) >= 2
    assert all(level <= MOST_EXPOSED for level in found.values()), found


@pytest.mark.parametrize("name", ["nightly", "figures"])
def test_a_timer_starts_its_job(name: str):
    """The one of its own name; training also for a night that was missed."""
    timer = (UNITS / f"recommender-{name}.timer").read_text(encoding="utf-8")

    assert (UNITS / f"recommender-{name}.service").is_file()
    assert ("Persistent=yes" in timer) == (name == "nightly")
    assert analyze("calendar", *re.findall(r"^OnCalendar=(.*)$", timer, re.M)).returncode == 0


def test_services_are_kept_from_the_same():
    """What each may do stands in each, in the same words."""
    rights = {
        path.read_text(encoding="utf-8").partition("# Of the machine")[2].partition("[Install]")[0]
        for path in UNITS.glob("*.service")
    }

    assert len({text.strip() for text in rights}) == 1
    assert "ProtectSystem=strict" in rights.pop()
