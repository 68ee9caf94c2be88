"""A search on the head of a cluster, as a person starts it by SSH and looks after it."""

from __future__ import annotations

import shlex
import subprocess

import pandas as pd
import yaml

from tests.cluster.cloud import Cloud
from tests.cluster.person import PATIENCE, wait_for
from tests.conftest import small_search
from tuner.study.store.results import ResultsStore, TrialRecord

SEARCH = "cd ~/tuner && python -m tuner.search"  # as one who logs in to the head does


class Search:
    """A search on the head, by SSH."""

    def __init__(self, cluster: Cloud, name: str, *, trials: int, epochs: int) -> None:
        self.cluster, self.name, self.trials, self.epochs = cluster, name, trials, epochs
        tree = small_search(cluster.shared / "videos", "s3://lab/runs") | {
            "name": name,
            "training": {"epochs": epochs, "patience": epochs, "rounds": 1, "batch_size": 8},
            "search": {
                "trials": trials,
                "probes": 0,
                "scheduler": "none",
                "startup_trials": trials,
            },
            "resources": {"cpus": 1},
        }
        tree["space"]["architecture"] = ["image_mlp_frozen"]
        self.file = cluster.shared / f"{name}.yaml"
        self.file.write_text(yaml.safe_dump(tree))
        self.log = cluster.shared / f"{name}.log"

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        words = (
            *(str(self.file), "--set", f"results={self.cluster.postgres.url}"),
            *words,
        )
        command = self.cluster.head().ssh(f"{SEARCH} {shlex.join(words)}")
        with self.log.open("ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def records(self) -> list[TrialRecord]:
        return ResultsStore.open(self.cluster.postgres.url, self.name).records()

    def objects(self, folder: str = "models/") -> dict[str, str]:
        """What is kept on S3: the address of each object by its name."""
        s3, prefix = self.cluster.client("s3"), f"runs/{self.name}/{folder}"
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket="lab", Prefix=prefix)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return {key.removeprefix(prefix): key for key in keys}

    def under_way(self, process: subprocess.Popen[bytes], count: int = 1) -> set[int]:
        """The trials that run and have a checkpoint to go on from, when there are so many."""

        def there() -> set[int]:
            assert process.poll() is None, self.log.read_text()
            saved = {int(key.split("/")[0]) for key in self.objects() if key.endswith("last.pt")}
            running = saved and {r.number for r in self.records() if r.state == "running"}
            return saved & running if len(saved & running) >= count else set()

        return wait_for(there, 300, f"{count} trials of {self.name}")

    def end(self, process: subprocess.Popen[bytes]) -> str:
        """What it printed, when it has ended with all trials and all their epochs."""
        status = process.wait(400 * PATIENCE)
        text = self.log.read_text()
        assert status == 0, text
        assert f"{self.trials} finished, 0 pruned, 0 failed" in text
        assert "secret" not in text  # the store's password
        records = self.records()
        assert [r.state for r in records] == ["finished"] * self.trials
        every = list(range(1, self.epochs + 1))
        assert all(list(record.epochs) == every for record in records)
        s3, objects = self.cluster.client("s3"), self.objects()
        for record in records:  # as the last of its workers has it
            history = s3.get_object(Bucket="lab", Key=objects[f"{record.number}/fit_history.csv"])
            assert pd.read_csv(history["Body"])["epoch"].tolist() == every
        return text

    def hosts(self) -> set[str]:
        """The machines that the trials ended on."""
        return {record.results["worker"].split(":")[0] for record in self.records()}
