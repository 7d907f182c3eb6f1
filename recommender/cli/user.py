"""The commands for accounts of the editors' console."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from recommender.cli.output import as_json, here, now
from recommender.errors import AccountError
from recommender.terminal import Table, say, say_json, show

if TYPE_CHECKING:
    from recommender.store.database import Store

ROLES = click.Choice(["viewer", "editor", "admin"])
name_argument = click.argument("name", metavar="NAME")


@click.group("user")
def user() -> None:
    """Accounts of the editors' console.

    A viewer sees everything, an editor changes rules too, an admin bundles too. A password is asked
    for, twice; where there is no terminal it is the first line of stdin.

    \b
    example:
      recommender user add ann --role editor
    """


@user.command("add")
@name_argument
@click.option("--role", type=ROLES, required=True, help="what the account may do")
def add(name: str, role: str) -> None:
    """Make an account.

    \b
    example:
      recommender user add ann --role editor
    """
    from recommender.store import accounts

    # Before a password is asked for.
    accounts.check_parts()
    with _store() as store:
        accounts.add(store, name, role=role, password=_password(), now_ms=_now_ms())
    say(f"account {name}, {role}, is made")
    if here().console != "on":
        say("The console is off: set RECOMMENDER_CONSOLE=on where recommender serve is started.")


@user.command("list")
@as_json
def list_accounts(as_json: bool) -> None:
    """Show the accounts.

    \b
    example:
      recommender user list
    """
    from recommender.store.accounts import accounts
    from recommender.store.database import Store

    with Store(here().database, writing=False) as store:
        found = accounts(store)
    dates = [datetime.fromtimestamp(each.changed / 1000, UTC).isoformat() for each in found]
    if as_json:
        say_json(
            [
                {"name": each.name, "role": each.role, "password_changed": date}
                for each, date in zip(found, dates, strict=True)
            ]
        )
        return
    table = Table()
    for column in ("account", "role", "password changed"):
        table.add_column(column)
    for each, date in zip(found, dates, strict=True):
        table.add_row(each.name, each.role, date[:10])
    show(table)


@user.command("role")
@name_argument
@click.option("--role", type=ROLES, required=True, help="what the account may do from now on")
def role(name: str, role: str) -> None:
    """Give an account another role; it holds at once.

    \b
    example:
      recommender user role ann --role admin
    """
    from recommender.store import accounts

    with _store() as store:
        accounts.set_role(store, name, role)
    say(f"account {name} is {role} now")


@user.command("password")
@name_argument
def password(name: str) -> None:
    """Give an account another password, and end its sessions.

    \b
    example:
      recommender user password ann
    """
    from recommender.store import accounts

    with _store() as store:
        accounts.set_password(store, name, _password(), now_ms=_now_ms())
    say(f"account {name} has another password; who was signed in with it is no longer")


@user.command("remove")
@name_argument
def remove(name: str) -> None:
    """Take an account away; what it did stays in the history.

    \b
    example:
      recommender user remove ann
    """
    from recommender.store import accounts

    with _store() as store:
        accounts.remove(store, name)
    say(f"account {name} is removed")


@contextmanager
def _store() -> Iterator[Store]:
    from recommender.store.database import Store

    with Store(here().database, create=False) as store:
        yield store


def _password() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("password", hide_input=True, confirmation_prompt=True, err=True))
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise AccountError("there is no password on stdin")
    return line


def _now_ms() -> int:
    return int(now().timestamp() * 1000)
