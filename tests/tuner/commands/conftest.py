"""A searched project, which each test gets a copy of."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.tuner.commands.project import Project, write_yaml


@pytest.fixture(scope="session")
def searched_project(drawn: Path, ray_session: None, tmp_path_factory) -> Path:
    """The folder of a project with a search of one model."""
    from tuner import Config, search

    folder = tmp_path_factory.mktemp("searched") / "project"
    shutil.copytree(drawn, folder / "videos")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        search(Config.load(write_yaml(folder)))
    return folder


@pytest.fixture
def project(searched_project: Path, tmp_path: Path, command, monkeypatch) -> Project:
    """A copy of it, which is the working folder."""
    shutil.copytree(searched_project, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return Project(tmp_path / "project", command)


@pytest.fixture
def own_project(project: Project) -> Project:
    """The same, but it was searched where it is: nothing is left of it elsewhere."""
    shutil.rmtree(project.folder / "runs")
    project.search()
    return project
