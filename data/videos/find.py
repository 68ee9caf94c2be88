"""Video files under a folder."""

from __future__ import annotations

from pathlib import PurePath

from data.errors import DataError, some
from data.files.path import File, listed
from data.files.patience import say
from data.videos.info import EXTENSIONS


def find_files(folder: File) -> list[File]:
    """Every video file under `folder` by its extension, sorted; hidden ones are left out.

    Raises:
        DataError: there is no such folder, or it holds no videos.
    """
    try:
        entries = listed(folder)
    except FileNotFoundError:
        raise DataError([f"data.videos: there is no folder '{folder}'"]) from None
    if entries == [folder]:
        return entries
    files = [path for path in sorted(entries) if is_video(path)]
    for path in files:
        if not path.is_file():
            say(f"left out: {path}: it is a link that leads nowhere")
    files = [path for path in files if path.is_file()]
    if not files:
        endings = sorted({path.suffix.lower() or path.name for path in entries if "." in path.name})
        raise DataError(
            [
                f"data.videos: no videos under '{folder}' and its subfolders; searched for files "
                f"ending in {' '.join(sorted(EXTENSIONS))}"
                + (
                    f"; the files there end in {some(endings)}"
                    if endings
                    else "; it holds no files"
                )
            ]
        )
    return files


def is_video(file: File | PurePath) -> bool:
    """Whether a file is a video by its name; hidden ones are not."""
    return file.suffix.lower() in EXTENSIONS and not file.name.startswith(".")
