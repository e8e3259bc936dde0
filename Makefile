.PHONY: venv
PYTHON ?= python3
venv: .venv/.ready
.venv/.ready: requirements-dev.txt tools/venv
	@tools/venv "$(PYTHON)" .venv requirements-dev.txt
