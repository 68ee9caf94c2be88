"""What a program's label file says, in the words of our own label files."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd


@dataclass
class Taken:
    """A label file of another program, as the table of one of our forms.

    Attributes:
        program: its name and version, as users know it.
        table: text in the columns of one of our forms (``video, frame, label``, or ``video,
            time_start, time_end, label``, or ``video, label``), maybe with ``split``, ``site``, ``date``
            and ``subject``. Its index says where a row was: the file's row or line, from 1.
        notes: what was taken, what was left out, and why; a line each.
        problems: what is wrong with rows, all of it; these rows are not in the table.
    """

    program: str
    table: pd.DataFrame
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
