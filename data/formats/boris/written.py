"""BORIS, written: a project of format 7.0 with an observation a video."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from data.errors import some
from data.formats.boris.project import PROGRAM
from data.formats.taken import NOBODY, Made
from data.videos.info import VideoInfo


def write(rows: pd.DataFrame, infos: Mapping[str, VideoInfo]) -> Made:
    """A project with an observation a video.

    Args:
        rows: ``video, time_start, time_end, label`` and maybe ``subject``; seconds.
        infos: of videos that are known, for their lengths and rates.
    """
    subjects = rows["subject"].tolist() if "subject" in rows else [""] * len(rows)
    subjects = ["" if subject == NOBODY else subject for subject in subjects]
    points = set(rows.loc[rows["time_start"] == rows["time_end"], "label"])
    mixed = points & set(rows.loc[rows["time_start"] != rows["time_end"], "label"])
    codes = {label: f"{label} (point)" if label in mixed else label for label in points}
    names, folder = _names(infos)
    observations: dict[str, dict[str, Any]] = {}
    for row, subject in zip(rows.to_dict("records"), subjects, strict=True):
        name = names.get(row["video"], row["video"])
        new = _new_observation(name, infos.get(row["video"]))
        observation = observations.setdefault(row["video"], new)
        point = row["time_start"] == row["time_end"]
        code = codes[row["label"]] if point else row["label"]
        for time in {row["time_start"], row["time_end"]}:
            observation["events"].append([round(float(time), 6), subject, code, "", ""])
    for observation in observations.values():
        observation["events"].sort()  # as BORIS has them, which pairs events in this order
    ethogram = [
        *((label, "State event") for label in sorted(set(rows["label"]) - points | mixed)),
        *((code, "Point event") for code in sorted(codes.values())),
    ]
    project = {
        "time_format": "hh:mm:ss",
        "project_date": "2000-01-01T00:00:00",
        "project_name": "labels",
        "project_description": "",
        "project_format_version": "7.0",
        "subjects_conf": {
            str(n): {"key": "", "name": subject, "description": ""}
            for n, subject in enumerate(sorted({subject for subject in subjects if subject}))
        },
        "behaviors_conf": {
            str(n): {
                "type": kind,
                "key": "",
                "code": code,
                "description": "",
                "category": "",
                "modifiers": "",
                "excluded": "",
                "coding map": "",
            }
            for n, (code, kind) in enumerate(ethogram)
        },
        "observations": observations,
        "behavioral_categories": [],
        "independent_variables": {},
        "coding_map": {},
        "behaviors_coding_map": [],
        "converters": {},
    }
    notes = [f"splits are left out: {PROGRAM}s have none"] if "split" in rows else []
    if mixed:
        notes.append(
            f"a behaviour of BORIS has length or none: points of {some(sorted(mixed))} are called "
            f"{some(codes[label] for label in sorted(mixed))}"
        )
    if folder:
        notes.append(f"BORIS looks for videos from the project's folder: keep it in {folder}")
    if unknown := [name for name in observations if name not in infos]:
        notes.append(
            f"BORIS exports no events of videos whose length it doesn't know, of {some(unknown)}: give "
            "--videos"
        )
    # ASCII, as BORIS writes: on Windows it reads a project as text of the country.
    return Made({"": json.dumps(project, indent=1)}, notes)


def _names(infos: Mapping[str, VideoInfo]) -> tuple[dict[str, str], str]:
    """What videos are called from the folder that holds all of them, and that folder.

    BORIS looks for them from the project's folder; in several folders may be files of one name.
    """
    paths = {
        video: info.path if isinstance(info.path, Path) else info.path.pure
        for video, info in infos.items()
    }
    if not paths:
        return {}, ""
    shared = [
        path
        for path in next(iter(paths.values())).parents
        if all(path in other.parents for other in paths.values())
    ]
    if not shared:  # on several drives
        return {video: str(path) for video, path in paths.items()}, ""
    names = {video: path.relative_to(shared[0]).as_posix() for video, path in paths.items()}
    return names, str(shared[0])


def _new_observation(name: str, info: VideoInfo | None) -> dict[str, Any]:
    return {
        "file": {"1": [name], **{str(number): [] for number in range(2, 9)}},
        "type": "MEDIA",
        "date": "2000-01-01T00:00:00",
        "description": "",
        "time offset": 0.0,
        "events": [],
        "observation time interval": [0, 0],
        "independent_variables": {},
        "visualize_spectrogram": False,
        "visualize_waveform": False,
        "close_behaviors_between_videos": False,
        "media_info": {
            "length": {name: info.duration} if info else {},
            "fps": {name: info.fps} if info else {},
            "hasVideo": {name: True},
            "hasAudio": {name: False},
            "offset": {"1": 0.0},
        },
    }
