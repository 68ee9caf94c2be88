"""A pretrained network over images: normalisation in front, pooling behind, frozen or fine-tuned."""

import copy
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Self

import torch
from torch import Tensor, nn

from models.backbones.specs import BackboneSpec

Stage = Literal["last", "middle"]
Pooling = Literal["max", "local", "avg", "both"]
LOCAL = 3  # neighbouring places, in rows and in columns
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


class Output(NamedTuple):
    """A feature map of a network, pooled over its places as `pooled` does; ``none``: as it is.

    With ``relative``, what each place has in most frames of the video is taken from it before: a
    backbone that sees frames alone can't give it.
    """

    stage: Stage
    pooling: Literal["max", "local", "avg", "none"]
    relative: bool = False


def outputs(stage: Stage, pooling: Pooling, relative: str = "none") -> tuple[Output, ...]:
    """Return what a model is given of a feature map, in the order of its features."""
    of_places = relative in ("map", "place")
    if pooling == "both":
        return Output(stage, "max", of_places), Output(stage, "avg", of_places)
    return (Output(stage, pooling, of_places),)


def pooled(places: Tensor, pooling: str) -> Tensor:
    """Return one vector of the places of feature maps.

    ``max`` is each feature's largest value, ``avg`` its mean, and ``local`` the largest of its means
    over 3 x 3 neighbouring places: a thing fills more than a place, a chance value does not.

    Args:
        places (Tensor): shape ``[N, F, *places]``; for ``local``, these have rows and columns.

    Returns:
        Tensor: shape ``[N, F]``.
    """
    if pooling == "local":
        window = [min(LOCAL, side) for side in places.shape[2:]]
        places = nn.functional.avg_pool2d(places, window, stride=1)
    places = places.flatten(2)
    return places.mean(dim=2) if pooling == "avg" else places.amax(dim=2)


