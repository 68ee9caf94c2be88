"""ASHA under a stand-in for Tune's controller, with the store as its memory."""

import time
from types import SimpleNamespace

from tuner.config.load import parse
from tuner.objective import Objective
from tuner.study.halving.schedule import (
    ASHA,
    TimeBudget,
    decisions,
    make_rungs,
    make_scheduler,
    watchers,
)
from tuner.study.space.space import Space
from tuner.study.store.results import ResultsStore


def toy_config(folder, **search):
    return parse(
        {
            "name": "toy",
            "storage": str(folder),
            "space": {"architecture": ["image_mlp_frozen"], "layer_1_size": [8, 16]},
            "training": {"rounds": 1, "epochs": 9},
            "search": {"trials": 20, "grace_period": 1, "reduction_factor": 3, **search},
        },
        "x",
    )


def make(config, *, resume=False):
    store, controller = ResultsStore.create(config, resume=resume), Controller(config)
    rungs = make_rungs(config, store)
    controller.scheduler = make_scheduler(config, rungs, lambda: controller.remaining)
    return controller


class Controller:
    """One worker, and trials whose metric grows towards their quality."""

    scheduler: ASHA

    def __init__(self, config, epochs: int = 9) -> None:
        self.objective, self.epochs, self.remaining = Objective(config.search.metric), epochs, 0
        self.trials: list[SimpleNamespace] = []

    def add(self, qualities: list[float], probes: int = 0):
        for n, quality in enumerate(qualities):
            architecture = "linear_probe" if n < probes else "image_mlp_frozen"
            config = {"model_id": n, "params": {"architecture": architecture}}
            self.trials.append(
                SimpleNamespace(
                    trial_id=f"tune{n}", config=config, quality=quality, epoch=0, status="PENDING"
                )
            )
        return self

    def result(self, epoch: int, value: float) -> dict:
        score = self.objective.score({"valid_loss": 1.0, self.objective.metric: value})
        return {"epoch": epoch, "best_value": value, "score": score}

    def get_live_trials(self):
        return [t for t in self.trials if t.status != "TERMINATED"]

    def pause_trial(self, trial, should_checkpoint):
        assert trial.status == "RUNNING" and not should_checkpoint
        trial.status = "PAUSED"

    def stop_trial(self, trial):
        trial.status = "TERMINATED"
        self.scheduler.on_trial_remove(self, trial)

    def run(self) -> list[int]:
        """Run a search; returns the epochs that each trial got."""
        scheduler = self.scheduler
        while True:
            pending = [t for t in self.trials if t.status == "PENDING"]
            self.remaining = len(pending)
            trial = scheduler.choose_trial_to_run(self) or next(iter(pending), None)
            if trial is None:
                if not self.get_live_trials():
                    return [t.epoch for t in self.trials]
                continue
            trial.status = "RUNNING"
            while trial.status == "RUNNING":
                trial.epoch += 1
                value = trial.quality * trial.epoch / self.epochs
                result = self.result(trial.epoch, value)
                if (
                    trial.epoch == self.epochs
                    or scheduler.on_trial_result(self, trial, result) == "STOP"
                ):
                    trial.status = "TERMINATED"
                    scheduler.on_trial_complete(self, trial, result)


def test_poor_trials_end_at_a_rung_and_the_best_at_its_end(tmp_path):
    controller = make(toy_config(tmp_path))
    assert isinstance(controller.scheduler, ASHA)
    epochs = controller.add([0.9, 0.5, 0.4, 0.95, 0.3, 0.2, 0.6, 0.99, 0.1]).run()
    assert epochs == [3, 1, 1, 3, 1, 1, 1, 9, 1]
    assert not controller.scheduler.rungs.waiting and not controller.scheduler.trials


def test_of_two_trials_the_better_one_goes_on(tmp_path):
    assert make(toy_config(tmp_path)).add([0.3, 0.5]).run() == [1, 9]


