"""The commands of the editors' rules: those of the file and of the console, and what becomes of
them.
"""

from __future__ import annotations

import getpass
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recommender.cli.in_force import rules_of, store_here
from recommender.cli.output import COUNT, as_json, here, now, warn
from recommender.errors import BundleError, RecommenderError
from recommender.terminal import Table, say, say_json, show, styled

if TYPE_CHECKING:
    from recommender.bundle.catalogue import ShelfCatalogue
    from recommender.config import Settings
    from recommender.lists.effects import Effect
    from recommender.store.database import Store
    from recommender.store.rules import Rule

PATH = click.Path(path_type=Path)


@click.group("rules")
def rules() -> None:
    """Look at the editors' rules, of the file and of the console; bring some in, write them out.

    \b
    example:
      recommender rules check
    """


@rules.command("list")
@as_json
def list_rules(as_json: bool) -> None:
    """Show all rules, and which take no effect.

    \b
    example:
      recommender rules list
    """
    found = _effects()
    if as_json:
        say_json([_content(each) for each in found])
        return
    _show(found)
    n_idle = sum(each.is_idle for each in found)
    say(f"{len(found):,} rules, {n_idle:,} of which take no effect, or not the one they are for")


@rules.command("check")
@as_json
def check(as_json: bool) -> int:
    """Which rules take no effect, and why?

    Exit status 1 if there are some. Rules that are over or yet to begin are none of them.

    \b
    example:
      recommender rules check
    """
    found = _effects()
    idle = [each for each in found if each.is_idle]
    if as_json:
        say_json({"n_rules": len(found), "no_effect": [_content(each) for each in idle]})
    else:
        if idle:
            _show(idle)
        say(f"{len(idle):,} of {len(found):,} rules take no effect, or not the one they are for")
    return 1 if idle else 0


@rules.command("import")
@click.argument("file", type=PATH, metavar="FILE")
@click.option("--replace", "replacing", is_flag=True, help="remove the console's that FILE has not")
@click.option("--dry-run", is_flag=True, help="only show what would be done")
@as_json
def import_rules(file: Path, replacing: bool, dry_run: bool, as_json: bool) -> int:
    """Bring the rules of a file into the console: all of them, or none if one will not do.

    \b
    example:
      recommender rules import editorial.csv --dry-run
    """
    from recommender.lists import rules_file, rules_import
    from recommender.lists.editorial import Rules
    from recommender.store import rules as stored
    from recommender.store.database import Store

    settings = here()
    if not file.exists():
        raise RecommenderError(f"{file}: there is no such file")
    given = rules_file.load(file, zone=settings.zone)
    with Store(settings.database, create=False, writing=not dry_run) as store:
        kept = rules_of(settings, store)
        if file.exists() and settings.editorial.exists() and file.samefile(settings.editorial):
            # Else every line would stand in the file already.
            kept = Rules(kept.of_console, zone=kept.zone)
        plan = rules_import.plan(
            given, kept, _catalogue(settings, store), now=now(), replacing=replacing
        )
        is_done = bool(plan.edits) and not plan.refused and not dry_run
        if is_done:
            stored.write(store, plan.edits, account=_account(), at=now(), what=stored.IMPORTED)
    if as_json:
        lines = [
            {"line": each.line, "what": each.what, **_content(each.effect)} for each in plan.lines
        ]
        removed = [each.number for each in plan.removed]
        say_json({"done": is_done, "lines": lines, "removed": removed, "notes": plan.notes})
    else:
        warn([f"{file}: {note}" for note in plan.notes])
        warn([f"{file}:{each.line}: {each.what}: {_why(each.effect)}" for each in plan.refused])
        idle = [each for each in plan.lines if each.effect.is_idle and each not in plan.refused]
        warn([f"{file}:{each.line}: takes no effect: {_why(each.effect)}" for each in idle])
        is_empty = not plan.edits and not plan.refused
        state = "" if is_done else "nothing to do: " if is_empty else "not done: "
        say(f"{state}{plan.summary}")
    return 1 if plan.refused else 0


@rules.command("export")
@click.argument("file", type=PATH, metavar="FILE")
@click.option("--console", "of_console", is_flag=True, help="those of the console alone")
@click.option("--semicolons", is_flag=True, help="as spreadsheets of many countries expect them")
def export_rules(file: Path, of_console: bool, semicolons: bool) -> None:
    """Write the rules, of the file and of the console, as a file of its own.

    \b
    example:
      recommender rules export rules.csv --semicolons
    """
    from recommender.lists import rules_file

    settings = here()
    with store_here(settings, without="what came since the bundle was built") as store:
        found = rules_of(settings, store)
    written = found.of_console if of_console else found.rules
    separator = ";" if semicolons else ","
    file.write_bytes(rules_file.exported(written, zone=settings.zone, separator=separator))
    say(f"{len(written):,} rules written to {file}")


