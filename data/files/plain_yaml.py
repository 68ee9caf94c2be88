"""YAML as people write it, read as plain values: nothing in it is run, and no key counts twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

import yaml

MOST_BYTES = 1_000_000  # of a YAML file


class _UniqueKeys(yaml.SafeLoader):
    """A key given twice is a mistake; YAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        made = super().construct_mapping(node, deep)
        if len(made) < len(node.value):
            keys = Counter(self.construct_object(key, deep=True) for key, _ in node.value)
            key, line = keys.most_common(1)[0][0], node.start_mark.line + 1
            raise yaml.YAMLError(f"key '{key}' is given twice in the section at line {line}")
        return made

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Leave merge keys (<<) as they are, which is refused: they give keys twice."""


def values(text: str) -> Any:
    """What a text of YAML holds.

    Raises:
        yaml.YAMLError: it is none.
    """
    try:
        return yaml.load(text, _UniqueKeys)
    except (yaml.YAMLError, MemoryError):
        raise
    except RecursionError as error:
        raise yaml.YAMLError("it is nested too deeply") from error
    except Exception as error:  # for dates, numbers and tags it raises errors of all kinds
        raise yaml.YAMLError(f"a value is not what it is said to be ({error})") from error
