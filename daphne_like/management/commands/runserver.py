"""``manage.py runserver``: a development server for ASGI applications, with everything around it.

It prints what Django's own prints, reads the options of Daphne's, and has one of our servers
serve. Whoever subclasses the command, or its ``server_cls``, finds Daphne's names. It must not know
how anything is served.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import sys
import threading
import time
from importlib import import_module
from typing import Any, NoReturn

from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.contrib.staticfiles.management.commands.runserver import Command as StaticCommand
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.core.management.commands.runserver import Command as CoreCommand
from django.db import connections
from django.utils import autoreload

from daphne_like import __version__, process
from daphne_like.endpoints import build_endpoint_description_strings
from daphne_like.errors import DaphneLikeError
from daphne_like.management import lines, reloading
from daphne_like.management.options import add_options
from daphne_like.server import Server

_QUIT = "CTRL-BREAK" if sys.platform == "win32" else "CONTROL-C"

_LAST_MOMENT = 1.0
"""Seconds for the application's threads, when its server has ended and a file has changed."""

_DRAIN = 1.0
"""Seconds for what is being answered: streams that never end must not keep a developer waiting."""

_CLOSING = 0.5
"""Seconds for what is then cancelled: a view that is stuck in its thread does not notice."""


class Command(StaticCommand):  # type: ignore[misc]
    """Staticfiles' command, so that ``--noasgi`` serves static files as well; else the core's."""

    help = "Starts a development server for ASGI applications, over HTTP and WebSockets."
    server_cls = Server
    _running: reloading.Running | None = None

    def run_from_argv(self, argv: list[str]) -> None:
        """Let the process end soon after the server, also where a view's thread does not."""
        try:
            super().run_from_argv(argv)
        except SystemExit as end:
            if self._running is not None:
                process.leave(int(end.code or 0), _LAST_MOMENT)
            raise

    def add_arguments(self, parser: Any) -> None:
        """Django's options, those of staticfiles where it is installed, Daphne's and our own."""
        self._base.add_arguments(self, parser)
        add_options(parser)

    @property
    def _base(self) -> Any:
        """Whose command this one is: staticfiles' only where that app is installed."""
        return StaticCommand if apps.is_installed("django.contrib.staticfiles") else CoreCommand

    def get_handler(self, *args: Any, **options: Any) -> Any:
        """The WSGI application, for ``--noasgi``."""
        return self._base.get_handler(self, *args, **options)

    def handle(self, *args: Any, **options: Any) -> None:
        """Refuse what cannot be served, before anything is started."""
        if options["use_asgi"] and not getattr(settings, "ASGI_APPLICATION", None):
            raise CommandError(_NOT_SET)
        if options["ssl_dev"]:
            if not options["use_asgi"]:
                raise CommandError("--ssl-dev and --noasgi: Django's own server has no https.")
            self.protocol = "https"
        super().handle(*args, **options)

    # --- The processes --------------------------------------------------------------------

    def run(self, **options: Any) -> None:
        """Serve in this thread; or, where files are watched, in another one of another process."""
        if options["use_asgi"] and int(self.port) > 65535:
            raise CommandError(f"Port {self.port} is not between 0 and 65535.")
        if not (options["use_reloader"] and options["use_asgi"]):
            super().run(**options)
        elif reloading.is_inner():
            self._run_inside(options)
        else:
            sys.exit(reloading.serve_again_and_again())

    def _run_inside(self, options: dict[str, Any]) -> None:
        """Watch the files while a thread serves; whatever ends this ends that in order."""
        status = 0
        try:
            super().run(**options)
        except SystemExit as leaving:
            status = int(leaving.code or 0)
            raise
        finally:
            reloading.hear_no_more()
            if self._running is not None:
                self._running.end()
                process.leave(status, _LAST_MOMENT)

    def inner_run(self, *args: Any, **options: Any) -> None:
        """Check the project, and serve it until somebody stops it."""
        if not options["use_asgi"]:
            self.server_cls = CoreCommand.server_cls
            super().inner_run(*args, **options)
            return
        autoreload.raise_last_exception()
        if not options["skip_checks"]:
            self.stdout.write("Performing system checks...\n\n")
            self.check(display_num_errors=True)
        self.check_migrations()
        # What is connected to now would stay connected to for as long as this thread lives.
        connections.close_all()
        self._serve(options)

    def _serve(self, options: dict[str, Any]) -> None:
        self._running = reloading.Running(self._server(options))
        logging.getLogger("daphne_like.server").addFilter(_is_not_ours_to_tell)
        try:
            self._running.run()
        except SystemExit as end:
            self._not_served(end, options)
        if not options["use_reloader"]:
            # By a signal: Django's, too, leaves then.
            if message := options.get("shutdown_message"):
                self.stdout.write(message)
            sys.exit(0)

    def _server(self, options: dict[str, Any]) -> Any:
        """The server, which says when it listens."""
        message_size = options["websocket_max_message_size"]
        frame_size = options["websocket_max_frame_size"]
        in_main = threading.current_thread() is threading.main_thread()
        host = _resolved(self.addr) if self.use_ipv6 else self.addr
        server = self.server_cls(
            self.get_application(options),
            endpoints=build_endpoint_description_strings(host, int(self.port)),
            signal_handlers=in_main and not options["use_reloader"],
            action_logger=self.log_action,
            http_timeout=options["http_timeout"],
            root_path=settings.FORCE_SCRIPT_NAME or "",
            websocket_handshake_timeout=options["websocket_handshake_timeout"],
            websocket_max_message_size=message_size,
            websocket_max_frame_size=message_size if frame_size is None else frame_size,
            options=_more(host, int(self.port), options),
            closing=_CLOSING,
        )
        ready = server.ready_callable

        def announce() -> None:
            self.on_bind(server.listening_addresses[0][1])
            if ready is not None:
                ready()

        server.ready_callable = announce
        return server

    # --- What is served -------------------------------------------------------------------

    def get_application(self, options: dict[str, Any]) -> Any:
        """The project's application; in development static files are served in front of it."""
        application = get_default_application()
        installed = apps.is_installed("django.contrib.staticfiles")
        wanted = options.get("use_static_handler", installed)
        if wanted and (settings.DEBUG or options.get("insecure_serving", False)):
            return ASGIStaticFilesHandler(application)
        return application

    # --- What is said ---------------------------------------------------------------------

    def on_bind(self, server_port: int) -> None:
        """Print where the server listens: on `server_port`, whichever was asked for."""
        if self.server_cls is CoreCommand.server_cls:  # --noasgi
            super().on_bind(server_port)
            return
        address = f"[{self.addr}]" if ":" in self.addr else _EVERYWHERE.get(self.addr, self.addr)
        self.stdout.write(
            f"{time.strftime('%B %d, %Y - %X')}\n"
            f"Django version {self.get_version()}, using settings {settings.SETTINGS_MODULE!r}\n"
            # Channels' tutorial has its readers look for "Starting ASGI/Daphne".
            f"Starting ASGI/Daphne-like version {__version__} development server at "
            f"{self.protocol}://{address}:{server_port}/\n"
            f"Quit the server with {_QUIT}."
        )
        if os.environ.get("DJANGO_RUNSERVER_HIDE_WARNING") != "true":
            module, _, name = settings.ASGI_APPLICATION.rpartition(".")
            self.stdout.write(self.style.WARNING(_WARNING.format(f"{module}:{name}")))
        sys.stdout.flush()  # Into a pipe, too: somebody waits for it.

    def log_action(self, protocol: str, action: str, details: dict[str, Any]) -> None:
        """Write a line about a step of a request or of a WebSocket."""
        lines.log(self.style, protocol, action, details)

    def _not_served(self, end: SystemExit, options: dict[str, Any]) -> None:
        """Say why, as Django does; what is wrong in a file that is watched can be mended."""
        error = end.__cause__
        if not isinstance(error, DaphneLikeError):
            raise end
        number = _errno_of(error)
        if number is not None:
            self._leave(_FRIENDLY.get(number, str(error)))
        if not options["use_reloader"]:
            raise CommandError(str(error), returncode=end.code) from None
        self.stderr.write(f"Error: {error}")

    def _leave(self, error: str) -> NoReturn:
        """From whichever thread, as Django's own does: nothing can be done about it from here."""
        self.stderr.write(f"Error: {error}")
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)


