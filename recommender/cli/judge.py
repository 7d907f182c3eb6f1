"""The command of judges: grades of people, blind, one link after the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from recommender.bundle import registry
from recommender.bundle.composition import MAX_K
from recommender.cli.output import COUNT, as_json, here, now, warn
from recommender.errors import RecommenderError
from recommender.events.event import HAND_PICKED
from recommender.fields import FieldError
from recommender.lists.arms import LIVE
from recommender.terminal import (
    Cell,
    Keys,
    Table,
    below,
    passage,
    say,
    say_json,
    show,
    styled,
)

if TYPE_CHECKING:
    import pandas as pd

    from recommender.bundle.bundle import Bundle
    from recommender.config import Settings
    from recommender.evaluation.judgements import Judged, Source
    from recommender.evaluation.judging import Judging, Page, Plan, Step
    from recommender.store.database import Store

FILE = click.Path(path_type=Path, dir_okay=False)
TEXT = "text"
PERCENT = click.IntRange(0, 100)
KEYS = (
    ("0-3", "a grade"),
    ("b", "back to the link before"),
    ("s", "skip this link; it is asked again another day"),
    ("p", "skip the rest of this page"),
    ("m", "more of the link's text"),
    ("n", "write a note beside the next grade"),
    ("?", "grades and keys"),
    ("q", "quit; all grades are kept, and the same command goes on here"),
)


@click.command("judge")
@click.option("--by", metavar="NAME", help="who judges; initials will do")
@click.option(
    "--list",
    "lists",
    multiple=True,
    metavar="LIST",
    help="live, hand-picked, text, a bundle, or a file of lists; more than once  [default: live "
    "and hand-picked, or text if there are none]",
)
@click.option("--pages", type=COUNT, default=30, metavar="N", help="pages, for all judges together")
@click.option("-k", "depth", type=click.IntRange(1, MAX_K), metavar="N",
              help="links of each list  [default: 5, or as before]")  # fmt: skip
@click.option(
    "--sample",
    "sampling",
    type=click.Choice(["views", "pages"]),
    help="how pages are drawn: by how often they are read, or each alike  [default: views]",
)
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="of the draw  [default: 0]")
@click.option(
    "--overlap",
    type=PERCENT,
    default=20,
    metavar="PERCENT",
    help="of the pages, that every judge is asked for",
)
@click.option("--redraw", is_flag=True, help="draw pages anew; all grades are kept")
@click.option("--status", is_flag=True, help="what has been graded, and how far judges agree")
@click.option("--export", "exported", type=FILE, metavar="FILE",
              help="write grades, .csv or .qrels; with --by those of one judge")  # fmt: skip
@click.option("--import", "imported", type=FILE, metavar="FILE",
              help="read grades, .csv or .qrels; --by is for files without judges")  # fmt: skip
@as_json
def judge(
    by: str | None,
    lists: tuple[str, ...],
    pages: int,
    depth: int | None,
    sampling: str | None,
    seed: int | None,
    overlap: int,
    redraw: bool,
    status: bool,
    exported: Path | None,
    imported: Path | None,
    as_json: bool,
) -> None:
    """Grade links beside a sample of pages, without knowing which list they are from.

    The links of two or more lists are mixed and shown one by one; a grade is a key. Grades are kept
    as they are given, so that you can quit at any time and go on with the same command. `evaluate`
    then shows how good each list is. Judges share a part of the pages, so that it is known how far
    they agree.

    \b
    example:
      recommender judge --by ann
      recommender judge --by ben --list live --list 20261122-101500-3f2a9c
      recommender judge --status
      recommender judge --export grades.csv
    """
    from recommender.evaluation.grade_files import judge_name
    from recommender.evaluation.judging import Plan
    from recommender.store.database import Store

    tasks = [name for name, asked in (
        ("--status", status), ("--export", exported), ("--import", imported)) if asked
    ]  # fmt: skip
    if len(tasks) > 1:
        raise click.UsageError(f"{tasks[0]} and {tasks[1]} are two tasks; ask for one")
    if not tasks and by is None:
        raise click.UsageError("who judges? --by NAME; or --status, --export FILE, --import FILE")
    if by is not None:
        try:
            by = judge_name(by)
        except FieldError as exc:
            raise click.BadParameter(str(exc).partition(": ")[2], param_hint="--by") from None
    settings = here()
    reading = bool(status or exported)
    with Store(settings.database, writing=not reading, create=False) as store:
        if status:
            _status(store, as_json=as_json)
        elif exported:
            _export(store, exported, by, as_json=as_json)
        elif imported:
            _import(store, imported, by, as_json=as_json)
        else:
            plan = Plan(pages, sampling, seed, depth, overlap / 100, redraw)
            _judge(store, settings, lists, plan, str(by))


def _judge(store: Store, settings: Settings, names: tuple[str, ...], plan: Plan, by: str) -> None:
    from recommender.evaluation.judging import begin

    lists = _sources(store, settings, names)
    judging, remarks = begin(store, lists, plan, by=by, clock=now)
    warn(remarks)
    try:
        with Keys() as keys:
            _ask(judging, keys)
    except (EOFError, KeyboardInterrupt):
        say("")
    _part(judging)


def _sources(store: Store, settings: Settings, names: tuple[str, ...]) -> list[Source]:
    """The lists by their names, each once."""
    from recommender.evaluation.given_lists import read_lists
    from recommender.evaluation.judgements import (
        lists_by_page,
        lists_by_text,
        lists_of_bundle,
        lists_of_editors,
    )

    editors = None
    if not names or HAND_PICKED in names:
        articles = {article.id: article for article in store.articles(with_body=False)}
        editors = lists_of_editors(articles, MAX_K)
        editors = editors if editors.pages else None
    asked = dict.fromkeys(names or (LIVE, HAND_PICKED if editors else TEXT))
    if not names and not editors:
        warn(["the store has no hand-picked lists; nearest texts are judged in their place"])
    found: dict[str, Source] = {}
    for name in asked:
        if name == HAND_PICKED:
            if editors is None:
                raise RecommenderError("--list hand-picked: no page of the store has such a list")
            source = editors
        elif Path(name).is_file():
            source = lists_by_page(Path(name).name, read_lists(Path(name)))
        elif name == TEXT:
            source = lists_by_text(_bundle(settings.models, LIVE), MAX_K)
        else:
            source = lists_of_bundle(_bundle(settings.models, name), MAX_K)
        found.setdefault(source.name, source)
    return [*found.values()]


def _bundle(models: Path, name: str) -> Bundle:
    from recommender.bundle.bundle import Bundle, load_bundle

    if name == LIVE:
        return load_bundle(models)
    path = Path(name)
    if path.name != name:
        return load_bundle(path)
    folder = registry.inside(models, name)
    if not folder.exists():
        raise RecommenderError(
            f"--list {name}: there is no such bundle in {models}, and no such file; {LIVE}, "
            f"{HAND_PICKED} and {TEXT} are lists too"
        )
    return Bundle(folder)


def _ask(judging: Judging, keys: Keys) -> None:
    """Ask until all is answered, or he quits."""
    from recommender.evaluation.judgements import HIGHEST

    page: Page | None = None
    note = ""
    if judging.step is not None:
        _show_keys()
    while (step := judging.step) is not None:
        if step.page is not page:
            page = step.page
            _show_page(step)
        _show_link(step)
        before = "" if step.grade is None else f" (you gave {step.grade})"
        while True:
            pressed = keys.next(f"  grade 0-3{before}, or b s p m n ? q:").lower()
            if pressed.isascii() and pressed.isdigit() and int(pressed) <= HIGHEST:
                judging.grade(int(pressed), note=note)
                note = ""
            elif pressed == "b":
                if not judging.back():
                    say("  this is the first link")
                    continue
            elif pressed == "s":
                judging.skip()
            elif pressed == "p":
                judging.skip_page()
            elif pressed == "m":
                show(passage(step.link.beginning or "nothing more is known of it", indent=4))
                continue
            elif pressed == "n":
                note = keys.line("  note:")
                continue
            elif pressed == "q":
                return
            elif pressed == "?":
                _show_keys()
                continue
            else:
                if pressed:
                    say("  this key does nothing here; ? shows those that do")
                continue
            break


def _show_keys() -> None:
    from recommender.evaluation.judgements import GRADES

    say("", "How good is each link for a reader of the page, if it is what he sees next?")
    for number, meaning in enumerate(GRADES):
        say(f"  {number}  {meaning}")
    say("", "Keys:")
    for name, does in KEYS:
        say(f"  {name:<4} {does}")


def _show_page(step: Step) -> None:
    page = step.page.page
    say("", f"--- page {step.page_number} of {step.n_pages} ---", "")
    show(passage(page.title, style="bold"))
    if page.beginning:
        show(passage(page.beginning))
    elif page.teaser:
        show(passage(page.teaser))


def _show_link(step: Step) -> None:
    say("", f"  link {step.link_number} of {len(step.page.links)}")
    show(passage(step.link.title, style="bold", indent=4))
    if step.link.teaser:
        show(passage(step.link.teaser, indent=4))


def _part(judging: Judging) -> None:
    """What came of it, and what is left."""
    from recommender.evaluation.report.text import count

    say("")
    if judging.n_given == 0 and judging.step is None and judging.n_skipped == 0:
        say(f"Nothing is left to judge for {judging.by}: all of the {judging.n_pages:,} pages are.")
    else:
        say(f"{count(judging.n_given, 'grade')} given by {judging.by}; all are kept.")
    if judging.n_skipped:
        say(f"{count(judging.n_skipped, 'link')} skipped; asked again next time.")
    if judging.n_again:
        say(
            f"{count(judging.n_again, 'link')} you had graded before asked again, so that new ones "
            f"are not known as such: {judging.n_alike:,} got the same grade. The last one counts."
        )
    if judging.n_passed_over:
        passed = count(judging.n_passed_over, "page")
        say(f"{passed} passed over: the articles are gone, or another judge began there.")
    if judging.step is not None:
        say(
            f"You are at page {judging.step.page_number} of {judging.n_pages:,}; the same command "
            "goes on there."
        )
    else:
        say("recommender evaluate uses the grades; recommender judge --status counts them.")


def _status(store: Store, *, as_json: bool) -> None:
    from recommender.evaluation.judgements import agreement_of, as_records, judges_of
    from recommender.evaluation.report.text import count
    from recommender.store.grades import drawn, read

    draw, grades = drawn(store), read(store)
    graded = {grade.source_id for grade in grades}
    n_done = sum(page.source_id in graded for page in draw.pages) if draw else 0
    if as_json:
        how = draw and {
            "sample": draw.drawn_by, "seed": draw.seed, "out_of": draw.n_pages, "k": draw.depth,
            "at": draw.at.isoformat(), "graded": n_done,
        }  # fmt: skip
        agreed = agreement_of(grades).to_dict()
        judges = as_records(judges_of(grades)) if grades else {}
        say_json({"draw": how, "grades": len(grades), "judges": judges, "agreement": agreed})
        return
    if draw:
        how_drawn = "by how often they are read" if draw.drawn_by == "views" else "each alike"
        say(
            f"Pages drawn out of {draw.n_pages:,}, {how_drawn} (seed {draw.seed}, "
            f"{draw.at:%Y-%m-%d}), {draw.depth} links of each list; {count(n_done, 'page')} with a "
            "grade so far."
        )
    else:
        say("No pages are drawn yet; recommender judge --by NAME draws them.")
    if not grades:
        say("Nobody has graded a link yet.")
        return
    show(_judges(judges_of(grades)))
    say(agreement_of(grades).verdict)


def _judges(judges: pd.DataFrame) -> Table:
    table = Table(is_plain=True)
    table.add_column("judge", overflow="fold")
    for name in ("grades", "pages", "mean", "last"):
        table.add_column(name, justify="right")
    for name, row in judges.iterrows():
        cells = (f"{row['grades']:,}", f"{row['pages']:,}", f"{row['mean']:.2f}")
        table.add_row(str(name), *cells, f"{row['last']:%Y-%m-%d %H:%M}")
    return table


def _export(store: Store, path: Path, by: str | None, *, as_json: bool) -> None:
    from recommender.evaluation import grade_files
    from recommender.store.grades import read

    grades = read(store, by=by)
    if not grades:
        raise RecommenderError(
            f"{path}: not written: there are no grades{f' by {by}' if by else ''}"
        )
    n = grade_files.write(path, grades)
    judges = len({grade.by for grade in grades})
    if as_json:
        say_json({"written": n, "grades": len(grades), "judges": judges})
        return
    say(f"{n:,} grades written to {path}")
    if grade_files.is_qrels(path) and judges > 1:
        say(f"the mean of {judges:,} judges, rounded; a file of .csv has each one's grades")


def _import(store: Store, path: Path, by: str | None, *, as_json: bool) -> None:
    from recommender.evaluation import grade_files
    from recommender.store.grades import write

    found = grade_files.read(path, now=now(), by=by)
    warn(found.remarks)
    if not found.grades:
        raise RecommenderError(f"{path}: no grade in it")
    written = write(store, found.grades)
    ids = {id for grade in found.grades for id in grade.pair}
    unknown = sorted(ids - {article.id for article in store.articles(with_body=False, ids=ids)})
    counts = {
        "new": written.new, "replaced": written.replaced, "same": written.same,
        "older": written.later, "duplicates": found.duplicates, "unknown_articles": len(unknown),
    }  # fmt: skip
    if as_json:
        say_json({**counts, "remarks": found.remarks})
        return
    say(f"{written.new:,} grades new, {written.replaced:,} in the place of older ones")
    for n, what in (
        (written.same, "were here already"),
        (written.later, "left out: the store has a later one of the same judge"),
        (found.duplicates, "of the file left out: the same judge graded the link again in it"),
    ):
        if n:
            say(f"{n:,} {what}")
    if unknown:
        named = ", ".join(unknown[:5])
        say(f"{len(unknown):,} articles they name are not in the store (such as {named})")


def show_grades(store: Store, sides: Sequence[Bundle | str], *, k: int) -> None:
    """What people's grades make of the lists of bundles, if the store has any."""
    from recommender.bundle.bundle import Bundle
    from recommender.evaluation.baselines import MODEL
    from recommender.evaluation.judgements import judged_in

    bundles = [side for side in sides if isinstance(side, Bundle)]
    names = [MODEL] if len(bundles) == 1 else [bundle.name for bundle in bundles]
    if bundles and (found := judged_in(store, dict(zip(names, bundles, strict=True)), k=k)):
        show_judged(found)


