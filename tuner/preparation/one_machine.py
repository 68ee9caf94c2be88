"""From a configuration to a checked data set: labels read, videos opened, decoded and reported."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import data
from data.console import Output
from data.errors import DataError, some
from data.files.path import File, place
from data.files.store import default_folder
from data.labels.gaps import Gaps
from data.labels.sets import TaskName
from data.labels.splits import write_splits
from data.tools.drawing.sets import draw_set
from data.videos.info import VideoInfo
from data.videos.opened import keep, known
from data.videos.rejects import Reject, write_rejects
from models.config import ModelConfig
from tuner.config.sections import DataConfig, SplitsConfig
from tuner.preparation.checks import check_models, check_weights
from tuner.preparation.decode import Found, decode, frame_stores


def load_dataset(config: DataConfig, output: Output, task: TaskName = "multiclass") -> data.Dataset:
    """Read the labels, open every labelled video, and say what there is.

    Args:
        task: whether several classes may be shown at once.

    Raises:
        DataError: everything that is wrong with the labels, at once.
        S3Error: videos or labels are on S3, and it can't be used.
    """
    videos, labels = sources(config, output)
    splits = config.splits or SplitsConfig()
    drawn = config.splits is None or splits.file is not None
    with contextlib.ExitStack() as bars:

        def bring(chunks: int) -> Callable[[], None]:
            return bars.enter_context(output.bar(f"bringing videos from {videos}, MB", chunks))

        def opening(count: int) -> Callable[[], None]:
            return bars.enter_context(output.bar("opening videos", count))

        dataset = data.load(
            videos,
            labels,
            unit="video" if config.unit == "video" else "frame",
            fps=config.fps,
            most=config.max_frames,
            valid=None if drawn else splits.valid,
            test=None if drawn else splits.test,
            seed=splits.seed,
            by=splits.by,
            damaged=config.damaged,
            splits=None if splits.file is None else place(splits.file),
            columns=config.columns,
            frame_numbers=config.frame_numbers,
            gaps=Gaps(config.background_class, config.shortest_event, config.margin),
            task=task,
            on_read=partial(output.bar, f"reading {labels}, MB"),
            on_open=opening,
            on_bring=bring,
        )
    tell(dataset, output)
    return dataset


def sources(config: DataConfig, output: Output) -> tuple[File, File]:
    """Where the videos and their labels are; the ones that the project draws are drawn."""
    videos, labels = config.videos, config.labels
    if config.drawn:
        labels = str(draw_set(config.videos, config.sample_seed, output))
        videos = str(Path(labels).parent)
    assert labels is not None  # as DataConfig has checked
    return place(videos, limit_bytes=config.limit_bytes), place(labels)


def tell(dataset: data.Dataset, output: Output) -> None:
    """Say what there is of each class in each split, and what is to be known of it."""
    count = f"{len(dataset.videos)} videos"
    if dataset.unit == "frame":
        output.say(f"data: {len(dataset.table)} labelled frames of {count}, as frames (videos)")
    else:
        output.say(f"data: {count} with labels")
    table = dataset.summary().rename_axis(index=None, columns=None)
    wide = len(table.to_string().partition("\n")[0]) > 80
    output.say((table.T if wide else table).to_string())
    for warning in dataset.warnings:
        output.warn(f"warning: {warning}")


def prepare(
    config: DataConfig,
    searched: Sequence[ModelConfig],
    folder: Path,
    output: Output,
    *,
    strict: bool = False,
    decode_all: Callable[[data.Dataset], list[Found]] | None = None,
    check: Callable[[data.Dataset], object] = lambda dataset: None,
) -> data.Dataset:
    """Everything that trials need before the first one starts.

    Args:
        searched: one model for each backbone and frame size that will be asked for, all of one task.
        folder: gets ``splits.csv``, the split and group of each video, and ``rejects.csv``, the videos
            that are left out or used in part, since they don't decode.
        decode_all: decodes all videos and returns what `decode` does; None does it on this machine.
        check: called with the data set before anything is decoded, to raise what is wrong with it.

    Raises:
        DataError: the labels are wrong; a split or a class is empty when the rejects are left out;
            or, with `strict`, there are rejects.
        WeightsError: weights of a backbone are not available.
    """
    check_models(searched, config)
    dataset, undecoded = _decoded(config, searched, output, decode_all, check)
    rejects = [*dataset.rejects, *undecoded]
    wrong = [*rejects, *dataset.damaged]
    listed = write_rejects(wrong, folder)
    for reject in wrong:
        output.warn(reject.told)
    if rejects:
        output.say(f"{len(rejects)} labelled videos don't decode and are left out: {listed}")
    if dataset.damaged:
        output.say(
            f"{len(dataset.damaged)} damaged videos are used as far as they decode "
            f"(data.damaged: leave_out does without them): {listed}"
        )
    if wrong and strict:
        raise DataError([f"{r.path} does not decode: {r.reason} (--strict)" for r in wrong])
    rest = _without(dataset, undecoded, output)
    # Also of videos that don't decode, which may do so when they are replaced.
    decoded = dict(zip(rest.table["video"], rest.table["split"], strict=True))
    if moved := write_splits(dataset.with_splits(decoded).splits(), folder):
        output.warn(f"warning: {moved}")
    return rest


def prepare_again(
    dataset: data.Dataset, searched: Sequence[ModelConfig], config: DataConfig, output: Output
) -> data.Dataset:
    """Everything that models need which are evaluated on a data set; no list is written.

    Raises:
        DataError: a split is empty when the videos that don't decode are left out.
        WeightsError: weights of a backbone are not available.
    """
    check_weights(searched, download=True)
    stores = frame_stores(searched, config)
    while True:
        found = decode(dataset.videos.values(), stores, config, output)
        undecoded = [one for one in found if isinstance(one, Reject)]
        others = {one.path: one for one in found if isinstance(one, VideoInfo)}
        if not others:
            break
        # Which frames a damaged video has, was found by another machine, or another version.
        videos = {
            name: replace(video, info=others.get(video.info.path, video.info))
            for name, video in dataset.videos.items()
        }
        dataset = replace(dataset, videos=videos)
    for reject in [*dataset.rejects, *undecoded]:
        output.warn(reject.told)
    return _without(dataset, undecoded, output)


def _without(dataset: data.Dataset, undecoded: list[Reject], output: Output) -> data.Dataset:
    rest = dataset.without(undecoded)
    for warning in rest.warnings[len(dataset.warnings) :]:
        output.warn(f"warning: {warning}")
    return rest


def _decoded(
    config: DataConfig,
    searched: Sequence[ModelConfig],
    output: Output,
    decode_all: Callable[[data.Dataset], list[Found]] | None,
    check: Callable[[data.Dataset], object],
) -> tuple[data.Dataset, list[Reject]]:
    """The data set, decoded; and the videos that can't be.

    Where decoding finds other frames than a file promises, the labels are read again for what there is.
    """
    while True:
        dataset = load_dataset(config, output, searched[0].task)
        check_weights(searched, download=True)
        check(dataset)
        if decode_all is None:
            videos = dataset.videos.values()
            found = decode(videos, frame_stores(searched, config), config, output)
        else:
            found = decode_all(dataset)
        rejects = [one for one in found if isinstance(one, Reject)]
        others = {one.path: one for one in found if isinstance(one, VideoInfo)}
        if not others:
            return dataset, rejects
        names = []
        for video in dataset.videos.values():
            if info := others.get(video.info.path):
                names.append(video.name)
                keep(info, video.identity)  # another machine may have found it
                if known(info.path, video.identity) is None:
                    raise DataError([f"{default_folder()} can't be written to: give TUNER_CACHE"])
        output.say(
            f"{len(names)} videos hold other frames than their files promise, so that labels are read "
            f"again: {some(names)}"
        )
