"""What the tests of the console share."""

from collections.abc import Iterator
from functools import cache

import pytest
from argon2 import PasswordHasher

from recommender.store import accounts


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Passwords are hashed in a moment; one test has them as they are."""
    quick = cache(lambda: PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    monkeypatch.setattr(accounts, "_hasher", quick)
    accounts._nobodys.cache_clear()
    yield
    accounts._nobodys.cache_clear()
