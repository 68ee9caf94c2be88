"""A search on several machines: a second Ray node joins the session's, with files of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import boto3
import psutil
import pytest
from ray.exceptions import RayActorError

from data.console import output
from data.files import patience
from tuner.config.load import load
from tuner.preparation import cluster as spread
from tuner.preparation.one_machine import load_dataset
from tuner.runtime import session
from tuner.runtime.failures import machine_lost
from tuner.runtime.machines import capacity, machines, may_grow

Join = Callable[..., subprocess.Popen]


@pytest.fixture
def second_machine(ray_session) -> Iterator[Join]:
    """``second_machine(hidden=folder)``: a node joins, which sees nothing of `folder`.

    Other arguments are added to its environment.
    """
    import ray
    from ray._common.utils import reset_ray_address

    processes: list[subprocess.Popen] = []

    def wait_for(count: int) -> None:
        end = time.monotonic() + 60
        while sum(node["Alive"] for node in ray.nodes()) != count:
            assert time.monotonic() < end, ray.nodes()
            time.sleep(0.1)

    def join(hidden: Path | None = None, **environment: str) -> subprocess.Popen:
        address = ray.get_runtime_context().gcs_address
        program = str(Path(sys.executable).parent / "ray")
        command = [program, "start", "--address", address, "--block", "--num-cpus=1"]
        if hidden is not None:
            hide = f'mount -t tmpfs none "{hidden}" && exec "$@"'
            command = ["unshare", "-m", "sh", "-c", hide, "sh", *command]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        processes.append(subprocess.Popen(command, env={**os.environ, **environment}, **quiet))
        wait_for(2)
        return processes[-1]

    yield join
    for process in processes:
        process.terminate()
        process.wait()
    wait_for(1)
    reset_ray_address()  # or the next Ray of this machine looks for the node that was


@pytest.mark.long
def test_all_machines_of_a_cluster_prepare(
    command, write_config, second_machine, monkeypatch, tmp_path, drawn
):
    second_machine()
    shutil.copytree(drawn, tmp_path / "videos")
    (tmp_path / "videos" / "a2.avi").write_bytes(b"no video at all" * 1000)
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "here"))
    shared = tmp_path / "shared"
    labels = str(tmp_path / "videos" / "labels.csv")
    data = {"videos": str(tmp_path / "videos"), "labels": labels, "shared_cache": str(shared)}
    path = write_config(data=data)
    status, out, err = command("prepare", path)
    assert status == 0, out + err
    assert "3 videos are ready" in out and "left out: a2" in out
    assert len(list((shared / "features").glob("*.npy"))) == 3
    assert not list(
        (tmp_path / "here" / "frames").glob("*.npy")
    )  # this process has decoded nothing
    status, out, err = command("search", path, "--set", "search.trials=2")
    assert status == 0, out + err


class Fragile(spread.Preparer):
    """Ends its process over one video each time, and over another one once."""

    def prepare(self, video, wanted, learnt):
        once = Path(self.config.labels).parent / "once"
        if video.name == "a2" or (video.name == "a1" and not once.exists()):
            once.touch()
            os._exit(1)
        return super().prepare(video, wanted, learnt)


@pytest.mark.long
@pytest.mark.shared_cache
def test_a_video_that_ends_its_process_is_left_out_and_no_other(
    ray_session, write_config, monkeypatch, tmp_path, drawn
):
    shutil.copytree(drawn, tmp_path / "videos")
    labels = str(tmp_path / "videos" / "labels.csv")
    config = load(write_config(data={"videos": str(tmp_path / "videos"), "labels": labels}))
    dataset = load_dataset(config.data, output)
    monkeypatch.setattr(spread, "Preparer", Fragile)
    wanted = list(dataset.videos.values())
    (reject,) = spread._on_all(config, [], dataset, wanted, output)
    assert reject.video == "a2" and "processes ended" in reject.reason
    assert (tmp_path / "videos" / "once").exists()


class Patient(spread.Preparer):
    """Waits for a service before each video."""

    def prepare(self, video, wanted, learnt):
        def connect(again: bool) -> None:
            if not again:
                raise ConnectionError("503")

        patience.patiently(connect, str, "the shared cache")
        return super().prepare(video, wanted, learnt)


@pytest.mark.shared_cache
def test_what_a_worker_waits_for_is_said_here(ray_session, write_config, monkeypatch):
    config, said = load(write_config()), []
    dataset = load_dataset(config.data, output)
    monkeypatch.setattr(spread, "Preparer", Patient)
    telling = replace(output, say=said.append)
    assert spread._on_all(config, [], dataset, list(dataset.videos.values()), telling) == []
    host = socket.gethostname()
    assert said.count(f"{host}: waiting for the shared cache: 503") == len(dataset.videos)


@pytest.mark.long
@pytest.mark.skipif(os.getuid() != 0, reason="only root gives a process a file system of its own")
@pytest.mark.parametrize("what", ["runs", "videos"])
def test_what_one_machine_does_not_see_is_told_before_the_first_trial(
    what, command, write_config, second_machine, tmp_path, drawn
):
    shutil.copytree(drawn, tmp_path / "videos")
    (tmp_path / "runs").mkdir()
    labels = str(tmp_path / "videos" / "labels.csv")
    path = write_config(data={"videos": str(tmp_path / "videos"), "labels": labels})
    second_machine(hidden=tmp_path / what)
    status, out, err = command("search", path)
    assert status == 2, out
    if what == "runs":
        assert "does not see" in err and str(tmp_path / "runs") in err and "s3://" in err
    else:
        assert "can't read" in err and "No such file" in err and "and 3 others of 4" in err
    assert "trials to run" not in out and "Traceback" not in err


@pytest.mark.long
def test_videos_on_s3_that_one_machine_is_not_given_are_told_before_the_first_trial(
    command, write_config, second_machine, drawn, s3
):
    for path in drawn.iterdir():
        boto3.client("s3").upload_file(str(path), "lab", f"machines/{path.name}")
    url = "s3://lab/machines"
    second_machine(AWS_ENDPOINT_URL="http://127.0.0.1:9")  # where nobody answers
    data = {"videos": url, "labels": f"{url}/labels.csv"}
    status, out, err = command("search", write_config(data=data, storage="s3://lab/runs"))
    assert status == 2, out
    assert f"can't read {url}/a1.mp4" in err and "look at the network" in err
    assert "trials to run" not in out and "Traceback" not in err


def test_a_cluster_that_was_killed_is_not_joined(tmp_path, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    assert session.running_cluster() is None
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text("127.0.0.1:9")  # where nobody answers
    assert session.running_cluster() is None
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert session.running_cluster() == "10.0.0.1:6379"


@pytest.mark.long
def test_a_search_joins_the_cluster_that_its_machine_is_part_of(write_config, tmp_path):
    """It also ships its own code, runs its trials there, and leaves the cluster running."""
    ray = str(Path(sys.executable).parent / "ray")
    head = [ray, "start", "--head", "--block", "--num-cpus=2", "--port=0", "--temp-dir"]
    folder = Path("/tmp") / f"ray-{os.getpid()}"  # short, for the sockets in it
    process = subprocess.Popen([*head, str(folder), "--include-dashboard=false"])
    try:
        current = folder / "ray_current_cluster"
        end = time.monotonic() + 60
        while not current.exists() and time.monotonic() < end:
            time.sleep(0.1)
        address = current.read_text().strip()
        path = write_config(search={"trials": 2})
        command = [sys.executable, "-m", "tuner.search", str(path), "--address", address]
        done = subprocess.run(command, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "search 'small':" in done.stdout and process.poll() is None
        used = {
            path.parent.name
            for path in folder.glob("session_*/runtime_resources/py_modules_files/*")
        }
        assert used, "the code was not shipped"
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def growth(ray_session) -> Iterator[Callable[..., None]]:
    """``growth(kind={"CPU": 4}, ...)``: what Ray's autoscaler may start, two of each."""
    from ray._raylet import (
        GCS_AUTOSCALER_CLUSTER_CONFIG_KEY,
        GCS_AUTOSCALER_STATE_NAMESPACE,
    )
    from ray.core.generated.autoscaler_pb2 import ClusterConfig
    from ray.experimental import internal_kv

    def tell(**kinds: dict[str, int]) -> None:
        config = ClusterConfig()
        for name, resources in kinds.items():
            config.node_group_configs.add(name=name, max_count=2, resources=resources)
        internal_kv._internal_kv_put(
            GCS_AUTOSCALER_CLUSTER_CONFIG_KEY,
            config.SerializeToString(),
            namespace=GCS_AUTOSCALER_STATE_NAMESPACE,
        )

    yield tell
    internal_kv._internal_kv_del(
        GCS_AUTOSCALER_CLUSTER_CONFIG_KEY, namespace=GCS_AUTOSCALER_STATE_NAMESPACE
    )


