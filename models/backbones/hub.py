"""Weights that timm and torchvision publish: found in this machine's caches, or downloaded into them.

timm loads them by itself, but without a connection it retries for half a minute even when the
file is cached. So the file is looked for here first, and timm is handed its path.
"""

import queue
import threading
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlparse

import huggingface_hub
import torch
from huggingface_hub.errors import EntryNotFoundError

from models.backbones.names import VIDEO_BACKBONES
from models.backbones.weights import PACKAGED, first_line
from models.backbones.zoo import timm
from models.errors import WeightsError

SECONDS = 4.0  # the longest wait for a hub's first answer
FILES = ("model.safetensors", "pytorch_model.bin")

T = TypeVar("T")


def published(name: str, timm_name: str) -> timm.models.PretrainedCfg:
    """Return timm's entry for the weights of a network.

    Raises:
        WeightsError: if timm has none.
    """
    entry = timm.get_pretrained_cfg(timm_name)
    if entry is None or not (entry.hf_hub_id or entry.url):
        raise WeightsError(
            f"there are no published weights for backbone {name}: choose another one,"
            " or give model.model_weights_path: FILE, or model.pretrained: false"
        )
    return entry


def origin(entry: timm.models.PretrainedCfg) -> str:
    """Return where ``entry`` is published, as an address without its scheme."""
    if entry.hf_hub_id:
        return f"huggingface.co/{entry.hf_hub_id}"
    return _url(entry).split("://")[-1]


def cached(entry: timm.models.PretrainedCfg) -> Path | None:
    """Return the file of ``entry`` if it is on this machine already, without any connection."""
    if entry.hf_hub_id:
        repository, revision = _repository(entry)
        for file in _files(entry):
            path = huggingface_hub.try_to_load_from_cache(repository, file, revision=revision)
            if isinstance(path, str):
                return Path(path)
    if entry.url and _target(entry).is_file():
        return _target(entry)
    return None


def download(name: str, entry: timm.models.PretrainedCfg) -> Path:
    """Return the file of ``entry``, downloaded if it is not on this machine yet.

    Raises:
        WeightsError: if it can't be had; within about ten seconds if there is no connection.
    """
    if path := cached(entry):
        return path
    failures = []
    for published_at, fetch in ((entry.hf_hub_id, _from_hub), (entry.url, _from_url)):
        if not published_at:
            continue
        try:
            if huggingface_hub.is_offline_mode():
                raise ConnectionError("HF_HUB_OFFLINE is set")
            return fetch(entry)
        except Exception as error:  # each hub's client raises its own exceptions
            failures.append(first_line(error))
    other = "" if name not in VIDEO_BACKBONES else " with an architecture over images"
    raise WeightsError(
        f"the weights of backbone {name} ({origin(entry)}) are not on this machine and could not"
        f" be downloaded: {'; '.join(dict.fromkeys(failures))}\n"
        "Any of these helps:\n"
        "  - connect this machine to the internet once: they are then downloaded and kept in"
        " the cache (HF_HOME and TORCH_HOME choose its folder)\n"
        "  - model.model_weights_path: FILE   (a .pth, .pt or .safetensors file of this network)\n"
        "  - model.pretrained: false   (random weights)\n"
        f"  - model.pretrained_model_name: {PACKAGED}{other}"
        "   (its weights come with the installation)"
    )


def _repository(entry: timm.models.PretrainedCfg) -> tuple[str, str | None]:
    repository, _, revision = str(entry.hf_hub_id).partition("@")
    return repository, revision or None


def _files(entry: timm.models.PretrainedCfg) -> tuple[str, ...]:
    return (entry.hf_hub_filename,) if entry.hf_hub_filename else FILES


def _from_hub(entry: timm.models.PretrainedCfg) -> Path:
    """Download from the Hugging Face hub, asking it first with a request that is not retried."""
    repository, revision = _repository(entry)
    for file in _files(entry):
        url = huggingface_hub.hf_hub_url(repository, file, revision=revision)
        try:
            _soon(partial(huggingface_hub.get_hf_file_metadata, url, timeout=SECONDS))
        except EntryNotFoundError:
            continue
        return Path(huggingface_hub.hf_hub_download(repository, file, revision=revision))
    raise FileNotFoundError(f"{repository} has none of {', '.join(_files(entry))}")


def _url(entry: timm.models.PretrainedCfg) -> str:
    return entry.url if isinstance(entry.url, str) else str((entry.url or ("",))[0])


def _target(entry: timm.models.PretrainedCfg) -> Path:
    """Return where torch.hub keeps what it downloads from the address of ``entry``."""
    name = entry.url[1] if isinstance(entry.url, tuple) else Path(urlparse(_url(entry)).path).name
    return Path(torch.hub.get_dir()) / "checkpoints" / name


def _from_url(entry: timm.models.PretrainedCfg) -> Path:
    request = urllib.request.Request(_url(entry), method="HEAD")
    _soon(lambda: urllib.request.urlopen(request, timeout=SECONDS).close())
    target = _target(entry)
    target.parent.mkdir(parents=True, exist_ok=True)
    torch.hub.download_url_to_file(_url(entry), str(target), progress=False)
    return target


def _soon(ask: Callable[[], T]) -> T:
    """Return ``ask()``, or raise TimeoutError: looking up a host name has no timeout of its own."""
    answers: queue.SimpleQueue[tuple[T | None, Exception | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put((ask(), None))
        except Exception as error:  # any error is raised again where `ask` was called for
            answers.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    try:
        answer, error = answers.get(timeout=SECONDS + 1)
    except queue.Empty:
        raise TimeoutError(f"no answer within {SECONDS + 1:g} s") from None
    if error:
        raise error
    return answer  # type: ignore[return-value]
