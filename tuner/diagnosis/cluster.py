"""Ray: whether it starts, which clusters there are, and what others could reach of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data.console import duration
from tuner.cluster.token import token_file
from tuner.config.messages import UserError
from tuner.diagnosis.finding import Asked, Finding, ok, warning, wrong
from tuner.diagnosis.programs import ROOT, psutil
from tuner.runtime.session import ray_folder, running_cluster

_PATIENCE = 5.0  # seconds, for RAY_ADDRESS
STARTING = 50.0  # seconds, for a Ray of our own
_PROGRAM = """
from tuner.runtime.session import RaySession
with RaySession() as session:
    session.wait()
    import ray
    print(len(ray.nodes()), "machine")
"""
_ANYWHERE = ("0.0.0.0", "::", "")
_CALLED = {"raylet": "raylet", "gcs_server": "head"}


def cluster(asked: Asked) -> Iterator[Finding]:
    """The cluster that a search would join; if there is none, a Ray is started as a search does."""
    try:
        joined = running_cluster(patience=_PATIENCE)
    except UserError as error:
        yield wrong(str(error), "unset RAY_ADDRESS, or start that cluster")
        return
    if joined is None:
        yield _start()
    elif os.environ.get("RAY_ADDRESS"):
        yield ok(
            f"RAY_ADDRESS={joined}" + ("" if joined == "auto" else " answers: a search joins it")
        )
    else:
        yield ok(
            f"a search joins the cluster that this machine is part of, {joined} (to search on this "
            "machine alone: RAY_ADDRESS=local)"
        )


def _start() -> Finding:
    """Start a Ray as a search does, have it answer, and end it."""
    begin = time.monotonic()
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "RAY_ADDRESS": "local", "PYTHONPATH": path}
    words = [sys.executable, "-c", _PROGRAM]
    advice = (
        f"see what is wrong above; Ray's own words are in {ray_folder()}/session_latest/logs "
        "(gcs_server.out, raylet.out); a firewall on this machine must let 127.0.0.1 pass"
    )
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    try:
        out, said = process.communicate(timeout=STARTING)
    except subprocess.TimeoutExpired:
        return wrong(f"Ray did not start within {STARTING:.0f} s", advice)
    finally:
        if process.poll() is None:
            process.kill()  # Ray's processes end with the one that started them
            process.wait()
    if process.returncode == 0 and "1 machine" in out:
        return ok(
            f"none: a search starts a Ray of its own, which was tried: {time.monotonic() - begin:.0f} s"
        )
    lines = [line for line in said.strip().splitlines() if line.strip()]
    return wrong(f"Ray does not start: {lines[-1] if lines else 'it says nothing'}", advice)


def _processes() -> Iterator[tuple[str, Any]]:
    """Ray's processes on this machine, by what they are."""
    for process in psutil().process_iter(["pid", "name", "uids", "cmdline", "create_time"]):
        words = process.info["cmdline"] or []
        name = process.info["name"] or ""
        if name in _CALLED:
            yield _CALLED[name], process
        elif words and words[0].startswith("ray::"):
            yield "worker", process
        elif any(re.search(r"/ray/(_private|dashboard|autoscaler|util/client)/", w) for w in words):
            yield next((Path(w).stem for w in words if w.endswith(".py")), "agent"), process


def _mine(process: Any) -> bool:
    return process.info["uids"] is not None and process.info["uids"].real == os.getuid()


def processes(asked: Asked) -> Iterator[Finding]:
    """Rays that run on this machine now."""
    heads = [process for kind, process in _processes() if kind == "raylet"]
    mine = [process for process in heads if _mine(process)]
    others = len(heads) - len(mine)
    if mine:
        age = time.time() - min(process.info["create_time"] for process in mine)
        numbers = ", ".join(str(process.info["pid"]) for process in mine)
        yield ok(
            f"{len(mine)} of yours, the oldest for {duration(age)} (processes {numbers}): a search or a "
            "cluster; `ray stop` ends all of yours"
        )
    if others:
        yield ok(f"{others} of other users: they and a search slow each other down")
    if not heads:
        yield ok("no Ray runs on this machine now")


def ports(asked: Asked) -> Iterator[Finding]:
    """Ports of this user's Ray that other machines can reach."""
    library = psutil()
    found: dict[str, list[int]] = defaultdict(list)
    for kind, process in _processes():
        if not _mine(process):
            continue
        try:
            for connection in process.net_connections(kind="inet"):
                there = connection.laddr.ip if connection.laddr else "-"
                if connection.status == library.CONN_LISTEN and there in _ANYWHERE:
                    found[kind].append(connection.laddr.port)
        except (library.NoSuchProcess, library.AccessDenied):
            continue
    if not found:
        yield ok("no Ray of yours listens to other machines")
        return
    told = "; ".join(f"{kind} {', '.join(map(str, sorted(each)))}" for kind, each in found.items())
    open_to_all = os.environ.get("RAY_AUTH_MODE", "token").lower() != "token"
    if open_to_all:
        told += "; it asks for no token (RAY_AUTH_MODE), so they can run programs as you"
    yield warning(
        f"Ray of yours listens to all machines that reach this one: {told}",
        "right for a cluster whose firewall lets only its own machines in; else `ray stop` ends it: a "
        "search of its own listens on 127.0.0.1 alone",
    )


def secret_files() -> list[Path]:
    """Files of this user with tokens, keys or passwords that the product uses."""
    token = os.environ.get("RAY_AUTH_TOKEN_PATH")
    return [
        Path(token).expanduser() if token else token_file(),
        Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials").expanduser(),
        Path(os.environ.get("PGPASSFILE") or "~/.pgpass").expanduser(),
    ]


def tokens(asked: Asked) -> Iterator[Finding]:
    """Whether others can read such a file."""
    there = [path for path in secret_files() if path.is_file()]
    open_ = [path for path in there if path.stat().st_mode & 0o077]
    for path in open_:
        mode = oct(path.stat().st_mode & 0o777).removeprefix("0o")
        yield warning(
            f"{path} can be read by others (mode {mode})"
            + (", so PostgreSQL's driver does not use it" if path == secret_files()[2] else ""),
            f"chmod 600 {path}; if others use this machine, make a new token or key, too",
        )
    if not open_:
        files = ", ".join(map(str, there))
        yield ok(
            f"only you can read {files}" if there else "there are no files of tokens or passwords"
        )
