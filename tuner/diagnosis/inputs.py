"""The videos and labels of a configuration: whether this machine, and this user, can read them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from data.errors import DataError, VideoError, some
from data.files.path import File, S3Path, place, unreadable
from data.files.s3 import S3Error, ask
from data.files.walk import walk
from data.videos.find import find_files, is_video
from tuner.config.load import Config
from tuner.diagnosis.finding import Asked, Finding, ok, warning, wrong

_LOOKED_AT, _MOST = 100, 20_000  # videos that are opened, and files that are listed
_RIGHTS = "s3:ListBucket and s3:GetObject"


def configuration(asked: Asked) -> Iterator[Finding]:
    """The configuration itself."""
    for problem in asked.problems:
        yield wrong(f"{asked.source}: {problem}", "correct it, and give this command again")
    if asked.config is not None:
        yield ok(f"{asked.source}: search '{asked.config.name}'")
    elif not asked.problems:
        yield ok(
            "none given: the folders that are used by default are checked "
            "(python -m tuner.doctor configs/seals.yaml checks those of a configuration)"
        )


def videos(asked: Asked) -> Iterator[Finding]:
    """The folder of videos: found, readable, and its first video opens."""
    if (config := asked.config) is None:
        return
    if config.data.drawn:
        yield ok(f"{config.data.videos}: drawn by the search itself")
        return
    folder = place(config.data.videos)
    yield from _on_s3(folder) if isinstance(folder, S3Path) else _in_folder(folder)


def _in_folder(folder: Path) -> Iterator[Finding]:
    from data.videos.decode import probe

    try:
        entries = list(islice(walk(folder), _MOST)) if folder.is_dir() else []
        files = sorted(path for path in entries if is_video(path))
        if not files:
            files = [file for file in find_files(folder) if isinstance(file, Path)]
    except DataError as error:
        advice = "look at data.videos in the configuration, and whether the disk is connected"
        yield from (wrong(problem, advice) for problem in error.problems)
        return
    except OSError as error:
        yield wrong(
            f"{folder}: {error.strerror or error}", "have somebody give you the right to read"
        )
        return
    count = f"{'at least ' if len(entries) == _MOST else ''}{len(files):,} videos"
    looked = files[:: max(1, len(files) // _LOOKED_AT)]
    reasons = {file: reason for file in looked if (reason := unreadable(file))}
    if reasons:
        first = next(iter(reasons))
        yield (wrong if len(reasons) == len(looked) else warning)(
            f"{len(reasons)} of {len(looked)} videos looked at can't be read, such as {first} "
            f"({reasons[first]})",
            f"have their owner give you the right: chmod -R a+rX {folder}",
        )
        return
    try:
        info = probe(files[0])
    except (VideoError, OSError) as error:
        yield warning(
            f"{folder}: {count}; the first one, {files[0].name}, does not open: {error}",
            "such videos are left out; --dry-run of the search tells all of them",
        )
        return
    yield ok(
        f"{folder}: {count}; the first one, {files[0].name}, opens "
        f"({info.width}x{info.height}, {len(info):,} frames, {info.decoder})"
    )


def _on_s3(folder: S3Path) -> Iterator[Finding]:
    def first_page(s3: Any) -> tuple[list[str], bool]:
        reply = s3.list_objects_v2(Bucket=folder.bucket, Prefix=folder.key)
        names = [entry["Key"] for entry in reply.get("Contents", [])]
        return names, bool(reply.get("IsTruncated"))

    def one_byte(s3: Any) -> None:
        s3.get_object(Bucket=folder.bucket, Key=found[0], Range="bytes=0-0")["Body"].read()

    try:
        names, more = ask(first_page, str(folder), _RIGHTS, wait=False)
        found = [name for name in names if is_video(PurePosixPath(name))]
        if found:
            ask(one_byte, f"s3://{folder.bucket}/{found[0]}", _RIGHTS, wait=False)
    except S3Error as error:
        yield wrong(str(error), "see 'Videos on S3' in README.md")
        return
    if found:
        at_least = "at least " if more else ""
        yield ok(f"{folder}: {at_least}{len(found):,} videos; the first one can be read")
    elif more:
        yield warning(f"{folder}: no video among the first {len(names)}", "look at data.videos")
    else:
        there = f"; there are {some(names)}" if names else ", nor anything else"
        yield wrong(f"{folder}: no video is there{there}", "look at data.videos")


def labels(asked: Asked) -> Iterator[Finding]:
    """The label file, and the list of splits, can be read."""
    if asked.config is None or asked.config.data.drawn:
        return
    for key, file in _files(asked.config):
        if reason := unreadable(file):
            yield wrong(f"{key}: {file}: {reason}", f"look at {key} in the configuration")
        else:
            yield ok(f"{key}: {file} can be read")


def _files(config: Config) -> Iterator[tuple[str, File]]:
    data = config.data
    if data.labels:
        yield "data.labels", place(data.labels)
    if data.splits is not None and data.splits.file:
        yield "data.splits.file", place(data.splits.file)
    if config.model.model_weights_path:
        yield "model.model_weights_path", place(config.model.model_weights_path)
