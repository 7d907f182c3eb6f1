"""Work runs on clusters of other people's making: a Dask scheduler with two workers, and Spark."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import worked
from joblib import Parallel, delayed
from sparks import java_of_its_own

from recommender.errors import TrainingError
from recommender.progress import Silent
from recommender.training.cluster import Cluster
from recommender.training.shelf import Shelf
from recommender.training.work import Work, code_digest, work_block

ROOT = Path(__file__).parents[2]
BLOCKS = [(np.arange(50) + number, number) for number in range(12)]
WANTED = [(values**2).tolist() for values, _ in BLOCKS]


class Counted(Silent):
    """How many blocks were reported as done."""

    def __init__(self) -> None:
        self.n = 0

    def advance(self, steps: int = 1) -> None:
        self.n += steps


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def started(*command: str, folder: Path, path: str = "") -> subprocess.Popen[bytes]:
    """A process of a cluster, with this library and these tests to import, or ``path`` instead."""
    found = path or os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    with (folder / "cluster.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            env={**os.environ, "PYTHONPATH": found},
            cwd=folder,
            stdout=log,
            stderr=log,
        )


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler's address, and its two workers."""
    pytest.importorskip("distributed", reason="Dask is not installed (the extra `cluster`)")
    port = free_port()
    scheduler = started(
        "dask", "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard",
        folder=tmp_path,
    )  # fmt: skip
    workers = [worker_of(port, tmp_path) for _ in range(2)]
    try:
        from distributed import Client

        with Client(f"tcp://127.0.0.1:{port}", timeout=60) as client:
            client.wait_for_workers(2, timeout=60)
        yield f"127.0.0.1:{port}", workers
    finally:
        for process in (*workers, scheduler):
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Have a process of a cluster end, which on a busy machine it may put off for long."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


def worker_of(
    port: int, folder: Path, *, path: str = "", n_threads: int = 1
) -> subprocess.Popen[bytes]:
    return started(
        "dask", "worker", f"tcp://127.0.0.1:{port}", "--nthreads", str(n_threads), "--no-nanny",
        "--no-dashboard", "--local-directory", str(folder),
        folder=folder, path=path,
    )  # fmt: skip


def squares(
    work: Work, folder: Path, seconds: float, progress: Silent | None = None
) -> list[list[int]]:
    found = work.spread(
        "tests", worked.squared, (folder, seconds), BLOCKS, progress=progress or Silent()
    )
    return [each.tolist() for each in found]


def workers_that_began(folder: Path) -> set[int]:
    return {int(line) for path in folder.glob("begun-*") for line in path.read_text().splitlines()}


@pytest.mark.slow
def test_blocks_run_on_the_workers_of_dask(
    tmp_path: Path, dask: tuple[str, list[subprocess.Popen[bytes]]]
):
    """On both, in order, and not again when they are asked for a second time."""
    address, workers = dask
    work = Work(Shelf(str(tmp_path / "work")), cluster=Cluster(f"dask://{address}"))
    progress = Counted()

    assert squares(work, tmp_path, 0.05, progress) == WANTED
    assert progress.n == len(BLOCKS)
    assert workers_that_began(tmp_path) == {worker.pid for worker in workers}
    for path in tmp_path.glob("begun-*"):
        path.unlink()

    assert squares(work, tmp_path, 0.05) == WANTED
    assert workers_that_began(tmp_path) == set()
    left = {path.name.partition("-")[0] for path in (tmp_path / "work").rglob("input-*")}
    assert left == set()


@pytest.mark.slow
def test_a_worker_that_dies_costs_time_alone(
    tmp_path: Path, dask: tuple[str, list[subprocess.Popen[bytes]]]
):
    """The other one does what it had begun."""
    address, workers = dask
    work = Work(Shelf(str(tmp_path / "work")), cluster=Cluster(f"dask://{address}"))

    def kill() -> None:
        while workers[0].pid not in workers_that_began(tmp_path):
            time.sleep(0.02)
        workers[0].send_signal(signal.SIGKILL)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()

    assert squares(work, tmp_path, 0.3) == WANTED
    killer.join(10)
    assert workers[0].wait(10) == -signal.SIGKILL
    assert workers_that_began(tmp_path) == {worker.pid for worker in workers}


