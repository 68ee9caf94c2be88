"""What gives a frozen backbone's features: loaded, made quicker, and put on the machine's device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

import models
from models.backbones.image import Backbone, Output
from models.backbones.specs import spec
from models.config import ModelConfig
from tuner.training.clips.augment import Augmentation
from tuner.training.device import best_device

Advance = Callable[[int], None]
Run = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class MakeBackbone:
    """Makes what gives a backbone's features of frames; equal ones make the same.

    Attributes:
        shape: of what it is given at a time, ``(1, [L,] 3, H, W)``.
        network: that of a model's file; None is loaded by its name.
        on_frames: told the number of frames that have gone through it.
        made: what it has made, by its outputs: videos come one by one.
    """

    name: str
    pretrained: bool
    weights_path: str | None
    shape: tuple[int, ...]
    precision: str
    augmented: Augmentation | None
    view: int
    network: Backbone | None
    on_frames: Advance | None
    made: dict[tuple[Output, ...], Run] = field(default_factory=dict, compare=False, repr=False)

    def __call__(self, wanted: Sequence[Output]) -> Run:
        """Return what gives these outputs of frames, one after the other."""
        outputs = tuple(wanted)
        if outputs not in self.made:
            self.made[outputs] = self._make(outputs)
        return self.made[outputs]

    def _make(self, wanted: Sequence[Output]) -> Run:
        from models.backbones.folding import folded

        if (network := self.network) is None:
            from models.backbones.load import load_backbone

            stages = {output.stage for output in wanted}
            network = load_backbone(
                self.name,
                pooling=wanted[0].pooling,  # a network over clips has one output, pooled within
                stage="last" if "last" in stages else "middle",
                pretrained=self.pretrained,
                weights_path=self.weights_path,
            )
        quick = folded(network.giving(wanted).cpu().eval(), self.shape)
        transform = self.augmented.transform(self.view) if self.augmented else None
        return backbone_callable(
            quick, best_device(), transform, precision=self.precision, on_frames=self.on_frames
        )


def input_shape(config: ModelConfig) -> tuple[int, ...]:
    """Of the frames or clips that a model's backbone takes, one at a time."""
    assert config.pretrained_model_name is not None
    clip = (config.sequence_length,) if spec(config.pretrained_model_name).video else ()
    return 1, *clip, 3, *models.frame_size(config)


def backbone_callable(
    network: torch.nn.Module,
    device: torch.device,
    transform: Callable[[Tensor], Tensor] | None = None,
    *,
    precision: str = "fp32",
    on_frames: Advance | None = None,
) -> Run:
    """`network` over uint8 frames ``[n, (L,) H, W, 3]``, giving float32 ``[n, F]``."""
    network = network.eval().to(device)

    def run(frames: np.ndarray) -> np.ndarray:
        # The transposed view of [n, H, W, 3] is channels_last as it stands: nothing is copied.
        images = torch.from_numpy(frames.copy()).movedim(-1, -3).to(device)
        autocast = torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
        with torch.inference_mode():
            if transform:
                shape = images.shape
                images = transform(images.reshape(-1, *shape[-3:])).view(shape)
            with autocast:
                features = network(images).float().cpu().numpy()
        if on_frames:
            on_frames(len(frames))
        return features

    return run
