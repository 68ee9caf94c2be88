"""BORIS: project files (``.boris``, JSON; ``project_format_version`` 4.0 to 7.0, as BORIS 4 to 9
write).

Of ``observations``, each: ``type`` (``MEDIA`` is taken; ``LIVE`` and ``IMAGES`` have no video),
``file`` (player to media files), ``time offset`` (seconds that were added to each time),
``media_info.length`` (seconds of each file) and ``events``: ``[time, subject, behaviour, modifiers,
comment, frame...]``. Of ``behaviors_conf``: ``code`` and ``type`` (``Point event``, ``State event``,
also ``... with coding map``). The two events of a state have the same subject, behaviour and
modifiers. Times go on over the media files of a player, which are shown one after the other.

Specified by what BORIS writes: https://github.com/olivierfriard/BORIS (``boris/config.py``,
``tests/files/*.boris``) and its user guide, https://www.boris.unito.it/user_guide/.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from itertools import accumulate
from typing import Any

import pandas as pd

from data.errors import some
from data.files.path import File
from data.formats.content import json_of, refuse
from data.formats.taken import (
    NOBODY,
    RANGE,
    Gathered,
    Made,
    Taken,
    counted,
    seconds,
    texts,
    written,
)
from data.videos.info import VideoInfo

PROGRAM = "BORIS project"
_SAME = 1e-6  # seconds

Event = tuple[float, str, str, str, int]  # time, subject, behaviour, modifiers, number


def recognised(head: str) -> bool:
    """Whether a file begins like a project."""
    return head.lstrip().startswith("{") and any(
        f'"{key}"' in head
        for key in (
            "project_format_version",
            "behaviors_conf",
            "subjects_conf",
            "behavioral_categories",
        )
    )


def read(path: File, content: bytes) -> Taken:
    """State and point events of all observations of videos.

    Raises:
        DataError: it is no project.
    """
    project = json_of(path, content)
    observations = project.get("observations") if isinstance(project, dict) else None
    if not isinstance(observations, dict):
        refuse(path, "is no BORIS project: it has no 'observations'")
    gathered = Gathered(PROGRAM, path, [*RANGE, "subject"], "event")
    kinds = _kinds(project.get("behaviors_conf"))
    left: Counter[str] = Counter()
    for name, observation in observations.items():
        if not isinstance(observation, dict):
            gathered.problems.append(f"{path}: observation '{name}' is no object")
        elif observation.get("type", "MEDIA") != "MEDIA":
            left[f"{texts(observation['type'])} observations, which have no video"] += 1
        else:
            _observation(gathered, texts(name), observation, kinds, left)
    if left:
        gathered.note(f"left out: {counted(left)}")
    return gathered.done("state and point events")


def _kinds(conf: object) -> dict[str, str]:
    """``POINT`` or ``STATE`` of each behaviour."""
    entries = conf.values() if isinstance(conf, dict) else []
    return {
        texts(entry.get("code")): "POINT"
        if "point" in texts(entry.get("type")).lower()
        else "STATE"
        for entry in entries
        if isinstance(entry, dict)
    }


def _observation(
    gathered: Gathered,
    name: str,
    observation: Mapping[str, Any],
    kinds: Mapping[str, str],
    left: Counter[str],
) -> None:
    where = f"{gathered.path}: observation '{name}'"
    players = observation.get("file")
    players = players if isinstance(players, dict) else {}
    files = [[texts(file) for file in some_files] for some_files in map(_listed, players.values())]
    media = next((player for player in files if player), [])
    events = _listed(observation.get("events"))
    if not media:
        if events:
            gathered.problems.append(f"{where} has events but no media file")
        return
    if others := [file for player in files for file in player if file not in media]:
        gathered.note(
            f"observation '{name}': labels are of the first player, not of {some(others)}"
        )
    info = observation.get("media_info")
    info = info if isinstance(info, dict) else {}
    lengths = info.get("length")
    offset = seconds(observation.get("time offset") or 0)
    if offset is None:
        gathered.problems.append(f"{where}: its time offset is no number")
        return
    if observation.get("media_creation_date_as_offset"):
        created = info.get("media_creation_time")
        start = seconds(created.get(media[0])) if isinstance(created, dict) else None
        if start is None:
            gathered.problems.append(
                f"{where}: its times count from when the video was made, which the project does not say"
            )
            return
        offset += start
    known = [seconds(lengths.get(file)) for file in media] if isinstance(lengths, dict) else [None]
    if len(media) > 1 and (None in known[:-1] or len(known) < len(media)):
        gathered.problems.append(
            f"{where} has several files one after the other, and not how long each is; open and save "
            "it in BORIS where the videos are"
        )
        return
    timeline = Timeline(media, [length or 0 for length in known])
    states: dict[tuple[str, str, str], Event] = {}
    parsed = []
    for number, event in enumerate(events, 1):
        at = f"{number} of '{name}'"
        at_time = seconds(event[0]) if isinstance(event, list) and len(event) > 3 else None
        if at_time is None or not texts(event[2]):
            gathered.wrong(at, "is no list of time, subject, behaviour and modifiers")
            continue
        parsed.append((at_time - offset, texts(event[1]), texts(event[2]), texts(event[3]), number))
        if len(event) > 4 and texts(event[4]):
            left["comments of events"] += 1
    for event in sorted(parsed):
        time, subject, behaviour, modifiers, number = event
        if modifiers.replace("None", "").strip("|"):
            left["modifiers of events"] += 1
        if behaviour not in kinds:
            gathered.wrong(
                f"{number} of '{name}'", f"behaviour '{behaviour}' is not in the ethogram"
            )
        elif kinds[behaviour] == "POINT":
            timeline.add(gathered, f"{number} of '{name}'", time, time, behaviour, subject)
        elif (begun := states.pop((subject, behaviour, modifiers), None)) is None:
            states[subject, behaviour, modifiers] = event
        else:
            timeline.add(gathered, f"{begun[4]} of '{name}'", begun[0], time, behaviour, subject)
    for time, subject, behaviour, _, number in states.values():
        gathered.wrong(
            f"{number} of '{name}'",
            f"state '{behaviour}' of {subject or NOBODY} begins at {time + offset:g} and has no end; "
            "end it in BORIS",
        )


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


class Timeline:
    """Media files that are shown one after the other."""

    def __init__(self, media: list[str], lengths: list[float]) -> None:
        self.media = media
        self.starts = [0.0, *accumulate(lengths[:-1])][: len(media)]

    def add(
        self, gathered: Gathered, where: object, start: float, end: float, label: str, subject: str
    ) -> None:
        """Take an event, in as many parts as it has files."""
        if start < -_SAME:
            gathered.wrong(where, f"starts before its video, {-start:.3f} seconds")
            return
        if start == end:
            file = max(n for n, begin in enumerate(self.starts) if begin <= max(start, 0) + _SAME)
            parts = [(file, start, end)]
        else:
            ends = [*self.starts[1:], float("inf")]
            parts = [
                (n, max(start, begin), min(end, stop))
                for n, (begin, stop) in enumerate(zip(self.starts, ends, strict=True))
                if max(start, begin) + _SAME < min(end, stop)
            ]
        for file, first, last in parts:
            begin = self.starts[file]
            times = (written(first - begin), written(last - begin))
            gathered.add(where, self.media[file], *times, label, subject)


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
    observations: dict[str, dict[str, Any]] = {}
    for row, subject in zip(rows.to_dict("records"), subjects, strict=True):
        new = _new_observation(row["video"], infos.get(row["video"]))
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
    return Made({"": json.dumps(project, indent=1, ensure_ascii=False)}, notes)


def _new_observation(video: str, info: VideoInfo | None) -> dict[str, Any]:
    name = info.path.name if info else video
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
