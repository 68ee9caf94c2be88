"""A few faults in whole searches; ``make chaos`` has many more."""

from __future__ import annotations

import pytest

from tests.chaos.suite import disturbed, undisturbed


@pytest.fixture(scope="module")
def expected(drawn, tmp_path_factory):
    return undisturbed(drawn, tmp_path_factory.mktemp("chaos") / "undisturbed")


@pytest.mark.parametrize(
    "kinds",
    [
        ["bits of features flip", "all workers are killed", "results are deleted"],
        ["features are those of another video", "power is cut and bits of a checkpoint flip"],
    ],
    ids=["running", "stopped"],
)
def test_a_search_with_faults_ends_as_one_without(kinds, expected, drawn, tmp_path):
    outcome = disturbed(drawn, tmp_path / "disturbed", expected, kinds, seed=0)
    assert outcome.wrong == [], (tmp_path / "disturbed" / "log").read_text()
