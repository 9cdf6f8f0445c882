"""The key `egress` of the configuration: which addresses that callers name may be asked."""

import ipaddress
from typing import Annotated

import msgspec

from forehearth.core.errors import AddressRefused
from forehearth.core.ip_kinds import NEVER, kind_of
from forehearth.core.settings_types import FilePath, Unfit, Values
from forehearth.core.web_address import METADATA_NAMES, read_host_and_port

_HostAndPort = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$",
        description="a host and its port as HOST:PORT, an IPv6 address in brackets",
    ),
]


class EgressSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be asked of the addresses that callers name: images and files, MCP servers, and APIs of agents."""

    allow: tuple[_HostAndPort, ...] = ()
    """Hosts that may be asked although their address is private, each with its port: `tools.lan:8080`, `10.0.0.7:443`,
    `[fd00::7]:8080`. A name is meant as it is written, not what else leads to its address. Metadata services of clouds
    and link-local addresses are never asked."""
    public: bool = True
    """Whether public addresses may be asked; `false` leaves those of `allow` alone."""
    ca_bundle: FilePath | None = None
    """PEM file of certificates to trust for these hosts instead of the system's."""

    def __post_init__(self) -> None:
        """Refuse what could never be asked, and what is there twice. Raises `Unfit`."""
        seen: set[tuple[str, int]] = set()
        for entry in self.allow:
            try:
                host, port = read_host_and_port(entry)
            except AddressRefused as error:
                raise Unfit(f"'{entry}': {_reworded(error.message)}", member="allow") from None
            if _is_never(host):
                raise Unfit(f"'{entry}' is never asked, whatever is allowed", member="allow", hint="leave it out")
            if (host, port) in seen:
                raise Unfit(f"'{entry}' is there twice", member="allow", hint="leave one of them out")
            seen.add((host, port))

    @property
    def allowed(self) -> frozenset[tuple[str, int]]:
        """The hosts of `allow` in the form in which addresses are read, with their ports."""
        return frozenset(read_host_and_port(entry) for entry in self.allow)


def _is_never(host: str) -> bool:
    try:
        return kind_of(ipaddress.ip_address(host)) in NEVER
    except ValueError:
        return host in METADATA_NAMES


def _reworded(message: str) -> str:
    return message.rstrip(".").replace("The URL's ", "its ")
