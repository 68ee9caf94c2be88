"""A training that takes no time. Workers that run it import little: a module of its own."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ray import tune

EPOCHS = 9
BEST = 7  # the epoch; the last one is not the best
DIVERGES, RAISES = 2, 4  # numbers of trials


def value(params: dict[str, Any], epoch: int) -> float:
    """The toy's value: it rises until the best epoch, and depends on both parameters."""
    quality = 1 - (params["dropout"] - 0.2) ** 2 - params["layer_1_size"] / 1000
    return quality * (1 - abs(BEST - epoch) / 10)


class Toy(tune.Trainable):
    """A training that takes no time. It goes on from its own file, as a trial does, and keeps a log."""

    def setup(self, config: dict[str, Any], folder: Path, raises: bool) -> None:
        self.folder, self.raises = folder, raises
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.number, self.params = new_config["model_id"], new_config["params"]
        self.file, self.reported = self.folder / f"{self.number}.epoch", 0
        return True

    def step(self) -> dict[str, Any]:
        if self.number == RAISES and self.raises:
            raise RuntimeError("the toy broke")
        if self.number == DIVERGES:
            return {"failed": "loss is nan", "done": True}
        epoch = 1 + (int(self.file.read_text()) if self.file.exists() else 0)
        with (self.folder / "log").open("a") as log:
            log.write(f"{self.number} {epoch}\n")
        self.file.write_text(str(epoch))
        epochs = {e: value(self.params, e) for e in range(1, epoch + 1)}
        new = {e: v for e, v in epochs.items() if e > self.reported}
        self.reported, best = epoch, max(epochs.values())
        return {
            "epoch": epoch,
            "valid_f1": epochs[epoch],
            "best_value": best,
            "score": (best, 0.0),
            "finished": epoch == EPOCHS,
            "done": epoch == EPOCHS,
            "report": SimpleNamespace(epochs=new, summary={"epochs": epoch}),
        }

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        return {}

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None: ...
