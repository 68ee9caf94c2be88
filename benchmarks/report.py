"""How a benchmark says what it found: a line a ratio, and a JSON file beside it."""

from __future__ import annotations

import json
import os
import platform
from datetime import date
from pathlib import Path

FOLDER = Path(__file__).parent / "results"


def report(name: str, ratios: dict[str, tuple[float, str]], figures: dict[str, float]) -> None:
    """Print `ratios` (value and what is wanted) and write them with `figures` to ``results/``."""
    for key, (value, wanted) in ratios.items():
        print(f"{name}: {key} {value:.3f} (wanted: {wanted})")
    FOLDER.mkdir(exist_ok=True)
    content = {
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "ratios": {key: value for key, (value, _) in ratios.items()},
        "figures": figures,
    }
    (FOLDER / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")
