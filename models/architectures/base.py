"""What all architectures share: a backbone that may be absent, normalisation, checked shapes."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from models.backbones.image import Backbone, outputs
from models.backbones.specs import spec
from models.config import ModelConfig
from models.layers.dense import FeatureNorm
from models.layers.windows import Windows
from models.registry import REGISTRY
from models.seen import clip_length, input_steps, streams

FRAMES_AT_ONCE = 64  # through the backbone, so that long clips don't need more memory


class VideoClassifier(nn.Module, ABC):
    """A model from clips, or from their frames' features, to the logits of its classes.

    Args:
        config (ModelConfig): its parameters.
        classes (Sequence[str]): names of the classes, in the order of the logits.
        num_features (int): width of a feature.

    Attributes:
        steps (int): features that it is given at once: of a clip's frames, or one of the clip from a
            network over clips; of a whole video, those of the frames or clips spread over it.
        top_frames (float): the share of a whole video's steps that count; 1 if all do.
        streams (int): S, how many pictures of each frame it sees: itself, and its motion images.
        backbone (Backbone | None): turns frames into features; None if it takes features only.
        norm (FeatureNorm): applied to the features; does nothing until it is fitted.
        extra (dict): JSON-like data to keep in the model's file.
    """

    def __init__(self, *, config: ModelConfig, classes: Sequence[str], num_features: int) -> None:
        super().__init__()
        if len(classes) < 2 or len(set(classes)) < len(classes):
            raise ValueError(f"classes must be two or more different names, not {list(classes)}")
        self.config = config
        self.classes = [str(name) for name in classes]
        self.num_features = num_features
        self.steps = input_steps(config)
        self.frames = self.steps * clip_length(config)
        self.streams = len(streams(config))
        chooses = config.frames_per_video and not REGISTRY[config.architecture].orders_steps
        self.top_frames = config.top_frames if chooses else 1.0
        self.backbone: Backbone | None = None
        self.norm = FeatureNorm(num_features=num_features, feature_scale=config.feature_scale)
        self.extra: dict[str, Any] = {}

    logits: nn.Linear  # the last layer, of all architectures

    @classmethod
    def feature_width(cls, config: ModelConfig) -> int:
        """Return the ``num_features`` that a model of ``config`` is to be built with.

        Raises:
            ValueError: if there is no backbone, which determines it, or it has no such stage or map.
        """
        if config.pretrained_model_name is None:
            raise ValueError(f"{config.architecture} needs a pretrained_model_name, not None")
        about = spec(config.pretrained_model_name)
        if config.pooling == "local" and not about.video:
            about.check_map(config.backbone_stage)
        width = about.width(config.backbone_stage)
        poolings = 1 if about.video else len(outputs(config.backbone_stage, config.pooling))
        return width * poolings * len(streams(config))

    @abstractmethod
    def classify(self, features: Tensor) -> Tensor:
        """Return the logits of clips given by their normalised features.

        Args:
            features (Tensor): shape ``[B, K, F]``: all steps, or those that ``given`` takes.

        Returns:
            Tensor: shape ``[B, C]``.
        """

    def alone(self, features: Tensor) -> Tensor:
        """Return what each step says by itself: the logits of a clip that is that step throughout.

        Args:
            features (Tensor): normalised, shape ``[B, F]``.

        Returns:
            Tensor: shape ``[B, C]``.
        """
        return self.classify(features[:, None].expand(-1, self.steps, -1))

    def given(self, features: Tensor) -> Tensor:
        """Return what ``classify`` is given of clips: the steps that count, normalised, in their order.

        Of a whole video these are the share ``top_frames`` of the steps, those with the largest
        features: a network that sees nothing it knows gives small ones. So what is pooled is where most
        is seen, as the largest few of a bag's instances are taken in multiple instance learning (Li and
        Vasconcelos, Multiple instance learning for soft bags via top instances, CVPR 2015).

        Args:
            features (Tensor): as they are stored, shape ``[B, steps, F]``.

        Returns:
            Tensor: shape ``[B, K, F]``, K at least 1.
        """
        top = self._top(features)
        if top is not None:
            features = features.gather(1, top[..., None].expand(-1, -1, features.shape[2]))
        return self.norm(features)

    def _top(self, features: Tensor) -> Tensor | None:
        """The numbers of the steps that count, int64 ``[B, K]`` in their order; None: all do."""
        if self.top_frames == 1:
            return None
        kept = max(1, round(self.top_frames * features.shape[1]))
        # In float32: the squares of half precision overflow. Of equal steps the first are taken.
        sizes = features.float().norm(dim=2)
        order = sizes.sort(dim=1, descending=True, stable=True).indices
        return order[:, :kept].sort(dim=1).values

    def shares(self, features: Tensor) -> Tensor | None:
        """Return how much each step counts for the answer.

        Args:
            features (Tensor): as for ``given``.

        Returns:
            Tensor | None: shape ``[B, steps]``, with sum 1 over the steps; None: it can't be told.
        """
        weights, top = self.weigh(self.given(features)), self._top(features)
        if weights is None or top is None:
            return weights
        return weights.new_zeros(features.shape[:2]).scatter(1, top, weights)

    def weigh(self, features: Tensor) -> Tensor | None:
        """Return how much each of the steps that count does so.

        Args:
            features (Tensor): as for ``classify``.

        Returns:
            Tensor | None: shape ``[B, K]``, with sum 1 over them; None: it can't be told.
        """
        return None

    def classify_windows(self, windows: Windows) -> Tensor:
        """Return the logits, shape ``[B, C]``, of clips that share their frames' normalised features."""
        return self.classify(windows.clips())

    def forward(self, clips: Tensor | Windows) -> Tensor:
        """Return the logits of the classes.

        Args:
            clips (Tensor | Windows): features, shape ``[B, steps, F]``, or windows over them; or
                RGB pictures, shape ``[B, S * L, 3, H, W]``, uint8 or floating point from 0 to 1: L of
                each of the S ``models.streams``, one stream after the other. Of a whole video, L are
                the frames of all its clips, one clip after the other.

        Returns:
            Tensor: shape ``[B, C]``.

        Raises:
            ValueError: if the shape is another one, or pictures are given to a model that takes
                features only: without a backbone, or with ``relative``.
        """
        width = self.num_features
        if isinstance(clips, Windows):
            shape = [clips.index.shape[-1], clips.features.shape[-1]]
            if shape != [self.steps, width]:
                raise ValueError(f"windows must be over [{self.steps}, {width}], not {shape}")
            if self.top_frames < 1:
                return self.classify(self.given(clips.clips()))
            return self.classify_windows(Windows(self.norm(clips.features), clips.index))
        length = self.frames * self.streams
        expected = {3: [self.steps, width], 5: [length, 3]}.get(clips.ndim)
        if expected is None or list(clips.shape[1:3]) != expected:
            raise ValueError(
                f"clips must be [B, {self.steps}, {width}] or [B, {length}, 3, H, W],"
                f" not {list(clips.shape)}"
            )
        if clips.ndim == 5 and self.config.relative != "none":
            raise ValueError(
                f"with relative: {self.config.relative}, a model takes features less a median"
                " over the video, which is not known from a clip's frames"
            )
        features = self.extract(clips) if clips.ndim == 5 else clips
        return self.classify(self.given(features))

    def extract(self, clips: Tensor) -> Tensor:
        """Return the backbone's features of each clip.

        Args:
            clips (Tensor): pictures, shape ``[B, S * L, 3, H, W]``, as for ``forward``.

        Returns:
            Tensor: shape ``[B, steps, F]``, the features of one stream after those of the other.

        Raises:
            ValueError: if there is no backbone.
        """
        backbone = self.backbone
        if backbone is None:
            raise ValueError(
                f"this {self.config.architecture} has no backbone and takes features, not frames:"
                " models.attach_backbone(model) gives it one"
            )
        inputs, at_once = clips.flatten(0, 1), FRAMES_AT_ONCE
        if backbone.spec.video:
            inputs = inputs.unflatten(0, (-1, self.config.sequence_length))
            at_once = max(1, FRAMES_AT_ONCE // self.config.sequence_length)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not backbone.frozen):
            features = torch.cat([backbone(part) for part in inputs.split(at_once)])
        by_stream = features.unflatten(0, (len(clips), self.streams, self.steps))
        return by_stream.transpose(1, 2).flatten(2)

    def forget(self) -> None:
        """Set the weights that give the logits to zero, as is best before training on few clips.

        Of thousands of features the clips say nothing about many. Their weights would keep the chance
        values that they began with, and speak on videos of another kind.
        """
        nn.init.zeros_(self.logits.weight)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return what training changes: the fine-tuned part of the ``backbone``, and the ``head``."""
        groups: dict[str, list[nn.Parameter]] = {"backbone": [], "head": []}
        for name, parameter in self.named_parameters():
            if parameter.requires_grad:
                groups["backbone" if name.startswith("backbone.") else "head"].append(parameter)
        return groups


def frame_size(config: ModelConfig) -> tuple[int, int]:
    """Return height and width of the frames that a model takes.

    Raises:
        ValueError: if ``config.frame_size`` is not the only size that its backbone takes.
    """
    if config.pretrained_model_name is None:
        size = config.frame_size or REGISTRY[config.architecture].frame_size
        if size is None:
            raise ValueError(f"{config.architecture} needs a pretrained_model_name, not None")
        return size
    backbone = spec(config.pretrained_model_name)
    if backbone.fixed_size and config.frame_size not in (None, backbone.frame_size):
        raise ValueError(
            f"frame_size {config.frame_size} does not go with {backbone.name}, which takes"
            f" {backbone.frame_size} only: leave frame_size out"
        )
    return config.frame_size or backbone.frame_size
