"""timm and torchvision, without PyTorch's compiler; import them from here."""

from collections.abc import Callable
from importlib import import_module
from typing import TypeVar

import torch

from models.patches import without_compiler

without_compiler(lambda: [import_module(name) for name in ("timm", "torchvision")])

import timm  # noqa: E402  after it was imported without the compiler
import torchvision  # noqa: E402

__all__ = ["on_meta", "timm", "torchvision"]

T = TypeVar("T")


def on_meta(build: Callable[[], T]) -> T:
    """What `build` returns on the meta device, where tensors have shapes but no values."""

    def build_on_meta() -> T:
        with torch.device("meta"):
            return build()

    return without_compiler(build_on_meta)
