"""``python -m data check``: labels and splits, compared with what decodes."""

from __future__ import annotations

import shutil
from pathlib import Path


def found(out: str) -> str:
    """What is said, in one line, whatever the width of the terminal."""
    return " ".join(out.split())


def test_labels_without_videos_and_videos_without_labels(tool, labelled):
    status, out, _ = tool(*labelled("a,x", "b,y", "d,y"))
    assert status == 1
    assert "labels without a video: video 'd' is not among the 3 videos" in found(out)
    assert "1 of 3 videos have no labels: south/c.mp4" in found(out)


def test_names_with_another_ending_are_said(tool, labelled):
    _, out, _ = tool(*labelled("a.avi,x", "b.MTS,y", "c,y"))
    assert "2 names of videos have another ending than their files" in found(out)
    assert "labels without a video" not in out


def test_labels_beyond_the_end_and_frames_without_labels(tool, labelled):
    rows = [f"a,{frame},x" for frame in range(15)] + ["a,25,y", "b,0,y"]
    status, out, _ = tool(*labelled(*rows, header="video,frame,label"))
    assert status == 1
    assert "labels without frames" in out and "frame 25 is beyond video 'a'" in found(out)
    assert "24 of 40 frames of labelled videos have no label (b 19 of 20, a 5 of 20)" in found(out)


def test_labels_of_a_video_that_does_not_decode(tool, labelled, tmp_path: Path):
    words = labelled("a,x", "b,y", "c,y")
    (tmp_path / "v" / "south" / "c.mp4").write_text("no video")
    _, out, _ = tool(*words)
    assert (
        "labels without frames: video 'c' has labels, and is left out: it can't be opened"
        in found(out)
    )


def test_all_that_is_wrong_with_a_label_file(tool, labelled):
    rows = ("a,0,0:00:01,x", "b,1,0.5,y", "c,later,2,y")
    status, out, _ = tool(*labelled(*rows, header="video,time_start,time_end,label"))
    assert status == 1
    assert "row 3: ends at 0.5, not after its start" in found(out)
    assert "row 4: time_start 'later' is not a time" in found(out)


def test_many_findings_of_a_kind_are_told_in_the_page(tool, labelled, tmp_path: Path):
    rows = [f"{name},{number},0.5,x" for name in "abc" for number in (1, 2, 3, 4)]
    _, out, _ = tool(*labelled(*rows, header="video,time_start,time_end,label"))
    assert out.count("not after its start") == 1
    assert "11 more like this" in found(out)
    page = (tmp_path / "out" / "check.html").read_text()
    assert page.count("not after its start") == 1


def test_what_a_search_reads_otherwise_than_it_is_written_is_told(tool, labelled):
    status, out, _ = tool(*labelled("a,Seal", "b,seal", "c,seal"))
    assert status == 0 and "look labels: " in found(out)
    assert "classes that differ in case or blanks alone are one: 'Seal' (1 rows) is taken" in out


def test_a_label_file_that_is_none(tool, labelled):
    status, out, _ = tool(*labelled("1,2", header="foo,bar"))
    assert status == 1 and "labels: " in out and "no column says 'video'" in found(out)


def test_a_site_in_two_splits(tool, labelled):
    rows = ("a,x,train,north", "b,y,valid,north", "c,y,train,south")
    status, out, _ = tool(*labelled(*rows, header="video,label,split,site"))
    assert status == 1
    assert "splits leak: videos of one site are in several splits: north (train, valid)" in found(
        out
    )


def test_a_folder_in_two_splits_is_told_where_no_site_is(tool, labelled):
    rows = ("a,x,train", "b,y,valid", "c,y,train")
    _, out, _ = tool(*labelled(*rows, header="video,label,split"))
    assert "look splits leak: videos of one folder are in several splits: north" in found(out)


def test_splits_of_a_configuration(tool, labelled):
    yaml = "splits: {by: site, valid: [b], test: [c]}"
    rows = ("a,x,north", "b,y,north", "c,y,south")
    status, out, _ = tool(*labelled(*rows, header="video,label,site", yaml=yaml))
    assert status == 1 and "keeps the videos of a site together" in found(out)


def test_copies_in_two_splits(tool, labelled, tmp_path: Path):
    rows = ("a,x,train", "b,y,train", "c,y,valid")
    words = labelled(*rows, header="video,label,split")
    shutil.copy(tmp_path / "v" / "north" / "a.mp4", tmp_path / "v" / "south" / "c.mp4")
    status, out, _ = tool(*words)
    assert status == 1
    assert "duplicates: copies of one file, and in train and valid: north/a.mp4" in found(out)


def test_the_rate_of_images_that_do_not_say_theirs_is_that_of_the_configuration(
    tool, tmp_path: Path, make_video
):
    for place, name in enumerate("ab"):
        make_video(tmp_path / f"{name}.mp4", numbers=[*range(place * 30, place * 30 + 20)])
        tool("extract", tmp_path / f"{name}.mp4", "--out", tmp_path / "v")
        (tmp_path / "v" / name / "fps.txt").unlink()
    rows = ("a,0,4,x", "b,0,4,y")
    (tmp_path / "labels.csv").write_text(
        "\n".join(["video,time_start,time_end,label", *rows]) + "\n"
    )
    (tmp_path / "c.yaml").write_text(
        f"data: {{videos: {tmp_path / 'v'}, labels: {tmp_path / 'labels.csv'}, fps: 5}}\n"
    )
    status, out, _ = tool("check", tmp_path / "c.yaml", "--out", tmp_path / "out")
    assert status == 0 and "checked 2 videos: 0 wrong, 0 to look at" in out
