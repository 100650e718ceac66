"""What "Serve HTTP/2" shows."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.examples.serving import EXAMPLES, PATIENCE, serving


@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
def test_hints_come_before_the_response(
    tool: Callable[[str], str], tmp_path: Path, version: str
) -> None:
    place = {"directory": EXAMPLES / "http2", "place": tmp_path}
    with serving("hints:application", "-p", "0", **place) as server:
        command = [tool("curl"), version, "-sSi", f"{server.address}/"]
        printed = subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)
    heads = printed.stdout.decode().replace("\r", "").split("\n\n")
    assert [head.split()[1] for head in heads[:2]] == ["103", "200"]
    assert "link: </static/site.css>; rel=preload; as=style" in heads[0]
    assert heads[2].endswith("<p>Slowly made.")
