"""What tests share: real and drawn videos, a small search over them, a cache, one Ray, one S3."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import yaml

from data.files import patience
from tests.devices import _on_the_cpu, device  # noqa: F401  pytest looks here
from tests.order import pytest_collection_modifyitems, pytest_runtest_setup  # noqa: F401

FOLDER = Path(__file__).resolve().parents[1] / ".." / "shared" / "data"
CODECS = {".wmv": "wmv2", ".asf": "wmv2", ".avi": "mpeg4", ".webm": "vp9"}
CODECS |= {".mpg": "mpeg1video", ".vob": "mpeg2video"}
BITS = 16  # of a frame's number, as two rows of eight black or white squares

MakeVideo = Callable[..., Path]
FrameNumber = Callable[[np.ndarray], int]


def pytest_configure(config: pytest.Config) -> None:
    # A shell in the background ignores Ctrl-C, and `nohup` ignores SIGHUP, for all that the tests start.
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    if hasattr(config, "workerinput"):  # one of several lines of tests, each with a Ray of its own
        folder = Path("/tmp") / f"r{os.getpid()}"  # short, for the sockets in it
        folder.mkdir(exist_ok=True)
        os.environ["RAY_TMPDIR"] = str(folder)


def pytest_unconfigure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        shutil.rmtree(os.environ["RAY_TMPDIR"], ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def _cache_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Neither tests nor fixtures of wider scope ever touch the user's own cache."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNER_CACHE", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def _cache_of_the_test(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A cache folder that no other test has seen, unless the test is marked `shared_cache`."""
    if request.node.get_closest_marker("shared_cache") is None:
        monkeypatch.setenv("TUNER_CACHE", str(tmp_path_factory.mktemp("own-cache")))


@pytest.fixture(scope="session")
def seals() -> Path:
    """The real sample: three videos of seals, `labels.csv` and `labels_intervals.csv`."""
    return _folder("seals")


@pytest.fixture(scope="session")
def damaged_videos() -> Path:
    """Real videos of many codecs and containers, some of them damaged, and `manifest.csv`."""
    return _folder("videos")


def _folder(name: str) -> Path:
    folder = FOLDER / name
    if not folder.is_dir():
        pytest.skip(
            f"there is no folder ../shared/data/{name} of real videos beside the repository"
        )
    return folder


@pytest.fixture(scope="session")
def make_video() -> MakeVideo:
    """``make_video(path, frames=20, fps=10, size=(32, 128))``: a video with numbered frames.

    The suffix chooses container and codec (.mp4, .mov and .ts H.264, .avi MPEG-4, .wmv WMV2, .mpg
    MPEG-1, .webm VP9) unless `codec` is given; `options` are the codec's. `size` is height and width.
    `numbers` are the numbers drawn instead of 0, 1, 2...; `colour` (RGB) fills every frame instead.
    `frame_number` reads them back.
    """
    return encode


def encode(
    path: Path,
    frames: int = 20,
    fps: float | Fraction = 10,
    size: tuple[int, int] = (32, 128),
    *,
    codec: str | None = None,
    options: dict[str, str] | None = None,
    numbers: list[int] | None = None,
    colour: tuple[int, int, int] | None = None,
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = size
    codec = codec or CODECS.get(path.suffix.lower(), "libx264")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            codec, rate=Fraction(fps).limit_denominator(10**5), options=options
        )
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.bit_rate = 1_000_000
        for number in numbers if numbers is not None else range(frames):
            image = draw_number(number, size) if colour is None else np.full((*size, 3), colour)
            frame = av.VideoFrame.from_ndarray(image.astype(np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def draw_number(number: int, size: tuple[int, int]) -> np.ndarray:
    """The number's bits as black and white squares, uint8 ``[H, W, 3]``."""
    bits = np.array([number >> bit & 1 for bit in range(BITS)], np.uint8).reshape(2, 8) * 255
    rows = np.arange(size[0]) * 2 // size[0]
    columns = np.arange(size[1]) * 8 // size[1]
    return np.repeat(bits[rows][:, columns][:, :, None], 3, axis=2)


@pytest.fixture(scope="session")
def frame_number() -> FrameNumber:
    """The number that `make_video` drew into a frame, of any size."""
    return read_number


def read_number(frame: np.ndarray) -> int:
    height, width = frame.shape[:2]
    rows = (np.arange(2) * 2 + 1) * height // 4  # the middles of the squares
    columns = (np.arange(8) * 2 + 1) * width // 16
    bits = frame.mean(axis=2)[rows][:, columns].ravel() > 127
    return int(bits @ (1 << np.arange(BITS)))


@pytest.fixture(scope="session")
def s3() -> Iterator[Any]:
    """The S3 protocol on this machine, with a bucket ``lab``; the endpoint is in the environment."""
    import boto3
    from moto.server import ThreadedMotoServer

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = ThreadedMotoServer("127.0.0.1", port=port, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        boto3.client("s3").create_bucket(Bucket="lab")
        yield server
        server.stop()


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


@pytest.fixture
def said() -> Iterator[list[str]]:
    """The lines that tell of waiting for a service that is away."""
    lines: list[str] = []
    before = patience.tell(lines.append)
    yield lines
    patience.tell(before)


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with four videos and ``labels.csv``, a frame a row, with splits."""
    return draw_videos(tmp_path_factory.mktemp("drawn"))


def draw_videos(folder: Path) -> Path:
    """Draw what `drawn` has into a folder; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["video", "frame", "label", "split"])
        for seed, (name, suffix) in enumerate(SUFFIXES.items()):
            for frame, label in enumerate(draw(folder / f"{name}{suffix}", seed)):
                writer.writerow([name, frame, label, SPLITS[name]])
    return folder


def small_search(videos: Path, storage: Path | str) -> dict[str, Any]:
    """The YAML of a search over a folder as `drawn` is."""
    return {
        "name": "small",
        "data": {"videos": str(videos), "labels": str(videos / "labels.csv")},
        "model": {"frame_size": [64, 64], "pooling": "avg"},
        "training": {"epochs": 3, "patience": 2, "rounds": 2, "batch_size": 8},
        "space": {
            "architecture": ["image_mlp_frozen", "video_lrcnn_frozen"],
            "sequence_length": [3],
            "sequence_model": ["GRU"],
            "layer_1_size": [8, 16],
            "dropout": {"low": 0.0, "high": 0.4},
        },
        "search": {"trials": 5, "probes": 0, "grace_period": 1, "startup_trials": 3},
        # A second worker takes both CPUs for seconds, to import what trials need.
        "resources": {"trials_at_once": 1},
        "storage": str(storage),
    }


@pytest.fixture
def write_config(drawn: Path, tmp_path: Path):
    """``write_config(space={...}, search={...})``: a small YAML over the drawn videos."""

    def write(**sections: object) -> Path:
        tree = small_search(drawn, tmp_path / "runs")
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

    from tuner.runtime.session import environment

    environment()
    ray.init(
        address="local",  # not to a Ray that somebody else runs on this machine
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    yield
    ray.shutdown()
