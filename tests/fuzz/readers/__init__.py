"""All that reads files, by name, and what each is given first."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tests.fuzz.judge import Reader
from tests.fuzz.readers import (
    arrays,
    configs,
    formats,
    images,
    labels,
    learnt,
    networks,
    splits,
    stores,
    times,
    videos,
)

READERS: dict[str, Reader] = {
    "config": configs.FILES,
    "set": configs.OVERRIDES,
    "labels": labels.READER,
    "times": times.READER,
    "splits": splits.READER,
    "formats": formats.FILES,
    "archives": formats.ARCHIVES,
    "packages": formats.PACKAGES,
    "learnt": learnt.READER,
    "arrays": arrays.READER,
    "models": networks.MODELS,
    "checkpoints": networks.CHECKPOINTS,
    "store": stores.READER,
    "videos": videos.READER,
    "images": images.READER,
}
CORPUS = Path(__file__).parents[1] / "corpus"


@cache
def corpus_of(name: str) -> list[bytes]:
    """Contents that are right, and those in ``tests/fuzz/corpus``, which went wrong once."""
    return [*READERS[name].seeds(), *failed(name).values()]


def failed(name: str) -> dict[str, bytes]:
    """What went wrong once, by the names of the files."""
    return {path.name: path.read_bytes() for path in sorted((CORPUS / name).glob("*"))}
