"""Files of models and checkpoints."""

from __future__ import annotations

import copy
import io
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from tests.fuzz.judge import Reader, Refused, Wrong

_WORDS = (b"tunerXX1", b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"cos\nsystem\n", b"\x80\x02")


def _small() -> list[Any]:
    """Models of two kinds, and two of them in one."""
    import torch

    import models

    torch.manual_seed(0)
    frames = models.ModelConfig(architecture="image_mlp_frozen", layer_1_size=2)
    clips = models.ModelConfig(
        architecture="video_lrcnn_frozen",
        sequence_model="MeanPooling",
        sequence_length=2,
        layer_1_size=0,
    )
    built = [
        models.build(config, ["fox", "deer"], with_backbone=False) for config in (frames, clips)
    ]
    both = models.Mixture([copy.deepcopy(built[0]), copy.deepcopy(built[0])])
    both.config = built[0].config
    return [*built, both]


@cache
def _model_files() -> list[bytes]:
    import torch

    import models

    contents = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "best.pt"
        for model in _small():
            models.save(model, path, {"fps": 2.5, "epoch": 3, "temperature": 1.25})
            contents.append(path.read_bytes())
        contents.append(_as_before(torch.load(io.BytesIO(contents[0]), weights_only=True)))
    return contents


def _as_before(content: Any) -> bytes:
    """A file of a version without seals."""
    import torch

    file = io.BytesIO()
    torch.serialization.set_crc32_options(True)
    torch.save(content, file)
    torch.serialization.set_crc32_options(False)
    return file.getvalue()


@cache
def _checkpoint_files() -> list[bytes]:
    import torch

    from models import tensors

    state = {"model": {"a": torch.arange(6.0).reshape(2, 3)}, "epoch": 3, "best": {"valid_f1": 0.5}}
    state["history"] = [{"epoch": number, "train_loss": 1 / number} for number in (1, 2, 3)]
    with tempfile.TemporaryDirectory() as folder:
        tensors.write(state, Path(folder) / "last.pt")
        return [(Path(folder) / "last.pt").read_bytes(), _as_before(state)]


def _plain(content: Any) -> str:
    """Values and tensors as text that is the same for the same."""
    import torch

    if isinstance(content, torch.Tensor):
        return f"{content.dtype}{content.tolist()}"
    if isinstance(content, dict):
        return str({key: _plain(value) for key, value in content.items()})
    return str(list(map(_plain, content))) if isinstance(content, list) else repr(content)


def _of_model(model: Any) -> str:
    return _plain([model.state_dict(), model.classes, model.extra, repr(model.config), str(model)])


def _make(folder: Path) -> Callable[[bytes], Any]:
    import models
    from models.tensors import DamagedTensors

    path, written = folder / "best.pt", set()

    def load() -> Any:
        try:
            return models.load(path)
        except DamagedTensors as error:
            raise Refused(str(error)) from error

    for content in _model_files():
        path.write_bytes(content)
        written.add(_of_model(models.load(path)))

    def read(content: bytes) -> None:
        path.write_bytes(content)
        if (found := _of_model(load())) not in written:
            raise Wrong(f"another model is read: {found}")

    return read


def _checkpoints(folder: Path) -> Callable[[bytes], Any]:
    from tuner.training.run import checkpoint

    best, last = _model_files()[0], folder / "last.pt"
    state: set[str] = set()

    def read(content: bytes) -> None:
        (folder / "best.pt").write_bytes(best)
        last.write_bytes(content)
        if (found := checkpoint(folder)) is None:
            if last.exists():
                raise Wrong("a damaged checkpoint stays")
            raise Refused("training begins again")
        if not state:
            state.add(_plain(found[0]))
        if _plain(found[0]) not in state:
            raise Wrong(f"another checkpoint is read: {_plain(found[0])}")

    return read


MODELS = Reader(_make, _model_files, (), share=2, words=_WORDS, most=200_000)
CHECKPOINTS = Reader(_checkpoints, _checkpoint_files, (), share=4, words=_WORDS, most=200_000)
