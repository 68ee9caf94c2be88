"""What the rules of a parameter are made of, and how parameters are checked against them.

The table of the rules is the fields of `models.config.ModelParameters`, and those of the tuner's
`TrainingConfig`: a field has the type, the default and the range of a value, and a `Row` that says
what holds between it and other parameters. The check of a model, the search space and their messages
read the table. Conditions take a mapping of the parameters, without some that are chosen later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from models.registry import REGISTRY, Architecture

Params = Mapping[str, Any]
Broken = tuple[tuple[str, ...], str]  # the fields of a rule, and what is wrong


@dataclass(frozen=True, kw_only=True)
class Unused:
    """Choices after which a parameter makes no difference; it then has its default.

    Attributes:
        after: whether it makes no difference, given the other parameters.
        reads: the parameters that `after` looks at, apart from the architecture.
        refused: the message for a value other than the default; None: the value is ignored.
    """

    after: Callable[[Params], bool]
    reads: tuple[str, ...] = ("architecture",)
    refused: Callable[[Params], str] | None = None


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A limit to the values of a parameter that is used.

    Attributes:
        allows: whether a value is allowed, given the other parameters.
        reads: the other parameters that `allows` looks at.
        broken: the message for parameters that break the limit.
        none_left: the message if none of the values to choose from is allowed.
        about: the parameter that `broken` is about; None: the row's own.
    """

    allows: Callable[[Any, Params], bool]
    reads: tuple[str, ...]
    broken: Callable[[Params], str]
    none_left: Callable[[Params], str]
    about: str | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """What holds for one parameter, given those that are chosen before it.

    Attributes:
        unused: the first that applies decides.
        limits: those of its values, if it is used.
        shapes: what it determines: the ``features`` that a head is trained over, the ``network``
            that gives them (and is fine-tuned), or the tensors of the ``head``; None: none of these.
        of_architecture: gives its default, if that depends on the architecture.
        brought_by: the earlier parameter whose choice brings it in. A choice of that parameter that
            leaves no value here is not offered.
        name, default: of the field; `table` fills them in.
    """

    unused: tuple[Unused, ...] = ()
    limits: tuple[Limit, ...] = ()
    shapes: Literal["features", "network", "head"] | None = None
    of_architecture: Callable[[Architecture], Any] | None = None
    brought_by: str | None = None
    name: str = ""
    default: Any = None

    def default_for(self, architecture: str) -> Any:
        """Return the value that it has if none is given."""
        if self.of_architecture:
            return self.of_architecture(REGISTRY[architecture])
        return self.default

    def unused_after(self, params: Params) -> Unused | None:
        """Return why the parameter makes no difference after the choices, or None if it does."""
        for unused in self.unused:
            if unused.after(params):
                return unused
        return None


def table(fields: Mapping[str, Any]) -> dict[str, Row]:
    """Return the row of each field of a pydantic model; a field without one has no rules."""
    rows = {}
    for name, field in fields.items():
        row = next((item for item in field.metadata if isinstance(item, Row)), Row())
        rows[name] = replace(row, name=name, default=field.default)
    return rows


def broken_rules(rows: Mapping[str, Row], params: Params) -> Iterator[Broken]:
    """Yield, for every rule that the parameters break, its fields and what is wrong.

    The first of the fields is the one that the sentence is about.
    """
    said = set()
    for name, row in rows.items():
        for fields, sentence in _broken(name, row, params):
            if sentence not in said:  # one rule may stand in the rows of several parameters
                said.add(sentence)
                yield fields, sentence


def _broken(name: str, row: Row, params: Params) -> Iterator[Broken]:
    value, unused = params[name], row.unused_after(params)
    if unused is not None:
        if unused.refused and value != row.default_for(params["architecture"]):
            yield (name, *unused.reads), unused.refused(params)
        return
    for limit in row.limits:
        if not limit.allows(value, params):
            yield (limit.about or name, name, *limit.reads), limit.broken(params)
