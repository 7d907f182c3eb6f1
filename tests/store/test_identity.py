"""What a store is known by is made once, and is the same for every process."""

import threading
from collections.abc import Callable
from typing import TypeVar

from recommender.events.slate_token import Signer, Slate
from recommender.store.database import Store
from recommender.store.identity import known_name, signing_keys, store_name

SLATE = Slate("b1", None, "", 1, (2,), ("model",), None)
Made = TypeVar("Made")


def raced(database: str, make: Callable[[Store], Made], n: int = 6) -> list[Made]:
    """What ``n`` processes find that open the store and ask at the same moment."""
    stores = [Store(database) for _ in range(n)]
    start, found = threading.Barrier(n), []

    def ask(store: Store) -> None:
        start.wait(20)
        found.append(make(store))

    threads = [threading.Thread(target=ask, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for store in stores:
        store.close()
    return found


def test_a_store_has_no_name_until_it_is_served(store: Store):
    """Then it has one for good; a build asks and gives none."""
    assert known_name(store) == ""
    assert known_name(store) == ""

    name = store_name(store)

    assert len(name) == 16
    assert (known_name(store), store_name(store)) == (name, name)


def test_two_stores_have_two_names_and_two_keys():
    """And nothing can be told from one about the other."""
    with Store("sqlite://") as one, Store("sqlite://") as other:
        assert store_name(one) != store_name(other)
        assert signing_keys(one) != signing_keys(other)


def test_the_key_is_made_once(database: str):
    """Long enough that nobody guesses it, and there after a restart."""
    with Store(database) as store:
        (key,) = signing_keys(store)
    with Store(database) as store:
        assert signing_keys(store) == [key]

    assert len(key) >= 32


def test_workers_that_start_together_agree(database: str):
    """On the name, and on the key to sign with: what one signs, all others open."""
    found = raced(database, lambda store: (store_name(store), signing_keys(store)))

    assert len(found) == 6
    assert all(each == found[0] for each in found)
    token = Signer(found[0][1]).sign(SLATE)
    assert all(Signer(keys).open(token) == SLATE for _, keys in found)


def test_workers_that_start_together_with_a_new_key_agree(database: str):
    """The old key is the one before, however the workers overtake one another."""
    with Store(database) as store:
        (old,) = signing_keys(store)

    found = raced(database, lambda store: signing_keys(store, "new"))

    assert found == [[b"new", old]] * 6


def test_a_given_key_signs_and_the_one_before_stays_valid(store: Store):
    """Made, given, given anew: each change keeps the last two."""
    (made,) = signing_keys(store)

    assert signing_keys(store, "one") == [b"one", made]
    assert signing_keys(store, "one") == [b"one", made]
    assert signing_keys(store, "two") == [b"two", b"one"]


def test_a_key_given_from_the_beginning_is_the_only_one(store: Store):
    """None is made that nobody uses; and it stays when the setting is taken away."""
    assert signing_keys(store, "mine") == [b"mine"]
    assert signing_keys(store) == [b"mine"]

    signing_keys(store, "two")

    assert signing_keys(store) == [b"two", b"mine"]


def test_while_processes_are_replaced_old_and_new_open_each_others_tokens(store: Store):
    """An older process signs with the key it was told, and does not turn the others back."""
    signing_keys(store, "old")
    new = signing_keys(store, "new")
    old = signing_keys(store, "old")

    assert (new, old) == ([b"new", b"old"], [b"old", b"new"])
    assert Signer(new).open(Signer(old).sign(SLATE)) == SLATE
    assert Signer(old).open(Signer(new).sign(SLATE)) == SLATE
    assert signing_keys(store, "new") == [b"new", b"old"]
    assert signing_keys(store) == [b"new", b"old"]


def test_keys_may_be_any_text(store: Store):
    """As they are, to the byte."""
    assert signing_keys(store, "schlüssel '; -- 钥匙")[0] == "schlüssel '; -- 钥匙".encode()
