"""Deployments that stand in for one another: the next one is asked when the one before cannot serve.

Cannot serve is: all its backends are down, busy or full, and the call was carried out by none of them. Each one is
asked through its own policies. Where none can, the caller is told the soonest time at which one of them may.
"""

from collections.abc import Awaitable, Callable, Mapping

import msgspec

from forehearth.core.call import Call
from forehearth.core.errors import RETRYABLE_STATUSES, AllBusy, BackendRefused, ForehearthError
from forehearth.core.exchange import Reply
from forehearth.routing.deployment import Deployment
from forehearth.routing.spillover import spillover_headers

_BUSY, _UNAVAILABLE = 429, 503

Onions = Mapping[str, Callable[[Call], Awaitable[Reply]]]
"""By deployment: its policies around the attempts at its backends."""


async def serve(chain: tuple[Deployment, ...], call: Call, onions: Onions) -> tuple[Deployment, Reply]:
    """The reply of the first deployment that can serve, and which one that is. Raises what the last one raises."""
    record = call.record
    if len(chain) == 1:  # as good as always
        only = chain[0]
        record.deployment = only.label
        return only, await onions[only.name](call)
    cannot: list[ForehearthError] = []
    for deployment in chain:
        record.deployment = deployment.label
        try:
            reply = await onions[deployment.name](call)
        except ForehearthError as error:
            if deployment is chain[-1] or not error.retry_elsewhere:
                if cannot:
                    error.headers = (*error.headers, *spillover_headers(chain[0].name, _status(cannot[0])))
                if error.retry_elsewhere:
                    waits = [each.retry_after for each in (*cannot, error) if each.retry_after is not None]
                    error.retry_after = min(waits, default=None)
                raise
            record.say("route", f"{deployment.name} could not serve: {error.code}.")
            cannot.append(error)
        else:
            if cannot:
                headers = (*reply.headers, *spillover_headers(chain[0].name, _status(cannot[0])))
                reply = msgspec.structs.replace(reply, headers=headers)
            return deployment, reply
    raise AssertionError("a chain has a deployment")  # pragma: no cover - the directory gives none without


def _status(error: ForehearthError) -> int:
    if isinstance(error, BackendRefused) and error.status in RETRYABLE_STATUSES:
        return error.status
    return _BUSY if isinstance(error, AllBusy) else _UNAVAILABLE
