"""``python -m daphne_like``: the command line."""

import sys

from daphne_like.cli import main

if __name__ == "__main__":
    sys.exit(main())
