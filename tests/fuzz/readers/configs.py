"""The YAML file of a search, and ``--set key=value``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.fuzz.judge import Reader, Wrong
from tuner.config.load import Config, load, parse
from tuner.config.messages import ConfigError
from tuner.study.space.checks import check
from tuner.study.store.same import changes, tree

_SEALS = Path(__file__).parents[3] / "configs" / "seals.yaml"
_HEAD = "name: a\nmodel: {architecture: image_mlp_frozen}\n"
_WRITTEN = [
    _HEAD + "data: {videos: a, labels: b.csv, fps: 2.5, unit: frame}\n",
    _HEAD + "data:\n  videos: sample\n  splits: {valid: [a, b], test: 0.2, seed: 3}\n",
    _HEAD + "data: {videos: sample, splits: {by: site, file: c.csv}, max_frames: 7}\n",
    _HEAD + "training: {learning_rate: 1.0e-3, epochs: 5, flip: true, gradient_clip: null}\n",
    _HEAD + "search: {trials: 4, time_budget: 1h30m, seed: 5, metric: valid_f1, ensemble: auto}\n",
    _HEAD + "search: {validation: {folds: 3, by: video}, scheduler: none, sampler: grid}\n",
    _HEAD
    + "search:\n  sampler: optuna.samplers:TPESampler\n  sampler_options: {n_ei_candidates: 9}\n",
    _HEAD + "resources: {cpus: 2, gpus: auto, trials_at_once: 3}\nresults: sqlite:///r.db\n",
    "name: b\nstorage: s3://lab/runs\nspace:\n  architecture: [image_mlp_frozen, c3d]\n"
    "  dropout: {low: 0, high: 0.5, step: 0.1}\n  layer_1_size: {low: 8, high: 64, log: true}\n",
    "name: c\nspace:\n  architecture: [video_lrcnn_frozen]\n  sequence_model: [GRU, Convolution1D]\n"
    "  sequence_length: &l [5, 7]\n  convolution_kernel_size: *l\n  frame_size: [[64, 96], 32]\n",
    "name: d\nspace:\n  architecture: [image_mlp_frozen]\n  layer_1_size:\n"
    "    - when: {architecture: image_mlp_frozen, dropout: 0.1}\n      choices: [8, 16]\n"
    "    - {low: 1, high: 9}\n",
]
_WORDS = (
    *(
        b"&a ",
        b"*a",
        b"*l",
        b"<<: *l",
        b"<<: {",
        b"!!binary ",
        b"!!python/object:os.system ",
        b"!!set ",
    ),
    *(
        b"!!timestamp ",
        b"!!int ",
        b"!!float ",
        b"!!str ",
        b"!!omap ",
        b"!!map ",
        b"? ",
        b"|\n ",
        b">-\n ",
    ),
    *(
        b"---\n",
        b"...\n",
        b"%YAML 1.1\n---\n",
        b'"\\ud800"',
        b'"\\0"',
        b'"\\u202e"',
        b"{}",
        b"[]",
        b"=\n",
    ),
    *(
        b".inf",
        b"-.inf",
        b".nan",
        b"1:30:00",
        b"2024-01-01",
        b"2024-13-41",
        b"0o17",
        b"0b1",
        b"1e-320",
    ),
    *(
        b"space:\n",
        b"low: ",
        b"high: ",
        b"step: ",
        b"choices: ",
        b"when: ",
        b"log: true",
        b"1: 2\n",
    ),
    *(
        b"search:\n",
        b"trials: ",
        b"data:\n",
        b"fps: ",
        b"model:\n",
        b"training:\n",
        b"dropout",
        b"name: ",
    ),
)


def _seeds() -> list[bytes]:
    lines = _SEALS.read_text(encoding="utf-8").splitlines()
    plain = [line.partition(" #")[0].rstrip() for line in lines if not line.startswith("#")]
    return [*(text.encode() for text in _WRITTEN), "\n".join(filter(None, plain)).encode()]


def _make(folder: Path) -> Callable[[bytes], Any]:
    path = folder / "a.yaml"

    def read(content: bytes) -> None:
        path.write_bytes(content)
        as_another_reads(load(path), content)
        _use(Config.load(path))

    return read


def as_another_reads(config: Config, content: bytes) -> None:
    """Compare with what libyaml, another reader of YAML, makes of the same text.

    Raises:
        Wrong: they differ.
    """
    try:
        tree = yaml.load(content.decode(), yaml.CSafeLoader)
    except Exception as error:
        stricter = ("escape", "control characters", "found unexpected ':'")
        if any(words in str(error) for words in stricter):
            return  # libyaml is stricter than PyYAML
        raise Wrong(f"libyaml refuses it: {error}") from error
    if (other := parse(tree, "libyaml")) != config:
        raise Wrong(f"libyaml reads {other!r}, not {config!r}")


def _use(config: Config) -> None:
    """What a dry run does next, and what the results store keeps."""
    if changed := changes(parse(tree(config), "the store"), config):
        raise Wrong(f"the results store keeps another one: {changed}")
    check(config)


def _set(folder: Path) -> Callable[[bytes], Any]:
    path = folder / "a.yaml"
    path.write_bytes(_WRITTEN[0].encode())

    def read(content: bytes) -> None:
        texts = content.decode("utf-8", "surrogateescape").split("\n")
        _use(Config.load(path, [text for text in texts if text]))

    return read


_SET = [
    b"search.trials=40",
    b"data.videos=VIDEOS\ndata.labels=labels.csv",
    b"data.splits.valid=[a, b]\nname=mine",
    b"space.dropout={low: 0.0, high: 0.5}\nspace.architecture=[image_mlp_frozen]",
    b"search.time_budget=2h\nsearch.metric=valid_accuracy\nresources.gpus=0.25",
    b"model.frame_size=[64, 64]\ntraining.flip=yes",
    b"data=null\nsearch={seed: 4}",
]
FILES = Reader(_make, _seeds, (ConfigError,), share=8, words=_WORDS)
OVERRIDES = Reader(_set, lambda: _SET, (ConfigError,), share=8, words=(*_WORDS, b"=", b".", b"\n"))
