"""Searches that are stopped, killed, resumed and extended."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pandas as pd
import pytest
import yaml

from tests.tuner.study.store.test_fingerprint import exchange
from tuner.config.messages import StoreError
from tuner.study.store.results import ResultsStore

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.shared_cache


def url_of(path: Path) -> str:
    return f"sqlite:///{yaml.safe_load(path.read_text())['storage']}/results.db"


def study_of(path: Path) -> optuna.Study:
    return optuna.load_study(study_name="small", storage=url_of(path))


def counts_of(path: Path) -> dict[str, int]:
    return ResultsStore.open(url_of(path), "small").counts()


def test_a_search_is_resumed_and_extended(write_config, command, ray_session):
    path = write_config(search={"trials": 2})
    assert command("search", path)[0] == 0
    status, _, err = command("search", path)
    assert status == 2 and "--resume" in err
    before = [trial.params for trial in study_of(path).trials]
    status, out, _ = command("search", path, "--resume", "--set", "search.trials=4")
    assert status == 0 and "2 of 4 trials to run" in out
    after = study_of(path).trials
    assert len(after) == 4 and [trial.params for trial in after[:2]] == before
    status, out, _ = command("search", path, "--resume", "--set", "search.trials=4")
    assert status == 0 and "have ended already" in out


def test_a_killed_search_is_resumed_without_loss(write_config, tmp_path):
    # Epochs enough that a trial is still running when it is looked at, on any machine.
    path = write_config(
        training={"epochs": 60, "patience": 60, "rounds": 2, "batch_size": 2},
        search={"trials": 2, "scheduler": "none"},
    )
    line = [sys.executable, "-m", "tuner.search", str(path), "--resume"]
    said = tmp_path / "log"
    log = said.open("w")
    first = subprocess.Popen(line, cwd=ROOT, stdout=log, stderr=log)

    def trials() -> list:
        try:
            return ResultsStore.open(url_of(path), "small").study.trials
        except StoreError:  # it isn't there yet
            return []

    def runs_since(epochs: int) -> bool:
        """If a trial runs, and more than these many epochs have ended in all."""
        ended = sum(len(trial.intermediate_values) for trial in trials())
        # Between two trials, none may run for a moment.
        return ended > epochs and counts_of(path)["running"] > 0

    wait_until(lambda: runs_since(0), first, said)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    before = trials()
    assert any(trial.state.name == "RUNNING" for trial in before)
    counts = counts_of(path)  # nothing runs any more, and nothing says that it does
    assert counts["running"] == 0 and counts["stopped"] > 0

    second = subprocess.Popen(line, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
    reached = sum(len(trial.intermediate_values) for trial in before)
    wait_until(lambda: runs_since(reached + 3), second, said)
    # As `timeout` and batch systems do: the command, then all of its group. It is Ctrl-C's way.
    os.kill(second.pid, signal.SIGTERM)
    os.killpg(second.pid, signal.SIGTERM)
    start = time.monotonic()
    assert second.wait(timeout=60) == 130
    assert time.monotonic() - start < 30
    assert "stopped before its end; go on with:" in said.read_text()
    for trace in ("Traceback", "SIGTERM received", "Ray has ended"):
        assert trace not in said.read_text()
    counts = counts_of(path)
    assert counts["running"] == 0 and counts["stopped"] > 0

    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    after = trials()
    assert len(after) == 2
    for trial in after:
        assert trial.state.name == "COMPLETE"
        # Each epoch once, none left out, as in a search that was not interrupted.
        assert sorted(trial.intermediate_values) == list(
            range(1, len(trial.intermediate_values) + 1)
        )
        history = pd.read_csv(
            tmp_path / "runs" / "small" / "models" / str(trial.number) / "fit_history.csv"
        )
        assert list(history["epoch"]) == sorted(trial.intermediate_values)
    params_before = {trial.number: trial.params for trial in before}
    assert all(after[number].params == params for number, params in params_before.items())


def wait_until(condition, process: subprocess.Popen, log: Path, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, f"the search ended too soon: {log.read_text()}"
        assert time.monotonic() < end, f"the search does not get on: {log.read_text()}"
        time.sleep(0.05)


def test_a_search_does_not_go_on_with_other_labels(
    write_config, command, ray_session, drawn, tmp_path
):
    shutil.copytree(drawn, tmp_path / "videos")
    labels = tmp_path / "videos" / "labels.csv"
    places = {"videos": str(tmp_path / "videos"), "labels": str(labels)}
    path = write_config(search={"trials": 1}, data=places)
    assert command("search", path)[0] == 0
    exchange(labels)
    status, out, err = command("search", path, "--resume", "--set", "search.trials=2")
    assert status == 2 and "to run" not in out
    said = " ".join(err.split())
    assert "it began with other data (1 video with other labels" in said
    assert "--set name=ANOTHER" in said and "--accept-changed-data" in said
    status, out, _ = command("search", path, "--resume", "--accept-changed-data")
    assert status == 0 and "1 of 1 trials to run" in out
    assert len(study_of(path).trials) == 1
    assert command("search", path, "--resume")[0] == 0  # it goes on with what it now began with
