"""What each sampler and each scheduler must do, under Ray Tune, with a toy instead of a training."""

from __future__ import annotations

import io
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import pytest
from ray import tune
from rich.console import Console

from tests.tuner.study.toy import DIVERGES, EPOCHS, RAISES, Toy, value
from tuner.config.load import Config, parse
from tuner.runtime.session import RaySession
from tuner.study.sampler import StudySearcher
from tuner.study.space.space import Space
from tuner.study.store.results import ResultsStore
from tuner.study.tune import run_trials

pytestmark = pytest.mark.filterwarnings(
    "ignore:BruteForceSampler:optuna.exceptions.ExperimentalWarning"
)

TRIALS = 8
STOP_AFTER = 10  # results
SIZES, DROPOUTS = [8, 16, 32, 64], [0.0, 0.3]


class Interrupt(tune.Callback):
    """Presses Ctrl-C."""

    def __init__(self) -> None:
        self.results = 0

    def on_trial_result(self, *_: Any, **info: Any) -> None:
        self.results += 1
        if self.results == STOP_AFTER:
            signal.raise_signal(signal.SIGINT)


@dataclass(frozen=True)
class Case:
    """A sampler with a scheduler.

    Attributes:
        every: whether each configuration of a discrete space must come exactly once.
        raises: whether a trial raises an error, too, which costs the start of a worker.
        at_once: trials; with several, what a sampler has learned depends on which ends first.
        prunes: whether the scheduler is sure to stop some, to stop none, or neither.
    """

    sampler: str
    scheduler: str
    sampler_options: dict[str, Any] | None = None
    scheduler_options: dict[str, Any] | None = None
    every: bool = False
    raises: bool = False
    at_once: int = 1
    prunes: bool | None = None

    def __str__(self) -> str:
        return "-".join(name.rpartition(":")[2] for name in (self.sampler, self.scheduler))

    def config(self, folder: Path, seed: int = 0) -> Config:
        # These two know by themselves when they have had all.
        asked = {"grid": None, "optuna.samplers:BruteForceSampler": 3 * TRIALS}
        return parse(
            {
                "name": "contract",
                "storage": str(folder),
                "training": {"rounds": 1, "epochs": EPOCHS},
                "resources": {"trials_at_once": self.at_once},
                "space": {
                    "architecture": ["image_mlp_frozen"],
                    "layer_1_size": SIZES,
                    "dropout": DROPOUTS if self.every else {"low": 0.0, "high": 0.5},
                },
                "search": {
                    "trials": asked.get(self.sampler, TRIALS),
                    "probes": 0,
                    "seed": seed,
                    "startup_trials": 3,
                    "grace_period": 1,
                    "retries": 0,
                    "sampler": self.sampler,
                    "scheduler": self.scheduler,
                    "sampler_options": self.sampler_options or {},
                    "scheduler_options": self.scheduler_options or {},
                },
            },
            "contract",
        )


CASES = [
    Case("tpe", "asha", raises=True, prunes=True),
    Case("random", "none", at_once=2, prunes=False),
    Case("grid", "asha", every=True, prunes=True),
    Case(
        "optuna.samplers:BruteForceSampler",
        "ray.tune.schedulers:MedianStoppingRule",
        scheduler_options={"grace_period": 2, "min_samples_required": 2},
        every=True,
    ),
]


def search(case: Case, config: Config, *callbacks: Any) -> tuple[bool, str]:
    """Run the missing trials; returns whether it was interrupted, and what it said."""
    store, said = ResultsStore.create(config, resume=True), io.StringIO()
    toy = tune.with_parameters(Toy, folder=config.folder, raises=case.raises)
    with RaySession() as session:
        interrupted = run_trials(
            config,
            Space(config),
            None,  # type: ignore[arg-type]  # nobody asks for videos
            store,
            Console(file=said, width=200),
            session,
            trainable=toy,
            callbacks=callbacks,
        )
    return interrupted, said.getvalue()


