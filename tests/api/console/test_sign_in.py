"""Who may see the console, and what keeps others out."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from asking import Client, Clock
from consoles import NOW_MS, PASSWORD, Person, person, served

from recommender.config import Settings
from recommender.errors import AccountError
from recommender.store import accounts
from recommender.store.database import Store
from recommender_api.app import Api

HASHER = accounts._hasher


# Figures of RFC 9106, section 4, second choice.
def test_passwords_are_hashed_to_be_slow(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    """By argon2id, in 64 MiB and three passes, each with a salt of its own."""
    monkeypatch.setattr(accounts, "_hasher", HASHER)
    with Store(settings.database) as store:
        for name in ("bob", "eve"):
            accounts.add(store, name, role="viewer", password=PASSWORD, now_ms=NOW_MS)
        with store.reading() as connection:
            rows = connection.exec_driver_sql(
                "SELECT password FROM accounts WHERE name IN ('bob', 'eve')"
            )
            first, second = rows.scalars()

    assert first.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert first != second


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    with Store(f"sqlite:///{tmp_path / 'site.db'}") as store:
        for name, role in (("val", "viewer"), ("ed", "editor"), ("ada", "admin")):
            accounts.add(store, name, role=role, password=PASSWORD, now_ms=NOW_MS)
    return Settings(
        database=f"sqlite:///{tmp_path / 'site.db'}",
        models=tmp_path / "models",
        editorial=tmp_path / "editorial.csv",
        console="on",
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(settings: Settings, clock: Clock) -> Iterator[Api]:
    with served(settings, clock=clock) as app:
        yield app


def is_at_the_door(answer: object) -> bool:
    return answer.status_code == 303 and answer.headers["location"].startswith("/console/sign-in")


def test_without_the_setting_there_is_no_console(settings: Settings):
    """Nor its form to sign in."""
    with served(replace(settings, console="off")) as app:
        client = Client(app)

        found = [client.get(path).status_code for path in ("/console", "/console/sign-in")]

    assert found == [404, 404]


def test_whoever_is_not_signed_in_is_sent_to_the_door_and_back(app: Api):
    """To the page that was asked for, with its address whole."""
    who = Person(app)
    answer = who.get("/console/account?x=a%2Fb")
    assert is_at_the_door(answer)
    door = who.get(answer.headers["location"])
    back = door.text.partition('name="next" value="')[2].partition('"')[0]

    entered = who.sign_in("ed", next=back)

    assert entered.headers["location"] == "/console/account?x=a%2Fb"
    assert who.get("/console/account").status_code == 200


@pytest.mark.parametrize(
    "next", ["//evil.example/", "https://evil.example/console/", "/console/\\evil", "/v1/model",
             "/console/sign-in?next=/console/", "javascript:alert(1)", "/console/\r\nx: y"],
)  # fmt: skip
def test_nobody_is_sent_elsewhere(app: Api, next: str):
    """After signing in a page of the console comes, whatever a link says."""
    assert Person(app).sign_in("ed", next=next).headers["location"] == "/console/"


def test_a_wrong_name_and_a_wrong_password_look_alike(app: Api):
    """The page does not tell which accounts there are."""
    texts = []
    for name in ("ed", "nobody"):
        answer = Person(app).sign_in(name, "not the password")
        texts.append(answer.text.replace(f'value="{name}"', ""))
        assert answer.status_code == 401

    bare = [text.partition('name="token"')[0] + text.partition("<label>")[2] for text in texts]
    assert bare[0] == bare[1]


def test_a_session_is_new_with_every_sign_in(app: Api):
    """Who plants a cookie in a browser does not share the session that begins in it, nor one that
    was there before.
    """
    planted = Person(app)
    planted.get("/console/sign-in")
    planted.cookies["recommender"] = "planted-by-somebody-else"
    planted.sign_in("ed")
    victim = person(app, "ed")
    thief = Person(app)
    thief.cookies["recommender"] = victim.cookies["recommender"]
    assert thief.get("/console/account").status_code == 200

    victim.sign_in("ada")

    assert planted.cookies["recommender"] != "planted-by-somebody-else"
    assert planted.get("/console/account").status_code == 200
    assert is_at_the_door(thief.get("/console/account"))


def test_cookies_are_for_this_host_and_no_script(app: Api):
    """Over https they take a name that browsers accept from nobody else."""
    who = Person(app)
    who.get("/console/sign-in")
    plain = who.sign_in("ed").headers["set-cookie"]
    who = Person(app)
    who.get("https://test/console/sign-in")
    form = {"name": "ed", "password": PASSWORD, "token": who.token}
    secure = who.post("https://test/console/sign-in", data=form)

    assert "HttpOnly" in plain and "SameSite=lax" in plain and "Secure" not in plain
    set = secure.headers["set-cookie"]
    assert set.startswith("__Host-recommender=") and "Secure" in set and "Domain" not in set
    assert "HttpOnly" in set and "Path=/" in set


def test_a_form_is_taken_from_our_own_pages_alone(app: Api):
    """Without its token, with that of another session, or from another origin it does nothing."""
    who, other = person(app, "ed"), person(app, "ada")
    form = {"old": PASSWORD, "new": "another long password", "again": "another long password"}

    found = [
        who.post("/console/account", data=form).status_code,
        who.post("/console/account", data={**form, "token": other.token}).status_code,
        who.post(
            "/console/account",
            data={**form, "token": who.token},
            headers={"origin": "https://evil.example"},
        ).status_code,
        who.post(
            "/console/account",
            data={**form, "token": who.token},
            headers={"sec-fetch-site": "same-site"},
        ).status_code,
    ]

    assert found == [403] * 4
    assert Person(app).sign_in("ed").status_code == 303


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/json", "", "multipart/form-data; boundary=X; charset=punycode",
     'multipart/form-data; boundary=X; charset="unicode_escape"',
     "application/x-www-form-urlencoded; CHARSET=undefined"],
)  # fmt: skip
def test_only_forms_as_browsers_send_them_are_read(app: Api, kind: str):
    """An alphabet of the sender's choice would keep the server busy for long."""
    who = person(app, "ed")
    body = b"--X\r\nContent-Disposition: form-data; name=x\r\n\r\n\xff\r\n--X--"

    answer = who.post("/console/account", content=body, headers={"content-type": kind})

    assert answer.status_code == 415


