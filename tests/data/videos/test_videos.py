"""The videos of a data set: finding them, matching labels' names to them, opening them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from data import DataError
from data.videos.find import find_files
from data.videos.match import match_files
from data.videos.video import open_video, open_videos

MakeVideo = Callable[..., Path]


def _touch(folder: Path, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths


def _match(*names: str, files: list[str]) -> tuple[dict[str, str], list[str]]:
    folder = Path("/videos")
    found, problems = match_files(names, [folder / file for file in files], folder)
    return {name: str(path.relative_to(folder)) for name, path in found.items()}, problems


# Finding


def test_videos_are_found_in_subfolders_whatever_the_case_of_their_ending(tmp_path: Path) -> None:
    _touch(tmp_path, "b.mp4", "a.MOV", "deep/er/c.mts", "labels.csv", "notes.txt", "d.jpg")
    names = [str(path.relative_to(tmp_path)) for path in find_files(tmp_path)]
    assert names == ["a.MOV", "b.mp4", "deep/er/c.mts"]


def test_hidden_files_and_folders_named_like_videos_are_left_out(tmp_path: Path) -> None:
    _touch(tmp_path, "._a.mp4", "a.mp4", "folder.mp4/notes.txt")
    assert find_files(tmp_path) == [tmp_path / "a.mp4"]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        find_files(tmp_path / "vidoes")
    assert "data.videos: there is no folder" in str(caught.value)
    assert str(tmp_path / "vidoes") in str(caught.value)


def test_no_videos_found_says_what_was_searched_and_what_is_there(tmp_path: Path) -> None:
    _touch(tmp_path, "a.jpg", "sub/b.JPG", "c.xyz")
    with pytest.raises(DataError) as caught:
        find_files(tmp_path)
    for words in ("data.videos", str(tmp_path), ".mp4", ".avi", ".mts", "end in .jpg, .xyz"):
        assert words in str(caught.value)


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no files"):
        find_files(tmp_path)


# Matching


@pytest.mark.parametrize(
    "name", ["seal", "seal.mp4", "day1/seal", "day1/seal.mp4", "./day1/seal", "day1\\seal.mp4"]
)
def test_ways_to_name_a_video(name: str) -> None:
    assert _match(name, files=["day1/seal.mp4", "day1/other.avi"]) == ({name: "day1/seal.mp4"}, [])


def test_case_matters_not_where_it_is_clear() -> None:
    assert _match("SEAL", "Fish", files=["Seal.MP4", "FISH.avi"]) == (
        {"SEAL": "Seal.MP4", "Fish": "FISH.avi"},
        [],
    )


def test_dots_in_a_name() -> None:
    assert _match("cam1.2024.05", files=["cam1.2024.05.mp4", "cam1.2024.06.mp4"]) == (
        {"cam1.2024.05": "cam1.2024.05.mp4"},
        [],
    )


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_accents_in_either_encoding(form: str) -> None:
    name, file = unicodedata.normalize(form, "Möwe é"), unicodedata.normalize("NFD", "Möwe é.mp4")
    assert _match(name, files=[file]) == ({name: file}, [])


def test_the_file_with_spaces_and_other_scripts(damaged_videos: Path) -> None:
    name = "UPPER CASE with spaces é中"
    found, problems = match_files([name], find_files(damaged_videos), damaged_videos)
    assert problems == []
    assert found[name].name == f"{name}.MP4"


def test_a_video_that_is_not_there_names_the_nearest() -> None:
    found, problems = _match("seal-1", "sael-2", files=["seal-1.mp4", "sub/seal-2.mp4"])
    assert found == {"seal-1": "seal-1.mp4"}
    assert len(problems) == 1
    for words in ("'sael-2'", "2 videos under '/videos'", "did you mean 'seal-2'?"):
        assert words in problems[0]


def test_every_video_that_is_not_there_is_named() -> None:
    _, problems = _match("x1", "y2", "a", files=["a.mp4"])
    assert len(problems) == 2
    assert "'x1'" in problems[0]
    assert "'y2'" in problems[1]


def test_the_same_stem_in_two_folders_is_ambiguous() -> None:
    found, problems = _match("seal", files=["day1/seal.mp4", "day2/seal.mp4"])
    assert found == {}
    assert len(problems) == 1
    for words in (
        "'seal'",
        "/videos/day1/seal.mp4, /videos/day2/seal.mp4",
        "write it with its folder, as 'day1/seal'",
    ):
        assert words in problems[0]


def test_folders_tell_the_same_stem_apart() -> None:
    found, problems = _match("day1/seal", "day2/seal", files=["day1/seal.mp4", "day2/seal.mp4"])
    assert found == {"day1/seal": "day1/seal.mp4", "day2/seal": "day2/seal.mp4"}
    assert problems == []


def test_names_that_differ_in_case_alone() -> None:
    wanted = {"a": "a.mp4", "A": "A.mp4"}
    assert _match("a", "A", files=["A.mp4", "a.mp4"]) == (wanted, [])
    _, (problem,) = _match("Seal", files=["SEAL.mp4", "seal.mp4"])
    assert "as 'SEAL'" in problem


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("a", ["a.mp4", "a.avi"]),
        ("a", ["a.mp4", "sub/a.mp4"]),
        ("a", ["sub/a.mp4", "sub/a.avi"]),
        ("sub/a", ["sub/a.mp4", "sub/a.avi"]),
        ("a.mp4", ["b/a.mp4", "c/b/a.mp4"]),
        ("A", ["sub/a.mp4", "sub/a.MP4"]),
    ],
)
def test_the_advice_on_an_ambiguous_name_works(name: str, files: list[str]) -> None:
    found, (problem,) = _match(name, files=files)
    assert found == {}
    advice = problem.rsplit("as '", 1)[1].rstrip("'")
    assert _match(advice, files=files) == ({advice: sorted(files)[0]}, [])


def test_the_advice_says_what_it_adds() -> None:
    _, (problem,) = _match("a", files=["a.mp4", "a.avi"])
    assert "write it with its ending, as 'a.avi'" in problem
    _, (problem,) = _match("a", files=["sub/a.mp4", "sub/a.avi"])
    assert "write it with its folder and ending, as 'sub/a.avi'" in problem


@pytest.mark.parametrize("name", ["day1/seal", "day1/seal.mp4"])
def test_a_path_under_the_folder_is_clear(name: str) -> None:
    files = ["day1/seal.mp4", "old/day1/seal.mp4"]
    assert _match(name, files=files) == ({name: "day1/seal.mp4"}, [])


@pytest.mark.parametrize("name", ["a", "a.mp4"])
def test_one_file_in_place_of_a_folder(name: str, tmp_path: Path) -> None:
    (path,) = _touch(tmp_path, "a.mp4")
    assert match_files([name], find_files(path), path) == ({name: path}, [])
    _, (problem,) = match_files(["b"], find_files(path), path)
    assert "'b' is not among the 1 videos" in problem


def test_two_names_of_one_video() -> None:
    _, problems = _match("seal", "seal.mp4", files=["seal.mp4"])
    assert len(problems) == 1
    assert "seal, seal.mp4 are names of one video, seal.mp4: use one name" in problems[0]


# Opening


def test_videos_that_do_not_open_are_rejects_with_the_reason(damaged_videos: Path) -> None:
    reasons = {
        "zero_bytes.mp4": "0 bytes",
        "text_not_video.mp4": "can't be opened as a video",
        "truncated_half.mp4": "can't be opened as a video",
        "bipbop_audioinit.mp4": "no video stream",
    }
    paths = {name: damaged_videos / name for name in [*reasons, "hevc.mp4", "wmv2.wmv"]}
    videos, rejects = open_videos(paths, None)
    assert sorted(videos) == ["hevc.mp4", "wmv2.wmv"]
    assert sorted(reject.video for reject in rejects) == sorted(reasons)
    for reject in rejects:
        assert reasons[reject.video] in reject.reason
        assert reject.path == paths[reject.video]


def test_a_video_that_was_deleted_meanwhile_is_a_reject(
    tmp_path: Path, make_video: MakeVideo
) -> None:
    paths = {"a": make_video(tmp_path / "a.mp4"), "b": tmp_path / "b.mp4"}
    videos, rejects = open_videos(paths, None)
    assert list(videos) == ["a"]
    assert "No such file" in rejects[0].reason


def test_each_opening_is_told(tmp_path: Path, make_video: MakeVideo) -> None:
    paths = {"a": make_video(tmp_path / "a.mp4"), "b": tmp_path / "b.mp4"}
    told: list[bool] = []
    open_videos(paths, None, on_video=lambda: told.append(True))
    assert len(told) == 2


def test_key_is_of_the_content_and_the_sampling(tmp_path: Path, make_video: MakeVideo) -> None:
    path = make_video(tmp_path / "a.mp4")
    key = open_video("a", path, None).key
    assert open_video("other name", path, None).key == key
    assert open_video("a", path, 5).key != key
    make_video(path, numbers=[5, 6, 7])
    assert open_video("a", path, None).key != key
