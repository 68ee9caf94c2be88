"""Labels of images: which frame of a folder of images the number or name in a row means."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from data.errors import some
from data.labels.file import LabelFile, numbered
from data.videos.video import Video


def by_number(
    file: LabelFile, rows: pd.DataFrame, videos: Mapping[str, Video]
) -> tuple[pd.DataFrame, list[str]]:
    """The rows of a table of frames, each with the place of its image among those of its folder.

    An image's name means that image, whatever others are missing. A plain number, from 0, is counted
    from image 0 where there is one, and else from image 1. Rows of other videos stay as they are.

    Args:
        rows: of `file`, with its column ``image``.

    Returns:
        the rows whose image is there, and problems of the others.
    """
    of_images = {name: video for name, video in videos.items() if video.info.numbers is not None}
    concerned = rows["video"].isin(list(of_images))
    if not concerned.any():
        return rows, []
    frames, problems = rows["frame"].to_numpy(np.int64, copy=True), list[str]()
    lost = np.zeros(len(rows), bool)
    for name, part in rows[concerned].groupby("video", observed=True):
        numbers = of_images[str(name)].info.numbers
        assert numbers is not None
        first = 0 if numbers[0] == 0 else 1
        named = part["image"].to_numpy(bool)
        wanted = part["frame"].to_numpy(np.int64) + np.where(named, file.names_from, first)
        place = np.searchsorted(numbers, wanted).clip(max=len(numbers) - 1)
        there = numbers[place] == wanted
        at = rows.index.get_indexer(part.index)
        frames[at], lost[at] = place, ~there
        if not there.all():
            problems.append(
                f"{file.path}, {numbered(part.loc[~there, 'row'])}: video '{name}' has no image of "
                f"number {some(np.unique(wanted[~there]).tolist(), 3)} (its {len(numbers)} images go "
                f"from {numbers[0]} to {numbers[-1]})"
            )
    return rows.assign(frame=frames)[~lost], problems
