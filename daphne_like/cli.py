"""The command line and the twistd plugin: the same options, from the same places.

This module must not know how anything is served.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from daphne_like import environment
from daphne_like.arguments import DESCRIPTION, said
from daphne_like.config import Config
from daphne_like.errors import ConfigError, DaphneLikeError, StartupError
from daphne_like.orders import Orders, taken
from daphne_like.places import OWN_KINDS, kind_of
from daphne_like.sources import PYPROJECT, Place, configuration, merged

if TYPE_CHECKING:
    from twisted.application.service import IService

    from daphne_like.server import ASGIService

_logger = logging.getLogger("daphne_like.server")

_WAY_OUT = "; a second signal ends it at once"

_AT_ONCE = 1.0
"""Seconds that a second signal leaves to the threads of the application."""


def configured(arguments: Sequence[str], program: str = "daphne-like") -> Config:
    """The configuration that the command line of `program`, the environment and a file give.

    Sets the variables of ``--env-file``. Raises :class:`ConfigError`; leaves the process for
    ``--help``, ``--version``, ``--print-config`` and ``--check``.
    """
    line = said(arguments, program)
    files = _set_variables(_named("--env-file", line.env_file, environment.ENV_FILE))
    variables, warnings = environment.options_in(os.environ, files)
    for warning in warnings:
        print(f"daphne-like: {warning}", file=sys.stderr)
    file = _file(_named("--config", line.config, environment.CONFIG))
    chosen = merged([line.options, variables, file])
    config = configuration(chosen)
    if line.print_config:
        from daphne_like import toml_file

        print(toml_file.printed(chosen), end="")
        sys.exit(0)
    if line.check:
        sys.exit(check(config))
    return config


def _named(flag: str, name: str | None, variable: str) -> str | None:
    """The file that the command line names, or else `variable`."""
    if name is None:
        flag, name = variable, os.environ.get(variable)
    if name == "":
        raise ConfigError(f"{flag} is empty: name a file, or leave it out.")
    return name


def _file(name: str | None) -> Place:
    """What the ``--config`` file gives, or else the project in the current directory."""
    if name is None and not os.access(PYPROJECT, os.F_OK):
        return {}
    # Only who has a file pays for reading it.
    from daphne_like import toml_file

    return toml_file.found() if name is None else toml_file.read(name)


def _set_variables(file: str | None) -> dict[str, str]:
    """Set the variables of the ``--env-file`` that are not set; return the file of each."""
    if file is None:
        return {}
    from daphne_like import env_file

    new = {name: text for name, text in env_file.read(file).items() if name not in os.environ}
    os.environ.update(new)
    return dict.fromkeys(new, file)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server until it is told to stop; return the process's exit status.

    The process ends soon after, also where a thread of the application does not.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    orders = taken(os.environ)
    try:
        config = configured(arguments)
        if orders is None and (config.workers is not None or config.reload):
            return _supervise(config, arguments)
        status = serve(config, orders)
    except DaphneLikeError as error:
        return complain(error)
    from daphne_like import process

    process.leave(status, config.limits.application_close_timeout)
    return status


def _supervise(config: Config, arguments: Sequence[str]) -> int:
    """Let other processes serve, and look after them; return the exit status."""
    from daphne_like import logs, process
    from daphne_like.supervisor.parent import preloads, supervise

    logs.set_up_logging(config)
    if preloads(config):
        process.preload(config)
    return supervise(config, arguments, partial(_work, config))


def _work(config: Config) -> int:
    """A worker that is a copy of its supervisor: nothing has to be read anew."""
    from daphne_like import process

    try:
        status = serve(config, taken(os.environ))
    except DaphneLikeError as error:
        return complain(error)
    process.leave(status, config.limits.application_close_timeout)
    return status


def complain(error: Exception) -> int:
    """Say in one line what is wrong; return the exit status that fits."""
    print(f"daphne-like: {error}", file=sys.stderr)
    return error.exit_status if isinstance(error, ConfigError | StartupError) else 1


def serve(config: Config, orders: Orders | None = None) -> int:
    """Serve on a reactor of our own until a signal; return the exit status.

    A worker does what its `orders` say.
    """
    from daphne_like import process

    config = config if orders is None else _hurried(config, orders)
    reactor = _prepared(config, None if orders is None else orders.number)
    from daphne_like import notify
    from daphne_like.server import ASGIService

    failures: list[DaphneLikeError] = []

    def failed(error: DaphneLikeError) -> None:
        failures.append(error)
        reactor.stop()

    told = notify.notifier(os.environ, os.getpid())
    if orders is not None:
        _hold(orders, config, reactor)
    service = ASGIService(
        config, reactor, failed=failed, way_out=_WAY_OUT, notifier=told, orders=orders
    )
    process.run(
        reactor,
        service.startService,
        service.stopService,
        partial(_force, service),
        service.reopen_logs,
        service.reload,
    )
    return complain(failures[0]) if failures else 0


def _force(service: ASGIService) -> None:
    """Wait for nothing any more, and leave behind a thread that does not end."""
    from daphne_like import process

    service.force()
    process.leave(0, _AT_ONCE)


def _hurried(config: Config, orders: Orders) -> Config:
    """The same, with the time that a supervisor gives its workers at a stop."""
    if orders.grace is None:
        return config
    limits = config.limits
    grace = min(limits.graceful_timeout, orders.grace)
    close = min(limits.application_close_timeout, orders.grace)
    hurried = replace(limits, graceful_timeout=grace, application_close_timeout=close)
    return replace(config, limits=hurried)


def _hold(orders: Orders, config: Config, reactor: Any) -> None:
    """Live no longer than the supervisor, and have what was passed to it."""
    from daphne_like import lifeline, process
    from daphne_like.limits import longest_stop
    from daphne_like.transport import activation

    activation.know(orders.passed)
    os.set_inheritable(orders.lifeline, False)  # For us, and not for what we start.
    stop = partial(process.stop_from_thread, reactor)
    lifeline.hold(orders, stop, longest_stop(config.limits))


def check(config: Config) -> int:
    """Make all that serving would need, serve nothing; return the exit status."""
    from daphne_like import process

    reactor = _prepared(config)
    from daphne_like.assembly import rehearse

    try:
        process.run_once(rehearse(config, reactor))
        status = 0
        print(f"{config.application or '--demo'} is fine.")
    except DaphneLikeError as error:
        status = complain(error)
    process.leave(status, config.limits.application_close_timeout)
    return status


def _prepared(config: Config, worker: int | None = None) -> Any:
    """The reactor, with the log set up."""
    from daphne_like import logs, process

    logs.set_up_logging(config, worker)
    reactor = process.install_reactor(config.loop, tls=needs_twisted_tls(config))
    logs.bridge_twisted_log()
    return reactor


def needs_twisted_tls(config: Config) -> bool:
    """Whether an endpoint string, or the operator, asks for TLS by Twisted."""
    return config.twisted_tls or any(kind_of(text) not in OWN_KINDS for text in config.endpoints)


# --- twistd -----------------------------------------------------------------------------


def __getattr__(name: str) -> Any:
    """``Options``, for twistd, and Daphne's ``CommandLineInterface``.

    They are made when asked for, because both need what takes time to import.
    """
    if name == "Options":
        return _twistd_options()
    if name == "CommandLineInterface":
        from daphne_like.command_line import CommandLineInterface

        return CommandLineInterface
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _twistd_options() -> type:
    from twisted.python import usage

    from daphne_like import process

    class Options(usage.Options):
        """The same options as the command line's, parsed by the same parser.

        Parsing them installs the asyncio reactor: later, another one may be there. An
        error ends the process as the command line's does: twistd would show its usage.
        """

        synopsis = "[options] module:attribute"
        longdesc = DESCRIPTION

        def parseOptions(self, options: Sequence[str] | None = None) -> None:
            try:
                config = self["config"] = configured(options or (), "twistd daphne-like")
                self["reactor"] = process.install_reactor(config.loop, tls=True)
            except DaphneLikeError as error:
                sys.exit(complain(error))

    return Options


def makeService(options: Any) -> IService:
    """The service for ``twistd daphne-like``, with the configuration that its options hold."""
    from daphne_like import logs, notify, process
    from daphne_like.server import ASGIService

    config, reactor = options["config"], options["reactor"]
    try:
        logs.log_to_twisted(config)
    except ConfigError as error:
        sys.exit(complain(error))

    if config.workers is not None or config.reload:
        _logger.warning("twistd runs one process: --workers and --reload mean nothing to it")

    def failed(error: DaphneLikeError) -> None:
        process.exit_with(complain(error))
        reactor.stop()

    told = notify.notifier(os.environ, os.getpid())
    service = ASGIService(config, reactor, failed=failed, notifier=told)
    process.end_by(DaphneLikeError, complain)
    process.on_hangup(reactor, service.reload)
    reactor.callWhenRunning(process.on_reopen, reactor, service.reopen_logs)
    return service
