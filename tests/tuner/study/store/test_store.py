"""The results store: an ordinary Optuna study that others can open."""

import socket
import subprocess
from pathlib import Path

import optuna
import pytest

from tuner.config.load import Config, parse
from tuner.config.messages import StoreError
from tuner.study.sampler import StudySearcher
from tuner.study.space.space import Space
from tuner.study.store.database import searches
from tuner.study.store.results import ResultsStore

GRID = {"architecture": ["image_mlp_frozen"], "layer_1_size": [64, 32], "layer_2_size": [16, 0]}


def config(folder: Path, **sections) -> Config:
    tree = {
        "name": "a",
        "storage": str(folder),
        "space": {"architecture": ["image_mlp_frozen"], "layer_1_size": [8, 16, 32, 64]},
        "search": {"trials": 6, "startup_trials": 2},
    }
    return parse({**tree, **sections}, "x")


def finish(store: ResultsStore, number: int, value: float, pruned: bool = False) -> None:
    store.finish(number, pruned=pruned, results={"epochs": 1}, value=value)


def test_a_study_like_any_other(tmp_path):
    settings = config(tmp_path)
    store, space = ResultsStore.create(settings, resume=False), Space(settings)
    for value in (0.5, 0.7):
        number, _ = store.ask(space.sample)
        store.report(number, {1: value - 0.1})
        store.report(number, {2: value})
        finish(store, number, value, pruned=value == 0.5)
    number, _ = store.ask(space.sample)
    store.fail(number, "RuntimeError: no memory")
    study = optuna.load_study(study_name="a", storage=settings.results_url)
    assert [trial.state.name for trial in study.trials] == ["PRUNED", "COMPLETE", "FAIL"]
    assert study.trials[0].intermediate_values == {1: 0.4, 2: 0.5}
    assert study.best_value == 0.7
    assert "RuntimeError: no memory" in str(study.trials[2].user_attrs)
    assert study.trials_dataframe().shape[0] == 3


def test_a_minimised_metric_ranks_the_lowest_first(tmp_path):
    settings = config(tmp_path, search={"metric": "valid_loss", "trials": 3})
    store, space = ResultsStore.create(settings, resume=False), Space(settings)
    for value in (0.5, 0.2, 0.9):
        finish(store, store.ask(space.sample)[0], value)
    assert [record.value for record in store.ranking()] == [0.2, 0.5, 0.9]


def test_pruned_trials_are_ranked_by_their_best_epoch(tmp_path):
    settings = config(tmp_path)
    store, space = ResultsStore.create(settings, resume=False), Space(settings)
    number, _ = store.ask(space.sample)
    store.report(number, {1: 0.9})
    store.report(number, {2: 0.3})
    finish(store, number, 0.9, pruned=True)
    finish(store, store.ask(space.sample)[0], 0.8)
    assert [record.number for record in store.ranking()] == [0, 1]


def test_a_search_is_not_begun_twice(tmp_path):
    settings = config(tmp_path)
    store = ResultsStore.create(settings, resume=False)
    store.ask(Space(settings).sample)
    with pytest.raises(StoreError, match=r"search 'a' is in .* already.* --resume"):
        ResultsStore.create(settings, resume=False)
    assert len(ResultsStore.create(settings, resume=True).records()) == 1


def test_a_search_does_not_go_on_with_other_settings(tmp_path):
    settings = config(tmp_path)
    ResultsStore.create(settings, resume=False).ask(Space(settings).sample)
    other = config(tmp_path, training={"epochs": 7})
    with pytest.raises(StoreError, match=r"training\.epochs was 20, is 7"):
        ResultsStore.create(other, resume=True)
    more = config(tmp_path, search={"trials": 9, "startup_trials": 2})
    assert ResultsStore.create(more, resume=True).config.search.trials == 9


@pytest.mark.parametrize(("fps", "numbers"), [(None, "file"), (5, "sampled")])
def test_labels_of_an_earlier_search_number_what_they_did_then(tmp_path, fps, numbers):
    settings = config(
        tmp_path,
        data={"videos": str(tmp_path / "v"), "labels": str(tmp_path / "l.csv"), "fps": fps},
    )
    store = ResultsStore.create(settings, resume=False)
    store.ask(Space(settings).sample)
    tree = store.study.user_attrs["config"]
    assert tree["data"].pop("frame_numbers") == "file" and tree["data"].pop("columns") == {}
    store.study.set_user_attr("config", tree)
    assert store.config.data.frame_numbers == numbers
    if numbers == "file":
        ResultsStore.create(settings, resume=True)
    else:
        with pytest.raises(StoreError, match=r"data\.frame_numbers was sampled, is file"):
            ResultsStore.create(settings, resume=True)


