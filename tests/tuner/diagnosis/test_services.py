"""Results stores and S3 that a search could not use."""

from __future__ import annotations

import os
import socket
import uuid
from pathlib import Path

import boto3
import optuna
import pytest

from tests.postgres import serving
from tuner.config.load import Config
from tuner.diagnosis import services
from tuner.diagnosis.finding import Asked
from tuner.diagnosis.inputs import labels, videos
from tuner.diagnosis.services import errors, results, s3


@pytest.fixture
def asked(write_config):
    """``asked(results=..., storage=...)``: a small configuration that is to be checked."""

    def load(**sections: object) -> Asked:
        return Asked(Config.load(write_config(**sections)), "small.yaml")

    return load


@pytest.fixture
def store(tmp_path: Path) -> str:
    """A results store with a search of which two trials have failed, by its URL."""
    from tuner.study.store.database import open_storage

    url = f"sqlite:///{tmp_path}/results.db"
    study = optuna.create_study(study_name="small", storage=open_storage(url))
    for reason in ("OutOfMemory: a batch of 8 does not fit", "OutOfMemory: a batch of 4", ""):
        trial = study.ask()
        trial.set_user_attr("reason", reason)
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
    return url


def test_a_store_that_is_not_there_yet_is_not_made(asked, tmp_path):
    (finding,) = results(asked())
    assert finding.state == "ok" and "none yet" in finding.found
    assert not (tmp_path / "runs").exists()


def test_a_store_is_looked_through(asked, store):
    (finding,) = results(asked(results=store))
    assert finding.state == "ok" and "whole, 1 search, " in finding.found


def test_a_damaged_store_is_wrong(asked, store):
    with Path(store.removeprefix("sqlite:///")).open("rb+") as file:
        file.write(b"\xff" * 4096)
    (finding,) = results(asked(results=store))
    assert (
        finding.state == "wrong" and "is damaged" in finding.found and ".recover" in finding.found
    )


def test_a_store_of_another_user_is_wrong(python, as_nobody, open_folder):
    (open_folder / "runs").mkdir()
    (open_folder / "runs" / "results.db").write_bytes(b"")
    out = python(
        f"""
        import os; os.chdir({str(open_folder)!r})
        from tuner.diagnosis.services import results
        show(results(Asked()))
        """,
        before=as_nobody,
        HOME="/tmp",
    )
    assert out.startswith("wrong") and "can't be written to by you" in out
    (open_folder / "runs" / "results.db").unlink()
    again = f"import os; os.chdir({str(open_folder)!r})\n"
    again += "from tuner.diagnosis.services import results; show(results(Asked()))"
    assert "can't be made by you in" in python(again, before=as_nobody, HOME="/tmp")


def test_a_store_on_a_network_file_system_is_wrong(asked, monkeypatch):
    monkeypatch.setattr("tuner.study.store.database.file_system", lambda folder: "nfs4")
    (finding,) = results(asked())
    assert finding.state == "wrong" and "SQLite loses data" in finding.found


def test_a_server_that_is_away_is_wrong_and_its_password_not_shown(asked):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"postgresql://ana:geheim123@127.0.0.1:{port}/seals"
    (finding,) = results(asked(results=url))
    assert finding.state == "wrong" and "refused" in finding.found
    assert f"ana:***@127.0.0.1:{port}" in finding.found and "geheim123" not in str(finding)


def test_a_postgresql_is_reached_and_nothing_made_in_it(asked):
    with serving() as server:
        (finding,) = results(asked(results=server.url))
        assert finding.state == "ok" and "PostgreSQL" in finding.found
        assert "empty: a search makes its tables" in finding.found and "secret" not in finding.found
        (again,) = results(asked(results=server.url))
        assert again == finding
        assert list(errors(asked(results=server.url))) == [
            "the results store has no search 'small' yet"
        ]


def test_a_driver_that_is_not_installed_is_told(asked):
    (finding,) = results(asked(results="oracle://ana:geheim123@db/seals"))
    assert finding.state == "wrong" and "geheim123" not in str(finding)


def test_what_trials_have_failed_by_is_told(asked, store):
    lines = list(errors(asked(results=store)))
    assert lines[0] == "search 'small': 3 failed" and lines[1] == "2 x OutOfMemory"
    assert "model 0" in lines[2] and lines[2].endswith(
        "failed): OutOfMemory: a batch of 8 does not fit"
    )


