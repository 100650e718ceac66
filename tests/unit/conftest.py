"""What several unit tests watch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The files that were opened."""
    files: list[Any] = []
    real = Path.open
    monkeypatch.setattr(
        Path, "open", lambda *at, **how: files.append(real(*at, **how)) or files[-1]
    )
    return files
