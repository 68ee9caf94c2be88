"""Camtrap DP: camera trap data packages (1.0, 1.0.1, 1.0.2), a folder, its ``datapackage.json``, or a
ZIP file.

Of ``deployments.csv``: ``deploymentID``, ``locationID``, ``locationName``. Of ``media.csv``:
``mediaID``, ``deploymentID``, ``timestamp``, ``filePath``, ``fileName``, ``fileMediatype``. Of
``observations.csv``: ``deploymentID``, ``mediaID``, ``eventStart``, ``eventEnd``,
``observationLevel`` (``media``: of one file; ``event``: of all files of a deployment in that time),
``observationType``, ``scientificName``, ``cameraSetupType``.

The class of an animal is its ``scientificName``, else the ``observationType`` (``human``,
``vehicle``, ``blank``, ``unknown``; ``unclassified`` is no label). Videos alone are taken. What is
said of a file itself counts before what is said of its event. If an observation of a video says when
in it, from the video's ``timestamp`` on, labels are ranges, and observations that don't are of all of
the video. Specified by
https://camtrap-dp.tdwg.org/; it is read here, not with frictionless, which would follow the URLs that
a package names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath

from data.errors import DataError, some
from data.files.path import File
from data.formats.content import MOST, Archive, json_of, refuse, rows_of
from data.formats.taken import END, RANGE, VIDEO, Gathered, Taken, counted, texts, written
from data.videos.info import EXTENSIONS

PROGRAM = "Camtrap DP"
MARK = "datapackage.json"
TABLES = {
    "deployments": ("deploymentID",),
    "media": ("mediaID", "deploymentID", "timestamp", "filePath"),
    "observations": ("deploymentID", "observationLevel", "observationType"),
}
_DAY = 86_400.0  # seconds: no video goes on for longer, so that a later time is of a wrong clock
_MISSING = ("", "nan", "na", "null")

Row = dict[str, str]
Part = Callable[[str], bytes]  # the content of a part of a package, by its name


def recognised(head: str) -> bool:
    """Whether a file begins like the list of parts of such a package."""
    resources = all(f'"{name}"' in head for name in ("resources", "profile", "name"))
    return head.lstrip().startswith("{") and (resources or "camtrap-dp" in head)


def read(path: File, content: bytes) -> Taken:
    """As of `read_package`, of a ``datapackage.json`` with its tables beside it."""

    def part(name: str) -> bytes:
        file = path.parent / name
        try:
            size = getattr(file, "size", 0) or (file.stat().st_size if hasattr(file, "stat") else 0)
            if size > MOST:
                refuse(file, f"has {size >> 20:,} MB; at most {MOST >> 20} MB are read")
            return file.read_bytes()
        except (OSError, ValueError) as error:  # the latter of a NUL in the name
            reason = getattr(error, "strerror", None) or error
            refuse(path, f"names '{name}', which can't be read: {reason}")

    return read_package(path, content, part)


def read_archive(path: File, archive: Archive) -> Taken:
    """As of `read_package`, of a ZIP file with ``datapackage.json`` in it."""
    mark = min((name for name in archive.names if PurePosixPath(name).name == MARK), key=len)
    folder = PurePosixPath(mark).parent

    def part(name: str) -> bytes:
        whole = str(folder / name)
        if whole not in archive.names:
            refuse(path, f"'{mark}' in it names '{name}', which it doesn't hold")
        return archive.read(whole)

    return read_package(path, archive.read(mark), part)


def read_package(path: File, content: bytes, part: Part) -> Taken:
    """The classes of the videos of a package, with their sites and dates.

    Args:
        content: of its ``datapackage.json``.

    Raises:
        DataError: it is no package, or a table can't be read.
    """
    tables = _tables(path, content, part)
    gathered = Gathered(PROGRAM, path, [*VIDEO, "site", "date"], "observation")
    sites = _sites(tables["deployments"])
    videos, images = dict[str, Row](), 0
    for row in tables["media"]:
        if _is_video(row):
            videos[row["mediaID"]] = row
        else:
            images += 1
    left: Counter[str] = Counter()
    of_events = []
    said: dict[str, list[tuple[str, Row]]] = {}
    known = {row["mediaID"] for row in tables["media"]}
    for line, row in enumerate(tables["observations"], 2):
        name = row.get("observationID") or f"row {line}"
        if row.get("cameraSetupType"):
            left["observations of setting up the camera"] += 1
        elif row["observationType"] in ("unclassified", ""):
            left["unclassified observations"] += 1
        elif row["observationLevel"] == "event":
            of_events.append((name, row))
        elif row["observationLevel"] != "media":
            gathered.wrong(
                name, f"observationLevel '{row['observationLevel']}' is not media or event"
            )
        elif row.get("mediaID", "") in videos:
            said.setdefault(row["mediaID"], []).append((name, row))
        elif row.get("mediaID", "") in known:
            left["observations of images"] += 1
        else:
            gathered.wrong(name, f"mediaID '{row.get('mediaID', '')}' is not in media")
    _add_events(gathered, videos, said, of_events, left)
    spans = {
        number: [_span(videos[number], row) for _, row in of_video]
        for number, of_video in said.items()
    }
    within = [span is not None for of_video in spans.values() for span in of_video]
    if inside := any(within):
        gathered.columns = [*RANGE, "site", "date"]
        gathered.note(
            f"{sum(within):,} of {len(within):,} observations say when in their video (eventStart and "
            "eventEnd, from its timestamp on): labels are ranges of seconds, those of the others all of "
            "their video; data.unit: video takes a class for each video"
        )
    for number, video in videos.items():
        for (observation, row), span in zip(
            said.get(number, []), spans.get(number, []), strict=True
        ):
            label = row.get("scientificName") or row["observationType"]
            if row["observationType"] != "animal":
                label = row["observationType"]
            site = sites.get(video["deploymentID"], "")
            if not site:
                gathered.wrong(
                    observation, f"deploymentID '{video['deploymentID']}' is not in deployments"
                )
                continue
            times = (span or ("0", END)) if inside else ()
            gathered.add(observation, _name(video), *times, label, site, video["timestamp"][:10])
    left["media that are images"] += images
    left["videos without an observation"] += len(set(videos) - set(said))
    if +left:
        gathered.note(f"left out: {counted(+left)}")
    taken = gathered.done("observations")
    taken.cut = True  # as times are whole seconds, and events may go on in other files
    return taken


def _tables(path: File, content: bytes, part: Part) -> dict[str, list[Row]]:
    package = json_of(path, content)
    resources = package.get("resources") if isinstance(package, dict) else None
    if not isinstance(resources, list):
        refuse(path, "is no data package: it has no 'resources'")
    places = {texts(r.get("name")): r.get("path") for r in resources if isinstance(r, dict)}
    problems, tables = list[str](), dict[str, list[Row]]()
    for name, columns in TABLES.items():
        of_parts = places.get(name)
        parts = [of_parts] if isinstance(of_parts, str) else of_parts
        if not isinstance(parts, list) or not parts:
            problems.append(f"{path}: resources: it has no '{name}' with a path; a Camtrap DP has")
            continue
        tables[name] = []
        for one in parts:
            if (
                not isinstance(one, str)
                or "\\" in one
                or ":" in one
                or ".." in one
                or one[:1] in "/~."
            ):
                problems.append(
                    f"{path}: resources: path '{texts(one)}' of '{name}' leads out of the package"
                )
                continue
            try:
                tables[name] += _rows(path, one, part(one), columns)
            except DataError as error:
                problems += error.problems
    if problems:
        raise DataError(problems)
    return tables


def _rows(path: File, name: str, content: bytes, columns: Iterable[str]) -> list[Row]:
    rows = rows_of(path.parent / name, content)
    header = next(rows, (0, []))[1]
    if missing := [column for column in columns if column not in header]:
        refuse(path, f"'{name}' has no column {some(missing)}; it has {some(header) or 'none'}")
    found = []
    for _, cells in rows:
        row = dict(zip(header, cells, strict=False))
        cleaned = {key: "" if cell.lower() in _MISSING else cell for key, cell in row.items()}
        found.append(dict.fromkeys(header, "") | cleaned)
    return found


def _sites(deployments: list[Row]) -> dict[str, str]:
    """The site of each deployment: the name of its location, where names tell locations apart."""
    names = {(row.get("locationName", ""), row.get("locationID", "")) for row in deployments}
    clear = len({name for name, _ in names}) == len(names) and all(name for name, _ in names)
    first, second = ("locationName", "locationID") if clear else ("locationID", "locationName")
    return {
        row["deploymentID"]: row.get(first) or row.get(second) or row["deploymentID"]
        for row in deployments
    }


def _is_video(row: Row) -> bool:
    if kind := row.get("fileMediatype"):
        return kind.lower().startswith("video/")
    return PurePosixPath(_name(row)).suffix.lower() in EXTENSIONS


def _name(media: Row) -> str:
    """The file of a media row: its path, or its name, where the path is a URL."""
    path = media["filePath"].replace("\\", "/")
    if "://" in path:
        return media.get("fileName") or path.split("?")[0].rstrip("/").rpartition("/")[2]
    return path.removeprefix("./")


def _add_events(
    gathered: Gathered,
    videos: Mapping[str, Row],
    said: dict[str, list[tuple[str, Row]]],
    of_events: list[tuple[str, Row]],
    left: Counter[str],
) -> None:
    """Add what is said of events to `said`, for videos of which nothing is said themselves."""
    of_deployment: dict[str, list[tuple[datetime, str]]] = {}
    for number, video in videos.items():
        if number in said:
            continue
        time = time_of(video["timestamp"])
        if time is None:
            gathered.problems.append(
                f"{gathered.path}, media '{number}': timestamp '{video['timestamp']}' is no time as "
                "2024-05-31T22:00:00Z"
            )
        else:
            of_deployment.setdefault(video["deploymentID"], []).append((time, number))
    for name, row in of_events:
        start, end = time_of(row.get("eventStart", "")), time_of(row.get("eventEnd", ""))
        if start is None or end is None:
            gathered.wrong(name, "eventStart or eventEnd is no time as 2024-05-31T22:00:00Z")
            continue
        within = [
            m for time, m in of_deployment.get(row["deploymentID"], []) if start <= time <= end
        ]
        for number in within:
            said.setdefault(number, []).append((name, row))
        left["observations of events, whose videos have their own or are none"] += not within


def _span(video: Row, observation: Row) -> tuple[str, str] | None:
    """Start and end in a video of what is observed in it; None if that is not said, or not in it."""
    begin = time_of(video["timestamp"])
    start, end = (time_of(observation.get(name, "")) for name in ("eventStart", "eventEnd"))
    if observation["observationLevel"] != "media" or begin is None or start is None or end is None:
        return None
    first, last = (start - begin).total_seconds(), (end - begin).total_seconds()
    # Of a whole file both are usually its timestamp, or those of an event that began before it.
    if not 0 <= first <= last or last == 0 or first > _DAY:
        return None
    return written(first), written(min(last, _DAY))


def time_of(text: str) -> datetime | None:
    """A time as packages write it; without a zone it counts as UTC. None if it is none."""
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
