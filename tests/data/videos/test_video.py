"""One video file: how many frames, which, when they are shown, and what is said of damaged ones."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

import data.videos.decode
from data.errors import VideoError
from data.videos.decode import probe, read_frames
from data.videos.info import VideoInfo

MakeVideo = Callable[..., Path]
FrameNumber = Callable[[np.ndarray], int]

READABLE = {  # height and width, upright
    "unordered.mov": (50, 50),
    "video_180.mov": (320, 568),
    "video_90.mov": (568, 320),
    "nasa_13013_rotated.mp4": (480, 270),
    "test_non_zero_start.mp4": (112, 200),
    "h264_10bits.mp4": (200, 200),
    "mjpeg.avi": (240, 320),
    "mpeg4.avi": (240, 320),
    "wmv2.wmv": (240, 320),
    "mpeg1.mpg": (240, 320),
    "mpeg2.ts": (240, 320),
    "discard_first_keyframe.mp4": (64, 64),
    "hevc.mp4": (240, 320),
    "vp9.webm": (240, 320),
    "av1.mp4": (240, 320),
    "h264_odd_322x242.mp4": (242, 322),
    "h264_444_321x241.mp4": (241, 321),
    "h264_gray.mp4": (240, 320),
    "h264_longgop_bframes.mp4": (240, 320),
    "h264_portrait_180x320.mp4": (320, 180),
    "h264_vfr.mp4": (240, 320),
    "h264_1fps.mp4": (240, 320),
    "h264_one_frame.mp4": (240, 320),
    "truncated_half.avi": (240, 320),
    "truncated.webm": (240, 320),
    "UPPER CASE with spaces é中.MP4": (240, 320),
}
UNREADABLE = {  # when it shows, and why
    "zero_bytes.mp4": ("open", "the file is empty (0 bytes)"),
    "text_not_video.mp4": ("open", "can't be opened as a video (Invalid data"),
    "truncated_half.mp4": ("open", "can't be opened as a video (Invalid data"),
    "bipbop_audioinit.mp4": ("open", "no video stream"),
    "bitflips_middle.mp4": ("read", "does not decode to its end (254 frames declared)"),
    "corrupted.mp4": ("read", "does not decode to its end (50 frames declared)"),
    "no_timescale.mp4": ("read", "does not decode to its end"),
}


@pytest.fixture
def manifest(damaged_videos: Path) -> dict[str, dict[str, str]]:
    with (damaged_videos / "manifest.csv").open(encoding="utf-8") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


def _pyav_frames(path: Path) -> Iterator[np.ndarray]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield np.rot90(frame.to_ndarray(format="rgb24"), k=round(frame.rotation / 90))


@pytest.mark.parametrize("name", READABLE)
def test_every_frame_of_a_readable_file(
    name: str, damaged_videos: Path, manifest: dict[str, dict[str, str]]
) -> None:
    """As many as there are, upright, and the same ones that PyAV gives from start to end."""
    path, count = damaged_videos / name, int(manifest[name]["frames_pyav"])
    info = probe(path)
    assert (info.height, info.width) == READABLE[name]
    frames = read_frames(info)
    seen = 0
    for ours, theirs in itertools.zip_longest(frames, _pyav_frames(path)):
        assert ours is not None and theirs is not None, f"frame {seen} is on one side alone"
        assert ours.dtype == np.uint8
        assert ours.shape == theirs.shape == (*READABLE[name], 3)
        # 10 bits are rounded to 8 in two ways; all others are equal but for single pixels.
        allowed = 4 if "10bits" in name else 0.1
        assert np.abs(ours[::5].astype(np.int16) - theirs[::5]).mean() < allowed, f"frame {seen}"
        seen += 1
    assert seen == len(info) == count


@pytest.mark.parametrize("name", READABLE)
def test_times_start_at_0_and_increase(name: str, damaged_videos: Path) -> None:
    info = probe(damaged_videos / name)
    assert info.times[0] == 0
    assert (np.diff(info.times) > 0).all()
    assert info.duration > info.times[-1]
    with av.open(str(info.path)) as container:
        shown = np.array([float(frame.time) for frame in container.decode(video=0)])
    assert info.times == pytest.approx(shown - shown[0], abs=1e-3)


@pytest.mark.parametrize("name", UNREADABLE)
def test_why_a_file_is_not_readable(name: str, damaged_videos: Path) -> None:
    stage, reason = UNREADABLE[name]
    if stage == "open":
        with pytest.raises(VideoError) as caught:
            probe(damaged_videos / name)
    else:
        info = probe(damaged_videos / name)
        with pytest.raises(VideoError) as caught:
            list(read_frames(info))
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "suffix",
    [".mp4", ".mov", ".avi", ".wmv", ".mpg", ".webm", ".mkv", ".ts", ".mts", ".m2ts"],
)
def test_frames_come_in_order_in_every_container(
    suffix: str, tmp_path: Path, make_video: MakeVideo, frame_number: FrameNumber
) -> None:
    info = probe(make_video(tmp_path / f"v{suffix}", frames=60, fps=25))
    assert [frame_number(frame) for frame in read_frames(info)] == list(range(60))
    assert info.times == pytest.approx(np.arange(60) / 25, abs=1e-6)
    assert info.duration == pytest.approx(60 / 25)


def test_frames_cut_by_an_edit_list_are_not_there(damaged_videos: Path) -> None:
    info = probe(damaged_videos / "discard_first_keyframe.mp4")
    assert len(list(read_frames(info))) == len(info) == 25


@pytest.mark.parametrize("options", [{"g": "12"}, {"g": "12", "bf": "2"}], ids=["ip", "ipb"])
@pytest.mark.parametrize("codec", ["mpeg2video", "libx264", "libx265"])
def test_a_transport_stream_begins_where_it_decodes(
    codec: str,
    options: dict[str, str],
    tmp_path: Path,
    make_video: MakeVideo,
    frame_number: FrameNumber,
) -> None:
    path = make_video(tmp_path / "v.ts", frames=60, fps=25, codec=codec, options=options)
    info = probe(path)
    assert [frame_number(frame) for frame in read_frames(info)] == list(range(60))
    assert info.times == pytest.approx(np.arange(60) / 25, abs=1e-6)
    # Cut anywhere, as broadcasts and cameras that write in pieces do: 188 bytes are a packet.
    content = path.read_bytes()
    path.write_bytes(content[len(content) // 188 // 4 * 188 :])
    info = probe(path)
    numbers = [frame_number(frame) for frame in read_frames(info)]
    assert numbers[0] in (12, 24)  # a key frame
    assert numbers == list(range(numbers[0], 60))
    assert info.times == pytest.approx(np.arange(len(numbers)) / 25, abs=1e-6)


def test_transport_streams_one_after_the_other_in_a_file(
    tmp_path: Path, make_video: MakeVideo, frame_number: FrameNumber
) -> None:
    """Their clocks overlap; neither frames nor times do."""
    first = make_video(tmp_path / "a.ts", numbers=list(range(5, 30)), fps=25)
    second = make_video(tmp_path / "b.ts", frames=5, fps=25)
    (path := tmp_path / "c.ts").write_bytes(first.read_bytes() + second.read_bytes())
    info = probe(path)
    numbers = [frame_number(frame) for frame in read_frames(info)]
    assert numbers == [*range(5, 30), *range(5)]
    assert info.times == pytest.approx(np.arange(30) / 25)


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".wmv"])
@pytest.mark.parametrize("channel", [0, 1, 2])
def test_channels_are_red_green_blue(
    suffix: str, channel: int, tmp_path: Path, make_video: MakeVideo
) -> None:
    colour = tuple(255 * (index == channel) for index in range(3))
    info = probe(make_video(tmp_path / f"v{suffix}", frames=2, fps=25, colour=colour))
    for frame in read_frames(info):
        means = frame.mean(axis=(0, 1))
        assert means[channel] > 220
        assert np.delete(means, channel).max() < 40


def test_channels_are_red_green_blue_where_pyav_reads(
    tmp_path: Path, make_video: MakeVideo
) -> None:
    path = make_video(tmp_path / "v.mp4", frames=2, colour=(255, 0, 0))
    info = VideoInfo(path, np.arange(2) / 10, 10, 128, 32, "pyav")
    for frame in read_frames(info):
        assert frame.mean(axis=(0, 1)).argmax() == 0


@pytest.mark.parametrize(
    "name",
    ["video_90.mov", "video_180.mov", "nasa_13013_rotated.mp4"]
    + ["mpeg1.mpg", "test_non_zero_start.mp4", "h264_vfr.mp4", "h264_longgop_bframes.mp4"],
)
def test_what_decord_does_not_open_is_the_same_by_pyav(
    name: str, damaged_videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(path: Path) -> None:
        raise VideoError("decord can't open it")

    by_decord = probe(damaged_videos / name)
    frames = list(read_frames(by_decord))
    monkeypatch.setattr(data.videos.decode, "_open_decord", closed)
    info = probe(damaged_videos / name)
    assert (by_decord.decoder, info.decoder) == ("decord", "pyav")
    assert (info.height, info.width, len(info)) == (*READABLE[name], len(frames))
    assert info.times == pytest.approx(by_decord.times, abs=1e-3)
    for ours, theirs in zip(read_frames(info), frames, strict=True):
        assert np.abs(ours.astype(np.int16) - theirs).mean() < 0.1


def test_fewer_frames_than_declared_are_damage(tmp_path: Path, make_video: MakeVideo) -> None:
    path = make_video(tmp_path / "v.mp4", frames=8)
    info = VideoInfo(path, np.arange(20) / 10, 10, 128, 32, "pyav")
    frames = read_frames(info)
    for _ in range(8):
        next(frames)
    with pytest.raises(VideoError, match="only 8 of its 20 frames decode"):
        next(frames)


def test_fractional_rates(tmp_path: Path, make_video: MakeVideo) -> None:
    info = probe(make_video(tmp_path / "v.mp4", frames=30, fps=9.2))
    assert info.fps == pytest.approx(9.2)
    assert info.times == pytest.approx(np.arange(30) / 9.2, abs=1e-3)


def test_decord_which_decodes_ahead_without_limit_reads_what_fits_into_memory(
    make_video, tmp_path, monkeypatch
):
    path = make_video(tmp_path / "video.mp4", frames=20, size=(64, 128))
    monkeypatch.setattr(data.videos.decode, "_DECORD_HOLDS", 20 * 64 * 128 * 3)
    assert probe(path).decoder == "decord"
    monkeypatch.setattr(data.videos.decode, "_DECORD_HOLDS", 20 * 64 * 128 * 3 - 1)
    info = probe(path)
    assert info.decoder == "pyav" and len(list(read_frames(info))) == 20


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_both_decoders_give_the_same_frames(make_video, tmp_path, suffix):
    info = probe(make_video(tmp_path / f"video{suffix}", size=(66, 130)))
    assert info.decoder == "decord"
    by_pyav = list(read_frames(replace(info, decoder="pyav")))  # each in memory of its own
    pairs = zip(read_frames(info), by_pyav, strict=True)
    assert all(np.array_equal(one, other) for one, other in pairs)


def test_a_size_that_changes_within_the_file(
    make_video: MakeVideo, frame_number: FrameNumber, tmp_path: Path
) -> None:
    sizes = [(32, 128), (64, 256)]
    parts = [make_video(tmp_path / f"{size[0]}.ts", frames=8, size=size) for size in sizes]
    path = tmp_path / "both.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    frames = list(read_frames(probe(path)))
    assert [frame.shape[:2] for frame in frames] == [size for size in sizes for _ in range(8)]
    assert [frame_number(frame) for frame in frames] == [*range(8), *range(8)]


def test_frames_with_an_alpha_channel_are_rgb(tmp_path: Path) -> None:
    path = tmp_path / "alpha.mov"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=10)
        stream.width, stream.height, stream.pix_fmt = 24, 32, "rgba"
        image = np.full((32, 24, 4), (200, 100, 50, 255), np.uint8)
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgba")))
        container.mux(stream.encode())
    frames = list(read_frames(probe(path)))
    assert [frame.shape for frame in frames] == [(32, 24, 3)] * 3
    assert np.array_equal(frames[0], image[:, :, :3])


@pytest.mark.parametrize(
    "error", [AttributeError("width"), IndexError(""), MemoryError(), ValueError("a\nb")]
)
def test_whatever_a_decoder_raises_is_the_video_s_error(
    make_video, tmp_path, monkeypatch, error
) -> None:
    info = probe(make_video(tmp_path / "video.mp4"))

    def fail(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(data.videos.decode, "_open_decord", fail)
    with pytest.raises(VideoError, match="does not decode to its end"):
        list(read_frames(info))
    assert probe(info.path).decoder == "pyav"
    monkeypatch.setattr(av, "open", fail)
    with pytest.raises(VideoError, match=r"^it can't be opened as a video \(.+\)$"):
        probe(info.path)
