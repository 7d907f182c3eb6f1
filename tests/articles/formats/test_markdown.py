"""Markdown of every generator becomes the article its author wrote, and nothing else."""

import time
from pathlib import Path
from typing import Any

import pytest

from recommender.articles.document import Document, LeftOut, Pick
from recommender.articles.formats import markdown
from recommender.articles.linking import link
from recommender.articles.reader import read_articles
from recommender.files import Problem


def read(tmp_path: Path, content: str | bytes, name: str = "posts/garlic.md") -> Any:
    """The one thing a file holds, without the folder in its place."""
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    (found,) = markdown.read(file, tmp_path)
    return found


def fields(tmp_path: Path, head: str, name: str = "posts/garlic.md", body: str = "Text.") -> Any:
    return read(tmp_path, f"---\n{head}\n---\n{body}", name).fields


def html(tmp_path: Path, body: str, name: str = "garlic.md") -> str:
    return read(tmp_path, f"---\ntitle: Garlic\n---\n{body}", name).fields.get("html", "")


JEKYLL = """---
layout: post
title: "When to plant garlic"
date: 2025-10-18 09:30:00 +0100
categories: vegetables autumn
tags: garlic cloves
permalink: /2025/10/garlic/
---
Text."""
HUGO = """+++
title = 'When to plant garlic'
date = 2025-10-18T09:30:00+01:00
categories = ["vegetables"]
tags = ["autumn", "garlic", "cloves"]
url = "/2025/10/garlic/"
draft = false
+++
Text."""
DOCUSAURUS = """---
title: When to plant garlic
slug: /2025/10/garlic/
date: "2025-10-18"
category: vegetables
tags:
  - autumn
  - {label: garlic, permalink: /garlic}
  - cloves
---

# When to plant garlic

Text."""
IN_JSON = """{
  "title": "When to plant garlic", "date": "2025-10-18", "category": "vegetables",
  "tags": "autumn, garlic, cloves", "permalink": "/2025/10/garlic/"
}

Text."""
PELICAN = """Title: When to plant garlic
Date: 2025-10-18
Category: vegetables
Tags: autumn, garlic, cloves
url: /2025/10/garlic/

Text."""
NIKOLA = """<!--
.. title: When to plant garlic
.. date: 2025-10-18
.. category: vegetables
.. tags: autumn, garlic, cloves
.. permalink: /2025/10/garlic/
-->

Text."""
PLAIN = "# When to plant garlic\n\nText."


@pytest.mark.parametrize(
    ("content", "date"),
    [
        (JEKYLL, "2025-10-18 09:30:00 +0100"),
        (HUGO, "2025-10-18T09:30:00+01:00"),
        (DOCUSAURUS, "2025-10-18"),
        (IN_JSON, "2025-10-18"),
        (f"---json\n{IN_JSON.removesuffix('Text.')}---\nText.", "2025-10-18"),
        (PELICAN, "2025-10-18"),
        (NIKOLA, "2025-10-18"),
        (JEKYLL.replace("\n", "\r\n"), "2025-10-18 09:30:00 +0100"),
        ("\ufeff" + JEKYLL, "2025-10-18 09:30:00 +0100"),
    ],
)
def test_the_same_article_comes_out_of_every_generators_fields(
    tmp_path: Path, content: str, date: str
):
    """Dates stay as they are written; a heading that repeats the title is no text."""
    assert read(tmp_path, content) == Document(
        f"{tmp_path}/posts/garlic.md",
        {
            "title": "When to plant garlic",
            "html": "<p>Text.</p>\n",
            "url": "/2025/10/garlic/",
            "category": "vegetables",
            "tags": ["autumn", "garlic", "cloves"],
            "published_at": date,
        },
        "posts/garlic.md",
    )


def test_the_first_heading_is_the_title_where_no_field_is(tmp_path: Path):
    """Else the name of the file; a heading after text is text."""
    assert read(tmp_path, PLAIN).fields == {
        "title": "When to plant garlic",
        "html": "<p>Text.</p>\n",
    }
    assert read(tmp_path, "When\n====\n\nText.").fields["title"] == "When"
    assert fields(tmp_path, "title: A", body="# B\n\nText.")["html"].startswith("<h1>B</h1>")
    assert read(tmp_path, "Text.\n\n# Later", "2025-10-18-when-to-plant.md").fields == {
        "title": "When to plant",
        "html": "<p>Text.</p>\n<h1>Later</h1>\n",
        "published_at": "2025-10-18",
    }
    assert (
        read(tmp_path, "---\n\nText.", "x/02_storing-onions.md").fields["title"] == "Storing onions"
    )


