"""The loop around the crew: signals come in, words come in, time passes.

The only module here that knows signals and the clock. It must not know what a worker serves.
"""

from __future__ import annotations

import logging
import os
import random
import selectors
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from daphne_like import logs
from daphne_like.config import Config
from daphne_like.errors import ConfigError
from daphne_like.health import Stage
from daphne_like.limits import longest_stop
from daphne_like.notify import Notifier, notifier
from daphne_like.orders import SHARES, Orders
from daphne_like.supervisor.bound import Bound, taken
from daphne_like.supervisor.changes import Wanted, watched
from daphne_like.supervisor.cores import cores
from daphne_like.supervisor.crew import Crew, Terms, counted
from daphne_like.supervisor.launch import Copy, Heir, Main, Program, Seat
from daphne_like.supervisor.notices import Notices
from daphne_like.supervisor.timers import Timers
from daphne_like.transport import activation
from daphne_like.transport.shares import Shares

_logger = logging.getLogger("daphne_like.supervisor")

_LOOK = 0.5
"""Seconds between two looks at the workers, when nothing happens."""

_MARGIN = 5.0
"""Seconds that a worker may be late with what has a time of its own."""

_LONGEST = 50
"""Bytes of the name of a directory for sockets, at the most."""

_RELIEVED = getattr(signal, "SIGURG", 0)
"""What an heir says when it serves: a signal that nobody else sends, nor minds."""

_SHOWN = 3
"""Names of files that have changed, in a log line."""

_PREDECESSOR = "_DAPHNE_LIKE_PREDECESSOR"
"""Who is told when our workers serve: the supervisor that has started us, by SIGUSR2."""


def supervise(config: Config, arguments: Sequence[str], main: Main) -> int:
    """Run as many workers as `config` says until a signal; return the exit status.

    Each is the same command with the same `arguments`, a program of its own; or, where it may be a
    copy of this process, what `main` does. Raises :class:`DaphneLikeError` where nothing can be
    bound.
    """
    for directory in config.reload_dirs:
        if not Path(directory).is_dir():
            raise ConfigError(f"--reload-dir {directory} is no directory.")
    given = dict(os.environ)
    predecessor = int(os.environ.pop(_PREDECESSOR, "0"))
    bound = Bound(config, taken(os.environ))
    manager = notifier(os.environ, os.getpid()) or Notifier()
    with TemporaryDirectory(prefix="daphne-like-", dir=_place_for_sockets()) as directory:
        parent = Parent(config, arguments, main, bound, Path(directory), manager, given)
        try:
            return parent.run(predecessor)
        finally:
            bound.release(keep_paths=not parent.owns_paths)


def _place_for_sockets() -> str:
    """A directory whose name leaves room for that of a Unix socket, which may have 100 bytes."""
    found = gettempdir()
    return found if len(os.fsencode(found)) <= _LONGEST else "/tmp"


def terms_of(config: Config) -> Terms:
    """What `config` says of how long a worker may take, and live."""
    limits = config.limits
    starting = limits.startup_timeout + limits.worker_start_timeout
    if config.reload:
        leaving = limits.reload_grace + limits.shutdown_timeout + _MARGIN
        return Terms(starting, leaving, developing=True)
    return Terms(
        starting,
        leaving=longest_stop(limits) + _MARGIN,
        silence=limits.worker_timeout,
        lifetime=limits.max_worker_lifetime,
        lifetime_jitter=limits.max_worker_lifetime_jitter,
        resident=limits.max_worker_rss,
    )


def preloads(config: Config) -> bool:
    """Whether workers are copies of this process: where that is safe, unless it is off."""
    if config.preload == "auto":
        return (sys.platform == "linux" and not config.reload) or config.preload_app
    return config.preload == "on"


