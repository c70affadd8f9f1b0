"""The address: a connection string and the settings beside it, made the options of a client. No secret is in either.

Of the options of a connection string those are known that say where and how to read. What would read this machine's
files or use its identity is refused, as whoever writes a connector need not be who may do that.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from connectors.errors import ConfigurationError
from connectors.sources._mongodb.settings import READ_CONCERNS, READ_PREFERENCES
from connectors.wording import nearest

PORT: Final = 27_017
_HOST: Final = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<name>[^\s:\[\],]+))(?::(?P<port>\d{1,5}))?")
SCHEMES: Final = ("mongodb://", "mongodb+srv://")
MECHANISMS: Final = ("SCRAM-SHA-1", "SCRAM-SHA-256", "MONGODB-X509", "PLAIN", "MONGODB-AWS")
_EXAMPLE: Final = "mongodb://db1.example.org,db2.example.org:27018/?replicaSet=rs0"
_PASSED: Final = {
    name.casefold(): name
    for name in (
        *("appName", "authMechanism", "authSource", "compressors", "heartbeatFrequencyMS", "loadBalanced"),
        *("localThresholdMS", "maxStalenessSeconds", "readConcernLevel", "readPreference", "readPreferenceTags"),
        *("replicaSet", "retryReads", "srvMaxHosts", "srvServiceName", "zlibCompressionLevel"),
    )
}
_OF_WRITERS: Final = {"w", "wtimeoutms", "journal", "retrywrites"}
"""Options that strings of providers have, and that mean nothing to who only reads."""
_SETTINGS: Final = {
    "tlsinsecure": "tls_insecure",
    "tlsallowinvalidcertificates": "tls_insecure",
    "tlsallowinvalidhostnames": "tls_insecure",
    "tlscafile": "ssl_ca",
    "tlscertificatekeyfile": "ssl_client_certificate",
    "tlscertificatekeyfilepassword": "ssl_client_certificate",
    "uuidrepresentation": "uuid_representation",
    "connecttimeoutms": "connect_timeout_s",
    "serverselectiontimeoutms": "connect_timeout_s",
    "sockettimeoutms": "statement_timeout_s",
    "timeoutms": "statement_timeout_s",
}
"""Options that there are settings for."""
_OTHER_MECHANISMS: Final = "It would use what belongs to this machine: an identity, a ticket, a file."


@dataclass(frozen=True)
class Address:
    """Where a server is: a connection string of hosts, and what else a client is given. All of it may be shown."""

    hosts: str
    user: str
    options: Mapping[str, str]
    is_encrypted: bool
    is_direct: bool

    def __str__(self) -> str:
        return self.hosts.partition("://")[2]

    @property
    def url(self) -> str:
        """The connection string."""
        return f"{self.hosts}/"

    def places(self) -> Iterator[tuple[str, int]]:
        """Yield its hosts and ports; none where these are looked up in the DNS. Raises a `ConfigurationError`."""
        if self.hosts.startswith(SCHEMES[1]):
            return
        for one in str(self).split(","):
            parts = _HOST.fullmatch(one)
            if parts is None or not 0 < int(parts["port"] or PORT) < 65_536:
                raise _wrong(f"{one!r} is no host.", f"Write it as {_EXAMPLE}")
            yield parts["six"] or parts["name"], int(parts["port"] or PORT)


def address_of(given: Any) -> Address:  # noqa: ANN401 - a Configuration
    """Return the address that settings make. Raises a `ConfigurationError`, which shows nothing of a password."""
    text: str = given.host.strip()
    scheme = next((one for one in SCHEMES if text.casefold().startswith(one)), None)
    if scheme is None and "://" in text:
        raise _wrong("It is no address of MongoDB.", f"Begin it with {SCHEMES[0]}")
    rest = text[len(scheme) :] if scheme else text
    rest, _, query = rest.partition("?")
    if "@" in rest or "@" in query.partition("&")[0].partition("=")[0]:
        raise _wrong("There is a user or a password in the connection string.", "Set user and password instead.")
    hosts, _, source = rest.partition("/")
    if not hosts or any(character in hosts for character in " \\#%"):
        raise _wrong("It names no host.", f"Write it as {_EXAMPLE}")
    options = dict(_options(query, given))
    if source:
        options.setdefault("authSource", unquote(source))
    is_srv = scheme == SCHEMES[1]
    encrypted, direct = options.pop("tls", None), options.pop("directConnection", None)
    _same(given.ssl_enabled or (is_srv and encrypted is None), encrypted, "ssl_enabled", "tls")
    _same(given.direct_connection, direct if direct == "true" else None, "direct_connection", "directConnection")
    address = Address(
        f"{scheme or SCHEMES[0]}{hosts}",
        given.user or "",
        options,
        given.ssl_enabled or is_srv,
        given.direct_connection,
    )
    list(address.places())
    _check_login(address, given)
    return address


def _options(query: str, given: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - a Configuration
    """Yield the options of a connection string. Raises a `ConfigurationError` for what can't be one here."""
    for part in query.replace(";", "&").split("&"):
        name, _, raw = part.partition("=")
        key, value = name.casefold(), unquote(raw)
        if not part or key in _OF_WRITERS:
            continue
        if key in {"tls", "ssl"}:
            yield "tls", value.casefold()
        elif key == "directconnection":
            yield "directConnection", value.casefold()
        elif key in _SETTINGS:
            raise _wrong(f"The option {name} has no place in the connection string.", f"Set {_SETTINGS[key]} instead.")
        elif key not in _PASSED:
            known = nearest(name, _PASSED.values())
            raise _wrong(f"The connection string has the option {name!r}, which can't be used here.", known)
        else:
            yield _PASSED[key], _checked(_PASSED[key], value)
    for setting, option in (("read_preference", "readPreference"), ("read_concern", "readConcernLevel")):
        value = getattr(given, setting) or ""
        if value and option.casefold() in query.casefold():
            raise _wrong(f"Both the connection string and {setting} say {option}.", "Leave one of them out.")
        if value:
            yield option, value


