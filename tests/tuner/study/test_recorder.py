"""Which models' weights a search keeps."""

from types import SimpleNamespace

import pytest
from ray import cloudpickle

from data.files.storage import Storage
from tuner.config.load import parse
from tuner.study.context import Report
from tuner.study.recorder import Recorder
from tuner.study.sampler import StudySearcher
from tuner.study.space.space import Space
from tuner.study.store.results import ResultsStore
from tuner.study.summary import left
from tuner.training.run import BEST


@pytest.mark.parametrize("metric", ["valid_f1", "valid_loss"])
def test_the_weights_that_are_kept_are_those_of_the_first_in_the_ranking(metric, tmp_path):
    search = {"metric": metric, "keep_models": 2}
    config = parse({"name": "a", "storage": str(tmp_path), "search": search}, "x")
    store = ResultsStore.create(config, resume=False)

    def folder(number: int):
        return tmp_path / "models" / str(number)

    context = SimpleNamespace(config=config, storage=Storage(tmp_path), model_folder=folder)
    recorder = Recorder(store, context)
    values = [(0.5, False), (0.5, False), (0.5, True), (0.4, True), (0.6, False), (0.5, True)]
    for value, finished in values:  # several are equal, and of those the finished come first
        number, _ = store.ask(lambda _: {})
        folder(number).mkdir(parents=True)
        (folder(number) / BEST).touch()
        result = {"best_value": value, "finished": finished, "report": Report({1: value}, {})}
        trial = SimpleNamespace(
            config={"model_id": number}, last_result=result, metric_analysis={}, metric_n_steps={}
        )
        recorder.on_trial_complete(0, [], trial)
        left = {int(path.parent.name) for path in (tmp_path / "models").glob(f"*/{BEST}")}
        assert left == {record.number for record in store.ranking()[:2]}


@pytest.mark.parametrize(
    ("error", "state"), [(OSError(28, "No space left"), "stopped"), (ValueError("own"), "failed")]
)
def test_a_trial_that_the_world_stopped_has_not_ended(error, state, tmp_path):
    config = parse({"name": "a", "storage": str(tmp_path)}, "x")
    store = ResultsStore.create(config, resume=False)
    recorder = Recorder(store, SimpleNamespace(config=config, storage=Storage(tmp_path)))
    with store.running():
        number, _ = store.ask(lambda _: {"architecture": "linear_probe"})
        (tmp_path / "error.pkl").write_bytes(cloudpickle.dumps(error))
        trial = SimpleNamespace(
            config={"model_id": number}, pickled_error_file=str(tmp_path / "error.pkl")
        )
        recorder.on_trial_error(0, [], trial)
    (record,) = store.records()
    assert record.state == state and type(error).__name__ in record.reason
    assert left(store) == (state == "stopped")
    search = config.search.model_copy(update={"trials": 1})
    searcher = StudySearcher(store, Space(config), search, Storage(tmp_path))
    assert searcher.remaining == (state == "stopped")
    if searcher.remaining:
        assert searcher.suggest("again")["model_id"] == number
        assert not left(store)
