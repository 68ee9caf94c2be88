"""Videos that are left out since they don't decode, and the list of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from data.errors import printable
from data.files.path import File
from data.files.whole import write_table


@dataclass(frozen=True)
class Reject:
    """A video that was left out, and why."""

    video: str
    path: File
    reason: str


def write_rejects(rejects: list[Reject], folder: Path) -> Path | None:
    """``rejects.csv``: each video left out, and why; None, and no file, if there is none."""
    path = folder / "rejects.csv"
    if not rejects:
        path.unlink(missing_ok=True)
        return None
    folder.mkdir(parents=True, exist_ok=True)
    rows = [tuple(map(printable, (r.video, str(r.path), r.reason))) for r in rejects]
    write_table(path, pd.DataFrame(rows, columns=["video", "path", "reason"]))
    return path
