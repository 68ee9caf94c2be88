"""image_mlp_*: each frame by itself."""

from collections.abc import Sequence

from torch import Tensor

from models.architectures.base import VideoClassifier
from models.config import ModelConfig
from models.layers.dense import DenseStack, linear


class Frame(VideoClassifier):
    """A frame's feature through up to three dense layers; with none, a linear classifier.

    Args:
        config (ModelConfig): its parameters; ``sequence_length`` is 1.
        classes (Sequence[str]): names of the classes, in the order of the logits.
        num_features (int): width of a frame's feature.
    """

    def __init__(self, *, config: ModelConfig, classes: Sequence[str], num_features: int) -> None:
        super().__init__(config=config, classes=classes, num_features=num_features)
        self.dense = DenseStack(
            in_features=num_features, sizes=config.layer_sizes, dropout=config.dropout
        )
        self.logits = linear(self.dense.out_features, len(self.classes))

    def classify(self, features: Tensor) -> Tensor:
        """Return the logits of each frame.

        Args:
            features (Tensor): shape ``[B, 1, F]``.

        Returns:
            Tensor: shape ``[B, C]``.
        """
        return self.logits(self.dense(features[:, 0]))
