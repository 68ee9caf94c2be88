"""One video file: what it is, and its frames in order."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import numpy as np

from data.files.video_cache import local
from data.prefetch import prefetched
from data.videos.decoding import apart
from data.videos.decoding.apart import OnWait, nothing
from data.videos.decoding.stream import OnShare, silent
from data.videos.decoding.survey import Survey
from data.videos.images import probe_images, read_images
from data.videos.info import VideoInfo

_IMAGES_AHEAD = 8


def probe(path: Path, fps: float | None = None) -> VideoInfo:
    """What a video is: by its packets where these tell, else by decoding all of it.

    Args:
        fps: of a folder of images that does not say its own.

    Raises:
        VideoError: no decoder opens it; the message says why.
    """
    if path.is_dir():
        return probe_images(path, fps)
    return apart.call("look", path)


def measure(info: VideoInfo) -> VideoInfo:
    """What a video is by decoding all of it; frames from where it is damaged are not counted.

    Raises:
        VideoError: none of its frames decodes.
    """
    with local(info.path) as path:
        return replace(apart.call("measure", path), path=info.path)


def survey(
    path: Path, fps: float | None = None, pictures: int = 0, on_share: OnShare = silent
) -> Survey:
    """Decode all of a file or of a folder of images: what `probe`, `measure` and `read_frames` make of
    it, and what else there is.

    Args:
        fps: of a folder of images that does not say its own.
        pictures: how many small ones are given back.
        on_share: called with the share that is done, again and again; what it raises ends it.

    Raises:
        VideoError: it can't be opened, or makes the decoder crash or hang.
    """
    # Where what comes after damage does harm, it is read as far as anybody reads it.
    values, careful = (pictures, fps, True), (pictures, fps, False)
    return apart.call("survey", path, *values, careful=careful, on_share=on_share)


def read_frames(
    info: VideoInfo, wanted: np.ndarray | None = None, on_wait: OnWait = nothing
) -> Generator[np.ndarray, None, None]:
    """Yield frames in order as uint8 ``[H, W, 3]`` RGB, upright.

    Always in sequence, as decoders give wrong frames at random positions of many files. Each frame is
    compared with the time at which `info` says it is shown.

    Args:
        wanted: bool ``[N]``, which of the frames of `info` are yielded; None: all.
        on_wait: called again and again while no frame of a file comes; what it raises ends it.

    Raises:
        VideoError: the stream is damaged, or its frames are not those of `info`; the ones before were
            yielded. `measure` tells what there is.
    """
    if wanted is None:
        wanted = np.ones(len(info), bool)
    if info.decoder == "images":
        yield from prefetched(read_images(info, wanted), depth=_IMAGES_AHEAD)
        return
    with local(info.path) as path:
        yield from apart.read(info, path, wanted, on_wait)
