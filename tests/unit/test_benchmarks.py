"""The pure parts of the benchmark: what it reads, computes and draws. No server is started."""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from xml.etree import ElementTree

import pytest

from benchmarks import environments, tables, usage, wrk
from benchmarks.__main__ import (
    _DOCS,
    _command,
    _docs,
    _options,
    _parser,
    into_readme,
    main,
    read,
    write,
)
from benchmarks.apps.contract import DOWNLOAD, GREETING, bearer_token, user_of_token
from benchmarks.model import Answer, Echo, Failed, Figure, Measure, Scenario, Server
from benchmarks.plot import plot
from benchmarks.processes import allow_descriptors, last_words
from benchmarks.record import best_peer, ranked, ratio, spread, updated
from benchmarks.results import Results, medians
from benchmarks.rounds import measure, turns
from benchmarks.scenarios import SCENARIOS
from benchmarks.servers import SERVERS
from benchmarks.survey import processor_in_cpuinfo

OURS = Server("ours", "ours", "ours {port} {app}", ("ours",), ours=True)
QUICK = Server("quick", "peers", "quick {port} {app}", ("quick",))
SLOW = Server(
    "slow",
    "peers",
    "slow {port} {extra} {app}",
    ("slow",),
    {"http": "--no-ws", "websocket": "--ws wide", "h2c": "--no-ws"},
)


def scenario(take=None, name="small", **more):
    figures = (Figure("cpu", "CPU µs", 1), Figure("rate", "per second"))
    return Scenario(name, f"The <{name}> one", "a:b", Measure(figures, take), Answer(b""), **more)


def record(*, failed=False):
    results, one = Results(), scenario()
    for server, values in ((OURS, (10, 12, 11)), (QUICK, (20, 26, 22)), (SLOW, (200, 1100, 210))):
        for value in values:
            results.add(one, server, {"cpu": value, "rate": 1e6 / value})
    if failed:
        results.fail(one, SLOW, "errors under load: 3 read")
    servers = {
        server.name: {
            "ours": server.ours,
            "commands": {wire: server.command_line(wire) for wire in server.extra},
            "versions": {server.name: "1.0"},
        }
        for server in (OURS, QUICK, SLOW)
    }
    return {
        "command": "python -m benchmarks",
        "date": "2001-02-03",
        "python": "3.11.0",
        "processor": "some & other",
        "cores": 2,
        "rounds": 3,
        "seconds": 1,
        "servers": servers,
        "scenarios": {one.name: results.of(one)},
    }


def told(**changes):
    outcome = {
        "requests": 10,
        "microseconds": 2_000_000,
        "bytes": 1000,
        "errors": {"connect": 0, "read": 0, "write": 0, "status": 0, "timeout": 0},
    }
    return f"Running 2s test\n{json.dumps(outcome | changes)}\n"


class TestUsage:
    def test_parent_is_read_past_a_hostile_command_name(self):
        assert usage.parent_in_stat("7 (a) S 9 (b) R 42 7 7 0") == 42

    def test_pss_is_not_taken_from_a_longer_name(self):
        rollup = "Rss:   900 kB\nPss:   512 kB\nPss_Anon:   7 kB\n"
        assert usage.pss_in_rollup(rollup) == 512

    def test_a_rollup_without_pss_fails(self):
        with pytest.raises(Failed):
            usage.pss_in_rollup("Rss: 900 kB\n")

    def test_members_are_all_descendants_and_nobody_else(self):
        assert sorted(usage.members(1, {1: 0, 2: 1, 3: 2, 4: 0, 5: 4})) == [1, 2, 3]

    def test_cpu_spent_counts_new_processes(self):
        assert usage.cpu_spent({1: 100}, {1: 150, 2: 30}) == 80

    def test_cpu_spent_refuses_to_lose_a_process(self):
        with pytest.raises(Failed, match="ended under load"):
            usage.cpu_spent({1: 100, 2: 50}, {1: 150})

    def test_process_clock_is_the_clock_of_that_process(self):
        ours = time.clock_gettime_ns(usage.process_clock(os.getpid()))
        assert ours <= time.process_time_ns()

    def test_a_child_belongs_to_the_tree(self):
        with subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        ) as child:
            assert child.pid in usage.process_tree(os.getpid())
            assert child.pid in usage.cpu_times(os.getpid())
            child.communicate(b"\n")
        assert usage.memory(os.getpid()) > 1


