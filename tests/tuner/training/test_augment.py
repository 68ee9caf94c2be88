"""Augmentation: exact where it can be, the same for a whole clip, and within its bounds."""

import pytest
import torch
from torchvision.transforms import functional as vision

from tuner.training.clips.augment import Augmentation, affine, recolour, resample

ALL = Augmentation(flip=True, rotation=20, shift=0.1, zoom=0.2, colour=0.3)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(count: int = 6, length: int = 3, height: int = 12, width: int = 16) -> torch.Tensor:
    """uint8 clips with their channels last in memory."""
    shape = (count, length, height, width, 3)
    clips = torch.randint(0, 256, shape, dtype=torch.uint8, generator=seeded(9))
    return clips.permute(0, 1, 4, 2, 3)


def moved(
    clips: torch.Tensor,
    *,
    flipped: bool = False,
    degrees: float = 0,
    shift: tuple[float, float] = (0, 0),
    zoom: float = 1,
) -> torch.Tensor:
    theta = affine(
        torch.tensor([flipped]).expand(len(clips)),
        degrees=torch.full((len(clips),), float(degrees)),
        shift=torch.tensor([shift], dtype=torch.float32).expand(len(clips), -1),
        zoom=torch.full((len(clips),), float(zoom)),
        size=(clips.shape[-2], clips.shape[-1]),
    )
    return resample(clips, theta)


def test_without_strengths_only_the_type_changes():
    clips = pictures()
    before = torch.get_rng_state()
    for augmentation in (Augmentation(), Augmentation(time_jitter=2)):
        assert torch.equal(augmentation.frames(clips), clips.float() / 255)
    assert torch.equal(torch.get_rng_state(), before)
    assert ALL.changes_images and not ALL.changes_time


def test_nothing_moves_by_nothing():
    clips = pictures().float() / 255
    torch.testing.assert_close(moved(clips), clips, rtol=0, atol=1e-4)
    torch.testing.assert_close(Augmentation(zoom=1e-9).frames(clips), clips, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("augmentation", "kinds"), [(Augmentation(flip=True), 2), (ALL, 8)])
def test_the_frames_of_a_clip_are_changed_alike_and_clips_are_not(augmentation, kinds):
    still = pictures(1, 1).expand(8, 4, -1, -1, -1)
    result = augmentation.frames(still, seeded())
    assert result.shape == still.shape and result.dtype == torch.float32
    assert torch.equal(result, result[:, :1].expand_as(result))
    different = {tuple(clip.flatten().tolist()) for clip in result}
    assert len(different) == kinds
    assert result.min() >= 0 and result.max() <= 1


def test_a_flip_is_exact_and_comes_half_of_the_time():
    clips = pictures(200, 2, 4, 6)
    result, plain = Augmentation(flip=True).frames(clips, seeded()), clips.float() / 255
    mirrored = (result == plain.flip(-1)).flatten(1).all(dim=1)
    untouched = (result == plain).flatten(1).all(dim=1)
    assert torch.equal(mirrored, ~untouched)
    assert 70 < int(mirrored.sum()) < 130
    torch.testing.assert_close(moved(plain, flipped=True), plain.flip(-1), rtol=0, atol=1e-4)


def test_a_quarter_turn_counterclockwise():
    clips = pictures(height=14, width=14).float() / 255
    expected = clips.rot90(1, dims=(-2, -1))
    torch.testing.assert_close(moved(clips, degrees=90), expected, rtol=0, atol=1e-4)


def test_a_rotation_keeps_angles_in_frames_that_are_not_square():
    clips = torch.zeros(1, 1, 3, 20, 41)
    clips[..., 9:11, 25:36] = 1  # a bar right of the centre
    # It stands above the centre now, from 4.5 pixels on; the sides are mirrored from beyond.
    result = moved(clips, degrees=90)[0, 0, 0, :, 10:31]
    lit = result > 0.01
    assert lit.any(dim=1).nonzero().flatten().tolist() == list(range(6))
    assert lit.any(dim=0).nonzero().flatten().tolist() == [9, 10, 11]


