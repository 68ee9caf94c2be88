"""A page as a browser shows it: headless Chromium, by its command line."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")


def _run(page: Path, *words: str) -> str:
    browser = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if browser is None:
        pytest.skip("there is no Chromium to look at pages with")
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [
                *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
                *(
                    f"--user-data-dir={profile}",
                    "--virtual-time-budget=3000",
                    *words,
                    page.as_uri(),
                ),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
    return done.stdout


def asked(
    page: Path, script: str, *, size: tuple[int, int] = (1200, 900), dark: bool = False
) -> Any:
    """What a JavaScript expression gives in a page, after all of the page's own scripts."""
    probe = page.with_name(f"asked_{page.name}")
    end = (
        "<script>addEventListener('load', async () => { const told = document.createElement('pre');"
        f"told.id = 'told'; told.textContent = JSON.stringify(await (async () => {{ {script} }})());"
        "document.body.append(told); });</script></body>"
    )
    probe.write_text(page.read_text(encoding="utf-8").replace("</body>", end), encoding="utf-8")
    words = [f"--window-size={size[0]},{size[1]}", "--dump-dom"]
    words += [f"--blink-settings=preferredColorScheme={0 if dark else 1}"]
    shown = _run(probe, *words)
    found = re.search(r'<pre id="told">(.*?)</pre>', shown, re.DOTALL)
    assert found, "the page's scripts did not come to their end"
    text = found[1]
    for code, character in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(code, character)
    return json.loads(text)


def picture(page: Path, size: tuple[int, int] = (1200, 900)) -> Any:
    """The page as uint8 ``[H, W, 3]``."""
    import numpy as np
    import PIL.Image

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "page.png"
        _run(page, f"--window-size={size[0]},{size[1]}", f"--screenshot={file}")
        with PIL.Image.open(file) as image:
            return np.asarray(image.convert("RGB"))