class TestWrk:
    def test_rate(self):
        assert wrk.parse(told(), 22).per_second == 5

    @pytest.mark.parametrize("kind", ["connect", "read", "write", "status", "timeout"])
    def test_any_error_fails(self, kind):
        errors = {"connect": 0, "read": 0, "write": 0, "status": 0, "timeout": 0, kind: 3}
        with pytest.raises(Failed, match=f"3 {kind}$"):
            wrk.parse(told(errors=errors), 22)

    def test_no_answer_fails(self):
        with pytest.raises(Failed, match="no answer"):
            wrk.parse(told(requests=0), 22)

    def test_short_answers_fail(self):
        with pytest.raises(Failed, match="cut short"):
            wrk.parse(told(), 101)


class TestEnvironments:
    @pytest.mark.parametrize(("environment", "value"), [("ours", "0"), ("compiled", "1")])
    def test_ours_is_installed_from_a_copy_and_compiled_in_one(
        self, monkeypatch, environment, value
    ):
        ran = []
        monkeypatch.setattr(
            environments, "_run", lambda command, **more: ran.append((command, more))
        )
        monkeypatch.setattr(shutil, "copytree", lambda _source, copy, **_options: copy)
        environments.prepare(environment)
        *_, (libraries, _), (ours, variables) = ran
        assert libraries[-2:] == ["fastapi", "uvloop"]
        assert ours[0] == libraries[0] == str(environments.program(environment, "python"))
        assert ours[-1].endswith("source[http2]")
        assert variables == {"DAPHNE_LIKE_COMPILE": value}

    def test_an_environment_of_others_has_nothing_of_ours(self, monkeypatch):
        ran = []
        monkeypatch.setattr(environments, "_run", lambda command, **_: ran.append(command))
        environments.prepare("client")
        assert ran[-1][-2:] == ["picows", "uvloop"]

    def test_the_variable_comes_beside_what_the_environment_has(self):
        program = "import os; print(os.environ['PATH'], os.environ['DAPHNE_LIKE_COMPILE'])"
        told = environments._run([sys.executable, "-c", program], DAPHNE_LIKE_COMPILE="1")
        assert told == f"{os.environ['PATH']} 1\n"


class TestRounds:
    def test_servers_take_turns_and_another_begins_each_round(self):
        order = [server.name for _, server in turns((OURS, QUICK, SLOW), [scenario()], 2)]
        assert order == ["ours", "quick", "slow", "quick", "slow", "ours"]

    def test_a_failure_is_kept_and_not_tried_again(self):
        asked = []

        def take(server, _scenario, _pace):
            asked.append(server.name)
            if server is SLOW:
                raise Failed("too slow")
            return {"cpu": 1.0, "rate": 2.0}

        one, lines = scenario(take), []
        pace = type("Pace", (), {"rounds": 2})
        outcome = measure((QUICK, SLOW, OURS), [one], pace, {"ours": "absent"}, lines.append)
        kept = outcome.of(one)
        assert asked.count("slow") == 1
        assert asked.count("ours") == 0
        assert kept["failed"] == {"slow": "too slow", "ours": "absent"}
        assert list(kept["medians"]) == ["quick"]
        assert len(lines) == 4

    def test_who_does_not_speak_its_wire_has_no_turn_in_a_scenario(self):
        order = [server.name for _, server in turns((OURS, SLOW), [scenario(wire="h2c")], 2)]
        assert order == ["slow", "slow"]