def test_a_missing_store_says_how_to_make_one(tmp_path):
    with pytest.raises(StoreError, match=r"run a search first"):
        searches(f"sqlite:///{tmp_path}/none.db")
    assert not (tmp_path / "none.db").exists()


def test_searches_are_told_apart_by_name(tmp_path):
    ResultsStore.create(config(tmp_path), resume=False)
    ResultsStore.create(config(tmp_path, name="b"), resume=False)
    url = config(tmp_path).results_url
    assert [name for name, _ in searches(url)] == ["a", "b"]
    assert ResultsStore.open(url).name == "b"
    with pytest.raises(StoreError, match=r"no search 'c'.*a, b"):
        ResultsStore.open(url, "c")


def suggest_all(searcher: StudySearcher) -> list[dict]:
    suggestions = []
    while isinstance(suggestion := searcher.suggest("t"), dict):
        suggestions.append(suggestion)
    return suggestions


def test_a_grid_gives_each_model_once_also_when_resumed(tmp_path):
    settings = config(tmp_path, space=GRID, search={"sampler": "grid", "trials": None})
    store, space = ResultsStore.create(settings, resume=False), Space(settings)
    first = StudySearcher(store, space, settings.search, settings.storage_folder)
    assert first.total == 4
    begun = [first.suggest("t") for _ in range(2)]
    finish(store, begun[0]["model_id"], 0.5)  # and the other is unfinished
    again = ResultsStore.create(settings, resume=True)
    rest = suggest_all(StudySearcher(again, space, settings.search, settings.storage_folder))
    assert [trial["model_id"] for trial in rest] == [1, 2, 3]
    models = [begun[0]["params"], *(trial["params"] for trial in rest)]
    expected = [(p["layer_1_size"], p["layer_2_size"]) for p in space.enumerate()]
    assert sorted((p["layer_1_size"], p["layer_2_size"]) for p in models) == sorted(expected)


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_resumed_search_ends_with_the_trials_asked_for(sampler, tmp_path):
    settings = config(tmp_path, search={"trials": 6, "sampler": sampler, "startup_trials": 2})
    store, space = ResultsStore.create(settings, resume=False), Space(settings)
    first = StudySearcher(store, space, settings.search, settings.storage_folder)
    for number in range(3):
        first.suggest("t")
        if number != 1:
            finish(store, number, 0.5)
    again = ResultsStore.create(settings, resume=True)
    rest = suggest_all(StudySearcher(again, space, settings.search, settings.storage_folder))
    assert [trial["model_id"] for trial in rest] == [1, 3, 4, 5]
    assert rest[0]["params"] == store.record(1).params


def test_tpe_learns_from_the_trials_before_a_resume(tmp_path):
    space_of = {
        "architecture": ["image_mlp_frozen"],
        "dropout": {"low": 0.0, "high": 0.9},
        "learning_rate": {"low": 1e-5, "high": 1e-1, "log": True},
    }
    search = {"trials": 60, "startup_trials": 20}
    settings = config(tmp_path, space=space_of, search=search)
    store, space = ResultsStore.create(settings, resume=False), Space(settings)
    first = StudySearcher(store, space, settings.search, settings.storage_folder)
    for _ in range(40):
        trial = first.suggest("t")
        finish(store, trial["model_id"], -abs(trial["params"]["dropout"] - 0.2))
    again = ResultsStore.create(settings, resume=True)
    searcher = StudySearcher(again, space, settings.search, settings.storage_folder)
    drawn = []
    for _ in range(15):
        trial = searcher.suggest("t")
        drawn.append(trial["params"]["dropout"])
        finish(again, trial["model_id"], -abs(trial["params"]["dropout"] - 0.2))
    near = sum(abs(dropout - 0.2) < 0.15 for dropout in drawn)
    assert near >= 9  # a third would be by chance


def test_memory_and_database_hold_the_same_study(tmp_path):
    settings = config(tmp_path)
    store, space = ResultsStore.create(settings, resume=False), Space(settings)
    numbers = [store.ask(space.sample)[0] for _ in range(4)]
    for number in numbers[:3]:
        store.report(number, {1: 0.5})
        store.report(number, {2: 0.25 * number})
    store.finish(0, pruned=False, results={"epochs": 2}, value=0.5)
    store.finish(1, pruned=True, results={"epochs": 2}, value=0.5, reason="enough")
    store.fail(2, "out of memory")
    store.set_note("classes", ["a", "b"])

    def contents(study: optuna.Study) -> list[dict]:
        trials = [{**vars(trial), "_trial_id": None} for trial in study.get_trials()]
        # SQLite and Python take the time one after the other.
        return [{k: v for k, v in t.items() if k != "datetime_complete"} for t in trials]

    database = optuna.load_study(study_name="a", storage=settings.results_url)
    assert contents(database) == contents(store.study)
    assert database.user_attrs == store.study.user_attrs
    again = ResultsStore.create(settings, resume=True)
    assert contents(again.study) == contents(database)
    assert again.ask(space.sample)[0] == 4  # and numbers go on


