"""Batch normalisation folded into the convolutions before it: the same features, in less time."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from models.backbones.zoo import timm

_CONVOLUTIONS = (nn.Conv2d, nn.Conv3d)
_NORMALISATIONS = (nn.BatchNorm2d, nn.BatchNorm3d, timm.layers.BatchNormAct2d)
_TOLERANCE = 1e-3  # relative to the largest feature; rounding errors are a hundredth of it


def folded(network: nn.Module, shape: Sequence[int]) -> nn.Module:
    """Return a network that computes the same as ``network``, which must be in evaluation mode.

    A normalisation right after a convolution multiplies each channel by a factor and adds a constant, so
    the convolution's weights can hold both. Noise is sent through the network to see which follow each
    other, and the results are compared. A network that also uses a convolution's output elsewhere is
    returned as it is.

    Args:
        network (nn.Module): such as a backbone; it is not changed.
        shape (Sequence[int]): of the uint8 frames that it takes, for example ``[1, 3, 224, 224]``.
    """
    noise = torch.randint(256, tuple(shape), generator=torch.Generator().manual_seed(0))
    example = noise.to(torch.uint8)
    with torch.no_grad():
        pairs, wanted = _pairs(network, example)
        if not pairs:
            return network
        fused = copy.deepcopy(network)
        for first, second in pairs:
            convolution: Any = fused.get_submodule(first)
            normalisation: Any = fused.get_submodule(second)
            _replace(fused, first, fuse_conv_bn_eval(convolution, normalisation))
            _replace(fused, second, getattr(normalisation, "act", nn.Identity()))
        output = fused(example)
    largest = wanted.abs().max().clamp(min=1e-6)
    return fused if bool((output - wanted).abs().max() < _TOLERANCE * largest) else network


def _pairs(network: nn.Module, example: Tensor) -> tuple[list[tuple[str, str]], Tensor]:
    """Return pairs of names, a convolution's and that of the normalisation that takes its output;
    and the output of the network.
    """
    made: dict[int, tuple[str, Tensor]] = {}  # holds the tensors, or others could get their ids
    calls: list[str] = []
    pairs: list[tuple[str, str]] = []

    def after(name: str, output: Tensor) -> None:
        calls.append(name)
        made[id(output)] = name, output

    def before(name: str, given: Tensor) -> None:
        calls.append(name)
        if id(given) in made:
            pairs.append((made[id(given)][0], name))

    handles = []
    for name, module in network.named_modules():
        if isinstance(module, _CONVOLUTIONS):
            handles.append(
                module.register_forward_hook(lambda _, __, output, name=name: after(name, output))
            )
        elif type(module) in _NORMALISATIONS and module.running_mean is not None:
            handles.append(
                module.register_forward_pre_hook(lambda _, given, name=name: before(name, given[0]))
            )
    output = network(example)
    for handle in handles:
        handle.remove()
    return [pair for pair in pairs if all(calls.count(name) == 1 for name in pair)], output


def _replace(network: nn.Module, name: str, by: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, by)
