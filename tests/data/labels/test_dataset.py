"""Videos and labels together: what is loaded, what is left out and why, what is wrong."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from data import DataError, Dataset, Reject, load

MakeVideo = Callable[..., Path]

GOOD = "video,frame,label,split\na,0,x,train\na,1,y,train\nb,0,x,valid\nc,0,y,test\n"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory, make_video: MakeVideo) -> Path:
    """Three videos of 20 frames at 10 a second, in three containers."""
    folder = tmp_path_factory.mktemp("drawn")
    for name in ("a.mp4", "b.avi", "sub/c.wmv"):
        make_video(folder / name)
    return folder


@pytest.fixture
def videos(drawn: Path, tmp_path: Path) -> Path:
    """A copy of them, to add to."""
    return Path(shutil.copytree(drawn, tmp_path / "videos"))


def _load(videos: Path, text: str, **options: object) -> Dataset:
    labels = videos.parent / f"{videos.name}.csv"
    labels.write_text(text)
    return load(videos, labels, **options)


def _problems(videos: Path, text: str, **options: object) -> list[str]:
    with pytest.raises(DataError) as caught:
        _load(videos, text, **options)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


def _splits(dataset: Dataset) -> dict[str, str]:
    return dict(zip(dataset.table["video"], dataset.table["split"], strict=True))


# Loaded


def test_table_videos_and_classes(drawn: Path) -> None:
    dataset = _load(drawn, GOOD)
    assert dataset.table.values.tolist() == [
        ["a", 0, 0.0, "x", "train"],
        ["a", 1, 0.1, "y", "train"],
        ["b", 0, 0.0, "x", "valid"],
        ["c", 0, 0.0, "y", "test"],
    ]
    assert {name: v.info.path.name for name, v in dataset.videos.items()} == {
        "a": "a.mp4",
        "b": "b.avi",
        "c": "c.wmv",
    }
    assert dataset.classes == ["x", "y"]
    assert (dataset.rejects, dataset.warnings) == ([], [])


def test_summary_counts_frames_and_videos_by_split(drawn: Path) -> None:
    summary = _load(drawn, GOOD).summary()
    assert list(summary.index) == ["train", "valid", "test"]
    assert list(summary.columns) == ["videos", "x", "y"]
    assert summary.values.tolist() == [[1, 1, 1], [1, 1, 0], [1, 0, 1]]


def test_sampling_rate_goes_for_videos_and_labels(drawn: Path) -> None:
    text = "video,time_start,time_end,label,split\na,0,2,x,train\nb,0,1,y,train\nc,1,2,x,valid\n"
    dataset = _load(drawn, text, fps=2)
    assert dataset.table.groupby("video")["frame"].agg(list).to_dict() == {
        "a": [0, 1, 2, 3],
        "b": [0, 1],
        "c": [2, 3],
    }
    assert dataset.table["time"].tolist() == [0, 0.5, 1, 1.5, 0, 0.5, 1, 1.5]
    assert {len(video) for video in dataset.videos.values()} == {4}


def test_videos_without_labels_are_counted_and_left_out(drawn: Path) -> None:
    dataset = _load(drawn, GOOD.replace("c,0,y,test\n", ""))
    assert sorted(dataset.videos) == ["a", "b"]
    (warning,) = dataset.warnings
    assert warning == "1 of 3 videos have no labels and are left out: c.wmv"


def test_each_opened_video_is_told(drawn: Path) -> None:
    told: list[int] = []

    def on_open(count: int) -> Callable[[], None]:
        told.append(count)
        return lambda: told.append(1)

    _load(drawn, GOOD, on_open=on_open)
    assert told == [3, 1, 1, 1]


def test_problems_come_from_another_process_as_they_were() -> None:
    error = DataError(["one", "other"])
    assert pickle.loads(pickle.dumps(error)).problems == ["one", "other"]


# Splits


VIDEO_ROWS = "video,label\na,x\nb,y\nc,x\n"


def test_named_splits(drawn: Path) -> None:
    text = "video,time_start,time_end,label\n" + "".join(
        f"{video},0,1,x\n{video},1,2,y\n" for video in "abc"
    )
    assert _splits(_load(drawn, text, valid=["c"], test=[])) == {
        "a": "train",
        "b": "train",
        "c": "valid",
    }


def test_misnamed_splits(drawn: Path) -> None:
    first, second = _problems(drawn, VIDEO_ROWS, valid=["d"], test=["c", "e"])[:2]
    assert "data.splits: 'd' is named for valid" in first
    assert "data.splits: 'e' is named for test" in second


@pytest.mark.parametrize("split", ["valid", "test"])
def test_a_named_video_that_does_not_open_is_a_reject(split: str, videos: Path) -> None:
    (videos / "bad.mp4").write_text("no video")
    names = {"valid": ["c"], "test": []}
    names[split] = [*names[split], "bad"]
    text = "video,frame,label\na,0,x\na,1,y\nb,0,y\nc,0,x\nbad,0,x\n"
    dataset = _load(videos, text, **names)
    assert _splits(dataset) == {"a": "train", "b": "train", "c": "valid"}
    assert [reject.video for reject in dataset.rejects] == ["bad"]


def test_rejects_are_named_where_too_few_videos_are_left_to_draw_from(videos: Path) -> None:
    (videos / "bad.mp4").write_text("no video")
    problems = _problems(videos, "video,label\na,x\nbad,y\n")
    assert not any("has one labelled video" in problem for problem in problems)
    assert "left out because they don't decode: bad (" in problems[-1]


@pytest.mark.parametrize("names", [{}, {"valid": ["d"], "test": []}], ids=["drawn", "named"])
def test_a_misspelt_video_is_one_problem(names: dict[str, list[str]], drawn: Path) -> None:
    (problem,) = _problems(drawn, "video,frame,label\na,0,x\nd,1,y\n", **names)
    assert "video 'd' is not among" in problem


def test_a_video_without_a_good_row_may_be_named(drawn: Path) -> None:
    (problem,) = _problems(drawn, "video,frame,label\na,0,x\nc,two,y\n", valid=["c"], test=[])
    assert "'two' is no frame" in problem


def test_drawn_splits_are_said(videos: Path, make_video: MakeVideo) -> None:
    text = "video,frame,label\n"
    for name in "abcdefgh":
        if name > "c":
            make_video(videos / f"{name}.mp4", frames=2)
        text += f"{name},0,x\n{name},1,y\n"
    first, again, other = (_load(videos, text, seed=seed) for seed in (0, 0, 1))
    assert _splits(first) == _splits(again)
    assert _splits(first) != _splits(other)
    assert set(_splits(first).values()) == {"train", "valid", "test"}
    (warning,) = first.warnings
    (held,) = [name for name, split in _splits(first).items() if split == "valid"]
    assert "drawn by video" in warning
    assert f"valid {held};" in warning


def test_drawn_shares(drawn: Path) -> None:
    text = "video,frame,label\n" + "".join(f"{v},0,x\n{v},1,y\n" for v in "abc")
    splits = _splits(_load(drawn, text, valid=0.4, test=0.0))
    assert sorted(splits.values()) == ["train", "train", "valid"]


def test_splits_given_twice(drawn: Path) -> None:
    (problem,) = _problems(drawn, GOOD, valid=["c"])
    assert "column 'split' and data.splits is set too; set one of them" in problem


def test_names_and_shares_do_not_mix(drawn: Path) -> None:
    problems = _problems(drawn, VIDEO_ROWS, valid=["c"], test=0.2)
    assert "valid and test are both names or both shares" in problems[0]


def test_one_labelled_video_is_too_few(drawn: Path) -> None:
    problems = _problems(drawn, "video,frame,label\na,0,x\na,1,y\n")
    assert len(problems) == 1
    for words in (f"{drawn.name}.csv", "one labelled video", "at least two"):
        assert words in problems[0]


# Mistakes


def test_a_video_in_two_splits(drawn: Path) -> None:
    (problem,) = _problems(drawn, GOOD + "a,5,x,test\na,6,x,test\n")
    for words in (
        f"{drawn.name}.csv, rows 2, 6",
        "'a'",
        "2 splits (test, train)",
        "put each video in one",
    ):
        assert words in problem


@pytest.mark.parametrize(
    "text",
    [
        "video,label,split\na,x,train\na,x,test\nb,y,train\nc,x,valid\n",
        "video,frame,label,split\na,0,x,train\na,0,x,test\nb,1,y,train\nc,0,x,valid\n",
    ],
    ids=["video", "frame"],
)
def test_the_same_video_or_frame_in_two_splits(text: str, drawn: Path) -> None:
    (problem,) = _problems(drawn, text)
    assert "rows 2, 3: video 'a' is in 2 splits" in problem


def test_two_splits_come_with_the_other_problems(drawn: Path) -> None:
    text = "video,frame,label,split\na,0,x,train\na,1,y,test\na,99,x,train\nc,0,x,valid\n"
    problems = _problems(drawn, text)
    assert len(problems) == 2
    for words in ("rows 2, 3: video 'a' is in 2 splits", "row 4: frame 99 is beyond"):
        assert sum(f"{drawn.name}.csv, {words}" in problem for problem in problems) == 1, words


def test_no_range_is_of_the_video(drawn: Path) -> None:
    (problem,) = _problems(drawn, "video,time_start,time_end,label,split\na,50,60,x,train\n")
    assert "row 2: ends at 60, beyond video 'a'" in problem


def test_a_label_whose_video_is_not_there(drawn: Path) -> None:
    (problem,) = _problems(drawn, GOOD + "seal-1,5,x,train\nseal-1,6,x,train\n")
    for words in (f"{drawn.name}.csv: video 'seal-1'", "3 videos", str(drawn)):
        assert words in problem


def test_a_misspelt_video_gets_the_nearest_name(videos: Path, make_video: MakeVideo) -> None:
    make_video(videos / "seal-01.mp4", frames=2)
    (problem,) = _problems(videos, GOOD + "sela-01,0,x,train\n")
    assert "video 'sela-01' is not among the 4 videos" in problem
    assert "did you mean 'seal-01'?" in problem


def test_an_ambiguous_video(videos: Path) -> None:
    for folder in ("more", "sub"):
        (videos / folder).mkdir(exist_ok=True)
        shutil.copy(videos / "b.avi", videos / folder / "d.avi")
    (problem,) = _problems(videos, GOOD.replace("b,0", "d,0"))
    for words in ("'d'", "more/d.avi", "sub/d.avi", "write it with its folder, as 'more/d'"):
        assert words in problem


def test_a_class_missing_from_train(drawn: Path) -> None:
    (problem,) = _problems(drawn, GOOD + "b,3,whale,valid\n")
    assert "class 'whale' is in valid but not in train" in problem


def test_one_class(drawn: Path) -> None:
    (problem,) = _problems(drawn, "video,frame,label,split\na,0,x,train\nb,0,x,valid\n")
    assert "one class only, 'x'" in problem


def test_no_videos(tmp_path: Path) -> None:
    (folder := tmp_path / "videos").mkdir()
    (problem,) = _problems(folder, GOOD)
    assert "no videos under" in problem
    assert str(folder) in problem


def test_no_label_file(drawn: Path) -> None:
    with pytest.raises(DataError, match=r"data\.labels: can't read"):
        load(drawn, drawn / "labels.csv")


def test_problems_of_the_file_and_of_the_videos_come_together(drawn: Path) -> None:
    text = GOOD + "a,99,x,train\na,two,x,train\nd,0,x,train\nc,5,,test\nb,7,x,vaild\n"
    problems = _problems(drawn, text)
    assert len(problems) == 5
    for words in (
        "row 6: frame 99 is beyond video 'a', which has 20 frames",
        "row 7: 'two' is no frame",
        "video 'd' is not among",
        "row 9: 1 with no 'label'",
        "row 10: split 'vaild'",
    ):
        assert sum(words in problem for problem in problems) == 1, words


# Rejects

BAD = {  # file to what the reason says
    "zero_bytes.mp4": "the file is empty (0 bytes)",
    "text_not_video.mp4": "can't be opened as a video",
    "truncated_half.mp4": "can't be opened as a video",
    "bipbop_audioinit.mp4": "no video stream",
}


def test_videos_that_do_not_open_are_rejects_and_the_others_remain(
    videos: Path, damaged_videos: Path
) -> None:
    text = GOOD
    for name in BAD:
        shutil.copy(damaged_videos / name, videos / name)
        text += f"{Path(name).stem},0,x,train\n"
    dataset = _load(videos, text)
    assert sorted(dataset.videos) == ["a", "b", "c"]
    assert len(dataset.table) == 4
    assert {reject.path.name for reject in dataset.rejects} == set(BAD)
    for reject in dataset.rejects:
        assert BAD[reject.path.name] in reject.reason
        assert reject.video == reject.path.stem


def test_a_class_of_rejects_alone_is_no_class(videos: Path) -> None:
    (videos / "bad.mp4").write_text("no video")
    dataset = _load(videos, GOOD + "bad,0,whale,train\n")
    assert dataset.classes == ["x", "y"]
    assert [reject.video for reject in dataset.rejects] == ["bad"]


def test_a_split_of_rejects_alone_is_an_error_that_names_them(videos: Path) -> None:
    (videos / "b.avi").write_text("no video")
    problems = _problems(videos, GOOD)
    assert "no labelled video is in split 'valid'" in problems[0]
    assert "left out because they don't decode: b (it can't be opened as a video" in problems[-1]


def test_no_video_opens(videos: Path) -> None:
    for path in videos.rglob("*.*"):
        path.write_text("no video")
    problems = _problems(videos, GOOD)
    for name in "abc":
        assert f"{name} (it can't be opened" in problems[-1]


def test_rejects_found_later_leave_the_data_set_too(drawn: Path) -> None:
    dataset = _load(drawn, GOOD)
    reject = Reject("c", dataset.videos["c"].info.path, "damaged")
    rest = dataset.without([reject])
    assert sorted(rest.videos) == ["a", "b"]
    assert sorted(set(rest.table["video"])) == ["a", "b"]
    assert rest.rejects == [reject]
    assert rest.table.index.tolist() == [0, 1, 2]
    assert sorted(dataset.videos) == ["a", "b", "c"]  # which itself stays as it was


def test_a_class_that_only_rejects_showed_goes_with_them(drawn: Path) -> None:
    text = GOOD.replace("c,0,y,test", "c,0,whale,train")
    dataset = _load(drawn, text)
    assert dataset.classes == ["whale", "x", "y"]
    rest = dataset.without([Reject("c", dataset.videos["c"].info.path, "damaged")])
    assert rest.classes == ["x", "y"]


def test_rejects_found_later_that_empty_a_split_are_named(drawn: Path) -> None:
    dataset = _load(drawn, GOOD)
    with pytest.raises(DataError) as caught:
        dataset.without([Reject("a", dataset.videos["a"].info.path, "damaged: half of it")])
    assert "split 'train'" in caught.value.problems[0]
    assert "a (damaged: half of it)" in caught.value.problems[-1]


def test_the_seals_load(seals: Path) -> None:
    dataset = load(seals, seals / "labels.csv")
    assert dataset.classes == ["noseal", "seal"]
    assert {name: len(video) for name, video in dataset.videos.items()} == (
        dataset.table.groupby("video").size().to_dict()
    )
    assert _splits(dataset) == {"s26-8164": "train", "s27-8212": "valid", "s28-20": "test"}
    assert (dataset.rejects, dataset.warnings) == ([], [])
