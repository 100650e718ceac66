"""Certificates as an operator keeps them: in files, by name, and renewed while we serve.

This module must not know how a context is made of a file, nor who listens.
"""

from __future__ import annotations

import logging
import re
import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from daphne_like.errors import ConfigError
from daphne_like.transport.contexts import (
    Pair,
    Policy,
    ServerContext,
    Words,
    certificates_in,
    context_for,
    facts,
)
from daphne_like.transport.validity import names_a_host, validity_of

_logger = logging.getLogger("daphne_like.server")

_CERTIFICATES = (".crt", ".pem")
_KEYS = ".key"
_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")
"""What OpenSSL looks for in a directory of authorities."""

_NAMELESS = "names no host (subjectAltName)"
_UNHASHED = (
    "has no authority that OpenSSL finds there, by its hash: see openssl rehash; every client's "
    "certificate is refused"
)

Stamp = tuple[tuple[str, ...], ...]
"""How files look from outside: it differs when one was written anew, or replaced."""


class Source(NamedTuple):
    """Where certificates are: a directory of them, by name, and one for everybody else."""

    pair: Pair | None = None
    directory: Path | None = None
    word: str = "--ssl-sni"

    def __str__(self) -> str:
        places = [self.pair.certificate if self.pair else None, self.directory]
        return " and ".join(str(place) for place in places if place is not None)

    def pairs(self) -> list[Pair]:
        """The certificates of the directory, by file name; raises :class:`ConfigError`."""
        if self.directory is None:
            return []
        listed = self._listed()
        found = [
            Pair(path, _key_of(path), words=self._words(path))
            for path in listed
            if path.suffix in _CERTIFICATES
        ]
        if not found:
            deeper = any(path.is_dir() for path in listed)
            deeper_too = "; subdirectories are not looked into" if deeper else ""
            wrong = f"{self.word} {self.directory}: no *.pem or *.crt is in it{deeper_too}"
            raise ConfigError(f"{wrong}.")
        return found

    def _words(self, path: Path) -> Words:
        key = path.with_suffix(_KEYS).name
        keyless = f"put {key} beside it, or keep chains without a key elsewhere"
        lone = f"name it as its certificate's file, NAME{_KEYS}"
        return Words(self.word, self.word, keyless=keyless, lone=lone)

    def _listed(self) -> list[Path]:
        directory = Path(self.directory or "")
        try:
            return sorted(directory.iterdir())
        except OSError as error:
            raise ConfigError(f"{self.word} {directory}: {error.strerror or error}.") from None

    def files(self) -> Iterator[Path]:
        """Every file that counts, as far as it is there."""
        if self.pair is not None:
            yield from (file for file in self.pair[:3] if file is not None)
        if self.directory is not None:
            yield self.directory
            yield from self._listed()


def _key_of(certificate: Path) -> Path:
    beside = certificate.with_suffix(_KEYS)
    return beside if beside.exists() else certificate