@pytest.mark.parametrize(
    ("head", "name", "expected"),
    [
        ("image: /img/a.jpg", "a.md", {"image": "/img/a.jpg"}),
        ("cover:\n  image: https://x.example/a.jpg\n  alt: x", "a.md",
         {"image": "https://x.example/a.jpg"}),
        ("images: [img/a.jpg, b.jpg]", "a.md", {"image": "/img/a.jpg"}),
        ("image: cover.jpg\nurl: /garlic/", "a/index.md",
         {"image": "/garlic/cover.jpg", "url": "/garlic/"}),
        ("header:\n  teaser: /t.png", "a.md", {"image": "/t.png"}),
        ("author: Jo", "a.md", {"author": "Jo"}),
        ("authors:\n - name: Jo\n   url: /jo\n - Al", "a.md", {"author": "Jo, Al"}),
        ("author: Doe, Jo", "a.md", {"author": "Doe, Jo"}),
        ("description: Wants *cold* & <b>dark</b>.", "a.md", {"teaser": "Wants cold & dark."}),
        ("excerpt: true", "a.md", {}),
        ("lang: de_DE", "a.md", {"language": "de-DE"}),
        ("x: 1", "a.de.md", {"language": "de"}),
        ("x: 1", "content/fr/a.md", {"language": "fr"}),
        ("x: 1", "i18n/pt-BR/docusaurus/current/a.md",
         {"language": "pt-BR", "category": "Docusaurus"}),
        ("x: 1", "content/posts/home-and-garden/a.md", {"category": "Home and garden"}),
        ("x: 1", "it/a.md", {}),
        ("x: 1", "docs/01-basics/02-a.md", {"category": "Basics"}),
        ("category: Home & Garden", "_posts/2025-10-18-a.md",
         {"category": "Home & Garden", "published_at": "2025-10-18"}),
        ("categories: [Diary, [Home, Garden]]", "a.md",
         {"category": "Diary", "tags": ["Home", "Garden"]}),
        ("tags: '#garlic, bulbs'", "a.md", {"tags": ["garlic", "bulbs"]}),
        ("tags: home garden", "a.md", {"tags": ["home garden"]}),
        ("date: Last Modified\nupdated: 2025-10-19", "a.md", {"updated_at": "2025-10-19"}),
        ("publishDate: 1760776200", "a.md", {"published_at": "1760776200"}),
        ("last_update:\n  date: 2025-10-19", "a.md", {"updated_at": "2025-10-19"}),
        ("permalink: /:categories/:title/", "a.md", {}),
        ("permalink: /a/{{ title }}/", "a.md", {}),
        ("slug: garlic", "content/posts/a.md", {"url": "/posts/garlic/"}),
        ("slug: garlic", "posts/a.md", {}),
        ("permalink: garlic/index.html", "a.md", {"url": "/garlic/index.html"}),
        ("canonical_url: https://x.example/a", "a.md", {}),
        ("layout: posts\ndate: 2025-10-18\ntype: posts", "a.md", {"published_at": "2025-10-18"}),
        ("x: 1", "blog/2021/01-19-recap.mdx", {"published_at": "2021-01-19"}),
        ("x: 1", "blog/2021/01/19/recap.md", {"published_at": "2021-01-19"}),
        ("x: 1", "blog/2021-01-19-recap/index.md", {"published_at": "2021-01-19"}),
        ("authors:\n - jo\n - {key: al, title: Editor}", "a.md", {"author": "jo, al"}),
        ("sensitive: true", "a.md", {"sensitive": "true"}),
    ],
)  # fmt: skip
def test_fields_are_known_by_all_their_names(
    tmp_path: Path, head: str, name: str, expected: dict[str, Any]
):
    """What folders and names of files say counts where the fields do not."""
    found = fields(tmp_path, f"title: A\n{head}", name)

    assert {key: value for key, value in found.items() if key not in ("title", "html")} == expected


