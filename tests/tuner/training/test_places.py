"""Features less what is always at their place."""

import numpy as np
import pytest
import torch

from models.backbones.image import Output
from tuner.training.clips.backbone import OverPlaces


@pytest.mark.parametrize("count", [9, 64, 65, 200])
def test_what_is_always_at_a_place_is_gone_and_what_comes_by_stays(count):
    """Two features at three places: one place has much of a feature all the time, another once."""
    maps = np.zeros((count, 2, 3), np.float32)
    maps[:, 0, 1] = 5
    maps[count // 3, 1, 2] = 3
    maps[count // 3, 0, 1] = 9
    taken = []

    def run(numbers):
        taken.append(len(numbers))
        of_network = maps[numbers].max(axis=2)
        flat = maps[numbers].reshape(len(numbers), 6)
        return torch.from_numpy(np.concatenate([flat, of_network], axis=1))

    wanted = [
        Output("last", "max"),
        Output("last", "max", True),
        Output("last", "avg", True),
        Output("last", "local", True),
    ]
    over = OverPlaces(run, {Output("last", "none"): 6, wanted[0]: 2}, {"last": (2, 1, 3)}, wanted)
    batches = np.split(np.arange(count), range(7, count, 7))
    found = np.concatenate(list(over.features(lambda: iter(batches), count)))
    assert found.shape == (count, 8)
    assert sum(taken) == (count if count <= 64 else count + 64)
    other = np.delete(np.arange(count), count // 3)
    assert (found[other] == [5, 0, 0, 0, 0, 0, 0, 0]).all()
    # The places are a row of three, all of them neighbours of the one in the middle.
    assert np.allclose(found[count // 3], [9, 3, 4, 3, 4 / 3, 1, 4 / 3, 1])
