"""The table of what a search was trained on, kept with its models: written once, and found again."""

from __future__ import annotations

from pathlib import Path

from data import Dataset
from data.console import Output
from data.files.storage import Storage
from data.learnt import NAMES, learnt_file, write_learnt
from tuner.config.load import Config
from tuner.preparation.one_machine import sources


def keep_learnt(config: Config, dataset: Dataset, folder: Path, output: Output) -> None:
    """Write the table of a data set into a folder of the search's, and keep it where its models are."""
    videos, _ = sources(config.data, output)
    path, storage = write_learnt(dataset, videos, folder), config.storage_folder
    storage.keep_file(path)
    storage.remove(*(folder / name for name in NAMES if folder / name != path))


def kept_learnt(storage: Storage, *folders: Path) -> Path | None:
    """The table in the first of these folders that has one, brought to this machine."""
    for folder in folders:
        for name in NAMES:
            storage.fetch_file(folder / name)
        if path := learnt_file(folder):
            return path
    return None
