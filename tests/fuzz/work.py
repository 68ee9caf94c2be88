"""Processes that read inputs. One that dies or hangs is a finding, and replaced."""

from __future__ import annotations

import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from data.files import patience
from tests.fuzz.judge import Verdict, judge
from tests.fuzz.mutate import input_of
from tests.fuzz.readers import READERS, corpus_of

_MEMORY = 2 * 2**30  # bytes that a process may take beyond what it has at its beginning
_BLOCKED = 60  # seconds, after which a process that does nothing is ended
_CHUNK = 500  # inputs
_KEPT = 3  # inputs of one kind of finding

_SPAWN = multiprocessing.get_context("spawn")


@dataclass
class Outcome:
    """What has become of a reader's inputs.

    Attributes:
        findings: kind to how many inputs.
        samples: kind to the numbers of the first inputs, with details and contents. The content that a
            process has died of is made again; a date in it may differ.
    """

    reader: str
    inputs: int = 0
    right: int = 0
    refused: int = 0
    seconds: float = 0
    findings: dict[str, int] = field(default_factory=dict)
    samples: dict[str, list[tuple[int, str, bytes]]] = field(default_factory=dict)

    def add(self, number: int, verdict: Verdict, content: bytes) -> None:
        self.findings[verdict.what] = self.findings.get(verdict.what, 0) + 1
        samples = self.samples.setdefault(verdict.what, [])
        if len(samples) < _KEPT:
            samples.append((number, verdict.details, content))


class _Worker:
    """A process that reads one chunk after the other."""

    def __init__(self, name: str, seed: int) -> None:
        self.name, self.seed = name, seed
        self.state = _SPAWN.Array("q", [-1, 0, 0, 0], lock=False)
        self.pipe, end = _SPAWN.Pipe()
        self.process = _SPAWN.Process(target=_work, args=(name, seed, self.state, end), daemon=True)
        self.process.start()
        end.close()
        self.stop = 0  # the chunk's end

    def give(self, start: int, stop: int) -> None:
        self.stop = stop
        self.state[:] = [start, 0, 0, 0]
        self.pipe.send((start, stop))

    def blocked(self) -> bool:
        since = self.state[1]
        return bool(since) and time.monotonic_ns() - since > _BLOCKED * 10**9

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def fuzz(
    name: str, inputs: int, seed: int, workers: int, advance: Callable[[int], object]
) -> Outcome:
    """Give a reader so many inputs."""
    outcome, begun = Outcome(name), time.monotonic()
    chunks = [(start, min(start + _CHUNK, inputs)) for start in range(0, inputs, _CHUNK)][::-1]
    crew = [_Worker(name, seed) for _ in range(min(workers, len(chunks)))]
    for worker in crew:
        worker.give(*chunks.pop())
    try:
        while crew:
            ready = wait([w.pipe for w in crew] + [w.process.sentinel for w in crew], timeout=1)
            for worker in list(crew):
                if worker.pipe in ready or worker.process.sentinel in ready:
                    crew += _hear(worker, outcome, chunks, crew, advance)
                elif worker.blocked():
                    worker.process.kill()
    finally:
        for worker in crew:
            worker.end()
    outcome.seconds = time.monotonic() - begun
    return outcome


def _hear(
    worker: _Worker,
    outcome: Outcome,
    chunks: list[tuple[int, int]],
    crew: list[_Worker],
    advance: Callable[[int], object],
) -> list[_Worker]:
    """Take what a worker says; returns another one if it has died."""
    try:
        while worker.pipe.poll():
            if (said := worker.pipe.recv()) is not None:
                outcome.add(*said)
                continue
            _count(worker, outcome, advance)
            if not chunks:
                crew.remove(worker)
                worker.end()
                return []
            worker.give(*chunks.pop())
        if worker.process.is_alive():
            return []
    except (EOFError, ConnectionError):
        pass
    blocked = worker.blocked()
    worker.process.join()
    crew.remove(worker)
    number, code = worker.state[0], worker.process.exitcode
    if worker.state[1]:  # it has begun to read
        why = f"nothing for {_BLOCKED} s" if blocked else f"the process ended with {code}"
        reader, corpus = READERS[worker.name], corpus_of(worker.name)
        content = input_of(corpus, reader.words, worker.seed, number, reader.most)
        outcome.add(number, Verdict("finding", why, why), content)
    elif number < 0 or code:
        raise RuntimeError(f"the process that reads {worker.name} does not begin: status {code}")
    _count(worker, outcome, advance, died=1)
    rest = [(number + 1, worker.stop)] if number + 1 < worker.stop else []
    chunks += rest
    if not chunks:
        return []
    other = _Worker(worker.name, worker.seed)
    other.give(*chunks.pop())
    return [other]


def _count(
    worker: _Worker, outcome: Outcome, advance: Callable[[int], object], died: int = 0
) -> None:
    _, _, right, refused = worker.state
    found = sum(outcome.findings.values())
    before = outcome.inputs
    outcome.right += right
    outcome.refused += refused
    outcome.inputs = outcome.right + outcome.refused + found
    advance(outcome.inputs - before)


def _work(name: str, seed: int, state: Any, pipe: Any) -> None:
    reader = READERS[name]
    patience.tell(lambda line: None)
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=_fast_folder()) as folder:
        corpus = corpus_of(name)
        read = reader.make(Path(folder))
        judge(reader, read, corpus[0])  # imports what it needs, without a limit to memory
        _limit_memory()
        while True:
            try:
                start, stop = pipe.recv()
            except EOFError:
                return
            for number in range(start, stop):
                state[0], state[1] = number, time.monotonic_ns()
                content = input_of(corpus, reader.words, seed, number, reader.most)
                verdict = judge(reader, read, content)
                if verdict.kind == "finding":
                    pipe.send((number, verdict, content))
                else:
                    state[2 if verdict.kind == "right" else 3] += 1
            state[1] = 0
            pipe.send(None)


def _fast_folder() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def _limit_memory() -> None:
    status = Path("/proc/self/status").read_text()
    now = int(status.split("VmData:")[1].split()[0]) * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (now + _MEMORY, resource.RLIM_INFINITY))
