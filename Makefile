# make run and make test need Python 3.11 to 3.13, make and a network for the first install; nothing else.

# The first Python that fits; PYTHON=/path/to/python3.12 chooses another. Only the making of .venv uses it.
FITS   := import sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
            "$$p" -c '$(FITS)' 2>/dev/null && echo "$$p" && exit; done; echo python3)
BIN    := .venv/bin
PYTEST := $(BIN)/python -m pytest
PIP    := $(BIN)/python -m pip install -qq --disable-pip-version-check
# Beginnings of notebook names: make run NOTEBOOKS="03 04", make notebooks NOTEBOOKS=05
RUN    := $(or $(NOTEBOOKS),01 02 03 04 05)
NBVAL  := $(PYTEST) --nbval --nbval-current-env --nbval-sanitize-with tests/nbval.cfg --nbval-cell-timeout=600
# Two at a time; what one file holds stays together, for it may share a model or a port. The longest files come first
# (conftest.py), whatever the number of their tests.
TWO    := -n 2 --dist loadfile --no-loadscope-reorder
# Two commands side by side; what the first one says is shown when both have ended.
BESIDE  = mkdir -p build; $(1) > build/beside.log 2>&1 & first=$$!; trap "kill $$first" INT TERM; \
  $(2); second=$$?; wait $$first; first=$$?; cat build/beside.log; exit $$((first + second))
# Notebooks in one home: what one has made the next one finds, and so do those in the browser.
SHARED := $(CURDIR)/build/notebooks-home
# One thread each, unless the user says otherwise: three processes share the cores.
THREAD := TF_NUM_INTRAOP_THREADS=$${TF_NUM_INTRAOP_THREADS:-1} TF_NUM_INTEROP_THREADS=$${TF_NUM_INTEROP_THREADS:-1}
INONE  := SERLIB_NOTEBOOKS_HOME=$(SHARED) $(THREAD) $(NBVAL)
# A browser beside heavy work may lose a key: a test that fails is tried once more, and the summary counts it.
BROWSE := SERLIB_NOTEBOOKS_HOME=$(SHARED) $(PYTEST) tests/browser tests/course/test_site.py --reruns 1 \
  --durations=10 --durations-min=5
# make test leaves these markers out, make test-all runs them as well.
LONG   := browser or trust or slow or real
# What is marked `real` runs wherever the real corpora are.
REAL   := $(if $(SERLIB_REAL_DATA),, and not real)
# The notebooks whose number is one of these, in this order.
NB      = $(foreach n,$(1),$(wildcard notebooks/$(n)_*.ipynb))
# What looks at the project and the course, whatever version of a library is there.
NOLIBS := $(foreach n,course test_build.py test_notebooks.py test_portable.py test_project.py,--ignore=tests/$(n))
# JupyterLab refuses root, who is all there is in a container.
ROOT   := $(if $(filter 0,$(shell id -u)),--allow-root)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help env run test test-all test-arithmetic test-lowest trust lab app notebooks exercises site slides bench clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## */  make \1\t/' | expand -t 24

env: .venv/installed  ## make .venv and install requirements.txt (again only when that has changed)

