"""Label files by their grammar: right ones mean what they say, and one odd thing is told."""

from __future__ import annotations

import csv
import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import DataError
from data.labels.file import LabelFile, read_labels
from data.labels.spelling import meant
from data.labels.table import expand
from data.videos.info import VideoInfo
from data.videos.times import nearest_frames
from data.videos.video import Video
from tests.fuzz.drawn import few, many

NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]),
    min_size=1,
    max_size=8,
).filter(lambda text: text == text.strip())
SEPARATORS = st.sampled_from([",", ";", "\t"])
Rows = list[dict[str, str]]


def video(name: str, frames: int, fps: float) -> Video:
    info = VideoInfo(Path(name), np.arange(frames) / fps, fps, 64, 48, "pyav")
    return Video(name, info, None, "identity")


@st.composite
def frame_rows(draw: st.DrawFn) -> Rows:
    keys = st.tuples(NAMES, st.integers(0, 2**40))
    keys_of_all = draw(st.lists(keys, min_size=1, max_size=8, unique=True))
    return [{"video": v, "frame": str(frame), "label": draw(NAMES)} for v, frame in keys_of_all]


@st.composite
def range_rows(draw: st.DrawFn) -> Rows:
    """Ranges of one video in milliseconds; some touch the one before."""
    rows, end = [], 0
    for _ in range(draw(st.integers(1, 6))):
        start = end + draw(st.sampled_from([0, 0, 1, 40, 1001]))
        end = start + draw(st.integers(1, 5000))
        bounds = {"time_start": f"{start / 1000:.3f}", "time_end": f"{end / 1000:.3f}"}
        rows.append({"video": "a", **bounds, "label": draw(NAMES)})
    return rows


@st.composite
def video_rows(draw: st.DrawFn) -> Rows:
    videos = draw(st.lists(NAMES, min_size=1, max_size=8, unique=True))
    return [{"video": name, "label": draw(NAMES)} for name in videos]


ANY = st.one_of(frame_rows(), range_rows(), video_rows())


def written(rows: Rows, separator: str = ",", end: str = "\n") -> bytes:
    file = io.StringIO()
    writer = csv.DictWriter(
        file, list(rows[0]), delimiter=separator, quoting=csv.QUOTE_ALL, lineterminator=end
    )
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("labels") / "labels.csv"


def read(path: Path, content: bytes) -> LabelFile:
    path.write_bytes(content)
    return read_labels(path)


@few
@given(
    rows=ANY,
    separator=SEPARATORS,
    end=st.sampled_from(["\n", "\r\n"]),
    mark=st.sampled_from([b"", b"\xef\xbb\xbf"]),
)
def test_what_is_written_is_read(path, rows, separator, end, mark) -> None:
    file = read(path, mark + written(rows, separator, end))
    assert file.problems == []
    wanted = sorted((row["video"], meant(row["label"])) for row in rows)
    found = zip(file.rows["video"], map(meant, file.rows["label"]), strict=True)
    assert sorted(found) == wanted
    spellings = {row["label"] for row in rows}
    assert set(file.rows["label"]) <= spellings
    assert file.rows["label"].nunique() == len({meant(label) for label in spellings})
    if file.form == "frame":
        assert file.rows["frame"].tolist() == [int(row["frame"]) for row in rows]
    if file.form == "range":
        assert file.rows["time_start"].tolist() == [float(row["time_start"]) for row in rows]


ODD = {
    "frame": ["-1", "1.5", "1e3", "nan", "9" * 400, "x", "\uff11", "9007199254740993", "1_000"],
    "time_end": ["0", "-1", "nan", "inf", "1e400", "9" * 400 + ":00:00", "0:61", "x"],
    "label": [""],
    "video": [""],
}


@few
@given(rows=ANY, data=st.data())
def test_one_odd_cell_is_told_with_its_row(path, rows: Rows, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.sampled_from([name for name in rows[0] if name in ODD]))
    rows[number][column] = data.draw(st.sampled_from(ODD[column]))
    told = [problem for problem in read(path, written(rows)).problems if "overlap" not in problem]
    assert len(told) == 1 and f"labels.csv, row {number + 2}: " in told[0] and len(told[0]) < 2500


@few
@given(rows=ANY, cells=st.integers(1, 3), data=st.data())
def test_cells_without_a_name_are_told(path, rows: Rows, cells: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(1, len(rows)))
    lines = written(rows).decode().split("\n")
    lines[number] += ",x" * cells
    problems = read(path, "\n".join(lines).encode()).problems
    assert any(f"row {number + 1}: more cells" in problem for problem in problems)


FPS = st.sampled_from([5.0, 25.0, 29.97, 30000 / 1001, 59.94, 7.3])


@few
@given(fps=FPS, frames=st.integers(2, 500), data=st.data())
def test_ranges_that_touch_share_no_frame_and_leave_none_out(path, fps, frames, data) -> None:
    clip = video("a", frames, fps)
    inner = data.draw(st.lists(st.integers(1, 1000 * frames), max_size=5, unique=True))
    last = round(clip.duration, 3)
    bounds = [0.0, *sorted(t / 1000 for t in inner if t / 1000 < last), last]
    lines = [f"a,{s:.3f},{e:.3f},l{n}" for n, (s, e) in enumerate(itertools.pairwise(bounds))]
    file = read(path, "\n".join(["video,time_start,time_end,label", *lines, ""]).encode())
    table, problems, warnings = expand(file, {"a": clip})
    assert file.problems == [] and warnings == []
    assert table["frame"].tolist() == list(range(frames))
    assert all("holds no sampled frame" in problem for problem in problems)
    assert len(problems) + table["label"].nunique() == len(lines)


@many
@given(fps=FPS, frames=st.integers(2, 500), data=st.data())
def test_the_time_of_a_frame_is_nearest_to_it(fps, frames, data) -> None:
    number = data.draw(st.integers(0, frames - 1))
    times = video("a", frames, fps).times
    written_time = np.array([round(times[number], 3)])
    assert nearest_frames(times, written_time).tolist() == [number]


def test_a_mistake_of_many_rows_is_told_in_a_line(path) -> None:
    lines = [f"a,{'x' * 10_000},{number},l\n" for number in range(210)]
    file = read(path, "".join(["video,time_start,time_end,label\n", *lines]).encode())
    error = DataError(file.problems)
    (problem,) = error.problems
    assert "row 2: time_start 'xxx" in problem and len(str(error)) < 2_100
    assert "write HH:MM:SS" in problem and "209 more like this: rows 3, 4" in problem


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("video,label\na,fox\n" + "," * 1_000_000 + "x\n", "row 3: .* the row has 1,000,001 cells"),
        (
            "video,label" + "," * 1_000_000 + "\na,fox,,,,x\n",
            "row 1: .* the row has 1,000,002 cells",
        ),
        (
            ",".join(f"c{number}" for number in range(100_000)) + "\n1\n",
            "row 1: .* the row has 100,000 cells",
        ),
    ],
    ids=["cells", "nameless columns", "columns"],
)
def test_a_million_cells_in_a_line_are_told(path, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        raise DataError(read(path, text.encode()).problems)
    assert len(str(caught.value)) < 500
