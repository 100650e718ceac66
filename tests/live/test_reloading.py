"""``--reload``: code is edited, and served as it is now; by a watcher and without one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.crews import children
from tests.live.serving import Serving, wait_until

CODE = """
async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"%s", "more_body": scope["path"] == "/on"})
    if scope["path"] == "/on":
        while (await receive())["type"] != "http.disconnect":
            pass
"""


class Project:
    """An application in a file that is edited, and the server that serves it."""

    def __init__(self, place: Path, *options: str, **environment: str) -> None:
        self.file = place / "edited.py"
        self.write(CODE % "first")
        environment["PYTHONPATH"] = os.pathsep.join([str(place), environment.get("PYTHONPATH", "")])
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        given = "--reload", "--reload-dir", str(place), *options
        self.server = Serving("edited:app", *given, environment=environment, noise=True)

    def write(self, code: str) -> None:
        self.file.write_text(code)

    def serves(self, text: str) -> None:
        """Who asks gets that, now or soon: until then he waits and is not refused."""
        wait_until(lambda: self.server.get().body == text.encode())


@pytest.fixture(params=["watched", "polled"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Project]:
    place = tmp_path / "project"
    place.mkdir()
    environment = {}
    if request.param == "polled":
        # What cannot be imported is not installed.
        blocked = tmp_path / "blocked"
        blocked.mkdir()
        (blocked / "watchfiles.py").write_text("raise ImportError\n")
        environment["PYTHONPATH"] = str(blocked)
    made = Project(place, **environment)
    with made.server:
        made.server.log.wait_for("is ready")
        yield made


def test_an_edit_is_served_and_only_files_that_count_are_looked_at(project: Project) -> None:
    project.serves("first")
    (project.file.parent / "notes.txt").write_text("nothing")
    project.write(CODE % "second")
    project.serves("second")
    (project.file.parent / "new.py").touch()
    assert project.server.log.wait_for("new.py", 1)
    assert not any("notes.txt" in line for line in project.server.log.lines)


def test_a_mistake_is_shown_and_the_next_save_is_tried(project: Project) -> None:
    [before] = children(project.server._process.pid)
    project.write("this is no Python\n")
    project.server.log.wait_for("SyntaxError")
    wait_until(lambda: before not in children(project.server._process.pid))
    project.write(CODE % "mended")
    project.serves("mended")


def test_an_open_stream_does_not_hold_it_up(project: Project) -> None:
    with project.server.connect() as client:
        client.sendall(b"GET /on HTTP/1.1\r\nHost: x\r\n\r\n")
        while b"first" not in client.recv(65536):
            pass
        project.write(CODE % "second")
        project.serves("second")
        with pytest.raises(ConnectionResetError):
            client.recv(65536)