def test_nothing_that_is_sent_breaks_a_page(app: Api):
    """Numbers of thousands of digits, names no database takes, origins that are none."""
    who = person(app, "ed")
    digits = "9" * 5_000
    form = {"name": "a\0b", "password": "x" * 20}

    found = [
        Person(app).sign_in("a\0b", "x" * 20).status_code,
        Person(app).post("/console/sign-in", data=form, headers={"origin": "http://["}).status_code,
        who.send("/console/page/undo", page="x", number_of=digits).status_code,
        who.send("/console/rules/history", number_of=digits).status_code,
        who.get("/console/?q=https://x/%2500").status_code,
        who.get(f"/console/rules?n={digits}").status_code,
    ]

    # This site has no lists yet, so some pages are not there.
    assert 500 not in found


def test_a_link_puts_no_words_into_the_console(app: Api):
    """What a form has done is said by its own answer alone."""
    who = person(app, "ed")

    assert "Call+this" not in who.get("/console/account?done=Call+this+number").text
    assert "Call this" not in who.get("/console/account?done=Call+this+number&by=0").text


def test_the_form_to_sign_in_is_ours_too(app: Api):
    """Else another site's page could sign somebody in as somebody else."""
    other = Person(app)
    other.get("/console/sign-in")
    form = {"name": "ed", "password": PASSWORD}

    blind = Person(app).post("/console/sign-in", data=form)
    swapped = Person(app)
    swapped.get("/console/sign-in")
    swapped.token = other.token
    crossed = swapped.post("/console/sign-in", data={**form, "token": swapped.token})

    assert [blind.status_code, crossed.status_code] == [403, 403]


