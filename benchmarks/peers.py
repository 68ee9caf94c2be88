"""A search against three scripts that one would write instead, on the same videos, space and epochs.

    python -m benchmarks.peers VIDEOS LABELS.csv [--trials 16 64] [--peers bare per_trial plain]

*bare*: one process, Optuna's own loop, features in memory once for all trials, no Ray and no safety.
*per_trial*: Ray Tune's function API with OptunaSearch, each trial extracting its features for itself.
*plain*: the same, each clip decoded and passed through the backbone in each epoch; one trial is run
for one epoch, and its seconds are scaled to all epochs on two workers.

All of them train every trial for 9 epochs, with the parameters that our search drew, so that the work
is the same; the backbone is an untrained mobilenetv2. *cold* begins with an empty cache folder,
*warm* with that of the run before.
Each run is a whole process, timed from its start to its end.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import report

ROOT = Path(__file__).parents[1]
EPOCHS = 9
OURS = """
name: peers
data: {{videos: {videos}, labels: {labels}}}
model: {{pretrained: false, pooling: max, dropout: 0.2, sequence_length: 5}}
training: {{rounds: 1, epochs: {epochs}, patience: {epochs}, batch_size: 32}}
space:
  architecture: [video_lrcnn_frozen]
  pretrained_model_name: [mobilenetv2_1.00_224]
  sequence_model: [LSTM, GRU, SimpleRNN]
  layer_1_size: [256, 128]
  learning_rate: {{low: 1.0e-4, high: 1.0e-2, log: true}}
search: {{trials: {trials}, probes: 0, scheduler: none, sampler: random, startup_trials: 10}}
storage: {folder}/runs
"""


def timed(command: list[str], **environment: str) -> float:
    """Seconds of a process from its start to its end."""
    start = time.perf_counter()
    subprocess.run(
        command, check=True, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - start


def ours(videos: Path, labels: Path, trials: int, folder: str, name: str) -> float:
    """Seconds of our search with the cache in `folder`."""
    path = Path(folder) / f"{name}.yaml"
    text = OURS.format(videos=videos, labels=labels, trials=trials, folder=folder, epochs=EPOCHS)
    path.write_text(text.replace("name: peers", f"name: {name}"))
    command = [sys.executable, "-m", "tuner.search", str(path)]
    return timed(command, TUNER_CACHE=f"{folder}/cache")


def drawn(folder: str) -> str:
    """The trials that our search ran, as a JSON list for the peers."""
    from tuner.study.store.results import ResultsStore

    records = ResultsStore.open(f"sqlite:///{folder}/runs/results.db", "cold").records()
    names = {"cell": "sequence_model", "size": "layer_1_size", "rate": "learning_rate"}
    return json.dumps([{k: r.params[v] for k, v in names.items()} for r in records])


def peer(kind: str, videos: Path, labels: Path, trials: str) -> float:
    """Seconds of one of the scripts."""
    script = [sys.executable, "-m", f"benchmarks.scripts.{kind}"]
    return timed([*script, str(videos), str(labels), trials, str(EPOCHS)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("videos", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--trials", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--peers", nargs="*", default=["bare", "per_trial", "plain"])
    args = parser.parse_args()
    videos, labels = args.videos.absolute(), args.labels.absolute()
    wanted = {
        ("bare", 16, "cold"): "1.0 or more",
        ("bare", 64, "cold"): "1.3 or more",
        ("per_trial", 16, "cold"): "5 or more",
        ("per_trial", 16, "warm"): "7 or more",
        ("per_trial", 64, "cold"): "10 or more",
        ("plain", 16, "cold"): "150 or more",
    }
    ratios, seconds = {}, {}
    for trials in args.trials:
        our_seconds = {}
        with tempfile.TemporaryDirectory() as folder:
            for state in ("cold", "warm"):
                our_seconds[state] = ours(videos, labels, trials, folder, state)
                seconds[f"ours, {trials} trials, {state}"] = our_seconds[state]
            parameters = drawn(folder)
        for kind in args.peers:
            if kind == "plain":
                # One epoch of one trial on one core; two workers share all of them.
                other = peer(kind, videos, labels, parameters) * trials * EPOCHS / 2
            else:
                other = peer(kind, videos, labels, parameters)
            seconds[f"{kind}, {trials} trials"] = other
            for state, our_time in our_seconds.items():
                key = f"{kind} / ours, {trials} trials, {state}"
                ratios[key] = (other / our_time, wanted.get((kind, trials, state), "-"))
        report("peers", ratios, seconds)


if __name__ == "__main__":
    main()
