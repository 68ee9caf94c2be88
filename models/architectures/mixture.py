"""Several models of one architecture that answer together, such as those of cross-validation."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from models.architectures.base import VideoClassifier
from models.layers.windows import Windows


class Mixture(VideoClassifier):
    """Answers with the mean of its members' probabilities, as their logarithms.

    Members have the same configuration and classes, and normalise features themselves. They have no
    backbone: one is shared, and its features are the same for all.

    Args:
        members (Sequence[VideoClassifier]): one or more.
    """

    def __init__(self, members: Sequence[VideoClassifier]) -> None:
        first = members[0]
        for other in members:
            if (other.config, other.classes) != (first.config, first.classes):
                raise ValueError("models that answer together must have one configuration")
            if other.backbone is not None:
                raise ValueError("models that answer together share one backbone, and have none")
        super().__init__(
            config=first.config, classes=first.classes, num_features=first.num_features
        )
        self.members = nn.ModuleList(members)

    def classify(self, features: Tensor) -> Tensor:
        """Return the log of the members' mean probabilities; shapes as of the base class."""
        return self._mean(lambda member: member.classify(member.norm(features)))

    def classify_windows(self, windows: Windows) -> Tensor:
        """Return the same of windows; each member normalises their features."""
        return self._mean(
            lambda member: member.classify_windows(
                Windows(member.norm(windows.features), windows.index)
            )
        )

    def alone(self, features: Tensor) -> Tensor:
        """Return the same of each step by itself."""
        return self._mean(lambda member: member.alone(member.norm(features)))

    def weigh(self, features: Tensor) -> Tensor | None:
        """Return the mean of the members' weights, if they tell them."""
        each = [member.weigh(member.norm(features)) for member in members(self)]
        told = [weights for weights in each if weights is not None]
        return torch.stack(told).mean(dim=0) if told else None

    def _mean(self, logits: Callable[[VideoClassifier], Tensor]) -> Tensor:
        each = torch.stack([logits(member).log_softmax(dim=1) for member in members(self)])
        return each.logsumexp(dim=0) - math.log(len(each))


def members(model: VideoClassifier) -> list[VideoClassifier]:
    """Return the models that answer together; a model of another kind answers alone."""
    return list(model.members) if isinstance(model, Mixture) else [model]  # type: ignore[arg-type]
