"""What may be said on the command line: every command, its words, its example; see ``cli``."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from recommender import __version__
from recommender.articles.article import parse_timestamp
from recommender.cli import analysts, operators
from recommender.events.formats.detect import FORMATS


def command_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="recommender", description="Related-article lists learned from text and clicks."
    )
    parser.add_argument("--version", action="version", version=__version__)
    groups = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_import(groups)
    _add_validate(groups)
    _add_train(groups)
    _add_forget(groups)
    _add_lists(groups)
    _add_evaluate(groups)
    _add_models(groups)
    _add_serve(groups)
    return parser


Groups = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _command(groups: Groups, name: str, what: str, example: str) -> argparse.ArgumentParser:  # type: ignore[valid-type]
    """A sub-command whose help ends with an example."""
    return groups.add_parser(  # type: ignore[attr-defined]
        name,
        help=what,
        description=what[0].upper() + what[1:] + ".",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_import(groups: Groups) -> None:  # type: ignore[valid-type]
    importing = _command(
        groups, "import", "bring in articles or events", "recommender import articles pages/"
    ).add_subparsers(metavar="WHAT", required=True)
    articles = _command(
        importing,
        "articles",
        "import articles: text pages, HTML, JSON Lines, CSV, Parquet, plain or gzip'd",
        "recommender import articles pages/ --url 'https://example.org/{id}.html'",
    )
    kinds = ["auto", "pages", "html", "jsonl", "csv", "parquet"]
    articles.add_argument("--format", choices=kinds, default="auto", help="auto: by the name")
    articles.add_argument("--full", action="store_true", help="remove what is no longer there")
    articles.add_argument("--url", default="", help="address of pages without one; {id} is the id")
    places = {"title": "title", "body": "main text", "recommended": "hand-picked list"}
    for name, what in places.items():
        articles.add_argument(
            f"--{name}-selector", metavar="CSS", help=f"where HTML has its {what}"
        )
    events = _command(
        importing,
        "events",
        "import impressions, clicks and page views: "
        f"{', '.join(format.title for format in FORMATS)}, plain or gzip'd",
        "recommender import events clicks.jsonl.gz",
    )
    events.add_argument(
        "--format",
        choices=["auto", *(format.name for format in FORMATS)],
        default="auto",
        help="auto: by the name and the first record",
    )
    events.add_argument(
        "--again", action="store_true", help="read files that were imported before from the start"
    )
    for command in (articles, events):
        command.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="file or folder")
        command.add_argument(
            "--max-bad",
            metavar="N|P%",
            help="import nothing if more records are bad (default: 20%%, but 3 are always borne)",
        )
        command.add_argument("--json", action="store_true", help="say what was done as JSON")
    articles.set_defaults(run=analysts.import_articles)
    events.set_defaults(run=analysts.import_events)


def _add_validate(groups: Groups) -> None:  # type: ignore[valid-type]
    validate = _command(
        groups,
        "validate",
        "is the data fit to train on? named checks, PASS or FAIL; exit status 1 if one failed",
        "recommender validate --json",
    )
    validate.add_argument("--json", action="store_true", help="the checks as JSON")
    validate.set_defaults(run=operators.validate)


def _add_train(groups: Groups) -> None:  # type: ignore[valid-type]
    train = _command(
        groups,
        "train",
        "train a bundle from the store, publish it and make it live",
        "recommender train --jobs 2",
    )
    train.add_argument("--until", type=_moment, metavar="TS", help="leave out views from then on")
    train.add_argument("--jobs", type=_positive, default=2, metavar="N", help="processes (2)")
    train.add_argument("--now", type=_moment, metavar="TS", help="the time of the build")
    train.add_argument(
        "--if-new",
        type=_positive,
        metavar="N",
        help="do nothing unless N clicks came since the live bundle was built",
    )
    live = train.add_mutually_exclusive_group()
    live.add_argument("--no-activate", action="store_true", help="publish, but do not make live")
    live.add_argument(
        "--promote-if-better",
        action="store_true",
        help="make live only if it is not worse than the live one on views new to both; says why, "
        "and takes twice as long",
    )
    train.add_argument("--json", action="store_true", help="say what was done as JSON")
    train.set_defaults(run=operators.train)


def _add_forget(groups: Groups) -> None:  # type: ignore[valid-type]
    forget = _command(
        groups,
        "forget",
        "remove raw events; what was counted of them by day stays",
        "recommender forget --older-than 90",
    )
    which = forget.add_mutually_exclusive_group(required=True)
    which.add_argument("--session", metavar="ID", help="what this session did")
    which.add_argument(
        "--older-than",
        type=_age,
        metavar="DAYS",
        help="what is older than so many days, or than a date",
    )
    forget.set_defaults(run=operators.forget)


def _add_lists(groups: Groups) -> None:  # type: ignore[valid-type]
    related = _command(
        groups,
        "related",
        "show the list of an article",
        "recommender related why-does-my-knee-click -k 5 --explain",
    )
    related.add_argument("id", metavar="ID", help="the article's id")
    related.add_argument("-k", type=_positive, default=10, help="links to show (10)")
    related.add_argument("--explain", action="store_true", help="say why each link is there")
    related.add_argument("--json", action="store_true", help="the list as JSON")
    related.set_defaults(run=analysts.related)
    export = _command(
        groups,
        "export",
        "write the lists of all articles as files",
        "recommender export out/ --format pages",
    )
    export.add_argument("folder", type=Path, metavar="DIR", help="where to write")
    export.add_argument(
        "--format",
        choices=["json", "html", "pages"],
        required=True,
        help="one file for all, a fragment an article, or the text pages with their lists replaced",
    )
    export.add_argument("-k", type=_positive, default=10, help="links a list (10); not for pages")
    export.set_defaults(run=analysts.export)


def _add_evaluate(groups: Groups) -> None:  # type: ignore[valid-type]
    evaluate = _command(
        groups,
        "evaluate",
        "judge a bundle by views it has not seen",
        "recommender evaluate --events held-out.jsonl.gz --html report.html",
    )
    evaluate.add_argument("--bundle", metavar="NAME", help="instead of the live one")
    evaluate.add_argument("--events", type=Path, metavar="PATH", help="instead of the store's log")
    evaluate.add_argument("-k", type=_positive, default=10, help="links that count (10)")
    evaluate.add_argument("--json", type=Path, metavar="FILE", help="write the report as JSON")
    evaluate.add_argument("--html", type=Path, metavar="FILE", help="write the report as a page")
    evaluate.set_defaults(run=analysts.evaluate)


def _add_models(groups: Groups) -> None:  # type: ignore[valid-type]
    actions = _command(
        groups, "models", "list, switch and clear away bundles", "recommender models rollback"
    ).add_subparsers(metavar="ACTION", required=True)
    listing = _command(actions, "list", "show the bundles", "recommender models list")
    listing.add_argument("--json", action="store_true", help="the bundles as JSON")
    listing.set_defaults(run=operators.models_list)
    activate = _command(
        actions,
        "activate",
        "make a bundle live",
        "recommender models activate 20261122-101500-3f2a9c",
    )
    activate.add_argument("name", metavar="NAME", help="as `models list` shows it")
    activate.set_defaults(run=operators.models_activate)
    rollback = _command(
        actions, "rollback", "go back to the bundle before", "recommender models rollback"
    )
    rollback.set_defaults(run=operators.models_rollback)
    prune = _command(
        actions,
        "prune",
        "delete old bundles, never the live one",
        "recommender models prune --keep 5",
    )
    prune.add_argument("--keep", type=_positive, required=True, metavar="N", help="newest to keep")
    prune.set_defaults(run=operators.models_prune)


def _add_serve(groups: Groups) -> None:  # type: ignore[valid-type]
    serve = _command(
        groups,
        "serve",
        "serve the live bundle over HTTP",
        "recommender serve --port 8000 --workers 2",
    )
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    serve.add_argument("--port", type=_port, default=8000, help="port to listen on (8000)")
    serve.add_argument("--workers", type=_positive, default=1, help="processes (1)")
    serve.set_defaults(run=operators.serve)
    demo = _command(
        groups,
        "demo",
        "import the sample site, train, compare the lists, and serve them",
        "recommender demo --no-serve",
    )
    demo.add_argument("--no-serve", action="store_true", help="stop before serving")
    demo.add_argument("--port", type=_port, default=8000, help="port to listen on (8000)")
    demo.add_argument(
        "--readers",
        type=_positive,
        metavar="N",
        help="instead, show the loop: N simulated readers a day, training every night",
    )
    demo.add_argument(
        "--rounds", type=_positive, default=12, metavar="DAYS", help="days of the loop (12)"
    )
    demo.set_defaults(run=operators.demo)


def _moment(text: str) -> datetime:
    try:
        return parse_timestamp(text).astimezone(UTC)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(f"not an ISO 8601 time: {text!r}") from exc


def _age(text: str) -> int | datetime:
    """Days, such as 90 or 90d, or a moment."""
    days = text.removesuffix("d")
    return _positive(days) if days.isascii() and days.isdigit() else _moment(text)


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a number from 1 up, not {text!r}")
    return int(text)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"no port: {text!r}")
    return int(text)
