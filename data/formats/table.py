"""Which label files of other programs there are, and which of them a file is, by its content."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pandas as pd

from data.cells.text import read_content
from data.errors import DataError, some
from data.files.path import File, relative
from data.formats import (
    camtrapdp,
    camtrapdp_written,
    cvat,
    elan,
    folders,
    onehot,
    sheet,
    via,
    zamba,
)
from data.formats.boris import others as boris_others
from data.formats.boris import project as boris
from data.formats.boris import tables as boris_tables
from data.formats.boris import written as boris_written
from data.formats.content import MOST, Archive, refuse, rows_of, text_of, unpacked
from data.formats.taken import NOBODY, Made, Reader, Taken
from data.videos.find import find_files, is_video
from data.videos.info import VideoInfo

Kind = Literal["frame", "range", "video"]
Writer = Callable[[pd.DataFrame, Mapping[str, VideoInfo]], Made]

_HEAD = 2**20  # bytes that tell what a file is
_LINES = 200  # rows, in which older tables of BORIS have their header
_MOST_FILES = 20_000  # in a folder of label files
_ENDINGS = {
    ".eaf",
    ".xml",
    ".json",
    ".boris",
    ".csv",
    ".tsv",
    ".txt",
    ".xlsx",
    ".gz",
}  # looked at in folders
_ZIP, _OLE, _GZIP = b"PK", b"\xd0\xcf\x11\xe0", b"\x1f\x8b"


@dataclass(frozen=True)
class Format:
    """A program's label files.

    Attributes:
        program: as users know it.
        read: None, if it is only written.
        write: None, if it is only read; it is given rows of this `kind`.
    """

    program: str
    read: Reader | None
    write: Writer | None = None
    kind: Kind = "range"


FORMATS: dict[str, Format] = {
    "boris": Format(boris.PROGRAM, boris.read, boris_written.write),
    "boris-events": Format("BORIS events", boris_tables.read),
    "elan": Format(elan.PROGRAM, elan.read, elan.write),
    "cvat": Format(cvat.PROGRAM, cvat.read, cvat.write, "frame"),
    "via": Format(via.PROGRAM, via.read, via.write),
    "via-csv": Format(via.EXPORT, via.read_table),
    "camtrapdp": Format(camtrapdp.PROGRAM, camtrapdp.read, camtrapdp_written.write, "video"),
    "deepethogram": Format(onehot.PROGRAM, onehot.read, onehot.write, "frame"),
    "zamba": Format(zamba.PROGRAM, zamba.read, zamba.write, "video"),
}


@dataclass
class Opened:
    """A label file.

    Attributes:
        content: of a CSV file of our own.
        taken: what a file of another program says, instead.
        notes: what is to be known of how it was read.
    """

    content: bytes = b""
    taken: Taken | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """What is wrong with rows that were not taken."""
        return list(self.taken.problems) if self.taken else []


def recognised(path: File, content: bytes, wanted: Iterable[str] = ()) -> str | None:
    """Which of `FORMATS` a file is by its content; None, if it may be a CSV file of our own.

    Args:
        wanted: columns that a user has named, in lower case.
    """
    head = text_of(path, content[:_HEAD])
    if head.lstrip()[:1] in ("{", "<"):
        tests = {"boris": boris, "via": via, "camtrapdp": camtrapdp, "elan": elan, "cvat": cvat}
        return next((name for name, module in tests.items() if module.recognised(head)), None)
    if head.startswith("#") and via.recognised_table(via.columns_said(head)):
        return "via-csv"
    if len(content) > _HEAD:
        head = head.rpartition("\n")[0]
    try:
        rows = [cells for _, cells in zip(range(_LINES), _cells(path, head), strict=False)]
    except DataError:
        return None
    if not rows or set(wanted) & {cell.lower() for cell in rows[0]}:
        return None
    return _of_header(rows[0], rows[1] if len(rows) > 1 else []) or (
        "boris-events" if any(map(boris_tables.recognised, rows)) else None
    )


def _cells(path: File, text: str) -> Iterable[list[str]]:
    return (cells for _, cells in rows_of(path, text.encode("utf-8", "replace")))


def _of_header(header: list[str], second: list[str]) -> str | None:
    if boris_tables.recognised(header):
        return "boris-events"
    if via.recognised_table(header):
        return "via-csv"
    if zamba.recognised(header):
        return "zamba"
    return "deepethogram" if onehot.recognised(header, second) else None


def opened(path: File, key: str, columns: Mapping[str, str | None] | None = None) -> Opened:
    """Read a label file of any program, or a folder of them.

    Args:
        key: of the YAML, which names the file.
        columns: that a user has named, by our names: a table that has one is no other program's, and a
            sheet that has one is the right one of its workbook.

    Raises:
        DataError: it can't be read, or is of no form that is known.
    """
    if isinstance(path, Path) and path.is_dir():
        return _of_folder(path)
    wanted = [name for name in (columns or {}).values() if name]
    return _of_file(path, read_content(path, key), wanted)


def _of_file(path: File, content: bytes, wanted: Iterable[str] = ()) -> Opened:
    notes, wanted = list[str](), {name.lower() for name in wanted}
    if content[:2] == _GZIP:
        content = unpacked(path, content)
    if content[:2] == _ZIP:
        archive = Archive(path, content)
        if sheet.PART not in archive.names:
            return Opened(taken=_of_archive(path, archive))
        content, notes = sheet.as_table(
            path, archive, content, lambda header: _known(header, wanted)
        )
    elif content[:4] == _OLE:
        refuse(path, "is a workbook of an older Excel; save it as .xlsx or CSV and give that")
    name = recognised(path, content, wanted)
    if name is not None and (read := FORMATS[name].read):
        taken = read(path, content)
        taken.notes = [*notes, *taken.notes]
        return Opened(taken=taken)
    start = content[:200].lstrip(b"\xef\xbb\xbf \t\r\n")[:5]
    if start == b"<?xml" or (
        start[:1] in (b"{", b"<") and path.suffix.lower() in (".json", ".xml")
    ):
        programs = ", ".join(one.program for one in FORMATS.values())
        refuse(path, f"is no file of a program that is known; these are: {programs}")
    _refuse_part(path, content)
    if problem := boris_others.problem(content, path.suffix):
        refuse(path, problem)
    return Opened(content, notes=notes)


def _known(header: list[str], wanted: set[str]) -> bool:
    names = {name.lower() for name in header}
    forms = {"video", "label"} <= names or {"video", "split"} <= names
    return forms or bool(wanted & names) or _of_header(header, []) is not None


def _of_archive(path: File, archive: Archive) -> Taken:
    if any(name.rpartition("/")[2] == camtrapdp.MARK for name in archive.names):
        return camtrapdp.read_archive(path, archive)
    if cvat.PART not in archive.names:
        refuse(
            path,
            f"is a ZIP file with {some(sorted(archive.names), 3) or 'nothing'} in it, no workbook, "
            "Camtrap DP or export of CVAT; unpack it and give the file with the labels",
        )
    return cvat.read_archive(path, archive)


def _refuse_part(path: File, content: bytes) -> None:
    """Say what to give instead of one of the tables of a data package."""
    header = content[:2000].split(b"\n", 1)[0].decode("utf-8", "replace")
    if "deploymentID" in header and ("observationLevel" in header or "mediaID" in header):
        refuse(path, f"is one table of a Camtrap DP; give its {camtrapdp.MARK}, or the folder")


def _of_folder(path: Path) -> Opened:
    if (mark := path / camtrapdp.MARK).is_file():
        return Opened(taken=camtrapdp.read(mark, read_content(mark, "data.labels")))
    found: dict[str, dict[Path, Taken]] = defaultdict(dict)
    for file in _label_files(path):
        if _may_be_labels(file):
            try:
                taken = _of_file(file, file.read_bytes()).taken
            except DataError:
                if file.suffix.lower() == ".xlsx":  # there are others than those of labels
                    continue
                raise
            if taken:
                found[re.sub(r" (tabular|aggregated)", "", taken.program)][file] = taken
    if len(found) > 1:
        kinds = some(f"{len(files)} of {program}" for program, files in found.items())
        refuse(path, f"holds label files of several programs ({kinds}); give one of them")
    if not found:
        return Opened(taken=folders.read(path, find_files(path)))
    (files,) = found.values()
    return Opened(taken=_joined(path, files))


def _may_be_labels(file: Path) -> bool:
    """Whether a file in a folder may be one of another program, by how it begins."""
    if file.stat().st_size > MOST:
        return False
    if file.suffix.lower() == ".gz":  # a copy of a project beside it counts once
        return file.name.lower().endswith(".boris.gz") and not file.with_suffix("").exists()
    with file.open("rb") as start:
        head = start.read(_HEAD)
    return head[:2] == _ZIP or recognised(file, head[: head.rfind(b"\n") + 1] or head) is not None


def _label_files(path: Path) -> list[Path]:
    files = [file for file in path.rglob("*") if file.suffix.lower() in _ENDINGS and file.is_file()]
    files = [f for f in sorted(files) if not f.name.startswith(("~", ".")) and not is_video(f)]
    if len(files) > _MOST_FILES:
        refuse(
            path, f"holds {len(files):,} files that may be labels; at most {_MOST_FILES:,} are read"
        )
    # What DeepEthogram predicted lies beside what a person has labelled.
    labelled = {str(file) for file in files if "_labels" in file.stem}
    labelled |= {
        str(file.parent / f"{file.parent.name}_labels{file.suffix}")
        for file in files
        if re.search("label|score", file.stem.lower()) and (file.parent / onehot.RECORD).is_file()
    }
    return [
        f for f in files if str(f).replace("_predictions", "_labels") not in labelled - {str(f)}
    ]


def _joined(path: Path, files: Mapping[Path, Taken]) -> Taken:
    """The labels of several files of one program; a row is called by its file, too."""
    tables, problems, notes = [], list[str](), Counter[str]()
    program = ""
    for file, one in files.items():
        program, table = one.program, one.table
        place = relative(file, path).as_posix()
        tables.append(table.set_axis([f"{place} {row}" for row in table.index]))
        problems += one.problems
        notes.update(note.removeprefix(f"{file}: ") for note in one.notes)
    table = pd.concat(tables)
    if "subject" in table:
        table["subject"] = table["subject"].fillna(NOBODY)
    table = table.fillna("")
    first = (
        f"{path}: {program}: {len(table):,} labels of {table['video'].nunique():,} videos in "
        f"{len(files)} files, {table['label'].nunique()} classes"
    )
    others = [
        f"{path}: {note}" + (f" ({count} files)" if count > 1 else "")
        for note, count in notes.items()
        if not note.startswith(f"{program}: ")
    ]
    spare = frozenset(name for one in files.values() for name in one.spare)
    return Taken(program, table, [first, *others], problems, spare=spare)
