"""Which video files labels name: by stem or name, a path from anywhere, a number, another ending."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from data.errors import nearest, some
from data.files.path import File, relative
from data.videos.find import is_video, stem_of

_MOST = 10  # names that are not there, each of which gets a line of its own
_DIGITS = re.compile(r"[0-9]{1,18}")
_ROUNDED = re.compile(r"[0-9][.,]?[0-9]*E\+?[0-9]+", re.IGNORECASE)
_ROOT = re.compile(
    r"[A-Za-z]:(?=/)|[a-z0-9]{2,}:/+"
)  # a drive of Windows, or a scheme such as file://


class _Names:
    """How labels may name each file, from the strictest way to the loosest.

    A file may be named by its path under the folder; by its stem or name, alone or after any of its
    parent folders; or by either in any case. Whatever stands before all of its path under the folder is
    where it was once. A name that fits several files in one way names none.
    """

    def __init__(self, files: Iterable[File], folder: File) -> None:
        self.ways: list[dict[str, set[File]]] = [defaultdict(set) for _ in range(4)]
        self.whole: list[dict[str, set[File]]] = [defaultdict(set) for _ in range(2)]
        self.numbers: dict[int, set[File]] = defaultdict(set)
        self.paths: dict[File, list[str]] = {}
        paths, spellings, any_case_paths, any_case_spellings = self.ways
        for file in files:
            parts = relative(file, folder).parts
            *parents, name = (unicodedata.normalize("NFC", part) for part in parts)
            stem = unicodedata.normalize("NFC", stem_of(file))
            self.paths[file] = ["/".join([*parents, stem]), "/".join([*parents, name])]
            if _DIGITS.fullmatch(stem):
                self.numbers[int(stem)].add(file)
            for path in self.paths[file]:
                self.whole[0][path].add(file)
                self.whole[1][path.lower()].add(file)
            # A stem alone is not a path: it may mean the file of that stem in any folder.
            for path in self.paths[file] if parents else [name]:
                paths[path].add(file)
                any_case_paths[path.lower()].add(file)
            for start in range(len(parents) + 1):
                for last in (stem, name):
                    spelling = "/".join([*parents[start:], last])
                    spellings[spelling].add(file)
                    any_case_spellings[spelling.lower()].add(file)

    def find(self, name: str) -> list[File]:
        """The files that `name` may mean: one if it is clear, none if there is no such file."""
        parts = _parts(name)
        written = "/".join(parts)
        keys = (written, written, written.lower(), written.lower())
        for way, key in zip(self.ways, keys, strict=True):
            if key in way:
                return sorted(way[key])
        return []

    def by_end(self, name: str) -> tuple[list[File], list[str]]:
        """The files that a path from elsewhere may mean, and the folders before it.

        It ends in all of a file's path. Of several such ends the longest counts.
        """
        parts = _parts(name)
        for start in range(1, len(parts)):
            end = "/".join(parts[start:])
            for way, key in zip(self.whole, (end, end.lower()), strict=True):
                if key in way and parts[start - 1] != "..":  # which says that the file is elsewhere
                    return sorted(way[key]), parts[:start]
        return [], []

    def without_ending(self, name: str) -> list[File]:
        """The files that a name may mean whose video ending is another than theirs."""
        short = name[: -len(PurePosixPath(name).suffix)] if is_video(PurePosixPath(name)) else ""
        return (self.find(short) or self.by_end(short)[0]) if short else []

    def of_number(self, name: str) -> list[File]:
        """The files that are named by this number, with zeros before it."""
        whole = re.sub(r"[.,]0+$", "", name)  # 1.0, as tables with empty cells have it
        return sorted(self.numbers.get(int(whole), ())) if _DIGITS.fullmatch(whole) else []

    def clear_name(self, file: File) -> str:
        """The shortest path of `file` that means no other file."""
        stem, name = self.paths[file]
        return stem if self.find(stem) == [file] else name


def _parts(name: str) -> list[str]:
    """The folders of a path of any system, and its file, without a drive or root."""
    plain = unicodedata.normalize("NFC", name).replace("\\", "/")
    if root := _ROOT.match(plain):
        plain = plain[root.end() :]
    parts: list[str] = []
    for part in plain.split("/"):
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return parts


def match_files(
    names: Iterable[str],
    files: Sequence[File],
    folder: File,
    note: Callable[[str], object] = lambda text: None,
    sites: Mapping[str, str] | None = None,
) -> tuple[dict[str, File], list[str]]:
    """Find each label's video among `files`, by stem or name, with parent folders where needed.

    A path from elsewhere is found by its end: all of the file's path below the folder. A number is
    found without the zeros before it, which spreadsheets take away. A name with another ending, as of
    videos that were converted, is found without it.

    Args:
        folder: where the files are, or the one file itself.
        note: gets what a person should know of names that were matched.
        sites: of names; of several files of a name, the one in the folder of its site is meant.

    Returns:
        name to path for those found, and a problem for each that is missing or ambiguous.
    """
    known = _Names(files, folder.parent if folder in files else folder)
    matched: dict[str, File] = {}
    problems, missing = list[str](), list[str]()
    ends, numbers, endings = dict[str, str](), dict[str, str](), dict[str, str]()
    own = [part.lower() for part in _parts(str(folder))]
    for name in names:
        paths = known.find(name)
        if not paths:
            paths, before = known.by_end(name)
            if len(paths) == 1 and [part.lower() for part in before] != own[-len(before) :]:
                ends[name] = known.paths[paths[0]][1]
        of = known.find
        if not paths and (paths := known.of_number(name)) and len(paths) == 1:
            numbers[name] = paths[0].name
        if not paths:
            of = known.without_ending
            paths = of(name)
        if len(paths) > 1 and (site := (sites or {}).get(name)):
            paths = of(f"{site}/{name}") or paths
        if len(paths) == 1:
            matched[name] = paths[0]
            if of == known.without_ending:
                endings[name] = known.paths[paths[0]][1]
        elif paths:
            problems.append(_several(name, paths, known))
        else:
            missing.append(name)
    if len(problems) > _MOST:
        more = len(problems) - _MOST
        problems[_MOST:] = [f"{more:,} more names of videos could be any of several files"]
    for what, taken in (
        ("are paths in other folders than '{folder}', and found by their ends", ends),
        ("are numbers without the zeros of their files, which a spreadsheet takes away", numbers),
        ("have another ending than their files, and are found without it", endings),
    ):
        if taken:
            pairs = some((f"'{name}' is {file}" for name, file in taken.items()), 3)
            note(f"{len(taken):,} names of videos {what.format(folder=folder)}: {pairs}")
    problems += _missing(missing, len(matched), files, folder)
    by_path: dict[File, list[str]] = defaultdict(list)
    for name, path in matched.items():
        by_path[path].append(name)
    several = [
        f"{some(same)} are names of one video, {path.name}: use one name"
        + "".join(
            f"; if they are several, '{name}' is not there" for name in same if name in endings
        )
        for path, same in by_path.items()
        if len(same) > 1
    ]
    if len(several) > _MOST:
        several[_MOST:] = [f"{len(several) - _MOST:,} more videos have several names"]
    problems += several
    return matched, problems


def missing_of(names: Iterable[str], files: Sequence[File], folder: File) -> set[str]:
    """Those names that no file has, as of `match_files`."""
    known = _Names(files, folder.parent if folder in files else folder)
    ways = (known.find, lambda name: known.by_end(name)[0], known.without_ending, known.of_number)
    return {name for name in names if not any(way(name) for way in ways)}


def left_out(missing: Iterable[str]) -> str:
    """What is said of names that may be missing."""
    return f"left out: labels of {some(sorted(missing))}, which are not among the videos"


def _several(name: str, paths: list[File], known: _Names) -> str:
    """That a name could be any of several files, and what to write."""
    advice = known.clear_name(paths[0])
    ending = is_video(paths[0]) and advice.endswith(paths[0].suffix)
    parts = {"folder": "/" in advice, "ending": ending}
    needed = " and ".join(part for part, needed in parts.items() if needed)
    return (
        f"video '{name}' could be any of {some(paths)}; write it "
        f"{f'with its {needed}, ' if needed else ''}as '{advice}'"
    )


def _missing(names: list[str], found: int, files: Sequence[File], folder: File) -> list[str]:
    """What is said of names that no file has: of many, one line."""
    where = f"not among the {len(files)} videos under '{folder}'"
    if len(names) > _MOST:
        line = (
            f"{len(names):,} of {len(names) + found:,} videos are {where}: {some(map(repr, names))}"
        )
        return [f"{line}{_other_folder(names[0], files)}"]
    stems = [stem_of(path) for path in files]
    problems = []
    for name in names:
        hint = _other_folder(name, files) or nearest(name, stems)
        if _ROUNDED.fullmatch(name):
            hint = "; a spreadsheet has made a number of its name: write it as text"
        problems.append(f"video '{name}' is {where}{hint}")
    return problems


def _other_folder(name: str, files: Sequence[File]) -> str:
    """That a file of this name is in another folder than a label says."""
    parts = _parts(name)
    if len(parts) < 2:
        return ""
    last = PurePosixPath(parts[-1].lower())
    same = [path for path in files if last.name in (path.name.lower(), stem_of(path).lower())]
    return f" (in another folder there is {some(same, 2)})" if same else ""
