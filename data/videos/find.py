"""Video files under a folder."""

from __future__ import annotations

from pathlib import PurePath

from data.errors import DataError, some
from data.files.path import File, listed, relative
from data.files.patience import say
from data.videos.images import image_folders
from data.videos.info import EXTENSIONS


def find_files(folder: File) -> list[File]:
    """Every video file under `folder` by its extension, sorted; hidden ones are left out.

    A folder of numbered images without videos is a video, too, and `folder` itself if there is no other.

    Raises:
        DataError: there is no such folder, or it holds no videos.
    """
    try:
        entries = listed(folder)
    except FileNotFoundError:
        raise DataError([f"data.videos: there is no folder '{folder}'"]) from None
    if entries == [folder]:
        return entries
    of_images = image_folders(entries)
    files = [path for path in entries if is_video(path)]
    for path in files:
        if not path.is_file():
            say(f"left out: {path}: it is a link that leads nowhere")
    files = [path for path in files if path.is_file()]
    files += [path for path in of_images if path != folder and not _hidden(path, folder)]
    files.sort()
    if not files and folder in of_images:
        return [folder]
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


def _hidden(path: File, folder: File) -> bool:
    return any(part.startswith(".") for part in relative(path, folder).parts)


def stem_of(file: File | PurePath) -> str:
    """What a video is called: its name without the ending, which a folder of images has not."""
    return file.stem if file.suffix.lower() in EXTENSIONS else file.name
