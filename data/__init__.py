"""Videos and labels to stored frames, features and clips; knows nothing of models and searches.

Importing this package costs little: pandas is imported when first needed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from data.errors import DataError

if TYPE_CHECKING:
    from data.dataset import Dataset, load
    from data.stores.features import FeatureStore
    from data.stores.frames import FrameStore
    from data.videos.rejects import Reject
    from data.videos.video import Video

__all__ = ["DataError", "Dataset", "FeatureStore", "FrameStore", "Reject", "Video", "load"]

_HOMES = {
    "Dataset": "data.dataset",
    "FeatureStore": "data.stores.features",
    "FrameStore": "data.stores.frames",
    "Reject": "data.videos.rejects",
    "Video": "data.videos.video",
    "load": "data.dataset",
}


def __getattr__(name: str) -> Any:
    """Import what needs pandas when it is first asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
