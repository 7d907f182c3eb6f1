# make demo, make test, make check, make bench. Everything lives in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SERVE ?= 1
# What tests are installed with; `test,test-cluster` has clusters and object stores too.
EXTRAS ?= test

.PHONY: help demo test check bench widget image clean

help:
	@echo "make demo    import the sample site, train, compare the lists, serve on http://127.0.0.1:8000"
	@echo "             (make demo SERVE=0 stops before serving)"
	@echo "make test    the whole test suite"
	@echo "make check   format, lint, types and the fast tests"
	@echo "make widget  write api/static/widget.js from widget.source.js"
	@echo "make image   run the steps of Dockerfile in a clean Debian, and what they make (root, mmdebstrap)"
	@echo "make bench   speed, memory and quality beside peers and floors, a quarter of an hour (FULL=1: all, hours)"

$(VENV)/demo.stamp: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[fast,analysis,console]"
	touch $@

$(VENV)/test.stamp: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[$(EXTRAS)]"
	mkdir -p $(VENV)/typing && ln -sfn ../../api $(VENV)/typing/recommender_api
	touch $@ $(VENV)/demo.stamp

# The libraries that ours is measured beside come too.
$(VENV)/bench.stamp: $(VENV)/test.stamp
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[$(EXTRAS),peers]"
	touch $@

demo: $(VENV)/demo.stamp
ifeq ($(SERVE),0)
	$(BIN)/recommender demo --no-serve
else
	$(BIN)/recommender demo
endif

test: $(VENV)/test.stamp
	$(BIN)/python -m pytest --numprocesses 3

check: $(VENV)/test.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest --numprocesses 2 --quiet -m "not slow"

bench: $(VENV)/bench.stamp
ifeq ($(FULL),1)
	FULL=1 $(BIN)/python -m pytest --numprocesses 2 -m full
endif
	$(BIN)/python -m benchmarks

# The one thing that is made by a tool which nobody needs who does not change the widget.
widget:
	test -x $(VENV)/widget/bin/python || $(PYTHON) -m venv $(VENV)/widget
	$(VENV)/widget/bin/pip install --quiet "tdewolff-minify==2.24.12"
	$(VENV)/widget/bin/python .ci/widget.py

image: $(VENV)/test.stamp
	$(BIN)/python .ci/image.py

clean:
	rm -rf $(VENV) .demo build *.egg-info
