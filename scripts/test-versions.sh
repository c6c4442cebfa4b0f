#!/bin/sh
# Runs the fast tests on each of the named Python versions that this machine has, in an environment of its own.
# Looks in PATH and among the versions of pyenv. Fails where a test fails, or where fewer than two were found.
# TESTS names files or folders, to run less.
set -eu
cd "$(dirname "$0")/.."
export UV_PYTHON_DOWNLOADS=never

interpreter() {
  for path in "$(command -v "python$1" || true)" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python; do
    [ -x "$path" ] && "$path" -c '' 2>/dev/null && { echo "$path"; return; }
  done
  return 1
}

ran=
for version in "$@"; do
  python=$(interpreter "$version") || { echo "Python $version: not found"; continue; }
  echo "Python $version: $python"
  # shellcheck disable=SC2086
  UV_PROJECT_ENVIRONMENT=.venv-$version "$UV" run --frozen --all-extras --python "$python" pytest -q -m "not realtime and not slow" ${TESTS:-}
  ran="$ran $version"
done
# shellcheck disable=SC2086
set -- $ran
echo "passed on$ran"
[ "$#" -ge 2 ] || { echo "two versions are needed; install another with your package manager, pyenv or uv"; exit 1; }
