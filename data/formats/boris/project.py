"""BORIS: project files (``.boris``, JSON; ``project_format_version`` 4.0 to 7.0, as BORIS 4 to 9
write).

Of ``observations``, each: ``type`` (``MEDIA`` is taken; ``LIVE`` and ``IMAGES`` have no video),
``file`` (player to media files), ``time offset`` (seconds that were added to each time),
``media_info.length`` (seconds of each file) and ``events``: ``[time, subject, behaviour, modifiers,
comment, frame...]``. Of ``behaviors_conf``: ``code`` and ``type`` (``Point event``, ``State event``,
also ``... with coding map``). The two events of a state have the same subject, behaviour and
modifiers. Times go on over the media files of a player, which are shown one after the other. Of
``media_info.offset`` (seconds, by player): the file of another player has the labels too, if it has the
offset of the first; before 7.0 it is ``time offset second player``. With
``media_creation_date_as_offset``, ``media_info.media_creation_time`` is in the times, too.
``.boris.gz`` is the same, packed.

Specified by what BORIS writes: https://github.com/olivierfriard/BORIS (``boris/config.py``,
``tests/files/*.boris``) and its user guide, https://www.boris.unito.it/user_guide/.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from data.files.path import File
from data.formats.boris.players import (
    Timeline,
    listed,
    moment,
    object_of,
    players_of,
    second_players,
)
from data.formats.content import json_of, refuse
from data.formats.taken import (
    NOBODY,
    RANGE,
    Gathered,
    Taken,
    counted,
    seconds,
    texts,
    written,
)

PROGRAM = "BORIS project"

Event = tuple[float, str, str, str, int]  # time, subject, behaviour, modifiers, number


def recognised(head: str) -> bool:
    """Whether a file begins like a project."""
    return head.lstrip().startswith("{") and any(
        f'"{key}"' in head
        for key in (
            "project_format_version",
            "behaviors_conf",
            "subjects_conf",
            "behavioral_categories",
        )
    )


def read(path: File, content: bytes) -> Taken:
    """State and point events of all observations of videos.

    Raises:
        DataError: it is no project.
    """
    project = json_of(path, content)
    observations = project.get("observations") if isinstance(project, dict) else None
    if not isinstance(observations, dict):
        refuse(path, "is no BORIS project: it has no 'observations'")
    gathered = Gathered(PROGRAM, path, [*RANGE, "subject"], "event")
    kinds = _kinds(project.get("behaviors_conf"))
    left: Counter[str] = Counter()
    firsts = {
        file
        for observation in observations.values()
        if isinstance(observation, dict)
        for file in next(iter(players_of(observation).values()), [])
    }
    for name, observation in observations.items():
        if not isinstance(observation, dict):
            gathered.problems.append(f"{path}: observation '{name}' is no object")
        elif (kind := texts(observation.get("type", "MEDIA"))) in ("LIVE", "IMAGES"):
            left[f"{kind} observations, which have no video"] += 1
        elif kind != "MEDIA":
            gathered.problems.append(
                f"{path}: observation '{name}' is of a type '{kind}', which BORIS before 4 wrote; open "
                "and save the project in a newer BORIS"
            )
        else:
            _observation(gathered, texts(name), observation, kinds, left, firsts)
    if left:
        gathered.note(f"left out: {counted(left)}")
    return gathered.done("state and point events")


def _kinds(conf: object) -> dict[str, str]:
    """``POINT`` or ``STATE`` of each behaviour."""
    entries = conf.values() if isinstance(conf, dict) else []
    return {
        texts(entry.get("code")): "POINT"
        if "point" in texts(entry.get("type")).lower()
        else "STATE"
        for entry in entries
        if isinstance(entry, dict)
    }


def _created(times: Mapping[str, Any], file: str) -> float | None:
    """When a video was made; of a path from the project's folder on, BORIS has the whole path there."""
    end = "/" + file.replace("\\", "/").removeprefix("./")
    paths = [path for path in times if path == file or path.replace("\\", "/").endswith(end)]
    return moment(times[paths[0]]) if len(paths) == 1 else None


def _observation(
    gathered: Gathered,
    name: str,
    observation: Mapping[str, Any],
    kinds: Mapping[str, str],
    left: Counter[str],
    firsts: set[str],
) -> None:
    where = f"{gathered.path}: observation '{name}'"
    players = players_of(observation)
    media = next(iter(players.values()), [])
    events = listed(observation.get("events"))
    if not media:
        if events:
            gathered.problems.append(f"{where} has events but no media file")
        return
    info = object_of(observation.get("media_info"))
    lengths = info.get("length")
    offset = moment(observation.get("time offset") or 0)
    if offset is None:
        gathered.problems.append(f"{where}: its time offset is no number")
        return
    if observation.get("media_creation_date_as_offset"):
        if len(media) > 1:  # BORIS adds to a time when the file was made that is shown then
            gathered.problems.append(
                f"{where}: its times count from when each of its files was made, which can't be taken "
                "away again; use an observation a file"
            )
            return
        start = _created(object_of(info.get("media_creation_time")), media[0])
        if start is None:
            gathered.problems.append(
                f"{where}: its times count from when the video was made, which the project does not say"
            )
            return
        offset += start
    known = [seconds(lengths.get(file)) for file in media] if isinstance(lengths, dict) else [None]
    if len(media) > 1 and (None in known[:-1] or len(known) < len(media)):
        gathered.problems.append(
            f"{where} has several files one after the other, and not how long each is; open and save "
            "it in BORIS where the videos are"
        )
        return
    timeline = Timeline(media, [length or 0 for length in known])
    older = observation.get("time offset second player")
    if older and "offset" not in info:
        info = {**info, "offset": {"2": older}}
    second = second_players(gathered, name, players, info, firsts)

    def add(number: int, start: float, end: float, label: str, subject: str) -> None:
        where = f"{number} of '{name}'"
        timeline.add(gathered, where, start, end, label, subject)
        for file, length in second.items():
            if 0 <= start <= length:
                times = (written(start), written(min(end, length)))
                gathered.add(where, file, *times, label, subject)

    states: dict[tuple[str, str, str], Event] = {}
    parsed = []
    for number, event in enumerate(events, 1):
        at = f"{number} of '{name}'"
        at_time = moment(event[0]) if isinstance(event, list) and len(event) > 3 else None
        if at_time is None or not texts(event[2]):
            gathered.wrong(at, "is no list of time, subject, behaviour and modifiers")
            continue
        parsed.append((at_time - offset, texts(event[1]), texts(event[2]), texts(event[3]), number))
        if len(event) > 4 and texts(event[4]):
            left["comments of events"] += 1
    for event in sorted(parsed):
        time, subject, behaviour, modifiers, number = event
        if modifiers.replace("None", "").strip("|"):
            left["modifiers of events"] += 1
        if behaviour not in kinds:
            gathered.wrong(
                f"{number} of '{name}'", f"behaviour '{behaviour}' is not in the ethogram"
            )
        elif kinds[behaviour] == "POINT":
            add(number, time, time, behaviour, subject)
        elif (begun := states.pop((subject, behaviour, modifiers), None)) is None:
            states[subject, behaviour, modifiers] = event
        else:
            add(begun[4], begun[0], time, behaviour, subject)
    for time, subject, behaviour, _, number in states.values():
        gathered.wrong(
            f"{number} of '{name}'",
            f"state '{behaviour}' of {subject or NOBODY} begins at {time + offset:g} and has no end; "
            "end it in BORIS",
        )
