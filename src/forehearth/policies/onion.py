"""Folds a list of policies and the call itself into one callable, once per deployment when the server starts."""

from collections.abc import Awaitable, Callable, Sequence
from types import FunctionType, MethodType
from typing import Any, TypeVar

from forehearth.core.call import Call
from forehearth.core.exchange import Reply

Proceed = Callable[[Call], Awaitable[Reply]]
"""The rest of the way: the next policy, or the attempts at the backends."""
_Called = TypeVar("_Called", bound=Callable[..., Any])
Policy = Callable[[Call, Proceed], Awaitable[Reply]]
"""One layer. A stream is part of the reply, so a layer that wraps it sees it end, however it ends."""


def compose(policies: Sequence[Policy], innermost: Proceed) -> Proceed:
    """The first policy outermost."""
    proceed = _plain(innermost)
    for policy in reversed(policies):
        proceed = _around(proceed, policy)
    return proceed


def _around(proceed: Proceed, policy: Policy) -> Proceed:
    call_policy = _plain(policy)
    return lambda call: call_policy(call, proceed)


def _plain(called: _Called) -> _Called:
    """The method behind an object that can be called: a call of it takes the interpreter half as long."""
    if isinstance(called, FunctionType | MethodType):
        return called
    method: _Called = called.__call__  # type: ignore[operator] # what can be called has it
    return method
