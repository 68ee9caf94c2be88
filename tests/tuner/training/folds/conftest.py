"""The clips of the folds, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.console import quiet
from tests.tuner.training.folds.trial import FOLDS
from tuner.config.sections import DataConfig
from tuner.preparation.one_machine import load_dataset
from tuner.training.folds.run import FoldSources


@pytest.fixture(scope="package")
def sources(drawn: Path) -> FoldSources:
    data = DataConfig(videos=str(drawn), labels=str(drawn / "labels.csv"))
    return FoldSources.of(load_dataset(data, quiet), data, FOLDS)
