"""The weights of a model that training changes."""

from __future__ import annotations

from torch import Tensor, nn


def trained_state(model: nn.Module) -> dict[str, Tensor]:
    """The state of `model` without that of a frozen backbone, which its name determines."""
    state = model.state_dict()
    backbone = getattr(model, "backbone", None)
    if backbone is None or any(p.requires_grad for p in backbone.parameters()):
        return state
    return {name: value for name, value in state.items() if not name.startswith("backbone.")}


def load_trained_state(model: nn.Module, state: dict[str, Tensor]) -> None:
    """The inverse of `trained_state`."""
    missing = model.load_state_dict(state, strict=False)
    wrong = [n for n in missing.missing_keys if not n.startswith("backbone.")]
    if wrong or missing.unexpected_keys:
        raise ValueError(f"weights don't fit: {wrong} missing, {missing.unexpected_keys} unknown")
