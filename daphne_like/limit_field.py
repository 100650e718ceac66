"""How a limit is written down: a field, with its unit, its reason and its options.

This module must not know which limits there are.
"""

from __future__ import annotations

from dataclasses import field
from typing import Any


def limit(default: Any, unit: str, reason: str, *flags: str) -> Any:
    """A field that is a limit. Without `flags` its option is called as the field is."""
    return field(default=default, metadata={"unit": unit, "reason": reason, "flags": flags})
