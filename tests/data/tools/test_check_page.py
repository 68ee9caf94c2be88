"""``check.html``, as a browser shows it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.data.tools.browser import asked, picture


@pytest.fixture
def page(tool, labelled, tmp_path: Path) -> Path:
    words = labelled("a,x,train", "b,y,train", "c,<b>y</b>,valid", header="video,label,split")
    (tmp_path / "v" / "<img src=x onerror=alert(1)>.mp4").write_text("no video")
    tool(*words)
    return tmp_path / "out" / "check.html"


def test_the_page_loads_nothing_and_trusts_no_name(page: Path):
    told = asked(
        page,
        "return [document.querySelectorAll('b b, img[onerror]').length,"
        " [...document.querySelectorAll('[src],[href]')].filter(one =>"
        " !/^(data:|#)/.test(one.src || one.getAttribute('href'))).length,"
        " performance.getEntriesByType('resource').filter(one => !one.name.startsWith('data:')).length]",
    )
    assert told == [0, 0, 0]


def test_the_page_sorts_and_filters(page: Path):
    names = (
        "[...document.querySelectorAll('tbody tr:not([hidden]) .name')].map(one => one.textContent)"
    )
    first, by_name, backward, searched, chosen = asked(
        page,
        f"const seen = [{names}]; const heads = [...document.querySelectorAll('th button')];"
        f"const head = heads.find(one => one.textContent === 'video');"
        f"for (const _ of [1, 2]) {{ head.click(); seen.push({names}); }}"
        "const box = document.querySelector('#search'); box.value = 'SOUTH';"
        f"box.dispatchEvent(new Event('input')); seen.push({names}); box.value = '';"
        f"document.querySelector('[data-kind=unreadable]').click(); seen.push({names}); return seen",
    )
    assert first[0].startswith("<img")  # what is wrong comes first
    assert by_name == sorted(by_name) == backward[::-1] and len(by_name) == 4
    assert searched == ["south/c.mp4"] and chosen == [first[0]]


@pytest.mark.parametrize("width", [500, 800, 1300])
def test_the_page_fits_its_window(page: Path, width: int):
    wide = asked(
        page, "return document.documentElement.scrollWidth - innerWidth", size=(width, 800)
    )
    assert wide <= 0


def test_the_page_is_light_or_dark(page: Path):
    colour = "return getComputedStyle(document.body).backgroundColor"
    assert asked(page, colour) == "rgb(255, 255, 255)"
    assert asked(page, colour, dark=True) == "rgb(20, 24, 29)"


def test_the_page_shows_pictures(page: Path):
    loaded = "return [...document.images].map(one => one.complete && one.naturalWidth)"
    assert asked(page, f"await new Promise(done => setTimeout(done, 500)); {loaded}") == [160] * 12
    shown = picture(page)
    assert shown.shape == (900, 1200, 3) and len(np.unique(shown.reshape(-1, 3), axis=0)) > 50
