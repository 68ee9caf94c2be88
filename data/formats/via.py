"""VIA: projects of the VGG Image Annotator for video, version 3 (JSON), temporal segments.

Of ``file``: ``fname``, ``src``. Of ``view``: ``fid_list``, the files that are shown together. Of
``attribute``: ``aname``, ``anchor_id`` (``FILE1_Z2_XY0``: of segments), ``type`` (1 text, 2 checkbox,
3 radio, 4 select) and ``options``. Of ``metadata``: ``vid`` (a view), ``z`` (``[start, end]`` in
seconds; one number is a moment), ``xy`` (empty, unless it is a region) and ``av`` (attribute to
value; of options, their key).

The class is the value of the attribute that most segments have. Specified by
https://gitlab.com/vgg/via/blob/master/via-3.x.y/README.md (``_via_data.js``).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pandas as pd

from data.files.path import File
from data.formats.content import json_of, refuse
from data.formats.taken import (
    RANGE,
    Gathered,
    Made,
    Taken,
    counted,
    seconds,
    texts,
    whole_number,
    written,
)
from data.videos.info import VideoInfo

PROGRAM = "VIA 3 project"
_LOCAL, _VIDEO, _CHECKBOX, _SELECT = 1, 4, 2, 4  # of `loc`, and of `type`s


def recognised(head: str) -> bool:
    """Whether a file begins like a project."""
    return head.lstrip().startswith("{") and '"project"' in head and '"vid_list"' in head


def read(path: File, content: bytes) -> Taken:
    """The segments of all videos.

    Raises:
        DataError: it is no project.
    """
    project = json_of(path, content)
    if not isinstance(project, dict) or not isinstance(project.get("metadata"), dict):
        refuse(path, "is no VIA 3 project: it has no 'metadata'")
    parts = {key: _object(project.get(key)) for key in ("file", "view", "attribute", "metadata")}
    gathered = Gathered(PROGRAM, path, RANGE, "segment")
    segments, left = [], Counter[str]()
    for number, entry in parts["metadata"].items():
        entry = _object(entry)
        if entry.get("xy"):
            left["regions of the picture"] += 1
        elif not entry.get("z"):
            left["entries without a time"] += 1
        else:
            segments.append((texts(number), entry))
    used = Counter(key for _, entry in segments for key in _object(entry.get("av")))
    attribute = max(sorted(used), key=used.__getitem__, default="")
    names = {key: texts(_object(parts["attribute"].get(key)).get("aname")) or key for key in used}
    for key in sorted(set(used) - {attribute}):
        left[f"attribute '{names[key]}'"] += used[key]
    for number, entry in segments:
        _segment(gathered, number, entry, parts, attribute)
    if used:
        gathered.note(f"classes are the values of attribute '{names[attribute]}'")
    if left:
        gathered.note(f"left out: {counted(left)}")
    return gathered.done("segments")


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _segment(
    gathered: Gathered,
    number: str,
    entry: Mapping[str, Any],
    parts: Mapping[str, dict[str, Any]],
    attribute: str,
) -> None:
    shown = _object(parts["view"].get(texts(entry.get("vid")))).get("fid_list")
    file = _object(parts["file"].get(texts(shown[0]))) if isinstance(shown, list) and shown else {}
    video = texts(file.get("fname")) or texts(file.get("src"))
    times = [seconds(z) for z in entry["z"]] if isinstance(entry["z"], list) else [None]
    value = texts(_object(entry.get("av")).get(attribute))
    kind = _object(parts["attribute"].get(attribute))
    options = _object(kind.get("options"))
    labels = value.split(",") if whole_number(kind.get("type")) == _CHECKBOX else [value]
    labels = [texts(options.get(label, label)) for label in labels]
    if not video:
        gathered.wrong(number, f"vid: '{texts(entry.get('vid'))}' is no view of a file")
    elif not all(labels):
        gathered.wrong(number, "av: has no class")
    elif len(times) > 2 or None in times:
        gathered.wrong(number, "z: is not start and end in seconds")
    else:
        start, end = times[0] or 0.0, times[-1] or 0.0
        if start < 0 or end < start:
            gathered.wrong(number, f"z: from {start:g} to {end:g} is no stretch of a video")
            return
        for label in labels:
            gathered.add(number, video, written(start), written(end), label)


def write(rows: pd.DataFrame, infos: Mapping[str, VideoInfo]) -> Made:
    """A project of all videos; the class is an attribute with the classes as options.

    Args:
        rows: ``video, time_start, time_end, label``; seconds.
        infos: of videos that are known, for where they are.
    """
    left = [name for name in ("split", "subject", "site", "date") if name in rows]
    notes = [f"left out: {', '.join(left)}, for which VIA has no place"] if left else []
    classes = sorted(set(rows["label"].astype(str)))
    videos = sorted(set(rows["video"].astype(str)))
    keys = {video: str(number) for number, video in enumerate(videos, 1)}
    metadata = {}
    for number, row in enumerate(rows.to_dict("records"), 1):
        key, start, end = keys[row["video"]], round(row["time_start"], 6), round(row["time_end"], 6)
        metadata[f"{key}_{number}"] = {
            "vid": key,
            "flg": 0,
            "z": [start] if start == end else [start, end],
            "xy": [],
            "av": {"1": str(classes.index(str(row["label"])))},
        }
    if moments := int((rows["time_start"] == rows["time_end"]).sum()):
        notes.append(f"{moments} points are moments in VIA, which its timeline doesn't show")
    fnames = {video: infos[video].path.name if video in infos else video for video in videos}
    if same := len(videos) - len(set(fnames.values())):
        notes.append(f"{same} videos have another's name: VIA names them without folders")
    project = {
        "project": {
            "pid": "__VIA_PROJECT_ID__",
            "rev": "__VIA_PROJECT_REV_ID__",
            "rev_timestamp": "__VIA_PROJECT_REV_TIMESTAMP__",
            "pname": "labels",
            "creator": "VGG Image Annotator (http://www.robots.ox.ac.uk/~vgg/software/via)",
            "created": 0,
            "vid_list": list(keys.values()),
        },
        "config": {
            "file": {"loc_prefix": {str(number): "" for number in range(1, 5)}},
            "ui": {
                "file_content_align": "center",
                "file_metadata_editor_visible": True,
                "spatial_metadata_editor_visible": True,
                "temporal_segment_metadata_editor_visible": True,
                "spatial_region_label_attribute_id": "",
                "gtimeline_visible_row_count": "4",
            },
        },
        "attribute": {
            "1": {
                "aname": "class",
                "anchor_id": "FILE1_Z2_XY0",
                "type": _SELECT,
                "desc": "what the video shows",
                "options": {str(number): label for number, label in enumerate(classes)},
                "default_option_id": "",
            }
        },
        "file": {
            key: {
                "fid": key,
                "fname": fnames[video],
                "type": _VIDEO,
                "loc": _LOCAL,
                "src": "",
            }
            for video, key in keys.items()
        },
        "metadata": metadata,
        "view": {key: {"fid_list": [key]} for key in keys.values()},
    }
    return Made({"": json.dumps(project, ensure_ascii=False)}, notes)
