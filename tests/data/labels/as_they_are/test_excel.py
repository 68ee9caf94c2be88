"""A folder of sites and a table from Excel, up to a data set to be searched, with no edit of a file."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from data.console import output_to
from tests.data.labels.reading import splits_of
from tuner.config.load import Config
from tuner.preparation.one_machine import load_dataset
from tuner.study.space.unit import searchable

MakeVideo = Callable[..., Path]
CAMERATRAPS = Path(__file__).parents[4] / "configs" / "cameratraps.yaml"


@pytest.fixture
def traps(tmp_path: Path, make_video: MakeVideo) -> Path:
    """Four sites with four videos each, named alike at each site, one of them on another disk."""
    for site in ("Forêt", "Lac", "North", "South"):
        folder = tmp_path / ("disk" if site == "South" else "traps") / site
        for number in range(1, 5):
            make_video(folder / f"IMG_{number:04}.AVI", frames=4)
    (tmp_path / "traps" / "South").symlink_to(tmp_path / "disk" / "South")
    return tmp_path / "traps"


def table(encoding: str) -> bytes:
    rows = ["Site;File;Species;Date;Comments"]
    for site in ("Forêt", "Lac", "North", "South"):
        for number, species in enumerate(["Fox", "none", "fox ", "None"], 1):
            file = f"D:\\Traps 2024\\{site.upper()}\\img_{number:04}.avi"
            rows.append(f"{site};{file};{species};{number}.5.2024;{'' if number % 2 else 'a; b'!r}")
    return "\r\n".join(rows).replace("'a; b'", '"a; b"').replace("''", "").encode(encoding)


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("named", [False, True])
def test_a_table_from_excel_is_taken_as_it_is(
    traps: Path, tmp_path: Path, encoding: str, named: bool
) -> None:
    content = table(encoding)
    given = {"data.videos": traps, "data.labels": tmp_path / "Tabelle.csv"}
    if named:
        content = content.decode(encoding).replace("File", "Datei").replace("Species", "Art")
        content = content.replace("Site", "Ort").encode(encoding)
        given |= {"data.columns.video": "Datei", "data.columns.label": "art"}
        given |= {"data.columns.site": "Ort"}
    (tmp_path / "Tabelle.csv").write_bytes(content)
    config, _ = searchable(Config.load(CAMERATRAPS, given))
    assert config.data.unit == "video"
    text = io.StringIO()
    dataset = load_dataset(config.data, output_to(Console(file=text, width=300)))
    assert dataset.classes == ["fox", "none"]
    assert (dataset.by, set(dataset.groups.values())) == (
        "site",
        {"Forêt", "Lac", "North", "South"},
    )
    assert len(dataset.videos) == 16
    assert set(splits_of(dataset).values()) == {"train", "valid", "test"}
    said = text.getvalue()
    if not named:
        assert "taken 'File' for video, 'Species' for label" in said
    for words in (
        "columns that play no part: 'Comments'",
        "'Fox' (4 rows) is taken for 'fox'",
        "'None' (4 rows) is taken for 'none'",
        "16 names of videos are paths in other folders",
        "splits were drawn by site",
    ):
        assert said.count(words) == 1, words