def test_a_shift_by_whole_pixels_and_its_mirrored_edge():
    clips = pictures(height=10, width=20).float() / 255
    result = moved(clips, shift=(0.2, -0.1))  # 2 down, 2 to the left
    inner = clips[..., :8, 2:]
    torch.testing.assert_close(result[..., 2:, :-2], inner, rtol=0, atol=1e-4)
    mirrored = clips[..., :2, 2:].flip(-2)
    torch.testing.assert_close(result[..., :2, :-2], mirrored, rtol=0, atol=1e-4)


def test_a_zoom_above_1_enlarges():
    clips = torch.zeros(1, 1, 3, 16, 16)
    clips[..., 6:10, 6:10] = 1
    assert float(moved(clips, zoom=2).sum()) == pytest.approx(4 * float(clips.sum()), rel=0.02)
    smaller = moved(clips, zoom=0.5)[..., 4:12, 4:12]  # around it its mirror images
    assert float(smaller.sum()) == pytest.approx(float(clips.sum()) / 4, rel=0.02)


def test_the_draws_stay_within_their_strengths():
    clips = torch.zeros(400, 1, 3, 21, 21)
    clips[..., 10, 10] = 1
    place = Augmentation(shift=0.2).frames(clips, seeded())[:, 0, 0]
    ramp = torch.arange(21.0) - 10
    for offsets in (
        (place.sum(dim=2) * ramp).sum(dim=1),
        (place.sum(dim=1) * ramp).sum(dim=1),
    ):
        assert -4.2001 <= offsets.min() < -3.8 and 3.8 < offsets.max() <= 4.2001
    grey = torch.full((400, 1, 3, 2, 2), 0.5)
    factors = Augmentation(colour=0.4).frames(grey, seeded())[:, 0, 0, 0, 0] * 2
    assert 0.5999 <= factors.min() < 0.62 and 1.38 < factors.max() <= 1.4001


@pytest.mark.parametrize("which", ["brightness", "contrast", "saturation"])
def test_colours_change_as_torchvision_changes_them(which):
    clips = 0.3 + 0.3 * pictures(2, 1).float() / 255
    factors = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0, which: 1.3}
    result = recolour(clips, **{name: torch.full((2,), value) for name, value in factors.items()})
    expected = getattr(vision, f"adjust_{which}")(clips, 1.3)
    torch.testing.assert_close(result, expected, rtol=0, atol=2e-4)


def test_contrast_is_that_of_the_whole_clip():
    clips = torch.tensor([0.2, 0.6]).view(1, 2, 1, 1, 1).expand(1, 2, 3, 4, 4)
    one = torch.ones(1)
    result = recolour(clips, one, 0.5 * one, one)[0, :, 0, 0, 0]
    assert result.tolist() == pytest.approx([0.3, 0.5], abs=1e-3)


def test_the_same_seed_gives_the_same_clips():
    clips = pictures()
    assert torch.equal(ALL.frames(clips, seeded(3)), ALL.frames(clips, seeded(3)))
    assert not torch.equal(ALL.frames(clips, seeded(3)), ALL.frames(clips, seeded(4)))
    torch.manual_seed(5)
    first = ALL.frames(clips)
    torch.manual_seed(5)
    assert torch.equal(ALL.frames(clips), first)


def test_memory_layout_and_input_do_not_matter():
    clips = pictures()
    expected = ALL.frames(clips, seeded())
    assert torch.equal(ALL.frames(clips.contiguous(), seeded()), expected)
    given = clips.float() / 255
    unchanged = given.clone()
    for augmentation in (ALL, Augmentation(flip=True), Augmentation(colour=0.5)):
        augmentation.frames(given, seeded())
        assert torch.equal(given, unchanged)
    for augmentation in (Augmentation(), ALL, Augmentation(flip=True), Augmentation(colour=0.5)):
        flat = augmentation.frames(clips, seeded()).flatten(0, 1)
        assert flat.is_contiguous(memory_format=torch.channels_last)


