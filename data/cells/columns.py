"""Columns of text in which few texts come again and again: each is kept once, and a row is a number."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd


class Gathered:
    """A column that is put together of parts, as categories in alphabetical order."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}  # of each text, as they come
        self._parts: list[np.ndarray] = []

    def add(self, texts: Sequence[str], codes: np.ndarray) -> None:
        """Add rows.

        Args:
            codes: for each row, int ``[N]``, which of `texts` it is; -1: none.
        """
        numbers = self._numbers
        place = np.full(len(texts) + 1, -1, np.int32)
        for used in np.flatnonzero(np.bincount(codes + 1, minlength=1)[1:]).tolist():
            place[used] = numbers.setdefault(texts[used], len(numbers))
        self._parts.append(place[codes])

    def whole(self) -> pd.Categorical:
        """All rows."""
        texts = pd.Index(list(self._numbers), dtype=str)
        order = texts.argsort()
        place = np.full(len(texts) + 1, -1, np.int32)
        place[order] = np.arange(len(texts))
        parts = [place[part] for part in self._parts]
        codes = np.concatenate(parts) if parts else np.zeros(0, np.int32)
        return pd.Categorical.from_codes(codes, texts[order])


def as_categories(column: pd.Series) -> pd.Series:
    """A column of text with its texts as categories, in alphabetical order."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column
    texts = sorted(set(column.dropna()))
    return column.astype(pd.CategoricalDtype(pd.Index(texts, dtype=str)))


def mapped(column: pd.Series, text_of: Callable[[str], str | None]) -> pd.Series:
    """A column with another text for each text; None: it is missing there."""
    column = as_categories(column)
    texts = [text_of(text) for text in column.cat.categories]
    known = sorted({text for text in texts if text is not None})
    place = {text: number for number, text in enumerate(known)} | {None: -1}
    codes = np.array([*(place[text] for text in texts), -1], np.int32)[column.cat.codes]
    made = pd.Categorical.from_codes(codes, pd.Index(known, dtype=str))
    return pd.Series(made, index=column.index, name=column.name)
