"""ASHA on a toy objective, with the store as its memory."""

from types import SimpleNamespace

from tuner.config import parse
from tuner.study.schedule import ASHA, TimeBudget, make_scheduler
from tuner.study.space import Space
from tuner.study.store import ResultsStore


def toy_config(folder, **search):
    return parse(
        {
            "name": "toy",
            "storage": str(folder),
            "space": {"architecture": ["image_mlp_frozen"], "layer_1_size": [8, 16]},
            "training": {"rounds": 1, "epochs": 9},
            "search": {"trials": 20, "grace_period": 1, "reduction_factor": 3, **search},
        },
        "x",
    )


def run(scheduler, number: int, quality: float, epochs: int = 9) -> int:
    """Epochs that a trial gets whose metric grows towards `quality`."""
    trial = SimpleNamespace(trial_id=f"tune{number}", config={"model_id": number})
    scheduler.on_trial_add(None, trial)
    for epoch in range(1, epochs + 1):
        result = {"epoch": epoch, "best_value": quality * epoch / epochs}
        if scheduler.on_trial_result(None, trial, result) == "STOP":
            return epoch
    scheduler.on_trial_complete(None, trial, result)
    return epochs


def test_poor_trials_end_at_a_rung_and_good_ones_do_not(tmp_path):
    config = toy_config(tmp_path)
    scheduler = make_scheduler(config, ResultsStore.create(config, resume=False))
    assert isinstance(scheduler, ASHA)
    qualities = [0.9, 0.5, 0.4, 0.95, 0.3, 0.2, 0.6, 0.99]
    epochs = [run(scheduler, number, quality) for number, quality in enumerate(qualities)]
    assert epochs == [9, 1, 1, 9, 1, 1, 1, 9]


def test_a_resumed_search_remembers_what_earlier_trials_reached(tmp_path):
    config = toy_config(tmp_path)
    store = ResultsStore.create(config, resume=False)
    for quality in (0.9, 0.8, 0.95):
        number, _ = store.ask(Space(config))
        for epoch in range(1, 10):
            store.report(number, epoch, quality * epoch / 9)
        store.finish(number, pruned=False, results={}, value=quality)
    scheduler = make_scheduler(config, ResultsStore.create(config, resume=True))
    assert run(scheduler, 3, 0.5) == 1
    assert run(scheduler, 4, 0.99) == 9


def test_a_resumed_trial_is_judged_once_a_rung(tmp_path):
    config = toy_config(tmp_path)
    store = ResultsStore.create(config, resume=False)
    number, _ = store.ask(Space(config))
    store.report(number, 1, 0.5)
    scheduler = make_scheduler(config, ResultsStore.create(config, resume=True))
    trial = SimpleNamespace(trial_id="new", config={"model_id": number})
    scheduler.on_trial_add(None, trial)
    scheduler.on_trial_result(None, trial, {"epoch": 2, "best_value": 0.9})
    (bracket,) = scheduler._brackets
    assert dict(bracket._rungs)[1] == {str(number): 0.5}


def test_a_lower_loss_is_better(tmp_path):
    config = toy_config(tmp_path, metric="valid_loss")
    scheduler = make_scheduler(config, ResultsStore.create(config, resume=False))
    for number, loss in enumerate([0.1, 0.9, 0.5]):
        trial = SimpleNamespace(trial_id=str(number), config={"model_id": number})
        scheduler.on_trial_add(None, trial)
        action = scheduler.on_trial_result(None, trial, {"epoch": 1, "best_value": loss})
        assert action == ("CONTINUE" if number == 0 else "STOP")


def test_no_scheduler_stops_nothing(tmp_path):
    config = toy_config(tmp_path, scheduler="none")
    scheduler = make_scheduler(config, ResultsStore.create(config, resume=False))
    assert not isinstance(scheduler, ASHA)


def test_the_time_budget_ends_a_search():
    assert not TimeBudget(None).stop_all()
    assert not TimeBudget(100).stop_all()
    assert TimeBudget(0).stop_all()
