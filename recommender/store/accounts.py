"""Who may use the editors' console: accounts, passwords, sessions, and failed attempts.

Passwords are kept as argon2 hashes; of a session the store has a hash, the browser the secret. A
session ends by itself, and with every change of its account's password. Moments are milliseconds
since 1970, handed in.

>>> with Store("sqlite://") as store:
...     add(store, "ann", role="editor", password="a long enough one", now_ms=0)
...     entered = sign_in(store, "ann", "a long enough one", now_ms=0)
...     session(store, entered.secret, now_ms=1)
Session(account='ann', role='editor')
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
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
# OWASP ASVS 5.0, 6.2.1 and 6.2.4: eight at the least, no rules on which, none of the common ones.
MIN_CHARACTERS, MAX_CHARACTERS = 10, 256
# A password has to be one of so many that would be tried before it, as zxcvbn estimates (Wheeler
# 2016, of the first characters alone): more than the limits below let pass in a year.
LEAST_GUESSES_LOG10, MOST_ESTIMATED = 6.0, 72
MINUTE_MS = 60_000
# A working day without signing in again, and a night in between; not tuned.
IDLE_MS, LONGEST_MS = 3 * 60 * MINUTE_MS, 12 * 60 * MINUTE_MS
# That a session was used is written down no more often.
SEEN_MS = MINUTE_MS
# Of one account so many attempts may fail within such a while: 700,000 a year. A browser that was
# signed in with the account before has as many of its own, so that nobody else can lock it out
# (OWASP, "Slow down online guessing attacks with device cookies"). Not tuned.
MAX_FAILURES, FAILURES_MS = 20, 15 * MINUTE_MS
SECRET_BYTES = 32
# Each hash takes 64 MB, whoever asks for it.
_ONE_AT_A_TIME = threading.Lock()


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


@dataclass(frozen=True, slots=True)
class Entered:
    """What a browser gets that was signed in: the ``secret`` of its session, and ``known``, by
    which it is known later as one that belongs to the account.
    """

    secret: str
    known: str


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
        _forgive(connection, _digest(name))


# Signing in


def sign_in(
    store: Store, name: str, password: str, *, now_ms: int, known: str = ""
) -> Entered | None:
    """What the browser gets; None if there is no such account, if that is not its password, or if
    too many attempts on it have failed a while ago. The first two take equally long. ``known`` is
    what the browser has of an earlier time.
    """
    hashed = _hash_of(store, name) if NAME.fullmatch(name) else None
    is_known = hashed is not None and hmac.compare_digest(known, _known_by(name, hashed))
    attempt = _digest(f"{name}\0{known}" if is_known else name)
    if not _may_try(store, attempt, now_ms):
        return None
    if not _is_of(hashed or _nobodys(), password) or hashed is None:
        return None
    secret = secrets.token_urlsafe(SECRET_BYTES)
    newer = hashed
    if _hasher().check_needs_rehash(hashed):
        with _ONE_AT_A_TIME:
            newer = _hasher().hash(password)
    with store.transaction() as connection:
        # Only if it is the password still: it may have been changed meanwhile.
        kept = connection.execute(
            sql.text("UPDATE accounts SET password = :new WHERE name = :name AND password = :old"),
            {"new": newer, "name": name, "old": hashed},
        )
        if not kept.rowcount:
            return None
        connection.execute(
            sql.text("DELETE FROM console_sessions WHERE began <= :began OR seen <= :seen"),
            {"began": now_ms - LONGEST_MS, "seen": now_ms - IDLE_MS},
        )
        connection.execute(
            sql.text(
                "INSERT INTO console_sessions (digest, account, began, seen) "
                "VALUES (:digest, :name, :now, :now)"
            ),
            {"digest": _digest(secret), "name": name, "now": now_ms},
        )
        _forgive(connection, attempt)
    return Entered(secret, _known_by(name, newer))


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
    """Whether that is the password of an account somebody is signed in with; as many attempts may
    fail as to sign in, counted apart.
    """
    attempt, hashed = _digest(f"{name}\0inside"), _hash_of(store, name)
    if hashed is None or not _may_try(store, attempt, now_ms) or not _is_of(hashed, password):
        return False
    with store.transaction() as connection:
        _forgive(connection, attempt)
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


def _hash_of(store: Store, name: str) -> str | None:
    with store.reading() as connection:
        hashed = connection.scalar(
            sql.text("SELECT password FROM accounts WHERE name = :name"), {"name": name}
        )
    return None if hashed is None else str(hashed)


def _known_by(name: str, hashed: str) -> str:
    """What browsers of an account have, until its password is another."""
    return hmac.new(hashed.encode(), f"browser of {name}".encode(), hashlib.sha256).hexdigest()


def _may_try(store: Store, attempt: str, now_ms: int) -> bool:
    """Whether one more attempt may be made; it counts as failed until it is forgiven, so that those
    made at one time are no more than one by one. What was typed in place of a name may be a
    password, so ``attempt`` is a hash.
    """
    with store.transaction() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sql.text("LOCK TABLE failed_sign_ins IN EXCLUSIVE MODE"))
        connection.execute(
            sql.text("DELETE FROM failed_sign_ins WHERE ts <= :since"),
            {"since": now_ms - FAILURES_MS},
        )
        failures = connection.scalar(
            sql.text("SELECT COUNT(*) FROM failed_sign_ins WHERE account = :attempt"),
            {"attempt": attempt},
        )
        if int(failures or 0) >= MAX_FAILURES:
            return False
        connection.execute(
            sql.text("INSERT INTO failed_sign_ins (account, ts) VALUES (:attempt, :now)"),
            {"attempt": attempt, "now": now_ms},
        )
    return True


def _forgive(connection: Connection, attempt: str) -> None:
    connection.execute(
        sql.text("DELETE FROM failed_sign_ins WHERE account = :attempt"), {"attempt": attempt}
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
    try:
        from zxcvbn import zxcvbn
    except ImportError as exc:
        raise MissingExtra("the console", "console") from exc
    estimated = zxcvbn(password[:MOST_ESTIMATED], user_inputs=[name, "recommender", "console"])
    if estimated["guesses_log10"] < LEAST_GUESSES_LOG10:
        raise AccountError("this password is easily guessed: take some words that nobody expects")


def _hashed(name: str, password: str) -> str:
    check_password(name, password)
    with _ONE_AT_A_TIME:
        return _hasher().hash(password)


def prepare() -> None:
    """Make beforehand what the first wrong name would wait for."""
    _nobodys()


def _is_of(hashed: str, password: str) -> bool:
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        # No more is hashed than could be one.
        with _ONE_AT_A_TIME:
            return _hasher().verify(hashed, password[: MAX_CHARACTERS + 1])
    except (VerificationError, InvalidHashError):
        return False


@cache
def _hasher() -> PasswordHasher:
    """RFC 9106's second choice, 64 MiB and three passes, in one lane: a server has other work."""
    try:
        from argon2 import PasswordHasher
    except ImportError as exc:
        raise MissingExtra("the console", "console") from exc
    return PasswordHasher(parallelism=1)


@cache
def _nobodys() -> str:
    """What the password for a name that nobody has is compared with."""
    return _hasher().hash(secrets.token_urlsafe())


def _digest(secret: str) -> str:
    """Secrets are random and long, so that a plain hash keeps them."""
    return hashlib.sha256(secret.encode()).hexdigest()


def check_parts() -> None:
    """``MissingExtra`` unless what accounts take is installed."""
    if find_spec("argon2") is None or find_spec("zxcvbn") is None:
        raise MissingExtra("the console", "console")
