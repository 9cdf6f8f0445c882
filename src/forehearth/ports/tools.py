"""Where tools come from, for whoever runs a conversation with a model."""

from collections.abc import Sequence
from typing import Protocol

from forehearth.core.tool import ToolResult, ToolSpec


class ToolSource(Protocol):
    """The tools of one server or document. It is for one conversation, and owes nothing to the next."""

    async def tools(self) -> Sequence[ToolSpec]:
        """All tools that may be called, in the order in which they came.

        Raises `AddressRefused` and `AddressFailed`: it may not be asked, or has no usable list.
        """
        ...

    async def call(self, name: str, arguments: str) -> ToolResult:
        """Call a tool; `arguments` is the text of a JSON object, as a model wrote it.

        Whatever goes wrong is a result with `is_error`. Only cancelling raises; the tool may then have been at work.
        """
        ...

    async def aclose(self) -> None:
        """Say that no more is asked. Once more does nothing."""
        ...
