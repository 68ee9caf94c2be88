"""The plain peer of `benchmarks.peers`: every clip decoded and passed through the backbone each time.

It runs one epoch of one trial on one thread; `benchmarks.peers` scales that to all.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from decord import VideoReader
from torch import nn
from torch.utils.data import ConcatDataset, DataLoader, Dataset

from benchmarks.scripts.common import BATCH, SIZE, Head, backbone, splits, windows


class Clips(Dataset):
    """Clips of one video, read at random."""

    def __init__(self, path: Path, labels) -> None:
        self.path, self.labels, self.index = path, labels, windows(len(labels))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, number: int):
        reader = VideoReader(str(self.path), width=SIZE, height=SIZE, num_threads=1)
        frames = reader.get_batch(self.index[number].tolist()).asnumpy()
        return torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 127.5 - 1, self.labels[number]


def main(videos: str, labels: str) -> None:
    torch.set_num_threads(1)
    network, head = backbone(), Head("LSTM", 256)
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-3)

    def logits(clips: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            features = network(clips.flatten(0, 1)).unflatten(0, clips.shape[:2])
        return head(features)

    files = splits(Path(videos), Path(labels))
    loaders = {
        split: DataLoader(
            ConcatDataset([Clips(*file) for file in labelled]), BATCH, shuffle=split == "train"
        )
        for split, labelled in files.items()
    }
    for clips, classes in loaders["train"]:
        loss = nn.functional.cross_entropy(logits(clips), classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.inference_mode():
        for clips, _ in loaders["valid"]:
            logits(clips)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
