"""The script of a `scripted` backend as configuration values: which calls a rule is for, and what happens to them."""

import re
import warnings
from typing import Annotated, Any, Literal

import msgspec

from forehearth.core.settings_types import Unfit, Values

MATCHED_CHARACTERS = 400
"""How much of a message a `matches` pattern sees, so that no message can make it slow."""

Count = Annotated[int, msgspec.Meta(ge=1)]
Tokens = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
Wait = Annotated[float, msgspec.Meta(ge=0, le=86_400)]
Pace = Annotated[float, msgspec.Meta(gt=0, le=1_000_000)]
Fault = Literal[
    "unreachable",
    "reset",
    "reset_mid_stream",
    "hang",
    "hang_mid_stream",
    "truncate",
    "garbage",
    "no_done",
    "no_usage",
    "wrong_usage",
    "slow_first_byte",
]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]

_PATTERN_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?P?[=!<>:(a-zA-Z]*|\{\d*,?\d*\}|.", re.DOTALL)
_REFUSED_TOKEN = re.compile(r"\\\d|\(\?P=|\(\?\(|\(\?[aiLmsu]*x")
_REPEATS, _CHOICES = 2, 3
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]{0,1000}")
_FRAMING = frozenset({"connection", "content-encoding", "content-length", "content-type", "transfer-encoding"})


