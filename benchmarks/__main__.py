"""``python -m benchmarks``: those that take minutes and need no videos of one's own."""

from benchmarks import head_epoch, input_pipeline, pruning, trial_cost

if __name__ == "__main__":
    pruning.main()
    head_epoch.main()
    input_pipeline.main()
    trial_cost.main()
