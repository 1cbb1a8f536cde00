# make app                  installs Recipe and opens it on the sample data
# make app DATA=photos/     … on your own data set (a folder, manifest, COCO or YOLO file)
# make test                 installs what the tests need and runs all of them
PYTHON    ?= python3
VENV      ?= .venv
DATA      ?=
WORKSPACE ?=
PORT      ?= 8501
# More than there are cores: many tests wait, for a process to die or a page to come.
JOBS      ?= 3
export PYTHON DATA WORKSPACE PORT

BIN := $(VENV)/bin
LOCK := pyproject.toml requirements.lock .ci/environment.sh

.PHONY: help app install test lint types imports unit browser bench lock dist clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile
	@echo "also: make lint, unit, browser (parts of test), bench, dist, lock, clean"

define FREE_PORT
import socket, sys
for port in range(int(sys.argv[1]), 65536):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            continue
    print(port)
    break
endef
export FREE_PORT

define OPEN_BROWSER
import os, socket, sys, time, webbrowser
if sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
    for _ in range(120):
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", int(sys.argv[1]))) == 0:
                webbrowser.open("http://127.0.0.1:" + sys.argv[1])
                break
        time.sleep(0.5)
endef
export OPEN_BROWSER

# The results of a data set live in .recipe/ under its own path, so that two never mix.
app: $(VENV)/.installed
	@source=$${DATA:-sample_data/digits}; \
	name=$$(printf %s "$$(cd "$$(dirname -- "$$source")" && pwd)/$$(basename -- "$$source")" \
	    | tr -c 'A-Za-z0-9.-' _); \
	port=$$($(BIN)/python -c "$$FREE_PORT" "$$PORT"); \
	[ "$$port" = "$$PORT" ] || echo "Port $$PORT is taken: using $$port"; \
	$(BIN)/python -c "$$OPEN_BROWSER" "$$port" & \
	exec $(BIN)/recipe app "$$source" -w "$${WORKSPACE:-.recipe/$$name}" --port "$$port"

install: $(VENV)/.installed

$(VENV)/.installed: $(LOCK)
	@sh .ci/environment.sh "$(VENV)" ""
	@touch $@

$(VENV)/.installed-dev: $(LOCK)
	@sh .ci/environment.sh "$(VENV)" "dev,ray"
	@touch $(VENV)/.installed $@

test: lint unit browser

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# One thread each: two workers that both take all cores for tiny nets wait for each other. Those
# that libraries start all the same (openTSNE) sleep while they wait: spinning, they take the core.
unit browser: export OMP_NUM_THREADS = 1
unit browser: export OMP_WAIT_POLICY = passive
unit: $(VENV)/.installed-dev
	$(BIN)/pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder -m "not browser and not gpu"

browser: $(VENV)/.installed-dev
	$(BIN)/pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder -m "browser and not gpu"

bench: $(VENV)/.installed-dev
	@$(BIN)/python benchmarks/run.py

dist: $(VENV)/.installed-dev
	$(BIN)/python -m build

lock:
	uv pip compile -q --universal --python-version 3.11 --extra dev --extra ray --no-header \
	    pyproject.toml -o requirements.lock
	@sed -i '1i # Versions that the tests pass with; `make` prefers these. Made by: make lock' requirements.lock

# Everything that make made; results in .recipe/ stay.
clean:
	rm -rf $(VENV) build dist benchmarks/.envs benchmarks/.work
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
