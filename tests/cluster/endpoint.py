"""``python -m tests.cluster.endpoint ADDRESS PORT FILE``: AWS's EC2, IAM and S3 on this machine.

While FILE exists S3 answers 503.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple


def main(address: str, port: str, failing: str) -> None:
    moto = DomainDispatcherApplication(create_backend_app)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)

    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        if "/s3/aws4_request" in environ.get("HTTP_AUTHORIZATION", "") and Path(failing).exists():
            start_response("503 Service Unavailable", [("Content-Length", "0")])
            return [b""]
        return moto(environ, start_response)

    run_simple(address, int(port), answer, threaded=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
