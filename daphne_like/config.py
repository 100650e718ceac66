"""One configuration, and the one table of options that every front end is made from.

The command line, twistd's options and the reference page are generated from
:data:`OPTIONS`: an option is written here (or, where it is a limit, in ``limits``) and
nowhere else. This module must not know any front end.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple

from daphne_like.errors import ConfigError
from daphne_like.exchange import Field
from daphne_like.headers import BadField, response_head
from daphne_like.limits import Limits

LOG_FORMAT = "%(asctime)-15s %(levelname)-8s %(message)s"

GROUPS = ("Application", "Listening", "HTTP", "Proxies", "WebSocket", "Logging", "Limits")


def header(text: str) -> Field:
    """A response header from ``name: value``.

    Raises :class:`ConfigError` for one that may not go into a response, or that only the
    server can know.
    """
    name, colon, value = text.partition(":")
    if not colon:
        raise ConfigError(f"--header {text!r}: write it as 'name: value'.")
    field = _field(f"--header {text!r}", name.strip().lower(), value.strip())
    head = response_head(200, [field], "GET")
    if field not in head.fields or head.length is not None:
        raise ConfigError(f"--header {text!r}: the server writes this one by itself.")
    return field


def _field(what: str, name: str, value: str) -> Field:
    """A judged field; raises :class:`ConfigError`, which says `what` is wrong."""
    try:
        field = name.encode("ascii"), value.encode("latin-1")
        response_head(200, [field], "GET")
    except UnicodeEncodeError as error:
        wrong = error.object[error.start : error.end]
        raise ConfigError(f"{what}: {wrong!r} cannot be sent in a header.") from None
    except BadField as error:
        raise ConfigError(f"{what}: {error}.") from None
    return field


def _option(default: Any, *flags: str, group: str, **more: Any) -> Any:
    """A field of :class:`Config` that is an option.

    ``help`` says what it sets; ``type`` parses its text (``str`` unless given); a ``bool``
    default makes it a switch, a tuple makes it repeatable; ``empty`` allows an empty text.
    """
    metadata = {"flags": flags, "group": group, **more}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Config:
    """Everything an operator can set, and nothing else."""

    application: str | None = None
    demo: bool = _option(
        False, "--demo", group="Application", help="Serve the built-in demonstration."
    )
    factory: bool = _option(
        False,
        "--factory",
        group="Application",
        help="The application's path names a function that returns it.",
    )
    app_dir: str = _option(
        ".",
        "--app-dir",
        group="Application",
        help="The directory in which the application's module is looked for.",
    )
    lifespan: str = _option(
        "auto",
        "--lifespan",
        group="Application",
        help="Run the application's startup and shutdown: where it can, always, or never.",
        choices=("auto", "on", "off"),
    )
    root_path: str = _option(
        "",
        "--root-path",
        group="Application",
        help="The path that the application is mounted at (SCRIPT_NAME); not cut off the path.",
        empty=True,
    )
    loop: str = _option(
        "auto",
        "--loop",
        group="Application",
        help="The event loop under the reactor; auto takes uvloop where it is installed.",
        choices=("auto", "uvloop", "asyncio"),
    )
    twisted_tls: bool = _option(
        False,
        "--twisted-tls",
        group="Application",
        help="Load pyOpenSSL into the reactor, for an application that uses Twisted's startTLS.",
    )
    host: str | None = _option(
        None, "-b", "--bind", "--host", group="Listening", help="The address to listen on."
    )
    port: int | None = _option(
        None, "-p", "--port", group="Listening", help="The port to listen on; 0 for any.", type=int
    )
    unix_socket: str | None = _option(
        None, "-u", "--unix-socket", "--uds", group="Listening", help="A Unix socket to listen on."
    )
    file_descriptor: int | None = _option(
        None,
        "--fd",
        group="Listening",
        help="An inherited socket to listen on, of any family.",
        type=int,
    )
    endpoints: tuple[str, ...] = _option(
        (),
        "-e",
        "--endpoint",
        group="Listening",
        help="A Twisted endpoint string to listen on; may be given several times.",
    )
    server_name: str = _option(
        "daphne-like",
        "-s",
        "--server-name",
        group="HTTP",
        help="The Server header; empty for none.",
        empty=True,
    )
    no_server_name: bool = _option(
        False, "--no-server-name", group="HTTP", help="Send no Server header."
    )
    no_date_header: bool = _option(
        False, "--no-date-header", group="HTTP", help="Send no Date header."
    )
    headers: tuple[Field, ...] = _option(
        (),
        "--header",
        group="HTTP",
        help="A header for every response, as 'name: value'; may be given several times.",
        type=header,
    )
    proxy_headers: bool = _option(
        False,
        "--proxy-headers",
        group="Proxies",
        help="Believe X-Forwarded-For, -Port and -Proto of trusted peers.",
    )
    proxy_headers_host: str | None = _option(
        None,
        "--proxy-headers-host",
        group="Proxies",
        help="The header that names the client's address; needs --proxy-headers.",
    )
    proxy_headers_port: str | None = _option(
        None,
        "--proxy-headers-port",
        group="Proxies",
        help="The header that names the client's port; needs --proxy-headers.",
    )
    forwarded_allow_ips: str = _option(
        "127.0.0.1,::1,unix",
        "--forwarded-allow-ips",
        group="Proxies",
        help="Peers that --proxy-headers trusts: addresses, networks, 'unix', or '*' for all.",
    )
    verbosity: int = _option(
        1, "-v", "--verbosity", group="Logging", help="0 warnings, 1 info, 2 debug, 3 asyncio too.",
        type=int,
    )  # fmt: skip
    access_log: str | None = _option(
        None,
        "--access-log",
        group="Logging",
        help="A file for access lines; - for standard output, which is the default from -v 1 on.",
    )
    no_access_log: bool = _option(
        False, "--no-access-log", group="Logging", help="Write no access lines."
    )
    log_format: str = _option(
        LOG_FORMAT, "--log-fmt", group="Logging", help="The format of log lines (logging module)."
    )
    limits: Limits = field(default_factory=Limits)


class Option(NamedTuple):
    """One row of the table."""

    name: str
    flags: tuple[str, ...]
    type: Callable[[str], Any]
    default: Any
    help: str
    group: str
    choices: tuple[str, ...] | None = None
    empty: bool = False

    def parse(self, text: str) -> Any:
        """The value that `text` means; raises :class:`ConfigError`."""
        if not text and not self.empty:
            raise ConfigError(f"{self.long_flag} is empty: give a value, or leave the option out.")
        try:
            return self.type(text)
        except ValueError:
            wanted = _WANTED[self.type]
            raise ConfigError(f"{self.long_flag} {text!r} is not {wanted}.") from None

    @property
    def switch(self) -> bool:
        """Given without a value."""
        return self.default is False

    @property
    def repeatable(self) -> bool:
        """May be given several times."""
        return isinstance(self.default, tuple)

    @property
    def long_flag(self) -> str:
        """The spelling for messages."""
        return next(flag for flag in self.flags if flag.startswith("--"))


_WANTED: dict[Any, str] = {int: "a whole number", float: "a number of seconds"}


def _config_option(item: Any) -> Option:
    given = item.metadata
    return Option(
        item.name,
        given["flags"],
        given.get("type", str),
        item.default,
        given["help"],
        given["group"],
        given.get("choices"),
        given.get("empty", False),
    )


def _limit_option(item: Any) -> Option:
    given = item.metadata
    flags = given["flags"] or ("--" + item.name.replace("_", "-"),)
    socket = item.name.startswith(("websocket", "ping"))
    return Option(
        item.name,
        flags,
        int if type(item.default) is int else float,
        item.default,
        f"{given['reason']} ({given['unit']})",
        "WebSocket" if socket else "Limits",
    )


_LIMIT_NAMES = frozenset(item.name for item in fields(Limits))

OPTIONS: tuple[Option, ...] = tuple(
    sorted(
        [
            *(_config_option(item) for item in fields(Config) if "flags" in item.metadata),
            *(_limit_option(item) for item in fields(Limits)),
        ],
        key=lambda option: GROUPS.index(option.group),
    )
)
"""Every option there is, by group."""


def configure(values: Mapping[str, Any]) -> Config:
    """A valid configuration from option values by name; what is missing has its default.

    Raises :class:`ConfigError`, one line that names the fix.
    """
    limits = {name: value for name, value in values.items() if name in _LIMIT_NAMES}
    others = {name: value for name, value in values.items() if name not in _LIMIT_NAMES}
    config = Config(**others, limits=replace(Limits(), **limits))
    _check_limits(config.limits)
    _check(config)
    return config


def _check(config: Config) -> None:
    if config.application is None and not config.demo:
        raise ConfigError("No application: give it as module:attribute, or try --demo.")
    if config.application is not None and config.demo:
        raise ConfigError("An application and --demo: give one of the two.")
    _check_host(config.host or "")
    if config.port is not None and not 0 <= config.port <= 65535:
        raise ConfigError(f"--port {config.port} is not between 0 and 65535.")
    if not 0 <= config.verbosity <= 3:
        raise ConfigError(f"--verbosity {config.verbosity} is not between 0 and 3.")
    _field("--server-name", "server", config.server_name)
    for name, flag in (
        (config.proxy_headers_host, "--proxy-headers-host"),
        (config.proxy_headers_port, "--proxy-headers-port"),
    ):
        if name is not None and not config.proxy_headers:
            raise ConfigError(f"--proxy-headers has to be passed for {flag}.")
        if name is not None:
            _field(flag, name, "")


def _check_host(host: str) -> None:
    """An address has no port; an IPv6 address has more than one colon."""
    with_port = re.fullmatch(r"(?:\[.*\]|[^:]*):(\d+)", host)
    if with_port:
        raise ConfigError(f"--bind {host}: the port has its own option, --port {with_port[1]}.")


def _check_limits(limits: Limits) -> None:
    for option in OPTIONS:
        if option.name not in _LIMIT_NAMES:
            continue
        value = getattr(limits, option.name)
        unlimited = option.name == "websocket_timeout" and value == -1
        if value is not None and not math.isfinite(value):
            raise ConfigError(f"{option.long_flag} {value} is not a number of seconds.")
        if value is not None and value < 0 and not unlimited:
            raise ConfigError(f"{option.long_flag} {value} is negative; give 0 or more.")


def addresses(config: Config) -> tuple[str, int] | None:
    """The TCP address to listen on, or ``None`` where only other ways were asked for.

    Daphne's rule: with nothing given both have their default, with one given the other has.
    """
    elsewhere = config.unix_socket or config.file_descriptor is not None or config.endpoints
    if config.host is None and config.port is None and elsewhere:
        return None
    return (
        "127.0.0.1" if config.host is None else config.host,
        8000 if config.port is None else config.port,
    )
