"""S3: one client a process, waited for while it is away, and errors that say what to do.

The client is boto3's: it checks the checksum that S3 keeps with an object, passes on S3's own words
for an error, and finds credentials as every tool of AWS does.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from data.files.patience import patiently

# S3's codes for an object that does not exist, and for one whose content has changed.
GONE, CHANGED = ("NoSuchKey", "404"), ("PreconditionFailed", "412")
_CREDENTIALS = "credentials come from the environment, ~/.aws or the machine's role"

T = TypeVar("T")


class S3Error(Exception):
    """S3 can't be used, or does not do what it is asked; the message says why and what to do.

    Attributes:
        code: S3's own code for it, such as ``NoSuchKey``, or the name of botocore's exception.
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


def ask(action: Callable[[Any], T], what: str, rights: str, *, wait: bool = True) -> T:
    """Call `action` with the `client`, and return what it returns.

    Args:
        what: the URL that it is about, for messages.
        rights: the rights that it needs, such as ``s3:GetObject``.
        wait: whether to wait `patiently` while S3 is away.

    Raises:
        S3Error: S3 refuses, or stays away.
    """
    s3 = client()
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return patiently(lambda _: action(s3), _away, what) if wait else action(s3)
    except (Boto3Error, BotoCoreError, ClientError) as error:
        reply = error.response if isinstance(error, ClientError) else {}
        code = reply.get("Error", {}).get("Code", "") if reply else type(error).__name__
        advice = f"{_CREDENTIALS}, and need {rights}"
        if code == "NoSuchBucket":
            advice = "look at the bucket's name"
        elif code in GONE:
            advice = "look at the path"
        elif _away(error):
            advice = "look at the network, and at AWS_ENDPOINT_URL if it is set"
        raise S3Error(f"{what}: {str(error).splitlines()[0]}; {advice}", code) from error


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


def _away(error: Exception) -> str | None:
    """Why S3 does not answer; None if waiting would not help, as with missing rights."""
    from boto3.exceptions import S3UploadFailedError
    from botocore import exceptions

    if isinstance(error, S3UploadFailedError):
        error = error.__context__ if isinstance(error.__context__, Exception) else error
    if isinstance(error, exceptions.ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
        return str(error) if status >= 500 or status == 429 else None
    lost = (exceptions.HTTPClientError, exceptions.ConnectionError, exceptions.IncompleteReadError)
    return str(error).splitlines()[0] if isinstance(error, lost) else None
