"""A certificate for development, kept until it ends: what a browser was told of it stays true.

It must not know who listens.
"""

from __future__ import annotations

import atexit
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

LOCAL = ("localhost", "127.0.0.1", "::1")
"""What this machine is called by itself."""

_EVERYWHERE = {"", "0.0.0.0", "::"}
_AHEAD = timedelta(days=14)
"""A certificate that ends sooner than this is made anew."""


def names_for(host: str | None) -> list[str]:
    """What a server that listens on `host` is called."""
    own = _in_ascii((host or "").strip("[]").lower())
    return list(LOCAL) if own in {*LOCAL, *_EVERYWHERE} else [*LOCAL, own]


def _in_ascii(name: str) -> str:
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError:  # It is no name; whoever listens on it says so.
        return name.encode("ascii", "replace").decode("ascii")


def certificate_for(
    names: Iterable[str],
    environment: Mapping[str, str] = os.environ,
    now: datetime | None = None,
) -> Path:
    """A file with a key and a self-signed certificate for `names`: the one of before if it fits.

    Otherwise a new one, which is also for the names of that before: servers may take turns.
    It is in the user's cache directory, or, where nothing can be kept there, in a temporary one
    that goes with the process.
    """
    now = datetime.now(UTC) if now is None else now
    kept = _cache(environment)
    before = _before(kept)
    names = list(dict.fromkeys([*names, *before.names]))
    try:
        if not (set(names) <= set(before.names) and before.end - now > _AHEAD):
            _write(kept, names, now)
    except OSError:
        directory = tempfile.mkdtemp(prefix="daphne-like-")
        atexit.register(shutil.rmtree, directory, ignore_errors=True)
        kept = Path(directory, kept.name)
        _write(kept, names, now)
    return kept


def _cache(environment: Mapping[str, str]) -> Path:
    """By the XDG base directory specification: what is not absolute does not count."""
    directory = Path(environment.get("XDG_CACHE_HOME", ""))
    home = Path(environment.get("HOME", ""))
    kept = home / ".cache" if home.is_absolute() else Path(os.devnull)
    base = directory if directory.is_absolute() else kept
    return base / "daphne-like" / "development.pem"


class _Before(NamedTuple):
    names: list[str]
    end: datetime


def _before(file: Path) -> _Before:
    """What the certificate is for that is there, and until when."""
    from daphne_like.transport import x509

    try:
        if _is_ours_alone(file):
            pem = file.read_bytes()
            return _Before(x509.names_of(pem), x509.times_of(pem)[1])
    except (OSError, ValueError):
        pass
    return _Before([], datetime.min.replace(tzinfo=UTC))


def _is_ours_alone(file: Path) -> bool:
    """Whether nobody else has made the file, nor can have read the key in it."""
    found = file.lstat()
    if os.name != "posix":
        return True
    alone = found.st_uid == os.geteuid() and not found.st_mode & 0o077
    return alone and stat.S_ISREG(found.st_mode)


def _write(file: Path, names: list[str], now: datetime) -> None:
    """Nobody else ever sees it, nor a half of it."""
    from daphne_like.transport import x509

    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = x509.self_signed(names, now)  # It takes a while; who is killed meanwhile leaves nothing.
    with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as new:  # For its owner only.
        new.write(made)
    Path(new.name).replace(file)
