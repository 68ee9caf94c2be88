"""Whether a search goes on with the configuration that it began with."""

from __future__ import annotations

from typing import Any

from tuner.config.load import Config
from tuner.config.messages import StoreError
from tuner.study.store.database import without_password

_SECTIONS = ("data", "model", "training", "space")
_OF_SEARCH = ("metric", "seed", "sampler", "sampler_options", "validation")
_PLACES = ("videos", "labels")
_FREE = ("cache_limit_gb", "shared_cache")  # they change no result


def changes(new: Config, old: Config, *, places: bool = True) -> list[str]:
    """What differs of all that determines the outcome of a trial, as ``data.fps was 5, is 10``.

    What an earlier version did not know has its default.

    Args:
        places: where videos and labels are counts, too; else what they hold is compared elsewhere.
    """
    now, before = _decisive(new, places), _decisive(old, places)
    return [
        f"{key} was {before.get(key)}, is {now.get(key)}"
        for key in sorted(now.keys() | before.keys())
        if now.get(key) != before.get(key)
    ]


def same(new: Config, old: Config, *, places: bool = True) -> None:
    """What determines the outcome of a trial must not change within a search.

    Args:
        places: as of `changes`.

    Raises:
        StoreError: it has.
    """
    if changed := changes(new, old, places=places):
        raise StoreError(
            f"search '{new.name}' can't go on with another configuration "
            f"({'; '.join(changed)}): undo the change, or --set name=ANOTHER for a new search"
        )


def tree(config: Config) -> dict[str, Any]:
    """A configuration for the store, without its password: all who read the store see it."""
    values = config.model_dump(mode="json")  # plain, also where a path holds bytes that are no text
    if config.results is not None:
        values["results"] = without_password(config.results)
    return values


def _decisive(config: Config, places: bool) -> dict[str, Any]:
    """The values that determine the outcome of a trial, by dotted key."""
    values = tree(config)
    if not places:
        values["data"] = {k: v for k, v in values["data"].items() if k not in _PLACES}
        if (values["data"]["splits"] or {}).get("file") is not None:
            values["data"]["splits"] |= {"file": "given"}
    sections = {section: values[section] for section in _SECTIONS}
    sections["search"] = {key: values["search"][key] for key in _OF_SEARCH}
    return {
        f"{section}.{key}": value
        for section, values in sections.items()
        for key, value in values.items()
        if key not in _FREE
    }
