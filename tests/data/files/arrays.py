"""What tests of the cache folder share."""

from __future__ import annotations

import numpy as np

from data.files.store import Store


def put_array(store: Store, key: str, array: np.ndarray) -> None:
    with store.lock(key), store.writers({key: array.shape[1:]}, array.dtype) as writers:
        writers[key].append(array)


def names(store: Store) -> list[str]:
    return sorted(path.name for path in store.folder.iterdir() if path.is_file())
