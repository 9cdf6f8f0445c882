"""An agent of the kind `prompt`: a model, what it is told, and the tools it has. A version of it never changes."""

from collections.abc import Mapping

import msgspec

Json = Mapping[str, object]


class StructuredInput(msgspec.Struct, frozen=True, kw_only=True):
    """A value that a caller gives with a response, for the places in the instructions and tools that name it."""

    description: str | None = None
    default_value: object = None
    schema: Json | None = None
    """A JSON schema that the value has to fit."""
    required: bool | None = None


class AgentDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent is, as far as a response is made by it; nested members are as they came."""

    model: str
    """The name of a deployment or route."""
    instructions: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    reasoning: Json | None = None
    tools: tuple[Json, ...] = ()
    tool_choice: str | Json | None = None
    text: Json | None = None
    """`format` in it says what the answer has to be."""
    structured_inputs: Mapping[str, StructuredInput] = {}


class AgentVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version of an agent, ready to be used."""

    name: str
    version: str
    created: int
    """Unix seconds."""
    description: str
    metadata: Mapping[str, str]
    definition: AgentDefinition

    @property
    def id(self) -> str:
        """What the service calls it: `name:version`."""
        return f"{self.name}:{self.version}"
