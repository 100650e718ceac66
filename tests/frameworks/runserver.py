"""``manage.py runserver`` in a process of its own, by every Django there is here.

A test gets a copy of ``examples/django`` to change, to serve and to talk to.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.frameworks.serving import eventually
from tests.live.serving import PATIENCE, Serving

CHECKOUT = Path(__file__).parents[2]
EXAMPLE = CHECKOUT / "examples" / "django"
VIEWS = Path(__file__).with_name("apps") / "runserver" / "urls.py"

_DJANGO = CHECKOUT / "build" / "django"


class Release(NamedTuple):
    """A Django: who runs it, and where it is looked for first."""

    python: Path
    path: Path


def releases() -> dict[str, Release]:
    """The one in the environment; and, where there is a Python for it, an LTS and the newest."""
    here = Path(sys.executable)
    newest = _DJANGO / "newest" / "bin" / "python"
    found = {"installed": Release(here, CHECKOUT)}
    if sys.version_info < (3, 13):
        found["lts"] = Release(here, _DJANGO / "4.2")
    if newest.exists():
        found["newest"] = Release(newest, CHECKOUT)
    return found


class Project:
    """A copy of the example in `place`, run by `release`."""

    def __init__(self, place: Path, release: Release) -> None:
        self.place = place / "site"
        self._release = release
        shutil.copytree(EXAMPLE, self.place, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(VIEWS, self.place / "mysite" / "urls.py")
        self.add('ALLOWED_HOSTS += ["testserver"]')

    def start_anew(self) -> None:
        """What ``django-admin startproject`` makes, in place of the example."""
        shutil.rmtree(self.place)
        self.place.mkdir()
        made = self._run(
            [str(self._release.python), "-m", "django", "startproject", "mysite", "."],
            self.environment,
        )
        assert made.returncode == 0, made.stderr

    def add(self, text: str, file: str = "settings.py") -> None:
        """Put lines at the end of a file."""
        with (self.place / "mysite" / file).open("a") as opened:
            opened.write(f"{text}\n")

    def change(self, before: str, after: str, file: str = "urls.py") -> Path:
        """In one step, so that nobody sees a half of it."""
        path = self.place / "mysite" / file
        text = path.read_text()
        assert before in text
        new = path.with_suffix(".new")
        new.write_text(text.replace(before, after))
        return new.replace(path)

    @property
    def environment(self) -> dict[str, str]:
        path = os.pathsep.join([str(self._release.path), str(CHECKOUT)])
        return {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "XDG_CACHE_HOME": str(self.place)}

    @property
    def manage(self) -> list[str]:
        return [str(self._release.python), "-X", "dev", "manage.py"]

    def runserver(self, *options: str, at: str = "127.0.0.1:0", **more: Any) -> Runserver:
        return self.serve("runserver", at, *options, **more)

    def serve(self, *arguments: str, **more: Any) -> Runserver:
        return Runserver(
            *arguments,
            command=self.manage,
            cwd=self.place,
            environment=self.environment,
            log="stdout",
            **more,
        )

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """A command that ends by itself."""
        return self._run([*self.manage, *arguments], {**self.environment, **variables})

    def _run(
        self, command: list[str], environment: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.place,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def python(self, code: str) -> subprocess.CompletedProcess[str]:
        """Some lines of Python, with the project's settings."""
        environment = {**self.environment, "DJANGO_SETTINGS_MODULE": "mysite.settings"}
        return self._run([str(self._release.python), "-c", code], environment)

    def settles(self, *arguments: str) -> tuple[int, str]:
        """The exit status and the standard error of a server that does not come up."""
        server = self.serve(*arguments, noise=True)
        return server.wait(), "\n".join(server.stderr.whole())


class Runserver(Serving):
    """A development server; it has started when it says so."""

    says = "Starting "
    listening = re.compile(r"at https?://(\[\S+\]|\S+):(\d+)/()")

    def command_line(
        self, command: Sequence[str], arguments: Sequence[str], *, port: bool
    ) -> list[str]:
        return [*command, *arguments]

    def interrupt(self) -> int:
        """Press Control-C: a terminal tells every process. The exit status."""
        os.killpg(self._process.pid, signal.SIGINT)
        return self.wait()

    @property
    def url(self) -> str:
        banner = next(line for line in self.stdout.lines if self.says in line)
        return banner.rpartition(" at ")[2].rstrip("/")

    def sees_change(self, file: Path, count: int = 1) -> None:
        """Wait until it reloads for `file`: what it has not looked at before is no change to it."""

        def seen() -> bool:
            os.utime(file)
            return sum(f"{file} changed, reloading" in line for line in self.stderr.lines) >= count

        eventually(seen)

    def noted(self) -> list[str]:
        """What the project's views have noted, but for the asking one."""
        return list(json.loads(self.get("/noted").body))

    def line_of(self, path: str) -> str:
        """The line of the log that asking for `path` makes."""
        self.get(path)
        return self.stderr.wait_for(f" {path} ")[-1]
