"""The prediction of a model, or of several together, for every frame of videos."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from data import Video
from data.errors import VideoError
from data.videos.rejects import Reject
from models import VideoClassifier, answering
from tuner.analysis.videos import decided, video_table, with_errors
from tuner.config.sections import DataConfig
from tuner.training.clips.batches import Clips, FeatureClips, all_logits
from tuner.training.clips.extractor import alike, extractor, shared_steps, steps, store
from tuner.training.clips.source import frame_clips, frame_numbers
from tuner.training.clips.stored import Reader, reader
from tuner.training.device import best_device
from tuner.training.task import Task, task_of

PREDICTIONS = "frame_predictions.csv"
_FEATURES_AT_ONCE, _FRAMES_AT_ONCE, _STEPS_AT_ONCE, _VIDEOS_AT_ONCE = 512, 32, 64, 64


@dataclass(frozen=True)
class Predictions:
    """What models say of videos.

    Attributes:
        frames: every sampled frame: a column a class with its probability, ``prediction`` (what the
            task decides), ``video``, ``frame`` (from 0, among those sampled) and ``time`` (seconds).
            Models of whole videos say what they would if the video were this frame alone, and
            ``attention``, how much it counts (with sum 1 over a video), where that can be told.
        videos: as `video_table` gives it.
        whole: whether the models are of whole videos; else a video is the mean of its frames.
    """

    frames: pd.DataFrame
    videos: pd.DataFrame
    whole: bool = False

    def at_temperature(self, task: Task, temperature: float) -> Predictions:
        """The same with probabilities at a temperature.

        What is decided of frames stays, and of videos if `whole`; unless several classes may be shown,
        which the task decides again, at its thresholds. Else a video is the mean of its frames at this
        temperature, which may lie on the other side of an even chance.
        """
        if (temperature == 1 and not task.redecides) or self.frames.empty:
            return self

        def changed(rows: pd.DataFrame) -> pd.DataFrame:
            before = torch.tensor(rows[task.columns].to_numpy(float))
            after = task.at_temperature(before, temperature).numpy()
            rows = rows.assign(**dict(zip(task.columns, after.T, strict=True)))
            if not task.redecides:
                return rows
            return rows.assign(prediction=decided(task, rows[task.columns])["prediction"])

        frames = changed(self.frames)
        answers = changed(self.videos).set_index("video") if self.whole else None
        return replace(self, frames=frames, videos=video_table(frames, task, answers))


def predict(
    members: Sequence[VideoClassifier],
    videos: Sequence[Video],
    config: DataConfig,
    *,
    weights: Sequence[float] | None = None,
    on_frames: Callable[[int], None] = lambda count: None,
    rejects: list[Reject] | None = None,
) -> Predictions:
    """Class probabilities of every sampled frame and of every video, as the models give them.

    Args:
        members: models of the same classes, whose probabilities are averaged; with their backbones,
            unless those are frozen and their features are stored.
        config: how frames are read.
        weights: of the members in the average; None: all the same.
        on_frames: told how many more of `shared_steps` are done.
        rejects: gets the videos that decode in part, or not at all; None: the first of these raises.
    """
    members = [answering(model) for model in members]
    task = task_of(members[0].config.task, members[0].classes)
    whole = members[0].config.frames_per_video is not None
    parts = [pd.DataFrame(columns=[*task.columns, "prediction", "video", "frame", "time"])]
    answers: dict[str, np.ndarray] = {}
    told = 0

    def tell(count: int) -> None:
        nonlocal told
        told += count
        on_frames(count)

    of_frame = shared_steps(members, [range(1)], config)
    extractors = [extractor(model, config, tell) for model in members]
    members = [model.eval().to(best_device()) for model in members]
    groups = alike(one and one.kind for one in extractors)
    waiting = deque(videos)
    while waiting:
        video = waiting.popleft()
        told = 0
        try:
            seen: dict[int, _Seen] = {}
            store(extractors, video)
            for numbers in groups:
                extract = extractors[numbers[0]]
                features = extract(video) if extract else None
                for number in numbers:
                    seen[number] = _seen(task, members[number], features, video, config, tell)
        except VideoError as error:
            if rejects is None:
                raise
            found = video.after(error)
            if isinstance(found, Reject):
                rejects.append(found)
            else:
                waiting.appendleft(replace(video, info=found))
            continue
        finally:
            # Features that were stored, and a video that broke off, have told of fewer.
            tell(len(video) * of_frame - told)
        if video.info.damage and rejects is not None:
            rejects.append(Reject.cut(video.name, video.info))
        each = [seen[number] for number in range(len(members))]
        mean = np.average([one.frames for one in each], axis=0, weights=weights)
        part = decided(task, pd.DataFrame(mean, columns=task.columns))
        part = part.assign(video=video.name, frame=np.arange(len(part)), time=video.times)
        attention = [one.weights for one in each if one.weights is not None]
        if attention:
            part["attention"] = np.mean(attention, axis=0)
        parts.append(part)
        answers[video.name] = np.average([one.video for one in each], axis=0, weights=weights)
    frames = pd.concat(parts[1:] or parts, ignore_index=True)
    if not whole:
        return Predictions(frames, video_table(frames, task), whole)
    of_videos = pd.DataFrame.from_dict(answers, orient="index", columns=task.columns, dtype=float)
    return Predictions(frames, video_table(frames, task, decided(task, of_videos)), whole)


def answers(
    members: Sequence[VideoClassifier],
    videos: Sequence[Video],
    config: DataConfig,
    on_frames: Callable[[int], None] = lambda count: None,
) -> np.ndarray:
    """What each model of whole videos says of each, float64 ``[K, V, C]``; `predict` takes far longer.

    Args:
        config: as of `predict`.
        on_frames: told how many more of `steps` are done.
    """
    task = task_of(members[0].config.task, members[0].classes)
    found = np.empty((len(members), len(videos), len(task.classes)))
    readers = [reader(model, config) for model in members]
    for numbers in alike(read and read.kind for read in readers):
        read, some = readers[numbers[0]], [members[number] for number in numbers]
        if read is None:
            table = predict(some, videos, config, on_frames=on_frames).videos
            found[numbers] = table[task.columns].to_numpy(float)
        else:
            for start in range(0, len(videos), _VIDEOS_AT_ONCE):
                part = slice(start, start + _VIDEOS_AT_ONCE)
                found[numbers, part] = _answers(task, some, read, videos[part])
                on_frames(steps(some, videos[part]))
        for model in some:
            model.cpu()  # many do not fit a GPU together
    return found


def _answers(
    task: Task, members: Sequence[VideoClassifier], read: Reader, videos: Sequence[Video]
) -> np.ndarray:
    """`answers` of models that are given equal features."""
    features, begins = read(videos)
    places = np.array([begins[video.name] for video in videos])[:, None]
    none = torch.zeros(len(videos), dtype=torch.int64)
    found = []
    for model in members:
        index = [frame_numbers(model.config, len(video), None) for video in videos]
        clips = FeatureClips(features, torch.from_numpy(np.concatenate(index) + places), none)
        model = model.eval().to(best_device())
        found.append(_probabilities(task, model, clips, lambda _: None))
    return np.stack(found)


@dataclass(frozen=True)
class _Seen:
    """What one model says of one video: of the frames ``[N, C]`` and of the whole ``[C]``.

    Attributes:
        weights: ``[N]``, how much each frame counts; None: it can't be told.
    """

    frames: np.ndarray
    video: np.ndarray
    weights: np.ndarray | None = None


def _seen(
    task: Task,
    model: VideoClassifier,
    stored: Tensor | None,
    video: Video,
    config: DataConfig,
    tell: Callable[[int], None],
) -> _Seen:
    count, places = len(video), model.config.frames_per_video
    if places is None:
        index = frame_numbers(model.config, count, np.arange(count))
        clips = _clips(model, stored, video, config, index)
        each = _probabilities(task, model, clips, tell)
        return _Seen(each, each.mean(axis=0))
    whole = frame_numbers(model.config, count, None)
    if stored is None:  # the clips of a network that is trained, each as if it were all of them
        alone = np.tile(whole.reshape(places, -1), (1, places))
        clips = _clips(model, None, video, config, np.concatenate([whole, alone]))
        probabilities = _probabilities(task, model, clips, tell)
        answer, each = probabilities[0], probabilities[1:]
    else:
        answer = _probabilities(task, model, _clips(model, stored, video, config, whole), tell)[0]
        each = _alone(task, model, stored)
    part = np.arange(count) * len(each) // count  # the clip, or the frame itself, of each frame
    return _Seen(each[part], answer, _weights(model, stored, part))


def _alone(task: Task, model: VideoClassifier, stored: Tensor) -> np.ndarray:
    """What each step says by itself, float64 ``[N, C]``."""
    with torch.inference_mode():
        features = model.norm(stored.float().to(model.norm.mean.device))
        logits = torch.cat([model.alone(some) for some in features.split(_STEPS_AT_ONCE)])
    return task.probabilities(logits.double().cpu()).numpy()


def _weights(model: VideoClassifier, stored: Tensor | None, part: np.ndarray) -> np.ndarray | None:
    """How much each frame counts ``[N]``; `part` says which of the steps it belongs to."""
    if stored is None:
        return None
    with torch.inference_mode():
        shares = model.shares(stored.float().to(model.norm.mean.device)[None])
    if shares is None:
        return None
    weights = shares[0].double().cpu().numpy()[part] / np.bincount(part)[part]
    return weights / weights.sum()  # a short video has fewer frames than steps


def _clips(
    model: VideoClassifier,
    features: Tensor | None,
    video: Video,
    config: DataConfig,
    index: np.ndarray,
) -> Clips:
    """Clips of `video` by the numbers of their features, or of their frames; labels are all 0."""
    none = torch.zeros(len(index), dtype=torch.int64)
    if features is not None:
        return FeatureClips(features, torch.from_numpy(index), none)
    return frame_clips(model.config, config, [video], none, torch.from_numpy(index), none)


def _probabilities(
    task: Task, model: VideoClassifier, clips: Clips, tell: Callable[[int], None]
) -> np.ndarray:
    """float64 ``[N, C]``."""
    quick = isinstance(clips, FeatureClips)  # the backbone has already counted these frames
    size = _FEATURES_AT_ONCE if quick else _FRAMES_AT_ONCE
    logits = all_logits(
        model,
        clips.to(best_device()),
        size,
        on_batch=lambda batch: None if quick else tell(steps([model], [batch])),
    )
    return task.probabilities(logits.double().cpu()).numpy()


def with_labels(predictions: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """`predictions` of frames with ``label, split, error``; empty label and error where there is none.

    Args:
        table: the label table. A frame of a video that is labelled as a whole has the video's label.
    """
    keys = ["video", "frame"] if "frame" in table else ["video"]
    return with_errors(predictions.merge(table[[*keys, "label"]], on=keys, how="left"), table)