def test_guessing_is_slow_for_one_client(app: Api, clock: Clock):
    """Ten at once, then one in six seconds; the right password waits as well."""
    who = Person(app)
    found = [who.sign_in("ed", f"guess number {number}").status_code for number in range(12)]

    assert found == [401] * 10 + [429] * 2
    assert who.sign_in("ed").status_code == 429
    clock.now += timedelta(seconds=7)
    assert who.sign_in("ed").status_code == 303


def test_guessing_is_slow_for_one_account(app: Api, clock: Clock):
    """From many addresses too; whoever is in stays in, a browser that was in before may try, and
    the account opens again for all.
    """
    inside = person(app, "ed")
    returning = Person(app)
    returning.cookies = {"recommender-known": inside.cookies["recommender-known"]}
    with Store(app.stored.settings.database) as store:
        for _ in range(accounts.MAX_FAILURES):
            assert accounts.sign_in(store, "ed", "a guess", now_ms=NOW_MS) is None

        assert accounts.sign_in(store, "ed", PASSWORD, now_ms=NOW_MS) is None
    assert Person(app).sign_in("ed").status_code == 401
    assert inside.get("/console/account").status_code == 200
    assert returning.sign_in("ed").status_code == 303
    forger = Person(app)
    forger.cookies = {"recommender-known": "0" * 64}
    assert forger.sign_in("ed").status_code == 401
    clock.now += timedelta(minutes=16)
    assert Person(app).sign_in("ed").status_code == 303


def test_a_stranger_does_not_keep_an_editor_out(settings: Settings):
    """However often he tries from elsewhere: an address has attempts of its own, and so has a
    browser that was in before.
    """
    with served(replace(settings, trusted_proxies="127.0.0.1")) as app:
        known = {"recommender-known": person(app, "ed").cookies["recommender-known"]}
        for number in range(40):
            stranger = Person(app, {"x-forwarded-for": f"192.0.2.{number}"})
            stranger.sign_in("ed", "a guess")
        editor = Person(app, {"x-forwarded-for": "198.51.100.7"})
        editor.cookies = known

        assert editor.sign_in("ed").status_code == 303


def test_a_known_browser_may_not_guess_for_ever(app: Api):
    """Its attempts are limited like others, and those on another account are not its own."""
    known = person(app, "ed").cookies["recommender-known"]
    with Store(app.stored.settings.database) as store:
        for name in ("ed", "ada"):
            for _ in range(accounts.MAX_FAILURES):
                accounts.sign_in(store, name, "a guess", now_ms=NOW_MS, known=known)

        assert accounts.sign_in(store, "ed", PASSWORD, now_ms=NOW_MS, known=known) is None
        assert accounts.sign_in(store, "ada", PASSWORD, now_ms=NOW_MS) is None
        assert accounts.sign_in(store, "ed", PASSWORD, now_ms=NOW_MS) is not None


def test_attempts_at_one_time_are_no_more_than_one_by_one(settings: Settings):
    """Each is counted before it is made."""
    with Store(settings.database) as store, ThreadPoolExecutor(16) as pool:
        tries = partial(accounts.is_password, store, "ed", "a guess", now_ms=NOW_MS)
        list(pool.map(lambda _: tries(), range(2 * accounts.MAX_FAILURES)))

        with store.reading() as connection:
            n = connection.exec_driver_sql("SELECT COUNT(*) FROM failed_sign_ins").scalar()
    assert n == accounts.MAX_FAILURES


def test_ones_own_password_is_not_guessed_from_inside(app: Api, clock: Clock):
    """Whoever sits down at an open session has as few attempts as anybody."""
    who = person(app, "ed")
    new = "another long password"
    for _ in range(5 * accounts.MAX_FAILURES):
        who.send("/console/account", old="a guess", new=new, again=new)
        clock.now += timedelta(seconds=6)
    answer = who.send("/console/account", old=PASSWORD, new=new, again=new)

    assert answer.status_code == 422
    assert Person(app).sign_in("ed", new).status_code == 401


