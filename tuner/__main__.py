"""``python -m tuner``: the commands, and how to begin."""

from __future__ import annotations

import sys
from importlib import import_module

from data.__main__ import main as data_main
from data.console import console
from tuner import cli

COMMANDS = {
    "search": "search the best video classifier",
    "best": "show the best model, evaluate it, predict new videos",
    "train": "train one model, without a search",
    "prepare": "decode videos and compute features before a search",
    "results": "list the searches of a results store, or copy them",
    "doctor": "check this machine, and say what to do",
    "data": "check, split, extract and explore videos and labels",
}
SESSION = (
    ("python -m tuner.search configs/seals.yaml --dry-run", "check everything, train nothing"),
    ("python -m tuner.search configs/seals.yaml", "search, on a small sample of videos"),
    ("python -m tuner.best --predict", "evaluate the best model on the test videos"),
    ("python -m tuner.best --predict --videos NEW_VIDEOS", "and have it predict others"),
    ("tensorboard --logdir runs", "compare the models that were tried"),
)


def main() -> int:
    """Run ``tuner COMMAND ...`` as ``python -m tuner.COMMAND``; alone, print what there is."""
    if sys.argv[1:2] == ["data"]:  # not hidden by a folder `data`, as `python -m data` may be
        return data_main(sys.argv[2:])
    if sys.argv[1:2] and sys.argv[1] in COMMANDS:
        command = import_module(f"tuner.{sys.argv.pop(1)}")
        cli.run(command.main)
    console.print("Finds the best video classifier for your videos and labels.\n\ncommands:")
    for name, text in COMMANDS.items():
        place = " data" if name == "data" else f".{name}"
        console.print(f"  python -m tuner{place:<9} {text}")
    console.print("\na first session:")
    for line, text in SESSION:
        console.print(f"  {line}\n      {text}")
    console.print("\nEach command has --help with examples; README.md explains the rest.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
