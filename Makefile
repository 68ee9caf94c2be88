# Every target does all of its own set-up; a machine needs Python 3.11 and make.
PYTHON ?= python3.11
CONFIG ?= configs/seals.yaml
ARGS ?=
BIN := .venv/bin

.PHONY: search test test-long test-gpu test-cluster chaos fuzz benchmarks clean

# Search, then the best model's test figures and predictions. Run again, it goes on where it stopped.
search: .venv/installed
	$(BIN)/python -m tuner.search $(CONFIG) --resume $(ARGS)
	$(BIN)/python -m tuner.best --predict

# Two files of tests at once, each with a Ray of its own, in the order of tests/order.py.
test: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -m "not long and not cluster and not gpu" -rs --durations=12 -n 2 --dist loadfile --no-loadscope-reorder

# What `make test` leaves out to be quick: whole searches, of which others test the most part.
test-long: .venv/installed
	$(BIN)/python -m pytest -m "long and not cluster and not gpu" -rs --durations=12 -n 2 --dist loadfile --no-loadscope-reorder

# What `make test` leaves out, too: models that are trained and predict on a GPU, and what only a GPU can do.
test-gpu: .venv/installed
	@if $(BIN)/python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; \
	then $(BIN)/python -m pytest -m gpu -rs --durations=10; \
	else echo "no CUDA device here: nothing was tested"; fi

# What `make test` leaves out, too: clusters on hosts of this machine's own, which takes root and ten minutes.
# Two files of them at once, the longest first, as they mostly wait.
test-cluster: .venv/cluster
	$(BIN)/python -m pytest -m cluster -rs --timeout=900 --durations=20 -n 2 --dist loadfile tests/cluster

# Two hundred faults in real searches, compared with one that nothing disturbed: two hours.
chaos: .venv/installed
	$(BIN)/python -m tests.chaos $(ARGS)

# A million damaged and odd files for all that reads files: some hours. `make fuzz ARGS="labels --inputs 1000"` is less.
fuzz: .venv/installed
	$(BIN)/python -m tests.fuzz --inputs 1000000 $(ARGS)

benchmarks: .venv/installed
	$(BIN)/python -m benchmarks

.venv/installed: pyproject.toml cluster/constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint cluster/constraints.txt --editable '.[dev]'
	touch $@

# Apart, as every Ray starts slower with the dashboard's parts.
.venv/cluster: .venv/installed
	$(BIN)/pip install --quiet --constraint cluster/constraints.txt --editable '.[dev,cluster]'
	touch $@

clean:
	rm -rf .venv runs
