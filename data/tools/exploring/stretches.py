"""When each class is shown: stretches of a video with one label, and examples of them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from data.dataset import Dataset


class Stretch(NamedTuple):
    """Consecutive frames with one label, from the first second to the one at which they end."""

    label: str
    start: float
    end: float

    @property
    def length(self) -> float:
        return self.end - self.start


class Example(NamedTuple):
    """A part of a video with one label, from which a clip is taken."""

    label: str
    video: str
    start: float
    end: float


def stretches(dataset: Dataset) -> dict[str, list[Stretch]]:
    """The stretches of each video, in order; of a labelled video, all of it is one.

    Where several classes are shown at once, each has stretches of its own.
    """
    found: dict[str, list[Stretch]] = {name: [] for name in dataset.videos}
    if dataset.unit == "video":
        shown = dataset.shown()
        for video, label in zip(shown["video"], shown["label"], strict=True):
            found[str(video)].append(Stretch(str(label), 0.0, dataset.videos[str(video)].duration))
        return found
    for (name, label), rows in dataset.shown().groupby(["video", "label"], observed=True):
        video, frames = dataset.videos[str(name)], rows["frame"].to_numpy()
        ends = np.append(video.times[1:], max(video.duration, float(video.times[-1])))
        bounds = [0, *(np.flatnonzero(np.diff(frames) != 1) + 1).tolist(), len(frames)]
        found[str(name)] += [
            Stretch(str(label), float(video.times[frames[a]]), float(ends[frames[b - 1]]))
            for a, b in pairwise(bounds)
        ]
    return {name: sorted(of_video, key=lambda one: one.start) for name, of_video in found.items()}


def examples(
    dataset: Dataset, found: Mapping[str, list[Stretch]], each: int, seconds: float
) -> list[Example]:
    """The middles of long stretches of each class, of as many groups and videos as possible.

    Args:
        found: as of `stretches`.
        each: examples of a class, at most.
        seconds: that each lasts, at most.
    """
    chosen = []
    for label in dataset.classes:
        longest = {
            video: max(of_label, key=lambda one: one.length)
            for video, all_of in found.items()
            if (of_label := [one for one in all_of if one.label == label])
        }
        # The longest of each group come first, then the second longest.
        by_length = sorted(longest, key=lambda video: -longest[video].length)
        seen: dict[str, int] = {}
        rank = {}
        for video in by_length:
            group = dataset.groups.get(video, video)
            rank[video] = seen[group] = seen.get(group, -1) + 1
        for video in sorted(by_length, key=rank.__getitem__)[:each]:
            one = longest[video]
            middle, half = (one.start + one.end) / 2, min(seconds, one.length) / 2
            chosen.append(Example(label, video, middle - half, middle + half))
    return chosen
