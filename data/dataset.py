"""A data set: the labelled videos of a folder and their label table, checked together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from data.errors import DataError, some
from data.files.path import File, OnChunk
from data.labels.splits import check_splits
from data.labels.table import Unit, expand, read_labels, with_splits
from data.videos.find import find_files, match_files
from data.videos.rejects import Reject
from data.videos.video import Video, open_videos


@dataclass
class Dataset:
    """Labelled videos.

    Attributes:
        table: ``video, frame, time, label, split``, one row a labelled frame, sorted; of unit
            ``video`` it is ``video, label, split``, one row a video.
        videos: name to video, for every video of the table.
        classes: sorted.
        rejects: labelled videos that don't decode.
        unit: what a label is of.
    """

    table: pd.DataFrame
    videos: dict[str, Video]
    classes: list[str]
    rejects: list[Reject] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unit: Unit = "frame"

    def without(self, rejects: Sequence[Reject]) -> Dataset:
        """The data set without these videos.

        Raises:
            DataError: what is left can't be trained on.
        """
        gone = {reject.video for reject in rejects}
        table = self.table[~self.table["video"].isin(gone)].reset_index(drop=True)
        problems = check_splits(table)
        if rejects and problems:
            problems.append(
                "left out because they don't decode: "
                + some(f"{reject.video} ({reject.reason})" for reject in rejects)
            )
        if problems:
            raise DataError(problems)
        return replace(
            self,
            table=table,
            videos={name: video for name, video in self.videos.items() if name not in gone},
            classes=sorted(set(table["label"])),
            rejects=[*self.rejects, *rejects],
        )

    def summary(self) -> pd.DataFrame:
        """Labelled frames by class (columns) and split (rows), and the videos of each split."""
        counts = pd.crosstab(self.table["split"], self.table["label"])
        videos = self.table.groupby("split")["video"].nunique()
        counts.insert(0, "videos", videos)
        order = [split for split in ("train", "valid", "test") if split in counts.index]
        return counts.loc[order]


def load(
    videos: File,
    labels: File,
    *,
    unit: Unit = "frame",
    fps: float | None = None,
    most: int | None = None,
    valid: Sequence[str] | float | None = None,
    test: Sequence[str] | float | None = None,
    seed: int = 0,
    on_open: Callable[[int], Callable[[], None]] | None = None,
    on_bring: Callable[[int], OnChunk] | None = None,
) -> Dataset:
    """Read labels, find and open their videos, and check one against the other.

    Args:
        unit: what a label is of.
        fps: the sampling rate; None is each file's own.
        most: at most so many frames of a video are taken, spread over it; None takes all.
        valid, test: names of videos or shares of the frames, where the labels have no ``split``.
        on_open: called with the number of videos; returns a function to call after each is opened.
        on_bring: as in `open_videos`.

    Raises:
        DataError: everything that is wrong with the labels, at once.
        S3Error: videos or labels are on S3, and it can't be used.
    """
    file = read_labels(labels)
    files = find_files(videos)
    paths, problems = match_files(file.videos, files, videos)
    problems = [*file.problems, *(f"{labels}: {problem}" for problem in problems)]
    progress = on_open(len(paths)) if on_open else None
    opened, rejects = open_videos(paths, fps, most=most, on_video=progress, on_bring=on_bring)
    table, more, warnings = expand(file, opened, unit)
    problems += more
    table, more, note = with_splits(file, table, valid, test, seed)
    problems += more
    warnings += note
    if not rejects and not problems:
        problems += check_splits(table)
    if problems:
        raise DataError(problems)
    labelled = set(paths.values())
    unlabelled = [path for path in files if path not in labelled]
    if unlabelled:
        warnings.append(
            f"{len(unlabelled)} of {len(files)} videos have no labels and are left out: "
            + some(path.name for path in unlabelled)
        )
    dataset = Dataset(table, opened, sorted(set(table["label"])), warnings=warnings, unit=unit)
    return dataset.without(rejects)
