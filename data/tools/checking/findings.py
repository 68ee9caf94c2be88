"""What is to be said of videos that were measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from data.console import duration
from data.errors import some
from data.files.path import File
from data.files.store import content_key
from data.tools.checking.measure import Measured, variable_rate
from data.videos.decoding.survey import Stretch, Survey
from data.videos.rejects import Reject

Level = Literal["wrong", "look"]


@dataclass(frozen=True)
class Finding:
    """Something that a person should know.

    Attributes:
        level: ``wrong`` is left out of a search, or makes its figures wrong; ``look`` may be meant so.
        kind: in a word or two, the same for all findings of its kind.
        video: that it is of; empty: of several, or of the labels.
    """

    level: Level
    kind: str
    text: str
    video: str = ""


def by_video(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """The findings of each video that has some."""
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.video:
            found.setdefault(finding.video, []).append(finding)
    return found


def of_video(name: str, measured: Measured, reject: Reject | None) -> Iterator[Finding]:
    """What is to be said of one video.

    Args:
        reject: what a search leaves out of it.
    """
    survey = measured.survey
    if reject is not None:
        yield Finding("wrong", _kind(survey), "; ".join(_left_out(survey, reject)), name)
    if survey is None:
        return
    if survey.concealed:
        text = f"errors in the picture {_stretches(survey.concealed)}"
        yield Finding("look", "picture errors", text, name)
    if reject is None and survey.promised not in (0, len(survey.times)):
        text = f"declares {survey.promised:,} frames, {len(survey.times):,} decode"
        yield Finding("look", "frame count", text, name)
    if variable_rate(survey.times) and survey.info is not None:
        rate = f"frames come at a variable rate, {survey.info.fps:.3g} a second on average"
        yield Finding("look", "variable rate", rate, name)
    if survey.stored:
        text = f"stored {survey.stored}; is turned upright when it is read"
        yield Finding("look", "rotated", text, name)
    for kind, stretches in (("black", measured.black), ("frozen", measured.frozen)):
        if stretches:
            what = "is black" if kind == "black" else "does not change"
            yield Finding("look", kind, f"the picture {what} {_stretches(stretches)}", name)
    if measured.jumps:
        places = some((f"by {by:+.1f} s after {_clock(at)}" for at, by in measured.jumps), 3)
        yield Finding("look", "clock jumps", f"the clock jumps {places}", name)
    for remark in survey.info.remarks if survey.info else ():
        yield Finding("look", "images", remark, name)


def _kind(survey: Survey | None) -> str:
    if survey is None or (survey.info is None and not len(survey.times)):
        return "unreadable"
    return "damaged" if survey.damage or survey.info is None else "cut short"


def _left_out(survey: Survey | None, reject: Reject) -> Iterator[str]:
    yield f"used in part: {reject.reason}" if reject.used else f"left out: {reject.reason}"
    if reject.used:
        yield reject.part
    if survey is not None and survey.damage and len(survey.times):
        yield f"does not decode {_stretches(survey.damage)}"
        if reject.used and (beyond := len(survey.times) - reject.used):
            yield f"{beyond:,} frames after the first damage decode, and are not used"


def duplicates(
    measured: Mapping[str, Measured], files: Mapping[str, File], splits: Mapping[str, str]
) -> Iterator[Finding]:
    """Videos with the same bytes, or that show the same.

    Args:
        splits: of labelled videos.
    """
    same: dict[str, list[str]] = {}
    for name, one in measured.items():
        if one.survey is not None and one.survey.digest:
            same.setdefault(one.survey.digest, []).append(name)
    for names in same.values():
        if len(names) < 2:
            continue
        copies = _copies([files[name] for name in names])
        what = "copies of one file" if copies else "the same pictures in different files"
        apart = {splits[name] for name in names if name in splits}
        if len(apart) > 1:
            text = f"{what}, and in {' and '.join(sorted(apart))}: {some(names)}; label one of them"
            yield Finding("wrong", "duplicates", text)
        else:
            yield Finding("look", "duplicates", f"{what}: {some(names)}")


def _copies(files: Iterable[File]) -> bool:
    try:
        return len({content_key(file) for file in files}) == 1
    except OSError:  # it has gone since it was decoded
        return False


def _stretches(stretches: list[Stretch]) -> str:
    total = sum(end - start for start, end in stretches)
    places = some((_range(start, end) for start, end in stretches), 3)
    return f"for {total:.1f} s: {places}"


def _range(start: float, end: float) -> str:
    return f"{_clock(start)} to {_clock(end)}"


def _clock(second: float) -> str:
    """``75.25`` as ``1:15.2``."""
    tenths = round(second * 10)
    return f"{duration(tenths // 10)}.{tenths % 10}"
