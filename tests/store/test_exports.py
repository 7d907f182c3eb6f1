"""What was exported goes on reporting after the signing key was changed, unless that leaked."""

from pathlib import Path

import pytest

from recommender.errors import ExpiredToken, RevokedToken, TokenError
from recommender.events.slate_token import HOUR_MS, Signer, Slate, static_key
from recommender.store import exports
from recommender.store.database import Store

NOON = 1_795_348_800_000
DAY = 24 * HOUR_MS
SLATE = Slate("b1", None, "", 3, (7, 9), ("model", "text"), None, mark=b"mark")
OLD, NEW = b"old", b"new"


@pytest.fixture
def store() -> Store:
    return Store("sqlite://")


def signer(store: Store, *keys: bytes, now_ms: int = NOON, revoking: bool = False) -> Signer:
    """As a server has it after the key was changed to the first of these."""
    standing = exports.standing(store, keys[0], now_ms=now_ms, revoking=revoking)
    return Signer(keys, store="s", exported=standing.keys)


def exported(store: Store, key: bytes = OLD, folder: str = "/out", n: int = 5) -> str:
    """A token of an export that is valid for 180 days."""
    exports.record(store, key, folder, n, until_ms=NOON + 180 * DAY)
    return Signer([key], store="s").sign_static(SLATE, until_ms=NOON + 180 * DAY)


def test_an_export_reports_long_after_an_ordinary_change_of_the_key(store: Store):
    """Its pages are out there for months; but for no longer than they were to be."""
    token = exported(store)

    later = signer(store, NEW, now_ms=NOON + 100 * DAY)

    assert later.resolve(token, at_ms=NOON + 180 * DAY - 1).items == SLATE.items
    with pytest.raises(ExpiredToken):
        later.resolve(token, at_ms=NOON + 180 * DAY)


def test_a_key_of_before_opens_nothing_for_longer_than_was_exported(store: Store):
    """Whoever found it out cannot give himself more time, nor sign what pages get from the API."""
    exported(store)
    forger = Signer([OLD], store="s")
    mine = signer(store, NEW)

    with pytest.raises(ExpiredToken):
        mine.resolve(forger.sign_static(SLATE, until_ms=NOON + 999 * DAY), at_ms=NOON + 180 * DAY)
    with pytest.raises(TokenError):
        mine.resolve(forger.sign(SLATE), at_ms=NOON)


def test_without_an_export_a_key_of_before_opens_no_static_page(store: Store):
    """Nothing is kept of it."""
    token = Signer([OLD], store="s").sign_static(SLATE, until_ms=NOON + DAY)

    with pytest.raises(TokenError, match="not signed here"):
        signer(store, NEW).resolve(token, at_ms=NOON)


def test_revoking_a_leaked_key_is_for_good(store: Store):
    """Of processes that start together one says so; a later ordinary start brings nothing back."""
    token = exported(store)
    exports.record(store, NEW, "/mine", 1, until_ms=NOON + DAY)

    first = exports.standing(store, NEW, now_ms=NOON, revoking=True)
    again = exports.standing(store, NEW, now_ms=NOON, revoking=True)

    assert [each.folder for each in first.revoked] == ["/out"]
    assert first.sentences(NOON)[0].startswith("5 exported lists are revoked")
    assert (again.revoked, again.sentences(NOON)) == ((), [])
    with pytest.raises(RevokedToken):
        signer(store, NEW).resolve(token, at_ms=NOON)
    mine = Signer([NEW], store="s").sign_static(SLATE, until_ms=NOON + DAY)
    assert signer(store, NEW).resolve(mine, at_ms=NOON).items == SLATE.items


def test_what_is_behind_is_counted_until_it_is_exported_again(store: Store):
    """By folder, and as long as it would report."""
    exported(store, folder="/a", n=3)
    exported(store, folder="/b", n=4)

    before = exports.standing(store, NEW, now_ms=NOON)
    exported(store, NEW, folder="/a", n=3)
    after = exports.standing(store, NEW, now_ms=NOON)

    assert "7 exported lists (/a, /b)" in before.sentences(NOON)[0]
    assert "4 exported lists (/b)" in after.sentences(NOON)[0]
    assert after.sentences(NOON + 181 * DAY) == []


def test_an_export_for_a_shorter_time_does_not_cut_what_is_out_there(store: Store):
    """A page may still be that of the first."""
    exports.record(store, OLD, "/out", 5, until_ms=NOON + 180 * DAY)
    exports.record(store, OLD, "/out", 6, until_ms=NOON + DAY)

    (found,) = exports.standing(store, NEW, now_ms=NOON).before

    assert (found.until_ms, found.n_lists) == (NOON + 180 * DAY, 6)
    assert found.key == static_key(OLD)


def test_an_export_long_past_is_unknown(store: Store):
    """Expired for a year, then forgotten."""
    token = exported(store)

    with pytest.raises(ExpiredToken):
        late = signer(store, NEW, now_ms=NOON + 500 * DAY)
        late.resolve(token, at_ms=NOON + 500 * DAY)
    with pytest.raises(TokenError, match="not signed here"):
        late = signer(store, NEW, now_ms=NOON + 600 * DAY)
        late.resolve(token, at_ms=NOON + 600 * DAY)


def test_folders_of_any_name_are_kept(tmp_path: Path):
    """Also of bytes that are no text, and in another process."""
    url = f"sqlite:///{tmp_path}/store.db"
    with Store(url) as store:
        exported(store, folder="/odd\udcff %_'")
    with Store(url, writing=False) as store:
        (found,) = exports.standing(store, NEW, now_ms=NOON).before

    assert found.folder == "/odd\udcff %_'"
