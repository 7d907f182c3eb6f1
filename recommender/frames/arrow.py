"""Frames as Arrow tables whose types do not depend on what is in them.

pandas hands its frames over by itself (``pyarrow.table(frame)``, ``polars.DataFrame(frame)``). But
a column of lists has no type of its own: Arrow guesses it from the values, so that of a piece in
which nobody logged chances, or of an empty one, it is null, and pieces do not fit together. Here
lists are what the columns' names mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from recommender import arguments
from recommender.errors import MissingExtra

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# Columns of lists, of all frames, and what they are lists of.
TEXTS = ("tags", "recommended", "shown", "origins", "mended")
CHANCES = ("propensities",)


def to_arrow(frame: pd.DataFrame) -> pa.Table:
    """A frame of a site as an Arrow table, without the index. ``MissingExtra`` without pyarrow.

    Lists of ids and texts are ``list<large_string>``, chances ``list<double>``, missing ones null;
    other columns are as pandas has them: texts ``large_string``, moments ``timestamp[ms, UTC]``,
    categories ``dictionary``.
    """
    arguments.frame("frame", frame)
    try:
        import pyarrow as pa
    except ImportError as exc:
        raise MissingExtra("Arrow tables", "parquet") from exc
    guessed = pa.Schema.from_pandas(frame, preserve_index=False)
    of_texts = pa.list_(pa.large_string())
    types = dict.fromkeys(TEXTS, of_texts) | dict.fromkeys(CHANCES, pa.list_(pa.float64()))

    def typed(field: pa.Field) -> pa.Field:
        if pa.types.is_null(field.type):
            return field.with_type(types.get(field.name, pa.large_string()))
        if not (pa.types.is_list(field.type) or pa.types.is_large_list(field.type)):
            return field
        values = field.type.value_type
        # Whoever adds a column of lists has most likely ids in it.
        is_text = any(is_(values) for is_ in (pa.types.is_null, pa.types.is_string,
                                              pa.types.is_large_string))  # fmt: skip
        return field.with_type(types.get(field.name, of_texts if is_text else field.type))

    fields = [typed(field) for field in guessed]
    return pa.Table.from_pandas(frame, schema=pa.schema(fields), preserve_index=False)