def test_taxonomies_of_zola_are_categories_and_tags(tmp_path: Path):
    """They stand in a table of their own; its other fields in another."""
    content = """+++
title = "A"
date = 2025-10-18
[taxonomies]
categories = ["Home"]
tags = ["x"]
[extra]
image = "/a.jpg"
+++
Text."""

    assert read(tmp_path, content).fields == {
        "title": "A", "html": "<p>Text.</p>\n", "category": "Home", "tags": ["x"],
        "published_at": "2025-10-18", "image": "/a.jpg",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "head", "reason"),
    [
        ("a.md", "draft: true", "a draft"),
        ("a.md", "draft: yes", "a draft"),
        ("_drafts/a.md", "x: 1", "a draft"),
        ("a.md", "status: draft", "a draft"),
        ("a.md", "status: private", "status: private"),
        ("a.md", "published: false", "not published"),
        ("a.md", "permalink: false", "not published"),
        ("a.md", "unlisted: true", "unlisted"),
        ("a.md", "robots: noindex, nofollow", "noindex"),
        ("a.md", "layout: redirect", "a redirect"),
        ("a.md", "redirect_to: /b", "a redirect"),
        ("a.md", "layout: archive", "a listing page"),
        ("tags.md", "layout: layouts/tags", "a listing page"),
        ("posts/_index.md", "title: Posts", "a listing page"),
        ("posts/_index.de.md", "title: Posts", "a listing page"),
        ("index.md", "title: Home", "the front page"),
        ("content/posts/index.md", "title: Posts", "a listing page"),
        ("docs/_partial.mdx", "title: A", "a part of other pages"),
        ("_includes/a.md", "title: A", "a template or a part of the generator"),
    ],
)
def test_what_is_no_article_is_left_out_with_its_reason(
    tmp_path: Path, name: str, head: str, reason: str
):
    """Drafts, lists, redirects, parts."""
    found = read(tmp_path, f"---\ntitle: A\n{head}\n---\nText.", name)

    assert (type(found), found.where, found.reason) == (LeftOut, f"{tmp_path}/{name}", reason)


def test_files_of_the_repository_and_pages_of_templates_alone_are_left_out(tmp_path: Path):
    """A README with fields is a page of the site; a page with a summary has a text."""
    tags = "---\ntitle: Tags\n---\n{% for tag in site.tags %}\n- {{ tag }} text\n{% endfor %}\n"

    assert isinstance(read(tmp_path, "# Our site\n\nHow to build it.", "README.md"), LeftOut)
    assert isinstance(read(tmp_path, "# Changes", "docs/CHANGELOG.md"), LeftOut)
    assert isinstance(read(tmp_path, "---\ntitle: A\n---\nText.", "README.md"), Document)
    assert isinstance(read(tmp_path, tags), LeftOut)
    assert isinstance(read(tmp_path, tags.replace("Tags", "Tags\nsummary: all")), Document)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("{% include figure.html src='a.jpg' %}\nA {{ page.title }} b.", "<p>A  b.</p>\n"),
        ("{{< figure src=\"a.jpg\" caption=\"_x_\" >}}\n\nA.", "<p>A.</p>\n"),
        ("{{% notice tip %}}\nA **b**.\n{{% /notice %}}", "<p>A <strong>b</strong>.</p>\n"),
        ("{% highlight ruby %}\nputs {{ x }}\n{% endhighlight %}",
         "<pre><code>puts {{ x }}\n</code></pre>\n"),
        ("{% comment %}\nno {{ x }}\n{% endcomment %}\nA.", "<p>A.</p>\n"),
        ("```js\n{{ kept }} <Kept/>\n```\nA `{{ kept }}` b.",
         '<pre><code class="language-js">{{ kept }} &lt;Kept/&gt;\n</code></pre>\n'
         "<p>A <code>{{ kept }}</code> b.</p>\n"),
        (":::note[Mind *this*]\n\nA.\n\n:::", "<p>Mind <em>this</em></p>\n<p>A.</p>\n"),
        ("::: {.callout-note}\nA.\n:::", "<p>A.</p>\n"),
        ('!!! note "Mind this"\n    A.\n\n    - b\n\nC.',
         "<p>Mind this</p>\n<p>A.</p>\n<ul>\n<li>b</li>\n</ul>\n<p>C.</p>\n"),
        ('=== "Tab"\n\n    A.\n\nB.', "<p>Tab</p>\n<p>A.</p>\n<p>B.</p>\n"),
        ("::alert{type=a}\nA ratio of 3::1.\n::", "<p>A ratio of 3::1.</p>\n"),
        ("> [!WARNING]\n> A.", "<blockquote>\n<p>A.</p>\n</blockquote>\n"),
        ("A[^1] b[^note].\n\n[^1]: C.", "<p>A b.</p>\n<p>C.</p>\n"),
        ("A [[Storing onions|onions]] and [[Leeks]]. ![[a.png]]", "<p>A onions and Leeks.</p>\n"),
        ("## A {#a .b}\n\nB\n{: .lead}", "<h2>A</h2>\n<p>B</p>\n"),
        ("[TOC]\n\n[[_TOC_]]\n\nA.", "<p>A.</p>\n"),
        ("- [x] A\n- [ ] b", "<ul>\n<li>A</li>\n<li>b</li>\n</ul>\n"),
        ("A ==marked== b %%never%% ^block-1", "<p>A marked b</p>\n"),
        ("```{note} Mind\n:class: x\nA.\n```\n\n```{toctree}\na\nb\n```",
         "<p>Mind</p>\n<p>A.</p>\n"),
        ("See {ref}`onions`.", "<p>See <code>onions</code>.</p>\n"),
        ("| a |\n|---|\n| c |", "<table>\n<thead>\n<tr>\n<th>a</th>\n</tr>\n</thead>\n<tbody>\n"
         "<tr>\n<td>c</td>\n</tr>\n</tbody>\n</table>\n"),
        ("[a]({{ site.baseurl }}/b/) {%- link c.md -%}", '<p><a href="/b/">a</a></p>\n'),
        ("A <Chart data={[{a: 1}]} title=\"x > y\" icon={<Icon/>}/> b.", "<p>A  b.</p>\n"),
        ("import Tabs from '@theme/Tabs';\n\n<Tabs>\n\nA.\n\n</Tabs>", "<p>A.</p>\n"),
        ("```mdx-code-block\nimport A from 'a';\n<A>\n\nB.\n\n</A>\n```", "<p>B.</p>\n"),
        ("import garlic from Spain if you must", "<p>import garlic from Spain if you must</p>\n"),
    ],
)  # fmt: skip
def test_nothing_of_the_generator_is_left_in_the_text(tmp_path: Path, body: str, expected: str):
    """Code stays as it is."""
    assert html(tmp_path, body) == expected


