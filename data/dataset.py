"""A data set: the labelled videos of a folder and their label table, checked together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import pandas as pd

from data.cells.columns import mapped
from data.cells.text import OnRead
from data.errors import DataError, printable, some
from data.files.path import File, OnChunk
from data.labels.assign import with_splits
from data.labels.columns import Given
from data.labels.draw import fold_splits, mended
from data.labels.file import read_labels, read_splits
from data.labels.gaps import Gaps, lost_in_train
from data.labels.groups import Groups, find_videos, group_videos
from data.labels.numbering import Numbers
from data.labels.sets import TaskName, by_class, classes_of
from data.labels.splits import SPLITS, check_splits, remarks
from data.labels.table import NO_GAPS, Unit, expand
from data.videos.find import find_files
from data.videos.rejects import Reject
from data.videos.video import Video, open_videos, video_remarks

Damaged = Literal["use", "leave_out"]


@dataclass
class Dataset:
    """Labelled videos.

    Attributes:
        table: ``video, frame, time, label, split``, one row a labelled frame, sorted; of unit
            ``video`` it is ``video, label, split``, one row a video. Text is categories. With a margin
            around boundaries it has ``near``: frames within it are not trained on.
        videos: name to video, for every video of the table.
        classes: sorted; single ones, also where a label is a set of them.
        rejects: labelled videos that don't decode.
        damaged: those that are used as far as they do.
        unit: what a label is of.
        groups: video to group, such as its site; splits don't part a group.
        by: what a group is: ``video``, a column of the label file, or a level of the folders.
        drawn: whether splits were drawn, and may be drawn otherwise.
        task: whether a label is one class (``multiclass``), or the set of those that are shown at once,
            such as ``dive+feed`` (``multilabel``).
    """

    table: pd.DataFrame
    videos: dict[str, Video]
    classes: list[str]
    rejects: list[Reject] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unit: Unit = "frame"
    groups: dict[str, str] = field(default_factory=dict)
    by: str = "video"
    damaged: list[Reject] = field(default_factory=list)
    drawn: bool = False
    task: TaskName = "multiclass"

    def shown(self) -> pd.DataFrame:
        """The table with a row for each single class of each label."""
        return self.table if self.task == "multiclass" else by_class(self.table)

    def without(self, rejects: Sequence[Reject]) -> Dataset:
        """The data set without these videos; warnings tell what its splits lack then.

        Raises:
            DataError: what is left can't be trained on.
        """
        gone = {reject.video for reject in rejects}
        table = self.table
        moved: list[str] = []
        if gone:
            table = table[~table["video"].isin(gone)].reset_index(drop=True)
        if gone and self.drawn:
            table, moved = self._mended(table)
        rest = replace(self, table=table)
        shown = rest.shown()
        problems = check_splits(shown) or lost_in_train(shown)
        if rejects and problems:
            problems.append(
                "left out because they don't decode: "
                + some(f"{reject.video} ({reject.reason})" for reject in rejects)
            )
        if problems:
            raise DataError(problems)
        return replace(
            rest,
            videos={name: video for name, video in self.videos.items() if name not in gone},
            classes=classes_of(table["label"].unique(), self.task),
            rejects=[*self.rejects, *rejects],
            damaged=[cut for cut in self.damaged if cut.video not in gone],
            warnings=list(dict.fromkeys([*self.warnings, *moved, *remarks(shown)])),
        )

    def _mended(self, table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
        """A table of fewer videos with every class in train, and what is said of it."""
        before = dict(zip(*_splits_of(table), strict=True))
        own = {video: video for video in before}
        groups = own | self.groups
        if Groups(self.by, groups).parted(before):  # as these couldn't stay together
            groups = own
        after = mended(before, replace(self, table=table).shown(), groups)
        if moved := sorted(video for video in before if before[video] != after[video]):
            table = table.assign(split=mapped(table["video"], after.get))
            to = some(f"{video} to {after[video]}" for video in moved)
            said = f"a class in train was of videos alone that don't decode: moved are {to}"
            return table, [said]
        return table, []

    def with_splits(self, splits: Mapping[str, str]) -> Dataset:
        """The same data set with other splits, video to split; other videos stay in theirs."""
        own = dict(zip(*_splits_of(self.table), strict=True))
        split = mapped(self.table["video"], (own | dict(splits)).get)
        return replace(self, table=self.table.assign(split=split))

    def summary(self) -> pd.DataFrame:
        """The videos of each split (rows), their groups, and what there is of each class.

        That is labelled frames and, in brackets, the videos that they are of; or videos alone, where
        whole videos are labelled.
        """
        rows = self.shown().groupby(["video", "label", "split"]).size()
        table = rows.reset_index(name="frames").astype({"split": str, "label": str, "video": str})
        cells = counts = pd.crosstab(table["split"], table["label"])
        if self.unit == "frame":
            frames = table.pivot_table("frames", "split", "label", "sum", fill_value=0)
            cells = frames.astype(int).astype(str) + " (" + counts.astype(str) + ")"
        # A class may have one of these names, too.
        cells.insert(0, "videos", table.groupby("split")["video"].nunique(), allow_duplicates=True)
        if self.by != "video":
            groups = table["video"].map(self.groups).groupby(table["split"]).nunique()
            cells.insert(1, f"{self.by}s", groups, allow_duplicates=True)
        return cells.loc[[split for split in SPLITS if split in cells.index]]

    def splits(self) -> pd.DataFrame:
        """``video, split, group``, a row a video, sorted."""
        name, split = _splits_of(self.table)
        videos = pd.DataFrame({"video": name, "split": split})
        groups = videos["video"].map(lambda video: self.groups.get(video, video))
        return videos.assign(group=groups).sort_values("video", ignore_index=True)

    def folds(self, folds: int, seed: int, by: str | None = None) -> list[dict[str, str]]:
        """Folds for cross-validation, as of `fold_splits`.

        Args:
            by: ``video``, or None for the groups of the data set.

        Raises:
            DataError: there are fewer groups than folds, or none of that kind.
        """
        if by not in (None, "video", self.by):
            raise DataError(
                [f"the videos are grouped by {self.by}, not by {by}; set data.splits.by: {by}"]
            )
        own = {video: video for video in self.videos}
        return fold_splits(self.shown(), own if by == "video" else own | self.groups, folds, seed)


def _splits_of(table: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """The name of each video of a table, and its split."""
    videos = table.drop_duplicates("video")
    return videos["video"].astype(str), videos["split"].astype(str)


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
    by: str | None = None,
    splits: File | None = None,
    damaged: Damaged = "use",
    columns: Given | None = None,
    frame_numbers: Numbers = "file",
    gaps: Gaps = NO_GAPS,
    task: TaskName = "multiclass",
    on_read: OnRead | None = None,
    on_open: Callable[[int], Callable[[], None]] | None = None,
    on_bring: Callable[[int], OnChunk] | None = None,
) -> Dataset:
    """Read labels, find and open their videos, and check one against the other.

    Args:
        unit: what a label is of.
        fps: the sampling rate; None is each file's own.
        most: at most so many frames of a video are taken, spread over it; None takes all.
        valid, test: names of videos or groups, or shares of the frames, where the labels have no
            ``split``.
        by: what keeps videos together in a split: ``video``, a column of the labels, ``folder``,
            ``folder1``...; None: ``site`` where the labels have that column, else ``video``.
        splits: a CSV file ``video, split``, in place of `valid` and `test`.
        damaged: whether videos that decode in part are used as far as they do.
        columns: our names of the labels' columns to the file's, where they differ: ``{"label":
            "Species"}``; None in place of a name: the file has no such column.
        frame_numbers: whether the labels number the frames of the ``file``, or those ``sampled`` at
            `fps`.
        gaps: how unlabelled time, short events and boundaries are taken.
        task: ``multilabel``: several classes may be shown at once.
        on_read: as of `data.cells.text.reading`, for the labels.
        on_open: called with the number of videos; returns a function to call after each is opened.
        on_bring: as in `open_videos`.

    Raises:
        DataError: everything that is wrong with the labels, at once.
        S3Error: videos or labels are on S3, and it can't be used.
    """
    file = read_labels(labels, () if by is None else (by,), on_read, columns)
    if most is not None and unit == "frame" and file.form != "video":
        # Numbers and times would silently mean other frames.
        file.problems.append(
            f"data.max_frames ({most}) leaves out frames that {labels} labels one by one: leave it out, "
            "give data.fps for fewer frames, or data.unit: video if each video has one label"
        )
    names = isinstance(valid, (list, tuple)) or isinstance(test, (list, tuple))
    listed = None if splits is None else read_splits(splits)
    files = find_files(videos)
    notes: list[str] = []
    paths, problems = find_videos(file, files, videos, notes.append)
    notes = [f"{labels}: {note}" for note in notes]
    problems = [*file.problems, *(f"{labels}: {problem}" for problem in problems)]
    progress = on_open(len(paths)) if on_open else None
    opened, rejects = open_videos(paths, fps, most=most, on_video=progress, on_bring=on_bring)
    cut = [Reject.cut(video.name, video.info) for video in opened.values() if video.info.damage]
    if damaged == "leave_out":
        rejects += [reject.left_out for reject in cut]
        opened = {name: video for name, video in opened.items() if not video.info.damage}
        cut = []
    table, more, warnings = expand(file, opened, unit, frame_numbers, gaps=gaps, task=task)
    problems += more
    warnings = [*file.notes, *notes, *warnings]
    if gaps.shortest:  # videos may have no event that is left
        opened = {name: opened[name] for name in table["video"].unique()}
    groups, more = group_videos(file, paths, videos, by)
    problems += more
    table, more, note = with_splits(file, table, groups, valid, test, seed, listed, task)
    problems += more
    warnings += note
    if not rejects and not problems:
        problems += check_splits(by_class(table) if task == "multilabel" else table)
    if problems:
        raise DataError(problems)
    warnings += video_remarks(opened)
    labelled = set(paths.values())
    unlabelled = [path for path in files if path not in labelled]
    if unlabelled:
        warnings.append(
            f"{len(unlabelled)} of {len(files)} videos have no labels and are left out: "
            + some(printable(path.name) for path in unlabelled)
        )
    dataset = Dataset(
        table,
        opened,
        classes_of(table["label"].unique(), task),
        warnings=warnings,
        unit=unit,
        groups=dict(groups.of),
        by=groups.by,
        damaged=cut,
        drawn=listed is None and "split" not in file.rows and not names,
        task=task,
    )
    return dataset.without(rejects)
