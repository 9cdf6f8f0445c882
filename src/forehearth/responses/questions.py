"""From a body to what a model is asked: the agent looked up, what was said before found, references resolved."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from forehearth.conversations.items import Item, duplicate
from forehearth.core.errors import InvalidField, NotSupported, Refused
from forehearth.dialects import json_members
from forehearth.dialects.responses import agents, asked, chat, loose, passed_on, problems, tool_history
from forehearth.dialects.responses.agents import Reference
from forehearth.dialects.responses.asked import Question
from forehearth.dialects.responses.items import NewId, Resource, resolved
from forehearth.dialects.responses.readable import readable
from forehearth.dialects.responses.tool_history import Decision
from forehearth.ports.agents import AgentResolver
from forehearth.ports.hosts import Hosts
from forehearth.responses.attachments import Attachments, Items
from forehearth.responses.caller import Caller
from forehearth.responses.kept import KeptResponses
from forehearth.responses.talk import Talks


class Talk(msgspec.Struct, frozen=True, kw_only=True):
    """What a model is to answer."""

    input: tuple[Resource, ...]
    """The items of the input, with references resolved."""
    said: tuple[Items, Items]
    """What was said before, and the input, with the bytes of files that are kept here."""
    items: Sequence[Resource] = ()
    """All of it, the oldest first, as chat completions can say it; nothing where only a host with this API is asked."""
    decisions: Sequence[Decision] = ()
    """What the input says of calls that waited for somebody's approval."""


class Questions:
    """Reads questions. `agents` finds those that are asked of."""

    def __init__(
        self,
        kept: KeptResponses,
        talks: Talks,
        agents: AgentResolver,
        new_id: NewId,
        *,
        attachments: Attachments,
        hosts: Hosts,
    ) -> None:
        self._attachments = attachments
        self._hosts = hosts
        self._kept = kept
        self._talks = talks
        self._agents = agents
        self._new_id = new_id

    async def read(self, caller: Caller, body: bytes, deployment: str | None = None) -> Question:
        """The question in a body. `deployment` is the model where the path names it, whatever the body says.

        Raises the `Refused` that fits: `NotFound` for an agent that is not there, `Conflict` for one that is disabled.
        """
        members = problems.decoded(body)
        reference = agents.named(members, at=caller.place.agent_name)
        if reference is None:
            raw = body
            if deployment is not None:
                raw = json_members.put(body, {"model": msgspec.json.encode(deployment)})
                members["model"] = deployment
            return self._allowed(caller, msgspec.structs.replace(self.again(members), raw=raw))
        if not caller.place.project:
            message = "An agent belongs to a project: ask below /api/projects/{project}/openai/v1."
            raise NotSupported(message, param="agent_reference")
        agent = await self._agents.resolve(caller.place, reference.name, reference.version)
        named = agents.Reference(name=agent.name, version=agent.version)
        return self._allowed(caller, self.again(agents.applied(members, agent), agent=named))

    def _allowed(self, caller: Caller, question: Question) -> Question:
        """The question, of somebody who may read the files that it names."""
        self._attachments.check(caller, question.items)
        return question

    def again(self, members: dict[str, Any], *, agent: Reference | None = None) -> Question:
        """The question that these members ask; loosely read where its model can lead to a host that knows more of it.

        Raises as `asked.read` does.
        """
        model = members.get("model")
        passes = isinstance(model, str) and self._hosts.has_responses(model)
        try:
            question = asked.read(members, self._new_id, agent=agent)
        except Refused:
            if not passes:
                raise
        else:
            if not (passes and question.tools.of_hosts):
                return question
        return msgspec.structs.replace(loose.read(members, self._new_id), agent=agent)

    async def asked(self, caller: Caller, question: Question) -> tuple[tuple[Resource, ...], bytes, bytes | None]:
        """The items of the input, and the body of chat completions that asks for an answer to all before and them.

        The third is the body for hosts that have this API, where there is one among those that may be asked.
        """
        talk = await self.talk(caller, question)
        passes = self._hosts.has_responses(question.body.model or "")
        passed = passed_on.body(question, *talk.said, as_came=talk.said[1] is talk.input) if passes else None
        if question.loose and passed is not None:
            return talk.input, passed, passed
        return talk.input, chat.body(question, talk.items), passed

    async def talk(self, caller: Caller, question: Question) -> Talk:
        """What was said before, and the input."""
        passes = self._hosts.has_responses(question.body.model or "")
        if question.conversation is not None:
            before = await self._talks.before(caller, question.conversation, loose=passes)
        else:
            before = await self._kept.conversation(caller, question.body.previous_response_id)
        known = {item["id"]: item for item in before}
        items = resolved(question.items, known.get)
        _require_once(items)
        if question.conversation is not None:
            _require_new(self._talks.new(without_references(question, items)), known)
        said = await self._attachments.for_host(caller.place, tuple(before), items)
        if question.loose:
            return Talk(input=items, said=said)
        earlier = tuple(filter(readable, said[0]))
        decisions = tool_history.decisions(earlier, items)
        if decisions and not question.tools.remote:
            message = "An approval was given, and there is no tool of type 'mcp': send the one that it is for, too."
            raise InvalidField(message, param="tools")
        fetches = self._hosts.fetches_images(question.body.model or "")
        earlier, shown = await self._attachments.for_chat(earlier, said[1], fetches_images=fetches)
        return Talk(input=items, said=said, items=[*earlier, *shown], decisions=decisions)


def without_references(question: Question, items: tuple[Resource, ...]) -> tuple[Resource, ...]:
    """What is new of an input: all but what is in the conversation already."""
    return tuple(item for given, item in zip(question.items, items, strict=True) if given["type"] != "item_reference")


def _require_once(items: tuple[Resource, ...]) -> None:
    """Raises `InvalidField` for what is there twice: a list of them could not be paged."""
    ids: set[str] = set()
    for item in items:
        if item["id"] in ids:
            raise duplicate(item["id"], "input")
        ids.add(item["id"])


def _require_new(items: list[Item], known: Mapping[str, Resource]) -> None:
    """Raises `InvalidField` for what is in the conversation already."""
    for item in items:
        if item.id in known:
            raise duplicate(item.id, "input")
