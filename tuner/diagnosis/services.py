"""The results store and S3: reached, with the rights that a search needs."""

from __future__ import annotations

import os
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from data.files.path import S3Path, place
from data.files.s3 import S3Error, ask
from tuner.config.load import default_results_url
from tuner.config.messages import StoreError
from tuner.diagnosis.disks import existing
from tuner.diagnosis.finding import Asked, Finding, ok, warning, wrong
from tuner.study.store import database

_SKEW = 5.0  # seconds
_SHOWN, _LAST = 80, 10  # letters of an error's kind, and how many of the last errors are told
_SQLITE = "sqlite:///"
_ELSEWHERE = "have its owner give you the right, or name another store under results"
_RIGHTS = "s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject"
_CONTENT = b"written by python -m tuner.doctor; may be deleted"


def results_url(asked: Asked) -> str:
    """The results store that a search would write to."""
    return asked.config.results_url if asked.config else default_results_url()


def results(asked: Asked) -> Iterator[Finding]:
    """The results store; nothing is made or changed in it."""
    url = results_url(asked)
    file = url.startswith(_SQLITE)
    try:
        yield from _file(url) if file else _server(url)
    except StoreError as error:
        yield wrong(
            str(error),
            "see 'When something goes wrong' in README.md, or name another file under results"
            if file
            else "look at the user, server and port under results, and ask whether the server runs and "
            "lets this machine in; the password belongs in ~/.pgpass (mode 600) or PGPASSWORD",
        )


def _file(url: str) -> Iterator[Finding]:
    path = Path(url.removeprefix(_SQLITE))
    database.check_local(path)
    if not path.exists():
        if path.is_symlink():
            yield wrong(f"{path} is a link to a file that is gone", "delete it, or mend it")
        elif not os.access(existing(path.parent), os.W_OK):
            yield wrong(f"{path} can't be made by you in {existing(path.parent)}", _ELSEWHERE)
        else:
            yield ok(f"{path}: none yet, a search makes it")
        return
    if path.is_dir():
        yield wrong(f"{path} is a folder", "name a file: results: sqlite:////FOLDER/results.db")
        return
    if not os.access(path, os.R_OK):
        yield wrong(f"{path} can't be read by you", "have its owner give you the right")
        return
    shut = [each for each in (path.parent, path) if not os.access(each, os.W_OK)]
    if shut:
        yield wrong(f"{path}: {shut[0]} can't be written to by you", _ELSEWHERE)
        return
    count = len(database.searches(url))  # looks through the file, too
    size = path.stat().st_size / 1e6
    yield ok(f"{path}: whole, {count} {'search' if count == 1 else 'searches'}, {size:.1f} MB")


def _server(url: str) -> Iterator[Finding]:
    told = database.without_password(url)
    version, may_make, tables = database.server(url)
    if not may_make and not tables:
        yield wrong(
            f"{told}: {version}; this user may not make tables there",
            "have its owner do: GRANT CREATE, USAGE ON SCHEMA public TO that user",
        )
    else:
        state = (
            "it has the tables of a results store" if tables else "empty: a search makes its tables"
        )
        yield ok(f"{told}: {version}; {state}")


def errors(asked: Asked) -> Iterator[str]:
    """What the search of the configuration, or the latest one, has failed by, in lines.

    Raises:
        StoreError: the results store can't be read.
    """
    from tuner.study.store.results import ResultsStore

    url = results_url(asked)
    if url.startswith(_SQLITE):
        empty = not Path(url.removeprefix(_SQLITE)).exists()
    else:
        empty = not database.server(url)[2]
    names = [] if empty else [name for name, _ in database.searches(url)]
    name = asked.config.name if asked.config else names[-1] if names else ""
    if name not in names:
        yield f"the results store has no search{f' {name!r}' if name else ''} yet"
        return
    store = ResultsStore.open(url, name)
    yield f"search {name!r}: " + ", ".join(
        f"{n} {state}" for state, n in store.counts().items() if n
    )
    told = [record for record in store.records() if record.reason]
    kinds = Counter(record.reason.partition(":")[0][:_SHOWN] for record in told)
    yield from (f"{count} x {kind}" for kind, count in kinds.most_common())
    for record in told[-_LAST:]:
        when = f"{record.ended:%Y-%m-%d %H:%M} " if record.ended else ""
        yield f"model {record.number} ({when}{record.state}): {record.reason}"


def s3(asked: Asked) -> Iterator[Finding]:
    """Storage and shared cache on S3: an object is written, listed, read and deleted."""
    if asked.config is None:
        return
    texts = {
        "storage": asked.config.storage,
        "data.shared_cache": asked.config.data.shared_cache or "",
    }
    folders = {key: place(text) for key, text in texts.items()}
    remote = {key: each for key, each in folders.items() if isinstance(each, S3Path)}
    seen: set[str] = set()
    for key, folder in remote.items():
        if folder.bucket not in seen:
            seen.add(folder.bucket)
            yield from _folder(key, folder)


def _folder(key: str, folder: S3Path) -> Iterator[Finding]:
    probe = folder / f".doctor.{uuid.uuid4().hex}"
    which = {"Bucket": probe.bucket, "Key": probe.key}
    done: list[str] = []

    def use(client: Any) -> tuple[bytes, float]:
        said = client.put_object(**which, Body=_CONTENT)["ResponseMetadata"]["HTTPHeaders"]
        skew = (
            parsedate_to_datetime(said["date"]).timestamp() - time.time() if "date" in said else 0
        )
        done.append("written")
        try:
            client.list_objects_v2(Bucket=probe.bucket, Prefix=probe.key, MaxKeys=1)
            done.append("listed")
            return client.get_object(**which)["Body"].read(), skew
        finally:
            client.delete_object(**which)
            done.append("deleted")

    try:
        if (problem := _credentials()) is not None:
            yield problem
            return
        read, skew = ask(use, f"{key}: {folder}", _RIGHTS, wait=False)
    except S3Error as error:
        so_far = f" (a small object was {' and '.join(done)})" if done else ""
        yield wrong(
            f"{error}{so_far}",
            "see 'Several machines' in README.md; rights are given by whoever runs the bucket",
        )
        return
    if read != _CONTENT:
        yield wrong(f"{key}: {folder} gives back another content", "use another S3 service")
    elif abs(skew) > _SKEW:
        yield warning(
            f"{key}: {folder}: its clock and this machine's differ by {abs(skew):.0f} s; S3 refuses a "
            "machine that is off by a quarter of an hour",
            "set this machine's clock by NTP (timedatectl set-ntp true)",
        )
    else:
        yield ok(f"{key}: {folder}: a small object was written, listed, read and deleted")


def _credentials() -> Finding | None:
    """What is wrong with the credentials for S3; None if there are some.

    Raises:
        S3Error: boto3 is not installed.
    """
    from data.files.s3 import client

    client()
    import boto3

    if boto3.Session().get_credentials() is not None:
        return None
    profile = os.environ.get("AWS_PROFILE")
    named = f" under the profile AWS_PROFILE={profile}" if profile else ""
    return wrong(
        f"there are no credentials for S3{named}",
        "make some: aws configure, which writes ~/.aws/credentials; or set AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY; or give this machine a role",
    )
