"""What a check of a machine finds, and how checks are run so that none stops the rest."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tuner.config.load import Config

# wrong: a search could not run. warning: it runs, but slower, or with a risk.
State = Literal["ok", "warning", "wrong"]
STATES: tuple[State, ...] = ("ok", "warning", "wrong")
_LONG, _DEADLINE = (
    3.0,
    20.0,
)  # seconds until it is said that a check takes long, and until it is given up


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        found: what there is, with its figures.
        advice: what to do; empty if all is well.
        group, name: of the check, unless it gives its findings names of their own.
    """

    state: State
    found: str
    advice: str = ""
    name: str = ""
    group: str = ""


def ok(found: str, name: str = "") -> Finding:
    return Finding("ok", found, name=name)


def warning(found: str, advice: str, name: str = "") -> Finding:
    return Finding("warning", found, advice, name)


def wrong(found: str, advice: str, name: str = "") -> Finding:
    return Finding("wrong", found, advice, name)


@dataclass(frozen=True)
class Asked:
    """What a user has asked to be checked.

    Attributes:
        config: of the search that is to run here; None: none was given, or it can't be read.
        source: the configuration's file.
        problems: what is wrong with it.
    """

    config: Config | None = None
    source: str = ""
    problems: list[str] = field(default_factory=list)


Look = Callable[[Asked], Iterable[Finding]]


@dataclass(frozen=True)
class Check:
    """A check of a machine.

    Attributes:
        look: finds; what it raises is a finding, too.
        hangs: what to do if it does not come to an end.
        seconds: after which it is given up.
    """

    group: str
    name: str
    look: Look
    hangs: str = "give the command again; if that is so again, restart the machine"
    seconds: float = _DEADLINE


def run(
    checks: Iterable[Check], asked: Asked, say: Callable[[str], object], *, long: float = _LONG
) -> Iterator[Finding]:
    """Look at one thing after the other; yields each finding as soon as it is there.

    Args:
        say: gets a line for a check that takes long.
        long: seconds until then.
    """
    for check in checks:
        for finding in _looked(check, asked, say, long):
            yield replace(finding, group=check.group, name=finding.name or check.name)


def _looked(check: Check, asked: Asked, say: Callable[[str], object], long: float) -> list[Finding]:
    found: list[Finding] = []
    failed: list[BaseException] = []

    def look() -> None:
        try:
            found.extend(check.look(asked))
        except BaseException as error:  # a check that fails says so, and the next one goes on
            failed.append(error)

    # In a thread of its own: a file server that does not answer would hold up all the rest.
    thread = threading.Thread(target=look, daemon=True, name=check.name)
    thread.start()
    thread.join(min(long, check.seconds))
    if thread.is_alive():
        say(f"  looking at {check.name} ...")
        thread.join(check.seconds - long)
    if thread.is_alive():
        return [wrong(f"could not be checked: no answer within {check.seconds:g} s", check.hangs)]
    if failed:
        said = " ".join(str(failed[0]).split()) or "no reason is given"
        advice = "this check itself has failed: --report makes a file to attach to a question"
        kind = type(failed[0]).__name__
        return [*found, warning(f"could not be checked: {kind}: {said}", advice)]
    return found


def worst(findings: Iterable[Finding]) -> State:
    return max((finding.state for finding in findings), key=STATES.index, default="ok")