def _checked(name: str, value: str) -> str:
    allowed = {"authMechanism": MECHANISMS, "readPreference": READ_PREFERENCES, "readConcernLevel": READ_CONCERNS}
    if name in allowed and value not in allowed[name]:
        why = f" {_OTHER_MECHANISMS}" if name == "authMechanism" else ""
        raise _wrong(f"The option {name} can't be that.{why}", f"There are {', '.join(allowed[name])}.")
    return value


def _check_login(address: Address, given: Any) -> None:  # noqa: ANN401 - a Configuration
    mechanism = address.options.get("authMechanism", "")
    if given.password and not given.user:
        raise ConfigurationError("There is a password, and no user.", field="user")
    if given.user and not given.password and mechanism != "MONGODB-X509":
        raise ConfigurationError("There is a user, and no password.", field="password")
    if mechanism == "MONGODB-X509" and not given.ssl_client_certificate:
        raise ConfigurationError("MONGODB-X509 needs a certificate.", field="ssl_client_certificate")
    if mechanism and mechanism != "MONGODB-X509" and not given.user:
        raise ConfigurationError(f"{mechanism} needs a user and a password.", field="user")
    if mechanism == "PLAIN" and not address.is_encrypted:
        raise ConfigurationError("PLAIN sends the password as it is.", field="ssl_enabled", hint="Set ssl_enabled.")


def _same(setting: bool, option: str | None, name: str, shown: str) -> None:  # noqa: FBT001 - it is a value
    if option is None:
        return
    if option not in {"true", "false"}:
        raise _wrong(f"The option {shown} is true or false.")
    if setting is not (option == "true"):
        message = f"The connection string says {shown}={option}, and {name} says otherwise."
        raise ConfigurationError(message, field=name, hint="Let them say the same, or leave the option out.")


def _wrong(message: str, hint: str | None = None) -> ConfigurationError:
    return ConfigurationError(message, field="host", hint=hint)
