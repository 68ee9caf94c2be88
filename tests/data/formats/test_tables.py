"""DeepEthogram, Zamba, class folders, and folders of label files."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.errors import DataError
from data.formats.table import opened
from tests.data.formats.reading import format_of, notes, rows, taken, taken_of


def test_deepethogram(tmp_path: Path) -> None:
    path = tmp_path / "mouse 1_labels.csv"
    text = ",background,walk,groom\n0,1,0,0\n1,0,1,0\n2,0,1,1\n3,-1,-1,-1\n4,0,0,0\n"
    found = taken(path, text)
    assert rows(found) == [
        ("mouse 1", "0", "background"),
        ("mouse 1", "1", "walk"),
        ("mouse 1", "2", "walk"),
        ("mouse 1", "2", "groom"),
    ]
    assert format_of(path) == "deepethogram"
    assert "1 frames are -1: not labelled" in notes(found)
    assert "1 frames have no class, not even background" in notes(found)


def test_one_hot_tables_of_several_videos(tmp_path: Path) -> None:
    text = "video;frame;fox;deer\na;0;1;0\nb;7;0;1.0\n"
    assert rows(taken(tmp_path / "x.csv", text)) == [("a", "0", "fox"), ("b", "7", "deer")]


@pytest.mark.parametrize(
    "text",
    [
        "video,frame,label\na,0,1\na,1,0\n",
        "video,frame,label,split\na,0,1,train\n",
        "frame,speed\n0,1\n1,2.5\n",
        "video,time_start,time_end,label\na,0,1,1\n",
        "video,label\na,0\n",
    ],
)
def test_tables_of_our_own_are_not_one_hot(tmp_path: Path, text: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    assert opened(path, "data.labels").taken is None


def test_what_is_wrong_in_one_hot_tables(tmp_path: Path) -> None:
    text = ",background,walk\n0,1,0\nx,1,0\n2,yes,0\n3,2,0\n4,1\n"
    found = taken(tmp_path / "v_labels.csv", text)
    first, second, third = found.problems
    assert "row 3: 'x' is no frame number" in first
    assert "rows 4, 5: column 'background' is not 0, 1 or -1" in second
    assert "row 6: column 'walk'" in third


def test_zamba(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    text = (
        "filepath,label,site,split,notes\na/b.MP4,fox,n1,train,x\n"
        "c.avi,blank,n2,holdout,\nd.avi,fox,n2,val,\n"
    )
    found = taken(path, text)
    assert list(found.table) == ["video", "label", "split", "site"]
    assert rows(found) == [
        ("a/b.MP4", "fox", "train", "n1"),
        ("c.avi", "blank", "test", "n2"),
        ("d.avi", "fox", "valid", "n2"),
    ]
    assert format_of(path) == "zamba" and "left out: columns notes" in notes(found)


def test_zamba_with_empty_cells(tmp_path: Path) -> None:
    found = taken(tmp_path / "labels.csv", "filepath,label,site\na,fox,n\nb,,n\n,fox,n\nc,fox\n")
    assert [problem.split(", ", 1)[1] for problem in found.problems] == [
        "row 3: has no label; fill it in, or delete the row",
        "row 4: has no filepath; fill it in, or delete the row",
        "row 5: has no site; fill it in, or delete the row",
    ]


@pytest.mark.parametrize(
    "content",
    [
        "filepath;label\r\nGehölz.mp4;Möwe\r\n".encode("cp1252"),
        "\ufefffilepath\tlabel\nGehölz.mp4\tMöwe\n".encode(),
        "filepath,label\nGehölz.mp4,  Möwe \n".encode("utf-16"),
        "sep=;\nfilepath;label\nGehölz.mp4;Möwe\n".encode(),
    ],
    ids=["older Windows", "byte order mark", "UTF-16", "separator told"],
)
def test_encodings_and_separators(tmp_path: Path, content: bytes) -> None:
    assert rows(taken(tmp_path / "labels.csv", content)) == [("Gehölz.mp4", "Möwe")]


def test_a_table_whose_columns_a_user_names_is_no_other_programs(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("filepath,label,Species\na.mp4,1,fox\n")
    assert opened(path, "data.labels").taken is not None
    assert opened(path, "data.labels", {"label": "Species"}).taken is None


# Folders


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def test_folders_named_after_classes(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "fox/a.mp4",
        "fox/night/b.AVI",
        "Möwe ü/c.mov",
        "d.mp4",
        "fox/.e.mp4",
        "fox/notes.txt",
    )
    found = taken_of(tmp_path)
    assert sorted(rows(found)) == [
        ("Möwe ü/c.mov", "Möwe ü"),
        ("fox/a.mp4", "fox"),
        ("fox/night/b.AVI", "fox"),
    ]
    assert "in no class's folder: this folder itself 1" in notes(found)
    assert "play no part: fox/night" in notes(found)


def test_folders_of_splits_with_folders_of_classes(tmp_path: Path) -> None:
    touch(tmp_path, "train/fox/a.mp4", "val/fox/b.mp4", "test/deer/c.mp4")
    found = taken_of(tmp_path)
    assert sorted(rows(found)) == [
        ("test/deer/c.mp4", "deer", "test"),
        ("train/fox/a.mp4", "fox", "train"),
        ("val/fox/b.mp4", "fox", "valid"),
    ]


def test_classes_that_are_called_like_splits(tmp_path: Path) -> None:
    touch(tmp_path, "train/a.mp4", "test/b.mp4")
    assert sorted(rows(taken_of(tmp_path))) == [("test/b.mp4", "test"), ("train/a.mp4", "train")]


def test_a_folder_without_videos_or_labels(tmp_path: Path) -> None:
    touch(tmp_path, "notes.txt")
    with pytest.raises(DataError, match="no videos under"):
        opened(tmp_path, "data.labels")


ONE_HOT = ",background,walk\n0,1,0\n1,0,1\n"


def test_a_project_of_deepethogram_is_read_whole_without_its_predictions(tmp_path: Path) -> None:
    for number in (1, 2):
        folder = touch(tmp_path / f"DATA/v{number}", f"v{number}.mp4")
        (folder / f"v{number}_labels.csv").write_text(ONE_HOT)
        (folder / f"v{number}_predictions.csv").write_text(ONE_HOT.replace("1,0,1", "1,1,1"))
    (tmp_path / "project_config.yaml").write_text("x")
    found = taken_of(tmp_path)
    assert [row[0] for row in rows(found)] == ["v1", "v1", "v2", "v2"]
    assert found.table.index[0] == "DATA/v1/v1_labels.csv 2"
    assert "4 labels of 2 videos in 2 files, 2 classes" in notes(found)


def test_another_workbook_among_videos_plays_no_part(tmp_path: Path) -> None:
    touch(tmp_path, "fox/a.mp4", "costs.xlsx")
    (tmp_path / "costs.xlsx").write_bytes(b"PK\x03\x04")
    (tmp_path / "labels.csv").write_text("video,label\na,deer\n")
    assert rows(taken_of(tmp_path)) == [("fox/a.mp4", "fox")]


def test_what_is_wrong_with_one_of_several_files_is_told_with_it(tmp_path: Path) -> None:
    (tmp_path / "a_labels.csv").write_text(ONE_HOT)
    (tmp_path / "b_labels.csv").write_text(ONE_HOT + "2,3,1\n")
    (problem,) = taken_of(tmp_path).problems
    assert f"{tmp_path / 'b_labels.csv'}, row 4: column 'background'" in problem


def test_label_files_of_several_programs_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "v_labels.csv").write_text(ONE_HOT)
    (tmp_path / "zamba.csv").write_text("filepath,label\na,fox\n")
    with pytest.raises(DataError, match=r"of several programs .*give one of them"):
        opened(tmp_path, "data.labels")
