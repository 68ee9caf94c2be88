"""Brings the frames of all videos, and what is cut out of them, into the stores of this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import models
from data import FrameStore
from data.console import Output
from data.errors import VideoError
from data.stores.crops import CroppedStore
from data.stores.motion import Reference
from data.videos.decode import read_frames
from data.videos.info import VideoInfo
from data.videos.rejects import Reject
from data.videos.video import Video
from models import ModelConfig
from tuner.config.sections import DataConfig

Stores = Sequence[tuple[FrameStore, list[tuple[int, int]]]]  # and the sizes that they shall hold


# What decoding a video brought to light: why it can't be used, or that its frames are others.
Found = Reject | VideoInfo


def decode(
    videos: Iterable[Video],
    stores: Stores,
    config: DataConfig,
    output: Output,
    then: Callable[[Video], object] | None = None,
) -> list[Found]:
    """`decode_one` of all videos, several at a time; a bar shows how many are done.

    Args:
        then: done with each that decodes, while others are decoded.
    """
    videos = list(videos)

    def attempt(video: Video) -> Found | None:
        try:
            found = decode_one(video, stores, config)
            if found is None and then is not None:
                then(video)
            return found
        finally:
            advance()

    text = "decoding videos" if then is None else "decoding videos and computing features"
    with (
        output.bar(text, len(videos)) as advance,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        return [found for found in pool.map(attempt, videos) if found]


def decode_one(video: Video, stores: Stores, config: DataConfig) -> Found | None:
    """Bring the frames of a video into the stores of this machine.

    It is decoded once for all sizes, and once more for each kind of crops.
    With ``frames: direct`` nothing is stored; it is decoded only to see whether it can be.

    Returns:
        None if its frames are those that `video` says; else those that it has, to be opened anew; or
        why it can't be used.
    """
    try:
        if config.frames == "direct":
            for _ in read_frames(video.info, np.zeros(len(video.info), bool)):
                pass
        else:
            for store, sizes in stores:
                store.ensure(video, sizes)
    except VideoError as error:
        return video.after(error)
    return None


def frame_stores(searched: Iterable[ModelConfig], config: DataConfig) -> Stores:
    """The stores that the models' pictures come from, and every frame size that they take of each."""
    searched = list(searched)
    cut: dict[Reference | None, list[ModelConfig]] = {None: []}
    for model in searched:
        if model.crop != "none":
            cut[None].append(model)
        if model.crop == "all":
            for stream in models.streams(model):
                if stream != "frames":
                    cut.setdefault(stream, []).append(model)
    limit = config.limit_bytes
    return [
        (FrameStore(limit_bytes=limit), _sizes(searched)),
        *((CroppedStore(of, limit_bytes=limit), _sizes(cropped)) for of, cropped in cut.items()),
    ]


def _sizes(of: Iterable[ModelConfig]) -> list[tuple[int, int]]:
    return list(dict.fromkeys(models.frame_size(model) for model in of))
