"""Several classes at once: labels that are sets, in tables and in data sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.labels.gaps import Gaps
from data.labels.sets import by_class, classes_of, joined, merged, parts
from data.labels.table import NO_GAPS, expand, read_labels
from data.videos.video import Video
from tests.data.labels.reading import load_text, problem_in, problems_of, video_of

RANGES = "video,time_start,time_end,label\n"


def labels_in(
    path: Path, text: str, *videos: Video, unit: str = "frame", gaps: Gaps = NO_GAPS
) -> list[tuple[object, ...]]:
    path.write_text(text)
    file = read_labels(path)
    known = {video.name: video for video in videos or [video_of()]}
    table, problems, _ = expand(file, known, unit, gaps=gaps, task="multilabel")
    assert file.problems + problems == []
    columns = [name for name in ("video", "frame", "label") if name in table]
    return list(table[columns].itertuples(index=False, name=None))


def test_a_set_has_one_name_whatever_its_order() -> None:
    assert parts(" feed + dive+feed") == ["dive", "feed"] == parts(joined(["feed", "dive"]))
    assert parts("+") == ["+"] and joined([]) == ""
    assert classes_of(["b+a", "c", "a"], "multilabel") == ["a", "b", "c"]
    assert classes_of(["b+a", "c"], "multiclass") == ["b+a", "c"]


@pytest.mark.parametrize("seed", range(10))
def test_merging_and_taking_apart_are_each_others_reverse(seed: int) -> None:
    draw = np.random.default_rng(seed)
    frame = np.sort(draw.integers(0, 30, 80))
    table = pd.DataFrame({"frame": frame, "label": draw.choice(list("abcdef"), 80)})
    sets = {number: set(rows["label"]) for number, rows in table.groupby("frame")}
    whole, twice = merged(table, np.diff(frame, prepend=-1) == 0)
    assert dict(zip(whole["frame"], whole["label"], strict=True)) == {
        number: "+".join(sorted(of)) for number, of in sets.items()
    }
    assert twice == 80 - sum(map(len, sets.values()))
    apart = by_class(whole)
    assert {number: set(rows["label"]) for number, rows in apart.groupby("frame")} == sets
    assert len(apart) == 80 - twice


# Tables


def test_ranges_that_overlap_are_sets_where_they_do(labels: Path) -> None:
    text = RANGES + "v,0.1,0.5,feed\nv,0.3,0.7,dive\nv,0.4,0.5,call\n"
    assert labels_in(labels, text) == [
        ("v", 1, "feed"),
        ("v", 2, "feed"),
        ("v", 3, "dive+feed"),
        ("v", 4, "call+dive+feed"),
        ("v", 5, "dive"),
        ("v", 6, "dive"),
    ]


def test_frames_of_several_rows_and_cells_of_several_classes_are_sets(labels: Path) -> None:
    text = "video,frame,label\nv,1,feed\nv,2,dive + feed\nv,1,dive\nv,3,feed\nv,3,feed\n"
    expected = [("v", 1, "dive+feed"), ("v", 2, "dive+feed"), ("v", 3, "feed")]
    assert labels_in(labels, text) == expected


@pytest.mark.parametrize("unit", ["video", "frame"])
def test_videos_of_several_rows_are_sets(labels: Path, unit: str) -> None:
    text = "video,label\nv,fox\nw,deer\nv,deer\n"
    rows = labels_in(labels, text, video_of("v", 2), video_of("w", 1), unit=unit)
    if unit == "frame":
        rows = [(video, label) for video, frame, label in rows if frame == 0]
    assert rows == [("v", "deer+fox"), ("w", "deer")]


def test_a_video_of_frames_or_ranges_shows_what_they_do(labels: Path) -> None:
    text = RANGES + "v,0,0.2,fox\nv,0.5,0.6,deer\n"
    assert labels_in(labels, text, unit="video") == [("v", "deer+fox")]
    text = "video,frame,label\nv,0,fox\nv,1,deer\nv,2,fox\n"
    assert labels_in(labels, text, unit="video") == [("v", "deer+fox")]


def test_a_short_event_within_another_leaves_its_frames_unlabelled(labels: Path) -> None:
    text = RANGES + "v,0,0.5,dive\nv,0.2,0.3,feed\n"
    rows = labels_in(labels, text, gaps=Gaps("none", shortest=0.2))
    assert [frame for _, frame, _ in rows] == [0, 1, 3, 4, 5, 6, 7, 8, 9]
    assert {label for _, frame, label in rows if frame > 4} == {"none"}


def test_an_event_goes_on_through_rows_of_larger_sets(labels: Path) -> None:
    text = RANGES + "v,0,0.1,dive\nv,0.1,0.2,dive+feed\nv,0.2,0.3,feed\n"
    rows = labels_in(labels, text, gaps=Gaps(shortest=0.2))
    assert [label for *_, label in rows] == ["dive", "dive+feed", "feed"]


# Where one class alone is taken


def test_what_overlaps_is_refused_and_told_what_to_set(labels: Path) -> None:
    remedy = "--set model.task=multilabel"
    text = RANGES + "v,0,0.5,a\nv,0.3,0.7,b\nv,0.8,1.0,a\nv,0.9,1.0,b\n"
    problem = problem_in(labels, text)
    assert "overlap" in problem and "1 more like this: rows 4, 5" in problem and remedy in problem
    assert remedy in problem_in(labels, "video,frame,label\nv,1,a\nv,1,b\n")
    assert remedy in problem_in(labels, "video,label\nv,a\nv,b\n")


def test_a_plus_is_part_of_a_name_where_one_class_alone_is_taken(labels: Path) -> None:
    labels.write_text("video,frame,label\nv,1,a+b\n")
    table, problems, _ = expand(read_labels(labels), {"v": video_of()})
    assert (table["label"].tolist(), problems) == (["a+b"], [])


# Data sets

SPLIT = "video,time_start,time_end,label,split\n"


def test_classes_are_single_and_each_is_counted(videos: Path) -> None:
    text = SPLIT + "a,0,1,dive,train\na,0.5,1,feed,train\nb,0,2,dive,valid\nb,1,2,feed,valid\n"
    dataset = load_text(videos, text, task="multilabel")
    assert dataset.classes == ["dive", "feed"] and dataset.task == "multilabel"
    assert sorted(dataset.table["label"].unique()) == ["dive", "dive+feed"]
    summary = dataset.summary()
    assert summary.loc["train", ["dive", "feed"]].tolist() == ["10 (1)", "5 (1)"]
    assert summary.loc["valid", ["dive", "feed"]].tolist() == ["20 (1)", "10 (1)"]


def test_a_class_that_train_shows_only_beside_others_is_there(videos: Path) -> None:
    text = SPLIT + "a,0,1,dive,train\na,0.5,1,feed,train\nb,0,1,feed,valid\n"
    assert load_text(videos, text, task="multilabel").classes == ["dive", "feed"]
    text = SPLIT + "a,0,1,dive,train\na,0.5,1,feed,train\nb,0,1,call,valid\nb,0.5,1,feed,valid\n"
    (problem,) = problems_of(videos, text, task="multilabel")
    assert "class 'call' is in valid but not in train" in problem


def test_drawn_splits_have_each_class_in_train(videos: Path) -> None:
    text = RANGES + "a,0,1,dive\na,0.5,1,feed\nb,0,1,dive\nc,0,1,dive\n"
    for seed in range(5):
        dataset = load_text(videos, text, task="multilabel", seed=seed)
        train = dataset.shown().query("split == 'train'")
        assert {"dive", "feed"} == set(train["label"])
