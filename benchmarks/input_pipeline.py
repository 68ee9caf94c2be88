"""How long training waits for its clips, stored and decoded directly.

    python -m benchmarks.input_pipeline

*stored*: c3dsmall over the sample's stored frames, one training on all cores: the share of an epoch
in which it waited for data. *direct*: frames a second of clips decoded from a file and resized, as
training takes them, against decord reading the same file in sequence at its own size and doing nothing.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import av
import numpy as np
import torch

import models
from benchmarks.report import report
from data.clips.index import clip_indices
from data.console import output
from data.videos.video import open_video
from models import ModelConfig
from tuner.config.parameters import TrainingConfig
from tuner.config.sections import DataConfig
from tuner.preparation.one_machine import load_dataset
from tuner.training.clips.batches import DirectClips
from tuner.training.clips.source import ClipSource
from tuner.training.loop import Training

CONFIG = ModelConfig(architecture="c3dsmall", sequence_length=16)


def data_wait() -> float:
    """The median share of an epoch in which training waits for data."""
    dataset = load_dataset(DataConfig(), output)
    source = ClipSource(dataset, DataConfig())
    train, valid = (source.clips(CONFIG, split) for split in ("train", "valid"))
    model = models.build(CONFIG, dataset.classes)
    config = TrainingConfig(epochs=100, patience=100, rounds=1)
    training = Training(model, train, valid, config=config, task=source.task)
    return statistics.median(training.step()["data_wait"] for _ in range(3))


def encode(path: Path, frames: int = 1500, size: tuple[int, int] = (576, 704)) -> None:
    """An H.264 file with as much detail as a camera's."""
    draw = np.random.default_rng(0)
    scene = draw.integers(0, 255, (size[0] // 8, size[1] // 8, 3), np.uint8)
    scene = np.repeat(np.repeat(scene, 8, 0), 8, 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = size[1], size[0], "yuv420p"
        for number in range(frames):
            image = np.roll(scene, number * 2, axis=1) // 2
            image = image + draw.integers(0, 12, scene.shape, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def sequential(path: Path) -> float:
    """Frames a second of decord alone."""
    from decord import VideoReader

    reader = VideoReader(str(path), num_threads=1)
    start = time.perf_counter()
    for _ in range(len(reader)):
        reader.next().asnumpy()
    return len(reader) / (time.perf_counter() - start)


def direct(path: Path) -> float:
    """Frames a second of clips in batches; a clip ends at every fourth frame."""
    video = open_video("video", path, None)
    ends = np.arange(0, len(video), 4)
    clips = DirectClips(
        videos=[video],
        video=torch.zeros(len(ends), dtype=torch.int64),
        index=torch.from_numpy(clip_indices(ends, 16)),
        labels=torch.zeros(len(ends), dtype=torch.int64),
        size=(112, 112),
    )
    start = time.perf_counter()
    count = sum(len(labels) for _, labels in clips.batches(torch.randperm(len(ends)), 32))
    assert count == len(ends)
    return len(video) / (time.perf_counter() - start)


def main(rounds: int = 3) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "camera.mp4"
        encode(path)
        rates = [(direct(path), sequential(path)) for _ in range(rounds)]
    wait = data_wait()
    report(
        "input_pipeline",
        {
            "data_wait of c3dsmall over stored frames / 5 %": (wait / 0.05, "below 1"),
            "direct decoding / decord in sequence": (
                statistics.median(ours / theirs for ours, theirs in rates),
                "0.8 or more",
            ),
        },
        {
            "data_wait": wait,
            "direct, frames a second": statistics.median(ours for ours, _ in rates),
            "sequential, frames a second": statistics.median(theirs for _, theirs in rates),
        },
    )


if __name__ == "__main__":
    main()
