"""The hosts that tests of clusters run on are apart from each other, and leave nothing behind."""

from __future__ import annotations

import subprocess

import pytest

from tests.cluster.hosts import Network


@pytest.mark.cluster
def test_hosts_have_their_own_files_processes_and_environment():
    with Network(29) as network:
        one = network.host("172.29.9.1", {"WORDS": "some words"})
        two = network.host("172.29.9.2")
        assert one.run("hostname; echo $WORDS; whoami").stdout.split("\n")[:3] == [
            *("ip-172-29-9-1", "some words", "ubuntu")
        ]
        one.run("touch ~/file /tmp/file ~/venv/file; sleep 1000 >/dev/null 2>&1 &")
        assert two.run("ls ~ /tmp ~/venv; pgrep sleep", check=False).stdout.count("file") == 0
        assert any("sleep 1000" in line for line in one.processes())
        two.run("~/venv/bin/python -c 'import ray'")

        answers = "timeout 2 bash -c '</dev/tcp/172.29.9.1/22'"
        two.run(answers)
        one.allow([(network.gateway, 22)])
        assert two.run(answers, check=False).returncode == 124
        assert one.run("cat /tmp/file").returncode == 0

        one.kill()
        assert not one.running and not one.processes()
    assert not network.folder.exists()
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout
    assert "tuner-172.29." not in listed
    assert subprocess.run(["ip", "link", "show", network.bridge], capture_output=True).returncode
