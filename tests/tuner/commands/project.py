"""A folder as users have one: a YAML with relative paths, videos with labels, searches of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from tests.conftest import draw, small_search


class Project:
    """A project whose folder is the working folder, and commands about it.

    Args:
        command: the fixture of that name.
    """

    def __init__(self, folder: Path, command: Any) -> None:
        self.folder, self.command = folder, command
        self.videos, self.labels = folder / "videos", folder / "videos" / "labels.csv"

    def run(self, *words: object, status: int = 0) -> str:
        """What a command says, in one line of words."""
        ended, out, err = self.command(*words)
        assert ended == status, out + err
        assert "Traceback" not in out + err
        return " ".join((out + err).split())

    def search(self, *words: object, status: int = 0) -> str:
        return self.run("search", "small.yaml", *words, status=status)

    def best(self, *words: object, status: int = 0) -> str:
        return self.run("best", "--predict", *words, status=status)

    def results(self, folder: str = "small/models/0") -> dict[str, Any]:
        return json.loads((self.folder / "runs" / folder / "results.json").read_text())

    def predictions(self, folder: str = "small/models/0") -> pd.DataFrame:
        return pd.read_csv(self.folder / "runs" / folder / "frame_predictions.csv")

    def splits(self, folder: str = "small/models/0") -> dict[str, str]:
        return dict(self.predictions(folder).groupby("video")["split"].first())

    def change(self, of: str, to: str, video: str = "") -> None:
        """Replace a text in the lines of a video."""
        lines = self.labels.read_text().splitlines()
        kept = [line.replace(of, to) if line.startswith(video) else line for line in lines]
        self.labels.write_text("\n".join(kept) + "\n")

    def add(self, name: str, *cells: str) -> None:
        """One more video with labels, which end with these cells."""
        with self.labels.open("a") as file:
            for frame, label in enumerate(draw(self.videos / f"{name}.mp4", 9)):
                file.write(",".join([name, str(frame), label, *cells]) + "\n")


def write_yaml(folder: Path) -> Path:
    """The YAML of a search of one model, with paths that begin at its folder."""
    tree = small_search(Path("videos"), "runs")
    tree["space"] = {"architecture": ["image_mlp_frozen"]}
    tree["search"]["trials"] = 1
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path
