"""Files and folders on S3: how they are listed, and what is said when something is wrong."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from urllib3 import HTTPResponse

from data import DataError
from data.files.path import S3Path, absolute, place, unreadable
from data.files.s3 import S3Error, client
from data.videos.find import find_files
from data.videos.match import match_files
from data.videos.video import open_videos
from tests.data.files.remote import SIZE, only, put, random


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
    """The S3 of the tests knows no access rights, so the test gives AWS's answer itself."""
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


def test_whether_a_machine_reads_it(folder: S3Path, tmp_path: Path) -> None:
    put(folder, "a.mp4", random(0))
    file = only(folder)
    assert unreadable(file) is None
    assert "404" in str(unreadable(S3Path("nobodys", file.key, etag=file.etag)))
    assert unreadable(tmp_path / "a.mp4") == "No such file or directory"
    (tmp_path / "a.mp4").touch()
    assert unreadable(tmp_path / "a.mp4") is None
    assert unreadable(tmp_path) is None


def test_places_are_told_apart_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert place("s3://lab/a/b/") == S3Path("lab", "a/b") == place("s3://lab/") / "a" / "b"
    assert str(place("s3://lab") / "a") == "s3://lab/a"
    assert place("~/videos") == Path.home() / "videos"
    assert absolute("s3://lab/a/") == "s3://lab/a/" and absolute("a") == str(tmp_path / "a")


def test_objects_are_put_read_and_deleted(folder: S3Path, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    for name in ("a", "deep/b"):
        (folder / name).upload(tmp_path / "a")
    assert (folder / "a").exists() and not (folder / "deep").exists()
    assert (folder / "deep" / "b").read_bytes() == b"x"
    folder.delete(["a", "deep/b", "never there"])
    assert not (folder / "a").exists() and folder.files() == []


def test_names_that_lead_elsewhere_are_left_out_and_said(folder: S3Path, said: list[str]) -> None:
    for name in ("a.mp4", "../../b.mp4", "x/../c.mp4", "x//d.mp4", "./e.mp4"):
        put(folder, name, b"1")
    assert [file.name for file in folder.files()] == ["a.mp4", "d.mp4"]
    assert len(said) == 3 and all("would lead elsewhere" in line for line in said)
