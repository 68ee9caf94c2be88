"""What a user reads: help, dry runs, single trainings, and mistakes answered without a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
GRID = ROOT / "configs" / "seals_grid.yaml"


@pytest.mark.parametrize("module", ["search", "best", "train", "prepare", "results", "doctor"])
def test_help_has_examples(module, command):
    status, out, _ = command(module, "--help")
    assert status == 0
    assert "examples:" in out and f"python -m tuner.{module}" in out


def test_tuner_alone_lists_the_commands_and_a_first_session():
    done = subprocess.run(
        [sys.executable, "-m", "tuner"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    files = (ROOT / "tuner").glob("*.py")
    commands = [file.stem for file in files if "cli.run(main)" in file.read_text()]
    assert len(commands) >= 5
    for name in commands:
        assert f"  python -m tuner.{name} " in done.stdout
    assert "python -m tuner.search configs/seals.yaml" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


OWN = "raise SystemExit('the own file was imported')"


@pytest.mark.parametrize(
    "own",
    [
        ("data.py", "models.py"),
        ("data/__init__.py", "models/__init__.py"),
        ("data/a.avi", "models/x"),
    ],
)
@pytest.mark.parametrize("line", [["-m", "tuner.best"], ["-m", "tuner", "best"]])
def test_files_of_ones_own_hide_no_package(own, line, tmp_path):
    for name in own:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(OWN)
    done = subprocess.run(
        [sys.executable, *line],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and "there are no results" in done.stderr, done.stderr


def test_own_modules_that_are_imported_already_are_told(tmp_path):
    (tmp_path / "data.py").write_text("")
    done = subprocess.run(
        [sys.executable, "-c", "import data, tuner"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert "import tuner first, or give yours another name" in done.stderr


@pytest.mark.long
def test_a_dry_run_of_the_published_grid_counts_its_models(command, drawn, tmp_path):
    status, out, err = command(
        *("search", GRID, "--dry-run", "--set", f"data.videos={drawn}"),
        *("--set", f"data.labels={drawn / 'labels.csv'}", "--set", f"storage={tmp_path}"),
    )
    assert status == 0, err
    assert "3075 configurations" in out
    assert "96 labelled frames of 4 videos" in out
    for name in ("image_mlp_frozen", "video_mlp_concat", "video_lrcnn_frozen", "vgg16"):
        assert name in out
    assert "CPUs" in out and "nothing was trained" in out
    assert not list(tmp_path.rglob("*.db"))


@pytest.fixture
def sites(drawn, tmp_path):
    """The labels of the drawn videos without their splits, and with sites north (a1, b1) and south."""
    header, *rows = (drawn / "labels.csv").read_text().splitlines()
    names = {"a1": "north", "b1": "north", "a2": "south", "c1": "south"}
    lines = [f"{row.rpartition(',')[0]},{names[row[:2]]}" for row in rows]
    path = tmp_path / "sites.csv"
    path.write_text("\n".join([header.replace("split", "site"), *lines]))
    return path


def test_a_dry_run_shows_videos_and_frames_by_site(command, write_config, drawn, sites):
    path = write_config(data={"videos": str(drawn), "labels": str(sites)})
    status, out, err = command("search", path, "--dry-run")
    assert status == 0, err
    assert out.splitlines()[0].startswith("labels of frames: configs/seals.yaml fits")
    table = [line.split() for line in out.splitlines()[2:5]]
    assert table[0] == ["videos", "sites", "noseal", "seal"]
    assert table[1] == ["train", "2", "1", "24", "(2)", "24", "(2)"]
    assert "drawn by site (data.splits): valid " in out and "test none, as" in out
    assert "fewer than 3 videos in a split: noseal 2 in train" in out
    assert max(map(len, out.splitlines()[:5])) <= 80


def test_many_classes_are_shown_below_each_other(command, write_config, drawn, tmp_path):
    header, *rows = (drawn / "labels.csv").read_text().splitlines()
    lines = [row.replace("noseal", f"animal {index % 8}") for index, row in enumerate(rows)]
    (tmp_path / "many.csv").write_text("\n".join([header, *lines]))
    path = write_config(data={"videos": str(drawn), "labels": str(tmp_path / "many.csv")})
    status, out, err = command("search", path, "--dry-run")
    assert status == 0, err
    table = out.partition(" as frames (videos)\n")[2].splitlines()[:11]
    assert table[0].split() == ["train", "valid", "test"] and max(map(len, table)) <= 80
    assert table[1].split() == ["videos", "2", "1", "1"]
    assert [line[:8] for line in table[2:10]] == [f"animal {index}" for index in range(8)]


def test_splits_are_written_beside_a_search_and_read(command, write_config, drawn, sites, tmp_path):
    path = write_config(data={"videos": str(drawn), "labels": str(sites)})
    given = {"a1": "valid", "b1": "valid", "a2": "train", "c1": "train"}
    (tmp_path / "list.csv").write_text(
        "video,split\n" + "".join(f"{video},{split}\n" for video, split in given.items())
    )
    listed = ("--set", f"data.splits.file={tmp_path / 'list.csv'}")
    model = ("--set", "model.architecture=image_mlp_frozen")
    status, out, err = command("train", path, *listed, *model)
    assert status == 0 and "in another split" not in out, err
    (written,) = (tmp_path / "runs").rglob("splits.csv")
    assert written.read_text().splitlines() == [
        "video,split,group",
        *("a1,valid,north", "a2,train,south", "b1,valid,north", "c1,train,south"),
    ]
    named = ("--set", "data.splits.valid=[south]", "--set", "data.splits.test=[]")
    status, out, _ = command("train", path, *model, *named)
    assert status == 0
    assert "4 videos are in another split than before (" in out and "splits_before.csv" in out
    assert "a1,valid,north" in (written.parent / "splits_before.csv").read_text()
    err = mistake(command, "search", path, *listed, "--set", "data.splits.by=sight")
    assert "data.splits.by: 'sight'" in err and "did you mean 'site'" in err


def mistake(command, *words: object) -> str:
    status, out, err = command(*words)
    assert status == 2
    assert "Traceback" not in out + err
    return err


def test_mistakes_in_the_yaml(command, write_config):
    path = write_config(search={"trails": 3}, space={"architecture": ["c4d"]})
    err = mistake(command, "search", path)
    assert "search.trails: unknown key (did you mean 'trials'?)" in err
    assert "'c4d'" in err and str(path) in err


def test_mistakes_in_the_labels(command, write_config, drawn, tmp_path):
    lines = (drawn / "labels.csv").read_text().splitlines()
    lines += ["a1,500,seal,train", "nowhere,0,seal,train", "b1,0,seal,valid", "b1,1,noseal,tset"]
    labels = tmp_path / "bad.csv"
    labels.write_text("\n".join(lines))
    path = write_config(data={"videos": str(drawn), "labels": str(labels)})
    err = mistake(command, "search", path)
    for words in (
        "frame 500 is beyond video 'a1'",
        "'nowhere'",
        "'tset'",
        "(did you mean 'test'?)",
    ):
        assert words in err


def test_no_videos(command, write_config, tmp_path, drawn):
    empty = tmp_path / "empty"
    empty.mkdir()
    path = write_config(data={"videos": str(empty), "labels": str(drawn / "labels.csv")})
    err = mistake(command, "search", path)
    assert "no videos under" in err and ".avi" in err


def test_weights_that_can_not_be_had(command, write_config, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    path = write_config(
        space={"architecture": ["image_mlp_frozen"], "pretrained_model_name": ["vgg16"]}
    )
    err = mistake(command, "search", path)
    for words in ("vgg16", "model_weights_path", "pretrained: false", "efficientnet_lite0"):
        assert words in err


def test_no_results_yet(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "run a search first" in mistake(command, "best")


def test_an_ensemble_that_is_no_number(command):
    for text in ("all", "0", "2.5"):
        assert "write auto, or a number" in mistake(command, "best", "--ensemble", text)


@pytest.mark.shared_cache
def test_train_makes_one_model_with_all_its_files(command, write_config, tmp_path):
    path = write_config()
    status, out, err = command(
        *("train", path, "--set", "model.architecture=video_mlp_concat"),
        *("--set", "model.sequence_length=4", "--set", "model.layer_1_size=8"),
    )
    assert status == 0, err
    folder = tmp_path / "runs" / "small-train" / "models" / "0"
    results = json.loads((folder / "results.json").read_text())
    assert results["architecture"] == "video_mlp_concat" and results["sequence_length"] == 4
    assert results["model_param_count"] == 4 * 1280 * 8 + 8 + 8 * 2 + 2
    assert "test accuracy" in out


def test_train_says_what_a_model_lacks(command, write_config):
    path = write_config()
    assert "model.architecture: is missing" in mistake(command, "train", path)
    err = mistake(command, "train", path, "--set", "model.architecture=video_lrcnn_frozen")
    assert "model.sequence_model" in err


def test_prepare_computes_all_that_a_search_needs(command, write_config, monkeypatch, tmp_path):
    from data import FrameStore

    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "cache"))
    path = write_config()
    status, out, err = command("prepare", path)
    assert status == 0, err
    assert "4 videos are ready" in out and str(tmp_path / "cache") in out
    features = {f.name for f in (tmp_path / "cache" / "features").glob("*.npy")}
    assert len(features) == 4  # one backbone, pooling and frame size for all models of the space

    def no_more(*_: object) -> None:
        raise AssertionError("it decodes again")

    monkeypatch.setattr(FrameStore, "_decode", no_more)
    assert command("prepare", path)[0] == 0
    assert {f.name for f in (tmp_path / "cache" / "features").glob("*.npy")} == features


def test_one_decode_serves_all_frame_sizes(command, write_config, monkeypatch, tmp_path):
    from data.stores import frames

    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "cache"))
    decoded, read = [], frames.read_frames

    def counted(info, wanted):
        decoded.append(info.path.name)
        return read(info, wanted)

    monkeypatch.setattr(frames, "read_frames", counted)
    space = {"architecture": ["image_mlp_frozen"], "frame_size": [[64, 64], [48, 48], [32, 64]]}
    assert command("prepare", write_config(space=space, model={"frame_size": None}))[0] == 0
    assert sorted(decoded) == ["a1.mp4", "a2.avi", "b1.mov", "c1.mp4"]
    assert len(list((tmp_path / "cache" / "features").glob("*.npy"))) == 12


def test_commands_run_where_a_user_has_folders_named_data_and_models(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "models").mkdir()
    line = [sys.executable, "-m", "tuner.search", str(ROOT / "configs/seals.yaml")]
    settings = ["--dry-run", "--set", "serach.trials=1"]
    done = subprocess.run([*line, *settings], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and "did you mean 'search'" in done.stderr, done.stderr
