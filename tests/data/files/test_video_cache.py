"""Videos of S3 on a machine: brought once, kept within the limit."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from data.files import patience
from data.files.path import S3Path
from data.files.store import default_folder, identity
from data.files.video_cache import local
from data.videos.video import open_video, open_videos
from tests.data.files.remote import SIZE, kept, kept_of, only, put, random, read


def test_a_video_is_brought_once_and_kept_for_the_next(folder: S3Path, asked: list) -> None:
    put(folder, "a.mp4", random(0))
    for _ in range(2):
        assert read(only(folder)) == random(0)
    assert len(asked) == 1
    (path,) = kept()
    assert path.suffix == ".mp4"


def test_one_that_has_changed_is_brought_again(folder: S3Path, asked: list) -> None:
    put(folder, "a.mp4", random(0))
    before = only(folder)
    assert read(before) == random(0)
    put(folder, "a.mp4", random(1))
    assert identity(only(folder)) != identity(before)
    assert read(only(folder)) == random(1)
    assert len(asked) == 2


def test_several_processes_bring_a_video_once(folder: S3Path) -> None:
    put(folder, "a.mp4", random(0, 20 * 2**20))
    script = f"""
from data.files.video_cache import local
from data.files.path import place
from data.files.s3 import client
asked = []
client().meta.events.register("before-call.s3.GetObject", lambda **_: asked.append(1))
(file,) = place("{folder}").files()
print("ready", flush=True)
input()
with local(file) as path:
    print(path.stat().st_size, len(asked))
"""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60)[0].split() for process in processes]
    assert [int(size) for size, _ in answers] == [20 * 2**20] * 3
    assert sum(int(asked) for _, asked in answers) == 1


# The limit


def limited(folder: S3Path, limit: int) -> list[S3Path]:
    return S3Path(folder.bucket, folder.key, limit_bytes=limit).files()


def test_the_least_recently_used_make_room(folder: S3Path, asked: list) -> None:
    for number in range(3):
        put(folder, f"{number}.mp4", random(number))
    files = limited(folder, int(2.5 * SIZE))
    read(files[0]), read(files[1])
    for second, file in enumerate(files[:2]):
        os.utime(kept_of(file), (second, second))
    read(files[0]), read(files[2])
    assert sum(path.stat().st_size for path in kept()) == 2 * SIZE
    assert not kept_of(files[1]).exists() and len(asked) == 3


def test_what_is_being_read_stays(folder: S3Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(patience, "_PAUSE", 0.01)
    for number in range(2):
        put(folder, f"{number}.mp4", random(number))
    first, second = limited(folder, int(1.5 * SIZE))
    done = threading.Event()
    other = threading.Thread(target=lambda: (read(second), done.set()))
    with local(first) as path:
        other.start()
        assert not done.wait(0.3) and path.read_bytes() == random(0)
        assert kept() == [path] or sum(p.stat().st_size for p in kept()) <= 1.5 * SIZE
    assert done.wait(10)
    other.join()
    assert kept() == [kept_of(second)]
    assert "waiting for room for" in capsys.readouterr().out


def test_one_that_never_fits_says_so(folder: S3Path, asked: list) -> None:
    put(folder, "a.mp4", random(0))
    _, (reject,) = open_videos({"a": limited(folder, SIZE - 1)[0]}, None)
    assert "raise data.cache_limit_gb" in reject.reason and not asked


def test_a_killed_download_leaves_nothing_that_counts(folder: S3Path) -> None:
    put(folder, "a.mp4", random(0))
    (file,) = limited(folder, int(1.5 * SIZE))
    read(file)
    left = default_folder() / "videos" / "0123.99.tmp"
    left.write_bytes(random(1))
    kept_of(file).unlink()
    assert read(file) == random(0) and not left.exists()


# Opening


def test_what_was_opened_is_known_without_the_file(
    folder: S3Path, make_video, tmp_path: Path, asked: list
) -> None:
    path = make_video(tmp_path / "a.wmv", fps=12.5)
    put(folder, "a.wmv", path.read_bytes())
    here, there = open_video("a", path, 5), open_video("a", only(folder), 5)
    kept()[0].unlink()
    again = open_video("a", only(folder), 5)
    assert len(asked) == 1 and again.key == there.key
    for video in (there, again):
        assert np.array_equal(video.indices, here.indices) and video.info.fps == here.info.fps
        assert (video.info.width, video.info.height) == (here.info.width, here.info.height)
        assert video.info.decoder == here.info.decoder and len(video) == len(here)


def test_chunks_to_bring_are_told(folder: S3Path, make_video, tmp_path: Path) -> None:
    put(folder, "a.mp4", make_video(tmp_path / "a.mp4").read_bytes())
    told: list[int] = []

    def on_bring(chunks: int) -> Callable[[], None]:
        told.append(chunks)
        return lambda: told.append(-1)

    for _ in range(2):
        open_videos({"a": only(folder)}, None, on_bring=on_bring)
    assert told == [1, -1]
