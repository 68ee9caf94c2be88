"""The videos that the check makes are read, and one that is not read right is told."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

import data.videos.decode
from data.errors import VideoError
from tuner.diagnosis import decoders
from tuner.diagnosis.finding import Asked


@pytest.mark.parametrize(("kind", "ending", "encoder"), decoders.KINDS)
def test_each_kind_is_read(kind, ending, encoder, tmp_path: Path):
    if encoder not in av.codecs_available and not encoder.startswith("lib"):
        pytest.skip(f"PyAV has no {encoder} here")
    path = tmp_path / f"video{ending}"
    decoders.encode(path, encoder)
    assert decoders.unlike(path) is None


def test_frames_that_are_missing_or_others_are_told(tmp_path, monkeypatch):
    path = tmp_path / "video.mp4"
    decoders.encode(path, "libx264")
    frames = list(data.videos.decode.read_frames(data.videos.decode.probe(path)))
    monkeypatch.setattr("data.videos.decode.read_frames", lambda info: iter(frames[1:]))
    assert decoders.unlike(path) == "23 of 24 frames"
    monkeypatch.setattr("data.videos.decode.read_frames", lambda info: iter([frames[0]] * 24))
    assert decoders.unlike(path) == "the frames are not those that were written"


@pytest.mark.parametrize("error", [VideoError("decord can't open it"), OSError("no libavcodec")])
def test_a_decoder_that_fails_is_wrong_if_none_is_left(monkeypatch, error):
    def fail(path):
        raise error

    monkeypatch.setattr("data.videos.decode.probe", fail)
    findings = list(decoders.decoders(Asked()))
    assert {f.state for f in findings} == {"wrong"} and len(findings) == len(decoders.KINDS)
    assert str(error) in findings[0].found and "pip install" in findings[0].advice


def test_one_kind_that_fails_is_a_warning(monkeypatch):
    real = decoders.unlike
    monkeypatch.setattr(
        decoders, "unlike", lambda path: "3 of 24 frames" if path.suffix == ".asf" else real(path)
    )
    warned, fine = decoders.decoders(Asked())
    assert (warned.state, fine.state) == ("warning", "ok")
    assert "asf (WMV2) is not read right: 3 of 24 frames" in warned.found
    assert "mp4 (H.264)" in fine.found and "asf" not in fine.found


def test_an_encoder_that_is_absent_is_no_fault(monkeypatch):
    monkeypatch.setattr(decoders, "KINDS", (*decoders.KINDS[:1], ("xyz", ".mp4", "nothing")))
    (fine,) = decoders.decoders(Asked())
    assert fine.state == "ok" and "not tried, as nothing here can make them: xyz" in fine.found
