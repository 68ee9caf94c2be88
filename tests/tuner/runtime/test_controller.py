"""Ray Tune's controller, as our searches have it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from ray import tune

from tuner.runtime import patches as controller

TRIALS = 40


class Quick(tune.Trainable):
    """Trials much shorter than the start of the second worker, which notes that it has started."""

    def setup(self, config):
        notes = Path(config["notes"])
        try:
            (notes / "first").mkdir()
        except FileExistsError:
            time.sleep(2)
        (notes / str(os.getpid())).touch()

    def reset_config(self, new_config):
        return True

    def step(self):
        time.sleep(0.1)
        return {"done": True, "worker": os.getpid()}

    def save_checkpoint(self, checkpoint_dir):
        return {}

    def load_checkpoint(self, checkpoint): ...


def test_workers_that_start_late_train_too(ray_session, tmp_path, monkeypatch):
    monkeypatch.setenv("TUNE_MAX_PENDING_TRIALS_PG", "3")
    controller.adapt(own=False)
    notes = tmp_path / "notes"
    notes.mkdir()
    space = {"model_id": tune.grid_search(list(range(TRIALS))), "notes": str(notes)}
    results = tune.Tuner(
        tune.with_resources(Quick, {"CPU": 1}),
        param_space=space,
        tune_config=tune.TuneConfig(reuse_actors=True),
        run_config=tune.RunConfig(storage_path=str(tmp_path / "runs"), verbose=0),
    ).fit()
    workers = [result.metrics["worker"] for result in results]
    assert len(workers) == TRIALS
    started = {int(path.name) for path in notes.iterdir() if path.name != "first"}
    assert len(started) == 2  # none was ended and started again
    assert min(workers.count(worker) for worker in started) >= 3
