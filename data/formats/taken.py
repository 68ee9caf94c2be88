"""What a program's label file says, in the words of our own label files."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from data.cells.columns import as_categories
from data.cells.text import Advance, Parse
from data.errors import DataError, some
from data.files.path import File

FRAME = ("video", "frame", "label")
RANGE = ("video", "time_start", "time_end", "label")
VIDEO = ("video", "label")
NOBODY = "No focal subject"  # as BORIS calls it
END = "end"  # in place of a time: that of the video
_MOST_ROWS = 3_000_000  # of other programs
_LONGEST = 10.0**9  # seconds, as of `data.cells.numbers`


@dataclass
class Taken:
    """A label file of another program, as the table of one of our forms.

    A range that ends where it starts is a point: it labels the frame that is shown then.

    Attributes:
        program: its name and version, as users know it.
        table: text in the columns of one of our forms (``video, frame, label``, or ``video,
            time_start, time_end, label``, or ``video, label``), maybe with ``split``, ``site``, ``date``
            and ``subject``. Its index says where a row was: the file's row or line, from 1.
        notes: what was taken, what was left out, and why; a line each.
        problems: what is wrong with rows, all of it; these rows are not in the table.
        cut: whether ranges are cut at the end of their video, as they may go on after it.
        spare: videos whose labels are left out where they are not among the videos.
    """

    program: str
    table: pd.DataFrame
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    cut: bool = False
    spare: frozenset[str] = frozenset()

    @property
    def names(self) -> list[str | int]:
        """The columns, as of `data.cells.text.Cells`."""
        return list(self.table.columns)

    @property
    def header(self) -> list[str]:
        """The columns as they are written."""
        return list(self.table.columns)

    def named(self, names: Sequence[str | int | None]) -> Taken:
        """The same table with other names for its columns; one whose name is None is left out."""
        kept = [number for number, name in enumerate(names) if name is not None]
        table = self.table.iloc[:, kept].set_axis([names[number] for number in kept], axis=1)
        return replace(self, table=table)

    def read(
        self, parse: Mapping[str, Parse] | None = None, advance: Advance = lambda count: None
    ) -> pd.DataFrame:
        """The table as `data.cells.text.Cells.read` gives it."""
        columns = [as_categories(self.table[name]) for name in self.table]
        for name, make in (parse or {}).items():
            text = columns[list(self.table).index(name)]
            made = make(pd.Series(text.cat.categories, dtype=str))
            known = made.pop("known").to_numpy()[text.cat.codes]
            columns[list(self.table).index(name)] = as_categories(
                text.astype(object).where(~known).rename(name)
            )
            each = made.take(text.cat.codes).set_index(self.table.index)
            columns += [each[part].rename(f"{name}_{part}") for part in each]
        return pd.concat(columns, axis=1)


class Gathered:
    """What is taken of a file, row by row.

    Args:
        what: a row is called, in problems: ``row``, ``annotation``...
    """

    def __init__(self, program: str, path: File, columns: Iterable[str], what: str = "row") -> None:
        self.program, self.path, self.columns, self.what = program, path, list(columns), what
        self.notes: list[str] = []
        self.problems: list[str] = []
        self._rows: dict[tuple[str, ...], object] = {}
        self._wrong: dict[str, list[object]] = {}
        self._again = 0
        self.spare: set[str] = set()  # as of `Taken`

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: object, *cells: str) -> None:
        """Take a row; one that is there already counts once."""
        if cells in self._rows:
            self._again += 1
            return
        self._rows[cells] = row
        if len(self._rows) > _MOST_ROWS:
            raise DataError(
                [f"{self.path}: has more than {_MOST_ROWS:,} labels: give fewer videos at a time"]
            )

    def wrong(self, row: object, problem: str) -> None:
        """A row that can't be taken, and why; the same of many rows is told once."""
        self._wrong.setdefault(problem, []).append(row)

    def note(self, line: str, count: int = 1) -> None:
        """Something to be known, if `count` is not 0."""
        if count:
            self.notes.append(line)

    def done(self, taken: str) -> Taken:
        """What was gathered.

        Args:
            taken: what the rows are, as ``state events``; their number is put before it.
        """
        table = pd.DataFrame(list(self._rows), columns=self.columns, dtype=str)
        table.index = pd.Index(list(self._rows.values()))
        if "subject" in table:
            nobody = table["subject"].isin(["", NOBODY])
            table = table.drop(columns="subject") if nobody.all() else table
        if "subject" in table:
            table["subject"] = table["subject"].where(~nobody, NOBODY)
            self.note(
                f"subjects ({some(sorted(set(table['subject'])))}) are in the column 'subject'"
            )
        classes = table["label"].nunique()
        videos = table["video"].nunique()
        count = f"{len(table):,} {taken} of {videos:,} videos, {classes} classes"
        first = f"{self.path}: {self.program}: {count}"
        notes = [first, *(f"{self.path}: {note}" for note in self.notes)]
        if self._again:
            notes.append(f"{self.path}: {self._again:,} are there more than once; each counts once")
        problems = [
            f"{self.path}, {self.what}{'s' if len(rows) > 1 else ''} {some(rows)}: {problem}"
            for problem, rows in self._wrong.items()
        ]
        spare = frozenset(self.spare)
        return Taken(self.program, table, notes, [*self.problems, *problems], spare=spare)


def seconds(value: object, most: float = _LONGEST) -> float | None:
    """A number of seconds, as JSON and tables have it; None if it is none, or more than `most`."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value.replace(",", ".") if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and abs(number) <= most else None


def written(time: float) -> str:
    """Seconds as our label files have them, to the microsecond; those of a video's end are infinite."""
    if math.isinf(time):
        return END
    return f"{max(time, 0):.6f}".rstrip("0").rstrip(".")


def whole_number(value: object) -> int | None:
    """A frame number, as JSON, XML and tables have it; None if it is none."""
    number = seconds(value)
    return int(number) if number is not None and number >= 0 and number == int(number) else None


def texts(value: object) -> str:
    """What a file has for a name; empty if it is no text or number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return " ".join(str(value).split())


def counted(counts: Mapping[str, int], limit: int = 8) -> str:
    """``rest 12, walk 3``: of each how many, the commonest first."""
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return some([f"{name or '(empty)'} {count:,}" for name, count in ordered], limit)


Reader = Callable[[File, bytes], Taken]


@dataclass
class Made:
    """Labels in the form of another program.

    Attributes:
        files: name to content; of one file alone, the name is empty.
        notes: what the program's form can't hold, a line each.
    """

    files: dict[str, str]
    notes: list[str] = field(default_factory=list)


def file_name(video: str, taken: Iterable[str], ending: str) -> str:
    """A name in one folder for the labels of a video, as none of those that are `taken`."""
    stem = re.sub(r"[^\w .()+-]", "_", video).strip(". ") or "video"
    name, number = f"{stem}{ending}", 2
    while name in taken:
        name, number = f"{stem}_{number}{ending}", number + 1
    return name
