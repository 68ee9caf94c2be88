"""AWS on one machine: EC2 whose instances are hosts here, IAM, S3, and a PostgreSQL beside it."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import yaml

from tests.cluster.hosts import AWS, Host, Network
from tests.cluster.person import ROOT, ray, wait_for
from tests.postgres import Server, serving

REGION = "us-east-1"
AMI = "ami-12c6146b"  # one that the endpoint knows
OUTSIDE = "172.31.200.1"  # a host of somebody else in the same network
GONE = ("shutting-down", "terminated", "stopping", "stopped")


class Cloud:
    """The endpoint, the hosts that are its instances, and the commands of a person who uses them.

    Attributes:
        home: the person's home folder.
        shared: a folder that this machine and all hosts see, as one of NFS.
        instances: hosts by the number of their instance, those that have ended too.
        launched: instances as EC2 described them while they ran, with their disks as ``Volumes``.
    """

    def __init__(self, network: Network, postgres: Server) -> None:
        self.network, self.postgres = network, postgres
        self.folder, self.gateway = network.folder, network.gateway
        self.home, self.shared = self.folder / "person", self.folder / "shared"
        self.instances: dict[str, Host] = {}
        self.launched: dict[str, dict[str, Any]] = {}
        self.failing = self.folder / "s3-fails"
        with socket.socket() as free:
            free.bind((self.gateway, 0))
            self._port = free.getsockname()[1]
        # A machine of AWS has its credentials from its role; these are as good to the endpoint.
        self.credentials = {
            "AWS_ENDPOINT_URL": f"http://{self.gateway}:{self._port}",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": REGION,
        }
        self._end, self._watcher = threading.Event(), threading.Thread(target=self._watch)
        self._error: BaseException | None = None

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.credentials["AWS_ENDPOINT_URL"],
            region_name=REGION,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    @contextlib.contextmanager
    def running(self) -> Iterator[Cloud]:
        for folder in (self.home, self.shared):
            folder.mkdir()
        command = [sys.executable, "-m", "tests.cluster.endpoint"]
        command += [self.gateway, str(self._port), str(self.failing)]
        environment = {**os.environ, "MOTO_IAM_LOAD_MANAGED_POLICIES": "true"}
        with (self.folder / "endpoint.log").open("wb") as log:
            endpoint = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            wait_for(self._answers, 60, "the endpoint")
            self.client("s3").create_bucket(Bucket="lab")
            self._watcher.start()
            yield self
        finally:
            self._end.set()
            if self._watcher.ident:
                self._watcher.join()
            endpoint.kill()
            endpoint.wait()
        if self._error is not None:
            raise self._error

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((self.gateway, self._port), 1):
            return True
        return False

    def described(self) -> dict[str, dict[str, Any]]:
        """Instances by their number, as EC2 describes them."""
        pages = self.client("ec2").get_paginator("describe_instances").paginate()
        return {
            instance["InstanceId"]: instance
            for page in pages
            for reservation in page["Reservations"]
            for instance in reservation["Instances"]
        }

    def living(self, kind: str | None = None) -> dict[str, dict[str, Any]]:
        """Instances that have not ended: all, or the ``head`` or ``worker``s."""
        return {
            number: instance
            for number, instance in self.described().items()
            if instance["State"]["Name"] not in GONE
            and (kind is None or tags(instance).get("ray-node-type") == kind)
        }

    def head(self) -> Host:
        (number,) = self.living("head")
        return self.instances[number]

    def _watch(self) -> None:
        """Start a host for each instance, end it with the instance, and let in what its groups do."""
        applied: dict[str, list[tuple[str, int | None]]] = {}
        try:
            while not self._end.wait(0.3):
                described = self.described()
                for number, instance in described.items():
                    host = self.instances.get(number)
                    if instance["State"]["Name"] in GONE:
                        if host and host.running:
                            host.stop()
                        continue
                    if host is None:
                        self._launch(number, instance)
                    # An instance has its role a moment after it is there.
                    self.launched[number].update(instance)
                rules = self._rules(described)
                for number, wanted in rules.items():
                    host = self.instances[number]
                    if host.running and applied.get(number) != wanted:
                        host.allow(wanted)
                        applied[number] = wanted
        except BaseException as error:  # raised where the cloud ends
            self._error = error

    def _launch(self, number: str, instance: dict[str, Any]) -> None:
        ec2, names = self.client("ec2"), [instance["KeyName"]]
        pairs = ec2.describe_key_pairs(KeyNames=names, IncludePublicKey=True)["KeyPairs"]
        keys = [pair["PublicKey"].strip() for pair in pairs]
        disks = [disk["Ebs"]["VolumeId"] for disk in instance["BlockDeviceMappings"]]
        volumes = ec2.describe_volumes(VolumeIds=disks)["Volumes"]
        self.launched[number] = {**instance, "Volumes": volumes}
        # All that pip needs is in the image.
        pip = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0"}
        environment = {**self.credentials, **pip}
        host = self.network.host(instance["PrivateIpAddress"], environment, keys)
        self.instances[number] = host

    def _rules(
        self, described: dict[str, dict[str, Any]]
    ) -> dict[str, list[tuple[str, int | None]]]:
        """What the security groups of each living instance let in."""
        listed = self.client("ec2").describe_security_groups()["SecurityGroups"]
        permissions = {group["GroupId"]: group["IpPermissions"] for group in listed}
        living = {n: i for n, i in described.items() if i["State"]["Name"] not in GONE}
        groups = {n: {g["GroupId"] for g in i["SecurityGroups"]} for n, i in living.items()}
        rules: dict[str, list[tuple[str, int | None]]] = {}
        for number in living:
            allowed: set[tuple[str, int | None]] = set()
            for permission in (p for group in groups[number] for p in permissions[group]):
                port = permission.get("FromPort") if permission["IpProtocol"] != "-1" else None
                sources = [each["CidrIp"] for each in permission["IpRanges"]]
                for pair in permission["UserIdGroupPairs"]:
                    members = (n for n in living if pair["GroupId"] in groups[n])
                    sources += [living[n]["PrivateIpAddress"] for n in members]
                allowed |= {(str(ipaddress.ip_network(source)), port) for source in sources}
            rules[number] = sorted(allowed, key=str)
        return rules

    def write_configuration(self, **changes: Any) -> Path:
        """``cluster/aws.yaml`` with addresses and sizes of this cloud."""
        tree = yaml.safe_load((ROOT / "cluster" / "aws.yaml").read_text())
        tree["provider"] |= {
            "region": REGION,
            "availability_zone": f"{REGION}a",
            "my_ip": self.gateway,
            "bucket": "lab",
            "use_internal_ips": True,
        }
        tree |= {"idle_timeout_minutes": 0.5, "max_workers": 2, **changes}
        for kind, node_type in tree["available_node_types"].items():
            node_type["node_config"]["ImageId"] = AMI
            if kind != "head":
                node_type["resources"] = {"CPU": 1, "GPU": 0}
        path = self.folder / "aws.yaml"
        path.write_text(yaml.safe_dump(tree, sort_keys=False))
        return path

    def ray(self, *words: str) -> str:
        return ray(self.home, *words, **self.credentials)

    def keep_logs(self) -> None:
        """Copy what the hosts have written to where TUNER_CLOUD_LOGS says, to look into a failure."""
        if target := os.environ.get("TUNER_CLOUD_LOGS"):
            shutil.rmtree(target, ignore_errors=True)
            for path in (
                p for kind in ("log", "out", "err") for p in self.folder.glob(f"**/*.{kind}")
            ):
                copy = Path(target) / path.relative_to(self.folder)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)

    def up(self) -> str:
        return self.ray("up", "--yes", str(self.folder / "aws.yaml"))

    def down(self) -> str:
        return self.ray("down", "--yes", str(self.folder / "aws.yaml"))


def tags(instance: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}


@contextlib.contextmanager
def cloud() -> Iterator[Cloud]:
    with (
        Network(AWS) as network,
        serving(network.gateway) as postgres,
        Cloud(network, postgres).running() as made,
    ):
        yield made
