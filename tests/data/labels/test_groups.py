"""Groups of videos: what they are by, splits that keep them whole, and what is said of the others."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from data.labels.file import label_form, read_labels
from data.labels.groups import Groups, group_videos
from data.labels.splits import named_splits
from tests.data.labels.reading import load_text, problems_of, splits_of

MakeVideo = Callable[..., Path]

# Sites s1 (a, d), s2 (b, e) and s3 (c, f); each has both classes.
ROWS = "a,x,s1\nb,x,s2\nc,x,s3\nd,y,s1\ne,y,s2\nf,y,s3\n"
SITES = "video,label,site\n" + ROWS


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory, make_video: MakeVideo) -> Path:
    """Videos a to f; c and f are in the folder north/wood, d in south, the others in none."""
    folder = tmp_path_factory.mktemp("six")
    for name in ("a", "b", "north/wood/c", "south/d", "e", "north/wood/f"):
        make_video(folder / f"{name}.mp4", frames=2)
    return folder


def grouped(labels: Path, text: str, by: str | None = None) -> tuple[Groups, list[str]]:
    """The groups of videos a, b... as they are without folders."""
    labels.write_text(text)
    file = read_labels(labels, () if by is None else (by,))
    assert file.problems == []
    return group_videos(file, {v: Path(f"{v}.mp4") for v in file.videos}, Path(), by)


# What a group is


@pytest.mark.parametrize(
    "text",
    [
        "video,label,site,date\na,x,s1,2024-05-01\nb,y,s2,2024-05-02\n",
        "video,frame,label,date,site\na,0,x,2024-05-01,s1\na,1,y,2024-05-01,s1\nb,0,y,d,s2\n",
        "site,video,time_start,time_end,label,split\ns1,a,0,1,x,train\ns2,b,0,1,y,valid\n",
    ],
    ids=["video", "frame", "range"],
)
def test_sites_are_groups_where_there_is_such_a_column(text: str, labels: Path) -> None:
    groups, problems = grouped(labels, text)
    assert problems == []
    assert (groups.by, groups.of, groups.asked) == ("site", {"a": "s1", "b": "s2"}, False)


def test_each_video_is_a_group_without_a_site(labels: Path) -> None:
    groups, _ = grouped(labels, "video,label,date\na,x,may\nb,y,may\n")
    assert (groups.by, groups.of) == ("video", {"a": "a", "b": "b"})


def test_by_video_in_spite_of_sites(labels: Path) -> None:
    groups, _ = grouped(labels, "video,label,site\na,x,s\nb,y,s\n", "video")
    assert (groups.by, groups.of) == ("video", {"a": "a", "b": "b"})


@pytest.mark.parametrize("by", ["date", "Date"])
def test_dates_are_groups_by_their_text(by: str, labels: Path) -> None:
    text = "video,label,site,date\na,x,s,2024-05-01\nb,y,s,1 May 2024\nc,y,s,2024-05-01\n"
    groups, _ = grouped(labels, text, by)
    assert groups.of == {"a": "2024-05-01", "b": "1 May 2024", "c": "2024-05-01"}


def test_a_column_of_any_name(labels: Path) -> None:
    text = "video,label,Camera\na,x,one\nb,y,two\n"
    groups, _ = grouped(labels, text, "camera")
    assert (groups.by, groups.of, groups.asked) == ("camera", {"a": "one", "b": "two"}, True)
    assert label_form(labels, ("camera",)) == "video"


@pytest.mark.parametrize(
    ("by", "of"),
    [
        ("folder", {"c": "north/wood", "d": "south", "f": "north/wood"}),
        ("folder1", {"c": "north", "d": "south", "f": "north"}),
    ],
)
def test_folders_are_groups(by: str, of: dict[str, str], six: Path) -> None:
    text = "video,label,split\nc,x,train\nf,y,train\nd,x,valid\n"
    dataset = load_text(six, text, by=by)
    assert (dataset.by, dataset.groups) == (by, of)


def test_the_folder_above_all_is_one_too(six: Path) -> None:
    text = "video,label,split\na,x,train\nc,y,train\nd,x,valid\n"
    assert load_text(six, text, by="folder").groups == {"a": ".", "c": "north/wood", "d": "south"}


# Mistakes


def test_videos_without_a_folder_at_that_level(six: Path) -> None:
    (problem,) = problems_of(six, "video,label\nc,x\nd,y\na,x\nf,y\n", by="folder2")
    for words in ("folder2 is the folder at level 2", "2 of 4 videos have none", "a.mp4", "d.mp4"):
        assert words in problem


def test_a_column_that_is_not_there(labels: Path) -> None:
    _, (problem,) = grouped(labels, "video,label,site,date\na,x,s,d\nb,y,s,d\n", "sight")
    for words in (
        "data.splits.by: 'sight'",
        str(labels),
        "did you mean 'site'?",
        "site, date, folder",
    ):
        assert words in problem


@pytest.mark.parametrize("by", ["label", "split", "folders"])
def test_what_is_no_group(by: str, labels: Path) -> None:
    _, problems = grouped(labels, "video,label,split\na,x,train\nb,y,valid\n", by)
    assert len(problems) == 1
    assert f"data.splits.by: '{by}'" in problems[0]


def test_groups_by_the_files_own_name_of_a_column_that_is_taken_for_a_site(labels: Path) -> None:
    labels.write_text("video,label,Camera\na,x,one\nb,y,two\n")
    file = read_labels(labels, columns={"site": "Camera"})
    groups, problems = group_videos(file, {}, Path(), "camera")
    assert (groups.by, groups.of, problems) == ("site", {"a": "one", "b": "two"}, [])


def test_a_video_at_two_sites(labels: Path) -> None:
    text = "video,frame,label,site,date\na,0,x,s1,d1\na,1,y,s2,d2\na,2,y,s2,d3\nb,0,x,s1,d1\n"
    _, (problem,) = grouped(labels, text)
    for words in (f"{labels}, rows 2, 3", "'a' has 2 values of 'site': s1, s2"):
        assert words in problem


def test_many_videos_at_two_sites_are_counted(labels: Path) -> None:
    rows = "".join(f"v{video},{frame},x,s{frame}\n" for video in range(8) for frame in range(2))
    _, problems = grouped(labels, "video,frame,label,site\n" + rows)
    assert len(problems) == 6
    assert "3 more videos have more than one value of 'site'" in problems[-1]


def test_a_missing_site(six: Path) -> None:
    (problem,) = problems_of(six, SITES.replace("b,x,s2", "b,x,"))
    assert "row 3: 1 with no 'site'; fill it in, or delete the row or the column" in problem


# Drawn by group


@pytest.mark.parametrize("seed", range(3))
def test_splits_are_drawn_by_site(seed: int, six: Path) -> None:
    dataset = load_text(six, SITES, seed=seed)
    splits = splits_of(dataset)
    assert all(splits[one] == splits[other] for one, other in ("ad", "be", "cf"))
    assert set(splits.values()) == {"train", "valid", "test"}
    note = dataset.warnings[0]
    assert f"drawn by site (data.splits): valid {dataset.groups[_held(splits, 'valid')]};" in note
    assert "since the labels have that column; data.splits.by: video draws each" in note


def _held(splits: dict[str, str], split: str) -> str:
    return next(video for video, own in splits.items() if own == split)


def test_sites_that_were_asked_for_need_no_reason(six: Path) -> None:
    assert "since" not in load_text(six, SITES, by="site").warnings[0]


def test_one_site_leaves_none_to_validate_on(six: Path) -> None:
    text = "video,label,site\na,x,s1\nd,y,s1\nb,y,s1\n"
    (problem,) = problems_of(six, text, by="site")
    for words in ("all videos are of one site, 's1'", "another site", "data.splits.by: video"):
        assert words in problem
    dataset = load_text(six, text)  # that sites stay together was not asked for
    assert set(splits_of(dataset).values()) == {"train", "valid"}
    for words in (
        "all videos are of one site, 's1'",
        "drawn by video instead",
        "better than those",
    ):
        assert words in dataset.warnings[0]


def test_sites_that_have_a_class_each(six: Path) -> None:
    text = "video,label,site\na,x,s1\nd,x,s1\nb,y,s2\ne,y,s2\n"
    (problem,) = problems_of(six, text, by="site")
    for words in ("can't be drawn by site", "data.splits.by: video draws each video by itself"):
        assert words in problem
    dataset = load_text(six, text)
    assert set(splits_of(dataset).values()) >= {"train", "valid"}
    for words in ("each site is the only one with some class", "drawn by video instead"):
        assert words in dataset.warnings[0]
    assert "splits were drawn by video (data.splits): valid" in dataset.warnings[1]


def test_a_class_of_each_video_leaves_none_to_validate_on_in_either_way(six: Path) -> None:
    (problem,) = problems_of(six, "video,label,site\na,x,s1\nb,y,s2\n")
    assert "drawn by site" in problem and "nor if they are drawn by video; label more" in problem


def test_videos_that_have_a_class_each(six: Path) -> None:
    (problem,) = problems_of(six, "video,label\na,x\nb,y\n")
    assert "can't be drawn by video" in problem
    assert "data.splits.by" not in problem


def test_no_test_of_two_sites_is_said(six: Path) -> None:
    dataset = load_text(six, SITES.replace("s3", "s2"))
    assert set(splits_of(dataset).values()) == {"train", "valid"}
    assert "test none, as" in dataset.warnings[0]


# Given


def test_sites_are_named(six: Path) -> None:
    dataset = load_text(six, SITES, valid=["s3"], test=["s1"], by="site")
    splits = {"train": "be", "valid": "cf", "test": "ad"}
    assert splits_of(dataset) == {v: split for split, videos in splits.items() for v in videos}


def test_videos_and_groups_are_named() -> None:
    groups = {"a": "s1", "b": "s1", "c": "s2", "d": "s3"}
    splits, problems = named_splits(groups, ["c"], ["s1"], "site")
    assert (splits, problems) == ({"a": "test", "b": "test", "c": "valid", "d": "train"}, [])


def test_misspelt_groups() -> None:
    groups = {"a": "wood", "b": "lake", "c": "wood"}
    _, problems = named_splits(groups, ["wod"], ["lake"], "site")
    assert problems == [
        "data.splits: 'wod' is named for valid, but no label names that video or site "
        "(did you mean 'wood'?)"
    ]


def test_a_video_whose_site_is_in_the_other_split() -> None:
    _, problems = named_splits({"a": "wood", "b": "lake", "c": "wood"}, ["wood"], ["c"], "site")
    assert problems == ["data.splits: 'c' is named for both valid and test"]


def test_a_name_of_two_meanings() -> None:
    _, problems = named_splits({"a": "b", "b": "c", "c": "d"}, ["b"], [], "site")
    assert len(problems) == 1
    assert "'b' is named for valid, and is a video and a site" in problems[0]


def test_a_site_that_is_parted_against_what_was_asked(six: Path) -> None:
    (problem,) = problems_of(six, SITES, valid=["c"], test=[], by="site")
    for words in ("data.splits.by: site keeps", "s3 (train, valid)"):
        assert words in problem


def test_a_site_that_the_labels_part_is_said(six: Path) -> None:
    text = "video,label,site,split\na,x,s1,train\nd,y,s1,train\nb,x,s1,valid\n"
    dataset = load_text(six, text)
    assert splits_of(dataset)["b"] == "valid"
    assert "videos of a site are in several splits: s1 (train, valid)" in dataset.warnings[0]


# What there is


def test_sites_are_counted(six: Path) -> None:
    named = {"valid": ["s3"], "test": [], "by": "site"}
    summary = load_text(six, SITES, unit="video", **named).summary()
    assert list(summary.columns) == ["videos", "sites", "x", "y"]
    assert summary.loc["train"].tolist() == [4, 2, 2, 2]
    assert summary.loc["valid"].tolist() == [2, 1, 1, 1]


def test_folds_are_of_the_sites(six: Path) -> None:
    dataset = load_text(six, SITES, valid=["s3"], test=[], by="site")
    folds = dataset.folds(3, seed=0)
    assert sorted("".join(v for v in fold if fold[v] == "valid") for fold in folds) == [
        *("ad", "be", "cf")
    ]
    assert len(dataset.folds(6, seed=0, by="video")) == 6
    with pytest.raises(
        ValueError, match=r"grouped by site, not by date; set data\.splits\.by: date"
    ):
        dataset.folds(2, seed=0, by="date")


def test_videos_left_out_are_in_no_group_that_is_counted(six: Path, tmp_path: Path) -> None:
    videos = Path(shutil.copytree(six, tmp_path / "videos"))
    (videos / "bad.mp4").write_text("no video")
    dataset = load_text(videos, SITES + "bad,x,s4\n")
    assert dataset.summary()["sites"].sum() == 3
