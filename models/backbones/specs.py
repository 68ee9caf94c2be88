"""What is known of a backbone before its weights are loaded."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from models.backbones.names import BACKBONES, CLIP_SHAPES, VIDEO_BACKBONES, backbone_name


@dataclass(frozen=True, kw_only=True)
class BackboneSpec:
    """What is known of a backbone before its weights are loaded."""

    name: str
    timm_name: str  # or torchvision's, for a network over clips
    frame_size: tuple[int, int]  # height, width
    mean: tuple[float, float, float]  # red, green, blue, of values from 0 to 1
    std: tuple[float, float, float]
    num_features: int  # of its last feature map
    fixed_size: bool  # whether it takes frames of frame_size only
    spatial_dims: tuple[int, ...]  # dimensions of its last feature map that are pooled away
    classifier: frozenset[str]  # its parts that only its own classifier uses
    middle_stage: int | None = None  # timm's number of the stage before the last; None: not known
    middle_features: int = 0  # width of its feature map
    video: bool = False  # whether it takes whole clips, [B, L, 3, H, W]

    def width(self, stage: Literal["last", "middle"]) -> int:
        """Return how many features a stage gives.

        Raises:
            ValueError: if the middle stage is not known.
        """
        if stage == "last":
            return self.num_features
        if self.middle_stage is None:
            raise ValueError(f"{self.name} has no middle stage: leave backbone_stage out, or last")
        return self.middle_features

    def check_map(self, stage: Literal["last", "middle"]) -> None:
        """See whether a stage's places have rows and columns, so that some are neighbours.

        Raises:
            ValueError: if it gives tokens in a row.
        """
        if stage == "last" and len(self.spatial_dims) < 2:
            raise ValueError(
                f"pooling: local needs a map with rows and columns, and {self.name} gives tokens:"
                " max, avg or both; or backbone_stage: middle"
            )


_known: dict[str, BackboneSpec] = {}


def known_specs() -> dict[str, BackboneSpec]:
    """Return the specs that this process knows, so that others need not look them up."""
    return dict(_known)


def remember_specs(specs: Mapping[str, BackboneSpec]) -> None:
    """Take over specs that another process knows, so that timm need not be imported."""
    _known.update(specs)


def spec(name: str) -> BackboneSpec:
    """Return what is known of the backbone ``name``, without loading or downloading weights.

    Raises:
        ValueError: if there is no such backbone, or it does not give one feature map.
    """
    if name not in _known:
        name = backbone_name(name)
        _known[name] = _video_spec(name) if name in VIDEO_BACKBONES else _image_spec(name)
    return _known[name]


def _image_spec(name: str) -> BackboneSpec:
    """Build the network on the meta device."""
    from models.backbones.zoo import on_meta, timm

    timm_name = BACKBONES.get(name, name)

    def build() -> tuple[Any, Any, set[str], tuple[int | None, int]]:
        network: Any = timm.create_model(timm_name, num_classes=0).eval()
        size = network.pretrained_cfg["input_size"]
        return network, *_trace(network, size), _middle(network, size)

    network, features, used, (middle_stage, middle_features) = on_meta(build)
    entry = network.pretrained_cfg
    if not isinstance(features, Tensor):
        raise ValueError(f"backbone {name} gives {type(features).__name__}, not one feature map")
    if features.ndim == 4:
        channels_first = getattr(network, "output_fmt", "NCHW") == "NCHW"
        spatial_dims: tuple[int, ...] = (2, 3) if channels_first else (1, 2)
        num_features = features.shape[1 if channels_first else 3]
    else:
        spatial_dims = tuple(range(1, features.ndim - 1))
        num_features = features.shape[-1]
    named = entry.get("classifier") or ()
    named = (named,) if isinstance(named, str) else named
    parts = {name for name, _ in network.named_children()}.union(n.split(".")[0] for n in named)
    return BackboneSpec(
        name=name,
        timm_name=timm_name,
        frame_size=tuple(entry["input_size"][1:]),
        mean=tuple(entry["mean"]),
        std=tuple(entry["std"]),
        num_features=num_features,
        fixed_size=bool(entry.get("fixed_input_size")),
        spatial_dims=spatial_dims,
        classifier=frozenset(parts - used),
        middle_stage=middle_stage,
        middle_features=middle_features,
    )


def _middle(network: Any, input_size: tuple[int, int, int]) -> tuple[int | None, int]:
    """Return timm's number of the middle stage, and its width.

    It is the last one with a finer feature map than the network's last, or two thirds of the way where
    all are equally fine, as in a vision transformer.
    """
    try:
        finenesses = [about["reduction"] for about in network.feature_info]
        finer = [at for at, fineness in enumerate(finenesses) if fineness < finenesses[-1]]
        at = finer[-1] if finer else round(len(finenesses) * 2 / 3) - 1
        with torch.no_grad():
            (features,) = network.forward_intermediates(
                torch.empty(1, *input_size), indices=[at], stop_early=True, intermediates_only=True
            )
    except (AttributeError, TypeError, ValueError, KeyError, AssertionError):
        return None, 0  # timm can't do it with this network
    return at, features.shape[1]


def _trace(network: Any, input_size: tuple[int, int, int]) -> tuple[Any, set[str]]:
    """Return the feature map of an empty image, and which children of ``network`` computed it."""
    used: set[str] = set()
    for name, child in network.named_children():
        for module in child.modules():
            module.register_forward_pre_hook(lambda *_, name=name: used.add(name))
    with torch.no_grad():
        return network.forward_features(torch.empty(1, *input_size)), used


def kinetics(name: str) -> Any:
    """Return torchvision's entry for the weights of a network over clips: address, transforms."""
    from models.backbones.zoo import torchvision

    return torchvision.models.get_model_weights(name).DEFAULT


def _video_spec(name: str) -> BackboneSpec:
    from models.backbones.zoo import on_meta, torchvision

    network = on_meta(lambda: torchvision.models.get_model(name))
    *_, (classifier, weight), _bias = network.named_parameters()
    transforms = kinetics(name).transforms()
    height, width = transforms.crop_size
    return BackboneSpec(
        name=name,
        timm_name=name,
        frame_size=(height, width),
        mean=tuple(transforms.mean),
        std=tuple(transforms.std),
        num_features=weight.shape[1],
        fixed_size=name in CLIP_SHAPES,
        spatial_dims=(2, 3, 4),
        classifier=frozenset({classifier.split(".")[0]}),
        video=True,
    )
