# Everything a newcomer needs: `make app`, `make test`. Each does its own set-up, once.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install --disable-pip-version-check
PORT ?= 8501
NO_TORCH = PyTorch as in locks/torch.txt cannot be had: the registry is not reached, or has none for this Python and machine.
OTHER_TORCH = This build of PyTorch is none of those in locks/torch.txt: docs/security.md, Dependencies, says how to take it.

.PHONY: app test suite check slow fuzz lock audit faults gpu claims bench docs gallery clean

app: .venv/.installed  ## open the dashboard on this machine; READ_ONLY=1 changes nothing
	$(BIN)/streamlit run app.py --server.port $(PORT) $(if $(READ_ONLY),-- --read-only)

test: .venv/.installed-dev  ## style, types and the whole fast suite, beside each other
	$(MAKE) --jobs=2 check suite

suite: .venv/.installed-dev  # the many processes it starts read what the first of them compiled, whatever the machine says
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n auto --dist loadfile --durations=15

check: .venv/.installed-dev  ## style and types
	$(BIN)/ruff check .
	$(BIN)/mypy

fuzz: .venv/.installed-dev  ## 2,000 spoilt copies of whatever is read from outside, for each of some 50 readers; an hour
	$(BIN)/python -m tests.fuzz --cases 2000

claims: .venv/.installed  ## try every claim again, some five and a half hours on one core; results go to trained/claims/
	$(BIN)/vaecore claims run all

slow: .venv/.installed-dev  ## what takes minutes: studies, and of much else every case where `make test` has the most telling
	$(BIN)/pytest -m slow

faults: .venv/.installed-dev  ## kills, failing disks and the like at length, with their counts: an hour on one core
	$(BIN)/pytest tests/faults -s -m "slow or not slow"

gpu: .venv/.installed-dev  ## all that needs a GPU, on a machine that has one: tests, then speed beside pythae; under ten minutes
	$(BIN)/pytest tests/gpu -m gpu
	$(BIN)/pip install --quiet -r benchmarks/requirements.txt
	$(BIN)/pip install --quiet --no-deps pythae==0.1.2
	$(BIN)/python benchmarks/gpu.py

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

gallery: .venv/.installed  ## make the shipped checkpoints again, some thirteen CPU hours of training; goes on where it was stopped
	$(BIN)/python -m scripts.gallery

clean:  ## remove the environment; runs stay
	rm -rf .venv

lock: .venv/tools/.installed  ## the hashes of all packages anew, after a line of the requirements has changed
	.venv/tools/bin/python scripts/lock.py

audit: .venv/tools/.installed  ## ask the registry for known vulnerabilities of what is locked
	.venv/tools/bin/pip-audit --strict --disable-pip --no-deps --require-hashes --progress-spinner off \
	  $(foreach part,runtime torch cuda dev,-r locks/$(part).txt)

.venv/.installed: requirements.txt pyproject.toml locks/runtime.txt locks/torch.txt locks/cuda.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Latent Lab needs Python 3.11 or newer")'
	test -d .venv || $(PYTHON) -m venv .venv
	$(PIP) --require-hashes -r locks/runtime.txt
	$(BIN)/pip download --disable-pip-version-check --no-deps -d .venv/torch \
	  $$(sed -n 's/^\(torch==[^ ]*\).*/\1/p' locks/torch.txt) || { echo "$(NO_TORCH)" >&2; exit 1; }
	$(PIP) --require-hashes --no-deps --no-index --find-links .venv/torch -r locks/torch.txt \
	  || { echo "$(OTHER_TORCH)" >&2; exit 1; }  # whichever build pip took
	rm -r .venv/torch
	if $(BIN)/python -c 'import importlib.metadata as m, sys; sys.exit("+cpu" in m.version("torch"))'; then \
	  $(PIP) --require-hashes -r locks/cuda.txt; fi
	$(PIP) --no-deps --no-build-isolation -e .
	touch $@

.venv/.installed-dev: .venv/.installed requirements-dev.txt locks/dev.txt
	$(PIP) --require-hashes -r locks/dev.txt
	touch $@

.venv/tools/.installed: scripts/lock.py
	test -d .venv || $(PYTHON) -m venv .venv
	$(PYTHON) -m venv .venv/tools
	.venv/tools/bin/pip install --disable-pip-version-check --quiet uv==0.13.9 pip-audit
	touch $@
