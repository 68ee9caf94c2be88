"""One YAML file to one validated object; every mistake of the file is reported at once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

import yaml
from pydantic import Field, ValidationError, field_validator

from data.console import clean
from data.files.path import S3Path, place
from data.files.path import absolute as absolute_path
from data.files.plain_yaml import MOST_BYTES, values
from data.files.storage import Storage
from models.config import ModelParameters
from tuner.config.messages import ConfigError, Several, hint, sentences
from tuner.config.parameters import (
    PARAMETERS,
    Domain,
    Section,
    TrainingConfig,
    alternatives,
    check_domain,
)
from tuner.config.sections import DataConfig, ResourcesConfig, SearchConfig
from tuner.config.tree import unfit


class Config(Section):
    """Everything that a search needs to know."""

    name: str = Field(pattern=r"^[\w][\w.\- ]*$", max_length=100)
    data: DataConfig = DataConfig()
    model: ModelParameters = ModelParameters()
    training: TrainingConfig = TrainingConfig()
    space: dict[str, list[Domain]] = Field(default_factory=dict)
    search: SearchConfig = SearchConfig()
    resources: ResourcesConfig = ResourcesConfig()
    results: str | None = None
    storage: str = "runs"

    @field_validator("space", mode="before")
    @classmethod
    def _check_space(cls, value: Any) -> Any:
        """Check every domain of every parameter, so that all mistakes are reported at once."""
        if not isinstance(value, dict):
            return value
        problems: list[str] = []
        space: dict[str, list[Domain]] = {}
        for name, written in value.items():
            if name not in PARAMETERS:
                problems.append(f"space.{name}: unknown parameter{hint(name, PARAMETERS)}")
                continue
            space[name] = []
            for item in alternatives(written):
                try:
                    domain = Domain.model_validate(item)
                except ValidationError as error:
                    problems += sentences(error, Domain, f"space.{name}")
                else:
                    space[name].append(check_domain(name, domain, problems))
        if problems:
            raise Several(problems)
        return space

    @classmethod
    def load(cls, path: str | Path, overrides: Mapping[str, Any] | Sequence[str] = ()) -> Config:
        """Read a YAML file; relative paths in it start from the working folder.

        Args:
            overrides: values in place of the file's, by dotted key as in
                ``{"search.trials": 40, "data.videos": "VIDEOS"}``; or texts such as
                ``search.trials=40``, whose values are YAML.

        Raises:
            ConfigError: everything that is wrong with it, at once.
        """
        config = absolute(load(Path(path), overrides))
        if clean(config.storage) != config.storage:
            problem = (
                f"storage: the path {config.storage} has characters that are no text, as of a name in "
                "another encoding than UTF-8, where TensorBoard can't write: name another folder"
            )
            raise ConfigError(str(path), [problem])
        return config

    @property
    def folder(self) -> Path:
        """Where this machine has the models and lists of this search."""
        return self.storage_folder.folder

    @property
    def storage_folder(self) -> Storage:
        """The same folder, with S3 behind it if the models are kept there."""
        return Storage.of(self.storage, self.name)

    @property
    def results_url(self) -> str:
        if self.results is not None:
            return self.results
        return default_results_url(self.storage)


def default_results_url(storage: str = "runs") -> str:
    """What ``TUNER_RESULTS`` names, or an SQLite file beside the models; of S3, in the local ``runs``.

    A variable, unlike an argument, is seen by no other user of the machine.
    """
    if named := os.environ.get("TUNER_RESULTS"):
        return named
    folder = place(storage)
    if isinstance(folder, S3Path):
        folder = Path("runs")
    return f"sqlite:///{folder.absolute() / 'results.db'}"


def load(path: Path, overrides: Mapping[str, Any] | Sequence[str] = ()) -> Config:
    """As `Config.load`, with relative paths left as they are.

    Raises:
        ConfigError: everything that is wrong with it, at once.
    """
    try:
        if (size := path.stat().st_size) > MOST_BYTES:
            raise ConfigError(
                str(path),
                [f"has {size:,} bytes, at most {MOST_BYTES:,}: is it the YAML of a search?"],
            )
        tree = values(path.read_text(encoding="utf-8"))
    except OSError as error:
        files = [p.name for p in path.parent.glob("*.yaml")] or ["no YAML there"]
        problem = f"can't be read: {error.strerror}{hint(path.name, files)}"
        raise ConfigError(str(path), [problem]) from error
    except ConfigError:
        raise
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), [f"is not valid YAML: {error}"]) from error
    if not isinstance(tree, dict):
        raise ConfigError(str(path), ["is not a mapping of keys such as name:, data:, space:"])
    problems = []
    if isinstance(overrides, Mapping):
        for key, value in overrides.items():
            plain = str(value) if isinstance(value, PurePath) else value
            problems += _override(tree, key, plain, f"override {key}")
    else:
        problems = override(tree, overrides)
    if problems:
        raise ConfigError(str(path), problems)
    try:
        problems = unfit(tree)
    except RecursionError as error:
        raise ConfigError(str(path), ["is not valid: it is nested too deeply"]) from error
    if problems:
        raise ConfigError(str(path), problems)
    return parse(tree, str(path), imports=True)


def parse(tree: dict[str, Any], source: str, *, imports: bool = False) -> Config:
    """Validate what was read.

    Args:
        imports: also check the samplers and schedulers that it names as ``module:Class``.

    Raises:
        ConfigError: everything that is wrong with it, at once.
    """
    try:
        return _with_task(Config.model_validate(tree, context={"imports": imports}), source)
    except ValidationError as error:
        raise ConfigError(source, list(dict.fromkeys(sentences(error, Config)))) from error


def override(tree: dict[str, Any], texts: Sequence[str]) -> list[str]:
    """Set values in `tree`, each text as of ``--set``; returns what is wrong with some of them."""
    return [problem for text in texts for problem in _override_text(tree, text)]


def _with_task(config: Config, source: str) -> Config:
    """`config` with the task of its space under `model`: labels are read before anything is chosen.

    Raises:
        ConfigError: the space has several.
    """
    if "task" not in config.space:
        return config
    domains = config.space["task"]
    tasks = dict.fromkeys(task for domain in domains for task in domain.choices or ())
    if len(tasks) != 1 or any(domain.when for domain in domains):
        said = "a search has one task, as it says what labels mean: give one, without when:"
        raise ConfigError(source, [f"space.task: {said} (it has {', '.join(tasks)})"])
    model = {**config.model.model_dump(exclude_unset=True), "task": next(iter(tasks))}
    rest = {name: domain for name, domain in config.space.items() if name != "task"}
    return config.model_copy(update={"model": ModelParameters.model_validate(model), "space": rest})


def _override_text(tree: dict[str, Any], override: str) -> list[str]:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        return [f"--set {override}: write it as key=value, as in --set search.trials=40"]
    try:
        value = values(text)
    except yaml.YAMLError:
        value = text
    return _override(tree, key.strip(), value, f"--set {override}")


def _override(tree: dict[str, Any], key: str, value: Any, where: str) -> list[str]:
    """Set a value in `tree`; returns what is wrong if it can't be set."""
    *sections, last = key.split(".")
    node = tree
    for section in sections:
        if node.get(section) is None:
            node[section] = {}
        node = node[section]
        if not isinstance(node, dict):
            return [f"{where}: '{section}' is a value, it has no keys below it"]
    node[last] = value
    return []


def absolute(config: Config) -> Config:
    """`config` with paths that mean the same from any folder, as the results store keeps it."""
    data = config.data
    if not data.drawn:
        paths = {"videos": data.videos, "labels": data.labels}
        resolved = {k: absolute_path(v) for k, v in paths.items() if v}
        data = data.model_copy(update=resolved)
    if data.splits is not None and data.splits.file is not None:
        splits = data.splits.model_copy(update={"file": absolute_path(data.splits.file)})
        data = data.model_copy(update={"splits": splits})
    model = config.model
    if model.model_weights_path:
        path = absolute_path(model.model_weights_path)
        model = model.model_copy(update={"model_weights_path": path})
    storage = absolute_path(config.storage)
    if data.shared_cache:
        data = data.model_copy(update={"shared_cache": absolute_path(data.shared_cache)})
    elif isinstance(folder := place(storage), S3Path):  # later machines fetch what others computed
        data = data.model_copy(update={"shared_cache": str(folder / ".cache")})
    return config.model_copy(update={"data": data, "model": model, "storage": storage})
