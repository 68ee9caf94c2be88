"""Several processes over one store: each video is made once, and a killed one leaves nothing."""

from __future__ import annotations

import inspect
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from data.videos.decode import read_frames
from data.videos.video import open_video
from tests.data.stores.squares import SIZE, describe, feature_store, files_of

MakeVideo = Callable[..., Path]

ROOT = Path(__file__).parents[3]

# No frame is resized in a worker, so that it needs no torch, which would take seconds to import.
WORKER = """
import json, os, sys, time, types
from pathlib import Path
sys.modules["torch"] = types.ModuleType("torch")
import numpy as np
import data.stores.frames
from data import FeatureStore, FrameStore
from data.videos.decode import read_frames
from data.videos.video import open_video

{describe}

task, log, *paths = sys.argv[1:]
calls = 0

def backbone(frames):
    global calls
    calls += 1
    if task == "stop in features" and calls == 2:
        stop()
    number = int((describe(frames[:1])[0, ::3] > 127) @ (1 << np.arange(16)))
    with open(log, "a") as file:
        file.write(f"{{os.getpid()}} {{number}}\\n")
    if task == "share":
        time.sleep(0.2)
    return describe(frames)

def stop():
    for folder in ("frames", "features"):
        print(folder, [p.suffix for p in Path(os.environ["TUNER_CACHE"], folder).glob("*.*")])
    print("half", flush=True)
    time.sleep(60)

def stopping(info, wanted):
    for number, frame in enumerate(read_frames(info, wanted)):
        if number == 100:
            stop()
        yield frame

if task == "stop in frames":
    data.stores.frames.read_frames = stopping
videos = [open_video(Path(path).stem, Path(path), None) for path in paths]
store = FeatureStore(
    FrameStore(), size=(32, 128), backbone_key="squares", num_features=48,
    backbone=lambda outputs: backbone, batch_size=64,
)
if task == "share":
    print("ready", flush=True)
    sys.stdin.readline()
told = []
store.ensure(videos, on_video=lambda video: told.append(video.name))
sums = [np.asarray(store.open(video), np.float64).sum(axis=0).tolist() for video in videos]
print(json.dumps([told, sums]))
"""


def _start(task: str, log: Path, paths: Iterable[Path]) -> subprocess.Popen[str]:
    script = WORKER.format(describe=inspect.getsource(describe))
    return subprocess.Popen(
        [sys.executable, "-c", script, task, str(log), *map(str, paths)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("kind", ["frames", "features"])
def test_a_process_killed_half_way_leaves_nothing_that_counts(
    kind: str, tmp_path: Path, make_video: MakeVideo
) -> None:
    path = make_video(tmp_path / "v.mp4", frames=150)
    with _start(f"stop in {kind}", tmp_path / "log", [path]) as worker:
        try:
            assert worker.stdout is not None
            began = dict(line.split(" ", 1) for line in iter(worker.stdout.readline, "half\n"))
        finally:
            worker.send_signal(signal.SIGKILL)
    assert began[kind] == "['.tmp']\n"  # it was in the middle, or this would show nothing
    video = open_video("v", path, None)
    store = feature_store()
    assert store.store.get(store.key(video)) is None
    frames = np.stack(list(read_frames(video.info)))
    assert np.array_equal(store.open(video), describe(frames).astype(np.float16))
    assert np.array_equal(store.frames.open(video, SIZE), frames)
    assert files_of(store) == files_of(store.frames) == [".npy"]


def test_two_processes_share_the_videos_and_make_each_once(
    tmp_path: Path, make_video: MakeVideo
) -> None:
    paths = [
        make_video(tmp_path / f"v{n}.mp4", numbers=list(range(100 * n, 100 * n + 10)))
        for n in range(8)
    ]
    log = tmp_path / "log"
    workers = [_start("share", log, paths) for _ in range(2)]
    try:
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        results = [json.loads(worker.communicate(timeout=30)[0]) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    made = [line.split() for line in log.read_text().splitlines()]
    assert sorted(int(number) for _, number in made) == [100 * n for n in range(8)]
    assert len({process for process, _ in made}) == 2  # neither waited for the other to do it all
    for told, sums in results:
        assert sorted(told) == [f"v{n}" for n in range(8)]
        assert sums == results[0][1]
    store = feature_store()
    for path, total in zip(paths, results[0][1], strict=True):
        video = open_video(path.stem, path, None)
        expected = describe(np.stack(list(read_frames(video.info))))
        assert np.array_equal(store.open(video), expected)
        assert np.asarray(store.open(video), np.float64).sum(axis=0).tolist() == total
