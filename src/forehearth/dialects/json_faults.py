"""What is wrong with a body that is not JSON, and where."""

import re

_BYTE = re.compile(r"\(byte (\d+)\)")


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
