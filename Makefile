# make demo OUT=DIR   the whole pipeline on procedural images (README.md)
# make test           the test suite with its coverage, without what is marked slow
# make test-all       the whole suite
# make test-beam      the tests of the Beam runner, in an environment of its own
# make mutation       mutants of eight modules against their tests (CONTRIBUTING.md); ARGS=... for flags
# make check          format, lint and types, also as on macOS: what pre-commit and CI run, too
# make wheel          build the wheels, and try them in an empty environment
# make smoke          try them in Python 3.11, 3.12 and 3.13; PYTHONS=... names other interpreters
# make docs           build the documentation as a site: build/site/index.html
# make venv           only the environment; make beam-venv: only that of test-beam
# make lock           write requirements*.txt anew from setup.cfg

PYTHON ?= python3
PYTHONS ?= python3.11 python3.12 python3.13
OUT ?= runs/demo
VENV := .venv
GENERATOR := generators/ham10000
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
UV := $(BIN)/uv
BEAM_VENV := .venv-beam
BEAM_STAMP := $(BEAM_VENV)/.installed
DOCS_VENV := .venv-docs
DOCS_STAMP := $(DOCS_VENV)/.installed
WHEEL_VENV := build/wheel-venv
CLIENT_VENV := build/client-venv
COVERAGE := 90
PACKAGES := skin_synth tfrecords_tools
PRETRAINED := derm-64-ham10000

define IMPORT_ALL
import importlib, pkgutil
OF_EXTRAS = ("tfrecords_tools.build_steps.beam", "tfrecords_tools.images.dicom")
for package in "$(PACKAGES)".split():
    found = importlib.import_module(package)
    for module in pkgutil.walk_packages(found.__path__, package + "."):
        if module.name not in OF_EXTRAS:
            importlib.import_module(module.name)
endef
export IMPORT_ALL

define DOCS_EXTRA
import configparser
setup = configparser.ConfigParser()
setup.read("setup.cfg")
print(setup["options.extras_require"]["docs"])
endef
export DOCS_EXTRA

PIP_FLAGS := --quiet --no-input --disable-pip-version-check --no-compile
# uv takes a fraction of pip's time; where it cannot install (an index that only pip is told of) pip does.
install = $(UV) pip install --quiet --python $(1)/bin/python $(2) || \
  $(1)/bin/python -m pip install $(PIP_FLAGS) $(2)
# On all cores, before the first import would do it on one.
compile = $(1)/bin/python -m compileall -q -j 0 $(1)/lib >/dev/null 2>&1 || true

export TF_CPP_MIN_LOG_LEVEL ?= 3

.DELETE_ON_ERROR:
.PHONY: venv beam-venv demo test test-all test-beam mutation check wheels wheel smoke docs lock

venv: $(STAMP)

beam-venv: $(BEAM_STAMP)

$(UV): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "Python 3.11, 3.12 or 3.13 is needed; try: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 1; }
	@echo "installing into $(VENV) (about a minute, once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install $(PIP_FLAGS) --constraint requirements.txt uv
	@touch $@

$(STAMP): $(UV) setup.cfg $(GENERATOR)/setup.cfg
	@$(call install,$(VENV),--requirement requirements.txt)
	@$(call install,$(VENV),--no-build-isolation --no-deps --editable . --editable $(GENERATOR))
	@$(call compile,$(VENV))
	@touch $@

demo: venv
	@$(BIN)/skin-synth demo --out $(OUT)

# Processes of one thread each: tests take all time of a core, and each process makes its fixtures.
test: venv
	@TF_NUM_INTRAOP_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow" --cov --cov-report=
	@for package in $(PACKAGES); do \
	  $(BIN)/python -m coverage report --include="$$package/*" --fail-under=$(COVERAGE) || exit 1; \
	done

test-all: venv
	@TF_NUM_INTRAOP_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

# Beam wants older versions of what others want newer. After the other environment, not beside it:
# both installations of the project write the same files.
$(BEAM_STAMP): requirements-beam.txt $(STAMP)
	@echo "installing into $(BEAM_VENV) (about a minute, once)"
	@$(PYTHON) -m venv $(BEAM_VENV)
	@$(call install,$(BEAM_VENV),--requirement requirements-beam.txt)
	@$(call install,$(BEAM_VENV),--no-build-isolation --no-deps --editable .)
	@touch $@

test-beam: $(BEAM_STAMP)
	@$(BEAM_VENV)/bin/python -m pytest tests/tfrecords_tools/build_steps/test_beam.py

mutation: venv
	@$(call install,$(VENV),--constraint requirements.txt --no-build-isolation --editable ".[mutation]")
	@$(BIN)/python -m tests.mutation $(ARGS)

