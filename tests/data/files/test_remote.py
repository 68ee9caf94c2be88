"""Videos on S3: brought to a machine once, checked, within the limit."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.awsrequest import AWSResponse
from urllib3 import HTTPResponse
from urllib3.exceptions import ProtocolError

from data import DataError
from data.errors import VideoError
from data.files import patience
from data.files.download import local, unreadable
from data.files.path import S3Path, place
from data.files.s3 import S3Error, client
from data.files.store import default_folder
from data.videos.find import find_files, match_files
from data.videos.video import open_video, open_videos

SIZE = 40_000


@pytest.fixture
def folder(s3, request: pytest.FixtureRequest) -> S3Path:
    """An empty one on S3."""
    return S3Path("lab", f"remote/{request.node.name}")


@pytest.fixture
def asked(s3) -> Iterator[list[dict[str, Any]]]:
    """What S3 is asked to give, in the course of the test."""
    found: list[dict[str, Any]] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        found.append(params)

    events = client().meta.events
    events.register("before-parameter-build.s3.GetObject", note)
    yield found
    events.unregister("before-parameter-build.s3.GetObject", note)


@pytest.fixture
def spoil(s3) -> Iterator[Callable[..., None]]:
    """``spoil(change, times=1)``: what S3 gives next is read through ``change(stream)``."""
    events, left = client().meta.events, [0]
    change: list[Callable[[Any], Any]] = []

    def pass_on(parsed: dict[str, Any], **_: Any) -> None:
        if left[0]:
            left[0] -= 1
            parsed["Body"]._raw_stream = change[0](parsed["Body"]._raw_stream)

    def begin(how: Callable[[Any], Any], times: int = 1) -> None:
        change[:], left[0] = [how], times

    events.register("after-call.s3.GetObject", pass_on)
    yield begin
    events.unregister("after-call.s3.GetObject", pass_on)


def put(folder: S3Path, name: str, content: bytes, **more: Any) -> None:
    boto3.client("s3").put_object(Bucket="lab", Key=f"{folder.key}/{name}", Body=content, **more)


def random(seed: int, size: int = SIZE) -> bytes:
    return np.random.default_rng(seed).bytes(size)


def only(folder: S3Path) -> S3Path:
    (file,) = folder.files()
    return file


def kept() -> list[Path]:
    return [p for p in (default_folder() / "videos").iterdir() if p.is_file()]


def read(file: S3Path) -> bytes:
    with local(file) as path:
        return path.read_bytes()


# Listing


def test_a_prefix_is_listed_as_a_folder_is(folder: S3Path) -> None:
    for name in (
        "b.mp4",
        "a.MOV",
        "deep/er/c.mts",
        "labels.csv",
        "._a.mp4",
        "empty.mp4/",
        "a-b/d.avi",
    ):
        put(folder, name, b"x")
    put(S3Path("lab", folder.key + "2"), "other.mp4", b"x")
    files = find_files(folder)
    assert [str(f).removeprefix(f"{folder}/") for f in files] == [
        *("a-b/d.avi", "a.MOV", "b.mp4", "deep/er/c.mts"),
    ]
    found, problems = match_files(["a", "er/c", "D.AVI"], files, folder)
    assert {name: file.name for name, file in found.items()} == {
        "a": "a.MOV",
        "er/c": "c.mts",
        "D.AVI": "d.avi",
    }
    assert not problems
    _, (problem,) = match_files(["e"], files, folder)
    assert problem.startswith(f"video 'e' is not among the 4 videos under '{folder}'")


def test_one_object_is_a_folder_of_one(folder: S3Path) -> None:
    put(folder, "a.mp4", b"x")
    put(folder, "a.mp4.txt", b"x")
    file = place(f"{folder}/a.mp4")
    assert find_files(file) == [file]
    assert match_files(["a"], find_files(file), file) == ({"a": file}, [])


def test_no_videos_below_a_prefix(folder: S3Path) -> None:
    with pytest.raises(DataError, match="holds no files"):
        find_files(folder)
    put(folder, "a.jpg", b"x")
    with pytest.raises(DataError, match=r"files there end in \.jpg"):
        find_files(folder)


def test_a_bucket_that_is_not_there(s3) -> None:
    with pytest.raises(S3Error, match=r"s3://nobodys/videos: .*NoSuchBucket.*look at the bucket"):
        find_files(place("s3://nobodys/videos"))


def test_without_rights(s3) -> None:
    """Which S3 here does not know; its answer is that of AWS."""
    answer = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"

    def refuse(request: Any, **_: Any) -> AWSResponse:
        raw = HTTPResponse(io.BytesIO(answer), preload_content=False)
        return AWSResponse(request.url, 403, {}, raw)

    events = client().meta.events
    file = S3Path("lab", "videos/a.mp4", size=SIZE, etag="0" * 32)
    events.register("before-send.s3", refuse)
    try:
        with pytest.raises(S3Error, match=r"AccessDenied.*s3:ListBucket and s3:GetObject"):
            find_files(place("s3://lab/videos"))
        _, (reject,) = open_videos({"a": file}, None)
        assert "need s3:GetObject" in reject.reason
    finally:
        events.unregister("before-send.s3", refuse)


def test_without_credentials(s3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr("data.files.s3._clients", {})
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with pytest.raises(S3Error, match=r"credentials come from the environment.*s3:GetObject"):
        find_files(place("s3://lab/videos"))


def test_without_boto3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.files.s3._clients", {})
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(S3Error, match=r"pip install '\.\[aws\]'"):
        find_files(place("s3://lab/videos"))


# Bringing


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
    assert only(folder).identity != before.identity
    assert read(only(folder)) == random(1)
    assert len(asked) == 2


def test_one_that_changes_after_it_was_listed_is_not_taken_for_it(folder: S3Path) -> None:
    put(folder, "a.mp4", random(0))
    file = only(folder)
    put(folder, "a.mp4", random(1))
    with pytest.raises(VideoError, match="has changed on S3"):
        read(file)
    boto3.client("s3").delete_object(Bucket="lab", Key=file.key)
    with pytest.raises(VideoError, match="no longer on S3"):
        read(file)
    assert not kept()


def flipped(stream: Any) -> io.BytesIO:
    content = bytearray(stream.read())
    content[len(content) // 2] ^= 1
    return io.BytesIO(content)


class BreaksOff:
    """Half of a stream, and then its connection is lost, or closed as if that were the end."""

    def __init__(self, stream: Any, end: Exception | None) -> None:
        self.left, self.end = io.BytesIO(stream.read()[: SIZE // 2]), end

    def read(self, amount: int) -> bytes:
        chunk = self.left.read(amount)
        if not chunk and self.end:
            raise self.end
        return chunk


@pytest.mark.parametrize("checksum", ["CRC32", None])
def test_a_spoilt_download_is_noticed_and_tried_again(
    checksum: str | None, folder: S3Path, spoil: Callable[..., None], asked: list, monkeypatch
) -> None:
    monkeypatch.setattr(client().meta.config, "response_checksum_validation", "when_required")
    if checksum:
        monkeypatch.undo()
    put(folder, "a.mp4", random(0))
    spoil(flipped, times=2)
    assert read(only(folder)) == random(0)
    assert len(asked) == 3


def test_one_that_is_always_spoilt_is_given_up(folder: S3Path, spoil: Callable[..., None]) -> None:
    put(folder, "a.mp4", random(0))
    put(folder, "b.mp4", random(1))
    spoil(flipped, times=3)
    _, rejects = open_videos({"a": folder.files()[0]}, None)
    assert "brought from S3 3 times" in rejects[0].reason and str(rejects[0].path).endswith("a.mp4")
    assert not kept()
    assert read(folder.files()[1]) == random(1)


@pytest.mark.parametrize("end", [None, ProtocolError("lost")])
def test_one_that_breaks_off_goes_on_where_it_was(
    end: Exception | None, folder: S3Path, spoil: Callable[..., None], asked: list, monkeypatch
) -> None:
    monkeypatch.setattr(patience, "_PAUSE", 0.01)
    put(folder, "a.mp4", random(0))
    spoil(lambda stream: BreaksOff(stream, end))
    assert read(only(folder)) == random(0)
    assert [params.get("Range") for params in asked] == [None, f"bytes={SIZE // 2}-"]


def test_one_sent_in_parts_is_checked_too(
    folder: S3Path, spoil: Callable[..., None], tmp_path: Path
) -> None:
    content = random(0, 11 * 2**20)
    (tmp_path / "a.mp4").write_bytes(content)
    parts = TransferConfig(multipart_threshold=1, multipart_chunksize=5 * 2**20)
    boto3.client("s3").upload_file(
        str(tmp_path / "a.mp4"), "lab", f"{folder.key}/a.mp4", Config=parts
    )
    file = only(folder)
    assert file.etag.endswith("-3")
    chunks: list[int] = []
    with local(file, lambda: chunks.append(1)) as path:
        assert path.read_bytes() == content
    assert len(chunks) == 11
    kept()[0].unlink()
    spoil(flipped, times=3)
    with pytest.raises(VideoError, match=r"its MD5 is|checksum"):
        read(file)


def test_s3_that_is_away_is_waited_for(s3, folder: S3Path, capsys) -> None:
    put(folder, "a.mp4", random(0))
    file = only(folder)
    s3.stop()
    back = threading.Timer(2.0, s3.start)
    back.start()
    assert read(file) == random(0)
    back.join()
    said = capsys.readouterr().out
    assert f"waiting for {file}" in said and "is back" in said


def test_s3_that_stays_away_is_no_reject(s3, folder: S3Path, monkeypatch) -> None:
    monkeypatch.setattr(patience, "PATIENCE", 0.1)
    put(folder, "a.mp4", random(0))
    file = only(folder)
    s3.stop()
    try:
        with pytest.raises(S3Error, match="look at the network"):
            open_videos({"a": file}, None)
    finally:
        s3.start()


def test_several_processes_bring_a_video_once(folder: S3Path) -> None:
    put(folder, "a.mp4", random(0, 20 * 2**20))
    script = f"""
from data.files.download import local
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


def kept_of(file: S3Path) -> Path:
    return default_folder() / "videos" / f"{file.identity}{file.suffix}"


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


def test_whether_a_machine_reads_it(folder: S3Path, tmp_path: Path) -> None:
    put(folder, "a.mp4", random(0))
    file = only(folder)
    assert unreadable(file) is None
    assert "404" in str(unreadable(S3Path("nobodys", file.key, etag=file.etag)))
    assert unreadable(tmp_path / "a.mp4") == "No such file or directory"
    (tmp_path / "a.mp4").touch()
    assert unreadable(tmp_path / "a.mp4") is None
