"""systemd, as far as a service sees it: its unit files, run as they say."""

from __future__ import annotations

import re
import shlex
import signal
import socket
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.examples.serving import COMMAND, DEPLOY, ENVIRONMENT, EXAMPLES, Server, serving
from tests.support.manager import Ear, Passing

UNITS = DEPLOY / "systemd"
PROGRAM = "/srv/mysite/.venv/bin/daphne-like"
FRAMEWORKS = EXAMPLES / "frameworks"


class Unit:
    """A unit file: settings by name, each with all its values, wherever they stand."""

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self._values: defaultdict[str, list[str]] = defaultdict(list)
        for key, value in re.findall(r"^([A-Za-z]+)=(.*)$", text, re.MULTILINE):
            self._values[key].append(value)

    def all(self, setting: str) -> list[str]:
        return self._values[setting]

    def one(self, setting: str, default: str | None = None) -> str:
        values = self._values[setting] or [default]
        [value] = values
        assert value is not None, setting
        return value


def unit(path: Path, changes: Mapping[str, str] | None = None) -> Unit:
    """The unit in a file, with other words for some of it."""
    text = path.read_text()
    for shown, meant in (changes or {}).items():
        assert shown in text
        text = text.replace(shown, meant)
    return Unit(text, path.name)


class SocketUnit:
    """The sockets of a ``.socket`` unit, bound as it says: paths in `place`, ports as they come."""

    def __init__(self, unit: Unit, place: Path) -> None:
        self._open = ExitStack()
        backlog = int(unit.one("Backlog", "128"))
        mode = int(unit.one("SocketMode", "0666"), 8)
        self.paths: list[Path] = []
        self.sockets = [self._bound(each, place, mode) for each in unit.all("ListenStream")]
        for each in self.sockets:
            each.listen(backlog)
        name = unit.one("FileDescriptorName", unit.name)
        self.names = ":".join([name] * len(self.sockets))

    def _bound(self, said: str, place: Path, mode: int) -> socket.socket:
        host, _, port = said.rpartition(":")
        made = self._open.enter_context(socket.socket(socket.AF_INET if host else socket.AF_UNIX))
        if host:
            assert port.isdecimal()
            made.bind((host, 0))
        else:
            self.paths.append(place / Path(said).name)
            made.bind(str(self.paths[-1]))
            self.paths[-1].chmod(mode)
        return made

    def __enter__(self) -> SocketUnit:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()


class StoredSockets:
    """What a service has let systemd keep (``FileDescriptorStoreMax=``), for its next start."""

    def __init__(self, kept: list[tuple[str, socket.socket]]) -> None:
        self.sockets = [each for _, each in kept]
        self.names = ":".join(name for name, _ in kept)

    def close(self) -> None:
        for each in self.sockets:
            each.close()


class Service:
    """A ``.service`` unit that runs; what its notifications were, as they come."""

    def __init__(self, unit: Unit, server: Server, ear: Ear) -> None:
        self.unit = unit
        self.server = server
        self.ear = ear
        self.started = ear.until("READY=1")

    def reload(self) -> None:
        """Run ``ExecReload=``."""
        main = str(self.server.process.pid)
        words = shlex.split(self.unit.one("ExecReload").replace("$MAINPID", main))
        subprocess.run(words, check=True, timeout=10)

    def stop(self) -> int:
        """Stop it as ``KillSignal=`` says; its exit status."""
        self.server.process.send_signal(signal.Signals[self.unit.one("KillSignal", "SIGTERM")])
        return self.server.process.wait(float(self.unit.one("TimeoutStopSec")))


@contextmanager
def running(
    unit: Unit, place: Path, sockets: SocketUnit | StoredSockets | None = None, *more: str
) -> Iterator[Service]:
    """Start a service of ``Type=notify``, with `more` arguments; it is ready. Stop it in the end.

    Its log is in `place`.
    """
    assert unit.one("Type") == "notify"
    assert unit.one("NotifyAccess") in ("main", "all")
    program, *words = shlex.split(unit.one("ExecStart"))
    assert program == PROGRAM
    place.mkdir(exist_ok=True)
    passed = sockets.sockets if sockets else []
    seconds = int(unit.one("WatchdogSec"))
    with ExitStack() as open:
        ear = open.enter_context(Ear(str(place / "notify")))
        passing = open.enter_context(Passing(passed, sockets.names if sockets else None))
        told = {"NOTIFY_SOCKET": ear.name, "WATCHDOG_USEC": str(seconds * 1_000_000)}
        passes = passing.environment if passed else {}
        set_by_unit = dict(each.split("=", 1) for each in unit.all("Environment"))
        server = open.enter_context(
            serving(
                *words,
                *more,
                command=(*passing.command, *COMMAND),
                descriptors=tuple(passing.fds),
                environment={**ENVIRONMENT, **set_by_unit, **told, **passes},
                directory=FRAMEWORKS,
                place=place,
            )
        )
        yield Service(unit, server, ear)
