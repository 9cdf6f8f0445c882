"""The source `format: kafka` of a job file: its members are the file's keys, their docstrings its documentation."""

from typing import Annotated, Literal

import msgspec

from forehearth.core.loopback import is_loopback
from forehearth.core.secret import Secret
from forehearth.core.settings_types import FilePath, Text, Unfit, Values

Broker = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$", description="the address of a broker, HOST:PORT"
    ),
]
TopicName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9._-]{1,249}$",
        description="the name of a topic: at most 249 letters, digits, '.', '_' and '-'",
    ),
]
Member = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
MemberType = Literal["string", "int64", "float64", "bool", "date32", "timestamp", "json"]


class KafkaLogin(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who we are to the brokers, by SASL."""

    mechanism: Literal["plain", "scram-sha-256", "scram-sha-512"] = "plain"
    """How the password is proven."""
    user: Text
    """The user's name; `$ConnectionString` at Event Hubs."""
    password: Secret
    """The password; at Event Hubs the connection string."""


class KafkaSource(Values, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="format", tag="kafka"):
    """The messages of a topic, as they come: for `forehearth enrich follow`. Their values are objects of JSON."""

    brokers: Annotated[tuple[Broker, ...], msgspec.Meta(min_length=1)]
    """Some of the cluster's brokers; the others are found through them."""
    topic: TopicName
    """The topic. All its partitions are read, those that are added later included."""
    columns: dict[Member, MemberType]
    """The members of a message that become columns, and their types; `json` keeps whatever is there as its text. A
    member that is missing is a gap; a value of another type makes the message one of the quarantine."""
    start: Literal["earliest", "latest"] = "earliest"
    """Where to begin where nothing has landed yet: at the oldest message that is kept, or at the next one to come."""
    tls: bool = False
    """Whether connections are encrypted."""
    ca_bundle: FilePath | None = None
    """PEM file of certificates to trust for the brokers instead of the system's."""
    client_certificate: FilePath | None = None
    """PEM file with the certificate we show to the brokers."""
    client_key: FilePath | None = None
    """PEM file with that certificate's private key."""
    sasl: KafkaLogin | None = None
    """Who we are to the brokers; nobody, unless given."""

    def __post_init__(self) -> None:
        """Refuse what does not fit together. Raises `Unfit`."""
        files = [name for name in ("ca_bundle", "client_certificate", "client_key") if getattr(self, name) is not None]
        if files and not self.tls:
            raise Unfit(f"'{files[0]}' is for encrypted connections", member=files[0], hint="add tls: true")
        if (self.client_certificate is None) != (self.client_key is None):
            there = "client_key" if self.client_certificate is None else "client_certificate"
            raise Unfit("client_certificate and client_key go together", member=there, hint="give both")
        in_clear = self.sasl is not None and self.sasl.mechanism == "plain" and not self.tls
        if in_clear and not all(_is_here(each) for each in self.brokers):
            raise Unfit("the password would be sent in the clear", member="sasl", hint="add tls: true")
        if not self.columns:
            raise Unfit("there are no columns", member="columns", hint="write columns: {NAME: string}")
        for name in self.columns:
            if name.startswith("_"):
                hint = "leave it out: _partition, _offset, _key and _timestamp are there by themselves"
                raise Unfit(f"the column '{name}' begins with '_'", member="columns", hint=hint)


def _is_here(broker: str) -> bool:
    return is_loopback(broker.rpartition(":")[0].strip("[]"))
