"""video_lrcnn_*: the features of a clip's frames in sequence."""

from collections.abc import Sequence

from torch import Tensor, nn

from models.architectures.base import VideoClassifier
from models.config import ModelConfig
from models.layers.dense import DenseStack, linear
from models.layers.pooling import POOLING, Pooling
from models.layers.sequence import SequenceStack
from models.layers.windows import Windows


class LRCN(VideoClassifier):
    """Long-term recurrent convolutional network.

    The first ``sequence_model_layers`` layer sizes are layers over time, the others dense ones.
    A recurrent stack hands on its last step; with two recurrent layers and a dense one it hands
    on every step, flattened, as ``Convolution1D`` always does. There is one dropout before the logits,
    with or without a dense layer. A pooling over the steps has no width of its own: all layer sizes
    are dense layers after it.

    Source: Donahue et al., Long-term recurrent convolutional networks for visual recognition
    and description, CVPR 2015.

    Args:
        config (ModelConfig): its parameters, ``sequence_model`` among them.
        classes (Sequence[str]): names of the classes, in the order of the logits.
        num_features (int): width of a frame's feature.
    """

    def __init__(self, *, config: ModelConfig, classes: Sequence[str], num_features: int) -> None:
        super().__init__(config=config, classes=classes, num_features=num_features)
        if config.sequence_model is None:
            raise ValueError(f"{config.architecture} needs a sequence_model, not None")
        layers = config.sequence_model_layers
        self.sequence: SequenceStack | Pooling
        if config.sequence_model in POOLING:
            layers = 0
            self.sequence = POOLING[config.sequence_model](num_features=num_features)
        else:
            self.sequence = SequenceStack(
                kind=config.sequence_model,
                in_features=num_features,
                sizes=config.layer_sizes[:layers],
                dropout=config.dropout,
                kernel_size=config.convolution_kernel_size,
                return_sequence=layers == 2 and config.layer_3_size > 0,
                bidirectional=config.bidirectional,
            )
        self.dense = DenseStack(
            in_features=self.sequence.out_features(self.steps),
            sizes=config.layer_sizes[layers:],
            dropout=config.dropout,
        )
        self.dropout = nn.Identity() if len(self.dense) else nn.Dropout(config.dropout)
        self.logits = linear(self.dense.out_features, len(self.classes))

    def classify(self, features: Tensor) -> Tensor:
        """Return the logits of each clip.

        Args:
            features (Tensor): shape ``[B, L, F]``.

        Returns:
            Tensor: shape ``[B, C]``.
        """
        return self._head(self.sequence(features))

    def weigh(self, features: Tensor) -> Tensor | None:
        """Return how much each step counts, arguments and shapes as ``VideoClassifier.weigh``."""
        return self.sequence.shares(features) if isinstance(self.sequence, Pooling) else None

    def classify_windows(self, windows: Windows) -> Tensor:
        """Return the logits, shape ``[B, C]``, of clips that share their frames' normalised features."""
        if isinstance(self.sequence, SequenceStack):
            return self._head(self.sequence(windows.features, windows.index))
        return super().classify_windows(windows)

    def _head(self, summary: Tensor) -> Tensor:
        return self.logits(self.dropout(self.dense(summary)))
