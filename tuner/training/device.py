"""What the hardware offers, and what is done when its memory is full."""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

from tuner.config.messages import UserError

T = TypeVar("T")

_SMALL = 250_000  # parameters
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # glibc's numbers of these settings
_MOST_MMAP_THRESHOLD = 32 << 20  # bytes, of a glibc before 2.35

_FRAMES, _MOST_FRAMES, _PIXELS = 32, 512, 512 * 224 * 224
_MOST_VIDEOS = 16  # each has a batch of frames in memory
# The largest arrays of a step, in bytes.
OF_HEADS, OF_BACKBONES = 64 << 20, 256 << 20


# How an allocation's failure reads where it has no type of its own: on the CPU, in cuBLAS and cuDNN.
_FULL = ("can't allocate memory", "out of memory", "ALLOC_FAILED")


class OutOfMemory(UserError):
    """Not even one clip fits into memory."""


class AtOnce:
    """How many clips are worked on at once: half as many each time that they do not fit into memory.

    Attributes:
        most: that fit, as far as is known.
    """

    def __init__(self, most: int) -> None:
        self.most = most

    def __call__(self, work: Callable[[int], T], count: int, what: str = "clip") -> T:
        """Return what `work` does to `count` of them, given how many it may take at once.

        It is begun again with half as many where memory does not do, down to one.

        Raises:
            OutOfMemory: one does not fit.
        """
        size = max(1, min(self.most, count))
        while True:
            try:
                done = work(size)
            except RuntimeError as error:
                if not out_of_memory(error):
                    raise
                if size == 1:
                    raise OutOfMemory(
                        f"one {what} alone does not fit into memory ({str(error).splitlines()[0]}): a "
                        "smaller frame_size or sequence_length, a smaller network, "
                        "gradient_checkpointing or fewer trainable_layers may help, or fewer trials at "
                        "once (resources.gpus, resources.trials_at_once)"
                    ) from error
            else:
                if size < count:  # fewer than there were says nothing of more
                    self.most = size
                return done
            # Only here is the error gone, and with it what its frames held in memory.
            size = -(-size // 2)
            if torch.cuda.is_initialized():
                gc.collect()
                torch.cuda.empty_cache()


def best_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def gpus_here() -> int:
    """How many GPUs this machine has."""
    return torch.cuda.device_count()


def frames_at_once(device: torch.device, size: tuple[int, int]) -> int:
    """How many frames of this height and width a frozen backbone is given at a time.

    A GPU is busy with some hundreds of small ones; of larger frames as many as have as many pixels.
    """
    if device.type == "cpu":
        return _FRAMES
    return max(_FRAMES, min(_MOST_FRAMES, _PIXELS // (size[0] * size[1])))


def videos_at_once(device: torch.device) -> int:
    """How many videos are read side by side for a frozen backbone."""
    return 1 if device.type == "cpu" else min(os.cpu_count() or 1, _MOST_VIDEOS)


def out_of_memory(error: RuntimeError) -> bool:
    """Whether an allocation failed, on the GPU or the CPU."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return any(said in str(error) for said in _FULL)


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
