"""Our loop over time against PyTorch's own layers: values, gradients, and shared steps."""

import pytest
import torch
from torch import nn

import models
from models import ModelConfig
from models.layers.recurrence import run
from models.layers.windows import Windows

KINDS = (nn.LSTM, nn.GRU, nn.RNN)
INDEX = torch.tensor([[0, 0, 1, 2], [1, 2, 3, 4], [2, 3, 4, 5]])


def gradients(layer: nn.Module, output: torch.Tensor, *others: torch.Tensor) -> list[torch.Tensor]:
    torch.manual_seed(1)
    weighted = (output * torch.randn(output.shape)).sum()
    return list(torch.autograd.grad(weighted, [*layer.parameters(), *others]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("length", [1, 5])
def test_it_is_the_layer_of_pytorch(kind: type, bidirectional: bool, length: int) -> None:
    torch.manual_seed(0)
    layer = kind(7, 6, batch_first=True, bidirectional=bidirectional)
    steps = torch.randn(4, length, 7, requires_grad=True)
    theirs, ours = layer(steps)[0], run(layer, steps)
    torch.testing.assert_close(ours, theirs)
    for mine, other in zip(
        gradients(layer, ours, steps), gradients(layer, theirs, steps), strict=True
    ):
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("kind", KINDS)
def test_steps_that_clips_share_are_as_if_each_had_its_own(kind: type) -> None:
    torch.manual_seed(0)
    layer = kind(7, 6, batch_first=True, bidirectional=True)
    frames = torch.randn(6, 7)
    apart, shared = run(layer, frames[INDEX]), run(layer, frames, INDEX)
    torch.testing.assert_close(shared, apart)
    for mine, other in zip(gradients(layer, shared), gradients(layer, apart), strict=True):
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_is_near(kind: type) -> None:
    torch.manual_seed(0)
    layer, steps = kind(32, 16, batch_first=True), torch.randn(4, 5, 32)
    exact = run(layer, steps)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = run(layer, steps)
    assert rounded.dtype == torch.float32  # only the products are rounded
    torch.testing.assert_close(rounded, exact, atol=0.03, rtol=0.05)
    pairs = zip(gradients(layer, rounded), gradients(layer, exact), strict=True)
    assert all((a - b).norm() < 0.05 * b.norm() for a, b in pairs)


@pytest.mark.parametrize(
    "options",
    [
        {"architecture": "video_mlp_concat"},
        *(
            {"architecture": "video_lrcnn_frozen", "sequence_model": name, "layer_2_size": 8}
            for name in ("LSTM", "GRU", "SimpleRNN", "Convolution1D", "Transformer", "MeanPooling")
        ),
    ],
)
def test_windows_are_clips(options: dict) -> None:
    config = ModelConfig(
        sequence_length=4, layer_1_size=8, pretrained_model_name="efficientnet_lite0", **options
    )
    model = models.build(config, ["a", "b"], with_backbone=False).eval()
    frames = torch.randn(6, model.num_features)
    model.norm.fit(frames.mean(0), frames.std(0))
    torch.testing.assert_close(
        model(Windows(frames, INDEX)), model(frames[INDEX]), atol=1e-5, rtol=1e-4
    )
    with pytest.raises(ValueError, match="windows must be over"):
        model(Windows(frames, INDEX[:, 1:]))
