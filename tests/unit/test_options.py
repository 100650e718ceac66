"""The one table of options, and what makes a configuration valid."""

import math
from dataclasses import fields

import pytest

from daphne_like.config import GROUPS, Config
from daphne_like.errors import ConfigError
from daphne_like.limits import LIMITS, Limits
from daphne_like.options import APPLICATION, OPTIONS, RIVALS, configure

BY_NAME = {option.name: option for option in OPTIONS}
DAPHNES = {
    "-b",
    "--bind",
    "-p",
    "--port",
    "-u",
    "--unix-socket",
    "--fd",
    "-e",
    "--endpoint",
    "-v",
    "--verbosity",
    "-t",
    "--http-timeout",
    "--access-log",
    "--log-fmt",
    "--ping-interval",
    "--ping-timeout",
    "--websocket_timeout",
    "--websocket_connect_timeout",
    "--websocket-max-message-size",
    "--websocket-max-frame-size",
    "--application-close-timeout",
    "--root-path",
    "--proxy-headers",
    "--proxy-headers-host",
    "--proxy-headers-port",
    "-s",
    "--server-name",
    "--no-server-name",
}


UVICORNS = {
    "--host": "host",
    "--uds": "unix_socket",
    "--log-level": "verbosity",
    "--no-server-header": "no_server_name",
    "--ssl-certfile": "ssl_certfile",
    "--ssl-keyfile": "ssl_keyfile",
    "--ssl-keyfile-password": "ssl_keyfile_password",
    "--ssl-cert-reqs": "ssl_cert_reqs",
    "--ssl-ca-certs": "ssl_ca_certs",
    "--ssl-ciphers": "ssl_ciphers",
    "--timeout-keep-alive": "keep_alive",
    "--timeout-graceful-shutdown": "graceful_timeout",
    "--h11-max-incomplete-event-size": "head_size",
    "--ws-ping-interval": "ping_interval",
    "--ws-ping-timeout": "ping_timeout",
    "--ws-max-size": "websocket_max_message_size",
    "--ws-close-timeout": "websocket_close_timeout",
}


def test_every_option_of_daphne_is_there_with_its_spelling() -> None:
    spellings = {flag for option in OPTIONS for flag in option.flags}
    assert spellings >= DAPHNES


def test_no_spelling_means_two_things() -> None:
    spellings = [flag for option in OPTIONS for flag in option.flags]
    assert sorted(spellings) == sorted(set(spellings))


def test_every_option_sets_a_field_and_every_limit_has_an_option() -> None:
    known = {item.name for item in fields(Config)} | set(LIMITS)
    assert set(BY_NAME) <= known
    assert set(LIMITS) <= set(BY_NAME)


def test_rivals_are_options() -> None:
    assert {name for pair in RIVALS for name in pair} <= {APPLICATION.name, *BY_NAME}


def test_options_come_by_group() -> None:
    order = [GROUPS.index(option.group) for option in OPTIONS]
    assert order == sorted(order)


@pytest.mark.parametrize(
    ("name", "default"),
    [("ping_interval", 20), ("ping_timeout", 30), ("websocket_timeout", 86400),
     ("websocket_connect_timeout", 5), ("websocket_max_message_size", 1 << 20),
     ("websocket_max_frame_size", 1 << 20), ("application_close_timeout", 10),
     ("http_timeout", None), ("verbosity", 1), ("keep_alive", 75)],
)  # fmt: skip
def test_defaults_are_daphnes_or_the_designs(name, default) -> None:
    assert BY_NAME[name].default == default


@pytest.mark.parametrize(
    ("name", "group"),
    [("http2_streams", "HTTP/2"), ("no_h2c", "HTTP/2"), ("ping_interval", "WebSocket"),
     ("websockets_per_client", "WebSocket"), ("head_size", "Limits")],
)  # fmt: skip
def test_a_limit_stands_with_the_options_of_its_kind(name, group) -> None:
    assert BY_NAME[name].group == group


