"""Workers: real processes, under real load, through every signal and every fault."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.live.crews import Crew, is_alive, kill, nothing_is_left
from tests.live.serving import Serving, failure, is_open, wait_until

PRELOADS = pytest.mark.parametrize("preload", ["on", "off"])


def only(seen: dict[str, int]) -> bool:
    """Whether every request was answered."""
    return set(seen) == {"200"}


# --- Serving ----------------------------------------------------------------------------------


@PRELOADS
@pytest.mark.parametrize("shared", [True, False], ids=["shared", "reuse-port"])
def test_workers_serve_side_by_side_and_leave_nothing(
    preload: str, shared: bool, tmp_path: Path
) -> None:
    options = ["--preload", preload, "-u", str(tmp_path / "s"), "-b", "127.0.0.1"]
    with Crew("crew:app", *options, *([] if shared else ["--reuse-port"])) as server:
        pids = server.pids
        assert len(pids) == 2
        wait_until(lambda: set(server.answers(8)) == set(pids))
        assert int(server.get(index=server.unix).body) in pids
        assert (tmp_path / "s").is_socket()
        assert server.stop() == 0
    assert nothing_is_left(server, pids)
    assert not (tmp_path / "s").exists()
    lines = server.stderr.lines
    assert [number for number in "12" if any(f"[{number}] Listening on" in one for one in lines)]


def test_admin_pages_are_of_all_workers() -> None:
    with Crew("crew:app") as server:
        answered = server.answers(6)
        assert server.workers() == {1: "ready", 2: "ready"}
        totals = json.loads(server.admin("/connections"))["totals"]
        assert totals["accepted"] == 6
        assert server.admin("/readyz") == b"ready\n"
        assert server.admin("/livez") == b"ok\n"
        families = text_string_to_metric_families(server.admin("/metrics").decode())
        served = {
            sample.labels["worker"]: sample.value
            for family in families
            for sample in family.samples
            if sample.name == "daphne_like_requests_total"
        }
        assert sum(served.values()) == len(answered)


def test_requests_in_flight_are_finished_at_a_stop() -> None:
    with Crew("crew:app") as server:
        replies: list[int] = []
        asking = threading.Thread(target=lambda: replies.extend(server.answers(1, "/slow?1")))
        asking.start()
        server.stdout.wait_for("slow")
        assert server.stop() == 0
        asking.join()
    assert len(replies) == 1


def test_an_interrupt_waits_for_nothing() -> None:
    with Crew("crew:app", noise=True) as server, server.connect() as client:
        client.sendall(b"GET /slow?1000 HTTP/1.1\r\nHost: x\r\n\r\n")
        server.stdout.wait_for("slow")
        assert server.stop(signal.SIGINT) == 0


def test_nobody_can_connect_while_the_last_requests_are_finished() -> None:
    with Crew("crew:app") as server, server.connect() as client:
        client.sendall(b"GET /slow?2 HTTP/1.1\r\nHost: x\r\n\r\n")
        server.stdout.wait_for("slow")
        server.tell(signal.SIGTERM)
        wait_until(lambda: not is_open(server.addresses[0]))
        assert client.recv(12) == b"HTTP/1.1 200"


# --- Signals ----------------------------------------------------------------------------------


@PRELOADS
def test_a_reload_under_load_loses_no_request(preload: str) -> None:
    with Crew("crew:app", "--preload", preload) as server:
        before = server.pids
        with server.under_load() as seen:
            for ready in (4, 6):
                server.tell(signal.SIGHUP)
                server.log.wait_for("is ready", ready)
            server.log.wait_for("has left", 4)
        assert only(seen), seen
        assert len(server.pids) == 2
        assert not {*before} & {*server.pids}


def test_broken_code_leaves_the_old_workers_until_it_is_mended(tmp_path: Path) -> None:
    code = tmp_path / "changing.py"
    good = "from crew import app\n"
    code.write_text(good)
    environment = {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    with Crew("changing:app", environment=environment, noise=True) as server:
        before = server.pids
        code.write_text("this is no Python\n")
        server.tell(signal.SIGHUP)
        server.log.wait_for("The reload is given up")
        assert server.log.wait_for("SyntaxError")
        wait_until(lambda: server.pids == before)
        assert set(server.answers(4)) <= set(before)
        code.write_text(good)
        server.tell(signal.SIGHUP)
        server.log.wait_for("has left", 2)
        assert not {*before} & {*server.answers(4)}


def test_there_can_be_more_and_fewer_workers() -> None:
    with Crew("crew:app") as server:
        server.tell(signal.SIGTTIN)
        server.log.wait_for("is ready", 3)
        assert len(server.pids) == 3
        for left in (1, 2):
            server.tell(signal.SIGTTOU)
            server.log.wait_for("has left", left)
        server.tell(signal.SIGTTOU)
        server.log.wait_for("Wanted: 1 worker", 2)
        assert len(server.pids) == 1


def test_logs_are_reopened_by_every_worker(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    with Serving("crew:app", "--workers", "2", "--access-log", str(log), listens=2) as server:
        server.log.wait_for("is ready", 2)
        log.rename(tmp_path / "moved")
        server.tell(signal.SIGUSR1)
        wait_until(log.exists)
        for _ in range(8):
            server.get()
        wait_until(lambda: len(log.read_text().splitlines()) == 8)
    assert (tmp_path / "moved").read_text() == ""


@PRELOADS
def test_an_upgrade_under_load_loses_no_request(preload: str, tmp_path: Path) -> None:
    options = ["--preload", preload, "-u", str(tmp_path / "s"), "-b", "127.0.0.1"]
    with Crew("crew:app", *options) as server:
        before = server.pids
        with server.under_load() as seen:
            server.tell(signal.SIGUSR2)
            [line] = server.log.wait_for("takes over when it serves")
            successor = int(line.partition("Upgrade: process ")[2].split()[0])
            server.log.wait_for("Taking over from process")
            wait_until(lambda: not any(map(is_alive, before)))
            wait_until(lambda: not is_alive(server.pid))
        assert only(seen), seen
        assert (tmp_path / "s").is_socket()
        assert int(server.get(index=server.unix).body) not in before
        kill(successor, signal.SIGTERM)
        wait_until(lambda: not is_alive(successor))
    assert not (tmp_path / "s").exists()


def test_an_upgrade_that_fails_changes_nothing(tmp_path: Path) -> None:
    code = tmp_path / "changing.py"
    code.write_text("from crew import app\n")
    environment = {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    place = ["-u", str(tmp_path / "s"), "-b", "127.0.0.1"]
    with Crew("changing:app", *place, environment=environment, noise=True) as server:
        before = server.pids
        code.write_text("this is no Python\n")
        server.tell(signal.SIGUSR2)
        [line] = server.log.wait_for("takes over when it serves")
        successor = int(line.partition("Upgrade: process ")[2].split()[0])
        wait_until(lambda: not is_alive(successor))
        server.log.wait_for("The upgrade is given up")
        assert set(server.answers(4)) <= set(before)
        assert int(server.get(index=server.unix).body) in before


# --- Recycling --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [["--max-requests", "30"], ["--max-worker-lifetime", "0.2"]],
    ids=["requests", "lifetime"],
)
def test_workers_that_have_lived_enough_are_replaced_without_a_gap(options: list[str]) -> None:
    with Crew("crew:app", *options) as server:
        with server.under_load() as seen:
            server.log.wait_for("is replaced", 3)
            server.log.wait_for("has left", 3)
        assert only(seen), seen


def test_a_worker_that_has_grown_is_replaced() -> None:
    with Crew("crew:app", "--max-worker-rss", "150000000", workers=1) as server:
        [grown] = server.answers(1, "/grow?200000000")
        server.log.wait_for(f"(process {grown}) is replaced: it has grown to")
        server.log.wait_for("has left")
        assert server.answers() != [grown]


# --- Faults -----------------------------------------------------------------------------------


def test_a_worker_that_is_killed_has_another_in_its_place() -> None:
    with Crew("crew:app", workers=1) as server:
        [pid] = server.pids
        with server.connect() as client:
            client.sendall(b"GET /slow?1000 HTTP/1.1\r\nHost: x\r\n\r\n")
            server.stdout.wait_for("slow")
            kill(pid)
            assert client.recv(1) == b""
        server.log.wait_for("was killed by SIGKILL")
        assert server.answers() != [pid]


@PRELOADS
def test_no_worker_survives_a_supervisor_that_is_killed(preload: str) -> None:
    with Crew("crew:app", "--preload", preload, noise=True) as server:
        pids = server.pids
        with server.connect() as client:
            client.sendall(b"GET /slow?1 HTTP/1.1\r\nHost: x\r\n\r\n")
            server.stdout.wait_for("slow")
            kill(server.pid)
            wait_until(lambda: not is_open(server.addresses[0]))
            assert client.recv(12) == b"HTTP/1.1 200"
        server.wait()
        wait_until(lambda: nothing_is_left(server, pids))


def test_a_worker_that_is_stopped_or_blocked_is_killed_and_a_busy_one_is_not() -> None:
    options = "--worker-timeout", "1", "--graceful-timeout", "1"
    with Crew("crew:app", *options, workers=1) as server:
        [first] = server.pids
        assert server.answers(1, "/block?0.4") == server.answers(1, "/block?0.4") == [first]
        with server.connect() as client:
            client.sendall(b"GET /block?1000 HTTP/1.1\r\nHost: x\r\n\r\n")
            server.log.wait_for("has been silent")
            server.log.wait_for('crew.py", line')
            [second] = server.answers()
            assert client.recv(1) == b""
        server.log.wait_for("does not end: killed")
        kill(second, signal.SIGSTOP)
        server.log.wait_for("has been silent", 2)
        assert server.answers() not in ([first], [second])
        server.log.wait_for("does not end: killed", 2)


def test_an_application_that_does_not_end_does_not_hold_up_the_stop() -> None:
    options = "--graceful-timeout", "0.2", "--application-close-timeout", "0.2"
    with Crew("crew:app", *options, noise=True) as server:
        pids = server.pids
        with server.connect() as client:
            client.sendall(b"GET /stay HTTP/1.1\r\nHost: x\r\n\r\n")
            server.stdout.wait_for("stay")
            assert server.stop() == 0
    assert nothing_is_left(server, pids)


@PRELOADS
def test_an_application_that_cannot_start_ends_everything(preload: str) -> None:
    options = "--workers", "2", "--preload", preload
    status, lines = failure("served:failing_startup", *options)
    assert status == 3
    assert any("The application failed to start: no database." in line for line in lines)


def test_a_port_that_is_taken_is_told_before_any_worker_starts() -> None:
    with Serving("served:hello") as server:
        host, port = server.addresses[0]
        options = "-b", host, "-p", str(port), "--workers", "2"
        status, lines = failure("served:hello", *options, port=False)
    assert status == 1
    [line] = lines
    assert "the address is in use" in line


def test_what_is_twisteds_cannot_be_shared() -> None:
    status, lines = failure("served:hello", "--workers", "2", "-e", "stdio:", port=False)
    assert status == 2
    assert "--workers cannot share 'stdio:'" in lines[-1]


# --- Service managers -------------------------------------------------------------------------


def test_a_service_manager_hears_of_the_whole_server_in_its_words(tmp_path: Path) -> None:
    from tests.support.manager import Ear

    with Ear(str(tmp_path / "notify")) as ear:
        environment = {"NOTIFY_SOCKET": ear.name, "WATCHDOG_USEC": "200000"}
        with Crew("crew:app", environment=environment) as server:
            ready = ear.until("READY=1")
            assert ready[-1]["STATUS"] == "Serving: 2 workers"
            ear.until("WATCHDOG=1")
            server.tell(signal.SIGHUP)
            ear.until("RELOADING=1")
            ear.until("READY=1")
            server.tell(signal.SIGUSR2)
            main = ear.until("MAINPID=" + successor_of(server))
            ear.until("READY=1")
            wait_until(lambda: not is_alive(server.pid))
            assert not [words for words in ear.waiting() if "STOPPING" in words]
            os.kill(int(main[-1]["MAINPID"]), signal.SIGTERM)
            ear.until("STOPPING=1")
            wait_until(lambda: not is_alive(int(main[-1]["MAINPID"])))


def successor_of(server: Crew) -> str:
    [line] = server.log.wait_for("takes over when it serves")
    return line.partition("Upgrade: process ")[2].split()[0]
