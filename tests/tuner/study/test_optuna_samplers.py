"""Optuna's own tests of samplers, for ours: with no trial that waits, and with many."""

import pytest
from optuna.testing.pytest_samplers import (
    BasicSamplerTestCase,
    MultiObjectiveSamplerTestCase,
    RelativeSamplerTestCase,
)

from tuner.config.sections import SearchConfig


@pytest.fixture(params=["none waits", "every second waits"])
def waiting(request):
    return set() if request.param == "none waits" else set(range(0, 200, 2))


class TestTPE(BasicSamplerTestCase, MultiObjectiveSamplerTestCase):
    @pytest.fixture
    def sampler(self, waiting):
        settings = SearchConfig(trials=10, startup_trials=1)
        return lambda: settings.make_sampler(waiting=waiting)


class TestTPEOfOneGroup(RelativeSamplerTestCase):
    """These tests use parameters that no trial has had, while groups come from earlier trials."""

    @pytest.fixture
    def sampler(self, waiting):
        settings = SearchConfig(trials=10, startup_trials=1, sampler_options={"group": False})
        return lambda: settings.make_sampler(waiting=waiting)


class TestRandom(BasicSamplerTestCase, MultiObjectiveSamplerTestCase):
    @pytest.fixture
    def sampler(self):
        return SearchConfig(trials=10, sampler="random").make_sampler