def test_an_option_knows_its_kind() -> None:
    assert BY_NAME["demo"].switch
    assert not BY_NAME["port"].switch
    assert BY_NAME["endpoints"].repeatable
    assert not BY_NAME["demo"].repeatable
    assert BY_NAME["host"].long_flag == "--bind"
    assert BY_NAME["lifespan"].choices == ("auto", "on", "off")
    assert BY_NAME["backlog"].parse("3") == 3
    assert BY_NAME["keep_alive"].parse("3") == 3.0
    assert BY_NAME["http_timeout"].parse("3") == 3.0


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("port", "x", "--port 'x' is not a whole number."),
        ("port", "1.5", "--port '1.5' is not a whole number."),
        ("keep_alive", "soon", "--keep-alive 'soon' is not a number of seconds."),
        ("http_timeout", "1s", "--http-timeout '1s' is not a number of seconds."),
        ("headers", "x", "--header 'x': write it as 'name: value'."),
        ("lifespan", "no", "--lifespan 'no' is not one of auto, on, off."),
        (
            "verbosity",
            "loud",
            "--verbosity 'loud' is not a whole number or one of critical, error, "
            "warning, info, debug, trace.",
        ),
        ("demo", "maybe", "--demo 'maybe' is not one of 1, true, yes, on, 0, false, no, off."),
    ],
)
def test_a_text_that_is_no_value_is_refused(name, text, said) -> None:
    with pytest.raises(ConfigError) as refusal:
        BY_NAME[name].parse(text)
    assert str(refusal.value) == said


@pytest.mark.parametrize(
    ("text", "value"), [("1", True), ("True", True), ("YES", True), ("on", True),
                        ("0", False), ("false", False), ("No", False), ("off", False)]
)  # fmt: skip
def test_a_switch_is_told_in_words(text, value) -> None:
    assert BY_NAME["demo"].parse(text) is value


@pytest.mark.parametrize(
    ("text", "value"), [("critical", -2), ("ERROR", -1), ("warning", 0), ("info", 1), ("Debug", 2),
                        ("trace", 3), ("2", 2)]
)  # fmt: skip
def test_a_verbosity_has_a_name(text, value) -> None:
    assert BY_NAME["verbosity"].parse(text) == value


def test_an_option_is_called_by_its_long_flags() -> None:
    assert BY_NAME["host"].names == ("bind", "host")
    assert BY_NAME["websocket_timeout"].names == ("websocket-timeout",)
    assert BY_NAME["concurrency"].names == ("limit-concurrency",)
    assert APPLICATION.names == ("application",)


def test_uvicorns_spellings_mean_the_same() -> None:
    spelled = {flag: option.name for option in OPTIONS for flag in option.flags}
    assert {name: spelled[flag] for flag, name in UVICORNS.items()} == {
        name: name for name in UVICORNS.values()
    }


EMPTY = {"root_path", "server_name"}


@pytest.mark.parametrize("option", [option for option in OPTIONS if not option.switch])
def test_an_empty_value_as_from_an_unset_variable_is_refused(option) -> None:
    if option.name in EMPTY:
        assert option.parse("") == ""
        return
    with pytest.raises(ConfigError) as refusal:
        option.parse("")
    assert str(refusal.value).startswith(f"{option.long_flag} is empty: ")


def test_values_go_where_they_belong() -> None:
    config = configure({"application": "a:b", "port": 1, "keep_alive": 3.0})
    assert (config.application, config.port, config.limits.keep_alive) == ("a:b", 1, 3.0)
    assert config.limits.backlog == Limits().backlog


HERE = (("127.0.0.1", 80),)


