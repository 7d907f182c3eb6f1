"""Spark within a process that has other tests to run."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def java_of_its_own() -> Iterator[None]:
    """Sessions within it start a Java machine, which ends with it: one that an earlier test left
    behind would have that test's environment.
    """
    from pyspark import SparkContext

    _end(SparkContext)
    try:
        yield
    finally:
        _end(SparkContext)


def _end(context: type) -> None:
    gateway = context._gateway
    if gateway is None:
        return
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait(30)
    context._gateway = context._jvm = None