def show_judged(found: Judged) -> None:
    """What people's grades make of lists, as a table and sentences."""
    from recommender.evaluation.report.text import number, p_value

    first = str(found.table.index[0])
    table = Table(is_plain=True)
    table.add_column("lists", no_wrap=True)
    for name in (found.metric, "gain", "p", "grade", "graded"):
        table.add_column(name, justify="right", no_wrap=True)
    for nth, (name, row) in enumerate(found.table.iterrows()):
        mean, gain = (row[each] for each in (found.metric, "gain"))
        cells: list[Cell] = ["-", "", ""]
        if mean == mean:
            low, high = row[f"{found.metric} low"], row[f"{found.metric} high"]
            cells[0] = below(f"{mean:.3f}", f"{low:.3f}-{high:.3f}")
        if nth and gain == gain:
            low, high = row["gain low"], row["gain high"]
            cells[1:] = [
                below(f"{gain:+.3f}", f"{low:+.3f} to {high:+.3f}"),
                p_value(row["gain p"]),
            ]
        cells += [number(row["mean grade"], ".2f"), number(row["graded"], ".0%")]
        table.add_row(str(name), *cells)
    title = f"whole lists by the grades of people, per {found.per}"
    show(styled(title, "italic"), table)
    say(found.verdict, found.agreement.verdict)
    say(
        *(f"- {note}" for note in found.notes),
        f"- gain: how much better {first} is; grade: the mean, of 0 to 3; graded: the share of the "
        f"first {found.k} links with a grade; links without one are taken out before lists are "
        "cut.",
    )
