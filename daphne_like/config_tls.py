"""The part of the configuration that is about TLS.

An option is written here as in ``config``, which has the rest. This module must not know what
is done with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from daphne_like.exchange import Address
from daphne_like.option_field import option
from daphne_like.places import insecure_place
from daphne_like.values import requirement

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20"
"""Of TLS 1.2, those that HTTP/2 allows (RFC 9113, appendix A): forward secret, authenticated."""


@dataclass(frozen=True, slots=True)
class TLSConfig:
    """What an operator can set about TLS."""

    ssl_certfile: str | None = option(
        None,
        "--ssl-certfile",
        group="TLS",
        help="A certificate in PEM form, with those that vouch for it behind it (fullchain.pem): "
        "--bind, --unix-socket and --fd then speak https. Endpoint strings say so for themselves, "
        "by ssl: or tls:.",
    )
    ssl_keyfile: str | None = option(
        None,
        "--ssl-keyfile",
        group="TLS",
        help="The certificate's private key; without it, it is looked for in --ssl-certfile.",
    )
    ssl_keyfile_password: str | None = option(
        None,
        "--ssl-keyfile-password",
        group="TLS",
        help="What opens an encrypted key, of --ssl-sni and ssl: too. Every user of the machine "
        "sees command lines: give it by the environment, DAPHNE_LIKE_SSL_KEYFILE_PASSWORD.",
        secret=True,
    )
    ssl_sni: str | None = option(
        None,
        "--ssl-sni",
        group="TLS",
        help="A directory of certificates, of which each client is shown that of the host it asks "
        "for: *.pem with the key inside, or NAME.crt or NAME.pem with NAME.key beside it. Others "
        "are shown --ssl-certfile, or the first.",
    )
    ssl_dev: bool = option(
        False,
        "--ssl-dev",
        group="TLS",
        help="Serve https on this machine with a certificate that is made for it, and signed by "
        "nobody.",
    )
    ssl_cert_reqs: str = option(
        "none",
        "--ssl-cert-reqs",
        group="TLS",
        help="Whether clients have to show a certificate; uvicorn's 0, 1 and 2 mean the same. "
        "ssl: and tls: hear this and what follows too.",
        type=requirement,
        choices=("none", "optional", "required"),
    )
    ssl_ca_certs: str | None = option(
        None,
        "--ssl-ca-certs",
        group="TLS",
        help="The authorities that may vouch for clients: a file, or a directory by OpenSSL's "
        "hashes; needs --ssl-cert-reqs.",
    )
    ssl_min_version: str = option(
        "1.2",
        "--ssl-min-version",
        group="TLS",
        help="The oldest version of TLS that is spoken.",
        choices=("1.2", "1.3"),
    )
    ssl_ciphers: str = option(
        CIPHERS,
        "--ssl-ciphers",
        group="TLS",
        help="The ciphers of TLS 1.2, as OpenSSL writes them; those of 1.3 are all good.",
    )
    insecure_bind: tuple[Address, ...] = option(
        (),
        "--insecure-bind",
        group="TLS",
        help="A place without TLS that redirects every request to https, and serves nothing else: "
        "host:port, [::1]:80, or unix:/path; may be given several times.",
        type=insecure_place,
    )
    https_port: int | None = option(
        None,
        "--https-port",
        group="TLS",
        help="The port that --insecure-bind redirects to, where clients know https by another than "
        "the one that is listened on.",
        type=int,
    )
