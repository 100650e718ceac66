"""Metrics: what is counted, and that Prometheus can read it."""

from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.task import Clock

from daphne_like import __version__
from daphne_like import metrics as module
from daphne_like.exchange import Record
from daphne_like.limits import Limits
from daphne_like.metrics import DURATIONS, METRICS, Requests, Sources, metrics
from daphne_like.resources import Resources
from daphne_like.testing import RecordingOpen
from daphne_like.transport.handshakes import Handshakes
from daphne_like.watchdog import Watchdog
from daphne_like.wire.shared import DefaultFields, Shared
from tests.unit.asgi.fakes import request

LOOP = type("Loop", (), {"__module__": "uvloop.loop"})()
USED = Resources(1.5, 1000.25, 4096, 8192, 7, 20, 3)


class Scraped:
    """What Prometheus reads; the value of a sample by its name and its labels."""

    def __init__(self, *records: Record, watchdog: Watchdog | None = None) -> None:
        self.shared = Shared(RecordingOpen(), Clock(), Limits(), DefaultFields())
        self.live: list[Any] = []
        self.requests = Requests()
        self.watchdog = watchdog
        self.handshakes = Handshakes(self.shared)
        self.certificates: list[Any] = []
        for each in records:
            self.requests(each)

    @property
    def text(self) -> bytes:
        application: Any = SimpleNamespace(live=self.live, loop=LOOP)
        measured = self.watchdog, self.handshakes, self.certificates
        return metrics(Sources(self.requests, self.shared, application, *measured))

    @property
    def families(self) -> dict[str, Any]:
        return {found.name: found for found in text_string_to_metric_families(self.text.decode())}

    def __call__(self, name: str, **labels: str) -> float | None:
        found = [
            sample.value
            for family in self.families.values()
            for sample in family.samples
            if sample.name == name and sample.labels == labels
        ]
        return found[0] if found else None


def record(method: str = "GET", status: int | None = 200, **changes: Any) -> Record:
    values: dict[str, Any] = {
        "kind": "http",
        "request": request(method, http_version=changes.pop("http_version", "1.1")),
        "status": status,
        "bytes_in": 10,
        "bytes_out": 100,
        "started": 1000.0,
        "first_byte": 0.25,
        "duration": 0.5,
        "outcome": "complete",
    }
    return Record(**{**values, **changes})


@pytest.fixture(autouse=True)
def used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "resources", lambda: USED)


def test_requests_are_counted_by_protocol_method_and_status():
    scraped = Scraped(
        record(), record(), record("POST", 201), record(http_version="1.0"), record(status=404)
    )

    def counted(protocol: str, method: str, status: str) -> float | None:
        labels = {"protocol": protocol, "method": method, "status": status}
        return scraped("daphne_like_requests_total", **labels)

    assert counted("1.1", "GET", "200") == 2
    assert counted("1.1", "POST", "201") == 1
    assert counted("1.0", "GET", "200") == 1
    assert counted("1.1", "GET", "404") == 1


def test_methods_that_clients_make_up_are_counted_as_one():
    scraped = Scraped(*(record(f"METHOD{number}") for number in range(1000)))
    labels = {"protocol": "1.1", "method": "OTHER", "status": "200"}
    assert scraped("daphne_like_requests_total", **labels) == 1000
    assert len(scraped.requests.series) == 1


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (None, "none"),
        (1000, "1000"),
        (1006, "1006"),
        (3000, "3000"),
        (3999, "3000"),
        (4999, "4000"),
    ],
)
def test_a_close_code_that_is_anybodys_choice_counts_with_its_thousand(code, status):
    scraped = Scraped(record(status=code, kind="websocket"))
    labels = {"protocol": "1.1", "method": "GET", "status": status}
    assert scraped("daphne_like_requests_total", **labels) == 1


def test_one_without_an_answer_has_no_status_and_no_first_byte():
    scraped = Scraped(record(status=None, first_byte=None, outcome="disconnected"))
    labels = {"protocol": "1.1", "method": "GET", "status": "none"}
    assert scraped("daphne_like_requests_total", **labels) == 1
    assert scraped("daphne_like_response_first_byte_seconds_count", kind="http") == 0
    assert scraped("daphne_like_request_duration_seconds_count", kind="http") == 1


def test_outcomes_are_counted():
    scraped = Scraped(record(), record("POST"), record(outcome="failed", status=500))
    assert scraped("daphne_like_request_outcomes_total", outcome="complete") == 2
    assert scraped("daphne_like_request_outcomes_total", outcome="failed") == 1
    assert scraped("daphne_like_request_outcomes_total", outcome="timed out") is None


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("daphne_like_request_duration_seconds", "duration"),
        ("daphne_like_response_first_byte_seconds", "first_byte"),
    ],
)
def test_times_are_told_apart_by_their_length_and_by_the_kind_of_request(name, field):
    times = [0.0, 0.001, 0.0011, 0.3, 60.0, 3600.0]
    records = [record(**{field: seconds}, method="GET") for seconds in times]
    scraped = Scraped(*records, record("POST", **{field: 0.002}), record(kind="websocket"))
    found = {bound: scraped(f"{name}_bucket", kind="http", le=repr(bound)) for bound in DURATIONS}
    assert found == {
        bound: sum(seconds <= bound for seconds in [*times, 0.002]) for bound in DURATIONS
    }
    assert scraped(f"{name}_bucket", kind="http", le="+Inf") == 7
    assert scraped(f"{name}_count", kind="websocket") == 1
    assert math.isclose(scraped(f"{name}_sum", kind="http") or 0, sum(times) + 0.002)


