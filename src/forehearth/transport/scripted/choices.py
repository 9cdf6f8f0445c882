"""The texts and tool calls that a rule answers a question with, cut where the question says so."""

import msgspec

from forehearth.core.call import Operation
from forehearth.providers.scripted_rules import Rule, ScriptedToolCall
from forehearth.transport.scripted import tokens
from forehearth.transport.scripted.question import Question
from forehearth.transport.scripted.script import Turn


class Invocation(msgspec.Struct, frozen=True, kw_only=True):
    """A tool call; joined, `arguments` are its arguments."""

    id: str
    name: str
    arguments: list[str]


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One answer in tokens. `content` is None where tool calls stand alone."""

    content: list[str] | None
    calls: list[Invocation]
    finish_reason: str

    @property
    def length(self) -> int:
        """Tokens of text and arguments."""
        return len(self.content or ()) + sum(len(call.arguments) for call in self.calls)


def compose(turn: Turn, question: Question) -> list[Choice]:
    """All answers to a question: to each of its texts as many as it asks for."""
    asked = [text for text in question.texts for _ in range(question.choices)]
    return [_choice(turn, question, text, index) for index, text in enumerate(asked)]


def _choice(turn: Turn, question: Question, asked: str, index: int) -> Choice:
    rule = turn.rule
    calls = rule.tool_calls if question.operation is Operation.CHAT else ()
    text = _text(rule, asked, turn.given + index)
    if text is None and not calls:
        text = ""
    left = question.max_tokens
    content = None if text is None else tokens.split(_stopped(text, question.stop))
    cut = left is not None and len(content or ()) > left
    if content is not None and left is not None:
        content = content[:left]
        left -= len(content)
    invocations: list[Invocation] = []
    for number, call in enumerate(calls):
        arguments = tokens.split(_arguments(call))
        if cut or (left is not None and len(arguments) > left):
            arguments, cut = arguments[:left], True
        if left is not None:
            left -= len(arguments)
        if arguments or not cut:
            invocations.append(Invocation(id=f"call_{turn.ident}{index}_{number}", name=call.name, arguments=arguments))
    reason = "length" if cut else rule.finish_reason or ("tool_calls" if invocations else "stop")
    return Choice(content=content, calls=invocations, finish_reason=reason)


def _text(rule: Rule, asked: str, turn: int) -> str | None:
    if isinstance(rule.answer, str):
        return rule.answer
    if rule.answer is not None:
        return rule.answer[turn % len(rule.answer)]
    if rule.json is not None:
        return msgspec.json.encode(rule.json).decode()
    return None if rule.tool_calls and not rule.echo else asked


def _arguments(call: ScriptedToolCall) -> str:
    return call.arguments if isinstance(call.arguments, str) else msgspec.json.encode(call.arguments).decode()


def _stopped(text: str, stop: tuple[str, ...]) -> str:
    ends = [end for end in (text.find(sequence) for sequence in stop) if end >= 0]
    return text[: min(ends)] if ends else text
