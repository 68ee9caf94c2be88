"""All that a page of a data set shows, gathered: each video is decoded once."""

from __future__ import annotations

from dataclasses import dataclass, field

from data.console import Output
from data.dataset import Dataset
from data.tools.exploring.pictures import Shown, Wanted, make
from data.tools.exploring.stretches import Example, Stretch, examples, stretches
from data.tools.side_by_side import side_by_side, usable_cpus
from data.tools.source import Source, named_videos
from data.videos.rejects import Reject
from data.videos.times import spread
from data.videos.video import Video, open_videos

_LARGEST = 28e6  # bytes of a page: what mail and phones take
_PICTURES, _CLIPS = 14e6, 8e6  # bytes of all of them in a page, about
_PICTURE, _CLIP = 7_000, 60_000  # bytes of one there
_FEWEST, _MOST = 4, 10  # pictures of a video
_EACH, _SECONDS = 3, 20.0  # examples of a class, and of how long a part of a video each is taken


@dataclass
class Explored:
    """All that a page shows.

    Attributes:
        dataset: None if there are no labels.
        videos: those that are shown.
        left_out: how many there are besides.
        shown: of each video.
        clips: example (of the clip's first second), content and kind.
        rejects: videos that don't open.
    """

    title: str
    dataset: Dataset | None
    videos: dict[str, Video]
    left_out: int = 0
    stretches: dict[str, list[Stretch]] = field(default_factory=dict)
    shown: dict[str, Shown] = field(default_factory=dict)
    clips: list[tuple[Example, bytes, str]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)


def gather(source: Source, output: Output, *, processes: int | None = None) -> Explored:
    """Gather what the page shows; every shown video is decoded once.

    Raises:
        DataError: there are no videos, or the labels are wrong.
    """
    title = str(source.videos) + (f" and {source.labels}" if source.labels else "")
    if source.labels is None:
        named = named_videos(source.videos)
        with output.bar("opening videos", len(named)) as advance:
            videos, rejects = open_videos(named, source.settings.get("fps"), on_video=advance)
        explored = Explored(title, None, videos, rejects=rejects)
    else:
        dataset = source.load(output)
        explored = Explored(title, dataset, dataset.videos, rejects=dataset.rejects)
        explored.stretches = stretches(dataset)
    names = [*explored.videos]
    most = int(_PICTURES // (_PICTURE * _FEWEST))
    if len(names) > most:
        explored.left_out = len(names) - most
        names = [names[place] for place in spread(len(names), most).tolist()]
    chosen = _chosen(explored)
    concerned = {name: explored.videos[name] for name in [*names, *(one.video for one in chosen)]}
    each = min(_MOST, max(_FEWEST, int(_PICTURES // (_PICTURE * max(1, len(names))))))
    clips: dict[str, list[Example]] = {name: [] for name in concerned}
    for one in chosen:
        clips[one.video].append(one)
    wanted = [
        _wanted(video, each if name in names else 0, clips[name])
        for name, video in concerned.items()
    ]
    made: dict[str, Shown] = {}
    with output.bar("decoding videos", len(wanted)) as advance:
        for number, shown in side_by_side(make, wanted, processes or usable_cpus()):
            made[[*concerned][number]] = shown
            advance()
    explored.videos = {name: explored.videos[name] for name in names}
    explored.shown = {name: made[name] for name in names}
    found: list[tuple[int, tuple[Example, bytes, str]]] = []
    for name, of_video in clips.items():
        for one, (start, content) in zip(of_video, made[name].clips, strict=False):
            if content:
                clip = (one._replace(start=start), content, made[name].kind)
                found.append((chosen.index(one), clip))
    explored.clips = [clip for _, clip in sorted(found, key=lambda one: one[0])]
    _thin(explored)
    return explored


def _thin(explored: Explored) -> None:
    """Leave out every other picture of each video until the page is small enough."""
    while True:
        pictures = [len(content) for one in explored.shown.values() for _, content in one.pictures]
        clips = [len(content) for _, content, _ in explored.clips]
        if 4 / 3 * (sum(pictures) + sum(clips)) <= _LARGEST or len(pictures) <= len(explored.shown):
            return
        for one in explored.shown.values():
            one.pictures = one.pictures[len(one.pictures) // 2 % 2 :: 2]


def _chosen(explored: Explored) -> list[Example]:
    if explored.dataset is None:
        return []
    classes = len(explored.dataset.classes)
    each = max(1, min(_EACH, int(_CLIPS // (_CLIP * classes))))
    return examples(explored.dataset, explored.stretches, each, _SECONDS)[: int(_CLIPS // _CLIP)]


def _wanted(video: Video, pictures: int, clips: list[Example]) -> Wanted:
    return Wanted(video.info, pictures, [(one.start, one.end) for one in clips])
