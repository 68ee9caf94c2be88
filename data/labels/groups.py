"""Which videos labels name, by their sites too; and which belong together: splits never part them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from data.cells.columns import as_categories
from data.errors import nearest, numbered, printable, some
from data.files.path import File, relative
from data.labels.file import LabelFile
from data.videos.match import left_out, match_files, missing_of


@dataclass(frozen=True)
class Groups:
    """Videos by what they share.

    Attributes:
        by: ``video``, where each is a group of its own; a column of the label file; or ``folder``,
            ``folder1``, ``folder2``...
        of: video to group.
        asked: whether a user has asked for `by`; else it is what the label file has.
    """

    by: str
    of: Mapping[str, str]
    asked: bool = False

    def parted(self, splits: Mapping[str, str]) -> dict[str, list[str]]:
        """The groups that are in several splits, and which."""
        found: dict[str, set[str]] = {}
        for video, split in splits.items():
            found.setdefault(self.of[video], set()).add(split)
        return {group: sorted(names) for group, names in sorted(found.items()) if len(names) > 1}


def find_videos(
    file: LabelFile,
    files: Sequence[File],
    folder: File,
    note: Callable[[str], object] = lambda text: None,
) -> tuple[dict[str, File], list[str]]:
    """The files of the videos that labels name; as of `match_files`.

    Cameras count from 1, so that several sites have videos of one name. A name that has several sites in
    the labels means the videos of that name in the folders of these sites, if all of them are there;
    `file` then has the site before the name.
    """
    if missing := missing_of(file.spare & set(file.videos), files, folder):
        file.drop(file.rows["video"].isin(missing))
        file.videos = [name for name in file.videos if name not in missing]
        note(left_out(missing))
    if "site" not in file.rows:
        return match_files(file.videos, files, folder, note)
    file.rows, sites = at_sites(file.rows, files, folder, note)
    file.videos = sorted(set(file.rows["video"].unique()) - {""})
    return match_files(file.videos, files, folder, note, sites)


def at_sites(
    rows: pd.DataFrame,
    files: Sequence[File],
    folder: File,
    note: Callable[[str], object] = lambda text: None,
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Rows with a column ``site``, with the site before names of several; and the site of each name."""
    pairs = rows[["video", "site"]].drop_duplicates().astype(str)
    pairs = pairs[pairs["site"] != ""]
    several = pairs[pairs["video"].duplicated(keep=False)]
    parted = {
        name: [f"{site}/{name}" for site in of_name["site"]]
        for name, of_name in several.groupby("video")
    }
    found, _ = match_files([name for names in parted.values() for name in names], files, folder)
    taken = [name for name, names in parted.items() if all(part in found for part in names)]
    if taken:
        names = rows["video"].astype(object)
        these = rows["video"].isin(taken) & (rows["site"] != "")
        names[these] = rows["site"].astype(object)[these] + "/" + names[these]
        rows = rows.assign(video=as_categories(names.astype(str)))
        note(
            f"{len(taken)} names of videos are there at several sites, such as '{taken[0]}': each means "
            "the one in the folder of its site"
        )
    once = rows[["video", "site"]].drop_duplicates("video").astype(str)
    return rows, dict(zip(once["video"], once["site"], strict=True))


def group_videos(
    file: LabelFile, paths: Mapping[str, File], folder: File, by: str | None
) -> tuple[Groups, list[str]]:
    """The groups of the videos of a label file, and problems.

    Args:
        paths: of each video that was found.
        folder: that the levels of folders are counted from.
        by: as of `Groups`; None is ``site`` where the file has that column, else ``video``.
    """
    default = "site" if "site" in file.groupings else "video"
    name = by.strip().lower() if by is not None else default
    # By the file's own name of a column that is taken for one of ours.
    name = next((our for our, own in file.called.items() if own.lower() == name), name)
    problems: list[str] = []
    known = [*file.groupings, "folder", "folder1", "video"]
    if name in file.groupings:
        problems = _different(file, name)
        values = file.rows.drop_duplicates("video").set_index("video")[name]
        of = {str(video): str(group) for video, group in values.items()}
    elif level := re.fullmatch(r"folder(\d*)", name):
        parents = {video: relative(path, folder).parent for video, path in paths.items()}
        of = {video: printable(parent.as_posix()) for video, parent in parents.items()}
        if level[1]:
            number = int(level[1])
            deep = {video: p.parts for video, p in parents.items() if 0 < number <= len(p.parts)}
            if flat := [str(paths[video]) for video in parents if video not in deep]:
                problems.append(
                    f"data.splits.by: {name} is the folder at level {number} below '{folder}', where "
                    f"{len(flat)} of {len(parents)} videos have none: {some(flat, 3)}; move them, or "
                    "split by folder, the one that each video is in"
                )
            of |= {video: printable(parts[number - 1]) for video, parts in deep.items()}
    else:
        of = {}
        if name != "video":
            problems.append(
                f"data.splits.by: '{by}' is no column of {file.path} that groups videos"
                f"{nearest(name, known)}; there is {', '.join(known)} (folder2... for deeper folders)"
            )
    # A video without a good row, or without a file, has a problem of its own.
    return Groups(name, {v: of.get(v, v) for v in file.videos}, by is not None), problems


def _different(file: LabelFile, column: str) -> list[str]:
    """A problem of each video that is in several groups, of the first five."""
    counts = file.rows.groupby("video")[column].nunique()
    wrong = counts.index[counts > 1]
    problems = []
    for video in wrong[:5]:
        rows = file.rows[file.rows["video"] == video].drop_duplicates(column)
        problems.append(
            f"{file.path}, {numbered(rows['row'])}: video '{video}' has {len(rows)} values of "
            f"'{column}': {some(sorted(rows[column]))}; a video is split by one"
        )
    if len(wrong) > 5:
        problems.append(
            f"{file.path}: {len(wrong) - 5} more videos have more than one value of '{column}'"
        )
    return problems
