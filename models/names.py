"""The names a user may write: architectures, backbones, sequence models.

This module costs nothing to import (no torch, no timm): configuration files are checked
against it before anything heavy is loaded.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """One row of the registry: the class that an architecture is, and what holds for it."""

    model: str  # "module:Class", imported only when a model is built
    frozen: bool  # the backbone is not trained, so its features can be computed once and stored
    single_frame: bool = False  # takes clips of one frame
    sequential: bool = False  # needs a sequence_model over the frames' features


# To add an architecture: a subclass of models.base.VideoClassifier, and one line here.
# fmt: off
REGISTRY: dict[str, Architecture] = {
    "image_mlp_frozen": Architecture(model="models.frame:Frame", frozen=True, single_frame=True),
    "video_mlp_concat": Architecture(model="models.concat:Concat", frozen=True),
    "video_lrcnn_frozen": Architecture(model="models.lrcn:LRCN", frozen=True, sequential=True),
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

SEQUENCE_MODELS = ("LSTM", "SimpleRNN", "GRU", "Convolution1D")


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
        value (str): a name of ``BACKBONES`` (in any case) or of a timm model, with or without
            its weights' tag (``resnet50``, ``resnet50.tv_in1k``).

    Raises:
        ValueError: if nothing is known by this name; the message holds the nearest names.
    """
    if alias := match(value, BACKBONES):
        return alias
    import timm  # takes seconds, so only for names that are not in the table above

    for name in (value.strip(), value.strip().lower()):
        tagged = "." in name
        if timm.is_model_pretrained(name) if tagged else timm.is_model(name):
            return name
    architecture = value.split(".")[0]
    tags = timm.list_pretrained(f"{architecture}.*") if timm.is_model(architecture) else []
    known = [*BACKBONES, *(tags or timm.list_models())]
    raise ValueError(
        f"unknown backbone {value!r}.{nearest(value, known)}"
        f" Known short names are {', '.join(BACKBONES)};"
        " any name that timm.list_models() gives works too."
    )
