"""The key `connections` of a project: what else its people use, and with which credentials."""

from collections import Counter
from collections.abc import Mapping
from typing import Literal

from forehearth.core.secret import Secret
from forehearth.core.settings_types import Text, Unfit, Values

ConnectionType = Literal[
    "AzureOpenAI",
    "AzureBlob",
    "AzureStorageAccount",
    "CognitiveSearch",
    "CosmosDB",
    "ApiKey",
    "AppConfig",
    "AppInsights",
    "CustomKeys",
    "RemoteTool_Preview",
    "OpenAPI",
    "RemoteA2A",
]


class ConnectionSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A connection of a project: something that its people use besides. At most one of the credentials is given."""

    type: ConnectionType
    """What it is, in the service's words."""
    target: Text
    """Where it is: an address, or whatever its clients expect."""
    default: bool = False
    """Whether it is the one that is meant where a type is asked for. One of each type can be."""
    key: Secret | None = None
    """Its API key, or for `AppInsights` its connection string."""
    sas: Secret | None = None
    """Its shared access signature."""
    keys: dict[Text, Secret] = {}
    """Credentials by names of your choice."""
    entra: bool = False
    """Whether its clients bring tokens of their own."""
    metadata: dict[Text, str] = {}
    """What else there is to know of it."""

    def __post_init__(self) -> None:
        """Refuse credentials that contradict one another. Raises `Unfit`."""
        given = [name for name in ("key", "sas", "keys", "entra") if getattr(self, name)]
        if len(given) > 1:
            raise Unfit(
                f"a connection has one kind of credentials, and this one {' and '.join(given)}", member=given[1]
            )
        if "type" in self.keys:
            raise Unfit(
                "'type' is no name for a credential: its clients find the kind of credentials there", member="keys"
            )


def check_connections(connections: Mapping[str, ConnectionSettings]) -> None:
    """Raises `Unfit` where two of one type are the default."""
    counts = Counter(each.type for each in connections.values() if each.default)
    for kind, count in counts.items():
        if count > 1:
            raise Unfit(f"{count} connections of the type {kind} are the default", member="connections")
