"""Labels of several classes at once: a set of classes is one text, such as ``dive+feed``.

So a label table keeps one row a frame, and its labels are categories, whether or not several behaviours
are shown at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
import pandas as pd

from data.cells.columns import as_categories

# One class of several; or any number of them at once.
TaskName = Literal["multiclass", "multilabel"]
JOIN = "+"


def parts(label: str) -> list[str]:
    """The classes of a label: ``feed + dive -> [dive, feed]``; of one that names none, itself."""
    return sorted({part.strip() for part in label.split(JOIN)} - {""}) or [label]


def joined(classes: Iterable[str]) -> str:
    """The label that these classes are together; of none it is empty."""
    return JOIN.join(sorted(set(classes)))


def classes_of(labels: Iterable[str], task: TaskName) -> list[str]:
    """The single classes of labels, sorted."""
    labels = set(labels)
    if task == "multilabel":
        return sorted({part for label in labels for part in parts(label)})
    return sorted(labels)


def by_class(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each class of each row's label, one after the other; a row keeps its index."""
    labels = as_categories(table["label"])
    of = [parts(label) for label in labels.cat.categories]
    classes = sorted({part for each in of for part in each})
    number = {name: place for place, name in enumerate(classes)}
    codes = labels.cat.codes.to_numpy()
    lengths = np.array([len(each) for each in of], np.int64)
    starts = np.cumsum(lengths) - lengths
    flat = np.array([number[part] for each in of for part in each], np.int32)
    counts = lengths[codes]
    rows = table.loc[table.index.repeat(counts)] if (counts > 1).any() else table
    within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    single = flat[np.repeat(starts[codes], counts) + within]
    return rows.assign(label=pd.Categorical.from_codes(single, pd.Index(classes, dtype=str)))


def merged(table: pd.DataFrame, again: np.ndarray) -> tuple[pd.DataFrame, int]:
    """A row for each frame, whose label is the set of its rows' classes.

    Args:
        table: as of `by_class`, with the rows of a frame one after the other.
        again: which rows are of the same frame as the one before, bool ``[N]``.

    Returns:
        the table, with the first row's other columns; how many rows said what another had said.
    """
    frame = np.cumsum(~again) - 1
    codes = as_categories(table["label"]).cat.codes.to_numpy(np.int64)
    classes = list(as_categories(table["label"]).cat.categories)
    order = np.lexsort((codes, frame))
    frames, labels = frame[order], codes[order]
    twice = np.zeros(len(order), bool)
    twice[1:] = (frames[1:] == frames[:-1]) & (labels[1:] == labels[:-1])
    frames, labels = frames[~twice], labels[~twice]
    # The k-th class of each frame joins what the frame has so far: as many steps as the largest set.
    first = np.flatnonzero(np.diff(frames, prepend=-1))
    place = np.arange(len(frames)) - np.repeat(first, np.diff(np.append(first, len(frames))))
    state = np.zeros(len(first), np.int64)
    sets: list[tuple[str, ...]] = [()]
    for step in range(int(place.max(initial=-1)) + 1):
        of = frames[place == step]
        keys = state[of] * len(classes) + labels[place == step]
        known, number = np.unique(keys, return_inverse=True)
        state[of] = number + len(sets)
        sets += [(*sets[key // len(classes)], classes[key % len(classes)]) for key in known]
    names = sorted({joined(each) for each in sets if each})
    position = {name: number for number, name in enumerate(names)} | {"": -1}
    code = np.array([position[joined(each)] for each in sets])[state]
    label = pd.Categorical.from_codes(code, pd.Index(names, dtype=str))
    return table[~again].assign(label=label).reset_index(drop=True), int(twice.sum())
