"""This machine's programs that make hosts, and whether it lets them."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time

PROGRAMS = ("ip", "iptables-restore", "rsync", "setpriv", "ssh", "ssh-keygen", "sshd", "unshare")


def missing() -> str | None:
    """Why there can't be hosts here; None if there can."""
    if sys.platform != "linux" or os.getuid() != 0:
        return "hosts are network and mount namespaces, which only root makes, on Linux"
    absent = [name for name in PROGRAMS if not which(name)]
    if absent:
        return f"no {', '.join(absent)} (apt-get install openssh-server iproute2 iptables rsync)"
    tried = quiet("unshare", "-m", "-n", "-p", "-f", "--mount-proc", "-u", "sh", "-c", _TRIED)
    if tried.returncode:
        return f"this machine allows no namespaces or overlays: {tried.stderr.strip()}"
    return None


_TRIED = """
mount -t tmpfs none /mnt && mkdir /mnt/u /mnt/w &&
mount -t overlay -o lowerdir=/home,upperdir=/mnt/u,workdir=/mnt/w none /home &&
ip link add tuner-try type veth peer name tuner-yrt
"""


def which(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


def quiet(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [which(command[0]) or command[0], *command[1:]], capture_output=True, text=True
    )


def run(*command: str) -> None:
    done = quiet(*command)
    if done.returncode:
        raise RuntimeError(f"{shlex.join(command)}: {done.stderr.strip()}")


def end_namespace(namespace: str) -> None:
    """End what runs in a network namespace, and the namespace."""
    end = time.monotonic() + 30
    while numbers := quiet("ip", "netns", "pids", namespace).stdout.split():
        for number in numbers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(number), signal.SIGKILL)
        if time.monotonic() > end:
            raise RuntimeError(f"{namespace}: processes {', '.join(numbers)} don't end")
        time.sleep(0.05)
    quiet("ip", "netns", "delete", namespace)
