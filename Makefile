# Needs Python 3.11 or newer. Brings its own uv and, on Debian, the packages it uses. `make help` lists the targets.
SHELL := /bin/sh
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
RUN := $(UV) run --frozen --all-extras
# The program alone, and torch where it has a GPU to run on.
LIVE := --frozen --no-dev $(shell nvidia-smi -L >/dev/null 2>&1 && echo --extra gpu)
ROUNDS ?= 100
DEMO_PACKAGES := libportaudio2 asterisk-core-sounds-en-wav
TEST_PACKAGES := $(DEMO_PACKAGES) pulseaudio pulseaudio-utils libasound2-plugins \
	pipewire pipewire-bin wireplumber dbus ffmpeg sox baresip-core sip-tester \
	gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-libav \
	chromium fonts-dejavu-core mosquitto prometheus prometheus-alertmanager tmux
RUNS ?= 1000000
PYTHONS ?= 3.11 3.12 3.13
JOBS ?= 2

.PHONY: help release man audit sbom demo test test-fast test-versions check findings format bench chaos fuzz debian-demo debian-test install install-live clean distclean

help:
	@echo "make demo           install, then watch a call in which a human voice turns into a synthetic one"
	@echo "make test           install what the tests need, and run them all"
	@echo "make test-fast      run the tests that neither wait nor train, JOBS=2 at a time"
	@echo "make test-versions  run the fast tests on each Python of PYTHONS that is installed; two are needed"
	@echo "make check          lint, type-check and build the docs site"
	@echo "make chaos          kill, stop, cut off and fill what delivers alerts, ROUNDS=100 times"
	@echo "make bench          measure speed beside commit 185ee80 and other networks (30 minutes); benchmarks/results/"
	@echo "make fuzz           give every parser RUNS hostile inputs (1000000); Linux; figures in runs/fuzz/"
	@echo "make findings       see that outside libraries behave as findings/ says"
	@echo "make audit          look the locked packages up in the database of known vulnerabilities"
	@echo "make sbom           list them: runs/sbom.cdx.json (CycloneDX)"
	@echo "make release        build the wheel, the source archive, the manual page, the SBOM and checksums in dist/"
	@echo "make clean          remove environments and caches; make distclean removes data/ and runs/ too"

$(UV):
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed"; exit 2; }
	python3 -m venv .uv || { sh scripts/debian-packages.sh python3-venv && python3 -m venv .uv; }
	.uv/bin/python -m pip install --quiet --require-hashes --requirement scripts/uv-requirements.txt

install: $(UV)
	$(UV) sync --frozen --all-extras

install-live: $(UV)
	$(UV) sync $(LIVE) --inexact

debian-demo:
	@sh scripts/debian-packages.sh $(DEMO_PACKAGES)

debian-test:
	@sh scripts/debian-packages.sh $(TEST_PACKAGES)

demo: debian-demo install-live
	$(UV) run --no-sync monitor demo

test: debian-test install
	$(RUN) pytest -m "not realtime" --numprocesses $(JOBS) --dist loadfile
	$(RUN) pytest -m realtime

test-fast: install
	$(RUN) pytest -m "not realtime and not slow" --numprocesses $(JOBS) --dist loadfile

test-versions: $(UV)
	@UV=$(UV) TESTS="$(TESTS)" sh scripts/test-versions.sh $(PYTHONS)

check: install
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	NO_MKDOCS_2_WARNING=1 $(RUN) mkdocs build --quiet --strict

audit: $(UV)
	@mkdir -p runs
	$(UV) export --frozen --no-emit-project --all-extras --quiet --output-file runs/requirements.txt
	$(UV) tool run pip-audit==2.9.0 --requirement runs/requirements.txt --require-hashes --disable-pip --strict

sbom: $(UV)
	@mkdir -p runs
	$(UV) export --frozen --all-extras --format cyclonedx1.5 --quiet --output-file runs/sbom.cdx.json

man: install
	@mkdir -p dist
	$(RUN) python scripts/man_page.py > dist/monitor.1

release: man sbom
	rm -f dist/*.whl dist/*.tar.gz dist/SHA256SUMS
	$(UV) build --require-hashes --build-constraints scripts/build-requirements.txt --out-dir dist
	cp runs/sbom.cdx.json dist/
	cd dist && sha256sum *.whl *.tar.gz monitor.1 sbom.cdx.json > SHA256SUMS

findings: $(UV)
	@for script in findings/*.sh; do echo "== $$script"; PATH="$(abspath $(dir $(UV))):$$PATH" sh $$script || exit 1; done

format: install
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

# The version before, which the speed benchmarks compare with.
BEFORE = runs/before
$(BEFORE):
	@git cat-file -e 185ee80 2>/dev/null || { echo "make bench compares with commit 185ee80, which is not here: git fetch --unshallow"; exit 2; }
	mkdir -p $@.partial
	git archive 185ee80 | tar -x -C $@.partial
	mv $@.partial $@

bench: debian-test install $(BEFORE)
	$(RUN) --group bench python -m benchmarks.streams
	$(RUN) --group bench python -m benchmarks.stages
	$(RUN) --group bench python -m benchmarks.step --against $(BEFORE)
	$(RUN) --group bench python -m benchmarks.published --against $(BEFORE)
	$(RUN) --group bench python -m benchmarks.commands --against $(BEFORE)
	$(RUN) --group bench python -m benchmarks.replay
	$(RUN) --group bench python -m benchmarks.latency_pairs --against $(BEFORE)
	$(RUN) --group bench python -m benchmarks.latency --minutes 2 --out benchmarks/results/latency-2-minutes.json --picture runs/latency.png

chaos: install
	$(RUN) python -m chaos --rounds $(ROUNDS)
	$(RUN) python -m chaos.siege
	$(RUN) python -m chaos.shards

fuzz: $(UV)
	$(UV) sync --frozen --all-extras --group fuzz
	$(RUN) --group fuzz python -m fuzz --runs $(RUNS)

clean:
	rm -rf .venv .venv-* .uv demo site .pytest_cache .mypy_cache .ruff_cache .hypothesis

distclean: clean
	rm -rf data runs
