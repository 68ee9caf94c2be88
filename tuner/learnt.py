"""The data that models are evaluated on: what their search was trained on, and what differs since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from data import DataError, Dataset
from data.cells.columns import as_categories
from data.console import Output
from data.errors import some
from data.files.store import content_key
from data.labels.sets import TaskName, classes_of
from data.learnt import Learnt, open_learnt, read_learnt
from tuner.analysis.evaluation import Trained
from tuner.preparation.checks import check_models
from tuner.preparation.learnt import kept_learnt
from tuner.preparation.one_machine import load_dataset, prepare_again, sources, tell
from tuner.study.space.space import resolve
from tuner.study.store.fingerprint import differences, fingerprint, same_labels
from tuner.study.store.results import DATA, ResultsStore

_ADVICE = (
    "evaluate on the labels as they are now with --current-labels, or say where the videos are now "
    "with --set data.videos=FOLDER"
)


class _Known(NamedTuple):
    """What a search knows of a video."""

    split: str
    content: str


def evaluated_on(
    store: ResultsStore, models: Sequence[Trained], output: Output, *, current: bool = False
) -> Dataset:
    """The data to evaluate models of a search on, with all that they need.

    That is the table that the search wrote when it began. Labels of test videos that were mended
    since count, if no video is in another split and the classes are the same. What differs is said.

    Args:
        current: take videos and labels as they are now. The splits are those of the search: a video
            that models were trained on is never tested on. One that the search does not know is.

    Raises:
        DataError: the videos or labels can't be used.
    """
    config = store.config
    networks = [resolve(dict(model.params))[0] for model in models]
    check_models(networks, config.data)
    tables, known = _tables(store, models, output, current=current)
    if tables and not current:
        dataset = _as_trained(store, tables[0], networks[0].task, output)
    else:
        dataset = load_dataset(config.data, _silent(output), networks[0].task)
    if known and (current or not tables or len(tables) > 1):
        dataset = _splits_of_search(dataset, known, output)
    dataset = _learnt_classes(dataset, models[0].load().classes, output)
    dataset = replace(dataset, warnings=[])  # those of other splits; these are told anew
    tell(dataset, output)
    return prepare_again(dataset, networks, config.data, output)


def _tables(
    store: ResultsStore, models: Sequence[Trained], output: Output, *, current: bool
) -> tuple[list[Learnt], dict[str, _Known]]:
    """The tables of the models, that of the first one first, and what they say of each video.

    A search has one; of models that were trained by themselves each has its own. A search of an
    earlier version may have none, but the splits that it began with.
    """
    config, tables = store.config, list[Learnt]()
    storage = config.storage_folder
    found = [kept_learnt(storage, model.folder, config.folder) for model in models]
    try:
        tables = [read_learnt(path) for path in dict.fromkeys(found) if path is not None]
    except DataError as error:
        if not current:
            raise
        output.warn(f"warning: {error}")
    note = store.notes(DATA).get(DATA) or {"videos": {}}
    known = {name: _Known(split, content) for name, (split, content, _) in note["videos"].items()}
    for table in reversed(tables):
        rows = table.videos
        for name, split, content in zip(rows.index, rows["split"], rows["content"], strict=True):
            if name not in known or split != "test":
                known[str(name)] = _Known(split, content)
    return tables, known


def _as_trained(store: ResultsStore, table: Learnt, task: TaskName, output: Output) -> Dataset:
    """The data set of a table; what the labels say now is compared with it."""
    config = store.config.data
    videos, _ = sources(config, output)
    try:
        dataset = open_learnt(table, videos, fps=config.fps, most=config.max_frames, task=task)
    except DataError as error:
        raise DataError([*error.problems, _ADVICE]) from error
    try:
        now = load_dataset(config, _silent(output), task)
    except (DataError, OSError) as error:
        why = some(getattr(error, "problems", [error]), 1)
        output.warn(f"note: the labels as they are now can't be used ({why}): {_own(table)}")
        return dataset
    return _compared(dataset, now, table, output)


def _silent(output: Output) -> Output:
    return replace(output, say=lambda _: None, warn=lambda _: None)


def _own(table: Learnt) -> str:
    return f"the figures are of what the models were trained on, {table.path}"


def _compared(dataset: Dataset, now: Dataset, table: Learnt, output: Output) -> Dataset:
    """`dataset` with labels of test videos that were mended since; what else differs is said."""
    before, after = (_fingerprint(one) for one in (dataset, now))
    for reject in dataset.rejects:
        after["videos"].pop(reject.video, None)
    mended = same_labels(after, before, of="test")
    if said := differences(after, before):
        output.warn(
            f"note: the data has changed since the models were trained ({'; '.join(said)}): "
            f"{_own(table)}; --current-labels takes the labels as they are now"
        )
    if not mended:
        return dataset
    output.say(
        f"labels of {len(mended)} test videos were mended since the models were trained "
        f"({some(mended)}): the figures are of these labels"
    )
    parts = [
        dataset.table[~dataset.table["video"].isin(mended)],
        now.table[now.table["video"].isin(mended)],
    ]
    return replace(dataset, table=_joined(parts))


def _fingerprint(dataset: Dataset) -> dict:
    table = dataset.table
    if "frame" in table:  # as it is told apart by its bytes
        dataset = replace(dataset, table=table.astype({"frame": np.int64}))
    return fingerprint(dataset, test=True)


def _joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Parts of label tables as one, in order."""
    names = ["video", "label", "split"]
    table = pd.concat([part.astype(dict.fromkeys(names, str)) for part in parts])
    order = ["video", "frame"] if "frame" in table else ["video"]
    table = table.sort_values(order, kind="stable", ignore_index=True)
    return table.assign(**{name: as_categories(table[name]) for name in names})


