"""VIA: the VGG Image Annotator for video, version 3: segments of projects (JSON) and exports (CSV).

Of ``file``: ``fname``, ``src``. Of ``view``: ``fid_list``, the files that are shown together. Of
``attribute``: ``aname``, ``anchor_id`` (``FILE1_Z2_XY0``: of segments), ``type`` (1 text, 2 checkbox,
3 radio, 4 select) and ``options``. Of ``metadata``: ``vid`` (a view), ``z`` (``[start, end]`` in
seconds; one number is a moment), ``xy`` (empty, unless it is a region) and ``av`` (attribute to
value; of options, their key).

An export begins with lines after ``#``: ``ATTRIBUTE`` has what a project has under ``attribute``, and
``CSV_HEADER`` the columns: ``metadata_id``, ``file_list``, ``temporal_coordinates`` (as ``z``; or
``temporal_segment_start`` and ``..._end``), ``spatial_coordinates`` (``xy``) and ``metadata`` (``av``);
cells are JSON. An export of segments alone has no ``ATTRIBUTE``: there options are numbers.

The class is the value of the attribute that most segments have. Specified by
https://gitlab.com/vgg/via/blob/master/via-3.x.y/README.md (``_via_data.js``,
``_via_import_export.js``).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pandas as pd

from data.errors import some
from data.files.path import File
from data.formats.content import json_of, refuse, rows_of, text_of
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

PROGRAM, EXPORT = "VIA 3 project", "VIA 3 export"
_HEADER = ("metadata_id", "file_list", "metadata")
_COMMENT = re.compile(r"#\s*(\w+)\s*=\s*(.*)")
_JSON = ("file_list", "temporal_coordinates", "spatial_coordinates", "metadata")
_ENDS = ("temporal_segment_start", "temporal_segment_end")
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
    return _segments(Gathered(PROGRAM, path, RANGE, "segment"), parts)


def columns_said(text: str) -> list[str]:
    """The columns that an export names in the lines at its beginning; none, if it names none."""
    said = re.search(r"^#\s*CSV_HEADER\s*=(.*)", text, re.MULTILINE)
    return [name.strip() for name in said[1].split(",") if name.strip()] if said else []


def recognised_table(header: list[str]) -> bool:
    """Whether a row has the columns of an export."""
    return {cell.lower() for cell in header}.issuperset(_HEADER)


def read_table(path: File, content: bytes) -> Taken:
    """The segments of an export.

    Raises:
        DataError: it is no table.
    """
    lines = text_of(path, content).splitlines()
    first = next((n for n, line in enumerate(lines) if not line.startswith("#")), len(lines))
    said = {found[1]: found[2] for line in lines[:first] if (found := _COMMENT.match(line))}
    attributes = _json(said.get("ATTRIBUTE") or said.get("ATTRIBUTES") or "{}")
    parts: dict[str, dict[str, Any]] = {
        "attribute": {
            key: one if isinstance(one, dict) else {"aname": one}  # in the first versions
            for key, one in _object(attributes).items()
        },
        **{name: {} for name in ("file", "view", "metadata")},
    }
    header = columns_said("\n".join(lines[:first]))
    gathered = Gathered(EXPORT, path, RANGE)
    # Rows keep their numbers.
    table = "\n".join([*[""] * first, *lines[first:]]).encode()
    for number, cells in rows_of(path, table):
        if not header:
            header = [cell.lower() for cell in cells]
            continue
        row = dict(zip(header, cells, strict=False))
        parsed = {name: _json(row.get(name) or "[]") for name in _JSON}
        if broken := [name for name, value in parsed.items() if value is None]:
            gathered.wrong(number, f"{broken[0]}: '{texts(row[broken[0]])[:60]}' is no JSON")
            continue
        files = parsed["file_list"]
        if not isinstance(files, list) or not files:
            gathered.wrong(number, "file_list: names no video")
            continue
        times, region = parsed["temporal_coordinates"], parsed["spatial_coordinates"]
        if "temporal_segment_start" in row:
            times = [row[name] for name in _ENDS if row.get(name)]
            # VIA writes the picture's regions there, too, without saying so.
            region = len(times) == 1 and not parsed["metadata"]
        key = str(number)
        parts["file"][key] = {"fname": files[0]}
        parts["view"][key] = {"fid_list": [key]}
        parts["metadata"][key] = {
            "vid": key,
            "z": times,
            "xy": region,
            "av": parsed["metadata"],
        }
    taken = _segments(gathered, parts)
    if "ATTRIBUTE" not in said and (
        numbers := [x for x in set(taken.table["label"]) if x.isdigit()]
    ):
        taken.notes.append(
            f"{path}: classes {some(sorted(numbers))} may be numbers of options, whose names aren't in "
            "this export; give the project, or the export 'VIA3 CSV'"
        )
    return taken


def _json(text: str) -> Any:
    """What a cell says; None if it is no JSON."""
    try:
        return json.loads(text, parse_constant=lambda name: None)
    except (ValueError, RecursionError):
        return None


def _segments(gathered: Gathered, parts: Mapping[str, dict[str, Any]]) -> Taken:
    """The segments of the parts of a project."""
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
    z, av = ("z", "av") if gathered.program == PROGRAM else ("temporal_coordinates", "metadata")
    if not video:
        gathered.wrong(number, f"vid: '{texts(entry.get('vid'))}' is no view of a file")
    elif not all(labels):
        gathered.wrong(number, f"{av}: has no class")
    elif len(times) > 2 or None in times:
        gathered.wrong(number, f"{z}: is not start and end in seconds")
    else:
        start, end = times[0] or 0.0, times[-1] or 0.0
        if start < 0 or end < start:
            gathered.wrong(number, f"{z}: from {start:g} to {end:g} is no stretch of a video")
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