def test_code_of_mdx_is_no_text(tmp_path: Path):
    """Imports and exports over many lines, expressions, comments."""
    body = """import {
  Chart,
} from '../chart'
export const meta = {
  title: 'x',
}

{/* a comment */}
A {props.x} b.

<Card title="x">
  Inside.
</Card>
"""

    assert html(tmp_path, body, "a.mdx") == "<p>A  b.</p>\n<p>Inside.</p>\n"


def test_related_articles_are_named_in_any_way(tmp_path: Path):
    """By slug, place, address, title, link of a wiki, or several of these."""
    head = """related:
  - storing-onions
  - ./leeks.md
  - herbs/dill
  - https://x.example/a/
  - Storing onions for winter
  - "[[Leeks|those]]"
  - {title: Chives, url: /chives/, description: Green.}
  - "{% post_url 2025-10-18-dill %}"
"""
    found = read(tmp_path, f"---\ntitle: A\n{head}---\nText.")

    assert found.picks == (
        Pick("Storing onions", url="storing-onions"),
        Pick("Leeks", url="./leeks.md"),
        Pick("Dill", url="/herbs/dill"),
        Pick("A", url="https://x.example/a/"),
        Pick("Storing onions for winter"),
        Pick("Leeks"),
        Pick("Chives", "Green.", "/chives/"),
        Pick("Dill", url="2025-10-18-dill"),
    )
    assert read(tmp_path, "---\ntitle: A\n---\nText.").picks is None
    assert len(read(tmp_path, "---\nrelated_posts: a, b-c\n---\nText.").picks) == 2


def test_a_faulty_field_costs_that_field(tmp_path: Path):
    """Titles with a colon are common; what cannot be read is a remark."""
    found = read(
        tmp_path,
        "---\ntitle: Garlic: when to plant\ndate: 2025-10-18\ntags: [a, b\nauthor: Jo\n---\nText.",
    )

    assert found.fields["title"] == "Garlic: when to plant"
    assert (found.fields["published_at"], found.fields["author"]) == ("2025-10-18", "Jo")
    (remark,) = found.remarks
    assert remark.startswith("field tags at its head: ")
    image = read(tmp_path, "---\ntitle: A\nimage: cover.jpg\n---\nText.")
    assert "'cover.jpg' is relative" in image.remarks[0]


def test_pages_have_one_place_whether_the_repository_was_named_or_its_contents(tmp_path: Path):
    """Folders that are not on the site are not in it."""
    places = ("content/posts/a.md", "src/content/blog/a.md", "source/_posts/2025-10-18-a.md",
              "herbs/_posts/2025-10-18-a.md", "_recipes/a.md", "docs/a/index.md")  # fmt: skip

    found = [read(tmp_path, "Text.", name).path for name in places]

    assert found == ["posts/a.md", "blog/a.md", "2025-10-18-a.md", "herbs/2025-10-18-a.md",
                     "recipes/a.md", "docs/a/index.md"]  # fmt: skip


