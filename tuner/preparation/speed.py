"""How fast this machine prepares videos, measured on a few seconds of them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

import numpy as np

from data.clips.transforms import resize
from data.console import Output
from data.errors import VideoError
from data.files.video_cache import missing_chunks
from data.stores.boxes import boxes
from data.stores.features import OfVideo
from data.stores.motion import Reference, background, difference, relit
from data.videos.decode import read_frames
from data.videos.times import spread
from data.videos.video import Video
from models.config import ModelConfig, Size
from tuner.config.sections import DataConfig
from tuner.preparation.costs import Decoding, Need, Part
from tuner.training.clips.stored import open_stores
from tuner.training.device import best_device

_VIDEOS = 3
_SECONDS = 1.0  # to decode each of them, at most
_KEPT = 8  # frames of each, to resize
_NETWORK_SECONDS = 0.5
_LIMIT = 30.0  # seconds of measuring, after which no further backbone is begun
_FEW, _LONG_BATCH = 4, 5.0  # frames, and seconds


@dataclass(frozen=True)
class DecodeRate:
    """Seconds of bringing one pixel into the stores, while other threads do the same.

    Attributes:
        decode: a pixel of any of the file's frames.
        resize: a pixel, in the file, of a frame that is stored; for each size.
        box: a pixel of a stored frame in which motion is looked for.
    """

    decode: float
    resize: float
    box: float = 0.0

    def seconds(self, decodings: Iterable[Decoding], *, at_once: int) -> float:
        """Of videos, so many of them at a time. The file's frames are decoded even if few are kept."""
        total = 0.0
        for video, passes, whole, crops in decodings:
            pixels = video.info.width * video.info.height
            total += passes * len(video.info) * pixels * self.decode
            total += len(video) * (len(whole) + len(crops)) * pixels * self.resize
            total += len(video) * sum(height * width for height, width in crops) * self.box
        return total / at_once


@dataclass(frozen=True)
class Speed:
    """What was measured.

    Attributes:
        decode: None if no video could be decoded.
        networks: seconds of a backbone for each feature, by `network_key`.
        unknown: what was not measured, and why.
    """

    decode: DecodeRate | None = None
    networks: dict[tuple[Any, ...], float] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    def decoding(self, need: Need) -> float:
        """Seconds to decode all videos."""
        if self.decode is None:
            return 0.0
        return self.decode.seconds(need.decodings, at_once=os.cpu_count() or 1)

    def knows(self, parts: Iterable[Part]) -> bool:
        """Whether the networks of all these features were measured."""
        return all(network_key(part) in self.networks for part in parts)

    def computing(self, parts: Iterable[Part]) -> float:
        """Seconds to compute features, on one machine; none for what was not measured.

        Those that one pass of a backbone gives cost as much as the slowest of them.
        """
        passes: dict[tuple[Any, ...], float] = {}
        for part in parts:
            assert part.network is not None
            source, seconds = part.network[1].source, self.networks.get(network_key(part), 0.0)
            passes[source] = max(passes.get(source, 0.0), seconds * part.missing)
        return sum(passes.values())


def network_key(part: Part) -> tuple[Any, ...]:
    """Equal for features that take the same time."""
    assert part.network is not None
    model, store = part.network
    of_network = model.pretrained_model_name, model.backbone_stage
    return *of_network, store.size, store.window, store.motion


def measure(need: Need, config: DataConfig, output: Output) -> Speed:
    """Decode up to three videos for a second each, and run each backbone for a moment.

    The machine is measured as busy as it is.
    """
    sizes = list(dict.fromkeys(size for d in need.decodings for size in (*d.whole, *d.crops)))
    cropped = any(decoding.crops for decoding in need.decodings)
    parts = {network_key(part): part for part in need.features if part.missing}
    unknown: list[str] = []
    rate = None
    with output.bar("measuring", bool(need.decodings) + len(parts)) as advance:
        if need.decodings:
            videos = [decoding.video for decoding in need.decodings]
            rate = decode_rate(videos, sizes, unknown, cropped=cropped)
            advance()
        networks = {}
        start = time.perf_counter()
        for key, part in parts.items():
            assert part.network is not None
            if time.perf_counter() - start > _LIMIT:
                size = f"{part.network[1].size[0]}x{part.network[1].size[1]}"
                unknown.append(f"{part.what} at {size} are not measured: it takes too long")
                continue
            networks[key] = network_seconds(part.network[0], config, motion=key[-1])
            advance()
    return Speed(rate, networks, unknown)


