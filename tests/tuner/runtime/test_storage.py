"""Models that are kept on S3: every machine works on a copy, and goes on from what is there."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import boto3
import pandas as pd
import pytest
import torch

from data.console import output
from data.files.path import S3Path
from data.files.storage import Storage
from models import ModelConfig
from tuner.analysis.prediction import PREDICTIONS
from tuner.config.parameters import TrainingConfig
from tuner.config.sections import DataConfig
from tuner.preparation.one_machine import load_dataset
from tuner.training.clips.source import ClipSource
from tuner.training.run import Run

pytestmark = pytest.mark.shared_cache


def keys(prefix: str) -> list[str]:
    listed = boto3.client("s3").list_objects_v2(Bucket="lab", Prefix=prefix)
    return [entry["Key"].removeprefix(prefix) for entry in listed.get("Contents", [])]


def test_a_search_keeps_its_models_on_s3(
    s3, command, write_config, ray_session, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "one machine"))
    path = write_config(storage="s3://lab/team", search={"trials": 4, "keep_models": 2})
    status, out, err = command("search", path)
    assert status == 0, out + err
    assert "models:  s3://lab/team/small/models" in out and "tensorboard --logdir s3://lab" in out
    stored = keys("team/small/models/")
    assert sum(key.endswith("best.pt") for key in stored) == 2
    shown = {key.split("/")[0] for key in keys("team/small/") if "events.out.tfevents" in key}
    assert len(shown) == 4 and all(name[:4] in ("000 ", "001 ", "002 ", "003 ") for name in shown)
    assert not any(key.endswith(("last.pt", ".tmp")) for key in stored)
    assert len(keys("team/.cache/features/")) == 3  # of all but the test video, for other machines

    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "another machine"))
    status, out, err = command("best", "--predict")
    assert status == 0, out + err
    (key_of_predictions,) = [key for key in keys("team/small/models/") if key.endswith(PREDICTIONS)]
    body = boto3.client("s3").get_object(
        Bucket="lab", Key=f"team/small/models/{key_of_predictions}"
    )["Body"]
    assert len(pd.read_csv(body)) == 4 * 24
    status, out, err = command("search", path, "--resume", "--set", "search.trials=5")
    assert status == 0 and "1 of 5 trials to run" in out, out + err


def run(drawn: Path, storage: Storage) -> Run:
    torch.set_num_threads(1)
    data = DataConfig(videos=str(drawn), labels=str(drawn / "labels.csv"))
    return Run(
        storage.folder / "models" / "0",
        ModelConfig(architecture="image_mlp_frozen", pooling="avg", frame_size=64, layer_1_size=8),
        TrainingConfig(rounds=1, epochs=3, patience=3, batch_size=8),
        ClipSource(load_dataset(data, output), data),
        "valid_f1",
        0,
        {},
        milestones=(1, 2),
        storage=storage,
    )


def test_a_trial_goes_on_where_another_machine_left_it(s3, drawn, tmp_path):
    one = Storage(tmp_path / "one", S3Path("lab", "moves"))
    first = run(drawn, one)
    first.step(), first.step()
    second = run(drawn, Storage(tmp_path / "two", S3Path("lab", "moves")))
    assert second.resumed_epochs == 2
    assert second.training.history == first.training.history
    shutil.rmtree(one.folder)
    one.remove(one.folder / "models" / "0" / "last.pt")
    assert "last.pt" not in keys("moves/models/0/") and "best.pt" in keys("moves/models/0/")


def test_s3_that_is_away_is_waited_for(s3, tmp_path, said):
    storage = Storage(tmp_path, S3Path("lab", "outage"))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "best.pt").write_text("weights")
    s3.stop()
    back = threading.Timer(2.0, s3.start)
    back.start()
    storage.keep(tmp_path / "models")
    back.join()
    assert keys("outage/") == ["models/best.pt"]
    assert "waiting for the storage s3://lab/outage" in said[0] and "is back" in said[1]


def test_only_what_has_changed_is_sent(s3, tmp_path):
    storage = Storage(tmp_path, S3Path("lab", "changes"))
    (tmp_path / "a").write_text("1"), (tmp_path / "b").write_text("1")
    storage.keep(tmp_path)
    boto3.client("s3").delete_object(Bucket="lab", Key="changes/a")
    (tmp_path / "b").write_text("22")
    storage.keep(tmp_path)
    assert keys("changes/") == ["b"]


def test_storage_that_can_t_be_written_to_is_told_before_the_first_trial(
    s3, command, write_config, ray_session
):
    status, out, err = command("search", write_config(storage="s3://nobodys/bucket"))
    assert status == 2 and "s3://nobodys/bucket/small can't be written to" in err, out
    assert "Traceback" not in err


def test_what_waiting_does_not_mend_is_raised_at_once(s3, tmp_path):
    (tmp_path / "a").write_text("1")
    storage = Storage(tmp_path, S3Path("nobodys", "bucket"))
    with pytest.raises(Exception, match="NoSuchBucket"):
        storage.keep(tmp_path)
