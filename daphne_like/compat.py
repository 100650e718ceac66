"""The name ``daphne`` for those who import it, where Daphne itself is not installed.

``channels.testing`` does, and so do programs that were written for Daphne. Each of its modules
is then an alias: it finds what it is asked for in one of ours, and imports that when it is
asked first. This module must import nothing that is ours, so that installing it costs nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, spec_from_loader
from types import ModuleType
from typing import Any

_DAPHNE = "daphne"

VERSION = "4.2.3"
"""The release of Daphne whose names these are: ``daphne.__version__``."""

_PACKAGES = frozenset(("", ".management", ".management.commands"))

_MODULES = _PACKAGES | {
    ".access",
    ".apps",
    ".checks",
    ".cli",
    ".endpoints",
    ".management.commands.runserver",
    ".server",
    ".testing",
    ".utils",
}
"""The modules that there are under the name of Daphne; ours are called the same."""

_RENAMED = {"DaphneConfig": "DaphneLikeConfig", "check_daphne_installed": "check_apps"}
"""Names in them that ours have others for."""


def install() -> None:
    """Let ``daphne`` and its modules be imported; nothing happens where they can be already."""
    # A module that somebody has made may have no spec, which find_spec would not take.
    if _DAPHNE not in sys.modules and find_spec(_DAPHNE) is None:
        sys.meta_path.append(_Aliases())


def stands_in() -> bool:
    """Whether what is imported as ``daphne`` is ours."""
    found = find_spec(_DAPHNE)
    return found is not None and isinstance(found.loader, _Aliases)


class _Alias(ModuleType):
    """Has what one of our modules has, and what is set on it besides."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(import_module(_ours(self.__name__)), _RENAMED.get(name, name))

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(import_module(_ours(self.__name__)))})


class _Aliases(MetaPathFinder, Loader):
    """Finds the modules of Daphne, and makes each an alias."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, _ = fullname.partition(".")
        within = fullname.removeprefix(_DAPHNE)
        if package != _DAPHNE or within not in _MODULES:
            return None
        return spec_from_loader(fullname, self, is_package=within in _PACKAGES)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Alias(spec.name, f"Daphne's name for {_ours(spec.name)}.")

    def exec_module(self, module: ModuleType) -> None:
        if module.__name__ == _DAPHNE:
            module.__dict__["__version__"] = VERSION
        elif module.__name__ == f"{_DAPHNE}.server":
            # Who imports it may import twisted.internet.reactor next, and expect this one.
            _ = module.twisted_loop


def _ours(name: str) -> str:
    return "daphne_like" + name.removeprefix(_DAPHNE)
