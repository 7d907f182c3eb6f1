"""The command of sites without a server of their own: lists as files."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from recommender.bundle.addressing import Site, is_address
from recommender.bundle.page_maps import KEYS, MAPS
from recommender.cli.analysts import LENGTH, PATH, edited_bundle
from recommender.cli.output import here, is_absent, moment, now, quiet, warn
from recommender.errors import StoreError
from recommender.lists.appearance import LOOKS
from recommender.progress import Shown
from recommender.store import exports
from recommender.terminal import say

if TYPE_CHECKING:
    from recommender.bundle.bundle import Bundle
    from recommender.bundle.static_slates import StaticSlates
    from recommender.config import Settings

FORMATS = ("json", "html", "pages", *MAPS)
# Options that mean something to some formats only.
OF_FORMATS = {
    "look": ("html",), "template": ("html",), "heading": ("html",), "images": ("html",),
    "dates": ("html",), "layout": ("html",), "names": ("html",), "site": ("html", *MAPS),
    "by": (*MAPS,), "k": ("json", "html", *MAPS), "tokens": ("json", "html", *MAPS),
    "valid_days": ("json", "html", *MAPS),
}  # fmt: skip


def _site(ctx: click.Context, parameter: click.Parameter, given: str) -> str:
    """The address of a site; ``BadParameter`` for what no link of a page may begin with."""
    given = given.strip()
    if given and not is_address(given):
        raise click.BadParameter(
            "an address begins with https://, http:// or /, such as /docs/, and has no ? or #"
        )
    # Of a folder, which it is with or without the slash at its end.
    return given if given.endswith("/") or not given else f"{given}/"


@click.command("export")
@click.argument("folder", type=PATH, metavar="DIR")
@click.option(
    "--format",
    type=click.Choice(FORMATS),
    required=True,
    help="one file for all, a fragment an article, the text pages with their lists replaced, or "
    "a map by page for the data folder of Hugo, Eleventy or Jekyll",
)
@click.option("-k", type=LENGTH, default=10, metavar="N", help="links a list; not for pages")
@click.option("--look", type=click.Choice(LOOKS), default=LOOKS[0], help="of html")
@click.option("--template", type=PATH, metavar="FILE", help="html by your own Jinja2")
@click.option(
    "--heading", metavar="TEXT", help="of html, '' for none; else in each page's language"
)
@click.option("--images/--no-images", default=True, help="pictures in html")
@click.option("--dates/--no-dates", default=False, help="dates in html, as 2026-11-02")
@click.option("--layout", default="", metavar="NAME", help="the kind of place, for the log")
@click.option(
    "--names",
    type=click.Choice(["id", "path"]),
    default="id",
    help="what names a fragment: the article's id, or the path of its address",
)
@click.option(
    "--site",
    default="",
    callback=_site,
    metavar="ADDRESS",
    help="what addresses are relative to: https://example.org/docs/ or /docs/",
)
@click.option("--by", type=click.Choice(KEYS), default=KEYS[0], help="what a map finds a page by")
@click.option(
    "--tokens/--no-tokens",
    default=None,
    help="lists report what is seen and followed  [default: if the store can be written]",
)
@click.option(
    "--valid-days",
    type=click.IntRange(1, 3_650),
    metavar="N",
    help="for how long they report  [default: RECOMMENDER_EXPORT_DAYS]",
)
@click.option("--now", "at", type=moment, metavar="TS", help="the time at which lists are exported")
@quiet
@click.pass_context
def export(
    ctx: click.Context,
    /,
    folder: Path,
    format: str,
    k: int,
    tokens: bool | None,
    valid_days: int | None,
    at: datetime | None,
    **options: Any,
) -> None:
    """Write the lists of all articles as files.

    Files that would be as they are already are left alone.

    \b
    example:
      recommender export out/ --format pages
      recommender export layouts/partials/related/ --format html --look cards --names path
      recommender export data/ --format hugo
    """
    from recommender.bundle import export as exporting
    from recommender.bundle.fragments import Fragments
    from recommender.store.database import Store

    _check_options(ctx, format)
    moment_of = at or now()
    settings = here()
    site = Site(options.pop("site"))
    by, names = options.pop("by"), options.pop("names")
    fragments = None
    if format == "html":
        fragments = Fragments(**options, site=site)
        fragments.check()
    bundle, stored = edited_bundle(at=moment_of), []
    if format == "pages":
        with Store(settings.database, writing=False) as store:
            stored = store.pages()
    days = valid_days or settings.export_days
    slates = None
    if format != "pages" and tokens is not False:
        slates = _slates(bundle, folder, settings, moment_of, days, needed=bool(tokens))
    try:
        with Shown() as progress:
            done = exporting.export(
                bundle, folder, format, stored=stored, k=k, slates=slates, fragments=fragments,
                site=site, by=by, names=names, progress=progress,
            )  # fmt: skip
    finally:
        if slates is not None:
            slates.store.close()
    files = "file" if done.n_changed == 1 else "files"
    say(
        f"{done.n_written:,} lists of bundle {bundle.name} written to {folder}: "
        f"{done.n_changed:,} {files} changed, {done.n_unchanged:,} are as they were"
    )
    if slates is not None and slates.n_signed:
        _say_until(slates, settings)
    warn(done.left)


def _check_options(ctx: click.Context, format: str) -> None:
    """``UsageError`` for an option that would do nothing."""
    for name, formats in OF_FORMATS.items():
        given = ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if given and format not in formats:
            (option,) = (each.opts[0] for each in ctx.command.params if each.name == name)
            *some, last = formats
            listed = f"{', '.join(some)} and {last}" if some else last
            raise click.UsageError(f"{option} is for --format {listed}", ctx)
    if ctx.params["template"] is not None:
        for name in ("look", "images", "dates"):
            if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
                raise click.UsageError(f"a --template decides on {name} itself", ctx)


def _slates(
    bundle: Bundle, folder: Path, settings: Settings, at: datetime, days: int, *, needed: bool
) -> StaticSlates | None:
    """What signs the lists; None, and a remark, if the store cannot be written and that is not
    ``needed``.
    """
    from recommender.bundle.static_slates import StaticSlates
    from recommender.store.database import Store, signing_keys

    now_ms = int(at.timestamp() * 1000)
    store = None
    try:
        if is_absent(settings.database):
            raise StoreError("there is no store")
        # One of an older release is not changed for this, and beside one that cannot be written
        # nothing is left behind.
        with Store(settings.database, writing=False) as reading:
            if not reading.may_be_written():
                raise StoreError(f"{reading.name}: cannot be written")
        store = Store(settings.database, create=False)
        hours = settings.previous_key_hours
        given = settings.signing_key
        key, *_ = signing_keys(store, given, now_ms=now_ms, previous_hours=hours)
        slates = StaticSlates(
            store, key, name=bundle.name, folder=str(folder.resolve()), now_ms=now_ms, days=days,
            n_lists=len(bundle.shelf.pages_with_lists()),
        )  # fmt: skip
        found = exports.standing(store, key, now_ms=now_ms, revoking=hours == 0)
    except StoreError as exc:
        if store is not None:
            store.close()
        if needed:
            raise
        warn([f"{exc}; so the lists have no tokens, and report nothing"])
        return None
    warn(found.sentences(now_ms))
    return slates


def _say_until(slates: StaticSlates, settings: Settings) -> None:
    """Until when the lists report, and what ends that sooner."""
    kept = f" ({slates.n_kept:,} unchanged lists keep their tokens)" if slates.n_kept else ""
    say(
        f"{slates.n_signed:,} lists report what is seen and followed, valid until "
        f"{exports.day_of(slates.all_until_ms)}{kept}; changing the signing key with "
        "RECOMMENDER_PREVIOUS_KEY_HOURS=0 revokes them at once"
    )
    if not settings.allowed_origins:
        say(
            "pages of another origin than the server's may report once "
            "RECOMMENDER_ALLOWED_ORIGINS names it, where the server runs"
        )
