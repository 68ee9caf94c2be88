"""The table of what models were trained on: written beside them, and read again as it was."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import data
from data import DataError, Dataset, learnt
from data.learnt import learnt_file, open_learnt, read_learnt, write_learnt


@pytest.fixture
def copied(drawn: Path, tmp_path: Path) -> Path:
    shutil.copytree(drawn, tmp_path / "videos")
    return tmp_path / "videos"


def again(dataset: Dataset, videos: Path, folder: Path, place: Path | None = None) -> Dataset:
    path = write_learnt(dataset, videos, folder)
    return open_learnt(read_learnt(path), place or videos)


def assert_same(one: Dataset, other: Dataset) -> None:
    pd.testing.assert_frame_equal(one.table, other.table)
    assert (one.classes, one.unit, one.by) == (other.classes, other.unit, other.by)
    assert {name: video.key for name, video in one.videos.items()} == {
        name: video.key for name, video in other.videos.items()
    }


def labels_of(folder: Path, text: str) -> Path:
    path = folder / "other.csv"
    path.write_text(text)
    return path


FRAMES = "video,frame,label,split,site\n" + "".join(
    f"{video},{frame},{label},{split},{site}\n"
    for video, split, site in [("a1", "train", "s"), ("b1", "valid", "NA"), ("c1", "test", "null")]
    for frame, label in [
        (0, "NA"),
        (1, "NA"),
        (2, "null"),
        (5, "null"),
        (7, '"Größe, 1"'),
        (9, "NA"),
    ]
)


@pytest.mark.parametrize(
    "text",
    [
        FRAMES,
        "video,time_start,time_end,label,split\na1,0,1.2,x\n".replace("x\n", "x,train\n")
        + "a1,1.5,2,y,train\nb1,0.1,2.4,x,valid\nc1,0,0.3,y,test\n",
        "video,label,split\na1,x,train\na2,y,train\nb1,x,valid\nc1,y,test\n",
    ],
    ids=["frames", "ranges", "videos"],
)
@pytest.mark.parametrize("unit", ["frame", "video"])
def test_what_is_written_is_read_again(text: str, unit, copied: Path, tmp_path: Path) -> None:
    if unit == "video" and not text.startswith("video,label"):
        pytest.skip("its videos have several labels")
    dataset = data.load(copied, labels_of(tmp_path, text), unit=unit)
    assert_same(again(dataset, copied, tmp_path / "runs"), dataset)


def test_a_stretch_of_equal_frames_is_one_row_that_a_person_can_read(
    copied: Path, tmp_path: Path
) -> None:
    dataset = data.load(copied, labels_of(tmp_path, FRAMES))
    lines = write_learnt(dataset, copied, tmp_path).read_text().splitlines()
    assert lines[0] == (
        "video,time_start,time_end,label,split,frame_start,frame_end,path,content,group,by"
    )
    assert lines[1].startswith("a1,0.0,0.2,NA,train,0,2,a1.mp4,")
    assert lines[2:4] == ["a1,0.2,0.3,null,train,2,3,,,,", "a1,0.5,0.6,null,train,5,6,,,,"]
    assert len(lines) == 1 + 3 * 5


def test_videos_may_be_elsewhere_and_within_other_folders(copied: Path, tmp_path: Path) -> None:
    dataset = data.load(copied, copied / "labels.csv")
    path = write_learnt(dataset, copied, tmp_path)
    shutil.copytree(copied, tmp_path / "there")
    (tmp_path / "there" / "deep").mkdir()
    (tmp_path / "there" / "a1.mp4").rename(tmp_path / "there" / "deep" / "renamed.mp4")
    for video in (tmp_path / "there").rglob("*"):
        os.utime(video, (5, 5))
    read = open_learnt(read_learnt(path), tmp_path / "there")
    pd.testing.assert_frame_equal(read.table, dataset.table)
    assert read.videos["a1"].info.path == tmp_path / "there" / "deep" / "renamed.mp4"


def test_a_video_that_is_named_by_itself_is_found(copied: Path, tmp_path: Path) -> None:
    one = copied / "a1.mp4"
    dataset = data.load(copied, copied / "labels.csv")
    alone = Dataset(
        dataset.table[dataset.table["video"] == "a1"], {"a1": dataset.videos["a1"]}, ["seal"]
    )
    path = write_learnt(alone, one, tmp_path)
    assert read_learnt(path).videos.loc["a1", "path"] == "a1.mp4"


def test_a_name_that_is_no_utf_8_is_found_again(copied: Path, tmp_path: Path) -> None:
    odd = copied / os.fsdecode(b"for\xeat")
    odd.mkdir()
    (copied / "a1.mp4").rename(odd / "a1.mp4")
    dataset = data.load(copied, copied / "labels.csv")
    assert_same(again(dataset, copied, tmp_path / "runs"), dataset)


def test_many_rows_are_compressed_and_one_file_is_there(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = data.load(copied, copied / "labels.csv")
    plain = write_learnt(dataset, copied, tmp_path / "runs").read_bytes()
    monkeypatch.setattr(learnt, "_LARGE", 5)
    path = write_learnt(dataset, copied, tmp_path / "runs")
    assert gzip.decompress(path.read_bytes()) == plain
    assert [path] == list((tmp_path / "runs").iterdir()) == [learnt_file(tmp_path / "runs")]
    assert_same(open_learnt(read_learnt(path), copied), dataset)


DAMAGED = {
    "nothing": b"",
    "no columns": b"video,label\na,b\n",
    "header alone": b"video,label,split,path,content,group,by\n",
    "text for a number": b"video,label,split,frame_start,frame_end,path,content,group,by\n"
    b"a,x,train,one,2,a.mp4,0,a,video\n",
    "backwards": b"video,label,split,frame_start,frame_end,path,content,group,by\n"
    b"a,x,train,5,2,a.mp4,0,a,video\n",
    "bytes": bytes(range(256)),
    "quotes": b'"video,label\n',
}


@pytest.mark.parametrize("name", ["labels.csv", "labels.csv.gz"])
@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_table_is_told(content: bytes, name: str, tmp_path: Path) -> None:
    for written in (content, gzip.compress(content), gzip.compress(content)[:-4]):
        (tmp_path / name).write_bytes(written)
        with pytest.raises(DataError) as error:
            read_learnt(tmp_path / name)
        assert str(tmp_path / name) in str(error.value) and "--current-labels" in str(error.value)


def test_a_path_of_the_table_never_leads_outside(copied: Path, tmp_path: Path) -> None:
    dataset = data.load(copied, copied / "labels.csv")
    path = write_learnt(dataset, copied, tmp_path)
    (copied / "a1.mp4").rename(tmp_path / "secret.mp4")
    path.write_text(path.read_text().replace(",a1.mp4,", ",../secret.mp4,"))
    read = open_learnt(read_learnt(path), copied)
    assert {reject.video: reject.reason for reject in read.rejects} == {
        "a1": "it is no longer there"
    }
    assert "a1" not in read.videos


def test_frames_that_a_video_has_no_more_are_told(copied: Path, tmp_path: Path) -> None:
    dataset = data.load(copied, copied / "labels.csv")
    path = write_learnt(dataset, copied, tmp_path)
    path.write_text(path.read_text().replace(",18,24,", ",18,40,", 1))
    (reject,) = open_learnt(read_learnt(path), copied).rejects
    assert "it has 24 frames now, and labels of 40" in reject.reason


def test_times_are_those_of_the_videos(copied: Path, tmp_path: Path) -> None:
    dataset = data.load(copied, copied / "labels.csv", fps=13.0)
    read = open_learnt(read_learnt(write_learnt(dataset, copied, tmp_path)), copied, fps=13.0)
    np.testing.assert_array_equal(read.table["time"], dataset.table["time"])
