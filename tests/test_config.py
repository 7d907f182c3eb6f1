"""Settings come from the environment, then the file, then defaults; unknown ones are errors."""

from pathlib import Path

import pytest

from recommender.config import Settings, settings
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
