"""What a configuration says about TLS: whose certificates, for which listeners, and how strict.

This module must not know how a connection is encrypted, nor how a certificate is read: that is
the transport's.
"""

from __future__ import annotations

import logging
from pathlib import Path

from daphne_like.clock import DelayedCall
from daphne_like.config import Config
from daphne_like.transport import development
from daphne_like.transport.arrival import Roll
from daphne_like.transport.certificates import Certificates, Source
from daphne_like.transport.contexts import Pair, Policy
from daphne_like.transport.handshakes import Handshakes
from daphne_like.transport.tls import Secured

_logger = logging.getLogger("daphne_like.server")

_REASON = b"This port speaks TLS: ask for https://, not http://.\n"
SPEAKS_TLS = (
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n\r\n%b"
) % (len(_REASON), _REASON)
"""What a client is told that speaks plain HTTP where TLS is spoken."""


class Encryption:
    """TLS for one server: its handshakes, and its certificates, which are kept up to date.

    `protocols` are what may be agreed on by ALPN, the best first. ``certificates`` has those of
    each listener that speaks TLS.
    """

    def __init__(self, config: Config, roll: Roll, protocols: tuple[bytes, ...]) -> None:
        self._config = config
        self._protocols = protocols
        self._clock = roll.clock
        self._seconds = roll.limits.certificate_check
        self.handshakes = Handshakes(roll, SPEAKS_TLS)
        self.certificates: list[Certificates] = []
        self._armed: DelayedCall | None = None

    def of_options(self) -> Secured | None:
        """TLS for what options listen on, if they say so; raises :class:`ConfigError`."""
        source = self._source()
        return None if source is None else self.secured(source)

    def _source(self) -> Source | None:
        config = self._config
        if config.ssl_dev:
            file = development.certificate_for(development.names_for(config.host))
            _logger.info("Certificate for development, signed by itself: %s", file)
            return Source(Pair(file, file))
        pair = None
        if config.ssl_certfile is not None:
            key = config.ssl_keyfile or config.ssl_certfile
            pair = Pair(Path(config.ssl_certfile), Path(key))
        directory = None if config.ssl_sni is None else Path(config.ssl_sni)
        return None if pair is None and directory is None else Source(pair, directory)

    def secured(self, source: Source, dh_parameters: str | None = None) -> Secured:
        """TLS with the certificates of `source`; raises :class:`ConfigError`."""
        config = self._config
        policy = Policy(
            self._protocols,
            config.ssl_keyfile_password,
            config.ssl_cert_reqs,
            config.ssl_ca_certs,
            config.ssl_ciphers,
            config.ssl_min_version,
            dh_parameters,
        )
        certificates = Certificates(source, policy)
        self.certificates.append(certificates)
        return Secured(self.handshakes, certificates)

    # --- Renewal --------------------------------------------------------------------------

    def reload(self) -> None:
        """Read all certificates again: new connections are shown them."""
        if not self.certificates:
            _logger.info("There are no certificates to read again")
        for certificates in self.certificates:
            certificates.reload()

    def start(self) -> None:
        """Look at the files from time to time, if there are any to look at."""
        if self.certificates and self._seconds:
            self._armed = self._clock.callLater(self._seconds, self._check)

    def _check(self) -> None:
        self.start()  # First: whatever is wrong with a file, it is looked at again.
        for certificates in self.certificates:
            certificates.check()

    def stop(self) -> None:
        """Look at them no more: nothing is left in the clock."""
        if self._armed is not None:
            self._armed.cancel()
            self._armed = None
