"""How long an HTTP/2 connection waits for its client, and how it ends in order.

One deadline for the connection's own state, one for all of its streams, one for a client that
reads nothing, one for its signs of life: each is moved by writing a number. This module must not
know how anything is read or written.
"""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any

from daphne_like.clock import ROUND_TRIP, Deadline
from daphne_like.wire.http2_engine import NGH2Error
from daphne_like.wire.http2_output import Output

_ARE_YOU_THERE = b"there?  "
_GOODBYE = b"goodbye "


class Patience(Output):
    """The deadlines of one connection, and its end."""

    _leaving_in_steps = False
    """The client has been told that the end is near."""
    _goodbye_said = False
    """The client knows which streams were taken: there will be no others."""

    def _set_up_time(self) -> None:
        clock = self._shared.clock
        self._deadline = Deadline(clock, self._deadline_passed)
        self._alarm = Deadline(clock, self._look_round)
        self._patience = Deadline(clock, self._patience_over)
        self._pulse = Deadline(clock, self._feel_pulse)
        self._alarm_at = math.inf
        self._beating = False
        self._pinged = False
        self._unsent_before = 0
        self._heard_at = self._window_opened_at = clock.seconds()

    def _stop_time(self) -> None:
        for deadline in (self._deadline, self._alarm, self._patience, self._pulse):
            deadline.end()

    # --- Streams --------------------------------------------------------------------------

    def in_time(self, seconds: float) -> float:
        """The moment in `seconds`, at which the streams will be looked at."""
        at = self._shared.clock.seconds() + seconds
        if at < self._alarm_at:
            self._alarm_at = at
            self._alarm.set(seconds)
        return at

    def _look_round(self) -> None:
        now = self._shared.clock.seconds()
        self._alarm_at = math.inf
        for stream in list(self._streams.values()):
            at = stream.look_round(now)
            if at < self._alarm_at:
                self._alarm_at = at
                self._alarm.set(at - now)

    def _window_updated(self, event: Any) -> None:
        """The client lets more come; of the whole connection it is said on stream 0."""
        if not event.stream_id:
            self._window_opened_at = self._shared.clock.seconds()

    def waits_for_others(self, number: int) -> bool:
        """Whether it is not for its own client's slowness that the stream `number` waits."""
        if self.full:
            return True
        since = self._shared.clock.seconds() - self._window_opened_at
        has_window = self.engine.stream_remote_window_size(number) > 0
        return bool(has_window and since < self.limits.write_timeout)

    # --- The client -----------------------------------------------------------------------

    def _heard(self) -> None:
        """The client is there: it has sent something, or taken what waited for it."""
        self._heard_at = self._shared.clock.seconds()
        self._pinged = False

    def _begin_pulse(self) -> None:
        """From now on the client has a reason to be there."""
        if self.limits.http2_ping_interval:
            self._beat(self.limits.http2_ping_interval)

    def _beat(self, seconds: float) -> None:
        self._beating = True
        self._pulse.set(seconds)

    def _feel_pulse(self) -> None:
        self._beating = False
        if not self._streams or self._over:
            return
        silent = self._shared.clock.seconds() - self._heard_at
        interval = self.limits.http2_ping_interval
        if self.full:
            # A ping would have to wait; whether the client reads is its sign of life.
            self._beat(interval)
        elif self._pinged:
            self.cut("no answer to a ping")
        elif silent < interval:
            self._beat(interval - silent)
        else:
            self._ping(_ARE_YOU_THERE)
            self._pinged = self.limits.http2_ping_timeout > 0
            self._beat(self.limits.http2_ping_timeout or interval)

    def _ping(self, what: bytes) -> None:
        with suppress(NGH2Error):
            self.engine.ping(what)
        self.flush()

    def _expect_reading(self) -> None:
        """The client has to take something of what waits for it from now on."""
        self._unsent_before = self._unsent()
        self._patience.set(self.limits.write_timeout)

    def _patience_over(self) -> None:
        if not self.full:
            return
        if self._unsent() < self._unsent_before:
            self._expect_reading()
        else:
            self.cut("the client takes nothing of the responses")

    # --- The end --------------------------------------------------------------------------

    def _deadline_passed(self) -> None:
        if self._over:
            self.transport.abortConnection()
        elif self._leaving_in_steps or not self._streams:
            self._say_goodbye()

    def drain(self) -> None:
        """The server stops: the client is told twice, and what it has asked for is served."""
        for stream in list(self._streams.values()):
            stream.drain()
        self._begin_goodbye()

    def _begin_goodbye(self) -> None:
        """First no stream is named: some may be on their way (RFC 9113, section 6.8)."""
        if self._over or self._leaving_in_steps:
            return
        self._leaving_in_steps = True
        self._deadline.set(ROUND_TRIP)
        with suppress(NGH2Error):
            self.engine.send_shutdown_notice()
        self._ping(_GOODBYE)

    def _ping_acknowledged(self, event: Any) -> None:
        if event.opaque_data == _GOODBYE and self._leaving_in_steps:
            self._say_goodbye()

    def _say_goodbye(self) -> None:
        """The client has heard of it: what has come until now is all that is served."""
        if self._goodbye_said or self._over:
            return
        self._leaving_in_steps = self._goodbye_said = True
        self._deadline.clear()
        with suppress(NGH2Error):
            self.engine.send_goaway(0)
        self.flush()
        if not self._streams:
            self._close()

    def _close(self) -> None:
        """Close, but not with unread input: the reset would destroy what is in flight."""
        if self._over:
            return
        if not self._dead:
            self._write_out()
        self._over = True
        self._pulse.stop()
        self._alarm.stop()
        self._linger()

    def _linger(self) -> None:
        if self.full:
            # The time for it begins when all is on its way: see resumeProducing.
            self._deadline.clear()
            return
        self._deadline.set(self.limits.linger)
        self.transport.unregisterProducer()
        self.transport.loseWriteConnection()

    def cut(self, reason: str) -> None:
        """Close at once; the exchanges are told that their client is gone."""
        self._over = True
        self._end_streams(reason)
        self.transport.abortConnection()
