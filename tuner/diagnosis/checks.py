"""All checks, in the order in which they are shown."""

from __future__ import annotations

from tuner.diagnosis import cluster, decoders, disks, hardware, inputs, programs, services, system
from tuner.diagnosis.finding import Check

_FILES_HANG = (
    "a network folder does not answer: `df` and `ls` hang on it, too; ask whoever runs the file server, "
    "or use a local disk (TUNER_CACHE, storage, RAY_TMPDIR)"
)
_SERVICE_HANGS = (
    "look at the network, the server's name, and a firewall between; a proxy (HTTPS_PROXY) or "
    "AWS_ENDPOINT_URL may be wrong"
)

CHECKS = (
    Check("configuration", "configuration", inputs.configuration),
    Check("configuration", "videos", inputs.videos, _FILES_HANG),
    Check("configuration", "labels", inputs.labels, _FILES_HANG),
    Check("programs", "Python", programs.python),
    Check("programs", "packages", programs.packages),
    Check("programs", "imports", programs.imports, _FILES_HANG, seconds=60),
    Check("programs", "decoders", decoders.decoders),
    Check("machine", "CPUs", hardware.cpus),
    Check("machine", "memory", hardware.memory),
    Check("machine", "card", hardware.card, "nvidia-smi may hang, too: restart the machine"),
    Check("disks", "disks", disks.disks, _FILES_HANG, seconds=40),
    Check("system", "shared memory", system.shared_memory),
    Check("system", "limits", system.limits),
    Check("system", "loopback", system.loopback),
    Check("system", "file names", system.names),
    Check("system", "environment", system.environment),
    Check("Ray", "running now", cluster.processes),
    Check("Ray", "open ports", cluster.ports),
    Check("Ray", "cluster", cluster.cluster, _SERVICE_HANGS, seconds=cluster.STARTING + 10),
    Check("results and secrets", "secret files", cluster.tokens),
    Check("results and secrets", "results store", services.results, _SERVICE_HANGS),
    Check("results and secrets", "S3", services.s3, _SERVICE_HANGS, seconds=40),
)
