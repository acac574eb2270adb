# make demo and make test do all the set-up themselves; see tools/setup.sh.
.DEFAULT_GOAL := help
.PHONY: help demo test check samples wheel clean distclean
export PYTHON

BIN := .venv/bin
# A process for each core; each has a virtual display of its own, where there is Xvfb.
PYTEST := $(BIN)/python -m pytest -n logical --maxprocesses 8 --dist worksteal
under = QT_API=$(1) PYTEST_QT_API=$(1)
# Where bindings differ most: the form as a whole, signals across threads, who owns what. All window
# tests pass under PySide6, too; these are the ones whose minutes are spent each time.
PYSIDE_TESTS := $(patsubst %,tests/plugin/test_%.py,controller lane leaks widget window)

help:
	@echo "make demo       see it: the sample brain, explained (screenshots in demo_output/ without a display)"
	@echo "make test       prove it: every check and the whole test suite, under PyQt5, PyQt6 and PySide6"
	@echo "make check      the five checks of every commit: ruff check, ruff format, mypy, lint-imports, pytest"
	@echo "make samples    make the sample data again"
	@echo "make wheel      build the wheel into dist/"
	@echo "make clean      remove what was built (distclean: the virtual environment, too)"

demo:
	@sh tools/setup.sh demo
	@if sh tools/display.sh; \
	then QT_API=pyqt5 $(BIN)/g3dvit demo; \
	else QT_API=pyqt5 sh tools/display.sh $(BIN)/g3dvit demo --headless --out demo_output; fi

test: check
	@echo "[test] once more under PyQt6: the plugin"
	@$(call under,pyqt6) $(PYTEST) tests/plugin
	@echo "[test] and under PySide6: the form, its window, workers, memory"
	@$(call under,pyside6) $(PYTEST) $(PYSIDE_TESTS)

check:
	@sh tools/setup.sh test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	@echo "[test] the whole suite, under PyQt5"
	@$(call under,pyqt5) $(PYTEST)

samples:
	@sh tools/setup.sh test
	$(BIN)/python -m sample_data.make

wheel:
	@sh tools/setup.sh test
	$(BIN)/python -m build --wheel --outdir dist

clean:
	rm -rf build dist demo_output tests/screenshots .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find g3dvit_napari tests sample_data benchmarks -name __pycache__ -prune -exec rm -rf {} +

distclean: clean
	rm -rf .venv
