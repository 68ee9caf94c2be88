"""``cluster/slurm/search.sbatch`` under a real Slurm of two nodes: it ends in time, and goes on."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
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
    """Submit the script, wait for the job's end, and return what it printed."""
    command = ["sbatch", "--parsable", *limits, "--nodes=2", "--cpus-per-task=1"]
    command += [f"--output={log}"]
    command += [str(ROOT / "cluster" / "slurm" / "search.sbatch"), *words]
    environment = {**os.environ, "TUNER_BIN": str(Path(sys.executable).parent)}
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=log.parent, env=environment
    )
    job, end = done.stdout.strip(), time.monotonic() + 300
    while time.monotonic() < end:
        left = subprocess.run(["squeue", "-h", "-j", job], capture_output=True, text=True).stdout
        if not left.strip():
            break
        time.sleep(1)
    return log.read_text()


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
    before: dict[int, int] = {}
    for number in range(3):  # Slurm may be too early for a slow machine, by a minute
        log = tmp_path / f"first{number}.log"
        text = submit(log, ["--time=2", "--signal=B:INT@60"], str(path))
        assert "2 machines have joined" in text, text
        assert "the search has not ended; go on with: sbatch" in text, text
        with contextlib.suppress(StoreError):
            records = ResultsStore.open(url, "small").records()
            before = {r.number: max(r.epochs) for r in records if r.epochs}
        if before:
            break
    assert before and all(0 < done < epochs for done in before.values())
    text = submit(tmp_path / "next.log", ["--time=10"], str(path))
    assert "2 finished, 0 pruned, 0 failed" in text, text
    records = ResultsStore.open(url, "small").records()
    assert [sorted(r.epochs) for r in records] == [list(range(1, epochs + 1))] * 2
