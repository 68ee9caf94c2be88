"""Values of a configuration that are written in several ways."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator


def _seconds(value: Any) -> Any:
    """``90``, ``"90s"``, ``"45m"``, ``"1h30m"`` or ``"2d"`` as seconds."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(
        r"(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s?)?", value.replace(" ", "")
    )
    if not value or not match:
        raise ValueError(f"{value!r} is not a duration; write seconds, or 45m, 1h30m, 2d")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _gpus(value: Any) -> float | str:
    if value == "auto":
        return "auto"
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(
            f"{value!r} is not a number of GPUs; write auto, or a number such as 0, 0.25 or 1"
        )
    return value


def _models(value: Any) -> int | str:
    if value == "auto":
        return "auto"
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{value!r} is not a number of models; write auto, or a number such as 3")
    return value


Seconds = Annotated[float, BeforeValidator(_seconds)]
Gpus = Annotated[float | Literal["auto"], BeforeValidator(_gpus)]
Models = Annotated[int | Literal["auto"], BeforeValidator(_models)]
