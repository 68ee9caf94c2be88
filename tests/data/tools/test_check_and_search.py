"""What `check` says of damaged videos is what a search does with them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from data.console import quiet
from models import ModelConfig
from tests.conftest import FOLDER
from tests.damage import spoil
from tuner.config.sections import DataConfig
from tuner.preparation.one_machine import prepare

MODEL = ModelConfig(architecture="image_mlp_frozen", pretrained=False, frame_size=32, pooling="avg")


def rows(folder: Path) -> dict[str, tuple[str, ...]]:
    """What ``rejects.csv`` says of each file."""
    with (folder / "rejects.csv").open(encoding="utf-8") as file:
        names = ("reason", "declared", "used", "until", "ends")
        return {row["path"]: tuple(row[name] for name in names) for row in csv.DictReader(file)}


def drawn(folder: Path, make_video) -> Path:
    """Videos of several kinds: whole, damaged in the middle, twice, at the start, cut off."""
    for name in ("a.mp4", "b.avi", "c.ts", "d.mpg", "e.webm", "f.wmv", "g.mp4", "h.avi"):
        make_video(folder / name, frames=40, fps=25)
    for name in ("a.mp4", "b.avi", "c.ts", "d.mpg"):
        content = (folder / name).read_bytes()
        (folder / f"cut_{name}").write_bytes(content[: len(content) * 2 // 3])
    for name in ("a.mp4", "b.avi", "e.webm", "f.wmv"):
        for at, number in {"middle": 25, "start": 0}.items():
            spoil(make_video(folder / f"{at}_{name}", frames=40, fps=25), number)
    twice = make_video(folder / "twice.avi", frames=60)
    spoil(twice, 20)
    spoil(twice, 40)
    return folder


@pytest.mark.parametrize("name", ["drawn", "videos", "hard_videos"])
def test_check_lists_what_a_search_lists(name: str, tool, make_video, tmp_path: Path):
    folder = FOLDER / name
    if name == "drawn":
        folder = drawn(tmp_path / "drawn", make_video)
    elif not folder.is_dir():
        pytest.skip(
            f"there is no folder ../shared/data/{name} of real videos beside the repository"
        )
    files = sorted(path for path in folder.iterdir() if path.suffix != ".csv")
    labels = ["video,label,split"]
    for number, path in enumerate(files):
        split = ("train", "valid", "test")[number // 2 % 3]
        labels.append(f"{path.name},{'xy'[number % 2]},{split}")
    (tmp_path / "labels.csv").write_text("\n".join(labels) + "\n", encoding="utf-8")
    config = DataConfig(videos=str(folder), labels=str(tmp_path / "labels.csv"))
    prepare(config, [MODEL], tmp_path / "search", quiet)
    tool("check", folder, "--out", tmp_path / "check")
    wanted = rows(tmp_path / "search")
    assert len(wanted) >= 2 and rows(tmp_path / "check") == wanted
