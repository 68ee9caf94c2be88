"""Frames and features made ahead of the trials: by this machine, or by all of a cluster."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any

import models
from data import Dataset, FeatureStore
from data.console import Output
from data.files import patience
from data.labels.splits import SPLITS_FILE
from data.stores.features import ensure
from data.videos.rejects import Reject
from data.videos.video import Video
from models.config import ModelConfig
from tuner.config.load import Config
from tuner.preparation.compute import Views, feature_stores, features, stores_of_views
from tuner.preparation.costs import need, tell
from tuner.preparation.decode import Found, decode, decode_one, frame_stores
from tuner.preparation.one_machine import prepare
from tuner.runtime.machines import capacity, check_machines, may_grow
from tuner.runtime.notices import Notices
from tuner.runtime.session import RaySession
from tuner.training.device import gpus_here

_TRIES = 3  # processes that may die while they decode a video; then it is left out


def prepare_all(
    config: Config,
    searched: Sequence[ModelConfig],
    output: Output,
    session: RaySession,
    *,
    test: bool,
    views: Views | None = None,
    strict: bool = False,
    check: Callable[[Dataset], object] = lambda dataset: None,
) -> Dataset:
    """Prepare the videos, and compute the features that the models `searched` will need.

    On a cluster all machines take part, a video at a time. What one machine makes reaches
    the others only through ``data.shared_cache``.

    Args:
        test: compute the features of the test videos, too, which a search does not need.
        views: of the videos to learn from, to compute as well.
        check: called with the data set before anything is decoded, to raise what is wrong with it.
    """
    spread = False

    def decode_all(dataset: Dataset) -> list[Found]:
        nonlocal spread
        names = _names(_wanted(dataset, test))
        videos = dataset.videos.values()
        unwanted = dataset.videos.keys() - names
        learnt = learnt_from(dataset, config)
        needed = need(
            searched, videos, config.data, without_features=unwanted, views=views, learnt=learnt
        )
        tell(needed, config.data, output)
        if session.joins:
            session.wait()
            spread = may_grow()
        if spread:
            check_machines(config, dataset)
            return _on_all(config, searched, dataset, _wanted(dataset, test), output, views)
        stores = feature_stores(searched, config.data)
        of_views = [store for store, _ in stores_of_views(searched, config.data, views)]

        def of(video: Video) -> list[FeatureStore]:
            if video.name not in names:
                return []
            return [*stores, *(of_views if video.name in learnt else [])]

        def complete(video: Video) -> bool:
            return video.name in names and _complete(video, searched, of(video))

        missing = [video for video in videos if not complete(video)]
        # A GPU computes while the CPUs decode; else both would wait for the same CPUs.
        then = (lambda video: ensure(of(video), [video])) if gpus_here() else None
        return decode(missing, frame_stores(searched, config.data), config.data, output, then)

    dataset = prepare(
        config.data,
        searched,
        config.folder,
        output,
        strict=strict,
        decode_all=decode_all,
        check=check,
    )
    config.storage_folder.keep_file(config.folder / SPLITS_FILE)
    if not spread:
        wanted, learnt = _wanted(dataset, test), learnt_from(dataset, config)
        features(config.data, searched, wanted, output, views=views, learnt=learnt)
    return dataset


def learnt_from(dataset: Dataset, config: Config) -> set[str]:
    """Names of the videos that models learn from: in folds also those that others validate on."""
    splits = ["train"] if config.search.validation is None else ["train", "valid"]
    return set(dataset.table.loc[dataset.table["split"].isin(splits), "video"])


def _wanted(dataset: Dataset, test: bool) -> list[Video]:
    """The videos whose features are needed."""
    table = dataset.table
    names = table.loc[(table["split"] != "test") | test, "video"].unique()
    return [dataset.videos[name] for name in names]


def _names(videos: Sequence[Video]) -> set[str]:
    return {video.name for video in videos}


def _complete(
    video: Video, searched: Sequence[ModelConfig], stores: Sequence[FeatureStore]
) -> bool:
    """Whether a video's features are stored, and models need nothing else, such as its frames."""
    only = all(models.uses_stored_features(model) for model in searched)
    return only and all(store.has(video) for store in stores)


