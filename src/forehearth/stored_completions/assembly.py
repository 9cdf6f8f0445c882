"""From a streamed chat completion to the whole one that it says, without I/O."""

import re
from typing import Any

import msgspec

_LINE = re.compile(rb"^data:[ \t]*(.*?)\r?$", re.MULTILINE)
_DONE = b"[DONE]"
_AS_IT_IS = frozenset({"id", "type", "role", "name"})
"""Texts of a delta that are not continued by the next one."""

Object = dict[str, Any]


class _Text(list[str]):
    """A text in the pieces in which it came, joined once."""


class Assembly:
    """Follows a stream of server-sent events, in pieces cut anywhere."""

    __slots__ = ("_choices", "_failed", "_rest", "_top", "done", "size")

    def __init__(self) -> None:
        self._rest = b""
        self._top: Object = {}
        self._choices: dict[int, Object] = {}
        self._failed = False
        self.done = False
        """Whether its last event has passed."""
        self.size = 0
        """Bytes that have passed."""

    def feed(self, piece: bytes) -> None:
        """The next piece passes."""
        self.size += len(piece)
        text = self._rest + piece
        end = text.rfind(b"\n") + 1
        self._rest = text[end:]
        for line in _LINE.finditer(text, 0, end):
            self._event(line.group(1).strip())

    def whole(self) -> Object | None:
        """The completion; None where the stream is none, or is not over."""
        if self._failed or not self.done or not self._top or not self._choices:
            return None
        choices = [self._choices[index] for index in sorted(self._choices)]
        return self._top | {"object": "chat.completion", "choices": [_finished(each) for each in choices]}

    def _event(self, text: bytes) -> None:
        if text == _DONE:
            self.done = True
            return
        try:
            event = msgspec.json.decode(text, type=Object)
            self._take(event)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError, ValueError, AttributeError):
            self._failed = True  # no chat completion; whoever reads the stream sees for themselves

    def _take(self, event: Object) -> None:
        if "error" in event:
            self._failed = True
        for choice in event.pop("choices", None) or ():
            index = int(choice.get("index") or 0)
            so_far = self._choices.setdefault(index, {"index": index, "message": {}, "finish_reason": None})
            _merge(so_far["message"], choice.pop("delta", None) or {})
            logprobs = choice.pop("logprobs", None)
            if logprobs:
                _merge(so_far.setdefault("logprobs", {}), logprobs)
            so_far.update({name: value for name, value in choice.items() if value is not None or name not in so_far})
        # Hosts leave members of some events empty that others have.
        self._top.update({name: value for name, value in event.items() if value or name not in self._top})


def _merge(into: Object, delta: Object) -> None:
    """What a delta adds: texts go on, lists with an `index` by that, other lists at their end."""
    for name, value in delta.items():
        before = into.get(name)
        if value is None or before is None:
            into[name] = _begun(name, value) if before is None else before
        elif isinstance(before, _Text):
            before.append(str(value))
        elif isinstance(value, dict) and isinstance(before, dict):
            _merge(before, value)
        elif isinstance(value, list) and isinstance(before, list):
            _extend(before, value)
        else:
            into[name] = value or before


def _begun(name: str, value: Any) -> Any:
    """What the first delta of a member begins it with."""
    if isinstance(value, str) and name not in _AS_IT_IS:
        return _Text([value])
    if isinstance(value, dict):
        begun: Object = {}
        _merge(begun, value)
        return begun
    if isinstance(value, list):
        listed: list[Any] = []
        _extend(listed, value)
        return listed
    return value


def _extend(before: list[Any], more: list[Any]) -> None:
    for each in more:
        index = each.get("index") if isinstance(each, dict) else None
        if index is None:
            before.append(each)
            continue
        same = next((one for one in before if one.get("index") == index), None)
        if same is None:
            before.append(_begun("", each))
        else:
            _merge(same, each)


def _joined(value: Any) -> Any:
    """The same with its texts whole."""
    if isinstance(value, _Text):
        return "".join(value)
    if isinstance(value, dict):
        return {name: _joined(each) for name, each in value.items()}
    return [_joined(each) for each in value] if isinstance(value, list) else value


def _finished(choice: Object) -> Object:
    """A choice as a whole answer has it."""
    message = {"role": "assistant", "content": None, "refusal": None} | _joined(choice["message"])
    if message.get("tool_calls"):
        message["tool_calls"] = [
            {name: value for name, value in each.items() if name != "index"} for each in message["tool_calls"]
        ]
    whole: Object = {"logprobs": None} | _joined(choice) | {"message": message}
    return whole
