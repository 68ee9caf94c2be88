"""The drawn sample: what is in it, that models learn from it, and that it is never half written."""

from itertools import islice
from pathlib import Path

import decord
import numpy as np
import pandas as pd
import pytest

from data.tools.drawing import sample
from data.tools.drawing.sample import CLIPS, draw_video, make_sample


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sample(tmp_path_factory.mktemp("drawn") / "sample")


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample of two videos of three frames, for tests that draw it over and over."""
    monkeypatch.setattr(sample, "CLIPS", CLIPS[:2])
    monkeypatch.setattr(sample, "FILES", {"labels.csv", CLIPS[0][0], CLIPS[1][0]})
    monkeypatch.setattr(sample, "draw_video", lambda *clip: islice(draw_video(*clip), 3))


def _write_times(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def _brightness(table: Path) -> np.ndarray:
    """Mean of every frame in the order of the table; fails unless each row has its frame."""
    means = []
    for stem, rows in pd.read_csv(table).groupby("video", sort=False):
        (path,) = table.parent.glob(f"{stem}.*")
        reader = decord.VideoReader(str(path), num_threads=1)
        assert list(rows["frame"]) == list(range(len(reader))), path.name
        means += [reader[i].asnumpy().mean() for i in range(len(reader))]
    return np.array(means)


def _macro_f1(truth: np.ndarray, guess: np.ndarray) -> float:
    hits = [((truth == k) & (guess == k)).sum() for k in (True, False)]
    either = [(truth == k).sum() + (guess == k).sum() for k in (True, False)]
    return float(np.mean(2 * np.array(hits) / either))


def test_table_has_both_classes_in_every_split(table: Path) -> None:
    rows = pd.read_csv(table)
    assert list(rows.columns) == ["video", "frame", "label", "split"]
    assert rows.groupby("split")["video"].nunique().to_dict() == {"train": 8, "valid": 3, "test": 3}
    assert (rows.groupby("video")["split"].nunique() == 1).all()
    assert (rows.groupby("split")["label"].unique().map(set) == {"seal", "noseal"}).all()
    assert rows.groupby("video").size().between(40, 70).all()
    seal = (rows["label"] == "seal").groupby(rows["video"]).mean()
    assert 0.30 < (rows["label"] == "seal").mean() < 0.45
    assert seal.min() == 0
    assert seal.max() < 0.9
    assert sum(path.stat().st_size for path in table.parent.iterdir()) < 5e6


def test_a_brightness_threshold_does_not_solve_it(table: Path) -> None:
    rows, bright = pd.read_csv(table), _brightness(table)
    seal = (rows["label"] == "seal").to_numpy()
    train, test = ((rows["split"] == split).to_numpy() for split in ("train", "test"))
    cuts = [(cut, side) for cut in np.unique(bright[train]) for side in (True, False)]
    cut, side = max(cuts, key=lambda c: _macro_f1(seal[train], (bright[train] < c[0]) == c[1]))
    assert _macro_f1(seal[test], (bright[test] < cut) == side) < 0.7


def test_second_call_changes_nothing(table: Path) -> None:
    before = _write_times(table.parent)
    drawn: list[str] = []
    assert make_sample(table.parent, on_video=drawn.append) == table
    assert drawn == []
    assert _write_times(table.parent) == before
    assert [path.name for path in table.parent.parent.iterdir()] == ["sample"]


def test_frames_depend_on_the_seed_alone() -> None:
    name, _, light, passes = CLIPS[0]
    first, again, other = (list(draw_video(name, light, passes, seed)) for seed in (3, 3, 4))
    assert [label for _, label in first] == [label for _, label in again]
    assert all(np.array_equal(a, b) for (a, _), (b, _) in zip(first, again, strict=True))
    assert not np.array_equal(first[0][0], other[0][0])


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("lost", ["sample.json", "labels.csv", CLIPS[1][0]])
def test_a_broken_sample_is_repaired(tmp_path: Path, lost: str) -> None:
    table = make_sample(tmp_path / "sample")
    (table.parent / lost).unlink()
    (table.parent / CLIPS[0][0]).write_bytes(b"half a video")
    drawn: list[str] = []
    make_sample(table.parent, on_video=drawn.append)
    assert drawn == [CLIPS[0][0], CLIPS[1][0]]
    assert {path.name for path in table.parent.iterdir()} == {*sample.FILES, "sample.json"}
    assert len(_brightness(table)) == len(pd.read_csv(table))


@pytest.mark.usefixtures("tiny")
def test_an_interrupted_run_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(name: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_sample(tmp_path / "sample", on_video=interrupt)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("tiny")
def test_a_quicker_run_wins(tmp_path: Path) -> None:
    quicker = make_sample(tmp_path / "quicker").parent
    before = _write_times(quicker)

    def overtake(name: str) -> None:
        if quicker.exists():
            quicker.rename(tmp_path / "sample")

    table = make_sample(tmp_path / "sample", on_video=overtake)
    assert _write_times(table.parent) == before


@pytest.mark.usefixtures("tiny")
def test_other_files_are_never_replaced(tmp_path: Path) -> None:
    folder = make_sample(tmp_path / "sample").parent
    (folder / "notes.txt").write_text("mine")
    make_sample(folder)  # what is asked for is there, so nothing needs replacing
    with pytest.raises(FileExistsError, match=r"notes\.txt"):
        make_sample(folder, seed=1)
    assert (folder / "notes.txt").read_text() == "mine"
