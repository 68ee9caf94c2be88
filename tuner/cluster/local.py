"""Your own machines, for ``ray up cluster/local.yaml``: Ray's own provider, with what it lacks.

With today's autoscaler Ray's provider never starts a worker, because it does not know the machine that
it runs on. And ``ray down`` leaves Ray running on the workers.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ray.autoscaler._private.local.node_provider import LocalNodeProvider
from ray.autoscaler.tags import (
    NODE_KIND_HEAD,
    STATUS_UP_TO_DATE,
    TAG_RAY_NODE_KIND,
    TAG_RAY_NODE_NAME,
    TAG_RAY_NODE_STATUS,
    TAG_RAY_USER_NODE_TYPE,
)

from tuner.cluster.token import make_token, token_file

_NOTICED = 15.0  # seconds after which the autoscaler knows that a machine was released
_STOP = "bash --login -c '~/venv/bin/ray stop --force'"


class Provider(LocalNodeProvider):
    """The machines `head_ip` and `worker_ips`, all of them part of the cluster until ``ray down``."""

    def __init__(self, provider_config: dict[str, Any], cluster_name: str) -> None:
        super().__init__(provider_config, cluster_name)
        # `ray up` records the head on the machine where it is called; the head has records of its own.
        if provider_config.get("here") and not self.non_terminated_nodes(
            {TAG_RAY_NODE_KIND: NODE_KIND_HEAD}
        ):
            tags = {
                TAG_RAY_NODE_KIND: NODE_KIND_HEAD,
                TAG_RAY_USER_NODE_TYPE: provider_config["here"],
                TAG_RAY_NODE_NAME: f"ray-{cluster_name}-head",
                TAG_RAY_NODE_STATUS: STATUS_UP_TO_DATE,
            }
            self.create_node({}, tags, 1)

    @staticmethod
    def bootstrap_config(cluster_config: dict[str, Any]) -> dict[str, Any]:
        """The configuration with as many workers as there are addresses, as ``ray up`` asks for it.

        Raises:
            SystemExit: all that is wrong with it.
        """
        if faults := problems(cluster_config):
            lines = "\n".join(f"  - {problem}" for problem in faults)
            raise SystemExit(f"error: this cluster is not brought up:\n{lines}")
        make_token(token_file())
        provider, auth = cluster_config["provider"], cluster_config["auth"]
        auth["ssh_private_key"] = str(Path(auth["ssh_private_key"]).expanduser())
        provider["auth"] = auth
        count = cluster_config["max_workers"] = len(provider["worker_ips"])
        for kind, node_type in cluster_config["available_node_types"].items():
            workers = 0 if kind == cluster_config["head_node_type"] else count
            node_type |= {"min_workers": workers, "max_workers": workers}
        return cluster_config

    def prepare_for_head_node(self, cluster_config: dict[str, Any]) -> dict[str, Any]:
        provider = cluster_config["provider"]
        provider |= {"auth": cluster_config["auth"], "here": cluster_config["head_node_type"]}
        return cluster_config

    def create_node(self, node_config: dict[str, Any], tags: dict[str, str], count: int) -> None:
        """Take machines that are free.

        Raises:
            RuntimeError: fewer are free. Ray's own provider would say nothing, and the autoscaler
                would wait for minutes.
        """
        kind, now = tags[TAG_RAY_NODE_KIND], time.time()
        with self.state.lock, self.state.file_lock:
            free = {
                address: info
                for address, info in self.state.get().items()
                if info["state"] == "terminated"
                and info["tags"][TAG_RAY_NODE_KIND] == kind
                # If a machine is taken again at once, the autoscaler never notices that it was released.
                and (kind == NODE_KIND_HEAD or now - info.get("ended", 0) > _NOTICED)
            }
            if len(free) < count:
                raise RuntimeError(f"{count} machines are asked for, and {len(free)} are free")
            for address in list(free)[:count]:
                free[address].pop("teardown_complete", None)
                self.state.put(address, {**free[address], "tags": tags, "state": "running"})

    def terminate_node(self, node_id: str) -> None:
        self.terminate_nodes([node_id])

    def terminate_nodes(self, node_ids: list[str]) -> None:
        """End Ray on these machines, which go on running."""
        with ThreadPoolExecutor(16) as pool:
            for address, reached in zip(node_ids, pool.map(self._stop, node_ids), strict=True):
                if not reached:
                    print(f"{address} can't be reached; Ray ends there by itself, without its head")
        for address in node_ids:
            super().terminate_node(address)
            self.state.put(address, {**self.state.get()[address], "ended": time.time()})

    def _stop(self, address: str) -> bool:
        auth = self.provider_config["auth"]
        command = ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "LogLevel=ERROR"]
        # Ray itself connects to nodes with these options.
        command += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
        if key := auth.get("ssh_private_key"):
            command += ["-o", "IdentitiesOnly=yes", "-i", str(Path(key).expanduser())]
        words = [*command, f"{auth['ssh_user']}@{self.external_ip(address)}", _STOP]
        quiet = subprocess.DEVNULL
        return subprocess.run(words, stdin=quiet, stdout=quiet, stderr=quiet).returncode == 0


def problems(config: Mapping[str, Any]) -> list[str]:
    """Reasons why a cluster can't be brought up; each is a sentence that starts with its key."""
    provider, faults = config["provider"], []
    head, workers = provider.get("head_ip"), provider.get("worker_ips") or []
    if not head:
        faults.append("provider.head_ip: is missing: the machine that searches are started on")
    if not workers:
        faults.append(
            "provider.worker_ips: is missing: the other machines; one alone needs no cluster"
        )
    listed = [*([head] if head else []), *workers]
    for address in sorted({each for each in listed if listed.count(each) > 1}):
        faults.append(f"provider.worker_ips: {address} is given twice; a machine is one node only")
    key = config["auth"].get("ssh_private_key")
    if not config["auth"].get("ssh_user"):
        faults.append("auth.ssh_user: is missing: the user that logs in to all of them")
    if not key:
        faults.append(
            "auth.ssh_private_key: is missing: the key that all of them let in; the head gets it, to "
            "reach the others (ssh-keygen -t ed25519 -N '' -f ~/.ssh/tuner makes one)"
        )
    elif not Path(key).expanduser().is_file():
        faults.append(f"auth.ssh_private_key: there is no file {key}")
    return faults
