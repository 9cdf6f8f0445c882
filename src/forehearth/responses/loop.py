"""A response with tools that are called here: the model is asked, its tools are called, and it is asked again.

    servers      are asked for their tools, but for those whose list the conversation has already
    decisions    calls that somebody approved of are made
    the model    is asked; what it says is told as it comes
    its calls    one after the other: made; held until somebody approves; or left out, where there were too many
    onward       the model is asked again with what they gave, unless somebody else has to say something first

Each model call goes through limits, caches and the ledger like any other, under the request id of the response with
`.2`, `.3`, … at its end from the second one on. What a tool does wrong is for the model to read. Calls, time and what
tools say are bounded; beyond that the model is told of no more tools and answers with what it has.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from forehearth.core.call import Call
from forehearth.core.clock import Clock
from forehearth.core.errors import AddressFailed, AddressRefused, BackendRefused, ForehearthError, InvalidField, Refused
from forehearth.core.exchange import Header, Reply, Stream
from forehearth.core.record import CallRecord
from forehearth.core.tool import ToolFault, ToolResult
from forehearth.core.usage import Usage
from forehearth.dialects.responses import chat, tool_history, tool_items
from forehearth.dialects.responses.answer import Answer, Event
from forehearth.dialects.responses.asked import Question
from forehearth.dialects.responses.items import NewId, Resource
from forehearth.dialects.responses.states import Step
from forehearth.dialects.responses.tool_history import Decision
from forehearth.dialects.responses.tool_items import ToolItem
from forehearth.dialects.responses.written import Called
from forehearth.ports.door import Door
from forehearth.responses.caller import Caller
from forehearth.responses.kept import whole_items
from forehearth.responses.questions import Talk
from forehearth.responses.toolbox import BoxedTool, Server, Toolbox
from forehearth.tools.arguments import LONGEST, read_object

MOST_CALLS: Final = 64
"""Calls of tools in one response, those that wait for approval included; `max_tool_calls` can only say less."""
MOST_SECONDS: Final = 600.0
"""After which no further call is begun."""
MOST_SAID: Final = 4 << 20
"""Characters of what tools say in one response, after which no further call is begun."""
ROUND: Final = "model-"
"""How the name of a step begins that is an answer of the model; its number follows."""
_CALL: Final = "tool-"
_MADE: Final = frozenset({"mcp_call", "openapi_call", "structured_outputs"})
_LOST: Final = (
    "The server was lost while the tool was being called: it may have been carried out or not. It was not called again."
)
_CHANGED: Final = "The tool is not the one any more that was approved of: its server describes it otherwise now."


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Events that are told together, with the steps that are done by then."""

    events: list[Event]
    steps: Mapping[str, object] = {}
    last: bool = False
    """Whether these are the end of the response."""


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """What earlier attempts at the same response did."""

    usages: Sequence[Usage | None] = ()
    """What each answer of the model took that was there to its end."""


