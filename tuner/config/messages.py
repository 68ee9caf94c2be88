"""How mistakes in a configuration are worded, and the errors that report mistakes."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from data.errors import nearest, told
from models.errors import UnknownName

# Aliases of YAML make values of any size out of a few letters.
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 200
_SHORT.maxlist = _SHORT.maxdict = 20
_SHORT.maxlevel = 3


class ConfigError(ValueError):
    """What is wrong with a configuration, each problem a sentence that starts with its key."""

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        self.source, self.problems = source, told(problems)
        super().__init__(f"{source}: " + "; ".join(self.problems))


class Several(ValueError):
    """Several mistakes below one key, each a sentence that starts with its key."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(problems))


def hint(word: str, known: Iterable[str]) -> str:
    """What to append to "unknown ...": the known word that was probably meant, or all of them."""
    known = list(known)
    return nearest(word, known) or f"; known are {', '.join(known)}"


def message(detail: Any) -> str:
    """One of pydantic's error details as a clause that follows the key."""
    if detail["type"] == "value_error":
        cause = detail["ctx"]["error"]
        if isinstance(cause, UnknownName):
            return cause.sentence(nearest(cause.value, cause.known))
        return str(cause)
    if detail["type"] == "missing":
        return "is missing"
    text = detail["msg"][:1].lower() + detail["msg"][1:]
    return f"{text}, not {_SHORT.repr(detail['input'])}"


def sentences(error: ValidationError, root: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """One sentence for each mistake, which begins with `prefix` and the key below `root`."""
    for detail in error.errors():
        # pydantic names the tried type of a union in the location; users know keys only.
        keys = [str(p) for p in detail["loc"] if not isinstance(p, int) and p not in _UNION_TAGS]
        where = ".".join([prefix, *keys] if prefix else keys)
        cause = detail.get("ctx", {}).get("error")
        if detail["type"] == "extra_forbidden":
            known = _section_fields(root, keys[:-1])
            yield f"{where}: unknown key{hint(keys[-1], known)}"
        elif isinstance(cause, Several):
            yield from cause.problems
        else:
            yield f"{where}: {message(detail)}"


_UNION_TAGS = {"list[str]", "float"}


def _section_fields(root: type[BaseModel], location: Sequence[str]) -> list[str]:
    """Names that are known in the section at `location` below `root`."""
    section: Any = root
    for part in location:
        annotation = section.model_fields[part].annotation
        options = [annotation, *getattr(annotation, "__args__", [])]
        section = next(o for o in options if isinstance(o, type) and issubclass(o, BaseModel))
    return list(section.model_fields)


class StoreError(ValueError):
    """The results store can't be used as asked; the message says why and what to do."""


class UserError(Exception):
    """A mistake of the user that no other error describes."""