@pytest.mark.parametrize(
    "values", [{"endpoints": ("tcp:80", "haproxy:ssl:443")}, {"https_port": 443}]
)
def test_who_redirects_to_https_knows_where_it_is(values) -> None:
    config = configure({"demo": True, "insecure_bind": HERE, **values})
    assert config.insecure_bind == HERE


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "No application: give it as module:attribute, or try --demo"),
        ({"application": "a:b", "demo": True}, "An application and --demo"),
        ({"demo": True, "port": 65536}, "--port 65536 is not between 0 and 65535"),
        ({"demo": True, "port": -1}, "--port -1 is not between"),
        ({"demo": True, "verbosity": 4}, "--verbosity 4 is not between -2 and 3"),
        ({"demo": True, "verbosity": -3}, "--verbosity -3 is not between -2 and 3"),
        ({"demo": True, "keep_alive": -1.0}, "--keep-alive -1.0 is negative"),
        ({"demo": True, "keep_alive": math.nan}, "--keep-alive nan is not a number of seconds"),
        ({"demo": True, "keep_alive": math.inf}, "--keep-alive inf is not a number of seconds"),
        ({"demo": True, "host": "127.0.0.1:80"}, "--bind 127.0.0.1:80: .* own option, --port 80"),
        ({"demo": True, "host": "unix:/tmp/x"}, "--bind unix:/tmp/x: .* --unix-socket /tmp/x"),
        ({"demo": True, "host": "[::1]:80"}, "--port 80"),
        ({"demo": True, "host": ":80"}, "--port 80"),
        ({"demo": True, "unix_socket": "/x", "unix_mode": "rw"}, "--unix-mode 'rw': write .* 660"),
        ({"demo": True, "unix_socket": "/x", "unix_mode": "669"}, "--unix-mode '669': write"),
        ({"demo": True, "unix_socket": "/x", "unix_mode": "4660"}, "--unix-mode '4660': write"),
        ({"demo": True, "unix_mode": "660"}, "--unix-socket has to be passed for --unix-mode"),
        (
            {"demo": True, "unix_socket": "/x", "reuse_port": True},
            "--reuse-port is for --bind and --port: give one of them",
        ),
        ({"demo": True, "health_path": "health"}, "--health-path 'health': write .*/health for"),
        ({"demo": True, "health_path": "/ok?"}, "--health-path '/ok\\?': write a path"),
        ({"demo": True, "health_path": "/caf\xe9"}, "--health-path '/caf\xe9': write a path"),
        ({"demo": True, "websocket_timeout": -2.0}, "--websocket_timeout -2.0 is negative"),
        ({"demo": True, "root_path": "foo"}, "--root-path foo has no slash .*: write /foo"),
        ({"demo": True, "unsent_budget": 2**31}, "--unsent-budget 2147483648 is .* 2147483647 at"),
        ({"demo": True, "backlog": 2**31}, "--backlog 2147483648 is too much; 2147483647 at most"),
        (
            {"demo": True, "wsgi_threads": 0},
            "--wsgi-threads 0: nothing could run; give 1 or more.",
        ),
        (
            {"demo": True, "max_requests_jitter": 1},
            "--limit-max-requests-jitter is nothing without --limit-max-requests",
        ),
        ({"demo": True, "request_id": "Host"}, "--request-id 'Host' cannot .* try X-Request-ID"),
        ({"demo": True, "request_id": "é"}, "--request-id 'é' cannot be its header"),
        (
            {"demo": True, "insecure_bind": HERE},
            "--insecure-bind has no https to redirect to: give --ssl-certfile, or say where",
        ),
        (
            {"demo": True, "insecure_bind": HERE, "endpoints": ("tcp:443",)},
            "--insecure-bind has .* or say where it is by --https-port",
        ),
        ({"demo": True, "insecure_bind": HERE, "https_port": 0}, "--https-port 0 is not between 1"),
        ({"demo": True, "insecure_bind": HERE, "https_port": 65536}, "--https-port 65536 is not"),
        (
            {"demo": True, "tls_empty_size": 17408},
            "--tls-empty-size 17408 is less than a record: give 0, or 17409 up",
        ),
        ({"demo": True, "https_port": 443}, "--insecure-bind has to be passed for --https-port"),
    ],
)
def test_a_bad_value_is_one_line_that_names_the_fix(values, said) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        configure(values)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"proxy_headers_host": "x"}, "--proxy-headers has to be passed for --proxy-headers-host"),
        ({"proxy_headers_port": "x"}, "--proxy-headers has to be passed for --proxy-headers-port"),
        ({"forwarded_style": "forwarded"}, "--proxy-headers has to be passed for --forwarded-st"),
        ({"forwarded_fields": "for"}, "--proxy-headers has to be passed for --forwarded-fields"),
        ({"proxy_protocol_allow_ips": "*"}, "--proxy-protocol has to be passed for --proxy-pro"),
        (
            {"proxy_headers": True, "proxy_headers_host": "a b"},
            "--proxy-headers-host: .*is not a token",
        ),
        ({"proxy_headers": True, "proxy_headers_port": "\xe9"}, "--proxy-headers-port: .*cannot"),
        (
            {"proxy_headers": True, "proxy_headers_host": "x", "forwarded_style": "forwarded"},
            "--proxy-headers-host is for --forwarded-style x-forwarded only",
        ),
        (
            {"proxy_headers": True, "proxy_headers_port": "x", "forwarded_fields": "for"},
            "--proxy-headers-port needs 'port' in --forwarded-fields",
        ),
        (
            {"proxy_headers": True, "forwarded_fields": "for,,host"},
            "--forwarded-fields '' is none of for, port, proto, host, prefix",
        ),
        ({"proxy_headers": True, "forwarded_fields": "by"}, "--forwarded-fields 'by' is none of"),
        ({"proxy_headers": True, "forwarded_fields": "port"}, "'port' needs 'for'"),
        (
            {
                "proxy_headers": True,
                "forwarded_fields": "for,prefix",
                "forwarded_style": "forwarded",
            },
            "'prefix': the header Forwarded does not say it",
        ),
    ],
)
def test_what_is_said_of_proxies_has_to_fit_together(values, said) -> None:
    with pytest.raises(ConfigError, match=said):
        configure({"demo": True, **values})


