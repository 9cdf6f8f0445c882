"""A host's error answer becomes named members, and nothing else of it is shown."""

import json

import pytest

from forehearth.dialects import openai_errors
from tests.unit.dice import by_dice


def read(body: object, status: int = 400, **headers: str):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return openai_errors.read(status, fields, raw, backend="b")


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        ({"error": {"message": "too long", "code": "context_length_exceeded"}}, "too long", "context_length_exceeded"),
        ({"error": "plain"}, "plain", None),
        ({"message": "flat", "code": 400}, "flat", "400"),
        ({"detail": "not here"}, "not here", None),
        ({"error": {"detail": "inner"}}, "inner", None),
    ],
)
def test_the_shapes_that_hosts_use(body, message, code):
    error = read(body)
    assert (error.message, error.error_code) == (message, code)


@pytest.mark.parametrize("body", [b"", b"<html>secret-host</html>", b"[1]", b'"x"', b"\xff\xfe", b"[" * 5_000])
def test_what_is_no_error_object_is_not_shown(body):
    error = read(body, status=502)
    assert error.message == "The model's host answered with status 502 and no message that can be shown."


def test_a_content_filters_verdict_is_kept():
    verdict = {"hate": {"filtered": True, "severity": "high"}}
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": verdict, "trace": "x"}
    error = read({"error": {"message": "m", "code": "content_filter", "innererror": inner}})
    assert error.inner_error == {"code": "ResponsibleAIPolicyViolation", "content_filter_result": verdict}


@pytest.mark.parametrize(
    "text",
    [
        "bad key sk-abcdef0123456789 given",
        "Authorization: Bearer abc.def.ghi refused",
        "see https://internal-host.example:8443/v1?key=abc",
        "token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdef",
        "line\r\nx-injected: 1",
    ],
)
def test_messages_lose_secrets_addresses_and_control_characters(text):
    message = read({"error": {"message": text}}).message
    for forbidden in ("abcdef0", "abc.def", "internal-host", "eyJhbG", "\r", "\n"):
        assert forbidden not in message


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after_ms": "1500", "retry_after": "2"}, 1.5),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({"retry_after": "-3"}, None),
        ({"retry_after": "9" * 30}, None),
        ({}, None),
    ],
)
def test_how_long_a_host_asks_to_wait(headers, seconds):
    assert read({}, status=429, **headers).retry_after == seconds


VALUES = [None, "", "text\n", 7, [], {}, {"code": "c"}, "x" * 5_000, "sk-0123456789", "\x00\x1b[31m"]
NAMES = ["message", "detail", "code", "innererror", "inner_error", "param", "type"]


def some_body(dice):
    """An error object, within another or flat; a value in its place; such a body cut short; any bytes."""
    kind = dice.randrange(5)
    if kind == 4:
        return dice.randbytes(dice.randrange(41))
    error = {name: dice.choice(VALUES) for name in dice.choices(NAMES, k=dice.randrange(5))}
    body = json.dumps(({"error": error}, error, {"error": dice.choice(VALUES)}, {"error": error})[kind]).encode()
    return body[: dice.randrange(len(body))] if kind == 3 else body


@by_dice(told=0.1, in_general=0.2)
def test_any_body_makes_an_error_that_is_short_and_clean(dice):
    error = openai_errors.read(500, {}, some_body(dice), backend="b")
    assert 0 < len(error.message) <= 1_000
    for shown in (error.message, error.error_code or "", error.param or "", error.type or ""):
        assert not any(ord(letter) < 32 for letter in shown)
        assert "0123456789" not in shown
    return "in_general" if "no message that can be shown" in error.message else "told"
