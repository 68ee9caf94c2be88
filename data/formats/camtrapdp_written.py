"""Camtrap DP, written: media-based observations of videos (1.0.2), whose class is a scientific name."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import PurePosixPath

import pandas as pd

from data.formats.camtrapdp import MARK, time_of
from data.formats.taken import Made
from data.videos.info import VideoInfo

_TYPES = {"blank", "human", "vehicle", "unknown"}  # classes that are no species
_BASE = "https://raw.githubusercontent.com/tdwg/camtrap-dp/1.0.2"


def write(rows: pd.DataFrame, infos: Mapping[str, VideoInfo]) -> Made:
    """A package of media-based observations, whose class is a scientific name.

    Args:
        rows: ``video, label`` and maybe ``site`` and ``date``.
        infos: of videos that are known, for their names with endings.
    """
    notes = [
        "positions and hours are not known: latitude and longitude are 0, times midnight; fill them in",
        *(
            f"left out: {name}, for which Camtrap DP has no place"
            for name in ("split", "subject")
            if name in rows
        ),
    ]
    sites = dict.fromkeys(rows["site"].astype(str) if "site" in rows else ["site"])
    dates = rows["date"].astype(str) if "date" in rows else pd.Series("1970-01-01", rows.index)
    days = {
        date: f"{date}T00:00:00Z" if time_of(date) else "1970-01-01T00:00:00Z"
        for date in set(dates)
    }
    first, last = min(days.values(), default=""), max(days.values(), default="")
    deployments = [(s, s, s, 0, 0, first, last.replace("T00:00", "T23:59")) for s in sites]
    media: dict[str, tuple[str, ...]] = {}
    observations = []
    for number, (row, date) in enumerate(zip(rows.to_dict("records"), dates, strict=True), 1):
        video, label, site = str(row["video"]), str(row["label"]), str(row.get("site", "site"))
        info = infos.get(video)
        path = (
            video if info is None or video.endswith(info.path.suffix) else video + info.path.suffix
        )
        name = PurePosixPath(path).name
        media.setdefault(video, (video, site, days[date], path, "false", name, "video/mp4"))
        kind, species = (label, "") if label in _TYPES else ("animal", label)
        time = (days[date], days[date])
        observations.append((f"o{number}", site, video, *time, "media", kind, species))
    tables = {
        "deployments": (
            "deploymentID,locationID,locationName,latitude,longitude,deploymentStart,deploymentEnd",
            deployments,
        ),
        "media": (
            "mediaID,deploymentID,timestamp,filePath,filePublic,fileName,fileMediatype",
            media.values(),
        ),
        "observations": (
            "observationID,deploymentID,mediaID,eventStart,eventEnd,observationLevel,observationType,"
            "scientificName",
            observations,
        ),
    }
    package = {
        "name": "labels",
        "profile": f"{_BASE}/camtrap-dp-profile.json",
        "created": "1970-01-01T00:00:00Z",
        "resources": [
            {
                "name": name,
                "path": f"{name}.csv",
                "profile": "tabular-data-resource",
                "schema": f"{_BASE}/{name}-table-schema.json",
            }
            for name in tables
        ],
    }
    files = {MARK: json.dumps(package, indent=2, ensure_ascii=False)}
    for name, (header, table) in tables.items():
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(header.split(","))
        writer.writerows(table)
        files[f"{name}.csv"] = text.getvalue()
    return Made(files, notes)
