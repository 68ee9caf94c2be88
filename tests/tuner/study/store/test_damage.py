"""SQLite files that are damaged, deleted, or copied alone."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from optuna.storages._cached_storage import _CachedStorage

from tuner.api import open_results
from tuner.config.load import Config
from tuner.config.messages import StoreError
from tuner.study.store.database import copy, open_storage, searches
from tuner.study.store.mirror import Mirror
from tuner.study.store.results import ResultsStore

CLEARLY_DAMAGED = b"\xff" * 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results.db"


@pytest.fixture
def study(path: Path) -> optuna.Study:
    """A search of three trials, with values, attributes and one that runs."""
    mirror = Mirror(open_storage(f"sqlite:///{path}"))
    study = optuna.create_study(study_name="seals", storage=mirror, direction="maximize")
    study.set_user_attr("classes", ["noseal", "seal"])
    for number in range(3):
        trial = study.ask()
        trial.suggest_float("x", 0, 1)
        trial.set_user_attr("parameters", {"x": number})
        trial.report(0.1 * number, step=1)
        if number < 2:
            study.tell(trial, 0.5 * number)
    return study


def trials_of(path: Path) -> list[tuple]:
    study = optuna.load_study(study_name="seals", storage=f"sqlite:///{path}")
    return [
        (t.number, t.state.name, t.values, t.params, t.user_attrs, t.intermediate_values)
        for t in study.trials
    ]


def damage(path: Path) -> None:
    with path.open("rb+") as file:
        file.seek(0)
        file.write(CLEARLY_DAMAGED)


def delete(path: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        Path(f"{path}{ending}").unlink(missing_ok=True)


@pytest.mark.parametrize(("change", "said"), [(damage, "is damaged"), (delete, "was deleted")])
def test_all_trials_are_in_a_new_file_when_one_is_damaged_or_deleted(path, study, change, said):
    before = trials_of(path)
    study._storage._database.engine.dispose()
    change(path)
    with pytest.raises(StoreError) as caught:
        study.set_user_attr("note", 1)
    for words in (str(path), said, "with all trials of this search", "--resume goes on"):
        assert words in str(caught.value)
    assert trials_of(path) == before
    again = optuna.load_study(study_name="seals", storage=f"sqlite:///{path}")
    assert again.user_attrs == {"classes": ["noseal", "seal"], "note": 1}
    aside = [file for file in path.parent.iterdir() if file.name[-15:].replace("-", "").isdecimal()]
    assert len(aside) == (change is damage)


def test_what_comes_after_a_new_file_was_written_is_in_it_too(path, study):
    """The heartbeat may be the first that notices, and nobody hears of its error."""
    study._storage._database.engine.dispose()
    delete(path)
    with pytest.raises(StoreError, match="was deleted"):
        study.set_user_attr("alive", 1)
    with pytest.raises(StoreError, match="was deleted"):
        study.set_user_attr("note", 2)
    again = optuna.load_study(study_name="seals", storage=f"sqlite:///{path}")
    assert again.user_attrs == {"classes": ["noseal", "seal"], "alive": 1, "note": 2}
    assert len(again.trials) == 3


def test_damage_that_the_writer_does_not_see_is_noticed_at_the_end(path, study):
    before = trials_of(path)
    study._storage.verify()
    damage(path)
    with pytest.raises(StoreError, match="was damaged"):
        study._storage.verify()
    assert trials_of(path) == before


def test_a_file_that_another_one_replaces_stays(path, study, tmp_path):
    other = tmp_path / "other.db"
    storage = open_storage(f"sqlite:///{other}")
    optuna.create_study(study_name="penguins", storage=storage)
    storage.engine.dispose()
    delete(path)
    os.replace(other, path)
    with pytest.raises(StoreError, match="was replaced by another file"):
        study.set_user_attr("note", 1)
    assert {name for name, _ in searches(f"sqlite:///{path}")} == {"penguins", "seals"}


@pytest.mark.parametrize("content", [CLEARLY_DAMAGED, b"no database at all, but text\n" * 100])
def test_a_damaged_file_is_told_when_it_is_opened(path, content):
    path.write_bytes(content)
    with pytest.raises(StoreError) as caught:
        searches(f"sqlite:///{path}")
    for words in (str(path), "is damaged", ".recover"):
        assert words in str(caught.value)


def test_pages_that_are_damaged_are_told_when_it_is_opened(path, study):
    study._storage._database.engine.dispose()
    content = bytearray(path.read_bytes())
    for start in range(4096 * 2, len(content), 4096):
        content[start : start + 64] = b"\xff" * 64
    path.write_bytes(content)
    with pytest.raises(StoreError, match="is damaged"):
        searches(f"sqlite:///{path}")


def test_the_file_alone_has_all_once_a_command_has_ended(path, tmp_path):
    code = """if True:
        import gc, sys
        import optuna
        from tuner.study.store.database import open_storage
        from tuner.study.store.mirror import Mirror
        mirror = Mirror(open_storage(f"sqlite:///{sys.argv[1]}"))
        study = optuna.create_study(study_name="seals", storage=mirror)
        study.add_trial(optuna.create_trial(value=1.0))
        gc.freeze()
        sys.exit(0)
    """
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    shutil.copy(path, tmp_path / "copy.db")
    assert (
        len(optuna.load_study(study_name=None, storage=f"sqlite:///{tmp_path}/copy.db").trials) == 1
    )


def test_a_copy_that_is_killed_is_not_taken_for_a_search_and_can_be_made_again(
    path, study, tmp_path, monkeypatch
):
    source, target = f"sqlite:///{path}", f"sqlite:///{tmp_path}/target.db"
    add, left = _CachedStorage.create_new_trial, [2]

    def killed(self, *args, **more):
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return add(self, *args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(_CachedStorage, "create_new_trial", killed)
        with pytest.raises(KeyboardInterrupt):
            copy(source, target, "seals")
    assert searches(target) == []
    copy(source, target, "seals")
    assert [name for name, _ in searches(target)] == ["seals"]
    assert trials_of(tmp_path / "target.db") == trials_of(path)
    with pytest.raises(StoreError, match="already"):
        copy(source, target, "seals")
    assert optuna.get_all_study_names(target) == ["seals"]


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("trials", "state = 'DONE'"),
        ("trials", "datetime_start = 'yesterday'"),
        ("trial_user_attributes", "value_json = '{'"),
        ("trial_user_attributes", "value_json = '5'"),
        ("study_user_attributes", "value_json = '[[]]'"),
        ("study_directions", "direction = 'UP'"),
    ],
)
def test_what_no_search_has_written_is_told(table, change, path, write_config) -> None:
    """SQLite finds such files whole."""
    config = Config.load(write_config(results=f"sqlite:///{path}"))
    store = ResultsStore.create(config, resume=False)
    store.ask(lambda trial: {"dropout": trial.suggest_float("dropout", 0, 1)})
    store.storage._database.engine.dispose()
    with contextlib.closing(sqlite3.connect(path)) as base:
        base.execute(f"UPDATE {table} SET {change}")
        base.commit()
    with pytest.raises(StoreError, match="holds what no search has written") as caught:
        open_results(config.results_url).trials()
    assert len(str(caught.value)) < 1000 and "\n" not in str(caught.value)


def test_damage_in_what_is_no_text_is_told(tmp_path):
    """SQLite names the column that it finds damaged; found by tests/fuzz."""
    path = tmp_path / "results.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as base:
        base.execute("CREATE TABLE studies (damaged)")
        base.execute("INSERT INTO studies VALUES (NULL)")
        base.execute("PRAGMA writable_schema = 1")
        base.execute("UPDATE sqlite_master SET sql = 'CREATE TABLE studies (damaged NOT NULL)'")
    path.write_bytes(path.read_bytes().replace(b"(damaged NOT", b"(dam\xd4ged NOT"))
    with pytest.raises(StoreError, match=r"is damaged .*NULL value"):
        ResultsStore.open(f"sqlite:///{path}")
