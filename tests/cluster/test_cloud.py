"""``cluster/aws.yaml`` from ``ray up`` to ``ray down``, on a cloud that stands on this machine.

One cluster serves all tests, each of which finds it as the one before has left it.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.cluster.cloud import OUTSIDE, Cloud, cloud, tags
from tests.cluster.person import wait_for
from tests.cluster.search import Search

OUTAGE = 60.0  # seconds

pytest.importorskip(
    "aiohttp_cors", reason="ray[default] is not installed (pip install '.[cluster]')"
)


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


@pytest.fixture(scope="module")
def first(cluster) -> Search:
    """A search that has ended; before it, the cluster was the head alone."""
    assert list(cluster.living()) == list(cluster.living("head"))
    # Epochs enough for both machines to come before the first trials end.
    search = Search(cluster, "first", trials=4, epochs=1500)
    search.end(search.start())
    return search


@pytest.fixture(scope="module")
def long(first) -> int:
    """Epochs of trials that something happens to: enough for some checkpoints, of ten seconds each."""
    seconds = [record.results["seconds"] for record in first.records()]
    return int(40 * first.epochs * len(seconds) / sum(seconds))


def test_a_search_over_machines_that_come_when_trials_ask_for_them(cluster, first):
    workers = cluster.living("worker")
    names = {cluster.instances[number].name for number in workers}
    assert len(names) == 2 and first.hosts() == names
    objects_of_first = first.objects()
    assert sum(key.endswith("best.pt") for key in objects_of_first) == 4
    assert sum("events.out.tfevents" in key for key in first.objects(folder="")) >= 4


def test_a_store_and_a_storage_that_are_away_are_waited_for(cluster, long):
    search = Search(cluster, "outages", trials=2, epochs=long)
    process = search.start()
    search.under_way(process)
    cluster.postgres.stop()
    time.sleep(OUTAGE * 2 / 3)
    cluster.failing.touch()
    back = time.monotonic() + OUTAGE
    time.sleep(OUTAGE / 3)
    cluster.postgres.start()
    wait_for(lambda: "the results store is back" in search.log.read_text(), 30, "the store")
    time.sleep(max(0.0, back - time.monotonic()))
    cluster.failing.unlink()
    text = search.end(process)
    assert "waiting for the results store: " in text
    # A worker's line, on the console of the search.
    waited = re.search(r"(ip-\S+): waiting for the storage s3://lab/runs/outages: .*503", text)
    assert waited and waited[1] in {cluster.instances[number].name for number in cluster.instances}
    assert "the storage s3://lab/runs/outages is back after" in text
    assert all(record.results["resumed_epochs"] == 0 for record in search.records())


def test_trials_of_machines_that_are_lost_go_on_elsewhere(cluster, long):
    """One loses its power, the other is taken away as spot machines are."""
    search = Search(cluster, "losses", trials=3, epochs=long)
    process = search.start()
    begun = search.under_way(process, 2)
    killed, taken = cluster.living("worker")
    cluster.instances[killed].kill()
    cluster.client("ec2").terminate_instances(InstanceIds=[taken])
    search.end(process)
    # The two that were under way went on, elsewhere, from epochs that were done before.
    assert len(begun) == 2
    assert all(search.records()[number].results["resumed_epochs"] > 0 for number in begun)
    assert killed not in cluster.living() and taken not in cluster.living()


def test_a_search_goes_on_under_a_new_head(cluster, long):
    search = Search(cluster, "head", trials=2, epochs=long)
    process = search.start()
    begun = search.under_way(process)
    (old,) = cluster.living("head")
    cluster.instances[old].kill()
    cluster.client("ec2").terminate_instances(InstanceIds=[old])
    process.kill()
    process.wait()
    cluster.up()
    assert list(cluster.living("head")) != [old]
    search.end(search.start("--resume"))
    for number in begun:
        assert search.records()[number].results["resumed_epochs"] > 0


def test_what_was_asked_of_ec2(cluster):
    """The calls that this very ``ray up`` and its autoscaler have made."""
    ec2, iam = cluster.client("ec2"), cluster.client("iam")
    kinds: dict[str, list[dict[str, Any]]] = {"head": [], "worker": []}
    for instance in cluster.launched.values():
        kinds[tags(instance)["ray-node-type"]].append(instance)
        assert instance["MetadataOptions"]["HttpTokens"] == "required"
        assert instance["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
        assert [group["GroupName"] for group in instance["SecurityGroups"]] == ["tuner-tuner"]
        assert instance["Volumes"] and all(disk["Encrypted"] for disk in instance["Volumes"])
    assert kinds["head"] and not any("InstanceLifecycle" in head for head in kinds["head"])
    assert kinds["worker"] and all(
        worker["InstanceLifecycle"] == "spot" for worker in kinds["worker"]
    )

    (group,) = ec2.describe_security_groups(
        Filters=[{"Name": "group-name", "Values": ["tuner-tuner"]}]
    )["SecurityGroups"]
    opened = [
        (rule.get("FromPort"), rule.get("ToPort"), source["CidrIp"])
        for rule in group["IpPermissions"]
        for source in rule["IpRanges"]
    ]
    assert opened == [(22, 22, f"{cluster.gateway}/32")]

    rights = {}
    for kind, instances in kinds.items():
        (profile,) = {instance["IamInstanceProfile"]["Arn"] for instance in instances}
        name = profile.split("/")[-1]
        (role,) = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]
        assert not iam.list_attached_role_policies(RoleName=role["RoleName"])["AttachedPolicies"]
        (policy,) = iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]
        document = iam.get_role_policy(RoleName=role["RoleName"], PolicyName=policy)[
            "PolicyDocument"
        ]
        rights[kind] = {
            action
            for statement in document["Statement"]
            for action in (
                [statement["Action"]]
                if isinstance(statement["Action"], str)
                else statement["Action"]
            )
        }
    assert all(action.startswith("s3:") for action in rights["worker"])
    assert not any("*" in action for action in rights["head"])


def test_no_port_but_ssh_answers(cluster):
    head = cluster.head()
    listening = {
        int(line.split()[3].rpartition(":")[2])
        for line in head.run("ss -H -ltn").stdout.splitlines()
    }
    assert {22, 6379} <= listening
    stranger = cluster.network.host(OUTSIDE)
    try:
        assert answering(stranger.run, head.address, listening) == set()
    finally:
        stranger.stop()
    # The person's own address.
    assert answering(shell, head.address, listening) == {22}


def shell(command: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True)


def answering(
    run: Callable[..., subprocess.CompletedProcess[str]], address: str, ports: set[int]
) -> set[int]:
    """The ports that `run`'s machine can connect to."""
    tried = " ".join(
        f"(timeout 2 bash -c '</dev/tcp/{address}/{port}' && echo {port}) &" for port in ports
    )
    return set(map(int, run(f"{tried} wait", check=False).stdout.split()))


