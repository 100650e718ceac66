"""The application's lifespan: startup, shutdown and the state that requests share.

ASGI lifespan 2.0. This module must not know who starts and stops the server.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from daphne_like.asgi.application import ASGIApplication
from daphne_like.asgi.scope import Message, lifespan_scope
from daphne_like.errors import AppFault, StartupError
from daphne_like.limits import Limits

_logger = logging.getLogger("daphne_like.lifespan")

MODES = ("auto", "on", "off")

_UNSUPPORTED = "The application does not support lifespan; use --lifespan auto or off."
_FAILED = "The application's startup failed: {!r}."
_FAILED_BUT = (
    "The application's startup failed; it is served without lifespan, which --lifespan on "
    "would not do:"
)


class Lifespan:
    """Runs the application once with a lifespan scope, for as long as the server lives.

    Mode ``auto`` goes on without lifespan where the application raises on it, ``on`` takes
    that for a failure, ``off`` never asks. "If an exception is raised when calling the
    application callable with a lifespan.startup message or a scope of type lifespan, the
    server must continue but not send any lifespan events": where the application has got
    the message, it knows lifespan, and a warning says that it failed.
    """

    def __init__(self, call: ASGIApplication, limits: Limits, mode: str = "auto") -> None:
        self._call = call
        self._limits = limits
        self._mode = mode
        self._task: asyncio.Task[None] | None = None
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._answer: asyncio.Future[Message] | None = None
        self._phase = ""
        self._received = self._abandoned = False
        self.state: dict[str, Any] | None = None

    async def startup(self) -> None:
        """Wait until the application has started.

        Raises :class:`StartupError` (exit status 3) where it fails or takes too long.
        """
        if self._mode == "off":
            return
        state: dict[str, Any] = {}
        self._task = asyncio.ensure_future(self._run(state))
        try:
            answer = await self._ask("startup", self._limits.startup_timeout)
        except asyncio.CancelledError:
            await self._ended(grace=0)  # The server stops before it has started.
            raise
        if answer is None:
            raise await self._late("startup", self._limits.startup_timeout)
        kind = answer["type"]
        if kind == "lifespan.startup.complete":
            self.state = state
        elif kind == "lifespan.startup.failed":
            await self._ended()
            raise StartupError(
                f"The application failed to start: {answer.get('message') or 'no reason given'}.",
                3,
            )
        else:
            self._not_started(answer.get("error"))

    async def shutdown(self) -> None:
        """Let the application shut down; never raises, failures are logged.

        One that is still starting up is cancelled: it has nothing to shut down yet.
        """
        if self._task is None or self._task.done():
            return
        if self.state is None:
            await self._ended(grace=0)
            return
        answer = await self._ask("shutdown", self._limits.shutdown_timeout)
        if answer is None:
            _logger.error("%s", await self._late("shutdown", self._limits.shutdown_timeout))
        elif answer["type"] == "lifespan.shutdown.failed":
            _logger.error("The application failed to shut down: %s", answer.get("message", ""))
        elif answer.get("error") is not None:
            _logger.error("Exception in the application's shutdown:", exc_info=answer["error"])
        await self._ended()

    def abandon(self) -> None:
        """Whatever the application still says or raises here, nobody waits for it any more.

        Frameworks take their cancellation for a failure, and say so when nobody has asked.
        """
        self._abandoned = True

    async def _ask(self, phase: str, seconds: float) -> Message | None:
        """Send the phase's message and wait for its answer; ``None`` if none comes in time."""
        self._phase = phase
        self._answer = asyncio.get_running_loop().create_future()
        self._messages.put_nowait({"type": f"lifespan.{phase}"})
        done, _ = await asyncio.wait([self._answer], timeout=seconds)
        return self._answer.result() if done else None

    async def _late(self, phase: str, seconds: float) -> StartupError:
        await self._ended(grace=0)
        return StartupError(
            f"The application's {phase} took longer than {seconds} s; see --{phase}-timeout.",
            3,
        )

    def _not_started(self, error: BaseException | None) -> None:
        """The application has raised, or returned, instead of answering."""
        if isinstance(error, SystemExit):
            raise StartupError(f"The application's startup called sys.exit({error.code!r}).", 3)
        failed = error is not None and self._received
        if self._mode == "on":
            if error is not None:
                _logger.error("Exception in the application's startup:", exc_info=error)
            raise StartupError(_FAILED.format(error) if failed else _UNSUPPORTED, 3)
        if failed:
            _logger.warning(_FAILED_BUT, exc_info=error)
        else:
            _logger.debug("The application does not support lifespan: %r", error)

    async def _ended(self, grace: float = 1.0) -> None:
        task = self._task
        assert task is not None
        if not task.done() and grace:
            await asyncio.wait([task], timeout=grace)
        if not task.done():
            self.abandon()
            task.cancel()
            await asyncio.wait([task], timeout=1)

    async def _run(self, state: dict[str, Any]) -> None:
        try:
            await self._call(lifespan_scope(state), self._receive, self._send)
        except (asyncio.CancelledError, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._raised(error)
        finally:
            self._settle({"type": "ended"})

    def _raised(self, error: BaseException) -> None:
        if self._abandoned:
            _logger.debug("The application's lifespan, cancelled, ended by %r", error)
        elif self._phase == "startup" and self.state is not None:
            _logger.error("Exception in the application's lifespan:", exc_info=error)
        self._settle({"type": "ended", "error": error})

    async def _receive(self) -> Message:
        message = await self._messages.get()
        self._received = True
        return message

    async def _send(self, message: Message) -> None:
        if self._abandoned:
            return
        kind = message.get("type")
        expected = (f"lifespan.{self._phase}.complete", f"lifespan.{self._phase}.failed")
        if kind not in expected or self._answer is None or self._answer.done():
            raise AppFault(self._phase or "IDLE", kind, "this message is not expected now")
        self._settle(message)

    def _settle(self, answer: Message) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)
