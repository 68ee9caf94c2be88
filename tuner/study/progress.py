"""The live table of a search, and the same as lines where the output is not a terminal."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any

from ray.tune import Callback, ProgressReporter
from rich.console import Console, Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from data.console import Latest, duration
from models.registry import PROBE
from tuner.runtime.failures import of_the_world, reason_of
from tuner.runtime.notices import Notices
from tuner.study.space.describe import describe
from tuner.study.store.results import ResultsStore
from tuner.study.time_left import TimeLeft


class NoReports(ProgressReporter):
    """In place of Tune's own table, which in a notebook would delete all that was shown before."""

    def should_report(self, trials: list[Any], done: bool = False) -> bool:
        return False

    def report(self, trials: list[Any], done: bool, *sys_info: str) -> None: ...


class Progress(Callback):
    """Shows where a search is.

    Args:
        left: tells the time that is left, and the number of trials.
        console: where to; a terminal gets a live table, anything else a line now and then.
        every: seconds between lines.
        notices: of the workers, shown as they come.
        waiting: numbers of the trials that wait at a rung, kept up to date.
        end: when the search's time is over, in seconds of `time.monotonic`; None: never.
    """

    def __init__(
        self,
        store: ResultsStore,
        left: TimeLeft,
        *,
        console: Console,
        every: float = 15,
        notices: Notices | None = None,
        waiting: Collection[int] = (),
        end: float | None = None,
    ) -> None:
        self.notices, self.noticed = notices, time.monotonic()
        self.left, self.total, self.end = left, left.total, end
        self.store, self.metric, self.console = store, store.objective.metric, console
        self.counts = store.counts()
        ranked = zip(store.places(), store.ranking(), strict=True)
        # By a model's number: its place in the ranking so far, and its value.
        self.places = {r.number: (place, r.value or 0.0) for place, r in ranked}
        self.running: dict[int, dict[str, Any]] = {}
        self.epochs: dict[int, int] = {}  # done, of each trial that has not ended
        self.waiting = waiting
        self.start, self.every = time.monotonic(), every
        self.last_line = self.start
        self.latest = Latest(console)

    def __enter__(self) -> Progress:
        self.latest.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.latest.__exit__(*error)

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune's own snapshots are not used

    @property
    def steps(self) -> str:
        """What trials do one after the other, epochs or folds."""
        return f"{self.store.objective.step}s"

    @property
    def ended(self) -> int:
        """Number of trials that have ended."""
        return sum(self.counts[state] for state in ("finished", "pruned", "failed"))

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        number = trial.config["model_id"]
        self.running[number] = {"params": trial.config["params"]}
        self.epochs.setdefault(number, 0)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        number = trial.config["model_id"]
        self.running.setdefault(number, {"params": trial.config["params"]}).update(result)
        if "best_value" not in result:
            return
        if not _is_probe(trial):
            epochs = len(result["report"].epochs) + _refit(result)
            self.left.trained(epochs, time.monotonic())
        self.epochs[number] = result["epoch"]
        value, objective = result["best_value"], self.store.objective
        place = objective.place(
            value, finished=result["finished"], steps=result["epoch"], number=number
        )
        self.places[number] = place, value

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        result = trial.last_result or {}
        if "failed" in result or "best_value" not in result:
            self._end(trial, "failed", result.get("failed", "no epoch"))
            return
        state = "finished" if result["finished"] else "pruned"
        if result["finished"] and not _is_probe(trial):
            self.left.finished(result["epoch"] + _refit(result))
        steps = self.store.objective.step if result["epoch"] == 1 else self.steps
        text = f"{self.metric} {result['best_value']:.3f} after {result['epoch']} {steps}"
        self._end(trial, state, text)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        state = "stopped" if of_the_world(trial) else "failed"
        self._end(trial, state, reason_of(trial))

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        number = trial.config["model_id"]
        self.running.pop(number, None)
        line = f"model {number:<4} again    {reason_of(trial)}; it goes on from its last checkpoint"
        self._say(Text(line, style="yellow"))

    def _end(self, trial: Any, state: str, text: str) -> None:
        number, params = trial.config["model_id"], trial.config["params"]
        self.running.pop(number, None)
        self.epochs.pop(number, None)
        self.counts[state] += 1
        line = f"model {number:<4} {state:<8} {text}; {describe(params)}"
        self._say(Text(line, style="red" if state == "failed" else ""))

    def _say(self, line: Text | str) -> None:
        # Lines are wrapped between words on a terminal, and not at all in a file.
        self.console.print(line, soft_wrap=not self.latest.shows)

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        now = time.monotonic()
        if self.notices and now - self.noticed >= 1:
            self.noticed = now
            self.notices.show(self._say)
        if self.latest.shows:
            if self.latest.due:
                self.latest.draw(self._table())
        elif now - self.last_line >= self.every:
            self.last_line = now
            self._say("; ".join(self.lines()))

    def lines(self) -> tuple[str, str]:
        """The state of the search in two lines of at most 80 columns."""
        now = time.monotonic()
        seconds = self._seconds_left(now)
        left = "?" if seconds is None else duration(seconds)
        counts = self.counts
        best = f"no {self.store.objective.step} yet"
        if self.places:
            place, value = min(self.places.values())
            best = f"best {self.metric} {value:.3f} (model {place.number})"
        return (
            f"[{duration(now - self.start)}] {left} left, {self.ended}/{self.total} trials, "
            f"{len(self._busy())} running, {len(self.waiting)} waiting, "
            + _speed(self.left.rate(now, self.start), self.steps),
            f"{best}, {counts['pruned']} pruned, {counts['finished']} finished, "
            f"{counts['failed']} failed",
        )

    def _busy(self) -> dict[int, dict[str, Any]]:
        """The trials that run and don't wait, each with its last result."""
        return {n: state for n, state in sorted(self.running.items()) if n not in self.waiting}

    def _split(self) -> tuple[list[int], list[int]]:
        """Epochs of the trials that train, and of those that wait."""
        waits = {number: number in self.waiting for number in self.epochs}
        return (
            [epochs for number, epochs in self.epochs.items() if not waits[number]],
            [epochs for number, epochs in self.epochs.items() if waits[number]],
        )

    def _seconds_left(self, now: float) -> float | None:
        running, waiting = self._split()
        seconds = self.left.seconds(
            now, self.start, running=running, waiting=waiting, ended=self.ended
        )
        if self.end is None:
            return seconds
        budget = max(0.0, self.end - now)
        return budget if seconds is None else min(seconds, budget)

    def _table(self) -> Group:
        table = Table(box=None, pad_edge=False)
        for column in ("model", self.store.objective.step, "best"):
            table.add_column(column, no_wrap=True)
        table.add_column("parameters", no_wrap=True, overflow="ellipsis")
        for number, state in self._busy().items():
            best = state.get("best_value")
            table.add_row(
                str(number),
                str(state.get("epoch", "")),
                "" if best is None else f"{best:.3f}",
                describe(state["params"]),
            )
        first, second = (Text(line, no_wrap=True, overflow="ellipsis") for line in self.lines())
        bar = ProgressBar(total=1.0, completed=self._share(), width=60)
        return Group(table, first, second, bar)  # the bar ends no line: it comes last

    def _share(self) -> float:
        """The share of the search that is done, by epochs."""
        running, waiting = self._split()
        left = self.left.epochs(running=running, waiting=waiting, ended=self.ended)
        done = self.left.count
        return done / max(done + left, 1e-9)


def _refit(result: dict[str, Any]) -> int:
    """Epochs on train and valid of a trial that has come to its end."""
    epochs = result["report"].summary.get("refit") if result["finished"] else 0
    return epochs if isinstance(epochs, int) else 0


def _is_probe(trial: Any) -> bool:
    """Probes take seconds, so nothing follows from them about the time of others."""
    return trial.config["params"]["architecture"] == PROBE


def _speed(rate: float, steps: str) -> str:
    return f"{rate:.1f} {steps}/s" if rate >= 0.1 else f"{60 * rate:.1f} {steps}/min"
