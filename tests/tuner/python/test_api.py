"""The Python face: what a script calls, with no print and no exit status."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pandas as pd
import pytest

from tuner import Config, load_model, open_results, search, train
from tuner.config.messages import ConfigError, StoreError

pytestmark = pytest.mark.shared_cache


@pytest.fixture(scope="module")
def searched(ray_session, drawn, tmp_path_factory):
    """A configuration, and what a search of it gave."""
    from tests.conftest import small_search
    from tuner.config.load import absolute, parse

    storage = tmp_path_factory.mktemp("runs")
    config = absolute(parse(small_search(drawn, storage), "test"))
    return config, search(config)


def test_a_search_gives_its_ranking_its_trials_and_its_folder(searched, capsys):
    config, result = searched
    assert result.folder == config.folder and not result.interrupted
    assert result.best is result.ranking[0]
    values = [model.value for model in result.ranking]
    assert values == sorted(values, reverse=True)
    assert isinstance(result.trials, pd.DataFrame) and len(result.trials) == 5
    best = result.trials.set_index("model_id").loc[result.best.model_id]
    assert best["valid_f1"] == result.best.value
    assert best["layer_1_size"] in (8, 16)
    assert capsys.readouterr() == ("", "")


def test_the_best_model_predicts_every_frame_of_new_videos(searched, drawn):
    _, result = searched
    table = load_model(result.best).predict(str(drawn))
    assert list(table.columns) == ["noseal", "seal", "prediction", "video", "frame", "time"]
    assert len(table) == 4 * 24
    assert table["prediction"].isin(["noseal", "seal"]).all()
    same = load_model(result.best.folder).predict([drawn / "a1.mp4"])
    of_video = table[table["video"].str.startswith("a1")].reset_index(drop=True)
    assert (same["seal"] - of_video["seal"]).abs().max() < 1e-5


def test_models_that_predict_together_predict_new_videos(searched, drawn, monkeypatch):
    from tuner import kept
    from tuner.api import best_ensemble, evaluate

    _, result = searched
    ensemble = result.ensemble(2)
    assert list(ensemble.members) == result.ranking[:2] and ensemble.weights == [1, 1]
    table = load_model(ensemble).predict(drawn / "c1.mp4")
    figures = evaluate(result.store, ensemble).figures
    assert figures["temperature"] == ensemble.temperature
    written = pd.read_csv(result.folder / "ensemble" / "frame_predictions.csv")
    of_video = written[written["video"] == "c1"]["seal"].to_numpy()
    assert abs(table["seal"] - of_video).max() < 1e-5

    auto = best_ensemble(result.store)
    assert auto.alone == max(model.value for model in result.ranking)
    assert auto.value > 0.9 * auto.alone  # as good within the error of 24 frames
    monkeypatch.setattr(
        kept, "evaluated_on", lambda *_, **__: pytest.fail("it reads the videos again")
    )
    again = best_ensemble(result.store, again=False)
    assert again.name == auto.name and again.temperature == auto.temperature


def test_a_results_store_is_read_as_tables(searched):
    config, result = searched
    results = open_results(config.results_url)
    (row,) = results.searches().to_dict("records")
    assert row["search"] == "small" and row["best"] == result.best.model_id
    read = results.trials("small")  # the database notes an end a moment later than the search
    pd.testing.assert_frame_equal(read.drop(columns="ended"), result.trials.drop(columns="ended"))
    assert [m.model_id for m in results.ranking()] == [m.model_id for m in result.ranking]


def test_a_search_of_the_same_name_is_refused_and_goes_on_when_asked(searched):
    config, result = searched
    with pytest.raises(StoreError, match="add --resume"):
        search(config)
    again = search(config, resume=True)
    assert again.trials["valid_f1"].tolist() == result.trials["valid_f1"].tolist()


def test_a_video_that_is_left_out_is_a_warning(drawn, tmp_path, ray_session, capsys):
    from tests.conftest import small_search
    from tuner.config.load import absolute, parse

    videos = tmp_path / "videos"
    shutil.copytree(drawn, videos)
    (videos / "text.mp4").write_text("not a video")
    with (videos / "labels.csv").open("a") as labels:
        labels.write("text,0,seal,train\n")
    config = absolute(parse(small_search(videos, tmp_path / "runs"), "test"))
    config = config.model_copy(update={"search": config.search.model_copy(update={"trials": 1})})
    with pytest.warns(UserWarning, match="left out: text"):
        search(config)
    assert capsys.readouterr() == ("", "")


def test_one_model_is_trained_and_evaluated(drawn, tmp_path):
    from tests.conftest import small_search
    from tuner.config.load import absolute, parse

    tree = small_search(drawn, tmp_path)
    tree["model"]["architecture"] = "image_mlp_frozen"
    result = train(absolute(parse(tree, "test")))
    assert result.figures["data_total_rows_test"] == 24
    assert (result.model.folder / "frame_predictions.csv").is_file()


def test_overrides_are_python_values_and_paths(write_config, tmp_path):
    config = Config.load(write_config(), {"search.trials": 7, "data.videos": tmp_path})
    assert config.search.trials == 7
    assert config.data.videos == str(tmp_path)
    with pytest.raises(ConfigError, match=r"search\.trails"):
        Config.load(write_config(), {"search.trails": 7})


def test_the_functions_keep_their_names_beside_the_commands():
    import tuner.search
    import tuner.train

    assert callable(tuner.search) and callable(tuner.train)
    assert sys.modules["tuner.search"].main is not None


def test_importing_the_package_imports_nothing_that_takes_long():
    heavy = ["torch", "ray", "optuna", "pandas", "numpy", "pydantic", "rich"]
    code = f"import tuner, sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