def test_nobody_joins_without_the_token(cluster):
    """Not even a machine in the cluster's own security group."""
    ec2, address = cluster.client("ec2"), f"{cluster.head().address}:6379"
    like = next(iter(cluster.living("head").values()))
    (instance,) = ec2.run_instances(
        ImageId=like["ImageId"],
        KeyName=like["KeyName"],
        SubnetId=like["SubnetId"],
        SecurityGroupIds=[group["GroupId"] for group in like["SecurityGroups"]],
        MinCount=1,
        MaxCount=1,
    )["Instances"]
    number = instance["InstanceId"]
    try:
        wait_for(lambda: number in cluster.instances, 30, "the other machine")
        other = cluster.instances[number]
        wait_for(lambda: answering(other.run, cluster.head().address, {6379}), 30, "its rights")
        join = f"~/venv/bin/ray start --address={address}"
        tries = (join, f"RAY_AUTH_MODE=token RAY_AUTH_TOKEN={'0' * 64} {join}")
        with ThreadPoolExecutor() as pool:  # each takes a quarter of a minute
            for done in pool.map(lambda command: other.run(command, check=False), tries):
                assert done.returncode != 0 and "InvalidAuthToken" in done.stdout + done.stderr
        # Asked of the dashboard, which answers on the head alone.
        listed = json.loads(cluster.head().run("ray list nodes --format json").stdout)
        joined = {node["node_ip"] for node in listed}
        assert cluster.head().address in joined and other.address not in joined
    finally:
        ec2.terminate_instances(InstanceIds=[number])


def test_idle_machines_are_ended(cluster):
    wait_for(lambda: not cluster.living("worker"), 120, "the end of idle machines")
    workers = [number for number in cluster.instances if number not in cluster.living("head")]
    wait_for(
        lambda: not any(cluster.instances[number].processes() for number in workers),
        10,
        "the end of their processes",
    )
    assert cluster.living("head") and cluster.head().running


def test_nothing_is_left(cluster):
    cluster.down()
    wait_for(lambda: not cluster.living(), 60, "the end of all machines")
    wait_for(lambda: not cluster.network.hosts, 10, "the end of all hosts")
    assert not any(host.processes() for host in cluster.instances.values())
    assert cluster.described()  # they were there
