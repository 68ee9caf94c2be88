"""The team's results store: a real PostgreSQL, also when it goes away for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
import sqlalchemy

from data.files import patience
from tests.postgres import Server, serving
from tuner.config.load import parse
from tuner.config.messages import StoreError
from tuner.study.space.space import Space
from tuner.study.store import database
from tuner.study.store.database import file_system, open_storage, without_password
from tuner.study.store.results import ResultsStore

SPACE = {"architecture": ["image_mlp_frozen"], "layer_1_size": [8, 16, 32], "dropout": [0.1, 0.3]}


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    with serving() as server:
        yield server


def settings(folder: Path, results: str, **search: object):
    tree = {"name": folder.name, "storage": str(folder), "space": SPACE, "results": results}
    return parse({**tree, "search": {"trials": 6, "startup_trials": 2, **search}}, "x")


def test_a_study_like_any_other(postgres, tmp_path):
    config = settings(tmp_path, postgres.url)
    store, space = ResultsStore.create(config, resume=False), Space(config)
    for value in (0.5, 0.7):
        number, _ = store.ask(space.sample)
        store.report(number, {1: value})
        store.finish(number, pruned=False, results={"epochs": 1}, value=value)
    driver_url = postgres.url.replace("postgresql", "postgresql+psycopg")
    study = optuna.load_study(study_name=config.name, storage=driver_url)
    assert study.best_value == 0.7 and len(study.trials) == 2
    assert [r.value for r in ResultsStore.open(postgres.url, config.name).ranking()] == [0.7, 0.5]
    assert "secret" not in without_password(postgres.url)
    assert "secret" not in str(study.user_attrs)  # which everybody sees who sees the study


def test_a_search_waits_for_a_store_that_is_away(postgres, tmp_path, said):
    config = settings(tmp_path, postgres.url)
    store, space = ResultsStore.create(config, resume=False), Space(config)
    number, _ = store.ask(space.sample)
    postgres.stop()
    back = threading.Timer(2.0, postgres.start)
    back.start()
    begin = time.monotonic()
    store.report(number, {1: 0.5})
    other, params = store.ask(space.sample)
    store.finish(number, pruned=False, results={"epochs": 1}, value=0.5)
    back.join()
    assert time.monotonic() - begin > 1
    assert "waiting for the results store" in said[0] and "is back" in said[1] and len(said) == 2
    assert not any("secret" in line for line in said)
    records = ResultsStore.open(postgres.url, config.name).records()
    assert [(r.number, r.state, r.epochs) for r in records] == [
        (number, "finished", {1: 0.5}),
        (other, "running", {}),
    ]
    assert records[1].params == params


def test_what_a_search_held_that_died_is_let_go(postgres, tmp_path, monkeypatch, said):
    monkeypatch.setattr(database, "_LOCK", 1)
    monkeypatch.setattr(database, "_TRANSACTION", 3)
    config = settings(tmp_path, postgres.url)
    store = ResultsStore.create(config, resume=False)
    number, _ = store.ask(Space(config).sample)
    dead = open_storage(postgres.url).engine.connect()  # its machine is gone, and says nothing more
    dead.execute(sqlalchemy.text("SELECT * FROM trials FOR UPDATE"))
    store.report(number, {1: 0.5})
    assert "lock timeout" in said[0] and "is back" in said[1]
    assert ResultsStore.open(postgres.url, config.name).records()[number].epochs == {1: 0.5}
    dead.invalidate()


def test_patience_has_an_end(postgres, tmp_path, monkeypatch):
    monkeypatch.setattr(patience, "PATIENCE", 1.0)
    config = settings(tmp_path, postgres.url)
    store = ResultsStore.create(config, resume=False)
    number, _ = store.ask(Space(config).sample)
    postgres.stop()
    try:
        with pytest.raises(optuna.exceptions.StorageInternalError):
            store.report(number, {1: 0.5})
    finally:
        postgres.start()


def test_searches_are_copied_between_stores(postgres, tmp_path, command):
    local = f"sqlite:///{tmp_path}/results.db"
    config = settings(tmp_path, local)
    store, space = ResultsStore.create(config, resume=False), Space(config)
    for value in (0.25, 0.75):
        number, _ = store.ask(space.sample)
        store.report(number, {1: value})
        store.finish(number, pruned=value < 0.5, results={"epochs": 1}, value=value)
    status, out, err = command("results", "copy", local, postgres.url)
    assert status == 0 and config.name in out and "secret" not in out, err
    copied = ResultsStore.open(postgres.url, config.name)
    original = ResultsStore.open(local, config.name)
    assert copied.records() == original.records() and copied.config == original.config
    status, _, err = command("results", "copy", local, postgres.url)
    assert status == 2 and "already" in err and "secret" not in err
    status, out, err = command("results", "--results", postgres.url)
    assert status == 0 and config.name in out and "0.7500" in out, err


def test_a_store_that_is_not_there(command):
    status, _, err = command("results", "--results", "postgresql://ana:word@127.0.0.1:9/none")
    assert status == 2 and "can't open" in err and "127.0.0.1" in err and "word" not in err


def test_sqlite_is_refused_on_a_network_file_system(tmp_path, monkeypatch):
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda1 / ext4 rw 0 0\nnas:/lab {tmp_path}/lab\\040one nfs4 rw 0 0\n")
    share = tmp_path / "lab one" / "runs"
    share.mkdir(parents=True)
    assert file_system(share, mounts) == "nfs4" and file_system(tmp_path, mounts) == "ext4"
    monkeypatch.setattr("tuner.study.store.database.file_system", lambda folder: "nfs4")
    with pytest.raises(StoreError, match=r"network file system \(nfs4\).*PostgreSQL"):
        ResultsStore.create(settings(tmp_path, f"sqlite:///{share}/results.db"), resume=False)
