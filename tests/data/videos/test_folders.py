"""Folders as they are: links, circles, what can't be read, names that are not UTF-8."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from data.console import clean
from data.errors import printable
from data.files.walk import walk
from data.videos.find import find_files
from data.videos.rejects import Reject, write_rejects
from tests.data.labels.reading import GOOD, load_text

MakeVideo = Callable[..., Path]
ODD = os.fsdecode(b"for\xeat \xff.mp4")  # in the encoding of older Windows, and in none


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """``videos`` with a file in it, beside a folder ``disk`` that has two."""
    for name in ("videos/a.mp4", "disk/b.mp4", "disk/deep/c.mp4"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "videos"


@pytest.fixture
def videos(tmp_path: Path, make_video: MakeVideo) -> Path:
    """Three videos, as the labels of `GOOD` name them."""
    for name in ("a.mp4", "b.avi", "sub/c.wmv"):
        make_video(tmp_path / "videos" / name, frames=4)
    return tmp_path / "videos"


def found(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in find_files(folder)]


def test_a_folder_that_is_a_link_is_looked_into(folder: Path) -> None:
    (folder / "more").symlink_to("../disk")
    (folder / "far").symlink_to(folder.parent / "disk" / "deep")
    assert found(folder) == ["a.mp4", "far/c.mp4", "more/b.mp4"]


def test_all_videos_may_be_links(folder: Path) -> None:
    link = folder.parent / "linked"
    link.symlink_to(folder)
    assert found(link) == ["a.mp4"]
    (folder / "d.mp4").symlink_to(folder.parent / "disk" / "b.mp4")
    assert found(folder) == ["a.mp4", "d.mp4"]


@pytest.mark.parametrize("target", [".", "..", "videos", "../videos", "self"])
def test_links_round_in_circles_end(folder: Path, target: str, said: list[str]) -> None:
    (folder / "self").symlink_to(target)
    (folder / "deep").mkdir()
    (folder / "deep" / "back").symlink_to(folder)
    assert [name for name in found(folder) if "disk" not in name] == ["a.mp4"]
    assert said == []


def test_a_file_that_is_reached_twice_is_one_by_its_own_name(folder: Path) -> None:
    for number, name in enumerate(["0.mp4", "z.mp4", "sub/e.mp4"]):
        link = folder / name
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(folder / "a.mp4")
        (folder / f"l{number}").symlink_to("../disk")
    assert found(folder) == ["a.mp4", "l0/b.mp4", "l0/deep/c.mp4"]


def test_links_that_lead_nowhere_are_said_of_videos(folder: Path, said: list[str]) -> None:
    (folder / "gone.mp4").symlink_to("../disk/gone.mp4")
    (folder / "round.mp4").symlink_to("round.mp4")
    (folder / "lock").symlink_to("nobody@host")
    assert found(folder) == ["a.mp4"]
    assert [line.partition(": it is")[0] for line in said] == [
        f"left out: {folder}/gone.mp4",
        f"left out: {folder}/round.mp4",
    ]


def test_a_folder_that_can_t_be_listed_is_said(
    folder: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "closed").mkdir()
    real = os.scandir

    def scandir(path: Path) -> object:
        if path.name == "closed":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr("data.files.walk.os.scandir", scandir)
    assert found(folder) == ["a.mp4"]
    assert said == [f"left out: {folder}/closed: it can't be listed: Permission denied"]


def test_a_linked_folder_s_videos_are_labelled_by_the_link_s_name(
    tmp_path: Path, make_video: MakeVideo
) -> None:
    for site in ("one", "two"):
        make_video(tmp_path / f"disk_{site}" / "a.mp4", frames=4)
        (tmp_path / "videos").mkdir(exist_ok=True)
        (tmp_path / "videos" / site).symlink_to(tmp_path / f"disk_{site}")
    rows = "video,frame,label,split\none/a,0,x,train\none/a,1,y,train\ntwo/a,0,x,valid\n"
    assert sorted(load_text(tmp_path / "videos", rows).videos) == ["one/a", "two/a"]


# Names that are not UTF-8


def test_a_name_that_is_not_utf_8_can_be_shown() -> None:
    assert printable(ODD) == clean(ODD) == r"for\xeat \xff.mp4"
    assert printable("a\ud800") == r"a\ud800"
    assert printable("forêt 中") == "forêt 中"


def test_such_videos_are_found_told_and_opened(videos: Path) -> None:
    (videos / "b.avi").rename(videos / ODD)
    (videos / os.fsdecode(b"\xe9t\xe9")).mkdir()
    (videos / "a.mp4").rename(videos / os.fsdecode(b"\xe9t\xe9") / "b.mp4")
    assert len(list(walk(videos))) == 3
    text = GOOD.replace("a,", "c,").replace("c,0,y,test\n", "")
    dataset = load_text(videos, text, by="folder")
    assert sorted(dataset.videos) == ["b", "c"]
    dataset.groups["b"].encode()
    assert dataset.groups["b"] == r"\xe9t\xe9"
    (warning,) = [line for line in dataset.warnings if "no labels" in line]
    assert warning.endswith(r"for\xeat \xff.mp4")


def test_a_line_about_such_a_file_can_be_written(folder: Path, said: list[str]) -> None:
    (folder / ODD).symlink_to("nowhere")
    assert found(folder) == ["a.mp4"]
    (line,) = said
    assert line.encode().endswith(rb"for\xeat \xff.mp4: it is a link that leads nowhere")


def test_they_are_listed_among_rejects(tmp_path: Path) -> None:
    path = write_rejects([Reject(ODD, tmp_path / ODD, f"no frames in {ODD}")], tmp_path)
    row = pd.read_csv(path).iloc[0]
    assert row["video"] == r"for\xeat \xff.mp4"
    assert row["path"].endswith(r"/for\xeat \xff.mp4")
