"""What an answer to a prompt says, whole or as it streams, in either dialect; and what an error object says."""

from typing import Any, Final

import msgspec

_LONGEST_EVENT: Final = 4 * 1024 * 1024


class Broken(Exception):
    """The answer breaks off, or is none. Its text is what was said of that."""


class Said:
    """Takes an answer's events, in pieces cut anywhere, and gives the text in them."""

    def __init__(self) -> None:
        self._rest = b""
        self.ended = False
        """Whether the answer came to its own end."""
        self.events = 0

    def feed(self, piece: bytes) -> str:
        """The text of the events that this piece completes. Raises `Broken`."""
        lines = (self._rest + piece).replace(b"\r\n", b"\n").split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > _LONGEST_EVENT:
            raise Broken("the answer has an event that is too long")
        return "".join(self._line(line) for line in lines)

    def finish(self) -> None:
        """There is no more. Raises `Broken` where the answer is not complete."""
        if not self.ended:
            raise Broken("the answer ended before it was complete")

    def _line(self, line: bytes) -> str:
        field, _, value = line.partition(b":")
        if field != b"data":
            return ""
        data = value.strip()
        if data == b"[DONE]":
            self.ended = True
            return ""
        event = _object(data)
        if event is None:
            raise Broken("the answer has an event that is no JSON")
        self.events += 1
        error = event.get("error") or (event if event.get("type") == "error" else None)
        if error:
            raise Broken(error_text(event) or "the answer broke off")
        return self._text(event)

    def _text(self, event: dict[str, Any]) -> str:
        kind = event.get("type")
        if kind == "response.output_text.delta":
            return str(event.get("delta") or "")
        if kind in {"response.failed", "response.incomplete", "response.completed"}:
            self.ended = True
            if kind == "response.failed":
                raise Broken(error_text(event.get("response")) or "the response failed")
        return "".join(_delta(choice) for choice in _list(event.get("choices")))


def whole(body: bytes) -> str:
    """The text of an answer that came whole. Raises `Broken` where it has none."""
    answer = _object(body)
    if answer is None:
        raise Broken("the answer is no JSON")
    messages = [choice.get("message") for choice in _list(answer.get("choices"))]
    parts = [part for item in _list(answer.get("output")) for part in _list(item.get("content"))]
    texts = [each.get("content") for each in messages if isinstance(each, dict)]
    texts += [part.get("text") for part in parts if part.get("type") == "output_text"]
    if not messages and "output" not in answer:
        raise Broken("the answer is none to a prompt")
    return "".join(text for text in texts if isinstance(text, str))


def error_of(body: bytes) -> tuple[str, str]:
    """Code and message of an error, in every envelope of the surfaces and of API Management; empty where none."""
    answer = _object(body) or {}
    error = answer.get("error")
    inner = error if isinstance(error, dict) else answer
    code = inner.get("code", answer.get("statusCode", ""))
    return str(code if code is not None else ""), str(inner.get("message") or "")


def error_text(event: object) -> str:
    """The message of an event that tells of an error; empty where it has none."""
    if not isinstance(event, dict):
        return ""
    error = event.get("error")
    return str((error if isinstance(error, dict) else event).get("message") or "")


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _list(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _delta(choice: dict[str, Any]) -> str:
    delta = choice.get("delta")
    content = delta.get("content") if isinstance(delta, dict) else None
    return content if isinstance(content, str) else ""
