"""The command line of the conformance test; neither a server nor the suite is started."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.conformance import __main__ as command_line
from tests.conformance import suite
from tests.conformance.report import Outcome

SERVER = ("--server", "ws://127.0.0.1:1/")


@pytest.fixture(autouse=True)
def untouched_signals() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Put an obliging suite in place; it fails 3.1 and cannot run group 4. What it was asked."""
    asked: list[list[str]] = []

    def run(url: str, cases: Sequence[str], folder: Path, seconds: float) -> list[Outcome]:
        asked.append(list(cases))
        if cases[0].startswith("4."):
            raise suite.Failed("broken")
        word = "FAILED" if cases[0] == "3.1" else "OK"
        return [Outcome(cases[0], word, "OK", folder / "detail.json")]

    program = tmp_path / "wstest"
    program.touch()
    monkeypatch.setattr(suite, "WSTEST", program)
    monkeypatch.setattr(suite, "run", run)
    monkeypatch.setattr(suite, "version", lambda: "25.10.1")
    return asked


def test_everything_is_run_one_group_after_the_other(asked: list[list[str]]) -> None:
    command_line.main(SERVER)
    numbers = ["1", "2", "3", "4", "5", "6", "7", "9", "10", "12", "13"]
    assert asked == [[f"{number}.*"] for number in numbers]


def test_the_quick_run_has_every_group_and_few_of_the_long_cases(asked: list[list[str]]) -> None:
    command_line.main([*SERVER, "--quick"])
    assert len(asked) == 11
    assert "13.7.1" in asked[-1]
    assert "13.*" not in asked[-1]


def test_chosen_cases_are_gathered_by_group(asked: list[list[str]]) -> None:
    assert command_line.main([*SERVER, "--cases", "1.1.*", "10.*", "1.2.1"]) == 0
    assert asked == [["1.1.*", "1.2.1"], ["10.*"]]


def test_a_failed_case_is_named_with_its_report(
    asked: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line.main([*SERVER, "--cases", "1.*", "3.1"]) == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("3.1:")]
    assert line.startswith("3.1: FAILED, closing OK: ")
    assert line.endswith("detail.json")


def test_a_group_that_could_not_be_run_does_not_stop_the_others(
    asked: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line.main([*SERVER, "--cases", "4.*", "5.*"]) == 1
    assert asked == [["4.*"], ["5.*"]]
    assert "group 4: broken" in capsys.readouterr().out


@pytest.mark.parametrize("case", ["11.*", "8.1", "1", "1.", "*", "1.x"])
def test_what_is_no_case_is_refused(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        command_line.main(["--cases", case])
    assert end.value.code == 2
    assert "is not a case" in capsys.readouterr().err


def test_without_the_suite_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(suite, "WSTEST", tmp_path / "none")
    with pytest.raises(SystemExit):
        command_line.main([])
    assert "`make conformance` installs it" in capsys.readouterr().err


def test_the_page_is_for_our_own_server(asked: list[list[str]], tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        command_line.main([*SERVER, "--output", str(tmp_path / "page.md")])
    assert asked == []


class TestPage:
    @pytest.fixture(autouse=True)
    def no_server(self, monkeypatch: pytest.MonkeyPatch, asked: list[list[str]]) -> None:
        def nowhere(*_: object) -> contextlib.AbstractContextManager[str]:
            return contextlib.nullcontext(SERVER[1])

        monkeypatch.setattr(command_line, "serving", nowhere)

    def test_it_has_the_command_without_where_it_is_written(self, tmp_path: Path) -> None:
        path = tmp_path / "page.md"
        options = ["--cases", "1.*", "--loop", "asyncio", "--output", str(path)]
        assert command_line.main(options) == 0
        page = path.read_text()
        assert "python -m tests.conformance --loop asyncio --cases '1.*'\n" in page
        assert str(tmp_path) not in page

    def test_it_is_not_written_when_a_group_is_lacking(self, tmp_path: Path) -> None:
        path = tmp_path / "page.md"
        assert command_line.main(["--output", str(path)]) == 1
        assert not path.exists()
