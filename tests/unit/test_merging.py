"""Pages of workers as one page, which Prometheus and an operator read as that of one server."""

from __future__ import annotations

import json

import pytest
from prometheus_client.parser import text_string_to_metric_families

from daphne_like.exposition import COUNTER, GAUGE, Metric, exposition
from daphne_like.merging import best, merged_connections, merged_metrics

PLAIN = Metric("open", GAUGE, "Open connections.")
LABELLED = Metric("requests_total", COUNTER, 'Of "all" kinds.', ("path",))


def test_samples_of_all_workers_stand_under_one_head_with_their_number() -> None:
    pages = {
        "1": exposition([(PLAIN, [((), 3)]), (LABELLED, [(("/{a b}",), 5)])]),
        "2": exposition([(PLAIN, [((), 4)])]),
    }
    text = merged_metrics(pages).decode()
    assert text.count("# TYPE open gauge") == text.count("# HELP open") == 1
    found = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found == {
        ("open", ("worker", "1")): 3,
        ("open", ("worker", "2")): 4,
        ("requests_total", ("path", "/{a b}"), ("worker", "1")): 5,
    }


def test_connections_have_their_worker_and_totals_are_sums() -> None:
    page = {
        "stage": "ready",
        "totals": {"open": 2, "accepted": 5},
        "connections": [{"client": "a"}],
    }
    other = {"stage": "draining", "totals": {"open": 1, "accepted": 1}, "connections": []}
    merged = json.loads(
        merged_connections({"1": json.dumps(other).encode(), "2": json.dumps(page).encode()})
    )
    assert merged == {
        "stage": "ready",
        "workers": [{"worker": 1, "stage": "draining"}, {"worker": 2, "stage": "ready"}],
        "totals": {"open": 3, "accepted": 6},
        "connections": [{"worker": 2, "client": "a"}],
    }


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        (["draining", "ready"], "ready"),
        (["draining", "starting"], "starting"),
        (["stopped", "draining"], "draining"),
        ([], "starting"),
    ],
)
def test_a_server_is_as_far_as_the_best_of_its_workers(stages: list[str], expected: str) -> None:
    assert best(stages) == expected
