"""nginx and haproxy, run with the configuration files of ``deploy/``."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.examples.serving import DEPLOY, PATIENCE

MAIN = """
daemon off;
worker_processes 1;
{user}
error_log stderr;
pid {place}/nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
    proxy_read_timeout {patience};
    include {place}/mysite.conf;
}}
"""

HTTP_1_1 = "proxy_http_version 1.1;"


@contextmanager
def nginx(
    program: str,
    example: str,
    upstream: str,
    place: Path,
    *,
    http: str = "1.1",
    patience: str = "60s",
    changes: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Run nginx with an example, whose upstream's address is replaced; give its own address.

    It waits for the server's next word for `patience`, which is nginx's own default. `changes`
    are other words for some of the example's.

    nginx takes over a socket that the kernel has chosen a port for, as it would in an upgrade.
    """
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    with listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        text = (DEPLOY / "nginx" / example).read_text()
        assert "listen 80;" in text
        assert HTTP_1_1 in text
        for shown, meant in (changes or {}).items():
            assert shown in text
            text = text.replace(shown, meant)
        text = text.replace("listen 80;", f"listen {address};")
        text = text.replace(HTTP_1_1, f"proxy_http_version {http};")
        for shown in ("127.0.0.1:8000", "unix:/run/mysite/http.sock"):
            text = text.replace(f"server {shown} ", f"server {upstream} ")
        (place / "mysite.conf").write_text(text)
        user = "user root;" if os.geteuid() == 0 else ""
        (place / "nginx.conf").write_text(MAIN.format(place=place, user=user, patience=patience))
        command = [program, "-c", str(place / "nginx.conf"), "-p", str(place), "-e", "stderr"]
        checked = subprocess.run(
            [*command, "-t"], capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert checked.returncode == 0, checked.stderr
        with (place / "nginx.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                env={**os.environ, "NGINX": f"{listener.fileno()};"},
                pass_fds=[listener.fileno()],
                stdout=log,
                stderr=log,
            )
        try:
            yield f"http://{address}"
        finally:
            process.terminate()
            process.wait(PATIENCE)


@contextmanager
def haproxy(
    program: str,
    example: str,
    upstream: str,
    place: Path,
    *,
    version: int = 2,
    patience: str = "",
) -> Iterator[str]:
    """Run haproxy with an example, whose upstream's address is replaced; give its own address.

    It listens on a socket that the kernel has chosen a port for. `patience` is for connections
    on which nothing comes any more, instead of the example's.
    """
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    with listener:
        text = (DEPLOY / "haproxy" / example).read_text()
        for shown, meant in (
            ("bind :80\n", f"bind fd@{listener.fileno()}\n"),
            ("server one 127.0.0.1:8000 ", f"server one {upstream} "),
        ):
            assert shown in text
            text = text.replace(shown, meant)
        if patience:
            text = re.sub(r"timeout (client|server|tunnel) \w+", rf"timeout \1 {patience}", text)
        if version == 1:
            text = text.replace(" send-proxy-v2 ", " send-proxy ")
        (place / "haproxy.cfg").write_text(text)
        command = [program, "-db", "-f", str(place / "haproxy.cfg")]
        checked = subprocess.run(
            [*command, "-c"],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            pass_fds=[listener.fileno()],
            check=False,
        )
        assert checked.returncode == 0, checked.stderr
        with (place / "haproxy.log").open("wb") as log:
            process = subprocess.Popen(
                command, pass_fds=[listener.fileno()], stdout=log, stderr=log
            )
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            process.terminate()
            process.wait(PATIENCE)
