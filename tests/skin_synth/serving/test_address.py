"""Addresses and credentials: one parser, nothing secret in a message or on an open line."""

from __future__ import annotations

import pytest

from skin_synth.serving import Access, Client
from skin_synth.serving.address import Address, parse_address
from tfrecords_tools.errors import InputError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://host:8501", Address("http", "host", 8501)),
        ("HTTPS://Host:8501/", Address("https", "Host", 8501)),
        ("https://serving.example.org", Address("https", "serving.example.org", None)),
        ("localhost:8500", Address("", "localhost", 8500)),
        ("tf_serving:8500", Address("", "tf_serving", 8500)),
        ("[::1]:8500", Address("", "[::1]", 8500)),
        ("http://[fe80::1]:80", Address("http", "[fe80::1]", 80)),
        ("http://bücher.example:1", Address("http", "xn--bcher-kva.example", 1)),
    ],
)
def test_addresses(text, expected):
    assert parse_address(text) == expected
    assert parse_address(str(expected)) == expected


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "http://",
            "http://[::1",
            "[::1",
            "http://[x]:1",
            " http://127.0.0.1:1",
            "host:8500 ",
        ),
        *("localhost:8500/v1", "http://host:8501/v1", "host", "host:0", "host:65536", "host:x"),
        *("ftp://host:1", "unix:/tmp/socket", "::1:8500", "http://a\r\nX-Y: 1:80", "http://a%00"),
        *("http://" + "ü" * 80 + ":1", "http://ho\\st:1", "grpc://host:1", None),
    ],
)
def test_other_forms_are_refused(text):
    with pytest.raises(InputError, match="address"):
        Client(text, model="m")


@pytest.mark.parametrize(
    "text",
    [
        *("http://user:sesame@host:1", "user:sesame@host:1", "http://sesame@[::1", "@sesame"),
        *("http://host:1/?key=sesame", "host:1#sesame", "http://host:1/sesame", "sesame host:1"),
    ],
)
def test_secrets_in_an_address_are_refused_and_not_shown(text):
    with pytest.raises(InputError) as refusal:
        Client(text, model="m")
    assert "sesame" not in str(refusal.value)


@pytest.mark.parametrize(
    ("address", "access", "message"),
    [
        ("http://host:1", {"token": "sesame"}, "unencrypted to http://host:1"),
        ("host:1", {"token": "sesame"}, "unencrypted to host:1"),
        ("host:1", {"call_credentials": object()}, "unencrypted to host:1"),
        ("localhost:1", {"token": "sesame"}, "unencrypted"),  # gRPC has no exception
        ("http://host:1", {"tls": True}, "give https"),
        ("https://host:1", {"call_credentials": object()}, "for gRPC"),
        ("http://host:1", {"ca_file": __file__}, "ca_file is for TLS"),
        ("https://host:1", {"ca_file": __file__}, "holds no certificates"),
    ],
)
def test_credentials_never_travel_unencrypted(address, access, message):
    with pytest.raises(InputError, match=message) as refusal:
        Client(address, model="m", access=Access(**access))
    assert "sesame" not in str(refusal.value)


@pytest.mark.parametrize("token", ["", "sesame open", "sesame\r\nX: y", "sésame"])
def test_a_token_cannot_add_a_header(token):
    with pytest.raises(InputError, match="token") as refusal:
        Access(token=token)
    assert "sesame" not in str(refusal.value)
    assert "sesame" not in repr(Access(token="sesame"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout": float("nan")}, "timeout"),
        ({"timeout": 1e9}, "timeout"),
        ({"retries": 1.5}, "retries"),
        ({"batch_size": 2.0}, "batch_size"),
        ({"version": -1}, "version"),
        ({"version": "1/../2"}, "version"),
        ({"model": "\ud800"}, "model"),
        ({"access": Access(ca_file=__file__), "model": ""}, "TLS"),
    ],
)
def test_other_options_are_checked(options, message):
    with pytest.raises(InputError, match=message):
        Client("host:1", **{"model": "m", **options})
