"""What a tool works on: the videos and labels of a search's YAML, or a folder and a label file."""

from __future__ import annotations

import argparse
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, get_args

import yaml

from data.console import Output
from data.dataset import Dataset, load
from data.errors import DataError, nearest
from data.files.path import File, place, relative
from data.files.plain_yaml import MOST_BYTES, values
from data.labels.columns import Given
from data.labels.file import label_form
from data.labels.gaps import Gaps
from data.labels.numbering import Numbers
from data.labels.sets import TaskName
from data.tools.drawing.sets import DRAWN, draw_set
from data.videos.find import find_files, stem_of

_ENDINGS = (".yaml", ".yml")
_TASKS: tuple[TaskName, ...] = get_args(TaskName)

_KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("videos", "labels", "unit", "damaged", "frame_numbers", "background"), (str,)),
    **dict.fromkeys(("shortest_event", "margin"), (int, float)),
    **dict.fromkeys(("sample_seed", "max_frames"), (int,)),
    "fps": (int, float),
    **dict.fromkeys(("splits", "columns"), (dict,)),
}
_KINDS_OF_SPLITS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("by", "file"), (str,)),
    **dict.fromkeys(("valid", "test"), (int, float, list)),
    "seed": (int,),
}


@dataclass(frozen=True)
class Source:
    """Videos, their labels if there are any, and how a search would read them.

    Attributes:
        settings: of the section ``data`` of a YAML; empty, if none was given.
        splits: of ``data.splits`` there.
        task: ``multilabel``: several classes may be shown at once.
    """

    videos: File
    labels: File | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    splits: Mapping[str, Any] = field(default_factory=dict)
    task: TaskName = "multiclass"

    @property
    def by(self) -> str | None:
        """What keeps videos together, if it is said."""
        return self.splits.get("by")

    @property
    def columns(self) -> Given | None:
        """As of `data.dataset.load`."""
        return self.settings.get("columns")

    @property
    def gaps(self) -> Gaps:
        """How unlabelled time, short events and boundaries are taken."""
        background = self.settings.get("background")
        return Gaps(
            None if background == "drop" else background,
            self.settings.get("shortest_event") or 0,
            self.settings.get("margin") or 0,
        )

    @property
    def numbers(self) -> Numbers:
        """What frames the labels number."""
        return self.settings.get("frame_numbers", "file")

    def load(self, output: Output, **splits: Any) -> Dataset:
        """The data set, as a search has it.

        Args:
            splits: in place of some of `splits`; None has no effect.

        Raises:
            DataError: everything that is wrong with the labels, at once.
            S3Error: videos or labels are on S3, and it can't be used.
        """
        assert self.labels is not None
        unit = self.settings.get("unit", "auto")
        asked = {
            **self.splits,
            **{key: value for key, value in splits.items() if value is not None},
        }
        if unit == "auto":
            by = asked.get("by")
            unit = label_form(self.labels, () if by is None else (by,), self.columns)
        listed = asked.get("file")
        named = any(isinstance(asked.get(split), list) for split in ("valid", "test"))
        other: float | list[str] = [] if named else 0.15  # as names and shares don't go together
        drawn = listed is not None or not asked.keys() & {"valid", "test"}
        with contextlib.ExitStack() as bars:

            def opening(count: int) -> Callable[[], None]:
                return bars.enter_context(output.bar("opening videos", count))

            def bring(chunks: int) -> Callable[[], None]:
                return bars.enter_context(output.bar("bringing videos, MB", chunks))

            return load(
                self.videos,
                self.labels,
                unit="video" if unit == "video" else "frame",
                fps=self.settings.get("fps"),
                most=self.settings.get("max_frames"),
                valid=None if drawn else asked.get("valid", other),
                test=None if drawn else asked.get("test", other),
                seed=asked.get("seed", 0),
                by=asked.get("by"),
                splits=None if listed is None else place(str(listed)),
                damaged=self.settings.get("damaged", "use"),
                columns=self.columns,
                frame_numbers=self.numbers,
                gaps=self.gaps,
                task=self.task,
                on_read=partial(output.bar, f"reading {self.labels}, MB"),
                on_open=opening,
                on_bring=bring,
            )


