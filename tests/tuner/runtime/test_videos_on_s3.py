"""A search whose videos and labels are on S3 finds what it finds in a folder of them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pandas as pd
import pytest

from data.console import output
from data.files.s3 import client
from data.files.store import default_folder
from tuner.config.sections import DataConfig
from tuner.preparation.one_machine import load_dataset


@pytest.fixture
def brought(s3) -> Iterator[list[str]]:
    """Keys of the videos that this process has S3 give it."""
    keys: list[str] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        if not params["Key"].endswith(".csv"):
            keys.append(params["Key"])

    events = client().meta.events
    events.register("before-parameter-build.s3.GetObject", note)
    yield keys
    events.unregister("before-parameter-build.s3.GetObject", note)


@pytest.fixture
def videos(drawn: Path, tmp_path: Path) -> Path:
    """The drawn videos, one of them damaged, and one that has no labels."""
    folder = tmp_path / "videos"
    shutil.copytree(drawn, folder)
    (folder / "a2.avi").write_bytes(b"no video at all" * 1000)
    (folder / "more").mkdir()
    shutil.copy(drawn / "c1.mp4", folder / "more" / "unknown.mp4")
    return folder


def upload(folder: Path, prefix: str) -> dict[str, str]:
    """Send a folder to S3; returns where ``data`` then is."""
    for path in folder.rglob("*"):
        if path.is_file():
            key = f"{prefix}/{path.relative_to(folder).as_posix()}"
            boto3.client("s3").upload_file(str(path), "lab", key)
    url = f"s3://lab/{prefix}"
    return {"videos": url, "labels": f"{url}/labels.csv"}


def test_a_data_set_is_the_same_as_of_the_folder(s3, videos, brought):
    settings = {"videos": str(videos), "labels": str(videos / "labels.csv")}
    one = load_dataset(DataConfig(**settings), output)
    for _ in range(2):
        other = load_dataset(DataConfig(**upload(videos, "same")), output)
        pd.testing.assert_frame_equal(one.table, other.table)
        assert one.warnings == other.warnings and "unknown.mp4" in one.warnings[0]
        reasons = [[(r.video, r.reason) for r in d.rejects] for d in (one, other)]
        assert reasons[0] == reasons[1] != []
        assert str(other.rejects[0].path) == "s3://lab/same/a2.avi"
    assert sorted(brought) == ["same/a1.mp4", "same/a2.avi", "same/b1.mov", "same/c1.mp4"]


@pytest.mark.long
def test_a_search_brings_each_video_once(
    s3, ray_session, command, write_config, videos, brought, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    path = write_config(data=upload(videos, "search"), search={"trials": 2})
    status, out, err = command("search", path)
    assert status == 0, out + err
    assert "left out: a2" in out and "(s3://lab/search/a2.avi)" in out
    assert "s3://lab/search/a2.avi" in (tmp_path / "runs" / "small" / "rejects.csv").read_text()
    assert len(brought) == 4
    secret = os.environ["AWS_SECRET_ACCESS_KEY"].encode()
    files = [file for file in (tmp_path / "runs").rglob("*") if file.is_file()]
    assert files and not any(secret in file.read_bytes() for file in files)

    # A machine with their frames needs no videos: without these, it only looks at the damaged one;
    # with their features it needs no frames, except of videos that no search may learn from.
    shutil.rmtree(default_folder() / "videos")
    status, out, err = command("search", path, "--resume", "--set", "search.trials=3")
    assert status == 0 and "1 of 3 trials to run" in out, out + err
    assert brought[4:] == ["search/a2.avi"]
    shutil.rmtree(default_folder() / "frames")
    status, out, err = command("search", path, "--resume", "--set", "search.trials=4")
    assert status == 0 and "1 of 4 trials to run" in out, out + err
    assert brought[5:] == ["search/c1.mp4"]

    predict = ["best", "--results", f"sqlite:///{tmp_path}/runs/results.db", "--predict"]
    tables = []
    for place in ("s3://lab/search", videos):
        status, out, err = command(*predict, "--videos", place, "--out", tmp_path / "out")
        assert status == 0, out + err
        tables.append(pd.read_csv(tmp_path / "out" / "frame_predictions.csv"))
    pd.testing.assert_frame_equal(*tables)
    assert "more/unknown.mp4" in set(tables[0]["video"])


def test_workers_bring_what_they_read_into_their_own_cache(
    s3, ray_session, command, write_config, drawn, _cache_of_the_session
):
    """Those of the session have another cache folder than this test."""
    path = write_config(
        data={**upload(drawn, "workers"), "frames": "direct"},
        space={"architecture": ["image_mlp_trainable"], "trainable_layers": [1]},
        search={"trials": 1},
        training={"epochs": 1, "rounds": 1},
    )
    workers_cache, own_cache = _cache_of_the_session / "videos", default_folder() / "videos"
    assert workers_cache != own_cache
    before = {file.name for file in workers_cache.glob("*.*")}
    status, out, err = command("search", path)
    assert status == 0, out + err
    after = {file.name for file in workers_cache.glob("*.*")} - before
    assert after and after < {file.name for file in own_cache.glob("*.*")}  # the test video waits


@pytest.mark.parametrize("key", ["videos", "labels"])
@pytest.mark.parametrize("what", ["search", "prepare"])
def test_a_wrong_bucket_is_a_users_mistake(s3, command, write_config, drawn, what, key):
    data = {**upload(drawn, "wrong"), key: "s3://nobodys/labels.csv"}
    status, out, err = command(what, write_config(data=data))
    assert status == 2, out
    assert "s3://nobodys/labels.csv" in err and "NoSuchBucket" in err and "look at" in err
    assert "Traceback" not in out + err


def test_a_prefix_without_videos_is_said_as_of_a_folder(s3, command, write_config, drawn):
    data = {**upload(drawn, "prefix"), "videos": "s3://lab/vidoes"}
    status, out, err = command("search", write_config(data=data), "--dry-run")
    assert status == 2 and "no videos under 's3://lab/vidoes'" in err, out + err
