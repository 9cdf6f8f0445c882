"""What is kept of every call: that it was begun, and what became of it; and what is asked of all of them together."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from forehearth.core.record import Attempt, Touched

Flag = Literal["", "crashed", "cut", "unreported"]
"""Why a record's tokens are not the truth but a bound or a part of it; empty where they are the truth.

`crashed`: the process ended before the call did, and what was reserved for it is booked. `cut`: the answer broke off,
or its caller left, before its usage was known; what came is booked, or what was reserved where that is not known.
`unreported`: a backend that answered did not say, and what was reserved is booked.
"""

Grouping = Literal[
    "key", "product", "project", "deployment", "model", "backend", "operation", "outcome", "day", "month"
]
"""What calls can be told apart by in a report."""

NOTHING = msgspec.Raw(b"null")


class Account(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """Who asked what of which deployment. New members are only ever added at the end, here and below."""

    resource: str
    project: str
    caller_kind: str
    """`key`, `user` or `application`."""
    caller_id: str
    caller_name: str
    product: str
    """The bundle that its key was given, if any."""
    surface: str
    operation: str
    stream: bool
    asked: str
    """The deployment or the route that was asked for."""
    deployment: str
    """The deployment that served, or was the last one to refuse."""


class Intent(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="intent", gc=False):
    """A call that is about to be sent to a backend."""

    id: str
    """The request's."""
    at: float
    """When its head arrived, in Unix seconds."""
    account: Account
    prompt: int
    """Tokens that the prompt has at the most."""
    reserved: int
    """Tokens of prompt and answer that the call may use at the most."""


class Detail(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """How a call went its way, for `explain`; kept for a shorter time than the record itself."""

    started: float = 0.0
    """When its head arrived, on the clock of its attempts."""
    estimated: int = 0
    """The prompt's tokens as they were bounded before the call."""
    attempts: tuple[Attempt, ...] = ()
    limits: tuple[Touched, ...] = ()
    words: tuple[tuple[str, str], ...] = ()
    """What each policy said."""


class Ending(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """What many calls have in common of how they ended; the members are those of a `LedgerRecord`."""

    backend: str
    model: str
    counted: bool
    currency: str
    price_version: str
    status: int
    outcome: str
    cache: str
    flag: Flag


class Outcome(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """A `LedgerRecord` on its way to the ledger: what calls have in common is passed on as it was written."""

    id: str
    at: float
    account: msgspec.Raw
    """An `Account`."""
    ending: msgspec.Raw
    """An `Ending`."""
    attempts: int
    prompt: int
    completion: int
    cached: int
    reasoning: int
    reserved: int
    amount: int | None
    queued: float
    first_byte: float | None
    seconds: float
    detail: msgspec.Raw
    """A `Detail`, or `NOTHING`."""


class Outcomes(msgspec.Struct, frozen=True, array_like=True, tag="outcomes"):
    """Calls that ended together."""

    calls: list[Outcome]


class LedgerRecord(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="outcome", gc=False):
    """One call, when it was over. Older servers wrote it to their journals as it is."""

    id: str
    at: float
    """When its head arrived, in Unix seconds."""
    account: Account
    backend: str = ""
    """The one whose answer went out; empty where none did."""
    model: str = ""
    """The model's name there."""
    attempts: int = 0
    """Backends that were tried."""
    prompt: int = 0
    completion: int = 0
    cached: int = 0
    """How many of `prompt` came from the backend's own cache."""
    reasoning: int = 0
    """How many of `completion` were reasoning that is not shown."""
    counted: bool = False
    """Whether they were counted here, because the backend did not say."""
    reserved: int = 0
    """Tokens held before the call."""
    amount: int | None = None
    """What it cost, as `core.money` has it; None where the price is not known."""
    currency: str = ""
    price_version: str = ""
    """Which prices that is by; empty where nothing was used, or no price is known."""
    queued: float = 0.0
    """Seconds in which it waited for its turn."""
    first_byte: float | None = None
    """Seconds from its head to the first byte of a stream."""
    seconds: float = 0.0
    """From its head to its end."""
    status: int = 0
    """What the caller got; 499 where it left, 0 where the process ended before."""
    outcome: str = ""
    """`ok`, or the code of what it was refused or failed with; `client_left`, `server_stopped`, `crashed`."""
    cache: str = ""
    """`hit`, `miss`, `shadow`, or empty where no cache was asked."""
    flag: Flag = ""
    detail: msgspec.Raw = NOTHING
    """A `Detail` as it was written, for only a few are ever read; `NOTHING` where it is kept no more."""


_ENDING = Ending.__struct_fields__
OWN_MEMBERS = tuple(each for each in Outcome.__struct_fields__ if each not in ("account", "ending"))
"""What no other call has in common with one."""
_account_in = msgspec.json.Decoder(Account).decode
_ending_in = msgspec.json.Decoder(Ending).decode


def outcome_of(record: LedgerRecord) -> Outcome:
    """A record, on its way to the ledger."""
    ending = Ending(**{name: getattr(record, name) for name in _ENDING})
    return Outcome(
        account=msgspec.Raw(msgspec.json.encode(record.account)),
        ending=msgspec.Raw(msgspec.json.encode(ending)),
        **{name: getattr(record, name) for name in OWN_MEMBERS},
    )


def record_of(outcome: Outcome) -> LedgerRecord:
    """What is read of it."""
    ending = _ending_in(outcome.ending)
    return LedgerRecord(
        account=_account_in(outcome.account),
        **{name: getattr(ending, name) for name in _ENDING},
        **{name: getattr(outcome, name) for name in OWN_MEMBERS},
    )


def detail_of(record: LedgerRecord) -> Detail | None:
    """How a call went its way; None where that is kept no more."""
    return msgspec.json.decode(record.detail, type=Detail | None)


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """The calls that are meant: of a resource, from a moment up to, but without, another; Unix seconds."""

    resource: str
    since: float = 0.0
    until: float | None = None
    key: str | None = None
    """Only those of this key, user or application, by its id or name."""
    product: str | None = None
    deployment: str | None = None
    project: str | None = None


class Sum(msgspec.Struct, frozen=True, kw_only=True):
    """What the calls of one group have in common, and what they come to, in one currency or in none."""

    group: Mapping[Grouping, str]
    calls: int
    prompt: int
    completion: int
    cached: int
    reasoning: int
    amount: int
    """Of those calls whose price is known, as `core.money` has it."""
    currency: str
    unpriced: int
    """Calls that used tokens whose price is not known."""
    flagged: int
    """Calls whose tokens are not the truth."""
    hits: int
    """Calls that a cache answered."""
    failed: int
    """Calls that did not end with `ok`."""
