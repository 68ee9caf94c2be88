"""A folder of drawn videos: never half written, drawn once, and never in place of other files."""

import json
import tempfile
from collections.abc import Callable, Iterator, Set
from contextlib import suppress
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

FPS = 10
LABELS, MARK = "labels.csv", "sample.json"  # the mark is written last: with it a folder is complete


def fill(
    folder: Path, files: Set[str], made_of: dict[str, Any], draw: Callable[[Path], None]
) -> Path:
    """Have `draw` fill `folder`, unless it is full already, and return its ``labels.csv``.

    Args:
        files: names of all that `draw` writes into the folder that it is given, with subfolders.
        made_of: what the drawing depends on, such as its version and seed. If it has ``files``, a
            folder with such a mark is replaced though its files have other names.

    Raises:
        FileExistsError: `folder` holds files of others.
    """
    folder, mark = folder.resolve(), json.dumps(made_of)
    if _is_complete(folder, files, mark):
        return folder / LABELS
    own = {*files, MARK, *_once_drawn(folder)}
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()}
    if foreign := found - own:
        raise FileExistsError(
            f"{folder} has other files in it, such as {min(foreign)}: choose another"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Drawn next to its place and then renamed into it, so that nobody sees a half-made sample.
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        (draft := Path(scratch, "draft")).mkdir()
        draw(draft)
        (draft / MARK).write_text(mark)
        if not _is_complete(folder, files, mark):  # else another run was quicker, ours is dropped
            with suppress(FileNotFoundError):
                folder.rename(Path(scratch, "replaced"))
            try:
                draft.rename(folder)
            except OSError:
                if not _is_complete(folder, files, mark):
                    raise
    return folder / LABELS


def _is_complete(folder: Path, files: Set[str], mark: str) -> bool:
    has_all = all((folder / name).is_file() for name in {*files, MARK})
    return has_all and (folder / MARK).read_text() == mark


def _once_drawn(folder: Path) -> list[str]:
    """The files of an older drawing there, as its mark names them."""
    try:
        return list(json.loads((folder / MARK).read_text()).get("files", []))
    except (OSError, ValueError, AttributeError, TypeError):
        return []


def write_video(path: Path, frames: Iterator[tuple[NDArray[Any], str]]) -> list[str]:
    """Encode the frames, uint8 RGB ``[H, W, 3]``, as H.264 or (AVI) MPEG-4; return their labels."""
    labels: list[str] = []
    with av.open(path, "w") as container:
        options = {"b": "400k", "g": "20", "threads": "1", "preset": "veryfast"}
        stream = container.add_stream("mpeg4" if path.suffix == ".avi" else "libx264", FPS, options)
        assert isinstance(stream, av.VideoStream)
        stream.pix_fmt = "yuv420p"
        for picture, label in frames:
            if not labels:  # the codec opens with the first picture
                stream.height, stream.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            container.mux(stream.encode(frame))
            labels.append(label)
        container.mux(stream.encode())
    return labels
