"""What is free goes back to the system."""

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

HELD = """
from pathlib import Path
from recommender.training.memory import give_back

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

texts = [bytes(4_000) for _ in range(20_000)]
texts = texts[-1:]
before = resident()
give_back()
print((before - resident()) >> 20)
"""


@pytest.mark.skipif(
    not Path("/proc/self/statm").exists() or not hasattr(ctypes.CDLL(None), "malloc_trim"),
    reason="only glibc's allocator is asked to give memory back",
)
def test_what_is_freed_below_what_is_used_goes_back():
    """Of 80 MB of texts the last alone is held: nearly all the rest goes."""
    done = subprocess.run(
        [sys.executable, "-c", HELD], stdout=subprocess.PIPE, text=True, check=True
    )

    assert int(done.stdout) > 50
