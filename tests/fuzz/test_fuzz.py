"""The fuzzer: some inputs of each reader, those that went wrong once, and whether it notices faults."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest

from data.cells import numbers
from data.console import clean
from data.files import array, whole
from models import tensors
from tests.fuzz import judge as judging
from tests.fuzz import work
from tests.fuzz.judge import Hang, Reader, Refused, judge
from tests.fuzz.mutate import input_of
from tests.fuzz.readers import READERS, corpus_of, failed

APART = ("videos",)  # what may end the process
HERE = [name for name in READERS if name not in APART]
SLOW = ("store", "models", "checkpoints")


@pytest.fixture(autouse=True)
def _quiet(said: list[str]) -> None:
    """What is said of damaged files is not shown."""


@pytest.mark.parametrize(("name", "what"), [(n, w) for n in READERS for w in failed(n)])
def test_what_went_wrong_once_goes_right(name: str, what: str, tmp_path: Path) -> None:
    reader = READERS[name]
    verdict = judge(reader, reader.make(tmp_path), failed(name)[what])
    assert verdict.kind != "finding", verdict


@pytest.mark.parametrize("name", HERE)
def test_inputs_are_right_or_refused(name: str, tmp_path: Path) -> None:
    reader, corpus = READERS[name], corpus_of(name)
    read, seen = reader.make(tmp_path), set()
    for number in range(len(corpus) + (2 if name in SLOW else 20)):
        content = input_of(corpus, reader.words, 0, number, reader.most)
        verdict = judge(reader, read, content)
        assert verdict.kind != "finding", (number, verdict)
        seen.add(verdict.kind)
    assert seen == {"right", "refused"}


def test_videos_are_read_in_a_process_of_their_own() -> None:
    outcome = work.fuzz("videos", 5, 0, 1, lambda count: None)
    assert (outcome.inputs, outcome.right, outcome.findings) == (5, 5, {})


def findings(name: str, folder: Path, inputs: int = 150) -> set[str]:
    reader, corpus = READERS[name], corpus_of(name)
    read = reader.make(folder)
    contents = (input_of(corpus, reader.words, 0, n, reader.most) for n in range(inputs))
    verdicts = (judge(reader, read, content) for content in contents)
    return {verdict.what for verdict in verdicts if verdict.kind == "finding"}


def test_a_checksum_that_is_not_compared_is_noticed(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(whole.Seal, "check", lambda self, spans: None)
    assert any(what.startswith("wrong: it is read as") for what in findings("arrays", tmp_path))


def test_a_checksum_of_a_model_that_is_not_compared_is_noticed(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tensors, "_checksum", lambda file, length: b"")
    monkeypatch.setattr(tensors, "_MARK", b"another.")
    monkeypatch.setattr(tensors, "_SEALED", "another")
    reader, content = READERS["checkpoints"], corpus_of("checkpoints")[0]
    read = reader.make(tmp_path)
    assert judge(reader, read, content).kind == "right"
    changed = content.replace(np.float32(5).tobytes(), np.float32(6).tobytes())
    assert judge(reader, read, changed).what.startswith("wrong: another checkpoint is read")


def test_a_foreign_exception_is_noticed(tmp_path, monkeypatch) -> None:
    def header(*args: object) -> None:
        raise IndexError

    monkeypatch.setattr(array.np.lib.format, "read_magic", header)
    monkeypatch.setattr(array, "_rows", lambda file, seal: np.zeros(int(file[0])))
    assert findings("arrays", tmp_path, 20) == {"wrong: it is read as float64 (147,)"}
    monkeypatch.setattr(array, "_rows", header)
    assert any(what.startswith("IndexError array.py") for what in findings("arrays", tmp_path, 20))


def test_a_time_that_is_read_wrong_is_noticed(tmp_path, monkeypatch) -> None:
    right = numbers.parse_time
    monkeypatch.setattr(numbers, "parse_time", lambda text: right(text) + (":" in text))
    assert any("a plain file has problems" in what for what in findings("labels", tmp_path, 6))


def test_a_text_that_is_too_long_or_cannot_be_shown_is_noticed() -> None:
    assert judging.unshowable(ValueError("is no time")) is None
    assert "characters" in str(judging.unshowable(ValueError("x" * 5000)))
    assert "says nothing" in str(judging.unshowable(ValueError("")))
    for text in ("\x1b[31m", "\u202e", "\ud800", "\x9b"):
        assert judging.unshowable(ValueError(text)) is None, "clean() shows it"
    assert clean("a\u202eb\ud800") == "a\\u202eb\\ud800"


def reader_of(read) -> Reader:
    return Reader(lambda folder: read, lambda: [b"a", b"b", b"c"], (), share=1, seconds=0.2)


def test_a_hang_is_noticed() -> None:
    def forever(content: bytes) -> None:
        while True:
            pass

    reader = reader_of(forever)
    assert judge(reader, forever, b"").what == f"{Hang.__name__} test_fuzz.py:forever"


def test_a_process_that_ends_or_waits_is_noticed_and_replaced(monkeypatch) -> None:
    def read(content: bytes) -> None:
        if content == b"b":
            os._exit(3)
        if content == b"c":
            multiprocessing.Event().wait()
        if content != b"a":
            raise Refused

    monkeypatch.setitem(READERS, "times", reader_of(read))
    monkeypatch.setattr(work, "_SPAWN", multiprocessing.get_context("fork"))
    monkeypatch.setattr(work, "_BLOCKED", 0.5)
    corpus_of.cache_clear()
    outcome = work.fuzz("times", 30, 0, 1, lambda count: None)
    corpus_of.cache_clear()
    assert outcome.inputs == 30
    assert {"the process ended with 3", "nothing for 0.5 s"} <= {*outcome.findings}
    assert outcome.samples["the process ended with 3"][0][0] == 1
