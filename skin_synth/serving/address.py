"""The address of a server, and how a client is let in: the only parser of addresses."""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import re
from typing import Any

from tfrecords_tools.errors import InputError

ADDRESS = re.compile(
    r"(?:(?P<scheme>https?)://)?"
    r"(?P<host>\[[0-9a-f:.]+\]|[^\s\x00-\x1f\x7f\[\]:/\\%\"'<>^`{|}]+)"
    r"(?::(?P<port>[0-9]{1,5}))?/*",
    re.IGNORECASE,
)
FORMS = "address must be http://host:8501 (REST) or host:8500 (gRPC)"
LARGEST_PORT = 65_535
TOKEN = re.compile(r"[\x21-\x7e]+")


@dataclasses.dataclass(frozen=True)
class Address:
    """The place of a server.

    Attributes:
        scheme: http or https for REST, empty for gRPC.
        host: a name in ASCII, or an IP address, IPv6 in brackets.
        port: None for the one of the scheme.
    """

    scheme: str
    host: str
    port: int | None

    @property
    def netloc(self) -> str:
        """The host and the port."""
        return self.host if self.port is None else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether what is sent there stays on this machine."""
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}" if self.scheme else self.netloc


def as_address(address: str | Address) -> Address:
    """Returns an address, parsed if it is text; see `parse_address`."""
    return parse_address(address) if isinstance(address, str) else address


def parse_address(text: str) -> Address:
    """Parses http://host:8501, https://host:8501 or host:8500.

    Raises:
        InputError: another form, or a login or a query in it; the message never shows these.
    """
    if not isinstance(text, str):
        raise InputError(f"{FORMS}, got {type(text).__name__}")
    for mark, what in (("@", "a login"), ("?", "a query"), ("#", "a fragment")):
        if mark in text:
            raise InputError(
                f"{FORMS}, got one with {what} (not shown here): give a token as Access(token=...)"
            )
    found = ADDRESS.fullmatch(text)
    if found is None:
        raise InputError(f"{FORMS}, got another form (not shown here, as it may hold a secret)")
    scheme, host, port = found["scheme"] or "", found["host"], found["port"]
    if port is not None and not 1 <= int(port) <= LARGEST_PORT:
        raise InputError(f"{FORMS}, with a port from 1 to {LARGEST_PORT:,}, got {port}")
    if port is None and not scheme:
        raise InputError(f"{FORMS}, got the host {host!r} without a port")
    return Address(scheme.lower(), _ascii(host), None if port is None else int(port))


def _ascii(host: str) -> str:
    try:
        if host.startswith("["):
            ipaddress.IPv6Address(host[1:-1])
        return host if host.isascii() else host.encode("idna").decode()
    except ValueError as error:
        raise InputError(f"{FORMS}, got {host!r}, which is no name of a host") from error


@dataclasses.dataclass(frozen=True, kw_only=True)
class Access:
    """Encryption and credentials of a client.

    Attributes:
        tls: whether gRPC is encrypted; REST is if the address begins with https.
        ca_file: PEM file of the authorities that may sign the server's certificate; None for those
            that the system trusts.
        token: bearer token. It is sent over TLS only, or to a REST server on this machine.
        call_credentials: other credentials of gRPC, a `grpc.CallCredentials`; needs TLS.

    Raises:
        InputError: a token of other characters than printable ASCII; the message does not show it.
    """

    tls: bool = False
    ca_file: str | os.PathLike[str] | None = None
    token: str | None = dataclasses.field(default=None, repr=False)
    call_credentials: Any = dataclasses.field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.token is not None and not TOKEN.fullmatch(str(self.token)):
            raise InputError("the token must be printable ASCII without blanks (not shown here)")
        if self.ca_file is not None and not os.path.isfile(self.ca_file):
            raise InputError(f"ca_file {self.ca_file} is no file: give a PEM file of certificates")

    def check(self, address: Address) -> None:
        """Checks that the credentials fit an address.

        Raises:
            InputError: they do not fit, or would be sent unencrypted.
        """
        rest, has_secret = bool(address.scheme), self.token is not None
        encrypted = address.scheme == "https" if rest else self.tls
        if rest and self.tls and not encrypted:
            raise InputError(f"tls is for gRPC, got {address}: give https:// for REST over TLS")
        if rest and self.call_credentials is not None:
            raise InputError(f"call_credentials are for gRPC, got {address}: give a token for REST")
        if (has_secret or self.call_credentials is not None) and not encrypted:
            if rest and address.is_loopback:
                return
            raise InputError(
                f"a token or credentials would be sent unencrypted to {address}: give https:// "
                "(REST) or Access(tls=True, ...) (gRPC)"
            )
        if self.ca_file is not None and not encrypted:
            raise InputError(f"ca_file is for TLS, got {address} without TLS")
