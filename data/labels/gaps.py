"""Time that no label names, events that are too short to count, and frames about a boundary.

Pure functions over the ranges of a label file, or over the table of frames that they mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.cells.columns import as_categories
from data.errors import some

NEAR = "near"  # a column of the label table: whether a frame is within the margin of a boundary
_SAME = 1e-6  # seconds


@dataclass(frozen=True)
class Gaps:
    """How unlabelled time, short events and boundaries are taken.

    Attributes:
        background: the class of frames of labelled videos that no label names; None: they have none.
        shortest: seconds; shorter events are left out. An event is a stretch of one class.
        margin: seconds to both sides of a boundary, whose frames are not trained on.
    """

    background: str | None = None
    shortest: float = 0.0
    margin: float = 0.0

    def problems(self, path: object, form: str, unit: str) -> list[str]:
        """What is asked for and makes no sense with labels of this form and unit."""
        asked = {
            "background": self.background is not None,
            "shortest_event": self.shortest > 0,
            "margin": self.margin > 0,
        }
        whole = unit == "video" or form == "video"
        said = []
        if names := [name for name, is_asked in asked.items() if is_asked and whole]:
            said.append(
                f"{' and '.join(f'data.{name}' for name in names)}: {path} labels whole videos, which "
                "have no unlabelled time, events or boundaries; leave it out"
            )
        elif self.shortest > 0 and form == "frame":
            said.append(
                f"data.shortest_event: {path} has a frame a row, and no event's start and end; leave it "
                "out, or delete the rows of short events"
            )
        return said


def short_events(ranges: pd.DataFrame, shortest: float) -> np.ndarray:
    """Which ranges are part of an event that is shorter than `shortest`, bool ``[N]``.

    Ranges of one class of a video that touch or overlap are one event.

    Args:
        ranges: ``video, label, time_start, time_end`` in seconds, in any order.
    """
    order = ranges.sort_values(["video", "label", "time_start"], kind="stable")
    of = order.groupby(["video", "label"], sort=False, observed=True)
    before = (
        of["time_end"].cummax().groupby([order["video"], order["label"]], observed=True).shift()
    )
    event = ~(order["time_start"] <= before + _SAME)  # a new one begins; the first has none before
    number = event.cumsum()
    lasting = order.groupby(number).agg({"time_start": "min", "time_end": "max"})
    seconds = lasting["time_end"] - lasting["time_start"]
    short = number.map(seconds < shortest - _SAME)
    return short.reindex(ranges.index).to_numpy(bool)


def without(table: pd.DataFrame, left: pd.DataFrame) -> pd.DataFrame:
    """The rows of `table` whose frames are not among those of `left`; both have ``video, frame``."""
    keys = pd.MultiIndex.from_frame(table[["video", "frame"]].astype({"video": str}))
    gone = pd.MultiIndex.from_frame(left[["video", "frame"]].astype({"video": str}))
    return table[~keys.isin(gone)].reset_index(drop=True)


def with_background(
    table: pd.DataFrame, background: str, lengths: Mapping[str, int], left: pd.DataFrame
) -> pd.DataFrame:
    """`table` and a row of class `background` for each frame that it and `left` don't have, in order.

    Args:
        table: ``video, frame, label``, and maybe ``split``.
        lengths: frames of each labelled video, all of those of the table among them.
        left: ``video, frame`` of frames that stay unlabelled.
    """
    both = pd.concat([table[["video", "frame"]], left[["video", "frame"]]])
    names = sorted(lengths)
    labels = sorted({*as_categories(table["label"]).cat.categories, background})
    begins = dict(zip(names, np.cumsum([0, *(lengths[name] for name in names)]), strict=False))
    # All frames of all videos in one row: those that are taken, and the rest.
    begin = both["video"].map(begins).to_numpy(np.int64)
    free = np.ones(sum(lengths.values()), bool)
    free[begin + both["frame"].to_numpy(np.int64)] = False
    code = np.repeat(np.arange(len(names)), [lengths[name] for name in names])[free]
    frame = np.flatnonzero(free) - np.array([begins[name] for name in names])[code]
    parts = {
        "video": (names, code),
        "label": (labels, np.full(len(code), labels.index(background))),
    }
    whole = {"frame": np.concatenate([table["frame"].to_numpy(np.int64), frame])}
    if "split" in table:
        of = pd.concat([table[["video", "split"]], left[["video", "split"]]]).drop_duplicates(
            "video"
        )
        split_of = dict(zip(of["video"].astype(str), of["split"].astype(str), strict=True))
        splits = sorted(set(split_of.values()))
        # A video all of whose rows are wrong has none, and is told as a mistake.
        each = np.array([splits.index(split_of.get(name, splits[0])) for name in names])
        parts["split"] = splits, each[code]
    for name, (texts, codes) in parts.items():
        before = as_categories(table[name]).cat.set_categories(texts).cat.codes
        joined = np.concatenate([before, codes])
        whole[name] = pd.Categorical.from_codes(joined, pd.Index(texts, dtype=str))
    made = pd.DataFrame(whole)
    order = np.lexsort((made["frame"], made["video"].cat.codes))
    return made.take(order).reset_index(drop=True)


def near_boundaries(table: pd.DataFrame, margin: float) -> np.ndarray:
    """Which frames are within `margin` seconds of a boundary between two labels, bool ``[N]``.

    A boundary is where the next frame of another label begins, or the last one of another label has
    ended; if no frame between two labels has one, it is taken to be anywhere between.

    Args:
        table: ``video, time, end, label``, sorted by video and time; ``end`` is when the video's next
            frame begins.
    """
    if table.empty:
        return np.zeros(0, bool)
    video, label = (
        as_categories(table[name]).cat.codes.to_numpy(np.int64) for name in ("video", "label")
    )
    # The videos one after the other on one clock, too far apart to be near.
    apart = video * (table["end"].max() + 2 * margin + 1)
    times, ends = (table[name].to_numpy(float) + apart for name in ("time", "end"))
    change = np.flatnonzero((video[1:] == video[:-1]) & (label[1:] != label[:-1])) + 1
    first = np.searchsorted(times, times[change] - margin - _SAME)
    until = np.searchsorted(times, ends[change - 1] + margin - _SAME)
    begun = np.zeros(len(table) + 1, np.int64)
    # Of frames that are far apart, neither side is near the other.
    np.add.at(begun, np.minimum(first, change), 1)
    np.add.at(begun, np.maximum(until, change), -1)
    return np.cumsum(begun[:-1]) > 0


def lost_in_train(table: pd.DataFrame) -> list[str]:
    """A problem for each class all of whose frames of the train split are within the margin.

    Args:
        table: ``label, split``, and ``near`` if there is a margin.
    """
    if NEAR not in table:
        return []
    train = table[table["split"] == "train"]
    counts = train["label"].value_counts()
    kept = set(train.loc[~train[NEAR], "label"])
    return [
        f"data.margin: all {counts[label]} frames of class '{label}' in train are within the margin of "
        "a boundary, so that none is left to learn from; give a smaller one"
        for label in sorted(set(train["label"]) - kept)
    ]


def told_short(path: object, short: pd.DataFrame, shortest: float) -> str:
    """The line that says how many ranges were left out, by class."""
    counts = short["label"].astype(str).value_counts().sort_index()
    by_class = some(f"{label} {count}" for label, count in counts.items())
    return (
        f"{path}: {len(short)} ranges are events shorter than {shortest:g} seconds "
        f"(data.shortest_event) and left out, their frames unlabelled: {by_class}"
    )


def told_near(near: np.ndarray, margin: float) -> str:
    """The line that says how many frames are not trained on."""
    return (
        f"{int(near.sum())} of {len(near)} labelled frames are within {margin:g} seconds of a boundary "
        "between labels (data.margin): they are not trained on, and count in validation and test"
    )
