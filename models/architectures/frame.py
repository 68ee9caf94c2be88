"""image_mlp_*: each frame by itself, and what is found in a video's frames together."""

from collections.abc import Sequence

from torch import Tensor

from models.architectures.base import VideoClassifier
from models.config import ModelConfig
from models.layers.dense import DenseStack, linear
from models.layers.pooling import POOLING


class Frame(VideoClassifier):
    """A frame's feature through up to three dense layers; with none, a linear classifier.

    Of a whole video, each frame goes through the dense layers, and `video_pooling` makes one of what
    comes out.

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
        self.pool = POOLING[config.video_pooling](num_features=self.dense.out_features)
        self.logits = linear(self.dense.out_features, len(self.classes))

    def classify(self, features: Tensor) -> Tensor:
        """Return the logits of each frame, or of each video.

        Args:
            features (Tensor): shape ``[B, steps, F]``.

        Returns:
            Tensor: shape ``[B, C]``.
        """
        return self.logits(self.pool(self.dense(features)))

    def alone(self, features: Tensor) -> Tensor:
        """Return the logits of each step; of equal steps, every pooling gives one of them."""
        return self.classify(features[:, None])

    def weigh(self, features: Tensor) -> Tensor:
        """Return how much each step counts, arguments and shapes as ``VideoClassifier.weigh``."""
        return self.pool.shares(self.dense(features))
