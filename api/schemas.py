"""What goes over the wire: questions, answers, and the one shape of every error."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import HTTPException
from pydantic import AfterValidator, BaseModel, Field

from recommender.bundle.composition import DEFAULT_K, MAX_K
from recommender.fields import MAX_ID_CHARACTERS

# The longest tag that BCP 47 asks programs to take.
MAX_TAG_CHARACTERS = 35
# Lists of one answer, some 500 kB; not tuned.
MAX_BATCH = 100

Size = Annotated[int, Field(strict=True, ge=1, le=MAX_K, description="how many links at most")]


def _whole(text: str) -> str:
    """JSON can write half of a surrogate pair, which is no text."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError("holds half of a surrogate pair, so it is no text") from None
    return text


Text = Annotated[str, AfterValidator(_whole)]
Id = Annotated[Text, Field(min_length=1, max_length=MAX_ID_CHARACTERS)]


class Refusal(HTTPException):
    """A request that gets an error; ``code`` is for programs, ``detail`` for people."""

    def __init__(
        self, status: int, code: str, detail: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(status, detail, headers)
        self.code = code


def no_store(detail: str) -> Refusal:
    """The store is out of reach; who asks may come back."""
    return Refusal(503, "store_unavailable", detail, {"Retry-After": "5"})


class Error(BaseModel):
    """Every error."""

    error: str = Field(description="a snake_case code", examples=["unknown_model"])
    detail: str = Field(description="one sentence", examples=["There is no bundle of this name."])


class Link(BaseModel):
    """One line of a list."""

    id: str
    url: str | None = Field(description="null for an article that is known by its title alone")
    title: str
    teaser: str
    image: str | None = Field(description="address of a picture; null for none")
    published_at: str | None = Field(description="ISO 8601, as it was given; null for none known")
    language: str | None = Field(description="tag of its language (BCP 47); null if not known")
    position: int = Field(description="from 1")
    score: float = Field(description="higher is better; compares links of one list alone")
    origin: str = Field(description="pinned, model, text, explored, hand-picked or fallback")
    why: dict[str, float] | None = Field(
        default=None, description="the figures behind the link, only if asked to explain"
    )
    explanation: dict[str, Any] | None = Field(
        default=None,
        description="why the link is there, only if asked to explain: the contributions that add "
        "up to its score, shared terms, readers, the editors' rule, and a sentence",
    )


class Answer(BaseModel):
    """The list of one page."""

    article_id: str | None = Field(description="null for a page nobody knows, or a text")
    model: str = Field(description="the bundle that answered")
    slate: str | None = Field(
        description="what events name this list by; null for a page nobody knows, or a text"
    )
    guess: str | None = Field(
        default=None,
        description="only if the article was guessed by the url: what was assumed, such as "
        "'letter case'",
    )
    items: list[Link]


class Results(BaseModel):
    """The lists of several pages, in the order they were asked for."""

    results: list[Answer]


class Refused(BaseModel):
    """An event that was not taken."""

    index: int = Field(description="its place in the post, from 0")
    reason: str = Field(description="a snake_case code", examples=["forged"])
    detail: str = Field(description="one sentence")


class Taken(BaseModel):
    """What became of the events of one post."""

    accepted: int = Field(description="events that are new, and durable now")
    duplicate: int = Field(description="events that were there already")
    rejected: list[Refused]


class Put(BaseModel):
    """What putting articles did."""

    added: int
    updated: int
    unchanged: int


class Removed(BaseModel):
    """The articles that were taken out."""

    removed: list[str]


class Variant(BaseModel):
    """What the variants ``from`` to ``to`` mean."""

    first: int = Field(alias="from")
    last: int = Field(alias="to")
    arm: str = Field(
        description="which policy chose the slate: best or explore; in an experiment its name and "
        "that of the arm"
    )
    slate: int = Field(description="0 is the best slate, each other one explores")


class TextQuestion(BaseModel):
    """A text that is not stored."""

    title: Text = ""
    body: Text = ""
    language: Text | None = Field(
        default=None,
        max_length=MAX_TAG_CHARACTERS,
        description="a tag such as en-GB; else it is detected where the site has several",
    )
    k: Size = DEFAULT_K


class BatchQuestion(BaseModel):
    """Several pages at once."""

    ids: list[Id] = Field(max_length=MAX_BATCH)
    k: Size = DEFAULT_K


class Model(BaseModel):
    """The live bundle: what it was built from, and how it scored."""

    name: str
    built: str
    data_window: list[str | None] = Field(description="first and last moment of the log")
    decided_by: str = Field(description="model, or text where clicks do not suffice")
    reason: str = Field(description="why it was decided so")
    scores: dict[str, Any]
    n_articles: int
    variants: list[Variant] = Field(description="what each variant, 0 to 99, means")
    experiment: str | None = Field(default=None, description="the experiment that runs, if any")


class Alive(BaseModel):
    """The process runs."""

    status: str = "alive"


class Ready(BaseModel):
    """A bundle is live. ``fault`` is whatever is not as it should be: what keeps a newer bundle,
    newer rules or new articles from being served, a store out of reach, lists without slates.
    """

    status: str = "ready"
    model: str
    fault: str | None
