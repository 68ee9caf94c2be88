"""What the product does against faults, and how to take each of it out: then the suite has to notice.

A suite in which nothing goes wrong proves something only where it would have noticed. Code that has a
second guard behind it is not here: without it work is lost, and no value differs.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.suite import ROOT


@dataclass(frozen=True)
class Handler:
    """Some code against faults.

    Attributes:
        kinds: of faults, all in one search, that are noticed without it.
        file: where it is.
        code: stands there once.
        without: what stands there once it is taken out.
    """

    kinds: tuple[str, ...]
    file: str
    code: str
    without: str

    def taken_out(self, folder: Path) -> Path:
        """A copy of the product's packages without it; returns `folder`."""
        for package in ("data", "models", "tuner"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / package, folder / package, ignore=ignored)
        path = folder / self.file
        text = path.read_text()
        assert text.count(self.code) == 1, f"{self.file} has {self.code!r} not once"
        path.write_text(text.replace(self.code, self.without))
        return folder


HANDLERS = {
    "rows of stored arrays are checked": Handler(
        ("bits of features flip",) * 3,
        "data/files/array.py",
        "            self._seal.check(np.stack",
        "            len(np.stack",
    ),
    "frames are checked": Handler(
        ("bits of frames flip",) * 3,
        "data/files/array.py",
        "            self._seal.check(np.stack",
        "            len(np.stack",
    ),
    "an array knows whose it is": Handler(
        ("features are those of another video",) * 2,
        "data/files/whole.py",
        "        if digest != _digest(",
        "        if False and digest != _digest(",
    ),
    "arrays without a seal are refused": Handler(
        ("last pages of features are zero",) * 2,
        "data/files/store.py",
        '                self._damaged(key, ValueError("it does not end as it was written"))',
        "                pass",
    ),
    "checkpoints are checked": Handler(
        ("power is cut and bits of a checkpoint flip",) * 2,
        "models/tensors.py",
        "_checksum(file, length) != checksum:",
        "False:",
    ),
    "faults of the world do not count": Handler(
        ("worker is killed",) * 5,
        "tuner/runtime/failures.py",
        "        if not of_the_world(trial):\n            return False\n        if not machine",
        "        if True:\n            return False\n        if not machine",
    ),
    "a results file that is away is noticed": Handler(
        ("results are deleted",) * 2,
        "tuner/study/store/mirror.py",
        "self._anew or self._file.gone()",
        "self._anew",
    ),
    "parts of killed writers are deleted": Handler(
        ("writers leave their parts",) * 2,
        "data/files/storage.py",
        "                    part.unlink()\n\n\n",
        "                    pass\n\n\n",
    ),
    "one process runs a search": Handler(
        ("search is started twice",),
        "tuner/study/store/process.py",
        "    if not process or process == this_process() or has_ended(process):",
        "    if True:",
    ),
    "training goes on where it was": Handler(
        ("power is cut and a checkpoint is there",) * 2,
        "tuner/training/run.py",
        "        self.training.load_state_dict(state, trained_state(best))",
        "        self.training.epoch = state['epoch']",
    ),
}