class Backbone(nn.Module):
    """An image network with its normalisation in front and global pooling behind.

    Args:
        spec (BackboneSpec): what it is.
        network (nn.Module): the timm model.
        pooling (str): ``max``, ``local`` or ``avg``, over the feature map, as `pooled` has it; or
            ``both``: the first and the last, one after the other.
        stage (str): which feature map: the ``last``, or the ``middle`` one.
    """

    mean: Tensor
    std: Tensor
    network: Any
    memory_format = torch.channels_last

    def __init__(
        self, *, spec: BackboneSpec, network: nn.Module, pooling: Pooling, stage: Stage = "last"
    ) -> None:
        super().__init__()
        for part in spec.classifier:
            if hasattr(network, part):
                setattr(network, part, nn.Identity())
        self.spec = spec
        self.outputs = outputs(stage, pooling)
        self.frozen = False
        self.network = network.to(memory_format=self.memory_format)
        self.register_buffer("mean", torch.tensor(spec.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(spec.std).view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Return one feature vector an image: those of all ``outputs``, one after the other.

        Args:
            images (Tensor): RGB, shape ``[N, 3, H, W]``; uint8, or floating point from 0 to 1.

        Returns:
            Tensor: shape ``[N, F]``.

        Raises:
            ValueError: if the shape is another one, or the network takes no such size.
        """
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(f"images must be [N, 3, H, W], not {list(images.shape)}")
        self._check_size(images)
        images = self._normalise(images).contiguous(memory_format=self.memory_format)
        maps = self._maps(images)
        pooled = [self._pool(maps[stage], stage, pooling) for stage, pooling, _ in self.outputs]
        return torch.cat(pooled, dim=1)

    def cut(self) -> Self:
        """Drop the parts of the network behind the middle stage, if no output needs them."""
        if all(output.stage == "middle" for output in self.outputs):
            called: set[nn.Module] = set()
            hooks = [
                module.register_forward_hook(lambda module, *_: called.add(module))
                for module in self.network.modules()
            ]
            with torch.no_grad():
                self(torch.zeros(1, 3, *self.spec.frame_size))
            for hook in hooks:
                hook.remove()
            _drop_idle(self.network, called)
        return self

    def giving(self, outputs: Sequence[Output]) -> Self:
        """Return this backbone with other outputs; the network is the same."""
        other = copy.copy(self)
        other.outputs = tuple(outputs)
        return other

    def _maps(self, images: Tensor) -> dict[Stage, Tensor]:
        """The feature maps that are asked for, the middle one as ``[N, F, H, W]``."""
        stages = {output.stage for output in self.outputs}
        if stages == {"last"}:
            return {"last": self.network.forward_features(images)}
        at = [self.spec.middle_stage]
        if stages == {"middle"}:
            (middle,) = self.network.forward_intermediates(
                images, indices=at, stop_early=True, intermediates_only=True
            )
            return {"middle": middle}
        last, (middle,) = self.network.forward_intermediates(images, indices=at)
        return {"last": last, "middle": middle}

    def _check_size(self, images: Tensor) -> None:
        size = tuple(images.shape[-2:])
        if self.spec.fixed_size and size != self.spec.frame_size:
            raise ValueError(
                f"{self.spec.name} takes frames of {self.spec.frame_size}, not {size}:"
                " leave frame_size out"
            )

    def _normalise(self, images: Tensor) -> Tensor:
        if images.dtype == torch.uint8:
            images = images.to(self.mean.dtype) / 255
        return (images - self.mean) / self.std

    def _pool(self, features: Tensor, stage: Stage, pooling: str) -> Tensor:
        if features.ndim == 3:  # tokens; a class token and the like come first
            features = features[:, getattr(self.network, "num_prefix_tokens", 0) :]
        if features.ndim == 2:
            return features
        dims = self._places(stage)
        if pooling in ("none", "local"):
            features = features.movedim(dims, tuple(range(-len(dims), 0)))
            # without pooling [N, F * places]
            return features.flatten(1) if pooling == "none" else pooled(features, pooling)
        return features.amax(dims) if pooling == "max" else features.mean(dims)

    def places(self, images: Tensor, stage: Stage) -> tuple[int, ...]:
        """Return the shape of the places of a stage's map, such as rows and columns."""
        features = self.giving([Output(stage, "none")])._maps(self._normalise(images))[stage]
        if features.ndim < 4:
            return (features[0, ..., 0].numel(),)
        return tuple(features.shape[dim] for dim in self._places(stage))

    def _places(self, stage: Stage) -> tuple[int, ...]:
        """The dimensions of a stage's map that are its places."""
        return self.spec.spatial_dims if stage == "last" else (2, 3)

    def freeze(self) -> Self:
        """Never train this backbone: no gradients, and batch statistics stay as they are."""
        self.frozen = True
        self.requires_grad_(False)
        return self.eval()

    def unfreeze(self, trainable_layers: int | Literal["all"]) -> Self:
        """Train the last stages of this backbone, and no others.

        Args:
            trainable_layers (int | str): how many stages, at least 1; or ``all``, which trains
                everything.

        Raises:
            ValueError: if there are not so many.
        """
        parameters = list(self.network.parameters())
        if trainable_layers != "all":
            stages = self.stages()
            if not 1 <= trainable_layers <= len(stages):
                raise ValueError(
                    f"trainable_layers ({trainable_layers}) must be from 1 to {len(stages)}, the"
                    f" number of stages of {self.spec.name}, or all"
                )
            parameters = [p for stage in stages[-trainable_layers:] for p in stage]
        self.frozen = False
        self.requires_grad_(False)
        for parameter in parameters:
            parameter.requires_grad_(True)
        return self

    def stages(self) -> list[list[nn.Parameter]]:
        """Return the parameters of each stage, from the first to the last.

        They are timm's coarse groups: the stem, then each group of blocks. A part without
        parameters is not a stage.

        Raises:
            ValueError: if timm does not know them.
        """
        from models.backbones.zoo import timm  # takes long: frozen backbones do without

        try:
            matcher = self.network.group_matcher(coarse=True)
        except (AttributeError, AssertionError) as error:
            raise ValueError(
                f"the stages of {self.spec.name} are not known: give trainable_layers: all"
            ) from error
        return list(
            timm.models.group_parameters(self.network, matcher, return_values=True).values()
        )

    def checkpoint_gradients(self) -> Self:
        """Keep no activations inside the blocks while training; compute them again in the backward pass.

        Raises:
            ValueError: if the network can't.
        """
        try:
            self.network.set_grad_checkpointing(True)
        except (AttributeError, AssertionError) as error:
            raise ValueError(
                f"{self.spec.name} can't do without its activations:"
                " leave gradient_checkpointing out, or take another backbone"
            ) from error
        return self

    def train(self, mode: bool = True) -> Self:
        """As any module, except that a frozen backbone stays in evaluation mode.

        Batch normalisation always does: a batch has few clips, and the frames of a clip are alike,
        so its statistics would be worse than those from pretraining.
        """
        super().train(mode and not self.frozen)
        for module in self.modules():
            if isinstance(module, _BATCH_NORMS):
                module.eval()
        return self


def _drop_idle(part: nn.Module, called: set[nn.Module]) -> None:
    """Replace the children of a network, and those of its containers, in which nothing was called."""
    for name, child in part.named_children():
        if called.isdisjoint(child.modules()):
            setattr(part, name, nn.Identity())
        elif isinstance(child, nn.Sequential | nn.ModuleList):
            _drop_idle(child, called)
