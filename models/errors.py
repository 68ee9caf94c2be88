"""What this package raises beyond ValueError."""

import difflib
from collections.abc import Iterable


class WeightsError(ValueError):
    """The weights of a backbone can't be had, or don't fit it. The message says what to do."""


def match(value: str, known: Iterable[str]) -> str | None:
    """Return the known name that equals ``value`` but for upper and lower case, or None."""
    return next((name for name in known if name.lower() == value.strip().lower()), None)


def nearest(value: str, known: Iterable[str], *, count: int = 3) -> str:
    """Return " Did you mean a, b?" with the known names closest to ``value``, or nothing."""
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(value.strip().lower(), by_lower, n=count, cutoff=0.6)
    return f" Did you mean {', '.join(by_lower[name] for name in close)}?" if close else ""
