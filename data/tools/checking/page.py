"""``check.html``: what was found, and a row a video."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from data.console import duration
from data.page import Cell, beside, data_uri, megabytes, number, table, text, tiles, write_page
from data.tools.checking.findings import Finding, by_video
from data.tools.checking.labels import Labelled
from data.tools.checking.measure import Measured

COLUMNS = ("pictures", "video", "found", "labels", "length", "frames/s", "frames", "size")


def write_check(
    path: Path,
    title: str,
    measured: Mapping[str, Measured],
    findings: Sequence[Finding],
    labelled: Labelled | None,
) -> None:
    """Write the page.

    Args:
        title: what was checked.
        measured: by the names of the videos.
    """
    write_page(
        path,
        f"check: {title}",
        _body(title, measured, findings, labelled),
        style=beside(__file__, "css"),
        script=beside(__file__, "js"),
    )


def _body(
    title: str,
    measured: Mapping[str, Measured],
    findings: Sequence[Finding],
    labelled: Labelled | None,
) -> Iterator[str]:
    yield f"<h1>{text(title)}</h1>\n"
    surveys = [one.survey for one in measured.values() if one.survey is not None]
    read = [one.info for one in surveys if one.info is not None]
    seconds = sum(info.duration for info in read)
    wrong = sum(finding.level == "wrong" for finding in findings)
    look = len(findings) - wrong
    figures = [
        (f"{len(measured):,}", "videos", ""),
        (duration(seconds), "of video", ""),
        (f"{sum(map(len, read)):,}", "frames that are used", ""),
        (megabytes(sum(one.size for one in measured.values())), "of files", ""),
        (f"{wrong:,}", "wrong", "wrong" if wrong else "good"),
        (f"{look:,}", "to look at", "look" if look else "good"),
    ]
    if labelled is not None:
        classes = {label for labels in labelled.classes.values() for label in labels}
        figures.insert(3, (f"{len(classes):,}", "classes", ""))
    yield tiles(figures)
    yield from _found(findings)
    kinds = sorted({finding.kind for finding in findings if finding.video})
    yield (
        f'<h2 id="videos">Videos (<span id="shown">{len(measured)}</span> of {len(measured)})</h2>\n'
        '<div class="bar"><input id="search" type="search" placeholder="name, codec, class..." '
        'aria-label="search videos"><select id="kind" class="filter" data-key="kinds" '
        'aria-label="what was found"><option value="">all videos</option>'
        + "".join(f'<option value="{text(kind)}">{text(kind)}</option>' for kind in kinds)
        + "</select></div>\n"
    )
    of = by_video(findings)
    # Those of which most is to be said come first.
    order = sorted(measured, key=lambda name: _weight(of.get(name, [])))
    rows = (_row(name, measured[name], of.get(name, []), labelled) for name in order)
    yield table(COLUMNS, rows, fixed=(0,), cards=True)


def _found(findings: Sequence[Finding]) -> Iterator[str]:
    if not findings:
        yield '<p><span class="mark good">all is well</span> nothing was found</p>\n'
        return
    yield '<h2>What was found</h2>\n<ul class="findings">\n'
    for finding in findings:
        if not finding.video:
            yield f"<li>{_mark(finding)} {text(finding.text)}</li>\n"
    yield '</ul>\n<div class="kinds">\n'
    counts = Counter((one.level, one.kind) for one in findings if one.video)
    for (level, kind), count in sorted(
        counts.items(), key=lambda one: (one[0][0] != "wrong", -one[1])
    ):
        videos = f"{count} video{'s' if count > 1 else ''}"
        yield (
            f'<button type="button" class="button" data-kind="{text(kind)}">'
            f'<span class="mark {level}">{text(kind)}</span>{videos}</button>\n'
        )
    yield "</div>\n"


def _mark(finding: Finding) -> str:
    return f'<span class="mark {finding.level}">{text(finding.kind)}</span>'


def _row(
    name: str, measured: Measured, findings: Sequence[Finding], labelled: Labelled | None
) -> tuple[str, list[Cell]]:
    survey = measured.survey
    classes = labelled.classes.get(name, []) if labelled else []
    split = labelled.splits.get(name, "") if labelled else ""
    pictures = "".join(
        f'<img src="{data_uri(picture, "image/jpeg")}" alt="" loading="lazy">'
        for picture in measured.thumbnails
    )
    said = "".join(
        f'<span class="found">{_mark(finding)} {text(finding.text)}</span>' for finding in findings
    )
    facts, cells = "", [number(None)] * 4
    if survey is not None:
        facts = f"{survey.codec}, {survey.container}"
    if survey is not None and survey.info is not None:
        info, seconds = survey.info, survey.info.duration
        facts += f", {info.width} x {info.height}"
        frames = f"{len(info):,}" + (f" of {info.declared:,}" if info.damage else "")
        cells = [
            number(seconds, duration(seconds) if seconds >= 10 else f"{seconds:.1f} s"),
            number(info.fps, f"{info.fps:.4g}"),
            number(len(info), frames),
            number(measured.size, megabytes(measured.size)),
        ]
    name_and_facts = (
        f'<span class="name">{text(name)}</span> <span class="soft">{text(facts)}</span>'
    )
    cells = [
        Cell(f'<div class="strip">{pictures}</div>' if pictures else ""),
        Cell(f"<div>{name_and_facts}</div>", name),
        Cell(
            f"<div>{said}</div>" if said else '<span class="mark good">fine</span>',
            _weight(findings),
        ),
        Cell(f"<div>{_labels(classes, split)}</div>" if classes else ""),
        *cells,
    ]
    words = f"{name} {facts} {' '.join(classes)} {split}"
    kinds = json.dumps(sorted({finding.kind for finding in findings}))
    return f'data-text="{text(words)}" data-kinds="{text(kinds)}"', cells


def _weight(findings: Iterable[Finding]) -> int:
    """The less, the more is wrong."""
    return -sum(1000 if finding.level == "wrong" else 1 for finding in findings)


def _labels(classes: Iterable[str], split: str) -> str:
    shown = f'<span class="soft">{text(split)}</span><br>' if split else ""
    return shown + ", ".join(map(text, classes))
