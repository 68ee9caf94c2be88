"""A project's folder is moved or copied, videos are elsewhere: its searches go on as if they weren't."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pytest
import torch
import yaml

from tests.tuner.commands.project import Project

pytestmark = pytest.mark.shared_cache


def look(project: Project) -> None:
    """All commands work from the working folder, and write there."""
    here = Path.cwd()
    said = project.run("best", "--predict")
    assert "test accuracy" in said and str(here / "runs/small/models/0") in said
    assert "the data has changed" not in said
    assert (here / "runs/small/models/0/frame_predictions.csv").is_file()
    said = project.run("search", "small.yaml", "--resume", "--set", "search.trials=2")
    assert "1 of 2 trials to run" in said and f"models: {here}/runs/small/models" in said
    assert (here / "runs/small/models/1/fit_history.csv").is_file()


def test_a_moved_project_goes_on(own_project, monkeypatch):
    there = own_project.folder.with_name("elsewhere")
    own_project.folder.rename(there)
    monkeypatch.chdir(there)
    look(own_project)
    assert not own_project.folder.exists()


@pytest.mark.long
def test_a_copied_project_goes_on_for_itself(project, monkeypatch):
    there = project.folder.with_name("copy") / "deep"
    shutil.copytree(project.folder, there)
    before = sorted(path for path in (project.folder / "runs").rglob("*") if path.is_file())
    monkeypatch.chdir(there)
    look(project)
    assert sorted(path for path in (project.folder / "runs").rglob("*") if path.is_file()) == before


def test_models_that_are_moved_alone_find_the_videos_where_they_were(project, monkeypatch):
    there = project.folder.with_name("results_alone")
    there.mkdir()
    shutil.move(project.folder / "runs", there / "runs")
    monkeypatch.chdir(there)
    said = project.run("best", "--predict")
    assert "test accuracy" in said and str(there / "runs/small/models/0") in said


@pytest.mark.long
def test_a_project_of_an_earlier_version_that_is_moved_is_found(own_project, monkeypatch):
    with sqlite3.connect(own_project.folder / "runs/results.db") as database:
        database.execute("DELETE FROM study_user_attributes WHERE key IN ('place', 'data')")
    (own_project.folder / "runs/small/labels.csv").unlink()
    there = own_project.folder.with_name("elsewhere")
    own_project.folder.rename(there)
    monkeypatch.chdir(there)
    assert "test accuracy" in own_project.run("best", "--predict")
    said = own_project.run("search", "small.yaml", "--resume", "--set", "search.trials=2")
    assert "1 of 2 trials to run" in said


def test_videos_at_another_place_are_the_same_data(own_project):
    there = own_project.folder.with_name("mount")
    shutil.copytree(own_project.folder / "videos", there)
    for path in there.iterdir():
        os.utime(path, (1, 1))
    shutil.rmtree(own_project.folder / "videos")
    assert "data.videos: there is no folder" in own_project.run("best", "--predict", status=2)
    places = ("--set", f"data.videos={there}", "--set", f"data.labels={there / 'labels.csv'}")
    said = own_project.run("best", "--predict", *places)
    assert "test accuracy" in said and "the data has changed" not in said
    said = own_project.run("search", "small.yaml", "--resume", "--set", "search.trials=2", *places)
    assert "1 of 2 trials to run" in said
    assert "test accuracy" in own_project.run("best", "--predict")  # they are where they were last


def test_other_videos_at_another_place_are_refused_and_not_noted(project):
    there = project.folder.with_name("mount")
    shutil.copytree(project.folder / "videos", there)
    with (there / "a1.mp4").open("ab") as video:
        video.write(b"\0" * 8)
    words = ("search", "small.yaml", "--resume", "--set", f"data.videos={there}")
    assert "1 video with another content (a1)" in project.run(*words, status=2)
    said = project.run("best", "--predict")
    assert "test accuracy" in said and "the data has changed" not in said


def test_only_places_of_a_trained_model_can_be_set(project):
    said = project.run("best", "--predict", "--set", "data.fps=2", status=2)
    assert "only places can be set: data.videos" in said


@pytest.mark.long
def test_a_file_of_weights_is_found_where_the_project_is_now(project, monkeypatch):
    import timm

    network = timm.create_model("mobilenetv2_050", pretrained=False)
    torch.save(network.state_dict(), project.folder / "weights.pth")
    tree = yaml.safe_load((project.folder / "small.yaml").read_text())
    tree["name"] = "weights"
    tree["model"] |= {
        "pretrained_model_name": "mobilenetv2_050",
        "model_weights_path": "weights.pth",
    }
    (project.folder / "small.yaml").write_text(yaml.safe_dump(tree))
    project.run("search", "small.yaml")
    there = project.folder.with_name("elsewhere")
    project.folder.rename(there)
    monkeypatch.chdir(there)
    monkeypatch.setenv("TUNER_CACHE", str(there / "cache"))
    assert "test accuracy" in project.run("best", "--predict", "--search", "weights")


@pytest.mark.long
@pytest.mark.parametrize("name", ["runs_läufe {0}?x", "runs%C3%A4 100%"])
def test_the_printed_next_command_finds_the_results(project, name, monkeypatch):
    import shlex

    words = ("--set", f"storage={name}", "--set", "name=other")
    status, out, err = project.command("search", "small.yaml", *words)
    assert status == 0, out + err
    (line,) = [line for line in out.splitlines() if line.startswith("next:")]
    _, python, _, module, *rest = shlex.split(line)
    assert (python, module) == ("python", "tuner.best")
    assert (project.folder / name / "results.db").is_file()
    assert "test accuracy" in project.run("best", *rest)


def test_single_trainings_by_another_metric_are_not_ranked_with_the_first(project):
    train = ("train", "small.yaml", "--set", "model.architecture=image_mlp_frozen")
    loss = ("--set", "search.metric=valid_loss")
    project.run(*train)
    missing = ("--set", "data.videos=nowhere")  # as no video is looked at before
    said = project.run(*train, *loss, *missing, status=2)
    assert "selected by valid_f1" in said and "--set name=ANOTHER" in said
    by_loss = (*train, *loss, "--set", "name=loss")
    project.run(*by_loss, "--set", "training.learning_rate=1e-7")
    project.run(*by_loss, "--set", "training.learning_rate=1e-2")
    said = project.run("best", "--search", "loss-train")
    assert "model 1 (finished): valid_loss" in said


def test_a_search_that_came_to_no_trial_may_begin_again_by_another_metric(project):
    from tuner.config.load import Config
    from tuner.study.store.results import ResultsStore

    overrides = {"name": "new", "search.metric": "valid_f1"}
    ResultsStore.create(Config.load("small.yaml", overrides), resume=False)
    config = Config.load("small.yaml", overrides | {"search.metric": "valid_loss"})
    store = ResultsStore.create(config, resume=True)
    assert store.objective.direction == "minimize" and store.study.direction.name == "MINIMIZE"


@pytest.fixture
def odd_folder(project, monkeypatch) -> Path:
    """A project in a folder whose name is in the encoding of older Windows."""
    odd = project.folder.with_name(os.fsdecode(b"for\xeat"))
    project.folder.rename(odd)
    monkeypatch.chdir(odd)
    return odd


def test_a_model_in_a_folder_whose_name_is_no_utf_8_is_evaluated(project, odd_folder):
    assert "test accuracy" in project.run("best", "--predict")
    assert (odd_folder / "runs/small/models/0/frame_predictions.csv").is_file()


def test_models_in_a_folder_whose_name_is_no_utf_8_are_refused_in_words(project, odd_folder):
    for words in (("search", "small.yaml", "--dry-run"), ("train", "small.yaml")):
        said = project.run(*words, status=2)
        assert "storage: the path" in said and "UTF-8" in said
    from tuner.config.messages import UserError
    from tuner.runtime.session import RaySession

    with pytest.raises(UserError, match="the name of the working folder is not UTF-8"):
        RaySession()
