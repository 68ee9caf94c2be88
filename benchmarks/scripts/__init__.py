"""The scripts that one would write instead of a search, for `benchmarks.peers` to run."""
