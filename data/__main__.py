"""``python -m data``: the tools for videos and labels, before a search."""

from __future__ import annotations

import sys
from importlib import import_module

from data.console import console, report
from data.errors import DataError
from data.files.s3 import S3Error
from data.files.whole import DamagedFile

# A tool's module in data.tools has main(arguments), which returns the exit status.
TOOLS = {
    "check": "decode all videos, and say what is wrong with them and their labels",
    "explore": "one page to look at: videos, labels, classes",
    "split": "draw which videos train, validate and test",
    "extract": "write frames as images",
    "import": "write labels of another program as a CSV file",
    "export": "write labels in the form of another program",
}
_MODULES = {"import": "import_labels", "export": "export_labels"}  # else as the tool is called


def main(arguments: list[str]) -> int:
    """Run ``import ...`` and the like; without a tool, print what there is. Returns the exit status."""
    if not arguments or arguments[0] in ("-h", "--help"):
        console.print("What to do with videos and labels before a search.\n\ntools:")
        for name, text in TOOLS.items():
            console.print(f"  python -m data {name:<8} {text}")
        console.print("\nEach has --help with examples.")
        return 0
    if arguments[0] not in TOOLS:
        return report("", [f"there is no tool '{arguments[0]}'; there is {', '.join(TOOLS)}"])
    try:
        tool = import_module(f"data.tools.{_MODULES.get(arguments[0], arguments[0])}")
        return int(tool.main(arguments[1:]))
    except DataError as error:
        return report("the data can't be used", error.problems)
    except DamagedFile as error:
        return report("", [f"{error}; it was deleted: give the same command again"])
    except (S3Error, OSError) as error:
        return report("", [str(error)])
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
