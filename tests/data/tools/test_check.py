"""``python -m data check``: what it finds in videos, labels and splits, and what it writes."""

from __future__ import annotations

import csv
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest

from data.files.path import S3Path
from data.tools.checking.measure import jumps
from data.tools.drawing import sample
from data.tools.drawing.sample import draw_video
from data.videos.decoding import apart
from tests.conftest import FOLDER, draw_number
from tests.damage import spoil
from tests.data.files.remote import put

SIZE = (64, 128)


def draw(path: Path, pictures: Iterable[tuple[float, np.ndarray]]) -> Path:
    """A video of pictures, each with the second at which it is shown."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for second, image in pictures:
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = round(second * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def numbered(seconds: Iterable[float]) -> list[tuple[float, np.ndarray]]:
    return [(second, draw_number(number, SIZE)) for number, second in enumerate(seconds)]


def found(out: str) -> str:
    """What is said, in one line, whatever the width of the terminal."""
    return " ".join(out.split())


def test_a_folder_in_which_all_is_well(tool, tmp_path: Path, make_video):
    make_video(tmp_path / "v" / "a.mp4")
    make_video(tmp_path / "v" / "site" / "b.avi", numbers=[*range(5, 20)])
    status, out, err = tool("check", tmp_path / "v", "--out", tmp_path / "out")
    assert (status, err) == (0, "")
    assert "checked 2 videos: 0 wrong, 0 to look at" in out
    assert "site/b.avi" in (tmp_path / "out" / "check.html").read_text()
    assert not (tmp_path / "out" / "rejects.csv").exists()


def listed(folder: Path) -> dict[str, dict[str, str]]:
    """The rows of a ``rejects.csv``, by their video."""
    with (folder / "rejects.csv").open() as file:
        return {row["video"]: row for row in csv.DictReader(file)}


def test_what_does_not_decode_is_listed_with_its_reason(tool, tmp_path: Path, make_video):
    whole = make_video(tmp_path / "v" / "a.avi", frames=150)
    content = whole.read_bytes()
    (tmp_path / "v" / "cut.avi").write_bytes(content[: len(content) * 2 // 3])
    (tmp_path / "v" / "text.mp4").write_text("no video")
    (tmp_path / "v" / "empty.mov").touch()
    status, out, _ = tool("check", tmp_path / "v", "--out", tmp_path / "out")
    assert status == 1 and "checked 4 videos: 3 wrong" in out
    rows = listed(tmp_path / "out")
    assert "0 bytes" in rows["empty.mov"]["reason"] and rows["empty.mov"]["used"] == "0"
    assert "can't be opened" in rows["text.mp4"]["reason"]
    cut = rows["cut.avi"]
    assert (cut["declared"], cut["ends"]) == ("150", "15.0")
    part = f"{cut['used']} of 150 frames, to {float(cut['until']):.2f} of 15.00 seconds"
    told = f"wrong: used in part: {cut['reason']}; {part}"
    assert f"cut.avi mpeg4 128x32 10 {cut['used']} {told}" in found(out)
    assert 80 < int(cut["used"]) < 120 and len(rows) == 3


def test_all_damage_is_named_and_what_is_used_ends_before_the_first(
    tool, tmp_path: Path, make_video
):
    spoil(make_video(tmp_path / "v" / "a.avi", frames=60), 20)
    spoil(tmp_path / "v" / "a.avi", 50)
    _, out, _ = tool("check", tmp_path / "v", "--out", tmp_path / "out")
    assert "20 of 60 frames, to 2.00 of 6.00 seconds; does not decode for" in found(out)
    assert "0:01.9 to 0:02." in found(out) and "0:04.9 to 0:05." in found(out)
    assert "frames after the first damage decode, and are not used" in found(out)
    words = (tmp_path / "v", "--out", tmp_path / "out")
    (tmp_path / "labels.csv").write_text("video,label\na,x\n")
    (tmp_path / "c.yaml").write_text(
        f"data: {{videos: {words[0]}, labels: {tmp_path / 'labels.csv'}, damaged: leave_out}}\n"
    )
    _, out, _ = tool("check", tmp_path / "c.yaml", "--out", tmp_path / "out")
    assert "wrong: left out: damaged at 2.00 seconds" in found(out)
    assert "labels without frames: video 'a' has labels, and is left out: damaged" in found(out)
    assert listed(tmp_path / "out")["a.avi"]["used"] == "0"


def test_a_crash_or_a_hang_of_a_decoder_ends_no_check(
    tool, tmp_path: Path, make_video, harmful, monkeypatch
):
    for name in ("a", "crash", "hang", "z"):
        make_video(tmp_path / "v" / f"{name}.mp4", frames=3)
    monkeypatch.setattr(apart, "_PATIENCE", 3.0)
    status, out, _ = tool("check", tmp_path / "v", "--out", tmp_path / "out")
    assert status == 1 and "checked 4 videos: 2 wrong" in out
    rows = listed(tmp_path / "out")
    assert "it makes the decoder fail (SIGSEGV)" in rows["crash.mp4"]["reason"]
    assert "it makes the decoder fail (no answer in 3 seconds)" in rows["hang.mp4"]["reason"]


def test_ctrl_c_ends_a_check_at_once_and_all_that_it_started(tmp_path: Path, make_video):
    make_video(tmp_path / "v" / "a.mp4")
    hangs = make_video(tmp_path / "v" / "hang.mp4")
    program = (
        "import sys; from data.videos.decoding import apart; from tests.data.conftest import HARMFUL\n"
        "from data.__main__ import main; apart._PROGRAM = HARMFUL; sys.exit(main(sys.argv[1:]))"
    )
    words = [sys.executable, "-c", program, "check", str(tmp_path / "v"), "--out", str(tmp_path)]
    with subprocess.Popen(words, cwd=apart._ROOT, stdout=subprocess.DEVNULL) as command:
        deadline = time.monotonic() + 60
        while not Path(f"{hangs}.begun").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        started = [
            int(number)
            for task in Path(f"/proc/{command.pid}/task").iterdir()
            for number in (task / "children").read_text().split()
        ]
        command.send_signal(signal.SIGINT)
        assert command.wait(60) == 130
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{one}").exists() for one in started) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert started and not [one for one in started if Path(f"/proc/{one}").exists()]


def test_variable_rates_and_clocks_that_jump(tool, tmp_path: Path):
    draw(tmp_path / "v" / "even.mp4", numbered(np.arange(22) / 10))
    draw(tmp_path / "v" / "variable.mp4", numbered(np.arange(21) ** 1.3 / 10))
    times = np.arange(20) / 10 + np.where(np.arange(20) > 9, 60, 0)
    draw(tmp_path / "v" / "jump.mkv", numbered(times))
    _, out, _ = tool("check", tmp_path / "v", "--out", tmp_path / "out")
    assert found(out).count("variable rate") == 1
    assert "the clock jumps by +60.1 s after 0:00.9" in found(out)
    assert "even.mp4" not in out


@pytest.mark.parametrize(
    ("times", "wanted"),
    [
        ([0, 0.1, 0.2, 0.3], []),
        ([0, 0.2, 0.1, 0.3], []),  # in the order of decoding
        ([0, 0.1, 0.2, 9.2, 9.3], [(0.2, 9.0)]),
        ([100, 100.1, 100.2, 0, 0.1], [(100.2, -100.2)]),
        ([0, 60, 120, 180, 2000], [(180, 1820)]),  # a picture a minute
        ([0], []),
    ],
)
def test_jumps(times: list[float], wanted: list[tuple[float, float]]):
    assert jumps(np.array(times)) == [pytest.approx(pair) for pair in wanted]


def test_black_and_frozen_stretches(tool, tmp_path: Path):
    black, still = np.zeros((*SIZE, 3), np.uint8), draw_number(0b1010110011110000, SIZE)
    moving = [draw_number(number, SIZE) for number in range(200, 220)]
    pictures = [*moving, *[black] * 30, *moving, *[still] * 40, *moving]
    draw(tmp_path / "v" / "a.mp4", [(number / 10, one) for number, one in enumerate(pictures)])
    _, out, _ = tool("check", tmp_path / "v", "--out", tmp_path / "out")
    assert "the picture is black for 3.0 s: 0:02.0 to 0:05.0" in found(out)
    assert "does not change for 4.0 s: 0:07.0 to 0:11.0" in found(out)


def test_copies_and_the_same_pictures_in_another_container(tool, tmp_path: Path, make_video):
    one = make_video(tmp_path / "v" / "a.mp4")
    shutil.copy(one, tmp_path / "v" / "copy.mp4")
    make_video(tmp_path / "v" / "other.mp4", numbers=[*range(1, 21)])
    source, target = av.open(str(one)), av.open(str(tmp_path / "v" / "z.mkv"), "w")
    with source, target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    _, out, _ = tool("check", tmp_path / "v", "--out", tmp_path / "out")
    assert "the same pictures in different files: a.mp4, copy.mp4, z.mkv" in found(out)
    (tmp_path / "v" / "z.mkv").unlink()
    _, out, _ = tool("check", tmp_path / "v", "--out", tmp_path / "out")
    assert "copies of one file: a.mp4, copy.mp4" in found(out)


def test_of_many_findings_of_a_kind_the_terminal_shows_some_and_how_many_more(
    tool, tmp_path: Path, make_video
):
    for number in range(12):
        one = make_video(tmp_path / "v" / f"{number}.avi", numbers=[number, number + 1])
        shutil.copy(one, tmp_path / "v" / f"{number}_again.avi")
    _, out, _ = tool("check", tmp_path / "v", "--out", tmp_path / "out")
    lines = out.splitlines()
    assert sum("duplicates: copies of one file: " in line for line in lines) == 10
    assert "and 2 more of duplicates, in the page" in lines
    page = (tmp_path / "out" / "check.html").read_text()
    assert page.count("copies of one file: ") == 12


def test_images_that_are_damaged_and_missing(tool, tmp_path: Path, make_video):
    make_video(tmp_path / "v.mp4", frames=12)
    tool("extract", tmp_path / "v.mp4", "--out", tmp_path / "v", "--format", "png")
    (tmp_path / "v" / "v" / "v_00004.png").unlink()
    (tmp_path / "v" / "v" / "v_00008.png").write_bytes(b"no image")
    status, out, _ = tool("check", tmp_path / "v", "--out", tmp_path / "out")
    assert status == 1
    # As in a search, which uses all of a folder's images or none.
    assert "left out: image v_00008.png can't be read" in found(out)
    assert "does not decode for 0.1 s: 0:00.7 to 0:00.8" in found(out)
    (tmp_path / "v" / "v" / "v_00008.png").unlink()
    status, out, _ = tool("check", tmp_path / "v", "--out", tmp_path / "out")
    assert status == 0
    assert "2 images are missing, after v_00003.png, v_00007.png" in found(out)


# The command


def test_a_dry_run_says_how_many_and_how_long(tool, tmp_path: Path, make_video):
    for name in "abcd":
        make_video(tmp_path / "v" / f"{name}.mp4")
    status, out, _ = tool("check", tmp_path / "v", "--dry-run", "--out", tmp_path / "out")
    assert status == 0 and "4 videos, " in out and "time here, about: 0:01" in out
    assert not (tmp_path / "out").exists()


def test_help_has_examples(tool):
    _, out, _ = tool("check", "--help")
    assert "examples:" in out and "python -m data check VIDEOS --dry-run" in out


def test_a_drawn_set_by_its_name(tool, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(sample, "draw_video", lambda *which: islice(draw_video(*which), 0, 40, 10))
    status, out, err = tool("check", "sample", "--out", tmp_path)
    assert status == 0, out + err
    assert "checked 14 videos: 0 wrong" in out


def test_videos_on_s3(tool, tmp_path: Path, make_video, s3):
    put(S3Path("lab", "check"), "site/a.mp4", make_video(tmp_path / "a.mp4").read_bytes())
    put(S3Path("lab", "check"), "b.mp4", b"no video")
    put(S3Path("lab", "check"), "labels.csv", b"video,label\na,x\nb,y\n")
    words = ("--labels", "s3://lab/check/labels.csv", "--out", tmp_path / "out")
    status, out, err = tool("check", "s3://lab/check", *words)
    assert status == 1, err
    assert "checked 2 videos: 2 wrong" in out and "it can't be opened as a video" in found(out)
    assert "site/a.mp4" in (tmp_path / "out" / "check.html").read_text()


# The real files


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the shared real videos are absent")
@pytest.mark.parametrize("labels", ["labels.csv", "labels_intervals.csv"])
def test_the_real_seals(tool, seals: Path, tmp_path: Path, labels: str):
    status, out, _ = tool("check", seals, "--labels", seals / labels, "--out", tmp_path)
    assert status == 0 and "checked 3 videos: 0 wrong" in out


def test_every_real_file_is_read_or_refused_as_the_manifest_says(
    tool, damaged_videos: Path, tmp_path: Path
):
    tool("check", damaged_videos, "--out", tmp_path)
    rows = listed(tmp_path)
    with (damaged_videos / "manifest.csv").open() as file:
        for row in csv.DictReader(file):
            if int(row["frames_pyav"] or 0) == 0:
                assert rows[row["file"]]["used"] == "0"
            elif row["frames_declared"] == row["frames_pyav"] and not row["pyav_error"]:
                assert row["file"] not in rows
            elif row["file"] in rows:
                assert rows[row["file"]]["used"] == row["frames_pyav"]
