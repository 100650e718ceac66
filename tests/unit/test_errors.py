"""The exception tree: what each error says, and which is a mere disconnect."""

from __future__ import annotations

import itertools
import pickle

import pytest

from daphne_like.errors import (
    AppFault,
    ClientDisconnected,
    ConfigError,
    DaphneLikeError,
    RemoteFault,
    StartupError,
    is_disconnect,
)


@pytest.mark.parametrize("kind", [ConfigError, StartupError, RemoteFault, AppFault])
def test_our_errors_have_one_root(kind: type[Exception]) -> None:
    assert issubclass(kind, DaphneLikeError)


def test_a_bad_configuration_ends_the_process_with_2() -> None:
    assert ConfigError("no such option").exit_status == 2


def test_a_failed_start_ends_the_process_with_1_unless_it_says_otherwise() -> None:
    assert StartupError("address in use").exit_status == 1
    error = StartupError("the application cannot start", 3)
    assert (str(error), error.exit_status) == ("the application cannot start", 3)


def test_a_remote_fault_has_a_status_for_the_peer_and_a_reason_for_the_log() -> None:
    fault = RemoteFault(400, "no Host")
    assert (fault.status, fault.reason, str(fault)) == (400, "no Host", "no Host")


def test_an_applications_fault_names_state_message_and_rule() -> None:
    fault = AppFault("IDLE", "http.response.body", "this message is not expected now")
    assert str(fault) == "'http.response.body' in state IDLE: this message is not expected now"
    assert (fault.state, fault.message) == ("IDLE", "http.response.body")
    assert fault.fault == "this message is not expected now"


def test_a_disconnect_is_an_oserror() -> None:
    """As the ASGI HTTP spec 2.4 wants it."""
    assert issubclass(ClientDisconnected, OSError)


def test_groups_of_disconnects_are_disconnects() -> None:
    gone = ClientDisconnected("the client has left")
    assert is_disconnect(gone)
    assert is_disconnect(ExceptionGroup("tasks", [gone, ExceptionGroup("more", [gone])]))


def test_a_group_with_anything_else_is_none() -> None:
    gone, other = ClientDisconnected("the client has left"), OSError("disk full")
    assert not is_disconnect(other)
    assert not is_disconnect(ExceptionGroup("tasks", [gone, other]))
    assert not is_disconnect(BaseExceptionGroup("tasks", [gone, KeyboardInterrupt()]))


def raised(*links: BaseException) -> BaseException:
    """The last of `links`, each raised while the one before it was handled."""
    for before, after in itertools.pairwise(links):
        after.__context__ = before
    return links[-1]


def test_what_a_framework_makes_of_a_disconnect_is_one() -> None:
    """As Starlette raises its own `ClientDisconnect` from an OSError."""
    gone = ClientDisconnected("the client has left")
    assert is_disconnect(raised(gone, RuntimeError("theirs"), RuntimeError("and theirs again")))
    caused = RuntimeError("theirs")
    caused.__cause__ = gone
    assert is_disconnect(ExceptionGroup("tasks", [caused]))
    assert is_disconnect(raised(ExceptionGroup("tasks", [gone]), RuntimeError("theirs")))


def test_another_error_is_none_whatever_it_came_from() -> None:
    assert not is_disconnect(raised(OSError("disk full"), RuntimeError("theirs")))
    one, other = RuntimeError("one"), RuntimeError("other")
    one.__context__, other.__context__ = other, one
    assert not is_disconnect(one)


def test_a_circle_of_causes_has_an_end() -> None:
    """Starlette raises a group's only member with the group as its context."""
    for inner, left in ((KeyError("mine"), False), (ClientDisconnected("gone"), True)):
        group = ExceptionGroup("a task group", [inner])
        inner.__context__ = group
        assert is_disconnect(inner) is left
        assert is_disconnect(group) is left
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert not is_disconnect(one)


def test_a_group_may_hold_the_same_error_twice() -> None:
    gone = ClientDisconnected("gone")
    assert is_disconnect(ExceptionGroup("twice", [gone, gone]))


def test_a_fault_of_the_application_is_a_value_error_that_reaches_another_process() -> None:
    fault = pickle.loads(pickle.dumps(AppFault("IDLE", "http.response.start", "no status")))
    assert isinstance(fault, ValueError)
    assert str(fault) == "'http.response.start' in state IDLE: no status"
    assert (fault.state, fault.message, fault.fault) == ("IDLE", "http.response.start", "no status")
