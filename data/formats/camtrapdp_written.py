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
_MEDIA = {  # by the names of files; others are called MP4
    ".avi": "video/x-msvideo",
    ".mov": "video/quicktime",
    ".mkv": "video/x-matroska",
    ".webm": "video/webm",
    ".mpg": "video/mpeg",
    ".mpeg": "video/mpeg",
    ".wmv": "video/x-ms-wmv",
    ".asf": "video/x-ms-asf",
}
# All of the tables' columns, in their order: a table without one is no valid one.
_COLUMNS = {
    "deployments": "deploymentID,locationID,locationName,latitude,longitude,coordinateUncertainty,"
    "deploymentStart,deploymentEnd,setupBy,cameraID,cameraModel,cameraDelay,cameraHeight,cameraDepth,"
    "cameraTilt,cameraHeading,detectionDistance,timestampIssues,baitUse,featureType,habitat,"
    "deploymentGroups,deploymentTags,deploymentComments",
    "media": "mediaID,deploymentID,captureMethod,timestamp,filePath,filePublic,fileName,fileMediatype,"
    "exifData,favorite,mediaComments",
    "observations": "observationID,deploymentID,mediaID,eventID,eventStart,eventEnd,observationLevel,"
    "observationType,cameraSetupType,scientificName,count,lifeStage,sex,behavior,individualID,"
    "individualPositionRadius,individualPositionAngle,individualSpeed,bboxX,bboxY,bboxWidth,bboxHeight,"
    "classificationMethod,classifiedBy,classificationTimestamp,classificationProbability,"
    "observationTags,observationComments",
}


def write(rows: pd.DataFrame, infos: Mapping[str, VideoInfo]) -> Made:
    """A package of media-based observations, whose class is a scientific name.

    Args:
        rows: ``video, label`` and maybe ``site`` and ``date``.
        infos: of videos that are known, for their names with endings.
    """
    notes = [
        "positions and hours are not known: latitude and longitude are 0, times midnight; fill them in",
        "who did the project and how is not known: see contributors and project in datapackage.json",
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
    end = last.replace("T00:00", "T23:59")
    deployments = [
        {
            **dict.fromkeys(("deploymentID", "locationID", "locationName"), site),
            "latitude": 0,
            "longitude": 0,
            "deploymentStart": first,
            "deploymentEnd": end,
        }
        for site in sites
    ]
    media: dict[str, dict[str, object]] = {}
    observations = list[dict[str, object]]()
    for number, (row, date) in enumerate(zip(rows.to_dict("records"), dates, strict=True), 1):
        video, label, site = str(row["video"]), str(row["label"]), str(row.get("site", "site"))
        media.setdefault(video, _media(video, site, days[date], infos.get(video)))
        observations.append(
            {
                "observationID": f"o{number}",
                "deploymentID": site,
                "mediaID": video,
                **dict.fromkeys(("eventStart", "eventEnd"), days[date]),
                "observationLevel": "media",
                "observationType": label if label in _TYPES else "animal",
                "scientificName": "" if label in _TYPES else label,
            }
        )
    tables: dict[str, list[dict[str, object]]] = {
        "deployments": deployments,
        "media": list(media.values()),
        "observations": observations,
    }
    species = sorted(set(rows["label"].astype(str)) - _TYPES)
    package = {
        "name": "labels",
        "profile": f"{_BASE}/camtrap-dp-profile.json",
        "created": "1970-01-01T00:00:00Z",
        "contributors": [{"title": "unknown"}],
        "project": {
            "title": "labels",
            "samplingDesign": "opportunistic",
            "captureMethod": ["activityDetection"],
            "individualAnimals": False,
            "observationLevel": ["media"],
        },
        "spatial": {"type": "Point", "coordinates": [0, 0]},
        "temporal": {"start": first[:10], "end": last[:10]},
        "taxonomic": [{"scientificName": name} for name in species],
        "resources": [
            {
                "name": name,
                "path": f"{name}.csv",
                "profile": "tabular-data-resource",
                "format": "csv",
                "mediatype": "text/csv",
                "encoding": "utf-8",
                "schema": f"{_BASE}/{name}-table-schema.json",
            }
            for name in tables
        ],
    }
    files = {MARK: json.dumps(package, indent=2, ensure_ascii=False)}
    for name, table in tables.items():
        text = io.StringIO()
        writer = csv.DictWriter(text, _COLUMNS[name].split(","), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
        files[f"{name}.csv"] = text.getvalue()
    return Made(files, notes)


def _media(video: str, site: str, time: str, info: VideoInfo | None) -> dict[str, object]:
    path = PurePosixPath(video)
    if info is not None and not video.endswith(info.path.suffix):
        path = PurePosixPath(video + info.path.suffix)
    return {
        "mediaID": video,
        "deploymentID": site,
        "timestamp": time,
        "filePath": str(path),
        "filePublic": "false",
        "fileName": path.name,
        "fileMediatype": _MEDIA.get(path.suffix.lower(), "video/mp4"),
    }
