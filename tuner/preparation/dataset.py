"""From a configuration to a checked data set in the stores: read, opened, decoded, said so."""

from __future__ import annotations

import contextlib
import csv
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import data
import models
from data.errors import DataError
from data.files.path import place
from data.files.store import default_folder
from data.tools.sample import make_sample
from data.videos.decode import VideoError, read_frames
from data.videos.video import Reject, Video
from models import WeightsError
from models.config import ModelConfig
from tuner.config.messages import ConfigError, Output
from tuner.config.sections import DataConfig
from tuner.training.clips.features import open_stores


def load_dataset(config: DataConfig, output: Output) -> data.Dataset:
    """Read the labels, open every labelled video, and say what there is.

    Raises:
        DataError: everything that is wrong with the labels, at once.
        S3Error: videos or labels are on S3, and it can't be used.
    """
    videos, labels = config.videos, config.labels
    if videos == "sample":
        folder = default_folder() / "sample"
        with output.bar("drawing the sample's videos", 14) as advance:
            labels = str(make_sample(folder, on_video=lambda _: advance()))
        videos = str(folder)
    assert labels is not None  # says DataConfig
    splits = config.splits
    with contextlib.ExitStack() as bars:

        def bring(chunks: int) -> Callable[[], None]:
            return bars.enter_context(output.bar(f"bringing videos from {videos}, MB", chunks))

        advance = bars.enter_context(output.bar("opening videos", None))
        dataset = data.load(
            place(videos, limit_bytes=config.limit_bytes),
            place(labels),
            fps=config.fps,
            valid=None if splits is None else splits.valid,
            test=None if splits is None else splits.test,
            seed=0 if splits is None else splits.seed,
            on_open=lambda count: advance,
            on_bring=bring,
        )
    output.say(f"data: {len(dataset.table)} labelled frames of {len(dataset.videos)} videos")
    output.say(dataset.summary().rename_axis(index=None, columns=None).to_string())
    for warning in dataset.warnings:
        output.say(f"warning: {warning}")
    return dataset


def prepare(
    config: DataConfig,
    searched: Sequence[ModelConfig],
    folder: Path,
    output: Output,
    *,
    strict: bool = False,
    decode_all: Callable[[data.Dataset], list[Reject]] | None = None,
) -> data.Dataset:
    """Everything that trials need before the first one starts.

    Args:
        searched: one model for each backbone and frame size that will be asked for.
        folder: gets ``rejects.csv``, the videos that don't decode and are left out.
        decode_all: decodes all videos and returns those that don't; None does it on this machine.

    Raises:
        DataError: the labels are wrong, or without the rejects a split or a class is empty; with
            `strict`, there are rejects.
        WeightsError: weights of a backbone can't be had.
    """
    check_models(searched, config)
    dataset = load_dataset(config, output)
    check_weights(searched, download=True)
    if decode_all is None:
        found = decode(dataset.videos.values(), frame_sizes(searched), config, output)
    else:
        found = decode_all(dataset)
    rejects = [*dataset.rejects, *found]
    listed = write_rejects(rejects, folder)
    for reject in rejects:
        output.say(f"left out: {reject.video}: {reject.reason} ({reject.path})")
    if listed:
        output.say(f"{len(rejects)} labelled videos don't decode and are left out: {listed}")
    if rejects and strict:
        raise DataError([f"{r.path} does not decode: {r.reason} (--strict)" for r in rejects])
    return dataset.without(found)


def features(
    config: DataConfig,
    searched: Iterable[ModelConfig],
    videos: Iterable[Video],
    output: Output,
) -> None:
    """Compute the features that frozen models will ask for, on this machine; a bar shows how far it is.

    Other processes that want the same ones share them out with this one.
    """
    videos = list(videos)
    wanted = [(s, [v for v in videos if not s.has(v)]) for s in feature_stores(searched, config)]
    with output.bar("computing features", sum(len(missing) for _, missing in wanted)) as advance:
        for store, missing in wanted:
            store.ensure(missing, on_video=lambda _: advance())


def frame_sizes(searched: Iterable[ModelConfig]) -> list[tuple[int, int]]:
    """Every height and width that frames will be asked for in."""
    return list(dict.fromkeys(models.frame_size(model) for model in searched))


def feature_stores(searched: Iterable[ModelConfig], config: DataConfig) -> list[data.FeatureStore]:
    """One store for each backbone, frame size and kind of picture that frozen models will ask for."""
    stores: dict[tuple, data.FeatureStore] = {}
    for model in searched:
        if models.uses_stored_features(model):
            for store in open_stores(model, config):
                key = (store.backbone_key, store.size, store.window, store.motion)
                stores.setdefault(key, store)
    return list(stores.values())


def decode(
    videos: Iterable[Video], sizes: list[tuple[int, int]], config: DataConfig, output: Output
) -> list[Reject]:
    """`decode_one` of all videos, several at a time; a bar shows how many are done."""
    videos = list(videos)

    def attempt(video: Video) -> Reject | None:
        try:
            return decode_one(video, sizes, config)
        finally:
            advance()

    with (
        output.bar("decoding videos", len(videos)) as advance,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        return [reject for reject in pool.map(attempt, videos) if reject]


def decode_one(video: Video, sizes: list[tuple[int, int]], config: DataConfig) -> Reject | None:
    """Bring the frames of a video into this machine's frame store, decoding it once for all sizes.

    With ``frames: direct`` it is decoded all the same, to know whether it does, and not kept.

    Returns:
        why it does not decode to its end; None if it does.
    """
    try:
        if config.frames == "direct":
            for _ in read_frames(video.info):
                pass
        else:
            data.FrameStore(limit_bytes=config.limit_bytes).ensure(video, sizes)
    except VideoError as error:
        return Reject(video.name, video.info.path, str(error))
    return None


def write_rejects(rejects: list[Reject], folder: Path) -> Path | None:
    """``rejects.csv``: each video left out, and why; None, and no file, if there is none."""
    path = folder / "rejects.csv"
    if not rejects:
        path.unlink(missing_ok=True)
        return None
    folder.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["video", "path", "reason"])
        writer.writerows([r.video, r.path, r.reason] for r in rejects)
    return path


def check_models(searched: Iterable[ModelConfig], data: DataConfig) -> None:
    """Build what only building tells: whether clips leave something behind a network's pools, and
    whether it has so many stages to train.

    Raises:
        ConfigError: everything that can't be built, at once.
    """
    problems = []
    for config in searched:
        if config.motion != "none" and data.frames == "direct":
            problems.append(
                f"motion ({config.motion}) needs data.frames: stored: it compares frames with others"
            )
        plain = config.model_copy(update={"pretrained": False, "model_weights_path": None})
        try:
            models.frame_size(plain)
            if not models.uses_stored_features(plain):
                models.build(plain, ["one", "other"])
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError("model", list(dict.fromkeys(problems)))


def check_weights(searched: Iterable[ModelConfig], *, download: bool) -> list[str]:
    """Where the weights of each backbone come from, as lines.

    Raises:
        WeightsError: all the weights that can't be had (only with `download`, those to download).
    """
    from models.backbones.load import check_weights as origin

    wanted = dict.fromkeys(
        (c.pretrained_model_name, c.pretrained, c.model_weights_path) for c in searched
    )
    lines, missing = [], []
    for name, pretrained, path in wanted:
        if name is None:
            continue
        try:
            source = origin(name, pretrained=pretrained, weights_path=path, download=download)
            lines.append(f"{name}: {source}")
        except WeightsError as error:
            missing.append(str(error))
    if missing:
        raise WeightsError("\n".join(missing))
    return lines
