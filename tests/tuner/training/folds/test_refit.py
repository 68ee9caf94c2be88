"""The last training of a trial by folds, on all that validated, without validation."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import models
from tests.tuner.training.folds.trial import FOLDS, GRU, PROBE, ended, late_on_all, make
from tuner.objective import Objective
from tuner.training import run as runs
from tuner.training.folds.refit import Plan, counted_epochs
from tuner.training.folds.run import FoldSources
from tuner.training.probe import STRENGTHS
from tuner.training.run import BEST, Run

pytestmark = [pytest.mark.shared_cache, pytest.mark.usefixtures("device")]
ACCURACY = Objective("valid_accuracy")


def history(*rounds: list[float]) -> list[dict[str, float]]:
    return [
        {"round": number, "valid_accuracy": value, "valid_loss": 1.0}
        for number, values in enumerate(rounds, 1)
        for value in values
    ]


@pytest.mark.parametrize(
    ("rounds", "counted"),
    [
        ([[0.5, 0.7, 0.6]], [2]),
        ([[0.5]], [1]),
        ([[0.5, 0.7, 0.6], [0.6, 0.6, 0.8, 0.7], [0.8, 0.7]], [2, 3, 0]),
        ([[0.7, 0.6], [0.5, 0.6], [0.8]], [1, 0, 1]),
    ],
)
def test_epochs_of_a_round_count_up_to_its_best(rounds, counted) -> None:
    assert counted_epochs(history(*rounds), ACCURACY) == counted


def test_a_plan_is_the_mean_of_what_was_best() -> None:
    several = [history([0.5, 0.7, 0.6], [0.8]), history([0.1, 0.2, 0.3, 0.4]), history([0.9, 0.8])]
    assert Plan.of(several, ACCURACY) == Plan((2, 0))
    probes = [[{**history([0.5])[0], "strength": s}] for s in (1e-4, 1e-3, 10.0)]
    plan = Plan.of(probes, ACCURACY)
    assert plan.rounds == (1,) and plan.strength == pytest.approx(1e-3)


@pytest.mark.parametrize("kind", [GRU, PROBE])
def test_it_answers_for_new_videos_and_has_learnt_from_all_others(
    tmp_path: Path,
    sources: FoldSources,
    kind: dict,
) -> None:
    run = ended(make(tmp_path, sources, kind))
    mixture = models.load(tmp_path / "7" / BEST)
    assert isinstance(mixture, models.Mixture) and mixture.refit is not None
    assert len(models.members(mixture)) == len(FOLDS)
    plan = Plan.of([fold["history"] for fold in run.training.ended], Objective("valid_f1"))
    assert run.summary()["folds"]["refit"] == sum(plan.rounds)
    if kind is PROBE:
        assert plan.strength is not None
        assert min(STRENGTHS) <= plan.strength <= 1.001 * max(STRENGTHS)
    clips = sources.together.clips(mixture.config, "train")
    assert len(clips) == 72  # all that validated, once
    assert torch.allclose(mixture.refit.norm.mean, clips.features.float().mean(dim=0), atol=1e-3)
    for batch, _ in clips.batches(torch.arange(72), 30):
        with torch.no_grad():
            answers = mixture.refit(batch).softmax(dim=1)
            torch.testing.assert_close(mixture(batch).softmax(dim=1), answers)
            others = [member(batch).softmax(dim=1) for member in models.members(mixture)]
            assert not any(torch.allclose(answers, other) for other in others)


def test_it_goes_on_from_where_it_broke_off(tmp_path: Path, sources, monkeypatch) -> None:
    whole = ended(make(tmp_path / "whole", sources))
    monkeypatch.setattr(runs, "CHECKPOINT_SECONDS", 0.0)
    first, step = make(tmp_path / "parts", sources), Run.step
    first.step()
    first.step()
    monkeypatch.setattr(Plan, "of", lambda *args: Plan((3,)))

    def is_killed(run: Run):
        if run.folder.name == "refit" and run.training.epoch == 2:
            raise KeyboardInterrupt
        return step(run)

    monkeypatch.setattr(Run, "step", is_killed)
    with pytest.raises(KeyboardInterrupt):
        first.step()
    assert first.training.epoch == 3 and (tmp_path / "parts" / "7" / "refit").exists()
    counted = []
    monkeypatch.setattr(Run, "step", lambda run: (counted.append(run.folder.name), step(run))[1])
    second = make(tmp_path / "parts", sources)
    assert second.training.epoch == 2
    ended(second)
    assert counted == ["refit"] and second.training.refit == 3
    assert second.training.best["valid_loss"] == whole.training.best["valid_loss"]
    assert not (tmp_path / "parts" / "7" / "refit").exists()


def test_if_it_breaks_off_the_folds_answer_together(tmp_path: Path, sources, monkeypatch) -> None:
    monkeypatch.setattr(Run, "step", late_on_all(Run.step))
    run = ended(make(tmp_path, sources))
    mixture = models.load(tmp_path / "7" / BEST)
    assert mixture.refit is None and len(models.members(mixture)) == 3
    assert run.training.finished and "time" in run.summary()["folds"]["refit"]


def test_it_can_be_left_out(tmp_path: Path, sources) -> None:
    run = ended(make(tmp_path, sources, refit=False))
    assert models.load(tmp_path / "7" / BEST).refit is None
    assert run.summary()["folds"]["refit"] is None


def test_rounds_follow_the_plan(tmp_path: Path, sources, monkeypatch) -> None:
    monkeypatch.setattr(Plan, "of", lambda *args: Plan((2, 0, 1)))
    seen, step = [], Run.step

    def counting(run: Run):
        result = step(run)
        if run.folder.name == "refit":
            seen.append((run.training.history[-1]["round"], result["learning_rate"]))
        return result

    monkeypatch.setattr(Run, "step", counting)
    run = make(tmp_path, sources)
    run.training_config = run.training_config.model_copy(update={"rounds": 3, "patience": 1})
    ended(run)
    rate, decay = run.training_config.learning_rate, run.training_config.learning_rate_decay
    assert [number for number, _ in seen] == [1, 1, 3]
    assert seen[-1][1] == pytest.approx(rate * decay**2)


def test_a_model_of_several_with_its_refit_is_one_file(tmp_path: Path, sources) -> None:
    ended(make(tmp_path, sources))
    mixture = models.load(tmp_path / "7" / BEST)
    models.save(mixture, tmp_path / "again.pt")
    again = models.load(tmp_path / "again.pt")
    for name, value in mixture.state_dict().items():
        assert torch.equal(again.state_dict()[name], value)
    # An earlier version, which would not find its refit, says that it can't read it.
    assert torch.load(tmp_path / "again.pt", weights_only=True)["format"] == 3
    assert again.refit.extra == mixture.extra and isinstance(again.refit, models.VideoClassifier)
