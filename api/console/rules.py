"""All rules of the site, of the file and of the console: which do nothing and why, how they are
made, changed and removed, and who did what.

What becomes of every rule is worked out when rules, articles or the bundle change, or one begins or
ends, and kept; a page shows fifty of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from rapidfuzz import fuzz, utils
from starlette.responses import Response

from recommender.bundle.catalogue import LEAST_ALIKE, ShelfCatalogue
from recommender.errors import EditorialError
from recommender.lists.editorial import LAST, Rules
from recommender.lists.effects import KINDS, Effect, effects, named_rule
from recommender.lists.local_times import NoDate, as_written, moment_of
from recommender.store import finding
from recommender.store import rules as console_rules
from recommender.store.rules import EVERYWHERE, MAX_POSITION, Edit, Rule, fault_of
from recommender_api.answers import Answers
from recommender_api.console.app import Console, Entry, url
from recommender_api.console.drafts import stamp
from recommender_api.console.visit import Visit, whole
from recommender_api.schemas import Refusal

# Rules, and actions of the history, that a page shows; those without effect on top of the first.
PER_PAGE, N_IDLE = 50, 10
N_CHOICES = 5
# Of articles that are but like what was typed, fewer; and among how many one is found by its title.
N_NEAR_SHOWN, N_TITLED = 3, 20
# Unknown names for which articles are proposed on the page: each takes a look at every id.
N_NEAR = 5
STATES = {"": "all", "idle": "take no effect", "force": "in force", "ended": "over",
          "waiting": "not begun"}  # fmt: skip
KEPT = {"": "file and console", "console": "console", "file": "file"}
FIELDS = ("action", "source", "target", "position", "starts", "ends", "reason")


@dataclass(frozen=True, slots=True)
class Typed:
    """A rule as an editor types it. ``number`` is the rule it changes (0: none), ``seen`` the stamp
    that had; ``faults`` what is wrong, by field, and ``choices`` the articles that may be meant.
    """

    action: str = "pin"
    source: str = ""
    target: str = ""
    position: str = ""
    starts: str = ""
    ends: str = ""
    reason: str = ""
    number: int = 0
    seen: str = ""
    faults: dict[str, str] = field(default_factory=dict)
    choices: dict[str, list[tuple[str, str]]] = field(default_factory=dict)


class StoreCatalogue(ShelfCatalogue):
    """As lists are served, with proposals of the store, which has an index for them."""

    def __init__(self, console: Console, answers: Answers) -> None:
        super().__init__(answers.shelf, answers.lists)
        self.console = console

    def near(self, text: str) -> list[tuple[str, str]]:
        with self.console.store.reading() as connection:
            found = finding.propose(connection, text, limit=N_CHOICES)
        return _likely(text, found)


class TitledCatalogue(StoreCatalogue):
    """The same where an editor names articles: a title that one article alone has names it too.

    Rules of the file are served by ids and addresses alone, since titles change.
    """

    def named(self, text: str) -> tuple[str | None, str]:
        id, assumed = super().named(text)
        if id is not None or not text:
            return id, assumed
        with self.console.store.reading() as connection:
            found = finding.find(connection, text, limit=N_TITLED)
        same = [
            each.id for each in found
            if _even(each.title) == _even(text) and self.shelf.find(each.id) is not None
        ]  # fmt: skip
        return (same[0], "its title") if len(same) == 1 else (None, "")


def _even(title: str) -> str:
    return " ".join(title.casefold().split())


def _likely(text: str, found: Sequence[finding.Match]) -> list[tuple[str, str]]:
    """Of what was found those that may well be meant: all that have what was typed; of those that
    are but near to it the few whose ids or titles are like it, since a word in common is no reason.
    """
    exact = [each for each in found if not each.is_near]
    if exact:
        return [(each.id, each.title) for each in exact]
    likely = []
    for each in found:
        of_id = fuzz.ratio(text, each.id, processor=utils.default_process)
        of_title = fuzz.token_sort_ratio(text, each.title, processor=utils.default_process)
        if max(of_id, of_title) >= LEAST_ALIKE:
            likely.append((each.id, each.title))
    return likely[:N_NEAR_SHOWN]


class Looked:
    """What became of all rules when somebody looked last, kept while nothing changes."""

    def __init__(self, console: Console) -> None:
        self.console = console
        # What it holds for, the moment at which it no longer does, and the effects.
        self._kept: tuple[object, datetime, list[Effect]] | None = None

    def effects(self) -> list[Effect]:
        """Of each rule, those of the file first."""
        console = self.console
        answers, now = answers_of(console), now_of(console)
        key = answers, console_rules.last_change(console.store)
        kept = self._kept
        if kept is None or kept[0] != key or now >= kept[1]:
            rules, catalogue = rules_of(console), StoreCatalogue(console, answers)
            found = effects(rules, catalogue, now=now, n_near=N_NEAR)
            moments = (each for rule in rules.rules for each in (rule.starts, rule.ends) if each)
            until = min((each for each in moments if each > now), default=LAST)
            self._kept = kept = key, until, found
        return kept[2]


def answers_of(console: Console) -> Answers:
    """What is served; ``Refusal`` while there is nothing."""
    return console.live.current()


def rules_of(console: Console) -> Rules:
    """The rules of the file as they are served, and those of the store as they are now."""
    of_file = answers_of(console).written.of_file
    return Rules(of_file, zone=console.zone).beside(console_rules.read(console.store))


def now_of(console: Console) -> datetime:
    """The time of the site."""
    return datetime.fromtimestamp(console.now_ms() / 1000, UTC)


def sentence(exc: Exception | str) -> str:
    """A sentence with a capital and a full stop."""
    text = str(exc)
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")


def add(console: Console) -> None:
    """Have the pages answered."""
    looked = Looked(console)
    console.menu.append(Entry("/rules", "Rules"))
    console.get("/rules", "viewer", partial(_shown, console, looked))
    console.get("/rules/edit", "editor", partial(_form, console))
    console.post("/rules/edit", "editor", partial(_saved, console, looked))
    console.get("/rules/named", "editor", partial(_named, console))
    console.post("/rules/remove", "editor", partial(_removed, console))
    console.get("/rules/history", "viewer", partial(_history, console))
    console.post("/rules/undo", "editor", partial(_undone, console))


# All of them


def _shown(console: Console, looked: Looked, visit: Visit) -> Response:
    found = looked.effects()
    titles = StoreCatalogue(console, answers_of(console))
    asked = {name: visit.query(name) for name in ("q", "state", "kept", "action")}
    chosen = [each for each in found if _is_asked(each, asked, titles)]
    n = visit.query("n")
    n_pages = max(1, -(-len(chosen) // PER_PAGE))
    page = min(max(whole(n) or 1, 1), n_pages)
    worst = list(KINDS)
    idle = sorted((each for each in found if each.is_idle), key=lambda e: worst.index(e.kind))
    is_plain = not any(asked.values())
    return console.page(
        visit,
        "rules",
        found=chosen[(page - 1) * PER_PAGE : page * PER_PAGE],
        n_found=len(chosen),
        first=(page - 1) * PER_PAGE + 1,
        idle=idle[:N_IDLE] if is_plain and page == 1 else [],
        counts=_counts(found),
        asked=asked,
        page=page,
        n_pages=n_pages,
        to_page=partial(_to_page, asked),
        title=titles.title,
        kinds=KINDS,
        states=STATES,
        kept=KEPT,
        every=EVERYWHERE,
        stamp=stamp,
        sentence=sentence,
        written=partial(as_written, zone=console.zone),
        notes=answers_of(console).written.notes,
        may_edit=visit.session.may("editor"),
    )


def _counts(found: Sequence[Effect]) -> dict[str, int]:
    return {
        "all": len(found),
        "idle": sum(each.is_idle for each in found),
        "force": sum(not each.kind for each in found),
        "ended": sum(each.kind == "ended" for each in found),
        "waiting": sum(each.kind == "waiting" for each in found),
        "file": sum(not each.rule.is_of_console for each in found),
    }


def _to_page(asked: dict[str, str], n: int) -> str:
    return url("/rules", **asked, n=str(n) if n > 1 else "")


def _is_asked(effect: Effect, asked: dict[str, str], titles: StoreCatalogue) -> bool:
    """Does a rule pass what the form filters by?"""
    rule, state = effect.rule, asked["state"]
    if state == "idle" and not effect.is_idle:
        return False
    if state == "force" and effect.kind:
        return False
    if state in ("ended", "waiting") and effect.kind != state:
        return False
    if asked["kept"] in ("file", "console") and rule.is_of_console != (asked["kept"] == "console"):
        return False
    if asked["action"] in ("pin", "block") and rule.action != asked["action"]:
        return False
    if not (words := asked["q"].casefold().split()):
        return True
    texts = [rule.source, rule.target, rule.reason, rule.account]
    texts += [titles.title(id) for id in (rule.source, rule.target) if id != EVERYWHERE]
    text = " ".join(texts).casefold()
    return all(word in text for word in words)


# One of them


def _form(console: Console, visit: Visit) -> Response:
    number = visit.query("number")
    if not number:
        given: dict[str, Any] = {name: visit.query(name) for name in FIELDS if visit.query(name)}
        return _edit_page(console, visit, Typed(**given))
    rule = _there(console, number)
    return _edit_page(console, visit, _typed(rule, console))


def _typed(rule: Rule, console: Console) -> Typed:
    return Typed(
        action=rule.action,
        source=rule.source,
        target=rule.target,
        position="" if rule.position is None else str(rule.position),
        starts=as_written(rule.starts, console.zone),
        ends=as_written(rule.ends, console.zone, is_end=True),
        reason=rule.reason,
        number=rule.number,
        seen=stamp(rule),
    )


def _there(console: Console, number: str) -> Rule:
    """The rule of this number; ``Refusal`` if it is gone."""
    for rule in console_rules.read(console.store):
        if str(rule.number) == number:
            return rule
    raise Refusal(404, "no_rule", "That rule is not there any more: somebody removed it.")


def _edit_page(
    console: Console, visit: Visit, typed: Typed, *, fault: str = "", status: int = 200
) -> Response:
    return console.page(
        visit,
        "rule",
        200 if visit.is_fragment else status,
        typed=typed,
        fault=fault,
        title=StoreCatalogue(console, answers_of(console)).title,
        every=EVERYWHERE,
        most=MAX_POSITION,
        sentence=sentence,
    )


def _saved(console: Console, looked: Looked, visit: Visit) -> Response:
    given: dict[str, Any] = {name: visit.field(name) for name in FIELDS}
    typed = Typed(
        **given,
        number=whole(visit.field("number")) or 0,
        seen=visit.field("seen"),
    )
    # A proposal was chosen.
    name, _, id = visit.field("pick").partition(" ")
    if name == "source":
        typed = replace(typed, source=id)
    elif name == "target":
        typed = replace(typed, target=id)
    typed, rule = _checked(console, typed)
    if rule is None:
        return _edit_page(console, visit, typed, status=422)
    try:
        edit = Edit(rule, typed.number, _as_seen(console, typed))
        done = console_rules.write(console.store, [edit], account=visit.account, at=now_of(console))
    except EditorialError as exc:
        return _edit_page(console, visit, typed, fault=sentence(exc), status=422)
    console.live.refresh()
    said = f"Saved: {_of_saved(looked, done)}"
    return console.go(visit, "/rules", q=rule.target if rule.source == EVERYWHERE else rule.source,
                      done=said)  # fmt: skip


def _of_saved(looked: Looked, done: console_rules.Written) -> str:
    """What becomes of what was just saved, in a sentence."""
    found = looked.effects()
    numbers = {rule.number for rule in done.rules}
    ours = [each for each in found if each.rule.number in numbers and each.kind]
    said = "live here now, and within ten seconds everywhere."
    if ours:
        said = f"but {ours[0].why}."
    for other in done.beside:
        if not ours:
            said += f" {named_rule(other)} wants the same place."
    return said


def _checked(console: Console, typed: Typed) -> tuple[Typed, Rule | None]:
    """What was typed with its faults, and the rule if there are none."""
    catalogue = TitledCatalogue(console, answers_of(console))
    faults: dict[str, str] = {}
    choices: dict[str, list[tuple[str, str]]] = {}
    ids = {"source": typed.source, "target": typed.target}
    for name, text in ids.items():
        if not text:
            faults[name] = "Name an article, by its id, its address or words of its title."
        elif text == EVERYWHERE and name == "source":
            continue
        else:
            id, _ = catalogue.named(text)
            if id is None:
                choices[name], are_near = _choices(console, text)
                faults[name] = f"There is no article “{text}”."
                if choices[name] and are_near:
                    faults[name] += " Did you mean one of these?"
                elif choices[name]:
                    faults[name] = f"Several articles have “{text}”. Which of these?"
                    if len(choices[name]) == 1:
                        faults[name] = f"“{text}” is not the whole name of an article. This one?"
            else:
                ids[name] = id
    position = typed.position if typed.action == "pin" else ""
    if position and not 1 <= (whole(position) or 0) <= MAX_POSITION:
        faults["position"] = f"A place is a number from 1 to {MAX_POSITION}."
    times: dict[str, datetime | None] = {}
    for name in ("starts", "ends"):
        try:
            text = getattr(typed, name)
            times[name] = moment_of(text, console.zone, is_end=name == "ends") if text else None
        except NoDate as exc:
            faults[name] = sentence(exc)
    if faults:
        return replace(typed, faults=faults, choices=choices), None
    rule = Rule(
        typed.action, ids["source"], ids["target"], int(position) if position else None,
        times["starts"], times["ends"], typed.reason,
    )  # fmt: skip
    if fault := fault_of(rule):
        name = {"from": "starts", "until": "ends"}.get(fault[0], fault[0])
        return replace(typed, faults={name: sentence(fault[1])}), None
    return typed, rule


def _choices(console: Console, text: str) -> tuple[list[tuple[str, str]], bool]:
    """Articles that an editor may have meant, and whether they are but near to what was typed."""
    with console.store.reading() as connection:
        found = finding.find(connection, text, limit=N_CHOICES)
        if all(each.is_near for each in found):
            found = finding.propose(connection, text, limit=N_CHOICES) or found
    return _likely(text, found), all(each.is_near for each in found)


def _as_seen(console: Console, typed: Typed) -> Rule | None:
    """The rule that is changed. ``EditorialError`` if it is not as the editor saw it."""
    if not typed.number:
        return None
    seen = next(
        (rule for rule in console_rules.read(console.store) if rule.number == typed.number), None
    )
    if seen is not None and stamp(seen) != typed.seen:
        raise EditorialError(
            f"{seen.account} changed this rule meanwhile: open it again from the list of rules"
        )
    return seen


def _named(console: Console, visit: Visit) -> Response:
    """What a name stands for, while it is typed."""
    text = (visit.query("source") or visit.query("target")).strip()
    if not text:
        return console.html("named", title="", choices=[], text="", assumed="")
    if text == EVERYWHERE:
        return console.html("named", title="every page", choices=[], text=text, assumed="")
    catalogue = TitledCatalogue(console, answers_of(console))
    id, assumed = catalogue.named(text)
    if id is not None:
        return console.html(
            "named", title=catalogue.title(id), choices=[], text=text, assumed=assumed
        )
    with console.store.reading() as connection:
        found = finding.find(connection, text, limit=N_CHOICES)
    return console.html("named", title="", choices=_likely(text, found), text=text, assumed="")


def _removed(console: Console, visit: Visit) -> Response:
    """Remove a rule; before that ask whether it is to go."""
    number = visit.field("number")
    rule = _there(console, number)
    if stamp(rule) != visit.field("seen"):
        raise EditorialError(f"{rule.account} changed this rule meanwhile: look at it again")
    if visit.field("sure") != "yes":
        return console.page(
            visit,
            "rule_remove",
            rule=rule,
            stamp=stamp,
            every=EVERYWHERE,
            title=StoreCatalogue(console, answers_of(console)).title,
            written=partial(as_written, zone=console.zone),
        )
    done = console_rules.remove(
        console.store, rule.number, account=visit.account, at=now_of(console), seen=rule
    )
    console.live.refresh()
    said = f"Rule {rule.number} is removed. The history has it, as action {done.action}."
    return console.go(visit, "/rules/history", done=said)


# Who did what


def _history(console: Console, visit: Visit) -> Response:
    actions = console_rules.history(
        console.store,
        before=whole(visit.query("before")),
        limit=PER_PAGE + 1,
    )
    is_more = len(actions) > PER_PAGE
    return console.page(
        visit,
        "rules_history",
        actions=actions[:PER_PAGE],
        older=url("/rules/history", before=str(actions[PER_PAGE - 1].number)) if is_more else "",
        title=StoreCatalogue(console, answers_of(console)).title,
        every=EVERYWHERE,
        sentence=sentence,
        may_edit=visit.session.may("editor"),
    )


def _undone(console: Console, visit: Visit) -> Response:
    number = whole(visit.field("number_of"))
    if number is None:
        raise EditorialError("there is no such action")
    try:
        console_rules.undo(console.store, number, account=visit.account, at=now_of(console))
    except EditorialError as exc:
        raise EditorialError(f"action {number} cannot be undone: {exc}") from exc
    console.live.refresh()
    return console.go(visit, "/rules/history", done=f"Action {number} is undone.")
