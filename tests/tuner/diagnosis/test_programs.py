"""Versions of packages against what is asked for, and packages that can't be imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.tuner.diagnosis.conftest import ROOT
from tuner.diagnosis import programs
from tuner.diagnosis.finding import Asked
from tuner.diagnosis.programs import packages, python, requirements, versions

THERE = {"ray": "2.60.1", "timm": "1.0.20", "rich": "16.0", "boto3": "1.2"}


@pytest.mark.parametrize(
    ("wanted", "state", "told", "advice"),
    [
        ("ray[tune]>=2.60,<2.61", None, "", ""),
        ("timm>=1.0.31,<1.1", "warning", "timm 1.0.20 is older", "pip install 'timm<1.1,>=1.0.31'"),
        ("rich>=15,<16", "warning", "rich 16.0 is newer", "pip install 'rich<16,>=15'"),
        ("torch>=2.14", "wrong", "torch is not installed", "pip install 'torch>=2.14'"),
        ("ray[tune]>=2.70", "warning", "ray 2.60.1 is older", "pip install 'ray[tune]>=2.70'"),
        ("psycopg>=3; extra == 'postgres'", None, "", ""),
        ("boto3>=1.40,<2; extra == 'aws'", "warning", "boto3 1.2 is older", "pip install 'boto3"),
        ("decord>=9; sys_platform == 'win32'", None, "", ""),
    ],
)
def test_versions(wanted, state, told, advice):
    findings = list(versions([wanted], THERE.get))
    assert [f.state for f in findings] == ([state] if state else [])
    for finding in findings:
        assert told in finding.found and advice in finding.advice


def test_what_is_asked_for_is_that_of_the_code_that_runs():
    wanted, names = requirements()
    assert wanted == ">=3.11" and any(name.startswith("torch>=") for name in names)
    assert any(name.startswith("boto3") and "extra" in name for name in names)
    assert not any(name.startswith("pytest") for name in names)


def test_an_old_python_is_wrong(monkeypatch):
    monkeypatch.setattr("platform.python_version", lambda: "3.10.4")
    (finding,) = python(Asked())
    assert finding.state == "wrong" and "3.10.4" in finding.found and ">=3.11" in finding.found


def test_this_machine_has_what_is_asked_for():
    assert [f.state for f in packages(Asked())] == ["ok"]
    assert [f.state for f in python(Asked())] == ["ok"]


def test_a_package_that_breaks_when_it_is_imported_is_wrong(monkeypatch, tmp_path):
    (tmp_path / "broken_package.py").write_text("raise OSError('libGL.so.1: no such file')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(programs, "_IMPORTED", ("numpy", "broken_package"))
    (finding,) = programs.imports(Asked())
    assert finding.state == "wrong" and "broken_package can't be imported: libGL" in finding.found


def test_a_package_that_all_commands_need_is_told_without_a_traceback(tmp_path):
    (tmp_path / "rich.py").write_text("raise ImportError('No module named rich')")
    done = subprocess.run(
        [sys.executable, "-m", "tuner.doctor"],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "No module named rich" in done.stderr and sys.executable in done.stderr


def test_a_file_of_the_users_that_hides_a_package_is_told(python, tmp_path):
    (tmp_path / "av.py").write_text("raise SystemExit('the own file was imported')")
    out = python(
        f"""
        import os, sys
        os.chdir({str(tmp_path)!r})
        sys.path.insert(0, {str(tmp_path)!r})
        from tuner.diagnosis import programs
        programs._IMPORTED = ("numpy", "av")
        show(programs.imports(Asked()))
        """
    )
    assert out.startswith("wrong") and f"Python takes {tmp_path}/av.py for the package av" in out
