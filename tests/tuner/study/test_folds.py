"""How videos are dealt into folds, and that they stay there."""

from types import SimpleNamespace

import pandas as pd
import pytest

from data import Dataset
from data.errors import DataError
from data.labels.splits import write_folds, write_splits
from tuner.config.load import Config, parse
from tuner.study.folds import deal, tell
from tuner.study.halving.rungs import Rungs
from tuner.study.halving.schedule import decisions, make_rungs
from tuner.study.store.results import ResultsStore


def a_config(tmp_path, **search) -> Config:
    search = {"validation": {"folds": 3, "by": "site"}, **search}
    tree = {"name": "a", "storage": str(tmp_path), "search": search}
    return parse({**tree, "space": {"architecture": ["image_mlp_frozen"]}}, "x")


def videos(count: int, bear: int | None = None) -> Dataset:
    """Two videos a site, a fox and none; one with a bear; one more for the test."""
    rows = [
        (f"v{n:02}", ["fox", "empty"][n % 2], "valid" if n < 2 else "train") for n in range(count)
    ]
    rows += [("last", "fox", "test")] + ([] if bear is None else [(f"v{bear:02}", "bear", "train")])
    table = pd.DataFrame(rows, columns=["video", "label", "split"])
    groups = {f"v{n:02}": f"site{n // 2}" for n in range(count)} | {"last": "far"}
    opened = dict.fromkeys(groups)
    return Dataset(table, opened, sorted(set(table["label"])), groups=groups, by="site")


def dealt(config, dataset, before=None):
    lines: list[str] = []
    output = SimpleNamespace(say=lines.append, warn=lines.append)
    folds = deal(config, dataset, before)
    tell(config, dataset, folds, output)
    return folds, lines


def test_a_search_without_folds_has_none(tmp_path):
    assert dealt(a_config(tmp_path, validation=None), videos(8)) == ({}, [])


def test_all_but_the_test_videos_are_dealt_by_site(tmp_path):
    folds, lines = dealt(a_config(tmp_path), videos(8))
    assert folds.keys() == {f"v{n:02}" for n in range(8)} and set(folds.values()) == {1, 2, 3}
    assert all(folds[f"v{n:02}"] == folds[f"v{n + 1:02}"] for n in range(0, 8, 2))
    (line,) = lines
    assert line.startswith("validation: 3 folds by site (4 sites): 8 videos; ")
    one_by_one = {"folds": 8, "by": "video"}
    folds, (line,) = dealt(a_config(tmp_path, validation=one_by_one, scheduler="none"), videos(8))
    assert sorted(folds.values()) == list(range(1, 9)) and line.endswith("by video: 8 videos")


def test_a_class_that_one_fold_alone_has_is_said(tmp_path):
    folds, (_, warning) = dealt(a_config(tmp_path), videos(8, bear=4))
    assert f"class 'bear' is in fold {folds['v04']} alone (v04)" in warning
    assert "in more sites" in warning


def test_too_few_groups_are_a_mistake_of_search_validation(tmp_path):
    by_site = {"folds": 3, "by": "site"}
    with pytest.raises(DataError, match=r"search\.validation: 3 folds need as many groups"):
        dealt(a_config(tmp_path, validation=by_site), videos(4))


def test_fewer_sites_than_folds_are_dealt_by_video_and_told(tmp_path):
    folds, (warning, line, *_) = dealt(a_config(tmp_path, validation={"folds": 3}), videos(4))
    assert sorted(folds.values()) in ([1, 1, 2, 3], [1, 2, 2, 3], [1, 2, 3, 3])
    assert "fewer sites than folds (3): folds are by video" in warning
    assert line.startswith("validation: 3 folds by video: 4 videos")


def test_a_search_that_goes_on_keeps_its_folds(tmp_path):
    config = a_config(tmp_path)
    before = {"v00": 2, "v01": 2, "v02": 3, "v03": 3, "v04": 1, "v06": 1, "v07": 1, "gone": 3}
    folds, _ = dealt(config, videos(8), before)
    # The new one of a site joins it; one that is gone is not there.
    assert folds == {**{k: v for k, v in before.items() if k != "gone"}, "v05": 1}
    folds, _ = dealt(config, videos(10), before)
    assert folds["v08"] == folds["v09"] in (2, 3)  # a new site is the smallest fold's
    with pytest.raises(DataError, match="of fold 4 that the search began with"):
        dealt(config, videos(8), {**before, "gone": 4})


def test_rungs_are_folds(tmp_path):
    config = a_config(tmp_path, validation={"folds": 5}, grace_period=4)
    rungs = make_rungs(config, ResultsStore.create(config, resume=False))
    assert rungs.levels == [1, 3] and decisions(config, rungs) == (1, 3)
    slow = a_config(tmp_path, validation={"folds": 5}, reduction_factor=1.4)
    assert make_rungs(slow, ResultsStore.create(slow, resume=True)).levels == [1, 2, 3]
    levels = {folds: Rungs.of_folds(folds, factor=3).levels for folds in (2, 3, 4, 5, 10, 20)}
    assert levels == {2: [1], 3: [1], 4: [1], 5: [1, 3], 10: [1, 3], 20: [1, 3, 9]}


def test_a_search_goes_on_with_the_rungs_that_its_folds_reached(tmp_path):
    config = a_config(tmp_path, validation={"folds": 5})
    store = ResultsStore.create(config, resume=False)
    for values in ({1: 0.9, 2: 0.4}, {1: 0.5}, {1: 0.7, 2: 0.8, 3: 0.6}):
        number, _ = store.ask(lambda _: {"architecture": "image_mlp_frozen"})
        store.report(number, values)
        store.finish(number, pruned=True, results={}, value=list(values.values())[-1])
    assert [record.number for record in store.ranking()] == [2, 0, 1]
    rungs = make_rungs(config, store)
    assert {n: score[0] for n, score in rungs.reached[0].items()} == {0: 0.9, 1: 0.5, 2: 0.7}
    assert {n: score[0] for n, score in rungs.reached[1].items()} == {2: 0.6}


def test_splits_csv_has_the_folds_and_keeps_them(tmp_path):
    dataset = videos(8)
    folds, _ = dealt(a_config(tmp_path), dataset)
    write_splits(dataset.splits(), tmp_path)
    write_folds(folds, tmp_path)
    for _ in range(2):
        table = pd.read_csv(tmp_path / "splits.csv").set_index("video")
        assert list(table.columns) == ["split", "group", "fold"]
        assert table["fold"].dropna().astype(int).to_dict() == folds
        assert write_splits(dataset.splits(), tmp_path) is None
