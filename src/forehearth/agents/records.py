"""What is kept of agents: one document an agent, one a version, both JSON."""

from typing import Self

import msgspec

from forehearth.core.document import Document


class NewVersion(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller says of a version; its definition was read before."""

    definition: msgspec.Raw
    description: str = ""
    metadata: dict[str, str] = {}


class VersionRecord(NewVersion, frozen=True, kw_only=True):
    """One version, as it stays."""

    number: int
    """From 1 on; never given twice to an agent."""
    created: int
    """Unix seconds."""

    @classmethod
    def of(cls, document: Document) -> Self:
        """Read it."""
        return msgspec.json.decode(document.body, type=cls)

    def says(self, new: NewVersion) -> bool:
        """Whether `new` says the same, in whatever order of members."""
        return (self.description, self.metadata) == (new.description, new.metadata) and (
            _canonical(self.definition) == _canonical(new.definition)
        )


class AgentRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An agent. Its name is the document's id."""

    guid: str
    """Told by the agent that has its name after it was deleted. Its versions hang under this."""
    latest: VersionRecord
    last_number: int
    """The highest that was given to a version of it, which may be deleted by now."""
    enabled: bool = True

    @classmethod
    def of(cls, document: Document) -> Self:
        """Read it."""
        return msgspec.json.decode(document.body, type=cls)


def encoded(record: msgspec.Struct) -> bytes:
    """As the body of a document."""
    return msgspec.json.encode(record)


def _canonical(raw: msgspec.Raw) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(raw), order="deterministic")
