"""`python -m sculptor_app`."""

import sys

from sculptor_app.cli import main

if __name__ == "__main__":
    sys.exit(main())
