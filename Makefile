# Every target does its own set-up; nothing needs to be installed by hand but Python 3.10 or newer.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

# A process for each core; eight at most, for each holds PyTorch. WORKERS=0 is one after the other.
WORKERS ?= auto

# How much of the long form of the faults; 1 is all of it.
SHARE ?= 1

.PHONY: demo test test-short bench bench-shared mutation faults fuzz scale check lint format wheel-test results docs gpu-ptb clean

demo: $(READY)             ## train on the built-in text without dropout and with it, compare, sample
	PATH="$(abspath $(BIN)):$$PATH" tools/demo.sh

gpu-ptb: $(READY)          ## all that wants a GPU: tests, speed, the paper's rows, ensembles; stopped, it goes on when called again
	$(BIN)/python tools/gpu_ptb.py --out $(or $(OUT),runs/gpu-ptb) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SET),--set $(SET))

test: $(READY)             ## all tests, on all cores
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 8 --dist worksteal

test-short: $(READY)       ## the tests that are quick, for while one writes
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow"

bench: $(READY)            ## speed, memory, growth and where the time goes, into docs/results/speed.md: a quarter of an hour, alone
	$(BIN)/python tools/speed.py alone $(if $(SECONDS),--seconds $(SECONDS))

bench-shared: $(READY)     ## trainings beside a process that only spins, and two at once, into the same document
	$(BIN)/python tools/speed.py shared $(if $(SECONDS),--seconds $(SECONDS))

mutation: $(READY)         ## break lines of the core at random: does the short suite notice?
	$(BIN)/python tools/mutation.py --number 40 --seed 1 --output docs/mutation.md

faults: $(READY)           ## kill it, fill its disk, damage its files ..., and write what was lost into docs/reliability.md
	rm -rf build/faults
	LSTMDROP_FAULTS=$(SHARE) LSTMDROP_FAULTS_NOTES=$(abspath build/faults) OMP_NUM_THREADS=1 $(BIN)/python -m pytest \
		tests/faults -n $(WORKERS) --maxprocesses 8 --dist worksteal; \
		status=$$?; LSTMDROP_FAULTS=$(SHARE) $(BIN)/python tools/reliability.py build/faults --into docs/reliability.md && exit $$status

scale: $(READY)            ## many workers in one run, many runs on a cluster: every law on all its cases, with real processes
	LSTMDROP_SCALE=long OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/scaling tests/commands/test_cluster.py --durations=10

fuzz: $(READY)             ## files that nobody has thought of, for every parser: make fuzz INPUTS=1000000 MINUTES=480 SEED=4
	nice -n 10 $(BIN)/python tools/fuzz.py $(if $(INPUTS),--inputs $(INPUTS)) $(if $(MINUTES),--minutes $(MINUTES)) \
		$(if $(SEED),--seed $(SEED)) --record docs/results/reliability/fuzzing.json --into docs/reliability.md

check: lint test           ## formatting, lint, types, layers, tests

lint: $(READY)
	$(BIN)/ruff format --check src tasks tests tools
	$(BIN)/ruff check src tasks tests tools
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports

format: $(READY)           ## rewrite the code in the house's format
	$(BIN)/ruff format src tasks tests tools
	$(BIN)/ruff check --fix src tasks tests tools

wheel-test: $(READY)       ## build the wheel, install it in a second environment, train there
	PYTHON="$(PYTHON)" BIN="$(abspath $(BIN))" tests/wheel.sh

results: $(READY)          ## tables, page, pictures and the documents' tables from the runs in docs/results
	$(BIN)/lstmdrop report docs/results --format markdown --output docs/results/tables.md
	$(BIN)/lstmdrop report docs/results --format html --no-data --output docs/results/page.html
	$(BIN)/lstmdrop report docs/results --into README.md
	$(BIN)/lstmdrop report docs/results --into docs/rules.md
	$(BIN)/lstmdrop report docs/results/lm/lm-demo docs/results/lm/rules-demo --format svg --output docs/results/lm/rules-demo.svg

docs: $(READY)             ## the documentation as a site, in build/docs; a warning or a broken link is an error
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -b html docs build/docs

clean:
	rm -rf $(VENV) dist build .mutation .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt --editable ".[dev]"
	touch $@
