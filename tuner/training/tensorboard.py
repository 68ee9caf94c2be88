"""What TensorBoard shows of a trial: curves, hyperparameters with the best values, confusion matrix."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from tuner.objective import METRICS
from tuner.training.pictures import fill_confusion, plot_confusion

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

    def close(self, confusion: list[list[int]], classes: list[str], step: int) -> None:
        """Add the best epoch's confusion matrix as an image, and end the file."""
        if confusion:
            picture = _picture(tuple(classes)).draw(np.array(confusion))
            self.writer.add_image("confusion_matrix/valid", picture, step, dataformats="HWC")
        if self._end is not None:
            self._file_writer().add_summary(self._end)
        self.writer.close()


def _tag(name: str) -> str:
    return f"training/{name}" if name in _OF_TRAINING else name


def _await_a_later_name(folder: Path) -> None:
    """Wait until a new event file sorts last: names begin with the second, and are read in order."""
    made = [int(path.name.split(".")[3]) for path in folder.glob("events.out.tfevents.*")]
    while made and int(time.time()) <= max(made):
        time.sleep(0.05)


class ConfusionPicture:
    """The picture of a confusion matrix; only the cells are drawn again for each trial."""

    def __init__(self, classes: Sequence[str]) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        empty = np.zeros((len(classes), len(classes)), int)
        figure = plot_confusion(empty, list(classes), "best epoch, valid split\nlabelled frames")
        (self._axes,) = figure.axes
        self._canvas = FigureCanvasAgg(figure)
        cells = [*self._axes.images, *self._axes.texts]
        for cell in cells:
            cell.set_visible(False)
        self._canvas.draw()
        self._around = self._canvas.copy_from_bbox(figure.bbox)
        for cell in cells:
            cell.set_visible(True)

    def draw(self, matrix: np.ndarray) -> np.ndarray:
        """uint8 ``[H, W, 3]`` of counts ``[C, C]``."""
        fill_confusion(self._axes, matrix)
        self._canvas.restore_region(self._around)
        for cell in [*self._axes.images, *self._axes.texts]:
            self._axes.draw_artist(cell)
        return np.asarray(self._canvas.buffer_rgba())[..., :3].copy()


@functools.lru_cache(maxsize=1)
def _picture(classes: tuple[str, ...]) -> ConfusionPicture:
    return ConfusionPicture(classes)


def _plain(params: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers and text only: the HPARAMS tab drops values of other kinds, and shows True as 1.0000."""
    kinds = (int, float, str)
    return {
        name: value
        if isinstance(value, kinds) and not isinstance(value, bool)
        else str(value).lower()
        for name, value in params.items()
    }
