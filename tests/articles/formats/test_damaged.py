"""However a file is damaged, its reader says so, soon, and raises nothing."""

import random
import time
from pathlib import Path

import pytest

from recommender.articles.document import Document, LeftOut
from recommender.articles.formats.detect import detected, format_named
from recommender.files import Problem

SAMPLES = {
    "wordpress": """<?xml version="1.0"?><rss version="2.0"
 xmlns:content="http://purl.org/rss/1.0/modules/content/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:wp="http://wordpress.org/export/1.2/">
<channel><language>en</language><wp:author><wp:author_login>jo</wp:author_login></wp:author>
<item><title>Garlic &amp; co</title><link>https://x.example/garlic/</link>
<content:encoded><![CDATA[<p>Cold [caption id="a"]x[/caption] weeks.</p>]]></content:encoded>
<wp:post_id>12</wp:post_id><wp:status>publish</wp:status><wp:post_type>post</wp:post_type>
<category domain="category" nicename="a"><![CDATA[A]]></category><wp:postmeta>
<wp:meta_key>related_posts</wp:meta_key><wp:meta_value>a:1:{i:0;i:12;}</wp:meta_value>
</wp:postmeta></item></channel></rss>""",
    "feed": """<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en">
<entry><title type="html">Garlic &amp;amp; co</title><link href="https://x.example/garlic/"/>
<updated>2025-10-18T08:30:00Z</updated><author><name>Jo</name></author><category term="x"/>
<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>Cold.</p></div></content>
</entry></feed>""",
    "jsonfeed": """{"version": "https://jsonfeed.org/version/1.1", "language": "de", "items": [
{"id": "1", "url": "https://x.example/a", "content_html": "<p>A</p>", "tags": ["x"],
"authors": [{"name": "Jo"}]}, {"id": "2", "content_text": "B", "image": null}]}""",
    "ghost": """{"db": [{"meta": {}, "data": {"posts": [{"id": "a", "title": "A", "slug": "a",
"status": "published", "lexical": "{\\"root\\": {\\"children\\": [{\\"text\\": \\"x\\"}]}}"}],
"posts_tags": [{"post_id": "a", "tag_id": "t", "sort_order": 0}],
"tags": [{"id": "t", "name": "T"}]}}]}""",
    "sitemap": "<urlset><url><loc>https://x.example/a</loc></url></urlset>",
    "json": """[{"id": 1, "title": {"rendered": "A"}, "content": {"rendered": "<p>B</p>"},
"_embedded": {"author": [{"name": "Jo"}], "wp:term": [[{"taxonomy": "category", "name": "C"}]]}},
{"id": "2", "attributes": {"title": "B", "body": {"value": "C"}}},
{"sys": {"id": "3"}, "fields": {"title": {"en": "D"}}}]""",
    "markdown": """---
title: "Garlic: when"
tags: [a, b]
cover: {image: a.jpg}
related: [{title: A, url: /a}, b-c]
---

# Garlic

{{< figure src="a.jpg" >}} {% if x %}Cold{% endif %} `weeks` [[a|b]][^1].

:::note[Mind]
- [ ] <Card a={{b: 1}}>x</Card>
:::

[^1]: Note.
""",
}
PIECES = [
    b"<", b">", b'"', b"'", b"{", b"}", b"[", b"]", b"\x00", b"\xff", b"&", b"---\n", b":",
    b"]]>", b"null", b"3", b"{}", b"[]", b"\n", b"\\", b"<!--", b"%}", b"```", b"1e999",
    b"\xf0\x9f",
]  # fmt: skip


@pytest.mark.parametrize("name", SAMPLES)
def test_damage_is_a_problem_and_nothing_worse(tmp_path: Path, name: str):
    """Cut short anywhere, with pieces lost, doubled, or of something else."""
    sample = SAMPLES[name].encode()
    chance = random.Random(name)
    file = tmp_path / f"sample.{'md' if name == 'markdown' else 'json'}"
    file.write_bytes(sample)
    assert detected(file).name == name
    reader = format_named(name).read
    assert reader is not None
    started = time.perf_counter()

    for number in range(400):
        at, end = sorted(chance.choices(range(len(sample) + 1), k=2))
        damaged = [
            sample[:at],
            sample[:at] + chance.choice(PIECES) + sample[at:],
            sample[:at] + sample[end:],
            sample[:end] + sample[at:],
        ][number % 4]
        file.write_bytes(damaged)
        detected(file)

        found = list(reader(file, tmp_path))

        assert found or name == "sitemap"
        assert all(isinstance(each, Document | LeftOut | Problem) for each in found)
        assert all("\n" not in each.text for each in found if isinstance(each, Problem))
    assert time.perf_counter() - started < 30
