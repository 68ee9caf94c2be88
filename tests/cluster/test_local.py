"""``cluster/local.yaml`` from ``ray up`` to ``ray down``, over three hosts that are reached by SSH."""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.hosts import Host, Network
from tests.cluster.person import ROOT, ray, wait_for
from tests.conftest import small_search
from tuner.cluster import local
from tuner.config.messages import StoreError
from tuner.study.store.record import TrialRecord
from tuner.study.store.results import ResultsStore

BLOCK = 30  # of addresses
MACHINES = 3
TRIALS = 6


class Machines:
    """The hosts, and the commands of a person who uses them."""

    def __init__(self, network: Network) -> None:
        self.home, self.shared = network.folder / "person", network.folder / "shared"
        for folder in (self.home / ".ssh", self.shared):
            folder.mkdir(parents=True)
        shutil.copy(network.key, self.home / ".ssh" / "tuner")
        # All that pip needs is there.
        pip = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0"}
        self.hosts: list[Host] = [
            network.host(network.address(0, 11 + number), pip) for number in range(MACHINES)
        ]
        self.head = self.hosts[0]
        tree = yaml.safe_load((ROOT / "cluster" / "local.yaml").read_text())
        head, *workers = (host.address for host in self.hosts)
        tree["provider"] |= {"head_ip": head, "worker_ips": workers}
        for node_type in tree["available_node_types"].values():
            # Of this machine's, which each host takes for its own.
            node_type["resources"] = {"CPU": 1}
        self.file = network.folder / "local.yaml"
        self.file.write_text(yaml.safe_dump(tree, sort_keys=False))

    def ray(self, *words: str) -> str:
        return ray(self.home, *words)

    def nodes(self) -> int:
        """The nodes of the cluster that live now."""
        code = "import ray; ray.init('auto', log_to_driver=False); "
        code += "print('nodes', sum(node['Alive'] for node in ray.nodes()))"
        done = self.head.run(f"python -c {shlex.quote(code)}", check=False)
        match = re.search(r"^nodes (\d+)$", done.stdout, re.MULTILINE)
        return int(match[1]) if match else 0

    def search(self, name: str, **changes: Any) -> Path:
        """The file of a search; every machine sees it, the videos, the storage and the results."""
        tree = small_search(self.shared / "videos", self.shared / "runs") | {
            "name": name,
            # Long enough that every machine has come to its first trial before the last one begins.
            "training": {"epochs": 600, "patience": 600, "rounds": 1, "batch_size": 8},
            "search": {"trials": TRIALS, "probes": 0, "scheduler": "none", "sampler": "random"},
            "resources": {"cpus": 1, "trials_at_once": 3},
            "results": self.results,
            **changes,
        }
        path = self.shared / f"{name}.yaml"
        path.write_text(yaml.safe_dump(tree))
        return path

    @property
    def results(self) -> str:
        return f"sqlite:///{self.shared}/results.db"

    def records(self, name: str) -> list[TrialRecord]:
        return ResultsStore.open(self.results, name).records()


@pytest.fixture(scope="module")
def cluster(drawn) -> Iterator[Machines]:
    """A cluster that ``ray up`` has made, with the videos where all its machines see them."""
    pytest.importorskip("aiohttp_cors", reason="no ray[default] here (pip install '.[cluster]')")
    with Network(BLOCK) as network:
        made = Machines(network)
        shutil.copytree(drawn, made.shared / "videos")
        made.ray("up", "--yes", str(made.file))
        wait_for(lambda: made.nodes() == MACHINES, 180, "all machines of the cluster")
        yield made


def test_trials_run_on_all_machines(cluster):
    done = cluster.head.run(f"cd ~/tuner && python -m tuner.search {cluster.search('spread')}")
    assert f"{TRIALS} finished, 0 pruned, 0 failed" in done.stdout
    workers = {record.results["worker"].split(":")[0] for record in cluster.records("spread")}
    assert workers == {host.name for host in cluster.hosts}


def test_one_machine_finds_the_same(cluster):
    """The same search has the same parameters, states and values, to the last bit."""
    command = [sys.executable, "-m", "tuner.search", str(cluster.search("alone"))]
    command += ["--set", "resources.trials_at_once=1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stdout + done.stderr
    alone, spread = cluster.records("alone"), cluster.records("spread")
    assert len(alone) == TRIALS and len({str(record.params) for record in alone}) == TRIALS
    for one, three in zip(alone, spread, strict=True):
        assert (one.params, one.state) == (three.params, three.state)
        assert one.epochs == three.epochs


def test_a_job_is_a_search_that_can_be_stopped_and_gone_on_with(cluster):
    epochs = 1500
    training = {"epochs": epochs, "patience": epochs, "rounds": 1, "batch_size": 8}
    path = cluster.search("job", training=training)
    # A copy of the code, as `--working-dir` brings it, not the one that is installed there.
    job = "ray job submit --address http://127.0.0.1:8265 --working-dir ~/tuner"
    search = f"-- python -m tuner.search {path} --set search.trials=2"

    def under_way() -> bool:
        with contextlib.suppress(StoreError):  # there is none yet
            return any(len(record.epochs) > 30 for record in cluster.records("job"))
        return False

    cluster.head.run(f"{job} --no-wait --submission-id first {search}")
    wait_for(under_way, 120, "a trial of the job")
    cluster.head.run("ray job stop --address http://127.0.0.1:8265 first")
    assert not any(len(record.epochs) == epochs for record in cluster.records("job"))
    done = cluster.head.run(f"{job} {search} --resume")
    assert "2 finished, 0 pruned, 0 failed" in done.stdout and "succeeded" in done.stdout
    for job_s, first_s in zip(cluster.records("job"), cluster.records("spread")[:2], strict=True):
        assert list(job_s.epochs) == list(range(1, epochs + 1))
        assert {n: job_s.epochs[n] for n in first_s.epochs} == first_s.epochs


def test_a_machine_that_was_restarted_comes_back(cluster):
    cluster.hosts[1].run("ray stop --force")
    wait_for(lambda: cluster.nodes() == MACHINES - 1, 60, "the end of a node")
    wait_for(lambda: cluster.nodes() == MACHINES, 120, "its return")


def test_nothing_is_left(cluster):
    assert all(ray_processes(host) for host in cluster.hosts)
    cluster.ray("down", "--yes", str(cluster.file))
    assert [ray_processes(host) for host in cluster.hosts] == [[], [], []]
    assert all(host.running for host in cluster.hosts)


def ray_processes(host: Host) -> list[str]:
    return [line for line in host.processes() if "/ray/" in line or "ray::" in line]


def test_all_that_is_missing_is_said_at_once(tmp_path):
    tree = yaml.safe_load((ROOT / "cluster" / "local.yaml").read_text())
    tree["auth"]["ssh_private_key"] = str(tmp_path / "none")
    with pytest.raises(SystemExit) as ended:
        local.Provider.bootstrap_config(tree)
    for words in ("head_ip: is missing", "worker_ips: is missing", f"no file {tmp_path}/none"):
        assert words in str(ended.value)
    tree["provider"] |= {"head_ip": "10.0.0.1", "worker_ips": ["10.0.0.2", "10.0.0.1"]}
    assert any("10.0.0.1 is given twice" in problem for problem in local.problems(tree))