@pytest.mark.slow
def test_dask_says_what_is_amiss(tmp_path: Path, dask: tuple[str, list[subprocess.Popen[bytes]]]):
    """A worker without the library, one with another version, one that does not see the shelf."""
    address, workers = dask
    cluster = Cluster(f"dask://{address}")
    shelf = Shelf(str(tmp_path / "work"))
    squares(Work(shelf, cluster=cluster), tmp_path, 0.0)
    # The same path, and nothing in it: as on a machine that mounts another disk.
    unseen = Shelf(str(tmp_path / "unseen"))
    calls = [(code_digest(), unseen), ("other", shelf)]
    with cluster.joined():
        faults = Parallel()(
            delayed(work_block)(code, where, worked.squared, "000000-x") for code, where in calls
        )
    assert re.fullmatch(r"worker .*, process \d+: it does not see .*unseen; set .*", faults[0])
    assert re.search("it has another version of recommender", faults[1])

    for worker in workers:
        end(worker)
    with pytest.raises(TrainingError, match="has no workers"):
        squares(Work(unseen, cluster=cluster), tmp_path, 0.0)
    bare = worker_of(int(address.rpartition(":")[2]), tmp_path, path=str(tmp_path), n_threads=2)
    try:
        from distributed import Client

        with Client(f"tcp://{address}", timeout=60) as client:
            client.wait_for_workers(1, timeout=60)
        with pytest.raises(TrainingError, match=r"a worker lacks a package: "):
            squares(Work(unseen, cluster=cluster), tmp_path, 0.0)
    finally:
        end(bare)


def test_an_address_of_no_cluster_is_refused():
    """And a scheduler that does not answer is named."""
    for address in ("http://127.0.0.1:1", "dask://", "127.0.0.1:8786"):
        with pytest.raises(TrainingError, match="no cluster; give dask://host:port"):
            Cluster(address)


def test_a_dask_scheduler_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch):
    """Within seconds."""
    pytest.importorskip("distributed", reason="Dask is not installed (the extra `cluster`)")
    monkeypatch.setattr("recommender.training.cluster.PATIENCE", 1)

    nowhere = Cluster(f"dask://127.0.0.1:{free_port()}")
    with pytest.raises(TrainingError, match="no Dask scheduler answers there"), nowhere.joined():
        pass


@pytest.mark.slow
def test_blocks_run_on_spark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A block whose process dies is done again; what is amiss is said in one sentence."""
    if not shutil.which("java"):
        pytest.skip("Java is not installed, which Spark needs")
    pytest.importorskip("joblibspark", reason="Spark is not installed (the extra `cluster`)")
    pytest.importorskip("pyspark", reason="Spark is not installed (the extra `cluster`)")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests")]))
    monkeypatch.delenv("PYSPARK_PYTHON", raising=False)
    cluster = Cluster("spark://local[2,4]")
    shelf = Shelf(str(tmp_path / "work"))

    def kill() -> None:
        while not (begun := workers_that_began(tmp_path)):
            time.sleep(0.02)
        os.kill(min(begun), signal.SIGKILL)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()

    with warnings.catch_warnings(), java_of_its_own():
        warnings.simplefilter("ignore")
        assert squares(Work(shelf, cluster=cluster), tmp_path, 0.3) == WANTED
        killer.join(10)
        assert len(workers_that_began(tmp_path)) > 1
        fails = Work(Shelf(str(tmp_path / "other")), cluster=cluster)
        with pytest.raises(TrainingError, match=r"worker .*, process \d+: FileNotFoundError: "):
            squares(fails, tmp_path / "nowhere", 0.0)
        deadly = Work(Shelf(str(tmp_path / "third")), cluster=Cluster("spark://local[2,2]"))
        with pytest.raises(TrainingError, match=r"failed 2 times.*Python worker exited"):
            list(deadly.spread("tests", worked.dies, (), [(1,)], progress=Silent()))
