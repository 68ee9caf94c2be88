"""What was learnt of a video when it was opened is known until the file changes."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import data.videos.opened
import data.videos.video
from data.errors import VideoError
from data.files.store import default_folder
from data.videos.video import Video, open_video, open_videos

MakeVideo = Callable[..., Path]


@pytest.fixture
def path(tmp_path: Path, make_video: MakeVideo) -> Path:
    return make_video(tmp_path / "v.mp4")


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were opened indeed."""
    files, probe = [], data.videos.video.probe

    def told(path: Path, fps: float | None):
        files.append(path)
        return probe(path, fps)

    monkeypatch.setattr(data.videos.video, "probe", told)
    return files


def facts(video: Video) -> tuple[object, ...]:
    info = video.info
    return (
        *(video.name, video.key, info.path, info.fps, info.width, info.height, info.decoder),
        *(info.times.dtype, info.times.tobytes(), video.indices.tobytes(), video.times.tobytes()),
    )


@pytest.mark.parametrize("fps", [None, 3])
def test_what_is_known_of_real_videos_is_what_was_found(
    seals: Path, damaged_videos: Path, probed: list[Path], fps: float | None
) -> None:
    files = [*seals.glob("*.avi"), *damaged_videos.iterdir()]
    paths = {path.name: path for path in files if path.suffix != ".csv"}
    first, rejects = open_videos(paths, fps)
    assert len(first) > 10 and len(rejects) > 3
    assert {video.info.decoder for video in first.values()} == {"pyav", "measured"}
    infos = [video.info for video in first.values()]
    # Of some the times are kept, too, and not only how many there are.
    assert {np.array_equal(info.times, np.arange(len(info)) / info.fps) for info in infos} == {
        True,
        False,
    }
    del probed[:]
    again, same = open_videos(paths, fps)
    assert {name: facts(video) for name, video in again.items()} == {
        name: facts(video) for name, video in first.items()
    }
    assert same == rejects
    # Why one does not open may pass, such as missing rights.
    assert {path.name for path in probed} <= {reject.video for reject in rejects}


def test_a_byte_that_changes_is_noticed_though_the_time_stays(
    path: Path, probed: list[Path]
) -> None:
    before, stat = open_video("v", path, None), path.stat()
    content = bytearray(path.read_bytes())
    content[content.index(b"isom")] ^= 1  # of what the file says of itself
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    after = open_video("v", path, None)
    assert len(probed) == 2 and after.identity != before.identity


