"""Bodies of what is no call of a model: read whole, strictly, and refused in the service's words."""

from typing import TypeVar

import msgspec

from forehearth.core.errors import MalformedBody
from forehearth.dialects.wrong_members import wrong_member

Body = TypeVar("Body", bound=msgspec.Struct)


def read_body(body: bytes, form: type[Body]) -> Body:
    """The body. Raises `MalformedBody`, `InvalidField` or `UnknownField`, which name what is wrong."""
    try:
        return msgspec.json.decode(body, type=form)
    except msgspec.ValidationError as error:
        raise wrong_member(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise MalformedBody("The body is not valid JSON; send a JSON object.") from None
    except RecursionError:
        raise MalformedBody("The body's JSON is nested too deeply to be read.") from None
