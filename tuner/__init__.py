"""The commands: ``python -m tuner.search``, ``tuner.best``, ``tuner.train``."""
