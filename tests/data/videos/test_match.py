"""Names of videos as tables have them: paths from other machines, numbers without their zeros."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.videos.match import match_files
from tests.data.labels.reading import load_text

FOLDER = Path("/data/traps")
TREE = ["v000.mp4", "site1/v001.MP4", "site2/v001.mp4", "site2/deep/er/v002.mov"]


def match(*names: str, files: list[str] = TREE) -> tuple[dict[str, str], list[str], list[str]]:
    """What is found, the problems, and what is noted."""
    notes: list[str] = []
    found, problems = match_files(names, [FOLDER / file for file in files], FOLDER, notes.append)
    return {name: str(path.relative_to(FOLDER)) for name, path in found.items()}, problems, notes


def one(name: str, files: list[str] = TREE) -> str:
    found, problems, _ = match(name, files=files)
    assert problems == []
    return found[name]


# Paths from elsewhere


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("/data/traps/v000.mp4", "v000.mp4"),
        ("/home/ana/videos/v000.mp4", "v000.mp4"),
        ("/home/ana/videos/v000", "v000.mp4"),
        ("traps/v000.mp4", "v000.mp4"),
        ("traps/site1/v001.MP4", "site1/v001.MP4"),
        (r"D:\traps\v\v000.mp4", "v000.mp4"),
        (r"D:\Traps\SITE1\V001.mp4", "site1/v001.MP4"),
        (r"\\server\share\traps\site2\v001", "site2/v001.mp4"),
        ("file:///home/ana/site2/v001.mp4", "site2/v001.mp4"),
        ("s3://bucket/traps/site2/deep/er/v002.mov", "site2/deep/er/v002.mov"),
        ("/er/v002.mov", "site2/deep/er/v002.mov"),
        ("E:/er/V002", "site2/deep/er/v002.mov"),
        ("./traps//site1/../site2/./v001.mp4", "site2/v001.mp4"),
        ("../traps/site2/v001.mp4", "site2/v001.mp4"),
    ],
)
def test_a_path_from_elsewhere_is_found_by_its_end(name: str, file: str) -> None:
    assert one(name) == file


def test_the_longest_end_counts() -> None:
    files = ["v.mp4", "a/v.mp4", "b/a/v.mp4"]
    assert one("/x/b/a/v.mp4", files) == "b/a/v.mp4"
    assert one("/x/a/v.mp4", files) == "a/v.mp4"
    assert one("/x/c/v.mp4", files) == "v.mp4"


def test_an_end_in_any_case_is_longer_than_a_short_one_as_written() -> None:
    assert one("/x/SITE/v.mp4", ["v.mp4", "site/v.mp4"]) == "site/v.mp4"


def test_an_end_that_several_files_have_lists_them() -> None:
    found, (problem,), _ = match("/x/a", files=["a.mp4", "a.avi"])
    assert found == {}
    for words in ("'/x/a' could be any of /data/traps/a.avi, /data/traps/a.mp4", "as 'a.avi'"):
        assert words in problem
    _, (problem,), _ = match("/x/S/v.mp4", files=["s/V.mp4", "s/v.MP4"])
    assert "could be any of /data/traps/s/V.mp4, /data/traps/s/v.MP4" in problem


def test_a_file_of_another_folder_is_not_meant() -> None:
    found, problems, _ = match("/old/site3/v001.mp4", "site3/v001", "x/deep/v002.mov")
    assert found == {}
    assert (
        "is not among the 4 videos under '/data/traps' (in another folder there is " in problems[0]
    )
    assert "/data/traps/site1/v001.MP4, /data/traps/site2/v001.mp4)" in problems[1]
    assert "/data/traps/site2/deep/er/v002.mov)" in problems[2]


@pytest.mark.parametrize(
    "name",
    ["../v000.mp4", "../../v000", "a/../../v000.mp4", r"..\v000.mp4", "/../../x/../v000.mp4"],
)
def test_names_never_lead_outside(name: str) -> None:
    found, problems, _ = match(name)
    assert found == {} and len(problems) == 1


def test_no_file_outside_is_read(videos: Path) -> None:
    (videos / "a.mp4").rename(videos.parent / "outside.mp4")
    found, problems = match_files(["../outside", "../outside.mp4"], [videos / "b.avi"], videos)
    assert found == {} and len(problems) == 2


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ("a.mp4", "b.avi"):
        (folder / name).touch()
    return folder


def test_paths_in_other_folders_are_said_in_one_line() -> None:
    _, _, (note,) = match(r"D:\v\v000.mp4", "/old/site1/v001.MP4", "v002")
    assert note.startswith(
        "2 names of videos are paths in other folders than '/data/traps', and found"
    )
    assert r"'D:\v\v000.mp4' is v000.mp4" in note
    _, _, notes = match("/data/traps/v000.mp4", "TRAPS/site1/v001.MP4", "site2/v001")
    assert notes == []


def test_a_colon_in_a_name_is_no_drive() -> None:
    files = ["a:b.mp4", "b.mp4"]
    assert one("a:b", files) == "a:b.mp4"
    assert one("a:b.mp4", files) == "a:b.mp4"


# Numbers


@pytest.mark.parametrize("file", ["0001.mp4", "site/0001.MP4", "01.avi"])
def test_zeros_that_a_spreadsheet_took(file: str) -> None:
    found, problems, (note,) = match("1", "12", files=[file, "0012.mp4", "12a.mp4"])
    assert (found, problems) == ({"1": file, "12": "0012.mp4"}, [])
    assert note.startswith("2 names of videos are numbers without the zeros of their files")
    assert f"'1' is {Path(file).name}" in note


@pytest.mark.parametrize("name", ["1.0", "1,00"])
def test_decimals_that_a_spreadsheet_gave(name: str) -> None:
    assert match(name, files=["0001.mp4", "0010.mp4"])[0] == {name: "0001.mp4"}


def test_zeros_that_could_be_any_of_several() -> None:
    found, (problem,), notes = match("1", files=["0001.mp4", "01.mp4", "001x.mp4"])
    assert (found, notes) == ({}, [])
    assert "video '1' could be any of /data/traps/0001.mp4, /data/traps/01.mp4" in problem


def test_a_number_as_it_is_comes_first() -> None:
    assert match("1", files=["1.mp4", "0001.mp4"]) == ({"1": "1.mp4"}, [], [])


def test_a_number_and_its_file_are_one_video() -> None:
    _, (problem,), _ = match("1", "0001", files=["0001.mp4"])
    assert "1, 0001 are names of one video, 0001.mp4" in problem


def test_a_number_that_a_spreadsheet_has_rounded() -> None:
    _, (problem,), _ = match("2,02405E+16", files=["20240501123456789.mp4"])
    assert "a spreadsheet has made a number of its name: write it as text" in problem


# Other endings


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("seal1.avi", "seal1.mp4"),
        ("SEAL1.AVI", "seal1.mp4"),
        ("seal1.avi", "a/seal1.MOV"),
        ("a/seal1.avi", "a/seal1.mov"),
        (r"D:\old\a\seal1.MTS", "a/seal1.mp4"),
        ("seal1.mp4", "seal1"),  # a folder of images
        ("seal1", "seal1.mkv"),
        ("seal.1.avi", "seal.1.mp4"),
    ],
)
def test_a_name_with_another_ending_is_found_without_it(name: str, file: str) -> None:
    assert one(name, [file, "seal2.mp4", "seal.avi.mp4"]) == file


def test_another_ending_is_said_in_one_line() -> None:
    _, _, (note,) = match(
        "seal1.avi", "seal2.avi", "seal3", files=[f"seal{n}.mp4" for n in (1, 2, 3)]
    )
    assert note == (
        "2 names of videos have another ending than their files, and are found without it: 'seal1.avi' "
        "is seal1.mp4, 'seal2.avi' is seal2.mp4"
    )


def test_the_ending_that_is_written_comes_first() -> None:
    files = ["seal1.mp4", "seal1.avi", "seal.avi.mp4"]
    assert match("seal1.avi", "seal.avi", files=files) == (
        {"seal1.avi": "seal1.avi", "seal.avi": "seal.avi.mp4"},
        [],
        [],
    )


def test_another_ending_that_could_be_any_of_several() -> None:
    found, (problem,), notes = match("seal1.avi", files=["seal1.mp4", "seal1.mov", "seal2.mp4"])
    assert (found, notes) == ({}, [])
    assert "'seal1.avi' could be any of /data/traps/seal1.mov, /data/traps/seal1.mp4" in problem
    _, (problem,), _ = match("v.avi", files=["a/v.mp4", "b/v.mp4"])
    assert "write it with its folder, as 'a/v'" in problem


def test_the_site_tells_which_file_with_another_ending_is_meant() -> None:
    files = [FOLDER / "a/v.mp4", FOLDER / "b/v.mp4"]
    found, problems = match_files(["v.avi"], files, FOLDER, sites={"v.avi": "b"})
    assert (found, problems) == ({"v.avi": files[1]}, [])


def test_two_endings_of_one_file_are_told() -> None:
    _, (problem,), _ = match("seal1.avi", "seal1.mp4", files=["seal1.mp4"])
    assert problem == (
        "seal1.avi, seal1.mp4 are names of one video, seal1.mp4: use one name; if they are several, "
        "'seal1.avi' is not there"
    )


@pytest.mark.parametrize(
    "name", ["seal1.xyz", "seal1.avi.bak", ".avi", "../seal1.avi", "b/seal2.avi"]
)
def test_only_endings_of_videos_are_left_away(name: str) -> None:
    found, problems, _ = match(name, files=["seal1.mp4", "a/seal2.mkv"])
    assert found == {} and len(problems) == 1


# Many


def test_many_names_that_are_not_there_are_one_line() -> None:
    names = [f"x{number}" for number in range(5000)]
    found, (problem,), _ = match("v000", *names)
    assert found == {"v000": "v000.mp4"}
    assert problem.startswith(
        "5,000 of 5,001 videos are not among the 4 videos under '/data/traps'"
    )
    assert len(problem) < 200


def test_many_names_of_several_files_are_counted() -> None:
    files = [f"{folder}/v{number}.mp4" for folder in "ab" for number in range(30)]
    _, problems, _ = match(*(f"v{number}" for number in range(30)), files=files)
    assert len(problems) == 11
    assert problems[-1] == "20 more names of videos could be any of several files"


def test_what_was_matched_is_said_of_the_data_set(tmp_path: Path, make_video) -> None:
    for name in ("0001", "0002", "0003"):
        make_video(tmp_path / "videos" / f"{name}.mp4", frames=2)
    rows = (
        "video,frame,label,split\n1,0,x,train\n1,1,y,train\nD:\\v\\0002.mp4,0,x,valid\n3,0,y,test\n"
    )
    dataset = load_text(tmp_path / "videos", rows)
    assert {name: v.info.path.stem for name, v in dataset.videos.items()} == {
        "1": "0001",
        "D:\\v\\0002.mp4": "0002",
        "3": "0003",
    }
    said = [line for line in dataset.warnings if "names of videos are" in line]
    assert len(said) == 2 and all("videos.csv: " in line for line in said)
