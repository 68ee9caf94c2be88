"""The data sets that the project draws itself, by the names that ``data.videos`` has for them."""

from __future__ import annotations

from pathlib import Path

from data.console import Output
from data.files.store import default_folder
from data.tools.drawing.sample import CLIPS, make_sample
from data.tools.drawing.traps import VIDEOS, make_traps

DRAWN = ("sample", "sample-traps")


def draw_set(name: str, seed: int, output: Output) -> Path:
    """Draw one of `DRAWN` into the cache folder, unless it is there; returns its ``labels.csv``."""
    traps = name == "sample-traps"
    folder = f"{name}-{seed}" if traps or seed else name
    with output.bar("drawing the sample's videos", VIDEOS if traps else len(CLIPS)) as advance:
        draw = make_traps if traps else make_sample
        return draw(default_folder() / folder, seed=seed, on_video=lambda _: advance())
