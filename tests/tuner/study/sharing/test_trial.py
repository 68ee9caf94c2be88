"""What a trial leaves to those that share its card, and to the next one on its worker."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

from data.console import quiet
from tuner.config.load import Config
from tuner.preparation.one_machine import load_dataset
from tuner.study.context import SearchContext
from tuner.study.sharing.largest import largest
from tuner.study.space.space import Space
from tuner.study.trial import Trial
from tuner.training.loop import Training


def test_a_trial_that_fails_is_over_at_once_and_its_worker_takes_the_next(
    write_config: Any, monkeypatch: Any
) -> None:
    """Its model is let go, and what its end meets is not the next one's."""
    space = {"architecture": ["c3dsmall"], "sequence_length": [11], "learning_rate": [1e38]}
    path: Path = write_config(
        model={"frame_size": [54, 54]}, training={"clips_per_epoch": 4}, space=space
    )
    config = Config.load(path)
    dataset = load_dataset(config.data, replace(quiet, warn=quiet.say), "multiclass")
    (params,) = largest(Space(config)).values()
    made: list[weakref.ref[Training]] = []
    plain = Training.__init__

    def watched(self: Training, *args: Any, **more: Any) -> None:
        made.append(weakref.ref(self))
        plain(self, *args, **more)

    monkeypatch.setattr(Training, "__init__", watched)
    trial: Any = object.__new__(Trial)
    trial.config = {"model_id": 1, "params": params}
    trial.setup(trial.config, SearchContext(config, dataset, config.storage_folder))
    result = trial.step()
    assert result["done"] and "loss is" in result["failed"]
    gc.collect()
    assert made and made[0]() is None

    assert trial.reset_config({})
    trial.config = {"model_id": 2, "params": {**params, "learning_rate": 1e-3}}
    assert trial.step()["epoch"] >= 1
    trial.cleanup()
