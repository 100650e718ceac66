"""Each framework's application, served once for all tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.frameworks.serving import ServingFramework
from tests.live.serving import PATIENCE


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[ServingFramework]:
    """The server of the application that the test's parameter, or its module's `APP`, names.

    Some views fail on purpose, so what is logged is for the tests to judge.
    """
    path = getattr(request, "param", None) or request.module.APP
    with ServingFramework(path, noise=True) as running:
        yield running


@pytest.fixture
def client(server: ServingFramework) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=PATIENCE) as made:
        yield made
