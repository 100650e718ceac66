"""The reading of a report, from small samples of the suite's files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conformance import report
from tests.conformance.report import MISSING, Outcome

SAMPLE = {
    "server": {
        "1.1.1": {
            "behavior": "OK",
            "behaviorClose": "OK",
            "duration": 2,
            "remoteCloseCode": 1000,
            "reportfile": "server_case_1_1_1.json",
        },
        "7.1.6": {
            "behavior": "INFORMATIONAL",
            "behaviorClose": "INFORMATIONAL",
            "duration": 3,
            "remoteCloseCode": None,
            "reportfile": "server_case_7_1_6.json",
        },
    }
}


def outcome(case: str = "1.1.1", behavior: str = "OK", closing: str = "OK") -> Outcome:
    return Outcome(case, behavior, closing, Path("reports") / f"server_case_{case}.json")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "index.json").write_text(json.dumps(SAMPLE))
    return tmp_path


def test_a_case_has_an_outcome_and_a_report_of_its_own(folder: Path) -> None:
    assert report.read(folder, ["1.1.1", "7.1.6"]) == [
        Outcome("1.1.1", "OK", "OK", folder / "server_case_1_1_1.json"),
        Outcome("7.1.6", "INFORMATIONAL", "INFORMATIONAL", folder / "server_case_7_1_6.json"),
    ]


def test_a_case_that_was_not_run_is_missing(folder: Path) -> None:
    (told,) = report.read(folder, ["1.1.2"])
    assert (told.behavior, told.closing) == (MISSING, MISSING)
    assert not told.will_do


def test_where_no_case_was_run_all_are_missing(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text("{}")
    assert [told.behavior for told in report.read(tmp_path, ["1.1.1", "1.1.2"])] == [MISSING] * 2


@pytest.mark.parametrize("word", ["OK", "INFORMATIONAL"])
def test_these_words_will_do(word: str) -> None:
    assert report.exit_code([outcome(behavior=word, closing=word)]) == 0


@pytest.mark.parametrize("word", ["FAILED", "NON-STRICT", "UNIMPLEMENTED", "unheard of", MISSING])
def test_one_case_that_behaves_otherwise_makes_the_whole_fail(word: str) -> None:
    assert report.exit_code([outcome(), outcome("1.1.2", behavior=word)]) == 1


@pytest.mark.parametrize("word", ["FAILED", "WRONG CODE", "UNCLEAN", "FAILED BY CLIENT"])
def test_one_connection_that_ends_otherwise_makes_the_whole_fail(word: str) -> None:
    assert report.exit_code([outcome(), outcome("1.1.2", closing=word)]) == 1


def test_nothing_at_all_is_no_success() -> None:
    assert report.exit_code([]) == 1


def test_the_summary_counts_outcomes_by_group() -> None:
    outcomes = [
        outcome("1.1.1"),
        outcome("1.1.2"),
        outcome("1.2.1", "NON-STRICT"),
        outcome("10.1.1", "OK", "UNCLEAN"),
    ]
    assert [cells(line) for line in report.summary(outcomes).splitlines()[2:]] == [
        ["1. Framing", "3", "2 OK, 1 NON-STRICT", "3 OK"],
        ["10. Messages fragmented by the sender", "1", "1 OK", "1 UNCLEAN"],
        ["All", "4", "3 OK, 1 NON-STRICT", "3 OK, 1 UNCLEAN"],
    ]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


FACTS = {
    "command": "python -m tests.conformance",
    "suite": "25.10.1",
    "version": "1.0",
    "python": "3.11.7",
    "date": "2001-02-03",
}


def test_the_page_says_what_was_run_and_what_was_found() -> None:
    page = report.page([outcome(), outcome("7.1.5", "FAILED", "WRONG CODE")], **FACTS)
    assert all(fact in page for fact in FACTS.values())
    assert "* 7.1.5: FAILED, closing WRONG CODE" in page
    assert "* 1.1.1" not in page


def test_the_page_says_that_nothing_else_was_found() -> None:
    assert "No case had another outcome." in report.page([outcome()], **FACTS)
