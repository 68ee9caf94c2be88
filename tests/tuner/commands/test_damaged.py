"""Videos that decode in part, or not at all, in a whole search."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.damage import spoil


@pytest.mark.shared_cache
def test_videos_that_do_not_decode_are_listed(command, write_config, drawn, tmp_path, ray_session):
    lines = (drawn / "labels.csv").read_text().splitlines()
    folder = tmp_path / "videos"
    folder.mkdir()
    for video in drawn.iterdir():
        (folder / video.name).write_bytes(video.read_bytes())
    (folder / "broken[a].mp4").write_bytes((drawn / "a1.mp4").read_bytes()[:900])
    (folder / "unlabelled.mp4").write_bytes((drawn / "a1.mp4").read_bytes())
    spoil(folder / "a2.avi", 12)
    (folder / "labels.csv").write_text("\n".join([*lines, "broken[a],0,seal,train"]))
    path = write_config(
        data={"videos": str(folder), "labels": str(folder / "labels.csv")}, search={"trials": 1}
    )
    status, out, err = command("search", path)
    assert status == 0, err
    assert "left out: broken[a]: " in out
    assert "1 of 6 videos have no labels and are left out: unlabelled.mp4" in out
    assert "1 videos hold other frames than their files promise" in out
    assert "12 rows of its labels lie beyond its damage and are left out" in out
    assert "used in part: a2: damaged at 1.20 seconds" in out
    rejects = pd.read_csv(tmp_path / "runs" / "small" / "rejects.csv").set_index("video")
    assert rejects["declared"].to_dict() == {"broken[a]": 0, "a2": 24}
    assert rejects["used"].to_dict() == {"broken[a]": 0, "a2": 12}
    assert "opened" in rejects["reason"]["broken[a]"]
    status, out, err = command("search", path, "--set", "name=other", "--strict")
    assert status == 2 and "Traceback" not in out + err
    assert "broken[a].mp4 does not decode" in err and "a2.avi does not decode" in err
