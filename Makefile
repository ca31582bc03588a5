# Everything a newcomer needs: `make app`, `make test`. Each does its own set-up, once.

PYTHON ?= python3
BIN := .venv/bin
PORT ?= 8501

.PHONY: app test check slow fuzz faults claims bench docs gallery clean

app: .venv/.installed  ## open the dashboard on this machine; READ_ONLY=1 changes nothing
	$(BIN)/streamlit run app.py --server.port $(PORT) $(if $(READ_ONLY),-- --read-only)

test: .venv/.installed-dev check  ## the whole fast suite
	$(BIN)/pytest -n auto --dist loadfile --durations=15

check: .venv/.installed-dev  ## style and types
	$(BIN)/ruff check .
	$(BIN)/mypy

fuzz: .venv/.installed-dev  ## 2,000 spoilt copies of whatever is read from outside, for each of some 50 readers; an hour
	$(BIN)/python -m tests.fuzz --cases 2000

claims: .venv/.installed  ## try every claim again, about nine hours on one core; results go to trained/claims/
	$(BIN)/vaecore claims run all

slow: .venv/.installed-dev  ## the studies that take minutes
	$(BIN)/pytest -m slow

faults: .venv/.installed-dev  ## kills, failing disks and the like at length, with their counts: an hour on one core
	$(BIN)/pytest tests/faults -s -m "slow or not slow"

bench: .venv/.installed-dev  ## measure against the peers and the limit; see benchmarks/README.md
	$(BIN)/pip install --quiet -r benchmarks/requirements.txt
	$(BIN)/pip install --quiet --no-deps pythae==0.1.2 multivae==1.0.3
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/collapse.py
	$(BIN)/python benchmarks/priors.py
	$(BIN)/python benchmarks/modalities.py
	$(BIN)/python benchmarks/video.py
	$(BIN)/python benchmarks/stored.py
	$(BIN)/python benchmarks/stacked.py
	$(BIN)/python benchmarks/library.py
	$(BIN)/python benchmarks/library_page.py
	$(BIN)/python benchmarks/maps.py
	$(BIN)/python benchmarks/interface.py
	$(BIN)/python benchmarks/load.py
	$(BIN)/python benchmarks/compare.py

docs: .venv/.installed-dev  ## the API pages, docs/api/index.html, from the docstrings
	$(BIN)/python docs/make.py

gallery: .venv/.installed  ## make the shipped checkpoints again, saying how
	$(BIN)/python scripts/gallery.py

clean:  ## remove the environment; runs stay
	rm -rf .venv

.venv/.installed: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Latent Lab needs Python 3.11 or newer")'
	test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/pip install --disable-pip-version-check -r requirements.txt
	$(BIN)/pip install --disable-pip-version-check --no-deps -e .
	touch $@

.venv/.installed-dev: .venv/.installed requirements-dev.txt
	$(BIN)/pip install --disable-pip-version-check -r requirements-dev.txt
	touch $@
