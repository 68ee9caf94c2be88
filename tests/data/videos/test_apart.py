"""A file that makes the decoder crash or hang takes nobody along."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from data.errors import VideoError
from data.videos.decode import measure, probe, read_frames, survey
from data.videos.decoding import apart
from tests.damage import spoil

pytestmark = pytest.mark.usefixtures("idle")


def test_a_file_that_makes_the_decoder_crash_is_told(harmful, make_video, tmp_path):
    good, bad = make_video(tmp_path / "v.mp4"), make_video(tmp_path / "crash.mp4")
    assert len(probe(good)) == 20
    with pytest.raises(VideoError, match=r"it makes the decoder fail \(SIGSEGV\)"):
        probe(bad)
    assert len(probe(good)) == 20


def test_a_file_on_which_the_decoder_hangs_is_told(harmful, make_video, tmp_path, monkeypatch):
    monkeypatch.setattr(apart, "_PATIENCE", 2.0)
    with pytest.raises(VideoError, match="no answer in"):
        probe(make_video(tmp_path / "hang.mp4"))


def test_a_file_that_makes_the_decoder_crash_after_damage_is_used_up_to_there(
    harmful, make_video, tmp_path
):
    bad = make_video(tmp_path / "beyond.avi", frames=60)
    spoil(bad, 30)
    found, whole = survey(bad), survey(bad.rename(tmp_path / "v.avi"))
    assert len(found.times) == 30 < len(whole.times)  # which goes on after damage
    for one in (found, whole):
        assert one.info is not None and (len(one.info), one.info.declared) == (30, 60)
        assert "damaged at 3.00 seconds" in one.info.damage


def test_who_decodes_for_long_is_waited_for_up_to_a_limit(
    harmful, make_video, tmp_path, monkeypatch
):
    probe(make_video(tmp_path / "v.mp4"))  # the process has started
    slow = probe(make_video(tmp_path / "slow.mp4", frames=40))
    monkeypatch.setattr(apart, "_PATIENCE", 1.0)
    monkeypatch.setattr(apart, "_SLOWEST", 100)  # bytes a second: the limit grows with the file
    assert len(measure(slow)) == 40
    monkeypatch.setattr(apart, "_SLOWEST", 1e9)
    with pytest.raises(VideoError, match=r"given up after 1 seconds, [1-9].% decoded"):
        measure(slow)


def test_who_asks_can_stop_a_decoder_that_says_nothing(harmful, make_video, tmp_path, monkeypatch):
    monkeypatch.setattr(apart, "_PATIENCE", 20.0)

    def stop(share: float) -> None:
        if (tmp_path / "hang.mp4.begun").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        survey(make_video(tmp_path / "hang.mp4"), on_share=stop)


def test_who_is_ended_by_the_system_does_not_blame_the_file(harmful, make_video, tmp_path):
    with pytest.raises(MemoryError, match="is memory short"):
        probe(make_video(tmp_path / "exit.mp4"))


def test_a_decoder_that_is_killed_is_replaced_and_no_frame_is_lost(
    idle, make_video, frame_number, tmp_path
):
    info = probe(make_video(tmp_path / "v.mp4", frames=300, size=(320, 640)))
    (decoder,) = idle._decoders
    numbers = []
    for frame in read_frames(info):
        if len(numbers) == 10:
            os.kill(decoder._process.pid, signal.SIGKILL)
        numbers.append(frame_number(frame))
    assert numbers == list(range(300))


def test_one_process_reads_one_video_after_the_other(idle, make_video, tmp_path):
    info = probe(make_video(tmp_path / "v.mp4", frames=60, size=(320, 640)))
    (decoder,) = idle._decoders
    for count in (0, 1, 30, 60):  # whoever wants no more stops it
        frames = read_frames(info)
        assert sum(1 for _ in zip(range(count), frames, strict=False)) == count
        frames.close()
    assert len(list(read_frames(info, np.arange(60) < 5))) == 5
    assert idle._decoders == [decoder]


def test_it_ends_with_the_process_that_it_decodes_for(tmp_path, make_video):
    path = make_video(tmp_path / "v.mp4")
    program = (
        "import sys, time; from pathlib import Path; from data.videos import decode\n"
        "from data.videos.decoding import apart\n"
        "decode.probe(Path(sys.argv[1]))\n"
        "print(apart._idle._decoders[0]._process.pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, cwd=apart._ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        decoder = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while Path(f"/proc/{decoder}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{decoder}").exists()
