"""A small data set of drawn videos, and one Ray for all tests that search."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import yaml

SPLITS = {"a1": "train", "a2": "train", "b1": "valid", "c1": "test"}
SUFFIXES = {"a1": ".mp4", "a2": ".avi", "b1": ".mov", "c1": ".mp4"}
FRAMES = 24


def draw(path: Path, seed: int) -> list[str]:
    """A video in which a bright square (a 'seal') comes and goes; returns the frames' labels."""
    rng = np.random.default_rng(seed)
    labels = ["seal" if (frame // 6 + seed) % 2 else "noseal" for frame in range(FRAMES)]
    codec = "mpeg4" if path.suffix == ".avi" else "libx264"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for frame, label in enumerate(labels):
            image = np.full((64, 96, 3), (20, 60, 90), np.uint8)
            image += rng.integers(0, 12, image.shape, dtype=np.uint8)
            if label == "seal":
                x = 5 + frame * 2
                image[20:50, x : x + 30] = (150, 140, 130)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return labels


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with four videos and ``labels.csv``, a frame a row, with splits."""
    folder = tmp_path_factory.mktemp("drawn")
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["video", "frame", "label", "split"])
        for seed, (name, suffix) in enumerate(SUFFIXES.items()):
            for frame, label in enumerate(draw(folder / f"{name}{suffix}", seed)):
                writer.writerow([name, frame, label, SPLITS[name]])
    return folder


@pytest.fixture
def write_config(drawn: Path, tmp_path: Path):
    """``write_config(space={...}, search={...})``: a small YAML over the drawn videos."""

    def write(**sections: object) -> Path:
        tree: dict = {
            "name": "small",
            "data": {"videos": str(drawn), "labels": str(drawn / "labels.csv")},
            "model": {"frame_size": [64, 64], "pooling": "avg"},
            "training": {"epochs": 3, "patience": 2, "rounds": 2, "batch_size": 8},
            "space": {
                "architecture": ["image_mlp_frozen", "video_lrcnn_frozen"],
                "sequence_length": [3],
                "sequence_model": ["GRU"],
                "layer_1_size": [8, 16],
                "dropout": {"low": 0.0, "high": 0.4},
            },
            "search": {"trials": 5, "grace_period": 1, "startup_trials": 3},
            "storage": str(tmp_path / "runs"),
        }
        for name, section in sections.items():
            if isinstance(section, dict) and isinstance(tree.get(name), dict):
                tree[name] = {**tree[name], **section} if name != "space" else section
            else:
                tree[name] = section
        path = tmp_path / "small.yaml"
        path.write_text(yaml.safe_dump(tree))
        return path

    return write


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """``command("search", path, "--dry-run")``: exit status, standard output and error."""
    import importlib

    from tuner import cli

    def run(module: str, *words: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", [module, *map(str, words)])
        main = importlib.import_module(f"tuner.{module}").main
        with pytest.raises(SystemExit) as ended:
            cli.run(main)
        output = capsys.readouterr()
        return int(ended.value.code or 0), output.out, output.err

    return run


@pytest.fixture(scope="session")
def ray_session(s3) -> Iterator[None]:
    """One Ray for the session: starting it takes longer than most tests; its workers know of `s3`."""
    import logging

    import ray

    from tuner.study.session import environment

    environment()
    ray.init(
        address="local",  # not one that somebody else runs on this machine
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    yield
    ray.shutdown()