def parser(tool: str, description: str, examples: str) -> argparse.ArgumentParser:
    """An argument parser whose help ends with examples."""
    return argparse.ArgumentParser(
        prog=f"python -m data {tool}",
        description=description,
        epilog="examples:\n" + "\n".join(f"  {line}" for line in examples.strip().splitlines()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_source(arguments: argparse.ArgumentParser) -> None:
    """Add what `source_of` takes."""
    arguments.add_argument(
        "source",
        nargs="?",
        metavar="CONFIG|FOLDER",
        help="the YAML of a search, or the folder of the videos",
    )
    arguments.add_argument("--labels", metavar="FILE", help="the label file, if no YAML names it")
    add_task(arguments, "; as the YAML has it, if not given")


def add_task(arguments: argparse.ArgumentParser, default: str = "") -> None:
    """Add ``--task``.

    Args:
        default: what the help says of it.
    """
    arguments.add_argument(
        "--task",
        choices=_TASKS,
        help=f"multilabel: several classes may be shown at once, so that labels overlap{default}",
    )


def source_of(
    source: str | None, labels: str | None, output: Output, task: TaskName | None = None
) -> Source:
    """What was given on a command line.

    Args:
        source: a YAML, a folder of videos, or one of `DRAWN`; None: the folder that the labels are in.
        labels, task: in place of those of the YAML.

    Raises:
        DataError: the YAML can't be used, or there is neither.
    """
    if source is None:
        if labels is None:
            raise DataError(["give the YAML of a search, or the folder of your videos"])
        file = place(labels)
        return Source(file.parent, file, task=task or "multiclass")
    settings: dict[str, Any] = {}
    written: TaskName = "multiclass"
    if source.lower().endswith(_ENDINGS) and not Path(source).is_dir():
        settings, written = _read(Path(source))
    elif source not in DRAWN or Path(source).exists():
        settings = {"videos": source}
    else:
        settings = {"videos": source, "labels": None}
    videos = str(settings.get("videos") or "sample")
    if videos in DRAWN and not (labels or settings.get("labels")):
        labels = str(draw_set(videos, settings.get("sample_seed") or 0, output))
        videos = str(Path(labels).parent)
    named = labels or settings.get("labels")
    splits = settings.get("splits") or {}
    given = {key: value for key, value in splits.items() if value is not None}
    file_of = None if named is None else place(str(named))
    return Source(place(videos), file_of, settings, given, task or written)


def named_videos(folder: File, *, endings: bool = False) -> dict[str, File]:
    """Videos by their path below the folder, without the ending where that is clear.

    Args:
        endings: keep all of them.

    Raises:
        DataError: there are none.
    """
    files = find_files(folder)
    root = folder.parent if files == [folder] else folder
    paths = {file: relative(file, root) for file in files}
    short = {file: (path.parent / stem_of(file)).as_posix() for file, path in paths.items()}
    often = Counter(name.lower() for name in short.values())
    clear = {file: not endings and often[name.lower()] == 1 for file, name in short.items()}
    return {short[file] if clear[file] else paths[file].as_posix(): file for file in files}


def _read(path: Path) -> tuple[dict[str, Any], TaskName]:
    """The section ``data`` of a YAML, as far as tools use it, and the task of its models.

    Raises:
        DataError: it can't be read, or values are of other kinds than they should be.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError([f"{path}: has more than {MOST_BYTES:,} bytes: is it a search's YAML?"])
        tree = values(path.read_text(encoding="utf-8"))
    except OSError as error:
        near = nearest(path.name, [file.name for file in path.parent.glob("*.y*ml")])
        raise DataError([f"{path}: can't be read: {error.strerror}{near}"]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError([f"{path}: is not valid YAML: {error}"]) from error
    section = tree.get("data") if isinstance(tree, dict) else None
    if section is None:
        section = {}
    if not isinstance(section, dict):
        problems = ["data: is not a section of keys such as videos: and labels:"]
    else:
        problems = [*_others("data", section, _KINDS)]
        if not problems:
            problems = [*_others("data.splits", section.get("splits") or {}, _KINDS_OF_SPLITS)]
    task = _task(tree)
    if task not in _TASKS:
        problems.append(f"model.task: {task!r} is not {' or '.join(_TASKS)}")
    if problems:
        advice = f"python -m tuner.search {path} --dry-run checks all of it"
        raise DataError([*(f"{path}: {problem}" for problem in problems), advice])
    return section, task


def _task(tree: object) -> Any:
    """The task that a YAML has under ``model``, or under ``space`` as its only one."""
    found: Any = None
    for name in ("model", "space"):
        section = tree.get(name) if isinstance(tree, dict) else None
        written = section.get("task") if isinstance(section, dict) else None
        if isinstance(written, list) and len(written) == 1:
            (written,) = written
        found = written if written is not None else found
    return _TASKS[0] if found is None else found


def _others(
    section: str, found: Mapping[str, Any], kinds: Mapping[str, tuple[type, ...]]
) -> Iterator[str]:
    """A problem of each value that is of another kind."""
    for key, right in kinds.items():
        value = found.get(key)
        if value is not None and (not isinstance(value, right) or isinstance(value, bool)):
            names = " or ".join(kind.__name__ for kind in right)
            yield f"{section}.{key}: {value!r} is not {names}"
