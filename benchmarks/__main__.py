"""``python -m benchmarks``: all of them."""

from benchmarks import head_epoch, trial_cost

if __name__ == "__main__":
    head_epoch.main()
    trial_cost.main()