def test_bfloat16_is_placed_as_exactly_as_float32():
    clips = pictures(height=64, width=96).float() / 255
    expected = ALL.frames(clips.bfloat16().float(), seeded())
    result = ALL.frames(clips.bfloat16(), seeded())
    assert result.dtype == torch.bfloat16
    torch.testing.assert_close(result.float(), expected, rtol=0, atol=4e-3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = ALL.frames(clips, seeded())
    assert torch.equal(mixed, ALL.frames(clips, seeded()))


def test_a_view_is_one_draw_whatever_frames_come_together():
    frames = pictures(7, 1)[:, 0]
    view = ALL.transform(2)
    whole = view(frames)
    assert whole.shape == frames.shape and whole.dtype == torch.float32
    torch.testing.assert_close(torch.cat([view(frames[:3]), view(frames[3:])]), whole)
    torch.testing.assert_close(ALL.transform(2)(frames), whole)
    assert not torch.allclose(ALL.transform(3)(frames), whole)
    same = view(frames[:1].expand(4, -1, -1, -1))
    assert torch.equal(same, same[:1].expand_as(same))
    assert torch.equal(Augmentation().transform(0)(frames), frames.float() / 255)


def windows(count: int = 500, length: int = 6, stride: int = 3) -> torch.Tensor:
    last = torch.arange(count)[:, None] * 7 + 100
    return last + torch.arange(-(length - 1), 1) * stride


@pytest.mark.parametrize(
    "augmentation",
    [
        Augmentation(time_jitter=2),
        Augmentation(time_jitter=50),
        Augmentation(frame_drop=0.5),
        Augmentation(time_jitter=4, frame_drop=0.3),
    ],
)
def test_windows_stay_in_bounds_in_order_and_keep_the_labelled_frame(augmentation):
    index = windows()
    unchanged = index.clone()
    result = augmentation.windows(index, seeded())
    assert torch.equal(index, unchanged) and result.dtype == torch.int64
    assert torch.equal(result[:, -1], index[:, -1])
    assert (result.diff(dim=1) >= 0).all()
    assert (result >= index[:, :1]).all() and (result <= index[:, -1:]).all()
    assert torch.equal(result, augmentation.windows(index, seeded()))
    changes = result - index
    assert changes.any() and not torch.equal(changes[0], changes[1])


def test_time_jitter_reaches_as_far_as_asked():
    index = windows(stride=10)
    changes = Augmentation(time_jitter=2).windows(index, seeded()) - index
    assert changes[:, 1:-1].unique().tolist() == [-2, -1, 0, 1, 2]
    assert changes[:, 0].unique().tolist() == [0, 1, 2]  # nothing before the clip


def test_dropped_frames_show_the_one_before():
    index = torch.tensor([[1, 4, 7, 10]])
    assert Augmentation(frame_drop=1).windows(index).tolist() == [[1, 1, 1, 10]]
    result = Augmentation(frame_drop=0.25).windows(windows(), seeded())
    share = (result.diff(dim=1)[:, :-1] == 0).float().mean()
    assert float(share) == pytest.approx(0.25, abs=0.03)


def test_windows_without_strengths_or_room():
    index = windows()
    assert torch.equal(ALL.windows(index), index)
    both = Augmentation(time_jitter=3, frame_drop=0.5)
    assert torch.equal(both.windows(index[:, -1:]), index[:, -1:])
    start = torch.zeros(2, 5, dtype=torch.int64)
    assert torch.equal(both.windows(start), start)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("rotation", 181), ("shift", -0.1), ("zoom", 1.0), ("colour", -1)),
        *(("time_jitter", -1), ("frame_drop", 1.1), ("zoom", float("nan"))),
    ],
)
def test_strengths_out_of_range_are_named(name, value):
    with pytest.raises(ValueError, match=name):
        Augmentation(**{name: value})


def test_of_few_views_every_other_one_is_mirrored():
    frames = torch.arange(12, dtype=torch.uint8).reshape(1, 1, 3, 4).expand(1, 3, 3, 4)
    plain = frames.float() / 255
    for seed in range(1, 7):
        found = Augmentation(flip=True).transform(seed)(frames)
        assert torch.equal(found, plain.flip(-1) if seed % 2 else plain)
