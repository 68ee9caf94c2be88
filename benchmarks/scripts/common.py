"""What the peers of `benchmarks.peers` share: the data as a script would read it, and its model.

Nothing here uses the project: these are what a user would write with PyTorch, timm and decord alone.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import timm
import torch
from decord import VideoReader
from torch import Tensor, nn

LENGTH, BATCH, SIZE = 5, 32, 224
CELLS = {"LSTM": nn.LSTM, "GRU": nn.GRU, "SimpleRNN": nn.RNN}


def decode(path: Path) -> np.ndarray:
    """uint8 ``[N, H, W, 3]``, resized by the decoder."""
    reader = VideoReader(str(path), width=SIZE, height=SIZE)
    return np.stack([reader.next().asnumpy() for _ in range(len(reader))])


def splits(videos: Path, labels: Path) -> dict[str, list[tuple[Path, np.ndarray]]]:
    """For train and valid: each video's path, and the class of every frame."""
    table = pd.read_csv(labels)
    by_split: dict[str, list[tuple[Path, np.ndarray]]] = {"train": [], "valid": []}
    for (name, split), rows in table.groupby(["video", "split"]):
        if split in by_split:
            (path,) = videos.glob(f"{name}.*")
            by_split[split].append((path, (rows["label"] == "seal").to_numpy(np.int64)))
    return by_split


def windows(count: int) -> Tensor:
    """Frame numbers ``[N, LENGTH]`` of the clips that end at each frame."""
    return (torch.arange(count)[:, None] + torch.arange(1 - LENGTH, 1)).clamp(min=0)


def backbone() -> nn.Module:
    """An untrained mobilenetv2 up to its last feature map, pooled over it."""
    torch.manual_seed(0)
    return timm.create_model("mobilenetv2_100", num_classes=0, global_pool="max").eval()


def features(network: nn.Module, frames: np.ndarray) -> Tensor:
    """float32 ``[N, 1280]``."""
    parts = []
    with torch.inference_mode():
        for start in range(0, len(frames), BATCH):
            images = torch.from_numpy(frames[start : start + BATCH]).permute(0, 3, 1, 2)
            parts.append(network(images.float() / 127.5 - 1))
    return torch.cat(parts).clone()


class Head(nn.Module):
    """One recurrent layer and the logits."""

    def __init__(self, cell: str, size: int) -> None:
        super().__init__()
        self.cell = CELLS[cell](1280, size, batch_first=True)
        self.dropout, self.logits = nn.Dropout(0.2), nn.Linear(size, 2)

    def forward(self, clips: Tensor) -> Tensor:
        return self.logits(self.dropout(self.cell(clips)[0][:, -1]))


def extract(videos: Path, labels: Path) -> dict[str, tuple[Tensor, Tensor]]:
    """Clips ``[M, L, F]`` and labels of each split, from the files."""
    network = backbone()
    by_split = {}
    for split, files in splits(videos, labels).items():
        clips, classes = [], []
        for path, labelled in files:
            frames = features(network, decode(path))[: len(labelled)]
            clips.append(frames[windows(len(labelled))])
            classes.append(torch.from_numpy(labelled))
        by_split[split] = (torch.cat(clips), torch.cat(classes))
    return by_split


def epoch(model: nn.Module, optimizer: torch.optim.Optimizer, data: dict) -> float:
    """Train one epoch; returns the validation accuracy."""
    clips, labels = data["train"]
    model.train()
    for which in torch.randperm(len(labels)).split(BATCH):
        loss = nn.functional.cross_entropy(model(clips[which]), labels[which])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    model.eval()
    clips, labels = data["valid"]
    with torch.inference_mode():
        return float((model(clips).argmax(dim=1) == labels).float().mean())
