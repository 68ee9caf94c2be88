"""c3d and c3dsmall: three-dimensional convolutions over clips, learned from scratch."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from models.architectures.base import VideoClassifier, frame_size
from models.config import ModelConfig
from models.layers.dense import DenseStack, linear
from models.layers.pooling import POOLING
from models.layers.windows import Windows

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # red, green, blue, of ImageNet
Shape = tuple[int, int, int]  # frames, height, width


@dataclass(frozen=True, kw_only=True)
class Block:
    """Convolutions with ReLU, then a pool that halves each dimension it is over."""

    filters: tuple[int, ...]
    kernel: int = 3
    padding: int = 0  # of the convolutions, on every side
    pool: Shape
    pool_padding: int = 0  # of height and width, on both sides

    def shape(self, shape: Shape) -> Shape:
        """Return the shape that comes out, 0 or less where nothing is left."""
        shrink = len(self.filters) * (self.kernel - 1 - 2 * self.padding)
        sides = (0, 2 * self.pool_padding, 2 * self.pool_padding)
        frames, height, width = (
            (size - shrink + side) // pool if size > shrink else 0
            for size, side, pool in zip(shape, sides, self.pool, strict=True)
        )
        return frames, height, width

    def build(self, channels: int) -> nn.Sequential:
        """Return the layers for an input of so many channels, starting as He et al. (ICCV 2015)."""
        layers: list[nn.Module] = []
        for filters in self.filters:
            layer = nn.Conv3d(channels, filters, self.kernel, padding=self.padding)
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
            layers += [layer, nn.ReLU()]
            channels = filters
        if side := self.pool_padding:
            layers.append(nn.ZeroPad3d((side, side, side, side, 0, 0)))
        return nn.Sequential(*layers, nn.MaxPool3d(self.pool))


class Conv3D(VideoClassifier):
    """Blocks of convolutions, then dense layers; it takes frames only.

    Args:
        config (ModelConfig): its parameters; length and size of the clips among them.
        classes (Sequence[str]): names of the classes, in the order of the logits.
        num_features (int): width of the flattened output of the convolutions.

    Raises:
        ValueError: if the clips are too short or small for the pools.
    """

    plan: tuple[Block, ...]
    dense_sizes: tuple[int, ...]
    mean: Tensor
    std: Tensor

    def __init__(self, *, config: ModelConfig, classes: Sequence[str], num_features: int) -> None:
        super().__init__(config=config, classes=classes, num_features=num_features)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1))
        self.blocks = nn.ModuleList()
        channels = 3
        for block in self.plan:
            self.blocks.append(block.build(channels))
            channels = block.filters[-1]
        self.dense = DenseStack(
            in_features=num_features, sizes=self.dense_sizes, dropout=config.dropout
        )
        self.pool = POOLING[config.video_pooling](num_features=self.dense.out_features)
        self.logits = linear(self.dense.out_features, len(self.classes))

    @classmethod
    def feature_width(cls, config: ModelConfig) -> int:
        """Return the width of the flattened output of the convolutions.

        Raises:
            ValueError: if the clips are too short or small for the pools.
        """
        height, width = frame_size(config)
        frames, rows, columns = cls.shape((config.sequence_length, height, width))
        if min(frames, rows, columns) < 1:
            length, size, _ = cls.smallest()
            raise ValueError(
                f"{config.architecture} needs a sequence_length of at least {length} and a"
                f" frame_size of at least {(size, size)}, not {config.sequence_length} and"
                f" {(height, width)}: its pools would leave nothing"
            )
        return frames * rows * columns * cls.plan[-1].filters[-1]

    @classmethod
    def shape(cls, shape: Shape) -> Shape:
        """Return frames, height and width of the convolutions' output for clips of ``shape``."""
        for block in cls.plan:
            shape = block.shape(shape)
        return shape

    @classmethod
    def smallest(cls) -> Shape:
        """Return the smallest clips of which the pools leave something."""
        sizes = range(1, 1000)
        frames, height, width = (
            next(n for n in sizes if cls.shape((n, n, n))[axis] > 0) for axis in range(3)
        )
        return frames, height, width

    def forward(self, clips: Tensor | Windows) -> Tensor:
        """Return the logits of the classes.

        Args:
            clips (Tensor): RGB, shape ``[B, L, 3, H, W]``; uint8, or floating point from 0 to 1. Of
                a whole video, L are the frames of all its clips, one clip after the other.

        Returns:
            Tensor: shape ``[B, C]``.

        Raises:
            ValueError: if the shape is another one, as that of features is.
        """
        expected = [self.frames, 3, *frame_size(self.config)]
        shape = [] if isinstance(clips, Windows) else list(clips.shape)
        if len(shape) != 5 or shape[1:] != expected:
            raise ValueError(
                f"clips must be frames [B, {', '.join(map(str, expected))}],"
                f" not {shape or 'windows'}: {self.config.architecture} takes no features"
            )
        return super().forward(clips)

    def extract(self, clips: Tensor) -> Tensor:
        """Return the flattened output of the convolutions.

        Args:
            clips (Tensor): shape ``[B, L, 3, H, W]``.

        Returns:
            Tensor: shape ``[B, steps, F]``.
        """
        count = len(clips)
        clips = clips.flatten(0, 1).unflatten(0, (-1, self.config.sequence_length))
        if clips.dtype == torch.uint8:
            clips = clips.to(self.mean.dtype) / 255
        maps = ((clips - self.mean) / self.std).transpose(1, 2)
        for block in self.blocks:
            if self.config.gradient_checkpointing and self.training:
                maps = checkpoint(block, maps, use_reentrant=False)
            else:
                maps = block(maps)
        return maps.flatten(1).unflatten(0, (count, self.steps))

    def classify(self, features: Tensor) -> Tensor:
        """Return the logits of each clip.

        Args:
            features (Tensor): shape ``[B, steps, F]``.

        Returns:
            Tensor: shape ``[B, C]``.
        """
        return self.logits(self.pool(self.dense(features)))

    def weigh(self, features: Tensor) -> Tensor:
        """Return how much each step counts, arguments and shapes as ``VideoClassifier.weigh``."""
        return self.pool.shares(self.dense(features))


class C3D(Conv3D):
    """The published network: 78.0 million parameters for 2 classes and 16 frames of 112x112.

    Source: Tran et al., Learning spatiotemporal features with 3D convolutional networks, ICCV 2015.
    """

    plan = (
        Block(filters=(64,), padding=1, pool=(1, 2, 2)),
        Block(filters=(128,), padding=1, pool=(2, 2, 2)),
        Block(filters=(256, 256), padding=1, pool=(2, 2, 2)),
        Block(filters=(512, 512), padding=1, pool=(2, 2, 2)),
        Block(filters=(512, 512), padding=1, pool=(2, 2, 2), pool_padding=1),
    )
    dense_sizes = (4096, 4096)


class C3DSmall(Conv3D):
    """A tenth of C3D: 7.8 million parameters for 2 classes and 16 frames of 112x112."""

    plan = (
        Block(filters=(32,), pool=(1, 2, 2)),
        Block(filters=(64,), pool=(1, 2, 2)),
        Block(filters=(128, 128), pool=(1, 2, 2)),
        Block(filters=(256, 256), kernel=2, pool=(1, 2, 2)),
    )
    dense_sizes = (256, 128)
