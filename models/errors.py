"""What this package raises beyond ValueError."""

from collections.abc import Iterable, Sequence


class WeightsError(ValueError):
    """The weights of a backbone can't be had, or don't fit it. The message says what to do."""


class UnknownName(ValueError):
    """An unknown name; the message lists the known ones.

    Args:
        kind (str): what was named, such as ``backbone``, for the message.
        value (str): the name.
        known (Sequence[str]): all names that it could have been.
        listed (str): a sentence on what is known; "" lists all of ``known``.
    """

    def __init__(self, kind: str, value: str, known: Sequence[str], listed: str = "") -> None:
        super().__init__(kind, value, known, listed)
        self.kind, self.value, self.known = kind, value, known
        self.listed = listed or f"Known are {', '.join(known)}."

    def __str__(self) -> str:
        return self.sentence()

    def sentence(self, suggestion: str = "") -> str:
        """Return the message, with a suggestion after the name."""
        return f"unknown {self.kind} {self.value!r}{suggestion}. {self.listed}"


def match(value: str, known: Iterable[str]) -> str | None:
    """Return the known name that equals ``value`` in any case of letters, or None."""
    return next((name for name in known if name.lower() == value.strip().lower()), None)
