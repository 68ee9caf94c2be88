"""timm and torchvision, imported without PyTorch's compiler.

When they are imported, both ask the compiler to leave some of their functions alone, and that alone
would import it: a second and 150 MB in each process, for something that nothing here uses.
Import them from here.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

import torch.compiler

_COMPILER = "torch._dynamo"


class _Later(ModuleType):
    """A module of functions; the real one is imported when one of them is called."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **kwargs: getattr(import_module(self.__name__), name)(*args, **kwargs)


def _leave(function: Any = None, *_: Any, **__: Any) -> Any:
    """`torch.compiler.disable` where nothing is compiled: the function, or a decorator, as it is."""
    return _leave if function is None else function


@contextmanager
def _without_compiler() -> Iterator[None]:
    if _COMPILER in sys.modules:  # then there is nothing to save
        yield
        return
    name, disable = f"{_COMPILER}.utils", torch.compiler.disable
    later = sys.modules[name] = _Later(name)
    torch.compiler.disable = _leave  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.compiler.disable = disable
        if sys.modules.get(name) is later:
            del sys.modules[name]


with _without_compiler():
    import timm
    import torchvision

__all__ = ["timm", "torchvision"]
