"""Video files under a folder, and which of them a label names."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePath

from data.errors import DataError, nearest, some
from data.files.path import File, listed, relative
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
    files = [path for path in entries if is_video(path) and path.is_file()]
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


def stem(file: File | PurePath) -> str:
    """What a video is called: its name without the ending, which a folder of images has not."""
    return file.stem if file.suffix.lower() in EXTENSIONS else file.name


class _Names:
    """How labels may name each file, from the strictest way to the loosest.

    A file may be named by its path under the folder; by its stem or name, alone or after any of its
    parent folders; or by either in any case. A name that fits several files in one way names none.
    """

    def __init__(self, files: Iterable[File], folder: File) -> None:
        self.ways: list[dict[str, set[File]]] = [defaultdict(set) for _ in range(4)]
        self.paths: dict[File, list[str]] = {}
        paths, spellings, any_case_paths, any_case_spellings = self.ways
        for file in files:
            parts = relative(file, folder).parts
            *parents, name = (unicodedata.normalize("NFC", part) for part in parts)
            short = unicodedata.normalize("NFC", stem(file))
            self.paths[file] = ["/".join([*parents, short]), "/".join([*parents, name])]
            # A stem alone is not a path: it may mean the file of that stem in any folder.
            for path in self.paths[file] if parents else [name]:
                paths[path].add(file)
                any_case_paths[path.lower()].add(file)
            for start in range(len(parents) + 1):
                for last in (short, name):
                    spelling = "/".join([*parents[start:], last])
                    spellings[spelling].add(file)
                    any_case_spellings[spelling.lower()].add(file)

    def find(self, name: str) -> list[File]:
        """The files that `name` may mean: one if it is clear, none if there is no such file."""
        name = unicodedata.normalize("NFC", name).replace("\\", "/").removeprefix("./")
        keys = (name, name, name.lower(), name.lower())
        matches = (way[key] for way, key in zip(self.ways, keys, strict=True) if key in way)
        return sorted(next(matches, ()))

    def clear_name(self, file: File) -> str:
        """The shortest path of `file` that means no other file."""
        short, name = self.paths[file]
        return short if self.find(short) == [file] else name


def match_files(
    names: Iterable[str], files: list[File], folder: File
) -> tuple[dict[str, File], list[str]]:
    """Find each label's video among `files`, by stem or name, with parent folders where needed.

    Args:
        folder: where the files are, or the one file itself.

    Returns:
        name to path for those found, and a problem for each that is missing or ambiguous.
    """
    known = _Names(files, folder.parent if folder in files else folder)
    matched, problems = {}, []
    for name in names:
        paths = known.find(name)
        if len(paths) == 1:
            matched[name] = paths[0]
        elif paths:
            advice = known.clear_name(paths[0])
            parts = {
                "folder": "/" in advice,
                "ending": is_video(paths[0]) and advice.endswith(paths[0].suffix),
            }
            needed = " and ".join(part for part, needed in parts.items() if needed)
            problems.append(
                f"video '{name}' could be any of {some(paths)}; write it with its {needed}, "
                f"as '{advice}'"
            )
        else:
            stems = [stem(path) for path in files]
            problems.append(
                f"video '{name}' is not among the {len(files)} videos under '{folder}'"
                f"{nearest(name, stems)}"
            )
    by_path: dict[File, list[str]] = defaultdict(list)
    for name, path in matched.items():
        by_path[path].append(name)
    problems += [
        f"{some(same)} are names of one video, {path.name}: use one name"
        for path, same in by_path.items()
        if len(same) > 1
    ]
    return matched, problems
