"""Videos that are left out, or used in part, since they don't decode; and the list of them."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

import pandas as pd

from data.errors import printable
from data.files.path import File
from data.files.whole import write_table
from data.videos.info import VideoInfo


@dataclass(frozen=True)
class Reject:
    """A video that was left out, or of which only the beginning is used, and why.

    Attributes:
        declared: frames that the file promises; 0 if that is not known.
        used: frames that are used; 0: it is left out.
        until: seconds to which it is used.
        ends: seconds at which it promises to end.
    """

    video: str
    path: File
    reason: str
    declared: int = 0
    used: int = 0
    until: float = 0.0
    ends: float = 0.0

    @classmethod
    def cut(cls, video: str, info: VideoInfo) -> Reject:
        """One that is used as far as it decodes."""
        ends = max(info.ends, info.duration)
        declared = max(info.declared, len(info))
        return cls(video, info.path, info.damage, declared, len(info), info.duration, ends)

    @property
    def left_out(self) -> Reject:
        """The same where damaged videos are not used."""
        return replace(self, used=0, until=0.0)

    @property
    def part(self) -> str:
        """Which part is used."""
        return (
            f"{self.used} of {self.declared} frames, to {self.until:.2f} of {self.ends:.2f} seconds"
        )

    @property
    def told(self) -> str:
        """It in a line."""
        if not self.used:
            return f"left out: {self.video}: {self.reason} ({self.path})"
        return f"used in part: {self.video}: {self.reason}; {self.part} ({self.path})"


def write_rejects(rejects: list[Reject], folder: Path) -> Path | None:
    """``rejects.csv``: each video left out or used in part; None, and no file, if there is none.

    Its columns are those of `Reject`.
    """
    path = folder / "rejects.csv"
    if not rejects:
        path.unlink(missing_ok=True)
        return None
    folder.mkdir(parents=True, exist_ok=True)
    columns = [field.name for field in fields(Reject)]
    plain = [
        replace(
            reject,
            video=printable(reject.video),
            path=printable(str(reject.path)),  # type: ignore[arg-type]
            reason=printable(reject.reason),
        )
        for reject in rejects
    ]
    table = pd.DataFrame([astuple(reject) for reject in plain], columns=columns)
    write_table(path, table.round({"until": 3, "ends": 3}))
    return path
