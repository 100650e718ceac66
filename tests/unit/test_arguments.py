"""The command line: every option with every spelling, what it asks, and how it is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from daphne_like import arguments
from daphne_like.arguments import Said
from daphne_like.compiled import described_version
from daphne_like.config import GROUPS
from daphne_like.errors import ConfigError
from daphne_like.options import OPTIONS, SWITCH, Option
from tests.unit.options import sample


def said(*words: str) -> Said:
    return arguments.said(words, "daphne-like")


def values(*words: str) -> dict[str, Any]:
    return {name: each.value for name, each in said(*words).options.items()}


def refusal(*words: str) -> str:
    with pytest.raises(ConfigError) as refused:
        said(*words)
    assert "\n" not in str(refused.value)
    return str(refused.value)


# --- Options ----------------------------------------------------------------------------------


def test_what_is_not_said_is_left_open() -> None:
    assert said() == Said({}, None, None, print_config=False, check=False)


def test_the_application_has_no_flag() -> None:
    assert values("a.b:c") == {"application": "a.b:c"}


@pytest.mark.parametrize("option", [o for o in OPTIONS if not o.switch], ids=lambda o: o.name)
def test_every_spelling_of_an_option_means_the_same(option: Option) -> None:
    text = sample(option)
    for flag in option.flags:
        value = option.parse(text)
        assert values(flag, text) == {option.name: (value,) if option.repeatable else value}
        assert values(f"{flag}{'=' * flag.startswith('--')}{text}") == values(flag, text)


@pytest.mark.parametrize("option", [o for o in OPTIONS if o.switch], ids=lambda o: o.name)
def test_a_switch_is_on_by_itself_and_off_by_a_word(option: Option) -> None:
    for flag in option.flags:
        assert values(flag, "a:b") == {option.name: True, "application": "a:b"}
        for word, on in SWITCH.items():
            assert values(f"{flag}={word}") == {option.name: on}


def test_what_is_said_again_counts_the_last_time() -> None:
    assert values("-p", "1", "--port", "2", "--demo", "--demo=no") == {"port": 2, "demo": False}
    assert values("--websocket_timeout", "1", "--websocket-timeout", "2") == {
        "websocket_timeout": 2.0
    }


def test_what_may_be_given_several_times_adds_up() -> None:
    assert values("-e", "a:1", "--endpoint", "b:2") == {"endpoints": ("a:1", "b:2")}


def test_an_option_knows_what_it_was_called() -> None:
    given = said("--port", "0").options["port"]
    assert (given.name, given.value, given.origin) == ("--port", 0, "command line")


def test_there_are_questions_and_other_places() -> None:
    asked = said("--config", "c", "--env-file", "e", "--print-config", "--check")
    assert asked == Said({}, "c", "e", print_config=True, check=True)


# --- Saying no --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("--keepalive 5", "unknown option --keepalive; did you mean --keep-alive? See --help."),
        ("--keep_alive=5", "unknown option --keep_alive; did you mean --keep-alive? See --help."),
        ("--keepalive 5 a:b", "unknown option --keepalive; did you mean --keep-alive?"),
        ("--log-level chatty", "--log-level 'chatty' is not a whole number or one of critical"),
        ("-v chatty", "--verbosity 'chatty' is not a whole number"),
        ("--chek", "unknown option --chek; did you mean --check?"),
        ("--http2", "unknown option --http2: HTTP/2 needs none; it is on where pip "),
        ("--acc", "unknown option --acc; see --help."),
        ("--zzz x y", "unknown option --zzz; see --help."),
        ("a:b 8000", "there is one application, and '8000' besides; see --help."),
        ("-p x", "--port 'x' is not a whole number."),
        ("-p", "argument -p/--port: expected one argument; see --help."),
        ("--check=x", "argument --check: a switch takes yes or no, not 'x'; see --help."),
        ("--demo=maybe", "argument --demo: a switch takes yes or no, not 'maybe'; see --help."),
        ("--lifespan never", "--lifespan 'never' is not one of auto, on, off."),
        ("--header x", "--header 'x': write it as 'name: value'."),
        ("-v 1 --log-level info", "-v and --log-level are the same option: give one of the two."),
        ("--host a --bind b --host c", "--host and --bind are the same option"),
    ],
)
def test_a_bad_command_line_is_refused_in_one_line(line: str, answer: str) -> None:
    assert refusal(*line.split()).startswith(answer)


# --- Answers ----------------------------------------------------------------------------------


def answer(argument: str, capsys: Any) -> str:
    with pytest.raises(SystemExit) as left:
        said(argument)
    assert left.value.code == 0
    text, errors = capsys.readouterr()
    assert errors == ""
    return text


def test_help_has_every_option_by_group_with_its_default(capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    lines = answer("--help", capsys).splitlines()
    places = [lines.index(f"{group}:") for group in GROUPS if f"{group}:" in lines]
    assert len(places) == len({option.group for option in OPTIONS})
    assert places == sorted(places)
    shown = {line.split()[0].rstrip(","): line for line in lines if line.startswith("  -")}
    assert shown.keys() >= {option.flags[0] for option in OPTIONS}
    assert shown["--linger"].startswith("  --linger SECONDS ")
    assert shown["--linger"].endswith(" Default: 5.0.")
    assert "--timeout-keep-alive" in shown["--keep-alive"]
    assert "--port N" in shown["-p"]
    assert shown["-p"].endswith(" 0 for any.")
    assert "--uds TEXT" in shown["-u"]
    assert "{auto,on,off}" in shown["--lifespan"]
    assert shown["--log-fmt"].endswith(" Default: '%(asctime)-15s %(levelname)-8s %(message)s'.")
    assert shown["--app-dir"].endswith(" Default: '.'.")
    assert "Default" not in shown["--factory"] + shown["-e"] + shown["--root-path"]
    assert "DAPHNE_LIKE_PORT" in lines[-1]
    assert "=yes" not in "".join(lines)


def test_the_version_is_the_packages_and_says_whether_it_is_compiled(capsys) -> None:
    assert answer("--version", capsys) == f"daphne-like {described_version()}\n"


def test_what_uvicorn_has_options_for_and_we_need_none_is_told_as_the_page_has_it() -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/migrate-from-uvicorn.md").read_text()
    needless = re.findall(r"^\| `(--[\w-]+)` \| none \|", page, re.MULTILINE)
    assert len(needless) == 5
    for flag in needless:
        assert re.match(rf"unknown option {flag}: (?!.*see --help)", refusal(flag, "x"))
