"""What `benchmarks.gpu` compares with: plain loops in PyTorch, and how busy the card is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

SECONDS = 3.0


def rate(step: Callable[[], int], seconds: float = SECONDS) -> float:
    """What `step` returns, a second, after it was called a few times."""
    for _ in range(3):
        step()
    wait()
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        done += step()
    wait()
    return done / (time.perf_counter() - start)


def wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def head_epoch(device: torch.device, clips: int, batch: int) -> Callable[[], None]:
    """An epoch of PyTorch's own LSTM(256) over 20 features of 1,280, in a plain loop."""
    cell, last = nn.LSTM(1280, 256, batch_first=True).to(device), nn.Linear(256, 2).to(device)
    optimizer = torch.optim.Adam([*cell.parameters(), *last.parameters()], fused=True)
    data = torch.rand(clips + 20, 1280, device=device)
    labels = torch.arange(clips, device=device) % 2

    def epoch() -> None:
        for which in torch.randperm(clips, device=device).split(batch):
            windows = data[which[:, None] + torch.arange(20, device=device)]
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(device.type, torch.bfloat16, enabled=data.is_cuda):
                logits = last(cell(windows)[0][:, -1])
            F.cross_entropy(logits.float(), labels[which]).backward()
            optimizer.step()
        wait()

    return epoch


def tuning(model: nn.Module, clips: Tensor) -> float:
    """Clips a second of a plain loop over one batch on the card; the quicker of plain and recorded."""
    labels = torch.arange(len(clips), device=clips.device) % 2
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-5, fused=True, capturable=clips.is_cuda)

    def step() -> int:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(clips.device.type, torch.bfloat16, enabled=clips.is_cuda):
            loss = F.cross_entropy(model(clips).float(), labels)
        loss.backward()
        optimizer.step()
        return len(clips)

    plain = rate(step)
    return max(plain, recorded(step)) if clips.is_cuda else plain


def recorded(step: Callable[[], int]) -> float:
    """The rate of a step as a CUDA graph; 0 where it can't be one."""
    try:
        beside = torch.cuda.Stream()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for _ in range(3):
                count = step()
        torch.cuda.current_stream().wait_stream(beside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step()
    except RuntimeError as error:
        print(f"no CUDA graph of the plain loop: {str(error).splitlines()[0]}")
        return 0.0

    def replay() -> int:
        graph.replay()
        return count

    return rate(replay)


class Busy:
    """How busy the card is while a context lasts, in percent, by NVML; None where that is not known."""

    def __enter__(self) -> Busy:
        self._seen: list[int] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def _look(self) -> None:
        while not self._ended.wait(0.2):
            try:
                self._seen.append(torch.cuda.utilization())
            except Exception:  # NVML is not there for Python, or raises errors of its own
                return

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def percent(self) -> float | None:
        return float(np.mean(self._seen)) if self._seen else None