DEV_BRINGS_ONE = "--ssl-dev brings a certificate: leave it out, or "
NEEDS_A_CERTIFICATE = "--ssl-certfile has to be passed for "


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"ssl_keyfile": "k"}, NEEDS_A_CERTIFICATE + "--ssl-keyfile"),
        ({"ssl_keyfile": "k", "ssl_sni": "d"}, NEEDS_A_CERTIFICATE + "--ssl-keyfile"),
        ({"ssl_keyfile_password": "x"}, NEEDS_A_CERTIFICATE + "--ssl-keyfile-password"),
        ({"ssl_min_version": "1.3"}, NEEDS_A_CERTIFICATE + "--ssl-min-version"),
        ({"ssl_ciphers": "x"}, NEEDS_A_CERTIFICATE + "--ssl-ciphers"),
        ({"ssl_cert_reqs": "required"}, NEEDS_A_CERTIFICATE + "--ssl-cert-reqs"),
        ({"ssl_ca_certs": "x", "endpoints": ("tcp:1",)}, NEEDS_A_CERTIFICATE + "--ssl-ca-certs"),
        ({"ssl_dev": True, "ssl_certfile": "c"}, DEV_BRINGS_ONE + "--ssl-certfile."),
        ({"ssl_dev": True, "ssl_sni": "d"}, DEV_BRINGS_ONE + "--ssl-sni."),
        ({"ssl_certfile": "c", "endpoints": ("tcp:1",)}, "TLS options are for --bind, --port, --u"),
        ({"ssl_dev": True, "endpoints": ("ssl:1",)}, "TLS options are for --bind"),
        ({"ssl_dev": True, "ssl_ca_certs": "c"}, "--ssl-cert-reqs and --ssl-ca-certs need each"),
        ({"ssl_sni": "d", "ssl_cert_reqs": "optional"}, "need each other: give both"),
    ],
)
def test_what_is_said_of_tls_has_to_fit_together(values, said) -> None:
    with pytest.raises(ConfigError, match=said):
        configure({"demo": True, **values})


@pytest.mark.parametrize(
    "values",
    [
        {"ssl_certfile": "c", "ssl_keyfile": "k", "ssl_keyfile_password": "x", "ssl_sni": "d"},
        {"ssl_dev": True, "ssl_min_version": "1.3", "ssl_ciphers": "x"},
        {"ssl_sni": "d", "ssl_cert_reqs": "required", "ssl_ca_certs": "c", "unix_socket": "/s"},
        {"endpoints": ("tcp:1", "HAProxy:SSL:1"), "ssl_cert_reqs": "required", "ssl_ca_certs": "c"},
        {"endpoints": ("tls:/d",), "ssl_keyfile_password": "x"},
        {"endpoints": ("tcp:1",), "port": 0, "ssl_certfile": "c"},
    ],
)
def test_this_does(values) -> None:
    assert configure({"demo": True, **values})


