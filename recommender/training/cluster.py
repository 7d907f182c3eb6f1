"""A cluster that exists: Dask's or Spark's, through the doors that they have for joblib."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from joblib import parallel_config

from recommender.errors import MissingExtra, TrainingError

KINDS = ("dask", "spark")
# Seconds in which a scheduler answers. Not tuned.
PATIENCE = 20
# Times that Spark tries a block again after a worker was lost, as often as Dask does.
TRIES = 4


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster at an address: ``dask://host:port`` of a Dask scheduler, ``spark://host:port`` of
    a Spark master, or ``spark://local[2]`` of one within this machine.
    """

    address: str

    def __post_init__(self) -> None:
        """``TrainingError`` for an address of another kind."""
        kind, separator, rest = self.address.partition("://")
        if not separator or kind not in KINDS or not rest:
            raise TrainingError(
                f"{self.address}: no cluster; give dask://host:port or spark://host:port"
            )

    @contextmanager
    def joined(self, *modules: str) -> Iterator[None]:
        """Within it, ``joblib.Parallel()`` runs on the cluster; its workers must have ``modules``.

        ``MissingExtra`` without the package for it, ``TrainingError`` if the cluster cannot be
        reached, has no worker, or a worker cannot do the work; it says why.
        """
        kind, _, rest = self.address.partition("://")
        with self._dask(rest, modules) if kind == "dask" else self._spark(rest):
            yield

    @contextmanager
    def _dask(self, where: str, modules: Sequence[str]) -> Iterator[None]:
        try:
            from distributed import Client, KilledWorker
        except ModuleNotFoundError as exc:
            raise MissingExtra("--cluster dask://", "cluster") from exc
        try:
            client = Client(  # type: ignore[no-untyped-call]
                f"tcp://{where}", timeout=PATIENCE, set_as_default=True
            )
        except (OSError, TimeoutError) as exc:
            raise TrainingError(f"{self.address}: no Dask scheduler answers there") from exc
        with client:
            if not client.scheduler_info()["workers"]:
                raise TrainingError(f"{self.address}: the scheduler has no workers")
            try:
                # A block that a worker cannot even unpack would be waited for without end.
                for module in modules:
                    client.run(import_module, module)
                with parallel_config(backend="dask"):
                    yield
            except KilledWorker as exc:
                raise TrainingError(
                    f"{self.address}: workers died of a block again and again: {_short(exc)}"
                ) from exc
            except ModuleNotFoundError as exc:
                raise self._lacking(exc) from exc

    @contextmanager
    def _spark(self, where: str) -> Iterator[None]:
        # Workers run the interpreter that this variable names, else whichever is first on the path.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        try:
            from joblibspark.backend import SparkDistributedBackend
            from pyspark.sql import SparkSession
        except ModuleNotFoundError as exc:
            raise MissingExtra("--cluster spark://", "cluster") from exc
        master = where if where.startswith("local") else self.address
        try:
            session = (
                SparkSession.builder.master(master)
                .appName("recommender")
                .config("spark.task.maxFailures", TRIES)
                .config("spark.ui.enabled", "false")
                .getOrCreate()
            )
            n_workers = session.sparkContext.defaultParallelism
        except Exception as exc:
            raise TrainingError(
                f"{self.address}: no Spark master answers there: {_short(exc)}"
            ) from exc
        try:
            backend = _naming_faults(SparkDistributedBackend)
            with parallel_config(backend=backend(), n_jobs=max(1, n_workers)):
                yield
        except TrainingError:
            raise
        except Exception as exc:
            raise self._of_spark(exc) from exc
        finally:
            session.stop()

    def _of_spark(self, exc: Exception) -> Exception:
        """What a worker raised, which is text within Java's error, under a first line that names
        the call from Python alone.
        """
        lacking = "ModuleNotFoundError: "
        lines = str(exc).splitlines()
        for line in lines:
            if lacking in line:
                return self._lacking(line.partition(lacking)[2])
        causes = (line.strip(" :") for line in lines if "Exception: " in line or "Error: " in line)
        return TrainingError(f"{self.address}: {next(causes, _short(exc))}")

    def _lacking(self, what: Any) -> TrainingError:
        return TrainingError(
            f"{self.address}: a worker lacks a package: {what}; install recommender with the same "
            "extras on every worker"
        )


def _naming_faults(backend: Any) -> Any:
    """A backend of joblib for Spark that raises what went wrong with a batch of blocks: joblibspark
    0.6 hands it on as if it were the batch's results.
    """

    class Spark(backend):  # type: ignore[misc]
        submit = backend.apply_async

        def retrieve_result(self, out: Any, timeout: float | None = None) -> Any:
            found = super().retrieve_result(out, timeout)
            if isinstance(found, list):
                return found
            rebuild, parts = found.__reduce__()
            raise rebuild(*parts)

    return Spark


def _short(exc: Exception) -> str:
    """The first line of an error."""
    return (str(exc).strip().splitlines() or [type(exc).__name__])[0]
