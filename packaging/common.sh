# Shared by start.sh and test.sh: finds a Python that is new enough. POSIX sh; macOS, Debian and Ubuntu.

newest_known="python3 python3.14 python3.13 python3.12 python3.11"

find_python() {
    for candidate in ${SCULPTOR_PYTHON:+"$SCULPTOR_PYTHON"} $newest_known; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            command -v "$candidate"
            return 0
        fi
    done
    {
        echo "Sculptor needs Python 3.11 or newer, and found $(python3 --version 2>/dev/null || echo none)."
        if [ "$(uname)" = Darwin ]; then
            echo "Install it from https://www.python.org/downloads/ or with: brew install python@3.12"
        else
            echo "On Debian and Ubuntu: sudo apt install python3 python3-venv (Ubuntu 22.04: python3.11 python3.11-venv)."
        fi
        echo "A Python in another place can be named: SCULPTOR_PYTHON=/path/to/python3.12 sh packaging/start.sh"
    } >&2
    return 6
}
