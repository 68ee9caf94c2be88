"""Unlabelled time, short events and frames about boundaries: as functions, and in whole data sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.labels.gaps import Gaps, near_boundaries, short_events
from data.labels.table import expand, read_labels
from data.videos.video import Video
from tests.data.labels.reading import load_text, problems_of, video_of

RANGES = "video,time_start,time_end,label\n"


def expanded(
    path: Path, text: str, gaps: Gaps, *videos: Video
) -> tuple[pd.DataFrame, list[str], list[str]]:
    path.write_text(text)
    file = read_labels(path)
    table, problems, warnings = expand(file, {v.name: v for v in videos or [video_of()]}, gaps=gaps)
    return table, file.problems + problems, warnings


def labels_of(table: pd.DataFrame, video: str = "v", frames: int = 10) -> str:
    """The first letter of each frame's label; a dot where it has none."""
    rows = table[table["video"] == video]
    letters = dict(zip(rows["frame"], rows["label"], strict=True))
    return "".join(letters.get(frame, ".")[0] for frame in range(frames))


# Background


def test_unlabelled_frames_of_labelled_videos_become_the_background(labels: Path) -> None:
    text = RANGES + "v,0.2,0.4,seal\nv,0.6,0.7,fish\n"
    both = video_of(), video_of("w")
    table, problems, _ = expanded(labels, text, Gaps(background="none"), *both)
    assert (labels_of(table), problems) == ("nnssnnfnnn", [])
    assert set(table["video"]) == {"v"}, "a video without labels has no background"
    assert table["time"].tolist() == pytest.approx(np.arange(10) / 10)
    assert [list(table[name].cat.categories) for name in ("video", "label")] == [
        ["v"],
        ["fish", "none", "seal"],
    ]
    assert labels_of(expanded(labels, text, Gaps(), *both)[0]) == "..ss..f..."


def test_a_background_that_is_labelled_too_is_one_class(labels: Path) -> None:
    text = RANGES + "v,0.2,0.4,seal\nv,0.6,0.7,none\n"
    table, _, _ = expanded(labels, text, Gaps(background="none"))
    assert labels_of(table) == "nnssnnnnnn"


def test_the_background_goes_with_frame_labels_and_keeps_each_videos_split(labels: Path) -> None:
    text = "video,frame,label,split\nw,1,seal,valid\nv,3,seal,train\n"
    videos = video_of(frames=5), video_of("w", frames=3)
    table, _, _ = expanded(labels, text, Gaps(background="none"), *videos)
    assert labels_of(table, "v", 5) == "nnnsn" and labels_of(table, "w", 3) == "nsn"
    splits = table.groupby("video", observed=True)["split"].unique().map(list).to_dict()
    assert splits == {"v": ["train"], "w": ["valid"]}


def test_a_video_that_does_not_open_has_no_background(labels: Path) -> None:
    text = "video,time_start,time_end,label,split\nv,0,0.2,seal,train\nw,0,0.2,seal,valid\n"
    table, problems, _ = expanded(labels, text, Gaps(background="none"), video_of())
    assert (set(table["video"]), len(table), problems) == ({"v"}, 10, [])


# Short events


def test_short_events_are_left_out_and_are_never_background(labels: Path) -> None:
    text = RANGES + "v,0,0.3,seal\nv,0.4,0.5,fish\nv,0.6,0.8,fish\n"
    gaps = Gaps(background="none", shortest=0.2)
    table, problems, warnings = expanded(labels, text, gaps)
    assert (labels_of(table), problems) == ("sssn.nffnn", [])
    (said,) = warnings
    for words in ("1 ranges", "shorter than 0.2 seconds", "data.shortest_event", "fish 1"):
        assert words in said


def test_a_short_event_needs_no_frame(labels: Path) -> None:
    text = RANGES + "v,0.31,0.34,fish\nv,0.5,0.9,seal\n"
    table, problems, _ = expanded(labels, text, Gaps(shortest=0.2))
    assert (labels_of(table), problems) == (".....ssss.", [])


def test_ranges_of_one_class_that_touch_are_one_event(labels: Path) -> None:
    text = RANGES + "v,0.1,0.2,a\nv,0.2,0.3,a\nv,0.3,0.4,b\nv,0.5,0.6,a\n"
    assert labels_of(expanded(labels, text, Gaps(shortest=0.2))[0]) == ".aa......."


def test_a_video_whose_events_are_all_short_is_background_or_left_out(labels: Path) -> None:
    text = RANGES + "v,0,0.5,a\nw,0.4,0.5,b\n"
    videos = video_of(), video_of("w")
    table, _, _ = expanded(labels, text, Gaps("none", shortest=0.2), *videos)
    assert labels_of(table, "w") == "nnnn.nnnnn"
    table, _, _ = expanded(labels, text, Gaps(shortest=0.2), *videos)
    assert set(table["video"]) == {"v"}


