"""The sockets that workers share: bound once, handed over, kept, given back."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daphne_like.errors import ConfigError, StartupError
from daphne_like.options import configure
from daphne_like.orders import ADMIN
from daphne_like.supervisor.bound import VARIABLE, Bound, kept_as, taken
from daphne_like.transport import activation

DEMO = {"demo": True, "port": 0, "workers": 2}


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    """What was passed to one test is not known to the next."""
    yield
    activation.know([])


def bound(handed: dict[str, int] | None = None, **options: Any) -> Bound:
    return Bound(configure({**DEMO, **options}), handed or {})


def port_of(descriptor: int) -> int:
    with socket.socket(fileno=os.dup(descriptor)) as listening:
        port: int = listening.getsockname()[1]
        return port


def test_every_place_is_bound_once_for_all_workers(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    places = {"unix_socket": path, "host": "127.0.0.1", "endpoints": ("tcp:0:interface=127.0.0.1",)}
    more = {"admin_bind": ("127.0.0.1", 0)}
    sockets = bound(**places, **more)
    names = {"tcp:0:interface=127.0.0.1", "127.0.0.1:0", path, ADMIN}
    assert set(sockets.sockets(1)) == names
    assert sockets.sockets(1) == sockets.sockets(2)
    sockets.release()
    assert not Path(path).exists()


def test_with_reuse_port_every_worker_has_its_own_and_keeps_it() -> None:
    sockets = bound(reuse_port=True, admin_bind=("127.0.0.1", 0))
    one, two = sockets.sockets(1), sockets.sockets(2)
    assert one["127.0.0.1:0"] != two["127.0.0.1:0"]
    assert port_of(one["127.0.0.1:0"]) == port_of(two["127.0.0.1:0"])
    assert one[ADMIN] == two[ADMIN]
    assert sockets.sockets(2) == two
    sockets.release()


def test_a_successor_has_the_same_sockets_and_removes_the_path_in_the_end(tmp_path: Path) -> None:
    places: dict[str, Any] = {"unix_socket": str(tmp_path / "s"), "host": "127.0.0.1"}
    first = bound(reuse_port=True, **places)
    two = first.sockets(2)
    environ = {"LISTEN_PID": "1"}
    descriptors = first.give(environ)
    assert set(environ) == {VARIABLE}
    assert len(descriptors) == 3
    handed = {name: os.dup(number) for name, number in taken(environ).items()}
    assert environ == {}
    second = bound(handed, reuse_port=True, **places)
    assert port_of(second.sockets(2)["127.0.0.1:0"]) == port_of(two["127.0.0.1:0"])
    first.release(keep_paths=True)
    assert (tmp_path / "s").is_socket()
    second.release()
    assert not (tmp_path / "s").exists()


def test_who_has_no_predecessor_takes_nothing() -> None:
    assert taken({}) == {}


class Manager:
    """A service manager that keeps descriptors."""

    def __init__(self) -> None:
        self.kept: list[tuple[int, str]] = []

    def keeps(self, name: str, fileno: int) -> None:
        self.kept.append((os.dup(fileno), name))


def test_what_a_service_manager_has_kept_is_listened_on_again() -> None:
    manager: Any = Manager()
    first = bound(host="127.0.0.1")
    first.keep(manager)
    port = port_of(first.sockets(1)["127.0.0.1:0"])
    first.release()
    activation.know(manager.kept)
    second = bound(host="127.0.0.1")
    assert port_of(second.sockets(1)["127.0.0.1:0"]) == port
    assert [name for _, name in manager.kept] == [kept_as("127.0.0.1:0")]
    second.release()


def test_what_is_twisteds_cannot_be_shared() -> None:
    with pytest.raises(ConfigError, match="--workers cannot share 'stdio:'"):
        bound(port=None, endpoints=("stdio:",))


def test_what_was_bound_is_released_where_another_place_is_taken(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "s"
    with pytest.raises(StartupError, match="is not a socket"):
        bound(port=None, unix_socket=str(tmp_path / "file"), endpoints=(f"unix:{path}",))
    assert not path.exists()


def test_what_only_one_worker_has_listened_on_is_closed_when_it_is_wanted_no_more() -> None:
    sockets = bound(reuse_port=True)
    two, three = sockets.sockets(2), sockets.sockets(3)
    sockets.drop(3)
    [gone] = three.values()
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(gone)
    assert sockets.sockets(2) == two
    sockets.release()


def test_in_a_copy_the_sockets_are_for_who_takes_them() -> None:
    sockets = bound()
    [number] = sockets.sockets(1).values()
    sockets.detach()
    sockets.close()
    assert port_of(number)
    os.close(number)


def test_a_manager_does_not_keep_what_nobody_would_find(tmp_path: Path) -> None:
    manager: Any = Manager()
    sockets = bound(unix_socket=str(tmp_path / "s"))
    sockets.keep(manager)
    assert [name for _, name in manager.kept] == [kept_as("127.0.0.1:0")]
    sockets.release()
    for descriptor, _ in manager.kept:
        os.close(descriptor)
