"""Several models of one architecture in one, such as those of cross-validation."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from models.architectures.base import VideoClassifier
from models.layers.windows import Windows
from models.registry import REGISTRY


class Mixture(VideoClassifier):
    """Answers with the mean of its members' probabilities, as logits of it, or as `refit` does.

    Members have the same configuration and classes, and normalise features themselves. They have no
    backbone: one is shared, and its features are the same for all. Where whole networks are trained,
    there is one member, and `answering` is what predicts.

    Args:
        members (Sequence[VideoClassifier]): one or more.
        refit (VideoClassifier | None): trained on all that the members have learnt from, each a part
            of it: it answers in their place. None: they answer together.
    """

    def __init__(
        self, members: Sequence[VideoClassifier], refit: VideoClassifier | None = None
    ) -> None:
        first = members[0]
        for other in [*members, *([refit] if refit else [])]:
            if (other.config, other.classes) != (first.config, first.classes):
                raise ValueError("models that answer together must have one configuration")
            if other.backbone is not None and (len(members) > 1 or refit is None):
                raise ValueError("models that answer together share one backbone, and have none")
        super().__init__(
            config=first.config, classes=first.classes, num_features=first.num_features
        )
        self.members = nn.ModuleList(members)
        self.refit = refit

    @property
    def asked(self) -> list[VideoClassifier]:
        """The models whose mean it answers with."""
        return members(self) if self.refit is None else [self.refit]

    def classify(self, features: Tensor) -> Tensor:
        """Return logits of the members' mean probabilities; shapes as of the base class."""
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
        each = [member.weigh(member.norm(features)) for member in self.asked]
        told = [weights for weights in each if weights is not None]
        return torch.stack(told).mean(dim=0) if told else None

    def _mean(self, logits: Callable[[VideoClassifier], Tensor]) -> Tensor:
        each = torch.stack([logits(member) for member in self.asked])
        if (
            self.config.task == "multilabel"
        ):  # means of yes and of no; how many there are cancels out
            return nn.functional.logsigmoid(each).logsumexp(dim=0) - nn.functional.logsigmoid(
                -each
            ).logsumexp(dim=0)
        return each.log_softmax(dim=2).logsumexp(dim=0) - math.log(len(each))


def members(model: VideoClassifier) -> list[VideoClassifier]:
    """Return the models of a mixture, without `refit`; a model of another kind is the only one."""
    return list(model.members) if isinstance(model, Mixture) else [model]  # type: ignore[arg-type]


def answering(model: VideoClassifier) -> VideoClassifier:
    """Return the part of a mixture that answers, if each trains its whole network; else the model."""
    refit = model.refit if isinstance(model, Mixture) else None
    return model if refit is None or REGISTRY[model.config.architecture].frozen else refit
