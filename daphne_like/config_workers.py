"""The part of the configuration that is about workers, and about reading code anew.

An option is written here as in ``config``, which has the rest. This module must not know what
is done with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from daphne_like.config_tls import TLSConfig
from daphne_like.option_field import option
from daphne_like.values import workers


@dataclass(frozen=True, slots=True)
class WorkersConfig(TLSConfig):
    """What an operator can set about workers."""

    workers: int | None = option(
        None,
        "--workers",
        group="Workers",
        help="Serve with as many processes, looked after by another; auto for one a processor. "
        "WEB_CONCURRENCY says the same.",
        type=workers,
    )
    preload: str = option(
        "auto",
        "--preload",
        group="Workers",
        help="Load the server once, and let workers be copies of that: they start sooner and take "
        "less memory. auto does where that is safe, on Linux.",
        choices=("auto", "on", "off"),
    )
    preload_app: bool = option(
        False,
        "--preload-app",
        group="Workers",
        help="Load the application once, too. It may start no thread and open nothing while it is "
        "imported; SIGHUP does not read its code anew, SIGUSR2 does.",
    )
    reload: bool = option(
        False,
        "--reload",
        group="Workers",
        help="For development: read the code anew when a file changes.",
    )
    reload_dirs: tuple[str, ...] = option(
        (),
        "--reload-dir",
        group="Workers",
        help="A directory whose files are watched, in the place of --app-dir; may be given several "
        "times.",
    )
    reload_includes: tuple[str, ...] = option(
        ("*.py",),
        "--reload-include",
        group="Workers",
        help="Names of files that count, as a pattern; may be given several times.",
    )
    reload_excludes: tuple[str, ...] = option(
        (".*", "__pycache__", "node_modules"),
        "--reload-exclude",
        group="Workers",
        help="Names of files and directories that do not; may be given several times.",
    )
