"""Lists as HTML fragments, by the built-in template or one of a site's own.

A template is Jinja2 in a sandbox: it sees what ``context`` gives it, escapes all it writes, and a
name that it misspells is an error with file and line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape

from recommender.bundle.addressing import NOWHERE, Site
from recommender.bundle.composition import Link
from recommender.bundle.static_slates import Signed
from recommender.errors import TemplateError
from recommender.lists.appearance import LOOKS, heading

BUILT_IN = Path(__file__).parent / "fragment.html.j2"


@dataclass(frozen=True)
class Fragments:
    """How lists are written as HTML: the ``look`` of the built-in template, or a ``template`` of
    the site's own; a ``heading`` for all pages (None: in the language of each; empty: none), with
    ``images`` where half of the links have one, and if asked for ``dates``, which a template of
    the site's own has anyway. ``layout`` names the kind of place in the log.
    ``site`` is what addresses are relative to.
    """

    look: str = LOOKS[0]
    template: Path | None = None
    heading: str | None = None
    images: bool = True
    dates: bool = False
    layout: str = ""
    site: Site = NOWHERE

    @cached_property
    def _compiled(self) -> jinja2.Template:
        path = self.template or BUILT_IN
        environment = ImmutableSandboxedEnvironment(
            loader=jinja2.FileSystemLoader(path.parent),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            finalize=inert,
            keep_trailing_newline=True,
        )
        try:
            path.read_text(encoding="utf-8")
            return environment.get_template(path.name)
        except UnicodeDecodeError as exc:
            raise TemplateError(f"{path}: not in UTF-8 ({exc.reason})") from exc
        except jinja2.TemplateSyntaxError as exc:
            where = path.parent / (exc.name or path.name)
            raise TemplateError(f"{where}:{exc.lineno}: {exc.message}") from exc

    def check(self) -> None:
        """``TemplateError`` if the template cannot be used at all."""
        _ = self._compiled

    def context(
        self, page: Link, links: Sequence[Link], signed: Signed | None, model: str
    ) -> dict[str, Any]:
        """What a template sees; docs/site.md describes it."""
        shown = [self._shown(link) for link in links]
        usual = heading(page.language)
        title = usual if self.heading is None else self.heading
        return {
            "page": {
                "id": page.id, "url": self.site.link(page.url), "title": page.title,
                "language": page.language,
            },
            "links": shown,
            "heading": title,
            # A landmark has a name, whether it is seen or not.
            "label": title or usual,
            "look": self.look,
            # One picture among many links would make tiles of all others.
            "pictured": 0 < len(shown) <= 2 * sum(bool(link["image"]) for link in shown),
            "slate": signed and signed.token,
            "valid_until": signed and signed.valid_until,
            "report": self._report(page.id, signed),
            "model": model,
        }  # fmt: skip

    def _shown(self, link: Link) -> dict[str, Any]:
        shows_dates = self.dates or self.template is not None
        return {
            "id": link.id,
            "url": self.site.link(link.url),
            "title": link.title,
            "teaser": link.teaser,
            "position": link.position,
            "score": link.score,
            "origin": link.origin,
            "image": self.site.link(link.image) if self.images else None,
            "published_at": link.published_at,
            "date": link.published_at[:10] if shows_dates and link.published_at else None,
            "language": link.language,
        }

    def may_report(self, links: Sequence[Link]) -> bool:
        """Whether the widget can report a list: it takes one without any link for an empty place. A
        template of the site's own may know addresses that the articles have not.
        """
        return bool(links) and bool(
            self.template or any(self.site.link(each.url) for each in links)
        )

    def _report(self, id: str, signed: Signed | None) -> Markup:
        """The attributes by which the widget reports a list."""
        if signed is None:
            return Markup("")
        given = {"data-id": id, "data-slate": signed.token}
        given |= {"data-layout": self.layout} if self.layout else {}
        pairs = [Markup(' {}="{}"').format(name, inert(value)) for name, value in given.items()]
        return Markup(" data-recommender") + Markup("").join(pairs)

    def render(
        self, page: Link, links: Sequence[Link], signed: Signed | None = None, *, model: str = ""
    ) -> str:
        """The list of ``page``. ``TemplateError`` names file and line, and the page."""
        template = self._compiled
        try:
            return template.render(self.context(page, links, signed, model))
        except Exception as exc:
            where = self._place_of(exc)
            text = (
                f"there is no template {exc}" if isinstance(exc, jinja2.TemplateNotFound) else exc
            )
            raise TemplateError(f"{where}: {text} (on the page of {page.id})") from exc

    def _place_of(self, exc: Exception) -> str:
        """File and line of the template at which it failed."""
        folder = (self.template or BUILT_IN).parent
        if isinstance(exc, jinja2.TemplateSyntaxError):  # of one that it includes
            return f"{folder / (exc.name or '')}:{exc.lineno}"
        place = str(self.template or BUILT_IN)
        trace: TracebackType | None = exc.__traceback__
        while trace is not None:
            # Jinja puts a frame of its own in place of each of a template's.
            if "__jinja_exception__" in trace.tb_frame.f_globals:
                place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
            trace = trace.tb_next
        return place


def inert(value: Any) -> Any:
    """A value as HTML in which the template languages of Hugo, Eleventy and Jekyll find nothing:
    they read a fragment that they include. What there is not is nothing, rather than "None".

    >>> inert('{{ site.Params }} & {% include "x" %}')
    Markup('&#123;&#123; site.Params }} &amp; &#123;% include &#34;x&#34; %}')
    """
    if isinstance(value, Markup | jinja2.Undefined):
        return value
    if value is None:
        return Markup("")
    return Markup(str(escape(value)).replace("{", "&#123;"))  # noqa: S704 - it is escaped
