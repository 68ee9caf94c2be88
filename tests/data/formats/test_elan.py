"""ELAN: annotation files with their awkward parts: slots without a time, tiers of tiers, an origin."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.data.formats.reading import format_of, notes, refused, rows, taken

MEDIA = (
    '<MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/videos/dive%207.mp4" MIME_TYPE="video/mp4" '
    'RELATIVE_MEDIA_URL="../videos/dive%207.mp4"/>'
)
SLOTS = """
<TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="0"/>
<TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="2391"/>
<TIME_SLOT TIME_SLOT_ID="ts3"/>
<TIME_SLOT TIME_SLOT_ID="ts4" TIME_VALUE="6391"/>
<TIME_SLOT TIME_SLOT_ID="ts5" TIME_VALUE="3600040"/>
"""


def aligned(number: str, start: int, end: int, value: str) -> str:
    return (
        f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="{number}" TIME_SLOT_REF1="ts{start}" '
        f'TIME_SLOT_REF2="ts{end}"><ANNOTATION_VALUE>{value}</ANNOTATION_VALUE>'
        "</ALIGNABLE_ANNOTATION></ANNOTATION>"
    )


def referring(number: str, parent: str, value: str) -> str:
    return (
        f'<ANNOTATION><REF_ANNOTATION ANNOTATION_ID="{number}" ANNOTATION_REF="{parent}">'
        f"<ANNOTATION_VALUE>{value}</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>"
    )


def tier(name: str, *annotations: str, more: str = "") -> str:
    return f'<TIER LINGUISTIC_TYPE_REF="t" TIER_ID="{name}" {more}>{"".join(annotations)}</TIER>'


def document(*tiers: str, media: str = MEDIA, slots: str = SLOTS) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ANNOTATION_DOCUMENT AUTHOR="" FORMAT="3.0" VERSION="3.0">'
        f'<HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">{media}</HEADER>'
        f"<TIME_ORDER>{slots}</TIME_ORDER>{''.join(tiers)}</ANNOTATION_DOCUMENT>"
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dive.eaf"


VIDEO = "../videos/dive 7.mp4"


def test_values_are_classes_and_empty_ones_have_their_tiers_name(path: Path) -> None:
    text = document(
        tier("behaviour", aligned("a1", 1, 2, "Möwe &amp; seal")),
        tier("rest", aligned("a2", 4, 5, "")),
    )
    found = taken(path, text)
    assert rows(found) == [
        (VIDEO, "0", "2.391", "Möwe & seal"),
        (VIDEO, "6.391", "3600.04", "rest"),
    ]
    assert format_of(path) == "elan"
    assert "tiers: behaviour 1, rest 1" in notes(found)
    assert list(found.table.index) == ["a1", "a2"]


def test_slots_without_a_time_lie_between_their_neighbours(path: Path) -> None:
    found = taken(path, document(tier("b", aligned("a1", 2, 3, "x"), aligned("a2", 3, 4, "y"))))
    assert rows(found) == [(VIDEO, "2.391", "4.391", "x"), (VIDEO, "4.391", "6.391", "y")]
    assert "1 time slots have no time" in notes(found)


def test_annotations_of_annotations_have_their_times(path: Path) -> None:
    text = document(
        tier("b", aligned("a1", 1, 2, "x")),
        tier("c", referring("a2", "a1", "y"), more='PARENT_REF="b"'),
        tier("d", referring("a3", "a2", "z"), more='PARENT_REF="c"'),
    )
    assert [row[1:] for row in rows(taken(path, text))] == [("0", "2.391", one) for one in "xyz"]


def test_participants_are_subjects(path: Path) -> None:
    text = document(
        tier("b", aligned("a1", 1, 2, "x"), more='PARTICIPANT="seal 1"'),
        tier("c", aligned("a2", 1, 4, "x")),
    )
    assert rows(taken(path, text)) == [
        (VIDEO, "0", "2.391", "x", "seal 1"),
        (VIDEO, "0", "6.391", "x", "No focal subject"),
    ]


def test_the_origin_of_the_video_is_added(path: Path) -> None:
    media = (
        MEDIA.replace("/>", ' TIME_ORIGIN="1500"/>')
        + '<MEDIA_DESCRIPTOR MEDIA_URL="file:///b.mp4"/>'
    )
    found = taken(path, document(tier("b", aligned("a1", 1, 2, "x")), media=media))
    assert rows(found) == [(VIDEO, "1.5", "3.891", "x")]
    assert "left out: b.mp4; labels are of the first video" in notes(found).replace("/b", "b")


def test_a_file_without_a_video_is_named_like_it(path: Path) -> None:
    found = taken(path, document(tier("b", aligned("a1", 1, 2, "x")), media=""))
    assert rows(found) == [("dive", "0", "2.391", "x")]
    assert "it names no video" in notes(found)


def test_what_is_wrong_is_told_with_tier_and_annotation(path: Path) -> None:
    slots = SLOTS.replace('"2391"', '"soon"')
    text = document(
        tier(
            "b", aligned("a1", 1, 9, "x"), referring("a2", "a99", "x"), referring("a3", "a3", "x")
        ),
        tier("c", aligned("a4", 4, 1, "x"), aligned("a5", 4, 5, "x")),
        slots=slots,
    )
    found = taken(path, text)
    told = "\n".join(found.problems)
    assert "TIME_SLOT 'ts2': TIME_VALUE 'soon' is no time in milliseconds" in told
    assert (
        "annotations a1, a2, a3: tier 'b': its TIME_SLOT_REF or ANNOTATION_REF leads nowhere"
        in told
    )
    assert "annotation a4: tier 'c': ends before it starts" in told
    assert found.table.values.tolist() == [[VIDEO, "6.391", "3600.04", "x"]]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (document()[:200], "not XML"),
        (document().replace("?>", '?><!DOCTYPE a [<!ENTITY b "c">]>', 1), "document type (DTD)"),
        (document().replace("?>", "?><!DOCTYPE a>", 1), "document type (DTD)"),
        ("<ANNOTATION_DOCUMENT>" + "<a>" * 200, "nested more than 100 deep"),
        ('<?xml version="1.0" encoding="klingon"?><ANNOTATION_DOCUMENT/>', "not XML"),
        ("<x><ANNOTATION_DOCUMENT/></x>", "its root is 'x', not ANNOTATION_DOCUMENT"),
    ],
    ids=["cut", "entities", "DTD", "deep", "encoding", "root"],
)
def test_files_that_are_none_or_could_harm(path: Path, content: str, words: str) -> None:
    told = refused(path, content)
    assert str(path) in told and words in told


def test_a_file_in_utf_16(path: Path) -> None:
    text = document(tier("b", aligned("a1", 1, 2, "Möwe"))).replace("UTF-8", "UTF-16")
    assert rows(taken(path, text.encode("utf-16")))[0][3] == "Möwe"
