"""What TensorBoard shows of a trial: curves, hyperparameters with the best values, confusion matrix."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from tuner.objective import METRICS
from tuner.training.pictures import FEW, ConfusionPicture, worst

_NO_SCALARS = ("epoch", "round")  # of what an epoch reports
# The HPARAMS tab shows the first five scalars by name: these come after the best values and losses.
_OF_TRAINING = ("learning_rate", "seconds", "data_wait")


class TrialWriter:
    """Writes the event file of one trial.

    The hyperparameters are written at the start, and the best values so far every epoch: so the HPARAMS
    tab compares all trials by their best values, also those that were pruned or killed. TensorBoard
    chooses the columns: first those that differ among the trials at hand, also of several searches. If
    the files listed columns, it would take only the first trial's list.

    Args:
        folder: gets the event file; TensorBoard shows its path as the trial's name. It may have an
            event file of an earlier part of the same trial.
        params: the columns of the HPARAMS tab, of which the first five are shown; None: it is no trial
            by itself, and is not in that tab.
        epochs_done: what the earlier part had done; later epochs in its file are superseded.
    """

    def __init__(
        self, folder: Path, params: Mapping[str, Any] | None, *, epochs_done: int = 0
    ) -> None:
        _await_a_later_name(folder)
        self.writer = SummaryWriter(
            str(folder), purge_step=epochs_done + 1 if epochs_done else None, flush_secs=10
        )
        self._end: Any = None
        if params is not None:
            _, start, self._end = hparams(_plain(params), {})
            self._file_writer().add_summary(start)

    def _file_writer(self) -> Any:
        return self.writer.file_writer

    def epoch(self, result: Mapping[str, Any], best: Mapping[str, Any]) -> None:
        """Add the scalars of an epoch, and the figures of the best epoch so far."""
        step = result["epoch"]
        for name, value in result.items():
            if name not in _NO_SCALARS:
                self.writer.add_scalar(_tag(name), value, step)
        for name in METRICS:
            if name in best:  # an earlier version, which began the trial, may not have had it
                self.writer.add_scalar(f"best/{name}", best[name], step)

    def flush(self) -> None:
        """Write all that was added to the file; this also happens by itself now and then."""
        self.writer.flush()

    def close(self, confusion: list[Any], classes: list[str], step: int) -> None:
        """Add the best epoch's confusion matrix as an image, and end the file."""
        if confusion:
            picture = _draw(np.array(confusion), classes)
            self.writer.add_image("confusion_matrix/valid", picture, step, dataformats="HWC")
        if self._end is not None:
            self._file_writer().add_summary(self._end)
        self.writer.close()


def _tag(name: str) -> str:
    return f"training/{name}" if name in _OF_TRAINING else name


def _await_a_later_name(folder: Path) -> None:
    """Wait until a new event file sorts last: names begin with the second, and are read in order.

    Where a clock was set back, files of the future get an earlier name instead.
    """
    files = sorted(folder.glob("events.out.tfevents.*"))
    now = int(time.time())
    if files and _second(files[-1]) > now + 1:
        for before, path in enumerate(reversed(files), 1):
            events, out, kind, _, *rest = path.name.split(".")
            path.rename(folder / ".".join([events, out, kind, f"{now - before:010d}", *rest]))
        return
    while files and int(time.time()) <= _second(files[-1]):
        time.sleep(0.05)


def _second(path: Path) -> int:
    """When an event file was begun, as its name says."""
    return int(path.name.split(".")[3])


class _Drawn:
    """The picture of a confusion matrix; only the cells are drawn again for each trial."""

    def __init__(self, matrix: np.ndarray, classes: Sequence[str]) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        title = "best epoch, valid split\nlabelled frames"
        self.picture = ConfusionPicture(matrix, list(classes), title, most=FEW)
        self._canvas = FigureCanvasAgg(self.picture.figure)
        axes = self.picture.axes
        self._axes, self._cells = axes, [*axes.images, *axes.texts]
        for cell in self._cells:
            cell.set_visible(False)
        self._canvas.draw()
        self._around = self._canvas.copy_from_bbox(self.picture.figure.bbox)
        for cell in self._cells:
            cell.set_visible(True)

    def draw(self, matrix: np.ndarray) -> np.ndarray:
        """uint8 ``[H, W, 3]`` of counts ``[C, C]``."""
        self.picture.fill(matrix)
        self._canvas.restore_region(self._around)
        for cell in self._cells:
            self._axes.draw_artist(cell)
        return np.asarray(self._canvas.buffer_rgba())[..., :3].copy()


def _draw(matrix: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """uint8 ``[H, W, 3]``; of the same classes only the cells are drawn again.

    Of many classes it shows those with most errors: `tuner.best` draws more of them.
    """
    key = tuple(classes), tuple(worst(matrix, FEW))
    if key not in _drawn:
        _drawn.clear()
        _drawn[key] = _Drawn(matrix, classes)
    return _drawn[key].draw(matrix)


_drawn: dict[tuple[tuple[str, ...], tuple[int, ...]], _Drawn] = {}


def _plain(params: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers and text only: the HPARAMS tab drops values of other kinds, and shows True as 1.0000."""
    kinds = (int, float, str)
    return {
        name: value
        if isinstance(value, kinds) and not isinstance(value, bool)
        else str(value).lower()
        for name, value in params.items()
    }
