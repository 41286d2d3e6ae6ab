#!/bin/sh
# Runs every check: sh packaging/test.sh [arguments for pytest]. Sets up what is missing first, as start.sh does.
# sh packaging/test.sh quick: the linters, and the tests that are marked neither "slow" nor "window".
# Exit status 0 when all of them hold; pytest's summary is the last line.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd "$here/.."
. "$here/common.sh"
python=$(find_python)
python=$("$python" -I "$here/prepare.py" test)
export OMP_NUM_THREADS=1
failed=

check() {
    name=$1
    shift
    echo "== $name"
    "$@" || failed="$failed $name"
}

# Two screens that nobody sees, each with a window manager, for the tests that want a real window: on one, windows would
# take the keyboard from each other.
start_screens() {
    command -v Xvfb >/dev/null && command -v openbox >/dev/null || return 1
    screens= displays= number=$(mktemp)
    trap 'kill $screens 2>/dev/null || true; rm -f "$number"' EXIT
    for _ in 1 2; do
        : >"$number"
        Xvfb -displayfd 3 -screen 0 1920x1200x24 -nolisten tcp 3>"$number" 2>/dev/null &
        screens="$screens $!"
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            [ -s "$number" ] && break
            sleep 1
        done
        [ -s "$number" ] || return 1
        display=:$(cat "$number")  # not in the background: by then the file is that of the next screen
        displays="$displays $display"
        DISPLAY=$display openbox >/dev/null 2>&1 &
    done
}

# The journeys through the window, and what is marked "window".
pytest_in_windows() {
    SCULPTOR_TEST_DISPLAYS=$displays SCULPTOR_TEST_PLATFORM=xcb \
        "$python" -m pytest -q -n 2 --dist worksteal -m journey tests/ui tests/commands/test_menu.py
}

check ruff "$python" -m ruff check .
check format "$python" -m ruff format --check .
check mypy "$python" -m mypy
check import-linter "$(dirname -- "$python")/lint-imports"
# The suite goes to all cores, four at most: every further process imports torch again.
on_all_cores="-n logical --maxprocesses 4 --dist worksteal"
if [ "${1-}" = quick ]; then
    shift
    set -- $on_all_cores -m "not slow and not window" "$@"
    echo "== windows: left out, they are not quick"
elif [ $# -gt 0 ]; then
    echo "== windows: left out, particular tests were asked for"
elif start_screens; then
    check windows pytest_in_windows
    set -- $on_all_cores -m "not journey"  # one after another, the two would take too long
else
    echo "== windows: left out, there is no Xvfb with openbox here"
fi
[ -z "$failed" ] || echo "== did not hold so far:$failed"
echo "== pytest"
[ $# -gt 0 ] || set -- $on_all_cores
"$python" -m pytest -q "$@" || failed="$failed pytest"
[ -z "$failed" ]
