"""Several behaviours at once, from overlapping ranges to predictions of new videos."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest

import models
from tuner.analysis.model import load_model
from tuner.study.store.results import ResultsStore

pytestmark = pytest.mark.shared_cache

FRAMES = 40
BEGIN = {"dive": (0, 1, 2, 1, 0, 2), "call": (1, 2, 0, 0, 2, 1)}  # of each video, in quarters
COLOURS = {"dive": (210, 60, 40), "call": (60, 90, 230)}


def shown(label: str, number: int) -> tuple[int, int]:
    """The frames in which a video shows a behaviour: half of it, first and the one after the last."""
    begin = BEGIN[label][number] * FRAMES // 4
    return begin, begin + FRAMES // 2


def draw(path: Path, number: int) -> None:
    """A red square while it dives, a blue one while it calls, one, both or none of them."""
    rng = np.random.default_rng(number)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv444p"
        for frame in range(FRAMES):
            image = rng.integers(90, 120, (64, 64, 3), dtype=np.uint8)
            for place, label in enumerate(COLOURS):
                first, end = shown(label, number)
                if first <= frame < end:
                    x, y = 4 + 30 * place, 4 + (number * 7 + frame) % 30
                    image[y : y + 26, x : x + 26] = COLOURS[label]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def behaviours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six videos of two behaviours that overlap, and a row for each range."""
    folder = tmp_path_factory.mktemp("behaviours")
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["video", "time_start", "time_end", "label", "split"])
        for number, split in enumerate(["train", "train", "train", "valid", "valid", "test"]):
            draw(folder / f"v{number}.mp4", number)
            for label in COLOURS:
                first, end = shown(label, number)
                writer.writerow([f"v{number}", first / 10, end / 10, label, split])
    return folder


@pytest.fixture
def config(behaviours: Path, write_config) -> Path:
    return write_config(
        data={
            "videos": str(behaviours),
            "labels": str(behaviours / "labels.csv"),
            "background": "nothing",
        },
        training={"epochs": 8, "patience": 3, "rounds": 1, "learning_rate": 0.01},
        space={"architecture": ["image_mlp_frozen"], "layer_1_size": [16], "task": ["multilabel"]},
        search={"trials": 2, "probes": 1, "ensemble": 2, "keep_models": 3},
    )


def truth(number: int) -> list[str]:
    """What each frame of a video shows."""
    labels = []
    for frame in range(FRAMES):
        seen = [label for label in COLOURS if frame in range(*shown(label, number))]
        labels.append("+".join(sorted(seen)) or "nothing")
    return labels


@pytest.mark.usefixtures("ray_session")
def test_both_behaviours_are_told_and_predicted(config, behaviours, command, tmp_path) -> None:
    status, out, err = command("search", config)
    assert status == 0, err
    assert "the best linear probe" in out and "always naming 'all 3 classes'" in out
    url = f"sqlite:///{tmp_path / 'runs' / 'results.db'}"
    store = ResultsStore.open(url, "small")
    records = store.ranking()
    values = {record.params["architecture"]: record.value for record in records}
    # On squares of two colours the simplest peer is good, too: one regression for each class.
    assert values["image_mlp_frozen"] > 0.95 and values["linear_probe"] > 0.9

    status, out, err = command("best", "--results", url, "--model", records[0].number, "--predict")
    assert status == 0, err
    assert "F1" in out and "call 1.000" in out
    folder = tmp_path / "runs" / "small" / "models" / str(records[0].number)
    frames = pd.read_csv(folder / "frame_predictions.csv", keep_default_na=False)
    assert list(frames.columns[:3]) == ["call", "dive", "nothing"]
    of_test = frames[frames["video"] == "v5"]
    assert of_test["label"].tolist() == truth(5)
    assert (of_test["prediction"] == of_test["label"]).mean() > 0.9
    assert (of_test["prediction"] == "call+dive").any()
    # Each class is decided at its own threshold, which is kept with the model and is of the table.
    results = json.loads((folder / "results.json").read_text())
    model = models.load(folder / "model.pt")
    assert model.config.task == results["task"] == "multilabel"
    assert model.extra["thresholds"] == results["thresholds"]
    for name, threshold in results["thresholds"].items():
        says = frames["prediction"].map(lambda text, name=name: name in text.split("+"))
        assert (says == (frames[name] >= threshold)).all()
    assert set(results["fit_test_f1_by_class"]) == {"call", "dive", "nothing"}
    confusion = pd.read_csv(folder / "confusion_matrix.csv", index_col=0)
    assert confusion.shape == (3, 4) and (confusion.sum(axis=1) == FRAMES).all()
    assert confusion.loc["dive", ["shown, said", "shown, not said"]].sum() == FRAMES // 2

    table = load_model(folder / "model.pt").predict(behaviours / "v5.mp4")
    assert table["prediction"].tolist() == of_test["prediction"].tolist()
    np.testing.assert_allclose(table["dive"], of_test["dive"], atol=1e-6)


