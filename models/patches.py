"""The private parts of libraries that are used, PyTorch's first of all.

Each is checked before it is used. If a part has changed, a line says so and the library works in its
plain way, which costs time or memory and changes no result.
"""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pkgutil import resolve_name
from types import ModuleType
from typing import Any, TypeVar

T = TypeVar("T")

_log = logging.getLogger(__name__)
_said: set[str] = set()  # in this process


@dataclass(frozen=True)
class Private:
    """Names that a library may change without notice.

    Args:
        library: the name under which it is installed.
        version: the version in which they were looked up.
        cost: what it costs to do without them, as half a sentence.
        names: ``module:Class.method`` to the names of its parameters, such as ``self trial``, or a
            name to the type of its value.
    """

    library: str
    version: str
    cost: str
    names: Mapping[str, str | type]

    def usable(self) -> bool:
        """Whether no name has changed. If one has, a line says so, once in a process."""
        for name, wanted in self.names.items():
            try:
                current = resolve_name(name)
            except (ImportError, AttributeError):
                return self.missing(name)
            if isinstance(wanted, type):
                if not isinstance(current, wanted):
                    return self.missing(name)
            elif parameters(current) != wanted:
                return self.missing(f"{name}({', '.join(wanted.split())})")
        return True

    def missing(self, name: str) -> bool:
        """Say once that `name` is missing or has changed. Returns False, for a check to return."""
        if self.cost in _said:
            return False
        _said.add(self.cost)
        try:
            installed = version(self.library)
        except PackageNotFoundError:
            installed = "(of unknown version)"
        _log.warning(
            f"{self.library} {installed} does not have {name} as {self.library} {self.version} had; "
            f"it is not used: {self.cost}"
        )
        return False


def parameters(function: Any) -> str:
    """The names of a function's parameters; empty if it is not a function."""
    try:
        return " ".join(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return ""


_OPTIMIZER = Private(
    "torch",
    "2.14",
    "each process that trains takes two seconds and 175 MB more",
    {
        "torch.optim:Optimizer.state_dict": "self",
        "torch.optim:Optimizer.load_state_dict": "self state_dict",
        "torch.optim:Optimizer.zero_grad": "self set_to_none",
        "torch.optim:Optimizer.add_param_group": "self param_group",
    },
)
# Wrappers of an optimizer's methods that may be taken off; any other one may be needed.
_WRAPPERS = {
    "_disable_dynamo.<locals>.inner",
    "_use_grad_for_differentiable.<locals>._use_grad",
    "Optimizer.profile_hook_step.<locals>.wrapper",  # which each class gets with its first instance
}


def uncompiled(kind: type[Any]) -> type[Any]:
    """The optimizer class `kind` without what ties it to ``torch.compile``, which nothing here uses.

    The first step would import the compiler: 2 s of CPU and 175 MB in each process that trains
    (measured with torch 2.14, three times each way).
    """
    import torch

    if not _OPTIMIZER.usable():
        return kind
    names = [name.rpartition(".")[2] for name in _OPTIMIZER.names]
    methods = {}
    for name in [*names, "step"]:
        method = getattr(kind, name)
        while hasattr(method, "__wrapped__"):
            if (
                getattr(method, "__code__", None) is None
                or method.__code__.co_qualname not in _WRAPPERS
            ):
                _OPTIMIZER.missing(f"{kind.__name__}.{name} in known wrappers")
                return kind
            method = method.__wrapped__
        methods[name] = method
    if parameters(methods["step"]) != "self closure":
        _OPTIMIZER.missing(f"{kind.__name__}.step(self, closure)")
        return kind
    return type(kind.__name__, (kind,), {**methods, "step": torch.no_grad()(methods["step"])})


_COMPILER = "torch._dynamo"
_ABSENCE = Private(
    "torch",
    "2.14",
    "each process that uses a backbone takes a second and 130 MB more",
    {
        "torch._compile:_disable_dynamo": "fn recursive",
        "torch.compiler:disable": "fn recursive reason",
    },
)


class _Absent(ModuleType):
    """Stands in for a module of the compiler, which is imported once one of its functions is called."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **kwargs: getattr(import_module(self.__name__), name)(*args, **kwargs)

    @staticmethod
    def disable(function: Any = None, *_: Any, **__: Any) -> Any:
        """Return the function unchanged, or a decorator that does: nothing is compiled anyway."""
        return _Absent.disable if function is None else function


@contextmanager
def _compiler_absent() -> Iterator[None]:
    absent = {name: _Absent(name) for name in (_COMPILER, f"{_COMPILER}.utils")}
    sys.modules.update(absent)
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


def without_compiler(action: Callable[[], T]) -> T:
    """Call `action` without PyTorch's compiler, and return what it returns.

    timm, torchvision and building on the meta device ask the compiler to leave some functions alone.
    That would import it: 1.1 s of CPU and 128 MB in each process (measured with torch 2.14, three
    times each way).

    Args:
        action: called again, with the compiler, if it fails without it.
    """
    if _COMPILER in sys.modules or not _ABSENCE.usable():
        return action()
    try:
        with _compiler_absent():
            return action()
    except (ImportError, AttributeError, TypeError) as error:
        result = action()  # raises again if the compiler was not the reason
        _ABSENCE.missing(f"a way to do without {_COMPILER} ({error})")
        return result
