"""The images of one video: how they are named, and written so that an interrupted writing goes on."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
import pandas as pd

from data.console import Advance
from data.errors import VideoError
from data.files.image_folder import RATE_FILE
from data.files.whole import replacing
from data.videos.decode import read_frames
from data.videos.rejects import Reject
from data.videos.video import Video

_MARKS = ".extracted"  # folder of a file a video, which says how it was extracted
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # of Windows


@dataclass(frozen=True)
class Images:
    """How frames become images.

    Attributes:
        fps: images a second; None: every frame.
        size: width and height; None: as they are.
        ending: ``jpg`` or ``png``.
        quality: of JPEG, to 100.
    """

    fps: float | None = None
    size: tuple[int, int] | None = None
    ending: str = "jpg"
    quality: int = 92


def safe(name: str) -> str:
    """A name for a file or folder that every system takes, and that leads nowhere else."""
    name = _FORBIDDEN.sub("_", name.encode(errors="replace").decode()).rstrip(" .")
    if not name or name.startswith(".") or _RESERVED.fullmatch(name):
        name = f"_{name.lstrip('.')}"
    return name[:150]


class Job:
    """The images of one video.

    Args:
        folder: of all videos; `place` is that of this video below it.
        rows: ``frame, label`` and maybe ``split``, the sampled frames that are written; None: all.
        by_label: below a folder of their label.
    """

    def __init__(
        self,
        video: Video,
        folder: Path,
        place: PurePath,
        images: Images,
        rows: pd.DataFrame | None = None,
        by_label: bool = False,
    ) -> None:
        self.video, self._folder, self._place, self._images = video, folder, place, images
        self._rows, self._by_label = rows, by_label
        self._mark = folder / _MARKS / f"{place.as_posix().replace('/', '__')}.json"
        self._made = {
            "video": video.key,
            "size": images.size,
            "ending": images.ending,
            "quality": images.quality if images.ending == "jpg" else None,
            "by_label": by_label,
            "frames": None if rows is None else [*zip(*self._wanted(), strict=True)],
        }

    def _wanted(self) -> tuple[list[int], list[str]]:
        """The frames that are written, and the label of each."""
        if self._rows is None:
            return [*range(len(self.video))], [""] * len(self.video)
        return self._rows["frame"].tolist(), self._rows["label"].astype(str).tolist()

    def _image(self, frame: int, label: str) -> Path:
        above = self._folder / safe(label) if self._by_label else self._folder
        name = f"{self._place.name}_{frame + 1:05}.{self._images.ending}"
        return above / self._place / name

    def problems(self) -> list[str]:
        """What speaks against writing there."""
        if not self._mark.exists():
            foreign = {self._image(0, label).parent for label in set(self._wanted()[1])}
            return [
                f"{found} has other files in it, such as {first.name}: choose another --out"
                for found in sorted(foreign)
                if found.is_dir() and (first := next(found.iterdir(), None))
            ]
        if self._marked()["made"] != json.loads(json.dumps(self._made)):
            return [
                f"{self._folder / self._place} was extracted from another file, or with another rate, "
                f"size or labels: delete it and {self._mark}, or choose another --out"
            ]
        return []

    def _marked(self) -> dict[str, object]:
        try:
            return dict(json.loads(self._mark.read_text(encoding="utf-8")))
        except (ValueError, TypeError):
            return {"made": None, "done": False}

    @property
    def done(self) -> bool:
        return self._mark.exists() and bool(self._marked()["done"])

    def _set_mark(self, done: bool) -> None:
        self._mark.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self._mark) as part:
            part.write_text(json.dumps({"made": self._made, "done": done}), encoding="utf-8")

    def run(self, advance: Advance) -> int | Reject:
        """Write the images that are not there yet; returns their number."""
        self._set_mark(False)
        frames, labels = self._wanted()
        wanted = {
            frame: self._image(frame, label) for frame, label in zip(frames, labels, strict=True)
        }
        rate = self._images.fps or self.video.info.fps
        for place in {image.parent for image in wanted.values()}:
            place.mkdir(parents=True, exist_ok=True)
            (place / RATE_FILE).write_text(f"{rate:.6g}\n")
        samples: dict[int, list[int]] = {}
        for sample, frame in enumerate(self.video.indices.tolist()):
            samples.setdefault(frame, []).append(sample)
        count = 0
        try:
            for number, picture in enumerate(read_frames(self.video.info)):
                for sample in samples.get(number, ()):
                    image = wanted.get(sample)
                    if image is not None and not image.exists():
                        self._write(picture, image)
                        count += 1
                    advance()
        except VideoError as error:
            return Reject(self.video.name, self.video.info.path, str(error))
        self._set_mark(True)
        return count

    def _write(self, picture: np.ndarray, path: Path) -> None:
        import PIL.Image

        image = PIL.Image.fromarray(np.ascontiguousarray(picture))
        if self._images.size is not None:
            image = image.resize(self._images.size, PIL.Image.Resampling.BICUBIC)
        kind = "JPEG" if self._images.ending == "jpg" else "PNG"
        more = {"quality": self._images.quality} if kind == "JPEG" else {}
        with replacing(path) as part:
            image.save(part, kind, **more)

    def labelled(self) -> pd.DataFrame:
        """``video, frame, label`` of the images, and ``split`` if the labels have it."""
        rows = self._rows
        assert rows is not None
        images = [self._image(*pair) for pair in zip(*self._wanted(), strict=True)]
        names = {
            "video": [image.parent.relative_to(self._folder).as_posix() for image in images],
            "frame": [image.name for image in images],
            "label": rows["label"].astype(str).tolist(),
        }
        split = {"split": rows["split"].astype(str).tolist()} if "split" in rows else {}
        return pd.DataFrame({**names, **split})
