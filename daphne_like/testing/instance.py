"""A server for the length of a ``with``, and an application that remembers what it was told.

The classes are Daphne's, as its own tests and those of others use them. This module must not
know a test runner.
"""

from __future__ import annotations

import multiprocessing
import pickle
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from daphne_like.testing.process import ServerProcess

_ARGUMENTS = (
    "http_timeout",
    "request_buffer_size",
    "websocket_max_message_size",
    "websocket_max_frame_size",
)
_PROXY_HEADERS = {
    "proxy_forwarded_address_header": "X-Forwarded-For",
    "proxy_forwarded_port_header": "X-Forwarded-Port",
    "proxy_forwarded_proto_header": "X-Forwarded-Proto",
}

Message = dict[str, Any]


class BaseDaphneTestingInstance:
    """Serves `application` in a process, at ``host`` and ``port``, until the ``with`` ends.

    With `xff` it believes proxy headers; the other arguments are ``Server``'s, where given.
    Entering raises :class:`RuntimeError` where it does not serve within ``startup_timeout``
    seconds.
    """

    startup_timeout: ClassVar[float] = 10

    def __init__(
        self,
        xff: bool = False,
        http_timeout: float | None = None,
        request_buffer_size: int | None = None,
        websocket_max_message_size: int | None = None,
        websocket_max_frame_size: int | None = None,
        *,
        application: Any,
    ) -> None:
        self.host = "127.0.0.1"
        self.port = 0
        self.xff = xff
        self.http_timeout = http_timeout
        self.request_buffer_size = request_buffer_size
        self.websocket_max_message_size = websocket_max_message_size
        self.websocket_max_frame_size = websocket_max_frame_size
        self.application = application

    def get_application(self) -> Any:
        """The application, asked for in the process."""
        return self.application

    def __enter__(self) -> Self:
        given = {name: getattr(self, name) for name in _ARGUMENTS}
        kwargs = {name: value for name, value in given.items() if value is not None}
        self.process = ServerProcess(
            self.host,
            self.get_application,
            kwargs | (_PROXY_HEADERS if self.xff else {}),
            self.process_setup,
            self.process_teardown,
        )
        self.process.start()
        if not self.process.ready.wait(self.startup_timeout):
            self._end()
            raise RuntimeError(f"The server did not start: {self._why()}")
        self.port = self.process.port.value
        return self

    def _why(self) -> str:
        if self.process.errors.empty():
            return "it has not said why"
        _, traceback = self.process.errors.get()
        return traceback

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()
        del self.process

    def _end(self) -> None:
        self.process.terminate()
        self.process.join()

    def process_setup(self) -> None:
        """Called in the process before it serves."""

    def process_teardown(self) -> None:
        """Called in the process after it has served."""

    def get_received(self) -> Any:
        """What the application has received, where it tells."""


class DaphneTestingInstance(BaseDaphneTestingInstance):
    """Serves a ``TestApplication``; one at a time, for all use the same files."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.lock = multiprocessing.Lock()
        super().__init__(*args, **kwargs, application=TestApplication(self.lock))

    def __enter__(self) -> Self:
        TestApplication.delete_setup()
        TestApplication.delete_result()
        return super().__enter__()

    def get_received(self) -> tuple[Message, list[Message]]:
        """The scope of the last request, and all messages so far.

        Raises what the application has raised, and :class:`ValueError` before there is anything.
        """
        try:
            with self.lock:
                result = TestApplication.load_result()
        except FileNotFoundError:
            raise ValueError("Nothing was received yet.") from None
        if "exception" in result:
            raise result["exception"]
        return result["scope"], result["messages"]

    def add_send_messages(self, messages: Sequence[Message]) -> None:
        """Let the application answer the next message that it receives with these."""
        TestApplication.save_setup(messages)


class TestApplication:
    """Notes every message that it receives, and answers by those that were left for it."""

    __test__ = False  # Not to be collected.

    setup_storage = str(Path(tempfile.gettempdir(), "setup.testio"))
    result_storage = str(Path(tempfile.gettempdir(), "result.testio"))

    def __init__(self, lock: Any) -> None:
        self.lock = lock
        self.messages: list[Message] = []

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        """The application."""
        if scope["type"] == "lifespan":
            raise NotImplementedError("The messages of requests are what is wanted.")
        try:
            left = False
            while not left:
                self.messages.append(await receive())
                left = self.messages[-1]["type"].endswith(".disconnect")
                with self.lock:
                    self.save_result(scope, self.messages)
                answers = self.load_setup()["response_messages"]
                self.delete_setup()
                for message in answers:
                    await send(message)
        except Exception as error:
            self.save_exception(error)

    @classmethod
    def save_setup(cls, response_messages: Sequence[Message]) -> None:
        """Leave messages for the application."""
        _write(cls.setup_storage, {"response_messages": list(response_messages)})

    @classmethod
    def load_setup(cls) -> dict[str, Any]:
        """The messages that were left."""
        try:
            return _read(cls.setup_storage)
        except FileNotFoundError:
            return {"response_messages": []}

    @classmethod
    def save_result(cls, scope: Message, messages: Sequence[Message]) -> None:
        """Leave what was received."""
        _write(cls.result_storage, {"scope": scope, "messages": messages})

    @classmethod
    def save_exception(cls, exception: Exception) -> None:
        """Leave what has ended the application, in the place of what was received."""
        _write(cls.result_storage, {"exception": exception})

    @classmethod
    def load_result(cls) -> dict[str, Any]:
        """What was left last; raises :class:`FileNotFoundError`."""
        return _read(cls.result_storage)

    @classmethod
    def delete_setup(cls) -> None:
        """Take the messages back."""
        Path(cls.setup_storage).unlink(missing_ok=True)

    @classmethod
    def delete_result(cls) -> None:
        """Forget what was received."""
        Path(cls.result_storage).unlink(missing_ok=True)


def _write(path: str, result: dict[str, Any]) -> None:
    Path(path).write_bytes(pickle.dumps(result))


def _read(path: str) -> dict[str, Any]:
    found: dict[str, Any] = pickle.loads(Path(path).read_bytes())
    return found
