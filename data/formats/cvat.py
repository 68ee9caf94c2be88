"""CVAT: annotations "for video" and "for images" (XML 1.1), of a task, a job or a project.

Of ``meta``: ``task`` (or ``job``; several in ``project/tasks``) with ``id``, ``name``, ``source``
(the video's file), ``size``, ``start_frame``, ``stop_frame``. For video: ``track`` (``label``,
``task_id`` in projects) with shapes (``box``, ``polygon``, ``skeleton``...: ``frame``, ``outside``,
``keyframe``), and ``tag`` (``label``, ``frame``). For images: ``image`` (``id``, ``name``,
``task_id``) with shapes and ``tag``. Frames are numbers of the video's own frames, from 0.

A frame has the classes of the shapes that it shows and of its tags. A shape holds from its frame to
the next one of its track, as CVAT draws it; after ``outside="1"`` nothing is shown. Where all shapes
are key frames and the last of them is not outside, it holds to the end of the task, as in CVAT. Where
some are none, all frames are there, and a gap is one.
Specified by https://docs.cvat.ai/docs/manual/advanced/xml_format/.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from itertools import groupby, pairwise
from operator import itemgetter
from pathlib import PurePosixPath
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import pandas as pd

from data.files.path import File
from data.formats.content import Archive, refuse, xml_of
from data.formats.taken import FRAME, Gathered, Made, Taken, counted, file_name, texts, whole_number
from data.videos.info import VideoInfo

PROGRAM = "CVAT 1.1"
PART = "annotations.xml"  # of the archive that CVAT exports
_SHAPES = {"box", "polygon", "polyline", "points", "cuboid", "ellipse", "skeleton", "mask"}
_LONGEST = 1_000_000  # frames of a track, ten hours
_STEPS = 2  # frames: of so few, in steps of two, the last one's number is their count, too


def recognised(head: str) -> bool:
    """Whether a file begins like one of CVAT."""
    return "<annotations" in head and any(
        f"<{tag}" in head for tag in ("meta", "track", "image", "version")
    )


def read_archive(path: File, archive: Archive) -> Taken:
    """As of `read`, of the archive that CVAT exports."""
    return read(path, archive.read(PART))


def read(path: File, content: bytes) -> Taken:
    """The classes of frames.

    Raises:
        DataError: it has no annotations of CVAT.
    """
    root = xml_of(path, content)
    if root.tag != "annotations":
        refuse(path, f"is no CVAT file: its root is '{root.tag}', not annotations")
    gathered = Gathered(PROGRAM, path, FRAME, "element")
    tasks = _Tasks(path, root, gathered)
    left: Counter[str] = Counter()
    for name in sorted(
        {texts(one.get("name")) for one in root.iter("attribute") if one.get("name")}
    ):
        left[f"attribute '{name}'"] += sum(
            one.get("name") == name for one in root.iter("attribute")
        )
    for track in root.findall("track"):
        _track(gathered, track, tasks)
    for tag in root.findall("tag"):
        frame, where = whole_number(tag.get("frame")), f"tag '{texts(tag.get('label'))}'"
        if frame is None or not texts(tag.get("label")):
            gathered.wrong(
                where, f"has no label, or '{texts(tag.get('frame'))}' is no frame number"
            )
        else:
            gathered.add(
                f"{where} of frame {frame}", tasks.video(tag), str(frame), texts(tag.get("label"))
            )
    for image in root.findall("image"):
        _image(gathered, image, tasks)
    if left:
        gathered.note(f"left out: {counted(left)}; a class is what CVAT calls a label")
    return gathered.done("labels of frames")


class _Tasks:
    """Which video a track, tag or image is of, and where that ends."""

    def __init__(self, path: File, root: Element, gathered: Gathered) -> None:
        meta = root.find("meta")
        found = [] if meta is None else [one for one in meta.iter() if one.tag in ("task", "job")]
        self._names: dict[str, str] = {}
        self._ends: dict[str, int | None] = {}
        self.images = bool(root.findall("image"))
        for task in found:
            name = texts(task.findtext("source")) or texts(task.findtext("name"))
            size, start = (whole_number(task.findtext(tag)) for tag in ("size", "start_frame"))
            stop = whole_number(task.findtext("stop_frame"))
            end = stop + 1 if stop is not None else None if size is None else size + (start or 0)
            if stop is not None and size == stop - (start or 0) and size > _STEPS:
                end = stop  # Datumaro writes the frame after the last
            number = texts(task.findtext("id"))
            self._names[number], self._ends[number] = name or path.stem, end
        if not found or not all(self._names.values()):
            gathered.note("it names no video; its own name is taken for the video's")
        first = next(iter(self._names), "")
        self._names.setdefault("", self._names.get(first, path.stem))
        self._ends.setdefault("", self._ends.get(first))

    def video(self, element: Element) -> str:
        return self._names.get(texts(element.get("task_id")), self._names[""])

    def end(self, element: Element) -> int | None:
        return self._ends.get(texts(element.get("task_id")), self._ends[""])


def _track(gathered: Gathered, track: Element, tasks: _Tasks) -> None:
    label, video = texts(track.get("label")), tasks.video(track)
    where = f"track {texts(track.get('id'))}"
    shapes = []
    for shape in track:
        if shape.tag not in _SHAPES:
            continue
        frame = whole_number(shape.get("frame"))
        if frame is None:
            gathered.wrong(where, f"{shape.tag}: '{texts(shape.get('frame'))}' is no frame number")
        else:
            shapes.append((frame, shape.get("outside") == "1", shape.get("keyframe") != "0"))
    if not label:
        gathered.wrong(where, "has no label")
        return
    if not shapes:
        return
    shapes.sort()
    steps = [second[0] - first[0] for first, second in pairwise(shapes)] or [1]
    every = all(key for _, _, key in shapes)
    # Where not all are key frames, all frames with a shape are there, in the steps of the task.
    longest = shapes[-1][0] if every else min((step for step in steps if step), default=1)
    for number, (frame, outside, _) in enumerate(shapes):
        end: int | None = frame + 1
        if number + 1 < len(shapes):
            end = min(shapes[number + 1][0], frame + longest)
        elif steps[-1] > 1 and every:
            end = tasks.end(track) or end
        if outside or end is None:
            continue
        if end - frame > _LONGEST:
            gathered.wrong(where, f"goes over {end - frame:,} frames, more than any video has")
            continue
        for shown in range(frame, end):
            gathered.add(where, video, str(shown), label)


def _image(gathered: Gathered, image: Element, tasks: _Tasks) -> None:
    name = texts(image.get("name")).replace("\\", "/")
    where = f"image '{name}'"
    # CVAT calls the frames of a video so; names of images that were uploaded stay as they were.
    number = re.fullmatch(r"(?:.*/)?frame_(\d+)(?:\.\w+)?", name)
    parent = PurePosixPath(name).parent.as_posix()
    video = parent if parent != "." else tasks.video(image)
    frame = str(int(number[1])) if number else PurePosixPath(name).name
    if not frame:
        gathered.wrong(where, "has no name")
        return
    for shape in image:
        if shape.get("outside") == "1":  # Datumaro writes those of tracks so
            continue
        if shape.tag in _SHAPES or shape.tag == "tag":
            if texts(shape.get("label")):
                gathered.add(where, video, frame, texts(shape.get("label")))
            else:
                gathered.wrong(where, f"{shape.tag}: it has no label")


def write(rows: pd.DataFrame, infos: Mapping[str, VideoInfo]) -> Made:
    """A file "for images" a video, a tag a labelled frame: tags of "for video" files CVAT doesn't take.

    Args:
        rows: ``video, frame, label``; numbers of the video's own frames.
        infos: of videos that are known, for how many frames they have, and how large.
    """
    notes = ["labels are tags of frames, which CVAT shows as such; they have no boxes"]
    if left := [name for name in ("split", "subject", "site", "date") if name in rows]:
        notes.append(f"left out: {', '.join(left)}, for which CVAT has no place")
    files: dict[str, str] = {}
    for video, of_video in rows.groupby("video", sort=True):
        info = infos.get(str(video))
        root = Element("annotations")
        SubElement(root, "version").text = "1.1"
        task = SubElement(SubElement(root, "meta"), "task")
        SubElement(task, "name").text = str(video)
        SubElement(task, "size").text = str(len(info) if info else int(of_video["frame"].max()) + 1)
        SubElement(task, "mode").text = "annotation"
        labels = SubElement(task, "labels")
        for label in sorted(set(of_video["label"].astype(str))):
            SubElement(SubElement(labels, "label"), "name").text = label
        SubElement(task, "source").text = info.path.name if info else str(video)
        size = {"width": str(info.width), "height": str(info.height)} if info else {}
        tags = sorted(zip(of_video["frame"], of_video["label"].astype(str), strict=True))
        for frame, of_frame in groupby(tags, key=itemgetter(0)):
            # CVAT finds a frame of a video by this name.
            place = {"id": str(frame), "name": f"frame_{frame:06}", **size}
            image = SubElement(root, "image", place)
            for _, label in of_frame:
                SubElement(image, "tag", {"label": label, "source": "manual"})
        indent(root)
        text = tostring(root, encoding="unicode")
        name = file_name(str(video), files, ".xml")
        files[name] = f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'
    return Made(files if len(files) != 1 else {"": next(iter(files.values()))}, notes)
