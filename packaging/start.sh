#!/bin/sh
# Starts Sculptor: sh packaging/start.sh [what sculptor-app understands]. The first start sets it up, with pinned versions,
# in an environment of its own; every later one starts at once. See prepare.py for where and how.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
. "$here/common.sh"
python=$(find_python)
ready=$("$python" -I "$here/prepare.py" start "$@")
trap '' INT # while Python starts, Ctrl-C would make it print a traceback; the program handles it from its first line on
exec "$ready" -P -m sculptor_app "$@"
