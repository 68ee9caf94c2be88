"""What comes from S3 is what S3 has: checked, gone on with, waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest
from boto3.s3.transfer import TransferConfig
from urllib3.exceptions import ProtocolError

from data.errors import VideoError
from data.files import patience
from data.files.path import S3Path
from data.files.s3 import S3Error, client
from data.files.video_cache import local
from data.videos.video import open_videos
from tests.data.files.remote import SIZE, BreaksOff, flipped, kept, only, put, random, read


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
    assert "downloaded from S3 3 times" in rejects[0].reason and str(rejects[0].path).endswith(
        "a.mp4"
    )
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
