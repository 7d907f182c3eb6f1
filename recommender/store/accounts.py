"""Who may use the editors' console: accounts, passwords, sessions, and failed attempts.

Passwords are kept as argon2 hashes; of a session the store has a hash, the browser the secret. A
session ends by itself, and with every change of its account's password. Moments are milliseconds
since 1970, handed in.

>>> with Store("sqlite://") as store:
...     add(store, "ann", role="editor", password="a long enough one", now_ms=0)
...     secret = sign_in(store, "ann", "a long enough one", now_ms=0)
...     session(store, secret, now_ms=1)
Session(account='ann', role='editor')
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from recommender.errors import AccountError, MissingExtra
from recommender.store.database import Store

if TYPE_CHECKING:
    from argon2 import PasswordHasher

# What each may do holds for those behind it too.
ROLES = ("viewer", "editor", "admin")
NAME = re.compile(r"[\w.@+-]{1,64}")
# OWASP ASVS 5.0, 6.2.1: eight at the least, no rules on which; guesses are limited below.
MIN_CHARACTERS, MAX_CHARACTERS = 10, 256
MINUTE_MS = 60_000
# A working day without signing in again, and a night in between; not tuned.
IDLE_MS, LONGEST_MS = 3 * 60 * MINUTE_MS, 12 * 60 * MINUTE_MS
# That a session was used is written down no more often.
SEEN_MS = MINUTE_MS
# Of one account so many attempts may fail within such a while: 700,000 a year. Not tuned.
MAX_FAILURES, FAILURES_MS = 20, 15 * MINUTE_MS
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may sign in. ``changed`` is when the password was."""

    name: str
    role: str
    changed: int


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in, with the role that the account has now."""

    account: str
    role: str

    def may(self, role: str) -> bool:
        """Whether what takes ``role`` may be done."""
        return ROLES.index(self.role) >= ROLES.index(role)


def accounts(store: Store) -> list[Account]:
    """All accounts, by name."""
    with store.reading() as connection:
        rows = connection.execute(sql.text("SELECT name, role, changed FROM accounts"))
        return sorted((Account(*row) for row in rows), key=lambda account: account.name)


def add(store: Store, name: str, *, role: str, password: str, now_ms: int) -> None:
    """A new account. ``AccountError`` if the name is taken or will not do, or the password."""
    if not NAME.fullmatch(name):
        raise AccountError(
            f"account {name!r}: 1 to 64 letters, digits and the signs . _ - + @ make a name"
        )
    hashed = _hashed(name, password)
    with store.transaction() as connection:
        # Ann and ann would be one person to everybody but us.
        rows = connection.execute(sql.text("SELECT name FROM accounts")).scalars()
        if taken := [each for each in rows if each.casefold() == name.casefold()]:
            raise AccountError(f"account {taken[0]!r} is there already")
        connection.execute(
            sql.text(
                "INSERT INTO accounts (name, role, password, changed) "
                "VALUES (:name, :role, :password, :changed)"
            ),
            {"name": name, "role": _known(role), "password": hashed, "changed": now_ms},
        )


def remove(store: Store, name: str) -> None:
    """Take an account away; whoever is signed in with it is no longer."""
    with store.transaction() as connection:
        _change(connection, "DELETE FROM accounts WHERE name = :name", name)
        _end_sessions(connection, name)


def set_role(store: Store, name: str, role: str) -> None:
    """Give an account another role, which holds for those who are signed in at once."""
    with store.transaction() as connection:
        statement = "UPDATE accounts SET role = :role WHERE name = :name"
        _change(connection, statement, name, role=_known(role))


def set_password(store: Store, name: str, password: str, *, now_ms: int) -> None:
    """Give an account another password, and end its sessions."""
    hashed = _hashed(name, password)
    with store.transaction() as connection:
        _change(
            connection,
            "UPDATE accounts SET password = :password, changed = :now WHERE name = :name",
            name,
            password=hashed,
            now=now_ms,
        )
        _end_sessions(connection, name)
        connection.execute(
            sql.text("DELETE FROM failed_sign_ins WHERE account = :name"), {"name": _digest(name)}
        )


# Signing in


def sign_in(store: Store, name: str, password: str, *, now_ms: int) -> str | None:
    """The secret of a new session; None if there is no such account, if that is not its password,
    or if too many attempts on it have failed a while ago. All three take equally long.
    """
    if _is_locked(store, name, now_ms):
        return None
    with store.reading() as connection:
        hashed = connection.scalar(
            sql.text("SELECT password FROM accounts WHERE name = :name"), {"name": name}
        )
    if not _is_of(str(hashed) if hashed is not None else _nobodys(), password) or hashed is None:
        _failed(store, name, now_ms)
        return None
    secret = secrets.token_urlsafe(SECRET_BYTES)
    with store.transaction() as connection:
        if _hasher().check_needs_rehash(str(hashed)):
            # Only if it is still the password: it may have been changed meanwhile.
            connection.execute(
                sql.text(
                    "UPDATE accounts SET password = :new WHERE name = :name AND password = :old"
                ),
                {"new": _hasher().hash(password), "name": name, "old": hashed},
            )
        connection.execute(
            sql.text("DELETE FROM console_sessions WHERE began <= :began OR seen <= :seen"),
            {"began": now_ms - LONGEST_MS, "seen": now_ms - IDLE_MS},
        )
        connection.execute(
            sql.text(
                "INSERT INTO console_sessions (digest, account, began, seen) "
                "SELECT :digest, name, :now, :now FROM accounts WHERE name = :name"
            ),
            {"digest": _digest(secret), "name": name, "now": now_ms},
        )
        connection.execute(
            sql.text("DELETE FROM failed_sign_ins WHERE account = :name"), {"name": _digest(name)}
        )
    return secret


def session(store: Store, secret: str, *, now_ms: int) -> Session | None:
    """Who a session's secret belongs to; None if it has ended, or never began."""
    digest = _digest(secret)
    with store.reading() as connection:
        row = connection.execute(
            sql.text(
                "SELECT s.account, a.role, s.began, s.seen FROM console_sessions s "
                "JOIN accounts a ON a.name = s.account WHERE s.digest = :digest"
            ),
            {"digest": digest},
        ).one_or_none()
    if row is None or now_ms >= row.began + LONGEST_MS or now_ms >= row.seen + IDLE_MS:
        return None
    if now_ms >= row.seen + SEEN_MS:
        with store.transaction() as connection:
            connection.execute(
                sql.text("UPDATE console_sessions SET seen = :now WHERE digest = :digest"),
                {"now": now_ms, "digest": digest},
            )
    return Session(row.account, row.role)


