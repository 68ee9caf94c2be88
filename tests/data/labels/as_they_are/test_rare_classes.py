"""Rare classes: all of them are trained on, also where rejects take one from train."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data import DataError, Reject
from data.labels.draw import draw_splits, mended
from tests.data.labels.reading import load_text, splits_of

MakeVideo = Callable[..., Path]


@pytest.mark.parametrize("seed", range(6))
def test_27_rare_classes_are_all_in_train(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = {f"v{n}": {f"common{n % 3}": 100} for n in range(60)}
    for rare in range(27):
        for video in rng.choice(60, int(rng.integers(1, 3)), replace=False):
            counts[f"v{video}"][f"rare{rare}"] = 3
    for groups in (None, {video: video for video in counts}):
        splits = draw_splits(counts, 0.15, 0.15, seed, groups)
        trained = {label for v, own in counts.items() if splits[v] == "train" for label in own}
        assert len(trained) == 30
        assert "valid" in splits.values()


def test_a_class_that_train_has_lost_is_brought_back_with_its_largest_group() -> None:
    rows = [("a", "x", 9), ("b", "y", 1), ("c", "y", 4), ("d", "x", 3), ("e", "y", 2)]
    table = pd.DataFrame([(v, label) for v, label, n in rows for _ in range(n)])
    table.columns = ["video", "label"]
    groups = {"a": "a", "b": "s", "c": "c", "d": "d", "e": "s"}
    splits = {"a": "train", "b": "valid", "c": "test", "d": "valid", "e": "valid"}
    assert mended(splits, table, groups) == {**splits, "c": "train"}
    without = table[table["video"] != "c"]
    assert mended({v: s for v, s in splits.items() if v != "c"}, without, groups) == {
        "a": "train",
        "b": "train",
        "d": "valid",
        "e": "train",
    }


def test_a_class_that_rejects_take_from_train_is_drawn_into_it_again(
    videos: Path, make_video: MakeVideo
) -> None:
    text = "video,frame,label,site\n"
    for number in range(8):
        make_video(videos / f"v{number}.mp4", frames=4)
        text += f"v{number},0,x,s{number}\nv{number},1,y,s{number}\n"
    text += "v0,2,rare,s0\nv1,2,rare,s1\n"
    dataset = load_text(videos, text)
    splits = splits_of(dataset)
    (trained,) = (name for name in ("v0", "v1") if splits[name] == "train")
    (other,) = {"v0", "v1"} - {trained}
    rest = dataset.without([Reject(trained, dataset.videos[trained].info.path, "damaged")])
    now = splits_of(rest)
    assert now[other] == "train" and "rare" in rest.classes
    assert {split: list(now.values()).count(split) for split in ("valid", "test")} == {
        split: list(splits.values()).count(split) for split in ("valid", "test")
    }
    changed = [video for video in now if now[video] != splits[video]]
    (line,) = (line for line in rest.warnings if "don't decode" in line)
    assert all(f"{video} to {now[video]}" in line for video in changed)
    named = replace(dataset, drawn=False)
    with pytest.raises(DataError, match=r"class 'rare' is in .* but not in train"):
        named.without([Reject(trained, dataset.videos[trained].info.path, "damaged")])
