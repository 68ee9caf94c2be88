"""What of a training is kept, and how what was loaded comes to where it is used."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

T = TypeVar("T")


def moved(content: T, device: torch.device) -> T:
    """What was loaded, with all of its tensors on a device; else it is the same.

    Files are read to the CPU. Whatever is used where a model trains goes through here first. (A model is
    moved by its own ``to``, and `load_trained_state` copies to where the model's weights are.)

    Args:
        content: a tensor or plain value, or dicts, lists and tuples of these, however deep.
    """
    if isinstance(content, Tensor):
        return content.to(device)  # type: ignore[return-value]
    if isinstance(content, dict):
        return {name: moved(value, device) for name, value in content.items()}  # type: ignore[return-value]
    if isinstance(content, list | tuple):
        return type(content)(moved(value, device) for value in content)
    return content


def trained_state(model: nn.Module) -> dict[str, Tensor]:
    """The state of `model` without that of a frozen backbone, which its name determines."""
    state = model.state_dict()
    backbone = getattr(model, "backbone", None)
    if backbone is None or any(p.requires_grad for p in backbone.parameters()):
        return state
    return {name: value for name, value in state.items() if not name.startswith("backbone.")}


def load_trained_state(model: nn.Module, state: dict[str, Tensor]) -> None:
    """The inverse of `trained_state`; the weights may be on another device than the model's."""
    missing = model.load_state_dict(state, strict=False)
    wrong = [n for n in missing.missing_keys if not n.startswith("backbone.")]
    if wrong or missing.unexpected_keys:
        raise ValueError(f"weights don't fit: {wrong} missing, {missing.unexpected_keys} unknown")
