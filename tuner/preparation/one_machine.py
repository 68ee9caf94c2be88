"""From a configuration to a checked data set: labels read, videos opened, decoded and reported."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import data
from data.console import Output
from data.errors import DataError
from data.files.path import place
from data.files.store import default_folder
from data.labels.gaps import Gaps
from data.labels.sets import TaskName
from data.labels.splits import write_splits
from data.tools.sample import CLIPS, make_sample
from data.tools.traps import VIDEOS, make_traps
from data.videos.rejects import Reject, write_rejects
from models.config import ModelConfig
from tuner.config.sections import DataConfig, SplitsConfig
from tuner.preparation.checks import check_models, check_weights
from tuner.preparation.decode import decode, frame_stores


def load_dataset(config: DataConfig, output: Output, task: TaskName = "multiclass") -> data.Dataset:
    """Read the labels, open every labelled video, and say what there is.

    Args:
        task: whether several classes may be shown at once.

    Raises:
        DataError: everything that is wrong with the labels, at once.
        S3Error: videos or labels are on S3, and it can't be used.
    """
    videos, labels = config.videos, config.labels
    if config.drawn:
        labels = str(_draw(config, output))
        videos = str(Path(labels).parent)
    assert labels is not None  # as DataConfig has checked
    splits = config.splits or SplitsConfig()
    drawn = config.splits is None or splits.file is not None
    with contextlib.ExitStack() as bars:

        def bring(chunks: int) -> Callable[[], None]:
            return bars.enter_context(output.bar(f"bringing videos from {videos}, MB", chunks))

        def opening(count: int) -> Callable[[], None]:
            return bars.enter_context(output.bar("opening videos", count))

        dataset = data.load(
            place(videos, limit_bytes=config.limit_bytes),
            place(labels),
            unit="video" if config.unit == "video" else "frame",
            fps=config.fps,
            most=config.max_frames,
            valid=None if drawn else splits.valid,
            test=None if drawn else splits.test,
            seed=splits.seed,
            by=splits.by,
            splits=None if splits.file is None else place(splits.file),
            gaps=Gaps(config.background_class, config.shortest_event, config.margin),
            task=task,
            on_read=partial(output.bar, f"reading {labels}, MB"),
            on_open=opening,
            on_bring=bring,
        )
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
    return dataset


def _draw(config: DataConfig, output: Output) -> Path:
    """Draw the videos that the configuration asks for, and return the path of their labels."""
    seed, traps = config.sample_seed, config.videos == "sample-traps"
    name = f"{config.videos}-{seed}" if traps or seed else config.videos
    with output.bar("drawing the sample's videos", VIDEOS if traps else len(CLIPS)) as advance:
        draw = make_traps if traps else make_sample
        return draw(default_folder() / name, seed=seed, on_video=lambda _: advance())


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
        searched: one model for each backbone and frame size that will be asked for, all of one task.
        folder: gets ``splits.csv``, the split and group of each video, and ``rejects.csv``, the videos
            that don't decode and are left out.
        decode_all: decodes all videos and returns those that don't; None does it on this machine.

    Raises:
        DataError: the labels are wrong; a split or a class is empty when the rejects are left out;
            or, with `strict`, there are rejects.
        WeightsError: weights of a backbone are not available.
    """
    check_models(searched, config)
    dataset = load_dataset(config, output, searched[0].task)
    check_weights(searched, download=True)
    if decode_all is None:
        undecoded = decode(dataset.videos.values(), frame_stores(searched, config), config, output)
    else:
        undecoded = decode_all(dataset)
    # Also of videos that don't decode, so that the list has all that data.splits.file has to have.
    if moved := write_splits(dataset.splits(), folder):
        output.warn(f"warning: {moved}")
    rejects = [*dataset.rejects, *undecoded]
    listed = write_rejects(rejects, folder)
    for reject in rejects:
        output.warn(f"left out: {reject.video}: {reject.reason} ({reject.path})")
    if listed:
        output.say(f"{len(rejects)} labelled videos don't decode and are left out: {listed}")
    if rejects and strict:
        raise DataError([f"{r.path} does not decode: {r.reason} (--strict)" for r in rejects])
    rest = dataset.without(undecoded)
    for warning in rest.warnings[len(dataset.warnings) :]:
        output.warn(f"warning: {warning}")
    return rest
