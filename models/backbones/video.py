"""Networks over whole clips, pretrained on Kinetics-400: from clips to one feature a clip."""

from collections.abc import Callable
from functools import partial
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from models.backbones.image import Backbone, Pooling, Stage
from models.backbones.names import CLIP_SHAPES, SHORTEST_CLIPS
from models.backbones.specs import BackboneSpec, kinetics
from models.backbones.zoo import timm, torchvision

BLOCKS = ("features", "blocks")  # parts of a network that are made of stages
JOINED = ("pos_encoding", "norm")  # parts that belong to the stage before them


class GlobalPool(nn.Module):
    """The mean or the maximum over time, height and width, which stay as dimensions of size 1."""

    def __init__(self, pooling: Pooling) -> None:
        super().__init__()
        self.pooling = pooling

    def forward(self, features: Tensor) -> Tensor:
        """Return shape ``[B, F, 1, 1, 1]`` from ``[B, F, T, H, W]``."""
        dims = (2, 3, 4)
        pooled = features.amax(dims) if self.pooling == "max" else features.mean(dims)
        return pooled[..., None, None, None]


class VideoBackbone(Backbone):
    """A network over clips with its normalisation in front and global pooling behind.

    Sources: Tran et al., A closer look at spatiotemporal convolutions for action recognition, CVPR
    2018 (r3d_18, mc3_18, r2plus1d_18); Xie et al., Rethinking spatiotemporal feature learning, ECCV
    2018 (s3d); Li et al., MViTv2, CVPR 2022; Liu et al., Video Swin Transformer, CVPR 2022.

    Args:
        spec (BackboneSpec): what it is.
        network (nn.Module): the torchvision model.
        pooling (str): ``max`` or ``avg``, over time and place; mvit_v2_s uses a token instead.
    """

    memory_format = torch.channels_last_3d

    def __init__(
        self, *, spec: BackboneSpec, network: nn.Module, pooling: Pooling, stage: Stage = "last"
    ) -> None:
        super().__init__(spec=spec, network=network, pooling=pooling, stage=stage)
        if hasattr(network, "avgpool"):
            network.avgpool = GlobalPool(pooling)

    def forward(self, clips: Tensor) -> Tensor:
        """Return one feature vector a clip.

        Args:
            clips (Tensor): RGB, shape ``[B, L, 3, H, W]``; uint8, or floating point from 0 to 1.

        Returns:
            Tensor: shape ``[B, num_features]``.

        Raises:
            ValueError: if the shape is another one, or the network takes no such length or size.
        """
        if clips.ndim != 5 or clips.shape[2] != 3:
            raise ValueError(f"clips must be [B, L, 3, H, W], not {list(clips.shape)}")
        name, length = self.spec.name, clips.shape[1]
        self._check_size(clips)
        if name in CLIP_SHAPES and length != CLIP_SHAPES[name][0]:
            raise ValueError(f"{name} takes clips of {CLIP_SHAPES[name][0]} frames, not {length}")
        shortest, smallest = SHORTEST_CLIPS.get(name, (1, 1))
        if length < shortest or min(clips.shape[-2:]) < smallest:
            raise ValueError(
                f"{name} takes clips of at least {shortest} frames of {smallest} by {smallest},"
                f" not {length} frames of {clips.shape[-2]} by {clips.shape[-1]}"
            )
        clips = self._normalise(clips).transpose(1, 2)
        return self.network(clips.contiguous(memory_format=self.memory_format))

    def stages(self) -> list[list[nn.Parameter]]:
        """Return the parameters of each stage, from the first to the last.

        A stage is a part of the network that has parameters; in a part of blocks, each block is one.
        """
        return [[p for part in stage for p in part.parameters()] for stage in self._stages()]

    def _stages(self) -> list[list[nn.Module]]:
        stages: list[list[nn.Module]] = []
        for name, child in self.network.named_children():
            for part in child.children() if name in BLOCKS else (child,):
                if any(True for _ in part.parameters()):
                    if name in JOINED:
                        stages[-1].append(part)
                    else:
                        stages.append([part])
        return stages

    def checkpoint_gradients(self) -> Self:
        """Keep no activations inside the stages in training; compute them again in the backward pass."""
        for stage in self._stages():
            # the method is replaced: a module around the stage would rename its weights
            stage[0].forward = _checkpointed(stage[0].forward)
        return self


def _checkpointed(forward: Callable[..., Any]) -> Callable[..., Any]:
    return partial(checkpoint, forward, use_reentrant=False)


def create(name: str) -> nn.Module:
    """Return a network with random weights and its classifier."""
    return torchvision.models.get_model(name)


def published(name: str) -> timm.models.PretrainedCfg:
    """Return where the weights of a network are published, as ``models.backbones.hub`` takes it."""
    return timm.models.PretrainedCfg(url=kinetics(name).url)


def weights_name(name: str) -> str:
    """Return the name that stands for the published weights: their file's, with its hash."""
    return kinetics(name).url.rsplit("/", 1)[-1].removesuffix(".pth")
