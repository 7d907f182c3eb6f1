"""What becomes live opens, holds together and answers; else what was live stays so."""

import json
import pickle
import shutil
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
from sites import NOW, random_articles, random_events, stored
from tampered import Change, sealed, with_about, with_array, with_values

from recommender.array_fields import Declared
from recommender.bundle import activation, registry
from recommender.bundle.activation import tried
from recommender.bundle.bundle import Bundle
from recommender.bundle.published import Lists
from recommender.bundle.registry import CURRENT, PREVIOUS
from recommender.clicks.influence import Weights
from recommender.errors import BundleError
from recommender.ranking.calibration import Calibration
from recommender.ranking.features import History
from recommender.ranking.handpicked import HandpickedModel
from recommender.ranking.ranker import Ranker
from recommender.store.database import Store
from recommender.text.corpus import Corpus
from recommender.training.pipeline import Options, build


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two bundles of one site with readers; the older is live."""
    folder = tmp_path_factory.mktemp("trained")
    articles = random_articles(60, seed=3)
    with Store("sqlite://") as store:
        stored(store, articles, random_events(articles, seed=3, n=1_000))
        build(store, folder, now=NOW)
        build(store, folder, now=NOW.replace(hour=12), options=Options(activate=False))
    return folder


@pytest.fixture
def models(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "models"))


def pointers(models: Path) -> list[str | None]:
    return [
        path.read_text(encoding="utf-8") if path.exists() else None
        for path in (models / CURRENT, models / PREVIOUS)
    ]


def with_pickle(folder: Path) -> None:
    np.save(folder / "lists_items.npy", np.array([print], dtype=object), allow_pickle=True)
    sealed(folder)


def with_joblib(folder: Path) -> None:
    (folder / "ranker.joblib").write_bytes(pickle.dumps(print))
    sealed(folder)


def with_link(folder: Path) -> None:
    (folder / "lists_items.npy").rename(folder.parent / "items")
    (folder / "lists_items.npy").symlink_to(folder.parent / "items")


def with_outside(folder: Path) -> None:
    (folder.parent / "outside.npy").write_bytes(b"x")
    content = json.loads((folder / registry.MANIFEST).read_text(encoding="utf-8"))
    file = {"size": 1, "sha256": "0" * 64}
    sealed(folder, files={**content["files"], "../outside.npy": file})


def with_script(folder: Path) -> None:
    """The addresses are those of scripts."""
    path = folder / "fragments_data.npy"
    text = np.load(path).tobytes().replace(b"https://example.org/", b"javascript:alert(1)/")
    np.save(path, np.frombuffer(text, np.uint8))
    sealed(folder)


def misnamed(data: np.ndarray) -> np.ndarray:
    """A field that every link has is called otherwise."""
    text = data.tobytes().replace(b'"teaser":', b'"teasel":')
    return np.frombuffer(text, np.uint8)


def turned(rows: np.ndarray) -> np.ndarray:
    return np.roll(rows, 1)


# By what was done: the change, and what the error names.
TAMPERED: dict[str, tuple[Change, str]] = {
    "pickled objects": (with_pickle, "lists_items.npy: cannot be read"),
    "joblib": (with_joblib, "ranker.joblib' is no file of a bundle"),
    "link": (with_link, "lists_items.npy: no plain file"),
    "outside": (with_outside, "'../outside.npy' is no file of a bundle"),
    "other name": (with_about(name="20990101-000000-aaaaaa"), "a bundle is called as its folder"),
    "other type": (with_about(explore="20"), "explore is not a whole number"),
    "no time": (with_about(built="yesterday"), "built is 'yesterday', which is no time"),
    "NaN": (with_about(edition=float("nan")), "NaN is no number"),
    "beyond": (with_about(explore=101), "explore is 101"),
    "variants": (with_about(variants=[]), "variants are not those"),
    "far item": (with_values("lists_items", 10**6, (0, 0)), "lists_items.npy: holds 1000000"),
    "negative item": (with_values("lists_items", -2, (0, 0)), "lists_items.npy: holds -2"),
    "itself": (with_values("lists_items", 0, (0, 0)), "lists_"),
    "twice": (with_array("lists_items", lambda a: a[:, :1] + 0 * a), "lists_"),
    "no score": (with_values("lists_scores", np.nan, (0, 0)), "lists_scores.npy: holds nan"),
    "no end": (with_values("lists_scores", np.inf, (0, 0)), "lists_scores.npy: holds inf"),
    "factor": (with_values("lists_target_factor", np.nan), "lists_target_factor.npy: holds nan"),
    "origin": (with_values("lists_origins", 6), "lists_origins.npy: holds 6"),
    "slots": (with_values("lists_slates", 30), "lists_slates.npy: holds 30"),
    "one slot": (with_values("lists_slates", 0), "lists_"),
    "category": (with_values("lists_category", 99), "lists_category.npy: holds 99"),
    "popular": (with_values("lists_popular", -1), "lists_popular.npy: holds -1"),
    "address": (with_values("lists_urls_rows", 60), "lists_urls_rows.npy: holds 60"),
    "other page": (with_array("lists_urls_rows", turned), "lists_urls_rows.npy: address"),
    "words": (with_values("lists_texts_rows", 60), "lists_texts_rows.npy: holds 60"),
    "codes": (with_values("lists_texts_codes", 255), "lists_texts_codes.npy: holds 255"),
    "fewer": (with_array("lists_same", lambda a: a[1:]), "lists_same.npy: has a length of 59"),
    "no text": (with_values("fragments_data", 255), "fragments: holds no text"),
    "script": (with_script, "fragments: holds 'javascript:"),
    "beginnings": (with_values("fragments_data", 65), "fragments: places: url is elsewhere"),
    "no link": (
        with_array("fragments_data", misnamed),
        "fragments_data.npy: what stands there for",
    ),
    "tokens": (with_values("lists_tails_data", 1), "lists_tails_data.npy: what stands"),
}


@pytest.mark.parametrize(("change", "message"), TAMPERED.values(), ids=TAMPERED)
def test_what_is_tampered_with_does_not_become_live(models: Path, change: Change, message: str):
    """The file and the field are named in one line, and neither pointer has moved."""
    before, new = pointers(models), registry.names(models)[-1]
    change(models / new)

    with pytest.raises(BundleError) as refusal:
        activation.activate(models, new)

    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert pointers(models) == before


def test_a_good_bundle_becomes_live_and_the_one_before_again(models: Path):
    """What was only sealed anew is as good as before."""
    old, new = registry.names(models)
    sealed(models / new)

    activation.activate(models, new)
    went_live = registry.current(models)
    activation.rollback(models)

    assert (went_live, registry.current(models)) == (new, old)


def test_rolling_back_tries_the_bundle_too(models: Path):
    """It may have been changed since it was live."""
    old, new = registry.names(models)
    activation.activate(models, new)
    before = pointers(models)
    with_values("lists_items", 10**6)(models / old)

    with pytest.raises(BundleError, match=r"lists_items\.npy: holds 1000000"):
        activation.rollback(models)

    assert pointers(models) == before


def test_a_bundle_is_called_as_its_folder(models: Path):
    """No answer names another model than the one whose lists it has."""
    old, _ = registry.names(models)
    shutil.copytree(models / old, models / "copy")

    with pytest.raises(BundleError, match=f"manifest of '{old}'"):
        tried(models / "copy")


# What only analysts open, by the part that opens it.
PARTS: dict[str, tuple[Change, str]] = {
    "site": (with_values("site_term_heads", 2**40, slice(1, None)), "site_term_heads.npy: does"),
    "near": (with_values("site_near", 60), "site_near.npy: holds 60"),
    "tags": (with_values("site_tag_heads", 2**40, slice(1, None)), "site_tag_heads.npy: does not"),
    "rows": (with_array("site_latent", lambda a: a[:1]), "site_latent.npy: has a length of 1"),
    "pairs": (with_values("history_pairs_item", -1), "history_pairs_item.npy: holds -1"),
    "visits": (with_values("history_reading_heads", 2**40, -1), "history_reading_heads.npy: "),
    "strength": (with_values("history_clicks_strength", np.nan), "history_clicks_strength.npy"),
    "weights": (
        with_array("weights_pages", lambda a: np.array([60])), "weights_pages.npy: has a",
    ),
    "levels": (with_values("calibration_level", np.nan), "calibration_level.npy: holds nan"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "message"), PARTS.values(), ids=PARTS)
def test_what_analysts_open_is_checked_when_it_is_opened(
    models: Path, change: Change, message: str
):
    """Compiled loops take no bounds checks: what leads out of an array would end the process."""
    new = registry.names(models)[-1]
    change(models / new)

    with pytest.raises(BundleError, match=message):
        Bundle(models / new).opened()


def parts_of(hint: Any) -> Iterator[tuple[str, Any]]:
    """The fields of a dataclass and of those within it that are arrays, and what they declare."""
    for inner in get_args(hint):
        yield from parts_of(inner)
    if isinstance(hint, type) and is_dataclass(hint):
        for name, other in get_type_hints(hint, include_extras=True).items():
            if np.ndarray in (other, *get_args(other)):
                yield f"{hint.__name__}.{name}", other
            yield from parts_of(other)


@pytest.mark.parametrize(
    "read", [Lists, Corpus, History, Ranker, HandpickedModel, Calibration, Weights]
)
def test_every_array_that_is_read_is_declared(read: type):
    """A new one cannot be forgotten."""
    found = dict(parts_of(read))

    assert len(found) > 1
    assert [
        name
        for name, hint in found.items()
        if not any(isinstance(mark, Declared) for mark in getattr(hint, "__metadata__", ()))
    ] == []
