"""The exposition format: read back by Prometheus' own reader."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from daphne_like.exposition import COUNTER, GAUGE, HISTOGRAM, Histogram, Metric, exposition

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


def read(text: bytes) -> dict[str, Any]:
    return {family.name: family for family in text_string_to_metric_families(text.decode())}


def test_a_counter_and_a_gauge_as_they_are_written():
    requests = Metric("requests_total", COUNTER, "Requests.", ("method", "status"))
    lag = Metric("lag_seconds", GAUGE, "How late.")
    samples = [(("GET", "200"), 3), (("HEAD", "404"), 1)]
    assert exposition([(requests, samples), (lag, [((), 0.5)])]).decode() == (
        "# HELP requests_total Requests.\n"
        "# TYPE requests_total counter\n"
        'requests_total{method="GET",status="200"} 3\n'
        'requests_total{method="HEAD",status="404"} 1\n'
        "# HELP lag_seconds How late.\n"
        "# TYPE lag_seconds gauge\n"
        "lag_seconds 0.5\n"
    )


def test_a_histogram_as_it_is_written():
    sizes = Histogram((0.5, 1.0))
    for value in (0.25, 0.5, 1.0, 7.0):
        sizes.observe(value)
    assert exposition([(Metric("s", HISTOGRAM, "Sizes.", ("kind",)), [(("a",), sizes)])]) == (
        b"# HELP s Sizes.\n"
        b"# TYPE s histogram\n"
        b's_bucket{kind="a",le="0.5"} 2\n'
        b's_bucket{kind="a",le="1.0"} 3\n'
        b's_bucket{kind="a",le="+Inf"} 4\n'
        b's_sum{kind="a"} 8.75\n'
        b's_count{kind="a"} 4\n'
    )


def test_a_metric_without_samples_is_left_out():
    assert exposition([(Metric("x", GAUGE, "Nothing."), [])]) == b""


def test_histograms_add_up():
    sizes = Histogram((1.0,))
    sizes.observe(2.0)
    sizes.add([2, 3], 9.0)
    assert (sizes.counts, sizes.total) == ([2, 4], 11.0)


@pytest.mark.parametrize("labels", [(), ("a", "b")])
def test_a_sample_has_a_value_for_each_label(labels):
    with pytest.raises(ValueError, match="zip"):
        exposition([(Metric("x", GAUGE, "One.", labels), [(("1",), 1)])])


@given(texts, texts, st.floats(allow_nan=False, min_value=0))
def test_whatever_a_label_and_a_help_say_is_read_back(text, said, value):
    metric = Metric("x", GAUGE, said, ("label",))
    family = read(exposition([(metric, [((text,), value)])]))["x"]
    (sample,) = family.samples
    assert (sample.labels, sample.value) == ({"label": text}, value)


@given(st.lists(st.floats(0, 1e6)))
def test_whatever_a_histogram_has_seen_is_read_back(values):
    seen = Histogram((0.001, 0.5, 1.0, 60.0))
    for value in values:
        seen.observe(value)
    family = read(exposition([(Metric("s", HISTOGRAM, "Seconds."), [((), seen)])]))["s"]
    assert family.type == "histogram"
    found = {sample.labels.get("le", sample.name): sample.value for sample in family.samples}
    for bound in seen.bounds:
        assert found[repr(bound)] == sum(value <= bound for value in values)
    assert found["+Inf"] == found["s_count"] == len(values)
    assert math.isclose(found["s_sum"], math.fsum(values), rel_tol=1e-9, abs_tol=1e-9)
