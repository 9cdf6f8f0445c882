"""Intents and outcomes for the tests of the ledger."""

from collections import Counter
from typing import Any

import msgspec

from forehearth.core.ledger import NOTHING, Account, Detail, Intent, LedgerRecord, Outcome, Outcomes, outcome_of
from forehearth.stores.memory_ledger import MemoryLedger
from forehearth.stores.sqlite.ledger import SqliteLedger

_DETAIL = Detail(words=(("limits", "There was room."),))
_AT = 1_764_150_000.25
_ACCOUNT = {
    "resource": "here",
    "project": "",
    "caller_kind": "key",
    "caller_id": "key_1",
    "caller_name": "shop",
    "product": "",
    "surface": "openai_v1",
    "operation": "chat_completions",
    "stream": False,
    "asked": "default",
    "deployment": "chat",
}


def account(**others: Any) -> Account:
    """Somebody who asks for something."""
    return Account(**{**_ACCOUNT, **others})


def intent(name: str, **others: Any) -> Intent:
    """A call that is about to be sent. Members of its account are given among the others."""
    own = {each: others.pop(each) for each in list(others) if each in _ACCOUNT}
    return Intent(**{"id": name, "at": _AT, "account": account(**own), "prompt": 300, "reserved": 1_300, **others})


def record(name: str, *, detail: Detail | None = _DETAIL, **others: Any) -> LedgerRecord:
    """A call that is over; likewise."""
    own = {each: others.pop(each) for each in list(others) if each in _ACCOUNT}
    usual = {
        "at": _AT,
        "backend": "one",
        "model": "gpt-4o",
        "attempts": 1,
        "prompt": 12,
        "completion": 30,
        "amount": 330_000_000,
        "currency": "USD",
        "price_version": "test",
        "seconds": 0.5,
        "status": 200,
        "outcome": "ok",
        "detail": NOTHING if detail is None else msgspec.Raw(msgspec.json.encode(detail)),
    }
    return LedgerRecord(**{"id": name, "account": account(**own), **usual, **others})


def encoded(noun: Intent | LedgerRecord) -> bytes:
    """As it stands in a journal."""
    return msgspec.json.encode(Outcomes([outcome_of(noun)]) if isinstance(noun, LedgerRecord) else noun)


def outcomes(*records: LedgerRecord) -> list[Outcome]:
    """Records, as a store is given them."""
    return list(map(outcome_of, records))


class Counts:
    """A meter that keeps what it is told."""

    def __init__(self) -> None:
        self.records: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.seconds_behind: list[float] = []

    def folded(self, flag: str, count: int) -> None:
        self.records[flag] += count

    def unwritten(self, what: str, count: int = 1) -> None:
        self.outcomes[what] += count

    def behind(self, seconds: float) -> None:
        self.seconds_behind.append(seconds)


async def everything(ledger: MemoryLedger | SqliteLedger) -> list[LedgerRecord]:
    """All that a ledger has, by time and id."""
    if isinstance(ledger, MemoryLedger):
        found = list(ledger._records.values())
    else:
        query = "SELECT resource, id FROM calls JOIN accounts ON accounts.number = calls.account"
        rows = await ledger._database.read(lambda connection: connection.execute(query).fetchall())
        found = [each for row in rows if (each := await ledger.get(*row)) is not None]
        assert len(found) == len(rows)
    return sorted(found, key=lambda each: (each.at, each.id))
