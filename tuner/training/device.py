"""What the hardware offers, and how it says that its memory is full."""

from __future__ import annotations

import torch


class OutOfMemory(Exception):
    """A batch does not fit, not even one of half the size."""


def best_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def out_of_memory(error: RuntimeError) -> bool:
    """Whether an allocation failed, on the GPU or the CPU, whose errors have no type of their own."""
    return isinstance(error, torch.cuda.OutOfMemoryError) or "can't allocate memory" in str(error)


def precision(asked: str, device: torch.device, *, stored: bool) -> str:
    """bf16 where the hardware computes in it; heads over stored features are too small to gain."""
    if asked != "auto":
        return asked
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    return "bf16" if not stored and torch.cpu._is_avx512_bf16_supported() else "fp32"
