"""The command line and the twistd plugin, both generated from the one table of options.

This module must not know how anything is served.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from daphne_like import __version__
from daphne_like.config import Config
from daphne_like.errors import ConfigError, DaphneLikeError, StartupError
from daphne_like.options import OPTIONS, Option, configure

if TYPE_CHECKING:
    from twisted.application.service import IService

_DESCRIPTION = "Serve an ASGI application over HTTP."
_OWN_ENDPOINTS = frozenset(("tcp", "tcp6", "unix", "fd"))
"""Kinds of endpoints that do without Twisted's."""

_WAY_OUT = "; a second signal ends it at once"


class _Parser(argparse.ArgumentParser):
    """One whose errors are ours: a line, not a page of usage."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}; see --help.")


def parser(program: str = "daphne-like") -> argparse.ArgumentParser:
    """The parser for the command line of `program`; what is not given is not in its result."""
    made = _Parser(
        program,
        description=_DESCRIPTION,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    made.add_argument("--version", action="version", version=f"daphne-like {__version__}")
    made.add_argument(
        "application", nargs="?", help="The application, as package.module:attribute."
    )
    groups: dict[str, Any] = {}
    for option in OPTIONS:
        if option.group not in groups:
            groups[option.group] = made.add_argument_group(option.group)
        groups[option.group].add_argument(*option.flags, dest=option.name, **_argument(option))
    return made


def _argument(option: Option) -> dict[str, Any]:
    text = option.help.replace("%", "%%")
    if option.switch:
        return {"action": "store_true", "help": text}
    if option.default not in (None, (), ""):
        text += f" Default: {option.default!r}.".replace("%", "%%")
    made: dict[str, Any] = {"help": text, "type": option.parse, "choices": option.choices}
    if not option.choices:
        made["metavar"] = {int: "N", float: "SECONDS"}.get(option.type, "TEXT")  # type: ignore[call-overload]
    if option.repeatable:
        made["action"] = "append"
    return made


def configured(arguments: Sequence[str], program: str = "daphne-like") -> Config:
    """The configuration that the command line of `program` asks for.

    Raises :class:`ConfigError`; leaves the process for ``--help`` and ``--version``.
    """
    given = vars(parser(program).parse_args(arguments))
    for option in OPTIONS:
        if option.repeatable and option.name in given:
            given[option.name] = tuple(given[option.name])
    return configure(given)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server until it is told to stop; return the process's exit status.

    The process ends soon after, also where a thread of the application does not.
    """
    try:
        config = configured(sys.argv[1:] if arguments is None else arguments)
        status = serve(config)
    except DaphneLikeError as error:
        return complain(error)
    from daphne_like import process

    process.leave(status, config.limits.application_close_timeout)
    return status


def complain(error: DaphneLikeError) -> int:
    """Say in one line what is wrong; return the exit status that fits."""
    print(f"daphne-like: {error}", file=sys.stderr)
    return error.exit_status if isinstance(error, ConfigError | StartupError) else 1


def serve(config: Config) -> int:
    """Serve on a reactor of our own until a signal; return the exit status."""
    from daphne_like import process

    process.set_up_logging(config.verbosity, config.log_format)
    reactor = process.install_reactor(config.loop, tls=needs_twisted_tls(config))
    process.bridge_twisted_log()
    from daphne_like.server import ASGIService

    failures: list[DaphneLikeError] = []

    def failed(error: DaphneLikeError) -> None:
        failures.append(error)
        reactor.stop()

    service = ASGIService(config, reactor, failed=failed, way_out=_WAY_OUT)
    process.run(reactor, service.startService, service.stopService, service.force)
    return complain(failures[0]) if failures else 0


def needs_twisted_tls(config: Config) -> bool:
    """Whether an endpoint string, or the operator, asks for TLS by Twisted."""
    return config.twisted_tls or any(
        text.lower().removeprefix("haproxy:").partition(":")[0] not in _OWN_ENDPOINTS
        for text in config.endpoints
    )


# --- twistd -----------------------------------------------------------------------------


def __getattr__(name: str) -> Any:
    """``Options``, for twistd: made when asked for, because its base imports Twisted."""
    if name == "Options":
        return _twistd_options()
    raise AttributeError(name)


def _twistd_options() -> type:
    from twisted.python import usage

    from daphne_like import process

    class Options(usage.Options):
        """The same options as the command line's, parsed by the same parser.

        Parsing them installs the asyncio reactor: later, another one may be there. An
        error ends the process as the command line's does: twistd would show its usage.
        """

        synopsis = "[options] module:attribute"
        longdesc = _DESCRIPTION

        def parseOptions(self, options: Sequence[str] | None = None) -> None:
            try:
                config = self["config"] = configured(options or (), "twistd daphne-like")
                self["reactor"] = process.install_reactor(config.loop, tls=True)
            except ConfigError as error:
                sys.exit(complain(error))

    return Options


def makeService(options: Any) -> IService:
    """The service for ``twistd daphne-like``, with the configuration that its options hold."""
    from daphne_like import process
    from daphne_like.server import ASGIService

    config, reactor = options["config"], options["reactor"]
    process.log_to_twisted(config.verbosity)

    def failed(error: DaphneLikeError) -> None:
        process.exit_with(complain(error))
        reactor.stop()

    return ASGIService(config, reactor, failed=failed)
