#!/bin/sh
# onnxruntime, Ctrl-C while it is imported: an ImportError that knows nothing of it.
#
# One would guess that KeyboardInterrupt passes through an import, as it does through modules in Python, so that
# "except KeyboardInterrupt" around a program's start is enough. The compiled module imports numpy while it loads; an
# interrupt there is printed with its traceback and becomes an ImportError without a cause: neither the handler of the
# one nor a look at __cause__ and __context__ of the other tells that the user wanted to stop. A handler of the signal
# that waits until no import is under way does.
#
# Seen with onnxruntime 1.24.1 and numpy 2.2.6 (CPython 3.11, x86-64): ImportError, "import numpy failed", cause and
# context None, and the traceback of KeyboardInterrupt on standard error; of a module in Python, KeyboardInterrupt.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv --quiet "$folder/env"
uv pip install --quiet --python "$folder/env/bin/python" onnxruntime==1.24.1 numpy==2.2.6
cat >"$folder/interrupted.py" <<'EOF'
import sys


class CtrlC:
    """Raises what the handler of SIGINT raises, when the import of numpy begins."""

    def find_spec(self, name, path=None, target=None):
        if name == "numpy":
            raise KeyboardInterrupt
        return None


sys.meta_path.insert(0, CtrlC())
try:
    __import__(sys.argv[1])
except BaseException as error:
    print(type(error).__name__, error, error.__cause__, error.__context__)
EOF
printf 'import numpy\n' >"$folder/in_python.py"
for module in in_python onnxruntime; do
    printf '%s: ' "$module"
    PYTHONPATH="$folder" "$folder/env/bin/python" "$folder/interrupted.py" "$module" 2>"$folder/$module.err" |
        tee "$folder/$module.out"
    echo "  lines on standard error that name KeyboardInterrupt: $(grep -c KeyboardInterrupt "$folder/$module.err" || :)"
done
grep -q '^KeyboardInterrupt' "$folder/in_python.out"
grep -q '^ImportError import numpy failed None None$' "$folder/onnxruntime.out"
grep -q '^KeyboardInterrupt' "$folder/onnxruntime.err"
