"""``explore.html``: classes by split and group, clips of each, pictures and labels of every video."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from data.console import duration
from data.dataset import Dataset
from data.labels.splits import SPLITS
from data.page import Cell, beside, data_uri, number, table, text, tiles, write_page
from data.tools.exploring.gathered import Explored
from data.tools.exploring.pictures import Shown
from data.tools.exploring.stretches import Stretch
from data.videos.video import Video

_COLOURS = ("#3b7dd8", "#e08a1e", "#2f9e62", "#c8508f", "#8a63d2", "#c9a227", "#18a3ac", "#cf4b3f")
_GROUPS = 60  # rows of a table of groups
_LISTED = 300  # stretches of a video that are listed in words
_LANES = 12  # classes, above which a video has lanes for those alone that it shows


def colours(classes: Sequence[str]) -> dict[str, str]:
    """A colour for each class; those after the first few are spread over the circle of hues."""
    hues = (f"hsl({137.5 * place % 360:.0f} 55% 52%)" for place in range(len(classes)))
    return {
        label: _COLOURS[place] if place < len(_COLOURS) else hue
        for place, (label, hue) in enumerate(zip(classes, hues, strict=True))
    }


def write_explore(path: Path, explored: Explored) -> None:
    """Write the page."""
    style, script = beside(__file__, "css"), beside(__file__, "js")
    write_page(path, f"explore: {explored.title}", _body(explored), style=style, script=script)


def _body(explored: Explored) -> Iterator[str]:
    dataset = explored.dataset
    paint = colours(dataset.classes if dataset else [])
    videos = dataset.videos if dataset else explored.videos
    yield f"<h1>{text(explored.title)}</h1>\n"
    figures = [(f"{len(videos):,}", "videos", ""), (_hours(videos), "of video", "")]
    if dataset is not None:
        if dataset.unit == "frame":
            figures.append((f"{len(dataset.table):,}", "labelled frames", ""))
        figures.append((f"{len(dataset.classes):,}", "classes", ""))
        if dataset.by != "video":
            groups = {dataset.groups[name] for name in videos}
            figures.append((f"{len(groups):,}", f"{dataset.by}s", ""))
    yield tiles(figures)
    if dataset is not None:
        yield from _classes(dataset, paint)
        yield from _examples(explored, paint)
    yield from _videos(explored, paint)


def _hours(videos: Mapping[str, Video]) -> str:
    return duration(sum(video.duration for video in videos.values()))


def _dot(label: str, paint: Mapping[str, str]) -> str:
    return f'<span class="dot" style="background:{paint[label]}"></span>{text(label)}'


def _classes(dataset: Dataset, paint: Mapping[str, str]) -> Iterator[str]:
    rows = dataset.shown().astype({"video": str, "label": str, "split": str})
    pairs = rows.drop_duplicates(["video", "label"])
    splits = [split for split in SPLITS if split in set(rows["split"])]
    counts = pd.crosstab(rows["label"], rows["split"])
    of_videos = pd.crosstab(pairs["label"], pairs["split"])
    most = max(1, int(counts.to_numpy().max()))
    unit = "frames (videos)" if dataset.unit == "frame" else "videos"
    if dataset.task == "multilabel":
        unit += ", which count for each class that they show"
    yield f"<h2>Classes by split</h2>\n<p class=soft>{unit}; splits by {text(dataset.by)}</p>\n"

    def cell(label: str, split: str) -> Cell:
        count, among = int(counts.loc[label, split]), int(of_videos.loc[label, split])
        shown = f"{count:,} ({among:,})" if dataset.unit == "frame" else f"{count:,}"
        bar = f'<i class="amount" style="width:{100 * count / most:.1f}%;background:{paint[label]}"></i>'
        return Cell(f'{shown}<span class="amounts">{bar}</span>', count, True)

    def row(label: str) -> tuple[str, list[Cell]]:
        total = int(counts.loc[label].sum())
        share = 100 * total / len(dataset.table)
        cells = [Cell(_dot(label, paint), label), number(total), number(share, f"{share:.1f} %")]
        return "", [*cells, *(cell(label, split) for split in splits)]

    yield table(["class", "all", "share", *splits], map(row, dataset.classes))
    if dataset.by != "video":
        yield from _groups(dataset, pairs, paint)


def _groups(dataset: Dataset, pairs: pd.DataFrame, paint: Mapping[str, str]) -> Iterator[str]:
    """How many videos of each group show each class."""
    groups = pairs["video"].map(dataset.groups)
    counts = pd.crosstab(groups, pairs["label"])
    split = pairs.assign(group=groups).groupby("group")["split"].unique()
    videos = pairs.assign(group=groups).groupby("group")["video"].nunique()
    most = max(1, int(counts.to_numpy().max()))
    more = f", the first {_GROUPS} of {len(counts)}" if len(counts) > _GROUPS else ""
    yield f"<h2>Classes by {text(dataset.by)}</h2>\n<p class=soft>videos that show each{more}</p>\n"

    def cell(group: str, label: str) -> Cell:
        count = int(counts.loc[group, label])
        shade = f"color-mix(in srgb, {paint[label]} {round(60 * count / most)}%, transparent)"
        shown = f'<span class="heat" style="background:{shade}">{count or "·"}</span>'
        return Cell(shown, count, True)

    def row(group: str) -> tuple[str, list[Cell]]:
        names = ", ".join(sorted(split[group]))
        cells = [Cell(f'<span class="name">{text(group)}</span>'), Cell(text(names))]
        cells.append(number(int(videos[group])))
        return "", [*cells, *(cell(group, label) for label in dataset.classes)]

    columns = [dataset.by, "split", "videos", *dataset.classes]
    yield table(columns, map(row, counts.index[:_GROUPS]))


def _examples(explored: Explored, paint: Mapping[str, str]) -> Iterator[str]:
    if not explored.clips:
        return
    yield '<h2>Examples</h2>\n<p class="soft">from the longest stretches: where most moves in each</p>\n'
    yield '<button type="button" class="button" id="play">play all</button>\n<div class="examples">\n'
    for example, content, kind in explored.clips:
        name = f"{example.label} in {example.video}"
        yield (
            f'<figure><video controls muted loop playsinline preload="metadata" '
            f'aria-label="{text(name)}" src="{data_uri(content, kind)}"></video>'
            f"<figcaption>{_dot(example.label, paint)}"
            f'<br><span class="soft">{text(example.video)}, {_clock(example.start)}</span></figcaption>'
            "</figure>\n"
        )
    yield "</div>\n"


def _videos(explored: Explored, paint: Mapping[str, str]) -> Iterator[str]:
    dataset, count = explored.dataset, len(explored.videos)
    lanes = dataset is not None and dataset.task == "multilabel"
    more = f" of {count + explored.left_out:,}, spread evenly" if explored.left_out else ""
    yield f'<h2 id="videos">Videos (<span id="shown">{count}</span> of {count}{more})</h2>\n'
    yield (
        '<div class="bar"><input id="search" type="search" placeholder="name..." '
        'aria-label="search videos">'
    )
    groups: dict[str, str] = {}
    splits: dict[str, str] = {}
    if dataset is not None:
        splits = dict(dataset.splits()[["video", "split"]].itertuples(index=False))
        yield _select("class", dataset.classes)
        yield _select("split", [split for split in SPLITS if split in splits.values()])
        if dataset.by != "video":
            groups = dataset.groups
            yield _select(dataset.by, sorted({groups[name] for name in explored.videos}), "group")
    yield '<span class="soft keys">keys: <b>j</b> next, <b>k</b> back, <b>/</b> search</span></div>\n'
    if paint:
        legend = "".join(f"<li>{_dot(label, paint)}</li>" for label in paint)
        yield f'<ul class="legend" aria-label="colours of classes">{legend}</ul>\n'
    for name, video in explored.videos.items():
        found = explored.stretches.get(name, [])
        split, group = splits.get(name, ""), groups.get(name, "")
        lists = {
            "class": sorted({one.label for one in found}),
            "split": [split],
            "group": [group],
        }
        attributes = " ".join(
            f'data-{key}="{text(json.dumps(values))}"' for key, values in lists.items()
        )
        facts = ", ".join(
            part for part in (split, group, duration(video.duration), _size(video)) if part
        )
        yield (
            f'<article class="video" tabindex="-1" data-text="{text(name)}" {attributes}>'
            f'<h3>{text(name)} <span class="soft">{text(facts)}</span></h3>'
            f"{_sheet(explored.shown[name])}{_timeline(found, video, paint, lanes)}</article>\n"
        )


def _select(name: str, values: Sequence[str], key: str | None = None) -> str:
    options = "".join(f'<option value="{text(value)}">{text(value)}</option>' for value in values)
    return (
        f'<select class="filter" data-key="{text(key or name)}" aria-label="{text(name)}">'
        f'<option value="">any {text(name)}</option>{options}</select>'
    )


def _size(video: Video) -> str:
    return f"{video.info.width} x {video.info.height}, {video.info.fps:.3g} frames/s"


def _sheet(shown: Shown) -> str:
    pictures = "".join(
        f'<figure><img src="{data_uri(content, "image/jpeg")}" alt="at {_clock(second)}" '
        f'loading="lazy"><figcaption>{_clock(second)}</figcaption></figure>'
        for second, content in shown.pictures
    )
    error = f'<p><span class="mark wrong">{text(shown.error)}</span></p>' if shown.error else ""
    return f'{error}<div class="sheet" tabindex="0" role="group" aria-label="pictures">{pictures}</div>'


def _timeline(found: Sequence[Stretch], video: Video, paint: Mapping[str, str], lanes: bool) -> str:
    """A bar from the video's beginning to its end, in the colours of its classes; or one a class.

    Args:
        lanes: whether each class has a bar of its own, since several may be shown at once.
    """
    if not paint:
        return ""
    count = f"{len(found)} stretch{'es' if len(found) != 1 else ''}"
    bars = _bar(found, video, paint, f"labels of {video.name}: {count}")
    if lanes:
        shown = {one.label for one in found}
        bars = "".join(
            f'<span class="soft">{text(label)}</span>'
            + _bar(
                [one for one in found if one.label == label],
                video,
                paint,
                f"{label} in {video.name}",
            )
            for label in paint
            if len(paint) <= _LANES or label in shown
        )
        bars = f'<div class="lanes">{bars}</div>'
    listed = "".join(f"<li>{_dot(one.label, paint)}: {_range(one)}</li>" for one in found[:_LISTED])
    more = f"<li>and {len(found) - _LISTED} more</li>" if len(found) > _LISTED else ""
    return f"{bars}<details><summary>{count} of labels</summary><ul>{listed}{more}</ul></details>"


def _bar(found: Sequence[Stretch], video: Video, paint: Mapping[str, str], name: str) -> str:
    length = max(video.duration, 1e-3)
    parts = "".join(
        f'<rect x="{1000 * one.start / length:.2f}" width="{max(1, 1000 * one.length / length):.2f}" '
        f'height="20" fill="{paint[one.label]}"><title>{text(_said(one))}</title></rect>'
        for one in found
    )
    return (
        f'<svg class="timeline" viewBox="0 0 1000 20" preserveAspectRatio="none" role="img" '
        f'aria-label="{text(name)}">{parts}</svg>'
    )


def _said(one: Stretch) -> str:
    return f"{one.label}: {_range(one)}"


def _range(one: Stretch) -> str:
    return f"{_clock(one.start)} to {_clock(one.end)}"


def _clock(second: float) -> str:
    """``75.25`` as ``1:15.2``."""
    tenths = round(second * 10)
    return f"{duration(tenths // 10)}.{tenths % 10}"
