"""Exporting says what it did, until when the lists report, and what would do nothing."""

import json
import re
from pathlib import Path

import pytest

from recommender.cli.main import main
from recommender.events.slate_token import Signer
from recommender.store.database import Store, store_name

RECORDS = [
    {"id": "knee/1", "title": "Knee", "body": "knee joint stairs clicks when going up",
     "url": "https://example.org/docs/knee/", "language": "de"},
    {"id": "hip", "title": "Hip", "body": "hip joint stairs clicks when going down", "url": "hip"},
    {"id": "nap", "title": "Nap", "body": "noon dream bed pillow couch"},
]  # fmt: skip
NOW = "2026-12-01T00:00:00Z"
MS = 1_796_083_200_000


@pytest.fixture
def site(here: Path, capfd: pytest.CaptureFixture[str]) -> Path:
    """A folder with a store, a bundle, and one of the three kinds of addresses each."""
    lines = "".join(json.dumps(record) + "\n" for record in RECORDS)
    (here / "articles.jsonl").write_text(lines)
    assert main(["import", "articles", "articles.jsonl"]) == 0
    assert main(["train", "--now", "2026-11-22T10:15:00Z"]) == 0
    capfd.readouterr()
    return here


def export(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[str, str]:
    """What it says, and what it remarks."""
    assert main(["export", "out", "--now", NOW, *words]) == 0
    return capfd.readouterr()


def test_it_says_what_it_wrote_and_until_when_that_reports(site: Path, capfd):
    """And again that nothing changed; the time is an argument, the days are a setting."""
    first, remarks = export(capfd, "--format", "html")
    again, _ = export(capfd, "--format", "html")

    bundle = (site / "models" / "CURRENT").read_text().strip()
    assert first.splitlines()[:2] == [
        f"3 lists of bundle {bundle} written to out: 4 files changed, 0 are as they were",
        "3 lists report what is seen and followed, valid until 2027-05-30 00:00 UTC; changing the "
        "signing key with RECOMMENDER_PREVIOUS_KEY_HOURS=0 revokes them at once",
    ]
    assert "RECOMMENDER_ALLOWED_ORIGINS" in first
    assert "0 files changed, 4 are as they were" in again
    next((site / "out").glob("*.html")).unlink()
    assert "1 file changed, 3 are as they were" in export(capfd, "--format", "html")[0]
    assert "valid until 2027-05-30 00:00 UTC (3 unchanged lists keep their tokens)" in again
    assert "--site names what they are relative to" in remarks


def test_days_are_a_setting_or_an_option(site: Path, capfd, monkeypatch):
    """The option is the nearer one."""
    monkeypatch.setenv("RECOMMENDER_EXPORT_DAYS", "10")
    monkeypatch.setenv("RECOMMENDER_ALLOWED_ORIGINS", "*")

    ten, _ = export(capfd, "--format", "hugo")
    two, _ = export(capfd, "--format", "json", "--valid-days", "2")

    assert "valid until 2026-12-11 00:00 UTC" in ten
    assert "valid until 2026-12-03 00:00 UTC" in two
    assert "ALLOWED_ORIGINS" not in ten


def test_what_is_exported_opens_with_the_key_of_the_store(site: Path, capfd):
    """Lists of a line each have their tokens in them, as an answer over HTTP has."""
    export(capfd, "--format", "json")

    with Store(f"sqlite:///{site}/recommender.db") as store:
        signer = Signer([(store.value("signing_key") or "").encode()], store=store_name(store))
        for text in (site / "out" / "related.jsonl").read_text().splitlines():
            line = json.loads(text)
            slate = signer.resolve(line["slate"], at_ms=MS)
            numbers = store.keys_of([line["article_id"], *(link["id"] for link in line["items"])])
            assert [slate.source, *slate.items] == numbers
            assert line["valid_until"] == "2027-05-30T00:00:00Z"


def test_addresses_and_headings_are_those_of_the_site(site: Path, capfd):
    """A relative one is relative to what is named; a page in German has a German heading."""
    export(capfd, "--format", "html", "--site", "https://example.org/docs/", "--names", "path",
           "--look", "cards")  # fmt: skip

    assert {path.relative_to(site / "out").as_posix() for path in (site / "out").rglob("*.*")} == {
        "docs/hip.html", "docs/knee.html", "nap.html", "recommender.css",
    }  # fmt: skip
    text = (site / "out/docs/knee.html").read_text()
    assert 'href="https://example.org/docs/hip"' in text
    assert '<nav class="recommender recommender-cards" aria-label="Ähnliche Artikel"' in text
    assert "data-recommender" in text


def test_an_export_that_fails_is_none(site: Path, capfd, monkeypatch):
    """No list of it is counted when the key changes; one that was there before still is."""
    (site / "own.html").write_text("{{ links[7].title }}")
    failing = ["--format", "html", "--template", "own.html", "--now", NOW]

    assert main(["export", "new", *failing]) == 1
    export(capfd, "--format", "html")
    assert main(["export", "out", *failing]) == 1
    capfd.readouterr()

    monkeypatch.setenv("RECOMMENDER_SIGNING_KEY", "new")
    assert main(["export", "other", "--format", "html", "--now", NOW]) == 0
    assert f"3 exported lists ({site}/out) are signed" in capfd.readouterr().err


def test_a_site_is_a_folder(site: Path, capfd):
    """With a slash at its end or without; the hint names a link that is in need of it."""
    _, hint = export(capfd, "--format", "html")
    _, none = export(capfd, "--format", "html", "--site", "https://example.org/docs")

    assert "such as hip: --site names what they are relative to" in hint
    assert "relative" not in none
    pages = "".join(path.read_text() for path in (site / "out").glob("*.html"))
    assert 'href="https://example.org/docs/hip"' in pages


def test_without_tokens_nothing_is_written_to_the_store(site: Path, capfd):
    """Nor does anything report."""
    text, _ = export(capfd, "--format", "html", "--no-tokens")

    assert "valid until" not in text
    assert "data-slate" not in (site / "out" / "hip.html").read_text()
    with Store(f"sqlite:///{site}/recommender.db") as store:
        assert (store.value("signing_key"), store.value("store")) == (None, None)


def test_a_store_that_is_gone_costs_the_tokens_and_that_is_stated(site: Path, capfd):
    """Unless they are asked for."""
    (site / "recommender.db").unlink()

    text, remarks = export(capfd, "--format", "html")

    assert "3 lists" in text
    assert "there is no store; so the lists have no tokens, and report nothing" in remarks
    assert main(["export", "out", "--format", "html", "--tokens"]) == 1
    assert "there is no store" in capfd.readouterr().err
    assert not (site / "recommender.db").exists()


def test_a_key_that_leaked_voids_what_was_exported(site: Path, capfd, monkeypatch):
    """Who changes the key otherwise is reminded of what is signed with the one before."""
    export(capfd, "--format", "html")
    monkeypatch.setenv("RECOMMENDER_SIGNING_KEY", "new")

    assert main(["export", "other", "--format", "html", "--now", NOW]) == 0
    changed = capfd.readouterr().err
    monkeypatch.setenv("RECOMMENDER_PREVIOUS_KEY_HOURS", "0")
    assert main(["export", "other", "--format", "html", "--now", NOW]) == 0
    leaked = capfd.readouterr().err

    assert f"3 exported lists ({site}/out) are signed with a key of before" in changed
    assert f"3 exported lists are revoked with the signing key and report nothing any more ({site}"
    assert "revoked with the signing key" in leaked
    old = re.findall('data-slate="([^"]*)"', (site / "out" / "hip.html").read_text())
    text, _ = export(capfd, "--format", "html")
    assert "keep their tokens" not in text
    assert old != re.findall('data-slate="([^"]*)"', (site / "out" / "hip.html").read_text())


def test_a_template_of_ones_own_is_used_or_named(site: Path, capfd):
    """With file and line; nothing is written then."""
    (site / "own.html").write_text("{{ page.title }}: {{ links[0].title }}\n")
    export(capfd, "--format", "html", "--template", "own.html")
    assert (site / "out" / "hip.html").read_text() == "Hip: Knee\n"
    (site / "own.html").write_text("\n{{ page.titel")

    assert main(["export", "new", "--format", "html", "--template", "own.html"]) == 1

    assert "recommender: own.html:2: " in capfd.readouterr().err
    assert not (site / "new").exists()


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["--format", "json", "--look", "row"], "--look"),
        (["--format", "pages", "--site", "/"], "--site"),
        (["--format", "html", "--by", "id"], "--by is for --format hugo, eleventy and jekyll"),
        (["--format", "pages", "-k", "3"], "-k is for --format json, html, hugo"),
        (["--format", "html", "--site", "example.org"], "--site"),
        (["--format", "html", "--site", "javascript:alert(1)"], "--site"),
        (["--format", "hugo", "--site", "https:///docs/"], "--site"),
        (["--format", "hugo", "--site", "https://example.org/?a=b"], "--site"),
        (["--format", "hugo", "--site", "docs/"], "--site"),
        (["--format", "pages", "--tokens"], "--tokens"),
        (["--format", "hugo", "--no-images"], "--images"),
        (["--format", "html", "--valid-days", "0"], "--valid-days"),
        (["--format", "html", "--template", "x", "--look", "row"], "--template"),
    ],
)
def test_an_option_that_would_do_nothing_is_wrong_usage(here: Path, words, option: str, capfd):
    """Rather than passed over."""
    assert main(["export", "out", *words]) == 2

    assert option in " ".join(capfd.readouterr().err.split())
