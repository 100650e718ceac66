"""From when until when a certificate holds."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daphne_like.transport import validity, x509
from daphne_like.transport.validity import Validity, names_a_host, validity_of
from tests.support.certificates import authority, localhost

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
END = BEGIN + timedelta(days=90)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (
            BEGIN - timedelta(seconds=1),
            "is not valid before 2026-03-01 00:00 UTC: until then clients refuse it",
        ),
        (BEGIN, None),
        (END - timedelta(days=14), None),
        (END - timedelta(days=13.9), "ends on 2026-05-30 00:00 UTC: renew it"),
        (END, "ended on 2026-05-30 00:00 UTC: clients refuse it"),
    ],
)
def test_what_there_is_to_say_of_it_at_a_moment(now: datetime, said: str | None) -> None:
    assert Validity(BEGIN, END).doubt(now) == said


@pytest.mark.parametrize("closed", [False, True], ids=["key", "encrypted key"])
def test_it_is_that_of_the_first_certificate_of_a_file(tmp_path: Path, closed: bool) -> None:
    issued = localhost()
    key = issued.encrypted("secret") if closed else issued.key
    file = tmp_path / "server.pem"
    file.write_bytes(key + issued.chain)
    found = validity_of(file, issued.own)
    assert found == x509.times_of(issued.own)
    assert found.end - found.begin == timedelta(days=31)


@pytest.mark.parametrize("there", [True, False])
def test_where_python_does_not_read_it_the_library_does(
    tmp_path: Path, monkeypatch: Any, there: bool
) -> None:
    if not there:
        monkeypatch.setattr(validity, "_decoded", None)
    assert validity_of(tmp_path / "nowhere", localhost().own) == x509.times_of(localhost().own)
    with pytest.raises(ValueError, match=r"PEM|pem"):
        validity_of(tmp_path / "nowhere", b"broken")
    assert names_a_host(tmp_path / "nowhere", localhost().own)
    assert not names_a_host(tmp_path / "nowhere", authority().issue().own)


@pytest.mark.parametrize(("names", "some"), [((), False), (("a.example",), True), (("::1",), True)])
def test_whom_it_is_for_is_in_its_list_of_names(
    tmp_path: Path, names: tuple[str, ...], some: bool
) -> None:
    issued = authority().issue(*names)
    assert names_a_host(Path(issued.write_in_one(tmp_path)), b"") is some


def test_python_reads_it_without_the_library(tmp_path: Path) -> None:
    """When this fails on a new Python, ``validity`` has to be looked at again."""
    chain, _ = localhost().write(tmp_path)
    program = (
        "import sys; from pathlib import Path; from daphne_like.transport import validity;"
        f"validity.validity_of(Path({chain!r}), b'');"
        f"validity.names_a_host(Path({chain!r}), b''); assert 'cryptography' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
