"""Text, tables, JSON, XML and ZIP of other programs, read so that no file can harm.

What a file may ask of memory and time is bounded: its size, how deep it is nested, what it unpacks
to. XML with a document type, which could define entities without end or name other files, is refused.
"""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, NoReturn
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from data.cells.text import MOST_CELLS
from data.errors import DataError
from data.files.path import File

MOST = 128 * 2**20  # bytes of a file, and of a part of an archive
DEEPEST = 100  # elements of XML within one another
MOST_ELEMENTS = 5_000_000  # of XML: about a gigabyte of memory
MOST_PARTS = 10_000  # of an archive
MOST_UNPACKED = 2**29  # bytes of all parts
_RATIO = 200  # unpacked to packed; tables of one and the same row come to a tenth of it
_SMALL = 2**20  # bytes, below which a part may be packed as well as can be


def refuse(path: File, problem: str) -> NoReturn:
    """Raise the error of a file that can't be read at all."""
    raise DataError([f"{path}: {problem}"])


def text_of(path: File, content: bytes) -> str:
    """The text of a file: UTF-8 or UTF-16 with or without a mark, else what older Windows wrote.

    Raises:
        DataError: it is too large.
    """
    if len(content) > MOST:
        refuse(path, f"has {len(content) >> 20:,} MB; at most {MOST >> 20} MB are read")
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def unpacked(path: File, content: bytes) -> bytes:
    """What a file holds that is packed with gzip, as ``.boris.gz`` is.

    Raises:
        DataError: it is damaged, or too large.
    """
    packed = zlib.decompressobj(wbits=31)
    try:
        found = packed.decompress(content, MOST + 1)
    except zlib.error as error:
        refuse(path, f"is damaged, or not packed with gzip: {error}")
    if len(found) > MOST:
        refuse(path, f"unpacks to more than {MOST >> 20} MB, which no label file needs")
    if not packed.eof:
        refuse(path, "is damaged: its end is missing")
    return found


def rows_of(path: File, content: bytes) -> Iterator[tuple[int, list[str]]]:
    """The rows of a table with their numbers, from 1; cells are stripped, empty rows left out.

    Separators are commas, semicolons or tabs, whichever comes most often in the first row.

    Raises:
        DataError: it is no table.
    """
    text = text_of(path, content)
    start = next((line for line in io.StringIO(text) if line.strip(',;"\t \r\n')), "")
    told = re.fullmatch(r"\W?sep=([,;\t])\W*", start.strip(), re.IGNORECASE)  # for Excel
    separator = told[1] if told else max(",;\t", key=start.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for number, cells in enumerate(reader, 1):
            if len(cells) > MOST_CELLS:
                refuse(
                    path, f"row {number} has {len(cells):,} cells; at most {MOST_CELLS:,} are read"
                )
            stripped = [cell.strip() for cell in cells]
            if any(stripped) and not (told and stripped[0].lower().startswith("sep=")):
                yield number, stripped
    except csv.Error as error:
        refuse(path, f"line {reader.line_num}: not a table: {error}")


def json_of(path: File, content: bytes) -> Any:
    """What a JSON file says.

    Raises:
        DataError: it is no JSON.
    """
    try:
        return json.loads(text_of(path, content), parse_constant=lambda name: None)
    except json.JSONDecodeError as error:
        refuse(path, f"line {error.lineno}, column {error.colno}: not JSON: {error.msg}")
    except RecursionError:
        refuse(path, "is nested deeper than any program writes")
    except ValueError:  # Python converts no numbers of thousands of digits
        refuse(path, "not JSON: it holds a number of thousands of digits")


class _Builder(TreeBuilder):
    """Builds no tree that is too deep, or too large."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = self._count = 0

    def start(self, tag: Any, attributes: Any) -> Element:
        self._depth += 1
        self._count += 1
        if self._depth > DEEPEST:
            raise _TooMuch(f"is nested more than {DEEPEST} deep, which no program writes")
        if self._count > MOST_ELEMENTS:
            raise _TooMuch(
                f"has more than {MOST_ELEMENTS:,} elements: export fewer videos at a time"
            )
        return super().start(tag, attributes)

    def end(self, tag: Any) -> Element:
        self._depth -= 1
        return super().end(tag)


class _TooMuch(Exception):
    pass


def xml_of(path: File, content: bytes) -> Element:
    """The root of an XML file.

    Raises:
        DataError: it is no XML, or could do harm.
    """
    if len(content) > MOST:
        refuse(path, f"has {len(content) >> 20:,} MB; at most {MOST >> 20} MB are read")
    parser = DefusedXMLParser(target=_Builder(), forbid_dtd=True)
    try:
        parser.feed(content)
        return parser.close()
    except ParseError as error:
        line, column = error.position
        refuse(path, f"line {line}, column {column + 1}: not XML: {str(error).split(':')[0]}")
    except DefusedXmlException:
        refuse(path, "has a document type (DTD), which no label file needs and which can do harm")
    except _TooMuch as error:
        refuse(path, str(error))
    except (LookupError, ValueError) as error:  # an encoding that there is not
        refuse(path, f"not XML: {error}")


class Archive:
    """A ZIP file whose parts are no more than can be unpacked safely. Nothing is written to a disk."""

    def __init__(self, path: File, content: bytes) -> None:
        """Look through the list of parts.

        Raises:
            DataError: it is no ZIP file, or could do harm.
        """
        self.path = path
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(content))
            parts = self._zip.infolist()
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, EOFError) as error:
            refuse(path, f"is damaged, or no ZIP file: {error}")
        if len(parts) > MOST_PARTS:
            refuse(path, f"has {len(parts):,} parts; at most {MOST_PARTS:,} are read")
        if sum(part.file_size for part in parts) > MOST_UNPACKED:
            refuse(
                path, f"unpacks to more than {MOST_UNPACKED >> 20} MB, which no label file needs"
            )
        for part in parts:
            if part.file_size > max(_SMALL, _RATIO * part.compress_size):
                refuse(
                    path,
                    f"'{part.filename}' in it is packed {_RATIO} times and more: no label file is",
                )
        self.names = [part.filename for part in parts]

    def read(self, name: str) -> bytes:
        """A part.

        Raises:
            DataError: it can't be unpacked, or is more than the list says.
        """
        try:
            with self._zip.open(name) as part:
                content = part.read(MOST + 1)
        except Exception as error:  # zipfile and its decompressors raise what they like
            refuse(self.path, f"'{name}' in it is damaged: {error}")
        if len(content) > MOST:
            refuse(self.path, f"'{name}' in it has more than {MOST >> 20} MB")
        return content
