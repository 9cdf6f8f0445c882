"""One request as the admin API explains it: who asked what, where it went, what it used, and what each policy said."""

from datetime import datetime

import msgspec

from forehearth.admin.office import Office
from forehearth.core.ledger import LedgerRecord, detail_of
from forehearth.core.money import plain
from forehearth.core.record import Attempt, Touched
from forehearth.wire.admin_bodies import moment
from forehearth.wire.admin_usage import ledger_of


class CallerView(msgspec.Struct, frozen=True, kw_only=True):
    """Who asked."""

    kind: str
    id: str
    name: str
    product: str | None


class TokensView(msgspec.Struct, frozen=True, kw_only=True):
    """What was held before the call, and what is booked for it."""

    estimated: int | None
    reserved: int
    prompt: int
    cached: int
    completion: int
    reasoning: int
    counted: bool
    flag: str | None


class CostView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What it cost. `amount` is null where the price is not known."""

    amount: str | None
    currency: str | None
    price_version: str | None


class TimesView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Seconds."""

    queued: float
    first_byte: float | None
    total: float


class TriedView(msgspec.Struct, frozen=True, kw_only=True):
    """One try at one backend; `began` is in seconds after the request's head."""

    backend: str
    began: float
    seconds: float
    outcome: str
    status: int | None


class LimitView(msgspec.Struct, frozen=True, kw_only=True):
    """A limit that it was held against; `left` is what was left of it then."""

    name: str
    reserved: int
    left: int


class WordView(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy said."""

    policy: str
    word: str


class RequestView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A request. `tried`, `limits` and `words` are null where they are kept no more."""

    id: str
    time: datetime
    caller: CallerView
    project: str | None
    surface: str
    operation: str
    stream: bool
    asked: str
    deployment: str
    backend: str | None
    model: str | None
    status: int | None
    outcome: str
    cache: str | None
    tokens: TokensView
    cost: CostView
    seconds: TimesView
    attempts: int
    tried: tuple[TriedView, ...] | None
    limits: tuple[LimitView, ...] | None
    words: tuple[WordView, ...] | None


async def request_view(office: Office, resource: str, request_id: str) -> RequestView:
    """The request of that id. Raises `NotFound`, `StoreFailed`, or `Conflict` where no calls are recorded."""
    return _view(await ledger_of(office).record(resource, request_id))


def _view(record: LedgerRecord) -> RequestView:
    account, detail = record.account, detail_of(record)
    return RequestView(
        id=record.id,
        time=moment(round(record.at, 6)),
        caller=CallerView(
            kind=account.caller_kind, id=account.caller_id, name=account.caller_name, product=account.product or None
        ),
        project=account.project or None,
        surface=account.surface,
        operation=account.operation,
        stream=account.stream,
        asked=account.asked,
        deployment=account.deployment,
        backend=record.backend or None,
        model=record.model or None,
        status=record.status or None,
        outcome=record.outcome,
        cache=record.cache or None,
        tokens=_tokens(record, None if detail is None else detail.estimated),
        cost=CostView(
            amount=None if record.amount is None else plain(record.amount),
            currency=record.currency or None,
            price_version=record.price_version or None,
        ),
        seconds=TimesView(
            queued=round(record.queued, 6),
            first_byte=None if record.first_byte is None else round(record.first_byte, 6),
            total=round(record.seconds, 6),
        ),
        attempts=record.attempts,
        tried=None if detail is None else tuple(_tried(each, detail.started) for each in detail.attempts),
        limits=None if detail is None else tuple(map(_limit, detail.limits)),
        words=None if detail is None else tuple(WordView(policy=policy, word=word) for policy, word in detail.words),
    )


def _tokens(record: LedgerRecord, estimated: int | None) -> TokensView:
    return TokensView(
        estimated=estimated,
        reserved=record.reserved,
        prompt=record.prompt,
        cached=record.cached,
        completion=record.completion,
        reasoning=record.reasoning,
        counted=record.counted,
        flag=record.flag or None,
    )


def _tried(attempt: Attempt, started: float) -> TriedView:
    return TriedView(
        backend=attempt.backend,
        began=round(attempt.began - started, 6),
        seconds=round(attempt.seconds, 6),
        outcome=attempt.outcome,
        status=attempt.status or None,
    )


def _limit(touched: Touched) -> LimitView:
    return LimitView(name=touched.name, reserved=touched.reserved, left=touched.left)
