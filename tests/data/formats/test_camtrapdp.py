"""Camtrap DP: packages in folders and ZIP files, of media and of events."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from data.errors import DataError
from data.labels.table import expand, read_labels
from tests.data.formats.reading import notes, refused, rows, taken, taken_of
from tests.data.labels.reading import video_of

DEPLOYMENTS = """deploymentID,locationID,locationName,latitude,longitude,deploymentStart,deploymentEnd
d1,l1,"Val 2, beek",51.4,4.7,2020-05-30T04:57:37+02:00,2020-07-01T11:41:41+02:00
d2,l2,Marsh,51.4,4.7,2020-05-30T04:57:37+02:00,2020-07-01T11:41:41+02:00
"""
MEDIA = """mediaID,deploymentID,timestamp,filePath,filePublic,fileName,fileMediatype
m1,d1,2020-05-30T04:57:37+02:00,media/d1/IMG_1.MP4,true,IMG_1.MP4,video/mp4
m2,d1,2020-05-30T05:10:00+02:00,https://x.org/assets/6d65/file?a=b,true,IMG_2.AVI,video/x-msvideo
m3,d2,2020-05-31T00:00:00Z,./media/d2/IMG_1.MP4,true,,video/mp4
m4,d2,2020-05-31T00:00:01Z,media/d2/IMG_2.JPG,true,IMG_2.JPG,image/jpeg
m5,d2,2020-06-01T00:00:01Z,media/d2/IMG_5.MP4,true,,video/mp4
"""
HEADER = (
    "observationID,deploymentID,mediaID,eventID,eventStart,eventEnd,observationLevel,observationType,"
    "cameraSetupType,scientificName,count\n"
)
OBSERVATIONS = (
    HEADER
    + """o1,d1,m1,e1,2020-05-30T02:57:37Z,2020-05-30T02:57:37Z,media,animal,,Vulpes vulpes,1