def test_a_password_that_changes_meanwhile_lets_nobody_in(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    """The check takes a while, in which somebody may end all sessions."""
    check = accounts._is_of

    def changing(hashed: str, password: str) -> bool:
        right = check(hashed, password)
        accounts.set_password(store, "ed", "another long password", now_ms=NOW_MS)
        return right

    monkeypatch.setattr(accounts, "_is_of", changing)
    with Store(settings.database) as store:
        assert accounts.sign_in(store, "ed", PASSWORD, now_ms=NOW_MS) is None


@pytest.mark.parametrize(
    "password", ["1234567890", "password123", "qwertyuiop", "iloveyou123", "recommender",
                 "aaaaaaaaaaaa"],
)  # fmt: skip
def test_what_everybody_would_guess_is_no_password(password: str):
    """Whatever its length."""
    with pytest.raises(AccountError, match="easily guessed"):
        accounts.check_password("annann", password)


def test_sessions_end(app: Api, clock: Clock):
    """By themselves, by signing out, with the account, and with its password."""
    idle, busy = person(app, "ed"), person(app, "ed")
    for _ in range(11):
        clock.now += timedelta(hours=1)
        assert busy.get("/console/account").status_code == 200
    clock.now += timedelta(hours=1)
    out = person(app, "val")
    out.send("/console/sign-out")
    changed, removed = person(app, "ada"), person(app, "ed")
    with Store(app.stored.settings.database) as store:
        accounts.set_password(store, "ada", "another long password", now_ms=NOW_MS)
        accounts.remove(store, "ed")

    found = [is_at_the_door(each.get("/console/account"))
             for each in (idle, busy, out, changed, removed)]  # fmt: skip

    assert found == [True] * 5


def test_one_changes_ones_own_password(app: Api):
    """With the old one, twice the new one, and one that will do; then one signs in again."""
    who = person(app, "ed")
    new = "another long password"

    faults = [
        who.send("/console/account", old="wrong", new=new, again=new),
        who.send("/console/account", old=PASSWORD, new=new, again="something else"),
        who.send("/console/account", old=PASSWORD, new="short", again="short"),
    ]
    done = who.send("/console/account", old=PASSWORD, new=new, again=new)

    assert [answer.status_code for answer in faults] == [422] * 3
    assert is_at_the_door(done)
    assert is_at_the_door(who.get("/console/account"))
    assert Person(app).sign_in("ed").status_code == 401
    assert Person(app).sign_in("ed", new).status_code == 303


def test_every_page_is_safe(app: Api):
    """Nothing from elsewhere, not in a frame, not in a cache; files of ours may be kept."""
    who = person(app, "ed")
    answers = [
        who.get("/console/account"), who.get("/console/no-such-page"), Person(app).get("/console/"),
        Person(app).get("/console/sign-in"), who.post("/console/account"),
    ]  # fmt: skip
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "access-control-allow-origin" not in answer.headers
        assert " style=" not in answer.text and "<script>" not in answer.text
        assert "onclick" not in answer.text

    file = Client(app).get("/console/static/htmx.min.js")
    assert "max-age=31536000" in file.headers["cache-control"]
    for path in ("../app.py", "..%2fapp.py", "%2e%2e/visit.py", "nothing.css"):
        assert Client(app).get(f"/console/static/{path}").status_code == 404


def test_a_store_that_is_gone_is_a_page_that_says_so(app: Api):
    """Nobody is let in, and nothing breaks."""
    who = person(app, "ed")
    app.stored.close()
    app.stored.store, app.stored.fault = None, "sqlite:///site.db: there is no such store"

    answer = who.get("/console/account")

    assert answer.status_code == 503
    assert "out of reach" in answer.text and "sqlite" not in answer.text