class TestFigures:
    def test_median_of_each_figure(self):
        samples = [{"cpu": 1, "rate": 9}, {"cpu": 5, "rate": 7}, {"cpu": 2, "rate": 8}]
        assert medians(samples) == {"cpu": 2, "rate": 8}

    def test_rank_spread_and_best_peer(self):
        whole = record()
        one = whole["scenarios"]["small"]
        assert ranked(one) == [("ours", 11), ("quick", 22), ("slow", 210)]
        assert spread(one, "slow") == (200, 1100)
        assert best_peer(whole, one) == 22

    def test_nothing_of_ours_is_a_peer(self):
        whole = record()
        whole["servers"]["quick"]["ours"] = True
        assert best_peer(whole, whole["scenarios"]["small"]) == 210
        rows = [line for line in tables.tables(whole).splitlines() if line.startswith("| **")]
        assert [row.strip("| ").split(" | ")[-1].strip() for row in rows] == ["0.05", "0.10"]

    def test_ratio_needs_a_peer(self):
        assert ratio(11, 22) == 0.5
        assert ratio(11, None) is None

    def test_a_new_run_replaces_its_scenarios_and_no_other(self):
        old, new = record(), record(failed=True)
        old["scenarios"]["rare"] = Results().of(scenario(name="rare"))
        first, second = updated([old], new)
        assert (list(first["scenarios"]), second) == (["rare"], new)
        assert updated([first, second], old) == [old]

    def test_a_failure_drops_earlier_samples(self):
        one = record(failed=True)["scenarios"]["small"]
        assert "slow" not in one["medians"]
        assert "slow" not in one["samples"]


