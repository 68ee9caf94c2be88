"""What gives a frozen backbone's features: loaded, made quicker, and put on the machine's device."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from torch import Tensor

import models
from data.stores.features import OfVideo
from data.videos.times import spread
from models.backbones.image import Backbone, Output, Pooling, Stage, pooled
from models.backbones.specs import spec
from models.config import ModelConfig
from tuner.training.clips.augment import Augmentation
from tuner.training.device import OF_BACKBONES, AtOnce, best_device, keep_freed_memory

Advance = Callable[[int], None]
# From uint8 frames [n, (L,) H, W, 3] to features [n, F]: on the CPU, and where they are computed.
Run = Callable[[np.ndarray], np.ndarray]
RunThere = Callable[[np.ndarray], Tensor]

_UNLIMITED = 2**31  # frames at once: as many as are given
_making = threading.Lock()
_SAMPLES = 64  # frames of a video, to see what is always at a place


@dataclass(frozen=True, kw_only=True)
class MakeBackbone:
    """Makes what gives a backbone's features of frames; equal ones make the same.

    Attributes:
        shape: of what it is given at a time, ``(1, [L,] 3, H, W)``.
        network: that of a model's file; None is loaded by its name.
        weights: equal for equal weights of it.
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
    network: Backbone | None = field(compare=False)
    weights: str
    on_frames: Advance | None
    made: dict[tuple[Output, ...], Run | OverPlaces] = field(
        default_factory=dict, compare=False, repr=False
    )

    def __call__(self, wanted: Sequence[Output]) -> Run | OverPlaces:
        """Return what gives these outputs of frames, one after the other."""
        outputs = tuple(wanted)
        with _making:  # several threads may want the same
            if outputs not in self.made:
                self.made[outputs] = self._make(outputs)
            return self.made[outputs]

    def _make(self, wanted: Sequence[Output]) -> Run | OverPlaces:
        from models.backbones.folding import folded

        if (network := self.network) is None:
            from models.backbones.load import load_backbone

            asked = {output.stage for output in wanted}
            # A network over clips has one output, and pools within.
            within: Pooling = "avg" if wanted[0].pooling == "avg" else "max"
            network = load_backbone(
                self.name,
                pooling=within,
                stage="last" if "last" in asked else "middle",
                pretrained=self.pretrained,
                weights_path=self.weights_path,
            )
        # What is not relative is pooled by the network as ever: it is the same whatever it is made with.
        stages = list(dict.fromkeys(output.stage for output in wanted if output.relative))
        given = [Output(stage, "none") for stage in stages]
        given += [output for output in wanted if not output.relative]
        quick = folded(network.giving(given).cpu().eval(), self.shape)
        transform = self.augmented.transform(self.view) if self.augmented else None
        frame, network = torch.zeros(self.shape, dtype=torch.uint8), network.eval()
        with torch.inference_mode():  # here, as what follows may move the network to a GPU
            sizes = [network.giving([output])(frame).shape[1] for output in given if stages]
            shapes = {
                stage: (network.spec.width(stage), *network.places(frame, stage))
                for stage in stages
            }
        there = backbone_callable(
            quick, best_device(), transform, precision=self.precision, on_frames=self.on_frames
        )
        if not stages:
            return on_cpu(there)
        return OverPlaces(there, dict(zip(given, sizes, strict=True)), shapes, wanted)


class OverPlaces(OfVideo):
    """Pools feature maps, less what each of their places has in most frames of the video.

    What is always at a place, such as grass that sways, is thus no longer there, and what comes by is.
    It is the median over up to 64 frames, spread over the video; of an even number, the lower one.

    Args:
        run: gives the outputs of `sizes` of frames, one after the other: maps, and what is not relative.
            They are pooled where it gives them.
        sizes: of each; a map's is F times its places.
        shapes: of each map, F and its places.
        wanted: what to yield.
    """

    def __init__(
        self,
        run: RunThere,
        sizes: dict[Output, int],
        shapes: dict[Stage, tuple[int, ...]],
        wanted: Sequence[Output],
    ) -> None:
        self.run, self.sizes, self.shapes, self.wanted = run, sizes, shapes, wanted

    def features(
        self, inputs: Callable[[], Iterator[np.ndarray]], count: int
    ) -> Iterator[np.ndarray]:
        """Yield the features of a video; one of more than 64 frames is gone through twice."""
        picks = np.unique(spread(count, min(count, _SAMPLES)))
        seen, begin = [], 0
        for frames in inputs():
            here = picks[(picks >= begin) & (picks < begin + len(frames))] - begin
            if len(here):
                seen.append(self.run(frames[here]))
            begin += len(frames)
        picked = torch.cat(seen)
        still = picked.T.contiguous().median(dim=1).values
        if len(picked) == begin:
            yield self._pooled(picked, still)
            return
        for frames in inputs():
            yield self._pooled(self.run(frames), still)

    def _pooled(self, given: Tensor, still: Tensor) -> np.ndarray:
        widths = list(self.sizes.values())
        plain = dict(zip(self.sizes, given.split(widths, dim=1), strict=True))
        median = dict(zip(self.sizes, still.split(widths), strict=True))
        result = []
        for output in self.wanted:
            if output.relative:
                of_stage = Output(output.stage, "none")
                moving = plain[of_stage] - median[of_stage]
                places = moving.unflatten(1, self.shapes[output.stage])
                result.append(pooled(places, output.pooling))
            else:
                result.append(plain[output])
        return torch.cat(result, dim=1).cpu().numpy()


def input_shape(config: ModelConfig) -> tuple[int, ...]:
    """Of the frames or clips that a model's backbone takes, one at a time."""
    assert config.pretrained_model_name is not None
    clip = (config.sequence_length,) if spec(config.pretrained_model_name).video else ()
    return 1, *clip, 3, *models.frame_size(config)


def on_cpu(there: RunThere) -> Run:
    """The same, whose features come to the CPU."""
    return lambda frames: there(frames).cpu().numpy()


def backbone_callable(
    network: torch.nn.Module,
    device: torch.device,
    transform: Callable[[Tensor], Tensor] | None = None,
    *,
    precision: str = "fp32",
    on_frames: Advance | None = None,
) -> RunThere:
    """`network` over uint8 frames ``[n, (L,) H, W, 3]``, giving float32 ``[n, F]`` on `device`.

    Several threads may call it at once. Frames that do not fit into memory are taken in parts; it raises
    OutOfMemory where a single one does not fit.
    """
    network = network.eval().to(device)
    at_once = AtOnce(_UNLIMITED)
    if device.type == "cpu":
        keep_freed_memory(OF_BACKBONES)

    def run(frames: np.ndarray) -> Tensor:
        pictures = torch.from_numpy(frames.copy())
        if device.type == "cuda":  # the copy goes on while this thread reads the next frames
            pictures = pictures.pin_memory()
        # The transposed view of [n, H, W, 3] is channels_last as it stands: nothing is copied.
        images = pictures.to(device, non_blocking=True).movedim(-1, -3)
        autocast = torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
        with torch.inference_mode():
            if transform:
                shape = images.shape
                images = transform(images.reshape(-1, *shape[-3:])).view(shape)
            with autocast:
                parts = at_once(partial(_outputs, network, images), len(images), "frame")
            features = parts.float()
        if on_frames:
            on_frames(len(frames))
        return features

    return run


def _outputs(network: torch.nn.Module, images: Tensor, size: int) -> Tensor:
    parts = [network(part) for part in images.split(size)]
    return parts[0] if len(parts) == 1 else torch.cat(parts)