def is_password(store: Store, name: str, password: str, *, now_ms: int) -> bool:
    """Whether that is the account's password, by the same limits as for signing in."""
    if _is_locked(store, name, now_ms):
        return False
    with store.reading() as connection:
        hashed = connection.scalar(
            sql.text("SELECT password FROM accounts WHERE name = :name"), {"name": name}
        )
    if hashed is None or not _is_of(str(hashed), password):
        _failed(store, name, now_ms)
        return False
    return True


def sign_out(store: Store, secret: str) -> None:
    """End a session."""
    with store.transaction() as connection:
        connection.execute(
            sql.text("DELETE FROM console_sessions WHERE digest = :digest"),
            {"digest": _digest(secret)},
        )


def form_token(secret: str) -> str:
    """What a form must carry to be one that we sent to the session of this secret."""
    return hmac.new(secret.encode(), b"form", hashlib.sha256).hexdigest()


def _is_locked(store: Store, name: str, now_ms: int) -> bool:
    with store.reading() as connection:
        failures = connection.scalar(
            sql.text("SELECT COUNT(*) FROM failed_sign_ins WHERE account = :name AND ts > :since"),
            {"name": _digest(name), "since": now_ms - FAILURES_MS},
        )
    return int(failures or 0) >= MAX_FAILURES


def _failed(store: Store, name: str, now_ms: int) -> None:
    """Remember that an attempt failed, on an account that may not exist, while that counts. What
    was typed in place of a name may be a password, so a hash of it is kept.
    """
    with store.transaction() as connection:
        connection.execute(
            sql.text("DELETE FROM failed_sign_ins WHERE ts <= :since"),
            {"since": now_ms - FAILURES_MS},
        )
        connection.execute(
            sql.text("INSERT INTO failed_sign_ins (account, ts) VALUES (:name, :now)"),
            {"name": _digest(name), "now": now_ms},
        )


def _end_sessions(connection: Connection, name: str) -> None:
    connection.execute(
        sql.text("DELETE FROM console_sessions WHERE account = :name"), {"name": name}
    )


def _change(connection: Connection, statement: str, name: str, **values: Any) -> None:
    if not connection.execute(sql.text(statement), {"name": name, **values}).rowcount:
        raise AccountError(f"there is no account {name!r}")


def _known(role: str) -> str:
    if role not in ROLES:
        raise AccountError(f"role {role!r}: known are {', '.join(ROLES)}")
    return role


# Passwords


def check_password(name: str, password: str) -> None:
    """``AccountError`` if an account of this name should not have this password."""
    if len(password) < MIN_CHARACTERS:
        raise AccountError(f"a password has at least {MIN_CHARACTERS} characters")
    if len(password) > MAX_CHARACTERS:
        raise AccountError(f"a password has at most {MAX_CHARACTERS} characters")
    if len(set(password)) < 5 or password.casefold().strip() in name.casefold():
        raise AccountError("this password is too easily guessed")


def _hashed(name: str, password: str) -> str:
    check_password(name, password)
    return _hasher().hash(password)


def _is_of(hashed: str, password: str) -> bool:
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        # No more is hashed than could be one.
        return _hasher().verify(hashed, password[: MAX_CHARACTERS + 1])
    except (VerificationError, InvalidHashError):
        return False


@cache
def _hasher() -> PasswordHasher:
    """RFC 9106's second choice, 64 MiB and three passes: some 50 ms of two cores."""
    try:
        from argon2 import PasswordHasher
    except ImportError as exc:
        raise MissingExtra("the console", "console") from exc
    return PasswordHasher()


@cache
def _nobodys() -> str:
    """What the password for a name that nobody has is compared with."""
    return _hasher().hash(secrets.token_urlsafe())


def _digest(secret: str) -> str:
    """Secrets are random and long, so that a plain hash keeps them."""
    return hashlib.sha256(secret.encode()).hexdigest()