NO_PAST: Final = Past()


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What it is done with."""

    door: Door
    new_id: NewId
    clock: Clock


class Loop:
    """One response. `batches` is used once, to its end or to its `aclose`."""

    def __init__(  # noqa: PLR0913 - its parts, each by its name
        self,
        parts: Parts,
        caller: Caller,
        question: Question,
        answer: Answer,
        talk: Talk,
        *,
        box: Toolbox,
        past: Past = NO_PAST,
    ) -> None:
        self._parts = parts
        self._caller = caller
        self._question = question
        self._answer = answer
        self._talk = talk
        self._box = box
        self._rounds = len(past.usages)
        answer.earlier(past.usages)
        self._source: Stream | None = None
        self._record: CallRecord | None = None
        made = [item for item in answer.response["output"] if item["type"] in _MADE]
        self._calls = sum(item.get("status") != "in_progress" for item in made)
        self._waiting = 0
        """Calls that somebody has to approve of."""
        self._said = 0
        self.held: Final[list[Event]] = []
        """What came when the model had said all, and is not told yet."""
        self._notes: list[Resource] = []
        """Calls that came to nothing and are shown by no item."""
        self._ends = parts.clock.monotonic() + MOST_SECONDS
        self.headers: Sequence[Header] = ()
        """Of the model's first answer."""
        self.under_way = self._calls > 0 or self._rounds > 0
        """Whether something was done that cannot be taken back: a failure is then one of the response."""

    async def batches(self) -> AsyncGenerator[Batch, None]:
        """The events from the first one that is not told, to the last one.

        Raises the `ForehearthError` that fits while nothing is `under_way`; the response has not failed then.
        """
        try:
            async for batch in self._whole():
                yield batch
        except ForehearthError as error:
            self._close(error.code)
            if not self.under_way:
                raise
            yield Batch(events=[*self.held, *self._answer.fail(error)], last=True)
        finally:
            await self._leave()

    async def _whole(self) -> AsyncIterator[Batch]:
        unlisted = await self._fill()
        unanswered = self._answer.unanswered
        if unanswered is not None:
            yield await self._resumed(unanswered)
        async for batch in self._lists(unlisted):
            yield batch
        self._answer.hold(self._box.functions)
        for decision in self._talk.decisions:
            async for batch in self._decided(decision):
                yield batch
        offered = True
        while not self._is_over():
            first, offered = self._rounds == 0 and self._calls == 0, offered and self._may_call()
            async for batch in self._round(first=first, offered=offered):
                yield batch
            if self._is_over():
                return
            before = self._calls
            async for batch in self._make(self._answer.onward(), first=first, offered=offered):
                yield batch
            if self._answer.called or (self._calls == before and not offered):
                yield Batch(events=self._answer.stop_here(), last=True)
            offered = offered and self._calls > before

    def _is_over(self) -> bool:
        return self._answer.over

    async def _fill(self) -> list[Server]:
        """Put into the box what is known already; the servers that have to be asked."""
        context = [*self._talk.items, *self._answer.response["output"]]
        unlisted = []
        for server in self._box.servers:
            known = self._box.known(context, server) if server.kind == "mcp" else await server.specs()
            if known is None:
                unlisted.append(server)
            else:
                self._box.fill(server, known)
        return unlisted

    async def _lists(self, unlisted: Sequence[Server]) -> AsyncIterator[Batch]:
        """Fill the box. Raises where a server has no list: a question without its tools is another one."""
        for server in unlisted:
            item = tool_items.listing(self._parts.new_id("mcpl"), server.label)
            yield Batch(events=self._answer.tool(Step.LIST, item))
            try:
                specs = await server.specs()
            except (AddressRefused, AddressFailed) as error:
                error.param = f"{server.at}.server_url"
                item.tell({"error": error.message}, "in_progress")
                yield Batch(events=self._answer.tool(Step.UNLISTED))
                raise
            item.tell(tool_items.listed(specs), "in_progress")
            yield Batch(events=self._answer.tool(Step.LISTED))
            self._box.fill(server, specs)

    async def _decided(self, decision: Decision) -> AsyncIterator[Batch]:
        """Make a call that was approved of, once. What is denied is for the model to read."""
        request = decision.request
        made = {item.get("approval_request_id") for item in self._answer.response["output"]}
        if not decision.approve or request["id"] in made:
            return
        tool = self._box.of(request["server_label"], request["name"])
        if tool is None:
            message = (
                f"The call that was approved of is one of '{request['name'][:128]}' of the MCP server "
                f"'{request['server_label'][:128]}', which is not among 'tools', or not allowed there."
            )
            raise InvalidField(message, param="input")
        self.under_way = True
        async for batch in self._call(tool, request["arguments"], approval=request["id"]):
            yield batch

    async def _round(self, *, first: bool, offered: bool) -> AsyncIterator[Batch]:
        """Ask the model, and tell what it says. What comes when it has said all is told with the end."""
        answer = self._answer
        self._rounds += 1
        if self._output_left() == 0:
            yield Batch(events=answer.stop_here(cut=True), last=True)
            return
        reply = await self._reply(first=first, offered=offered)
        self.headers = self.headers or reply.headers
        self._source = reply.stream
        if reply.stream is None:
            self.held.extend(answer.whole(reply.body))
        else:
            async for piece in reply.stream:
                events = answer.feed(piece)
                if self.held or answer.said:
                    self.held.extend(events)
                else:
                    yield Batch(events=events)
                if answer.over:
                    break
            self.held.extend([] if answer.over else answer.finish())
        self.under_way = True
        await self._end_source()
        self._close("ok" if answer.failure is None else answer.failure.code)
        held = list(self.held)
        self.held.clear()
        yield Batch(events=held, steps={f"{ROUND}{self._rounds}": answer.used}, last=answer.over)

    async def _reply(self, *, first: bool, offered: bool) -> Reply:
        """What the model answers. What it refuses is named as the caller named it."""
        try:
            return await self._parts.door(self._asked(first=first, offered=offered))
        except (Refused, BackendRefused) as error:
            error.param = chat.named_here(error.param)
            raise

    def _asked(self, *, first: bool, offered: bool) -> Call:
        """The call of chat completions for this round. The first one is the request's own in the ledger."""
        caller, question = self._caller, self._question
        if self._rounds > 1:
            self._record = CallRecord()
            its = f"{caller.request_id}.{self._rounds}"
            started = self._parts.clock.monotonic()
            caller = msgspec.structs.replace(caller, request_id=its, record=self._record, started=started)
        tools = self._box.offered(remote=offered, first=first)
        body = msgspec.structs.replace(question.body, max_output_tokens=self._output_left())
        question = msgspec.structs.replace(question, tools=tools, body=body)
        said = [item for item in whole_items(self._answer.response["output"]) if item.get("status") != "incomplete"]
        return caller.call(question, chat.body(question, [*self._talk.items, *said, *self._notes], self._box.named))

    def _output_left(self) -> int | None:
        """The tokens that the model may still write; None where nobody set a bound, 0 where it is reached."""
        most, used = self._question.body.max_output_tokens, self._answer.usage
        return most if most is None or used is None else max(0, most - used.completion)

    async def _make(self, wanted: Sequence[Called], *, first: bool, offered: bool) -> AsyncIterator[Batch]:
        """What becomes of the calls that the model wants."""
        for call in wanted:
            tool = self._box.callable(call.name, first=first) if offered else None
            if tool is None or not self._may_call():
                continue
            if tool.waits:
                its = tool_items.request(
                    self._parts.new_id("mcpr"), tool.server.label, tool.spec.name, _bounded(call.arguments)
                )
                self._waiting += 1
                yield Batch(events=[*self._answer.tool(Step.SHOW, its), *self._answer.tool(Step.SHOWN)])
                continue
            async for batch in self._call(tool, call.arguments):
                yield batch

    async def _call(self, tool: BoxedTool, arguments: str, *, approval: str | None = None) -> AsyncIterator[Batch]:
        """Make a call: the item that begins it is told before, and the one that it comes to after."""
        item = self._item(tool, arguments, approval)
        if item is not None:
            step = Step.TOOL if tool.server.kind == "mcp" else Step.OPERATION
            yield Batch(events=self._answer.tool(step, item, _bounded(arguments)))
        yield await self._carried_out(item, tool, arguments, checked=approval is not None)

    def _item(self, tool: BoxedTool, arguments: str, approval: str | None) -> ToolItem | None:
        """What shows the call; a form has nothing to show before it is filled in."""
        new_id = self._parts.new_id
        if tool.server.kind == "mcp":
            return tool_items.mcp_call(new_id("mcp"), tool.server.label, tool.spec.name, approval)
        if tool.server.kind == "openapi":
            return tool_items.openapi_call(new_id("oa"), new_id("call"), tool.called, _bounded(arguments))
        return None

    async def _carried_out(self, item: ToolItem | None, tool: BoxedTool, arguments: str, *, checked: bool) -> Batch:
        result = await self._result(tool, arguments, checked=checked)
        self._calls += 1
        return self._returned(item, tool.called, arguments, result)

    async def _result(self, tool: BoxedTool, arguments: str, *, checked: bool) -> ToolResult:
        """What a tool answers; one that was approved of has to be what it was."""
        try:
            changed = checked and await self._box.changed(tool)
        except (AddressRefused, AddressFailed) as error:
            return _failed("http", error.message)
        return _failed("refused", _CHANGED) if changed else await self._box.call(tool, arguments)

    def _returned(self, item: ToolItem | None, called: str, arguments: str, result: ToolResult) -> Batch:
        """The events of what became of it, and the step that it was."""
        answer, new_id = self._answer, self._parts.new_id
        self._said += len(result.text)
        if item is None:
            item = tool_items.captured(new_id("so"), None if result.is_error else read_object(arguments))
            if result.is_error:
                events: list[Event] = []
                self._notes += tool_history.called(item.id, called, _bounded(arguments), result.text)
            else:
                events = [*answer.tool(Step.SHOW, item), *answer.tool(Step.SHOWN)]
        elif item.kind == "mcp_call":
            item.tell(*tool_items.returned(result))
            events = answer.tool(Step.FAULT if result.is_error else Step.RETURNED)
        else:
            its = item.shown()
            item.tell({}, "failed" if result.is_error else "completed")
            events = answer.tool(Step.RETURNED)
            output = tool_items.openapi_output(new_id("oao"), its["call_id"], its["name"], result)
            events += [*answer.tool(Step.SHOW, output), *answer.tool(Step.SHOWN)]
        return Batch(events=events, steps={f"{_CALL}{item.id}": {"tool": called, "failed": result.is_error}})

    async def _resumed(self, item: ToolItem) -> Batch:
        """A call that a lost server began. It is made again where that makes no difference, and fails otherwise."""
        its = item.shown()
        if item.kind == "mcp_call":
            tool = self._box.of(its["server_label"], its["name"])
        else:
            tool = self._box.tool(its["name"])
        if tool is not None and tool.repeats:
            self._caller.record.say("responses", f"The tool '{tool.called}' was called again after a worker was lost.")
            return await self._carried_out(item, tool, its["arguments"], checked=False)
        self._calls += 1
        return self._returned(item, its["name"], its["arguments"], _failed("execution", _LOST))

    def _may_call(self) -> bool:
        most = min(self._question.body.max_tool_calls or MOST_CALLS, MOST_CALLS)
        begun = self._calls + self._waiting
        return begun < most and self._said < MOST_SAID and self._parts.clock.monotonic() < self._ends

    async def _end_source(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            await source.aclose()

    def _close(self, outcome: str) -> None:
        """A model call is over, and its record; the first one's is the request's."""
        record, self._record = self._record, None
        if record is not None:
            record.status, record.outcome = 200, record.outcome or outcome
            record.close()

    async def _leave(self) -> None:
        try:
            await self._end_source()
        finally:
            self._close("client_left")
            await self._box.aclose()


def _bounded(arguments: str) -> str:
    """Arguments as they are shown; more of them are not sent either."""
    return arguments[:LONGEST]


def _failed(kind: Any, message: str) -> ToolResult:
    return ToolResult(text=message, is_error=True, fault=ToolFault(kind=kind, message=message))
