"""From an operation and a model's arguments to a request: what goes where, and encoded how."""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote

import msgspec

from forehearth.core.exchange import Header
from forehearth.tools.arguments import BadArguments
from forehearth.tools.operations import Operation, Parameter

_SEPARATORS: Final = {"form": ",", "simple": ",", "spaceDelimited": "%20", "pipeDelimited": "%7C"}
_DOTS: Final = frozenset({".", ".."})


class Worded(msgspec.Struct, frozen=True, kw_only=True):
    """A request's own part: where, with which headers and body."""

    url: str
    headers: tuple[Header, ...]
    body: bytes = b""


def word(operation: Operation, arguments: Mapping[str, Any]) -> Worded:
    """The request for a call. Raises `BadArguments`."""
    _check_names(operation, arguments)
    path = operation.path
    query: list[str] = []
    headers: list[Header] = [(b"accept", b"application/json, text/*;q=0.9, */*;q=0.5")]
    for each in operation.parameters:
        value = each.default if each.default is not msgspec.UNSET else arguments.get(each.key)
        if value is None:
            if each.required:
                raise BadArguments(f"'{each.key}' is missing.")
            continue
        if each.location == "path":
            path = path.replace("{%s}" % each.name, _in_path(each, value))  # noqa: UP031 - braces of an f-string
        elif each.location == "query":
            query += _in_query(each, value)
        else:
            headers.append(_in_header(each, value))
    if _DOTS & set(path.split("/")):
        raise BadArguments("The arguments would lead to another path.")
    url = f"{operation.url}{quote(path, safe=_PATH_SAFE)}"
    body = operation.body
    given = arguments.get(body.key, msgspec.UNSET) if body is not None else msgspec.UNSET
    raw = b""
    if body is not None and given is not msgspec.UNSET:
        headers.append((b"content-type", body.media_type.encode()))
        raw = msgspec.json.encode(given)
    elif body is not None and body.required:
        raise BadArguments(f"'{body.key}' is missing.")
    return Worded(url=f"{url}?{'&'.join(query)}" if query else url, headers=tuple(headers), body=raw)


_PATH_SAFE: Final = "/%:@!$&'()*+,;=~-._"


def _check_names(operation: Operation, arguments: Mapping[str, Any]) -> None:
    known = {each.key for each in operation.parameters if each.default is msgspec.UNSET}
    if operation.body is not None:
        known.add(operation.body.key)
    unknown = sorted(set(arguments) - known)
    if unknown:
        there = ", ".join(sorted(known)) or "none"
        raise BadArguments(f"There is no parameter '{unknown[0][:64]}'; there are: {there}.")


def _in_path(parameter: Parameter, value: Any) -> str:
    text = _simple(parameter, value)
    if not text:
        raise BadArguments(f"'{parameter.key}' is empty, and stands in the path.")
    return text


def _in_header(parameter: Parameter, value: Any) -> Header:
    if parameter.as_json:
        return parameter.name.lower().encode(), msgspec.json.encode(value)
    parts = _parts(parameter, value, plain=True)
    text = ",".join(parts)
    if not text.isascii() or not text.isprintable():
        raise BadArguments(f"'{parameter.key}' has characters that a header cannot have.")
    return parameter.name.lower().encode(errors="replace"), text.encode()


def _simple(parameter: Parameter, value: Any) -> str:
    if parameter.as_json:
        return _quoted(msgspec.json.encode(value).decode())
    return ",".join(_parts(parameter, value))


def _parts(parameter: Parameter, value: Any, *, plain: bool = False) -> list[str]:
    """The values of the style `simple`, each encoded for where it stands."""
    encode = str if plain else _quoted
    if isinstance(value, list):
        return [encode(_text(parameter, each)) for each in value]
    if isinstance(value, Mapping):
        pairs = [(encode(name), encode(_text(parameter, each))) for name, each in value.items()]
        return [f"{name}={each}" for name, each in pairs] if parameter.explode else [x for pair in pairs for x in pair]
    return [encode(_text(parameter, value))]


def _in_query(parameter: Parameter, value: Any) -> Iterable[str]:
    name = _quoted(parameter.name)
    if parameter.as_json:
        return [f"{name}={_quoted(msgspec.json.encode(value).decode())}"]
    if isinstance(value, Mapping):
        return _object_in_query(parameter, name, value)
    if isinstance(value, list):
        texts = [_quoted(_text(parameter, each)) for each in value]
        if parameter.explode:
            return [f"{name}={text}" for text in texts]
        return [f"{name}={_SEPARATORS.get(parameter.style, ',').join(texts)}"] if texts else []
    return [f"{name}={_quoted(_text(parameter, value))}"]


def _object_in_query(parameter: Parameter, name: str, value: Mapping[str, Any]) -> Iterable[str]:
    pairs = [(_quoted(key), _quoted(_text(parameter, each))) for key, each in value.items()]
    if parameter.style == "deepObject":
        return [f"{name}%5B{key}%5D={text}" for key, text in pairs]
    if parameter.explode:
        return [f"{key}={text}" for key, text in pairs]
    return [f"{name}={','.join(x for pair in pairs for x in pair)}"] if pairs else []


def _text(parameter: Parameter, value: Any) -> str:
    """A single value as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and parameter.integer and value.is_integer():
        return str(int(value))
    if isinstance(value, int | float):
        return msgspec.json.encode(value).decode()
    if value is None:
        return "null"
    raise BadArguments(f"'{parameter.key}' is nested more deeply than its place allows.")


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="replace")