@pytest.mark.parametrize("seed", range(20))
def test_short_ranges_are_those_of_short_stretches(seed: int) -> None:
    """Against a second way: all hundredths of a second, painted by class and video."""
    draw = np.random.default_rng(seed)
    count, ticks = 12, 60
    start = draw.integers(0, ticks - 12, count)
    rows = pd.DataFrame(
        {
            "video": draw.choice(["v", "w"], count),
            "label": draw.choice(["a", "b"], count),
            "time_start": start / 100,
            "time_end": (start + draw.integers(1, 12, count)) / 100,
        }
    )
    short, limit = short_events(rows, 0.08), 8
    painted = {key: np.zeros(ticks + 2, bool) for key in set(zip(rows.video, rows.label))}  # noqa: B905
    for row in rows.itertuples():
        painted[row.video, row.label][round(row.time_start * 100) : round(row.time_end * 100)] = (
            True
        )
    for row, told in zip(rows.itertuples(), short, strict=True):
        of, first = painted[row.video, row.label], round(row.time_start * 100)
        begin = first - int(np.argmin(of[first::-1])) + 1 if not of[: first + 1].all() else 0
        length = int(np.argmin(of[begin:]))
        assert told == (length < limit), (row, begin, length)


# Margins


def test_frames_about_a_boundary_are_near_and_stay_in_the_table(labels: Path) -> None:
    text = RANGES + "v,0,0.5,a\nv,0.5,1.0,b\n"
    table, _, warnings = expanded(labels, text, Gaps(margin=0.2))
    assert labels_of(table) == "aaaaabbbbb"
    assert np.flatnonzero(table["near"]).tolist() == [3, 4, 5, 6]
    (said,) = warnings
    for words in ("4 of 10 labelled frames", "0.2 seconds", "data.margin", "not trained on"):
        assert words in said


def test_the_edge_of_the_background_is_a_boundary_and_that_of_unlabelled_time_is_none(
    labels: Path,
) -> None:
    text = RANGES + "v,0.4,0.6,a\n"
    table, _, _ = expanded(labels, text, Gaps("none", margin=0.1))
    assert np.flatnonzero(table["near"]).tolist() == [3, 4, 5, 6]
    table, _, _ = expanded(labels, text, Gaps(margin=0.1))
    assert not table["near"].any()


def test_without_a_margin_the_table_has_no_such_column(labels: Path) -> None:
    table, _, _ = expanded(labels, RANGES + "v,0,0.5,a\n", Gaps())
    assert list(table.columns) == ["video", "frame", "time", "label"]


@pytest.mark.parametrize("seed", range(20))
def test_frames_are_near_where_another_label_is_within_the_margin(seed: int) -> None:
    """Against a second way: each frame with each other one."""
    draw = np.random.default_rng(seed)
    frames = np.sort(draw.choice(60, 40, replace=False))
    table = pd.DataFrame(
        {
            "video": np.sort(draw.choice(["v", "w"], 40)),
            "time": frames / 10,
            "end": (frames + 1) / 10,
            "label": np.repeat(draw.choice(["a", "b", "c"], 8), 5),
        }
    )
    margin = 0.31
    rows = list(table.itertuples())
    expected = [
        any(
            one.video == other.video
            and one.label != other.label
            and -margin < (other.time - one.time if other.time > one.time else other.end - one.time)
            and (other.time - one.time if other.time > one.time else one.time - other.end) <= margin
            for other in rows
        )
        for one in rows
    ]
    assert near_boundaries(table, margin).tolist() == expected


# Data sets


def test_what_whole_videos_have_not_is_refused(videos: Path) -> None:
    gaps = Gaps("none", shortest=1, margin=1)
    (problem,) = problems_of(videos, "video,label\na,x\nb,y\nc,x\n", unit="video", gaps=gaps)
    for words in ("data.background", "data.shortest_event", "data.margin", "whole videos"):
        assert words in problem
    text = "video,frame,label\na,0,x\nb,1,y\nc,0,x\n"
    (problem,) = problems_of(videos, text, gaps=Gaps(shortest=1))
    assert "data.shortest_event" in problem and "a frame a row" in problem


def test_a_class_that_is_all_near_a_boundary_in_train_is_refused(videos: Path) -> None:
    text = RANGES[:-1] + ",split\n"
    text += "a,0,0.9,x,train\na,0.9,1.1,y,train\nb,0,1,x,valid\nb,1,2,y,valid\n"
    (problem,) = problems_of(videos, text, gaps=Gaps(margin=0.2))
    for words in ("data.margin", "all 2 frames", "'y'", "smaller"):
        assert words in problem
    assert load_text(videos, text, gaps=Gaps(margin=0.1)).classes == ["x", "y"]


def test_videos_without_an_event_that_is_left_are_no_part_of_the_data(videos: Path) -> None:
    text = RANGES[:-1] + ",split\n"
    text += "a,0,1,x,train\na,1,2,y,train\nb,0,1,x,valid\nc,0,0.1,x,train\n"
    dataset = load_text(videos, text, gaps=Gaps(shortest=0.5))
    assert sorted(dataset.videos) == ["a", "b"]
    assert any("events shorter than 0.5" in warning for warning in dataset.warnings)
