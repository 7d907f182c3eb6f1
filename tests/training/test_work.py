"""Blocks of work run where they are to, and none that is done is done again."""

import os
from pathlib import Path

import numpy as np
import pytest

from recommender.progress import Silent
from recommender.training.shelf import Shelf
from recommender.training.work import MANY_BLOCKS, Work, code_digest

BLOCKS = [(np.arange(3) + number, number) for number in range(MANY_BLOCKS + 1)]


class Counted(Silent):
    """How many blocks were reported as done."""

    def __init__(self) -> None:
        self.n = 0

    def advance(self, steps: int = 1) -> None:
        self.n += steps


def noted(factor: float, folder: Path, values: np.ndarray, number: int) -> np.ndarray:
    """A block that leaves a note of every time it runs, and fails where a file says so."""
    with (folder / str(number)).open("a", encoding="utf-8") as file:
        file.write("x")
    if (folder / f"fails {number}").exists():
        raise KeyboardInterrupt
    return values * factor


def runs_of(folder: Path) -> list[int]:
    return [len((folder / str(number)).read_text()) for _, number in BLOCKS]


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("threads", [False, True])
@pytest.mark.parametrize("keeps", [False, True])
def test_results_come_in_the_order_of_the_blocks(
    tmp_path: Path, jobs: int, threads: bool, keeps: bool
):
    """Kept or not, in this process or in others."""
    notes, progress = tmp_path / "notes", Counted()
    notes.mkdir()
    work = Work(Shelf(str(tmp_path / "work")) if keeps else None, jobs)

    found = list(
        work.spread("tests", noted, (2.0, notes), BLOCKS, progress=progress, threads=threads)
    )

    assert [each.tolist() for each in found] == [(2.0 * values).tolist() for values, _ in BLOCKS]
    assert progress.n == len(BLOCKS)
    assert runs_of(notes) == [1] * len(BLOCKS)


@pytest.mark.parametrize(("n_blocks", "elsewhere"), [(MANY_BLOCKS - 1, False), (MANY_BLOCKS, True)])
def test_few_blocks_start_no_processes(n_blocks: int, elsewhere: bool):
    """To start them takes longer than to do the work."""
    blocks = [()] * n_blocks

    found = set(Work(jobs=2).spread("tests", os.getpid, (), blocks, progress=Silent()))

    assert (os.getpid() not in found) == elsewhere


def test_what_was_done_before_an_interruption_is_not_done_again(tmp_path: Path):
    """And the result is that of a run in one piece."""
    (tmp_path / "fails 5").touch()
    work = Work(Shelf(str(tmp_path / "work")), 1)
    with pytest.raises(KeyboardInterrupt):
        list(work.spread("tests", noted, (2.0, tmp_path), BLOCKS, progress=Silent()))
    (tmp_path / "fails 5").unlink()
    progress = Counted()

    found = list(work.spread("tests", noted, (2.0, tmp_path), BLOCKS, progress=progress))

    assert runs_of(tmp_path) == [1, 1, 1, 1, 1, 2, 1, 1, 1]
    assert progress.n == len(BLOCKS)
    assert [each.tolist() for each in found] == [(2.0 * values).tolist() for values, _ in BLOCKS]


def test_of_other_input_or_other_code_nothing_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """What is shared, one block, the code: each makes its blocks anew, and the old ones go."""
    work = Work(Shelf(str(tmp_path / "work")), 1)

    def run(factor: float, blocks: list[tuple[np.ndarray, int]]) -> list[float]:
        found = work.spread("tests", noted, (factor, tmp_path), blocks, progress=Silent())
        return [float(each.sum()) for each in found]

    first = run(2.0, BLOCKS)
    other = [*BLOCKS[:-1], (np.zeros(3), BLOCKS[-1][1])]

    assert run(2.0, other) == [*first[:-1], 0.0]
    assert runs_of(tmp_path) == [1] * (len(BLOCKS) - 1) + [2]
    assert run(3.0, BLOCKS) == [1.5 * each for each in first]
    assert runs_of(tmp_path) == [2] * (len(BLOCKS) - 1) + [3]
    monkeypatch.setattr("recommender.training.work.code_digest", lambda: "other")
    assert run(3.0, BLOCKS) == [1.5 * each for each in first]
    assert runs_of(tmp_path) == [3] * (len(BLOCKS) - 1) + [4]
    assert len(list((tmp_path / "work").iterdir())) == 1
    work.clear()
    assert not (tmp_path / "work").exists()


def test_few_blocks_are_not_kept(tmp_path: Path):
    """Small sites write nothing down: they are done again sooner."""
    work = Work(Shelf(str(tmp_path / "work")), 1)

    list(work.spread("tests", noted, (2.0, tmp_path), BLOCKS[:2], progress=Silent()))

    assert not (tmp_path / "work").exists()


def test_the_digest_of_the_code_is_that_of_its_files():
    """A hash in hexadecimal, the same each time."""
    assert len(code_digest()) == 64
    assert code_digest() == code_digest()
