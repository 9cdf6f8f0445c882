"""Folds a list of policies and the call itself into one callable, once per deployment when the server starts."""

from collections.abc import Awaitable, Callable, Sequence

from forehearth.core.call import Call
from forehearth.core.exchange import Reply

Proceed = Callable[[Call], Awaitable[Reply]]
"""The rest of the way: the next policy, or the attempts at the backends."""
Policy = Callable[[Call, Proceed], Awaitable[Reply]]
"""One layer. A stream is part of the reply, so a layer that wraps it sees it end, however it ends."""


def compose(policies: Sequence[Policy], innermost: Proceed) -> Proceed:
    """The first policy outermost."""
    proceed = innermost
    for policy in reversed(policies):
        proceed = _around(proceed, policy)
    return proceed


def _around(proceed: Proceed, policy: Policy) -> Proceed:
    return lambda call: policy(call, proceed)
