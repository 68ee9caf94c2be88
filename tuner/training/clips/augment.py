"""Augmentation of clips: everything is drawn once a clip, so that its frames stay one scene."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor

from tuner.config.parameters import TrainingConfig

# Red, green and blue in the grey of ITU-R BT.601, as torchvision rounds them.
_GREY = (0.2989, 0.587, 0.114)
# Flip, angle, shift down, shift right, zoom, brightness, contrast, saturation.
_DRAWS = 8


@dataclass(frozen=True)
class Augmentation:
    """How much clips are changed, at most; a strength of 0 leaves them as they are.

    Attributes:
        flip: mirror half of the clips, left to right.
        rotation: degrees, either way, 0 to 180.
        shift: share of the height and of the width, either way, 0 to 1.
        zoom: scale from ``1 - zoom`` to ``1 + zoom``, uniform in its logarithm; below 1.
        colour: brightness, contrast and saturation by factors in ``1 ± colour``, as torchvision's
            ColorJitter does in this order, but contrast about the clip's mean, and clamped once.
        time_jitter: frames by which each step but the last moves, either way.
        frame_drop: probability of each step but the first and last to show the step before it.

    Raises:
        ValueError: a strength is out of its range.
    """

    flip: bool = False
    rotation: float = 0.0
    shift: float = 0.0
    zoom: float = 0.0
    colour: float = 0.0
    time_jitter: int = 0
    frame_drop: float = 0.0

    def __post_init__(self) -> None:
        limits = {"rotation": 180.0, "shift": 1.0, "zoom": 1.0, "frame_drop": 1.0}
        for name in ("rotation", "shift", "zoom", "colour", "time_jitter", "frame_drop"):
            value, limit = getattr(self, name), limits.get(name, math.inf)
            if not 0 <= value <= limit or (name == "zoom" and value == 1):
                below = "below 1" if name == "zoom" else f"at most {limit:g}"
                raise ValueError(f"{name} has to be at least 0 and {below}, and is {value}")

    @property
    def changes_images(self) -> bool:
        """Whether `frames` changes anything."""
        return self.flip or self._moves or self.colour > 0

    @property
    def changes_time(self) -> bool:
        """Whether `windows` changes anything."""
        return self.time_jitter > 0 or self.frame_drop > 0

    @property
    def _moves(self) -> bool:
        return self.rotation > 0 or self.shift > 0 or self.zoom > 0

    def frames(self, clips: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Change the pictures of clips, on their device.

        Args:
            clips: ``[B, L, 3, H, W]``, uint8 or floating point from 0 to 1, in any memory format;
                not changed itself.
            generator: where the draws come from, on any device; None for PyTorch's own.

        Returns:
            the same shape, from 0 to 1: float32, or the type of floating-point clips.
        """
        draws = _uniform((len(clips), _DRAWS), generator) if self.changes_images else None
        return self._apply(clips, draws)

    def transform(self, seed: int) -> Callable[[Tensor], Tensor]:
        """A view: a function that changes every frame ``[n, 3, H, W]`` by the same draw of `frames`.

        What it makes of a frame does not depend on the other frames. Views are few: with `flip`, those
        of odd seeds are mirrored, and no others.
        """
        draws = _view(seed)
        draws[:, 0] = float(seed % 2 == 0)  # below a half: mirrored

        def view(frames: Tensor) -> Tensor:
            return self._apply(frames.unsqueeze(1), draws.expand(len(frames), -1)).squeeze(1)

        return view

    def unlike_before(self, seed: int) -> bool:
        """Whether `transform` makes another view than version 0.1, which mirrored by chance, did."""
        return self.flip and bool(_view(seed)[0, 0] < 0.5) != (seed % 2 == 1)

    def windows(self, index: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Move and repeat steps of clips; the last step, which the label is of, stays.

        Args:
            index: ``[M, L]`` int64, frame numbers, rising or equal along each row.
            generator: as for `frames`.

        Returns:
            ``[M, L]``, rising or equal, between the first and last number of the row.
        """
        if not self.changes_time or index.shape[1] < 2:
            return index
        earlier, last = index[:, :-1], index[:, -1:]
        draws = _uniform((2, *earlier.shape), generator).to(index.device)
        if self.time_jitter:
            choices = 2 * self.time_jitter + 1
            moved = earlier + (draws[0] * choices).long() - self.time_jitter
            earlier = moved.maximum(index[:, :1]).minimum(last).sort(dim=1).values
        if self.frame_drop:
            # A dropped step shows the last frame that was not dropped.
            dropped = draws[1] < self.frame_drop
            earlier = torch.where(dropped, earlier[:, :1], earlier).cummax(dim=1).values
        return torch.cat([earlier, last], dim=1)

    def _apply(self, clips: Tensor, draws: Tensor | None) -> Tensor:
        """`clips` changed by `draws` ``[B, 8]`` from 0 to 1."""
        if clips.is_floating_point():
            pictures, result_type = clips, clips.dtype
        else:
            pictures, result_type = clips.to(torch.float32).div_(255), torch.float32
        if draws is None or not self.changes_images or clips.numel() == 0:
            return pictures
        flipped = (draws[:, 0] < 0.5) if self.flip else torch.zeros(len(draws), dtype=torch.bool)
        pictures = pictures.float()
        if self._moves:
            low, high = math.log1p(-self.zoom), math.log1p(self.zoom)
            theta = affine(
                flipped,
                degrees=(draws[:, 1] * 2 - 1) * self.rotation,
                shift=(draws[:, 2:4] * 2 - 1) * self.shift,
                zoom=(low + draws[:, 4] * (high - low)).exp(),
                size=(clips.shape[-2], clips.shape[-1]),
            )
            pictures = resample(pictures, theta)
        elif self.flip:
            # The draws are on the CPU, so this does not wait for a GPU.
            which = flipped.nonzero().flatten().to(clips.device)
            pictures = pictures.clone() if pictures is clips else pictures
            pictures[which] = pictures[which].flip(-1)
        if self.colour:
            low, high = max(0.0, 1 - self.colour), 1 + self.colour
            factors = low + draws[:, 5:8] * (high - low)
            pictures = recolour(pictures, *factors.to(clips.device).unbind(dim=1))
        return pictures.to(result_type)


def _view(seed: int) -> Tensor:
    return _uniform((1, _DRAWS), torch.Generator().manual_seed(seed))


def augmentation(config: TrainingConfig) -> Augmentation:
    """The augmentation among the parameters of a training."""
    return Augmentation(**{f.name: getattr(config, f.name) for f in fields(Augmentation)})


def affine(
    flipped: Tensor, *, degrees: Tensor, shift: Tensor, zoom: Tensor, size: tuple[int, int]
) -> Tensor:
    """Where each pixel comes from, if clips are mirrored, then scaled, rotated and shifted.

    Args:
        flipped: bool ``[B]``.
        degrees: ``[B]``, counterclockwise about the centre.
        shift: ``[B, 2]``, down and right, shares of the height and the width.
        zoom: ``[B]``, above 1 enlarges.
        size: height and width in pixels: angles are kept whatever their ratio is.

    Returns:
        ``[B, 2, 3]``, as `torch.nn.functional.affine_grid` takes it.
    """
    height, width = size
    angle = torch.deg2rad(degrees)
    cos, sin = angle.cos() / zoom, angle.sin() / zoom
    right = torch.stack([cos, -sin * (height / width)], dim=1)
    right = torch.where(flipped[:, None], -right, right)
    linear = torch.stack([right, torch.stack([sin * (width / height), cos], dim=1)], dim=1)
    # Coordinates run from -1 to 1: the whole width is 2. No matrix product: autocast rounds those.
    offset = (linear * (-2 * shift.flip(-1))[:, None]).sum(dim=2, keepdim=True)
    return torch.cat([linear, offset], dim=2)


def resample(clips: Tensor, theta: Tensor) -> Tensor:
    """Float clips ``[B, L, 3, H, W]`` through `theta` ``[B, 2, 3]``, mirrored beyond their edges.

    The result has its channels last in memory.
    """
    count, length, _, height, width = clips.shape
    # The frames of a clip become channels of one picture, so that one grid serves them all.
    folded = clips.flatten(1, 2)
    # Under autocast the grid would be bfloat16, which tells only 256 places apart.
    with torch.autocast(clips.device.type, enabled=False):
        grid = F.affine_grid(
            theta.to(clips.device, clips.dtype), list(folded.shape), align_corners=False
        )
        moved = F.grid_sample(
            folded, grid, mode="bilinear", padding_mode="reflection", align_corners=False
        )
    pictures = moved.view(count * length, 3, height, width)
    return pictures.contiguous(memory_format=torch.channels_last).unflatten(0, (count, length))


def recolour(clips: Tensor, brightness: Tensor, contrast: Tensor, saturation: Tensor) -> Tensor:
    """Float clips ``[B, L, 3, H, W]`` with their colours changed by factors, each ``[B]``.

    Brightness blends with black, then contrast with the mean grey of the clip, then saturation
    with the grey of each pixel. All three are linear, so they are one step here.
    """
    brightness, contrast, saturation = (
        factor.view(-1, 1, 1, 1, 1) for factor in (brightness, contrast, saturation)
    )
    red, green, blue = clips.split(1, dim=2)
    grey = _GREY[0] * red + _GREY[1] * green + _GREY[2] * blue
    mean = grey.mean(dim=(1, 2, 3, 4), keepdim=True)
    scale = brightness * contrast
    common = grey * (scale * (1 - saturation)) + mean * (brightness * (1 - contrast))
    return (clips * (scale * saturation)).add_(common).clamp_(0, 1)


def _uniform(shape: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
    """Draws from 0 to 1, on the CPU, so that a seed gives the same ones for every device."""
    device = "cpu" if generator is None else generator.device
    return torch.rand(shape, generator=generator, device=device).cpu()