o2,d1,,e2,2020-05-30T03:09:00Z,2020-05-30T03:11:00Z,event,animal,,Anas platyrhynchos,2
o3,d2,m3,e3,2020-05-31T00:00:00Z,2020-05-31T00:00:00Z,media,blank,,,
o4,d2,m4,e3,2020-05-31T00:00:01Z,2020-05-31T00:00:01Z,media,animal,,Vulpes vulpes,1
o5,d2,m5,e4,2020-06-01T00:00:01Z,2020-06-01T00:00:01Z,media,unclassified,,,
o6,d1,m1,e1,2020-05-30T02:57:37Z,2020-05-30T02:57:37Z,media,human,setup,,
o7,d1,,e1,2020-05-30T02:57:00Z,2020-05-30T02:58:00Z,event,animal,,Vulpes vulpes,1
"""
)
TABLES = {"deployments": DEPLOYMENTS, "media": MEDIA, "observations": OBSERVATIONS}
PACKAGE = {
    "name": "x",
    "profile": "https://raw.githubusercontent.com/tdwg/camtrap-dp/1.0.1/camtrap-dp-profile.json",
    "resources": [{"name": name, "path": f"{name}.csv", "schema": "x"} for name in TABLES],
}


def write(folder: Path, package: object = PACKAGE, **tables: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "datapackage.json").write_text(json.dumps(package), encoding="utf-8")
    for name, text in (TABLES | tables).items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


WANTED = [
    ("media/d1/IMG_1.MP4", "Vulpes vulpes", "Val 2, beek", "2020-05-30"),
    ("IMG_2.AVI", "Anas platyrhynchos", "Val 2, beek", "2020-05-30"),
    ("media/d2/IMG_1.MP4", "blank", "Marsh", "2020-05-31"),
]


def test_a_package_as_folder_file_and_zip(tmp_path: Path) -> None:
    folder = write(tmp_path / "package")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in folder.iterdir():
            archive.write(file, f"export/{file.name}")
    for found in (
        taken_of(folder),
        taken_of(folder / "datapackage.json"),
        taken(tmp_path / "package.zip", content.getvalue()),
    ):
        assert rows(found) == WANTED
        said = notes(found)
        for words in (
            "Camtrap DP: 3 observations of 3 videos",
            "media that are images 1",
            "observations of images 1",
            "observations of setting up the camera 1",
            "unclassified observations 1",
            "videos without an observation 1",
            "observations of events, whose videos have their own or are none 1",
        ):
            assert words in said


def test_sites_are_told_apart_by_their_numbers_where_names_do_not(tmp_path: Path) -> None:
    same = DEPLOYMENTS.replace("Marsh", '"Val 2, beek"')
    assert [row[2] for row in rows(taken_of(write(tmp_path / "a", deployments=same)))] == [
        "l1",
        "l1",
        "l2",
    ]
    none = "deploymentID,latitude\nd1,1\nd2,2\n"
    assert [row[2] for row in rows(taken_of(write(tmp_path / "b", deployments=none)))] == [
        "d1",
        "d1",
        "d2",
    ]


def test_several_classes_of_a_video_are_rows_and_the_same_twice_is_one(tmp_path: Path) -> None:
    start = "d1,m1,e,2020-05-30T02:57:37Z,2020-05-30T02:57:37Z,media,"
    more = "".join(
        f"p{n},{start}{end}\n"
        for n, end in enumerate(["animal,,Sus scrofa,1", "animal,,Sus scrofa,3"])
    )
    found = taken_of(write(tmp_path / "a", observations=OBSERVATIONS + more))
    assert [row[1] for row in rows(found) if "IMG_1" in row[0]][:2] == [
        "Vulpes vulpes",
        "Sus scrofa",
    ]
    assert "1 are there more than once" in notes(found)


def test_mistakes_are_told_with_the_observation(tmp_path: Path) -> None:
    more = (
        "p1,d1,m9,e,2020-05-30T02:57:37Z,2020-05-30T02:57:37Z,media,animal,,Sus scrofa,1\n"
        "p2,d1,,e,yesterday,2020-05-30T02:57:37Z,event,animal,,Sus scrofa,1\n"
        "p3,d1,m1,e,2020-05-30T02:57:37Z,2020-05-30T02:57:37Z,clip,animal,,Sus scrofa,1\n"
    )
    media = MEDIA.replace("m5,d2,2020-06-01T00:00:01Z", "m5,d7,sometime")
    observations = OBSERVATIONS.replace("media,unclassified,,,", "media,blank,,,")
    told = "\n".join(
        taken_of(write(tmp_path / "a", media=media, observations=observations + more)).problems
    )
    assert "observation p1: mediaID 'm9' is not in media" in told
    assert "observation p2: eventStart or eventEnd is no time" in told
    assert "observation p3: observationLevel 'clip' is not media or event" in told
    assert "observation o5: deploymentID 'd7' is not in deployments" in told


def resources(**paths: object) -> dict[str, object]:
    places = {name: f"{name}.csv" for name in TABLES} | paths
    return PACKAGE | {"resources": [{"name": name, "path": path} for name, path in places.items()]}


@pytest.mark.parametrize(
    "place",
    [
        "../media.csv",
        "/etc/passwd",
        "a/../../b.csv",
        "https://x.org/media.csv",
        "C:\\media.csv",
        "~/m",
    ],
)
def test_tables_elsewhere_are_not_opened(tmp_path: Path, place: str) -> None:
    (tmp_path / "media.csv").write_text(MEDIA)
    folder = write(tmp_path / "a", resources(media=place))
    with pytest.raises(DataError, match="of 'media' leads out of the package"):
        taken_of(folder)


def test_names_that_no_file_can_have(tmp_path: Path) -> None:
    for name in ("a\0b", "a" * 5000):
        with pytest.raises(DataError, match="which can't be read"):
            taken_of(write(tmp_path / "a", resources(media=name)))


def test_all_that_is_wrong_with_a_package_is_told_at_once(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "a", resources(media=["gone.csv"], deployments=None), observations="a,b\n1,2\n"
    )
    with pytest.raises(DataError) as caught:
        taken_of(folder)
    told = str(caught.value)
    assert "names 'gone.csv', which can't be read: No such file" in told
    assert "it has no 'deployments' with a path" in told
    assert (
        "'observations.csv' has no column deploymentID, observationLevel, observationType" in told
    )


def test_one_table_alone(tmp_path: Path) -> None:
    assert "give its datapackage.json, or the folder" in refused(
        tmp_path / "observations.csv", OBSERVATIONS
    )


def test_a_table_in_several_parts(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", resources(media=["media.csv", "more.csv"]))
    first, *others = MEDIA.splitlines(keepends=True)
    (folder / "media.csv").write_text(first + others[0])
    (folder / "more.csv").write_text(first + "".join(others[1:]))
    assert rows(taken_of(folder)) == WANTED


# Times within a video


def within(*observations: str) -> str:
    """Observations of the animal fox: number of a medium, and both ends of a time."""
    lines = [one.split() for one in observations]
    return HEADER + "".join(
        f"o{n},d1,{medium},e,{start},{end},media,animal,,fox,1\n"
        for n, (medium, start, end) in enumerate(lines)
    )


def test_times_within_a_video_are_ranges(tmp_path: Path) -> None:
    observations = within(
        "m1 2020-05-30T04:57:39+02:00 2020-05-30T02:57:42.5Z",  # in either zone
        "m1 2020-05-30T02:57:37Z 2020-05-30T02:57:38Z",
        "m1 2020-05-30T02:57:47Z 2020-05-30T02:57:47Z",  # a moment
        "m3 2020-05-31T00:00:00Z 2020-05-31T00:00:00Z",  # as of all of a file
        "m4 2020-05-31T00:00:05Z 2020-05-31T00:00:09Z",  # an image
    )
    found = taken_of(write(tmp_path, observations=observations))
    assert [row[:4] for row in rows(found)] == [
        ("media/d1/IMG_1.MP4", "2", "5.5", "fox"),
        ("media/d1/IMG_1.MP4", "0", "1", "fox"),
        ("media/d1/IMG_1.MP4", "10", "10", "fox"),
        ("media/d2/IMG_1.MP4", "0", "end", "fox"),
    ]
    assert list(found.table) == ["video", "time_start", "time_end", "label", "site", "date"]
    assert "3 of 4 observations say when in their video (eventStart and eventEnd" in notes(found)


@pytest.mark.parametrize(
    "times",
    [
        "2020-05-30T02:57:30Z 2020-05-30T02:57:42Z",  # of an event that began in another file
        "2020-05-30T02:57:42Z 2020-05-30T02:57:39Z",  # in the wrong order
        "2020-05-30T02:57:42Z ?",
        "2021-05-30T02:57:42Z 2021-05-30T02:57:44Z",  # of another year
        "2020-05-30T02:57:37Z 2020-05-30T02:57:37Z",
    ],
)
def test_other_times_are_of_the_whole_video(tmp_path: Path, times: str) -> None:
    found = taken_of(write(tmp_path, observations=within(f"m1 {times}")))
    assert list(found.table) == ["video", "label", "site", "date"] and len(found.table) == 1
    assert "say when" not in notes(found)


def test_a_video_without_a_time_has_no_ranges(tmp_path: Path) -> None:
    media = MEDIA.replace("2020-05-30T04:57:37+02:00", "yesterday")
    observations = within("m1 2020-05-30T02:57:39Z 2020-05-30T02:57:42Z")
    found = taken_of(write(tmp_path, media=media, observations=observations))
    assert list(found.table) == ["video", "label", "site", "date"]


def test_events_stay_those_of_whole_videos(tmp_path: Path) -> None:
    event = "x,d1,,e,2020-05-30T03:09:00Z,2020-05-30T03:11:00Z,event,animal,,fox,2\n"
    observations = within("m1 2020-05-30T02:57:39Z 2020-05-30T02:57:42Z") + event
    found = taken_of(write(tmp_path, observations=observations))
    assert [row[:4] for row in rows(found)][1] == ("IMG_2.AVI", "0", "end", "fox")


def test_ranges_end_with_their_video(tmp_path: Path) -> None:
    videos = {f"media/{d}/IMG_1.MP4": video_of(f"media/{d}/IMG_1.MP4", 20) for d in ("d1", "d2")}
    whole = "m3 2020-05-31T00:00:00Z 2020-05-31T00:00:00Z"
    observations = within("m1 2020-05-30T02:57:38Z 2020-05-30T02:59:00Z", whole)
    file = read_labels(write(tmp_path, observations=observations))
    table, problems, warnings = expand(file, videos)
    frames = table.groupby("video", observed=True)["frame"]
    assert frames.agg(["min", "max"]).to_numpy().tolist() == [[10, 19], [0, 19]]
    assert problems == [] and warnings == [
        f"{tmp_path}: 1 ranges go on after their video, and end with it"
    ]
    late = within("m1 2020-05-30T02:58:38Z 2020-05-30T02:59:00Z", whole)
    (problem,) = expand(read_labels(write(tmp_path, observations=late)), videos)[1]
    assert "ends at 83, beyond video 'media/d1/IMG_1.MP4', which lasts 2.000 seconds" in problem
