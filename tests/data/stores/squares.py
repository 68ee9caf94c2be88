"""What tests of stored features share: a backbone that is quick, and a store of what it gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from data import FeatureStore, FrameStore

SIZE = (32, 128)  # of the drawn videos too, whose frames are then stored as they are


def describe(frames: np.ndarray) -> np.ndarray:
    """In place of a backbone: red, green and blue of the middles of a frame's squares."""
    height, width = frames.shape[1:3]
    rows, columns = [height // 4, 3 * height // 4], [(2 * k + 1) * width // 16 for k in range(8)]
    return frames[:, rows][:, :, columns].reshape(len(frames), -1).astype(np.float32)


class Counting:
    """A backbone that remembers the sizes of its batches, and how often it was made."""

    def __init__(self) -> None:
        self.made = 0
        self.batches: list[int] = []

    def make(self, outputs: Sequence[object]) -> Callable[[np.ndarray], np.ndarray]:
        self.made += 1
        return self.run

    def run(self, frames: np.ndarray) -> np.ndarray:
        self.batches.append(len(frames))
        return describe(frames)


def feature_store(counting: Counting | None = None, **options: object) -> FeatureStore:
    settings = {"size": SIZE, "backbone_key": "squares", "num_features": 48} | options
    settings.setdefault("backbone", (counting or Counting()).make)
    return FeatureStore(FrameStore(), **settings)


def files_of(store: FrameStore | FeatureStore) -> list[str]:
    folder = store.store.folder
    return sorted(path.suffix for path in folder.iterdir() if path.is_file())