class Certificates:
    """The certificates of one listener, as they are now; raises :class:`ConfigError`.

    ``ends`` says until when each file's holds, as far as it can be read; ``reloads`` counts how
    reading them again has ended: ``"complete"`` or ``"failed"``.
    """

    def __init__(
        self,
        source: Source,
        policy: Policy,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._source = source
        self._policy = policy
        self._now = now or partial(datetime.now, UTC)
        self.ends: dict[str, datetime] = {}
        self.reloads: Counter[str] = Counter()
        self._stamp = self._look()
        self.context = self._read()
        self.facts = facts

    def reload(self) -> None:
        """Read the files again; where they are not in order those of before stay."""
        self._stamp = self._look()
        try:
            self.context = self._read()
        except ConfigError as error:
            self.reloads["failed"] += 1
            _logger.error("Keeping the certificates of before: %s", error)
        else:
            self.reloads["complete"] += 1
            _logger.info("Read the certificates of %s again", self._source)

    def check(self) -> None:
        """Read the files again if they have changed since they were read, or were tried."""
        if self._look() != self._stamp:
            self.reload()

    def _look(self) -> Stamp:
        try:
            return tuple(_stamp(file) for file in self._files())
        except ConfigError as error:
            return ((str(error),),)

    def _files(self) -> Iterator[Path]:
        yield from self._source.files()
        for name in (self._policy.authorities, self._policy.dh_parameters):
            if name is not None:
                yield from _and_files(Path(name))

    def _read(self) -> ServerContext:
        """Read all files, any of which may vanish, or be closed to us, at any moment."""
        try:
            return self._chosen()
        except OSError as error:
            raise ConfigError(f"{self._source}: {error.strerror or error}.") from None

    def _chosen(self) -> ServerContext:
        named = [(pair, context_for(pair, self._policy)) for pair in self._source.pairs()]
        table, doubts = _by_name(named)
        if self._source.pair is not None:
            named.insert(0, (self._source.pair, context_for(self._source.pair, self._policy)))
        default = named[0][1]
        if table:
            default.sni_callback = chooser(table)
        for line in (*doubts, *self._doubts(named)):
            _logger.warning("%s", line)
        return default

    def _doubts(self, named: list[tuple[Pair, ServerContext]]) -> Iterator[str]:
        """Which do not hold, or not for long; of those that cannot be read clients will tell."""
        now, self.ends = self._now(), {}
        for pair, context in named:
            place = f"{pair.words.certificate} {pair.certificate}"
            with suppress(ValueError):
                own = context.certificate.encode()
                found = validity_of(pair.certificate, own)
                self.ends[str(pair.certificate)] = found.end
                if doubt := found.doubt(now):
                    yield f"{place} {doubt}"
                if pair is self._source.pair and not names_a_host(pair.certificate, own):
                    yield f"{place} {_NAMELESS}: browsers refuse it"
        if self._policy.clients != "none" and not _can_vouch(Path(str(self._policy.authorities))):
            yield f"--ssl-ca-certs {self._policy.authorities} {_UNHASHED}"


def _by_name(
    named: list[tuple[Pair, ServerContext]],
) -> tuple[dict[str, ServerContext], list[str]]:
    """Each name's context, and what its operator may not have meant."""
    table: dict[str, ServerContext] = {}
    firsts: dict[str, Pair] = {}
    doubts = []
    for pair, context in named:
        place, names = f"{pair.words.certificate} {pair.certificate}", _names_of(pair)
        taken: dict[Path, list[str]] = {}
        for name in names:
            table.setdefault(name, context)
            first = firsts.setdefault(name, pair)
            if first is not pair:
                taken.setdefault(first.certificate, []).append(name)
        for file, lost in taken.items():
            doubts.append(f"{place} is not shown for {', '.join(lost)}: {file} is, which is first")
        if not names:
            doubts.append(f"{place} {_NAMELESS}: it is shown for none")
    return table, doubts


def _names_of(pair: Pair) -> list[str]:
    from daphne_like.transport import x509  # Only who has several certificates pays for it.

    [own, *_] = certificates_in(pair.words.certificate, pair.certificate)
    try:
        return x509.names_of(own)
    except ValueError as error:
        raise ConfigError(f"{pair.words.certificate} {pair.certificate}: {error}.") from None


def chooser(table: dict[str, ServerContext]) -> Callable[[ssl.SSLObject, str | None, Any], None]:
    """What OpenSSL asks for the context to a name: the name's own, or a wildcard's (RFC 6125).

    A wildcard stands for one label. Where there is none the connection keeps the context it has.
    """

    def choose(connection: ssl.SSLObject, name: str | None, _: Any) -> None:
        if name is None:
            return
        name = name.lower()
        found = table.get(name) or table.get("*." + name.partition(".")[2])
        if found is not None:
            connection.context = found

    return choose


def _can_vouch(authorities: Path) -> bool:
    """Whether OpenSSL finds somebody there: of a directory it reads what is named by a hash."""
    names = [file.name for file in _and_files(authorities)]
    return not authorities.is_dir() or any(map(_HASHED.fullmatch, names))


def _and_files(place: Path) -> Iterator[Path]:
    """A file; or a directory and, as far as they can be seen, the files in it."""
    yield place
    with suppress(OSError):
        yield from sorted(place.iterdir())


def _stamp(file: Path) -> tuple[str, ...]:
    try:
        found = file.stat()
    except OSError as error:
        return str(file), str(error.errno)
    return str(file), str(found.st_mtime_ns), str(found.st_size), str(found.st_ino)
