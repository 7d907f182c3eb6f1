"""What is free goes back to the system."""

import ctypes
import gc
import subprocess
import sys
import weakref
from pathlib import Path

import pytest

from recommender.training.memory import collected_between_stages, give_back

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


class Held:
    """An object that holds itself."""

    def __init__(self) -> None:
        self.own = self


def test_objects_that_hold_each_other_go_between_stages():
    """Not before; and whatever happens, Python looks for them again afterwards."""
    with pytest.raises(ValueError, match="cut short"), collected_between_stages():
        seen = weakref.ref(Held())
        assert not gc.isenabled()
        assert seen() is not None
        give_back()
        assert seen() is None
        raise ValueError("cut short")

    assert gc.isenabled()