@rules.command("history")
@click.option("--last", type=COUNT, default=20, metavar="N", help="actions to show")
@as_json
def history(last: int, as_json: bool) -> None:
    """Who did what to the console's rules when, and what can be undone.

    \b
    example:
      recommender rules history
    """
    from recommender.store import rules as stored
    from recommender.store.database import Store

    settings = here()
    with Store(settings.database, writing=False) as store:
        actions = stored.history(store, limit=last)
    if as_json:
        say_json([
            {
                "number": each.number, "at": each.at.isoformat(), "account": each.account,
                "what": each.what, "undoes": each.undoes, "obstacle": each.obstacle or None,
                "before": [_fields(rule) for rule in each.before],
                "after": [_fields(rule) for rule in each.after],
            }
            for each in actions
        ])  # fmt: skip
        return
    table = Table()
    for column in ("#", "when", "who", "what", "rules", "undo"):
        table.add_column(column, overflow="fold")
    for each in actions:
        what = each.what if each.undoes is None else f"{each.what} {each.undoes}"
        touched = each.after or each.before
        named = "; ".join(_sentence(rule) for rule in touched[:3])
        more = f"; and {len(touched) - 3:,} more" if len(touched) > 3 else ""
        table.add_row(
            str(each.number), f"{each.at.astimezone(settings.zone):%Y-%m-%d %H:%M}",
            each.account, what, named + more, each.obstacle or "can be undone",
        )  # fmt: skip
    show(table)


@rules.command("undo")
@click.argument("number", type=COUNT, metavar="NUMBER")
def undo(number: int) -> None:
    """Undo an action; NUMBER as `rules history` shows it.

    \b
    example:
      recommender rules undo 12
    """
    from recommender.store import rules as stored
    from recommender.store.database import Store

    with Store(here().database, create=False) as store:
        done = stored.undo(store, number, account=_account(), at=now())
    say(f"action {number} is undone", *map(_sentence, done.rules))


def _account() -> str:
    """Whom the history names for what is done here."""
    try:
        return f"{getpass.getuser()} (shell)"
    except (KeyError, OSError):  # a user without a name
        return "shell"


def _effects() -> list[Effect]:
    """What becomes of each rule."""
    from recommender.lists.effects import effects

    settings = here()
    with store_here(settings, without="what came since the bundle was built") as store:
        found = rules_of(settings, store)
        catalogue = _catalogue(settings, store)
        # What had to be assumed, or is not known of a name, is part of the effects.
        guessed = [each for each in found.resolved(catalogue.named).remarks if "assumed" in each]
        warn([f"{settings.editorial}: {note}" for note in found.notes] + guessed)
        return effects(found, catalogue, now=now())


def _catalogue(settings: Settings, store: Store | None) -> ShelfCatalogue:
    """The articles of the live bundle, and those that came since; of the store alone, while there
    is no bundle.
    """
    from recommender.bundle import registry
    from recommender.bundle.bundle import Bundle
    from recommender.bundle.catalogue import ShelfCatalogue
    from recommender.bundle.fallback import FallbackLists

    try:
        bundle = Bundle(registry.resolve(settings.models))
    except BundleError:
        if store is None:
            raise
        lists = FallbackLists(store, settings.languages, now=now(), oldest_days=0)
        return ShelfCatalogue(lists, None)
    bundle = bundle.beside(store, whole=False) if store is not None else bundle
    return ShelfCatalogue(bundle.shelf, bundle.lists)


def _show(found: Iterable[Effect]) -> None:
    table = Table(is_plain=True)
    for column in ("rule", "what it does", "from", "until", "state"):
        table.add_column(column, overflow="fold")
    for each in found:
        table.add_row(_named(each.rule), _sentence(each.rule), *_days(each.rule), _state(each))
    show(table)


def _named(rule: Rule) -> str:
    return f"{rule.number} {rule.account}" if rule.is_of_console else f"line {rule.line}"


def _sentence(rule: Rule) -> str:
    where = "on all pages" if rule.source == "*" else f"on {rule.source}"
    place = f" at {rule.position}" if rule.position else ""
    return f"{rule.action} {rule.target} {where}{place}"


def _days(rule: Rule) -> tuple[str, str]:
    from recommender.lists.local_times import as_written

    zone = here().zone
    return as_written(rule.starts, zone), as_written(rule.ends, zone, is_end=True)


def _state(effect: Effect) -> Any:
    from recommender.lists.effects import KINDS

    if not effect.kind:
        return "in force"
    text = f"{KINDS[effect.kind]}: {_why(effect)}"
    return styled(text, "bold red") if effect.is_idle else text


def _why(effect: Effect) -> str:
    return f"{effect.why}; {effect.question}" if effect.near else effect.why


def _content(effect: Effect) -> dict[str, Any]:
    """What JSON has of a rule and what becomes of it."""
    return {
        **_fields(effect.rule),
        "effect": effect.kind or "in force",
        "why": effect.why or None,
        "near": [{"id": id, "title": title} for id, title in effect.near],
    }


def _fields(rule: Rule) -> dict[str, Any]:
    return {
        "stands_in": "console" if rule.is_of_console else "file",
        "line": rule.line or None,
        "number": rule.number or None,
        "account": rule.account or None,
        "action": rule.action,
        "source": rule.source,
        "target": rule.target,
        "position": rule.position,
        "starts": rule.starts.isoformat() if rule.starts else None,
        "ends": rule.ends.isoformat() if rule.ends else None,
        "reason": rule.reason,
    }
