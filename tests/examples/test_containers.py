"""What `deploy/docker` and `deploy/kubernetes` say, without Docker: served, probed, stopped."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from daphne_like import cli
from daphne_like.limits import Limits
from tests.examples.serving import DEPLOY, EXAMPLES, PATIENCE, Server, serving

FRAMEWORKS = EXAMPLES / "frameworks"
DOCKERFILE = DEPLOY / "docker/Dockerfile"
DEPLOYMENT = yaml.safe_load((DEPLOY / "kubernetes/deployment.yaml").read_text())
SERVICE = yaml.safe_load((DEPLOY / "kubernetes/service.yaml").read_text())
POD = DEPLOYMENT["spec"]["template"]["spec"]
[CONTAINER] = POD["containers"]
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def instructions(dockerfile: Path) -> dict[str, str]:
    """The last instruction of each kind, as Docker takes it."""
    lines = re.sub(r"^#.*\n", "", dockerfile.read_text(), flags=re.MULTILINE)
    pairs = (line.split(maxsplit=1) for line in lines.replace("\\\n", " ").splitlines() if line)
    return {name: value.strip() for name, value in pairs}


IMAGE = instructions(DOCKERFILE)
ENTRYPOINT: list[str] = json.loads(IMAGE["ENTRYPOINT"])


def on_loopback(arguments: list[str]) -> list[str]:
    """The same arguments, on ports that the kernel picks and that nobody else reaches."""
    changes = {
        r"\b8000\b": "0",
        r":9000\b": ":0",
        r"\b0\.0\.0\.0\b": "127.0.0.1",
        r"^--drain-delay=10$": "--drain-delay=3",
    }
    for pattern, replacement in changes.items():
        arguments = [re.sub(pattern, replacement, argument) for argument in arguments]
    return arguments


@contextmanager
def container(arguments: list[str], place: Path) -> Iterator[tuple[Server, dict[int, int]]]:
    """Run what a container runs; where its ports are."""
    assert ENTRYPOINT == ["daphne-like"]
    with serving(*on_loopback(arguments), directory=FRAMEWORKS, place=place) as server:
        found = re.search(r"Admin pages on http://127\.0\.0\.1:(\d+)\n", server.log)
        assert found is not None
        yield server, {8000: server.port, 9000: int(found[1])}


# --- The image --------------------------------------------------------------------------------


def test_the_image_is_nobodys_in_particular_and_stopped_by_the_servers_signal() -> None:
    user = int(IMAGE["USER"].partition(":")[0])
    assert user > 0
    assert IMAGE["STOPSIGNAL"] == "SIGTERM"
    assert IMAGE["EXPOSE"] == "8000"


def test_the_image_serves_is_healthy_and_stops(tmp_path: Path) -> None:
    options, _, command = IMAGE["HEALTHCHECK"].partition("CMD ")
    assert "--start-period=60s" in shlex.split(options)
    program, *words = json.loads(command)
    assert program == "python"
    with container(json.loads(IMAGE["CMD"]), tmp_path) as (server, ports):
        check = [sys.executable, *(word.replace("9000", str(ports[9000])) for word in words)]
        healthy = subprocess.run(check, timeout=PATIENCE, capture_output=True, check=False)
        answer = httpx.get(f"http://127.0.0.1:{ports[8000]}/hello/image", timeout=PATIENCE)
        assert server.stop() == 0
        gone = subprocess.run(check, timeout=PATIENCE, capture_output=True, check=False)
    assert healthy.returncode == 0, healthy.stderr
    assert answer.text == "Hello, image!\n"
    assert gone.returncode == 1
    assert "WARNING" not in server.log


def test_a_compiled_image_is_run_as_the_other_one_is() -> None:
    kinds = ("USER", "ENV", "EXPOSE", "STOPSIGNAL", "ENTRYPOINT", "CMD", "HEALTHCHECK")
    compiled = instructions(DEPLOY / "docker/compiled/Dockerfile")
    assert [compiled[kind] for kind in kinds] == [IMAGE[kind] for kind in kinds]


def test_a_compiled_image_is_built_for_the_python_that_it_has() -> None:
    text = (DEPLOY / "docker/compiled/Dockerfile").read_text()
    build, served = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert served == f"{build}-slim" == IMAGE["FROM"]


# --- The pod ----------------------------------------------------------------------------------


def port_of(name: str) -> int:
    [number] = [port["containerPort"] for port in CONTAINER["ports"] if port["name"] == name]
    return int(number)


def test_kubernetes_runs_the_image_with_arguments_of_its_own() -> None:
    assert "command" not in CONTAINER
    assert "--port=8000" in CONTAINER["args"]
    assert "--admin-bind=0.0.0.0:9000" in CONTAINER["args"]
    assert (port_of("http"), port_of("admin")) == (8000, 9000)


def test_the_service_finds_the_pods_and_their_port() -> None:
    template = DEPLOYMENT["spec"]["template"]["metadata"]
    selected = DEPLOYMENT["spec"]["selector"]["matchLabels"]
    assert SERVICE["spec"]["selector"] == template["labels"] == selected
    [port] = SERVICE["spec"]["ports"]
    assert port_of(port["targetPort"]) == 8000
    scraped = template["annotations"]
    assert int(scraped["prometheus.io/port"]) == port_of("admin")
    assert scraped["prometheus.io/path"] == "/metrics"


def test_a_pod_is_probed_used_and_stopped_as_kubernetes_does(tmp_path: Path) -> None:
    with container(CONTAINER["args"], tmp_path) as (server, ports):
        for probe in PROBES:
            asked = CONTAINER[probe]["httpGet"]
            address = f"http://127.0.0.1:{ports[port_of(asked['port'])]}{asked['path']}"
            # As the kubelet does: to the pod's address, which is no allowed host of Django's.
            headers = {"Host": "10.1.2.3:9000", "Connection": "close"}
            assert httpx.get(address, headers=headers, timeout=PATIENCE).status_code == 200
        with httpx.stream("GET", f"{server.address}/countdown", timeout=PATIENCE) as response:
            lines = response.iter_text()
            first = next(lines)
            server.process.terminate()
            server.wait_for("Stopping: serving on for 3 s")
            ready = httpx.get(f"http://127.0.0.1:{ports[9000]}/readyz", timeout=PATIENCE)
            late = httpx.get(f"{server.address}/hello/late", timeout=PATIENCE)
            whole = first + "".join(lines)
        assert server.process.wait(PATIENCE) == 0
    assert ready.status_code == 503
    assert late.text == "Hello, late!\n"
    assert whole == "3\n2\n1\n"


def limits_of(arguments: list[str]) -> Limits:
    return cli.configured(arguments).limits


def _checks(name: str) -> float:
    """Seconds until a probe is believed to have failed, but for its last time."""
    probe = CONTAINER[name]
    return float(probe["periodSeconds"] * (probe["failureThreshold"] - 1))


def test_kubernetes_waits_longer_than_a_stop_may_take() -> None:
    limits = limits_of(CONTAINER["args"])
    application = 2 * limits.application_close_timeout + limits.shutdown_timeout
    assert limits.drain_delay > _checks("readinessProbe")
    longest = limits.drain_delay + limits.graceful_timeout + application
    assert POD["terminationGracePeriodSeconds"] > longest


def test_kubernetes_waits_longer_than_a_start_may_take() -> None:
    probe = CONTAINER["startupProbe"]
    longest = limits_of(CONTAINER["args"]).startup_timeout
    assert probe["periodSeconds"] * probe["failureThreshold"] > longest


@pytest.mark.parametrize("probe", PROBES)
def test_only_whether_it_lives_decides_about_its_life(probe: str) -> None:
    asked: dict[str, Any] = CONTAINER[probe]["httpGet"]
    assert asked["path"] == ("/livez" if probe == "livenessProbe" else "/readyz")
