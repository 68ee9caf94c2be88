"""How long a search will still take, estimated from the epochs that its trials have trained so far."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import pairwise

_WINDOW = 60.0  # seconds: how fast a search is now, not how fast it was
_FEWEST = 8  # reports; of slow networks a minute has none or two, which say nothing


class TimeLeft:
    """Counts epochs, and says how many seconds those that are still to come will take.

    A trial that trains is assumed to reach the next rung, and to go on there with the odds of
    successive halving. A trial that nobody stops is assumed to train as long as those that have
    finished.

    Args:
        total: trials of the search.
        levels: epochs of the rungs; none if no trial is stopped.
        factor: one of so many trials at a rung goes on.
        first_guess: epochs of a training that nobody stops, until some have finished.
    """

    def __init__(
        self, total: int, *, levels: Sequence[int], factor: float, first_guess: float
    ) -> None:
        self.total, self.levels, self.factor = total, list(levels), factor
        self._finished = [first_guess]
        self._epochs: deque[tuple[float, int]] = deque()
        self._since = -math.inf  # the time of the last report that is no longer counted
        self.count = 0  # epochs that have been trained

    @property
    def length(self) -> float:
        """Epochs of a training that nobody stops, as far as is known."""
        return sum(self._finished) / len(self._finished)

    def trained(self, epochs: int, now: float) -> None:
        """Count epochs.

        Args:
            now: seconds, on any clock that is never set back.
        """
        self._epochs.append((now, epochs))
        self.count += epochs

    def finished(self, epochs: int) -> None:
        """A training has come to its own end after so many epochs."""
        self._finished.append(epochs)

    def rate(self, now: float, start: float) -> float:
        """Epochs a second, over the last minute, or the last reports if they are fewer.

        Args:
            start: when the trials began.
        """
        while len(self._epochs) > _FEWEST and self._epochs[0][0] < now - _WINDOW:
            self._since, _ = self._epochs.popleft()
        since = max(start, self._since)
        return sum(count for _, count in self._epochs) / max(now - since, 1e-9)

    def epochs(self, *, running: Iterable[int], waiting: Iterable[int], ended: int) -> float:
        """Epochs that are still to come.

        Args:
            running, waiting: epochs done, of each trial that trains or waits at a rung.
            ended: number of trials that have ended.
        """
        running, waiting = list(running), list(waiting)
        new = max(0, self.total - ended - len(running) - len(waiting))
        left = new * self._to_come(0) + sum(map(self._to_come, running))
        left += sum(self._after_rung(epochs) for epochs in waiting)
        live = [*running, *waiting, *([0] if new else [])]
        # Whatever the odds, one of them will be trained to its end.
        return max(left, self.length - max(live)) if live else 0.0

    def seconds(
        self,
        now: float,
        start: float,
        *,
        running: Iterable[int],
        waiting: Iterable[int],
        ended: int,
    ) -> float | None:
        """Seconds until the last trial ends; None before the first epoch. Arguments as above."""
        rate = self.rate(now, start)
        if not rate:
            return None
        return self.epochs(running=running, waiting=waiting, ended=ended) / rate

    def _to_come(self, epochs: float) -> float:
        """Epochs still to come of a trial that trains and has done so many."""
        length = max(self.length, 1.1 * epochs)  # it trains, so its end is not reached
        following = [level for level in self.levels if epochs < level < length]
        bounds = [epochs, *following, length]
        return sum(
            (end - begin) / self.factor**passed
            for passed, (begin, end) in enumerate(pairwise(bounds))
        )

    def _after_rung(self, epochs: int) -> float:
        """Epochs still to come of a trial that waits and has done so many."""
        return self._to_come(epochs) / self.factor
