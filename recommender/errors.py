"""What can go wrong, as one tree.

Every error a user can cause is a ``RecommenderError``; its text is one sentence: what, where and
which. The command line prints it and exits with 1, the web process turns it
into the one error shape.

    RecommenderError
    ├── SettingsError        a setting is unknown or has no meaning
    ├── InputError           a file cannot be read at all
    │   └── ArgumentError    an argument in Python has a value that will not do
    ├── ArticleError         an article record or page cannot be understood
    ├── EventError           an event cannot be understood
    ├── TooManyBadRecords    an import was refused as a whole
    ├── TokenError           a slate token is not one of ours
    ├── TemplateError        a template of a site's own has a fault
    ├── Rejected             an event that a page sent is refused
    ├── StoreError           the store is missing, too new, or out of reach
    ├── EditorialError       the editors' rules have a faulty line
    ├── AccountError         an account of the console cannot be made or changed so
    ├── TrainingError        there is nothing to train on
    ├── BundleError          a bundle is missing, damaged or of an unknown layout
    ├── ExperimentError      an experiment cannot be started, read or stopped
    ├── CalibrationError     a log does not identify how likely clicks are
    ├── EvaluationError      there is nothing to judge
    └── MissingExtra         an optional dependency is not installed

An argument of a wrong kind in Python is a ``TypeError``; one of the right kind whose value will not
do is an ``ArgumentError``, which is a ``ValueError`` too. What is asked for by name and is not in a
bundle is a ``KeyError``.
"""

from __future__ import annotations

from recommender.escaping import terminal


class RecommenderError(Exception):
    """Something the caller can put right; the text is what, where and which, in one line that a
    terminal only shows, whatever it quotes.
    """

    def __str__(self) -> str:
        return terminal(super().__str__())


class SettingsError(RecommenderError):
    """A setting is unknown or has a value without meaning."""


class InputError(RecommenderError):
    """A file cannot be read: missing, wrong encoding, damaged compression."""


class ArgumentError(InputError, ValueError):
    """An argument in Python is of the right kind, and its value will not do."""


class ArticleError(RecommenderError):
    """An article record or page cannot be understood."""


class EventError(RecommenderError):
    """An event cannot be understood."""


class ClockError(EventError):
    """An event is of a time at which it cannot have been; ``ahead``, if that is yet to come."""

    def __init__(self, message: str, *, ahead: bool) -> None:
        super().__init__(message)
        self.ahead = ahead


class TooManyBadRecords(RecommenderError):  # noqa: N818 - reads as the sentence it is
    """An import was refused as a whole because too many of its records are bad."""


class TokenError(RecommenderError):
    """A slate token was not signed here."""


class ForeignToken(TokenError):  # noqa: N818 - a token of another store, not a fault of ours
    """A slate token was signed for another store, or for another state of this one."""


class TemplateError(RecommenderError):
    """A template of a site's own has a fault; the text names file and line."""


class ExpiredToken(TokenError):  # noqa: N818 - its time is over, which is no fault of ours
    """The slate token of a static page was valid until some time ago."""


class RevokedToken(TokenError):  # noqa: N818 - so was meant to be
    """The slate token of a static page was signed with a key that an operator revoked."""


class Rejected(RecommenderError):  # noqa: N818 - what becomes of the event, not of us
    """An event that a page sent is refused; ``reason`` is a snake_case code for programs."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class StoreError(RecommenderError):
    """The store is missing, was made by a newer release, or is out of reach."""


class NewerStoreError(StoreError):
    """The store was made by a newer release: waiting helps nobody, upgrading does."""


class EditorialError(RecommenderError):
    """A line of the editors' rules has a fault."""


class AccountError(RecommenderError):
    """An account of the editors' console cannot be made or changed so."""


class TrainingError(RecommenderError):
    """There is nothing to train on."""


class BundleError(RecommenderError):
    """A bundle is missing, damaged, half-written or of an unknown layout."""


class ExperimentError(RecommenderError):
    """An experiment cannot be started, read or stopped."""


class CalibrationError(RecommenderError):
    """A log does not identify how likely clicks are."""


class EvaluationError(RecommenderError):
    """There is nothing to judge."""


class MissingExtra(RecommenderError):  # noqa: N818
    """An optional dependency is not installed."""

    def __init__(self, job: str, extra: str) -> None:
        super().__init__(
            f"{job} needs an optional part: in the project's folder, pip install '.[{extra}]'"
        )
