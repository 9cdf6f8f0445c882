"""An agent's own endpoint: responses and conversations below `/agents/{agent_name}/endpoint/protocols/openai`.

It is for those who may call the agent, and perhaps nothing else of the project. So what is made here belongs to the
agent, and is seen here alone: neither what was made at the project's own paths, nor at another agent, one that had its
name before included.

Source: the base address that `azure-ai-projects` 2.10.0 makes of an agent's name.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from forehearth.core.exchange import Reply
from forehearth.core.permission import Permission
from forehearth.ports.agents import AgentIdentifier
from forehearth.ports.surface import Act, Entry
from forehearth.wire.table import Row

BASE: Final = "/agents/{agent_name}/endpoint/protocols/openai"
_LEFT_OUT: Final = frozenset({"responses_count"})
"""What is asked of no agent."""


def rows(families: Sequence[Row], agents: AgentIdentifier) -> list[Row]:
    """The same endpoints as these, at an agent."""
    return [_at_agent(row, row.act, agents) for row in families if row.act is not None and row.name not in _LEFT_OUT]


def _at_agent(row: Row, act: Act, agents: AgentIdentifier) -> Row:
    async def there(entry: Entry, body: bytes) -> Reply:
        agent, *ids = entry.asked.ids
        place = entry.place.at_agent(agent, await agents.identify(entry.place, agent))
        asked = msgspec.structs.replace(entry.asked, ids=tuple(ids))
        return await act(msgspec.structs.replace(entry, place=place, asked=asked), body)

    form, name = f"{BASE}{row.form}", f"agent_{row.name}"
    return msgspec.structs.replace(row, form=form, name=name, permission=Permission.CALL_AGENT, act=there)
