"""Spillover: a call that another priority, or another deployment, takes because the first one was busy or ill."""

from forehearth.core.backend_state import State
from forehearth.core.call import Call
from forehearth.core.errors import RETRYABLE_STATUSES, BackendRefused, Failed
from forehearth.core.exchange import Header
from forehearth.routing.member import BUSY, Member
from forehearth.routing.plan import Plan

Failures = list[tuple[Member, Failed]]
"""The backends that were asked for one call, and what each said."""


def spillover_headers(deployment: str, status: int) -> tuple[Header, ...]:
    """What the service tells of a call that `deployment` could not take, as `status` says."""
    return (
        (b"x-ms-spillover-from-deployment", deployment.encode()),
        (b"x-ms-spillover-error", str(status).encode()),
    )


def refused_before(plan: Plan, failures: Failures, served: Member) -> int:
    """The status with which a backend of a better priority did not take a call; 0 where none did so.

    A host that cannot be reached has no status: to pass it over is no spillover.
    """
    priority = served.backend.priority
    for member, failed in failures:
        if member.backend.priority < priority and isinstance(failed, BackendRefused):
            return failed.status if failed.status in RETRYABLE_STATUSES else 0
    for each in plan.left_out:
        if each.member.backend.priority < priority and each.state in (State.FULL, State.WAITING):
            return BUSY if each.state is State.FULL else each.member.health.wish
    return 0


def explain(call: Call, plan: Plan) -> None:
    """Note for `explain` who was left out, and why."""
    for each in plan.left_out:
        why = f", {each.member.health.why}" if each.member.health.why else ""
        call.record.say("routing", f"{each.member.backend.name} was not asked: {each.state}{why}.")
