"""Pages that a reader can follow line by line: each command is run, each answer compared.

A shell block that starts the server starts it; one with curl is run against it, and the
text block behind it is what curl prints.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.examples.pages import DOCS, Block, blocks
from tests.examples.serving import ENVIRONMENT, EXAMPLES, PATIENCE, Server, serving

STRANGER = "192.0.2.7"


def steps(page: Path) -> Iterator[tuple[str, str]]:
    """The server commands, and the commands with what they print."""
    shown: Block | None = None
    for block in blocks(page):
        if block.language == "sh" and block.text.startswith("daphne-like"):
            yield block.text, ""
        elif block.language == "sh":
            shown = block
        elif block.language == "text" and shown is not None:
            yield shown.text, block.text
            shown = None


def print_of(command: str, port: int, size: int) -> str:
    """The first `size` bytes that a command prints; it may go on for ever."""
    command = command.replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    with subprocess.Popen(
        ["timeout", str(PATIENCE), "bash", "-c", command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        printed = process.stdout.read(size)
        process.terminate()
    return printed.decode()


@pytest.mark.parametrize(
    ("page", "directory"),
    [
        ("tutorial/first-application.md", "tutorial"),
        ("how-to/frameworks.md", "frameworks"),
        ("how-to/interfaces.md", "interfaces"),  # flask_app and rsgi_app
    ],
)
def test_a_page_does_what_it_says(
    page: str, directory: str, tmp_path: Path, tool: Callable[[str], str]
) -> None:
    tool("curl")
    ran = 0
    environment = {**ENVIRONMENT, "XDG_CACHE_HOME": str(tmp_path)}
    applications = EXAMPLES / directory
    with ExitStack() as running:
        server: Server | None = None
        for number, (command, expected) in enumerate(steps(DOCS / page)):
            if not expected:
                running.close()
                place = tmp_path / str(number)
                place.mkdir()
                words = [*shlex.split(command)[1:], "-p", "0"]
                server = running.enter_context(
                    serving(*words, directory=applications, place=place, environment=environment)
                )
            else:
                assert server is not None
                printed = print_of(command, server.port, len(expected.encode()))
                assert printed.rstrip("\n") == expected.rstrip("\n")
                ran += 1
    assert ran >= 4


@pytest.mark.parametrize(
    ("options", "address"), [((), "127.0.0.1"), (("--proxy-headers",), STRANGER)]
)
def test_django_sees_the_client_behind_a_trusted_proxy(
    options: tuple[str, ...], address: str, tmp_path: Path
) -> None:
    """The view `address` in `mysite/urls.py`, and what the page says of `REMOTE_ADDR`."""
    arguments = ("mysite.asgi:application", "-p", "0", *options)
    with serving(*arguments, directory=EXAMPLES / "frameworks", place=tmp_path) as server:
        headers = {"X-Forwarded-For": STRANGER}
        answer = httpx.get(f"{server.address}/address", headers=headers, timeout=PATIENCE)
    assert answer.text == f"{address}\n"
