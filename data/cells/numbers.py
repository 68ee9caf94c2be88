"""What is written in cells of labels as numbers: those of frames, and times."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

_MOST = 2**53  # beyond it not every number is one of float64


def frame_numbers(text: pd.Series) -> pd.DataFrame:
    """Frame numbers from 0, from numbers or from image names such as ``seal-00001.jpg``.

    A number that can't be a frame (-1, 1.5, 1e3) is not read as a name.

    Returns:
        ``number``, NaN if there is none; ``name``, whether it is that of an image's name; ``known``,
        whether it can be a frame's.
    """
    number = text.str.fullmatch(r"[0-9]+(\.0*)?")
    any_number = pd.to_numeric(text.str.replace(",", "."), errors="coerce").notna()
    name = ~number & ~any_number & text.str.contains("[0-9]")
    digits = text.where(~name, text.str.replace(r"\.[A-Za-z]\w*$", "", regex=True))
    frames = pd.to_numeric(digits.str.extract(r"([0-9]+)(?:\.0*)?[^0-9]*$")[0], errors="coerce")
    frames = frames.astype(np.float64).where(number | name)
    return pd.DataFrame({"number": frames, "name": name, "known": frames < _MOST})


def frames_from_0(number: pd.Series, name: pd.Series) -> pd.Series:
    """Frame numbers from 0 as of a whole file; NaN where it has none.

    Image names are numbered from 1, as ffmpeg and the usual extraction tools write them, unless the
    file has a name with number 0.

    Args:
        number, name: as of `frame_numbers`.
    """
    if name.any() and not (number[name] == 0).any():
        number = number - name
    return number.where(number < _MOST)


_LONGEST = 10.0**9  # seconds, 30 years: microseconds of longer ones are lost
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:[.,]\d*)?)")


def parse_time(text: str) -> float:
    """Seconds of ``HH:MM:SS[.fff]``, ``MM:SS[.fff]`` or plain seconds.

    Raises:
        ValueError: it is none of these; the message says what is wrong with it.
    """
    text = text.strip()
    if re.fullmatch(r"\d+([.,]\d*)?|[.,]\d+", text):
        total = float(text.replace(",", "."))
    elif clock := _CLOCK.fullmatch(text):
        # Whole numbers of any length would be right, too, but Python converts only short ones.
        hours, minutes, seconds = (float(part.replace(",", ".")) for part in clock.groups("0"))
        if minutes > 59:
            raise ValueError(f"has {minutes:g} minutes; they go from 0 to 59")
        if seconds >= 60:
            raise ValueError(f"has {seconds:g} seconds; they go from 0 to 59.999")
        total = hours * 3600 + minutes * 60 + seconds
    else:
        raise ValueError("is not a time; write HH:MM:SS, HH:MM:SS.fff or seconds")
    if total > _LONGEST:
        raise ValueError("is longer than any video; write HH:MM:SS, HH:MM:SS.fff or seconds")
    return total


def seconds_of(texts: pd.Series) -> tuple[pd.Series, dict[str, str]]:
    """Seconds of a column of times, as categories, NaN where one is none; what is wrong with a text."""
    seconds, wrong = [], {}
    for text in texts.cat.categories:
        try:
            seconds.append(parse_time(text))
        except ValueError as error:
            seconds.append(np.nan)
            wrong[text] = str(error)
    each = np.array([*seconds, np.nan])[texts.cat.codes]
    return pd.Series(each, index=texts.index), wrong
