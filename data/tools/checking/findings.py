"""What is to be said of videos that were measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from data.console import duration
from data.errors import some
from data.tools.checking.inspection import CONCEALED, Inspection
from data.tools.checking.measure import Measured, Stretch

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


def of_video(name: str, measured: Measured) -> Iterator[Finding]:
    """What is to be said of one video."""
    found = measured.inspection
    if found is None:
        yield Finding("wrong", "unreadable", measured.error, name)
        return
    if damage := [(start, end) for start, end, why in found.damage if why != CONCEALED]:
        why = next(why for _, _, why in found.damage if why != CONCEALED)
        yield Finding("wrong", "damaged", f"does not decode {_stretches(damage)} ({why})", name)
    if concealed := [(start, end) for start, end, why in found.damage if why == CONCEALED]:
        yield Finding(
            "look", "picture errors", f"errors in the picture {_stretches(concealed)}", name
        )
    yield from _declared(name, found)
    if found.variable_rate:
        rate = f"frames come at a variable rate, {found.fps:.3g} a second on average"
        yield Finding("look", "variable rate", rate, name)
    if found.rotation:
        turned = "is turned upright when it is read"
        yield Finding(
            "look", "rotated", f"stored turned by {found.rotation} degrees; {turned}", name
        )
    for kind, stretches in (("black", measured.black), ("frozen", measured.frozen)):
        if stretches:
            what = "is black" if kind == "black" else "does not change"
            yield Finding("look", kind, f"the picture {what} {_stretches(stretches)}", name)
    if measured.jumps:
        places = some((f"by {by:+.1f} s after {_clock(at)}" for at, by in measured.jumps), 3)
        yield Finding("look", "clock jumps", f"the clock jumps {places}", name)
    for remark in found.remarks:
        yield Finding("look", "images", remark, name)


def _declared(name: str, found: Inspection) -> Iterator[Finding]:
    end = float(found.times.max()) + 1 / found.fps
    # Of a file that was cut off, some headers count frames, and FFmpeg corrects their seconds.
    length = max(found.length or 0, (found.declared or 0) / found.fps)
    absurd = length > 100 * end + 60
    if not absurd and end < 0.9 * length - 0.5:
        text = f"ends after {_clock(end)} of the {_clock(length)} that it declares"
        yield Finding("wrong", "cut short", text, name)
    elif found.declared is not None and found.declared != found.decoded:
        text = f"declares {found.declared:,} frames, {found.decoded:,} decode"
        yield Finding("look", "frame count", text, name)


def duplicates(measured: Mapping[str, Measured], splits: Mapping[str, str]) -> Iterator[Finding]:
    """Videos with the same bytes, or that show the same.

    Args:
        splits: of labelled videos.
    """
    same: dict[str, list[str]] = {}
    for name, one in measured.items():
        if one.pictures:
            same.setdefault(one.pictures, []).append(name)
    for names in same.values():
        if len(names) < 2:
            continue
        copies = len({measured[name].content for name in names}) == 1
        what = "copies of one file" if copies else "the same pictures in different files"
        apart = {splits[name] for name in names if name in splits}
        if len(apart) > 1:
            text = f"{what}, and in {' and '.join(sorted(apart))}: {some(names)}; label one of them"
            yield Finding("wrong", "duplicates", text)
        else:
            yield Finding("look", "duplicates", f"{what}: {some(names)}")


def alike(classes: Iterable[str]) -> Iterator[Finding]:
    """Classes that differ in case or blanks alone."""
    plain = {label: "".join(label.split()).casefold() for label in classes}
    for one, other in combinations(sorted(plain), 2):
        if plain[one] == plain[other]:
            text = (
                f"classes '{one}' and '{other}' differ in case or blanks alone: write one of them"
            )
            yield Finding("wrong", "classes", text)


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