class Preparer:
    """A Ray actor that brings one video after another into the stores of its machine."""

    def __init__(
        self,
        config: Config,
        searched: Sequence[ModelConfig],
        views: Views | None,
        notices: Notices,
    ) -> None:
        import torch

        patience.tell(notices.say)
        torch.set_num_threads(max(1, int(config.resources.cpus)))
        self.config, self.searched = config.data, searched
        self.frames = frame_stores(searched, config.data)
        self.stores = feature_stores(searched, config.data)
        self.views = [store for store, _ in stores_of_views(searched, config.data, views)]

    def ready(self) -> None:
        """Return as soon as the actor runs."""

    def prepare(self, video: Video, wanted: bool, learnt: bool) -> Found | None:
        """Decode a video, and compute its features if `wanted`; returns as `decode_one` does.

        Args:
            learnt: whether its views are wanted, too.
        """
        stores = [*self.stores, *(self.views if learnt else [])]
        if wanted and _complete(video, self.searched, stores):
            for store in stores:
                store.share(video)
            return None  # it has been decoded, by this machine or another
        found = decode_one(video, self.frames, self.config)
        if found is None and wanted:
            ensure(stores, [video])
        return found


def _on_all(
    config: Config,
    searched: Sequence[ModelConfig],
    dataset: Dataset,
    wanted: Sequence[Video],
    output: Output,
    views: Views | None = None,
) -> list[Found]:
    """Spread the videos over the cluster; a bar shows how many are done. Returns as `decode` does.

    A machine gets a video only when it is ready. If the machine is lost, another one gets the video.
    """
    import ray
    from ray.exceptions import RayActorError, RayTaskError

    resources = config.resources
    waiting, names = deque(dataset.videos.values()), _names(wanted)
    learnt = learnt_from(dataset, config)
    cluster = capacity()
    gpus = resources.gpus_of(head=False, cluster=cluster)
    kind: Any = ray.remote(num_cpus=resources.cpus, num_gpus=gpus)(Preparer)
    found: list[Found] = []
    notices = Notices()
    losses: Counter[str] = Counter()
    busy: dict[Any, tuple[Any, Video | None]] = {}

    def start() -> None:
        actor = kind.remote(config, list(searched), views, notices)
        busy[actor.ready.remote()] = actor, None

    for _ in range(min(resources.workers(cluster, gpus), len(waiting))):
        start()
    idle: list[Any] = []
    never_ready = 0  # processes that ended before they were ready
    with output.bar("preparing videos", len(waiting)) as advance:
        while waiting or any(video for _, video in busy.values()):
            while waiting and idle:
                actor, video = idle.pop(), waiting.popleft()
                name = video.name
                busy[actor.prepare.remote(video, name in names, name in learnt)] = actor, video
            ready, _ = ray.wait(list(busy), timeout=1)
            notices.show(output.say)
            if not ready:
                continue
            (ended,) = ready
            actor, done = busy.pop(ended)
            try:
                one = ray.get(ended)
                idle.append(actor)
            except RayActorError:
                start()
                if done is None:
                    never_ready += 1
                    if never_ready > _TRIES * len(dataset.videos):
                        raise  # too many to be lost machines
                    continue
                losses[done.name] += 1
                if losses[done.name] < _TRIES:
                    waiting.appendleft(done)
                    continue
                reason = f"{_TRIES} processes ended while they decoded it"
                one = Reject(done.name, done.info.path, reason)
            except RayTaskError as error:
                raise error.cause from None  # the error of that machine, without Ray's own traceback
            if done is not None:
                found += [one] if one else []
                advance()
    notices.show(output.say)
    for actor in [*idle, *(actor for actor, _ in busy.values())]:
        ray.kill(actor)
    return sorted(found, key=lambda one: str(one.path))
