"""Pages of hosts, in the styles that themes have: what a list on them has to live with.

Each is a style sheet and a body with a place for the list, ``{list}``; the grid has a second one in
its sidebar, ``{sidebar}``. None is any site's: the rules are of the kinds that themes have for
headings, lists, links and pictures in a text.
"""

from __future__ import annotations

from dataclasses import dataclass

TEXT = (
    "<p>Garlic wants weeks of cold before it splits into cloves. Plant it in October, pointed end"
    " up, a hand apart, and cover the bed with leaves until the frost is gone.</p>"
)


@dataclass(frozen=True, slots=True)
class HostPage:
    """``attributes`` are those of the ``html`` element."""

    attributes: str
    style: str
    body: str


# What themes do to the elements that a list is made of; each moves a list that lets it.
LIST_RULES = """
nav { display: flex; padding: 1em; background: #333; } nav ul, nav ol { display: flex; }
nav li { float: left; margin-right: 2em; } nav a { display: inline-block; padding: 1em; }
#content h2 { margin: 3rem 0 2rem; border-bottom: 2px solid; font-size: 2.2rem; line-height: 2;
  text-align: center; text-transform: uppercase; letter-spacing: .2em; }
#content h2::before { content: "# "; } .post h2::after { content: " \\00b6"; }
#content ul, #content ol { margin: 0 0 2em 3em; padding-left: 2rem; list-style: square;
  columns: 2; }
#content li { float: left; width: 50%; margin-bottom: 1.2em; padding: 0 0 0 1em; text-indent: -1em;
  line-height: 2.2; font-size: 1.3em; box-sizing: content-box; }
#content li + li { margin-top: 2em; } #content li::before { content: "\\25b8 "; }
.post ol li::marker { content: "+ "; }
#content a { display: inline; border-bottom: 1px dotted; padding-right: 13px; font-weight: 400;
  text-transform: uppercase; box-shadow: inset 0 -2px 0 red; }
#content a[href^="http"]::after { content: " \\2197"; }
#content img { float: left; max-width: 40px; height: auto; margin: 1em; padding: 4px;
  border: 8px solid #eee; box-sizing: content-box; }
#content p { margin: 2em 0; }
"""

HOSTS = {
    "documentation": HostPage(
        'lang="en"',
        """
        * { box-sizing: border-box; }
        body { margin: 0; font: 16px/1.65 system-ui, sans-serif; color: #1c1e21; background: #fff; }
        .layout { display: flex; max-width: 1200px; margin: auto; } main { flex: 1; padding: 2rem; }
        .guide { width: 230px; padding: 1.5rem; border-right: 1px solid #e4e6ea; font-size: 14px; }
        .markdown > h2, .markdown h2 { font-size: 2rem; margin: 2.5rem 0 1rem;
          padding-bottom: .4rem; border-bottom: 1px solid #e4e6ea; }
        .markdown h2::before { content: "\\00a7 "; } .markdown h2::after { content: " #"; }
        .markdown ul, .markdown ol { margin: 0 0 1.25rem; padding-left: 2rem; list-style: decimal; }
        .markdown li { margin: .4rem 0; line-height: 1.9; } .markdown li + li { margin-top: .9rem; }
        .markdown a { color: #0a6ebd; text-decoration: underline; }
        .markdown a[href^="http"]::after { content: " \\2197"; }
        .markdown img { max-width: 100%; border: 1px solid #ddd; padding: 4px; margin: 1rem auto; }
        @media (max-width: 600px) { .guide { display: none; } main { padding: 1rem; } }
        @media (prefers-color-scheme: dark) { body { background: #1b1b1d; color: #e3e3e3; } }
        """,
        '<div class="layout"><div class="guide">Guide</div><main class="markdown">'
        f"<h1>When to plant garlic</h1>{TEXT}{{list}}</main></div>",
    ),
    "blog": HostPage(
        'lang="de"',
        """
        body { margin: 0; font: 19px/1.75 Georgia, serif; color: #333; background: #fffdf9; }
        #page { max-width: 720px; margin: auto; padding: 1.2rem; }
        """
        + LIST_RULES
        + "@media (prefers-color-scheme: dark) { body { background: #201d1b; color: #d9d4ce; } }",
        f'<div id="page"><div id="content" class="post"><h1>Knoblauch</h1>{TEXT}{{list}}{TEXT}'
        "</div></div>",
    ),
    "grid": HostPage(
        'lang="fr"',
        """
        body { margin: 0; font: 16px/1.55 Arial, sans-serif; color: #222; background: #f4f5f7; }
        .wrap { display: grid; grid-template-columns: 1fr 20rem; gap: 2rem; max-width: 1160px;
          margin: auto; padding: 1.5rem; }
        .card { background: #fff; padding: 1.5rem; border-radius: 8px; }
        aside .card { display: flex; flex-direction: column; }
        @media (max-width: 700px) { .wrap { grid-template-columns: 1fr; padding: 1rem; } }
        @media (prefers-color-scheme: dark) { body { background: #0e1116; color: #e6edf3; }
          .card { background: #161b22; } }
        """,
        f'<div class="wrap"><div><div class="card"><h1>Ail</h1>{TEXT}{{list}}</div></div>'
        '<aside><div class="card">{sidebar}</div></aside></div>',
    ),
    "right to left": HostPage(
        'lang="he" dir="rtl"',
        """
        body { margin: 0 auto; max-width: 760px; padding: 1.5rem; font: 18px/1.7 sans-serif; }
        ul, ol { padding-right: 2rem; } h2 { border-right: 4px solid #0a7; padding-right: .6rem; }
        @media (prefers-color-scheme: dark) { body { background: #161616; color: #e8e8e8; } }
        """,
        "<h1>מתי שותלים שום?</h1><p>שום צריך שבועות קרים.</p>{list}",
    ),
}
