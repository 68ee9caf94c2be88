"""A model's parameters in a few words."""

from __future__ import annotations

from typing import Any

from models.registry import REGISTRY


def describe(params: dict[str, Any]) -> str:
    """The parameters that tell models apart, in a few words."""
    words = [str(params.get("architecture")), str(params.get("pretrained_model_name") or "")]
    if params.get("frames_per_video"):
        words.append(f"{params['frames_per_video']} frames")
    elif params.get("sequence_length", 1) > 1:
        around = "-around" if params.get("labelled_frame") == "middle" else ""
        words.append(f"L={params['sequence_length']}{around}")
    words += [*_pictures(params), *_layers(params, "/")]
    return " ".join(word for word in words if word)


def run_name(number: int, params: dict[str, Any]) -> str:
    """A model's name in TensorBoard, which is a folder's, too: ``007 lrcnn GRU 128``."""
    kind = str(params.get("architecture")).removeprefix("image_").removeprefix("video_")
    words = [f"{number:03}", *kind.removesuffix("_frozen").split("_")]
    return " ".join([*words, *_pictures(params), *_layers(params, "-")])


def _pictures(params: dict[str, Any]) -> list[str]:
    """What is seen of each frame, where it is not just the frame's last features."""
    motion = params.get("motion") or "none"
    words = ["middle"] if params.get("backbone_stage") == "middle" else []
    if motion != "none":
        words.append(f"motion-{motion}" + ("" if params.get("appearance", True) else "-alone"))
    if (crop := params.get("crop", "none")) != "none":
        words.append("crop" if crop == "motion" else f"crop-{crop}")
    if (relative := params.get("relative", "none")) != "none":
        words.append("relative" if relative == "video" else f"relative-{relative}")
    if (share := params.get("top_frames") or 1) < 1:
        words.append(f"top-{share:.2g}")
    return words


def _layers(params: dict[str, Any], between: str) -> list[str]:
    words: list[str] = []
    architecture = REGISTRY.get(str(params.get("architecture")))
    if architecture and not architecture.layers:
        return words
    if params.get("sequence_model"):
        layers = params.get("sequence_model_layers", 1)
        words.append(params["sequence_model"] + (f" x{layers}" if layers > 1 else ""))
    sizes = [params.get(f"layer_{i}_size", 0) for i in (1, 2, 3)]
    return [*words, between.join(str(size) for size in sizes if size) or "linear"]
