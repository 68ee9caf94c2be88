"""Clips as windows over frames that they share, so that each frame is worked on once."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Windows:
    """A batch of clips of stored features, by number.

    Attributes:
        features (Tensor): shape ``[U, F]``, each frame once.
        index (Tensor): int64, shape ``[B, L]``: which of ``features`` make up each clip.
    """

    features: Tensor
    index: Tensor

    def __len__(self) -> int:
        return len(self.index)

    def split(self, size: int) -> "list[Windows]":
        """Return the batch in parts of ``size`` clips, which share its features."""
        return [Windows(self.features, part) for part in self.index.split(size)]

    def clips(self) -> Tensor:
        """Return the clips themselves, shape ``[B, L, F]``."""
        gathered = self.features.index_select(0, self.index.flatten())
        return gathered.view(*self.index.shape, -1)
