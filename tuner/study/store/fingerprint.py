"""What a search learns from, in short: so that it goes on with the same data, or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import pandas as pd

from data import Dataset
from data.console import Output
from data.errors import some
from data.files.store import content_key
from tuner.config.load import Config
from tuner.config.messages import StoreError
from tuner.study.store.results import DATA, ResultsStore

_SPLIT, _CONTENT, _LABELS = range(3)
_VERSIONS, _REJECTS = "versions", "rejects"  # notes
_PACKAGES = ("torch", "timm", "av", "numpy", "scikit-learn")  # which change what trials come to


def fingerprint(dataset: Dataset, *, test: bool = False) -> dict[str, Any]:
    """All that determines what trials learn from and are validated on, but for the configuration.

    Args:
        test: with the test split, which else has no part in it.

    Returns:
        ``unit``; ``classes``; ``videos``: name to split, a key of the file's content, and a digest of
        the labels.
    """
    outside = dataset.table[(dataset.table["split"] != "test") | test]
    return {
        "unit": dataset.unit,
        "classes": dataset.classes,
        "videos": {
            str(name): [
                rows["split"].iloc[0],
                content_key(dataset.videos[str(name)].info.path),
                _digest(rows.drop(columns=["video", "split"])),
            ]
            for name, rows in outside.groupby("video", sort=True, observed=True)
        },
    }


def _digest(rows: pd.DataFrame) -> str:
    digest = hashlib.sha256()
    for name in sorted(rows.columns):
        column = rows[name]
        text = "\x1f".join(column.astype(str)) if column.dtype.kind not in "iuf" else None
        digest.update(text.encode() if text is not None else column.to_numpy().tobytes())
    return digest.hexdigest()[:16]


def differences(now: Mapping[str, Any], before: Mapping[str, Any]) -> list[str]:
    """What differs between two fingerprints, each a clause."""
    said = []
    for name in ("unit", "classes"):
        if now[name] != before[name]:
            said.append(f"{name} were {_words(before[name])}, are {_words(now[name])}")
    videos, former = now["videos"], before["videos"]
    both = sorted(videos.keys() & former.keys())
    for what, names in (
        ("new", sorted(videos.keys() - former.keys())),
        ("gone", sorted(former.keys() - videos.keys())),
        ("in another split", [v for v in both if videos[v][_SPLIT] != former[v][_SPLIT]]),
        ("with another content", [v for v in both if videos[v][_CONTENT] != former[v][_CONTENT]]),
        ("with other labels", [v for v in both if videos[v][_LABELS] != former[v][_LABELS]]),
    ):
        if names:
            said.append(f"{len(names)} video{'s' * (len(names) > 1)} {what} ({some(names)})")
    return said


def same_labels(now: dict[str, Any], before: Mapping[str, Any], *, of: str) -> list[str]:
    """Videos of a split whose labels alone differ, and are made those of before in `now`.

    None, if the classes or the splits of videos differ, too: then they may be no mended labels.
    """
    videos, former = now["videos"], before["videos"]
    both = [name for name in videos if name in former]
    if now["classes"] != before["classes"] or any(
        videos[name][_SPLIT] != former[name][_SPLIT] for name in both
    ):
        return []
    found = [
        name
        for name in both
        if former[name][_SPLIT] == of
        and videos[name][_CONTENT] == former[name][_CONTENT]
        and videos[name][_LABELS] != former[name][_LABELS]
    ]
    for name in found:
        videos[name] = former[name]
    return found


def _words(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else f"{value}s"


def go_on(
    store: ResultsStore,
    config: Config,
    dataset: Dataset,
    output: Output,
    *,
    accept_changed_data: bool,
) -> ResultsStore:
    """The store of a search that goes on with its data, or begins; it keeps what these are.

    Args:
        dataset: before videos are left out since they don't decode.
        accept_changed_data: if the search began with other data, delete its trials and begin again.

    Raises:
        StoreError: the search began with other data.
    """
    now, versions = fingerprint(dataset), {name: version(name) for name in _PACKAGES}
    if any(store.counts().values()):
        before, former = (store.notes(name).get(name) for name in (DATA, _VERSIONS))
        changed = "; ".join(differences(now, before)) if before else ""
        if changed and not accept_changed_data:
            raise StoreError(
                f"search '{store.name}' can't go on: it began with other data ({changed}). Undo the "
                "change, --set name=ANOTHER for a new search, or --accept-changed-data to delete the "
                "trials of this one and begin again"
            )
        if changed:
            output.warn(f"the data has changed ({changed}): the search begins again")
            store.delete()
            config.storage_folder.clear()
            store = ResultsStore.create(config, resume=False)
        elif former and former != versions:
            others = [
                f"{name} {former.get(name)}"
                for name in versions
                if former.get(name) != versions[name]
            ]
            output.warn(f"warning: the search began with other versions: {', '.join(others)}")
    store.describe(config, "search")
    store.set_note(DATA, now)
    store.set_note(_VERSIONS, versions)
    return store


def same_rejects(store: ResultsStore, dataset: Dataset) -> None:
    """Keep which videos are left out since they don't decode.

    Raises:
        StoreError: they are others than when the search began.
    """
    now = [[r.video, str(r.path), r.reason] for r in dataset.rejects]
    before = store.notes(_REJECTS).get(_REJECTS)
    if before is not None and any(store.counts().values()):
        former, names = ({video for video, *_ in rows} for rows in (before, now))
        if former != names:
            raise StoreError(
                f"search '{store.name}' can't go on: videos that don't decode are left out now "
                f"({some(sorted(names)) or 'none'}), and others were when it began "
                f"({some(sorted(former)) or 'none'}). Mend them, or --set name=ANOTHER for a new search"
            )
    store.set_note(_REJECTS, now)
