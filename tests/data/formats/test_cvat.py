"""CVAT: tracks, tags and images of tasks, jobs and projects."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from tests.data.formats.reading import format_of, notes, refused, rows, taken

TASK = "<task><id>7</id><name>my task</name><size>100</size><source>a b.mp4</source></task>"


def box(frame: int, outside: int = 0, keyframe: int = 1) -> str:
    place = 'xtl="1" ytl="1" xbr="2" ybr="2"'
    return f'<box frame="{frame}" outside="{outside}" occluded="0" keyframe="{keyframe}" {place}/>'


def track(label: str, *shapes: str, number: int = 0, more: str = "") -> str:
    return f'<track id="{number}" label="{label}" source="manual" {more}>{"".join(shapes)}</track>'


def document(*parts: str, meta: str = TASK) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>'
        f"<meta>{meta}<dumped>2024</dumped></meta>{''.join(parts)}</annotations>"
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "annotations.xml"


def frames(found) -> list[tuple[int, str]]:
    return [(int(frame), label) for video, frame, label in rows(found)]


def test_tracks_of_which_each_frame_is_listed(path: Path) -> None:
    shapes = [box(3), box(4, keyframe=0), box(5), box(6, outside=1)]
    found = taken(path, document(track("fox", *shapes)))
    assert rows(found) == [
        ("a b.mp4", "3", "fox"),
        ("a b.mp4", "4", "fox"),
        ("a b.mp4", "5", "fox"),
    ]
    assert format_of(path) == "cvat"


def test_tracks_of_key_frames_hold_until_the_next_one(path: Path) -> None:
    shapes = [box(20), box(10), box(13, outside=1), box(22, outside=1)]
    found = taken(path, document(track("fox", *shapes)))
    assert frames(found) == [(n, "fox") for n in (10, 11, 12, 20, 21)]


def test_a_track_of_key_frames_that_does_not_end_holds_to_the_tasks_end(path: Path) -> None:
    found = taken(path, document(track("fox", box(90), box(95))))
    assert frames(found) == [(n, "fox") for n in range(90, 100)]
    job = "<job><id>7</id><size>10</size><start_frame>50</start_frame><stop_frame>59</stop_frame></job>"
    found = taken(path, document(track("fox", box(52), box(57)), meta=job))
    assert frames(found) == [(n, "fox") for n in range(52, 60)]


def test_listed_frames_without_an_end_are_taken_as_they_are(path: Path) -> None:
    assert frames(taken(path, document(track("fox", box(3), box(4))))) == [(3, "fox"), (4, "fox")]
    assert frames(taken(path, document(track("fox", box(3))))) == [(3, "fox")]


def test_two_tracks_of_a_class_label_a_frame_once_and_two_classes_twice(path: Path) -> None:
    text = document(
        track("fox", box(3), box(4, 1)),
        track("fox", box(3), box(4, 1)),
        track("deer", box(3), box(4, 1)),
    )
    found = taken(path, text)
    assert frames(found) == [(3, "fox"), (3, "deer")]
    assert "1 are there more than once" in notes(found)


def test_tags_and_other_shapes(path: Path) -> None:
    skeleton = (
        '<skeleton frame="8" outside="0" keyframe="1"><points frame="8" outside="0"/></skeleton>'
    )
    text = document('<tag label="blank" frame="2" source="manual"/>', track("fox", skeleton))
    assert sorted(frames(taken(path, text))) == [(2, "blank"), (8, "fox")]


def test_attributes_are_left_out_and_named(path: Path) -> None:
    shape = box(3).replace("/>", '><attribute name="sex">male</attribute></box>')
    assert "left out: attribute 'sex' 1" in notes(taken(path, document(track("fox", shape))))


def test_projects_have_several_videos(path: Path) -> None:
    tasks = TASK + TASK.replace("7", "8").replace("a b", "c")
    meta = f"<project><id>1</id><name>p</name><tasks>{tasks}</tasks></project>"
    text = document(
        track("fox", box(3), more='task_id="8"'),
        track("fox", box(4), more='task_id="7"'),
        meta=meta,
    )
    assert rows(taken(path, text)) == [("c.mp4", "3", "fox"), ("a b.mp4", "4", "fox")]


def test_images_of_videos_and_of_folders(path: Path) -> None:
    shape = '<box label="fox" occluded="0" xtl="1" ytl="1" xbr="2" ybr="2" z_order="0"/>'
    text = document(
        f'<image id="0" name="frame_000007" width="9" height="9">{shape}</image>',
        f'<image id="1" name="video_1/video_1_00001.jpg" width="9" height="9">{shape}</image>',
        '<image id="2" name="frame_000009" width="9" height="9"/>',
        f'<image id="4" name="video_2/frame_000003.PNG" width="9" height="9">{shape}</image>',
        '<image id="3" name="frame_000010.png" width="9" height="9"><tag label="blank"/></image>',
    )
    assert rows(taken(path, text)) == [
        ("a b.mp4", "7", "fox"),
        ("video_1", "video_1_00001.jpg", "fox"),
        ("video_2", "3", "fox"),
        ("a b.mp4", "10", "blank"),
    ]


def test_the_archive_that_cvat_exports(tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("annotations.xml", document(track("fox", box(3))))
        archive.writestr("images/frame_000003.png", b"x")
    assert rows(taken(tmp_path / "task.zip", content.getvalue())) == [("a b.mp4", "3", "fox")]


def test_mistakes_are_told_with_the_track(path: Path) -> None:
    text = document(
        track("fox", box(3).replace('"3"', '"-3"', 1), number=4),
        track("", box(3), number=5),
        track("fox", box(0), box(2_000_000, outside=1), number=6),
        '<tag frame="3"/>',
    )
    told = "\n".join(taken(path, text).problems)
    assert "element track 4: box: '-3' is no frame number" in told
    assert "element track 5: has no label" in told
    assert "element track 6: goes over 2,000,000 frames, more than any video has" in told
    assert "element tag '': has no label" in told


def test_another_xml_file(path: Path) -> None:
    told = refused(path, '<?xml version="1.0"?><html/>')
    assert "is no file of a program that is known; these are: BORIS project" in told
