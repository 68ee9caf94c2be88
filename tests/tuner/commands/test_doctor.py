"""What a user reads of `tuner.doctor`, and what its report holds."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tuner.diagnosis import checks
from tuner.diagnosis.finding import Check, ok, warning, wrong

ROOT = Path(__file__).parents[3]
SLOW = ("cluster", "imports", "decoders")


@pytest.fixture
def quick(monkeypatch):
    """Without the checks that take seconds; they have tests of their own."""
    monkeypatch.setattr(checks, "CHECKS", [each for each in checks.CHECKS if each.name not in SLOW])


@pytest.fixture
def only(monkeypatch):
    """``only(finding, ...)``: what the command finds."""

    def find(*findings):
        monkeypatch.setattr(checks, "CHECKS", [Check("disks", "cache", lambda asked: findings)])

    return find


def test_a_machine_as_it_is(tmp_path):
    """All checks, as a user runs them in an empty folder; nothing is left there."""
    done = subprocess.run(
        [sys.executable, "-m", "tuner.doctor"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TUNER_CACHE": str(tmp_path / "cache"),
            "RAY_ADDRESS": "local",  # whatever else runs on this machine
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "could not be checked" not in done.stdout and "Traceback" not in done.stderr
    for name in (
        each.name for each in checks.CHECKS if each.name not in ("videos", "labels", "S3")
    ):
        assert name == "disks" or f" {name} " in done.stdout
    assert (
        "a search can run here" in done.stdout
        and "a Ray of its own, which was tried" in done.stdout
    )
    assert list(tmp_path.iterdir()) == []


def test_each_finding_has_a_line_with_what_to_do(command, only):
    only(
        ok("room"), warning("it is slow", "buy an SSD"), wrong("it is full", "delete files", "temp")
    )
    status, out, _ = command("doctor")
    assert status == 1
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[:6] == [
        *("disks", "ok cache room", "warning cache it is slow", "to do: buy an SSD"),
        *("wrong temp it is full", "to do: delete files"),
    ]
    assert (
        "wrong: temp; mend this first: a search can't run" in lines and "warnings: cache" in lines
    )


def test_warnings_are_no_reason_not_to_search(command, only):
    only(warning("it is slow", "buy an SSD"))
    status, out, _ = command("doctor")
    assert status == 0 and "a search can run here" in out


def test_a_configuration_and_what_to_do_next(command, quick, write_config):
    path = write_config()
    status, out, _ = command("doctor", path, "--set", "search.trials=3")
    assert status == 0, out
    assert (
        "search 'small'" in out and "4 videos; the first one" in out and "labels.csv can be" in out
    )
    assert f"python -m tuner.search {path} --set search.trials=3 --dry-run" in out


def test_a_broken_configuration_is_told_and_the_machine_checked_all_the_same(
    command, quick, write_config
):
    path = write_config(search={"trails": 3, "metric": "valid_f2"})
    status, out, err = command("doctor", path)
    assert status == 1 and err == ""
    assert "search.trails: unknown key (did you mean 'trials'?)" in out and "valid_f2" in out
    assert "shared memory" in out
    status, out, _ = command("doctor", "gone.yaml")
    assert status == 1 and "gone.yaml: can't be read" in out


def test_overrides_need_a_configuration(command):
    status, _, err = command("doctor", "--set", "storage=runs")
    assert status == 2 and "name its file" in err


def test_a_folder_that_can_not_be_used_is_wrong(command, quick, write_config, tmp_path):
    (tmp_path / "file").write_text("")
    status, out, _ = command("doctor", write_config(storage=str(tmp_path / "file")))
    assert status == 1 and f"{tmp_path}/file is a file" in out and "wrong: storage" in out


SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIAQQQQWWWWEEEERRRR",
    "AWS_SECRET_ACCESS_KEY": "wJalr/XUtnFEMI+K7MDENG",
    "PGPASSWORD": "robbe-und-see",
    "HF_TOKEN": "hf_QwErTyUiOpAsDfGhJkLz",
    "RAY_AUTH_TOKEN": "5eedf00d" * 8,
    "COMPANY_VPN_PASSWORD": "kurz1",
    "TUNER_RESULTS": "postgresql://ana:in_a_variable@db/seals",
}


def test_a_report_has_no_secrets(command, quick, write_config, tmp_path, monkeypatch):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    home = tmp_path / "home" / "ana"
    (home / ".aws").mkdir(parents=True)
    (home / ".aws" / "credentials").write_text("[default]\naws_secret_access_key = from_a_file_1\n")
    (home / ".pgpass").write_text("127.0.0.1:9:seals:ana:from_pgpass\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(getpass, "getuser", lambda: "ana")
    monkeypatch.setenv("TUNER_CACHE", str(home / "cache"))
    monkeypatch.chdir(tmp_path)
    path = write_config(results="postgresql://ana:l%40chs-fang@127.0.0.1:9/seals?password=zweites1")
    path = path.rename(home / "small.yaml")
    status, out, _ = command("doctor", path, "--report")
    assert status == 1 and "results store" in out  # there is no such server
    (report,) = tmp_path.glob("tuner-report-*.txt")
    assert str(report) in out and report.stat().st_mode & 0o777 == 0o600
    text = report.read_text()
    hidden = [*SECRETS.values(), "from_a_file_1", "from_pgpass", "l@chs-fang", "l%40chs-fang"]
    for secret in [*hidden, "zweites1", "in_a_variable", str(home), "ana"]:
        assert secret not in text.split("## packages")[0], secret
        assert secret == "ana" or secret not in text + out or secret in (str(home),), secret
    for told in (
        "small.yaml",
        "~/cache",
        "architecture:",
        "## packages",
        "\ntorch==",
        "Linux",
        "can't open",
    ):
        assert told in text, told


def test_a_report_has_the_last_errors_of_the_search(
    command, only, write_config, tmp_path, monkeypatch
):
    import optuna

    from tuner.study.store.database import open_storage

    url = f"sqlite:///{tmp_path}/results.db"
    study = optuna.create_study(study_name="small", storage=open_storage(url))
    trial = study.ask()
    monkeypatch.setenv("MY_TOKEN", "plain-words")
    (tmp_path / "pgpass").write_text("db:5432:seals:ana:from-a-file\n")
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "pgpass"))
    reason = "VideoError: damaged, postgresql://ana:geheim@db/x, plain-words, from-a-file"
    trial.set_user_attr("reason", reason)
    study.tell(trial, state=optuna.trial.TrialState.FAIL)
    only(ok("room"))
    report = tmp_path / "mine.txt"
    status, _, _ = command("doctor", write_config(results=url), "--report", report)
    assert status == 0
    text = report.read_text()
    assert "search 'small': 1 failed" in text and "VideoError: damaged" in text
    assert not [each for each in ("geheim", "plain-words", "from-a-file") if each in text]


def test_a_report_takes_the_place_of_reports_alone(command, only, write_config, tmp_path):
    only(ok("room"))
    path, report = write_config(), tmp_path / "report.txt"
    before = path.read_text()
    status, _, err = command("doctor", "--report", path)
    assert status == 2 and f"python -m tuner.doctor {path} --report" in err
    (tmp_path / "notes.txt").write_text("mine")
    status, _, err = command("doctor", "--report", tmp_path / "notes.txt")
    assert status == 2 and "another file of this name" in err
    status, _, err = command("doctor", "--report", tmp_path / "gone" / "a.txt")
    assert status == 2 and "there is no folder" in err
    assert path.read_text() == before and (tmp_path / "notes.txt").read_text() == "mine"
    for _ in range(2):
        assert command("doctor", "--report", report)[0] == 0
    report.chmod(0o644)
    assert command("doctor", "--report", report)[0] == 0
    assert report.stat().st_mode & 0o777 == 0o600


def test_a_report_of_a_broken_configuration(command, write_config, tmp_path, monkeypatch):
    path = write_config(search={"trails": 3}, results=["postgresql://ana:geheim@db/x"])
    (tmp_path / "store.yaml").write_text(path.read_text() + "\npassword: offen42\n")
    monkeypatch.setattr(checks, "CHECKS", checks.CHECKS[:1])
    assert command("doctor", tmp_path / "store.yaml", "--report", tmp_path / "report.txt")[0] == 1
    text = (tmp_path / "report.txt").read_text()
    assert "store.yaml can't be used, see above" in text and "search.trails: unknown key" in text
    assert "geheim" not in text and "offen42" not in text
