"""``python -m tuner.prepare CONFIG``: decode all videos and compute all features ahead of a search."""

from __future__ import annotations

import argparse
import time

from data.console import console, output
from tuner import cli
from tuner.config.load import Config
from tuner.study.space.checks import searched_views
from tuner.study.space.probes import networks
from tuner.study.space.unit import searchable

EXAMPLES = """
python -m tuner.prepare configs/seals.yaml
python -m tuner.prepare configs/seals.yaml --set data.videos=VIDEOS --set data.labels=labels.csv
RAY_ADDRESS=auto python -m tuner.prepare configs/seals.yaml --set data.shared_cache=/nfs/cache
"""


def arguments() -> argparse.ArgumentParser:
    parser = cli.parser(
        "prepare",
        "Decode every labelled video once, and compute the features that a search of this "
        "configuration will need. On a cluster, all machines share the work.",
        EXAMPLES,
    )
    cli.add_config(parser)
    return parser


def run(config: Config, *, strict: bool) -> int:
    """Prepare everything; returns the exit status."""
    from data.console import duration
    from data.files.store import default_folder
    from tuner.preparation.cluster import prepare_all
    from tuner.runtime.session import RaySession

    start = time.monotonic()
    config, space = searchable(config)
    searched = networks(config, space)
    with RaySession() as session:
        views = searched_views(space)
        dataset = prepare_all(
            config, searched, output, session, test=True, views=views, strict=strict
        )
    places = [
        str(default_folder()),
        *([config.data.shared_cache] if config.data.shared_cache else []),
    ]
    console.print(
        f"{len(dataset.videos)} videos are ready in {' and '.join(places)}, in "
        f"{duration(time.monotonic() - start)}"
    )
    return 0


def main() -> int:
    args = arguments().parse_args()
    return run(Config.load(args.config, args.overrides), strict=args.strict)


if __name__ == "__main__":
    cli.run(main)
