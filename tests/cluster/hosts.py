"""Hosts of a network of their own, on one machine: namespaces with an sshd in each.

A host has its own address, processes, name, /tmp, /dev/shm and /home, and a virtual environment that it
may write to without changing this one; all else is the machine's. Nothing that it sends leaves it.
"""

from __future__ import annotations

import contextlib
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import filelock
import pytest

from tests.cluster.machine import end_namespace, missing, quiet, run, which

USER = "ubuntu"
HOME = f"/home/{USER}"
AWS = 31  # 172.31.0.0/16 is the default VPC of AWS

_INIT = """
set -e
cover() {{ mount -t overlay -o "lowerdir=$1,upperdir={own}/$2/upper,workdir={own}/$2/work" "$2" "$3"; }}
cover {prefix} venv {own}/venv/merged
cover /home home /home
mount --bind {own}/tmp /tmp
mount --bind {own}/shm /dev/shm
mkdir -p {prefix} {home}
mount --bind {own}/venv/merged {prefix}
ln -sfn {prefix} {home}/venv
for name in passwd hosts resolv.conf; do mount --bind {own}/etc/$name /etc/$name; done
hostname {name}
echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6
mkdir -p /run/sshd
{sshd} -D -f {own}/sshd_config -E {own}/sshd.log &
wait
"""