class TestOutput:
    def test_table_shows_median_spread_and_ratio(self):
        rows = [
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in tables.tables(record()).splitlines()
            if line.startswith("|")
        ]
        assert rows[2] == ["**ours 1.0**", "11.0", "10.0 to 12.0", "90,909", "0.50"]
        assert rows[4] == ["slow 1.0", "210.0", "200.0 to 1,100.0", "4,762", "9.55"]

    def test_the_summary_has_one_line_for_each_scenario_with_the_best_in_bold(self):
        lines = tables.summary([record(failed=True)]).splitlines()
        cells = [cell.strip() for cell in lines[2].strip("|").split("|")]
        assert cells[1:] == ["**11.0**", "22.0", "failed"]
        assert len(lines) == 3

    def test_the_summary_leaves_out_what_is_not_to_sum_up(self):
        whole = record()
        whole["scenarios"]["rare"] = Results().of(scenario(name="rare", summarised=False))
        assert "The <rare> one" in tables.page([whole])
        assert "The <rare> one" not in tables.summary([whole])

    def test_the_summary_has_nothing_where_a_server_was_not_measured(self):
        part = record()
        del part["scenarios"]["small"]["medians"]["slow"]
        row = tables.summary([part]).splitlines()[2]
        assert [cell.strip() for cell in row.strip("|").split("|")][1:] == ["**11.0**", "22.0", ""]

    def test_runs_follow_each_other_on_the_page_and_in_the_summary(self):
        later = record() | {"date": "2001-02-04"}
        later["scenarios"] = {"rare": Results().of(scenario(name="rare"))}
        text = tables.page([record(), later])
        assert text.index("Measured on 2001-02-03") < text.index("Measured on 2001-02-04")
        assert len(tables.summary([record(), later]).splitlines()) == 4

    def test_the_page_shows_a_second_command_where_there_is_one(self):
        rows = [line for line in tables.page([record()]).splitlines() if "{port}" in line]
        shown = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
        assert shown == [
            ["ours", "ours 1.0", "`ours {port} {app}`"],
            ["quick", "quick 1.0", "`quick {port} {app}`"],
            ["slow", "slow 1.0", "`slow {port} --no-ws {app}`"],
            ["slow, WebSocket", "", "`slow {port} --ws wide {app}`"],
        ]

    def test_the_readme_gets_it_between_its_marks(self, tmp_path):
        readme = tmp_path / "README.md"
        readme.write_text("before\n<!-- benchmarks -->\nold\n<!-- /benchmarks -->\nafter\n")
        for _ in range(2):
            into_readme([record()], readme)
        shown = tables.summary([record()])
        marks = f"<!-- benchmarks -->\n\n{shown}\n\n<!-- /benchmarks -->"
        assert readme.read_text() == f"before\n{marks}\nafter\n"

    def test_a_failure_is_told_with_its_reason(self):
        assert "slow 1.0 failed: errors under load: 3 read." in tables.page([record(failed=True)])

    def test_plot_is_xml_with_ours_marked_and_bars_to_scale(self):
        root = ElementTree.fromstring(plot([record()]))
        svg = "{http://www.w3.org/2000/svg}"
        bars = [bar for bar in root.iter(f"{svg}rect") if bar.get("class") != "page"]
        lengths = [float(bar.get("width")) for bar in bars]
        assert [bar.get("class") for bar in bars] == ["ours", "peer", "peer"]
        assert lengths[1] / lengths[0] == pytest.approx(2, rel=0.02)
        assert "The <small> one" in [text.text for text in root.iter(f"{svg}text")]

    def test_no_bar_is_much_longer_than_the_shortest_and_a_cut_shows(self):
        whole = record()
        whole["scenarios"]["small"]["medians"]["slow"]["cpu"] = 11 * 1000
        root = ElementTree.fromstring(plot([whole]))
        svg = "{http://www.w3.org/2000/svg}"
        bars = [bar for bar in root.iter(f"{svg}rect") if bar.get("class") != "page"]
        lengths = [float(bar.get("width")) for bar in bars]
        cuts = [path for path in root.iter(f"{svg}path") if path.get("class") == "cut"]
        assert lengths[1] / lengths[0] == pytest.approx(2, rel=0.02)
        assert lengths[2] / lengths[0] == pytest.approx(16, rel=0.02)
        assert len(cuts) == 1

    def test_a_failed_server_has_a_word_instead_of_a_bar(self):
        root = ElementTree.fromstring(plot([record(failed=True)]))
        assert "failed" in [element.text for element in root.iter()]

    def test_files(self, tmp_path):
        write([record()], tmp_path)
        assert read(tmp_path) == [record()]
        assert (tmp_path / "reference/benchmarks.md").read_text().startswith("# Benchmarks\n")
        assert (tmp_path / "reference/benchmarks.svg").read_text().startswith("<svg ")

    def test_the_published_command_holds_no_folder(self):
        given = ["--rounds", "3", "--servers", "granian", "--output", "/some/where"]
        assert _command(_parser().parse_args(given)) == (
            "python -m benchmarks --rounds 3 --seconds 4 --servers granian"
        )

    @pytest.mark.parametrize("given", [["--quick"], ["--servers", "granian"]])
    def test_an_update_is_of_whole_scenarios(self, given, capsys):
        with pytest.raises(SystemExit):
            _options(["--update", *given])
        assert "all servers" in capsys.readouterr().err

    def test_a_part_is_written_when_it_is_an_update(self):
        part = ["--scenarios", "h2c-small"]
        assert _docs(_options(part)) is None
        assert _docs(_options([*part, "--update"])) == _docs(_options([])) == _DOCS

    def test_what_lacks_is_told_by_the_packages_that_have_it(self, monkeypatch, capsys):
        monkeypatch.setattr(shutil, "which", lambda tool: None if tool == "h2load" else tool)
        assert main([]) == 2
        assert "apt install nghttp2-client\n" in capsys.readouterr().err

    def test_last_words_hold_no_folders(self):
        assert last_words("one\nno file /some/where/else.py here\n") == "no file else.py here"
        assert last_words("") == "it said nothing"

    @pytest.mark.parametrize(
        ("soft", "hard", "becomes"),
        [
            (1_024, 20_000, 10_000),
            (1_024, 4_096, 4_096),
            (15_000, 20_000, 15_000),
            (1_024, resource.RLIM_INFINITY, 10_000),
        ],
    )
    def test_descriptors_are_allowed_as_far_as_possible(self, monkeypatch, soft, hard, becomes):
        kept = []
        monkeypatch.setattr(resource, "getrlimit", lambda _which: (soft, hard))
        monkeypatch.setattr(resource, "setrlimit", lambda _which, limits: kept.append(limits))
        allow_descriptors(10_000)
        assert kept == [(becomes, hard)]

    def test_processor(self):
        assert processor_in_cpuinfo("x\nmodel name\t: Some One\n") == "Some One"


