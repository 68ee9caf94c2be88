"""The names a user may write: architectures, backbones, sequence models.

This module costs nothing to import (no torch, no timm): configuration files are checked
against it before anything heavy is loaded.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """One row of the registry: an architecture's class, and what holds for it."""

    model: str  # "module:Class" of models.architectures, imported only when a model is built
    frozen: bool  # the backbone is not trained, so its features can be computed once and stored
    single_frame: bool = False  # takes clips of one frame
    sequential: bool = False  # needs a sequence_model over the frames' features
    backbone: Literal["image", "video"] | None = "image"  # None: trained from scratch
    length: int = 1  # sequence_length unless given
    places: int = 16  # frames_per_video unless given, where whole videos are classified
    layers: bool = True  # has the layers of layer_1_size to layer_3_size
    joins_steps: bool = False  # takes the features of several steps by itself
    orders_steps: bool = False  # the order of the steps counts: none can be left out
    frame_size: tuple[int, int] | None = None  # unless given; None is the backbone's own
    frozen_twin: str | None = None  # the architecture of the same head over a frozen backbone


# To add an architecture: a subclass of models.architectures.base.VideoClassifier, and one line here.
# fmt: off
REGISTRY: dict[str, Architecture] = {
    "image_mlp_frozen": Architecture(model="frame:Frame", frozen=True, single_frame=True),
    "image_mlp_trainable": Architecture(
        model="frame:Frame", frozen=False, single_frame=True,
        frozen_twin="image_mlp_frozen",
    ),
    "video_mlp_concat": Architecture(
        model="concat:Concat", frozen=True, joins_steps=True, orders_steps=True
    ),
    "video_lrcnn_frozen": Architecture(
        model="lrcn:LRCN", frozen=True, sequential=True, joins_steps=True, orders_steps=True
    ),
    "video_lrcnn_trainable": Architecture(
        model="lrcn:LRCN", frozen=False, sequential=True, joins_steps=True, orders_steps=True,
        frozen_twin="video_lrcnn_frozen",
    ),
    "c3d": Architecture(
        model="conv3d:C3D", frozen=False,
        backbone=None, length=16, places=4, layers=False, frame_size=(112, 112),
    ),
    "c3dsmall": Architecture(
        model="conv3d:C3DSmall", frozen=False,
        backbone=None, length=16, places=4, layers=False, frame_size=(112, 112),
    ),
    "video_3d_frozen": Architecture(
        model="video3d:Video3D", frozen=True, backbone="video", length=16, places=4
    ),
    "video_3d_trainable": Architecture(
        model="video3d:Video3D", frozen=False, backbone="video", length=16, places=4,
        frozen_twin="video_3d_frozen",
    ),
    "linear_probe": Architecture(
        model="probe:LinearProbe", frozen=True, layers=False, joins_steps=True
    ),
}
# fmt: on
ARCHITECTURES = tuple(REGISTRY)
PROBE = "linear_probe"  # what a search begins with, and has to beat


RECURRENT_MODELS = ("LSTM", "SimpleRNN", "GRU")
CONVOLUTIONS = ("Convolution1D",)  # have a convolution_kernel_size
# have no width: every layer is a dense one
POOLING_MODELS = ("AttentionPooling", "MeanPooling", "MaxPooling", "LogSumExpPooling")
SEQUENCE_MODELS = (*RECURRENT_MODELS, *CONVOLUTIONS, "Transformer", *POOLING_MODELS)