class When(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which calls a rule is for: every condition that is given must hold."""

    operation: Literal["chat_completions", "completions", "embeddings"] | None = None
    """`chat_completions`, `completions` or `embeddings`."""
    model: str | None = None
    """The model's name at this backend."""
    contains: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    """Text in the last user message (in the prompt or the input, where there are no messages)."""
    matches: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None = None
    """Regular expression (Python's) found in the first 400 characters of the same text. It may have at most two of
    `*`, `+`, `{m,n}` and three of `?`, `|`, no repeated group and no back reference, so that it cannot be slow."""
    stream: bool | None = None
    """Whether the answer was asked for as a stream."""
    every: Count | None = None
    """Each n-th of the calls that fit the conditions above: 3 is the 3rd, 6th, 9th, …"""
    first: Count | None = None
    """Only the first n of them."""
    after: Count | None = None
    """Only those after the first n."""
    chance: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    """Only this share of the calls that fit all the rest, chosen by `seed`."""

    def __post_init__(self) -> None:
        """Refuse patterns that could be slow. Raises `Unfit`."""
        if self.matches is not None:
            _check_pattern(self.matches)


class ScriptedToolCall(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One function that the answer calls."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    """The function's name."""
    arguments: dict[str, Any] | str = msgspec.field(default_factory=dict)
    """The arguments; a text is sent as it is, valid JSON or not."""


class ScriptedError(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The members of the error object that goes with a status."""

    code: str | None = None
    """What went wrong, in one word; the status's name, when not given."""
    message: str | None = None
    """The same in a sentence."""
    type: str | None = None
    """Without it `server_error` from 500 on, `rate_limit_error` for 429, and else `invalid_request_error`."""
    param: str | None = None
    """The member of the request that is at fault."""
    inner_error: dict[str, Any] | None = None
    """Sent as `innererror`, such as a content filter's results."""


class ScriptedUsage(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Token counts to report instead of the counted ones; what is not given is counted."""

    prompt: Tokens | None = None
    """Tokens of the prompt."""
    completion: Tokens | None = None
    """Tokens of all answers together."""
    cached: Tokens | None = None
    """How many of the prompt's tokens came from a cache."""
    reasoning: Tokens | None = None
    """How many of the completion's tokens were reasoning."""


class Rule(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happens to the calls that `when` describes. A rule that says nothing else echoes."""

    when: When = When()
    """The calls that the rule is for; all, when not given."""
    answer: str | Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] | None = None
    """The answer's text; of a list, one after the other, from the start again at its end."""
    echo: bool = False
    """Answer with the last user message (the prompt, for completions)."""
    json: dict[str, Any] | list[Any] | None = None
    """Answer with this value, written as JSON."""
    tool_calls: tuple[ScriptedToolCall, ...] = ()
    """Functions that the answer calls, with or without a text."""
    finish_reason: FinishReason | None = None
    """Why the answer ended, instead of the true reason."""
    usage: ScriptedUsage = ScriptedUsage()
    """The token counts to report, instead of the counted ones."""
    status: Annotated[int, msgspec.Meta(ge=400, le=599)] | None = None
    """Answer with this error instead."""
    error: ScriptedError = ScriptedError()
    """The error object that goes with `status`; what is not given follows from the status."""
    retry_after: Wait | None = None
    """Seconds in the headers `retry-after` and `retry-after-ms`."""
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    """Further headers of the response, such as `x-ratelimit-remaining-tokens`."""
    delay: Wait | None = None
    """Seconds before the first byte; the backend's `delay`, when not given."""
    tokens_per_second: Pace | None = None
    """How fast the answer comes; the backend's `tokens_per_second`, when not given."""
    fault: Fault | None = None
    """What goes wrong with the answer."""

    def __post_init__(self) -> None:
        """Refuse what contradicts itself. Raises `Unfit`."""
        answers = [key for key in ("answer", "echo", "json") if getattr(self, key) not in (None, False)]
        if len(answers) > 1:
            raise Unfit(f"there is {answers[1]} beside {answers[0]}, and a call has one answer", member=answers[1])
        _check_status(self, answers)
        _check_headers(self.headers)


def _check_status(rule: Rule, answers: list[str]) -> None:
    if rule.status is None:
        for member in ("error", "retry_after"):
            if getattr(rule, member) not in (None, ScriptedError()):
                raise Unfit(f"there is {member} but no status", member=member, hint="add status, such as 429")
        return
    given = {
        **dict.fromkeys(answers, True),
        "tool_calls": rule.tool_calls,
        "finish_reason": rule.finish_reason,
        "usage": rule.usage != ScriptedUsage(),
        "tokens_per_second": rule.tokens_per_second,
        "fault": rule.fault,
    }
    for member, value in given.items():
        if value:
            raise Unfit(
                f"there is {member} beside status, which answers with an error alone",
                member=member,
                hint="write two rules, or leave one of the two out",
            )


def _check_headers(headers: dict[str, str]) -> None:
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise Unfit(f"{name!r} is not the name of a header, or its value is not printable ASCII", member="headers")
        if name.lower() in _FRAMING:
            raise Unfit(f"the header {name} follows from the answer", member="headers", hint="leave it out")


def _check_pattern(pattern: str) -> None:
    """Refuse what Python's matcher, which backtracks, could take more than about a second for. Raises `Unfit`."""
    try:
        with warnings.catch_warnings(action="error"):
            re.compile(pattern)
    except (re.error, OverflowError, FutureWarning, DeprecationWarning) as error:
        raise Unfit(f"this is not a regular expression: {error}", member="matches") from error
    repeats = choices = 0
    before = ""
    for token in _PATTERN_TOKEN.findall(pattern):
        repeated = token in ("*", "+") or (token[0] == "{" and len(token) > 1)
        if repeated and before == ")":
            hint = "write a character class, such as [a-z]+"
            raise Unfit("a group is repeated, which can be slow", member="matches", hint=hint)
        if _REFUSED_TOKEN.match(token):
            raise Unfit("back references, conditions and the verbose form are not taken here", member="matches")
        # A fixed count ({4}) has one way to match, so it does not count.
        repeats += repeated and (token[0] != "{" or "," in token)
        choices += token in ("|", "?")
        before = token
    if repeats > _REPEATS or choices > _CHOICES:
        hint = "at most two of * + {m,n} and three of ? |; `contains` takes any text"
        raise Unfit("there are too many repeats or alternatives, which can be slow", member="matches", hint=hint)
