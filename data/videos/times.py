"""When frames are shown: which of them a sampling rate takes, and which is nearest to a time."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np

_MOSTLY = 0.9  # of times that are right, with a few odd ones between them


def sample_indices(times: np.ndarray, duration: float, fps: float | None) -> np.ndarray:
    """For each sampled frame at `fps`, the file's frame shown nearest to it in time.

    Sample k is wanted at k / fps seconds, for as long as the video lasts. None keeps every frame.

    Example:
        ``sample_indices([0, .1, .2, .3], 0.4, 5) -> [0, 2]``
    """
    if fps is None:
        return np.arange(len(times))
    # A tolerance of a millionth of a sample, so that 0.3 * 10 counts as 3 samples and not 4.
    wanted = np.arange(max(1, int(np.ceil(duration * fps - 1e-6)))) / fps
    return nearest_frames(times, wanted)


def spread(count: int, places: int) -> np.ndarray:
    """Numbers of `places` of `count` frames, spread evenly: the middles of equal parts.

    With fewer frames than places, frames are repeated.

    Example:
        ``spread(10, 2) -> [2, 7]``; ``spread(1, 3) -> [0, 0, 0]``
    """
    return (2 * np.arange(places, dtype=np.int64) + 1) * count // (2 * places)


def nearest_frames(times: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """For each wanted time, the index in the increasing `times` that is nearest (ties: later)."""
    middles = (times[1:] + times[:-1]) / 2
    # Rounded to a microsecond: label times written with 3 decimals must not fall off a tie.
    return np.searchsorted(np.round(middles, 6), np.round(wanted, 6), side="right")


def clean_times(starts: np.ndarray, fps: float) -> np.ndarray:
    """Increasing times from 0 s; evenly spaced where the container's can't be used (some ASF and MPEG).

    Args:
        starts: ``[N]`` seconds, NaN where unknown.
    """
    even = np.arange(len(starts)) / fps
    times = starts.astype(np.float64)
    if not np.all(np.diff(times) > 0):
        times = _mended(times, 1 / fps)
    times = times - times[0]
    if not np.all(np.isfinite(times)) or times[-1] > 100 * len(times) / fps + 60:
        return even
    return even if np.max(np.abs(times - even)) < 1e-3 + 0.05 / fps else times


def _mended(times: np.ndarray, step: float) -> np.ndarray:
    """Times that increase: a few odd ones lie between others, a clock that restarts goes on."""
    kept = _increasing(times)
    if len(kept) and len(kept) >= _MOSTLY * np.isfinite(times).sum():
        places = np.arange(len(times))
        mended = np.interp(places, kept, times[kept])
        if len(kept) > 1:
            step = float(np.median(np.diff(times[kept]) / np.diff(kept)))
        before, after = places < kept[0], places > kept[-1]
        mended[before] = times[kept[0]] - step * (kept[0] - places[before])
        mended[after] = times[kept[-1]] + step * (places[after] - kept[-1])
        return mended
    steps = np.diff(times)
    return np.concatenate([[0.0], np.cumsum(np.where(steps > 0, steps, step))])


def _increasing(times: np.ndarray) -> np.ndarray:
    """Places of the longest part of `times` that increases (patience sorting, Fredman 1975)."""
    ends: list[float] = []
    last: list[int] = []
    before = np.full(len(times), -1)
    for place, time in enumerate(times.tolist()):
        if time != time:  # NaN
            continue
        pile = bisect_left(ends, time)
        before[place] = last[pile - 1] if pile else -1
        ends[pile : pile + 1], last[pile : pile + 1] = [time], [place]
    found = [last[-1]] if last else []
    while found and before[found[-1]] >= 0:
        found.append(int(before[found[-1]]))
    return np.array(found[::-1], np.int64)
