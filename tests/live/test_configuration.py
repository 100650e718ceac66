"""Options from the environment and from files, in processes of their own, under twistd too."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.live.serving import Serving, failure

TWISTD = (
    *(sys.executable, "-X", "dev", str(Path(sys.executable).parent / "twistd")),
    *("-n", "--pidfile=", "daphne-like"),
)


def answer(*arguments: str, cwd: Path, **more: str) -> tuple[int, list[str], list[str]]:
    """The exit status, standard output and standard error of what serves nothing."""
    server = Serving(*arguments, port=False, cwd=cwd, environment=more)
    return server.wait(), server.stdout.whole(), server.stderr.whole()


@pytest.mark.parametrize("twistd", [False, True])
def test_an_option_counts_wherever_it_is_given(tmp_path: Path, twistd: bool) -> None:
    table = "[tool.daphne-like]\nserver-name = 'project'\napplication = 'served:hello'\n"
    (tmp_path / "pyproject.toml").write_text(table)
    (tmp_path / ".env").write_text("DAPHNE_LIKE_HEADER='x-a: file'\n")
    command = {"command": TWISTD, "log": "stdout"} if twistd else {}
    environment = {"DAPHNE_LIKE_ENV_FILE": ".env", "DAPHNE_LIKE_NO_DATE_HEADER": "on"}
    with Serving(cwd=tmp_path, environment=environment, **command) as server:  # type: ignore[arg-type]
        reply = server.get()
    assert reply.body == b"hello"
    assert (reply.headers["server"], reply.headers["x-a"]) == ("project", "file")
    assert "date" not in reply.headers


def test_a_variable_that_is_no_option_is_told_of_and_the_server_starts() -> None:
    environment = {"DAPHNE_LIKE_KEEPALIVE": "1"}
    with Serving("served:hello", environment=environment, noise=True) as server:
        assert server.get().status == 200
    assert "did you mean DAPHNE_LIKE_KEEP_ALIVE?" in server.stderr.lines[0]


def test_what_is_printed_is_a_file_that_says_the_same(tmp_path: Path) -> None:
    options = ["served:hello", "--header", 'x: "\\', "--log-level", "debug", "-t", "0.5"]
    status, printed, errors = answer(*options, "--print-config", cwd=tmp_path)
    assert (status, errors) == (0, [])
    (tmp_path / "again.toml").write_text("\n".join(printed))
    again = answer("--config", "again.toml", "--print-config", cwd=tmp_path)[1]
    assert [line.split("  #")[0] for line in again] == [line.split("  #")[0] for line in printed]
    assert "http-timeout = 0.5  # again.toml" in again


@pytest.mark.parametrize("command", [None, TWISTD], ids=["alone", "twistd"])
@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["served:hello"], 0, "served:hello is fine."),
        (["served:failing_startup"], 0, "served:failing_startup is fine."),
        (["served:hello", "-b", "192.0.2.1"], 0, "served:hello is fine."),
        (["served:nothing"], 2, "check the part after the colon"),
        (["served:hello", "-e", "bogus:1"], 2, "Unknown endpoint type: 'bogus'"),
        (["served:hello", "--forwarded-allow-ips", "x"], 2, "--forwarded-allow-ips 'x'"),
        (["leaving:app"], 3, "'leaving' called sys.exit(4)"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_check_starts_nothing_and_ends_as_a_start_would(
    arguments: list[str], status: int, words: str, command: tuple[str, ...] | None
) -> None:
    more = {} if command is None else {"command": command}
    server = Serving(*arguments, "--check", port=False, **more)  # type: ignore[arg-type]
    assert server.wait() == status
    [line] = server.stdout.whole() + server.stderr.whole()
    assert words in line


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("prot = 1", "unknown key prot; did you mean port?"),
        ("port = '1'", "port takes a whole number, not a string."),
        ("port =", "is not TOML: Invalid value (at the end, line 1)."),
        ("port = 70000", "--port 70000 is not between 0 and 65535. --port is from "),
    ],
)
def test_a_bad_file_is_refused_in_one_line(tmp_path: Path, file: str, words: str) -> None:
    path = tmp_path / "mysite.toml"
    path.write_text(file)
    code, [line] = failure("served:hello", "--config", str(path), port=False)
    assert code == 2
    assert line.startswith("daphne-like: ")
    assert words in line
    assert "mysite.toml" in line
