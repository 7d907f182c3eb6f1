"""What speaks for a link comes back as it was laid down, but for the last digits."""

import numpy as np

from recommender.bundle.grounds import TOPIC_UNIT, UNIT, Evidence, Grounds

SHAPE = (40, 7)


def random_grounds(seed: int) -> tuple[np.ndarray, np.ndarray, Grounds]:
    """Links, the figures of all of them, ``(n_articles, list_size, n_figures)``, and as kept."""
    random = np.random.default_rng(seed)
    used = random.random(SHAPE) < 0.8
    columns = {name: random.random(used.sum()) for name in Evidence._fields}
    for name in ("clicked", "expected", "visits"):
        columns[name] = np.floor(columns[name] * 9) * (random.random(used.sum()) < 0.1)
    for name in ("hand_picked", "next_part"):
        columns[name] = columns[name] < 0.2
    columns["subject"] = np.round(columns["subject"], 1) * 0.5
    whole = np.zeros((*SHAPE, len(Evidence._fields)))
    whole[used] = np.column_stack([columns[name] for name in Evidence._fields])
    return used, whole, Grounds.of(used, **columns)


def test_figures_come_back():
    """Counts and flags are the same; cosines are never less, nor more than by a unit."""
    _, whole, found = random_grounds(1)

    back = found.at(*(places.ravel() for places in np.indices(SHAPE))).reshape(whole.shape)

    at = {name: number for number, name in enumerate(Evidence._fields)}
    for name in ("clicked", "expected", "visits", "hand_picked", "next_part"):
        assert (back[..., at[name]] == whole[..., at[name]]).all()
    for name, unit in (("cosine", UNIT), ("subject", UNIT), ("topic", TOPIC_UNIT)):
        more = back[..., at[name]] - whole[..., at[name]]
        assert (more >= 0).all()
        assert more.max() < unit
    assert (whole[..., at["clicked"]] > 0).any()


def test_rows_are_replaced_whole():
    """In those of an experiment's arm its own figures stand, in all others those of the bundle."""
    (_, _, one), (_, _, other) = random_grounds(1), random_grounds(2)
    rows, slots = (places.ravel() for places in np.indices(SHAPE))
    replaced = np.arange(len(one.topic)) % 3 == 0

    found = one.replaced(replaced, other).at(rows, slots)

    expected = np.where(replaced[rows][:, None], other.at(rows, slots), one.at(rows, slots))
    assert (found == expected).all()


def test_those_of_some_articles_after_the_other_are_those_of_all():
    """Blocks of unequal size, one without a link that anybody read."""
    used, whole, expected = random_grounds(3)
    figures = dict(zip(Evidence._fields, np.moveaxis(whole, 2, 0), strict=True))
    blocks = slice(0, 9), slice(9, 10), slice(10, 40)

    found = Grounds.joined(
        [
            Grounds.of(
                used[rows], **{name: each[rows][used[rows]] for name, each in figures.items()}
            )
            for rows in blocks
        ]
    )

    for name in ("alike", "topic", "marked", "flags", "read", "readers"):
        assert getattr(found, name).tolist() == getattr(expected, name).tolist()
    assert len(found.read) > 5
