"""Classes may be called anything, also what columns of the tables are called."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tuner.training.tasks.columns import COLUMNS

pytestmark = pytest.mark.shared_cache

NAMES = sorted([*COLUMNS, "p_label", "group", "path", "split_x", "videos", "NA", "nan"])


@pytest.fixture
def named(project):
    """A project whose classes are called like columns, and a search of two models."""
    lines = ["video,frame,label,split"]
    for video, split in {"a1": "train", "a2": "train", "b1": "valid", "c1": "test"}.items():
        lines += [f"{video},{n},{NAMES[n % len(NAMES)]},{split}" for n in range(24)]
    project.labels.write_text("\n".join(lines) + "\n")
    project.search("--set", "name=named", "--set", "search.trials=2")
    return project


@pytest.mark.long
def test_classes_called_like_columns_are_predicted(named):
    for words in (("--model", "0"), ("--ensemble", "2")):
        said = named.best("--search", "named", *words)
        assert "test accuracy" in said and "has changed" not in said
        (path,) = (named.folder / "runs/named").rglob("frame_predictions.csv")
        as_they_are_called(path)
        path.unlink()

    named.best("--search", "named", "--videos", named.videos / "c1.mp4", "--out", "new")
    frames = pd.read_csv(named.folder / "new/frame_predictions.csv", keep_default_na=False)
    assert set(frames["video"]) == {"c1.mp4"} and set(frames["prediction"]) <= set(NAMES)
    assert "p_time" in frames and frames["time"].astype(float).max() < 3


def as_they_are_called(path: Path) -> None:
    """The tables have a column for each class, told apart from the others."""
    frames = pd.read_csv(path, keep_default_na=False)
    videos = pd.read_csv(path.with_name("video_predictions.csv"), keep_default_na=False)
    columns = {name: f"p_{name}" if name in COLUMNS else name for name in NAMES}
    columns["p_label"], columns["label"] = "p_label", "p_p_label"
    for table in (frames, videos):
        assert len(set(table.columns)) == len(table.columns)
        assert set(columns.values()) <= set(table.columns)
        shares = table[list(columns.values())].astype(float)
        assert shares.sum(axis=1).round(4).eq(1).all()
        named_most = shares.rename(columns={v: k for k, v in columns.items()}).idxmax(axis=1)
        if table is frames:
            assert named_most.tolist() == table["prediction"].tolist()
    assert frames["label"].tolist() == [NAMES[n % len(NAMES)] for n in range(24)] * 4
    assert frames["frame"].tolist() == [*range(24)] * 4
    assert set(frames["split"]) == {"train", "valid", "test"}
    wrong = (frames["prediction"] != frames["label"]).astype(str)
    assert frames["error"].astype(str).tolist() == wrong.tolist()
    assert sorted(set(videos["split"])) == ["test", "train", "valid"]
