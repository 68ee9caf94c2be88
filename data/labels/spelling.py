"""Texts that a person means as one: they differ in case, blanks or the form of Unicode alone."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import pandas as pd

from data.cells.columns import as_categories, mapped
from data.errors import some

_UNSEEN = re.compile("[\u200b\u2060\ufeff]")  # blanks without a width


def meant(text: str) -> str:
    """The same for all spellings of a text: without case, and each stretch of blanks as one."""
    folded = unicodedata.normalize("NFC", _UNSEEN.sub("", text)).casefold()
    return unicodedata.normalize("NFC", " ".join(folded.split()))


def one_spelling(column: pd.Series) -> tuple[pd.Series, str]:
    """A column in which texts that are meant as one are spelt as most of its rows do.

    Returns:
        the column as categories; what was taken for what, empty if there is nothing to say.
    """
    column = as_categories(column)
    counts = np.bincount(column.cat.codes.to_numpy() + 1, minlength=len(column.cat.categories) + 1)
    spellings: dict[str, list[tuple[int, str]]] = {}
    for text, count in zip(column.cat.categories, counts[1:].tolist(), strict=True):
        if count:
            spellings.setdefault(meant(text), []).append((count, text))
    several = [found for found in spellings.values() if len(found) > 1]
    if not several:
        return column, ""
    said, chosen = list[str](), dict[str, str]()
    for found in several:
        # Of those that are as common, the last in order: small letters are after capitals.
        *others, (_, common) = sorted(found)
        chosen |= {text: common for _, text in others}
        others_said = ", ".join(f"{text!r} ({count:,} rows)" for count, text in reversed(others))
        said.append(f"{others_said} is taken for {common!r}")
    return mapped(column, lambda text: chosen.get(text, text)), some(said)
