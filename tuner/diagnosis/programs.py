"""Python and the packages: whether they are those that the product asks for, and can be imported."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tuner.diagnosis.finding import Asked, Finding, ok, warning, wrong

ROOT = Path(__file__).resolve().parents[2]
# What breaks where a library of the system is missing, or two packages do not fit together.
_IMPORTED = ("numpy", "torch", "torchvision", "av", "ray", "optuna", "sqlalchemy")
_OPTIONAL = ("aws", "postgres", "cluster")  # sets of packages that only some users need
_SHOWN = ("ray", "optuna", "torch", "torchvision", "av")


def requirements() -> tuple[str, list[str]]:
    """The Python that is asked for, and the packages, as pip writes them.

    Those of the code that runs: a folder of it may be newer than what was installed once.
    """
    file = ROOT / "pyproject.toml"
    if file.is_file():
        import tomllib

        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        sets = project["optional-dependencies"]
        optional = [one for name in _OPTIONAL for one in sets[name]]
        return project["requires-python"], [*project["dependencies"], *map(_if_there, optional)]
    wanted = [
        text
        for text in metadata.requires("tuner") or []
        if "extra ==" not in text
        or any(f'"{name}"' in text.replace("'", '"') for name in _OPTIONAL)
    ]
    return metadata.metadata("tuner")["Requires-Python"], wanted


def _if_there(requirement: str) -> str:
    """Marked as one that may be missing."""
    return f"{requirement}; extra == 'optional'"


def python(asked: Asked) -> Iterator[Finding]:
    """Python itself, and where it is."""
    from packaging.specifiers import SpecifierSet

    found = f"{platform.python_version()} ({sys.executable})"
    wanted = requirements()[0]
    if SpecifierSet(wanted).contains(platform.python_version(), prereleases=True):
        yield ok(found)
    else:
        advice = f"make a virtual environment with Python {wanted}, and install there"
        yield wrong(f"{found}, and {wanted} is needed", advice)


def packages(asked: Asked) -> Iterator[Finding]:
    """The versions of all packages, against what is asked for."""
    wanted = requirements()[1]
    problems = list(versions(wanted, _installed))
    yield from problems
    if not problems:
        shown = ", ".join(f"{name} {_installed(name)}" for name in _SHOWN)
        yield ok(f"all have the versions that are asked for: {shown}")


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def versions(wanted: Iterable[str], installed: Callable[[str], str | None]) -> Iterator[Finding]:
    """What is missing, older or newer.

    Args:
        wanted: requirements as pip writes them. Those of an ``extra`` may be missing.
        installed: gives the version of a package, or None.
    """
    from packaging.requirements import Requirement
    from packaging.version import Version

    for text in wanted:
        requirement = Requirement(text)
        optional = "extra" in str(requirement.marker or "")
        if requirement.marker and not optional and not requirement.marker.evaluate():
            continue
        name, range_ = requirement.name, requirement.specifier
        extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
        advice = f"pip install '{name}{extras}{range_}'"
        version = installed(name)
        if version is None:
            if not optional:
                yield wrong(f"{name} is not installed", advice)
        elif not range_.contains(version, prereleases=True):
            upper = [Version(each.version) for each in range_ if each.operator in ("<", "<=")]
            newer = any(Version(version) >= bound for bound in upper)
            how = "newer" if newer else "older"
            yield warning(f"{name} {version} is {how} than asked for ({range_})", advice)


def imports(asked: Asked) -> Iterator[Finding]:
    """The packages that lean on libraries of the system are really imported."""
    failed = False
    for name in _IMPORTED:
        try:
            if (own := _hidden_by(name)) is not None:
                failed = True
                yield wrong(
                    f"Python takes {own} for the package {name}",
                    "give it another name, or give this command in another folder",
                )
                continue
            import_module(name)
        except Exception as error:  # a broken library raises errors of any kind
            failed = True
            said = " ".join(str(error).split())[:300]
            advice = (
                f"install it again: pip install --force-reinstall --no-deps {name}; if a lib*.so is "
                "missing, install the package of the system that has it"
            )
            yield wrong(f"{name} can't be imported: {said}", advice)
    if not failed:
        yield ok(f"{', '.join(_IMPORTED)} can be imported")


def _hidden_by(name: str) -> Path | None:
    """The file or folder of the working folder that Python would import instead of a package."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        return None
    file = Path(spec.origin)
    own = file.parent if file.name == "__init__.py" else file
    return own if own.parent == Path.cwd() else None


def unusable(error: ImportError) -> str:
    """What to say where not even this command can be imported, in lines."""
    try:
        problems = [*versions(requirements()[1], _installed)]
    except Exception:  # what reads requirements may be missing, too
        problems = []
    lines = [f"  {each.found}: {each.advice}" for each in problems if each.state == "wrong"]
    where = f"in this Python: {sys.executable} (is it the virtual environment of the installation?)"
    return "\n".join([f"error: {error}: packages are missing or broken {where}", *lines])


def psutil() -> Any:
    """psutil, of which Ray brings a copy."""
    import_module("ray")
    return import_module("psutil")


def distributions() -> list[str]:
    """All installed packages as ``name==version``, sorted."""
    found = {f"{each.name}=={each.version}" for each in metadata.distributions() if each.name}
    return sorted(found, key=str.lower)
