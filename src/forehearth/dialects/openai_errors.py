"""A model host's error answer, reduced to the named members that OpenAI-shaped hosts use.

Hosts differ: `{"error": {...}}`, `{"error": "text"}`, flat `{"message": ...}`, FastAPI's `{"detail": ...}`, or no JSON
at all. Nothing else of the body is kept, and text is cut and cleaned, because callers get to see it.
"""

import re
from collections.abc import Mapping

import msgspec

from forehearth.core.errors import BackendRefused
from forehearth.dialects.waits import retry_after, spent

_LONGEST_MESSAGE = 1_000
_TOO_MANY = 429
_SECRET = re.compile(r"(?i)\b(?:sk-|bearer\s+|eyj)[\w.~+/-]{4,}=*|(?<=://)[^/\s@]+@")
_ADDRESS = re.compile(r"(?i)\b(?:https?|wss?)://[^\s\"'<>]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


def read(status: int, headers: Mapping[bytes, bytes], body: bytes, *, backend: str) -> BackendRefused:
    """The error that a response of `status` tells of. Never raises, whatever the body is."""
    error = _error_object(body)
    message = error.get("message")
    return BackendRefused(
        _clean(message) if isinstance(message, str) and message else _in_general(status),
        status=status,
        error_code=_short(error.get("code")),
        param=_short(error.get("param")),
        type=_short(error.get("type")),
        inner_error=_inner(error),
        backend=backend,
        retry_after=_wait(status, headers),
    )


def _wait(status: int, headers: Mapping[bytes, bytes]) -> float | None:
    asked = retry_after(headers)
    return spent(headers) if asked is None and status == _TOO_MANY else asked


def _error_object(body: bytes) -> Mapping[str, object]:
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    if not isinstance(decoded, dict):
        return {}
    error = decoded.get("error", decoded)
    if isinstance(error, str):
        return {"message": error}
    if not isinstance(error, dict):
        return {}
    if "message" not in error and isinstance(error.get("detail"), str):
        return {**error, "message": error["detail"]}
    return error


def _inner(error: Mapping[str, object]) -> object | None:
    """A content filter's verdict: the one nested part that clients read."""
    inner = error.get("innererror", error.get("inner_error"))
    if not isinstance(inner, dict):
        return None
    kept = {name: inner[name] for name in ("code", "content_filter_result", "content_filter_results") if name in inner}
    return kept or None


def _short(value: object) -> str | None:
    return _clean(str(value))[:128] if isinstance(value, str | int) and value != "" else None


def _clean(text: str) -> str:
    """Text of a host, fit for callers: no control characters, no credentials, no addresses, not endless."""
    text = _SECRET.sub("***", _CONTROL.sub(" ", text[: 4 * _LONGEST_MESSAGE]))
    return _ADDRESS.sub("(address)", text)[:_LONGEST_MESSAGE]


def _in_general(status: int) -> str:
    return f"The model's host answered with status {status} and no message that can be shown."
