"""What is wrong with a caller's JSON, in words for the caller: from msgspec's message to the member's path."""

import re

import msgspec

from forehearth.core.errors import InvalidField, MalformedBody, Refused

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What reading a body as JSON may raise."""

_AT = re.compile(r"^(?P<what>.*?)(?: - at `(?:key in )?\$\.?(?P<path>.*)`)?$", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<field>\w+)`")
_BYTE = re.compile(r"\(byte (\d+)\)")


def misfit(text: str, *, within: str = "") -> InvalidField:
    """From msgspec's words to the member's path and what it should have been; `within` is where the value stands."""
    match = _AT.match(text)
    what, path = (match["what"], match["path"] or "") if match else (text, "")
    missing = _MISSING.match(what)
    if missing:
        path = f"{path}.{missing['field']}" if path else missing["field"]
    if within:
        path = f"{within}{path}" if path.startswith("[") else f"{within}.{path}".rstrip(".")
    if missing:
        return InvalidField(f"Missing required parameter: '{path}'.", param=path)
    expected = what[:1].lower() + what[1:].replace("`", "")
    if not path:
        return InvalidField(f"The body must be a JSON object: {expected}.")
    return InvalidField(f"Invalid value for '{path}': {expected}.", param=path)


def unread(body: bytes, error: Exception) -> Refused:
    """What is wrong with a body, from what msgspec raised when it was to be read."""
    if isinstance(error, msgspec.ValidationError):
        return misfit(str(error))
    if isinstance(error, RecursionError):
        return MalformedBody("The body's JSON is nested too deeply to be read.")
    return MalformedBody(malformed(body, str(error)))


def malformed(body: bytes, text: str) -> str:
    """What is wrong with the JSON, and where: line and column count from 1, columns in bytes."""
    if not body.strip():
        return "The body is empty; send a JSON object."
    match = _BYTE.search(text)
    if match is None:
        where = f"at its end, byte {len(body)}" if "truncated" in text else "somewhere (it is not valid UTF-8)"
        return f"The body is not valid JSON: it breaks off or goes wrong {where}."
    at = min(int(match[1]), len(body))
    line = body.count(b"\n", 0, at) + 1
    column = at - body.rfind(b"\n", 0, at)
    reason = _BYTE.sub("", text.removeprefix("JSON is malformed: ")).strip()
    return f"The body is not valid JSON: {reason} at line {line}, column {column} (byte {at})."