def trials_of(config: Config) -> list[optuna.trial.FrozenTrial]:
    """The trials as other programs read them."""
    return optuna.load_study(study_name="contract", storage=config.results_url).trials


def check(case: Case, config: Config, trials: list[optuna.trial.FrozenTrial]) -> None:
    """Check the contract for a search that has come to its end."""
    assert [trial.number for trial in trials] == list(range(TRIALS))
    log = (config.folder / "log").read_text().splitlines()
    assert len(log) == len(set(log)), "an epoch was trained twice"
    reasons = {DIVERGES: "loss is nan"}
    if case.raises:
        reasons[RAISES] = "RuntimeError: the toy broke"
    for trial in trials:
        state, attrs = trial.state.name, trial.user_attrs
        if trial.number in reasons:
            assert (state, attrs["reason"]) == ("FAIL", reasons[trial.number])
            assert not trial.intermediate_values
            continue
        length = len(trial.intermediate_values)
        expected = {e: value(attrs["parameters"], e) for e in range(1, length + 1)}
        assert trial.intermediate_values == pytest.approx(expected)
        assert f"{trial.number} {length}" in log and f"{trial.number} {length + 1}" not in log
        assert state == ("COMPLETE" if length == EPOCHS else "PRUNED")
        assert attrs["best_value"] == pytest.approx(max(expected.values()))
        assert attrs["results"] == {"epochs": length}
        if state == "COMPLETE":
            assert trial.value == attrs["best_value"]
    states = [trial.state.name for trial in trials]
    assert "COMPLETE" in states
    if case.prunes is not None:
        assert ("PRUNED" in states) == case.prunes
    if case.every:
        models = [trial.user_attrs["parameters"] for trial in trials]
        pairs = sorted((model["layer_1_size"], model["dropout"]) for model in models)
        assert pairs == [(size, dropout) for size in SIZES for dropout in DROPOUTS]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_search_that_is_interrupted_and_resumed_keeps_to_the_contract(
    case, ray_session, tmp_path
):
    config = case.config(tmp_path)
    assert search(case, config, Interrupt())[0]
    before = trials_of(config)
    assert 0 < len(before) <= TRIALS and not all(trial.state.is_finished() for trial in before)

    assert not search(case, config)[0]
    after = trials_of(config)
    check(case, config, after)
    for trial in before:
        if trial.state.is_finished():
            assert after[trial.number] == trial
        assert after[trial.number].user_attrs["parameters"] == trial.user_attrs["parameters"]
    if config.search.trials in (TRIALS, None):
        assert "have ended already" in search(case, config)[1]


def propose(case: Case, folder: Path, **settings: Any) -> list[dict[str, Any]]:
    """The trials of a search, one after another, without Tune."""
    config = case.config(folder, **settings)
    store = ResultsStore.create(config, resume=False)
    searcher, proposed = (
        StudySearcher(store, Space(config), config.search, config.storage_folder),
        [],
    )
    while isinstance(trial := searcher.suggest("t"), dict):
        number, params = trial["model_id"], trial["params"]
        values = {epoch: value(params, epoch) for epoch in range(1, EPOCHS + 1)}
        store.report(number, values)
        store.finish(number, pruned=number % 2 == 1, results={}, value=max(values.values()))
        searcher.on_trial_complete("t")
        proposed.append(params)
    return proposed


SAMPLERS = {case.sampler: case for case in CASES if isinstance(case, Case)}


@pytest.mark.parametrize("case", SAMPLERS.values(), ids=SAMPLERS)
def test_the_same_seed_gives_the_same_trials_and_another_one_others(case, tmp_path):
    trials = propose(case, tmp_path / "a")
    assert len(trials) == TRIALS
    assert propose(case, tmp_path / "b") == trials
    assert (propose(case, tmp_path / "c", seed=1) == trials) == (case.sampler == "grid")
