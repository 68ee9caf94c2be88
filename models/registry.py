"""The names a user may write: architectures, backbones, sequence models.

This module costs nothing to import (no torch, no timm): configuration files are checked
against it before anything heavy is loaded.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """One row of the registry: the class that an architecture is, and what holds for it."""

    model: str  # "module:Class" of models.architectures, imported only when a model is built
    frozen: bool  # the backbone is not trained, so its features can be computed once and stored
    single_frame: bool = False  # takes clips of one frame
    sequential: bool = False  # needs a sequence_model over the frames' features
    backbone: Literal["image", "video"] | None = "image"  # None: trained from scratch
    length: int = 1  # sequence_length unless given
    layers: bool = True  # has the layers of layer_1_size to layer_3_size
    frame_size: tuple[int, int] | None = None  # unless given; None is the backbone's own


# To add an architecture: a subclass of models.architectures.base.VideoClassifier, and one line here.
# fmt: off
REGISTRY: dict[str, Architecture] = {
    "image_mlp_frozen": Architecture(model="frame:Frame", frozen=True, single_frame=True),
    "image_mlp_trainable": Architecture(model="frame:Frame", frozen=False, single_frame=True),
    "video_mlp_concat": Architecture(model="concat:Concat", frozen=True),
    "video_lrcnn_frozen": Architecture(model="lrcn:LRCN", frozen=True, sequential=True),
    "video_lrcnn_trainable": Architecture(model="lrcn:LRCN", frozen=False, sequential=True),
    "c3d": Architecture(
        model="conv3d:C3D", frozen=False,
        backbone=None, length=16, layers=False, frame_size=(112, 112),
    ),
    "c3dsmall": Architecture(
        model="conv3d:C3DSmall", frozen=False,
        backbone=None, length=16, layers=False, frame_size=(112, 112),
    ),
    "video_3d_frozen": Architecture(
        model="video3d:Video3D", frozen=True, backbone="video", length=16
    ),
    "video_3d_trainable": Architecture(
        model="video3d:Video3D", frozen=False, backbone="video", length=16
    ),
}
# fmt: on
ARCHITECTURES = tuple(REGISTRY)

# Short names of backbones, and what timm calls them. Any other timm name may be used as it is.
BACKBONES: dict[str, str] = {
    "efficientnet_lite0": "tf_efficientnet_lite0",
    "vgg16": "vgg16",
    "resnet50": "resnet50",
    "mobilenetv2_1.00_224": "mobilenetv2_100",
    "xception": "legacy_xception",
    "inception_v3": "inception_v3",
    "inception_resnet_v2": "inception_resnet_v2",
}

# Networks over whole clips, pretrained on Kinetics-400, as torchvision names them.
VIDEO_BACKBONES = ("r3d_18", "mc3_18", "r2plus1d_18", "s3d", "mvit_v2_s", "swin3d_t")
CLIP_SHAPES = {"mvit_v2_s": (16, 224, 224)}  # the only frames, height, width that they take
SHORTEST_CLIPS = {"s3d": (5, 17)}  # frames, pixels: of less its pools would leave nothing

DEFAULT_BACKBONES = {"image": "efficientnet_lite0", "video": "r3d_18", None: None}

RECURRENT_MODELS = ("LSTM", "SimpleRNN", "GRU")
POOLING_MODELS = ("AttentionPooling", "MeanPooling")  # have no width: every layer is a dense one
SEQUENCE_MODELS = (*RECURRENT_MODELS, "Convolution1D", "Transformer", *POOLING_MODELS)


def match(value: str, known: Iterable[str]) -> str | None:
    """Return the known name that equals ``value`` but for upper and lower case, or None."""
    return next((name for name in known if name.lower() == value.strip().lower()), None)


def nearest(value: str, known: Iterable[str], *, count: int = 3) -> str:
    """Return " Did you mean a, b?" with the known names closest to ``value``, or nothing."""
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(value.strip().lower(), by_lower, n=count, cutoff=0.6)
    return f" Did you mean {', '.join(by_lower[name] for name in close)}?" if close else ""


def backbone_name(value: str) -> str:
    """Return the name of a backbone as this package writes it.

    Args:
        value (str): a name of ``BACKBONES`` or ``VIDEO_BACKBONES`` (in any case) or of a timm
            model, with or without its weights' tag (``resnet50``, ``resnet50.tv_in1k``).

    Raises:
        ValueError: if nothing is known by this name; the message holds the nearest names.
    """
    if alias := match(value, (*BACKBONES, *VIDEO_BACKBONES)):
        return alias
    from models.backbones.zoo import (
        timm,  # takes seconds, so only for names that are not in the table above
    )

    for name in (value.strip(), value.strip().lower()):
        tagged = "." in name
        if timm.is_model_pretrained(name) if tagged else timm.is_model(name):
            return name
    architecture = value.split(".")[0]
    tags = timm.list_pretrained(f"{architecture}.*") if timm.is_model(architecture) else []
    known = [*BACKBONES, *VIDEO_BACKBONES, *(tags or timm.list_models())]
    raise ValueError(
        f"unknown backbone {value!r}.{nearest(value, known)}"
        f" Known short names are {', '.join(BACKBONES)};"
        " any name that timm.list_models() gives works too."
        f" Networks over clips are {', '.join(VIDEO_BACKBONES)}."
    )
