# Two commands do everything on a machine with Python 3.10 or newer and make: `make test` and `make reproduce`.
# `make test-all` runs what `make test` leaves out: every fault, every lesson, all steps in double precision, the site.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
OUT    ?= runs/reproduce
JOBS   ?=
GIVEN  ?=
MEASURED ?= faults cluster actions
READY  := $(VENV)/.ready
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt
SINGLE := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

.DEFAULT_GOAL := help
.PHONY: help env test test-all check format notebooks reproduce trust variance planted actions gradient benchmark faults cluster measured situations amazon_at_size docs links shipped tutorials lab prepare clean

help:  ## what can be made
	@grep -hE '^[a-z_ -]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

env: $(READY)  ## the environment in .venv, from constraints.txt; made once, updated when the pins change

$(READY): constraints.txt requirements-dev.txt settings.ini setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "recinfluence needs Python 3.10 or newer; name one with: make PYTHON=python3.11 ..." >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) --quiet -r requirements-dev.txt -e . || $(INSTALL) -r requirements-dev.txt -e .    # once more, and aloud: a registry may have stumbled
	$(INSTALL) --quiet --no-deps recommenders
	touch $@

ROOMS := nbs/[0-9][0-9]_*
PYTEST := $(SINGLE) $(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder --durations 25

check: $(READY)  ## the gates: the house in order, notebooks clean, package equals export, README equals index
	$(BIN)/python tests/gates.py

test: check  ## the gates, all notebooks of the library, the quick tests: every room, a kill, a fault of each kind, a browser
	$(SINGLE) $(BIN)/python tests/notebooks.py
	$(PYTEST) -m 'not slow' tests

test-all: $(READY)  ## what `make test` leaves out: the slow tests
	$(PYTEST) -m slow tests

notebooks: $(READY)  ## run the library notebooks in place, so that they show current results; then clean
	for n in $(ROOMS)/[0-9]*.ipynb nbs/index.ipynb; do $(SINGLE) $(BIN)/jupyter nbconvert --to notebook --execute --inplace --log-level=ERROR $$n || exit 1; done
	$(MAKE) prepare

format: $(READY)  ## write notebooks, kernels, tests and site in the house's form
	$(BIN)/ruff format nbs tests docs recinfluence/kernels setup.py

prepare: $(READY)  ## after editing notebooks: export the package, clean the notebooks, write the README
	$(BIN)/nbdev_export
	$(BIN)/nbdev_clean
	$(BIN)/python tests/gates.py --write-readme

reproduce: $(READY)  ## the paper's sections and a report with every table and figure, into $(OUT)
	$(SINGLE) $(BIN)/recinfluence reproduce all --out $(OUT) $(if $(JOBS),--jobs $(JOBS))

trust variance planted actions gradient benchmark faults cluster: $(READY)  ## experiments beside the paper: a ranking that replicates; which tricks pay; planted truth; actions; the gradient of training beside deletion; costs; injected faults; a cluster
	$(SINGLE) $(BIN)/python -c "from recinfluence.reproduction.sections import run_experiment; run_experiment('$@', '$(OUT)', **dict($(GIVEN)))"

docs: $(READY)  ## the documentation site: open build/docs/site/index.html
	OUT=$(OUT) $(BIN)/python -m sphinx -b html -W --keep-going -n -q -j auto -d build/docs/trees docs build/docs/site

links: $(READY)  ## try the links of the site that lead elsewhere, where there is a network; `make test` tries those within
	OUT=$(OUT) $(BIN)/python -m sphinx -b linkcheck -q -j auto -d build/docs/trees docs build/docs/links

measured: $(MEASURED)  ## run these and keep what the site shows of them
	$(BIN)/python docs/measure.py $(MEASURED)

situations: $(READY)  ## run whatever people bring, wrong or unusual, and keep the table that the site shows of it
	$(SINGLE) $(BIN)/python tests/situations

amazon_at_size: $(READY)  ## read a csv of the size and shape of Amazon Electronics, simulated, on one core, and keep what it took: a minute, 0.4 GB of temporary disk
	$(SINGLE) $(BIN)/python tests/amazon_at_size.py --keep docs/measured/amazon_at_size.csv

shipped: $(READY)  ## compute the influence tables of data/shipped again: the full profile, about two hours on two cores
	$(SINGLE) $(BIN)/recinfluence reproduce all --profile full --out runs/full $(if $(JOBS),--jobs $(JOBS))
	cp runs/full/results/*.parquet data/shipped/

tutorials: $(READY)  ## the six lessons of nbs/tutorials at full size, by papermill, into runs/tutorials: about three minutes on two cores
	mkdir -p runs/tutorials
	for n in nbs/tutorials/[0-9]*.ipynb; do $(SINGLE) $(BIN)/papermill --no-progress-bar $$n runs/tutorials/$$(basename $$n) || exit 1; done

lab: $(READY)  ## open JupyterLab
	$(BIN)/jupyter lab nbs

clean:  ## remove the environment and everything made
	rm -rf $(VENV) runs build dist *.egg-info
