"""A model as one file: parameters, classes, normalisation and weights."""

import json
from pathlib import Path
from typing import Any

from models import tensors
from models.architectures.base import VideoClassifier
from models.architectures.mixture import Mixture, members
from models.assembly import attach_backbone, family
from models.config import ModelConfig

FORMAT = 1
FORMAT_OF_SEVERAL = 2  # of a mixture, which earlier versions can't read
FORMAT_WITH_REFIT = 3  # of a mixture with its refit, which versions before that can't read
FORMAT_WITH_BACKBONES = 4  # of the same with a backbone in each part, likewise


def save(model: VideoClassifier, path: str | Path, extra: dict[str, Any] | None = None) -> None:
    """Write a model to one file, which holds all that predicting needs.

    Args:
        model (VideoClassifier): its backbone is in the file if it has one.
        path (str | Path): the file; replaced if it exists.
        extra (dict | None): JSON-like data to keep with it; None keeps ``model.extra``.

    Raises:
        ValueError: if ``extra`` holds something that JSON does not know.
    """
    path = Path(path)
    try:
        extra = json.loads(json.dumps(model.extra if extra is None else extra))
    except TypeError as error:
        raise ValueError(f"extra must be JSON-like: {error}") from error
    written = FORMAT
    if isinstance(model, Mixture):
        written = FORMAT_OF_SEVERAL if model.refit is None else FORMAT_WITH_REFIT
        if any(part.backbone is not None for part in members(model)):
            written = FORMAT_WITH_BACKBONES
    content = {
        "format": written,
        "members": len(members(model)),
        "config": model.config.model_dump(mode="json"),
        "classes": model.classes,
        "num_features": model.num_features,
        "has_backbone": model.backbone is not None,
        "state": {name: tensor.cpu() for name, tensor in model.state_dict().items()},
        "extra": extra,
    }
    tensors.write(content, path)


def load(path: str | Path) -> VideoClassifier:
    """Read a model that ``save`` wrote, on the CPU, in evaluation mode.

    Nothing is downloaded: the weights of the backbone come from the file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a model's file, or is damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no model file {path}")
    content = tensors.read(path)
    if not isinstance(content, dict) or "format" not in content:
        raise ValueError(f"{path} is not a model's file")
    written = content["format"]
    if written not in range(FORMAT, FORMAT_WITH_BACKBONES + 1):
        raise ValueError(
            f"{path} has format {written}; this version reads formats {FORMAT} to "
            f"{FORMAT_WITH_BACKBONES}"
        )
    config = ModelConfig(**content["config"])
    count = 1 if written == FORMAT else content["members"]
    refit = written >= FORMAT_WITH_REFIT
    each = [
        family(config.architecture)(
            config=config.model_copy(update={"pretrained": False, "model_weights_path": None}),
            classes=content["classes"],
            num_features=content["num_features"],
        )
        for _ in range(count + refit)
    ]
    model = each[0]
    if written != FORMAT:
        model = Mixture(each[:count], each[count] if refit else None)
    if content["has_backbone"]:
        attach_backbone(model)
    elif written == FORMAT_WITH_BACKBONES:
        for part in each:
            attach_backbone(part)
    model.load_state_dict(content["state"])
    for part in (model, *each):
        part.config, part.extra = config, content["extra"]
    return model.eval()
