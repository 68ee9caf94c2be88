"""A folder of sites and a table from Excel, up to a data set to be searched, with no edit of a file."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from data import DataError, load
from data.console import output_to
from tests.conftest import encode
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


def test_names_that_several_sites_have_are_told_apart_by_the_site(tmp_path: Path) -> None:
    """Each camera counts from 1, and the table has a column for the site alone."""
    videos = tmp_path / "videos"
    for site in ("north", "south", "west"):
        encode(videos / site / "IMG_0001.mp4", 4)
    encode(videos / "north" / "IMG_0002.mp4", 4)
    table = tmp_path / "table.csv"
    rows = ["North;IMG_0001.MP4;fox", "South;IMG_0001.MP4;empty", "north;IMG_0002.MP4;empty"]
    table.write_text("\n".join(["Site;File;Species", *rows]))
    dataset = load(videos, table, unit="video", by="video", valid=0.34, test=0.0)
    found = {
        video.info.path.relative_to(videos).as_posix(): label
        for video, label in zip(
            (dataset.videos[name] for name in dataset.table["video"]),
            dataset.table["label"],
            strict=True,
        )
    }
    assert found == {
        "north/IMG_0001.mp4": "fox",
        "south/IMG_0001.mp4": "empty",
        "north/IMG_0002.mp4": "empty",
    }
    assert any("1 names of videos are there at several sites" in line for line in dataset.warnings)
    # One that the table has once, and the folders more than once.
    table.write_text("\n".join(["Site;File;Species", "west;IMG_0001;fox", rows[2], "south;x;y"]))
    problems = problems_of_load(videos, table)
    assert not any("IMG_0001" in problem for problem in problems)


def problems_of_load(videos: Path, table: Path) -> list[str]:
    with pytest.raises(DataError) as caught:
        load(videos, table, unit="video", by="video")
    return caught.value.problems