class Network:
    """A bridge with hosts on it, all of which end with the context. One of a `block` at a time.

    Args:
        block: the addresses are those of 172.`block`.0.0/16.

    Attributes:
        gateway: this machine, as the hosts see it.
        folder: files of the network, at the same place for all its hosts.
    """

    def __init__(self, block: int) -> None:
        self.hosts: dict[str, Host] = {}
        self.block, self.bridge = block, f"tuner-net-{block}"
        self.gateway = self.address(0, 1)
        self.folder = Path(f"/run/tuner-hosts-{block}")
        self.key = self.folder / "key"
        self._lock = filelock.FileLock(f"{self.folder}.lock")

    def address(self, third: int, fourth: int) -> str:
        return f"172.{self.block}.{third}.{fourth}"

    def __enter__(self) -> Network:
        if reason := missing():
            pytest.skip(reason)
        self._lock.acquire()
        self._sweep()  # left behind by a run that was killed
        self.folder.mkdir()
        run("mount", "-t", "tmpfs", "tuner-hosts", str(self.folder))
        for path in (self.key, self.folder / "host_key"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", USER, "-f", str(path))
        run("ip", "link", "add", self.bridge, "type", "bridge")
        run("ip", "address", "add", f"{self.gateway}/16", "dev", self.bridge)
        run("ip", "link", "set", self.bridge, "up")
        return self

    def __exit__(self, *error: object) -> None:
        try:
            for host in list(self.hosts.values()):
                host.stop()
            self._sweep()
        finally:
            self._lock.release()

    def _sweep(self) -> None:
        """Remove all that a network of this block has made."""
        for line in quiet("ip", "netns", "list").stdout.splitlines():
            if line.startswith(f"tuner-172.{self.block}."):
                end_namespace(line.split()[0])
        quiet("ip", "link", "delete", self.bridge)
        if self.folder.exists():
            quiet("umount", "-l", str(self.folder))
            self.folder.rmdir()

    def host(
        self,
        address: str,
        environment: Mapping[str, str] | None = None,
        authorized_keys: Iterable[str] = (),
    ) -> Host:
        """A new host, which answers to SSH.

        Args:
            environment: of all that is run on it by SSH.
            authorized_keys: public keys that are let in, beside the network's own.
        """
        keys = [self.key.with_suffix(".pub").read_text().strip(), *authorized_keys]
        host = self.hosts[address] = Host(self, address, environment or {}, keys)
        host.start()
        return host


class Host:
    """One of a network's hosts.

    Attributes:
        folder: its own files, as this machine sees them: ``home/upper/ubuntu`` and ``tmp``, also when
            it has ended.
    """

    def __init__(
        self, network: Network, address: str, environment: Mapping[str, str], keys: list[str]
    ) -> None:
        self.network, self.address = network, address
        self.name = "ip-" + address.replace(".", "-")
        self.folder = network.folder / self.name
        self._namespace = f"tuner-{address}"
        self._link = f"tuner{address.removeprefix('172').replace('.', '-')}"
        self._environment, self._keys = environment, keys
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, with a disk as new."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self._write_files()
        self._plug_in()
        command = ["setpriv", "--pdeathsig", "KILL", "ip", "netns", "exec", self._namespace]
        command += ["unshare", "-m", "-p", "-f", "--mount-proc", "-u", "--kill-child"]
        command += ["bash", str(self.folder / "init")]
        with (self.folder / "console.log").open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        end = time.monotonic() + 30
        while self.running and time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection((self.address, 22), 1):
                return
            time.sleep(0.05)
        raise RuntimeError(f"{self.name}: {(self.folder / 'console.log').read_text()}")

    def _write_files(self) -> None:
        for name in ("home", "venv"):
            for part in ("upper", "work", "merged"):
                (self.folder / name / part).mkdir(parents=True)
        for name in ("tmp", "shm", "etc"):
            (self.folder / name).mkdir()
        (self.folder / "tmp").chmod(0o1777)
        etc = self.folder / "etc"
        accounts = Path("/etc/passwd").read_text()
        etc.joinpath("passwd").write_text(f"{USER}:x:0:0::{HOME}:/bin/bash\n{accounts}")
        etc.joinpath("hosts").write_text(f"127.0.0.1 localhost\n{self.address} {self.name}\n")
        etc.joinpath("resolv.conf").write_text("")  # nobody is asked for names
        (self.folder / "authorized_keys").write_text("\n".join(self._keys) + "\n")
        settings = [
            f"HostKey {self.network.folder}/host_key",
            f"AuthorizedKeysFile {self.folder}/authorized_keys",
            "PermitRootLogin yes",  # another name of the same user
            "PasswordAuthentication no",
            "StrictModes no",
            "UsePAM no",
            "UseDNS no",
            f"PidFile {self.folder}/sshd.pid",
            "MaxStartups 100",
        ]
        if self._environment:
            pairs = (f'"{name}={value}"' for name, value in self._environment.items())
            settings.append(f"SetEnv {' '.join(pairs)}")
        (self.folder / "sshd_config").write_text("\n".join(settings) + "\n")
        script = _INIT.format(
            own=self.folder, prefix=sys.prefix, home=HOME, name=self.name, sshd=which("sshd")
        )
        (self.folder / "init").write_text(script)

    def _plug_in(self) -> None:
        inside = ("ip", "-n", self._namespace)
        run("ip", "netns", "add", self._namespace)
        # The kernel removes that of a host that has ended in its own time.
        quiet("ip", "link", "delete", self._link)
        run(
            "ip",
            "link",
            "add",
            self._link,
            "type",
            "veth",
            "peer",
            "eth0",
            "netns",
            self._namespace,
        )
        run("ip", "link", "set", self._link, "master", self.network.bridge, "up")
        run(*inside, "address", "add", f"{self.address}/16", "dev", "eth0")
        run(*inside, "link", "set", "lo", "up")
        run(*inside, "link", "set", "eth0", "up")
        # It finds its own address by a route to everywhere; nobody has this one, and nothing goes there.
        run(*inside, "route", "add", "default", "via", self.network.address(255, 254))

    def allow(self, rules: Iterable[tuple[str, int | None]]) -> None:
        """Let in what `rules` name, addresses and a TCP port or None for all, and nothing else."""
        lines = ["*filter", ":INPUT DROP [0:0]", "-A INPUT -i lo -j ACCEPT"]
        lines += ["-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT"]
        for source, port in rules:
            narrow = "" if port is None else f" -p tcp --dport {port}"
            lines.append(f"-A INPUT -s {source}{narrow} -j ACCEPT")
        text = "\n".join([*lines, "COMMIT", ""])
        command = ["ip", "netns", "exec", self._namespace, which("iptables-restore") or ""]
        subprocess.run(command, input=text, text=True, check=True)

    def ssh(self, command: str) -> list[str]:
        """The words that run a command on it."""
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": "10",
            "IdentitiesOnly": "yes",
            "LogLevel": "ERROR",
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
        }
        words = ["ssh", "-F", "none", "-i", str(self.network.key)]
        words += [f"-o{name}={value}" for name, value in options.items()]
        return [*words, f"{USER}@{self.address}", f"bash --login -c {shlex.quote(command)}"]

    def run(
        self, command: str, *, timeout: float = 1500, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command by SSH, and wait for it.

        Raises:
            AssertionError: it failed; with all that it printed.
        """
        done = subprocess.run(self.ssh(command), capture_output=True, text=True, timeout=timeout)
        if check:
            assert done.returncode == 0, f"{self.name}: {command}\n{done.stdout}{done.stderr}"
        return done

    def copy(self, source: Path, target: str) -> None:
        """Bring the contents of a folder to a folder on it."""
        *words, _ = self.ssh("")
        *ssh, address = words
        self.run(f"mkdir -p {shlex.quote(target)}")
        run("rsync", "-a", "-e", shlex.join(ssh), f"{source}/", f"{address}:{target}/")

    def processes(self) -> list[str]:
        """Command lines of all that runs on it."""
        numbers = quiet("ip", "netns", "pids", self._namespace).stdout.split()
        commands = []
        for number in numbers:
            with contextlib.suppress(OSError):  # it has ended meanwhile
                commands.append(
                    Path(f"/proc/{number}/cmdline").read_text().replace("\0", " ").strip()
                )
        return commands

    def kill(self) -> None:
        """End the host as a power cut does: its peers hear nothing more of it."""
        quiet("ip", "link", "set", self._link, "down")
        self.stop()

    def stop(self) -> None:
        """End all its processes; its peers see their connections closed."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        end_namespace(self._namespace)
        if self.network.hosts.get(self.address) is self:
            del self.network.hosts[self.address]