.venv/installed: requirements.txt pyproject.toml
	@"$(PYTHON)" -c '$(FITS)' 2>/dev/null || { echo "make: this needs Python 3.11 to 3.13 with the venv module, and" \
	  "$(PYTHON) is $$("$(PYTHON)" --version 2>&1 | tail -n 1);" \
	  "install one (Debian: apt install python3-venv) or say make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@rm -f $@
	@"$(PYTHON)" -m venv .venv || { echo "make: $(PYTHON) -m venv .venv failed: remove .venv and try again" \
	  "(Debian: apt install python3-venv first)" >&2; exit 1; }
	@echo "installing requirements.txt into .venv (half a minute with a fast network, some minutes without)"
	@{ $(PIP) 'uv>=0.5,<1' && $(BIN)/python -m uv pip install -q --python $(BIN)/python -r requirements.txt; } \
	  || { echo "make: uv could not install them, pip tries it now" >&2; $(PIP) -r requirements.txt; } \
	  || { echo "make: installing requirements.txt failed, see above: is there a network, and 3 GB of free disk?" \
	  "Then say make again" >&2; exit 1; }
	@echo "compiling what librosa compiles at its first use"
	@$(BIN)/python tests/compile_librosa.py
	@touch $@

run: env  ## run notebooks 01 to 05 on the sample corpus into executed/ (SERLIB_CORPUS=tess make run: on TESS)
	@SERLIB_CORPUS="$${SERLIB_CORPUS:-sample}" $(BIN)/python notebooks/build.py run $(RUN)

test: env  ## ruff, unit tests, doctests, and notebooks 01 to 05 against their committed outputs
	@$(BIN)/ruff check .
	@rm -rf $(SHARED)
	$(call BESIDE,$(INONE) $(call NB,04 05 02 03 01),\
	  $(PYTEST) $(TWO) tests serlib --doctest-modules --durations=5 --durations-min=5 -m "not ($(LONG))")

# What clicks in a browser goes before what computes: sound and mice do not wait.
test-all: test .venv/site/installed  ## make test, then browser, damaged files, slow tests, the other notebooks, real corpora
	$(call BESIDE,nice $(PYTEST) $(TWO) tests --durations=10 --durations-min=5 -m "($(LONG)) and not browser$(REAL)",\
	  $(BROWSE) && $(INONE) $(call NB,07 06 08 09 10))

test-arithmetic: env  ## notebooks 04 and 05 as two other processors would round them
	$(call BESIDE,ONEDNN_MAX_CPU_ISA=SSE41 $(NBVAL) $(call NB,04 05),TF_ENABLE_ONEDNN_OPTS=0 $(NBVAL) $(call NB,04 05))

test-lowest: env  ## the unit tests with the lowest versions that requirements.txt allows, in .venv/lowest
	@$(BIN)/python -m venv --clear .venv/lowest
	@$(BIN)/python -m uv pip install -q --python .venv/lowest/bin/python --resolution lowest-direct --compile-bytecode \
	  -r requirements.txt
	@.venv/lowest/bin/python tests/compile_librosa.py
	.venv/lowest/bin/python -m pytest $(TWO) tests $(NOLIBS) --durations=10 --durations-min=5 -m "not ($(LONG))"

trust: env .venv/site/installed  ## tests/trust at full size: 10,000 damaged files, kills, hostile input, planted secrets; all notebooks on other corpora, all pages of the site
	SERLIB_TRUST=1 $(PYTEST) tests/trust tests/test_any_corpus.py tests/course/test_site.py -s --durations=10 \
	  -m "(trust or slow or browser)$(REAL)"

lab: env  ## open JupyterLab on the notebooks
	@$(BIN)/python -m jupyter lab $(ROOT) --LabApp.default_url=/lab/tree/notebooks

app: env  ## speak to a model in the browser, no code (SERLIB_RUN=checkpoints/mine make app: to that one)
	@TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/python app/serve.py

notebooks: env  ## rebuild notebooks/*.ipynb from notebooks/src, executed on the sample corpus
	@$(BIN)/python notebooks/build.py write $(NOTEBOOKS)

exercises: env  ## rebuild exercises/ and, executed, solutions/ from notebooks/src/exercises
	@$(BIN)/python -m notebooks.exercises $(NOTEBOOKS)

.venv/site/installed: .venv/installed site/requirements.txt
	@$(BIN)/python -m venv --clear .venv/site
	@$(BIN)/python -m uv pip install -q --python .venv/site/bin/python -r site/requirements.txt
	@$(BIN)/python -c 'import glob, sysconfig; \
	  pth = glob.glob(".venv/site/lib/python*/site-packages")[0] + "/beside.pth"; \
	  open(pth, "w").write(sysconfig.get_path("purelib") + "\n")'
	@touch $@

site: env .venv/site/installed  ## the course as pages, from the committed outputs: build/site/_build/html/index.html
	@TF_CPP_MIN_LOG_LEVEL=3 PYTHONPATH=. .venv/site/bin/python site/build.py --repository "$(REPOSITORY)"

.venv/slides/node_modules/reveal.js/package.json:
	@npm install --silent --no-fund --no-audit --prefix .venv/slides 'reveal.js@~5.2.1' || { echo "make: npm could not" \
	  "install reveal.js: is npm there, and a network?" >&2; exit 1; }

slides: env .venv/site/installed .venv/slides/node_modules/reveal.js/package.json  ## slides of the course, which need no network: build/slides/index.html
	@PYTHONPATH=. .venv/site/bin/python site/slides.py

bench: env  ## measure speed and accuracy: every table of bench/
	@for f in $(filter-out bench/released.py,$(wildcard bench/*.py)); do echo; echo "== $$f"; $(BIN)/python "$$f" || exit 1; done

clean:  ## remove executed/ and the caches of the tools; data, runs, reports and .venv stay
	@rm -rf executed .pytest_cache .ruff_cache .hypothesis build
	@find serlib tests notebooks bench -name __pycache__ -prune -exec rm -rf {} + -o -name .ipynb_checkpoints -prune -exec rm -rf {} +
