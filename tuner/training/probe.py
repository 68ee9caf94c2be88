"""Fitting a linear probe: one step instead of epochs, with the strength that validates best."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.architectures.probe import LinearProbe
from models.layers.dense import divisors
from tuner.training.clips.batches import Clips, FeatureClips
from tuner.training.loop import Training

# How little the weights are held back: the inverse of the penalty on their squares, strong to weak.
STRENGTHS = tuple(10.0**power for power in range(-5, 2))
# To learn from: neighbouring frames are nearly the same, and time grows with the square of the rows.
MOST_ROWS = 5_000
_ITERATIONS = 100
_BATCH = 512  # clips
_NEVER = -30.0  # a logit


class ProbeTraining(Training):
    """Multinomial logistic regression over pooled features, as one epoch; of each class against the rest
    where several may be shown at once.

    Each of `STRENGTHS` is fitted to the train split, in all its views if there is room for them in
    `MOST_ROWS`, and the best on the valid split is kept. Classes count as `class_weights` says. The
    fit is scikit-learn's LogisticRegression, by L-BFGS.
    """

    def step(self) -> dict[str, Any]:
        """Fit and evaluate it; the figures are those of `Training.step`."""
        start = time.perf_counter()
        weight, bias, seen, labels = self._fit(STRENGTHS)
        every = torch.arange(len(self.valid))
        parts = [part @ weight.mT + bias for part in self._inputs(self.valid, every)]
        valid, valid_labels = torch.cat(parts, dim=1), self.valid.labels.cpu()
        results = []
        for strength, logits, others in zip(STRENGTHS, seen, valid, strict=True):
            figures = self.task.epoch_figures(others, valid_labels)
            result = self._result(strength, logits, labels)
            results.append(result | {f"valid_{name}": value for name, value in figures.items()})
        best = self.objective.best(results)
        self.best_confusion = self.task.confusion(valid[best], valid_labels).tolist()
        self.best_valid = valid[best], valid_labels
        return self._end(results[best], weight[best], bias[best, 0], start)

    def _fit(self, strengths: Sequence[float]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Weights ``[S, C, W]`` and biases ``[S, 1, C]`` of each strength, and what they make of the
        rows that they are fitted to: logits ``[S, N, C]`` and labels ``[N]``."""
        train = self.train
        if isinstance(train, FeatureClips):
            train = train.every_view(MOST_ROWS)
        which = torch.arange(len(train))
        which = which[:: -(-len(which) // MOST_ROWS)]
        inputs = torch.cat(list(self._inputs(train, which))).numpy()
        labels = train.labels.cpu()[which]
        balanced = self.config.class_weights == "balanced"
        mean, deviation = inputs.mean(axis=0), torch.from_numpy(inputs.std(axis=0))
        divisor = divisors(deviation, self.model.config.feature_scale).numpy()
        rows = (inputs - mean) / divisor
        fits = list(_fits(rows, labels.numpy(), len(self.model.classes), balanced, strengths))
        # All strengths at once: the clips are read once.
        found = np.stack([weight for weight, _ in fits]) / divisor
        offset = np.stack([bias for _, bias in fits]) - found @ mean
        weight, bias = torch.from_numpy(found), torch.from_numpy(offset)[:, None]
        return weight, bias, torch.from_numpy(inputs) @ weight.mT + bias, labels

    def _result(self, strength: float, logits: Tensor, labels: Tensor) -> dict[str, Any]:
        return {
            "epoch": 1,
            "round": 1,
            "learning_rate": 0.0,
            "strength": strength,
            "train_loss": self.task.epoch_figures(logits, labels)["loss"],
            "train_accuracy": float(self.task.count_right(logits, labels) / len(labels)),
        }

    def _end(
        self, result: dict[str, Any], weight: Tensor, bias: Tensor, start: float
    ) -> dict[str, Any]:
        """Take over the weights ``[C, W]`` and biases ``[C]``: the only epoch is done."""
        model = self._probe()
        with torch.no_grad():
            model.logits.weight.copy_(weight)
            model.logits.bias.copy_(bias)
        self.history.append(result | {"seconds": time.perf_counter() - start, "data_wait": 0.0})
        self._keep()
        self.finished = True
        return self.history[-1]

    def _probe(self) -> LinearProbe:
        assert isinstance(self.model, LinearProbe)  # as Run has seen
        return self.model

    def _inputs(self, clips: Clips, which: Tensor) -> Iterator[Tensor]:
        """What the linear layer is given ``[B, W]``, some clips at a time."""
        model = self._probe().eval()
        for batch, _ in clips.batches(which, _BATCH):
            self._check_time()
            features = batch if isinstance(batch, Tensor) else batch.clips()
            with torch.no_grad():
                yield model.pooled(model.given(features)).float().cpu()


def _fits(
    rows: np.ndarray,
    labels: np.ndarray,
    classes: int,
    balanced: bool,
    strengths: Sequence[float],
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield for each strength the weights float32 ``[C, W]`` and biases ``[C]``.

    Args:
        rows: ``[N, W]``, of mean 0 and as large as the penalty is to see them.
        labels: int ``[N]``; or ``[N, C]`` of 0 and 1, where each class is one fit of its own.
    """
    # Imported late: it takes two seconds.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    basis = None
    if len(rows) < rows.shape[1]:  # the same fit in as many dimensions as there are rows
        squares, left = np.linalg.eigh(rows @ rows.T)
        kept = squares > 1e-6 * squares[-1]
        size = np.sqrt(squares[kept])
        basis = left[:, kept].T @ rows / size[:, None]
        rows = left[:, kept] * size
    weigh = "balanced" if balanced else None
    # As many fits as there are sets of labels, each at all strengths: it goes on from the one before.
    alone = labels.ndim == 1
    fits = [
        LogisticRegression(class_weight=weigh, max_iter=_ITERATIONS, warm_start=True)
        for _ in range(1 if alone else classes)
    ]
    for strength in strengths:
        # A class without a clip to learn from is never predicted.
        weight = np.zeros((classes, (rows if basis is None else basis).shape[1]), np.float32)
        bias = np.full(classes, _NEVER, np.float32)
        for number, fit in enumerate(fits):
            own = labels if alone else labels[:, number]
            if not alone and own.min() == own.max():
                bias[number] = -_NEVER if own[0] else _NEVER
                continue
            fit.set_params(C=strength)
            with warnings.catch_warnings():  # a weak penalty need not be fitted to the last digit
                warnings.simplefilter("ignore", ConvergenceWarning)
                fit.fit(rows, own)
            found, offset = fit.coef_, fit.intercept_
            if alone and len(found) == 1:  # of two classes it gives the second one's alone
                found, offset = (
                    np.stack([-found[0], found[0]]) / 2,
                    np.stack([-offset[0], offset[0]]) / 2,
                )
            of = fit.classes_ if alone else [number]
            weight[of], bias[of] = found if basis is None else found @ basis, offset
        yield weight, bias
