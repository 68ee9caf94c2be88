"""Brings the frames of all videos into the frame store of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import models
from data import FrameStore
from data.console import Output
from data.errors import VideoError
from data.videos.decode import read_frames
from data.videos.rejects import Reject
from data.videos.video import Video
from models import ModelConfig
from tuner.config.sections import DataConfig


def decode(
    videos: Iterable[Video], sizes: list[tuple[int, int]], config: DataConfig, output: Output
) -> list[Reject]:
    """`decode_one` of all videos, several at a time; a bar shows how many are done."""
    videos = list(videos)

    def attempt(video: Video) -> Reject | None:
        try:
            return decode_one(video, sizes, config)
        finally:
            advance()

    with (
        output.bar("decoding videos", len(videos)) as advance,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        return [reject for reject in pool.map(attempt, videos) if reject]


def decode_one(video: Video, sizes: list[tuple[int, int]], config: DataConfig) -> Reject | None:
    """Bring the frames of a video into this machine's frame store, decoding it once for all sizes.

    With ``frames: direct`` nothing is stored; it is decoded only to see whether it can be.

    Returns:
        why it does not decode to its end; None if it does.
    """
    try:
        if config.frames == "direct":
            for _ in read_frames(video.info):
                pass
        else:
            FrameStore(limit_bytes=config.limit_bytes).ensure(video, sizes)
    except VideoError as error:
        return Reject(video.name, video.info.path, str(error))
    return None


def frame_sizes(searched: Iterable[ModelConfig]) -> list[tuple[int, int]]:
    """Every frame size (height, width) that the models take."""
    return list(dict.fromkeys(models.frame_size(model) for model in searched))
