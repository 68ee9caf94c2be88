"""What all trials of a search share, and what a trial reports after a step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data import Dataset
from data.files.storage import Storage
from tuner.config.load import Config
from tuner.runtime.notices import Notices
from tuner.study.space.describe import run_name
from tuner.training.clips.stored import Known

OUT_OF_TIME = "time budget"  # the reason of a trial that ended without a fault


@dataclass(frozen=True)
class SearchContext:
    """What all trials of a search share; put once into Ray's object store.

    Attributes:
        rungs: steps (epochs or folds) after which the scheduler decides.
        known: facts about backbones, as `tuner.training.clips.stored.known` gives them.
        notices: what workers want the search to show.
        deadline: when trials end, whatever they are at, in seconds of `time.time`; None: never.
        folds: video to the fold that it validates, from 1; empty: the valid split validates.
    """

    config: Config
    dataset: Dataset
    storage: Storage
    rungs: tuple[int, ...] = ()
    known: Known = ({}, {})
    notices: Notices = field(default_factory=Notices)
    deadline: float | None = None
    folds: Mapping[str, int] = field(default_factory=dict)

    def model_folder(self, model_id: int) -> Path:
        return self.storage.folder / "models" / str(model_id)

    def events_folder(self, model_id: int, params: dict[str, Any]) -> Path:
        """Where the trial's event files are: TensorBoard shows ``<search>/<run_name>``."""
        return self.storage.folder / run_name(model_id, params)


@dataclass(frozen=True)
class Report:
    """What the results store keeps of a step.

    Ray Tune passes it on as it is; it would flatten a mapping, several times for each result.

    Attributes:
        epochs: the selection metric of the steps that have not been reported before.
        summary: as `Run.summary` gives it.
    """

    epochs: dict[int, float]
    summary: dict[str, Any]
