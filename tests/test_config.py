"""Settings come from the environment, then the file, then defaults; unknown ones are errors."""

from pathlib import Path

import pytest

from recommender.config import Settings, names_in, settings
from recommender.errors import SettingsError


def test_without_any_setting_the_defaults_hold(tmp_path: Path):
    """A fresh folder works."""
    assert settings({"PATH": "/bin"}, folder=tmp_path) == Settings()


def test_the_environment_wins_over_the_file(tmp_path: Path):
    """What the file says and the environment does not, stays."""
    (tmp_path / "recommender.toml").write_text('models = "/file"\ndatabase = "sqlite:///f.db"\n')

    found = settings({"RECOMMENDER_MODELS": "/environment"}, folder=tmp_path)

    assert found.models == Path("/environment")
    assert found.database == "sqlite:///f.db"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('modles = "x"', "unknown setting modles; known: database, models"),
        ("models = 3", "models must be a string, not int"),
        ("models = ", "Invalid value"),
        ("[tool]\nx = 1", "unknown setting tool"),
    ],
)
def test_a_faulty_file_is_named(tmp_path: Path, text: str, reason: str):
    """The error says which file and which setting."""
    file = tmp_path / "recommender.toml"
    file.write_text(text)

    with pytest.raises(SettingsError) as caught:
        settings({}, folder=tmp_path)

    assert str(caught.value).startswith(f"{file}: ")
    assert reason in str(caught.value)


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path):
    """Latin-1 is not guessed at."""
    (tmp_path / "recommender.toml").write_bytes('models = "é"'.encode("latin-1"))

    with pytest.raises(SettingsError, match=r"recommender\.toml"):
        settings({}, folder=tmp_path)


def test_an_unknown_variable_is_an_error(tmp_path: Path):
    """A misspelt setting that is silently ignored would be worse than none."""
    with pytest.raises(SettingsError, match="environment: unknown setting RECOMMENDER_MODLES"):
        settings({"RECOMMENDER_MODLES": "x"}, folder=tmp_path)


@pytest.mark.parametrize("name", ["event_rate", "explore", "session_clicks", "pair_clicks"])
def test_a_number_may_come_from_either_place(tmp_path: Path, name: str):
    """As a number or as text in the file, as text in the environment, which wins."""
    for written in ("7", '"7"'):
        (tmp_path / "recommender.toml").write_text(f"{name} = {written}\n")
        assert getattr(settings({}, folder=tmp_path), name) == 7

    found = settings({f"RECOMMENDER_{name.upper()}": "8"}, folder=tmp_path)

    assert getattr(found, name) == 8


@pytest.mark.parametrize(
    "value", ["", " ", "x", "-1", "+1", "1.0", "1e3", "0x1", "1_000", "٣", "²", "True", "9" * 5000]
)
def test_what_is_no_number_is_refused(tmp_path: Path, value: str):
    """Wherever it stands, with the setting and its bounds."""
    with pytest.raises(SettingsError, match=r"environment: RECOMMENDER_EXPLORE: .* from 0 to 90$"):
        settings({"RECOMMENDER_EXPLORE": value}, folder=tmp_path)
    (tmp_path / "recommender.toml").write_text(f'explore = "{value}"\n', encoding="utf-8")
    with pytest.raises(SettingsError, match=r"recommender\.toml: explore: "):
        settings({}, folder=tmp_path)


@pytest.mark.parametrize("value", ["true", "1.5", "[1]", "2026-11-22", "-1"])
def test_other_kinds_of_toml_are_no_numbers(tmp_path: Path, value: str):
    """True is not one."""
    (tmp_path / "recommender.toml").write_text(f"explore = {value}\n")

    with pytest.raises(SettingsError, match="explore: "):
        settings({}, folder=tmp_path)


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [("explore", ("0", "90"), ("91",)), ("event_rate", ("0", "1000000"), ("1000001",)),
     ("session_clicks", ("1",), ("0",)), ("pair_clicks", ("0", "1000000000"), ("1000000001",))],
)  # fmt: skip
def test_numbers_have_bounds(
    tmp_path: Path, name: str, inside: tuple[str, ...], outside: tuple[str, ...]
):
    """No share of the views beyond ninety; no session without a click; 0 where it has a meaning."""
    variable = f"RECOMMENDER_{name.upper()}"
    for value in inside:
        assert getattr(settings({variable: value}, folder=tmp_path), name) == int(value)
    for value in outside:
        with pytest.raises(SettingsError, match=variable):
            settings({variable: value}, folder=tmp_path)


def test_keys_are_not_shown(tmp_path: Path):
    """Settings may end in a log."""
    keys = {"RECOMMENDER_ADMIN_KEY": "hush-admin", "RECOMMENDER_SIGNING_KEY": "hush-signing"}

    found = settings(keys, folder=tmp_path)

    assert (found.admin_key, found.signing_key) == ("hush-admin", "hush-signing")
    assert "hush" not in repr(found)


def test_a_word_that_a_setting_does_not_know_is_an_error(tmp_path: Path):
    """It says which there are."""
    assert settings({"RECOMMENDER_LANGUAGES": "any"}, folder=tmp_path).languages == "any"

    assert settings({"RECOMMENDER_LISTINGS": "on"}, folder=tmp_path).listings == "on"
    assert settings({"RECOMMENDER_EVENT_ORIGIN": "on"}, folder=tmp_path).event_origin == "on"
    with pytest.raises(SettingsError, match="RECOMMENDER_LANGUAGES: 'en' is not same or any"):
        settings({"RECOMMENDER_LANGUAGES": "en"}, folder=tmp_path)
    with pytest.raises(SettingsError, match="RECOMMENDER_EVENT_ORIGIN: 'yes' is not off or on"):
        settings({"RECOMMENDER_EVENT_ORIGIN": "yes"}, folder=tmp_path)


def test_a_list_with_commas_names_each_once():
    """Spaces aside, in the order given."""
    assert names_in(" news , events,,news") == ("news", "events")
    assert names_in("") == ()


def test_a_time_zone_is_one_that_is_known():
    """A misspelt one would shift days in silence."""
    known = settings({"RECOMMENDER_TIME_ZONE": "Europe/Berlin"}, folder=Path("/nowhere"))

    assert known.time_zone == "Europe/Berlin"
    for name in ("Europe/Berlni", "", "../etc/passwd", "/etc/localtime", "CEST+2"):
        with pytest.raises(SettingsError, match="no time zone"):
            settings({"RECOMMENDER_TIME_ZONE": name}, folder=Path("/nowhere"))
