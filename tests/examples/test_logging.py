"""What "Logging" and "Loggers" say: the example's one log, and the names of all loggers."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import httpx
import pytest

from tests.examples.pages import DOCS
from tests.examples.serving import CHECKOUT, COMMAND, EXAMPLES, PATIENCE, serving

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


@pytest.mark.parametrize("name", ["logging.ini", "logging.json", "logging.toml"])
def test_a_file_sets_up_one_log_for_everything_even_access_lines(tmp_path: Path, name: str) -> None:
    options = ["--log-config", name, "--access-log", "logging", "--access-log-format", "%(r)s"]
    with serving(
        "hello:application", "-p", "0", *options, directory=LOGS, place=tmp_path,
        command=(*COMMAND, "--app-dir", str(EXAMPLES / "tutorial")),
    ) as server:  # fmt: skip
        httpx.get(f"{server.address}/page", timeout=PATIENCE)
        server.stop()
    assert server.log.splitlines() == [
        f"INFO daphne_like.server: Listening on {server.address}",
        "INFO daphne_like.access: GET /page HTTP/1.1",
    ]
    assert server.access == []


def test_the_applications_lines_have_the_requests_id(tmp_path: Path) -> None:
    options = ["--request-id", "X-Request-ID"]
    with serving(
        "with_id:application", "-p", "0", *options, directory=LOGS, place=tmp_path
    ) as server:
        given = httpx.get(server.address, headers={"X-Request-ID": "a1"}, timeout=PATIENCE)
        made = httpx.get(server.address, timeout=PATIENCE).headers["x-request-id"]
        server.stop()
    assert given.headers["x-request-id"] == "a1"
    assert re.fullmatch("[0-9a-f]{32}", made)
    assert [line for line in server.log.splitlines() if "asked for" in line] == [
        "INFO [a1] / is asked for",
        f"INFO [{made}] / is asked for",
    ]


def test_logrotate_sends_the_signal_at_which_a_new_file_is_begun(tmp_path: Path) -> None:
    found = re.search(r"--signal=(\w+)", (LOGS / "logrotate.conf").read_text())
    assert found is not None
    file = tmp_path / "access.log"
    options = ["-p", "0", "--access-log", str(file)]
    with serving("all_in_one:application", *options, directory=LOGS, place=tmp_path) as server:
        httpx.get(f"{server.address}/old", timeout=PATIENCE)
        file.rename(tmp_path / "access.log.1")
        server.process.send_signal(signal.Signals[found[1]])
        server.wait_until(file.exists)
        httpx.get(f"{server.address}/new", timeout=PATIENCE)
        assert server.stop() == 0
    assert (tmp_path / "access.log.1").read_text().endswith('"GET /old" 204 0\n')
    assert [line.partition('"')[2] for line in file.read_text().splitlines()] == ['GET /new" 204 0']


def test_the_page_names_every_logger() -> None:
    page = (DOCS / "reference/loggers.md").read_text()
    named = {
        name
        for module in CHECKOUT.glob("daphne_like/**/*.py")
        for name in re.findall(r'getLogger\("(daphne_like\.\w+)"\)', module.read_text())
    }
    assert named
    assert {name for name in named if f"`{name}`" not in page} == set()
