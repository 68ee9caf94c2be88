"""What does each part of the product do for the test figure?

    python -m benchmarks.quality.parts [--seals FOLDER] [--seeds 909 1010] [--folder FOLDER]
        [--sets traps] [--parts motion relative] [--set space.frames_per_video=[24]]

For each part the shipped configuration is searched as it is, and with that part turned the other way,
on the same videos. The figures are of the ensemble that the file asks for, or where that is the part, of
the best model alone. Every test figure is looked at once.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd

from benchmarks.quality.chosen import arguments, cases
from benchmarks.quality.searches import difference, run
from benchmarks.report import report
from tuner.runtime.session import RaySession

VIEWS = {"views": 3, "flip": True, "rotation": 8, "shift": 0.12, "zoom": 0.25, "colour": 0.2}
ANY_VIEWS = {f"training.{key}": value for key, value in VIEWS.items()}
# Of each set: the part, whether the file has it, and what turns it the other way.
PARTS = {
    "traps": {
        "probes": (True, {"search.probes": 0}),
        "motion": (True, {"space.motion": ["none"], "space.appearance": [True]}),
        "appearance as well": (True, {"space.appearance": [False]}),
        "light": (True, {"space.motion": ["background"]}),
        "large pictures": (True, {"model.frame_size": None}),
        "relative": (True, {"space.relative": ["none"]}),
        "refit": (True, {"search.validation": {"folds": 3, "refit": False}}),
        "validation by site": (True, {"search.validation": {"folds": 3, "by": "video"}}),
        "validation by folds": (True, {"search.validation": None}),
        "local pooling": (True, {"model.pooling": "both"}),
        "top frames": (True, {"space.top_frames": [1.0]}),
        "feature scale: common": (True, {"model.feature_scale": "own"}),
        "48 frames": (True, {"space.frames_per_video": [24]}),
        "views": (False, ANY_VIEWS),
        "crop": (False, {"space.crop": ["none", "all"]}),
        "unit: video": (True, {"data.unit": "frame"}),
    },
    "seals": {
        "probes": (True, {"search.probes": 0}),
        "motion": (True, {"space.motion": ["none"]}),
        "relative": (True, {"space.relative": ["none"]}),
        "feature scale: common": (False, {"model.feature_scale": "common"}),
        "crop": (False, {"space.crop": ["none", "motion"]}),
        "views": (False, ANY_VIEWS),
        "refit": (False, {"search.refit": True}),
    },
}
PARTS["sample"] = PARTS["seals"]


def line(test: str, rows: pd.DataFrame) -> str:
    """A line of the table: one part on some test videos."""
    share = {one: (rows[one] == rows["label"]).mean() for one in ("with", "without")}
    gain, low, high = difference(rows, "with", "without")
    effect_of, has = rows["effect_of"].iloc[0], "yes" if rows["default"].iloc[0] else "no"
    return (
        f"| {test} | {effect_of} | {has} | {share['with']:.3f} | {share['without']:.3f} "
        f"| {gain:+.3f} ({low:+.3f} to {high:+.3f}) |"
    )


def main() -> None:
    args = arguments(__doc__, [909, 1010])
    found: list[pd.DataFrame] = []
    with tempfile.TemporaryDirectory() as temporary, RaySession() as session:
        folder = (args.folder or Path(temporary)).absolute()
        for name, seed, case in cases(args, folder):
            base = run(case, folder, f"{name}-{seed}-base", session)
            keys = ["video", "frame", "label", "part"]
            base = base.set_index(keys)
            parts = {"ensemble": (True, None)} | PARTS[name]
            for number, (effect_of, (has, change)) in enumerate(parts.items()):
                if args.parts and effect_of not in args.parts:
                    continue
                other = base["alone"]
                if change is not None:
                    table = run(case, folder, f"{name}-{seed}-{number}", session, change)
                    other = table.set_index(keys)["chosen"]
                names = ("with", "without") if has else ("without", "with")
                both = base[["chosen"]].assign(other=other).reset_index()
                both = both.rename(columns=dict(zip(("chosen", "other"), names, strict=True)))
                found.append(both.assign(effect_of=effect_of, default=has, seed=seed))
                for part, rows in found[-1].groupby("part"):
                    print(line(f"{part}, seed {seed}", rows), flush=True)
    print(
        "\n| test | part | in the file | with | without | effect (95 % interval) |\n"
        + "|---" * 6
        + "|"
    )
    ratios = {}
    for (part, effect_of), rows in pd.concat(found).groupby(["part", "effect_of"], sort=False):
        print(line(part, rows))
        ratios[f"{part}: {effect_of}"] = (difference(rows, "with", "without")[0], "-")
    report("parts", ratios, {"seeds": len(args.seeds)})


if __name__ == "__main__":
    main()
