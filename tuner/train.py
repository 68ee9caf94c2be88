"""``python -m tuner.train CONFIG``: train one model, without a search."""

from __future__ import annotations

import argparse

from data.console import output
from tuner import cli
from tuner.config.load import Config

EXAMPLES = """
python -m tuner.train configs/seals.yaml --set model.architecture=image_mlp_frozen
python -m tuner.train configs/seals.yaml --set model.architecture=video_lrcnn_frozen \\
    --set model.sequence_model=GRU --set model.sequence_length=5 --set training.learning_rate=5e-4
"""


def arguments() -> argparse.ArgumentParser:
    parser = cli.parser(
        "train", "Train one model with the parameters under model: and training:.", EXAMPLES
    )
    cli.add_config(parser, "the YAML file; its space: is not used")
    return parser


def main() -> int:
    args = arguments().parse_args()
    config = Config.load(args.config, args.overrides)
    from tuner.analysis.summary import show_results
    from tuner.api import train

    result = train(config, strict=args.strict, output=output)
    show_results(result.figures, result.model.folder)
    return 0


if __name__ == "__main__":
    cli.run(main)
