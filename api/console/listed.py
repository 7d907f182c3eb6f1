"""A page's list: the old beside the live one, as readers see it, and what an editor does about it.

What is to be done is drafted in the form and shown in a preview (``drafts``), now or as on a day;
saving is one action of the history, and can be undone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from starlette.responses import Response

from recommender.articles.article import Article
from recommender.bundle import figures
from recommender.bundle.composition import DEFAULT_K, Link, Placed
from recommender.bundle.explanation import Explanation
from recommender.errors import EditorialError
from recommender.events.slate_token import N_VARIANTS
from recommender.lists.editorial import Rules
from recommender.lists.effects import KINDS, Effect, effects_on
from recommender.lists.local_times import NoDate, as_written, moment_of
from recommender.store import finding
from recommender.store import rules as console_rules
from recommender.store.rules import EVERYWHERE, MAX_POSITION, Action, Rule
from recommender_api.answers import Answers
from recommender_api.console import drafts as drafting
from recommender_api.console.app import Console
from recommender_api.console.drafts import Draft
from recommender_api.console.rules import StoreCatalogue, TitledCatalogue
from recommender_api.console.visit import Visit, whole
from recommender_api.console.words import page_address
from recommender_api.schemas import Refusal

# Rows of the history that stand on the page.
N_ACTIONS = 20
# Articles that are proposed where what was typed names none.
N_CHOICES = 8


@dataclass(frozen=True, slots=True)
class Row:
    """A link of a list: what readers see, why it is there, and what they did. ``before`` is its
    place without the drafts, None if it is new; ``pin`` is the rule that put it there.
    """

    link: Link
    explanation: Explanation | None
    before: int | None
    pin: Rule | None

    @property
    def unpin(self) -> str:
        """What the button that takes the pin away says: of a rule, or of a draft."""
        number = self.pin.number if self.pin else 0
        draft = number - drafting.FIRST_NUMBER
        return f"drop {draft}" if draft >= 0 else f"remove {number}"


@dataclass(frozen=True, slots=True)
class Picked:
    """A link of the hand-picked list: ``link`` is None where no article is behind it, ``now`` its
    place in the live list, None if it is not there.
    """

    id: str
    link: Link | None
    now: int | None
    explanation: Explanation | None


@dataclass(frozen=True, slots=True)
class Ruled:
    """A rule about the page, the title of its article, and what becomes of it."""

    rule: Rule
    title: str
    effect: Effect


@dataclass(frozen=True, slots=True)
class Pending:
    """A draft with the title of the article it is about, and what is wrong with it."""

    draft: Draft
    title: str
    fault: str = ""
    # Why it would do nothing, or not what it says, though it may be saved.
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """What an editor typed to name an article, for which place, and which it may be: ids with
    titles.
    """

    text: str
    place: str
    articles: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Seen:
    """Everything the page shows."""

    article: Article
    row: int | None
    at: datetime
    is_now: bool
    rows: list[Row] = field(default_factory=list)
    gone: list[Link] = field(default_factory=list)
    picked: list[Picked] = field(default_factory=list)
    ruled: list[Ruled] = field(default_factory=list)
    pending: list[Pending] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    n_exploring: int = 0
    # How often each link was shown here and followed, by its id; None before that was counted.
    counts: dict[str, tuple[int, int]] | None = None
    names: dict[str, str] = field(default_factory=dict)

    def title(self, id: str) -> str:
        """What an article is called, its id if it is not known."""
        return self.names.get(id, id)


def add(console: Console) -> None:
    """Have the page answered."""
    console.get("/page", "viewer", partial(_shown, console))
    console.post("/page", "editor", partial(_sent, console))
    console.post("/page/undo", "editor", partial(_undone, console))


def _shown(console: Console, visit: Visit) -> Response:
    return _page(console, visit, visit.query("id"), visit.query("at"), [])


def _sent(console: Console, visit: Visit) -> Response:
    """Draft something more, or save what is drafted: by the button that was pressed."""
    id, at, (press, of) = visit.field("page"), visit.field("at"), _pressed(visit)
    drafts = drafting.drafts_of(visit.form)
    if press == "save":
        return _saved(console, visit, id, at, drafts)
    try:
        if press == "discard":
            drafts = []
        elif press == "add" or (press == "preview" and visit.field("add")):
            # The Enter key presses the first button of a form, which shows the preview.
            named, place = visit.field("add"), visit.field("add_at") or "1"
            known, _ = TitledCatalogue(console, _answers(console)).named(named)
            if known is None:
                return _page(console, visit, id, at, drafts, choice=_choice(console, named, place))
            press, of = "pin", f"{place}:{known}"
        drafts = _drafted(console, id, drafts, press, of)
    except EditorialError as exc:
        return _page(console, visit, id, at, drafts, fault=_sentence(exc), status=422)
    return _page(console, visit, id, at, drafts)


def _pressed(visit: Visit) -> tuple[str, str]:
    """Which button, and of what."""
    press, _, of = visit.field("press").partition(" ")
    return press, of


def _drafted(console: Console, id: str, drafts: list[Draft], press: str, of: str) -> list[Draft]:
    """The drafts after what the editor has just done."""
    if press == "block":
        return drafting.blocked(drafts, of)
    if press == "ban":
        return drafting.blocked(drafts, of, everywhere=True)
    if press == "drop":
        return [draft for at, draft in enumerate(drafts) if str(at) != of]
    if press not in ("pin", "change", "remove"):
        return drafts
    there, zone = console_rules.read(console.store), console.zone
    if press == "pin":
        typed, _, target = of.partition(":")
        place = whole(typed)
        if place is None or not 1 <= place <= MAX_POSITION or not target:
            raise EditorialError(f"place: {typed[:20]!r} is none of 1 to {MAX_POSITION}")
        return drafting.pinned(drafts, there, id, target, place, zone=zone)
    rule = next((each for each in there if str(each.number) == of), None)
    if rule is None:
        raise EditorialError("that rule is not there any more: somebody removed it")
    change = drafting.changed if press == "change" else drafting.removed
    return change(drafts, rule, zone)


def _choice(console: Console, text: str, place: str) -> Choice:
    """Articles that an editor may have meant."""
    if not text:
        raise EditorialError("name the article to pin: words of its title, its id or its address")
    with console.store.reading() as connection:
        found = [match for match in finding.find(connection, text, limit=N_CHOICES)
                 if not match.is_near]  # fmt: skip
        found = found or finding.propose(connection, text, limit=N_CHOICES)
    if not found:
        raise EditorialError(f"there is no article {text!r}, and none with such words in its title")
    return Choice(text, place, tuple((match.id, match.title) for match in found))


def _saved(console: Console, visit: Visit, id: str, at: str, drafts: Sequence[Draft]) -> Response:
    store, zone = console.store, console.zone
    try:
        _check_known(console, id, drafts)
        there = console_rules.read(store)
        edits = drafting.edits(drafts, id, zone, there)
        done = console_rules.write(store, edits, account=visit.account, at=_now(console))
    except EditorialError as exc:
        return _page(console, visit, id, at, list(drafts), fault=_sentence(exc), status=422)
    console.live.refresh()
    said = "Saved. It is live here now, and within ten seconds everywhere."
    answers = _answers(console)
    rules, numbers = answers.rules, {rule.number for rule in done.rules}
    found = effects_on(rules, id, StoreCatalogue(console, answers), now=_now(console))
    idle = [each.why for each in found if each.rule.number in numbers and each.why]
    if idle:
        said = f"Saved, but not all of it does something now: {'; '.join(idle)}."
    query = {"at": at, "kind": visit.field("kind"), "saved": str(done.action)}
    return console.go(visit, "/page", id=id, done=said, **query)


def _check_known(console: Console, id: str, drafts: Sequence[Draft]) -> None:
    """``EditorialError`` if a rule would be about an article that is not there (any more): a form
    may be old.
    """
    shelf = _answers(console).shelf
    named = [id, *(draft.article for draft in drafts if draft.do != drafting.REMOVE)]
    for each in named:
        if shelf.find(each) is None:
            raise EditorialError(f"there is no article {each!r}, so nothing was saved")


def _undone(console: Console, visit: Visit) -> Response:
    id, number = visit.field("page"), whole(visit.field("number_of"))
    try:
        if number is None:
            raise EditorialError("there is no such action")
        console_rules.undo(console.store, number, account=visit.account, at=_now(console))
    except EditorialError as exc:
        fault = f"That cannot be undone: {exc}"
        return _page(console, visit, id, "", [], fault=fault, status=422)
    console.live.refresh()
    return console.go(visit, "/page", id=id, kind=visit.field("kind"), done="Undone.")


def _page(
    console: Console,
    visit: Visit,
    id: str,
    at: str,
    drafts: list[Draft],
    *,
    fault: str = "",
    status: int = 200,
    choice: Choice | None = None,
) -> Response:
    moment, wrong = _at(console, at)
    seen = _seen(console, id, moment or _now(console), drafts)
    seen.is_now = moment is None
    return console.page(
        visit,
        "listed",
        # htmx swaps in nothing that is not well.
        200 if visit.is_fragment else status,
        seen=seen,
        at=at,
        fault=fault or wrong,
        choice=choice,
        may_edit=visit.session.may("editor"),
        saved=whole(visit.query("saved")) or 0,
        every=EVERYWHERE,
        written=partial(as_written, zone=console.zone),
        reason=reason,
        page_address=page_address,
        # Which of the worst lists he goes through.
        kind=visit.field("kind") or visit.query("kind"),
        kinds=KINDS,
        sentence=_sentence,
    )


def _at(console: Console, text: str) -> tuple[datetime | None, str]:
    """The moment to show the list of, None for now, and what is wrong with the text."""
    if not text:
        return None, ""
    try:
        return moment_of(text, console.zone), ""
    except NoDate as exc:
        return None, f"As on: {exc}"


def _now(console: Console) -> datetime:
    return console.clock().astimezone(UTC)


def _sentence(fault: Exception | str) -> str:
    text = str(fault)
    return f"{text[0].upper()}{text[1:]}" if text else text


def _answers(console: Console) -> Answers:
    answers = console.live.answers
    if answers is None:
        raise Refusal(503, "not_ready", console.live.fault or "No list is there yet.")
    return answers


def _seen(console: Console, id: str, at: datetime, drafts: Sequence[Draft]) -> Seen:
    """What there is to see of a page. ``Refusal`` if there is no such article."""
    store, zone, answers = console.store, console.zone, _answers(console)
    found = store.articles(ids=[id], with_body=False)
    if not found:
        raise Refusal(404, "unknown_article", f"There is no article {id!r}.")
    (article,) = found
    shelf = answers.shelf
    seen = Seen(article, shelf.row(id), at, is_now=True)
    there = console_rules.read(store)
    console_as_drafted, faults = drafting.with_drafts(there, drafts, id, zone)
    file = Rules(answers.written.of_file, zone=zone)
    before = file.beside(there).resolved(shelf.named)
    rules = file.beside(console_as_drafted).resolved(shelf.named)
    if figures.state(console.live.models) is not None:
        seen.counts = figures.links_of(console.live.models, store, id)
    seen.actions = console_rules.history(store, source=id, limit=N_ACTIONS)
    _name(seen, answers, article, [*before.rules, *rules.rules], drafts)
    catalogue = StoreCatalogue(console, answers)
    would_be = {
        each.rule.number: each for each in effects_on(rules, id, catalogue, now=at) if each.why
    }
    for place, draft in enumerate(drafts):
        idle = would_be.get(draft.number or drafting.FIRST_NUMBER + place)
        warning = _sentence(idle.why) if idle and draft.do != drafting.REMOVE else ""
        fault = _sentence(faults.get(place, ""))
        seen.pending.append(Pending(draft, seen.title(draft.article), fault, warning))
    seen.ruled = [
        Ruled(each.rule, seen.title(each.rule.target), each)
        for each in effects_on(before, id, catalogue, now=at)
    ]
    if seen.row is not None:
        seen.n_exploring = getattr(shelf, "share", 0) * 100 // N_VARIANTS
        _fill(seen, answers, rules, before, is_drafted=bool(drafts))
    return seen


def _name(
    seen: Seen,
    answers: Answers,
    article: Article,
    rules: Sequence[Rule],
    drafts: Sequence[Draft],
) -> None:
    """Find the titles of what the page speaks of."""
    wanted = {rule.target for rule in rules if rule.source in (article.id, EVERYWHERE)}
    wanted |= {draft.article for draft in drafts} | {*article.recommended}
    for action in seen.actions:
        wanted |= {rule.target for rule in (*action.before, *action.after)}
    shelf = answers.shelf
    for id in wanted:
        if (row := shelf.find(id)) is not None:
            seen.names[id] = shelf.link(Placed(row, 0.0, ""), 1).title


def _fill(seen: Seen, answers: Answers, rules: Rules, before: Rules, *, is_drafted: bool) -> None:
    """Compose the lists, and explain their links."""
    shelf, id, at = answers.shelf, seen.article.id, seen.at
    links = shelf.related(seen.row, k=DEFAULT_K, rules=rules, now=at)
    old = shelf.related(seen.row, k=DEFAULT_K, rules=before, now=at) if is_drafted else links
    places, were = ({link.id: link.position for link in each} for each in (links, old))
    pins = {rule.target: rule for rule in rules.places(id, at).values()}
    absent = [
        each for each in seen.article.recommended
        if each not in places and shelf.find(each) is not None
    ]  # fmt: skip
    explained = answers.explanations(seen.row, links, absent, rules=rules, now=at)
    seen.rows = [
        Row(link, explained.get(link.id), were.get(link.id), pins.get(link.id)) for link in links
    ]
    seen.gone = [link for link in old if link.id not in places]
    for target in seen.article.recommended:
        row = shelf.find(target)
        link = None if row is None else shelf.link(Placed(row, 0.0, ""), 1)
        seen.picked.append(Picked(target, link, places.get(target), explained.get(target)))


def reason(explanation: Explanation | None) -> str:
    """Why a link stands there, or does not, in words; empty where nothing is known."""
    if explanation is None:
        return ""
    ruling = explanation.rule
    if ruling is not None and ruling.number >= drafting.FIRST_NUMBER:
        what = "pins it here" if ruling.action == "pin" else "blocks it"
        return f"A change that is not saved yet {what}"
    return explanation.sentence
