"""Videos and labels to stored frames, features and clips; knows nothing of models and searches."""

from data.dataset import Dataset, load
from data.errors import DataError
from data.features import FeatureStore
from data.frames import FrameStore
from data.videos import Reject, Video

__all__ = ["DataError", "Dataset", "FeatureStore", "FrameStore", "Reject", "Video", "load"]
