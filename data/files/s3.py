"""S3: one client a process, waited for while it is away, and errors that say what to do."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from data.files.patience import patiently

S3 = "s3://"
CREDENTIALS = "credentials come from the environment, ~/.aws or the machine's role"

T = TypeVar("T")


class S3Error(Exception):
    """S3 can't be used, or does not do what it is asked; the message says why and what to do.

    Attributes:
        code: S3's own word for it, such as ``NoSuchKey``, or the name of botocore's exception.
    """

    code = ""


def ask(action: Callable[[bool], T], what: str, *, rights: str) -> T:
    """What `action` returns, waiting `patiently` while S3 is away.

    Args:
        what: the URL that it is about, for messages.
        rights: those that it needs, such as ``s3:GetObject``.

    Raises:
        S3Error: S3 refuses, or stays away.
    """
    client()  # what it lacks is said as it is, and is not S3's
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return patiently(action, away, what)
    except (Boto3Error, BotoCoreError, ClientError) as error:
        raise explained(error, what, rights) from error


def explained(error: Exception, what: str, rights: str) -> S3Error:
    """An exception of boto3's as a sentence that says what to do."""
    from botocore.exceptions import ClientError

    code = type(error).__name__
    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "")
    advice = f"{CREDENTIALS}, and need {rights}"
    if code == "NoSuchBucket":
        advice = "look at the bucket's name"
    elif code in ("NoSuchKey", "404"):
        advice = "look at the path"
    elif away(error):
        advice = "look at the network, and at AWS_ENDPOINT_URL if it is set"
    found = S3Error(f"{what}: {str(error).splitlines()[0]}; {advice}")
    found.code = code
    return found


def objects(bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
    """Every object whose key starts with `prefix`: its ``Key``, ``Size``, ``ETag``..."""
    pages = client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        yield from page.get("Contents", [])


_clients: dict[int, Any] = {}
_making = threading.Lock()  # boto3 makes one client at a time


def client() -> Any:
    """An S3 client of this process; boto3 finds endpoint and credentials in the usual places."""
    with _making:
        if os.getpid() not in _clients:
            try:
                import boto3
            except ImportError as error:
                raise S3Error("s3:// needs boto3: pip install '.[aws]'") from error
            from botocore.config import Config

            options = Config(
                retries={"max_attempts": 5, "mode": "standard"}, connect_timeout=10, read_timeout=60
            )
            _clients[os.getpid()] = boto3.client("s3", config=options)
        return _clients[os.getpid()]


def away(error: Exception) -> str | None:
    """Why S3 does not answer; None for what waiting does not mend, such as missing rights."""
    from boto3.exceptions import S3UploadFailedError
    from botocore import exceptions

    if isinstance(error, S3UploadFailedError):
        error = error.__context__ if isinstance(error.__context__, Exception) else error
    if isinstance(error, exceptions.ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
        return str(error) if status >= 500 or status == 429 else None
    lost = (exceptions.HTTPClientError, exceptions.ConnectionError, exceptions.IncompleteReadError)
    return str(error).splitlines()[0] if isinstance(error, lost) else None
