"""CPUs, memory and cards: what there is, and how much of it this process may use."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuner.config.messages import UserError
from tuner.diagnosis.finding import Asked, Finding, ok, warning, wrong
from tuner.diagnosis.programs import psutil
from tuner.runtime.session import running_cluster

_CGROUPS = Path("/sys/fs/cgroup")
_NVIDIA = Path("/dev/nvidia0")
# Bytes of memory of a search with Ray, and of each trial at once: 0.8 and 0.65 in configs/seals.yaml.
_BASE, _WORKER = 0.9e9, 0.7e9
_LITTLE = 2e9  # bytes of a card's memory that are free


def allowed_cpus() -> int:
    """How many CPUs this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cgroup_limit(controller: str, names: tuple[str, str]) -> float | None:
    """The smallest limit that a cgroup of this process, or one above it, has; None if there is none.

    Args:
        controller: of cgroups v1, such as ``memory``.
        names: of the limit's file in cgroups v2 and v1. Both of ``cpu`` count CPUs.
    """
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    limits = []
    for line in lines:
        _, kinds, path = line.split(":", 2)
        if kinds and controller not in kinds.split(","):
            continue
        top = _CGROUPS / controller if kinds else _CGROUPS
        here = top / path.lstrip("/")
        # In a container the path is the one outside; what is mounted is its own group.
        for folder in {here, *(p for p in here.parents if p.is_relative_to(top)), top}:
            limits.append(_limit(folder, names[1] if kinds else names[0]))
    known = [limit for limit in limits if limit is not None]
    return min(known, default=None)


def _limit(folder: Path, name: str) -> float | None:
    try:
        text = (folder / name).read_text(encoding="ascii").split()
        if name == "cpu.max" and text[0] != "max":
            return int(text[0]) / int(text[1])
        if name == "cpu.cfs_quota_us" and int(text[0]) > 0:
            return int(text[0]) / int((folder / "cpu.cfs_period_us").read_text(encoding="ascii"))
        if name.startswith("cpu"):
            return None
        number = int(text[0])  # "max" is none
        return number if number < 1 << 60 else None
    except (OSError, ValueError, IndexError):
        return None


def cpus(asked: Asked) -> Iterator[Finding]:
    """CPUs that this process may use, against those that a search would start workers for."""
    there, allowed = os.cpu_count() or 1, allowed_cpus()
    quota = cgroup_limit("cpu", ("cpu.max", "cpu.cfs_quota_us"))
    usable = max(1, min(allowed, math.floor(quota or math.inf) if quota else allowed))
    found = f"{usable} of {there} may be used" if usable < there else f"{there}"
    if quota and quota < there:
        found += f" (this container or job gets {quota:g})"
    try:
        from tuner.training.device import backbone_precision, best_device

        fast = backbone_precision(best_device()) == "bf16"
        found += ", bf16 in hardware" if fast else ", no bf16 in hardware: features take longer"
    except ImportError:  # the check of packages says it
        pass
    at_once = asked.config.resources.trials_at_once if asked.config else None
    if allowed < there and (at_once is None or at_once > allowed):
        yield warning(
            f"{found}; a search would start {there} trials at once, which slow each other down",
            f"add --set resources.trials_at_once={usable} to the search",
        )
    else:
        yield ok(found)


