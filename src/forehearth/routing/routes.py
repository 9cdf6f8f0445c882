"""Routes: names that stand for a choice among deployments, made call by call from its size, its wishes and its headers.

A chain of deployments is asked in order: the next one when all backends of the one before are down or busy.
"""

import re
from collections.abc import Callable, Mapping

import msgspec

from forehearth.core.call import Call
from forehearth.core.routing_settings import Capability, RouteCondition, RouteSettings
from forehearth.dialects import prompts

Chain = tuple[str, ...]
"""Names of deployments, in the order in which they are asked."""

BYTES_OF_A_TOKEN = 4
"""What a token of prose, code and JSON has, as a rule. An estimate will do: to count costs more than a whole call."""

_ATTACHED = re.compile(rb'"data:[^",]{0,100},[^"]*"')
"""Images and sound within the body; they are no text, whatever they count as at the model."""


class _Format(msgspec.Struct):
    type: str = ""


class _Asked(msgspec.Struct):
    tools: list[msgspec.Raw] | None = None
    functions: list[msgspec.Raw] | None = None
    response_format: _Format | None = None


_decoder = msgspec.json.Decoder(_Asked)


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A route of one resource."""

    chain: Chain
    """For calls that no rule is for."""
    rules: tuple[tuple[RouteCondition, Chain], ...] = ()

    @property
    def deployments(self) -> frozenset[str]:
        """All that it can lead to."""
        return frozenset(self.chain).union(*(chain for _, chain in self.rules))

    def choose(self, call: Call) -> Chain:
        """The deployments for a call."""
        return next((chain for condition, chain in self.rules if fits(condition, call)), self.chain)


def route(settings: RouteSettings) -> Route:
    """From the configuration."""
    return Route(chain=settings.chain, rules=tuple((rule.when, rule.chain) for rule in settings.rules))


def fits(condition: RouteCondition, call: Call) -> bool:
    """Whether every condition that is given holds."""
    if any(call.headers.get(name.lower().encode()) != value.encode() for name, value in condition.headers.items()):
        return False
    if condition.prompt_tokens_over is not None and prompt_tokens(call) <= condition.prompt_tokens_over:
        return False
    if condition.prompt_tokens_under is not None and prompt_tokens(call) >= condition.prompt_tokens_under:
        return False
    return all(_ASKS_FOR[each](call) for each in condition.asks_for)


def prompt_tokens(call: Call) -> int:
    """About how many tokens the prompt has, by the length of the body without what is attached to it."""
    size = len(call.body)
    if b'"data:' in call.body:
        size -= sum(len(found.group()) for found in _ATTACHED.finditer(call.body))
    return size // BYTES_OF_A_TOKEN


def _tools(call: Call) -> bool:
    return (b'"tools"' in call.body or b'"functions"' in call.body) and bool(_read(call).tools or _read(call).functions)


def _json_schema(call: Call) -> bool:
    wanted = _read(call).response_format if b'"json_schema"' in call.body else None
    return wanted is not None and wanted.type == "json_schema"


def _vision(call: Call) -> bool:
    images, _ = prompts.attached(call.operation, call.body)
    return images > 0


def _stream(call: Call) -> bool:
    return call.stream


def _read(call: Call) -> _Asked:
    try:
        return _decoder.decode(call.body)
    except msgspec.ValidationError:  # of another form than any that asks for something
        return _Asked()


_ASKS_FOR: Mapping[Capability, Callable[[Call], bool]] = {
    "tools": _tools,
    "json_schema": _json_schema,
    "vision": _vision,
    "stream": _stream,
}
