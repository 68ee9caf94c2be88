"""Which models' weights a search keeps."""

from types import SimpleNamespace

import pytest

from data.files.storage import Storage
from tuner.config.load import parse
from tuner.study.context import Report
from tuner.study.recorder import Recorder
from tuner.study.store.results import ResultsStore
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
