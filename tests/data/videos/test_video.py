"""One video file: how many frames, which, when they are shown, and what is said of damaged ones."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from data.errors import VideoError
from data.videos.decode import measure, probe, read_frames
from data.videos.decoding.measure import look
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
UNREADABLE = {  # why
    "zero_bytes.mp4": "the file is empty (0 bytes)",
    "text_not_video.mp4": "can't be opened as a video (Invalid data",
    "truncated_half.mp4": "can't be opened as a video (Invalid data",
    "bipbop_audioinit.mp4": "no video stream",
}
DAMAGED = {  # frames declared, seconds that are used
    "bitflips_middle.mp4": (254, 4.2),
    "corrupted.mp4": (50, 2.8),
    "no_timescale.mp4": (182, 8 / 2500 * 83),
}


@pytest.fixture
def manifest(damaged_videos: Path) -> dict[str, dict[str, str]]:
    with (damaged_videos / "manifest.csv").open(encoding="utf-8") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


def _pyav_frames(path: Path) -> Iterator[np.ndarray]:
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1  # else memory shines through
        for frame in container.decode(video=0):
            turns = 0 if abs(frame.rotation) > 360 else round(frame.rotation / 90)  # a damaged one
            yield np.rot90(frame.to_ndarray(format="rgb24"), k=turns)


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
        # 10 bits are rounded to 8 in two ways.
        allowed = 4 if "10bits" in name else 0
        assert np.abs(ours[::5].astype(np.int16) - theirs[::5]).mean() <= allowed, f"frame {seen}"
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
    with pytest.raises(VideoError) as caught:
        probe(damaged_videos / name)
    assert UNREADABLE[name] in str(caught.value)


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_used_up_to_the_damage(
    name: str, damaged_videos: Path, manifest: dict[str, dict[str, str]]
) -> None:
    count, (declared, seconds) = int(manifest[name]["frames_pyav"]), DAMAGED[name]
    info = probe(damaged_videos / name)
    if not info.measured:  # its packets look right
        seen = []
        with pytest.raises(VideoError, match="does not decode to its end"):
            seen.extend(frame.copy() for frame in read_frames(info))
        assert len(seen) <= count
        info = measure(info)
    assert (len(info), info.declared) == (count, declared)
    assert info.duration == pytest.approx(seconds, abs=0.01)
    assert info.damage.startswith(f"damaged at {seconds:.2f} seconds")
    theirs = itertools.islice(_pyav_frames(damaged_videos / name), count)
    for ours, their in zip(read_frames(info), theirs, strict=True):
        assert np.array_equal(ours, their)


@pytest.mark.parametrize(
    "suffix",
    [".mp4", ".mov", ".avi", ".wmv", ".mpg", ".vob", ".webm", ".mkv", ".ts", ".mts", ".m2ts"]
    + [".flv", ".h264"],
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


def test_fewer_frames_than_declared_are_damage(tmp_path: Path, make_video: MakeVideo) -> None:
    path = make_video(tmp_path / "v.mp4", frames=8)
    info = VideoInfo(path, np.arange(20) / 10, 10, 128, 32)
    frames = read_frames(info)
    for _ in range(8):
        next(frames)
    with pytest.raises(VideoError, match="only 8 of its 20 frames decode"):
        next(frames)


def test_fractional_rates(tmp_path: Path, make_video: MakeVideo) -> None:
    info = probe(make_video(tmp_path / "v.mp4", frames=30, fps=9.2))
    assert info.fps == pytest.approx(9.2)
    assert info.times == pytest.approx(np.arange(30) / 9.2, abs=1e-3)


def test_frames_that_are_not_wanted_are_left_out(
    make_video: MakeVideo, frame_number: FrameNumber, tmp_path: Path
) -> None:
    info = probe(make_video(tmp_path / "v.mp4", frames=40))
    wanted = np.arange(40) % 7 == 3
    numbers = [frame_number(frame) for frame in read_frames(info, wanted)]
    assert numbers == np.flatnonzero(wanted).tolist()


def test_a_frame_stays_as_it_is_for_as_long_as_somebody_holds_it(
    make_video: MakeVideo, frame_number: FrameNumber, tmp_path: Path
) -> None:
    """Though memory is used again for frames that nobody holds."""
    info = probe(make_video(tmp_path / "v.mp4", frames=200, size=(320, 640)))
    held = {}
    for number, frame in enumerate(read_frames(info)):
        if number % 3 == 0:
            held[number] = frame[::2]  # a view of a view
    assert all(frame_number(np.repeat(view, 2, axis=0)) == number for number, view in held.items())


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
    path = make_video(tmp_path / "video.mp4")

    def fail(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(av, "open", fail)
    with pytest.raises(VideoError, match=r"^it can't be opened as a video \(.+\)$"):
        look(path)
