"""``python -m data extract``: which frames become images, their names, and what is there already."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

import data
from data.tools.extracting.images import safe
from data.videos.decode import probe, read_frames
from tests.conftest import read_number

LABELS = "video,frame,label,split\n"


@pytest.fixture
def folder(tmp_path: Path, make_video) -> Path:
    """Two videos of twenty numbered frames, ten a second."""
    make_video(tmp_path / "videos" / "dive 1.mp4")
    make_video(tmp_path / "videos" / "site" / "b.avi")
    return tmp_path / "videos"


def shown(folder: Path) -> dict[str, int]:
    """The number that each image shows."""
    return {
        path.name: read_number(np.asarray(PIL.Image.open(path).convert("RGB")))
        for path in sorted(folder.glob("*.jpg"))
    }


def test_every_frame_in_a_folder_a_video_in_order(tool, folder: Path, tmp_path: Path):
    status, out, _ = tool("extract", folder, "--out", tmp_path / "out")
    assert status == 0 and "40 images of 2 videos" in out
    wanted = {f"dive 1_{number + 1:05}.jpg": number for number in range(20)}
    assert shown(tmp_path / "out" / "dive 1") == wanted
    assert len(shown(tmp_path / "out" / "site" / "b")) == 20


def test_at_a_rate(tool, folder: Path, tmp_path: Path):
    tool("extract", folder / "dive 1.mp4", "--out", tmp_path / "out", "--fps", 2.5)
    assert [*shown(tmp_path / "out" / "dive 1").values()] == [0, 4, 8, 12, 16]
    assert (tmp_path / "out" / "dive 1" / "fps.txt").read_text() == "2.5\n"


def test_faster_than_the_video_repeats_frames(tool, folder: Path, tmp_path: Path):
    tool("extract", folder / "dive 1.mp4", "--out", tmp_path / "out", "--fps", 20)
    numbers = [*shown(tmp_path / "out" / "dive 1").values()]
    assert len(numbers) == 40 and set(numbers) == set(range(20))


def test_images_are_read_back_as_the_video_that_they_were(tool, folder: Path, tmp_path: Path):
    tool("extract", folder, "--out", tmp_path / "out", "--format", "png", "--size", "64x16")
    info = probe(tmp_path / "out" / "dive 1")
    assert (info.width, info.height, info.fps, len(info)) == (64, 16, 10, 20)
    assert [read_number(frame) for frame in read_frames(info)] == [*range(20)]


def test_labels_survive(tool, folder: Path, tmp_path: Path):
    (tmp_path / "labels.csv").write_text(
        LABELS
        + "".join(f"dive 1,{frame},{'a' if frame < 9 else 'b'},train\n" for frame in range(3, 20))
        + "".join(f"site/b,{frame},a,valid\n" for frame in range(20))
    )
    out = tmp_path / "out"
    status, _, err = tool(
        *("extract", folder, "--out", out, "--fps", 5, "--labels", tmp_path / "labels.csv")
    )
    assert status == 0, err
    assert [*shown(out / "dive 1").values()] == [4, 6, 8, 10, 12, 14, 16, 18]
    table = data.load(out, out / "labels.csv").table
    of_dive = table[table["video"] == "dive 1"]
    assert of_dive["label"].tolist() == ["a"] * 3 + ["b"] * 5
    assert set(of_dive["split"]) == {"train"}


def test_a_folder_a_label(tool, folder: Path, tmp_path: Path):
    (tmp_path / "labels.csv").write_text(
        "video,time_start,time_end,label\ndive 1,0,0.5,a/../x\ndive 1,0.5,1,b\n"
    )
    out = tmp_path / "out"
    words = ("--labels", tmp_path / "labels.csv", "--by", "label")
    status, _, err = tool("extract", folder, "--out", out, *words)
    assert status == 0, err
    assert [*shown(out / "a_.._x" / "dive 1").values()] == [0, 1, 2, 3, 4]
    assert [*shown(out / "b" / "dive 1").values()] == [5, 6, 7, 8, 9]
    with (out / "labels.csv").open() as file:
        rows = [*csv.DictReader(file)]
    assert rows[0] == {"video": "a_.._x/dive 1", "frame": "dive 1_00001.jpg", "label": "a/../x"}


def test_it_goes_on_where_it_was_stopped(tool, folder: Path, tmp_path: Path):
    out = tmp_path / "out"
    tool("extract", folder, "--out", out)
    mark = out / ".extracted" / "dive 1.json"
    mark.write_text(mark.read_text().replace('"done": true', '"done": false'))
    for image in sorted((out / "dive 1").glob("*.jpg"))[12:]:
        image.unlink()
    first = out / "dive 1" / "dive 1_00001.jpg"
    before = first.stat().st_mtime_ns
    _, said, _ = tool("extract", folder, "--out", out)
    assert "8 images of 2 videos (1 of them were there already)" in said
    assert len(shown(out / "dive 1")) == 20 and first.stat().st_mtime_ns == before


def test_images_made_in_another_way_are_not_mixed(tool, folder: Path, tmp_path: Path):
    tool("extract", folder, "--out", tmp_path / "out")
    status, _, err = tool("extract", folder, "--out", tmp_path / "out", "--fps", 5)
    assert status == 2 and "another rate" in err and "choose another --out" in err
    assert len(shown(tmp_path / "out" / "dive 1")) == 20


def test_files_of_others_are_left_alone(tool, folder: Path, tmp_path: Path):
    own = tmp_path / "out" / "dive 1" / "mine.txt"
    own.parent.mkdir(parents=True)
    own.touch()
    status, _, err = tool("extract", folder, "--out", tmp_path / "out")
    assert status == 2 and "has other files in it, such as mine.txt" in err


def test_two_videos_of_one_name_keep_their_endings(tool, tmp_path: Path, make_video):
    make_video(tmp_path / "v" / "a.mp4", frames=3)
    make_video(tmp_path / "v" / "a.avi", frames=4)
    tool("extract", tmp_path / "v", "--out", tmp_path / "out")
    assert len(shown(tmp_path / "out" / "a.mp4")) == 3
    assert len(shown(tmp_path / "out" / "a.avi")) == 4


def test_what_does_not_decode_is_listed(tool, folder: Path, tmp_path: Path):
    (folder / "text.mp4").write_text("no video")
    status, out, _ = tool("extract", folder, "--out", tmp_path / "out")
    assert status == 1 and "40 images of 2 videos" in out
    assert "text.mp4" in (tmp_path / "out" / "rejects.csv").read_text()


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("..", "_"),
        ("../../etc", "__.._etc"),
        ("a/b", "a_b"),
        ("seal.", "seal"),
        ("NUL", "_NUL"),
        ("a:b?", "a_b_"),
        ("", "_"),
        (".hidden", "_hidden"),
        ("Möwe 中", "Möwe 中"),
        ("x" * 300, "x" * 150),
        ("\udcff", "_"),
    ],
)
def test_names_that_every_system_takes(name: str, wanted: str):
    assert safe(name) == wanted


@pytest.mark.parametrize("size", ["320", "0x5", "axb", "320x240x3", "999999x1"])
def test_sizes_that_are_none(tool, folder: Path, tmp_path: Path, size: str):
    status, _, err = tool("extract", folder, "--out", tmp_path / "out", "--size", size)
    assert status == 2 and "such as 320x240" in err