def test_machines_that_a_cluster_can_start_count(growth):
    import ray

    cpus = ray.cluster_resources()["CPU"]
    assert not may_grow() and capacity() == {"CPU": cpus, "GPU": 0}
    growth(head={"CPU": 0}, like_this={"CPU": 1})
    assert not may_grow() and capacity() == {"CPU": cpus, "GPU": 0}
    growth(head={"CPU": 0}, g6={"CPU": 4, "GPU": 1}, g5={"CPU": 8, "GPU": 1})
    assert may_grow() and capacity() == {"CPU": 16, "GPU": 2}


@pytest.mark.long
def test_a_worker_that_went_with_its_machine_is_told_from_one_that_crashed(second_machine):
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = ray.get_runtime_context().get_node_id()
    machine = second_machine()
    (other_node,) = (node["NodeID"] for node in machines() if node["NodeID"] != here)
    kind = ray.remote(num_cpus=1)(Waiting)
    place = NodeAffinitySchedulingStrategy(other_node, soft=False)
    crashing, lost = (kind.options(scheduling_strategy=place, num_cpus=0).remote() for _ in "12")
    ray.get([crashing.wait.remote(0), lost.wait.remote(0)])
    ended = crashing.end.remote()
    with pytest.raises(RayActorError) as crash:
        ray.get(ended)
    waiting = lost.wait.remote(600)
    for process in psutil.Process(machine.pid).children(recursive=True):
        process.kill()
    with pytest.raises(RayActorError) as loss:
        ray.get(waiting, timeout=90)
    assert machine_lost(loss.value) and not machine_lost(crash.value)


class Waiting:
    def wait(self, seconds):
        time.sleep(seconds)

    def end(self):
        os._exit(1)
