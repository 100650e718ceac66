"""The application's lifespan: every mode against every way in which an application behaves."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from daphne_like.asgi.lifespan import Lifespan
from daphne_like.errors import AppFault, StartupError
from daphne_like.limits import Limits
from tests.unit.asgi.fakes import run, turn

LIMITS = Limits(startup_timeout=60, shutdown_timeout=10)


def message(what: str, **more: Any) -> dict[str, Any]:
    return {"type": f"lifespan.{what}", **more}


def scripted(*steps: Any) -> Any:
    """An application that receives (``None``), sends a message, or raises, in this order."""

    async def app(scope, receive, send):
        for step in steps:
            if step is None:
                await receive()
            elif isinstance(step, BaseException):
                raise step
            elif isinstance(step, float):
                await asyncio.sleep(step)
            else:
                await send(step)

    return app


STARTED = (None, message("startup.complete"))
WHOLE = (*STARTED, None, message("shutdown.complete"))


async def lived(app: Any, mode: str = "auto") -> Lifespan:
    """Start up and shut down."""
    lifespan = Lifespan(app, LIMITS, mode)
    await lifespan.startup()
    await lifespan.shutdown()
    return lifespan


def startup_error(app: Any, mode: str = "auto") -> StartupError:
    async def main() -> None:
        lifespan = Lifespan(app, LIMITS, mode)
        try:
            await lifespan.startup()
        finally:
            assert lifespan.state is None
            await lifespan.shutdown()
            assert [
                task for task in asyncio.all_tasks() if task is not asyncio.current_task()
            ] == []

    with pytest.raises(StartupError) as caught:
        run(main())
    assert caught.value.exit_status == 3
    return caught.value


@pytest.mark.parametrize("mode", ["auto", "on"])
def test_an_application_is_told_of_start_and_stop_and_keeps_its_state(mode, caplog):
    async def main():
        heard = []

        async def app(scope, receive, send):
            scope["state"]["pool"] = "open"
            heard.append(scope)
            heard.append(await receive())
            await send(message("startup.complete"))
            heard.append(await receive())
            scope["state"]["pool"] = "closed"
            await send(message("shutdown.complete"))

        lifespan = Lifespan(app, LIMITS, mode)
        await lifespan.startup()
        assert lifespan.state == {"pool": "open"}
        await turn()
        assert len(heard) == 2, "no shutdown before its time"
        await lifespan.shutdown()
        assert lifespan.state == {"pool": "closed"}
        assert [heard[0]["type"], *heard[1:]] == [
            "lifespan",
            message("startup"),
            message("shutdown"),
        ]

    run(main())
    assert caplog.records == []


def test_off_never_calls_the_application():
    def app(*_):
        raise AssertionError

    assert run(lived(app, "off")).state is None


# --- Startup ---------------------------------------------------------------------------------

UNSUPPORTED = [
    scripted(ValueError("Django can only handle HTTP")),
    scripted(),
    scripted(None),
]

FAILING = [
    scripted(None, ValueError("no database")),
    scripted(None, message("shutdown.complete")),
]


@pytest.mark.parametrize("app", UNSUPPORTED)
def test_auto_goes_on_without_lifespan_where_the_application_has_none(app, caplog):
    assert run(lived(app)).state is None
    assert caplog.records == []


@pytest.mark.parametrize("app", UNSUPPORTED)
def test_on_does_not(app, caplog):
    assert "does not support lifespan; use --lifespan auto" in str(startup_error(app, "on"))
    raised = app is UNSUPPORTED[0]
    assert [(record.getMessage(), bool(record.exc_info)) for record in caplog.records] == (
        [("Exception in the application's startup:", True)] if raised else []
    )


@pytest.mark.parametrize("app", FAILING)
def test_auto_goes_on_with_a_warning_where_a_startup_has_begun_and_failed(app, caplog):
    assert run(lived(app)).state is None
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "startup failed; it is served without lifespan" in record.getMessage()
    assert record.exc_info[1]


@pytest.mark.parametrize("app", FAILING)
def test_on_says_that_the_startup_failed(app, caplog):
    said = str(startup_error(app, "on"))
    (record,) = caplog.records
    assert record.getMessage() == "Exception in the application's startup:"
    assert said == f"The application's startup failed: {record.exc_info[1]!r}."


@pytest.mark.parametrize("mode", ["auto", "on"])
def test_a_startup_that_exits_ends_the_start_in_one_line(mode, caplog):
    error = startup_error(scripted(SystemExit(4)), mode)
    assert str(error) == "The application's startup called sys.exit(4)."
    assert caplog.records == []


@pytest.mark.parametrize("mode", ["auto", "on"])
@pytest.mark.parametrize("after", [[], [ValueError("as Starlette does")], [1000.0]])
def test_a_failed_startup_ends_the_start_with_the_applications_reason(mode, after, caplog):
    failed = message("startup.failed", message="no database")
    error = startup_error(scripted(None, failed, *after), mode)
    assert str(error) == "The application failed to start: no database."
    assert caplog.records == []


def test_a_failed_startup_may_have_no_reason():
    assert "no reason given" in str(startup_error(scripted(None, message("startup.failed"))))


@pytest.mark.parametrize("app", [scripted(None, 61.0), scripted(1000.0)])
def test_a_startup_that_takes_too_long_is_a_failure_and_is_cancelled(app):
    error = startup_error(app)
    assert "startup took longer than 60 s; see --startup-timeout" in str(error)


def test_a_server_that_stops_before_the_startup_is_over_cancels_it_at_once(caplog):
    async def main():
        async def app(scope, receive, send):
            await receive()
            try:
                await asyncio.sleep(1000)
            finally:
                ends.append(asyncio.get_running_loop().time() - began)

        ends: list[float] = []
        began = asyncio.get_running_loop().time()
        lifespan = Lifespan(app, LIMITS)
        starting = asyncio.create_task(lifespan.startup())
        await turn()
        starting.cancel()
        await asyncio.wait([starting])
        await lifespan.shutdown()
        assert ends == [0]

    run(main())
    assert caplog.records == []


def test_a_shutdown_while_it_still_starts_cancels_it_and_asks_it_nothing(caplog):
    async def main():
        async def app(scope, receive, send):
            heard.append(await receive())
            try:
                await asyncio.sleep(1000)
            finally:
                ends.append(asyncio.get_running_loop().time() - began)

        heard, ends = [], []
        began = asyncio.get_running_loop().time()
        lifespan = Lifespan(app, LIMITS)
        starting = asyncio.create_task(lifespan.startup())
        await turn()
        await lifespan.shutdown()
        await asyncio.wait([starting])
        assert ends == [0]
        assert heard == [message("startup")]
        assert lifespan.state is None

    run(main())
    assert caplog.records == []


def test_a_startup_that_outlives_its_cancellation_is_cancelled_again_in_shutdown():
    async def main():
        async def app(scope, receive, send):
            await receive()
            for _ in range(2):
                try:
                    await asyncio.sleep(1000)
                except asyncio.CancelledError:
                    cancelled.append(asyncio.get_running_loop().time() - began)

        cancelled: list[float] = []
        began = asyncio.get_running_loop().time()
        lifespan = Lifespan(app, LIMITS)
        with pytest.raises(StartupError):
            await lifespan.startup()
        await lifespan.shutdown()
        assert cancelled == [60, 61], "one second to end by itself"
        assert len(asyncio.all_tasks()) == 1

    run(main())


# --- Between the two -------------------------------------------------------------------------


def test_a_lifespan_that_breaks_while_the_server_runs_is_logged_once(caplog):
    async def main():
        lifespan = Lifespan(scripted(*STARTED, 5.0, ValueError("a background task")), LIMITS)
        await lifespan.startup()
        await asyncio.sleep(10)
        assert lifespan.state == {}, "requests are served on"
        await lifespan.shutdown()

    run(main())
    (record,) = caplog.records
    assert record.getMessage() == "Exception in the application's lifespan:"
    assert "a background task" in str(record.exc_info[1])


def test_a_lifespan_that_returns_while_the_server_runs_is_over(caplog):
    assert run(lived(scripted(*STARTED))).state == {}
    assert caplog.records == []


@pytest.mark.parametrize("raises", [False, True])
def test_one_that_nobody_waits_for_any_more_may_say_and_raise_what_it_likes(raises, caplog):
    """As frameworks do that take their cancellation for a failure."""

    async def main():
        async def app(scope, receive, send):
            await scripted(*STARTED)(scope, receive, send)
            try:
                await receive()
            except asyncio.CancelledError as error:
                await send(message("shutdown.failed"))
                ends.append("sent")
                if raises:
                    raise ValueError("cancelled") from error
                raise

        ends: list[str] = []
        lifespan = Lifespan(app, LIMITS)
        await lifespan.startup()
        await turn()
        lifespan.abandon()
        (task,) = asyncio.all_tasks() - {asyncio.current_task()}
        task.cancel()
        await asyncio.wait([task])
        assert ends == ["sent"]

    run(main())
    assert caplog.records == []


# --- Shutdown --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "logged"),
    [
        ([message("shutdown.complete")], []),
        ([message("shutdown.complete"), 0.5], []),
        ([message("shutdown.complete"), 1000.0], []),
        ([message("shutdown.complete"), ValueError("too late to matter")], []),
        ([], []),
        ([message("shutdown.failed", message="why")], ["The application failed to shut down: why"]),
        ([message("shutdown.failed")], ["The application failed to shut down: "]),
        ([ValueError("in shutdown")], ["Exception in the application's shutdown:"]),
        ([SystemExit(4)], ["Exception in the application's shutdown:"]),
        ([GeneratorExit()], ["Exception in the application's shutdown:"]),
        (
            [11.0],
            ["The application's shutdown took longer than 10 s; see --shutdown-timeout."],
        ),
    ],
)
def test_a_shutdown_never_raises_and_says_what_went_wrong_once(steps, logged, caplog):
    async def main():
        lifespan = await lived(scripted(*STARTED, None, *steps))
        await lifespan.shutdown()
        assert len(asyncio.all_tasks()) == 1, "nothing is left behind"

    run(main())
    assert [record.getMessage() for record in caplog.records] == logged


def test_an_application_that_ignores_its_cancellation_is_not_waited_for():
    async def main():
        async def app(scope, receive, send):
            await scripted(*WHOLE)(scope, receive, send)
            while not released:
                try:
                    await asyncio.sleep(1000)
                except asyncio.CancelledError:
                    continue

        released: list[bool] = []
        began = asyncio.get_running_loop().time()
        await lived(app)
        assert asyncio.get_running_loop().time() - began == 2
        released.append(True)
        await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()})

    run(main())


# --- Messages in the wrong order -------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        ([message("shutdown.complete")], "startup"),
        ([None, message("shutdown.failed")], "startup"),
        ([None, {"type": "http.response.start"}], "startup"),
        ([None, {}], "startup"),
        ([*STARTED, message("startup.complete")], "startup"),
        ([*STARTED, message("shutdown.complete")], "startup"),
        ([*STARTED, None, message("startup.complete")], "shutdown"),
        ([*WHOLE, message("shutdown.complete")], "shutdown"),
        ([*WHOLE, message("shutdown.failed")], "shutdown"),
    ],
)
def test_a_message_out_of_its_order_raises_in_the_application(steps, state):
    raised: list[AppFault] = []
    *before, wrong = steps

    async def app(scope, receive, send):
        await scripted(*before)(scope, receive, send)
        with pytest.raises(AppFault) as caught:
            await send(wrong)
        raised.append(caught.value)

    run(lived(app))
    (error,) = raised
    assert (error.state, error.message) == (state, wrong.get("type"))


def test_a_message_before_anything_was_asked_raises_too():
    async def main():
        with pytest.raises(AppFault) as caught:
            await Lifespan(scripted(), LIMITS)._send(message("startup.complete"))
        assert caught.value.state == "IDLE"

    run(main())
