"""Options in TOML, read and printed; what is printed is read as what it was."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daphne_like import sources, toml_file
from daphne_like.errors import ConfigError
from daphne_like.options import Option, configure
from daphne_like.sources import COMMAND_LINE, Place, configuration, place
from daphne_like.toml_file import found, printed, read
from tests.unit.options import ALL, BY_NAME, texts


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(text: str, file: str = "mysite.toml") -> str:
    Path(file).write_text(text)
    return file


def values(chosen: Place) -> dict[str, Any]:
    return {name: each.value for name, each in chosen.items()}


# --- Reading ----------------------------------------------------------------------------------

FILE = """
application = "a:b"
port = 8001
keep-alive = 5          # a whole number does for seconds
head_timeout = 2.5
proxy-headers = true
header = ["x: y", "z: 1"]
endpoint = []
log-level = "debug"
root-path = ""
"""


@pytest.mark.usefixtures("here")
def test_a_key_is_called_as_its_option() -> None:
    chosen = read(written(FILE))
    assert values(chosen) == {
        "application": "a:b",
        "port": 8001,
        "keep_alive": 5.0,
        "head_timeout": 2.5,
        "proxy_headers": True,
        "headers": ((b"x", b"y"), (b"z", b"1")),
        "endpoints": (),
        "verbosity": 2,
        "root_path": "",
    }
    assert {each.origin for each in chosen.values()} == {"mysite.toml"}
    assert values(read(written("verbosity = 0"))) == {"verbosity": 0}


@pytest.mark.usefixtures("here")
def test_a_project_has_a_table_for_it() -> None:
    file = written("[tool.daphne-like]\nport = 1\n[tool.other]\nprot = 2\n", "pyproject.toml")
    assert values(found()) == values(read(file)) == {"port": 1}
    assert found()["port"].origin == "pyproject.toml"


@pytest.mark.usefixtures("here")
def test_its_name_may_be_spelt_as_the_packages() -> None:
    file = written("[tool.daphne_like]\nport = 1\n", "pyproject.toml")
    assert values(found()) == values(read(file)) == {"port": 1}


@pytest.mark.usefixtures("here")
def test_there_is_one_table() -> None:
    written("[tool.daphne_like]\n[tool.daphne-like]\n", "pyproject.toml")
    with pytest.raises(ConfigError) as refusal:
        found()
    said = "[tool.daphne-like] and [tool.daphne_like] are the same: write one table."
    assert str(refusal.value) == f"pyproject.toml: {said}"


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("text", ["", "[[[", 'name = "daphne-like"', 'tool = "daphne-like"'])
def test_a_project_without_its_table_is_none_of_its_business(text: str) -> None:
    written(text, "pyproject.toml")
    assert found() == {}


@pytest.mark.usefixtures("here")
def test_a_project_that_is_asked_for_has_to_have_the_table() -> None:
    with pytest.raises(ConfigError) as refusal:
        read(written("tool.daphne-like = 1", "pyproject.toml"))
    said = "pyproject.toml has no table [tool.daphne-like]: write the options into one."
    assert str(refusal.value) == said


@pytest.mark.usefixtures("here")
def test_a_file_without_a_word_gives_nothing() -> None:
    assert read("/dev/null") == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('port = "1"', "mysite.toml: port takes a whole number, not a string."),
        ("port = true", "mysite.toml: port takes a whole number, not true or false."),
        ("port = 1.0", "mysite.toml: port takes a whole number, not a number with a fraction."),
        ("port = 1979-05-27", "mysite.toml: port takes a whole number, not a date or time."),
        ("port = [1]", "mysite.toml: port takes a whole number, not an array."),
        ("[port]", "mysite.toml: port takes a whole number, not a table."),
        ("log-fmt = 1", "mysite.toml: log-fmt takes a string, not a whole number."),
        ('keep_alive = "5"', "mysite.toml: keep_alive takes a number, not a string."),
        ('demo = "yes"', "mysite.toml: demo takes true or false, not a string."),
        ("demo = 1", "mysite.toml: demo takes true or false, not a whole number."),
        ("verbosity = true", "mysite.toml: verbosity takes a string or a number, not true or"),
        ('header = "a: b"', "mysite.toml: header takes an array of strings, not a string."),
        ("endpoint = [1]", "mysite.toml: endpoint takes an array of strings, not a whole number."),
        ('header = ["a"]', "mysite.toml: --header 'a': write it as 'name: value'."),
        ('lifespan = "no"', "mysite.toml: --lifespan 'no' is not one of auto, on, off."),
        ('access-log = ""', "mysite.toml: --access-log is empty"),
        ("prot = 1", "mysite.toml: unknown key prot; did you mean port?"),
        (
            "[tool.daphne-like]\nport = 1",
            "mysite.toml: [tool.daphne-like] is for a pyproject.toml; here, take the options out",
        ),
        ("zzz = 1", "mysite.toml: unknown key zzz; see --help."),
        ('host = "a"\nbind = "a"', "mysite.toml: host and bind are the same option"),
        ("port 1", "mysite.toml is not TOML: Expected '=' after a key in a key/value pair (at lin"),
        ("demo = true\nport =\n", "mysite.toml is not TOML: Invalid value (at line 2, column 7)"),
        ("demo = true\nport =", "mysite.toml is not TOML: Invalid value (at the end, line 2)."),
    ],
)
@pytest.mark.usefixtures("here")
def test_a_bad_file_is_refused_in_one_line_with_file_and_key(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        read(written(text))
    assert str(refusal.value).startswith(said)
    assert "\n" not in str(refusal.value)


def test_a_file_that_cannot_be_read_is_refused(here: Path) -> None:
    with pytest.raises(ConfigError, match=r"^Cannot read --config nowhere: No such file"):
        read("nowhere")
    (here / "latin.toml").write_bytes(b"# \xe4")
    with pytest.raises(ConfigError, match=r"^latin.toml is not UTF-8, at byte 2\.$"):
        read("latin.toml")
    (here / "pyproject.toml").mkdir()
    with pytest.raises(ConfigError, match=r"^Cannot read pyproject.toml: .*--config /dev/null"):
        found()


# --- Printing ---------------------------------------------------------------------------------


def a_place(*givens: tuple[str, list[str], str]) -> Place:
    return place(
        sources.given(BY_NAME[name], name, given, origin) for name, given, origin in givens
    )


def test_every_option_has_a_line_that_says_where_its_value_is_from() -> None:
    chosen = a_place(
        ("application", ["a:b"], COMMAND_LINE),
        ("port", ["1"], "environment DAPHNE_LIKE_PORT"),
        ("headers", ["a: b", "c: d"], "/etc/\u00e4\n.toml"),
        ("demo", ["0"], "mysite.toml"),
        ("verbosity", ["debug"], "mysite.toml"),
        ("keep_alive", ["5"], "mysite.toml"),
    )
    lines = printed(chosen).splitlines()
    assert lines[:3] == ["# Application", 'application = "a:b"  # command line',
                         "demo = false  # mysite.toml"]  # fmt: skip
    assert "port = 1  # environment DAPHNE_LIKE_PORT" in lines
    assert 'header = ["a: b", "c: d"]  # /etc/\\u00e4\\n.toml' in lines
    assert 'verbosity = "debug"  # mysite.toml' in lines
    assert "keep-alive = 5.0  # mysite.toml" in lines
    assert "backlog = 2048  # default" in lines
    assert "endpoint = []  # default" in lines
    assert "# fd is not given" in lines
    named = {line.removeprefix("# ").split()[0] for line in lines if line}
    assert named >= {option.names[0] for option in ALL}


def test_a_default_that_may_not_be_said_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    option = BY_NAME["access_log"]._replace(default="")
    monkeypatch.setattr(toml_file, "OPTIONS", (option,))
    assert printed({}).endswith("# access-log is not given\n")


def test_a_secret_is_not_printed() -> None:
    origin = "environment DAPHNE_LIKE_SSL_KEYFILE_PASSWORD"
    text = printed(a_place(("ssl_keyfile_password", ["hunter2"], origin)))
    assert f"# ssl-keyfile-password is given ({origin})" in text.splitlines()
    assert "hunter2" not in text


def test_text_that_is_not_utf_8_cannot_be_printed() -> None:
    with pytest.raises(ConfigError) as refusal:
        printed(a_place(("unix_socket", ["/\udcff"], COMMAND_LINE)))
    assert str(refusal.value).startswith("--unix-socket '/\\udcff' is not UTF-8")


@given(st.data())
def test_what_is_printed_is_read_as_what_it_was(data: st.DataObject) -> None:
    options: list[Option] = data.draw(st.lists(st.sampled_from(ALL), unique=True))
    chosen = place(
        sources.given(option, option.names[-1], data.draw(_given(option)), data.draw(st.text()))
        for option in options
    )
    table = tomllib.loads(printed(chosen))
    again = values(place(toml_file._options(table, "again").values()))
    defaults = {option.name: option.default for option in ALL if option.default is not None}
    kept = {name: value for name, value in values(chosen).items() if not BY_NAME[name].secret}
    assert again == {**defaults, **kept}


def _given(option: Option) -> st.SearchStrategy[list[str]]:
    return st.lists(texts(option), min_size=0 if option.repeatable else 1, max_size=3)


@pytest.mark.usefixtures("here")
def test_the_same_configuration_comes_from_what_is_printed() -> None:
    chosen = read(written(FILE))
    again = read(written(printed(chosen), "again.toml"))
    assert configuration(again) == configuration(chosen) == configure(values(chosen))
    assert math.isclose(configuration(again).limits.head_timeout, 2.5)