@pytest.mark.long
@pytest.mark.usefixtures("ray_session")
def test_several_models_and_folds_tell_them_together(config, behaviours, command, tmp_path) -> None:
    words = ["--set", "search.validation={folds: 3, by: video}", "--set", "name=folded"]
    status, _, err = command("search", config, *words)
    assert status == 0, err
    results = f"sqlite:///{tmp_path / 'runs' / 'results.db'}"
    status, out, err = command("best", "--results", results, "--predict")
    assert status == 0, err
    folder = tmp_path / "runs" / "folded" / "ensemble"
    figures = json.loads((folder / "results.json").read_text())
    assert len(figures["ensemble"]) == 2 and figures["fit_test_f1"] > 0.9
    out = tmp_path / "new"
    words = ["--predict", "--videos", behaviours / "v5.mp4", "--out", out]
    status, _, err = command("best", "--results", results, *words)
    assert status == 0, err
    known, new = (
        pd.read_csv(at / "frame_predictions.csv", keep_default_na=False) for at in (folder, out)
    )
    assert new["prediction"].tolist() == known.query("video == 'v5'")["prediction"].tolist()


def test_whole_videos_may_show_several(behaviours, write_config, command, tmp_path) -> None:
    """Videos that show one behaviour or both; one model is trained, as `tuner.train` does."""
    shows = ["call", "dive", "call+dive", "call", "dive", "call+dive"]
    lines = ["video,label,split"]
    for number, split in enumerate(["train", "train", "train", "valid", "valid", "test"]):
        lines += [f"v{number},{label},{split}" for label in shows[number].split("+")]
    labels = tmp_path / "whole.csv"
    labels.write_text("\n".join(lines) + "\n")
    model = {"architecture": "image_mlp_frozen", "layer_1_size": 0, "frames_per_video": 4}
    model |= {"task": "multilabel", "frame_size": [64, 64]}
    config = write_config(data={"videos": str(behaviours), "labels": str(labels)}, model=model)
    status, _, err = command("train", config)
    assert status == 0, err
    (path,) = tmp_path.rglob("video_predictions.csv")
    table = pd.read_csv(path, keep_default_na=False)
    assert sorted(table["label"]) == sorted(shows)
    assert table["error"].tolist() == (table["prediction"] != table["label"]).tolist()
    results = json.loads((path.parent / "results.json").read_text())
    assert results["unit"] == "video" and results["data_total_rows_test"] == 1


def test_without_the_task_it_is_told_what_to_set(config, command) -> None:
    status, _, err = command("search", config, "--dry-run", "--set", "space.task=[multiclass]")
    assert status == 2 and "overlap" in err and "--set model.task=multilabel" in err


def test_a_search_has_one_task(config, command) -> None:
    words = ("--set", "space.task=[multiclass, multilabel]")
    status, _, err = command("search", config, "--dry-run", *words)
    assert status == 2 and "space.task" in err and "one task" in err


def test_a_dry_run_measures_it(config, command) -> None:
    status, out, err = command("search", config, "--dry-run")
    assert status == 0, err
    assert "60 (3)" in out and "dry run: nothing was trained" in out