@pytest.mark.parametrize(
    "origin",
    ["example.org", "*://example.org", "https://", "https://*", "https://*example.org",
     "https://a.*.org", "https://*.*.org", "https://example.org/", "https://example.org/chat",
     "https://u@example.org", "https://a b", "https://a?b", "https://a#b", "same, null", "//a",
     "https:/a", "https//a"],
)  # fmt: skip
def test_an_origin_is_written_as_browsers_send_it(origin) -> None:
    with pytest.raises(ConfigError) as refusal:
        configure({"demo": True, "ws_origins": ("same", origin)})
    assert str(refusal.value) == (
        f"--ws-origins {origin!r}: write it as https://example.org, or same; "
        "give the option once for each."
    )


def test_these_are() -> None:
    good = ("same", "null", "https://example.org", "HTTP://Example.org:8000", "https://[::1]:8000",
            "https://*.example.org", "chrome-extension://abcdef", "SAME")  # fmt: skip
    assert configure({"demo": True, "ws_origins": good}).ws_origins == good


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"ws_compression_window_bits": 8}, "--ws-compression-window-bits 8 is not between 9 and"),
        ({"ws_compression_window_bits": 16}, "--ws-compression-window-bits 16 is .* 9 and 15"),
        ({"ws_compression_memory_level": 0}, "--ws-compression-memory-level 0 is .* 1 and 9"),
        ({"ws_compression_memory_level": 10}, "--ws-compression-memory-level 10 is not between"),
        ({"ws_close_code": 1000}, "--ws-close-code 1000 is none of 1001 and 1012"),
        ({"websocket_drain_time": -1.0}, "--websocket-drain-time -1.0 is negative"),
        ({"websockets_per_client": -1}, "--websockets-per-client -1 is negative"),
    ],
)
def test_what_is_said_of_websockets_has_its_bounds(values, said) -> None:
    with pytest.raises(ConfigError, match=said):
        configure({"demo": True, **values})


@pytest.mark.parametrize(("bits", "level", "code"), [(9, 1, 1001), (15, 9, 1012)])
def test_and_they_are_within(bits, level, code) -> None:
    values = {"ws_compression_window_bits": bits, "ws_compression_memory_level": level}
    values |= {"ws_compression": "on"}
    config = configure({"demo": True, "ws_close_code": code, **values})
    assert (config.ws_compression_window_bits, config.ws_close_code) == (bits, code)


@pytest.mark.parametrize("verbosity", [-2, 3])
def test_the_ends_of_the_range_of_verbosity_are_in_it(verbosity) -> None:
    assert configure({"demo": True, "verbosity": verbosity}).verbosity == verbosity


def test_good_values_pass() -> None:
    names = {"proxy_headers_host": "x", "proxy_headers_port": "y", "request_id": "X-Id"}
    names |= {"health_path": "/-/health", "root_path": "/shop", "backlog": 2**31 - 1}
    config = configure(
        {"demo": True, "proxy_headers": True, "port": 0, "websocket_timeout": -1.0, **names}
    )
    assert config.limits.websocket_timeout == -1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ws_compression_window_bits", 10),
        ("ws_compression_memory_level", 9),
        ("ws_compression_no_takeover", True),
    ],
)
def test_how_to_compress_is_nothing_where_nothing_is_compressed(name, value) -> None:
    with pytest.raises(ConfigError, match="--ws-compression on has to be passed for --ws-comp"):
        configure({"demo": True, name: value})


def test_who_allows_larger_messages_allows_larger_frames() -> None:
    limits = configure({"demo": True, "websocket_max_message_size": 10}).limits
    assert limits.websocket_max_frame_size == 10
    both = {"websocket_max_message_size": 10, "websocket_max_frame_size": 5}
    assert configure({"demo": True, **both}).limits.websocket_max_frame_size == 5