def test_a_probe_goes_on_however_it_does_and_the_others_are_compared_with_it(tmp_path):
    def run(*qualities):
        name = f"toy{len(qualities)}"
        return make(toy_config(tmp_path / name)).add(list(qualities), probes=2).run()

    assert run(0.1, 0.7, 0.5, 0.6, 0.9) == [9, 9, 1, 1, 9]
    assert run(0.1, 0.9, 0.5, 0.6, 0.7, 0.4) == [
        9,
        9,
        1,
        1,
        3,
        1,
    ]  # at the next rung, a probe was better


def test_a_lower_loss_is_better(tmp_path):
    controller = make(toy_config(tmp_path, metric="valid_loss"))
    assert controller.add([0.1, 0.9, 0.5]).run() == [9, 1, 1]


def test_a_resumed_search_remembers_what_earlier_trials_reached(tmp_path):
    config = toy_config(tmp_path)
    store = ResultsStore.create(config, resume=False)
    for quality in (0.9, 0.8, 0.95):
        number, _ = store.ask(Space(config).sample)
        for epoch in range(1, 10):
            store.report(number, {epoch: quality * epoch / 9})
        store.finish(number, pruned=False, results={}, value=quality)
    controller = make(config, resume=True).add([0, 0, 0, 0.5, 0.99])
    for trial in controller.trials[:3]:
        trial.status = "TERMINATED"
    assert controller.run()[3:] == [1, 9]


def test_a_resumed_trial_is_judged_once_a_rung(tmp_path):
    config = toy_config(tmp_path)
    store = ResultsStore.create(config, resume=False)
    number, _ = store.ask(Space(config).sample)
    store.report(number, {1: 0.5})
    controller = make(config, resume=True)
    scheduler = controller.scheduler
    controller.add([0.9])
    (trial,) = controller.trials
    trial.config["model_id"], trial.status = number, "RUNNING"
    scheduler.on_trial_result(controller, trial, controller.result(2, 0.9))
    assert scheduler.rungs.reached[0] == {number: (0.5, -float("inf"))}
    assert trial.status == "PAUSED"


def test_a_failed_trial_waits_no_longer(tmp_path):
    controller = make(toy_config(tmp_path)).add([0.5])
    scheduler = controller.scheduler
    (trial,) = controller.trials
    trial.status = "RUNNING"
    scheduler.on_trial_result(controller, trial, controller.result(1, 0.9))
    assert set(scheduler.rungs.waiting) == {0}
    scheduler.on_trial_error(controller, trial)
    assert not scheduler.rungs.waiting
    assert scheduler.choose_trial_to_run(controller) is None


def test_no_scheduler_stops_nothing(tmp_path):
    controller = make(toy_config(tmp_path, scheduler="none"))
    assert not isinstance(controller.scheduler, ASHA)


def test_the_time_budget_ends_a_search():
    assert not TimeBudget(None).stop_all()
    assert not TimeBudget(time.monotonic() + 100).stop_all()
    assert TimeBudget(time.monotonic()).stop_all()


def test_trials_that_another_scheduler_pauses_wait(tmp_path):
    search = {"scheduler": "ray.tune.schedulers:HyperBandScheduler"}
    config = toy_config(tmp_path, **search)
    rungs = make_rungs(config, ResultsStore.create(config, resume=False))
    (watcher,) = watchers(config, rungs)
    waiting = rungs.waiting  # what sampler and progress were given
    trials = [
        SimpleNamespace(config={"model_id": n}, status=status)
        for n, status in enumerate(["RUNNING", "PAUSED", "PAUSED", "TERMINATED"])
    ]
    watcher.on_step_end(0, trials)
    assert set(waiting) == {1, 2}
    trials[1].status = "RUNNING"
    watcher.on_step_end(1, trials)
    assert set(waiting) == {2}
    assert decisions(config, rungs) == tuple(range(1, 10))  # it is asked after every epoch
