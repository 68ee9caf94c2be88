"""What the hardware offers, and how it says that its memory is full."""

from __future__ import annotations

import ctypes

import torch
from torch import nn

_SMALL = 250_000  # parameters
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # glibc's numbers of these settings
_MOST_MMAP_THRESHOLD = 32 << 20  # bytes, of a glibc before 2.35

# The largest arrays of a step, in bytes.
OF_HEADS, OF_BACKBONES = 64 << 20, 256 << 20


class OutOfMemory(Exception):
    """A batch does not fit, not even one of half the size."""


def best_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def gpus_here() -> int:
    """How many GPUs this machine has."""
    return torch.cuda.device_count()


def out_of_memory(error: RuntimeError) -> bool:
    """Whether an allocation failed, on the GPU or the CPU; the CPU's error has no type of its own."""
    return isinstance(error, torch.cuda.OutOfMemoryError) or "can't allocate memory" in str(error)


def keep_freed_memory(largest: int) -> None:
    """Have the C library keep what this process frees, for what it asks for next.

    Else large arrays go back to the system at once, which fills the next ones with zeros first: half
    of a backbone's time on two cores, and a quarter of that of a head with attention. Does nothing
    without glibc.

    Args:
        largest: bytes of the largest array that is kept. Four times as much is kept in all.
    """
    if (libc := _glibc()) is not None:
        libc.mallopt(_TRIM_THRESHOLD, 4 * largest)
        if not libc.mallopt(_MMAP_THRESHOLD, largest):
            libc.mallopt(_MMAP_THRESHOLD, _MOST_MMAP_THRESHOLD)


def return_freed_memory() -> None:
    """Give back to the system what this process has freed and kept."""
    if (libc := _glibc()) is not None:
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    try:
        libc = ctypes.CDLL(None)
        return libc if libc.mallopt and libc.malloc_trim else None
    except (AttributeError, OSError, TypeError):  # another C library, or Windows
        return None


def precision(asked: str, device: torch.device, model: nn.Module, *, stored: bool) -> str:
    """bf16 where it is faster; on CPUs it is not for small heads over stored features.

    Over 44 heads, bf16 took 1.0 to 1.9 times the seconds of fp32 below 0.2 million parameters, 0.7 to
    1.0 at 0.25 to 0.5 million and 0.45 to 0.85 above, at the same validation F1 (means of 32
    trainings: .750 and .750).
    """
    if asked != "auto":
        return asked
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    if not _cpu_has_bf16() or _unfit_for_bf16(model):
        return "fp32"
    trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    return "fp32" if stored and trained < _SMALL else "bf16"


def backbone_precision(device: torch.device) -> str:
    """The precision of frozen backbones: bf16 if the hardware has it, two to three times as fast.

    Linear classifiers of real frames did as well on features in bf16 as on features in fp32.
    """
    fast = torch.cuda.is_bf16_supported() if device.type == "cuda" else _cpu_has_bf16()
    return "bf16" if fast else "fp32"


def _cpu_has_bf16() -> bool:
    return bool(torch.cpu.get_capabilities().get("avx512_bf16", False))


def _unfit_for_bf16(model: nn.Module) -> bool:
    """Whether a convolution that is trained is better left in fp32 on CPUs.

    In bf16, the backward pass of a wide depthwise convolution takes 2.5 times as long as in fp32. That
    of a three-dimensional one sometimes gives NaN (torch 2.14 reads memory that it has not written).
    """
    return any(
        isinstance(module, nn.Conv3d) or (module.groups > 1 and max(module.kernel_size) > 3)
        for module in model.modules()
        if isinstance(module, nn.Conv2d | nn.Conv3d) and module.weight.requires_grad
    )
