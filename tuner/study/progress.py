"""The live table of a search, and the same as lines where the output is not a terminal."""

from __future__ import annotations

import time
from collections.abc import Collection
from functools import partial
from typing import Any

from ray.tune import Callback, ProgressReporter
from rich.console import Console, Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from data.console import Latest, duration
from tuner.runtime.failures import reason_of
from tuner.runtime.notices import Notices
from tuner.study.space.describe import describe
from tuner.study.store.results import ResultsStore


class NoReports(ProgressReporter):
    """In place of Tune's own table, which in a notebook would delete all that was shown before."""

    def should_report(self, trials: list[Any], done: bool = False) -> bool:
        return False

    def report(self, trials: list[Any], done: bool, *sys_info: str) -> None: ...


class Progress(Callback):
    """Shows where a search is.

    Args:
        total: trials that the search is to have in all.
        console: where to; a terminal gets a live table, anything else a line now and then.
        every: seconds between lines.
        notices: of the workers, shown as they come.
        waiting: numbers of the trials that wait at a rung, kept up to date.
    """

    def __init__(
        self,
        store: ResultsStore,
        total: int,
        metric: str,
        *,
        console: Console,
        every: float = 15,
        notices: Notices | None = None,
        waiting: Collection[int] = (),
    ) -> None:
        self.notices, self.noticed = notices, time.monotonic()
        self.store, self.total, self.metric, self.console = store, total, metric, console
        self.counts = store.counts()
        self.ended_before = self._ended()
        ranking = store.ranking()
        self.best = ranking[0] if ranking else None
        self.best_value = self.best.value if self.best else None
        self.best_text = f"model {self.best.number}" if self.best else "none yet"
        self.running: dict[int, dict[str, Any]] = {}
        self.waiting = waiting
        self.epochs, self.start, self.every = 0, time.monotonic(), every
        self.last_line = self.start
        self.latest = Latest(console)

    def __enter__(self) -> Progress:
        self.latest.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.latest.__exit__(*error)

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune's own snapshots are not used

    def _ended(self) -> int:
        return sum(self.counts[state] for state in ("finished", "pruned", "failed"))

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        number = trial.config["model_id"]
        self.running[number] = {"params": trial.config["params"]}

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        number = trial.config["model_id"]
        self.running.setdefault(number, {"params": trial.config["params"]}).update(result)
        if "best_value" not in result:
            return
        self.epochs += len(result["report"].epochs)
        value = result["best_value"]
        if self.store.objective.improves(value, self.best_value):
            self.best_value, self.best_text = value, f"model {number}"

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        result = trial.last_result or {}
        if "failed" in result or "best_value" not in result:
            self._end(trial, "failed", result.get("failed", "no epoch"))
        else:
            state = "finished" if result["finished"] else "pruned"
            text = f"{self.metric} {result['best_value']:.3f} after {result['epoch']} epochs"
            self._end(trial, state, text)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._end(trial, "failed", reason_of(trial))

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        number = trial.config["model_id"]
        self.running.pop(number, None)
        line = f"model {number:<4} again    {reason_of(trial)}; it goes on from its last checkpoint"
        self.console.print(Text(line, style="yellow"), soft_wrap=True)

    def _end(self, trial: Any, state: str, text: str) -> None:
        number, params = trial.config["model_id"], trial.config["params"]
        self.running.pop(number, None)
        self.counts[state] += 1
        line = f"model {number:<4} {state:<8} {text}; {describe(params)}"
        self.console.print(Text(line, style="red" if state == "failed" else ""), soft_wrap=True)

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        now = time.monotonic()
        if self.notices and now - self.noticed >= 1:
            self.noticed = now
            self.notices.show(partial(self.console.print, soft_wrap=True))
        if self.latest.shows:
            if self.latest.due:
                self.latest.draw(self._table())
        elif now - self.last_line >= self.every:
            self.last_line = now
            self.console.print(self.line(), soft_wrap=True)

    def line(self) -> str:
        """The state of the search in one line."""
        best = "" if self.best_value is None else f" {self.metric} {self.best_value:.3f}"
        return (
            f"[{duration(time.monotonic() - self.start)}] {self._ended()}/{self.total} trials: "
            f"{len(self._busy())} running, {len(self.waiting)} waiting, {self.counts['pruned']} pruned, "
            f"{self.counts['finished']} finished, {self.counts['failed']} failed; "
            f"best {self.best_text}{best}; {self._rate():.1f} epochs/s; {self._left()} left"
        )

    def _busy(self) -> dict[int, dict[str, Any]]:
        """The trials that run and don't wait, each with its last result."""
        return {n: state for n, state in sorted(self.running.items()) if n not in self.waiting}

    def _rate(self) -> float:
        return self.epochs / max(time.monotonic() - self.start, 1e-9)

    def _left(self) -> str:
        ended = self._ended() - self.ended_before
        if ended == 0:
            return "?"
        seconds = (time.monotonic() - self.start) / ended * (self.total - self._ended())
        return duration(max(0.0, seconds))

    def _table(self) -> Group:
        table = Table(box=None, pad_edge=False)
        for column in ("model", "epoch", self.metric, "best", "parameters"):
            table.add_column(column)
        for number, state in self._busy().items():
            value, best = state.get(self.metric), state.get("best_value")
            table.add_row(
                str(number),
                str(state.get("epoch", "")),
                "" if value is None else f"{value:.3f}",
                "" if best is None else f"{best:.3f}",
                describe(state["params"]),
            )
        bar = ProgressBar(total=self.total, completed=self._ended(), width=60)
        return Group(table, Text(self.line()), bar)  # the bar ends no line: it comes last
