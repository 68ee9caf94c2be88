"""Samplers and schedulers that a YAML names as module:Class."""

from pathlib import Path

import pytest
import yaml

from tuner.config.load import Config, load, parse
from tuner.config.messages import ConfigError


def read(folder: Path, **search: object) -> Config:
    path = folder / "a.yaml"
    path.write_text(yaml.safe_dump({"name": "a", "search": search}))
    return load(path)


def test_a_sampler_of_optuna_gets_its_options_and_the_seed(tmp_path):
    config = read(
        tmp_path,
        sampler="optuna.samplers:TPESampler",
        sampler_options={"n_ei_candidates": 48},
        startup_trials=3,
        seed=5,
    )
    sampler = config.search.make_sampler(trials_done=2)
    assert type(sampler).__name__ == "TPESampler"
    assert sampler._n_ei_candidates == 48 and sampler._n_startup_trials == 3
    again = config.search.make_sampler(trials_done=2)
    assert sampler._rng.rng.random() == again._rng.rng.random()


def test_tpe_takes_options_too(tmp_path):
    config = read(tmp_path, sampler_options={"n_ei_candidates": 48})
    sampler = config.search.make_sampler()
    assert sampler._n_ei_candidates == 48 and sampler._multivariate


def test_a_sampler_of_anybodys_own_gets_its_options_and_the_seed(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "from optuna.samplers import RandomSampler\n"
        "class Timid(RandomSampler):\n"
        "    def __init__(self, seed=None, share=1.0):\n"
        "        super().__init__(seed=seed)\n"
        "        self.seed, self.share = seed, share\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    search = {"sampler": "mine:Timid", "sampler_options": {"share": 0.1}, "seed": 5}
    sampler = read(tmp_path, **search).search.make_sampler()
    assert (type(sampler).__name__, sampler.share, sampler.seed) == ("Timid", 0.1, 5)


def test_a_scheduler_of_ray_is_told_what_to_look_at(tmp_path):
    config = read(
        tmp_path,
        scheduler="ray.tune.schedulers:ASHAScheduler",
        scheduler_options={"max_t": 9, "grace_period": 2},
        metric="valid_loss",
    )
    scheduler = config.search.make_scheduler()
    assert (scheduler._metric, scheduler._mode, scheduler._max_t) == ("best_value", "min", 9)


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ({"sampler": "tpo"}, ["search.sampler: unknown sampler 'tpo'", "did you mean 'tpe'"]),
        ({"sampler": "nowhere.at_all:X"}, ["search.sampler: ", "nowhere.at_all can't be imported"]),
        ({"sampler": "optuna.samplers:TPESample"}, ["search.sampler", "has no class TPESample"]),
        ({"sampler": "optuna.study:Study"}, ["search.sampler", "is not a sampler", "BaseSampler"]),
        ({"sampler_options": {"n_ei": 1}}, ["search.sampler: tpe can't be made", "'n_ei'"]),
        (
            {"sampler": "optuna.samplers:RandomSampler", "sampler_options": {"sed": 1}},
            ["search.sampler", "takes no 'sed' (did you mean 'seed'?)"],
        ),
        ({"scheduler": "ashen"}, ["search.scheduler: unknown scheduler 'ashen'", "'asha'"]),
        ({"scheduler_options": {"max_t": 1}}, ["search.scheduler_options: asha takes none"]),
        (
            {"scheduler": "ray.tune.schedulers:ASHAScheduler", "scheduler_options": {"maxt": 1}},
            ["search.scheduler", "takes no 'maxt' (did you mean 'max_t'?)"],
        ),
        (
            {"scheduler": "ray.tune.schedulers:ASHAScheduler", "scheduler_options": {"max_t": -1}},
            ["search.scheduler", "can't be made: AssertionError"],
        ),
        (
            {"scheduler": "ray.tune.schedulers:PopulationBasedTraining"},
            ["search.scheduler", "can't be used", "changes a trial's parameters"],
        ),
    ],
)
def test_what_can_not_be_made_is_a_mistake_with_its_key(search, words, tmp_path):
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, **search)
    text = "\n".join(caught.value.problems)
    for word in words:
        assert word in text


def test_a_store_is_read_where_its_sampler_is_not_installed():
    tree = {"name": "a", "search": {"sampler": "nowhere.at_all:X", "sampler_options": {"a": 1}}}
    assert parse(tree, "the store").search.sampler == "nowhere.at_all:X"
