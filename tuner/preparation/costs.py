"""What a search has to store before its trials: how many frames and features, and how many bytes."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import models
from data import FeatureStore
from data.console import Output
from data.files.store import default_folder
from data.videos.video import Video
from models.config import ModelConfig, Size
from tuner.config.sections import DataConfig
from tuner.preparation.compute import Views, stores_of_models, stores_of_views
from tuner.preparation.decode import frame_stores

_GB = 1e9
_WORTH_SAYING = 2 * _GB  # to be stored
_FEATURE_BYTES, _PIXEL_BYTES = 2, 3


@dataclass(frozen=True)
class Part:
    """What is stored of one kind: pictures of one size, or features of one backbone and picture.

    Attributes:
        kind: the folder of the cache, which has a limit of its own.
        what: such as ``frames 224x224`` or ``features of resnet50``.
        rows: frames or features of all videos.
        missing: those of them that are not stored yet.
        row_bytes: of each.
        network: the model that the features are for, and its store.
    """

    kind: str
    what: str
    rows: int
    missing: int
    row_bytes: int
    network: tuple[ModelConfig, FeatureStore] | None = None

    @property
    def missing_bytes(self) -> int:
        return self.missing * self.row_bytes


class Decoding(NamedTuple):
    """A video that is decoded `passes` times, and the sizes that are then stored of it."""

    video: Video
    passes: int
    whole: list[Size]
    crops: list[Size]


@dataclass(frozen=True)
class Need:
    """All that is stored before the trials, and the videos that are decoded for it.

    Attributes:
        pictures: parts of frames and crops.
        features: parts of features, computed by one process.
    """

    pictures: list[Part]
    features: list[Part]
    decodings: list[Decoding]

    @property
    def parts(self) -> list[Part]:
        return [*self.pictures, *self.features]

    @property
    def missing_bytes(self) -> int:
        return sum(part.missing_bytes for part in self.parts)


def need(
    searched: Iterable[ModelConfig],
    videos: Iterable[Video],
    config: DataConfig,
    *,
    without_features: Collection[str] = (),
    views: Views | None = None,
    learnt: Collection[str] = (),
) -> Need:
    """What the preparation of a search will store, beside what is stored already.

    Args:
        without_features: names of videos whose features are not computed ahead of the trials.
        views: augmented ones, which are computed of the videos whose names are `learnt`.
    """
    searched, videos = list(searched), list(videos)
    wanted = [video for video in videos if video.name not in without_features]
    taught = [video for video in wanted if video.name in learnt]
    jobs = [
        *((store, model, wanted) for store, model in stores_of_models(searched, config)),
        *((store, model, taught) for store, model in stores_of_views(searched, config, views)),
    ]
    lacking = [{video.name for video in some if not store.has(video)} for store, _, some in jobs]
    features = [
        _features(store, model, some, lacks)
        for (store, model, some), lacks in zip(jobs, lacking, strict=True)
    ]
    # Videos whose features are all that is needed of them, and are there, are not decoded again.
    done = set[str]()
    if all(models.uses_stored_features(model) for model in searched):
        done = {video.name for video in wanted}.difference(*lacking)
    left = [video for video in videos if video.name not in done]
    if config.frames == "direct":  # each store decodes its videos by itself, after a first look
        times = {v.name: 1 + sum(v.name in lacks for lacks in lacking) for v in left}
        return Need([], features, [Decoding(v, times[v.name], [], []) for v in left])
    pictures: list[Part] = []
    missing: dict[tuple[str, str], list[Size]] = {}
    kinds = frame_stores(searched, config)
    for store, sizes in kinds:
        for size in sizes:
            absent = [video for video in left if not store.has(video, size)]
            for video in absent:
                missing.setdefault((video.name, store.what), []).append(size)
            what = f"{store.what} {size[0]}x{size[1]}"
            bytes_each = size[0] * size[1] * _PIXEL_BYTES
            pictures.append(Part(store.kind, what, _count(videos), _count(absent), bytes_each))
    decodings = []
    for video in left:
        wanted_of = [missing.get((video.name, store.what), []) for store, _ in kinds]
        if passes := sum(map(bool, wanted_of)):
            whole, *crops = wanted_of
            decodings.append(Decoding(video, passes, whole, [size for of in crops for size in of]))
    return Need(pictures, features, decodings)


def _features(
    store: FeatureStore, model: ModelConfig, videos: list[Video], lacks: set[str]
) -> Part:
    def rows(of: Iterable[Video]) -> int:
        return _count(of) if store.places is None else store.places * len(list(of))

    missing = rows([video for video in videos if video.name in lacks])
    return Part(
        "features",
        f"features of {model.pretrained_model_name}",
        rows(videos),
        missing,
        store.num_features * _FEATURE_BYTES,
        (model, store),
    )


def _count(videos: Iterable[Video]) -> int:
    return sum(map(len, videos))


def gigabytes(count: float) -> str:
    """``7.2 GB``; small numbers in MB."""
    if count >= 99.5e6:
        return f"{count / _GB:,.1f} GB" if count < 99.5 * _GB else f"{count / _GB:,.0f} GB"
    return f"{count / 1e6:,.1f} MB"


def lines(need: Need) -> list[str]:
    """A line for what is to be stored, and one for each kind of it."""
    free = shutil.disk_usage(default_folder()).free
    total = f"{gigabytes(need.missing_bytes)} in {default_folder()} ({gigabytes(free)} free)"
    return [f"to store: {total}", *(f"  {line}" for line in map(_line, _alike(need.parts)))]


def _alike(parts: Iterable[Part]) -> list[list[Part]]:
    """Parts with the same words and numbers, together."""
    groups: dict[tuple[str, int, int, int], list[Part]] = {}
    for part in parts:
        key = (part.what, part.rows, part.missing, part.row_bytes)
        groups.setdefault(key, []).append(part)
    return list(groups.values())


def _line(parts: list[Part]) -> str:
    part, times = parts[0], f"{len(parts)} x " if len(parts) > 1 else ""
    if not part.missing:
        return f"{part.what}: all {times}{part.rows:,} are stored already"
    size = gigabytes(len(parts) * part.missing_bytes)
    if part.missing == part.rows:
        return f"{part.what}: {times}{part.rows:,}, {size}"
    stored = f"{part.rows - part.missing:,} of {part.rows:,}"
    return f"{part.what}: {times}{part.missing:,}, {size} ({times}{stored} are stored already)"


def warnings(need: Need, config: DataConfig) -> list[str]:
    """What is wrong with so much: it exceeds the cache's limit, or the free space of its disk."""
    found = []
    less = "give a lower data.fps, fewer data.max_frames or a smaller frame_size"
    for kind in dict.fromkeys(part.kind for part in need.parts):
        count = sum(part.rows * part.row_bytes for part in need.parts if part.kind == kind)
        if config.limit_bytes is not None and count > config.limit_bytes:
            found.append(
                f"warning: all {kind} take {gigabytes(count)}, but data.cache_limit_gb is "
                f"{config.cache_limit_gb:g}: some will be deleted, and made again when they are needed;"
                f" raise it, or {less}"
            )
    free = shutil.disk_usage(default_folder()).free
    if need.missing_bytes > free:
        found.append(
            f"warning: {gigabytes(need.missing_bytes)} are to be stored, but {default_folder()} has "
            f"{gigabytes(free)} free: set TUNER_CACHE to a folder on a larger disk, or {less}"
        )
    return found


def tell(need: Need, config: DataConfig, output: Output) -> None:
    """Say ahead of the preparation what it will store, if that is much."""
    if need.missing_bytes >= _WORTH_SAYING:
        for line in lines(need):
            output.say(line)
    for warning in warnings(need, config):
        output.warn(warning)
