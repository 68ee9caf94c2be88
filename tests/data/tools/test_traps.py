"""The drawn camera traps: what the seed decides, how animals come and go, how they are asked for."""

from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import data
from data.console import quiet
from data.files.path import place
from data.tools.drawing import sets as drawn
from data.tools.drawing import traps
from data.tools.drawing.traps import SHARES, draw_video, make_traps, plan
from tuner.config.load import absolute, parse
from tuner.config.sections import DataConfig
from tuner.preparation import one_machine

SEEDS = range(6)


@pytest.fixture(scope="module", autouse=True)
def _short_videos() -> Iterator[None]:
    """Only six frames of a video are written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(traps, "draw_video", lambda *which: islice(draw_video(*which), 6))
        yield


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_traps(tmp_path_factory.mktemp("drawn") / "traps", 3, videos=20, sites=2)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_class_is_at_three_sites_and_as_common_as_it_should_be(seed: int) -> None:
    rows = pd.DataFrame(plan(seed))
    assert rows["label"].value_counts().to_dict() == {
        "empty": 21,
        "fox": 18,
        "deer": 12,
        "bird": 9,
    }
    assert set(rows["site"]) == {f"site{number}" for number in range(1, 6)}
    assert (rows.groupby("label")["site"].nunique() >= 3).all()
    assert rows["file"].is_unique
    for _, of_site in rows.groupby("site"):
        assert all(one <= other for one, other in pairwise(of_site["taken"].dt.date))


def test_classes_prefer_sites() -> None:
    most = [
        pd.DataFrame(plan(seed)).groupby("site")["label"].value_counts(normalize=True).max()
        for seed in SEEDS
    ]
    assert np.mean(most) > SHARES["empty"] + 0.1


def test_the_seed_alone_decides() -> None:
    assert plan(1) == plan(1)
    assert plan(1) != plan(2)
    trap = plan(1)[0]
    first, again, other = (next(draw_video(trap, seed))[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert np.abs(first.astype(float) - other).mean() > 10
    traps._site.cache_clear()  # a site is the same whoever draws it first
    assert np.array_equal(next(draw_video(trap, 1))[0], first)


@pytest.mark.parametrize("label", SHARES)
def test_an_animal_is_in_view_for_a_part_of_its_video(label: str) -> None:
    trap = next(trap for trap in plan(0) if trap.label == label)
    frames = list(draw_video(trap, 0))
    assert 50 <= len(frames) <= 100
    assert all(frame.shape == (240, 320, 3) and frame.dtype == np.uint8 for frame, _ in frames)
    shown = np.mean([seen == label for _, seen in frames])
    if label == "empty":
        assert shown == 1
        still = np.abs(np.diff([frame.mean(axis=2) for frame, _ in frames], axis=0)).mean()
        assert still > 0.5  # what set the camera off
    else:
        assert 0.2 < shown < 0.75
        assert {seen for _, seen in frames} == {label, "empty"}


def test_its_table_labels_every_video(table: Path) -> None:
    rows = pd.read_csv(table)
    assert list(rows.columns) == ["video", "label", "site", "date"]
    assert rows["date"].str.fullmatch(r"20\d\d-\d\d-\d\d").all()
    dataset = data.load(place(str(table.parent)), place(str(table)))
    assert sorted(dataset.videos) == sorted(rows["video"])
    assert not dataset.rejects
    assert all(len(video) == 6 for video in dataset.videos.values())


def test_a_second_call_draws_nothing_and_another_seed_all(table: Path, tmp_path: Path) -> None:
    drawn: list[str] = []
    again = make_traps(table.parent, 3, videos=20, sites=2, on_video=drawn.append)
    assert (again, drawn) == (table, [])
    lost = next(table.parent.rglob("IMG_*"))
    lost.unlink()
    make_traps(table.parent, 3, videos=2, sites=1, on_video=drawn.append)
    assert len(drawn) == 2  # the folder was its own, so it is replaced
    found = {p.relative_to(table.parent).as_posix() for p in table.parent.rglob("*.*")}
    assert found == {"labels.csv", "sample.json", *drawn}


def test_videos_of_others_are_never_replaced(tmp_path: Path) -> None:
    mine = tmp_path / plan(0, 2, 1)[0].file
    mine.parent.mkdir()
    mine.with_name("IMG_9999.avi").write_bytes(b"mine")
    with pytest.raises(FileExistsError, match=r"site1/IMG_9999\.avi"):
        make_traps(tmp_path, 0, videos=2, sites=1)


def test_a_search_draws_them_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def make(folder: Path, *, seed: int, on_video: object) -> Path:
        asked.append((folder.name, seed))
        return make_traps(folder, seed, videos=20, sites=2)

    monkeypatch.setattr(drawn, "make_traps", make)
    config = DataConfig(videos="sample-traps", sample_seed=7)
    dataset = one_machine.load_dataset(config, quiet)
    assert asked == [("sample-traps-7", 7)]
    assert len(dataset.videos) == 20


def test_their_name_is_no_path() -> None:
    tree = {"name": "traps", "data": {"videos": "sample-traps"}, "space": {}}
    assert absolute(parse(tree, "x")).data.videos == "sample-traps"
    with pytest.raises(ValueError, match=r"data\.videos is missing"):
        DataConfig(videos="sample-traps", labels="labels.csv")
