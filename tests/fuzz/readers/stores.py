"""Files of results stores."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from tests.fuzz.judge import Reader
from tuner.config.messages import ConfigError, StoreError

_YAML: dict[str, Any] = {"name": "seals", "model": {"architecture": "image_mlp_frozen"}}
_WORDS = (
    b"SQLite format 3\x00",
    b"\x0d\x00",
    b"\x05",
    b"\xff" * 64,
    b"\x00" * 512,
    b"studies",
    b"trials",
)


@cache
def _seeds() -> list[bytes]:
    """A search of four trials in all states."""
    from tuner.config.load import parse
    from tuner.study.store.results import ResultsStore

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results.db"
        config = parse({**_YAML, "results": f"sqlite:///{path}"}, "a")
        store = ResultsStore.create(config, resume=False)
        for number in range(4):
            store.ask(lambda trial: {"dropout": trial.suggest_float("dropout", 0, 1)})
            if number < 3:
                store.report(number, {1: 0.5, 2: 0.25 * number})
        for number in range(2):
            results = {"best_epoch": 1, "seconds": 2.5, "model_param_count": 10}
            store.finish(number, pruned=bool(number), results=results, value=0.5)
        store.fail(2, "out of memory")
        store.storage._database.remove_session()
        store.storage._database.engine.dispose()
        return [path.read_bytes()]


def _make(folder: Path) -> Callable[[bytes], Any]:
    from tuner.api import open_results

    path = folder / "results.db"

    def read(content: bytes) -> None:
        for file in folder.glob("results.db*"):
            file.unlink()
        path.write_bytes(content)
        results = open_results(f"sqlite:///{path}")
        results.searches()
        results.trials()
        results.ranking()

    return read


READER = Reader(
    _make, _seeds, (StoreError, ConfigError), share=1, words=_WORDS, seconds=20, most=400_000
)
