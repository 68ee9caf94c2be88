"""A few faults in whole searches; ``make chaos`` has more, and takes out what there is against them."""

from __future__ import annotations

import pytest

from tests.chaos import suite
from tests.chaos.handlers import HANDLERS
from tests.chaos.suite import ROOT, disturbed, undisturbed


@pytest.fixture(scope="module")
def expected(drawn, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            suite, "EPOCHS", 100
        )  # too short for checkpoints, which `make chaos` harms too
        patch.setattr(suite, "AT_ONCE", 1)  # a second worker takes long to start
        yield undisturbed(drawn, tmp_path_factory.mktemp("chaos") / "undisturbed")


@pytest.mark.long
def test_a_search_with_faults_ends_as_one_without(expected, drawn, tmp_path):
    kinds = ["features are those of another video", "power is cut"]
    outcome = disturbed(drawn, tmp_path / "disturbed", expected, kinds, seed=0)
    assert outcome.wrong == [], (tmp_path / "disturbed" / "log").read_text()
    assert outcome.met == [True] * len(kinds)


@pytest.mark.parametrize("handler", HANDLERS.values(), ids=HANDLERS)
def test_what_is_taken_out_is_there(handler):
    assert (ROOT / handler.file).read_text().count(handler.code) == 1