def test_html_with_fields_at_its_head_is_an_article_too(tmp_path: Path):
    """As Jekyll has it; markup is not read as Markdown."""
    found = read(tmp_path, "---\ntitle: A\n---\n<div>\n\n    <p>Text.</p></div>", "a.html")

    assert found.fields == {"title": "A", "html": "<div>\n\n    <p>Text.</p></div>"}


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(20)
)
HOSTILE_HEADS = [
    "+++\ntitle = [\n+++\nText.",
    "+++\na = " + "[" * 50_000 + "\n+++\nText.",
    "---\ntitle: A\nText without an end",
    "---\n" + "a: b\n" * 100_000 + "---\nText.",
    '{"title": ' + "[" * 100_000,
    b"---\ntitle: \xff\n---\n",
    "x" * 1_000_001,
    "![" * 100_000,
]
HOSTILE = [
    f"---\n{BOMB}title: A\n---\nText.",
    "---\ntitle: A\nb: " + "[" * 50_000 + "\n---\nText.",
    "---\ntitle: A\nb: &b [*b]\n---\nText.",
    "---\ntitle: A\n? [a]\n: b\n---\nText.",
    *(
        (f"---\ntitle: A\n---\n{piece}" + piece * (100_000 // len(piece)))
        for piece in (
            "{% for x %}", "{%", "{{", "<A '\"", "<A {", "<A \"x\" ", "[[a|", "[^", "![", "[a](",
            "*a ", "`", "``` \n", "!!! a \n    ", "::: ", "{{< highlight x >}}", "a\n", "<", ">",
            "export const\n", "import ", "==a", "%%", " ^a", "{:", "- ", "<!--", "&", "\\", "_a",
        )
    ),
    "a" * 900_000,
    "title: A\n" + "a: b\n" * 100_000,
    "title:" + " " * 900_000 + "A",
    "---\ntitle: A\n---\n!!! a" + " " * 300_000 + "x",
    "---\ntitle: A\n---\n::: " + " " * 300_000 + "{",
    "---\ntitle" + " " * 90_000 + "x: A\n---\n",
    "---\ntitle: A\n---\n" + "".join("    " * i + "!!! a\n" for i in range(400)),
]  # fmt: skip


@pytest.mark.parametrize("content", HOSTILE_HEADS, ids=range(len(HOSTILE_HEADS)))
def test_files_that_cannot_be_read_are_problems(tmp_path: Path, content: str | bytes):
    """That name the file, in one line."""
    found = read(tmp_path, content)

    assert isinstance(found, Problem)
    assert found.text.startswith(f"{tmp_path}/posts/garlic.md")
    assert "\n" not in found.text


@pytest.mark.parametrize("content", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts_take_seconds_and_raise_nothing(tmp_path: Path, content: str):
    """Aliases of aliases, nesting, templates without an end."""
    started = time.perf_counter()

    found = read(tmp_path, content)

    assert isinstance(found, Document | LeftOut | Problem)
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize(
    "address", ["/beds/storing/", "/2025/03/04/storing.html", "/beds/2025-03-04-storing/"]
)
def test_a_file_with_a_day_in_its_name_is_found_by_the_address_it_has(tmp_path: Path, address: str):
    """Generators leave the day out, or make folders of it; the link's title may be another."""
    beds = tmp_path / "content/beds"
    beds.mkdir(parents=True)
    (beds / "2025-03-04-storing.md").write_text("---\ntitle: Storing garlic\n---\nHang it.")
    (beds / "garlic.md").write_text(
        f"---\ntitle: Garlic\nrelated:\n  - url: {address}\n    title: How to keep it\n---\nText."
    )

    found = link(read_articles([tmp_path]), [])

    assert found.articles["beds/garlic"].recommended == ("beds/2025-03-04-storing",)
    assert found.stubs == {}


def test_links_to_drafts_show_no_title_of_theirs(tmp_path: Path):
    """By place or address."""
    (tmp_path / "draft.md").write_text("---\ntitle: Secret\ndraft: true\n---\nText.")
    (tmp_path / "garlic.md").write_text("---\ntitle: Garlic\nrelated: [/draft/]\n---\nText.")

    found = link(read_articles([tmp_path]), [])

    assert found.articles["garlic"].recommended == ()
    assert found.stubs == {}
