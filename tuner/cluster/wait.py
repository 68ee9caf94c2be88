"""``python -m tuner.cluster.wait ADDRESS COUNT``: wait until COUNT machines have joined a cluster."""

from __future__ import annotations

import argparse
import logging
import sys
import time

_PATIENCE = 180.0  # seconds


def wait(address: str, count: int) -> int:
    """Wait for `count` machines; returns the exit status, 1 if they don't come."""
    import ray

    from tuner.runtime.machines import machines
    from tuner.runtime.session import environment

    environment()
    end, joined = time.monotonic() + _PATIENCE, 0
    while time.monotonic() < end:
        try:
            if not ray.is_initialized():
                ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
            joined = len(machines())
        except ConnectionError:  # the head has only begun to start
            time.sleep(1)
            continue
        if joined >= count:
            print(f"{joined} machines have joined")
            return 0
        time.sleep(0.5)
    print(f"after {_PATIENCE:.0f} s {joined} of {count} machines have joined", file=sys.stderr)
    return 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address", help="HOST:PORT of the head")
    parser.add_argument("count", type=int, help="machines, with the head")
    args = parser.parse_args()
    sys.exit(wait(args.address, args.count))
