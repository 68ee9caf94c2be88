"""An hour of video predicted: the rate against decode plus backbone alone, and the memory.

    python -m benchmarks.long_video [--seconds 3600]

A small search over the sample makes a model; ``tuner.best --predict --videos`` then predicts a drawn
video at 25 frames a second in a process of its own. The peer decodes the first minutes of the same
file with decord, resizes, and passes the frames through the same backbone in the same precision, one
after the other, as a script would.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.input_pipeline import encode
from benchmarks.report import report

ROOT = Path(__file__).parents[1]


def peer(path: Path, frames: int) -> float:
    """Frames a second of decode and backbone alone."""
    import numpy as np
    import torch
    from decord import VideoReader

    from data.clips.transforms import resize
    from models.backbones.load import load_backbone
    from tuner.training.device import backbone_precision

    network = load_backbone("efficientnet_lite0", pooling="max")
    bf16 = backbone_precision(torch.device("cpu")) == "bf16"
    reader = VideoReader(str(path), num_threads=1)
    start = time.perf_counter()
    for _ in range(frames // 32):
        batch = np.stack([reader.next().asnumpy() for _ in range(32)])
        images = torch.from_numpy(resize(batch, (224, 224))).permute(0, 3, 1, 2)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            network(images)
    return frames // 32 * 32 / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=int, default=3600)
    args = parser.parse_args()
    frames = args.seconds * 25
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "TUNER_CACHE": f"{folder}/cache"}
        storage = f"storage={folder}/runs"
        command = [sys.executable, "-m", "tuner.search", "configs/seals.yaml", "--set", storage]
        command += ["--set", "search.trials=2", "--set", "space.architecture=[video_lrcnn_frozen]"]
        subprocess.run(command, check=True, cwd=ROOT, env=environment)
        path = Path(folder) / "hour.mp4"
        encode(path, frames, (576, 704))
        command = [sys.executable, "-m", "tuner.best", "--predict", "--videos", str(path)]
        command += ["--results", f"sqlite:///{folder}/runs/results.db"]
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        seconds, memory = time.perf_counter() - start, usage.ru_maxrss
        if status:
            raise SystemExit("predicting failed")
        alone = peer(path, min(frames, 3000))
    report(
        "long_video",
        {
            "rate / decode and backbone alone": (frames / seconds / alone, "0.8 or more"),
            "peak of resident memory / 2 GiB": (memory / 2**21, "below 1"),
        },
        {"frames": frames, "frames a second": frames / seconds, "alone": alone, "MB": memory / 1e3},
    )


if __name__ == "__main__":
    main()
