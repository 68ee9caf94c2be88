"""ELAN: annotation files (``.eaf``, XML; formats 2.6 to 3.0), a file a video.

Of ``HEADER``: ``MEDIA_DESCRIPTOR`` (``MEDIA_URL``, ``RELATIVE_MEDIA_URL``, ``MIME_TYPE``,
``TIME_ORIGIN``: the millisecond of the video at which annotations count 0). Of ``TIME_ORDER``:
``TIME_SLOT`` (``TIME_VALUE`` in milliseconds; without one it lies evenly between its neighbours). Of
each ``TIER`` (``TIER_ID``, ``PARTICIPANT``): ``ALIGNABLE_ANNOTATION`` (``TIME_SLOT_REF1`` and ``2``),
``REF_ANNOTATION`` (``ANNOTATION_REF``: it has its parent's times), ``ANNOTATION_VALUE``.

An annotation's value is the class; where it is empty, the tier's name is. Specified by "ELAN
Annotation Format" and its schema, https://www.mpi.nl/tools/elan/EAFv3.0.xsd. pympi-ling, which reads
it too, parses XML unguarded.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import count
from urllib.parse import quote, unquote
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import numpy as np
import pandas as pd

from data.errors import some
from data.files.path import File
from data.formats.content import refuse, xml_of
from data.formats.taken import (
    RANGE,
    Gathered,
    Made,
    Taken,
    counted,
    file_name,
    seconds,
    texts,
    written,
)
from data.videos.info import VideoInfo

PROGRAM = "ELAN"
_TYPE = "labels"
_SCHEMA = {  # as ELAN names it: pympi-ling reads no file without it
    "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "xsi:noNamespaceSchemaLocation": "http://www.mpi.nl/tools/elan/EAFv3.0.xsd",
}


def recognised(head: str) -> bool:
    """Whether a file begins like one of ELAN."""
    return "<ANNOTATION_DOCUMENT" in head


def read(path: File, content: bytes) -> Taken:
    """The annotations of all tiers.

    Raises:
        DataError: it is no annotation file.
    """
    root = xml_of(path, content)
    if root.tag != "ANNOTATION_DOCUMENT":
        refuse(path, f"is no ELAN file: its root is '{root.tag}', not ANNOTATION_DOCUMENT")
    gathered = Gathered(PROGRAM, path, [*RANGE, "subject"], "annotation")
    video, origin = _media(path, root, gathered)
    slots = _slots(path, root, gathered)
    spans = _spans(root, slots)
    tiers: Counter[str] = Counter()
    for tier in root.iter("TIER"):
        name = texts(tier.get("TIER_ID"))
        for annotation in tier.iter():
            if annotation.tag not in ("ALIGNABLE_ANNOTATION", "REF_ANNOTATION"):
                continue
            number = texts(annotation.get("ANNOTATION_ID")) or "without ANNOTATION_ID"
            label = texts(annotation.findtext("ANNOTATION_VALUE")) or name
            start, end = spans.get(number, (None, None))
            if start is None or end is None:
                gathered.wrong(
                    number, f"tier '{name}': its TIME_SLOT_REF or ANNOTATION_REF leads nowhere"
                )
            elif end < start:
                gathered.wrong(number, f"tier '{name}': ends before it starts")
            elif start + origin < 0:
                gathered.wrong(number, f"tier '{name}': starts before its video (TIME_ORIGIN)")
            else:
                times = [written((time + origin) / 1000) for time in (start, end)]
                gathered.add(number, video, *times, label, texts(tier.get("PARTICIPANT")))
                tiers[name] += 1
    if tiers:
        gathered.note(
            f"tiers: {counted(tiers)}; an empty annotation has its tier's name for a class"
        )
    return gathered.done("annotations")


def _media(path: File, root: Element, gathered: Gathered) -> tuple[str, float]:
    """The video, and the millisecond of it at which annotations begin to count."""
    media = list(root.iter("MEDIA_DESCRIPTOR"))
    videos = [one for one in media if not texts(one.get("MIME_TYPE")).startswith("audio")] or media
    names = [
        unquote(texts(one.get("RELATIVE_MEDIA_URL")) or texts(one.get("MEDIA_URL")))
        for one in videos
    ]
    names = [name.removeprefix("file://").removeprefix("./") for name in names]
    if not names or not names[0]:
        gathered.note("it names no video; its own name is taken for the video's")
        return path.stem, 0
    if len(names) > 1:
        gathered.note(f"left out: {some(names[1:])}; labels are of the first video")
    origin = seconds(videos[0].get("TIME_ORIGIN") or 0)
    if origin is None:
        gathered.problems.append(
            f"{path}: MEDIA_DESCRIPTOR: TIME_ORIGIN is no number of milliseconds"
        )
    return names[0], origin or 0


def _slots(path: File, root: Element, gathered: Gathered) -> dict[str, float]:
    """Milliseconds of each time slot; one without a time lies evenly between those before and after."""
    names, times = [], []
    for slot in root.iter("TIME_SLOT"):
        name, value = texts(slot.get("TIME_SLOT_ID")), slot.get("TIME_VALUE")
        time = None if value is None else seconds(value)
        if value is not None and (time is None or time < 0):
            gathered.problems.append(
                f"{path}, TIME_SLOT '{name}': TIME_VALUE '{texts(value)}' is no time in milliseconds"
            )
        names.append(name)
        times.append(np.nan if time is None else time)
    known = np.flatnonzero(~np.isnan(times))
    if len(known) and len(known) < len(times):
        gathered.note(
            f"{len(times) - len(known)} time slots have no time and lie between their neighbours"
        )
        times = list(np.interp(np.arange(len(times)), known, np.array(times)[known]))
    return {name: time for name, time in zip(names, times, strict=True) if not np.isnan(time)}


def _spans(
    root: Element, slots: Mapping[str, float]
) -> dict[str, tuple[float | None, float | None]]:
    """Start and end of each annotation, in milliseconds."""
    spans: dict[str, tuple[float | None, float | None]] = {}
    parents: dict[str, str] = {}
    for annotation in root.iter("ALIGNABLE_ANNOTATION"):
        both = [slots.get(texts(annotation.get(f"TIME_SLOT_REF{end}"))) for end in (1, 2)]
        spans[texts(annotation.get("ANNOTATION_ID"))] = (both[0], both[1])
    for annotation in root.iter("REF_ANNOTATION"):
        parents[texts(annotation.get("ANNOTATION_ID"))] = texts(annotation.get("ANNOTATION_REF"))
    for name in parents:
        above, seen = parents[name], {name}
        while above in parents and above not in spans and above not in seen:
            seen.add(above)
            above = parents[above]
        if above in spans:
            spans[name] = spans[above]
    return spans


def write(rows: pd.DataFrame, infos: Mapping[str, VideoInfo]) -> Made:
    """A file a video, a tier a class, or a subject and class.

    Args:
        rows: ``video, time_start, time_end, label`` and maybe ``subject``; seconds.
        infos: of videos that are known, for where they are.
    """
    files: dict[str, str] = {}
    notes = []
    if "split" in rows:
        notes.append("splits are left out: ELAN has none")
    rounded = rows[["time_start", "time_end"]].to_numpy(float) * 1000
    rounded = np.abs(rounded - np.round(rounded)) > 1e-6
    if rounded.any():
        notes.append(
            f"{int(rounded.any(axis=1).sum())} ranges are rounded to milliseconds, as ELAN counts"
        )
    for video, of_video in rows.groupby("video", sort=True):
        info = infos.get(str(video))
        files[file_name(str(video), files, ".eaf")] = _document(str(video), of_video, info)
    return Made(files if len(files) != 1 else {"": next(iter(files.values()))}, notes)


def _document(video: str, rows: pd.DataFrame, info: VideoInfo | None) -> str:
    head = {"AUTHOR": "", "DATE": "2000-01-01T00:00:00+00:00", "FORMAT": "3.0", "VERSION": "3.0"}
    root = Element("ANNOTATION_DOCUMENT", head | _SCHEMA)
    header = SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    name = info.path.name if info else video
    media = {"MEDIA_URL": f"file:///{quote(name)}", "RELATIVE_MEDIA_URL": f"./{quote(name)}"}
    SubElement(header, "MEDIA_DESCRIPTOR", media | {"MIME_TYPE": "video/mp4"})
    slots = SubElement(root, "TIME_ORDER")
    slot, annotation = count(1), count(1)
    subjects = rows["subject"] if "subject" in rows else pd.Series("", rows.index)
    for (label, subject), of_tier in rows.groupby(
        [rows["label"].astype(str), subjects.astype(str)]
    ):
        for free in _apart(of_tier):
            tier = SubElement(root, "TIER", {"LINGUISTIC_TYPE_REF": _TYPE, "TIER_ID": ""})
            taken = {other.get("TIER_ID") for other in root.iter("TIER")}
            names = (f"{label}{' of ' + subject if subject else ''}{end}" for end in _ends())
            tier.set("TIER_ID", next(one for one in names if one not in taken))
            if subject:
                tier.set("PARTICIPANT", subject)
            for start, end in free:
                refs = {"ANNOTATION_ID": f"a{next(annotation)}"}
                for number, time in enumerate((start, end), 1):
                    refs[f"TIME_SLOT_REF{number}"] = f"ts{next(slot)}"
                    where = {"TIME_SLOT_ID": refs[f"TIME_SLOT_REF{number}"]}
                    SubElement(slots, "TIME_SLOT", where | {"TIME_VALUE": str(round(time * 1000))})
                one = SubElement(SubElement(tier, "ANNOTATION"), "ALIGNABLE_ANNOTATION", refs)
                SubElement(one, "ANNOTATION_VALUE").text = label
    kind = {"LINGUISTIC_TYPE_ID": _TYPE, "TIME_ALIGNABLE": "true", "GRAPHIC_REFERENCES": "false"}
    SubElement(root, "LINGUISTIC_TYPE", kind)
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'


def _ends() -> Iterator[str]:
    yield ""
    yield from (f" {number}" for number in count(2))


def _apart(rows: pd.DataFrame) -> list[list[tuple[float, float]]]:
    """Ranges of a class, dealt to tiers in which none overlap."""
    tiers: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for start, end in sorted(zip(rows["time_start"], rows["time_end"], strict=True)):
        free = next(n for n in count() if not tiers[n] or tiers[n][-1][1] <= start)
        tiers[free].append((start, end))
    return list(tiers.values())
