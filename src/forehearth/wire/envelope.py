"""The JSON in which the surfaces wrap a verdict, and the headers they share."""

import msgspec

from forehearth.core.exchange import Header, Reply
from forehearth.wire.verdict import Verdict

JSON: Header = (b"content-type", b"application/json")


def as_json(value: object, status: int = 200) -> Reply:
    """An answer of JSON."""
    return Reply(status=status, headers=[JSON], body=msgspec.json.encode(value))


def openai_error(said: Verdict) -> bytes:
    """`{"error": {...}}` as v1 and classic Azure OpenAI answer.

    A content filter's verdict stands under both spellings that are seen in real responses.
    """
    return msgspec.json.encode({"error": error_object(said)})


def error_object(said: Verdict) -> dict[str, object]:
    """The error itself; the service's front door leaves out all but code and message."""
    error: dict[str, object] = {"code": said.code, "message": said.message}
    if said.short:
        return error
    error |= {"param": said.param, "type": said.type}
    if said.inner_error is not None:
        error |= {"status": said.status, "innererror": said.inner_error, "inner_error": said.inner_error}
    return error


def foundry_error(said: Verdict, *, detail: object | None = None) -> bytes:
    """What `/models` answers: the flat members its documentation shows, and the `error` object its clients read."""
    flat: dict[str, object] = {"status": said.status, "code": said.code, "message": said.message}
    if not said.short:
        flat |= {"param": said.param, "type": said.type}
    if detail is not None:
        flat["detail"] = detail
    return msgspec.json.encode(flat | {"error": error_object(said)})


def project_error(said: Verdict) -> bytes:
    """`ApiErrorResponse` of the project endpoint: every member is there, also those with nothing to say."""
    members: dict[str, object] = {
        "code": said.code,
        "message": said.message,
        "param": said.param,
        "type": said.type,
        "details": [],
    }
    return msgspec.json.encode({"error": members | {"additionalInfo": {}, "debugInfo": {}}})
