"""The system: limits, shared memory, the loopback interface, names of files, environment variables."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from data.errors import nearest
from tuner.diagnosis.disks import NAME
from tuner.diagnosis.finding import Asked, Finding, ok, warning, wrong
from tuner.diagnosis.hardware import allowed_cpus, cgroup_limit
from tuner.study.store.database import without_password

# What the commands, `ray up cluster/aws.yaml` and the Slurm script read.
KNOWN = (
    *("TUNER_CACHE", "TUNER_BUCKET", "TUNER_MY_IP"),
    *("TUNER_BIN", "TUNER_RESULTS", "TUNER_RESUBMIT"),
)
_OURS = "TUNER_"
_SHM = Path("/dev/shm")
_SHM_NEEDED = 1e9  # bytes
# Open files of one process: Ray's had 58 at most with two workers, and a search ran with 200 allowed.
_FILES, _FILES_A_CPU = 100, 10
_THREADS, _THREADS_A_CPU = 200, 30  # of all processes of a search: 186 with two workers


def shared_memory(asked: Asked) -> Iterator[Finding]:
    """Where Ray keeps what its processes hand to each other."""
    if not _SHM.is_dir():
        if sys.platform.startswith("linux"):
            yield warning(f"there is no {_SHM}, so Ray uses files", "mount a tmpfs at /dev/shm")
        return
    free = shutil.disk_usage(_SHM).free
    if not os.access(_SHM, os.W_OK):
        yield wrong(f"{_SHM} can't be written to by you", f"have root do: chmod 1777 {_SHM}")
    elif free < _SHM_NEEDED:
        yield warning(
            f"{_SHM}: {free / 1e9:.2f} GB free; Ray uses slower files instead",
            "start the container with --shm-size=2g; elsewhere, delete old files there (ls -l /dev/shm)",
        )
    else:
        yield ok(f"{_SHM}: {free / 1e9:.1f} GB free")


def limits(asked: Asked) -> Iterator[Finding]:
    """Open files, processes and memory that the system allows (`ulimit`)."""
    try:
        import resource
    except ImportError:  # Windows has none
        return
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]  # Ray raises its own to this
    cpus = allowed_cpus()
    needed = _FILES + cpus * _FILES_A_CPU
    endless = resource.RLIM_INFINITY
    told = "without a limit" if files == endless else f"{files:,}"
    advice = (
        f"ulimit -n {max(8192, needed)} before the command; if that is refused, root sets nofile in "
        "/etc/security/limits.conf (docker: --ulimit nofile=65536)"
    )
    if files != endless and files < 2 * needed:
        told = f"open files: {told} a process; a search on {cpus} CPUs needs about {needed:,}"
        yield (wrong if files < needed else warning)(told, advice)
    else:
        yield ok(f"open files (ulimit -n): {told}")
    most, kind = _threads_left(resource.getrlimit(resource.RLIMIT_NPROC)[0], endless)
    needed = _THREADS + cpus * _THREADS_A_CPU
    if most is not None and most < needed:
        yield wrong(
            f"processes and threads: {most:,} more are allowed ({kind}); a search on {cpus} CPUs needs "
            f"about {needed}",
            "ulimit -u 16384 before the command; if that is refused, root sets nproc in "
            "/etc/security/limits.conf (docker: --pids-limit=-1)",
        )
    else:
        yield ok(
            "processes (ulimit -u): " + ("without a limit" if most is None else f"{most:,} more")
        )
    space = resource.getrlimit(resource.RLIMIT_AS)[0]
    if space != endless:
        yield warning(
            f"a process may have {space / 1e9:.0f} GB of addresses (ulimit -v); Ray and CUDA take far "
            "more than they use",
            "ulimit -v unlimited before the command",
        )
    if resource.getrlimit(resource.RLIMIT_CORE)[0] == endless:
        yield ok(
            "a process that crashes may write all of its memory to a file (ulimit -c unlimited)"
        )


def _threads_left(limit: int, endless: int) -> tuple[int | None, str]:
    """How many more threads this user, or this container, may have; None: no limit. And whose limit."""
    left: list[tuple[int, str]] = []
    if limit != endless and hasattr(os, "getuid") and os.getuid() != 0:  # root has none
        left.append((limit - _threads_of(os.getuid()), "ulimit -u"))
    if (pids := cgroup_limit("pids", ("pids.max", "pids.max"))) is not None:
        left.append((int(pids), "the container's or job's limit in all"))
    return min(left, default=(None, ""))


def _threads_of(user: int) -> int:
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.stat().st_uid == user:
                count += sum(1 for _ in (process / "task").iterdir())
        except OSError:  # it has just ended
            continue
    return count


def loopback(asked: Asked) -> Iterator[Finding]:
    """Processes of one machine reach each other by it."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(5)
            with socket.create_connection(server.getsockname(), timeout=5) as client:
                other, _ = server.accept()
                with other:
                    client.sendall(b"?")
                    heard = other.recv(1)
    except OSError as error:
        yield wrong(
            f"127.0.0.1 can't be used: {error.strerror or error}",
            "have root do: ip link set lo up; and let the firewall pass what is on lo",
        )
        return
    if heard == b"?":
        yield ok("127.0.0.1 can be used")


def names(asked: Asked) -> Iterator[Finding]:
    """Names of files with letters of any language."""
    encoding = sys.getfilesystemencoding()
    try:
        os.fsencode(NAME)
    except UnicodeEncodeError:
        encoding = f"{encoding}, which lacks most letters"
    out = sys.stdout.encoding or encoding
    if encoding.lower() in ("utf-8", "utf8") and out.lower().replace("-", "") == "utf8":
        yield ok("names of files and what is printed are UTF-8")
    else:
        yield warning(
            f"names of files are {encoding}, what is printed is {out}: names of videos with letters "
            "such as é may not be found or shown",
            "export PYTHONUTF8=1, or LC_ALL=C.UTF-8, before the command",
        )


def environment(asked: Asked) -> Iterator[Finding]:
    """Variables of this product: what they are set to, and which are none of it."""
    ours = sorted(name for name in os.environ if name.startswith(_OURS))
    for name in ours:
        if name not in KNOWN:
            alike = nearest(name.removeprefix(_OURS), (each.removeprefix(_OURS) for each in KNOWN))
            hint = alike.replace("'", f"'{_OURS}", 1) or f" (known are {', '.join(KNOWN)})"
            yield warning(f"{name} is set, and means nothing{hint}", f"unset {name}")
    # TUNER_RESULTS is a URL, which may have a password.
    known = [f"{name}={without_password(os.environ[name])}" for name in ours if name in KNOWN]
    yield ok(f"set: {', '.join(known)}" if known else "none of TUNER_... is set")
