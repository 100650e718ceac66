"""``CommandLineInterface``: Daphne's command line, for programs that build upon it.

It knows the options that Daphne has and makes a ``Server`` of them; the command
``daphne-like`` knows all the others too. This module must not know how anything is served.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, TextIO

from daphne_like.access import AccessLogGenerator
from daphne_like.actions import Tell
from daphne_like.arguments import DESCRIPTION
from daphne_like.asgi.interfaces import adapted
from daphne_like.config import LOG_FORMAT, Config
from daphne_like.endpoints import build_endpoint_description_strings
from daphne_like.errors import ConfigError
from daphne_like.limits import Limits
from daphne_like.options import APPLICATION, OPTIONS, Option
from daphne_like.places import addresses
from daphne_like.standalone import Server
from daphne_like.utils import import_by_path

_logger = logging.getLogger("daphne_like.server")

_AS_ARGUMENTS = (
    "http_timeout",
    "ping_interval",
    "ping_timeout",
    "websocket_timeout",
    "websocket_connect_timeout",
    "websocket_max_message_size",
    "websocket_max_frame_size",
    "application_close_timeout",
    "root_path",
    "verbosity",
    "server_name",
)
"""Options that are arguments of ``Server``, of the same name."""

_OTHERS = {
    **{name: name for name in ("host", "port", "unix_socket", "file_descriptor")},
    **{name: name for name in ("proxy_headers", "proxy_headers_host", "proxy_headers_port")},
    **{name: name for name in ("access_log", "no_server_name")},
    "endpoints": "socket_strings",
    "log_format": "log_fmt",
}
"""What else Daphne has, and what it is called in the parsed arguments."""


class CommandLineInterface:
    """Daphne's command line: ``CommandLineInterface().run(["-p", "80", "mysite.asgi:app"])``.

    A subclass may set `server_class`, which gets ``Server``'s arguments by keyword, and
    `description`, add to `parser`, and load the application by itself.
    """

    description = DESCRIPTION
    server_class: Callable[..., Any] = Server

    def __init__(self) -> None:
        self.server: Any = None
        self.parser = argparse.ArgumentParser(description=self.description)
        self.parser.add_argument("application", help=APPLICATION.help)
        names = dict.fromkeys(_AS_ARGUMENTS) | _OTHERS
        for option in OPTIONS:
            if option.name in names:
                _add(self.parser, option, names[option.name] or option.name)

    @classmethod
    def entrypoint(cls) -> None:
        """Run with the arguments of this process."""
        cls().run(sys.argv[1:])

    def load_asgi_app(self, asgi_app_path: str) -> Any:
        """The application that the command line names."""
        return import_by_path(asgi_app_path)

    def run(self, args: Sequence[str]) -> None:
        """Serve as `args` say; leaves the process with a status where that cannot begin.

        It is 2 for wrong arguments, 3 where the application cannot start, and 1 else. Raises
        ``argparse.ArgumentError`` for an option of proxies without ``--proxy-headers``.
        """
        asked = self.parser.parse_args(args)
        level = max(logging.DEBUG, logging.WARNING - 10 * asked.verbosity)
        logging.basicConfig(level=level, format=asked.log_fmt or LOG_FORMAT)
        sys.path.insert(0, ".")
        application = self._single(self.load_asgi_app(asked.application), asked.application)
        with _access_log(asked) as stream:
            self._serve(asked, application, AccessLogGenerator(stream) if stream else None)
        if self.server.abort_start:
            sys.exit(1)

    def _single(self, application: Any, name: str) -> Any:
        """What cannot be called at all is for the server to refuse: it may be one of a test."""
        try:
            return adapted(application, name, Limits()) if callable(application) else application
        except ConfigError as error:
            self.parser.error(str(error))

    def _serve(
        self, asked: argparse.Namespace, application: Any, action_logger: Tell | None
    ) -> None:
        endpoints, headers = _endpoints(asked), _proxy_headers(asked)
        if asked.no_server_name:
            asked.server_name = ""
        _logger.info("Starting server at %s", ", ".join(endpoints))
        self.server = self.server_class(
            application=application,
            endpoints=endpoints,
            action_logger=action_logger,
            websocket_handshake_timeout=asked.websocket_connect_timeout,
            **{name: getattr(asked, name) for name in _AS_ARGUMENTS},
            **headers,
        )
        self.server.run()


def _add(parser: argparse.ArgumentParser, option: Option, name: str) -> None:
    how: dict[str, Any] = {"dest": name, "help": option.help.replace("%", "%%")}
    if option.switch:
        how["action"] = "store_true"
    elif option.repeatable:
        how |= {"action": "append", "default": []}
    else:
        how |= {"type": option.type, "default": option.default}
    parser.add_argument(*option.flags, **how)


def _access_log(asked: argparse.Namespace) -> AbstractContextManager[TextIO | None]:
    if asked.access_log not in (None, "-"):
        return Path(asked.access_log).open("a", buffering=1, encoding="utf-8")
    return nullcontext(sys.stdout if asked.access_log or asked.verbosity >= 1 else None)


def _endpoints(asked: argparse.Namespace) -> list[str]:
    config = Config(
        host=asked.host,
        port=asked.port,
        unix_socket=asked.unix_socket,
        file_descriptor=asked.file_descriptor,
        endpoints=tuple(asked.socket_strings),
    )
    host, port = addresses(config) or (None, None)
    others = config.unix_socket, config.file_descriptor
    return sorted([*config.endpoints, *build_endpoint_description_strings(host, port, *others)])


def _proxy_headers(asked: argparse.Namespace) -> dict[str, str | None]:
    """The arguments of ``Server`` that name headers of proxies."""
    if not asked.proxy_headers:
        for name in ("proxy_headers_host", "proxy_headers_port"):
            if getattr(asked, name):
                flag = argparse.Action(["--" + name.replace("_", "-")], name)
                needs = "--proxy-headers has to be passed for this parameter."
                raise argparse.ArgumentError(flag, needs)
        return {}
    return {
        "proxy_forwarded_address_header": asked.proxy_headers_host or "X-Forwarded-For",
        "proxy_forwarded_port_header": asked.proxy_headers_port or "X-Forwarded-Port",
        "proxy_forwarded_proto_header": "X-Forwarded-Proto",
    }
