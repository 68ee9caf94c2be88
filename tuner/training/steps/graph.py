"""Steps on an NVIDIA GPU as CUDA graphs: hundreds of small kernels, launched at once.

A head's step takes some tens of microseconds of arithmetic and milliseconds of launching. Batches of one
size are always the same kernels over other numbers, so they are recorded once and then played. Source:
PyTorch's documentation, CUDA semantics, "Whole-network capture".
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from data.files.patience import say
from models.layers.windows import Windows
from tuner.training.steps.plain import Step

_WARM_UP = 3  # steps before the recording, in which libraries choose their kernels


class GraphedStep(Step):
    """A `Step` that plays whole batches from a recording, once one was trained on without.

    What can't be recorded is done step by step, with a line that says so: the outcome is the same.
    Each optimizer has its own recording. What is drawn at random comes from the GPU's generator, which
    goes on from play to play.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._optimizer: torch.optim.Optimizer | None = None
        self._recorded: _Recording | None = None
        self._refused = self.model.config.gradient_checkpointing  # it looks at the generator

    def __call__(
        self, optimizer: torch.optim.Optimizer, clips: Tensor | Windows, labels: Tensor
    ) -> Tensor:
        """As of `Step`."""
        whole = len(labels) == self.config.batch_size and self.parts == 1
        if self._refused or not whole or not isinstance(clips, Tensor):
            return super().__call__(optimizer, clips, labels)
        if optimizer is not self._optimizer:
            self._optimizer, self._recorded = optimizer, None
            return super().__call__(optimizer, clips, labels)  # it may not fit into memory
        shown = self.shown(clips)
        assert isinstance(shown, Tensor)
        if self._recorded is None:
            self._record(optimizer, shown, labels)
        if self._recorded is None or not self._recorded.fits(shown):
            return take(self, optimizer, shown, labels)
        return self._recorded.play(shown, labels)

    def _record(self, optimizer: torch.optim.Optimizer, clips: Tensor, labels: Tensor) -> None:
        try:
            self._recorded = _Recording(self, optimizer, clips, labels)
        except RuntimeError as error:  # CUDA's, of whatever a model does that can't be recorded
            self._refused = True
            say(
                f"{self.model.config.architecture} is trained step by step, which is slower: a step "
                f"can't be recorded as a CUDA graph ({str(error).splitlines()[0]})"
            )


def take(step: Step, optimizer: torch.optim.Optimizer, clips: Tensor, labels: Tensor) -> Tensor:
    """A step over clips as the model is given them, all at once; returns what `Step` does."""
    optimizer.zero_grad(set_to_none=True)
    total = step.gradients(clips, labels, labels)
    step.finish(optimizer)
    return total


class _Recording:
    """A step over a batch of one shape.

    Raises:
        RuntimeError: it can't be recorded; model and optimizer are then as they were.
    """

    def __init__(
        self, step: Step, optimizer: torch.optim.Optimizer, clips: Tensor, labels: Tensor
    ) -> None:
        self.optimizer = optimizer
        self._clips, self._labels = torch.empty_like(clips), torch.empty_like(labels)
        self._put(clips, labels)
        # A recording reads the rates from where they lie on the GPU.
        self._rates = [torch.tensor(0.0, device=clips.device) for _ in optimizer.param_groups]
        self._graph = torch.cuda.CUDAGraph()
        rates = [group["lr"] for group in optimizer.param_groups]
        with unchanged(step.model, optimizer):
            try:
                for group, rate in zip(optimizer.param_groups, self._rates, strict=True):
                    group["lr"] = rate
                beside = torch.cuda.Stream()
                beside.wait_stream(torch.cuda.current_stream())
                with torch.cuda.stream(beside):
                    for _ in range(_WARM_UP):
                        take(step, optimizer, self._clips, self._labels)
                torch.cuda.current_stream().wait_stream(beside)
                optimizer.zero_grad(set_to_none=True)
                # Threads that read the next batches may use the card meanwhile.
                with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
                    self._total = take(step, optimizer, self._clips, self._labels)
            finally:
                for group, rate in zip(optimizer.param_groups, rates, strict=True):
                    group["lr"] = rate

    def fits(self, clips: Tensor) -> bool:
        return (clips.shape, clips.dtype, clips.stride()) == (
            self._clips.shape,
            self._clips.dtype,
            self._clips.stride(),
        )

    def play(self, clips: Tensor, labels: Tensor) -> Tensor:
        """Take the step; returns what `Step` does, good until the next play."""
        self._put(clips, labels)
        for group, rate in zip(self.optimizer.param_groups, self._rates, strict=True):
            rate.fill_(group["lr"])
        self._graph.replay()
        return self._total

    def _put(self, clips: Tensor, labels: Tensor) -> None:
        self._clips.copy_(clips)
        self._labels.copy_(labels)


@contextlib.contextmanager
def unchanged(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Model, optimizer and generators are afterwards as they were before, in the same memory."""
    tensors = [
        (tensor, tensor.detach().clone()) for tensor in (*model.parameters(), *model.buffers())
    ]
    states = {parameter: copy.deepcopy(state) for parameter, state in optimizer.state.items()}
    cards = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(cards):
        try:
            yield
        finally:
            with torch.no_grad():
                for tensor, before in tensors:
                    tensor.copy_(before)
                for parameter, state in optimizer.state.items():
                    _restore(state, states.get(parameter, {}))


def _restore(state: dict[str, Any], before: dict[str, Any]) -> None:
    """What an optimizer knows of a parameter; what it did not know then is zero, as at its start."""
    for name, value in state.items():
        if isinstance(value, Tensor):
            value.copy_(before[name]) if name in before else value.zero_()
        else:
            state[name] = before.get(name)
