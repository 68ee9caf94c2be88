"""``cluster/slurm/search.sbatch`` under a real Slurm of two nodes: it ends in time, and goes on."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue")
CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/controller.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/controller.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
InactiveLimit=0
KillWait=10
SlurmdParameters=config_overrides
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={first} CPUs=4 State=UNKNOWN
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={second} CPUs=4 State=UNKNOWN
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
"""

pytestmark = [
    pytest.mark.skipif(
        not all(shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") for name in PROGRAMS),
        reason="Slurm is not installed (apt-get install slurmctld slurmd slurm-client munge)",
    ),
    pytest.mark.skipif(os.getuid() != 0, reason="slurmd runs as root"),
]


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


@pytest.fixture
def slurm(monkeypatch) -> Iterator[Path]:
    """A controller and two nodes; its folder."""
    folder = Path(tempfile.mkdtemp(prefix="slurm"))
    for name in ("state", "spool.n1", "spool.n2"):
        (folder / name).mkdir()
    controller, first, second = free_ports(3)
    values = {"controller": controller, "first": first, "second": second}
    text = CONF.format(folder=folder, host=socket.gethostname(), **values)
    (folder / "slurm.conf").write_text(text)
    (folder / "munge.key").write_bytes(os.urandom(1024))
    (folder / "munge.key").chmod(0o600)
    monkeypatch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:/usr/sbin")
    munge = [f"--{name}={folder}/munge.{name.split('-')[0]}" for name in ("socket", "key-file")]
    munge += [f"--{name}={folder}/munge.{name}" for name in ("pid-file", "log-file", "seed-file")]
    commands = [["munged", "--foreground", "--force", *munge], ["slurmctld", "-D"]]
    commands += [["slurmd", "-D", "-N", name] for name in ("n1", "n2")]
    processes = []
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    for command in commands:
        processes.append(subprocess.Popen(command, **quiet))
        time.sleep(1)
    yield folder
    for process in reversed(processes):
        process.terminate()
        process.wait()
    shutil.rmtree(folder, ignore_errors=True)


def submit(log: Path, limits: list[str], *words: str) -> str:
    """Submit the script; returns the job's number."""
    command = ["sbatch", "--parsable", *limits, "--nodes=2", "--cpus-per-task=1"]
    command += [f"--output={log}"]
    command += [str(ROOT / "cluster" / "slurm" / "search.sbatch"), *words]
    environment = {**os.environ, "TUNER_BIN": str(Path(sys.executable).parent)}
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=log.parent, env=environment
    )
    return done.stdout.strip()


def runs(job: str) -> bool:
    found = subprocess.run(["squeue", "-h", "-j", job], capture_output=True, text=True)
    # Slurm's controller may be slow to answer; of a job that has ended for minutes it knows nothing.
    return bool(found.stdout.strip()) or (
        found.returncode != 0 and "Invalid job id" not in found.stderr
    )


def wait(done: Callable[[], object], minutes: float = 30) -> None:
    """Wait for what a test needs, however slow the machine is."""
    end = time.monotonic() + minutes * 60
    while not done() and time.monotonic() < end:
        time.sleep(1)


def test_a_job_ends_before_its_time_limit_and_the_next_goes_on(
    slurm, write_config, monkeypatch, tmp_path
):
    from tuner.config.messages import StoreError
    from tuner.study.store.results import ResultsStore

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    epochs = 10000  # more than there is time for
    path = write_config(
        training={"epochs": epochs, "patience": epochs, "rounds": 1, "batch_size": 8},
        search={"trials": 2, "scheduler": "none", "grace_period": 1},
    )
    url = f"sqlite:///{tmp_path}/runs/results.db"

    def reached(url: str) -> dict[int, int]:
        with contextlib.suppress(StoreError):
            records = ResultsStore.open(url, "small").records()
            return {r.number: max(r.epochs) for r in records if r.epochs}
        return {}

    log = tmp_path / "first.log"
    job = submit(log, ["--time=60", "--signal=B:INT@120"], str(path))
    start = time.monotonic()
    nodes = f"sqlite:////tmp/tuner-job-{job}/results.db"  # on its own disk, which is this one
    wait(lambda: reached(nodes) or not runs(job))
    # Once it has something to lose, its time is nearly over.
    limit = math.ceil((time.monotonic() - start) / 60) + 2
    subprocess.run(["scontrol", "update", f"JobId={job}", f"TimeLimit={limit}"], check=True)
    wait(lambda: not runs(job))
    text = log.read_text()
    assert "2 machines have joined" in text, text
    assert "the search has not ended; go on with: sbatch" in text, text
    before = reached(url)
    assert before and all(0 < done < epochs for done in before.values())
    log = tmp_path / "next.log"
    job = submit(log, ["--time=60"], str(path))
    nodes = f"sqlite:////tmp/tuner-job-{job}/results.db"
    further = {number: done + 20 for number, done in before.items()}
    wait(lambda: all(reached(nodes).get(n, 0) > d for n, d in further.items()) or not runs(job))
    assert runs(job), log.read_text()
    subprocess.run(["scancel", "--batch", "--signal=INT", job], check=True)
    wait(lambda: not runs(job))
    assert "the search has not ended; go on with: sbatch" in log.read_text(), log.read_text()
    assert all(reached(url)[number] > done for number, done in further.items())
    for record in ResultsStore.open(url, "small").records():  # each epoch once
        assert sorted(record.epochs) == list(range(1, len(record.epochs) + 1))