def test_a_second_writer_of_a_study_is_found_out(tmp_path):
    settings = config(tmp_path)
    store, other = (ResultsStore.create(settings, resume=True) for _ in range(2))
    store.ask(Space(settings).sample)
    with pytest.raises(RuntimeError, match="another process"):
        other.ask(Space(settings).sample)


def test_the_study_names_its_metric_and_kind(tmp_path):
    settings = config(tmp_path, search={"metric": "valid_loss", "trials": 3})
    ResultsStore.create(settings, resume=False)
    study = optuna.load_study(study_name="a", storage=settings.results_url)
    assert study.metric_names == ["valid_loss"]
    assert ResultsStore.open(settings.results_url, "a").kind == "search"
    ResultsStore.create(config(tmp_path, name="b"), resume=True, kind="train")
    assert ResultsStore.open(settings.results_url, "b").kind == "train"
    with pytest.raises(StoreError, match="'b' is a series of single trainings"):
        ResultsStore.create(config(tmp_path, name="b"), resume=True)


@pytest.mark.parametrize(("name", "kind"), [("a", "search"), ("a-train", "train")])
def test_a_study_of_an_earlier_version_tells_its_kind_by_its_name(name, kind, tmp_path):
    settings = config(tmp_path, name=name, search={"metric": "valid_loss", "trials": 3})
    study = optuna.create_study(study_name=name, storage=settings.results_url, direction="minimize")
    study.set_user_attr("started", "2026-01-01T00:00:00")
    study.set_user_attr("config", settings.model_dump(mode="json"))
    for value in (0.4, 0.2):
        trial = study.ask()
        trial.set_user_attr("best_value", value)
        study.tell(trial, value)
    old = ResultsStore.open(settings.results_url, name)
    assert old.kind == kind and [r.number for r in old.ranking()] == [1, 0]
    again = ResultsStore.create(settings, resume=True, kind=kind)
    assert again.study.metric_names == ["valid_loss"] and len(again.records()) == 2


@pytest.mark.parametrize(
    "sampler",
    ["TPESampler", "NSGAIISampler", "BruteForceSampler"],
)
@pytest.mark.filterwarnings("ignore:BruteForceSampler is experimental")
def test_samplers_of_optuna_propose_in_a_space_with_conditions(sampler, tmp_path):
    space_of = {
        "architecture": ["image_mlp_frozen", "video_lrcnn_frozen"],
        "sequence_length": [2, 3],
        "sequence_model": ["GRU", "LSTM"],
        "layer_1_size": [8],
    }
    search = {"trials": 30, "sampler": f"optuna.samplers:{sampler}", "startup_trials": 3}
    settings = config(tmp_path, space=space_of, search=search)
    store, space = ResultsStore.create(settings, resume=False), Space(settings)
    searcher = StudySearcher(store, space, settings.search, settings.storage_folder)
    seen = []
    while isinstance(trial := searcher.suggest("t"), dict):
        seen.append(str(trial["params"]))
        finish(store, trial["model_id"], 0.5)
    distinct = space.count()
    if sampler == "BruteForceSampler":  # it knows when it has tried all
        assert len(seen) == len(set(seen)) == distinct
    else:
        assert len(seen) == 30 and len(set(seen)) > distinct / 2


def test_trials_run_as_long_as_the_process_that_runs_them(tmp_path):
    settings = config(tmp_path)
    store = ResultsStore.create(settings, resume=False)
    with store.running():
        number, _ = store.ask(Space(settings).sample)
        assert ResultsStore.open(settings.results_url).record(number).state == "running"
    assert ResultsStore.open(settings.results_url).record(number).state == "stopped"
    assert store.counts()["running"] == 0
    ended = subprocess.run(["sh", "-c", "echo $$"], capture_output=True, text=True, check=True)
    process = f"{socket.gethostname()}:{ended.stdout.strip()}"
    store.study.set_user_attr("process", process)  # it was killed, and could not say so
    assert ResultsStore.open(settings.results_url).record(number).state == "stopped"
