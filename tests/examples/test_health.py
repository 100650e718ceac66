"""What "Watch a server" says of Prometheus, and what its files ask it for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from daphne_like.metrics import METRICS
from tests.examples.pages import DOCS, rows, section
from tests.examples.serving import DEPLOY, EXAMPLES, PATIENCE, Server, serving

PAGE = DOCS / "how-to/health.md"
PROMETHEUS = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
[ALERTS] = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())["groups"]
KINDS = {metric.name: metric for metric, _ in METRICS}
SUFFIX = re.compile(r"_(bucket|sum|count)$")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    words = ("hello:application", "-p", "0", "--admin-bind", "127.0.0.1:0")
    with serving(*words, directory=EXAMPLES / "tutorial", place=tmp_path) as server:
        yield server


def admin(server: Server, path: str) -> httpx.Response:
    found = re.search(r"Admin pages on (\S+)\n", server.log)
    assert found is not None
    return httpx.get(found[1] + path, timeout=PATIENCE)


def test_the_pages_are_those_that_the_page_lists(server: Server) -> None:
    listed = [row[0].strip("`") for row in rows(section(PAGE, "On an address of its own"))]
    assert admin(server, "/").text == f"There is {', '.join(listed)}.\n"
    assert [admin(server, path).status_code for path in listed] == [200] * 4


def test_connections_have_the_fields_that_the_page_lists(server: Server) -> None:
    with httpx.Client(timeout=PATIENCE) as client:
        client.get(server.address)
        page: dict[str, Any] = admin(server, "/connections").json()
    [connection] = page["connections"]
    listed = " ".join(row[0] for row in rows(section(PAGE, "What it does at the moment")))
    for name in ("client", "peer", "age", "requests", "state", "totals.running"):
        assert f"`{name}`" in listed
    assert {"client", "peer", "age", "requests", "state"} <= set(connection)
    assert json.dumps(page["totals"]["running"]) == "0"


def test_prometheus_is_told_where_the_metrics_are(server: Server) -> None:
    [job] = PROMETHEUS["scrape_configs"]
    assert PROMETHEUS["rule_files"] == ["alerts.yml"]
    assert job["static_configs"][0]["targets"][0].endswith(":9000")
    assert "9000" in PAGE.read_text()
    assert b"# TYPE daphne_like_info gauge" in admin(server, job["metrics_path"]).content


@pytest.mark.parametrize("alert", ALERTS["rules"], ids=lambda alert: alert["alert"])
def test_an_alert_asks_for_metrics_and_labels_that_there_are(alert: dict[str, Any]) -> None:
    [job] = PROMETHEUS["scrape_configs"]
    asked = re.findall(r"\b((?:daphne_like|process|up)\w*)(?:\{([^}]*)\})?", alert["expr"])
    assert asked
    for name, selected in asked:
        labels = dict(re.findall(r'(\w+)=~?"([^"]*)"', selected))
        assert labels.pop("job", job["job_name"]) == job["job_name"]
        if name != "up":
            assert set(labels) <= set(KINDS[SUFFIX.sub("", name)].labels)
