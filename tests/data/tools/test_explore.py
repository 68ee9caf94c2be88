"""``python -m data explore``: what the page shows, how large it gets, and how a browser shows it."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest

from data.tools.exploring import gathered
from data.tools.exploring.pictures import encoded, moving
from tests.conftest import FOLDER
from tests.data.tools.browser import asked, picture

HEADER = "video,time_start,time_end,label,split,site"
ROWS = (
    "a,0,1.2,swims,train,north",
    "a,1.5,2,rests,train,north",
    "b,0,1,rests,train,north",
    "b,1.3,2,rests,train,north",
    "c,0,1,swims,valid,south",
    "c,1,2,<b>gone</b>,valid,south",
    "c,2,2.5,rests,valid,south",
    "b,2,2.5,<b>gone</b>,train,north",
)


@pytest.fixture
def folder(tmp_path: Path, make_video) -> Path:
    """Three videos of 2.5 seconds, of which `ROWS` are the labels."""
    for place, name in enumerate("abc"):
        path = tmp_path / "v" / f"{name}.mp4"
        make_video(path, numbers=[*range(place * 100, place * 100 + 25)], size=(64, 256))
    (tmp_path / "labels.csv").write_text("\n".join([HEADER, *ROWS]) + "\n")
    return tmp_path


@pytest.fixture
def page(tool, folder: Path) -> Path:
    status, _, err = tool(
        *("explore", folder / "v", "--labels", folder / "labels.csv", "--out", folder / "e.html")
    )
    assert status == 0, err
    return folder / "e.html"


TEXTS = "[...document.querySelectorAll('{}')].map(one => one.textContent.trim())"


def test_each_video_has_its_pictures_and_labels(page: Path):
    names, pictures, stretches = asked(
        page,
        f"return [{TEXTS.format('article h3')}, [...document.querySelectorAll('article')].map(one =>"
        f" one.querySelectorAll('img').length), {TEXTS.format('article:first-of-type details li')}]",
    )
    assert [name[0] for name in names] == ["a", "b", "c"] and "train, north, 0:02" in names[0]
    assert pictures == [10, 10, 10]
    assert stretches == ["swims: 0:00.0 to 0:01.2", "rests: 0:01.5 to 0:02.0"]


def test_what_is_unlabelled_parts_stretches(page: Path):
    listed = asked(page, f"return {TEXTS.format('article:nth-of-type(2) details li')}")
    assert listed[:2] == ["rests: 0:00.0 to 0:01.0", "rests: 0:01.3 to 0:02.0"]


def test_the_timeline_is_of_the_whole_video(page: Path):
    bars = asked(
        page,
        "return [...document.querySelectorAll('article:first-of-type rect')].map(one =>"
        " [+one.getAttribute('x'), +one.getAttribute('width'), one.getAttribute('fill')])",
    )
    assert [bar[:2] for bar in bars] == [[0, 480], [600, 200]]
    assert bars[0][2] != bars[1][2]


def test_classes_by_split_and_site(page: Path):
    rows = asked(
        page,
        "return [...document.querySelectorAll('table')].map(table => [...table.rows].map(row =>"
        " [...row.cells].map(cell => cell.textContent.trim())))",
    )
    by_split, by_site = rows
    assert by_split[0] == ["class", "all", "share", "train", "valid"]
    assert by_split[3] == ["swims", "22", "34.4 %", "12 (1)", "10 (1)"]
    assert by_site[0] == ["site", "split", "videos", "<b>gone</b>", "rests", "swims"]
    assert by_site[1] == ["north", "train", "2", "1", "2", "1"]


def test_names_are_no_html_and_nothing_is_loaded(page: Path):
    told = asked(
        page,
        "return [document.querySelectorAll('.dot + b, li b, option b, td b').length,"
        " [...document.querySelectorAll('[src],[href]')].filter(one =>"
        " !/^data:/.test(one.src || one.getAttribute('href'))).length]",
    )
    assert told == [0, 0]


def test_the_clips_play(page: Path):
    clips = asked(
        page,
        "const all = [...document.querySelectorAll('.examples video')]; await new Promise(done =>"
        " setTimeout(done, 1500)); return all.map(one => [one.error && one.error.message,"
        " one.videoWidth, Math.round(one.duration * 10)])",
    )
    assert clips == [[None, 256, length] for length in (10, 5, 10, 5, 5, 12, 10)]


def test_filters(page: Path):
    shown = (
        "[...document.querySelectorAll('article:not([hidden]) h3')].map(one => one.textContent[0])"
    )
    told = asked(
        page,
        "const seen = []; const choose = (key, value) => { const one ="
        " document.querySelector(`select[data-key=${key}]`); one.value = value;"
        f" one.dispatchEvent(new Event('change')); seen.push({shown}.join('')); }};"
        "choose('class', 'swims'); choose('split', 'valid'); choose('class', ''); choose('split', '');"
        "choose('group', 'north'); return [...seen, document.querySelector('#shown').textContent]",
    )
    assert told == ["ac", "c", "c", "abc", "ab", "2"]


def test_keys_go_from_video_to_video(page: Path):
    told = asked(
        page,
        "const press = key => { (document.activeElement ?? document.body).dispatchEvent(new"
        " KeyboardEvent('keydown', {key, bubbles: true}));"
        " return document.activeElement.querySelector('h3')?.textContent[0] ??"
        " document.activeElement.id; };"
        "return ['j', 'j', 'j', 'j', 'k', '/', 'j'].map(press)",
    )
    assert told == ["a", "b", "c", "c", "b", "search", "search"]


@pytest.mark.parametrize("width", [500, 1300])
def test_it_fits_its_window(page: Path, width: int):
    wide = asked(
        page, "return document.documentElement.scrollWidth - innerWidth", size=(width, 800)
    )
    assert wide <= 0


def test_it_is_light_or_dark_and_shows_pictures(page: Path):
    colour = "return getComputedStyle(document.body).backgroundColor"
    assert asked(page, colour) != asked(page, colour, dark=True)
    assert len(np.unique(picture(page).reshape(-1, 3), axis=0)) > 50


def test_without_labels(tool, folder: Path):
    status, out, _ = tool("explore", folder / "v", "--out", folder / "e.html")
    assert status == 0 and "3 videos; " in out
    shown = (folder / "e.html").read_text()
    assert shown.count("<article") == 3 and "<svg" not in shown and "<video" not in shown


def test_many_videos_make_no_larger_page(tool, folder: Path, monkeypatch):
    whole = folder / "whole.html"
    tool("explore", folder / "v", "--out", whole)
    monkeypatch.setattr(gathered, "_LARGEST", whole.stat().st_size // 2)
    tool("explore", folder / "v", "--out", folder / "half.html")
    assert (folder / "half.html").read_text().count("<img") in (12, 15)
    monkeypatch.setattr(gathered, "_PICTURES", 2 * gathered._PICTURE * gathered._FEWEST)
    _, out, _ = tool("explore", folder / "v", "--out", folder / "few.html")
    assert "the page shows 2 of 3 videos, spread evenly" in out
    assert "of 3, spread evenly" in (folder / "few.html").read_text()


def test_what_does_not_decode_is_told_on_the_page(tool, folder: Path):
    whole = (folder / "v" / "a.mp4").read_bytes()
    (folder / "v" / "text.mp4").write_text("no video")
    (folder / "v" / "a.mp4").write_bytes(whole)
    _, out, _ = tool("explore", folder / "v", "--out", folder / "e.html")
    assert "text: it can't be opened as a video" in out and "left out" in out


def test_a_crash_of_a_decoder_leaves_the_other_videos(tool, folder: Path, harmful):
    (folder / "v" / "a.mp4").rename(folder / "v" / "breaks.mp4")
    status, out, _ = tool("explore", folder / "v", "--out", folder / "e.html")
    assert status == 0 and "breaks: it does not decode: it makes the decoder fail (SIGSEGV)" in out
    assert (folder / "e.html").read_text().count("data:image/jpeg") == 20  # of the two others


def test_labels_that_are_wrong_end_it(tool, folder: Path):
    (folder / "labels.csv").write_text("video,label\na,x\nd,y\n")
    words = ("--labels", folder / "labels.csv", "--out", folder / "e.html")
    status, _, err = tool("explore", folder / "v", *words)
    assert status == 2 and "video 'd' is not among the 3 videos" in err
    assert not (folder / "e.html").exists()


def test_a_clip_is_of_where_something_comes_by():
    still = np.full((64, 64, 3), 90, np.uint8)
    other = still.copy()
    other[20:60, 20:60] = 200
    pictures = [*[still] * 20, *[other] * 5, *[still] * 10]
    assert moving(pictures, 5) == (20, 5)
    assert moving(pictures[:3], 5) == (0, 3)
    assert moving([], 5) == (0, 0)


def test_a_clip_has_all_of_its_pictures():
    content, kind = encoded(
        [np.full((32, 64, 3), grey, np.uint8) for grey in range(0, 200, 10)], 9.2
    )
    assert kind == "video/mp4"
    with av.open(io.BytesIO(content)) as container:
        stream = container.streams.video[0]
        assert float(stream.average_rate or 0) == pytest.approx(9.2)
        assert sum(1 for _ in container.decode(video=0)) == 20


@pytest.mark.long
@pytest.mark.skipif(not FOLDER.is_dir(), reason="the shared real videos are absent")
@pytest.mark.parametrize("labels", ["labels.csv", "labels_intervals.csv"])
def test_the_real_seals(tool, seals: Path, tmp_path: Path, labels: str):
    out = tmp_path / "e.html"
    status, _, err = tool("explore", seals, "--labels", seals / labels, "--out", out)
    assert status == 0, err
    clips = asked(
        out,
        "await new Promise(done => setTimeout(done, 1500)); return"
        " [...document.querySelectorAll('video')].map(one => one.videoWidth)",
    )
    assert clips == [256] * 6 and out.stat().st_size < 2e6


def test_help_has_examples(tool):
    _, out, _ = tool("explore", "--help")
    assert "examples:" in out and "python -m data explore VIDEOS --labels labels.csv" in out
