"""How much of a GPU is used, against plain loops and the card's own rate in the same run.

    python -m benchmarks.gpu

First it is checked that the card gives what the CPU gives. Then, each in one run: frozen features from
memory against the same network over batches that lie on the card; features from files against the
slower of that and of all decoders; a head's epoch against PyTorch's own LSTM in a plain loop;
fine-tuning against a plain loop, and one recorded as a CUDA graph. Where there is no card it says so.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

import models
from benchmarks.gpu.loops import Busy, head_epoch, rate, tuning
from benchmarks.input_pipeline import encode
from benchmarks.report import report
from data.stores.features import ensure
from data.videos.decode import read_frames
from data.videos.video import open_video
from models import ModelConfig
from models.backbones.load import load_backbone
from tuner.config.parameters import TrainingConfig
from tuner.config.sections import DataConfig
from tuner.preparation.compute import feature_stores
from tuner.training.clips.backbone import backbone_callable, on_cpu
from tuner.training.device import best_device, frames_at_once, videos_at_once
from tuner.training.loop import Training
from tuner.training.speed import noise_clips
from tuner.training.task import task_of

CLASSES = ["one", "other"]
SIZE = 224
HEAD = ModelConfig(
    architecture="video_lrcnn_frozen",
    pretrained_model_name="efficientnet_lite0",
    pretrained=False,
    sequence_model="LSTM",
    sequence_length=20,
    layer_1_size=256,
)
TUNED = (  # architecture, network, frames of a clip, side, batch, augmented
    ("image_mlp_trainable", "efficientnet_lite0", 1, 224, 16, False),
    ("image_mlp_trainable", "efficientnet_lite0", 1, 224, 64, False),
    ("image_mlp_trainable", "efficientnet_lite0", 1, 224, 64, True),
    ("image_mlp_trainable", "resnet50", 1, 224, 32, True),
    ("video_3d_trainable", "r2plus1d_18", 16, 112, 16, True),
)


def difference(device: torch.device) -> float:
    """The usual difference of features between the card and the CPU in float32, of their deviation."""
    network = load_backbone("efficientnet_lite0", pooling="max", pretrained=False)
    frames = np.random.default_rng(0).integers(0, 256, (8, SIZE, SIZE, 3), np.uint8)
    exact = on_cpu(backbone_callable(network, torch.device("cpu")))(frames)
    found = on_cpu(backbone_callable(network, device, precision="bf16"))(frames)
    return float(np.sqrt(np.square(found - exact).mean()) / exact.std())


def features(name: str, device: torch.device) -> tuple[float, float]:
    """Frames a second of frozen features from memory; and of the network over resident batches."""
    network = load_backbone(name, pooling="max", pretrained=False)
    size = frames_at_once(device, (SIZE, SIZE))
    frames = np.random.default_rng(0).integers(0, 256, (size, SIZE, SIZE, 3), np.uint8)
    run = on_cpu(backbone_callable(network, device, precision="bf16"))
    at_once = videos_at_once(device)
    with ThreadPoolExecutor(at_once) as pool:

        def step() -> int:
            return sum(len(part) for part in pool.map(run, [frames] * at_once))

        ours = rate(step)
    images = torch.from_numpy(np.concatenate([frames] * (512 // size))).to(device)
    images = images.movedim(-1, -3)

    def resident() -> int:
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16):
            network(images)
        return len(images)

    return ours, rate(resident)


def from_files(folder: Path, videos: int = 32, frames: int = 600) -> tuple[float, float]:
    """Frames a second from files to stored features; and of all decoders, which do nothing else."""
    path = folder / "camera.mp4"
    encode(path, frames)
    opened = []
    for number in range(videos):
        (folder / f"{number}.mp4").write_bytes(path.read_bytes())
        opened.append(open_video(str(number), folder / f"{number}.mp4", None))

    def read(video: Any) -> int:
        return sum(1 for _ in read_frames(video.info, np.ones(len(video.info), bool)))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        start = time.perf_counter()
        count = sum(pool.map(read, opened))
        decoders = count / (time.perf_counter() - start)
    os.environ["TUNER_CACHE"] = str(folder / "cache")
    config = HEAD.model_copy(update={"frame_size": (SIZE, SIZE)})
    stores = feature_stores([config], DataConfig(frames="direct"))
    start = time.perf_counter()
    ensure(stores, opened, at_once=videos_at_once(best_device()))
    return count / (time.perf_counter() - start), decoders


def head(device: torch.device, clips: int = 20_000, batch: int = 32) -> tuple[float, float]:
    """Seconds of an epoch of an LSTM over stored features; and of PyTorch's own in a plain loop."""
    training = _training(HEAD, TrainingConfig(batch_size=batch), clips, 512, device)
    training.step()  # the first one records
    ours = min(_seconds(training.step) for _ in range(2))
    plain = head_epoch(device, clips, batch)
    plain()
    return ours, _seconds(plain)


