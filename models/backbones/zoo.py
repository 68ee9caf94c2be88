"""timm and torchvision, without PyTorch's compiler; import them from here.

When they are imported, and when a network is built on the meta device, the compiler is asked to leave
some functions alone. That would import it, for nothing: a second and 150 MB in each process.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

import torch

_COMPILER = "torch._dynamo"


class _Absent(ModuleType):
    """In place of a module of the compiler, which is imported if one of its functions is called."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **kwargs: getattr(import_module(self.__name__), name)(*args, **kwargs)

    @staticmethod
    def disable(function: Any = None, *_: Any, **__: Any) -> Any:
        """The function, or a decorator, as it is: what is not compiled need not be kept from it."""
        return _Absent.disable if function is None else function


@contextmanager
def _without_compiler() -> Iterator[None]:
    """Whatever asks the compiler to leave a function alone in here does not import it."""
    if _COMPILER in sys.modules:  # then there is nothing to save, or this is inside of another
        yield
        return
    absent = {name: _Absent(name) for name in (_COMPILER, f"{_COMPILER}.utils")}
    sys.modules.update(absent)
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


@contextmanager
def on_meta() -> Iterator[None]:
    """Networks that are built in here are on the meta device: tensors have shapes but no values."""
    with _without_compiler(), torch.device("meta"):
        yield


with _without_compiler():
    import timm
    import torchvision

__all__ = ["on_meta", "timm", "torchvision"]
