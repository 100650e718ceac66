"""What "Configure" shows: its files, each given to a server or printed back."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import httpx
import pytest

from tests.examples.pages import DOCS, Block, blocks
from tests.examples.serving import COMMAND, ENVIRONMENT, EXAMPLES, PATIENCE, serving

FILES = EXAMPLES / "configuration"
GREETING = "Good morning, $USER!\n"


def result(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=FILES,
        env={**ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def origins(*arguments: str, **environment: str) -> dict[str, str]:
    """Where each option is from that is not a default."""
    lines = result(*arguments, "--print-config", **environment).stdout.splitlines()
    found = {line.split(" = ")[0]: line.partition("  # ")[2] for line in lines if " = " in line}
    return {name: origin for name, origin in found.items() if origin != "default"}


def test_the_file_of_options_is_served_with(tmp_path: Path) -> None:
    with serving(
        *("--config", "greeting.toml", "-p", "0", "--verbosity", "1"),
        directory=FILES,
        place=tmp_path,
    ) as server:
        reply = httpx.get(server.address, timeout=PATIENCE)
    assert reply.text == "Hello!\n"
    assert reply.headers["x-frame-options"] == "DENY"
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_the_file_of_variables_is_for_the_application_and_for_the_server(tmp_path: Path) -> None:
    with serving(
        *("greeting:application", "--env-file", "greeting.env", "-p", "0"),
        directory=FILES,
        place=tmp_path,
    ) as server:
        reply = httpx.get(server.address, timeout=PATIENCE)
    assert reply.text == GREETING
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_the_project_in_the_current_directory_counts_least() -> None:
    project = "pyproject.toml"
    assert origins() == {"application": project, "port": project, "verbosity": project}
    assert origins(
        "--env-file", "greeting.env", DAPHNE_LIKE_VERBOSITY="0", DAPHNE_LIKE_PORT="1"
    ) == {
        "application": project,
        "verbosity": "environment DAPHNE_LIKE_VERBOSITY",
        "port": "environment DAPHNE_LIKE_PORT",
        "header": "greeting.env DAPHNE_LIKE_HEADER",
    }
    assert origins("--demo", "--config", "/dev/null") == {"demo": "command line"}


def test_the_variables_on_the_page_are_options() -> None:
    [shown] = [block for block in blocks(DOCS / "how-to/configure.md") if "export" in block.text]
    words = [word for word in shown.text.split() if "=" in word]
    found = origins(**dict(word.split("=") for word in words))
    assert found["application"] == "environment DAPHNE_LIKE_APPLICATION"
    assert found["port"] == "environment DAPHNE_LIKE_PORT"


def test_what_is_printed_has_the_line_on_the_page_and_is_toml() -> None:
    [line] = [block.text for block in _texts() if "command line" in block.text]
    printed = result("--config", "greeting.toml", "-p", "9000", "--print-config").stdout
    assert line in printed
    assert tomllib.loads(printed)["header"] == [
        "X-Frame-Options: DENY",
        "X-Content-Type-Options: nosniff",
    ]


def _texts() -> list[Block]:
    return [block for block in blocks(DOCS / "how-to/configure.md") if block.language == "text"]


@pytest.mark.parametrize(
    ("arguments", "environment", "status", "said"),
    [
        ([], {}, 0, "greeting:application is fine."),
        (["--header", "x"], {}, 2, "--header 'x'"),
        (["greeting:nothing"], {}, 2, "check the part after the colon"),
        ([], {"DAPHNE_LIKE_APP_DIR": "/nowhere"}, 2, "--app-dir /nowhere"),
    ],
)
def test_a_check_says_what_a_start_would(
    arguments: list[str], environment: dict[str, str], status: int, said: str
) -> None:
    ended = result("--config", "greeting.toml", "--check", *arguments, **environment)
    assert ended.returncode == status
    assert said in ended.stdout + ended.stderr
    assert bool(ended.stdout) is (status == 0)
