"""What the ledger keeps of a call: made of the call, and of the notes that were taken on its way. No I/O."""

from forehearth.accounting.served import Price, PriceOf, Served
from forehearth.core.call import Call
from forehearth.core.ledger import Flag, Intent, LedgerRecord
from forehearth.core.usage import Usage

MOST_WORDS = 40
"""Policies' words that are kept of one call."""
_UNUSED = Usage(prompt=0)


_FREE = Price(0, "", "")
_UNKNOWN: tuple[None, str, str] = (None, "", "")


def intent(call: Call, served: Served) -> tuple[object, ...]:
    """What is written before a call is sent: an `Intent`.

    It and `outcome` are made for every call, so they are the plain members, which cost a third of the noun.
    """
    record = call.record
    prompt, reserved = record.estimated, record.reserved
    if not reserved:
        most = served.bound(call)
        prompt, reserved = most.prompt, most.prompt + most.completion
    record.account = account = _account(call, served)
    return "intent", call.request_id, record.arrived, account, prompt, reserved


def outcome(call: Call, served: Served, seconds: float) -> tuple[object, ...]:
    """What became of a call, which took so many seconds: an `Outcome`."""
    record = call.record
    usage, flag = record.usage, ""
    if usage is None:
        usage, flag = _bounded(call, served)
    elif record.cut and usage.counted:
        flag = "cut"
    used = usage.prompt or usage.completion
    price = served.price_of(record.backend, record.model, usage) if used else _FREE
    account = record.account
    if account is None or account[-1] != served.name:  # it fell through to another one, which did not send it
        account = _account(call, served)
    amount, currency, version = _UNKNOWN if price is None else (price.amount, price.currency, price.version)
    backend, model, counted = record.backend, record.model, usage.counted
    return (
        call.request_id,
        record.arrived,
        account,
        (backend, model, counted, currency, version, record.status, record.outcome, record.cache, flag),
        len(record.attempts),
        usage.prompt,
        usage.completion,
        min(usage.cached, usage.prompt),
        usage.reasoning,
        record.reserved,
        amount,
        record.queued,
        record.first_byte,
        seconds,
        (call.started, record.estimated, record.attempts, record.limits, record.words[:MOST_WORDS]),
    )


def crashed(found: Intent, price_of: PriceOf | None) -> LedgerRecord:
    """The record of a call of which nothing is known but its intent: what was reserved is booked.

    `price_of` is None where there is no such deployment any more.
    """
    usage = Usage(prompt=found.prompt, completion=max(0, found.reserved - found.prompt))
    price = None if price_of is None else price_of("", "", usage)
    amount, currency, version = _UNKNOWN if price is None else (price.amount, price.currency, price.version)
    return LedgerRecord(
        id=found.id,
        at=found.at,
        account=found.account,
        prompt=usage.prompt,
        completion=usage.completion,
        counted=True,
        reserved=found.reserved,
        amount=amount,
        currency=currency,
        price_version=version,
        outcome="crashed",
        flag="crashed",
    )


def _account(call: Call, served: Served) -> tuple[object, ...]:
    """An `Account`."""
    principal = call.principal
    return (
        served.resource,
        call.project,
        principal.kind,
        principal.id,
        principal.name,
        principal.product,
        call.surface,
        call.asked_as or call.operation,
        call.stream,
        call.name,
        served.name,
    )


def _bounded(call: Call, served: Served) -> tuple[Usage, Flag]:
    """The tokens that are booked where it is not known what was used, and why they are not the truth."""
    record = call.record
    if not any(each.may_have_used for each in record.attempts):
        return _UNUSED, ""
    if record.reserved:
        most = Usage(prompt=record.estimated, completion=record.reserved - record.estimated, counted=True)
    else:
        most = served.bound(call)
    return most, "unreported" if record.outcome == "ok" else "cut"
