"""Dense layers and the normalisation of features."""

import pytest
import torch
from torch import nn

from models.layers.dense import DenseStack, FeatureNorm


@pytest.mark.parametrize(
    ("sizes", "width", "layers"), [((5, 4, 3), 3, 3), ((5, 0, 0), 5, 1), ((0, 0, 0), 6, 0)]
)
def test_a_layer_for_each_size_that_is_not_0(
    sizes: tuple[int, int, int], width: int, layers: int
) -> None:
    dense = DenseStack(in_features=6, sizes=sizes, dropout=0.1)
    assert dense.out_features == width
    assert dense(torch.randn(2, 6)).shape == (2, width)
    for kind in (nn.Linear, nn.ReLU, nn.Dropout):
        assert sum(isinstance(module, kind) for module in dense) == layers


def test_norm_does_nothing_before_it_is_fitted() -> None:
    features = torch.randn(2, 3, 4)
    assert torch.equal(FeatureNorm(num_features=4)(features), features)


def test_norm_brings_features_to_mean_0_and_deviation_1_at_most() -> None:
    features = torch.randn(500, 5) * torch.tensor([1.0, 2.0, 50.0, 0.0, 1e-4]) + 7
    for scale, wanted in (("own", [1, 1, 1, 0, 1e-3]), ("common", [0.5, 1, 1, 0, 5e-5])):
        norm = FeatureNorm(num_features=5, feature_scale=scale)
        norm.fit(features.mean(0), features.std(0))
        output = norm(features)
        assert torch.allclose(output.mean(0), torch.zeros(5), atol=1e-2)
        assert output.std(0).tolist() == pytest.approx(wanted, rel=0.15)


@pytest.mark.parametrize(("scale", "wanted"), [("own", [1, 1, 10]), ("common", [0.5, 0.5, 0.5])])
def test_norm_keeps_a_feature_that_hardly_varied_from_outweighing_all_others(scale, wanted) -> None:
    norm = FeatureNorm(num_features=3, feature_scale=scale)
    norm.fit(torch.zeros(3), torch.tensor([1.0, 1.0, 1e-5]))
    assert norm(torch.ones(3)).tolist() == pytest.approx(wanted)


def test_norm_of_what_never_varies_only_centres() -> None:
    norm = FeatureNorm(num_features=2)
    norm.fit(torch.ones(2), torch.tensor([0.0, 1e-9]))  # the second is rounding
    assert norm(torch.tensor([1.0, 3.0])).tolist() == [0.0, 2.0]


def test_features_that_are_constant_but_for_rounding_do_not_make_the_scale() -> None:
    norm = FeatureNorm(num_features=4, feature_scale="common")
    norm.fit(torch.zeros(4), torch.tensor([1.0, 1e-9, 1e-9, 1e-9]))
    assert norm(torch.ones(4)).tolist() == [0.5] * 4


def test_norm_is_saved_but_not_trained() -> None:
    norm = FeatureNorm(num_features=2)
    assert not list(norm.parameters())
    norm.fit(torch.tensor([1.0, 2.0]), torch.tensor([2.0, 0.0]))
    other = FeatureNorm(num_features=2)
    other.load_state_dict(norm.state_dict())
    assert other(torch.tensor([3.0, 4.0])).tolist() == pytest.approx([1.0, 10.0])


def test_norm_takes_stored_half_precision() -> None:
    assert FeatureNorm(num_features=2)(torch.ones(1, 2, dtype=torch.float16)).dtype == torch.float32


@pytest.mark.parametrize(
    ("mean", "message"), [([1.0], r"\[2\], not \[1\]"), ([1.0, float("nan")], "1 non-finite")]
)
def test_norm_refuses_what_does_not_fit(mean: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FeatureNorm(num_features=2).fit(torch.tensor(mean), torch.ones(2))