_NOT_SET = (
    "You have not set ASGI_APPLICATION, which is needed to run the server. "
    'Set it to "mysite.asgi.application", for example.'
)

_WARNING = (
    "WARNING: This is a development server. For production there is the same server without "
    "Django around it: daphne-like {}"
)

_EVERYWHERE = {"0": "0.0.0.0"}

_FRIENDLY = {
    errno.EACCES: "You don't have permission to access that port.",
    errno.EADDRINUSE: "That port is already in use.",
    errno.EADDRNOTAVAIL: "That IP address can't be assigned to.",
}


def _more(host: str, port: int, options: dict[str, Any]) -> dict[str, Any]:
    """Options that Daphne's server has not, and where to listen, which TLS is said for with."""
    return {
        "endpoints": (),
        "host": host,
        "port": port,
        "ssl_dev": options["ssl_dev"],
        "no_http2": options["no_http2"],
        "lifespan": options["lifespan"],
        "graceful_timeout": _DRAIN,
    }


def _resolved(host: str) -> str:
    """An IPv6 address of `host`, which may be one; itself where it has none."""
    try:
        return str(socket.getaddrinfo(host, None, socket.AF_INET6)[0][4][0])
    except OSError:
        return host


def _errno_of(error: BaseException | None) -> int | None:
    """What the operating system says, if it is behind the error."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return None if error is None else error.errno


def _is_not_ours_to_tell(record: logging.LogRecord) -> bool:
    """Why there is no server is told by the command, in Django's words."""
    return record.levelno < logging.CRITICAL


# --- The application --------------------------------------------------------------------------


def get_default_application() -> Any:
    """The application that the setting ``ASGI_APPLICATION`` names, as ``package.module.name``.

    Raises :class:`django.core.exceptions.ImproperlyConfigured` where it names none. What the
    module itself raises is the developer's to see.
    """
    path = getattr(settings, "ASGI_APPLICATION", None)
    if not path:
        raise ImproperlyConfigured("Cannot find ASGI_APPLICATION setting.")
    module_name, _, name = path.rpartition(".")
    module = _imported(module_name or path)
    try:
        return getattr(module, name)
    except AttributeError:
        raise ImproperlyConfigured(
            f"Cannot find {name!r} in ASGI_APPLICATION module {module_name}"
        ) from None


def _imported(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name and f"{name}.".startswith(f"{error.name}."):
            raise ImproperlyConfigured(f"Cannot import ASGI_APPLICATION module {name!r}") from error
        raise
