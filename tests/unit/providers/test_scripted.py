"""The keys of a scripted backend: what they accept, what they refuse and how; and the requests that are made for it."""

import re

import msgspec
import pytest

from forehearth.core.call import Call, Operation
from forehearth.core.principal import Principal
from forehearth.core.settings_types import Unfit
from forehearth.core.upstream import Origin, Timeouts
from forehearth.providers.scripted import Scripted, ScriptedSettings
from forehearth.providers.scripted_rules import MATCHED_CHARACTERS, When
from tests.unit.dice import by_dice


def read(**keys: object) -> ScriptedSettings:
    return msgspec.convert(keys, ScriptedSettings)


def call(operation: Operation, body: bytes, *, model_in_body: str | None = None, **more) -> Call:
    return Call(
        request_id="r",
        surface="openai_v1",
        operation=operation,
        name="d",
        body=body,
        model_in_body=model_in_body,
        has_model_member=model_in_body is not None,
        principal=Principal(name="key", kind="key"),
        started=0.0,
        **more,
    )


@pytest.mark.parametrize(
    ("operation", "target"),
    [
        (Operation.CHAT, b"/v1/chat/completions"),
        (Operation.COMPLETIONS, b"/v1/completions"),
        (Operation.EMBEDDINGS, b"/v1/embeddings"),
    ],
)
def test_a_request_names_the_backend_the_operation_and_the_model(operation, target):
    connection = {"first_byte_seconds": 1, "idle_seconds": 2, "total_seconds": 3}
    provider = Scripted("fake", read(connection=connection))
    asked = call(operation, b'{"model":"d", "x": 1e400}', model_in_body="d", forward={b"x-a": b"1"})
    request = provider.request(asked, "m")
    assert request.origin == Origin(scheme="scripted", host="fake")
    assert request.method == b"POST"
    assert request.target == target
    assert request.body == b'{"model":"m", "x": 1e400}'
    assert list(request.headers) == [(b"content-type", b"application/json"), (b"x-a", b"1")]
    assert request.timeouts == Timeouts(first_byte=1, idle=2, total=3)


def test_a_whole_script_reads():
    read(
        seed=7,
        chance_by="call",
        delay=0.5,
        tokens_per_second=20,
        dimensions=8,
        rules=[
            {"when": {"operation": "embeddings", "chance": 0.5}, "status": 500, "error": {"code": "x"}, "delay": 1},
            {"when": {"model": "m", "contains": "a", "matches": "^b", "stream": True}, "answer": ["1", "2"]},
            {"when": {"every": 3, "first": 9, "after": 1}, "tool_calls": [{"name": "f", "arguments": {"a": [1]}}]},
            {"tool_calls": [{"name": "f", "arguments": "{broken"}], "answer": "and a text"},
            {"json": {"a": None}, "usage": {"prompt": 1}, "headers": {"x-ratelimit-remaining-tokens": "0"}},
            {"status": 429, "retry_after": 0.5, "error": {"inner_error": {"code": "x"}}},
            {"fault": "reset"},
            {},
        ],
    )


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"answer": "a", "echo": True}, "echo beside answer"),
        ({"answer": "a", "json": {}}, "json beside answer"),
        ({"json": [], "echo": True}, "json beside echo"),
        ({"answer": []}, "length >= 1"),
        ({"retry_after": 1}, "retry_after but no status"),
        ({"error": {"code": "x"}}, "error but no status"),
        ({"status": 500, "answer": "a"}, "answer beside status"),
        ({"status": 500, "echo": True}, "echo beside status"),
        ({"status": 500, "tool_calls": [{"name": "f"}]}, "tool_calls beside status"),
        ({"status": 500, "fault": "reset"}, "fault beside status"),
        ({"status": 500, "usage": {"prompt": 0}}, "usage beside status"),
        ({"status": 500, "tokens_per_second": 1}, "tokens_per_second beside status"),
        ({"status": 500, "finish_reason": "stop"}, "finish_reason beside status"),
        ({"status": 200}, ">= 400"),
        ({"fault": "meteor"}, "Invalid enum value 'meteor'"),
        ({"answer": "a", "answers": "b"}, "unknown field `answers`"),
        ({"when": {"contain": "a"}}, "unknown field `contain`"),
        ({"when": {"operation": "chat"}}, "Invalid enum value 'chat'"),
        ({"when": {"every": 0}}, ">= 1"),
        ({"when": {"chance": 1.5}}, "<= 1"),
        ({"when": {"matches": "("}}, "not a regular expression"),
        ({"when": {"matches": "[[a]"}}, "not a regular expression"),
        ({"when": {"matches": "a{99999999999}"}}, "not a regular expression"),
        ({"headers": {"content-length": "1"}}, "content-length follows from the answer"),
        ({"headers": {"Content-Type": "text/plain"}}, "Content-Type follows from the answer"),
        ({"headers": {"x a": "1"}}, "'x a' is not the name of a header"),
        ({"headers": {"x": "1\r\ny: 2"}}, "printable ASCII"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(rule, said):
    with pytest.raises(msgspec.ValidationError) as refused:
        read(rules=[{}, rule])
    assert said in str(refused.value)
    assert "$.rules[" in str(refused.value)


@pytest.mark.parametrize(
    "pattern",
    [
        "refund",
        "^order \\d{4}",
        "a.*b.*c",
        "(?i)please",
        "yes|no|maybe|later",
        "[a-z*+?|()]+",
        "\\(x\\)+",
        "a{2,3}",
        "(a+)?",
    ],
)
def test_everyday_patterns_are_taken(pattern):
    assert When(matches=pattern).matches == pattern


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a|a)*$",
        "(a|a)+$",
        "(?:a*)*",
        "(a+){2,}",
        "(?x)(a|aa) +$",
        "(?P<q>a)(?P=q)",
        "(a*)\\1",
        "(a)?(?(1)b|c)",
        "a*a*a*$",
        "a?a?a?a?aaaa",
        "(a|b)(a|b)(a|b)(a|b)",
        "a{0,99}a{0,99}a{0,99}$",
    ],
)
def test_patterns_that_can_be_slow_are_refused(pattern):
    re.compile(pattern)
    with pytest.raises(Unfit, match=r"slow|not taken"):
        When(matches=pattern)


_PIECES = [
    "a",
    "b",
    "(",
    ")",
    "|",
    "*",
    "+",
    "?",
    "(?:",
    "(?=",
    "{2}",
    "{1,9}",
    "{3,}",
    "[ab]",
    "[^b]",
    "\\w",
    "\\(",
    ".",
    "$",
]


@by_dice(taken=0.08, refused=0.3)
def test_no_pattern_that_is_taken_runs_away(dice):
    """On 40 letters an exponential pattern would run for hours; the limit on the text is for the rest."""
    try:
        taken = When(matches="".join(dice.choices(_PIECES, k=dice.randint(1, 14)))).matches
    except Unfit:
        return "refused"
    re.search(taken, "a" * 40 + "!")
    return "taken"


def test_the_limit_on_the_text_bounds_the_worst_pattern():
    assert MATCHED_CHARACTERS <= 400  # 0.8 s for the worst known; time grows with its cube


@by_dice(taken=0.01, refused=0.5)
def test_any_pattern_is_taken_or_refused(dice):
    try:
        When(matches="".join(dice.choices("ab(|)*+?{}[]\\^$.0123=<P>x!:#", k=dice.randint(1, 30))))
    except Unfit:
        return "refused"
    return "taken"
