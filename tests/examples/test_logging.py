"""What "Logging" and "Loggers" say: the example's one log, and the names of all loggers."""

from __future__ import annotations

import re
from pathlib import Path

import httpx

from tests.examples.pages import DOCS
from tests.examples.serving import CHECKOUT, EXAMPLES, PATIENCE, serving

LOGS = EXAMPLES / "logs"


def test_every_line_of_server_and_application_comes_once_and_in_one_format(tmp_path: Path) -> None:
    with serving("all_in_one:application", "-p", "0", directory=LOGS, place=tmp_path) as server:
        assert httpx.get(f"{server.address}/page", timeout=PATIENCE).status_code == 204
        server.stop()
    assert server.log.splitlines() == [
        f"INFO daphne_like.server: Listening on {server.address}",
        "INFO mysite: 127.0.0.1 asks for /page",
    ]


def test_access_lines_can_go_to_a_file_or_nowhere(tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    for number, options in enumerate(
        (["--access-log", str(file)], ["--no-access-log"], ["-v", "1"])
    ):
        place = tmp_path / str(number)
        place.mkdir()
        with serving(
            "all_in_one:application", "-p", "0", *options, directory=LOGS, place=place
        ) as server:
            httpx.get(f"{server.address}/{number}", timeout=PATIENCE)
            server.stop()
        assert len(server.access) == (number == 2)
    (line,) = file.read_text().splitlines()
    assert re.fullmatch(
        r'127\.0\.0\.1:\d+ - - \[\d+/\w+/\d{4}:\d\d:\d\d:\d\d\] "GET /0" 204 0', line
    )


def test_the_page_names_every_logger() -> None:
    page = (DOCS / "reference/loggers.md").read_text()
    named = {
        name
        for module in CHECKOUT.glob("daphne_like/**/*.py")
        for name in re.findall(r'getLogger\("(daphne_like\.\w+)"\)', module.read_text())
    }
    assert named
    assert {name for name in named if f"`{name}`" not in page} == set()
