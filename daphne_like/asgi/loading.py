"""From ``package.module:attribute`` to an application, or to one line that says why not.

What it speaks is found out in ``interfaces``. This module must not know what is done with it.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import os
import sys
from pathlib import Path, PurePath
from typing import Any

from daphne_like.errors import ConfigError, StartupError

_logger = logging.getLogger("daphne_like.server")


def look_in(directory: str) -> None:
    """Let modules be found in `directory` before anywhere else.

    Raises :class:`ConfigError` where it cannot be read.
    """
    try:
        os.scandir(directory).close()
    except OSError as error:
        raise ConfigError(
            f"--app-dir {directory} is not a directory that can be read: {error.strerror}."
        ) from None
    path = str(Path(directory).resolve())
    if path not in sys.path:
        sys.path.insert(0, path)


def load(path: str, *, factory: bool = False) -> tuple[Any, str]:
    """Import ``package.module:attribute``; what it is, and its name for messages.

    With `factory` it is a function that returns the application. Raises
    :class:`ConfigError` for a path that leads nowhere, and
    :class:`StartupError` (exit status 3) where the application's own code fails.
    """
    module_name, _, attribute = path.partition(":")
    if not module_name or not attribute:
        raise ConfigError(f"Bad application {path!r}: write it as {_with_colon(path)}.")
    if module_name.endswith(".py") or "/" in module_name:
        better = _by_module(PurePath(module_name.removesuffix(".py")), attribute)
        raise ConfigError(f"Bad application {path!r}: name the module, not its file: {better}.")
    found = _attribute(_import(module_name), attribute, module_name)
    return (_made_by(found, path), f"What {path} returns") if factory else (found, path)


def _with_colon(path: str) -> str:
    """As Django's settings name an application, it has a dot there."""
    module, dot, attribute = path.rpartition(".")
    dotted = dot and all(name.isidentifier() for name in path.split("."))
    return f"{module}:{attribute}" if dotted and attribute != "py" else "module:attribute"


def _by_module(file: PurePath, attribute: str) -> str:
    if file.is_absolute() or ".." in file.parts:
        return f"{file.name}:{attribute} --app-dir {file.parent}"
    return f"{'.'.join(file.parts)}:{attribute}"


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            raise ConfigError(
                f"Cannot import {name!r}: there is no module {error.name!r}; check the name, "
                "or give its directory with --app-dir."
            ) from None
        raise _import_failed(name, error) from error
    except SystemExit as error:
        raise _exited(f"The application's module {name!r}", error) from None
    except Exception as error:
        raise _import_failed(name, error) from error


def _import_failed(name: str, error: Exception) -> StartupError:
    _logger.error("Exception while importing %r:", name, exc_info=error)
    return StartupError(f"Cannot import the application's module {name!r}: {error!r}.", 3)


def _exited(what: str, error: SystemExit) -> StartupError:
    return StartupError(f"{what} called sys.exit({error.code!r}).", 3)


def _attribute(module: Any, path: str, module_name: str) -> Any:
    found = module
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise ConfigError(
                f"Cannot find {path!r} in module {module_name!r}; check the part after the colon."
            ) from None
    return found


def _made_by(factory: Any, path: str) -> Any:
    try:
        made = factory()
    except SystemExit as error:
        raise _exited(f"The application factory {path!r}", error) from None
    except Exception as error:
        _logger.error("Exception in the application factory %r:", path, exc_info=error)
        raise StartupError(f"The application factory {path!r} failed: {error!r}.", 3) from error
    if inspect.iscoroutine(made):
        made.close()
        raise ConfigError(
            f"The application factory {path!r} is a coroutine function: --factory needs a plain "
            "one, that returns the application."
        )
    return made