def decode_rate(
    videos: Sequence[Video], sizes: Sequence[Size], unknown: list[str], *, cropped: bool
) -> DecodeRate | None:
    """Of up to three videos, spread over the list; why there is none goes to `unknown`."""
    here = [video for video in videos if not missing_chunks(video.info.path)]
    rates = []
    reason = "the videos are on S3, and not on this machine yet"
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # as all videos are decoded
        begun = [
            (here[number].name, pool.submit(_rate_of, here[number], sizes, cropped=cropped))
            for number in spread(len(here), min(len(here), _VIDEOS))
        ]
    for name, result in begun:
        try:
            rates.append(result.result())
        except (VideoError, OSError) as error:
            reason = f"{name}: {error}"
    if not rates:
        unknown.append(f"decoding is not measured ({reason})")
        return None
    return DecodeRate(*(fmean(each) for each in zip(*rates, strict=True)))


def _rate_of(video: Video, sizes: Sequence[Size], *, cropped: bool) -> tuple[float, float, float]:
    """`DecodeRate` of one video."""
    kept: list[np.ndarray] = []
    frames, start = 0, time.perf_counter()
    reader = read_frames(video.info)
    try:
        for frame in reader:
            frames += 1
            if len(kept) < _KEPT:
                kept.append(frame.copy())
            if time.perf_counter() - start >= _SECONDS:
                break
    finally:
        reader.close()
    seconds = time.perf_counter() - start
    pixels = video.info.width * video.info.height
    same = np.stack([frame for frame in kept if frame.shape == kept[0].shape])
    if not sizes:
        return seconds / (frames * pixels), 0.0, 0.0
    resize(same[:1], sizes[0])  # the first takes longer
    start = time.perf_counter()
    small = [resize(same, size) for size in sizes]
    resizing = (time.perf_counter() - start) / (len(sizes) * len(same) * pixels)
    box = 0.0
    if cropped:
        start = time.perf_counter()
        boxes(small[0], background(small[0]), same.shape[1:3])
        box = (time.perf_counter() - start) / (len(same) * sizes[0][0] * sizes[0][1])
    return seconds / (frames * pixels), resizing, box


def network_seconds(model: ModelConfig, config: DataConfig, *, motion: Reference | None) -> float:
    """Seconds of a frozen model's backbone for each of its features, by the way that they are made.

    Those of motion images, if `motion` names what they are compared with, are made with them.

    Its weights may not be here yet, and make no difference: random ones are taken.
    """
    plain = model.model_copy(update={"pretrained": False, "model_weights_path": None})
    store = open_stores(plain, config)[0]
    made = store.make_backbone([store.output])
    run = made.alone if isinstance(made, OfVideo) else made
    clip = (store.window[0],) if store.window else ()
    count = max(1, store.batch_size // (clip[0] if clip else 1))
    frames = np.random.default_rng(0).integers(0, 256, (count, *clip, *store.size, 3), np.uint8)
    few = frames if best_device().type == "cuda" else frames[:_FEW]
    run(few)  # the first takes longer: on a GPU, the first of its size
    start = time.perf_counter()
    run(few)
    each = (time.perf_counter() - start) / len(few)
    if each * count > _LONG_BATCH:
        return each  # of a slow network, a small batch takes as long for each
    rounds, start = 0, time.perf_counter()
    while not rounds or time.perf_counter() - start < _NETWORK_SECONDS:
        shown = relit(frames, frames[0]) if motion == "relit" else frames
        run(difference(shown, frames[0]) if motion else frames)
        rounds += 1
    return (time.perf_counter() - start) / (rounds * count)
