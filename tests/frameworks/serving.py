"""A framework's application, served by the real command line in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.live.serving import PATIENCE, Serving

APPS = Path(__file__).with_name("apps")


class ServingFramework(Serving):
    """One of the applications in ``apps/``."""

    def __init__(self, application: str, *options: str, **more: Any) -> None:
        self.application = application
        environment = {"PYTHONPATH": str(APPS), "PYTHONUNBUFFERED": "1"}
        super().__init__(application, *options, environment=environment, **more)

    @property
    def url(self) -> str:
        host, port = self.addresses[0]
        return f"http://{host}:{port}"

    @property
    def errors(self) -> str:
        """What is on standard error so far."""
        return "\n".join(self.stderr.lines)


def eventually(happened: Callable[[], bool]) -> None:
    """Wait until `happened`, as far as there is patience."""
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
