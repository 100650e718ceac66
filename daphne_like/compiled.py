"""Whether this installation is a compiled one; ``setup.py`` says what is compiled, and when.

The code does not ask: compiled or not, it does the same.
"""

from __future__ import annotations

from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec

from daphne_like import __version__

_COMPILED = "daphne_like.exchange"
"""A module that is compiled whenever any is."""


def is_compiled() -> bool:
    """Whether the hot path is machine code, and not Python."""
    spec = find_spec(_COMPILED)
    origin = spec.origin if spec is not None else None
    return origin is not None and origin.endswith(tuple(EXTENSION_SUFFIXES))


def described_version() -> str:
    """The version, and whether it is compiled: ``0.1.0 (compiled)``."""
    return f"{__version__} (compiled)" if is_compiled() else __version__
