"""Fits a conversation into its model's context, for calls that ask for that; refuses one that does not fit, for others.

A host counts best what its model reads: with its own vocabulary, in its own form. So it is asked, and when it refuses
a conversation as too long, that is made shorter by as much as it says, and it is asked again. Before that, where the
deployment says how long the context is and which vocabulary the model has, it is counted here, because some hosts cut
what is too long without a word.

It stands next to the attempts at the backends: limits have reserved for the whole conversation by then, and settle by
what was used.
"""

import re
from collections.abc import Awaitable
from typing import Final

import msgspec

from forehearth.accounting.tokens import LONGEST_COUNTED, TokenBounds
from forehearth.core.call import Call
from forehearth.core.errors import BackendRefused, ContextTooLong
from forehearth.core.exchange import Reply
from forehearth.dialects import turns
from forehearth.policies.onion import Proceed

_NAME: Final = "truncation"
_MOST: Final = 12
"""Times that a host is asked with less and less."""
_MOST_COUNTED: Final = 4
"""Times that a conversation is counted here: each one holds up other calls for some hundredths of a second."""
_BLINDLY: Final = 0.25
"""The share of a conversation that goes when the host does not say by how much it is too long."""
_ROOM: Final = 8
"""One part of the context, in so many, is left for an answer to which nobody set a bound."""
_CODES: Final = frozenset({"context_length_exceeded", "exceed_context_size_error"})
_SAYS_SO: Final = re.compile(
    r"(?:maximum|available) context (?:length|size)|exceeds? the context window", re.IGNORECASE
)
_TOKENS: Final = re.compile(r"\b(\d{2,9})\s+tokens?\b")
_BAD_REQUEST, _TOO_LARGE = 400, 413
TOO_LONG: Final = "Your input exceeds the context window of this model. Please adjust your input and try again."


class FitContext:
    """A policy. `context` is how many tokens the model can hold, where that is known."""

    def __init__(self, tokens: TokenBounds, context: int | None) -> None:
        self._tokens = tokens
        self._context = context

    def __call__(self, call: Call, proceed: Proceed) -> Awaitable[Reply]:
        """Ask, with less and less where that is wanted; most calls pass by without a coroutine of their own.

        Raises `ContextTooLong` where it is too long and cannot or must not be shorter.
        """
        return self._fitted(call, proceed) if call.truncation else proceed(call)

    async def _fitted(self, call: Call, proceed: Proceed) -> Reply:
        call = self._counted(call)
        for _ in range(_MOST):
            try:
                return await proceed(call)
            except BackendRefused as error:
                if not says_too_long(error):
                    raise
                shorter = self._shorter(call, self._excess(call, error)) if call.truncation == "auto" else None
                if shorter is None:
                    raise ContextTooLong(error.message, param="messages") from error
                call = shorter
        return await proceed(call)

    def _counted(self, call: Call) -> Call:
        """The call, fit into the context as far as that can be counted here. Raises `ContextTooLong`."""
        context, tokens = self._context, self._tokens
        if context is None or not tokens.counts:
            return call
        for _ in range(_MOST_COUNTED):
            if len(call.body) > LONGEST_COUNTED:
                break
            prompt = tokens.counted(call, tokens.of(call, None)).prompt
            if prompt <= context if call.truncation == "disabled" else prompt <= context - _room(call, context):
                return call
            shorter = None
            if call.truncation == "auto":
                shorter = self._shorter(call, 1 - (context - _room(call, context)) / prompt)
            if shorter is None:
                raise ContextTooLong(TOO_LONG, param="messages")
            call = shorter
        return call

    def _excess(self, call: Call, error: BackendRefused) -> float:
        """The share of the prompt that is too much, by what the host says: its context, and what was asked for."""
        said = [int(each) for each in _TOKENS.findall(error.message)]
        if len(said) < 2 or max(said) <= min(said):  # noqa: PLR2004 - the two
            return _BLINDLY
        context, prompt = min(said[:2]), max(said[:2])
        return 1 - max(0, context - _room(call, context)) / prompt

    def _shorter(self, call: Call, share: float) -> Call | None:
        """The call without that share of its conversation, and one entry at least; None where nothing can go."""
        counts = self._tokens.counts and len(call.body) <= LONGEST_COUNTED
        weigh = self._weigh if counts else len
        body = turns.shortened(call.body, "input" if call.only_responses else "messages", share, weigh)
        passed = call.responses and turns.shortened(call.responses, "input", share, weigh)
        if body is None or (call.responses is not None and not passed):
            return None
        call.record.say(_NAME, f"{body.dropped} of the oldest messages were left out, to fit the model's context.")
        return msgspec.structs.replace(call, body=body.body, responses=passed.body if passed else None)

    def _weigh(self, entry: bytes) -> int:
        return self._tokens.count([entry.decode()])


def says_too_long(error: BackendRefused) -> bool:
    """Whether a host refuses a call because it does not fit the model's context."""
    if error.status not in (_BAD_REQUEST, _TOO_LARGE):
        return False
    return error.error_code in _CODES or error.type in _CODES or _SAYS_SO.search(error.message) is not None


def _room(call: Call, context: int) -> int:
    """Tokens that are left for the answer."""
    return context // _ROOM if call.output is None else min(call.output, context // 2)
