"""Our server, started for one group of the suite."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.live.serving import Serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conformance.groups import Group

_CHECKOUT = Path(__file__).parents[2]
_APP = "tests.conformance.app:echo"


@contextlib.contextmanager
def serving(group: Group, loop: str = "auto") -> Iterator[str]:
    """Serve the application as a group needs it, at the URL that is given.

    Raises:
        AssertionError: if it does not come up, or does not end well, or has complained.
    """
    options = [*group.options, "--loop", loop, "--no-access-log"]
    command = (sys.executable, "-m", "daphne_like")
    with Serving(_APP, *options, command=command, cwd=_CHECKOUT) as server:
        host, port = server.addresses[0]
        yield f"ws://{host}:{port}/"
    assert server.exit_status == 0, f"exit status {server.exit_status}"
