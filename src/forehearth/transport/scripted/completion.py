"""A scripted answer as the OpenAI dialect's objects: chat and text completions, whole and as server-sent events."""

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Any

import msgspec

from forehearth.core.call import Operation
from forehearth.core.usage import Usage
from forehearth.providers.scripted_rules import Rule
from forehearth.transport.scripted import choices
from forehearth.transport.scripted.choices import Choice
from forehearth.transport.scripted.question import Question
from forehearth.transport.scripted.script import Turn

Json = dict[str, Any]

DONE = b"data: [DONE]\n\n"


def counted(rule: Rule, prompt: int, completion: int) -> Usage:
    """The usage to report: as scripted, and counted where the script says nothing."""
    said = rule.usage
    return Usage(
        prompt=prompt if said.prompt is None else said.prompt,
        completion=completion if said.completion is None else said.completion,
        cached=said.cached or 0,
        reasoning=said.reasoning or 0,
    )


class Completion:
    """One answer, with all its choices. Which of the two kinds it is follows from the question."""

    def __init__(self, turn: Turn, question: Question, created: int) -> None:
        self._chat = question.operation is Operation.CHAT
        self._choices = choices.compose(turn, question)
        self._wants_usage = question.include_usage
        self._fault = turn.rule.fault
        self.length = max(choice.length for choice in self._choices)
        """Tokens of its longest choice; choices come side by side, so this is how many steps it takes."""
        total = sum(choice.length for choice in self._choices)
        self._usage = counted(turn.rule, question.prompt_tokens, total)
        self._head: Json = {
            "id": f"{'chatcmpl' if self._chat else 'cmpl'}-{turn.ident}",
            "created": created,
            "model": question.model,
            "system_fingerprint": "fp_scripted",
        }

    def whole(self) -> bytes:
        """The answer as one object."""
        body = {
            **self._head,
            "object": "chat.completion" if self._chat else "text_completion",
            "choices": [self._complete(index, choice) for index, choice in enumerate(self._choices)],
        }
        if self._fault != "no_usage":
            body["usage"] = self._counts()
        return msgspec.json.encode(body)

    def opening(self) -> Iterator[bytes]:
        """The events before the first token."""
        if self._chat:
            for index, choice in enumerate(self._choices):
                content = None if choice.content is None else ""
                yield self._event(index, {"role": "assistant", "content": content, "refusal": None})

    def steps(self) -> Iterator[list[bytes]]:
        """The events of each step: the next token of every choice that has one."""
        for step in zip_longest(*(self._tokens(index, choice) for index, choice in enumerate(self._choices))):
            yield [event for events in step if events for event in events]

    def closing(self) -> Iterator[bytes]:
        """The events after the last token."""
        for index, choice in enumerate(self._choices):
            yield self._event(index, {} if self._chat else "", choice.finish_reason)
        if self._wants_usage and self._fault != "no_usage":
            yield self._chunk([], self._counts())
        if self._fault != "no_done":
            yield DONE

    def _complete(self, index: int, choice: Choice) -> Json:
        content = None if choice.content is None else "".join(choice.content)
        end = {"index": index, "logprobs": None, "finish_reason": choice.finish_reason}
        if not self._chat:
            return {**end, "text": content or ""}
        message: Json = {"role": "assistant", "content": content, "refusal": None}
        if choice.calls:
            message["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": "".join(call.arguments)},
                }
                for call in choice.calls
            ]
        return {**end, "message": message}

    def _tokens(self, index: int, choice: Choice) -> Iterator[list[bytes]]:
        for token in choice.content or ():
            yield [self._event(index, {"content": token} if self._chat else token)]
        for number, call in enumerate(choice.calls):
            start = {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
            begin = self._event(index, {"tool_calls": [{"index": number, **start}]})
            first, *rest = call.arguments or [""]
            yield [begin, self._argument(index, number, first)]
            for token in rest:
                yield [self._argument(index, number, token)]

    def _argument(self, index: int, number: int, text: str) -> bytes:
        return self._event(index, {"tool_calls": [{"index": number, "function": {"arguments": text}}]})

    def _event(self, index: int, news: Json | str, finish_reason: str | None = None) -> bytes:
        member = "delta" if self._chat else "text"
        return self._chunk([{"index": index, member: news, "logprobs": None, "finish_reason": finish_reason}])

    def _chunk(self, pieces: Iterable[Json], usage: Json | None = None) -> bytes:
        body: Json = {
            **self._head,
            "object": "chat.completion.chunk" if self._chat else "text_completion",
            "choices": pieces,
        }
        if self._wants_usage:
            body["usage"] = usage
        return b"data: " + msgspec.json.encode(body) + b"\n\n"

    def _counts(self) -> Json:
        if self._fault == "wrong_usage":
            return {"prompt_tokens": 0, "completion_tokens": 1_000_000, "total_tokens": 1}
        used = self._usage
        return {
            "prompt_tokens": used.prompt,
            "completion_tokens": used.completion,
            "total_tokens": used.prompt + used.completion,
            "prompt_tokens_details": {"cached_tokens": used.cached},
            "completion_tokens_details": {"reasoning_tokens": used.reasoning},
        }
