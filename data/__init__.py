"""Videos and labels to stored frames, features and clips; knows nothing of models and searches."""

from data.dataset import Dataset, load
from data.errors import DataError
from data.stores.features import FeatureStore
from data.stores.frames import FrameStore
from data.videos.rejects import Reject
from data.videos.video import Video

__all__ = ["DataError", "Dataset", "FeatureStore", "FrameStore", "Reject", "Video", "load"]
