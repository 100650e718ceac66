"""The application in a process of its own, from an object instead of a name."""

import httpx
import pytest
from report import application

from daphne_like.testing import ServerProcess


def get_application():
    """What the process serves."""
    return application


@pytest.fixture
def url():
    """Serve the application; give its address."""
    server = ServerProcess("127.0.0.1", get_application)
    server.start()
    assert server.ready.wait(30), server.errors.get()
    yield f"http://127.0.0.1:{server.port.value}"
    server.terminate()
    server.join()


def test_the_report_is_whole(url):
    report = httpx.get(url).text.splitlines()
    assert report[0] == "line 0"
    assert len(report) == 1000
