"""``cluster/aws.yaml`` from ``ray up`` to ``ray down``, on a cloud that stands on this machine."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.cloud import OUTSIDE, Cloud, cloud, tags, wait_for
from tests.cluster.hosts import GATEWAY
from tuner.study.store import ResultsStore, TrialRecord

SEARCH = "cd ~/tuner && ~/venv/bin/python -m tuner.search"


@pytest.fixture(scope="module")
def cluster(drawn) -> Iterator[Cloud]:
    """A cluster that ``ray up`` has made, with the videos where all its machines see them."""
    with cloud() as made:
        shutil.copytree(drawn, made.shared / "videos")
        made.write_configuration()
        try:
            made.up()
            yield made
        finally:
            made.keep_logs()


class Search:
    """A search on the head, by SSH."""

    def __init__(self, cluster: Cloud, name: str, *, trials: int, epochs: int) -> None:
        self.cluster, self.name, self.trials, self.epochs = cluster, name, trials, epochs
        videos = cluster.shared / "videos"
        tree = {
            "name": name,
            "data": {"videos": str(videos), "labels": str(videos / "labels.csv")},
            "model": {"frame_size": [64, 64], "pooling": "avg"},
            "training": {"epochs": epochs, "patience": epochs, "rounds": 1, "batch_size": 8},
            "space": {
                "architecture": ["image_mlp_frozen"],
                "layer_1_size": [8, 16],
                "dropout": {"low": 0.0, "high": 0.4},
            },
            "search": {"trials": trials, "scheduler": "none", "startup_trials": trials},
            "resources": {"cpus": 1, "trials_at_once": 2},
        }
        self.file = cluster.shared / f"{name}.yaml"
        self.file.write_text(yaml.safe_dump(tree))
        self.log = cluster.shared / f"{name}.log"

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        words = (
            *(str(self.file), "--set", "storage=s3://lab/runs"),
            *("--set", f"results={self.cluster.postgres.url}", *words),
        )
        command = self.cluster.head().ssh(f"{SEARCH} {shlex.join(words)}")
        with self.log.open("ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def records(self) -> list[TrialRecord]:
        return ResultsStore.open(self.cluster.postgres.url, self.name).records()

    def epochs_done(self) -> dict[int, int]:
        """Epochs of each trial that is running; none before there is a search."""
        with contextlib.suppress(ValueError):
            return {
                r.number: max(r.epochs)
                for r in self.records()
                if r.state == "running" and r.epochs
            }
        return {}

    def objects(self) -> list[str]:
        s3, prefix = self.cluster.client("s3"), f"runs/{self.name}/"
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket="lab", Prefix=prefix)
        return [e["Key"].removeprefix(prefix) for page in pages for e in page.get("Contents", [])]

    def under_way(self, process: subprocess.Popen[bytes], count: int = 2) -> None:
        """Return when so many trials have had epochs, and have checkpoints to go on from."""

        def there() -> bool:
            assert process.poll() is None, self.log.read_text()
            saved = sum(key.endswith("last.pt") for key in self.objects())
            return len(self.epochs_done()) >= count and saved >= count

        wait_for(there, 300, f"{count} trials of {self.name}")

    def end(self, process: subprocess.Popen[bytes], timeout: float = 400) -> str:
        """What it printed, when it has ended with all trials and all their epochs."""
        status = process.wait(timeout)
        text = self.log.read_text()
        assert status == 0, text
        assert f"{self.trials} finished, 0 pruned, 0 failed" in text
        records = self.records()
        assert [r.state for r in records] == ["finished"] * self.trials
        assert all(list(r.epochs) == list(range(1, self.epochs + 1)) for r in records)
        return text

    def hosts(self) -> set[str]:
        """The machines that the trials ended on."""
        return {record.results["worker"].split(":")[0] for record in self.records()}


def test_a_search_over_machines_that_come_when_trials_ask_for_them(cluster):
    assert list(cluster.living()) == list(cluster.living("head"))
    search = Search(cluster, "first", trials=4, epochs=400)
    search.end(search.start())
    workers = cluster.living("worker")
    names = {cluster.instances[number].name for number in workers}
    assert len(names) == 2 and search.hosts() == names
    kept = search.objects()
    assert sum(key.endswith("best.pt") for key in kept) == 4
    assert sum("events.out.tfevents" in key for key in kept) >= 4


def test_idle_machines_are_ended(cluster):
    workers = cluster.living("worker")
    wait_for(lambda: not cluster.living("worker"), 120, "the end of idle machines")
    wait_for(
        lambda: not any(cluster.instances[number].processes() for number in workers),
        10,
        "the end of their processes",
    )
    assert cluster.living("head") and cluster.head().running
