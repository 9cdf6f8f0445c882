"""The arguments that a model wrote for a tool: text of a JSON object, or something that was meant to be one."""

from typing import Any, Final

import msgspec

LONGEST: Final = 256 * 1024
"""Bytes of arguments."""

_decoder: Final = msgspec.json.Decoder(dict[str, Any])


class BadArguments(ValueError):
    """What is wrong with them, in words for the model."""


def read_object(text: str) -> dict[str, Any]:
    """The object that `text` is; none at all is an empty one. Raises `BadArguments`."""
    if not text.strip():
        return {}
    raw = text.encode(errors="replace")
    if len(raw) > LONGEST:
        raise BadArguments(f"The arguments have more than {LONGEST} bytes.")
    try:
        return _decoder.decode(raw)
    except msgspec.ValidationError:
        raise BadArguments("The arguments are not a JSON object.") from None
    except (msgspec.DecodeError, RecursionError):
        raise BadArguments("The arguments are not valid JSON.") from None
