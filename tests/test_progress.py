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


def test_bars_go_to_stderr(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """A stage of unknown length, one with steps, and one that was not needed."""
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("NO_COLOR", "1")
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


def test_no_bars_are_drawn_for_nobody(capsys: pytest.CaptureFixture[str]):
    """As in a timed job, which would mail them."""
    with Shown() as progress:
        progress.stage("reading", 2)
        progress.advance()

    assert capsys.readouterr() == ("", "")


def test_an_error_passes_through(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """The bars are taken down, and the stage that failed is not drawn as done."""
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("NO_COLOR", "1")
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


def test_steps_may_be_reported_many_at_a_time():
    """All of them are, those of the last part too, and none twice."""
    done: list[int] = []

    class Watched(Silent):
        def advance(self, steps: int = 1) -> None:
            done.append(steps)

    assert list(tracked(range(7), Watched(), every=3)) == [*range(7)]
    assert done == [3, 3, 1]

    done.clear()
    assert list(tracked(range(6), Watched(), every=3)) == [*range(6)]
    assert done == [3, 3]
