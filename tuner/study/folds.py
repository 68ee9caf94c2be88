"""The folds that validate a search's trials: dealt once, kept in the results store, the same for all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from data import Dataset
from data.console import Output
from data.errors import DataError, some
from tuner.config.load import Config
from tuner.config.sections import ValidationConfig
from tuner.study.halving.rungs import Rungs


def deal(
    config: Config, dataset: Dataset, before: Mapping[str, int] | None = None
) -> dict[str, int]:
    """The fold that each video outside the test split validates, from 1; empty if it has no folds.

    Args:
        before: the folds that the search began with. They stay: a trial under way must not validate on
            what it was trained on. A video that is new joins its group, or the smallest fold.

    Raises:
        DataError: the videos can't be dealt so, or a fold of `before` has none any more.
    """
    validation = config.search.validation
    if validation is None:
        return {}
    try:
        by = _by(validation, dataset)
        splits = dataset.folds(validation.folds, config.search.seed, by)
    except DataError as error:
        raise DataError([f"search.validation: {problem}" for problem in error.problems]) from error
    dealt = {
        video: number
        for number, fold in enumerate(splits, 1)
        for video, split in fold.items()
        if split == "valid"
    }
    return _as_before(dealt, _groups(config, dataset, dealt), before) if before else dealt


def tell(config: Config, dataset: Dataset, dealt: Mapping[str, int], output: Output) -> None:
    """Say how videos were dealt, if they were, and warn of what the folds lack."""
    validation = config.search.validation
    if validation is None:
        return
    by = _by(validation, dataset)
    if by != (validation.by or dataset.by):
        output.warn(
            f"warning: outside test there are fewer {dataset.by}s than folds ({validation.folds}): folds"
            f" are by video, so they don't show how a {dataset.by} never seen will do"
        )
    group_of = _groups(config, dataset, dealt)
    groups = "" if by == "video" else f" ({len(set(group_of.values()))} {by}s)"
    line = f"validation: {validation.folds} folds by {by}{groups}: {len(dealt)} videos"
    if config.search.scheduler == "asha":
        rungs = Rungs.of_folds(validation.folds, factor=config.search.reduction_factor)
        *others, last = map(str, rungs.levels)
        after = f"{', '.join(others)} and {last} folds" if others else f"{last} fold"
        line += f"; trials are compared after {after}"
    output.say(line)
    for warning in _lacking(dataset, dealt):
        output.warn(f"warning: {warning}")


def _by(validation: ValidationConfig, dataset: Dataset) -> str:
    """What folds don't part: as asked for, else as the splits, if there are enough of these groups."""
    if validation.by:
        return validation.by
    outside = dataset.table.loc[dataset.table["split"] != "test", "video"].unique()
    groups = {dataset.groups.get(video, video) for video in outside}
    return dataset.by if len(groups) >= validation.folds else "video"


def _groups(config: Config, dataset: Dataset, videos: Iterable[str]) -> dict[str, str]:
    """The group of each video, which folds don't part."""
    validation = config.search.validation
    alone = validation is not None and _by(validation, dataset) == "video"
    return {video: video if alone else dataset.groups.get(video, video) for video in videos}


def _as_before(
    dealt: Mapping[str, int], group_of: Mapping[str, str], before: Mapping[str, int]
) -> dict[str, int]:
    kept = {video: before[video] for video in dealt if video in before}
    of_group = {group_of[video]: fold for video, fold in kept.items()}
    sizes = Counter(dict.fromkeys(before.values(), 0))
    sizes.update(kept.values())
    for video in sorted(dealt.keys() - kept.keys()):
        smallest = min(sizes, key=lambda fold: (sizes[fold], fold))
        kept[video] = of_group.setdefault(group_of[video], smallest)
        sizes[kept[video]] += 1
    if empty := sorted(set(before.values()) - set(kept.values())):
        raise DataError(
            [
                f"search.validation: none of the videos of fold {', '.join(map(str, empty))} that the "
                "search began with is there any more: bring them back, or --set name=ANOTHER for a new "
                "search"
            ]
        )
    return dict(sorted(kept.items()))


def _lacking(dataset: Dataset, folds: Mapping[str, int]) -> list[str]:
    """Classes all of whose videos validate one fold, so that its model is trained without them."""
    pairs = dataset.shown().drop_duplicates(["video", "label"])
    pairs = pairs.assign(fold=pairs["video"].map(folds)).dropna(subset=["fold"])
    said = []
    for label, rows in pairs.groupby("label"):
        if rows["fold"].nunique() == 1:
            said.append(
                f"class '{label}' is in fold {int(rows['fold'].iloc[0])} alone ({some(rows['video'])}): "
                "the model that validates it there was not trained on it, and can't recognise it; label "
                f"the class in more {'videos' if dataset.by == 'video' else f'{dataset.by}s'}"
            )
    return said
