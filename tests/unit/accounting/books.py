"""Intents and outcomes for the tests of the ledger."""

from collections import Counter
from typing import Any

import msgspec

from forehearth.core.ledger import Detail, Intent, LedgerRecord

_WHO = {
    "at": 1_764_150_000.25,
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


def intent(name: str, **others: Any) -> Intent:
    """A call that is about to be sent."""
    return Intent(**{"id": name, "prompt": 300, "reserved": 1_300, **_WHO, **others})


def record(name: str, **others: Any) -> LedgerRecord:
    """A call that is over."""
    usual = {
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
        "detail": Detail(words=(("limits", "There was room."),)),
    }
    return LedgerRecord(**{"id": name, **_WHO, **usual, **others})


def encoded(noun: msgspec.Struct) -> bytes:
    """As it stands in a journal."""
    return msgspec.json.encode(noun)


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
