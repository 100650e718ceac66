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

LOCAL = ("localhost", "127.0.0.1", "::1")
"""What this machine is called by itself."""

_EVERYWHERE = {"", "0.0.0.0", "::"}
_AHEAD = timedelta(days=14)
"""A certificate that ends sooner than this is made anew."""


def names_for(host: str | None) -> list[str]:
    """What a server that listens on `host` is called."""
    own = (host or "").strip("[]").lower()
    return list(LOCAL) if own in {*LOCAL, *_EVERYWHERE} else [*LOCAL, own]


def certificate_for(
    names: Iterable[str],
    environment: Mapping[str, str] = os.environ,
    now: datetime | None = None,
) -> Path:
    """A file with a key and a self-signed certificate for `names`: the one of before if it fits.

    It is in the user's cache directory, or, where nothing can be kept there, in a temporary one
    that goes with the process.
    """
    now = datetime.now(UTC) if now is None else now
    names = list(names)
    kept = _cache(environment)
    try:
        if not _fits(kept, names, now):
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
    home = Path(environment.get("HOME", os.devnull))
    base = directory if directory.is_absolute() else home / ".cache"
    return base / "daphne-like" / "development.pem"


def _fits(file: Path, names: list[str], now: datetime) -> bool:
    from daphne_like.transport import x509

    try:
        if not _is_ours_alone(file):
            return False
        pem = file.read_bytes()
        return set(names) <= set(x509.names_of(pem)) and x509.end_of(pem) - now > _AHEAD
    except (FileNotFoundError, ValueError):
        return False


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
    with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as new:  # For its owner only.
        new.write(x509.self_signed(names, now))
    Path(new.name).replace(file)