check: venv
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/mypy
	@$(BIN)/mypy --platform darwin
	@$(BIN)/lint-imports --no-logo

# The first wheel has all files and no weights; the second one has the generator.
wheels: venv
	@rm -rf build dist
	@mkdir -p build && $(BIN)/python -m build --wheel --no-isolation >build/wheel.log || \
	  { cat build/wheel.log; exit 1; }
	@find $(PACKAGES) -type f ! -path '*/__pycache__/*' | sort >build/sources
	@$(BIN)/python -m zipfile --list dist/*.whl | awk 'NR > 1 { print $$1 }' | grep -v dist-info | \
	  sort | diff build/sources -
	@! $(BIN)/python -m zipfile --list dist/*.whl | grep -E 'saved_model\.pb|variables\.data' || \
	  { echo "weights have another licence: they are in $(GENERATOR)" >&2; exit 1; }
	@cp -R $(GENERATOR) build/generator && find build/generator -name '*.egg-info' -exec rm -r {} +
	@$(BIN)/python -m build --wheel --no-isolation --outdir dist build/generator >>build/wheel.log || \
	  { cat build/wheel.log; exit 1; }
	@ls dist

# They name all that their modules import.
wheel: wheels
	@$(PYTHON) -m venv $(WHEEL_VENV)
	@$(call install,$(WHEEL_VENV),--constraint requirements.txt dist/*.whl)
	@cd $(WHEEL_VENV) && bin/skin-synth --help >help.txt && bin/tfrecords-tools --help >>help.txt
	@cd $(WHEEL_VENV) && bin/python -c "$$IMPORT_ALL"
	@cd $(WHEEL_VENV) && for label in nv mel; do bin/skin-synth generate --pretrained $(PRETRAINED) \
	  --label $$label --count 20 --out images/$$label || exit 1; done
	@cd $(WHEEL_VENV) && bin/tfrecords-tools build images --out data --name generated --size 64
	@cd $(WHEEL_VENV) && bin/tfrecords-tools verify data
	@echo "wheel: both commands work in an empty environment"
	@$(BIN)/python -m build --wheel --no-isolation --outdir build/client client >>build/wheel.log || \
	  { cat build/wheel.log; exit 1; }
	@$(PYTHON) -m venv $(CLIENT_VENV)
	@$(call install,$(CLIENT_VENV),--constraint requirements.txt build/client/*.whl)
	@cd $(CLIENT_VENV) && bin/python -c "from skin_synth_client import Client; Client('http://h:8501', model='m')"
	@echo "wheel: the client works without TensorFlow"

# With the newest versions that setup.cfg allows.
smoke: wheels
	@for python in $(PYTHONS); do \
	  venv=build/smoke-$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])') || exit 1; \
	  $$python -m venv $$venv && { $(call install,$$venv,dist/*.whl); } && \
	  ( cd $$venv && bin/python -c "$$IMPORT_ALL" && bin/python $(CURDIR)/tests/smoke.py ) || exit 1; \
	  echo "smoke: $$venv works"; \
	done

# An environment of its own, because the site is made from the sources and needs no TensorFlow.
$(DOCS_STAMP): requirements-docs.txt $(STAMP)
	@$(PYTHON) -m venv $(DOCS_VENV)
	@$(call install,$(DOCS_VENV),--requirement requirements-docs.txt)
	@touch $@

# Strict: a broken link, an unknown name or a wrong docstring fails.
docs: $(DOCS_STAMP)
	@NO_MKDOCS_2_WARNING=1 $(DOCS_VENV)/bin/python -m mkdocs build --quiet
	@echo "docs: open build/site/index.html (with the search: $(PYTHON) -m http.server -d build/site)"

lock: build/lock-venv build/lock-beam-venv build/lock-docs-venv
	@$(call freeze,build/lock-venv) > requirements.txt
	@$(call freeze,build/lock-beam-venv) > requirements-beam.txt
	@$(call freeze,build/lock-docs-venv) | grep -v '^setuptools=' > requirements-docs.txt

build/lock-venv: $(STAMP)
	@$(PYTHON) -m venv $@ && $(call install,$@,".[dev]")

build/lock-beam-venv: $(STAMP)
	@$(PYTHON) -m venv $@ && $(call install,$@,".[beam]" pytest)

# Only the extra, without the package: it would bring TensorFlow.
build/lock-docs-venv: $(STAMP)
	@$(PYTHON) -m venv $@ && $(BIN)/python -c "$$DOCS_EXTRA" >build/docs.in
	@$(call install,$@,--requirement build/docs.in)

freeze = { echo "\# A lock: what CI and make install. 'make lock' writes it from setup.cfg."; \
  $(1)/bin/python -m pip freeze --all | grep -v -i -E '^(pip|skin[-_]synth)( |=)'; }