class TestRows:
    def test_names_are_unique_and_two_servers_are_ours(self):
        assert len({server.name for server in SERVERS}) == len(SERVERS)
        assert len({row.name for row in SCENARIOS}) == len(SCENARIOS)
        ours = [server.name for server in SERVERS if server.ours]
        assert ours == ["daphne-like", "daphne-like, compiled"]

    def test_ours_is_run_in_the_same_way_compiled_or_not(self):
        pure, compiled = (server for server in SERVERS if server.ours)
        assert (pure.environment, compiled.environment) == ("ours", "compiled")
        assert pure.command_line("h2") == compiled.command_line("h2")
        assert pure.packages == compiled.packages

    def test_every_command_takes_port_and_application(self):
        for server in SERVERS:
            for wire in server.extra:
                line = server.command_line(wire)
                assert "{port}" in line
                assert line.split()[-1] == "{app}"

    def test_who_is_to_speak_tls_is_given_certificate_and_key(self):
        for server in SERVERS:
            for wire in server.extra:
                line = server.command_line(wire)
                given = ("{certificate}" in line, "{key}" in line)
                assert given == (wire in {"https", "h2"},) * 2

    def test_ours_speaks_all_and_each_peer_what_it_can(self):
        rows = {server.name: set(server.extra) for server in SERVERS}
        for name in (
            "daphne-like",
            "daphne-like, compiled",
            "granian",
            "h2corn",
            "gunicorn",
            "hypercorn",
        ):
            assert rows[name] == {"http", "websocket", "https", "h2c", "h2"}
        assert rows["uvicorn"] == {"http", "websocket", "https"}
        assert rows["daphne"] == {"http", "websocket", "https", "h2"}

    def test_who_can_be_without_websockets_is_so_for_http_alone(self):
        off = {"granian": "--no-ws", "uvicorn": "--ws none"}
        for server in SERVERS:
            if server.name in off:
                for wire in server.extra:
                    without = off[server.name] in server.command_line(wire)
                    assert without == (wire != "websocket")

    def test_sizes_are_what_the_titles_say(self):
        rows = {row.name: row for row in SCENARIOS}
        assert len(GREETING) == 22
        assert len(DOWNLOAD) == 430_000
        assert len(rows["echo"].request.body) == 64 * 1024
        assert len(rows["browser"].request.headers) + 1 == 14  # and Host, from wrk
        assert rows["ws-text"].echo == Echo("text", 64)
        assert rows["ws-binary"].echo == Echo("binary", 64)
        assert rows["ws-16k"].echo == Echo("text", 16 * 1024)
        assert rows["ws-1mb"].echo == Echo("binary", 1_000_000)
        assert rows["ws-idle"].connections == 5_000
        for wire in ("h2c", "h2"):
            assert len(rows[f"{wire}-small"].answer.body) == 22
            assert len(rows[f"{wire}-large"].answer.body) == 430_000

    def test_http2_has_8_connections_with_16_streams(self):
        loads = [row for row in SCENARIOS if row.wire in {"h2c", "h2"}]
        assert {(row.connections, row.streams) for row in loads} == {(8, 16)}
        assert {row.streams for row in SCENARIOS if row not in loads} == {1}

    def test_a_wire_for_websockets_has_an_echo_and_no_other_has(self):
        for row in SCENARIOS:
            assert (row.echo is not None) == (row.wire == "websocket")

    def test_only_our_token_names_a_user(self):
        assert user_of_token(bearer_token(7)) == 7
        assert user_of_token(bearer_token(7).replace("7.", "8.", 1)) is None
