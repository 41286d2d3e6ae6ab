"""The program's process: `python -m sculptor_app`, and what is installed as `sculptor-app`.

Ctrl-C and a TERM signal end it without a word of Python's until `sculptor_app.commands.process` takes them over.
"""

import _signal  # type: ignore[import-not-found]  # built in: nothing is read from a disk before the signals are held
import os
import sys

for _number in (_signal.SIGINT, _signal.SIGTERM):
    _signal.signal(_number, lambda number, _: os._exit(128 + number))

from sculptor_app.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
