"""What a server's process has of everything, as ``leaking:app`` and Linux count it."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from tests.live.serving import Serving

PLAINLY = (sys.executable, "-m", "daphne_like")
"""Not in development mode, which keeps a traceback for every object that it follows."""


class Measured:
    """What the server's process has of everything."""

    def __init__(self, server: Serving) -> None:
        self._server = server
        self._proc = Path("/proc", server.get("/pid").body.decode())

    def facts(self) -> dict[str, int]:
        """Objects, as the application counts them while nobody else is connected."""
        facts: dict[str, int] = json.loads(self._server.get("/facts").body)
        return facts | {"descriptors": len(list((self._proc / "fd").iterdir()))}

    def has_no_more_than(self, before: dict[str, int]) -> bool:
        return all(count <= before[name] for name, count in self.facts().items())

    def kib(self, name: str) -> int:
        text = (self._proc / "status").read_text()
        found = re.search(rf"^{name}:\s+(\d+) kB$", text, re.MULTILINE)
        assert found
        return int(found.group(1))

    def forget_the_peak(self) -> None:
        """Let ``VmHWM`` start again at what is resident now."""
        (self._proc / "clear_refs").write_text("5")
