"""Players of an observation of BORIS: media files one after the other, and beside one another."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import Any

from data.errors import some
from data.formats.taken import Gathered, seconds, texts, written

_SAME = 1e-6  # seconds
_LATEST = 2.0**31  # seconds, as of BORIS


class Timeline:
    """Media files that are shown one after the other."""

    def __init__(self, media: list[str], lengths: list[float]) -> None:
        self.media = media
        self.starts = [0.0, *accumulate(lengths[:-1])][: len(media)]
        self.end = sum(lengths)

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


def moment(value: object) -> float | None:
    """A time of BORIS in seconds, which may count from 1970; None if it is none."""
    return seconds(value, _LATEST)


def players_of(observation: Mapping[str, Any]) -> dict[str, list[str]]:
    """The media files of each player that has some."""
    players = observation.get("file")
    players = players if isinstance(players, dict) else {}
    files = {  # a path is kept as it is: two blanks in it are two
        name: [file if isinstance(file, str) else texts(file) for file in listed(some)]
        for name, some in players.items()
    }
    return {name: media for name, media in files.items() if media}


def second_players(
    gathered: Gathered,
    name: str,
    players: Mapping[str, list[str]],
    info: Mapping[str, Any],
    firsts: set[str],
) -> dict[str, float]:
    """Files that are shown beside the first player's, which have its labels too, and their lengths.

    Such a file may not be among the videos, and its labels are left out then.

    Args:
        firsts: files of first players, which have labels of their own.
    """
    (first, media), *others = players.items()
    lengths, offsets = (object_of(info.get(key)) for key in ("length", "offset"))
    taken, left = dict[str, float](), list[str]()
    for player, files in others:
        length = seconds(lengths.get(files[0]))
        offset, own = (seconds(offsets.get(key, 0)) for key in (player, first))
        if len(media) == len(files) == 1 and length is not None and offset == own is not None:
            if files[0] not in firsts:
                taken[files[0]] = length
        else:
            left += [file for file in files if file not in media]
    if taken:
        gathered.note(
            f"observation '{name}': labels are also of what other players show at the same time, "
            f"{some(taken)}: keep these in the split of {media[0]}"
        )
        gathered.spare |= set(taken)
    if left:
        gathered.note(
            f"observation '{name}': labels are of the first player, not of {some(left)} (taken would be "
            "a single file of a known length with the same time offset)"
        )
    return taken


def object_of(value: object) -> dict[str, Any]:
    """An object of JSON; empty if it is none."""
    return value if isinstance(value, dict) else {}


def listed(value: object) -> list[Any]:
    """A list of JSON; empty if it is none."""
    return value if isinstance(value, list) else []
