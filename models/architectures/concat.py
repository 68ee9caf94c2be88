"""video_mlp_concat: the features of a clip's frames, end to end."""

from collections.abc import Sequence

from torch import Tensor

from models.architectures.base import VideoClassifier
from models.config import ModelConfig
from models.layers.dense import DenseStack, linear


class Concat(VideoClassifier):
    """A clip's features, flattened, through up to three dense layers.

    With no dense layer it is a linear classifier.

    Args:
        config (ModelConfig): its parameters.
        classes (Sequence[str]): names of the classes, in the order of the logits.
        num_features (int): width of a frame's feature.
    """

    def __init__(self, *, config: ModelConfig, classes: Sequence[str], num_features: int) -> None:
        super().__init__(config=config, classes=classes, num_features=num_features)
        width = self.steps * num_features
        self.dense = DenseStack(in_features=width, sizes=config.layer_sizes, dropout=config.dropout)
        self.logits = linear(self.dense.out_features, len(self.classes))

    def classify(self, features: Tensor) -> Tensor:
        """Return the logits of each clip.

        Args:
            features (Tensor): shape ``[B, L, F]``.

        Returns:
            Tensor: shape ``[B, C]``.
        """
        return self.logits(self.dense(features.flatten(1)))
