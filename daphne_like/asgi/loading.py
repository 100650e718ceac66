"""From ``package.module:attribute`` to an ASGI 3 application, or to one line that says why not.

What is seen to be no ASGI application is refused before anybody can connect; what cannot be
known is let through. This module must not know what is done with the application.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import os
import sys
from pathlib import Path, PurePath
from typing import Any

from asgiref.compatibility import guarantee_single_callable, is_double_callable

from daphne_like.asgi.application import ASGIApplication
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


def load(path: str, *, factory: bool = False) -> ASGIApplication:
    """Import ``package.module:attribute`` and make it an ASGI 3 application.

    With `factory` it is a function that returns the application. Raises
    :class:`ConfigError` for a path that leads nowhere or to no application, and
    :class:`StartupError` (exit status 3) where the application's own code fails.
    """
    module_name, _, attribute = path.partition(":")
    if not module_name or not attribute:
        raise ConfigError(f"Bad application {path!r}: write it as module:attribute.")
    if module_name.endswith(".py") or "/" in module_name:
        better = _by_module(PurePath(module_name.removesuffix(".py")), attribute)
        raise ConfigError(f"Bad application {path!r}: name the module, not its file: {better}.")
    found = _attribute(_import(module_name), attribute, module_name)
    if factory:
        return single_callable(_made_by(found, path), f"What {path} returns")
    return single_callable(found, path)


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


def single_callable(application: Any, name: str) -> ASGIApplication:
    """An ASGI 3 application from one of ASGI 3 or of ASGI 2 (a double callable).

    Raises :class:`ConfigError`, about `name`, for what is seen to be neither.
    """
    if not callable(application):
        raise ConfigError(f"{name} is no ASGI application: it cannot be called.")
    try:
        # What a wrapper says of the wrapped is not what the wrapper itself takes.
        signature = inspect.signature(application, follow_wrapped=False)
    except (TypeError, ValueError):
        return guarantee_single_callable(application)  # type: ignore[no-any-return]
    if _is_single(application, signature):
        return application  # type: ignore[no-any-return]
    if _is_double(application, signature):
        return guarantee_single_callable(application)  # type: ignore[no-any-return]
    raise ConfigError(f"{name} is no ASGI application: {_why_not(application, signature)}.")


def _is_single(application: Any, signature: inspect.Signature) -> bool:
    """A plain function of (scope, receive, send) is ASGI 3, whatever it returns.

    So is a class whose instances are awaited. asgiref would take both for double callables.
    """
    if inspect.isclass(application):
        return hasattr(application, "__await__")
    return _takes(signature, 3)


def _is_double(application: Any, signature: inspect.Signature) -> bool:
    """Whatever is called with the scope, and then with receive and send.

    What can do without the scope is a factory; what takes any arguments may be anything.
    """
    if inspect.isclass(application) and not _has_callable_instances(application):
        return False
    if _takes(signature, 0) and not _takes(signature, 3):
        return False
    return _takes(signature, 1) and bool(is_double_callable(application))


def _has_callable_instances(application: type) -> bool:
    return any("__call__" in base.__dict__ for base in application.__mro__)


def _takes(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def _why_not(application: Any, signature: inspect.Signature) -> str:
    if _takes(signature, 0):
        return "it needs no arguments; if it returns the application, give --factory"
    if _takes(signature, 2) and not _is_coroutine_function(application):
        return "it looks like WSGI; wrap it with asgiref.wsgi.WsgiToAsgi"
    if inspect.isclass(application):
        return "its instances can be neither called as ASGI 2 says nor awaited"
    return f"it takes ({', '.join(signature.parameters)}), not (scope, receive, send)"


def _is_coroutine_function(application: Any) -> bool:
    return any(map(inspect.iscoroutinefunction, (application, application.__call__)))