@pytest.fixture
def prefix() -> str:
    return f"doctor/{uuid.uuid4().hex}"


def keys(prefix: str) -> list[str]:
    listed = boto3.client("s3").list_objects_v2(Bucket="lab", Prefix=prefix)
    return [entry["Key"] for entry in listed.get("Contents", [])]


def test_storage_on_s3_is_used_and_left_as_it_was(s3, asked, prefix):
    (finding,) = services.s3(asked(storage=f"s3://lab/{prefix}"))
    assert finding.state == "ok" and "written, listed, read and deleted" in finding.found
    assert keys(prefix) == []


def test_a_bucket_that_is_none_is_wrong(s3, asked):
    (finding,) = services.s3(asked(storage="s3://nobodys/bucket"))
    assert finding.state == "wrong" and "look at the bucket's name" in finding.found


def test_storage_in_a_folder_needs_no_s3(asked):
    assert list(s3(asked())) == [] and list(s3(Asked())) == []


def test_no_credentials_are_wrong(python, write_config, tmp_path):
    path = write_config(storage="s3://lab/runs")
    settings = {name: "" for name in os.environ if name.startswith("AWS_")}
    out = python(
        f"""
        import os
        for name in {list(settings)!r}:
            os.environ.pop(name, None)
        from tuner.config.load import Config
        from tuner.diagnosis.services import s3
        show(s3(Asked(Config.load({str(path)!r}))))
        """,
        HOME=str(tmp_path),
        AWS_EC2_METADATA_DISABLED="true",
    )
    assert out.startswith("wrong") and "no credentials for S3" in out and "aws configure" in out


def test_a_clock_far_from_that_of_s3_is_told(s3, asked, prefix, monkeypatch):
    now = services.time.time
    monkeypatch.setattr(services, "time", type("Clock", (), {"time": lambda: now() + 300}))
    (finding,) = services.s3(asked(storage=f"s3://lab/{prefix}"))
    assert finding.state == "warning" and "differ by" in finding.found and "NTP" in finding.advice


def test_videos_in_a_folder(asked, drawn, tmp_path):
    (finding,) = videos(asked())
    assert (
        finding.state == "ok" and "4 videos; the first one, a1.mp4, opens (96x64" in finding.found
    )
    (finding,) = labels(asked())
    assert finding.state == "ok" and "labels.csv can be read" in finding.found
    there = {"videos": str(tmp_path / "gone"), "labels": str(tmp_path / "gone.csv")}
    (finding,) = videos(asked(data=there))
    assert finding.state == "wrong" and "there is no folder" in finding.found
    (finding,) = labels(asked(data=there))
    assert finding.state == "wrong" and "gone.csv: No such file" in finding.found


def test_videos_that_can_not_be_read_are_told(python, as_nobody, open_folder):
    for name in ("a.mp4", "b.mp4"):
        (open_folder / name).write_bytes(b"x")
    (open_folder / "b.mp4").chmod(0o600)
    out = python(
        f"""
        from pathlib import Path
        from tuner.diagnosis.inputs import _in_folder
        show(_in_folder(Path({str(open_folder)!r})))
        """,
        before=as_nobody,
        HOME="/tmp",
    )
    assert out.startswith("warning") and "1 of 2 videos looked at can't be read" in out
    assert "Permission denied" in out and "chmod -R a+rX" in out


def test_videos_on_s3(s3, asked, prefix):
    place = {"videos": f"s3://lab/{prefix}", "labels": f"s3://lab/{prefix}/labels.csv"}
    (finding,) = videos(asked(data=place))
    assert finding.state == "wrong" and "no video is there" in finding.found
    for name in ("a.mp4", "labels.csv"):
        boto3.client("s3").put_object(Bucket="lab", Key=f"{prefix}/{name}", Body=b"1")
    (finding,) = videos(asked(data=place))
    assert finding.state == "ok" and "1 videos; the first one can be read" in finding.found
    assert next(labels(asked(data=place))).state == "ok"


def test_a_large_folder_is_not_listed_to_its_end(asked, monkeypatch):
    monkeypatch.setattr("tuner.diagnosis.inputs._MOST", 3)
    (finding,) = videos(asked())
    assert finding.state == "ok" and "at least " in finding.found
