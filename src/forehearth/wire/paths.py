"""What the surfaces' rules for methods, media types, queries and deployment segments have in common."""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote, unquote_to_bytes

from forehearth.config.nearest import nearest
from forehearth.core.errors import MethodNotAllowed, NotServedYet, PathNotFound, UnsupportedMediaType
from forehearth.core.exchange import Head

DATED = "[0-9]{4}-[0-9]{2}-[0-9]{2}(-preview)?"
"""The form of a dated api-version."""
_DATED = re.compile(DATED)
_LONGEST_NAME = 256


def parameter(head: Head, name: bytes) -> str | None:
    """The query parameter `name`, decoded; the first one where it is repeated, None where it is absent."""
    if not head.query:
        return None
    for pair in head.query.split(b"&"):
        key, _, value = pair.partition(b"=")
        if key.lower() == name:
            return unquote_to_bytes(value.replace(b"+", b" ")).decode("utf-8", "replace")
    return None


def link(head: Head, query: Mapping[str, str]) -> str:
    """The address that was asked, as the caller has it, with another query: where a list goes on."""
    text = "&".join(f"{key}={quote(value, safe='')}" for key, value in query.items())
    host = head.headers.get(b"host", b"localhost").decode("ascii", "replace")
    return f"{head.scheme}://{host}{(head.prefix + head.raw_path).decode('ascii')}?{text}"


def is_dated(version: str) -> bool:
    """Whether `version` has the form of a dated api-version, known or not: the service adds them all the time."""
    return _DATED.fullmatch(version) is not None


def segment(raw: bytes) -> str:
    """One raw path segment as the name it encodes. Raises `PathNotFound` for what cannot be a name."""
    name = unquote_to_bytes(raw).decode("utf-8", "replace")
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise PathNotFound("Resource not found: the path has no usable deployment name.")
    return name


def require_post(head: Head) -> None:
    """Refuse every method but POST, and bodies that say they are not JSON."""
    if head.method != b"POST":
        raise MethodNotAllowed("This operation takes POST.", allowed=("POST",))
    require_media(head, b"application/json")


def require_media(head: Head, media: bytes) -> None:
    """Refuse bodies that say that they are something else than `media`."""
    kind = head.headers.get(b"content-type", media).partition(b";")[0].strip().lower()
    if kind != media:
        raise UnsupportedMediaType(f"Send the body as {media.decode()} (header 'content-type').")


def require_get(head: Head) -> None:
    """Refuse every method but GET and HEAD."""
    if head.method not in (b"GET", b"HEAD"):
        raise MethodNotAllowed("This path is read with GET.", allowed=("GET",))


def not_yet(family: str) -> NotServedYet:
    """For what the service has and this server will have."""
    return NotServedYet(f"'{family}' is not served yet; docs/status.md says what is.")


def not_found(operations: Sequence[str], method: str, path: bytes) -> PathNotFound:
    """The service's words, and the operation that was most likely meant, else what exists instead.

    An operation is written `POST /path`, with `{name}` for a segment that may be anything.
    """
    if path.count(b"/openai/") > 1:  # AzureOpenAI(azure_endpoint="…/openai/v1"), which adds its own
        return PathNotFound("Resource not found: '/openai/' is in the path twice. This client takes the host alone.")
    meant = _meant(operations, method, path)
    if meant is not None:
        return PathNotFound(f"Resource not found. Did you mean {meant}?")
    return PathNotFound(f"Resource not found. Operations here: {', '.join(operations)}.")


def _meant(operations: Sequence[str], method: str, path: bytes) -> str | None:
    """The one whose path differs in one segment that is nearly the same; of the method that was asked, if there is."""
    parts = path.decode("ascii", "replace").split("/")
    found: dict[str, list[str]] = {}
    wrong = ""
    for operation in operations:
        form = operation.partition(" ")[2].partition("?")[0].split("/")
        if len(form) != len(parts):
            continue
        apart = [(is_, given) for is_, given in zip(form, parts, strict=True) if is_ != given and is_[:1] != "{"]
        if len(apart) == 1 and nearest(apart[0][1], (apart[0][0],)):
            wrong = apart[0][1]
            found.setdefault(apart[0][0], []).append(operation)
    close = nearest(wrong, found)
    if close is None:
        return None
    return next((each for each in found[close] if each.startswith(f"{method} ")), found[close][0])