def memory(asked: Asked) -> Iterator[Finding]:
    """Memory that is free, or that a container or job may still use."""
    now = psutil().virtual_memory()
    total, free = now.total, now.available
    found = f"{free / 1e9:.1f} of {total / 1e9:.1f} GB free"
    limit = cgroup_limit("memory", ("memory.max", "memory.limit_in_bytes"))
    if limit and limit < total:
        free = min(free, int(limit))
        found += f"; this container or job gets {limit / 1e9:.1f} GB in all"
    config = asked.config
    at_once = (config.resources.trials_at_once if config else None) or allowed_cpus()
    needed = _BASE + at_once * _WORKER
    fit = int((free - _BASE) // _WORKER)
    if fit < 1:
        yield wrong(
            f"{found}; a search needs about {(_BASE + _WORKER) / 1e9:.1f}",
            "close other programs, or ask for more memory (Slurm: --mem=8G; docker: --memory=8g)",
        )
    elif free < needed:
        yield warning(
            f"{found}; {at_once} trials at once need about {needed / 1e9:.1f}",
            f"close other programs, or add --set resources.trials_at_once={fit} to the search",
        )
    else:
        yield ok(found)


def card(asked: Asked) -> Iterator[Finding]:
    """NVIDIA cards, and whether PyTorch can use them."""
    import torch

    with warnings.catch_warnings(
        record=True
    ) as said:  # torch tells here of a driver that is too old
        warnings.simplefilter("always")
        usable = torch.cuda.is_available()
    if usable:
        yield from (_card(torch, number) for number in range(torch.cuda.device_count()))
        return
    asked_for = asked.config.resources.gpus if asked.config else "auto"
    # On a cluster another machine may have one.
    worse = wrong if isinstance(asked_for, float) and asked_for and _alone() else warning
    driver = _driver()
    if driver is None and not _NVIDIA.exists():
        if isinstance(asked_for, float) and asked_for:
            advice = "leave resources.gpus at auto, or search on a machine that has a card"
            yield worse(f"none here, and the configuration asks for {asked_for:g} a trial", advice)
        else:
            yield ok("no NVIDIA card: the CPUs train, which is fast enough for _frozen models")
        return
    there = f"there is one (driver {driver or 'not known'}), and PyTorch {torch.__version__} "
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None and hidden.strip() in ("", "-1", "NoDevFiles"):
        advice = "unset CUDA_VISIBLE_DEVICES, or ask the batch system for a card (Slurm: --gpus=1)"
        yield worse(f"{there}is kept from it by CUDA_VISIBLE_DEVICES={hidden!r}", advice)
    elif torch.version.cuda is None:
        yield worse(
            f"{there}was built without CUDA: the CPUs train",
            "install PyTorch for CUDA, in the same version: https://pytorch.org/get-started/locally",
        )
    elif _NVIDIA.exists() and not os.access(_NVIDIA, os.R_OK | os.W_OK):
        yield worse(
            f"{there}may not use it: {_NVIDIA} can't be opened by you",
            "have yourself added to the group that owns it (ls -l /dev/nvidia0 shows which)",
        )
    else:
        reason = " ".join(str(said[0].message).split())[:200] if said else "it does not say why"
        yield worse(
            f"{there}(for CUDA {torch.version.cuda}) can't use it: {reason}",
            f"install a driver for CUDA {torch.version.cuda} or newer, and restart the machine; in "
            "docker, start the container with --gpus all",
        )


def _alone() -> bool:
    """Whether a search would run on this machine alone."""
    try:
        return running_cluster(patience=1) is None
    except UserError:  # another check says so
        return False


def _card(torch: Any, number: int) -> Finding:
    """One card, on which something is computed."""
    about = torch.cuda.get_device_properties(number)
    name = f"{about.name}, {about.total_memory / 1e9:.0f} GB (CUDA {torch.version.cuda})"
    try:
        ones = torch.ones(64, 64, device=f"cuda:{number}")
        right = float((ones @ ones).sum()) == 64**3
        free = torch.cuda.mem_get_info(number)[0]
    except RuntimeError as error:
        return wrong(
            f"{name} can't compute: {str(error).splitlines()[0]}",
            "end other programs on it (nvidia-smi shows them); if it is an old card, PyTorch no longer "
            "knows it: add --set resources.gpus=0 to the search",
        )
    if not right:
        return wrong(
            f"{name} computes wrong results", "restart the machine; have the card looked at"
        )
    if free < _LITTLE:
        return warning(
            f"{name}: only {free / 1e9:.1f} GB are free",
            "end other programs on it (nvidia-smi shows them), or search when they have ended",
        )
    return ok(f"{name}, {free / 1e9:.0f} GB free")


def _driver() -> str | None:
    """The version of NVIDIA's driver; None if there is none that answers."""
    if (program := shutil.which("nvidia-smi")) is None:
        return None
    words = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=10)
    lines = done.stdout.split("\n")
    return (lines[0].strip() or None) if done.returncode == 0 else None
