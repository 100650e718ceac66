"""``daphne-like`` and ``python -m daphne_like``: the command line, which can be stopped at once.

Until there is something to stop in order, a signal simply ends the process. So this module
must not import anything that takes time: it would come before there is a word on signals.
"""

import os
import signal
import sys


def main() -> int:
    """Run the command line; return the process's exit status."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    from daphne_like import cli

    return cli.main()


def _leave(*_: object) -> None:
    """Nothing has begun: leave without a word, also out of the middle of an import."""
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
