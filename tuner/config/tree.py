"""What a YAML file holds before it is known what it means: plain values, which can be kept and shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_MOST_VALUES = 100_000  # of a configuration
# What neither a path nor a results store takes: the end of a text in C, and halves of characters.
_NO_TEXT = re.compile("[\0\ud800-\udfff]")


def unfit(tree: dict[Any, Any]) -> list[str]:
    """What is wrong with the values of a configuration, whatever their keys mean.

    Aliases of YAML make a value hold itself, or billions of values out of a few letters.
    """
    sizes: dict[int, int] = {}
    if _size(tree, sizes) is None:
        return ["a value is within itself: an alias (*) stands in what it is an alias of"]
    if (count := sizes[id(tree)]) > _MOST_VALUES:
        return [f"holds {count:,} values, with those of aliases (*); at most {_MOST_VALUES:,}"]
    return [
        f"{key}: {text!r} has a character that is none ({character!r}): write it in UTF-8"
        for key, value in tree.items()
        for text in _texts([key, value], set())
        for character in _NO_TEXT.findall(text)[:1]
    ]


def _size(value: Any, sizes: dict[int, int]) -> int | None:
    """How many values there are in `value`, itself included; None if it is within itself.

    Args:
        sizes: of those that were counted, by their identity; 0 while they are counted.
    """
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in sizes:
        sizes[id(value)], total = 0, 1
        for part in value.values() if isinstance(value, dict) else value:
            if (size := _size(part, sizes)) is None:
                return None
            total += size
        sizes[id(value)] = total
    return sizes[id(value)] or None


def _texts(value: Any, seen: set[int]) -> Iterator[str]:
    """All texts in `value`, each once."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list) and id(value) not in seen:
        seen.add(id(value))
        for part in [*value, *value.values()] if isinstance(value, dict) else value:
            yield from _texts(part, seen)