class Parent:
    """One supervisor: the crew, and what it is told by.

    `environ` is the environment that it was started with, for another one.
    """

    def __init__(
        self,
        config: Config,
        arguments: Sequence[str],
        main: Main,
        bound: Bound,
        directory: Path,
        manager: Notifier,
        environ: Mapping[str, str],
    ) -> None:
        self._config = config
        self._arguments = arguments
        self._main = main
        self._bound = bound
        self._directory = directory
        self._manager = manager
        self._environ = environ
        self._predecessor = 0
        self._heir: Heir | None = None
        self._launched = 0
        self._serving = self._served = False
        self._signals: list[int] = []
        self._changed: set[Path] = set()
        self._timers = Timers()
        self._selector = selectors.DefaultSelector()
        self._awake, self._wake = socket.socketpair()
        self._lifeline = os.pipe()
        self._shares = Shares(directory / SHARES, 0)
        wanted = 1 if config.reload else config.workers or cores()
        self._crew = Crew(wanted, self._launch, terms_of(config), random.random)

    @property
    def owns_paths(self) -> bool:
        """Whether nobody else has, or has kept, the Unix sockets that we listen on."""
        came_to_serve = self._served or not self._predecessor
        return came_to_serve and not self.is_succeeded

    @property
    def is_succeeded(self) -> bool:
        """Whether another supervisor has these sockets from now on."""
        return self._heir is not None and self._heir.lives()

    # --- The loop ---------------------------------------------------------------------------

    def run(self, predecessor: int = 0) -> int:
        """Look after the workers until all have left for good; the exit status.

        When they serve, `predecessor` is sent away: the process that has started this one.
        """
        self._predecessor = predecessor
        self._hear_signals()
        self._manager.start(self._timers)
        self._manager.entered(Stage.STARTING, self._config.limits)
        _logger.info("Supervisor of %s: process %d", counted(self._crew.wanted), os.getpid())
        end_watching = self._watch_files() if self._config.reload else int
        try:
            while not self._crew.over:
                self._turn()
        finally:
            end_watching()
            for number in SIGNALS:
                signal.signal(number, signal.SIG_IGN)
            self._let_go()
            os.close(self._lifeline[0])
        return self._crew.verdict

    def _turn(self) -> None:
        self._crew.look(self._timers.seconds())
        if self._crew.complete and not self._serving and not self._crew.stopping:
            self._serves()
        for key, _ in self._selector.select(_LOOK):
            key.data()
        self._timers.look()
        while self._signals:
            SIGNALS[self._signals.pop(0)](self)
        if self._changed:
            self._read_anew()
        if self._heir is not None and not self._heir.lives():
            self._heir = None
            if not self._crew.stopping:
                _logger.error("The upgrade is given up: this server goes on")

    def _serves(self) -> None:
        """All workers are ready, at the start or after a reload."""
        self._serving = self._served = True
        if self._predecessor and os.getppid() == self._predecessor:
            _logger.info("Taking over from process %d", self._predecessor)
            self._manager.is_main(os.getpid())
            os.kill(self._predecessor, _RELIEVED)
        self._predecessor = 0
        self._bound.keep(self._manager)
        self._manager.entered(Stage.READY, self._config.limits, counted(self._crew.wanted))

    def _hear_signals(self) -> None:
        for end in (self._awake, self._wake):
            end.setblocking(False)
        self._selector.register(self._awake, selectors.EVENT_READ, partial(self._awake.recv, 4096))
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        for number in SIGNALS:
            signal.signal(number, lambda number, _: self._signals.append(number))

    def _let_go(self) -> None:
        """Close what is this process's alone."""
        signal.set_wakeup_fd(-1)
        self._selector.close()
        self._awake.close()
        self._wake.close()
        os.close(self._lifeline[1])

    # --- Workers ----------------------------------------------------------------------------

    def _launch(self, number: int) -> Seat:
        self._launched += 1
        # Who cleans up may have taken it for somebody's who is gone.
        self._directory.mkdir(mode=0o700, exist_ok=True)
        notices = Notices(self._directory / f"notices.{self._launched}")
        sockets, lifeline = self._bound.sockets(number), self._lifeline[0]
        environ = {**os.environ, "NOTIFY_SOCKET": str(notices.path), **self._watched()}
        grace = self._config.limits.reload_grace if self._config.reload else None
        passed = activation.known()
        place = self._launched
        Orders(number, place, sockets, lifeline, str(self._directory), grace, passed).give(environ)
        process = self._started(environ, [lifeline, *sockets.values()])
        seat = Seat(process, notices, partial(self._left, number, place))
        self._selector.register(notices, selectors.EVENT_READ, partial(self._hear, seat))
        return seat

    def _started(self, environ: dict[str, str], descriptors: list[int]) -> Program | Copy:
        if preloads(self._config):
            return Copy(self._main, environ, self._become_a_worker)
        return Program(self._arguments, environ, descriptors)

    def _become_a_worker(self) -> None:
        """In the copy: nothing of what only a supervisor does goes on."""
        self._let_go()
        self._bound.detach()
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        logs.forget()

    def _watched(self) -> dict[str, str]:
        seconds = self._config.limits.worker_timeout
        return {"WATCHDOG_USEC": str(int(seconds * 1e6))} if seconds else {}

    def _hear(self, seat: Seat) -> None:
        for words in seat.notices.heard():
            self._crew.hear(seat, words, self._timers.seconds())

    def _left(self, number: int, place: int, notices: Notices) -> None:
        self._shares.leave(place)
        if number > self._crew.wanted:
            self._bound.drop(number)
        for left in self._directory.glob(f"admin.{number}.*"):
            if left.name not in {f"admin.{number}.{one.process.pid}" for one in self._crew.workers}:
                left.unlink(missing_ok=True)
        with suppress(KeyError):
            self._selector.unregister(notices)

    # --- Files ------------------------------------------------------------------------------

    def _watch_files(self) -> Callable[[], object]:
        config = self._config
        directories = config.reload_dirs or (config.app_dir,)
        wanted = Wanted(directories, config.reload_includes, config.reload_excludes)
        _logger.info("Watching the files in %s", ", ".join(directories))
        return watched(wanted, config.limits.reload_delay, self._changed_in_thread)

    def _changed_in_thread(self, files: set[Path]) -> None:
        self._changed |= files
        self._wake.send(b"\0")

    def _read_anew(self) -> None:
        changed, self._changed = sorted(self._changed), set()
        more = len(changed) - _SHOWN
        shown = ", ".join(map(str, changed[:_SHOWN]))
        _logger.info("Reloading: %s%s", shown, f" and {more} more" if more > 0 else "")
        self._crew.restart(self._timers.seconds())

    # --- Signals ----------------------------------------------------------------------------

    def stop(self) -> None:
        """SIGTERM: finish what is begun. The second one waits for nothing."""
        if self._heir is not None:
            self._heir.tell(signal.SIGTERM)
        if self._crew.stopping:
            self.force()
        else:
            self._manager.entered(Stage.DRAINING, self._config.limits)
            self._leave()

    def hand_over(self) -> None:
        """SIGURG: the heir serves. The service goes on, so its manager hears of no stop."""
        if self.is_succeeded and not self._crew.stopping:
            self._manager.stop()
            self._leave()

    def _leave(self) -> None:
        self._bound.close()
        _logger.info("Stopping %s", counted(len(self._crew.workers)))
        self._crew.stop(self._timers.seconds())

    def force(self) -> None:
        """SIGINT, SIGQUIT: wait for nothing."""
        self._bound.close()
        self._crew.force(self._timers.seconds())

    def reload(self) -> None:
        """SIGHUP: replace the workers, without losing a request."""
        self._manager.reloads()
        self._serving = False
        self._crew.reload(self._timers.seconds())

    def grow(self) -> None:
        """SIGTTIN: one worker more."""
        self._crew.grow(+1, self._timers.seconds())

    def shrink(self) -> None:
        """SIGTTOU: one worker less."""
        self._crew.grow(-1, self._timers.seconds())

    def reopen(self) -> None:
        """SIGUSR1: go on in new log files."""
        self._crew.tell(signal.SIGUSR1)

    def upgrade(self) -> None:
        """SIGUSR2: start this command anew, with the same sockets; it sends us away."""
        if self.is_succeeded or self._crew.stopping:
            _logger.warning("No upgrade: another is on its way, or the server stops")
            return
        environ = {**self._environ, _PREDECESSOR: str(os.getpid())}
        environ.pop("WATCHDOG_PID", None)  # It means us, and the heir is to be watched as well.
        descriptors = self._bound.give(environ)
        try:
            self._heir = Heir(self._arguments, environ, descriptors)
        except OSError as error:
            _logger.error("The upgrade is given up: %s", error)
            return
        _logger.info("Upgrade: process %d takes over when it serves", self._heir.pid)


SIGNALS: dict[int, Callable[[Parent], None]] = {
    getattr(signal, name): call
    for name, call in (
        ("SIGTERM", Parent.stop),
        ("SIGINT", Parent.force),
        ("SIGQUIT", Parent.force),
        ("SIGHUP", Parent.reload),
        ("SIGTTIN", Parent.grow),
        ("SIGTTOU", Parent.shrink),
        ("SIGUSR1", Parent.reopen),
        ("SIGUSR2", Parent.upgrade),
        ("SIGURG", Parent.hand_over),
        ("SIGCHLD", lambda parent: None),  # A look at the workers follows.
    )
    if hasattr(signal, name)
}
"""What a signal means to a supervisor."""
