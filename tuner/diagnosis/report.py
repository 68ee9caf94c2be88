"""What ``--report`` writes: all that helps somebody else to understand a machine, without secrets."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import yaml

from data.files.whole import replacing
from tuner.config.messages import StoreError, UserError
from tuner.diagnosis import masking, programs, services
from tuner.diagnosis.cluster import secret_files
from tuner.diagnosis.finding import Asked, Finding
from tuner.study.store.database import without_password

_FIRST = "# tuner report"
# Variables whose values help, and are no secrets. Of all others not even the names are told.
_SHOWN = (
    *("TUNER_CACHE", "XDG_CACHE_HOME", "RAY_TMPDIR", "TMPDIR", "RAY_ADDRESS", "RAY_AUTH_MODE"),
    *(
        "CUDA_VISIBLE_DEVICES",
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "LD_LIBRARY_PATH",
        "PYTHONPATH",
    ),
    *("LANG", "LC_ALL", "LC_CTYPE", "PYTHONUTF8", "VIRTUAL_ENV", "CONDA_DEFAULT_ENV"),
    *("SLURM_JOB_ID", "SLURM_CPUS_PER_TASK", "SLURM_MEM_PER_NODE", "SLURM_GPUS_ON_NODE"),
    *(
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
        "KUBERNETES_SERVICE_HOST",
    ),
)


def default_name() -> Path:
    """``tuner-report-2026-01-31.txt`` in the working folder."""
    return Path(f"tuner-report-{datetime.now():%Y-%m-%d}.txt")


def check_target(path: Path) -> None:
    """Whether a report may be written there.

    Raises:
        UserError: the file is there, and is no report; or its folder is not.
    """
    if path.suffix.lower() in (".yaml", ".yml"):
        raise UserError(
            f"--report {path}: that is the name of a configuration, not of a report; "
            f"write: python -m tuner.doctor {path} --report"
        )
    if not path.parent.is_dir():
        raise UserError(f"--report {path}: there is no folder {path.parent}")
    if path.is_dir():
        raise UserError(f"--report {path}: that is a folder; name a file in it")
    if path.exists():
        with path.open("rb") as file:
            if file.read(len(_FIRST)) != _FIRST.encode():
                raise UserError(
                    f"--report {path}: there is another file of this name; give another"
                )


def write(path: Path, findings: Sequence[Finding], asked: Asked) -> None:
    """Write the report, for this user's eyes alone.

    Raises:
        OSError: it can't be written.
    """
    secrets = masking.known_secrets(os.environ, secret_files())
    if asked.config is not None:
        secrets |= masking.secrets_in(asked.config.model_dump(mode="json"))
    elif asked.problems:  # they may quote what is written there
        with suppress(OSError, ValueError, yaml.YAMLError):
            secrets |= masking.secrets_in(yaml.safe_load(Path(asked.source).read_text("utf-8")))
    masked = masking.masker(secrets)
    # Names of packages are no secrets, and may be the user's name.
    text = masked("\n".join(_lines(findings, asked))) + "\n\n## packages\n\n"
    text += "\n".join(programs.distributions()) + "\n"
    with replacing(path) as part:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)


def _lines(findings: Sequence[Finding], asked: Asked) -> Iterator[str]:
    yield f"{_FIRST}, {datetime.now().astimezone():%Y-%m-%d %H:%M %z}"
    yield "# It has no passwords, keys or tokens, but names of folders and machines: read it first."
    group = ""
    for finding in findings:
        if finding.group != group:
            group = finding.group
            yield f"\n## {group}\n"
        yield f"{finding.state:<8} {finding.name}: {finding.found}"
        if finding.advice:
            yield f"         to do: {finding.advice}"
    yield "\n## system\n"
    yield f"{platform.platform()}, {platform.machine()}, Python {sys.version}"
    yield f"CPU: {_cpu()}"
    yield f"program: {programs.ROOT}; working folder: {Path.cwd()}"
    yield from (f"{name}={os.environ[name]}" for name in _SHOWN if name in os.environ)
    yield "\n## configuration\n"
    if asked.config is None:
        yield f"{asked.source} can't be used, see above" if asked.problems else "none was given"
    else:
        values = masking.masked_values(asked.config.model_dump(mode="json", exclude_defaults=True))
        if asked.config.results is not None:
            values["results"] = without_password(asked.config.results)
        yield "# without what has its default"
        yield yaml.safe_dump(values, sort_keys=False, allow_unicode=True).rstrip()
    yield "\n## last errors\n"
    yield from _errors(findings, asked)


def _errors(findings: Sequence[Finding], asked: Asked) -> Iterator[str]:
    if any(each.name == "results store" and each.state == "wrong" for each in findings):
        yield "the results store can't be read, see above"
        return
    try:
        yield from services.errors(asked)
    except StoreError as error:
        yield f"the results store can't be read: {error}"


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return next(
            line.partition(":")[2].strip() for line in lines if line.startswith("model name")
        )
    except (OSError, StopIteration):
        return platform.processor() or "not known"