def test_a_video_that_is_replaced_while_it_is_opened_is_not_known(
    path: Path, make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe, content = data.videos.video.probe, path.read_bytes()

    def replaced(file: Path, fps: float | None):
        make_video(file, frames=7)
        return probe(file, fps)

    stat = path.stat()
    with monkeypatch.context() as patch:
        patch.setattr(data.videos.video, "probe", replaced)
        with pytest.raises(VideoError, match="it has changed since it was opened"):
            open_video("v", path, None)
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert len(open_video("v", path, None)) == 20


def test_a_copy_of_another_ending_is_opened_by_itself(path: Path, probed: list[Path]) -> None:
    open_video("v", path, None)
    open_video("v", path.rename(path.with_name("w.mp4")), None)
    assert len(probed) == 1
    open_video("v", path.with_name("w.mp4").rename(path.with_suffix(".mov")), None)
    assert len(probed) == 2


def test_other_versions_of_the_decoders_open_it_again(
    path: Path, probed: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    open_video("v", path, None)
    monkeypatch.setattr(data.videos.opened, "_versions", lambda: ("av 99",))
    open_video("v", path, None)
    assert len(probed) == 2


def database() -> Path:
    return default_folder() / "opened.db"


@pytest.mark.parametrize("where", ["facts", "head", "end", "all"])
def test_what_is_kept_and_damaged_is_found_again(
    path: Path, probed: list[Path], where: str
) -> None:
    before = facts(open_video("v", path, None))
    content = bytearray(database().read_bytes())
    if where == "facts":
        (row,) = sqlite3.connect(database()).execute("SELECT facts FROM opened").fetchone()
        content[content.index(row) + 20] ^= 1
    elif where == "end":
        del content[len(content) // 2 :]
    else:
        content[: 100 if where == "head" else None] = b"no database" * 9
    database().write_bytes(content)
    assert [facts(open_video("v", path, None)) for _ in range(2)] == [before] * 2
    assert len(probed) == 2


def test_facts_of_another_file_are_not_taken(path: Path, make_video, probed: list[Path]) -> None:
    open_video("v", path, None)
    other = make_video(path.with_name("w.mp4"), frames=7)
    assert len(open_video("w", other, None)) == 7
    with sqlite3.connect(database()) as rows:
        swapped = rows.execute("SELECT key, facts FROM opened").fetchall()
        for (key, _), (_, wrong) in zip(swapped, swapped[::-1], strict=True):
            rows.execute("UPDATE opened SET facts = ? WHERE key = ?", [wrong, key])
    assert (len(open_video("v", path, None)), len(open_video("w", other, None))) == (20, 7)
    assert len(probed) == 4


def test_a_video_opens_where_nothing_can_be_kept(path: Path, probed: list[Path]) -> None:
    database().mkdir(parents=True)
    assert len(open_video("v", path, None)) == len(open_video("v", path, None)) == 20
    assert len(probed) == 2


def test_videos_open_while_another_process_keeps_the_facts_locked(
    path: Path, probed: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data.videos.opened, "_PATIENCE", 0.2)
    open_video("v", path, None)
    with contextlib.closing(sqlite3.connect(database(), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert len(open_videos({"v": path, "w": path}, None)[0]) == 2
    assert len(probed) == 3
    open_video("v", path, None)
    assert len(probed) == 3


def test_what_several_processes_keep_at_once_is_all_there(path: Path, tmp_path: Path) -> None:
    script = """
import sys
from dataclasses import replace
from pathlib import Path
from data.videos.opened import Opened, known
info = known(Path(sys.argv[1]), sys.argv[2])
for k in range(20):
    with Opened() as opened:
        opened.keep(info, f"{sys.argv[3]}-{k}")
"""
    video = open_video("v", path, None)
    values = [str(path), video.identity]
    ran = [subprocess.Popen([sys.executable, "-c", script, *values, str(n)]) for n in range(3)]
    assert [process.wait() for process in ran] == [0, 0, 0]
    with data.videos.opened.Opened() as opened:
        found = [opened.known(path, f"{n}-{k}") for n in range(3) for k in range(20)]
    assert all(info is not None and len(info) == 20 for info in found)


def test_facts_are_there_after_a_command_is_killed(path: Path) -> None:
    script = """
import os, signal, sys
from pathlib import Path
import data.videos.opened
from data.videos.opened import Opened, known
data.videos.opened._SOON = 0.0
info = known(Path(sys.argv[1]), sys.argv[2])
with Opened() as opened:
    opened.keep(info, "another")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    video = open_video("v", path, None)
    ran = subprocess.run([sys.executable, "-c", script, str(path), video.identity], check=False)
    assert ran.returncode == -signal.SIGKILL
    assert data.videos.opened.known(path, "another") is not None


def test_the_files_of_earlier_versions_are_deleted_and_no_others(path: Path) -> None:
    former = default_folder() / "opened"
    (former / "locks").mkdir(parents=True)
    for name in (f"{'a1' * 20}.npy", f"locks/{'a1' * 20}.tmp.lock", "locks/unsealed.txt"):
        (former / name).write_bytes(b"facts")
    (former / "mine.npy").write_bytes(b"somebody's")
    open_video("v", path, None)
    assert [file.name for file in former.iterdir()] == ["mine.npy"]
    (former / "mine.npy").unlink()
    database().unlink()
    open_video("v", path, None)
    assert not former.exists()
