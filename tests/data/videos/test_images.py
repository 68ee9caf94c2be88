"""Folders of numbered images are videos: found, read in order, known by their content, labelled."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

import data
from data import DataError
from data.errors import VideoError
from data.files.store import content_key, identity
from data.videos.decode import probe, read_frames
from data.videos.find import find_files
from data.videos.match import match_files
from data.videos.video import open_video
from tests.conftest import draw_number, read_number

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """``write("v1", [1, 2, 3])``: a folder with an image of each number, which shows it."""

    def images(
        name: str, numbers: Sequence[int], pattern: str = "{name}_{number:05}.png", fps: str = ""
    ) -> Path:
        folder = tmp_path / "videos" / name
        folder.mkdir(parents=True, exist_ok=True)
        for number in numbers:
            image = PIL.Image.fromarray(draw_number(number, (32, 128)))
            image.save(folder / pattern.format(name=folder.name, number=number))
        if fps:
            (folder / "fps.txt").write_text(fps)
        return folder

    return images


def shown(folder: Path) -> list[int]:
    return [read_number(frame) for frame in read_frames(probe(folder))]


# Finding


def test_folders_of_images_are_found_beside_videos(write: Write, make_video, tmp_path: Path):
    write("v1", [1, 2])
    write("site/v2", [1, 2])
    make_video(tmp_path / "videos" / "v3.mp4", frames=2)
    found = [str(path.relative_to(tmp_path / "videos")) for path in find_files(tmp_path / "videos")]
    assert found == ["site/v2", "v1", "v3.mp4"]


def test_a_folder_given_by_itself_is_a_video(write: Write):
    folder = write("v1", [1, 2])
    assert find_files(folder) == [folder]
    assert match_files(["v1"], [folder], folder) == ({"v1": folder}, [])


def test_pictures_beside_videos_are_no_video(write: Write, make_video, tmp_path: Path):
    write("a", [1, 2])
    make_video(tmp_path / "videos" / "a" / "v.mp4", frames=2)
    assert [path.name for path in find_files(tmp_path / "videos")] == ["v.mp4"]


def test_one_picture_and_pictures_without_numbers_are_no_video(write: Write, tmp_path: Path):
    write("a", [1])
    write("b", [1], "map.jpg")
    write("b", [1], "plan.jpg")
    with pytest.raises(DataError, match="no videos under"):
        find_files(tmp_path / "videos")


def test_hidden_folders_of_images_are_left_out(write: Write, tmp_path: Path):
    write(".thumbnails", [1, 2])
    write("v1", [1, 2])
    assert [path.name for path in find_files(tmp_path / "videos")] == ["v1"]


def test_a_folder_with_dots_in_its_name_keeps_all_of_it(write: Write, tmp_path: Path):
    one, two = write("cam.01", [1, 2]), write("cam.02", [1, 2])
    folder = tmp_path / "videos"
    assert match_files(["cam.02"], find_files(folder), folder) == ({"cam.02": two}, [])
    _, problems = match_files(["cam"], [one, two], folder)
    assert "is not among" in problems[0]


# Reading


def test_images_come_in_the_order_of_their_numbers(write: Write):
    assert shown(write("v1", [1, 2, 9, 10, 100], "frame{number}.png")) == [1, 2, 9, 10, 100]


@pytest.mark.parametrize(("text", "fps"), [("9.2", 9.2), ("9,2\n", 9.2), ("30000/1001", 29.97)])
def test_the_rate_is_that_of_the_file_beside_them(write: Write, text: str, fps: float):
    info = probe(write("v1", range(1, 11), fps=text))
    assert (len(info), info.fps, info.remarks) == (10, pytest.approx(fps, abs=1e-3), ())
    assert info.duration == pytest.approx(10 / fps, rel=1e-3)


def test_one_rate_for_all_folders(write: Write):
    folder = write("v1", [1, 2])
    (folder.parent / "fps.txt").write_text("5")
    assert probe(folder).fps == 5


@pytest.mark.parametrize("text", ["", "fast", "0", "1/0", "-3", "nan", "1e400"])
def test_a_rate_that_is_none(write: Write, text: str):
    folder = write("v1", [1, 2])
    (folder / "fps.txt").write_text(text)
    with pytest.raises(VideoError, match=r"fps\.txt does not say"):
        probe(folder)


def test_without_a_rate_it_is_that_of_the_data_set_or_25_and_told(write: Write):
    folder = write("v1", range(1, 11))
    assert probe(folder).fps == 25
    assert "25 a second" in probe(folder).remarks[0]
    video = open_video("v1", folder, 5)
    assert (len(video), video.info.fps, video.info.remarks) == (10, 5, ())


def test_where_images_are_missing_their_time_is_too(write: Write):
    info = probe(write("v1", [3, 4, 8, 9], fps="10"))
    assert info.times.tolist() == pytest.approx([0, 0.1, 0.5, 0.6])
    assert "3 images are missing, after v1_00004.png" in info.remarks[0]


def test_every_tenth_image_is_no_gap(write: Write):
    info = probe(write("v1", range(0, 100, 10), fps="2"))
    assert info.times.tolist() == pytest.approx(np.arange(10) / 2)
    assert info.remarks == ()


def test_times_of_day_count_no_frames(write: Write):
    info = probe(write("v1", [80000, 121502, 233001], "cam_{number:06}.jpg", fps="1"))
    assert info.times.tolist() == [0, 1, 2]
    assert "no count" in info.remarks[0]


def test_two_images_of_one_number(write: Write):
    folder = write("v1", [1, 2])
    write("v1", [2], "other_{number}.png")
    with pytest.raises(VideoError, match=r"same number: (other_2\.png and v1|v1.*and other_2)"):
        probe(folder)


def test_an_image_without_a_number_among_others(write: Write):
    folder = write("v1", [1, 2, 3])
    write("v1", [7], "cover.png")
    with pytest.raises(VideoError, match=r"1 of 4 images have no number in their name: cover\.png"):
        probe(folder)


def test_a_damaged_image_is_named_and_those_before_it_come(write: Write):
    folder = write("v1", [1, 2, 3])
    image = folder / "v1_00002.png"
    image.write_bytes(image.read_bytes()[:60])
    frames = read_frames(probe(folder))
    assert read_number(next(frames)) == 1
    with pytest.raises(VideoError, match=r"image v1_00002\.png can't be read"):
        next(frames)


def test_a_few_bytes_that_promise_more_pixels_than_memory_holds(write: Write):
    folder = write("v1", [1, 2])
    PIL.Image.new("1", (12_000, 12_000)).save(folder / "v1_00001.png")
    with pytest.raises(VideoError, match=r"v1_00001\.png.* 12000 x 12000 pixels"):
        probe(folder)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_images_of_all_kinds_become_rgb(write: Write, mode: str):
    folder = write("v1", [1, 2, 37], "{number}.tif")
    for image in folder.iterdir():
        PIL.Image.open(image).convert(mode).save(image)
    assert shown(folder) == [1, 2, 37]


def test_sixteen_bits(write: Write):
    folder = write("v1", [1, 2, 3])
    for image in folder.iterdir():
        grey = np.asarray(PIL.Image.open(image).convert("L"), np.uint16) * 257 // 2
        PIL.Image.fromarray(grey).save(image)
    frame = next(read_frames(probe(folder)))
    assert sorted(np.unique(frame)) == [0, 127]


def test_cameras_that_were_held_upright(write: Write):
    folder = write("v1", [1, 2], "{number}.jpg")
    for image in folder.iterdir():
        picture = PIL.Image.open(image)
        exif = picture.getexif()
        exif[0x0112] = 6  # turned by a quarter
        picture.save(image, exif=exif)
    info = probe(folder)
    assert (info.width, info.height) == (32, 128)
    assert next(read_frames(info)).shape == (128, 32, 3)


# Identity


def test_identity_is_of_all_images_and_of_the_rate(write: Write):
    folder = write("v1", range(1, 30), fps="5")
    seen = {identity(folder)}
    image = folder / "v1_00013.png"
    content = image.read_bytes()
    os.utime(image, (0, 0))
    seen.add(identity(folder))
    image.write_bytes(content[:-1] + b"x")
    seen.add(identity(folder))
    write("v1", [30])
    seen.add(identity(folder))
    (folder / "fps.txt").write_text("6")
    seen.add(identity(folder))
    assert len(seen) == 5
    (folder / "labels.csv").write_text("video")
    assert identity(folder) in seen


def test_a_copy_has_the_same_content(write: Write, tmp_path: Path):
    one = write("v1", [1, 2, 3, 4, 5, 6])
    before = content_key(one)
    os.utime(one / "v1_00003.png", (0, 0))
    assert content_key(one) == before
    image = one / "v1_00004.png"
    image.write_bytes(bytes(reversed(image.read_bytes())))
    assert content_key(one) != before


# Labels


def load(folder: Path, tmp_path: Path, rows: Sequence[str], header: str = "video,frame,label"):
    labels = tmp_path / "labels.csv"
    labels.write_text("\n".join([f"{header},split", *rows]) + "\n")
    return data.load(folder, labels)


def test_labels_mean_the_image_that_they_name(write: Write, tmp_path: Path):
    write("a", [1, 2, 4, 5], fps="10")  # image 3 is missing
    write("b", [0, 1, 2, 3], fps="10")  # numbered from 0, as in no other folder
    rows = [f"a,a_{number:05}.png,{label},train" for number, label in ((2, "x"), (4, "y"))]
    rows += [f"b,b_{number:05}.png,{label},valid" for number, label in ((0, "x"), (3, "y"))]
    found = load(tmp_path / "videos", tmp_path, rows).table
    assert found["frame"].tolist() == [1, 2, 0, 3]
    assert found["time"].tolist() == pytest.approx([0.1, 0.3, 0, 0.3])


def test_plain_numbers_count_from_the_first_image_of_the_whole(write: Write, tmp_path: Path):
    write("a", [1, 2, 4, 5], fps="10")
    write("b", [0, 1, 2, 3], fps="10")
    rows = ["a,1,x,train", "a,3,y,train", "b,0,x,valid", "b,3,y,valid"]
    assert load(tmp_path / "videos", tmp_path, rows).table["frame"].tolist() == [1, 2, 0, 3]


def test_a_label_of_an_image_that_is_missing(write: Write, tmp_path: Path):
    write("a", [1, 2, 4, 5], fps="10")
    rows = ["a,a_00002.png,x,train", "a,a_00003.png,y,train", "a,a_00009.png,y,train"]
    with pytest.raises(DataError) as caught:
        load(tmp_path / "videos", tmp_path, rows)
    assert "rows 3, 4: video 'a' has no image of number 3, 9" in str(caught.value)


def test_ranges_of_seconds_skip_what_is_missing(write: Write, tmp_path: Path):
    write("a", [1, 2, 4, 5], fps="10")
    write("b", [1, 2], fps="10")
    rows = ["a,0,0.2,x,train", "a,0.3,0.5,y,train", "b,0,0.1,x,valid", "b,0.1,0.2,y,valid"]
    found = load(tmp_path / "videos", tmp_path, rows, "video,time_start,time_end,label")
    of_a = found.table[found.table["video"] == "a"]
    assert of_a["frame"].tolist() == [0, 1, 2, 3]
    assert of_a["label"].tolist() == ["x", "x", "y", "y"]


def test_what_is_to_be_known_of_images_is_a_warning(write: Write, tmp_path: Path):
    write("a", [1, 2, 4])
    write("b", [1, 2])
    rows = ["a,a_00001.png,x,train", "a,a_00002.png,y,train", "b,b_00001.png,x,valid"]
    warnings = load(tmp_path / "videos", tmp_path, rows).warnings
    assert any(line.startswith("a, b: no fps.txt says their rate") for line in warnings)
    assert any(line.startswith("a: 1 images are missing") for line in warnings)
