"""Bars are drawn where somebody watches, and plain output stays clean."""

import pytest

from recommender.progress import Shown, Silent, tracked


def test_tracked_items_are_the_items():
    """Each is reported when it is done, not before."""
    done: list[str] = []

    class Watched(Silent):
        def advance(self, steps: int = 1) -> None:
            done.append(f"{steps}")

    items = tracked("ab", Watched())

    assert next(items) == "a"
    assert done == []
    assert list(items) == ["b"]
    assert done == ["1", "1"]


def test_bars_go_to_stderr(capsys: pytest.CaptureFixture[str]):
    """A stage of unknown length, one with steps, and one that was not needed."""
    with Shown() as progress:
        progress.stage("reading")
        progress.advance(3)
        progress.stage("comparing", 2)
        progress.advance()
        progress.advance()
        progress.stage("writing", 4)

    shown = capsys.readouterr()
    assert shown.out == ""
    assert all(name in shown.err for name in ("reading", "comparing", "writing"))
    assert "3/3" in shown.err
    assert "2/2" in shown.err


def test_an_error_passes_through(capsys: pytest.CaptureFixture[str]):
    """The bars are taken down, and the stage that failed is not drawn as done."""
    with pytest.raises(ValueError, match="torn"), Shown() as progress:
        progress.stage("reading", 5)
        progress.advance()
        raise ValueError("torn")

    assert "5/5" not in capsys.readouterr().err


def test_silence_is_silent(capsys: pytest.CaptureFixture[str]):
    """Nobody watches, nothing is written."""
    Silent().stage("reading", 5)
    Silent().advance(2)

    assert capsys.readouterr() == ("", "")
