"""A PostgreSQL of the tests' own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class Server:
    """A PostgreSQL of its own, on a free port of an address of this machine."""

    def __init__(self, folder: Path, programs: Path, address: str) -> None:
        self.folder, self.programs, self.address = folder, programs, address
        with socket.socket() as free:
            free.bind((address, 0))
            self.port = free.getsockname()[1]
        self.url = f"postgresql://seals:secret@{address}:{self.port}/postgres"

    def run(self, *words: str) -> None:
        # PostgreSQL does not run as root.
        as_user = {"user": "postgres", "group": "postgres"} if os.getuid() == 0 else {}
        command = [str(self.programs / words[0]), *words[1:]]
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, **as_user)

    def make(self) -> None:
        password = self.folder / "password"
        password.write_text("secret")
        if os.getuid() == 0:
            for path in (self.folder, password):
                shutil.chown(path, "postgres")
        data = self.folder / "data"
        access = ("-A", "scram-sha-256", "--pwfile", str(password))
        self.run("initdb", "-D", str(data), "-U", "seals", *access)
        with (data / "pg_hba.conf").open("a") as file:
            file.write("host all all samenet scram-sha-256\n")

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses={self.address} -c fsync=off"
        log = str(self.folder / "log")
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-o", options, "-l", log, "-w", "start")

    def stop(self) -> None:
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")


@contextmanager
def serving(address: str = "127.0.0.1") -> Iterator[Server]:
    """A running server; the test is skipped if PostgreSQL is not installed."""
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    if not candidates:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    folder = Path(tempfile.mkdtemp())
    server = Server(folder, candidates[-1].parent, address)
    server.make()
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)