def _seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def fine_tuning(
    case: tuple[str, str, int, int, int, bool], device: torch.device, batches: int = 24
) -> tuple[float, float]:
    """Frames a second of a training, and of the quicker of two plain loops."""
    architecture, name, length, side, batch, augmented = case
    config = ModelConfig(
        architecture=architecture,
        pretrained_model_name=name,
        pretrained=False,
        frame_size=(side, side),
        **({"sequence_length": length} if length > 1 else {}),
    )
    changes = {"flip": True, "rotation": 8, "zoom": 0.2, "colour": 0.2} if augmented else {}
    settings = TrainingConfig(batch_size=batch, **changes)
    training = _training(config, settings, batch * batches, 2, device)
    training.step()
    count = batch * batches * length
    ours = count / min(_seconds(training.step) for _ in range(3))
    model = models.build(config, CLASSES).to(device).train()
    clips = torch.randint(0, 256, (batch, length, side, side, 3), dtype=torch.uint8)
    clips = clips.to(device).movedim(-1, -3)
    return ours, length * tuning(model, clips)


def _training(
    config: ModelConfig, settings: TrainingConfig, train: int, valid: int, device: torch.device
) -> Training:
    task = task_of(config.task, CLASSES)
    return Training(
        models.build(config, CLASSES, with_backbone=False),
        noise_clips(config, task.noise(train)),
        noise_clips(config, task.noise(valid)),
        config=settings.model_copy(update={"epochs": 1000, "patience": 1000, "rounds": 1}),
        task=task,
        device=device,
    )


def rows(device: torch.device) -> Iterator[tuple[str, float, str, dict[str, float]]]:
    """Each ratio with what is wanted, and the figures behind it."""
    resident = {}
    for name in ("efficientnet_lite0", "resnet50", "vgg16"):
        ours, resident[name] = features(name, device)
        figures = {f"{name} from memory": ours, f"{name} resident": resident[name]}
        yield f"features of {name} from memory / resident", ours / resident[name], "0.9", figures
    with tempfile.TemporaryDirectory() as folder:
        ours, decoders = from_files(Path(folder))
    limit = min(decoders, resident["efficientnet_lite0"])
    figures = {"from files": ours, "decoders": decoders}
    yield "features from files / the slower of decoders and card", ours / limit, "0.9", figures
    ours, plain = head(device)
    figures = {"head, seconds an epoch": ours, "plain loop": plain}
    yield "0.4 s / an epoch of the head", 0.4 / ours, "1 or more", figures
    yield "head: plain loop / ours", plain / ours, "1 or more", {}
    for case in TUNED:
        _, name, _, _, batch, augmented = case
        with Busy() as busy:
            ours, plain = fine_tuning(case, device)
        text = f"{name}, batch {batch}{', augmented' if augmented else ''}"
        figures = {f"{text}: frames/s": ours, f"{text}: plain": plain}
        if busy.percent is not None:
            figures[f"{text}: card busy, percent"] = busy.percent
        yield (
            f"fine-tuning {text} / plain loop",
            ours / plain,
            "0.9" if augmented else "0.95",
            figures,
        )


def main() -> None:
    device = best_device()
    if device.type != "cuda":
        print("gpu: there is no CUDA device here, so nothing is measured")
        return
    print(f"gpu: {torch.cuda.get_device_name()}, {os.cpu_count()} cores, torch {torch.__version__}")
    usual = difference(device)
    print(f"gpu: features differ from the CPU's by {usual:.3f} of their deviation")
    if usual > 0.1:
        raise SystemExit("gpu: the card gives other features than the CPU: nothing is measured")
    ratios, figures = {}, {}
    for name, ratio, wanted, more in rows(device):
        print(f"{name}: {ratio:.2f} (wanted: {wanted})", flush=True)
        ratios[name] = ratio, wanted
        figures |= more
    report("gpu", ratios, figures)


if __name__ == "__main__":
    main()
