"""What befalls a search: each kind of fault does its harm to a search that runs or has stopped.

A kind that ends the search's process is followed by the same command with ``--resume``.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.chaos import files, machine, processes
from tests.chaos.harm import Harmed, Met

Fault = Callable[[Harmed], Met]

# Those after which nothing can be lost: of the results store alone no second copy is kept, but in the
# memory of the search that runs.
FAULTS: dict[str, Fault] = {
    fault.__name__.replace("_", " "): fault
    for fault in (
        processes.worker_is_killed,
        processes.all_workers_are_killed,
        processes.worker_stands_still,
        processes.search_stands_still,
        processes.search_is_killed,
        processes.power_is_cut,
        processes.search_is_told_to_end,
        processes.terminal_is_closed,
        processes.raylet_is_killed,
        files.bits_of_features_flip,
        files.features_are_cut,
        files.last_pages_of_features_are_zero,
        files.features_are_those_of_another_video,
        files.bits_of_frames_flip,
        files.cache_is_deleted,
        files.power_is_cut_and_a_checkpoint_is_there,
        files.power_is_cut_and_bits_of_a_checkpoint_flip,
        files.power_is_cut_and_a_checkpoint_is_cut,
        files.power_is_cut_and_a_checkpoint_is_empty,
        files.power_is_cut_and_the_model_of_a_checkpoint_is_gone,
        files.power_is_cut_and_the_model_of_a_checkpoint_is_damaged,
        files.writers_leave_their_parts,
        files.history_is_deleted,
        files.results_are_deleted,
        files.results_are_damaged,
        processes.gcs_is_killed,
        processes.raylet_stands_still,
        processes.worker_crashes,
        machine.disk_is_full,
        machine.memory_is_short,
        machine.descriptors_are_short,
        machine.videos_are_away,
        machine.times_of_files_lie_ahead,
        machine.results_are_locked,
        processes.search_is_started_twice,
        files.power_is_cut_and_a_trials_folder_is_gone,
    )
}

# After these the command is to be run again; after any other one it goes on by itself.
ENDING = frozenset(kind for kind in FAULTS if kind.startswith("power is cut")) | {
    "search is killed",
    "search is told to end",
    "terminal is closed",
    "raylet is killed",
    "gcs is killed",
    "results are deleted",  # a new file is in their place then, and that is said
    "results are damaged",
}
