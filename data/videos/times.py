"""When frames are shown: which of them a sampling rate takes, and which is nearest to a time."""

from __future__ import annotations

import numpy as np


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
    """Times from 0, or evenly spaced if the container's times are unusable (some ASF and MPEG-1)."""
    times = starts.astype(np.float64) - float(starts[0])
    # Seconds in float32, as decord gives them, are good to a tenth of a millisecond at 20 minutes.
    usable = bool(np.all(np.isfinite(times)) and np.all(np.diff(times) > 0))
    if not usable or times[-1] > 100 * len(times) / fps + 60:
        return np.arange(len(times)) / fps
    even = np.arange(len(times)) / fps
    if np.max(np.abs(times - even)) < 1e-3 + 0.05 / fps:
        return even
    return times
