"""What a search was trained on is part of it: models are evaluated on that, and changes are said."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest

from tests.conftest import draw

pytestmark = pytest.mark.shared_cache


def test_splits_that_would_be_drawn_anew_stay_those_of_the_search(project):
    lines = project.labels.read_text().splitlines()
    project.labels.write_text("\n".join(line.rpartition(",")[0] for line in lines) + "\n")
    named = ("--search", "drawn", "--model", "0")
    said = project.search("--set", "name=drawn", "--set", "data.splits.seed=3")
    assert "splits were drawn by video" in said
    project.best(*named)
    before, folder = project.splits("drawn/models/0"), project.folder / "runs/drawn"
    listed = (folder / "splits.csv").read_text()
    for name in ("v9", "v8", "v7"):  # among them others would be drawn
        project.add(name)
    said = project.best(*named)
    assert "3 videos new (v7, v8, v9)" in said and "--current-labels" in said
    assert project.splits("drawn/models/0") == before
    assert (folder / "splits.csv").read_text() == listed
    assert not (folder / "splits_before.csv").exists()


def test_videos_that_a_model_was_trained_on_are_never_tested_on(project):
    project.change(",train", ",test", video="a1")
    project.change(",test", ",train", video="c1")
    project.add("new", "valid")
    said = project.best("--current-labels")
    assert "not tested on, as the models were trained on them: 1 videos (a1 in train)" in said
    assert "not in those of now: 2 videos (c1 in test, new in test)" in said
    assert project.splits() == {
        "a1": "train",
        "a2": "train",
        "b1": "valid",
        "c1": "test",
        "new": "test",
    }
    assert project.results()["data_total_rows_test"] == 48


def test_a_copy_under_another_name_is_what_the_model_was_trained_on(project):
    videos = project.labels.parent
    shutil.copy(videos / "a1.mp4", videos / "z.mp4")
    rows = [row for row in project.labels.read_text().splitlines() if row.startswith("a1,")]
    copied = [row.replace("a1,", "z,").replace("train", "test") for row in rows]
    with project.labels.open("a") as file:
        file.write("\n".join(copied) + "\n")
    assert "(z in train)" in project.best("--current-labels")
    assert project.results()["data_total_rows_test"] == 24


def test_mended_labels_of_test_videos_count_and_are_said(project):
    said = project.best()
    assert "were mended" not in said and "has changed" not in said
    project.change(",seal,test", ",noseal,test")
    said = project.best()
    assert "labels of 1 test videos were mended since the models were trained (c1)" in said
    assert "has changed" not in said
    table = project.predictions()
    assert set(table.loc[table["video"] == "c1", "label"]) == {"noseal"}
    assert len(table) == 4 * 24 and table["label"].notna().all()


def test_other_labels_of_training_videos_are_said_and_count_only_if_asked_for(project):
    project.change(",seal,train", ",noseal,train", video="a1")
    said = project.best()
    assert "1 video with other labels (a1)" in said and "labels.csv" in said
    assert "seal" in set(project.predictions().set_index("video").loc["a1", "label"])
    project.best("--current-labels")
    assert set(project.predictions().set_index("video").loc["a1", "label"]) == {"noseal"}


def test_a_class_that_was_added_later_is_said_and_counts_for_no_other(project):
    project.best()
    before = project.results()
    project.change(",seal,", ",a_walrus,", video="a1")
    project.change(",seal,", ",a_walrus,", video="c1")
    said = project.best()
    assert "classes were noseal, seal, are a_walrus, noseal, seal" in said
    after = project.results()
    assert after["class_names"] == ["noseal", "seal"]
    assert after["fit_test_acc"] == before["fit_test_acc"]
    said = project.best("--current-labels")
    assert "do not know these classes: a_walrus: 24 labelled frames" in said
    table = project.predictions()
    assert len(table) == 4 * 24 and table["label"].isna().sum() == 24
    assert set(table["label"].dropna()) == {"noseal", "seal"}


def test_labels_that_are_gone_are_not_needed_to_evaluate(own_project):
    own_project.labels.unlink()
    said = own_project.best()
    assert "the labels as they are now can't be used" in said and "test accuracy" in said
    assert len(own_project.predictions()) == 4 * 24
    assert "labels.csv" in own_project.best("--current-labels", status=2)


def test_a_video_that_is_another_one_now_is_left_out_by_name(project):
    draw(project.labels.parent / "c1.mp4", 77)
    said = project.best()
    assert "left out: c1: it is another file than the one that models were trained on" in said
    assert project.results()["data_total_rows_test"] == 0


def test_videos_that_are_gone_are_told_with_what_to_do(project):
    for video in ("b1.mov", "a1.mp4"):
        (project.labels.parent / video).unlink()
    said = project.best(status=2)
    assert "b1 (it is no longer there)" in said and "--set data.videos=FOLDER" in said


def test_a_damaged_table_is_refused_and_said_what_to_do(project):
    (project.folder / "runs/small/labels.csv").write_text("video,label\n")
    said = project.best(status=2)
    assert "labels.csv" in said and "--current-labels" in said
    said = project.best("--current-labels")
    assert "can't be read" in said and "test accuracy" in said


def test_a_search_of_an_earlier_version_keeps_the_splits_that_it_noted(project):
    (project.folder / "runs/small/labels.csv").unlink()  # as earlier versions wrote none
    project.change(",train", ",test", video="a1")
    said = project.best()
    assert "(a1 in train)" in said
    assert project.splits()["a1"] == "train"


@pytest.mark.long
def test_each_single_training_has_a_table_of_its_own(project):
    words = ("train", "small.yaml", "--set", "model.architecture=image_mlp_frozen")
    project.run(*words)
    project.change(",train", ",valid", video="a2")
    project.run(*words)
    tables = [project.folder / f"runs/small-train/models/{n}/labels.csv" for n in (0, 1)]
    splits = [pd.read_csv(table).groupby("video")["split"].first()["a2"] for table in tables]
    assert splits == ["train", "valid"]
    said = project.best("--search", "small-train", "--model", "0")
    assert "1 video in another split (a2)" in said
    assert project.results("small-train/models/0")["data_total_rows_train"] == 48
    project.best("--search", "small-train", "--model", "1")
    assert project.results("small-train/models/1")["data_total_rows_train"] == 24


def test_current_labels_are_for_figures(project):
    said = project.best("--current-labels", "--videos", project.labels.parent, status=2)
    assert "--current-labels is for figures" in said