def _splits_of_search(dataset: Dataset, known: Mapping[str, _Known], output: Output) -> Dataset:
    """The data set with the splits that the search had; a video that it does not know is tested on."""
    trained = {one.content: one.split for one in known.values() if one.split != "test"}
    splits = {}
    for name, video in dataset.videos.items():
        split = known[name].split if name in known else "test"
        if split == "test":  # it may be one that was trained on, under another name
            split = trained.get(content_key(video.info.path), split)
        splits[name] = split
    own = dict(dataset.splits()[["video", "split"]].itertuples(index=False))
    moved = [name for name in splits if splits[name] != own[name]]
    if seen := [f"{name} in {splits[name]}" for name in moved if own[name] == "test"]:
        output.warn(
            f"warning: not tested on, as the models were trained on them: {len(seen)} videos "
            f"({some(seen)})"
        )
    if others := [f"{name} in {splits[name]}" for name in moved if own[name] != "test"]:
        output.warn(
            f"note: in the splits of the search, and not in those of now: {len(others)} videos "
            f"({some(others)})"
        )
    return dataset.with_splits(splits)


def _learnt_classes(dataset: Dataset, classes: Sequence[str], output: Output) -> Dataset:
    """The data set without labels of classes that the models do not know; they are said."""
    table = dataset.table
    known = [
        label
        for label in table["label"].cat.categories
        if set(classes_of([label], dataset.task)) <= set(classes)
    ]
    strange = ~table["label"].isin(known)
    if not strange.any():
        return dataset
    counts = table.loc[strange, "label"].astype(str).value_counts()
    each = some(f"{name}: {count}" for name, count in counts.items())
    output.warn(
        f"warning: the models do not know these classes: {each} labelled {dataset.unit}s are "
        "predicted, and are in no figure"
    )
    kept = table[~strange].reset_index(drop=True)
    kept["label"] = kept["label"].cat.remove_unused_categories()
    return replace(dataset, table=kept, classes=list(classes))