def test_bytes_of_bodies_are_added_up():
    scraped = Scraped(record(), record("POST", bytes_in=1, bytes_out=2))
    assert scraped("daphne_like_request_body_bytes_total", kind="http") == 11
    assert scraped("daphne_like_response_body_bytes_total", kind="http") == 102


def test_refusals_tell_their_status_and_their_reason_whatever_it_is():
    scraped = Scraped()
    scraped.shared.refusals[400, 'bad "x\\y"\n'] = 3
    scraped.shared.refusals[408, "slow"] = 1
    name = "daphne_like_refusals_total"
    assert scraped(name, status="400", reason='bad "x\\y"\n') == 3
    assert scraped(name, status="408", reason="slow") == 1


def test_what_is_open_and_what_runs_is_counted_when_it_is_asked_for():
    scraped = Scraped()
    assert scraped("daphne_like_connections") == 0
    scraped.shared.connections.add(object())
    scraped.shared.accepted = 5
    kinds = None, None, "websocket"
    scraped.live = [SimpleNamespace(request=request(upgrade=kind)) for kind in kinds]
    assert scraped("daphne_like_connections") == 1
    assert scraped("daphne_like_connections_accepted_total") == 5
    assert scraped("daphne_like_applications_running") == 3
    assert scraped("daphne_like_websockets") == 1


def test_handshakes_and_certificates_are_told_of_where_tls_is_spoken():
    scraped = Scraped()
    assert b"_tls_" not in scraped.text
    end = datetime(2030, 1, 1, tzinfo=UTC)
    scraped.certificates = [
        SimpleNamespace(ends={"/a.pem": end}, reloads=Counter(complete=2)),
        SimpleNamespace(ends={"/a.pem": end, "/b.pem": end}, reloads=Counter(complete=1, failed=1)),
    ]
    scraped.handshakes.outcomes["failed"] = 3
    assert scraped("daphne_like_tls_handshakes_total", outcome="failed") == 3
    assert scraped("daphne_like_tls_handshakes_pending") == 0
    name = "daphne_like_tls_certificate_expiry_timestamp_seconds"
    assert len(scraped.families[name].samples) == 2
    assert scraped(name, certificate="/b.pem") == end.timestamp()
    reloads = "daphne_like_tls_certificate_reloads_total"
    assert [scraped(reloads, outcome=name) for name in ("complete", "failed")] == [3, 1]


def test_the_watchdogs_figures_are_there_with_a_watchdog_alone():
    clock = Clock()
    watchdog = Watchdog(clock, 1.0, now=clock.seconds, cpu=lambda: 0.0)
    watchdog.pulse.start()
    for seconds in (0.0, 0.75, 0.5):
        clock.advance(seconds)
    watchdog.blocks, watchdog.blocked = 2, 7.5
    scraped = Scraped(watchdog=watchdog)
    assert scraped("daphne_like_event_loop_lag_seconds") == 0
    assert scraped("daphne_like_event_loop_lag_max_seconds") == 0.25
    assert scraped("daphne_like_event_loop_delay_seconds_bucket", le="0.1") == 2
    assert scraped("daphne_like_event_loop_delay_seconds_count") == 3
    assert scraped("daphne_like_event_loop_blocks_total") == 2
    assert scraped("daphne_like_event_loop_blocked_seconds_total") == 7.5
    assert b"event_loop" not in Scraped().text


def test_what_the_process_uses_has_the_names_that_all_use():
    scraped = Scraped()
    assert {
        name: scraped(name)
        for family in scraped.families
        if family.startswith("process")
        for name in [sample.name for sample in scraped.families[family].samples]
    } == {
        "process_cpu_seconds_total": 1.5,
        "process_start_time_seconds": 1000.25,
        "process_resident_memory_bytes": 4096,
        "process_virtual_memory_bytes": 8192,
        "process_open_fds": 7,
        "process_max_fds": 20,
        "process_threads": 3,
    }


@pytest.mark.parametrize("found", [None, USED._replace(most_files=None)])
def test_what_is_not_known_is_not_there(monkeypatch, found):
    monkeypatch.setattr(module, "resources", lambda: found)
    assert Scraped()("process_max_fds") is None
    assert Scraped()("process_threads") == (found and 3)


def test_what_runs_is_in_the_labels_of_a_one():
    (sample,) = Scraped().families["daphne_like_info"].samples
    assert sample.value == 1
    assert sample.labels["version"] == __version__
    assert sample.labels["loop"] == "uvloop"


@pytest.mark.parametrize(("compiled", "label"), [(True, "true"), (False, "false")])
def test_one_of_the_labels_is_whether_it_is_compiled(monkeypatch, compiled, label):
    monkeypatch.setattr(module, "is_compiled", lambda: compiled)
    (sample,) = Scraped().families["daphne_like_info"].samples
    assert sample.labels["compiled"] == label


def test_every_metric_has_a_sentence_and_a_name_as_prometheus_advises():
    names = [metric.name for metric, _ in METRICS]
    assert len(set(names)) == len(names)
    for metric, _ in METRICS:
        assert metric.help.endswith(".")
        assert metric.name.startswith(("daphne_like_", "process_"))
        assert (metric.kind == "counter") == metric.name.endswith("_total")
